"""Small checksummed files: everything that the store knows besides shards.

The layout is in docs/store.md. Parsing is a hostile boundary: any bytes are safe, and nothing is
believed before the SHA-256 over all of it. A record says which store, target and thing it was
written for, so one that was copied or misdirected is corrupt where it stands.
"""

import hashlib
import json
from collections.abc import Callable

from ..errors import FormatError, ReadBackMismatch

MAGIC = b"\x89RSR\r\n\x1a\n"
BODY_MAX = 4 << 20
_HEAD = len(MAGIC) + 4
_SUM = 32


class CorruptRecord(FormatError):
    """A record is damaged, or is not what should stand in its place."""


def pack(kind: str, store_id: str, target_id: str, key: str | None, content: dict) -> bytes:
    """A record's bytes."""
    body = json.dumps({"kind": kind, "store": store_id, "target": target_id, "key": key,
                       "content": content}, sort_keys=True, separators=(",", ":")).encode()
    if len(body) > BODY_MAX:
        raise FormatError(f"a record's body has at most {BODY_MAX} bytes, not {len(body)}",
                          field="body", value=len(body), maximum=BODY_MAX)
    data = MAGIC + len(body).to_bytes(4, "little") + body
    return data + hashlib.sha256(data).digest()


def unpack(data: bytes, path: str) -> dict:
    """The body of a record: a dictionary with kind, store, target, key and content."""
    if data[:len(MAGIC)] != MAGIC or len(data) < _HEAD + _SUM:
        raise CorruptRecord(f"{path}: not a record", path=path)
    size = int.from_bytes(data[len(MAGIC):_HEAD], "little")
    if len(data) != _HEAD + size + _SUM or hashlib.sha256(data[:-_SUM]).digest() != data[-_SUM:]:
        raise CorruptRecord(f"{path}: the checksum does not match", path=path)
    try:
        body = json.loads(data[_HEAD:-_SUM])
    except (ValueError, RecursionError):
        raise CorruptRecord(f"{path}: not JSON", path=path) from None
    if not isinstance(body, dict) or body.keys() != {"kind", "store", "target", "key", "content"}:
        raise CorruptRecord(f"{path}: not a record's body", path=path)
    return body


def read(target, name: str) -> dict:
    """The body of the record `name`. Raises CorruptRecord; OSError as ``Target.open``."""
    handle = target.open(name)
    try:
        limit = _HEAD + BODY_MAX + _SUM
        size = handle.size()
        if size > limit:
            raise CorruptRecord(f"{name}: {size} bytes, a record has at most {limit}", path=name)
        buffer = bytearray(size)
        count = handle.read_at(memoryview(buffer), 0)
    finally:
        handle.close()
    return unpack(bytes(buffer[:count]), name)


def read_expected(target, name: str, kind: str, store_id: str, target_id: str,
                  key: str | None = None) -> dict:
    """The content of a record that must be of this kind, store, target and key."""
    body = read(target, name)
    found = (body["kind"], body["store"], body["target"], body["key"])
    if found != (kind, store_id, target_id, key):
        raise CorruptRecord(f"{name}: a record of something else stands here", path=name)
    return body["content"]


def write(target, name: str, data: bytes, replace: bool = True,
          check: Callable[[], object] | None = None) -> None:
    """Writes a packed record durably, and only after reading it back from the medium.

    :param check: called last before the record gets its name; what it raises keeps that from being.
    Raises OSError; ReadBackMismatch; TargetExists unless `replace`.
    """
    temporary = target.create(name)
    try:
        temporary.write_at([memoryview(data)], 0)
        temporary.sync()
        require_same(temporary, data)
        if check is not None:
            check()
        temporary.publish(replace)
    finally:
        temporary.remove()


def require_same(temporary, data: bytes) -> None:
    """Raises ReadBackMismatch unless the medium gives back what was written."""
    found = bytearray(len(data) + 1)
    count = temporary.read_at(memoryview(found), 0)
    if found[:count] != data:
        raise ReadBackMismatch(
            f"{temporary.final_path}: the medium does not give back what was written",
            path=temporary.final_path, offset=0)
