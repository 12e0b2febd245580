"""examples/daemon under load: killed, and its shards deleted, cut and flipped, while clients check
every byte of every answer. Plain, and built with the address and the thread sanitizer.

REED_LONG=1 runs a minute of each instead of some seconds.
"""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import c_build
import reed

FOLDER = c_build.ROOT / "examples" / "daemon"
LONG = os.environ.get("REED_LONG", "") not in ("", "0")
SECONDS, KILLS = (60, 40) if LONG else (4, 6)
BUILDS = {
    "plain": ("-O2", "-g"),
    "asan": c_build.SANITIZED,
    "tsan": ("-O1", "-g", "-fsanitize=thread"),
}


# libevent takes a socket out of its epoll set after it was closed, when another thread may already
# hold a file under that number; epoll_ctl then refuses, and libevent expects that.
TSAN_SUPPRESSIONS = "race:epoll_ctl\n"


def build(folder, flags):
    c_build.require("gcc", "pkg-config")
    found = subprocess.run(["pkg-config", "--cflags", "--libs", "libevent", "libevent_pthreads"],
                           capture_output=True, text=True)
    if found.returncode != 0:
        pytest.skip("NOT RUN: libevent (libevent-dev) is not installed")
    program = Path(folder) / "daemon"
    done = subprocess.run(
        ["gcc", *c_build.WARNINGS, *flags, f"-I{reed.get_include()}", FOLDER / "daemon.c",
         FOLDER / "shards.c", f"{reed.get_library_dir()}/libreed.a",
         *shlex.split(found.stdout), "-pthread", "-o", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return program


@pytest.mark.parametrize("name", BUILDS)
def test_under_load(tmp_path, seed, name):
    program = build(tmp_path, BUILDS[name])
    load = Path(__file__).parent / "daemon_load.py"
    suppressions = tmp_path / "tsan.supp"
    suppressions.write_text(TSAN_SUPPRESSIONS)
    done = subprocess.run(
        [sys.executable, load, program, tmp_path / "disks", str(SECONDS), str(seed), str(KILLS)],
        capture_output=True, text=True, timeout=600,
        env={**os.environ, "TSAN_OPTIONS": f"suppressions={suppressions}"})
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout)
    assert min(counts["PUT"], counts["GET"], counts["RANGE"], counts["DELETE"]) > 3
    assert counts["kills"] == KILLS / 2
    assert counts["damaged"] > 10


def test_its_shards_are_shard_files(tmp_path):
    """What the daemon writes, the command reads."""
    program = build(tmp_path, BUILDS["plain"])
    sys.path.insert(0, str(Path(__file__).parent))
    import daemon_load

    disks = [tmp_path / f"disk{i}" for i in range(daemon_load.SHARDS)]
    for disk in disks:
        disk.mkdir()
    daemon = daemon_load.Daemon(program, disks)
    daemon.start()
    data = bytes(range(256)) * 1500
    assert daemon.request("PUT", "/photo", data)[0] == 201
    assert daemon.request("GET", "/photo")[1] == data
    assert daemon.request("PUT", "/a..b", b"")[0] == 400
    daemon.stop(daemon_load.signal.SIGTERM)
    shards = sorted(str(path) for disk in disks for path in disk.iterdir())
    assert len(shards) == 6
    verified = subprocess.run([sys.executable, "-m", "reed.cli", "verify", *shards],
                              capture_output=True, text=True)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    out = tmp_path / "photo"
    subprocess.run([sys.executable, "-m", "reed.cli", "decode", *shards[2:], "-o", out],
                   check=True, capture_output=True)
    assert out.read_bytes() == data
