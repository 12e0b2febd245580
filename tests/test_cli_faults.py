"""Interrupts, full disks and failing media, through the real command.

A preloaded library (tests/c/fault_io.c) makes the Nth system call of one kind fail, or raises a
signal in front of it, for every N. Whatever N is: no temporary remains, and what has a final name
is whole.
"""

import errno
import random
import signal
import subprocess
import time

import pytest

import c_build
from cli_run import environment, run, snapshot, start, temporaries

STRIPE_ID = "00112233445566778899aabbccddeeff"


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    c_build.require("cc")
    target = tmp_path_factory.mktemp("fault") / "fault_io.so"
    # Not -Wpedantic: POSIX lets dlsym's result become a function, ISO C does not know of it.
    subprocess.run(["cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC",
                    c_build.C_TESTS / "fault_io.c", "-o", target, "-ldl"], check=True)
    return target


class Stripe:
    """A file of 60,000 bytes as 3+2 shards of 4 KiB blocks, and folders to work in."""

    def __init__(self, folder):
        self.folder = folder
        self.data = folder / "data"
        self.data.write_bytes(random.Random(7).randbytes(60_000))
        self.disks = folder / "disks"
        self.disks.mkdir()
        self.out = folder / "out"
        self.out.mkdir()

    def encode_arguments(self, *options):
        return ("encode", self.data, "-k", 3, "-m", 2, "--block-size", "4K", "-o", self.disks,
                "--stripe-id", STRIPE_ID, "--threads", 1, "-q", *options)

    def encode(self):
        run(*self.encode_arguments(), expect=0)
        return snapshot(self.disks)

    def decode_arguments(self):
        return ("decode", self.disks, "-o", self.out / "back", "--threads", 1)


@pytest.fixture
def stripe(tmp_path):
    return Stripe(tmp_path)


def run_with_fault(library, root, fault, *arguments, expect=None, log=None):
    settings = {"LD_PRELOAD": library, "REED_FAULT_ROOT": root, "REED_FAULT": fault}
    if log is not None:
        settings["REED_FAULT_LOG"] = log
    return run(*arguments, expect=expect, env=environment(**settings))


def count_calls(library, folder, root, kind, *arguments, expect=0):
    log = folder / "calls"
    run_with_fault(library, root, f"{kind}:0:0", *arguments, expect=expect, log=log)
    return len(log.read_bytes())


# ---- a full disk, at every write, sync and rename ------------------------------------------------


def test_encode_onto_a_full_disk(library, stripe):
    calls = count_calls(library, stripe.folder, stripe.disks, "change",
                        *stripe.encode_arguments())
    assert calls > 10
    for path in snapshot(stripe.disks):
        path.unlink()
    for number in range(1, calls + 1):
        done = run_with_fault(library, stripe.disks, f"change:{number}:{errno.ENOSPC}",
                              *stripe.encode_arguments(), expect=6)
        assert "No space left on device" in done.stderr and "free some space" in done.stderr
        assert snapshot(stripe.disks) == {}, f"call {number}"


def test_encode_over_old_shards_onto_a_full_disk(library, stripe):
    """With -f the earlier shards stand again, all of them, or the new ones do."""
    old = stripe.encode()
    stripe.data.write_bytes(random.Random(8).randbytes(50_000))
    arguments = list(stripe.encode_arguments("-f"))
    arguments[arguments.index(STRIPE_ID)] = STRIPE_ID[::-1]
    log = stripe.folder / "calls"
    number = 0
    while True:
        number += 1
        log.unlink(missing_ok=True)
        done = run_with_fault(library, stripe.disks, f"write:{number}:{errno.ENOSPC}",
                              *arguments, expect={0, 6})
        assert not temporaries(stripe.disks)
        if done.returncode == 0:
            break
        assert snapshot(stripe.disks) == old, f"write {number}"
    assert number > 5
    assert snapshot(stripe.disks).keys() == old.keys()
    run("verify", stripe.disks, "--stripe-id", STRIPE_ID[::-1], expect=0)


def test_decode_onto_a_full_disk(library, stripe):
    stripe.encode()
    calls = count_calls(library, stripe.folder, stripe.out, "change", *stripe.decode_arguments())
    (stripe.out / "back").unlink()
    assert calls >= 3
    for number in range(1, calls + 1):
        done = run_with_fault(library, stripe.out, f"change:{number}:{errno.ENOSPC}",
                              *stripe.decode_arguments(), expect=6)
        assert "No space left on device" in done.stderr
        assert snapshot(stripe.out) == {}, f"call {number}"


def damage_for_repair(stripe, whole):
    """One shard gone, one with a wrong byte; returns what the folder holds then."""
    for path, content in whole.items():
        path.write_bytes(content)
    paths = sorted(whole)
    paths[1].unlink()
    content = bytearray(whole[paths[3]])
    content[5000] ^= 1
    paths[3].write_bytes(content)
    return snapshot(stripe.disks)


def check_after_failed_repair(stripe, whole, damaged, label):
    """Each file is as it was or whole; nothing else is there; another repair completes it."""
    assert not temporaries(stripe.disks), label
    after = snapshot(stripe.disks)
    assert set(after) <= set(whole), label
    assert set(damaged) <= set(after), label
    for path, content in after.items():
        assert content == whole[path] or content == damaged.get(path), f"{label}: {path}"
    run("repair", stripe.disks, expect=0)
    assert snapshot(stripe.disks) == whole, label


def test_repair_onto_a_full_disk(library, stripe):
    whole = stripe.encode()
    damage_for_repair(stripe, whole)
    arguments = ("repair", stripe.disks, "--threads", 1)
    calls = count_calls(library, stripe.folder, stripe.disks, "change", *arguments)
    assert calls >= 6
    for number in range(1, calls + 1):
        damaged = damage_for_repair(stripe, whole)
        run_with_fault(library, stripe.disks, f"change:{number}:{errno.ENOSPC}", *arguments,
                       expect=6)
        check_after_failed_repair(stripe, whole, damaged, f"call {number}")


# ---- a medium that fails to read -----------------------------------------------------------------


def test_unreadable_shard_is_unknown_not_missing(library, stripe):
    whole = stripe.encode()
    shard = sorted(whole)[2]
    fault = f"read:1:{errno.EIO}"
    assert run_with_fault(library, shard, fault, *stripe.decode_arguments(),
                          expect=0).stderr != ""
    assert (stripe.out / "back").read_bytes() == stripe.data.read_bytes()
    run_with_fault(library, shard, fault, "repair", stripe.disks, expect=5)
    assert snapshot(stripe.disks) == whole
    run("verify", stripe.disks, expect=0)


def test_too_many_unreadable_shards_may_come_back(library, stripe):
    whole = stripe.encode()
    for path in sorted(whole)[:2]:
        path.unlink()
    left = snapshot(stripe.disks)
    fault = f"read:1:{errno.EIO}"
    run_with_fault(library, stripe.disks / "data.003", fault, "verify", stripe.disks, expect=6)
    run_with_fault(library, stripe.disks / "data.003", fault, "repair", stripe.disks, expect=6)
    run_with_fault(library, stripe.disks / "data.003", fault, *stripe.decode_arguments(),
                   expect=6)
    assert snapshot(stripe.disks) == left and snapshot(stripe.out) == {}


# ---- signals in front of every write, sync and rename --------------------------------------------


@pytest.mark.parametrize("number_of_signal", [signal.SIGINT, signal.SIGTERM])
def test_encode_interrupted_at_every_step(library, stripe, number_of_signal):
    calls = count_calls(library, stripe.folder, stripe.disks, "change",
                        *stripe.encode_arguments())
    whole = snapshot(stripe.disks)
    for path in whole:
        path.unlink()
    interrupted = 0
    for number in range(1, calls + 1, 1 if number_of_signal == signal.SIGINT else 5):
        done = run_with_fault(library, stripe.disks, f"change:{number}:s{number_of_signal:d}",
                              *stripe.encode_arguments(), expect={0, 130})
        # Once the first shard has its name the work is finished rather than taken back.
        expected = {} if done.returncode == 130 else whole
        assert snapshot(stripe.disks) == expected, f"call {number}"
        interrupted += done.returncode == 130
        for path in snapshot(stripe.disks):
            path.unlink()
    assert interrupted > 0


def test_decode_interrupted_at_every_step(library, stripe):
    stripe.encode()
    calls = count_calls(library, stripe.folder, stripe.out, "change", *stripe.decode_arguments())
    (stripe.out / "back").unlink()
    for number in range(1, calls + 1):
        done = run_with_fault(library, stripe.out, f"change:{number}:s{signal.SIGINT:d}",
                              *stripe.decode_arguments(), expect={0, 130})
        left = snapshot(stripe.out)
        if done.returncode == 130:
            assert left == {}, f"call {number}"
        else:
            assert left == {stripe.out / "back": stripe.data.read_bytes()}, f"call {number}"
            (stripe.out / "back").unlink()


def test_repair_interrupted_at_every_step(library, stripe):
    whole = stripe.encode()
    damage_for_repair(stripe, whole)
    arguments = ("repair", stripe.disks, "--threads", 1)
    calls = count_calls(library, stripe.folder, stripe.disks, "change", *arguments)
    for number in range(1, calls + 1):
        damaged = damage_for_repair(stripe, whole)
        run_with_fault(library, stripe.disks, f"change:{number}:s{signal.SIGINT:d}", *arguments,
                       expect={0, 130})
        check_after_failed_repair(stripe, whole, damaged, f"call {number}")


# ---- a person presses Ctrl-C in the middle of something large ------------------------------------

LARGE = 96 << 20


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    stripe = Stripe(tmp_path_factory.mktemp("large"))
    block = random.Random(9).randbytes(1 << 20)
    with open(stripe.data, "wb") as stream:
        for index in range(LARGE >> 20):
            stream.write(index.to_bytes(4, "little") + block[4:])
    run("encode", stripe.data, "-k", 3, "-m", 2, "-o", stripe.disks, expect=0)
    return stripe


def interrupt_when_writing(process, folder, number):
    """Sends the signal when a temporary below the folder has grown to some size."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if any(path.stat().st_size > 1 << 20 for path in temporaries(folder)):
                process.send_signal(number)
                break
        except FileNotFoundError:
            continue
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert b"interrupted" in stderr and b"Traceback" not in stderr
    assert not temporaries(folder)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_large_encode(large, tmp_path, number):
    process = start("encode", large.data, "-k", 3, "-m", 2, "-o", tmp_path)
    interrupt_when_writing(process, tmp_path, number)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_large_decode(large, tmp_path, number):
    process = start("decode", large.disks, "-o", tmp_path / "back")
    interrupt_when_writing(process, tmp_path, number)
    assert list(tmp_path.iterdir()) == []


def test_interrupted_large_repair(large):
    lost = sorted(large.disks.iterdir())[0]
    content = lost.read_bytes()
    lost.unlink()
    others = {path: path.stat().st_mtime_ns for path in large.disks.iterdir()}
    interrupt_when_writing(start("repair", large.disks), large.disks, signal.SIGINT)
    assert {path: path.stat().st_mtime_ns for path in large.disks.iterdir()} == others
    run("repair", large.disks, expect=0)
    assert lost.read_bytes() == content


def test_interrupted_while_waiting_for_input(tmp_path):
    process = start("encode", "-", "--name", "x", "-o", tmp_path, stdin=subprocess.PIPE)
    process.stdin.write(bytes(1 << 20))
    process.stdin.flush()
    deadline = time.monotonic() + 30
    while not temporaries(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    process.stdin.close()
    assert list(tmp_path.iterdir()) == []


def test_interrupted_while_nobody_reads_the_output(large):
    process = start("decode", large.disks, "-o", "-")
    process.stdout.read(1)
    time.sleep(0.5)  # the pipe is full by now
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 130
