"""The one place where reed.files meets the operating system.

Every read, write, sync and rename of shard and object files goes through the functions here, so
tests inject failures (EIO, a full disk, a medium that gives back other bytes) by replacing
``preadv``, ``pwritev``, ``readv`` or ``fsync`` of this module.

How a file is published: it is written under an exclusive temporary name in its final folder,
``.NAME.reed-partial-XXXXXXXX``, fsynced, dropped from the page cache and read back by the caller;
then it gets its final name by a hard link, which never replaces anything (or, where overwriting
was asked for, by an atomic rename), and the folder is fsynced. Whatever ends the work before that,
an error or an interrupt, removes the temporaries; only a crash leaves them, and they are never
taken for shards when a folder is read.
"""

import contextlib
import errno
import os
import secrets
import stat

from ..errors import TargetExists

preadv = os.preadv
pwritev = os.pwritev
readv = os.readv
fsync = os.fsync

TEMPORARY_MARK = ".reed-partial-"
KEPT_MARK = ".reed-replaced-"

_BEHIND_BYTES = 4 << 20  # how far a file that is written or read may be ahead of the medium
_BUFFERS_MAX = os.sysconf("SC_IOV_MAX") if hasattr(os, "sysconf") else 16
# What a filesystem without hard links answers.
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


# ---- reading -------------------------------------------------------------------------------------


def open_to_read(path: str) -> int:
    """A descriptor of a regular file or block device, or OSError (EINVAL for anything else)."""
    # Without O_NONBLOCK a FIFO among the paths would wait for a writer for ever.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    mode = os.fstat(descriptor).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISBLK(mode)):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", path)
    return descriptor


class OpenFile:
    """A regular file or block device, open for reading. ``device``: a number of the system's for
    what it lies on."""

    def __init__(self, path: str):
        self.descriptor = open_to_read(path)
        self.device = os.fstat(self.descriptor).st_dev
        self._wake: _Wake | None = None

    def size(self) -> int:
        """Bytes in the file."""
        return size_of(self.descriptor)

    def read_at(self, buffer: memoryview, offset: int) -> int:
        """As the function of this name."""
        count = read_at(self.descriptor, buffer, offset)
        if self._wake is not None:
            self._wake.passed(self.descriptor, offset, offset + count)
        return count

    def drop_cached(self) -> None:
        """Drops the file's pages, so that what is read next comes from the medium (as far as the
        filesystem honours the advice), and does not stay in their place."""
        _drop_cached(self.descriptor)
        self._wake = _Wake()

    def close(self) -> None:
        """Closes it."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def size_of(descriptor: int) -> int:
    """Bytes in an open file; right for block devices too."""
    return os.lseek(descriptor, 0, os.SEEK_END)


def regular_size(descriptor: int) -> int | None:
    """Bytes in an open regular file; None for a pipe or a device."""
    status = os.fstat(descriptor)
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def read_at(descriptor: int, buffer: memoryview, offset: int) -> int:
    """Fills `buffer` from `offset` on; returns how many bytes there were before the end."""
    done = 0
    while done < len(buffer):
        count = preadv(descriptor, [buffer[done:]], offset + done)
        if count == 0:
            break
        done += count
    return done


def read_into_all(descriptor: int, buffers: list[memoryview]) -> int:
    """Fills the buffers one after the other from the current position; returns the bytes read,
    fewer than fit only at the end of the stream."""
    return _scatter(buffers, lambda some: readv(descriptor, some))


def _scatter(buffers, transfer) -> int:
    """Calls `transfer(buffers)`, which may do less than all, until it returns 0 or all is done."""
    total = 0
    position = 0
    pending = None  # the rest of a buffer that was done in part
    while position < len(buffers):
        some = buffers[position:position + _BUFFERS_MAX]
        if pending is not None:
            some[0] = pending
        count = transfer(some)
        if count == 0:
            break
        total += count
        pending = None
        for buffer in some:
            if count < len(buffer):
                pending = buffer[count:] if count else pending
                break
            count -= len(buffer)
            position += 1
    return total


# ---- writing -------------------------------------------------------------------------------------


def write_all_at(descriptor: int, buffers: list[memoryview], offset: int) -> int:
    """Writes all buffers one after the other from `offset` on; returns the offset behind them."""
    position = offset

    def transfer(some):
        nonlocal position
        count = pwritev(descriptor, some, position)
        position += count
        return count

    size = sum(map(len, buffers))
    if _scatter(buffers, transfer) != size:
        raise OSError(errno.EIO, "the file takes no more bytes")
    return position


def _drop_cached(descriptor: int, begin: int = 0, size: int = 0) -> None:
    """Starts writing what is dirty and drops what is written, of `size` bytes; 0: to the end."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, begin, size, os.POSIX_FADV_DONTNEED)


class _Wake:
    """Keeps a large file that is written or read from beginning to end out of the page cache, a
    few megabytes behind the place that has been reached. So the medium works while more is made,
    and neither a put nor a scrub drives out what other programs need. What fails while it is
    written so comes back from fsync."""

    def __init__(self):
        self._begin = self._end = self._place = 0

    def passed(self, descriptor: int, begin: int, end: int) -> None:
        """These bytes were written or read. Those that do not go on where the last ones ended (a
        footer that is looked at first) say nothing of the place that was reached."""
        if not 0 <= begin - self._place <= _BEHIND_BYTES:
            return
        self._place = end
        if end - self._end >= _BEHIND_BYTES:
            # What was given to the medium last time is there by now, and can be dropped.
            _drop_cached(descriptor, self._begin, end - self._begin)
            self._begin, self._end = self._end, end


def sync_folder(path: str) -> None:
    """Makes names in a folder durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
    try:
        fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folders(root: str, path: str) -> None:
    """Makes the folders between `root`, which exists, and `path`, durably."""
    if path == root or os.path.isdir(path):
        return
    parent = os.path.dirname(path)
    make_folders(root, parent)
    try:
        os.mkdir(path)
    except FileExistsError:
        return  # another process was faster; it syncs the name
    sync_folder(parent)


def unlink(path: str) -> None:
    """Removes a name."""
    os.unlink(path)


class Temporary:
    """An exclusive temporary file beside its final path, open for reading and writing.

    Made by ``Publication``, which removes it unless it was published.
    """

    def __init__(self, final_path: str):
        self.final_path = final_path
        folder, name = os.path.split(final_path)
        self.folder = folder or "."
        self.path = os.path.join(folder, f".{name}{TEMPORARY_MARK}{secrets.token_hex(4)}")
        self.descriptor = -1
        self.device: int | None = None  # as OpenFile's
        self._is_ours = False
        self._wake = _Wake()

    def open(self) -> None:
        """Creates the file; FileExistsError when the random name is taken."""
        # Set first: an interrupt between the system call and the assignment leaves no file behind.
        self._is_ours = True
        try:
            self.descriptor = os.open(
                self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW,
                0o666)
        except FileExistsError:
            self._is_ours = False
            raise
        except OSError as error:  # about the name that the caller knows
            raise OSError(error.errno, error.strerror, self.final_path) from None
        self.device = os.fstat(self.descriptor).st_dev

    def sync(self) -> None:
        """To the medium, and out of the page cache, so that reading it back reads the medium (as
        far as the filesystem honours the advice; a memory filesystem has nothing else)."""
        fsync(self.descriptor)
        _drop_cached(self.descriptor)
        self._wake = _Wake()

    def write_at(self, buffers: list[memoryview], offset: int) -> int:
        """Writes all buffers one after the other; returns the offset behind them."""
        end = write_all_at(self.descriptor, buffers, offset)
        self._wake.passed(self.descriptor, offset, end)
        return end

    def read_at(self, buffer: memoryview, offset: int) -> int:
        """As the function of this name."""
        count = read_at(self.descriptor, buffer, offset)
        self._wake.passed(self.descriptor, offset, offset + count)
        return count

    def size(self) -> int:
        """Bytes in the file."""
        return size_of(self.descriptor)

    def publish(self, replace: bool) -> None:
        """Gives this file its final name alone, and makes the name durable.

        Raises TargetExists when the name is taken and `replace` is false.
        """
        if replace:
            os.replace(self.path, self.final_path)
        else:
            move_to_free_name(self.path, self.final_path)
        sync_folder(self.folder)

    def is_at(self, path: str) -> bool:
        """Whether `path` is a name of this very file."""
        try:
            return os.path.samestat(os.stat(path, follow_symlinks=False),
                                    os.fstat(self.descriptor))
        except FileNotFoundError:
            return False

    def remove(self) -> None:
        """Closes the file and removes its temporary name, where that is still there."""
        descriptor, self.descriptor = self.descriptor, -1
        try:
            if descriptor >= 0:
                os.close(descriptor)
        finally:
            if self._is_ours:
                _unlink_if_present(self.path)


class Publication:
    """A set of temporaries that get their final names together, or not at all.

    A context manager: leaving it without ``publish`` removes every temporary; an error inside
    ``publish`` takes back what had been published and brings back what had been replaced.
    """

    def __init__(self):
        self._temporaries: list[Temporary] = []
        self._kept: list[tuple[str, str]] = []  # (its name meanwhile, its final path)
        self._is_published = False

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        # One that fails (a disk that has died) keeps none of the others from being done.
        with contextlib.ExitStack() as stack:
            if self._is_published:
                for kept_path, _ in self._kept:
                    stack.callback(_unlink_if_present, kept_path)
            for temporary in self._temporaries:
                stack.callback(temporary.remove)

    def create(self, final_path: str) -> Temporary:
        """A new temporary that will become `final_path`."""
        _refuse_to_replace(final_path)
        temporary = Temporary(final_path)
        self._temporaries.append(temporary)
        temporary.open()
        return temporary

    def publish(self, overwrite: bool = False) -> None:
        """Gives every temporary its final name and syncs the folders.

        Raises TargetExists when a final path is taken and `overwrite` is false, or taken by
        something that is no file.
        """
        for temporary in self._temporaries:
            _refuse_to_replace(temporary.final_path)
        try:
            for temporary in self._temporaries:
                final_path = temporary.final_path
                if overwrite and os.path.lexists(final_path):
                    # One rename is atomic; a set of them needs a way back.
                    kept_path = _name_for_keeping(final_path)
                    self._kept.append((kept_path, final_path))
                    _keep(final_path, kept_path)
                    os.replace(temporary.path, final_path)
                else:
                    _link(temporary.path, final_path)
            for folder in {temporary.folder for temporary in self._temporaries}:
                sync_folder(folder)
        except BaseException:
            self._take_back()
            raise
        self._is_published = True

    def _take_back(self) -> None:
        # Callbacks run last first: earlier files come back before published ones are withdrawn.
        with contextlib.ExitStack() as stack:
            for temporary in self._temporaries:
                stack.callback(_withdraw, temporary)
            for kept_path, final_path in self._kept:
                stack.callback(_bring_back, kept_path, final_path)


def _withdraw(temporary: Temporary) -> None:
    if temporary.is_at(temporary.final_path):
        os.unlink(temporary.final_path)


def _bring_back(kept_path: str, final_path: str) -> None:
    if os.path.lexists(kept_path):
        os.replace(kept_path, final_path)
        # Where both are still names of one file, the rename did nothing.
        _unlink_if_present(kept_path)


def _refuse_to_replace(path: str) -> None:
    """Folders, devices and pipes are never replaced by a file, whatever was asked for."""
    try:
        mode = os.stat(path, follow_symlinks=False).st_mode
    except OSError:
        return  # absent; or what is wrong shows, with the right error, when the file is made
    if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
        raise TargetExists(f"{path} exists and is not a file; it is never replaced", path=path)


def _link(temporary_path: str, final_path: str) -> None:
    """Gives a file a second name that must be free."""
    try:
        os.link(temporary_path, final_path)
        return
    except FileExistsError:
        raise TargetExists(f"{final_path} exists", path=final_path) from None
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
    # Without hard links the name is reserved by an empty file that the rename then replaces; a
    # crash in between leaves that empty file, which nothing takes for a shard.
    try:
        os.close(os.open(final_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC))
    except FileExistsError:
        raise TargetExists(f"{final_path} exists", path=final_path) from None
    try:
        os.replace(temporary_path, final_path)
    except BaseException:
        os.unlink(final_path)
        raise


def _name_for_keeping(path: str) -> str:
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name}{KEPT_MARK}{secrets.token_hex(4)}")


def _keep(path: str, kept_path: str) -> None:
    """Gives a file a second name, or, where there are no hard links, another one."""
    try:
        os.link(path, kept_path, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        os.rename(path, kept_path)


def move_to_free_name(path: str, free_path: str) -> None:
    """Renames a file to a name that must be free."""
    _link(path, free_path)
    _unlink_if_present(path)


def name_aside(path: str) -> str:
    """A name beside `path` that nothing has."""
    return f"{path}.set-aside-{secrets.token_hex(4)}"


def _unlink_if_present(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):  # a rename published it
        os.unlink(path)


def is_temporary(name: str) -> bool:
    """Whether a file name is one that an interrupted write left."""
    return name.startswith(".") and (TEMPORARY_MARK in name or KEPT_MARK in name)
