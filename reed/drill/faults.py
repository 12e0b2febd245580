"""The faults of a drill. Each takes a scene, does its harm, says what it did and to whom, and takes
back what has to be taken back (a target that returns) when it is over.

A fault is played in two strengths: within what the redundancy covers, where every object must be
read exactly, and one step beyond, where what is lost must be refused or salvaged, never wrong.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import QuorumNotReached, ReedError, Uncertain
from ..files.layout import BLOCK_HEADER_SIZE
from . import faulty
from .scene import EXACT, REFUSED, WRONG, Scene


@dataclass
class Harm:
    """What a fault did. verdicts: {key: verdict} of what was tried while it lasted."""

    text: str
    at_risk: list[str]  # keys that may be refused when it is beyond the redundancy
    is_lasting: bool = False  # whether what was refused then is lost for good
    verdicts: dict[str, str] = field(default_factory=dict)


# ---- targets that go -----------------------------------------------------------------------------


@contextmanager
def kill_targets(scene: Scene, is_beyond: bool) -> Iterator[Harm]:
    """Whole targets vanish, and come back in the end."""
    count = scene.tolerable + is_beyond
    gone = scene.random.sample(scene.disks, count)
    for disk in gone:
        disk.rename(f"{disk}.away")
    harm = Harm(f"{count} of {len(scene.disks)} targets vanish", list(scene.model))
    try:
        try:
            with scene.opened() as store:
                harm.verdicts = scene.judge_all(store)
        except ReedError:
            harm.verdicts = dict.fromkeys(scene.model, REFUSED)
        yield harm
    finally:
        for disk in gone:
            Path(f"{disk}.away").rename(disk)


@contextmanager
def read_errors(scene: Scene, is_beyond: bool) -> Iterator[Harm]:
    """Targets answer every read with an error, for a while."""
    count = scene.tolerable + is_beyond
    chosen = scene.random.sample(range(len(scene.disks)), count)
    harm = Harm(f"{count} of {len(scene.disks)} targets answer reads with EIO", list(scene.model))
    try:
        with scene.opened(dict.fromkeys(chosen, faulty.UNREADABLE)) as store:
            harm.verdicts = scene.judge_all(store)
    except ReedError:
        harm.verdicts = dict.fromkeys(scene.model, REFUSED)
    yield harm


# ---- shards that are not what was written --------------------------------------------------------


Damage = Callable[[Scene, str, Path, int], None]


def _damage(words: str, spoil: Damage) -> Callable:
    """A fault that spoils shards of every object, each in a row of its own; beyond the redundancy
    of one object, one shard more, all in one row."""
    @contextmanager
    def fault(scene: Scene, is_beyond: bool) -> Iterator[Harm]:
        keys = scene.keys_with_blocks()
        struck = [scene.random.choice(keys)] if is_beyond else keys
        count = scene.code.parity_shards + is_beyond
        for key in struck:
            rows = scene.layout(key).row_count
            same = scene.random.randrange(rows)
            paths = scene.paths(key)
            for index in scene.random.sample(sorted(paths), count):
                row = same if is_beyond else scene.random.randrange(rows)
                spoil(scene, key, paths[index], row)
        harm = Harm(f"{count} of {scene.code.shard_count} shards {words}, of "
                    f"{'one object, in one row' if is_beyond else 'every object'}", struck,
                    is_lasting=True)
        with scene.opened() as store:
            harm.verdicts = scene.judge_all(store)
        yield harm
    return fault


def _overwrite(path: Path, offset: int, data: bytes) -> None:
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(data)


def _flip(scene: Scene, key: str, path: Path, row: int) -> None:
    layout = scene.layout(key)
    record_size = BLOCK_HEADER_SIZE + layout.payload_size(row)
    offset = layout.offset_of(row) + scene.random.randrange(record_size)
    with open(path, "rb") as file:
        file.seek(offset)
        before = file.read(1)[0]
    _overwrite(path, offset, bytes([before ^ 1 << scene.random.randrange(8)]))


def _lose(scene: Scene, key: str, path: Path, row: int) -> None:
    layout = scene.layout(key)
    _overwrite(path, layout.offset_of(row), bytes(layout.record_size(row)))


def _tear(scene: Scene, key: str, path: Path, row: int) -> None:
    layout = scene.layout(key)
    # Within the block's header, which is never zero; a payload may be.
    begin = layout.offset_of(row) + BLOCK_HEADER_SIZE // 2
    _overwrite(path, begin, bytes(layout.file_size - begin))


def _misdirect(scene: Scene, key: str, path: Path, row: int) -> None:
    """A good record of another object lands where this one's stands."""
    other = scene.random.choice([name for name in scene.keys_with_blocks() if name != key])
    source = scene.random.choice(sorted(scene.paths(other).values()))
    layout, size = scene.layout(key), scene.layout(key).record_size(row)
    record = source.read_bytes()[layout.offset_of(0):][:size]
    _overwrite(path, layout.offset_of(row), record.ljust(size, b"\0"))


def _cut(scene: Scene, key: str, path: Path, row: int) -> None:
    os.truncate(path, scene.layout(key).offset_of(row) + 10)


@contextmanager
def stale_shards(scene: Scene, is_beyond: bool) -> Iterator[Harm]:
    """An object was overwritten, and some disks still give back what they had before."""
    key = scene.random.choice(scene.keys_with_blocks())
    before = scene.paths(key)
    with scene.opened() as store:
        scene.model[key] = scene.new_bytes(key)
        store.put(key, scene.model[key])
    now = scene.paths(key)
    count = scene.code.parity_shards + is_beyond
    for index in scene.random.sample(sorted(now), count):
        now[index].write_bytes(before[index].read_bytes())
    harm = Harm(f"{count} of {scene.code.shard_count} shards of one object are those of the "
                "version before", [key], is_lasting=True)
    with scene.opened() as store:
        harm.verdicts = scene.judge_all(store)
    yield harm


# ---- writes that go wrong ------------------------------------------------------------------------


def _writing(words: str, fault_of_target: str) -> Callable:
    """A fault while an object is put anew: the put is acknowledged or refused, and afterwards the
    object is what the answer says."""
    @contextmanager
    def fault(scene: Scene, is_beyond: bool) -> Iterator[Harm]:
        count = scene.spare_for_writing + is_beyond
        chosen = scene.random.sample(range(len(scene.disks)), count)
        key = scene.random.choice(scene.keys_with_blocks())
        data = scene.new_bytes(key)
        harm = Harm(f"a put while {count} of {len(scene.disks)} targets {words}", [key])
        with scene.opened(dict.fromkeys(chosen, fault_of_target)) as store:
            harm.verdicts[key] = _put(scene, store, key, data)
        with scene.opened() as store:
            others = scene.judge_all(store)
        # What was answered and what is there, the worse of both.
        said = harm.verdicts[key]
        harm.verdicts = {**others, key: others[key] if others[key] != EXACT else said}
        yield harm
    return fault


def _put(scene: Scene, store, key: str, data: bytes) -> str:
    try:
        store.put(key, data)
    except QuorumNotReached:
        return REFUSED
    except Uncertain:
        # It may be committed or not: whichever it is now must stay.
        with scene.opened() as again:
            if scene.holds(again, key, data):
                scene.model[key] = data
        return REFUSED
    except (ReedError, OSError):
        return REFUSED
    scene.model[key] = data
    return EXACT


# ---- a process that dies -------------------------------------------------------------------------


def _kill(action: str, calls_per_target: int) -> Callable:
    """SIGKILL at one of the system calls of a put, a delete or a repair.

    :param calls_per_target: about as many as the action makes, so that any of them may be chosen.
    """
    @contextmanager
    def fault(scene: Scene, _is_beyond: bool) -> Iterator[Harm]:
        key = scene.random.choice(scene.keys_with_blocks())
        before_it = scene.model[key]
        after = {"put": scene.new_bytes(key), "delete": None, "repair": before_it}[action]
        if action == "repair":
            _flip(scene, key, scene.random.choice(sorted(scene.paths(key).values())), 0)
        kill_at = scene.random.randrange(1, calls_per_target * len(scene.disks))
        is_acknowledged = _run_victim(scene, action, key, after, kill_at)
        harm = Harm(f"a {action} is killed at system call {kill_at}"
                    + (", after it was acknowledged" if is_acknowledged else ""), [])
        with scene.opened() as store:
            at_once = scene.judge(store, key, after)
            # Whoever writes next finishes or forgets what was half done: then it is one of both.
            store.scrub(repair=True)
            if is_acknowledged or scene.holds(store, key, after):
                scene.model[key] = after
            harm.verdicts = scene.judge_all(store)
            if at_once == WRONG:
                harm.verdicts[key] = WRONG
            if scene.model[key] is None:
                scene.model[key] = before_it
                store.put(key, before_it)
        yield harm
    return fault


def _run_victim(scene: Scene, action: str, key: str, data: bytes | None, kill_at: int) -> bool:
    """Whether a process that was to be killed acknowledged its work first."""
    source = scene.folder / "source"
    source.write_bytes(data or b"")
    done = subprocess.run(
        [sys.executable, "-m", "reed.drill.victim"], text=True, capture_output=True, check=False,
        input=json.dumps({"targets": list(map(str, scene.disks)), "action": action, "key": key,
                          "source": str(source), "kill_at": kill_at}))
    source.unlink()
    is_acknowledged = done.stdout == "acknowledged\n"
    if not is_acknowledged and done.returncode != -signal.SIGKILL:
        raise RuntimeError(f"the process that was to be killed failed: {done.stderr}")
    return is_acknowledged


FAULTS: dict[str, Callable] = {
    "kill-targets": kill_targets,
    "flip-bits": _damage("have a flipped bit", _flip),
    "lose-writes": _damage("have a block that was never written", _lose),
    "misdirect-writes": _damage("have a block of another object", _misdirect),
    "tear-writes": _damage("end in zeros from within a block", _tear),
    "cut-shards": _damage("are cut off", _cut),
    "stale-shards": stale_shards,
    "read-errors": read_errors,
    "lose-new-writes": _writing("confirm writes that they lose", faulty.LOST),
    "misdirect-new-writes": _writing("write in the wrong place", faulty.MISDIRECTED),
    "tear-new-writes": _writing("tear their writes", faulty.TORN),
    "full-disk": _writing("are full", faulty.FULL),
    "kill-put": _kill("put", 30),
    "kill-delete": _kill("delete", 16),
    "kill-repair": _kill("repair", 95),
}
# There is no strength beyond for these: whatever call it is, nothing acknowledged may be lost.
ONE_STRENGTH = ("kill-put", "kill-delete", "kill-repair")
