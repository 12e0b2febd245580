"""The core on machines that are not this one, under emulation: a big-endian and a 32-bit one.

The same C tests as here, and the frozen files: what a machine says about them must be what this one
says. Everything but the portable kernel is an empty file there; aarch64, which has a kernel of its
own, is in test_c_codec.py and the files beside it. REED_LONG=1 adds the tests that take minutes.
"""

import os
import struct
import subprocess

import pytest

import c_build
import reed

# name: (compiler, emulator)
MACHINES = {
    "s390x": ("s390x-linux-gnu-gcc", "qemu-s390x-static"),  # big-endian
    "armhf": ("arm-linux-gnueabihf-gcc", "qemu-arm-static"),  # 32 bits
}
LONG = os.environ.get("REED_LONG", "") not in ("", "0")
FLAGS = (*c_build.OPTIMISED, "-static")
VECTORS = c_build.ROOT / "tests" / "vectors"
# Frozen objects that no reader of version 1 accepts.
REFUSED = {"next_major", "unknown_incompatible_flag"}


@pytest.fixture(scope="module", params=MACHINES)
def machine(request):
    compiler, emulator = MACHINES[request.param]
    c_build.require(compiler, emulator)
    return compiler, emulator


def run(machine, folder, name, *arguments, **options):
    compiler, emulator = machine
    program = c_build.build([name], folder, FLAGS, compiler)
    return c_build.run(program, *arguments, wrapper=(emulator,), **options)


def build_here(folder, name):
    """With the core as it is installed: what is compared is known to be right by other tests."""
    c_build.require("cc")
    program = folder / name
    subprocess.run(["cc", *c_build.WARNINGS, *c_build.INCLUDES, c_build.C_TESTS / f"{name}.c",
                    f"{reed.get_library_dir()}/libreed.a", "-o", program], check=True)
    return program


@pytest.mark.parametrize("name", [
    "test_field", "test_checksum", "test_stripe", "test_shard", "test_allocation",
    *(["test_kernels", "test_plan"] if LONG else []),
])
def test_c_tests(machine, tmp_path, name):
    arguments = ("portable",) if name in ("test_kernels", "test_checksum") else ()
    run(machine, tmp_path, name, *arguments)


def frozen_objects():
    return sorted(folder for folder in (VECTORS / "shards").iterdir() if folder.is_dir())


def readings(checker):
    """What `checker`, a function of one object's files, prints for each frozen object."""
    return {folder.name: checker(*sorted(folder.glob("*.reed"))).stdout
            for folder in frozen_objects() if folder.name not in REFUSED}


def test_frozen_objects_are_read(machine, tmp_path):
    """Headers, footers, checksums, layout, and the parity of every generator."""
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    program = build_here(here, "check_shards")
    foreign = c_build.build(["check_shards"], there, FLAGS, machine[0])
    expected = readings(lambda *files: c_build.run(program, *files))
    assert len(expected) >= 14
    assert expected["generator_zfec"] == b"3+2 zfec, 1000 bytes in 1 rows\n"
    assert readings(
        lambda *files: c_build.run(foreign, *files, wrapper=machine[1:])) == expected


def cases():
    """The frozen structures as shard_dump takes them, and each with one byte changed."""
    letters = {"header": b"H", "footer": b"F", "block": b"B"}
    for path in sorted((VECTORS / "format").glob("*.bin")):
        data = path.read_bytes()
        for at in (None, 12, 45, 70, len(data) - 1):
            changed = bytearray(data)
            if at is not None:
                changed[at] ^= 1
            yield letters[path.stem.split("_")[0]] + struct.pack("<I", len(changed)) + changed
    yield b"L" + struct.pack("<IIIQ", 16, 10, 65536, 10**12)


def test_frozen_structures_parse_the_same(machine, tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    data = b"".join(cases())
    expected = c_build.run(build_here(here, "shard_dump"), input=data).stdout
    assert expected.count(b"\n") == len(list(cases())) > 50
    assert expected.count(b"0 1 0") > 5  # some are accepted
    assert run(machine, there, "shard_dump", input=data).stdout == expected


def test_promise_compiles_there(machine):
    """The ABI's functions and values; sizes and offsets are pinned for 64 bits."""
    subprocess.run([machine[0], *c_build.WARNINGS, *c_build.INCLUDES, "-fsyntax-only",
                    c_build.C_TESTS / "abi_0.c"], check=True)
