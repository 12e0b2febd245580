"""A target that is a local folder."""

import contextlib
import errno
import fcntl
import os
import stat
from collections.abc import Callable, Iterator

from ..files import medium
from .target import Capabilities

_LOCK_NAME = "lock"
# Filesystems that forget everything when the machine stops.
_VOLATILE = ("tmpfs", "ramfs")


class FolderTarget:
    """Files below a folder that exists.

    :param location: the folder.
    :param capabilities: what to believe instead of what can be found out.
    """

    def __init__(self, location: str | os.PathLike, capabilities: Capabilities | None = None):
        self.location = os.path.abspath(os.fsdecode(location))
        if not stat.S_ISDIR(os.stat(self.location).st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), self.location)
        self.capabilities = capabilities or Capabilities(
            durable=_filesystem_of(self.location) not in _VOLATILE, atomic_publish=True,
            conditional_create=True, medium_reads=_filesystem_of(self.location) not in _VOLATILE)

    def _path(self, name: str) -> str:
        return os.path.join(self.location, name)

    def device(self) -> str | None:
        number = os.stat(self.location).st_dev
        link = f"/sys/dev/block/{os.major(number)}:{os.minor(number)}"
        if os.path.exists(os.path.join(link, "partition")):
            # Partitions of one disk fail with it.
            return "disk " + os.path.basename(os.path.dirname(os.path.realpath(link)))
        return f"device {os.major(number)}:{os.minor(number)}"

    def free_bytes(self) -> int | None:
        status = os.statvfs(self.location)
        return status.f_bavail * status.f_frsize

    def stamp(self, name: str) -> object:
        status = os.stat(self._path(name))
        return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size

    def open(self, name: str) -> medium.OpenFile:
        return medium.OpenFile(self._path(name))

    def create(self, name: str) -> medium.Temporary:
        path = self._path(name)
        medium.make_folders(self.location, os.path.dirname(path))
        temporary = medium.Temporary(path)
        try:
            temporary.open()
            # Held while this process lives: whoever can take it knows that the writer is gone.
            fcntl.flock(temporary.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BaseException:
            temporary.remove()
            raise
        return temporary

    def move(self, name: str, new_name: str) -> None:
        path, new_path = self._path(name), self._path(new_name)
        medium.make_folders(self.location, os.path.dirname(new_path))
        medium.move_to_free_name(path, new_path)
        medium.sync_folder(os.path.dirname(new_path))
        medium.sync_folder(os.path.dirname(path))

    def unlink(self, name: str) -> None:
        path = self._path(name)
        try:
            medium.unlink(path)
        except FileNotFoundError:
            return
        medium.sync_folder(os.path.dirname(path))

    def names(self, folder: str) -> Iterator[str]:
        base = self._path(folder)
        for path, is_temporary in _files_below(base):
            if not is_temporary:
                yield path[len(base) + 1:]

    def sweep(self, allow: Callable[[], object]) -> int:
        removed = 0
        for path, is_temporary in _files_below(self.location):
            if not is_temporary:
                continue
            with _abandoned(path) as is_abandoned:
                if is_abandoned:
                    allow()
                    with contextlib.suppress(FileNotFoundError):
                        medium.unlink(path)
                        removed += 1
        return removed

    def lock(self, target_id: str) -> "_FolderLock":
        return _FolderLock(self._path(_LOCK_NAME))


class _FolderLock:
    """A lock file that the kernel unlocks when its holder dies."""

    def __init__(self, path: str):
        self._path = path
        self._descriptor = -1

    def __enter__(self) -> bool:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return True

    def __exit__(self, *_):
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def _files_below(folder: str) -> Iterator[tuple[str, bool]]:
    """(path, whether it is a temporary) of every file below a folder."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except FileNotFoundError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _files_below(entry.path)
        else:
            yield entry.path, medium.is_temporary(entry.name)


@contextlib.contextmanager
def _abandoned(path: str) -> Iterator[bool]:
    """Gives whether the process that made a temporary is gone; inside, nobody else takes it up."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        yield False
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


def _filesystem_of(path: str) -> str | None:
    """The type of the filesystem that holds a path; None where the system does not say."""
    number = os.stat(path).st_dev
    wanted = f"{os.major(number)}:{os.minor(number)}"
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as table:
            for line in table:
                fields, _, rest = line.partition(" - ")
                if fields.split()[2] == wanted:
                    return rest.split()[0]
    except FileNotFoundError:
        return None
    return None
