"""What records say: versions and entries of objects, slots and configurations of stores.

Plain frozen values. ``from_content`` of each is the other half of the hostile boundary: it takes
whatever JSON can hold and gives a value whose every field is of its type and in its range, or
CorruptRecord.
"""

import hashlib
import json
import re
from dataclasses import dataclass, replace

from .. import _core
from ..codes import ReedSolomon, Replication
from ..errors import InvalidParameter
from ..files.layout import DIGEST_TYPES, Geometry
from .record import CorruptRecord

ID_DIGITS = 32
_TEXT_MAX = 4096
_COUNT_MAX = 1 << 48
_SLOTS_MAX = 1024
_TAKEOVERS_MAX = 1 << 16
_ENTRIES_MAX = 4096
# A write is refused here: a record that cannot be read again must never be made.
ENTRIES_WRITTEN_MAX = 4000
_VERSION = re.compile(r"([0-9a-f]{8})-([0-9a-f]{12})-([0-9a-f]{16})")
SLOT_STATES = ("active", "syncing", "stale")


# ---- checking fields -----------------------------------------------------------------------------


def _bad(what: str) -> CorruptRecord:
    return CorruptRecord(f"a record says an impossible {what}", field=what)


def _integer(content: dict, name: str, minimum: int, maximum: int) -> int:
    value = content[name]
    if type(value) is not int or not minimum <= value <= maximum:
        raise _bad(name)
    return value


def _number(content: dict, name: str) -> float:
    value = content[name]
    if type(value) not in (int, float) or not 0 <= value < 1e15:
        raise _bad(name)
    return float(value)


def _text(content: dict, name: str, maximum: int = _TEXT_MAX) -> str:
    value = content[name]
    if not isinstance(value, str) or len(value) > maximum:
        raise _bad(name)
    return value


def _hexadecimal(content: dict, name: str, digits: int) -> str:
    value = content[name]
    if not isinstance(value, str) or not re.fullmatch(rf"[0-9a-f]{{{digits}}}", value):
        raise _bad(name)
    return value


def _choice(content: dict, name: str, choices) -> str:
    value = content[name]
    if not isinstance(value, str) or value not in choices:
        raise _bad(name)
    return value


def _flag(content: dict, name: str) -> bool:
    value = content[name]
    if not isinstance(value, bool):
        raise _bad(name)
    return value


def _list(content: dict, name: str, maximum: int) -> list:
    value = content[name]
    if not isinstance(value, list) or len(value) > maximum:
        raise _bad(name)
    return value


def _require_fields(content, kind) -> None:
    if not isinstance(content, dict) or content.keys() != set(kind.__dataclass_fields__):
        raise _bad(f"{kind.__name__.lower()}")


# ---- versions and entries ------------------------------------------------------------------------


@dataclass(frozen=True, order=True)
class Version:
    """Which of all versions of a key; the newer one is greater."""

    epoch: int
    sequence: int
    nonce: str  # 16 hexadecimal digits

    def __str__(self) -> str:
        return f"{self.epoch:08x}-{self.sequence:012x}-{self.nonce}"

    @classmethod
    def parse(cls, text: str) -> "Version":
        """The version of a text; CorruptRecord for any other text."""
        match = _VERSION.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            raise _bad("version")
        return cls(int(match[1], 16), int(match[2], 16), match[3])

    def stripe_id(self, store_id: str, key: str) -> bytes:
        """The 16 bytes that stand inside the checksum of every block of this version."""
        digest = hashlib.sha256(b"reed store version 1\0")
        for text in (store_id, key, str(self)):
            part = text.encode()
            digest.update(len(part).to_bytes(4, "little") + part)
        return digest.digest()[:_core.STRIPE_ID_SIZE]


@dataclass(frozen=True)
class Code:
    """How objects become shards."""

    generator: str
    data_shards: int
    parity_shards: int
    block_size: int

    @property
    def shard_count(self) -> int:
        return self.data_shards + self.parity_shards

    def __str__(self) -> str:
        if self.generator == "replication":
            return f"{self.shard_count} copies"
        return f"{self.data_shards}+{self.parity_shards}"

    def make(self):
        """The code itself."""
        if self.generator == "replication":
            return Replication(self.shard_count)
        return ReedSolomon(self.data_shards, self.parity_shards, generator=self.generator)

    def geometry(self, stripe_id: bytes) -> Geometry:
        """What the shard files of one version say."""
        return Geometry(stripe_id, self.generator, self.data_shards, self.parity_shards,
                        self.block_size)

    @classmethod
    def from_content(cls, content) -> "Code":
        _require_fields(content, cls)
        data_shards = _integer(content, "data_shards", 1, 256)
        block_size = _integer(content, "block_size", 4096, _core.BLOCK_SIZE_MAX)
        if block_size & (block_size - 1):
            raise _bad("block_size")
        return cls(_choice(content, "generator", _core.generators()), data_shards,
                   _integer(content, "parity_shards", 0, 256 - data_shards), block_size)


@dataclass(frozen=True)
class Entry:
    """That a version of a key exists, or that the key was deleted."""

    kind: str  # "object" or "tombstone"
    version: Version
    time: float  # seconds since 1970 by the store's clock; for retention and display
    actor: str  # who did it
    size: int = 0  # bytes
    digest: str = "0" * 64  # hexadecimal
    digest_type: str = "none"
    code: Code | None = None
    placement: tuple[int | None, ...] = ()  # the slot of each shard; None: there was none
    written: tuple[int, ...] = ()  # the shards that were there when it was committed
    migrated_from: str | None = None  # the version that a migration copied
    is_verified: bool = True  # False: its shards were never read back; it frees no other version

    @property
    def is_object(self) -> bool:
        return self.kind == "object"

    def content(self) -> dict:
        """What a record holds."""
        return {**vars(self), "version": str(self.version),
                "code": None if self.code is None else vars(self.code)}

    @classmethod
    def from_content(cls, content) -> "Entry":
        _require_fields(content, cls)
        kind = _choice(content, "kind", ("object", "tombstone"))
        code = None if content["code"] is None else Code.from_content(content["code"])
        placement = _list(content, "placement", 256)
        written = _list(content, "written", 256)
        held = [slot for slot in placement if slot is not None]
        if any(type(slot) is not int or not 0 <= slot < _SLOTS_MAX for slot in held) or (
                len(set(held)) != len(held)):
            raise _bad("placement")
        if any(type(index) is not int or not 0 <= index < len(placement) for index in written):
            raise _bad("written")
        if (kind == "object") != (code is not None) or (
                len(placement) != (code.shard_count if code else 0)):
            raise _bad("placement")
        if content["migrated_from"] is not None:
            Version.parse(content["migrated_from"])
        return cls(kind, Version.parse(content["version"]), _number(content, "time"),
                   _text(content, "actor"), _integer(content, "size", 0, 1 << 62),
                   _hexadecimal(content, "digest", 64),
                   _choice(content, "digest_type", DIGEST_TYPES), code, tuple(placement),
                   tuple(written), content["migrated_from"], _flag(content, "is_verified"))


def entries_from_content(content) -> tuple[Entry, ...]:
    """The entries of a key's record."""
    if not isinstance(content, list) or len(content) > _ENTRIES_MAX:
        raise _bad("list of entries")
    entries = tuple(Entry.from_content(item) for item in content)
    if len({entry.version for entry in entries}) != len(entries):
        raise _bad("list of entries")
    return entries


# ---- configurations ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Slot:
    """A numbered place in the store, and the target that holds it."""

    number: int
    target_id: str
    location: str  # where the target was last; a hint
    domain: str  # what fails together, as the user says
    state: str  # "active" votes; "syncing" is being given what it missed; "stale" waits for that
    is_counted: bool  # False while a new target does not yet have the records
    is_draining: bool  # takes no new shards
    is_durable: bool  # as its target declared

    @property
    def takes_shards(self) -> bool:
        """Whether objects may be placed on it: it has come in, and is not being emptied."""
        return self.is_counted and not self.is_draining

    @property
    def failed_to_come(self) -> bool:
        """Whether it was added and never got its vote: nothing is decided by it."""
        return not self.is_counted and self.state == "stale"

    @classmethod
    def from_content(cls, content) -> "Slot":
        _require_fields(content, cls)
        return cls(_integer(content, "number", 0, _SLOTS_MAX - 1),
                   _hexadecimal(content, "target_id", ID_DIGITS), _text(content, "location"),
                   _text(content, "domain"), _choice(content, "state", SLOT_STATES),
                   _flag(content, "is_counted"), _flag(content, "is_draining"),
                   _flag(content, "is_durable"))


@dataclass(frozen=True)
class Config:
    """One epoch of a store."""

    store_id: str
    epoch: int
    nonce: str  # two writers that crashed may have used one epoch
    is_settled: bool  # every active target has it; nothing is committed under one that is not
    writer: str  # the host that may write
    code: Code
    digest_type: str
    write_quorum: int  # failure domains
    retention_hours: float
    reserve_bytes: int
    allows_shared_devices: bool
    slots: tuple[Slot, ...]
    takeovers: int = 0  # how often another host became the writer: it has records of its own

    @property
    def counted(self) -> int:
        """How many slots are counted, whether they answer or not."""
        return sum(slot.is_counted for slot in self.slots)

    @property
    def majority(self) -> int:
        """How many counted slots must agree."""
        return self.counted // 2 + 1

    @property
    def ids(self) -> set[str]:
        """The ids of the targets of all slots."""
        return {slot.target_id for slot in self.slots}

    @property
    def counted_ids(self) -> set[str]:
        """The ids of the targets of the counted slots."""
        return {slot.target_id for slot in self.slots if slot.is_counted}

    @property
    def identity(self) -> tuple[int, str]:
        return self.epoch, self.nonce

    def slot(self, number: int) -> Slot:
        """The slot of this number; KeyError."""
        for slot in self.slots:
            if slot.number == number:
                return slot
        raise KeyError(number)

    def with_slot(self, number: int, **changes) -> "Config":
        """A copy with one slot changed."""
        return replace(self, slots=tuple(
            replace(slot, **changes) if slot.number == number else slot for slot in self.slots))

    def content(self) -> dict:
        """What a record holds."""
        return {**vars(self), "code": vars(self.code), "slots": [vars(slot) for slot in self.slots]}

    def check(self) -> "Config":
        """Raises InvalidParameter when a record cannot say this: none could ever be read again."""
        try:
            return Config.from_content(json.loads(json.dumps(self.content())))
        except (CorruptRecord, TypeError) as error:
            raise InvalidParameter(f"no configuration: {error}") from error

    @classmethod
    def from_content(cls, content) -> "Config":
        _require_fields(content, cls)
        slots = tuple(Slot.from_content(item) for item in _list(content, "slots", _SLOTS_MAX))
        if not slots or len({slot.number for slot in slots}) != len(slots) or (
                len({slot.target_id for slot in slots}) != len(slots)):
            raise _bad("slots")
        return cls(_hexadecimal(content, "store_id", ID_DIGITS),
                   _integer(content, "epoch", 1, (1 << 32) - 1),
                   _hexadecimal(content, "nonce", 16), _flag(content, "is_settled"),
                   _text(content, "writer"),
                   Code.from_content(content["code"]),
                   _choice(content, "digest_type", DIGEST_TYPES),
                   _integer(content, "write_quorum", 1, 256),
                   _number(content, "retention_hours"),
                   _integer(content, "reserve_bytes", 0, 1 << 62),
                   _flag(content, "allows_shared_devices"), slots,
                   _integer(content, "takeovers", 0, _TAKEOVERS_MAX))
