"""SIGKILL at every input and output of put, overwrite, delete, repair, rebuild, reconcile, migrate,
reclaim, a move to other targets and retire, on real folders; after opening again every acknowledged
object reads exactly, nothing half-made is visible, and what was left behind is collected.

REED_STORE_CRASH_STEP=1 kills at every call; the default takes every 61st, from a start that differs
for each act, because each call is a process of its own.
"""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import reed
import store_crashes
from reed.files import medium
from store_crashes import ACTS, NEW, OLD, clock_of, open_store, others
from store_folders import flip, folders, make, shard_files

STEP = int(os.environ.get("REED_STORE_CRASH_STEP", "61"))
HERE = Path(__file__).parent
KEPT = b"kept" * 1000


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(medium, "fsync", lambda descriptor: None)


def prepare(base, act):
    """A store as each act needs it."""
    with make(base, 4, reed.ReedSolomon(2, 2), host="host", retention_hours=24) as store:
        store.put("kept", KEPT)
        store.put("old", b"first")
        store.put("old", OLD)
        if act == "repair":
            flip(shard_files(base, "kept")[0], 300)
            shard_files(base, "old")[-1].unlink()
        elif act == "rebuild":
            shutil.rmtree(base / "disk0")
            (base / "new").mkdir()
        elif act == "reconcile":
            (base / "disk0").rename(base / "away")
            store.put("kept", KEPT)
            (base / "away").rename(base / "disk0")
        elif act in ("move", "retire"):
            for folder in others(base):
                folder.mkdir()
        if act == "retire":
            store.migrate(targets=others(base))
            store.clock.now += 50 * 3600.0
            store.reclaim()


def allowed(act):
    """What each key may be after the act was killed somewhere."""
    return {"kept": {KEPT}, "old": {OLD} | ({NEW} if act == "overwrite" else set())
            | ({None} if act == "delete" else set()), "new": {None} | ({NEW} if act == "put" else
                                                                        set())}


def read(store, key):
    try:
        return store.read(key)
    except reed.ObjectNotFound:
        return None


def check(base, act):
    """Everything is there, and becomes whole again, and nothing is left over."""
    with open_store(base, clock_of(act)) as store:
        assert all(read(store, key) in values for key, values in allowed(act).items())
        # One that was being added and did not take the configuration is added once more.
        absent = [slot.number for slot in store.slots() if slot.state == "absent"
                  and slot.is_counted]
        for number in absent:  # only a rebuild begins without a target
            shutil.rmtree(base / "new", ignore_errors=True)
            store.rebuild(number, folders(base / f"again{number}", 1)[0])
        store.reconcile()
        if act == "move":
            assert store.migrate(targets=others(base)).complete
        elif act == "retire" and len(store.config.slots) > 4:
            store.retire()
        assert store.scrub(repair=True).status == "clean"
        assert store.audit().verdict == "healthy" or act == "move"
        found = {key: read(store, key) for key in allowed(act)}
        assert all(found[key] in values for key, values in allowed(act).items())
        assert sorted(info.key for info in store.list()) == sorted(
            key for key, value in found.items() if value is not None)
    with open_store(base, 200 * 3600.0) as store:
        for _ in range(4):  # superseded; then orphans: seen, quarantined, removed
            report = store.reclaim()
            assert report.refused is None and not report.kept
        if act == "move":
            store.retire()
        assert {key: read(store, key) for key in found} == found
        assert store.scrub().status in ("clean", "nothing read")
        assert store.audit().verdict == "healthy"
    live = sum(value is not None for value in found.values())
    places = [slot.location for slot in store.slots()]
    shards = [path for place in places for path in Path(place).rglob("*.reed")]
    codes = 3 if act == "migrate" else 4
    assert len(shards) <= live * 4 and len(shards) >= live * codes
    if act in ("move", "retire"):
        assert sorted(places) == sorted(map(str, others(base)))
    assert not [path for place in places for path in Path(place).rglob(".*reed-partial-*")]


@pytest.mark.parametrize("act", ACTS)
def test_killed_at_every_call(act, tmp_path):
    prepare(tmp_path / "model", act)
    call = list(ACTS).index(act) % STEP
    ended = False
    while not ended:
        base = tmp_path / f"at{call}"
        shutil.copytree(tmp_path / "model", base)
        done = subprocess.run([sys.executable, HERE / "store_crashes.py", act, base, str(call)],
                              capture_output=True, text=True, timeout=60)
        ended = done.returncode == 0
        assert ended or done.returncode == -signal.SIGKILL, done.stderr
        try:
            check(base, act)
        except BaseException:
            print(f"replay: python tests/store_crashes.py {act} BASE {call}")
            raise
        shutil.rmtree(base)
        call += STEP


def test_the_acts_are_all_there():
    assert set(store_crashes.ACTS) >= {"put", "overwrite", "repair", "rebuild", "migrate",
                                       "reclaim"}
