"""Stores over local folders for tests: small shards, and no waiting for the disk."""

import random
from pathlib import Path

import reed
from reed.store import SystemClock

CODE = reed.ReedSolomon(4, 2)


class Clock(SystemClock):
    """Goes on as it is told."""

    def __init__(self):
        self.now = 1_800_000_000.0
        self.boot = "boot"

    def wall(self):
        return self.now

    def uptime(self):
        return self.now - 1_700_000_000.0

    def boot_id(self):
        return self.boot


class Overlapped:
    """A source in whose middle something else happens."""

    def __init__(self, data, happens):
        self._data, self._happens, self._reads = data, happens, 0

    def readinto(self, buffer):
        self._reads += 1
        if self._reads == 2:
            self._happens()
        count = min(len(buffer), len(self._data))
        buffer[:count], self._data = self._data[:count], self._data[count:]
        return count


def folders(base, count):
    """New folders below `base`."""
    made = [Path(base) / f"disk{number}" for number in range(count)]
    for folder in made:
        folder.mkdir(parents=True)
    return made


def make(base, count=6, code=CODE, **options):
    """A store over `count` folders; its clock is ``store.clock``."""
    clock = options.pop("clock", None) or Clock()
    store = reed.Store.create(folders(base, count), code=code, allow_shared_devices=True,
                              block_size=4096, clock=clock, threads=options.pop("threads", 1),
                              reserve_bytes=0, **options)
    store.clock = clock
    return store


def data_of(seed, size):
    """Bytes that no other seed gives."""
    return random.Random(seed).randbytes(size)


def shard_files(base, key_part=""):
    """All shard files below a folder, in order."""
    return sorted(path for path in Path(base).rglob("*.reed")
                  if key_part in path.name and not path.name.startswith("."))


def flip(path, offset=3000):
    """Changes one bit of a file."""
    data = bytearray(path.read_bytes())
    data[offset % len(data)] ^= 1
    path.write_bytes(data)
