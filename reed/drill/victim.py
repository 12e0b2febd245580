"""A process that does one thing with a store and is killed at one of its system calls.

``python -m reed.drill.victim`` reads its task as JSON from standard input and writes one line when
the store has acknowledged it: {"targets", "action", "key", "source", "kill_at"}. The kernel kills
it (SIGKILL) instead of its call number `kill_at`, counted from 1, so nothing is flushed, unlocked
or tidied. The store writes with several threads: which call of which has that number is up to
the system, and what it leaves is judged whatever it is.
"""

import json
import os
import signal
import sys
import threading

from ..files import medium
from ..store import Store
from .faulty import FaultyTarget
from .scene import THREADS

# Every call that reads, changes or syncs a file or a folder; medium has names of its own for some.
_CALLS = ((os, ("open", "link", "replace", "rename", "unlink", "mkdir")),
          (medium, ("preadv", "pwritev", "fsync")))


def _arm(kill_at: int) -> None:
    count = 0
    guard = threading.Lock()

    def counted(call):
        def wrapper(*arguments, **options):
            nonlocal count
            with guard:
                count += 1
                if count == kill_at:
                    os.kill(os.getpid(), signal.SIGKILL)
            return call(*arguments, **options)
        return wrapper

    for module, names in _CALLS:
        for name in names:
            setattr(module, name, counted(getattr(module, name)))


def main() -> None:
    task = json.load(sys.stdin)
    targets = [FaultyTarget(location, None, None) for location in task["targets"]]
    with Store.open(targets, threads=THREADS, locate=FaultyTarget.refuse) as store:
        _arm(task["kill_at"])
        if task["action"] == "put":
            store.put(task["key"], task["source"])
        elif task["action"] == "delete":
            store.delete(task["key"])
        else:
            store.scrub(repair=True)
    print("acknowledged", flush=True)


if __name__ == "__main__":
    main()
