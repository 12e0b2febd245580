"""Remote targets for tests: fsspec's memory, and an object store that is told how to fail.

The object store keeps what S3 keeps: a flat set of keys, whole objects that appear when an upload
is completed, copies made by the service, no rename and no folders.
"""

import errno
from pathlib import Path

import fsspec
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.spec import AbstractBufferedFile

from reed.store import Capabilities, RemoteTarget, open_location

TRUSTED = {
    "memory": Capabilities(durable=True, atomic_publish=False, conditional_create=False,
                           medium_reads=False),
    "bucket": Capabilities(durable=True, atomic_publish=True, conditional_create=False,
                           medium_reads=False),
}


class Bucket(fsspec.AbstractFileSystem):
    """All buckets of all tests. ``fault(verb, path)`` may raise, or return bytes for "cat"."""

    protocol = "bucket"
    cachable = False
    objects: dict[str, bytes] = {}  # noqa: RUF012
    uploads: set = set()  # noqa: RUF012
    calls: dict[str, int] = {}  # noqa: RUF012
    fault = None

    @classmethod
    def reset(cls):
        cls.objects, cls.uploads, cls.calls, cls.fault = {}, set(), {}, None

    def _call(self, verb, path):
        path = self._strip_protocol(path)
        Bucket.calls[verb] = Bucket.calls.get(verb, 0) + 1
        if Bucket.fault is not None:
            Bucket.fault(verb, path)
        return path

    def _get(self, path):
        try:
            return Bucket.objects[path]
        except KeyError:
            raise FileNotFoundError(path) from None

    def info(self, path, **kwargs):
        path = self._call("info", path)
        if path not in Bucket.objects and any(key.startswith(f"{path}/") for key in Bucket.objects):
            return {"name": path, "size": 0, "type": "directory"}
        return {"name": path, "size": len(self._get(path)), "type": "file"}

    def find(self, path, **kwargs):
        path = self._call("find", path)
        return sorted(key for key in Bucket.objects if key.startswith(f"{path}/"))

    def cat_file(self, path, start=None, end=None, **kwargs):
        return self._get(self._call("cat", path))[start:end]

    def pipe_file(self, path, value, mode="overwrite", **kwargs):
        path = self._call("put", path)
        Bucket.objects[path] = bytes(value)

    def cp_file(self, path1, path2, **kwargs):
        Bucket.objects[self._call("copy", path2)] = self._get(self._strip_protocol(path1))

    def rm_file(self, path):
        Bucket.objects.pop(self._call("remove", path), None)

    def _open(self, path, mode="rb", block_size=None, autocommit=True, **kwargs):
        assert mode == "wb" and not autocommit
        return _Parts(self, path, mode, block_size, autocommit)


class _Parts(AbstractBufferedFile):
    """An upload in parts."""

    def _initiate_upload(self):
        self.data = bytearray()
        Bucket.uploads.add(self)

    def _upload_chunk(self, final=False):
        self.fs._call("part", self.path)
        self.data += self.buffer.getvalue()
        return True

    def commit(self):
        Bucket.objects[self.fs._call("put", self.path)] = bytes(self.data)
        Bucket.uploads.discard(self)

    def discard(self):
        Bucket.uploads.discard(self)


fsspec.register_implementation("bucket", Bucket, clobber=True)


def locate(location):
    """As ``open_location``, and trusts what is for tests."""
    text = str(location)
    protocol = text.partition("://")[0]
    return RemoteTarget(text, TRUSTED[protocol]) if protocol in TRUSTED else open_location(text)


def forget():
    """Empties what the tests share."""
    Bucket.reset()
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]


class Places:
    """Targets of one kind: their locations, and what stands on them, looked at from outside."""

    def __init__(self, kind, base):
        self.kind = kind
        self.base = base

    def make(self, count, name="disk"):
        return [self.one(f"{name}{number}", number) for number in range(count)]

    def one(self, name, number=0):
        kind = ("folder", "memory", "bucket")[number % 3] if self.kind == "mixed" else self.kind
        if kind == "folder":
            (self.base / name).mkdir(parents=True)
            return str(self.base / name)
        return f"{kind}://{self.base.name}-{name}/store"

    def names(self, location, part=""):
        """Every file of a target, in order."""
        if "://" in location:
            root = location.split("://")[1]
            found = (Bucket.objects if location.startswith("bucket")
                     else [key[1:] for key in MemoryFileSystem.store])
            return sorted(key[len(root) + 1:] for key in found
                          if key.startswith(f"{root}/") and part in key)
        return sorted(str(path.relative_to(location)) for path in Path(location).rglob("*")
                      if path.is_file() and part in str(path.relative_to(location)))

    def read(self, location, name):
        if location.startswith("bucket://"):
            return Bucket.objects[f"{location[9:]}/{name}"]
        if location.startswith("memory://"):
            return MemoryFileSystem.store[f"/{location[9:]}/{name}"].getvalue()
        return Path(location, name).read_bytes()

    def write(self, location, name, data):
        """Puts other bytes there; None removes it."""
        if location.startswith("bucket://"):
            Bucket.objects.pop(f"{location[9:]}/{name}", None)
            if data is not None:
                Bucket.objects[f"{location[9:]}/{name}"] = data
        elif location.startswith("memory://"):
            memory = fsspec.filesystem("memory")
            memory.rm_file(f"/{location[9:]}/{name}")
            if data is not None:
                memory.pipe_file(f"/{location[9:]}/{name}", data)
        elif data is None:
            Path(location, name).unlink()
        else:
            Path(location, name).write_bytes(data)

    def take(self, location):
        """Removes everything there; returns it, for ``give``."""
        held = {name: self.read(location, name) for name in self.names(location)}
        for name in held:
            self.write(location, name, None)
        return held

    def give(self, location, held):
        for name, data in held.items():
            if "://" in location:
                locate(location)._filesystem.pipe_file(
                    f"{location.split('://')[1]}/{name}", data)
            else:
                Path(location, name).parent.mkdir(parents=True, exist_ok=True)
                Path(location, name).write_bytes(data)

    def flip(self, location, name, offset=3000):
        data = bytearray(self.read(location, name))
        data[offset % len(data)] ^= 1
        self.write(location, name, bytes(data))


def eio(matches):
    """A fault: every call about a path that matches is an error."""
    def fault(verb, path):
        if matches(verb, path):
            raise OSError(errno.EIO, "the service is ill", path)
    return fault
