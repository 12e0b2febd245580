"""The digest of a whole object, computed in a thread of its own beside encoding and input/output.

hashlib and blake3 release the GIL for long buffers, so on a second processor the digest costs no
time until it is itself the slowest step.
"""

import hashlib
import importlib
import importlib.util
from concurrent.futures import Future, ThreadPoolExecutor

from .. import _core
from ..errors import InvalidParameter
from .layout import DIGEST_TYPES

_NO_DIGEST = bytes(32)


def digest_number(name: str) -> int:
    """The number of a digest in a header; InvalidParameter for an unknown name."""
    if name not in DIGEST_TYPES:
        raise InvalidParameter(f"digest must be one of {', '.join(DIGEST_TYPES)}, not {name!r}")
    return DIGEST_TYPES.index(name)


def preferred_digest() -> str:
    """The digest for what does not ask for one and is to keep pace with disks: blake3 where its
    package is installed (several GB/s a core), else sha256 (below 2 GB/s: one sequence)."""
    return "blake3" if importlib.util.find_spec("blake3") else "sha256"


def _new_hash(digest_type: int):
    name = DIGEST_TYPES[digest_type]
    if name == "sha256":
        return hashlib.sha256()
    try:
        return importlib.import_module("blake3").blake3()
    except ImportError:
        raise InvalidParameter(
            "digest blake3 needs the package blake3, which is not installed (the extra store)"
        ) from None


class ObjectDigest:
    """Digest of a stream of pieces; a context manager that ends its thread.

    ``add`` returns a future; the pieces must not change before it is done.
    """

    def __init__(self, digest_type: int | None):
        self._hash = _new_hash(digest_type) if digest_type else None
        self._executor = ThreadPoolExecutor(1, "reed-digest") if self._hash else None

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        if self._executor is not None:
            self._executor.shutdown(wait=True, cancel_futures=True)

    def add(self, pieces: list[memoryview]) -> Future | None:
        """Continues the digest with these bytes."""
        if self._executor is None:
            return None
        return self._executor.submit(self._update, pieces)

    def add_now(self, pieces: list[memoryview]) -> None:
        """Continues the digest and waits for it, so that the pieces may change."""
        future = self.add(pieces)
        if future is not None:
            future.result()

    def _update(self, pieces):
        for piece in pieces:
            self._hash.update(piece)

    def finish(self) -> bytes:
        """The 32 bytes of the digest of everything added, zeros for "none"."""
        if self._executor is None:
            return _NO_DIGEST
        return self._executor.submit(self._hash.digest).result()


def crc32c_of(pieces: list[memoryview], value: int) -> int:
    """CRC32C of the pieces one after the other, continuing `value`."""
    for piece in pieces:
        value = _core.crc32c(piece, value)
    return value
