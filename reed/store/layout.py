"""Names of files on a target, and where the shards of an object go."""

import functools
import hashlib
import re

from ..errors import InvalidParameter

CONFIG_NAMES = ("store.record", "store-copy.record")
RECLAIM_NAME = "reclaim.record"
OBJECTS, SHARDS, SCRUB, JOURNAL, QUARANTINE = "objects", "shards", "scrub", "journal", "quarantine"

KEY_BYTES_MAX = 1024
_PIECE_MAX = 120
_KEYS_REMEMBERED = 1024
_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.")
_RECORD = re.compile(r"[0-9a-f]{2}/(?P<name>.+?)(~[1-9][0-9]*)?\.record", re.DOTALL)
_SHARD = re.compile(r"[0-9a-f]{2}/(?P<name>.+)\.(?P<version>[0-9a-f]{8}-[0-9a-f]{12}-[0-9a-f]{16})"
                    r"\.(?P<index>[0-9]{3})\.reed", re.DOTALL)


def check_key(key: str) -> str:
    """Raises InvalidParameter unless a key is text of 1 to 1,024 bytes of UTF-8."""
    if not isinstance(key, str) or not key:
        raise InvalidParameter(f"key must be a text that is not empty, not {key!r}")
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        raise InvalidParameter(f"key must be valid Unicode, not {key!r}") from None
    if size > KEY_BYTES_MAX:
        raise InvalidParameter(f"key must have at most {KEY_BYTES_MAX} bytes, not {size}")
    return key


@functools.lru_cache(_KEYS_REMEMBERED)
def fan(key: str) -> str:
    """The folder of a key: two hexadecimal digits."""
    return hashlib.sha256(key.encode()).hexdigest()[:2]


@functools.lru_cache(_KEYS_REMEMBERED)
def escape(key: str) -> str:
    """A key as a file name, with folders where it is long."""
    text = "".join(chr(byte) if byte in _SAFE and not (byte == ord(".") and not position)
                   else f"%{byte:02X}" for position, byte in enumerate(key.encode()))
    pieces = [text[i:i + _PIECE_MAX] for i in range(0, len(text), _PIECE_MAX)]
    # A piece may begin with a dot only where no folder or hidden file begins.
    return "/".join([*(f"={piece}~" for piece in pieces[:-1]),
                     pieces[-1] if len(pieces) == 1 else f"={pieces[-1]}"])


def unescape(name: str) -> str | None:
    """The key of a name that ``escape`` made, else None."""
    text = "".join(piece.removesuffix("~").removeprefix("=") for piece in name.split("/"))
    try:
        key = re.sub(rb"%([0-9A-F]{2})", lambda match: bytes([int(match[1], 16)]),
                     text.encode("ascii")).decode()
    except UnicodeError:
        return None
    return key if key and escape(key) == name else None


def record_name(key: str, takeovers: int = 0) -> str:
    """Where a key's record stands that was written after so many take-overs."""
    return f"{OBJECTS}/{fan(key)}/{escape(key)}{f'~{takeovers}' if takeovers else ''}.record"


def shard_name(key: str, version: str, shard_index: int) -> str:
    """Where a shard of a version stands, on the target that has it."""
    return f"{SHARDS}/{fan(key)}/{escape(key)}.{version}.{shard_index:03d}.reed"


def parse_record_name(name: str) -> str | None:
    """The key of a name below ``objects``; None for anything that is no record's name."""
    match = _RECORD.fullmatch(name)
    key = unescape(match["name"]) if match else None
    return key if key is not None and name.startswith(fan(key)) else None


def parse_shard_name(name: str) -> tuple[str, str, int] | None:
    """(key, version, shard index) of a name below ``shards``; None for anything else."""
    match = _SHARD.fullmatch(name)
    key = unescape(match["name"]) if match else None
    if key is None or not name.startswith(fan(key)):
        return None
    return key, match["version"], int(match["index"])


def scrub_name(fan_name: str) -> str:
    """Where the results of scrubbing one folder stand."""
    return f"{SCRUB}/{fan_name}.record"


def place(key: str, shard_count: int, domains: dict[int, str],
          later: dict[int, str]) -> tuple[int | None, ...]:
    """The slot of each shard of an object: distinct slots, over as many failure domains as there
    are, rotated by the key so that parity is spread evenly; None where slots run out.

    :param domains: slots that can take a shard now, and the failure domain of each.
    :param later: slots that cannot, and get what is left: repair writes it when they can.
    """
    def rank(text: str) -> bytes:
        return hashlib.sha256(f"{key}\0{text}".encode()).digest()

    def spread(slots: dict[int, str]) -> list[int]:
        by_domain: dict[str, list[int]] = {}
        for slot in sorted(slots, key=lambda slot: rank(str(slot))):
            by_domain.setdefault(slots[slot], []).append(slot)
        order = sorted(by_domain, key=rank)
        # The first of every domain, then the second of those that have one, and so on.
        return [by_domain[domain][depth] for depth in range(len(slots)) for domain in order
                if len(by_domain[domain]) > depth]

    chosen = spread(domains) + spread(later)
    return tuple((chosen + [None] * shard_count)[:shard_count])
