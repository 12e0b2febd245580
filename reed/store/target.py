"""What the store asks of a place that holds shards and records.

Everything that the store reads or writes goes through these three protocols, so the simulation
runs the real code over targets that lie, fail and crash. ``reed.store.folder`` is the target for
every day; its only way to the operating system is ``reed.files.medium``.

Names are relative, with "/" between folders. Whatever the place refuses is an OSError: one that is
FileNotFoundError says that the name is not there, any other that nothing is known.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Capabilities:
    """What a target can promise; one that promises less adds less."""

    durable: bool  # what was synced is there after a power cut; else it adds nothing to any margin
    atomic_publish: bool  # a file gets its name whole or not at all
    conditional_create: bool  # a taken name is refused, not replaced
    medium_reads: bool  # after drop_cached a read is answered by the medium


class Readable(Protocol):
    """An open file. Not changed by anyone while it is open, except by rot."""

    def size(self) -> int: ...

    def read_at(self, buffer: memoryview, offset: int) -> int:
        """Fills the buffer; returns how many bytes there were before the end."""

    def drop_cached(self) -> None:
        """Makes the next reads come from the medium, where the target can do that."""

    def close(self) -> None: ...


class Writable(Protocol):
    """A new file under a temporary name. Closed by ``remove``, also after ``publish``."""

    final_path: str

    def write_at(self, buffers: list[memoryview], offset: int) -> int: ...

    def read_at(self, buffer: memoryview, offset: int) -> int: ...

    def size(self) -> int: ...

    def sync(self) -> None:
        """To the medium, and out of the cache. Never called again after it failed."""

    def publish(self, replace: bool) -> None:
        """Gives the file its final name, durably; TargetExists when that is taken and `replace` is
        false."""

    def remove(self) -> None:
        """Closes the file and removes the temporary name, where it still has it."""


class Target(Protocol):
    """One place of the store."""

    location: str  # as the user writes it
    capabilities: Capabilities

    def device(self) -> str | None:
        """Names what fails together: equal for targets on one device; None when unknown."""

    def free_bytes(self) -> int | None: ...

    def stamp(self, name: str) -> object:
        """A value that changes when the file is replaced. FileNotFoundError as for ``open``."""

    def open(self, name: str) -> Readable: ...

    def create(self, name: str) -> Writable:
        """A temporary for this final name; makes the folders that it needs."""

    def move(self, name: str, new_name: str) -> None:
        """Renames durably to a name that must be free."""

    def unlink(self, name: str) -> None:
        """Removes durably; nothing happens when the name is not there."""

    def names(self, folder: str) -> Iterator[str]:
        """Names of all files below a folder, relative to it, at any depth, without temporaries;
        nothing when there is no such folder."""

    def sweep(self, allow: Callable[[], object]) -> int:
        """Removes temporaries whose writer is gone; returns how many. Calls `allow` before each:
        what that raises ends it."""

    def lock(self, target_id: str) -> AbstractContextManager[bool] | None:
        """A lock between the processes of this host: entering it tries once and gives whether it
        was taken. None when this target has no locks.

        :param target_id: what the target's record says that it is, for a lock that is kept
            elsewhere than on the target.
        """
