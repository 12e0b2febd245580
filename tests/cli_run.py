"""Runs the real ``reed`` command for tests, and knows what a shard file looks like from outside."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

REED = shutil.which("reed", path=Path(sys.executable).parent)

HEADER_SIZE, FOOTER_SIZE, BLOCK_HEADER_SIZE, ALIGNMENT = 256, 256, 64, 64  # FORMAT.md
TEMPORARY_MARKS = (".reed-partial-", ".reed-replaced-", ".set-aside-")


def _default_signals():
    # A shell that starts jobs in the background makes them ignore SIGINT, and that is inherited.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def command(*arguments):
    assert REED, "the reed command is not installed beside this Python: pip install -e .[cli,test]"
    return [REED, *map(str, arguments)]


def environment(**extra):
    return {**os.environ, "NO_COLOR": "1", **{name: str(value) for name, value in extra.items()}}


def start(*arguments, **options):
    """The command as a process, with standard output and error as pipes."""
    return subprocess.Popen(command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            preexec_fn=_default_signals, **options)


def run(*arguments, expect=None, env=None, text=True, timeout=120, **options):
    """Runs to the end; with ``expect`` (a code or several) checks the exit code."""
    done = subprocess.run(command(*arguments), capture_output=True, text=text, timeout=timeout,
                          env=env or environment(), preexec_fn=_default_signals, **options)
    stderr = done.stderr if text else done.stderr.decode()
    assert "Traceback" not in stderr, stderr
    if expect is not None:
        allowed = {expect} if isinstance(expect, int) else set(expect)
        assert done.returncode in allowed, (
            f"reed {' '.join(map(str, arguments))}\nexited {done.returncode}, not {allowed}\n"
            f"{done.stdout}\n{stderr}")
    return done


def run_json(*arguments, expect=None, **options):
    """Runs with --json; returns (exit code, the object that was printed)."""
    done = run(*arguments, "--json", expect=expect, **options)
    (line,) = done.stdout.splitlines()
    answer = json.loads(line)
    assert answer["exit_code"] == done.returncode
    return done.returncode, answer


def temporaries(*folders):
    """Files that an interrupted write left below the folders."""
    return [path for folder in folders for path in Path(folder).rglob("*")
            if any(mark in path.name for mark in TEMPORARY_MARKS)]


def snapshot(*folders):
    """{path: bytes} of every file below the folders."""
    return {path: path.read_bytes() for folder in folders for path in sorted(
        Path(folder).rglob("*")) if path.is_file()}


def record_places(data_shards, block_size, object_size):
    """(offset, size) of every block record of any shard, by row."""
    places, offset, left = [], HEADER_SIZE, object_size
    while left > 0:
        payload = min(block_size, -(-left // data_shards))
        size = -(-(BLOCK_HEADER_SIZE + payload) // ALIGNMENT) * ALIGNMENT
        places.append((offset, size))
        offset += size
        left -= data_shards * block_size
    return places
