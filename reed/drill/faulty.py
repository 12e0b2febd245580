"""A folder that misbehaves as disks do while the store writes and reads it: writes that are
confirmed and lost, torn or misdirected, no space, errors when reading."""

import errno
import random

from ..files.layout import HEADER_SIZE
from ..store import Capabilities, FolderTarget

LOST, TORN, MISDIRECTED, FULL, UNREADABLE = "lost", "torn", "misdirected", "full", "unreadable"

# A drill's folders stand for disks, also where they lie on a filesystem in memory.
_DISK = Capabilities(durable=True, atomic_publish=True, conditional_create=True, medium_reads=True)


class FaultyTarget(FolderTarget):
    """:param fault: one of the words above, or None for a target that works."""

    def __init__(self, location, fault: str | None, generator: random.Random):
        super().__init__(location, _DISK)
        self._fault = fault
        self._random = generator

    @staticmethod
    def refuse(location):
        """For ``Store.open(locate=...)``: a drill looks for no target beyond those it gave."""
        raise FileNotFoundError(errno.ENOENT, "not there", location)

    def open(self, name):
        handle = super().open(name)
        return _Unreadable(handle) if self._fault == UNREADABLE else handle

    def create(self, name):
        temporary = super().create(name)
        if self._fault in (LOST, TORN, MISDIRECTED, FULL):
            return _Writing(temporary, self._fault, self._random)
        return temporary


class _Around:
    """Passes everything on that it does not say otherwise."""

    def __init__(self, inner):
        self._inner = inner

    def __getattr__(self, name):
        return getattr(self._inner, name)


class _Unreadable(_Around):
    def read_at(self, buffer, offset):
        raise OSError(errno.EIO, "Input/output error")


class _Writing(_Around):
    """One of the writes to the file does not do what it confirms; with FULL none is taken."""

    def __init__(self, inner, fault, generator):
        super().__init__(inner)
        self._fault = fault
        self._random = generator
        self._is_done = False

    def write_at(self, buffers, offset):
        if self._fault == FULL:
            raise OSError(errno.ENOSPC, "No space left on device")
        end = offset + sum(map(len, buffers))
        # The first write of a file is its header or all of it; each may be the one.
        if self._is_done or (self._random.random() < 0.5 and offset < HEADER_SIZE):
            return self._inner.write_at(buffers, offset)
        self._is_done = True
        data = b"".join(buffers)
        if self._fault == TORN:
            # What comes last may be zeros, which a hole reads as, too.
            self._inner.write_at([memoryview(data[:len(data) // 4])], offset)
        elif self._fault == MISDIRECTED:
            self._inner.write_at([memoryview(data)], offset + 512)
        return end
