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
