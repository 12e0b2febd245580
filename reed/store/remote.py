"""Targets behind a URL: any filesystem of fsspec, which is imported when the first one is used.

An object store has no rename and no fsync. So a shard of a new version is written under its final
name, where nobody looks before its record says that it exists; what replaces something is written
under another key, read back, and copied then. What is written is durable when the service has said
so, and every answer is asked for anew: no listing, no block and no instance is kept in a cache.
Processes of one host exclude each other by what the kernel frees when they die.
"""

import contextlib
import errno
import fcntl
import hashlib
import os
import secrets
import socket
import struct
import sys
from collections.abc import Callable, Iterator

from ..errors import InvalidParameter, ReadBackMismatch, TargetExists
from ..files.digests import crc32c_of
from . import layout
from .folder import FolderTarget
from .target import Capabilities, Target

# Services that promise: a whole object or none under a key, durable when acknowledged, and seen by
# every read and listing after that.
_OBJECT_STORES = frozenset(("s3", "s3a", "gs", "gcs", "abfs", "abfss", "az"))
_LOCAL_SCHEMES = ("file://", "local://")
_PARTIAL = "partial"
_PART_BYTES = 5 << 20  # the least that S3 takes as a part of an upload
_COMPARE_BYTES = 4 << 20
_STAMP_BYTES = 256  # the digest of a record, or the footer of a shard
# One for all processes of the host, whoever runs them and however they are configured.
_LOCK_PATH = "/dev/shm/reed.lock"


def open_location(location: str | os.PathLike) -> Target:
    """The target behind a path or a URL.

    A URL that ends at a local folder (file:///x, dir::file:///x) is that folder. Raises
    InvalidParameter for a URL that can be no target, OSError.
    """
    text = os.fsdecode(location)
    if "://" not in text:
        return FolderTarget(text)
    for scheme in _LOCAL_SCHEMES:
        if text.startswith(scheme):
            return FolderTarget(text.removeprefix(scheme))
    filesystem, root = _resolve(text)
    if "file" in _protocols(filesystem):
        return FolderTarget(root)
    return RemoteTarget(text)


def _resolve(url: str):
    """The innermost filesystem of a URL, and the path of the target in it."""
    try:
        import fsspec
        from fsspec.implementations.cached import CachingFileSystem
        from fsspec.implementations.dirfs import DirFileSystem
    except ImportError:
        raise InvalidParameter(f"{url}: URLs need the package fsspec: pip install "
                               "'reed-storage[remote]'") from None
    scheme, _, rest = url.rpartition("://")
    user, _, host = rest.partition("/")[0].rpartition("@")
    if ":" in user:
        raise InvalidParameter(f"{scheme}://...@{host}: a password in a URL would be written into "
                               "the store; give it in fsspec's configuration")
    try:
        with _asking(url):
            filesystem, root = fsspec.core.url_to_fs(url, skip_instance_cache=True,
                                                     use_listings_cache=False)
    except OSError as error:
        if isinstance(error.__cause__, (ImportError, ValueError)):  # no package, no such protocol
            raise InvalidParameter(f"{url}: {error.__cause__}") from None
        raise
    while isinstance(filesystem, DirFileSystem):
        # "dir::" without a path of its own gives the one that it stands on.
        base = filesystem.path
        root, filesystem = base if root == base else f"{base}/{root}", filesystem.fs
    if isinstance(filesystem, CachingFileSystem):
        raise InvalidParameter(f"{url}: a filesystem that answers from a cache cannot be a target")
    return filesystem, root.rstrip("/")


def _protocols(filesystem) -> tuple[str, ...]:
    found = filesystem.protocol
    return (found,) if isinstance(found, str) else tuple(found)


@contextlib.contextmanager
def _asking(path: str) -> Iterator[None]:
    """Filesystems raise what they like; the store knows OSError."""
    try:
        yield
    except FileNotFoundError as error:  # some say only which
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path) from error
    except OSError:
        raise
    except Exception as error:
        raise OSError(errno.EIO, f"{type(error).__name__}: {error}", path) from error


class RemoteTarget:
    """Objects below a URL.

    :param capabilities: what to believe of a service that is not known here. Without it only the
        common object stores are durable and publish atomically; one that is not durable takes no
        shards.
    """

    def __init__(self, url: str, capabilities: Capabilities | None = None):
        self.location = url
        self._filesystem, self._root = _resolve(url)
        is_known = not _OBJECT_STORES.isdisjoint(_protocols(self._filesystem))
        self.capabilities = capabilities or Capabilities(
            durable=is_known, atomic_publish=is_known, conditional_create=False,
            medium_reads=False)

    def path_of(self, name: str) -> str:
        """The filesystem's path of a name."""
        return f"{self._root}/{name}"

    def device(self) -> str | None:
        """The service, and the bucket where there are buckets; whatever the rest of the URL is."""
        options = self._filesystem.storage_options
        host = next((str(options[name]) for name in ("endpoint_url", "account_name", "host")
                     if options.get(name)), "")
        bucket = self._root.partition("/")[0] if self.capabilities.atomic_publish else ""
        return " ".join(filter(None, (_protocols(self._filesystem)[0], host, bucket)))

    def free_bytes(self) -> int | None:
        return None

    def stamp(self, name: str) -> object:
        """The size and the last bytes: times of services are too coarse to tell that a record was
        replaced, and both records and shards end in a digest."""
        opened = self.open(name)
        end = bytearray(min(_STAMP_BYTES, opened.size()))
        opened.read_at(memoryview(end), opened.size() - len(end))
        return opened.size(), bytes(end)

    def open(self, name: str) -> "RemoteObject":
        return RemoteObject(self._filesystem, self.path_of(name))

    def create(self, name: str) -> "Upload":
        # A record counts as soon as it has its name, so it gets that last, with ``publish``.
        return Upload(self, self._filesystem, name, is_staged=(
            not name.startswith(f"{layout.SHARDS}/") or not self.capabilities.atomic_publish
            or self._is_taken(name)))

    def move(self, name: str, new_name: str) -> None:
        self.require_free(new_name)
        self.rename(name, new_name)

    def require_free(self, name: str) -> None:
        """Raises TargetExists. What is not there now may be there when it is written."""
        if self._is_taken(name):
            raise TargetExists(f"{self.path_of(name)} exists", path=self.path_of(name))

    def _is_taken(self, name: str) -> bool:
        try:
            self.open(name)
        except FileNotFoundError:
            return False
        return True

    def rename(self, name: str, new_name: str) -> None:
        """Gives a file another name, whatever has it; where there is no rename, by a copy that the
        service makes."""
        from fsspec import AbstractFileSystem

        filesystem, path, new_path = self._filesystem, self.path_of(name), self.path_of(new_name)
        with _asking(path):
            self.make_folder(new_path)
            if type(filesystem).mv is not AbstractFileSystem.mv:
                filesystem.mv(path, new_path)
            else:
                filesystem.cp_file(path, new_path)
                filesystem.rm_file(path)

    def make_folder(self, path: str) -> None:
        """Makes the folder of a path, where there are folders; never a bucket."""
        if not self.capabilities.atomic_publish:
            self._filesystem.makedirs(path.rpartition("/")[0], exist_ok=True)

    def unlink(self, name: str) -> None:
        path = self.path_of(name)
        with contextlib.suppress(FileNotFoundError), _asking(path):
            self._filesystem.rm_file(path)

    def names(self, folder: str) -> Iterator[str]:
        base = self.path_of(folder)
        for path in self._files_below(base):
            if not path.startswith(f"{base}/"):
                raise OSError(errno.EIO, f"the listing of {base} names {path}", base)
            yield path[len(base) + 1:]

    def _files_below(self, path: str) -> Iterator[str]:
        """All files below a folder. ``find`` is asked only where it is one flat listing: fsspec's
        own passes over folders that cannot be read."""
        self._filesystem.invalidate_cache()
        try:
            with _asking(path):
                if self.capabilities.atomic_publish:
                    found = [{"name": name, "type": "file"} for name in self._filesystem.find(path)]
                else:
                    found = self._filesystem.ls(path, detail=True)
        except FileNotFoundError:
            return
        for entry in sorted(found, key=lambda entry: entry["name"]):
            if entry["type"] == "directory":
                yield from self._files_below(entry["name"].rstrip("/"))
            else:
                yield entry["name"]

    def sweep(self, allow: Callable[[], object]) -> int:
        removed = 0
        for token in self.names(_PARTIAL):
            with _held(token) as is_gone:
                if is_gone:
                    allow()
                    self.unlink(f"{_PARTIAL}/{token}")
                    removed += 1
        return removed

    def lock(self, target_id: str) -> contextlib.AbstractContextManager[bool] | None:
        """Between the processes of this host, which is the one that may write. By the target's id:
        the way to it may be another one for each process."""
        if not sys.platform.startswith("linux"):
            return None  # nothing that the kernel frees
        return _held(f"target {target_id}")


class RemoteObject:
    """A file as it stood when it was opened."""

    def __init__(self, filesystem, path: str):
        self._filesystem = filesystem
        self._path = path
        filesystem.invalidate_cache()
        with _asking(path):
            found = filesystem.info(path)
            if found["type"] != "file":
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
            self._size = int(found["size"])

    def size(self) -> int:
        return self._size

    def read_at(self, buffer: memoryview, offset: int) -> int:
        wanted = min(len(buffer), self._size - offset)
        if wanted <= 0:
            return 0
        with _asking(self._path):
            data = self._filesystem.cat_file(self._path, start=offset, end=offset + wanted)
        if len(data) != wanted:  # the connection ended; says nothing about the file
            raise OSError(errno.EIO, f"{len(data)} bytes came instead of {wanted}", self._path)
        buffer[:wanted] = data
        return wanted

    def drop_cached(self) -> None:
        pass  # each read is a request of its own; what the service does with it is not known

    def close(self) -> None:
        pass


class Upload:
    """A new file. What is small is sent whole; of what is large, parts are sent as they come."""

    def __init__(self, target: RemoteTarget, filesystem, name: str, is_staged: bool):
        self.final_path = target.path_of(name)
        self._target = target
        self._filesystem = filesystem
        self._name = name
        self._token = secrets.token_hex(16)
        self._is_atomic = target.capabilities.atomic_publish
        self._is_staged = is_staged
        self._written_name = f"{_PARTIAL}/{self._token}" if self._is_staged else name
        self._path = target.path_of(self._written_name)
        self._pieces: list[bytes] = []
        self._stream = None
        self._size = 0
        self._crc32c = 0
        self._object: RemoteObject | None = None
        self._stack = contextlib.ExitStack()
        if self._is_staged:
            self._stack.enter_context(_held(self._token))

    def write_at(self, buffers: list[memoryview], offset: int) -> int:
        if offset != self._size:
            raise OSError(errno.ESPIPE, f"written up to {self._size}, not {offset}", self._path)
        self._size += sum(map(len, buffers))
        if self._is_staged:
            self._crc32c = crc32c_of(buffers, self._crc32c)
        self._pieces += map(bytes, buffers)
        if self._size >= _PART_BYTES:
            with _asking(self._path):
                self._send()
        return self._size

    def _send(self) -> None:
        if self._stream is None:
            self._target.make_folder(self._path)
            options = {"autocommit": False} if self._is_atomic else {}
            self._stream = self._filesystem.open(self._path, "wb", block_size=_PART_BYTES,
                                                 **options)
        for piece in self._pieces:
            self._stream.write(piece)
        self._pieces = []

    def sync(self) -> None:
        with _asking(self._path):
            if self._stream is None:
                self._target.make_folder(self._path)
                self._filesystem.pipe_file(self._path, b"".join(self._pieces))
                self._pieces = []
            else:
                self._send()
                stream, self._stream = self._stream, None
                stream.close()
                if self._is_atomic:
                    stream.commit()
        self._object = self._target.open(self._written_name)

    def read_at(self, buffer: memoryview, offset: int) -> int:
        return self._object.read_at(buffer, offset)

    def size(self) -> int:
        return self._object.size()

    def publish(self, replace: bool) -> None:
        if not self._is_staged:
            self._require_there()
            return
        if not replace:
            self._target.require_free(self._name)
        self._target.rename(self._written_name, self._name)
        self._is_staged = False
        self._require_copied()

    def _require_there(self) -> None:
        """Raises unless what was read back where it stands still stands there: no record owned it
        yet, so ``reclaim`` may have taken it for an orphan."""
        found = self._target.open(self._name).size()
        if found != self._size:
            raise ReadBackMismatch(f"{self.final_path}: {found} bytes, {self._size} were written",
                                   path=self.final_path, offset=min(found, self._size))

    def _require_copied(self) -> None:
        """Raises ReadBackMismatch unless what was proved is what has the name now."""
        copied = self._target.open(self._name)
        buffer = memoryview(bytearray(min(_COMPARE_BYTES, self._size)))
        found, offset = 0, 0
        while count := copied.read_at(buffer, offset):
            found = crc32c_of([buffer[:count]], found)
            offset += count
        if (offset, found) != (self._size, self._crc32c):
            raise ReadBackMismatch(f"{self.final_path}: not what was written before it was renamed",
                                   path=self.final_path, offset=0)

    def remove(self) -> None:
        """Ends what was begun. Something whole that got no name by ``publish`` stays where it was
        written under a final name: a process beside this one may count on it, and what nobody
        does is an orphan."""
        stream, self._stream = self._stream, None
        with self._stack, _asking(self._path):
            if stream is not None and self._is_atomic:
                stream.discard()
                # Else the garbage collector would close it, which completes the upload.
                stream.closed = True
            elif stream is not None:
                stream.close()
            if self._is_staged:
                self._is_staged = False
                self._target.unlink(self._written_name)


@contextlib.contextmanager
def _held(name: str) -> Iterator[bool]:
    """Holds a name of this host while the process lives, and not longer; gives whether it was free.

    Two ways at once, each of which the kernel ends with the process: processes in two network
    namespaces have the lock file in common, processes in two containers that use the host's
    network have the socket names.
    """
    digest = hashlib.sha256(name.encode()).digest()
    with contextlib.ExitStack() as stack:
        yield _takes_socket(stack, digest) and _takes_byte(stack, digest)


def _takes_socket(stack: contextlib.ExitStack, digest: bytes) -> bool:
    """Binds an abstract socket: no file, no folder, no permissions."""
    holder = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
    try:
        holder.bind(f"\0reed {digest.hex()}")
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        return False
    return True


def _takes_byte(stack: contextlib.ExitStack, digest: bytes) -> bool:
    """Locks the byte of the lock file that a digest says. The file stays empty, and one is enough
    for all names, so there is nothing to remove."""
    descriptor = _open_lock_file()
    stack.callback(os.close, descriptor)
    start = int.from_bytes(digest[:8], "little") >> 2  # well within the largest offset
    # struct flock: type, whence, start, length, process (0: the lock is the open file's).
    request = struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, start, 1, 0)
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, request)
    except OSError as error:
        if error.errno not in (errno.EAGAIN, errno.EACCES):
            raise
        return False
    return True


def _open_lock_file() -> int:
    # Without O_CREAT where it is there: Linux may refuse that for another user's file in a folder
    # for all.
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
    with contextlib.suppress(FileNotFoundError):
        return os.open(_LOCK_PATH, flags)
    try:
        descriptor = os.open(_LOCK_PATH, flags | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:
        return os.open(_LOCK_PATH, flags)
    try:
        os.fchmod(descriptor, 0o666)  # for every user, whatever the umask is
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
