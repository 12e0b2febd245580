"""Disks in memory that behave as badly as disks do, under the real code of ``reed.Store``.

What was written and not synced is lost, torn or kept, sector by sector, when the machine crashes;
a rename or a removal that was not finished may or may not have happened. A faulty disk may also
lose or misdirect writes that it confirmed, rot, refuse to read, be full, and be away for a while
and return as it was. Every call may be the last one before a crash.
"""

import contextlib
import errno
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from reed.errors import TargetExists
from reed.store import Capabilities

SECTOR = 512
TEMPORARY = ".temporary-"


class Crash(BaseException):
    """The machine stopped: nobody handles this."""


@dataclass
class World:
    """What all disks share: chance, and the call at which the machine stops."""

    rng: random.Random
    calls_left: int | None = None
    calls: int = 0
    misdirected: int = 0  # sectors that hit another file
    host: str = "host"  # the one that runs now: locks of the disks keep no other host out
    calls_before_intruder: int | None = None
    intruder: Callable[[], object] | None = None  # what another host does in the middle of a call

    def call(self) -> None:
        """One input or output of the store."""
        self.calls += 1
        if self.calls_left is not None:
            self.calls_left -= 1
            if self.calls_left < 0:
                self.calls_left = None
                raise Crash
        if self.calls_before_intruder is not None:
            self.calls_before_intruder -= 1
            if self.calls_before_intruder < 0:
                self.calls_before_intruder = None
                self.intruder()


@dataclass(eq=False)
class File:
    """One file: what is read now, and what the medium has."""

    data: bytearray = field(default_factory=bytearray)
    medium: bytes | None = None  # None: never synced
    is_unreadable: bool = False

    def crash(self, rng: random.Random) -> None:
        """Keeps some of what was not synced."""
        if self.medium is None:
            kept = bytearray(self.data[:rng.randint(0, len(self.data))])
            for begin in range(0, len(kept), SECTOR):
                if rng.random() < 0.5:
                    end = min(begin + SECTOR, len(kept))
                    kept[begin:end] = bytes(end - begin)
            self.medium = bytes(kept)
        self.data = bytearray(self.medium)


class Disk:
    """A target."""

    def __init__(self, world: World, location: str):
        self.world = world
        self.location = location
        self.capabilities = Capabilities(True, True, True, True)
        self.names_now: dict[str, File] = {}
        self.names_durable: dict[str, File] = {}
        self.is_away = False
        self.is_full = False
        self.lies = 0.0  # how often a sync confirms what is not on the medium
        self._locked_by: set[str] = set()
        self._alive: set[str] = set()

    # -- what the trial does to it --

    def crash(self) -> None:
        """The machine stopped and came back."""
        rng = self.world.rng
        for name in sorted(self.names_now.keys() | self.names_durable.keys()):
            now, durable = self.names_now.get(name), self.names_durable.get(name)
            if now is not durable and rng.random() < 0.5:
                self.names_durable[name] = now
                if now is None:
                    del self.names_durable[name]
        self.names_now = dict(self.names_durable)
        for file in self.names_now.values():
            file.crash(rng)
        self._locked_by.clear()
        self._alive.clear()

    def rot(self, name: str) -> None:
        """One bit of a file turns."""
        file = self.names_now[name]
        if file.data:
            file.data[self.world.rng.randrange(len(file.data))] ^= 1 << self.world.rng.randrange(8)
            if file.medium is not None:
                file.medium = bytes(file.data)

    def _call(self) -> None:
        self.world.call()
        if self.is_away:
            raise OSError(errno.ENODEV, "the disk is away", self.location)

    # -- what the store does with it --

    def device(self):
        return self.location

    def free_bytes(self):
        self._call()
        return 0 if self.is_full else 1 << 40

    def _find(self, name: str) -> File:
        self._call()
        file = self.names_now.get(name)
        if file is None:
            raise FileNotFoundError(errno.ENOENT, "no such file", name)
        return file

    def stamp(self, name):
        file = self._find(name)
        return id(file), file

    def open(self, name):
        return Handle(self, self._find(name))

    def create(self, name):
        self._call()
        return New(self, name)

    def move(self, name, new_name):
        self._find(name)
        if new_name in self.names_now:
            raise TargetExists(f"{new_name} exists", path=new_name)
        self.names_now[new_name] = self.names_now.pop(name)
        self.world.call()
        self.sync_names(new_name, name)

    def sync_names(self, *names: str) -> None:
        """What these names are now, whoever made them so, they are after a crash."""
        for name in names:
            self.names_durable.pop(name, None)
            if name in self.names_now:
                self.names_durable[name] = self.names_now[name]

    def unlink(self, name):
        self._call()
        self.names_now.pop(name, None)
        self.world.call()
        self.sync_names(name)

    def names(self, folder):
        self._call()
        prefix = f"{folder}/"
        for name in sorted(self.names_now):
            if name.startswith(prefix):
                yield name.removeprefix(prefix)

    def sweep(self, allow):
        self._call()
        left = [name for name in self.names_now
                if name.startswith(TEMPORARY) and name not in self._alive]
        for name in left:
            allow()
            self.unlink(name)
        return len(left)

    @contextlib.contextmanager
    def lock(self, target_id):
        self._call()
        host = self.world.host
        assert host not in self._locked_by, "the store took its own lock twice"
        self._locked_by.add(host)
        try:
            yield True
        finally:
            self._locked_by.discard(host)


class Handle:
    """An open file."""

    def __init__(self, disk: Disk, file: File):
        self._disk = disk
        self._file = file

    def size(self):
        return len(self._file.data)

    def read_at(self, buffer, offset):
        self._disk._call()
        if self._file.is_unreadable:
            raise OSError(errno.EIO, "unreadable")
        piece = self._file.data[offset:offset + len(buffer)]
        buffer[:len(piece)] = piece
        return len(piece)

    def drop_cached(self):
        self._disk._call()

    def close(self):
        pass


class New:
    """A temporary."""

    def __init__(self, disk: Disk, name: str):
        self._disk = disk
        self._name = name
        self._temporary = f"{TEMPORARY}{disk.world.rng.getrandbits(64):016x}"
        self._file = File()
        self._is_synced = False
        self.final_path = name
        disk.names_now[self._temporary] = self._file
        disk._alive.add(self._temporary)

    def write_at(self, buffers, offset):
        self._disk._call()
        if self._disk.is_full:
            raise OSError(errno.ENOSPC, "no space left")
        data = self._file.data
        for piece in buffers:
            if len(data) < offset + len(piece):
                data.extend(bytes(offset + len(piece) - len(data)))
            data[offset:offset + len(piece)] = piece
            offset += len(piece)
        return offset

    def read_at(self, buffer, offset):
        return Handle(self._disk, self._file).read_at(buffer, offset)

    def size(self):
        return len(self._file.data)

    def sync(self):
        self._disk._call()
        rng, data = self._disk.world.rng, self._file.data
        if data and rng.random() < self._disk.lies:
            kind = rng.choice(["lost", "bit", "misdirected", "refused"])
            if kind == "refused":
                raise OSError(errno.EIO, "sync failed")
            begin = rng.randrange(0, len(data), SECTOR)
            lost = data[begin:begin + SECTOR]
            if kind == "bit":
                data[begin] ^= 1
            else:
                data[begin:begin + SECTOR] = bytes(len(lost))
            if kind == "misdirected":
                self._misdirect(bytes(lost), begin)
        self._file.medium = bytes(data)

    def _misdirect(self, sector: bytes, begin: int) -> None:
        """What was lost here lands in another file of the disk."""
        others = [file for name, file in sorted(self._disk.names_durable.items())
                  if len(file.data) >= begin + len(sector)]
        if others:
            self._disk.world.misdirected += 1
            file = self._disk.world.rng.choice(others)
            file.data[begin:begin + len(sector)] = sector
            file.medium = bytes(file.data)

    def publish(self, replace):
        self._disk._call()
        if not replace and self._name in self._disk.names_now:
            raise TargetExists(f"{self._name} exists", path=self._name)
        self._disk.names_now.pop(self._temporary)
        self._disk.names_now[self._name] = self._file
        self._disk.world.call()
        self._disk.sync_names(self._name, self._temporary)

    def remove(self):
        self._disk.names_now.pop(self._temporary, None)
        self._disk.names_durable.pop(self._temporary, None)
        self._disk._alive.discard(self._temporary)
