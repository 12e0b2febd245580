"""Kills a process at each of its inputs and outputs, in turn: the other half of
test_store_crashes.py.

    python tests/store_crashes.py ACT BASE CALL     does ACT to the store at BASE, and dies at CALL

Every function of ``reed.files.medium`` and ``os`` that changes or reads files counts. The process
ends as if by SIGKILL: nothing is cleaned up, no buffer is flushed. Exits 0 when ACT ended before.
"""

import os
import signal
import sys
from pathlib import Path

import reed
from reed.files import medium
from store_folders import Clock, data_of

COUNTED = (
    (medium, ("preadv", "pwritev", "fsync", "sync_folder", "unlink")),
    (os, ("open", "link", "replace", "unlink", "mkdir", "rename")),
)
OLD, NEW = data_of(100, 20_000), data_of(101, 30_000)


def die_at(call):
    """Arranges that the process is killed at that many calls from now."""
    left = call

    def counted(function):
        def wrapper(*arguments, **options):
            nonlocal left
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **options)
        return wrapper

    medium.fsync = lambda descriptor: None  # a killed process loses nothing that it wrote
    for module, names in COUNTED:
        for name in names:
            setattr(module, name, counted(getattr(module, name)))


def open_store(base, now=0.0):
    clock = Clock()
    clock.now += now
    places = sorted(Path(base).glob("disk*"))
    return reed.Store.open(places, threads=1, clock=clock, host="host")


def clock_of(act):
    """When an act is done, in seconds after the store was made."""
    return 100 * 3600.0 if act in ("reclaim", "retire") else 0.0


def others(base):
    """The targets that a store moves to."""
    return [Path(base) / f"disk{number}" for number in range(4, 8)]


ACTS = {
    "put": lambda store, base: store.put("new", NEW),
    "overwrite": lambda store, base: store.put("old", NEW),
    "delete": lambda store, base: store.delete("old"),
    "repair": lambda store, base: store.scrub(repair=True),
    "rebuild": lambda store, base: store.rebuild(0, Path(base) / "new"),
    "reconcile": lambda store, base: store.reconcile(),
    "migrate": lambda store, base: store.migrate(code=reed.Replication(3)),
    "reclaim": lambda store, base: store.reclaim(),
    "move": lambda store, base: store.migrate(targets=others(base)),
    "retire": lambda store, base: store.retire(),
}

if __name__ == "__main__":
    act, base, call = sys.argv[1:]
    with open_store(base, clock_of(act)) as store:
        die_at(int(call))
        ACTS[act](store, base)
    os._exit(0)
