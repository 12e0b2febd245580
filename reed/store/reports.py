"""What the store answers: plain frozen dataclasses, JSON-ready by ``as_dict``.

Sizes are bytes, times are seconds since 1970 unless a name says otherwise, slots are slot numbers.
"""

import dataclasses
from dataclasses import dataclass

from ..files.reports import Report


@dataclass(frozen=True)
class ObjectInfo(Report):
    """One object as it stands."""

    key: str
    size: int
    version: str
    time: float  # when it was committed
    digest: str
    digest_type: str
    code: str  # "10+4", "3 copies"


@dataclass(frozen=True)
class PutReport(Report):
    """The result of ``put``: the object is committed."""

    object: ObjectInfo
    shards_written: int
    shards_wanted: int
    failures: dict[int, str]  # slot -> why it has no shard

    @property
    def degraded(self) -> bool:
        """True when the quorum was reached and some shard is still to be made."""
        return self.shards_written < self.shards_wanted


@dataclass(frozen=True)
class GetReport(Report):
    """The result of ``get``: exactly the bytes that were asked for were written."""

    object: ObjectInfo
    bytes_written: int
    rebuilt_rows: int  # of which some data block was computed from others
    damaged_shards: tuple[int, ...]  # of those that were read
    digest: str  # "match", or "unavailable" for a range: its blocks are proved, the whole is not
    repaired: bool


@dataclass(frozen=True)
class ShardState(Report):
    """One shard of one version."""

    shard_index: int
    slot: int | None
    domain: str | None
    # "good", "corrupt" (wrong, or partly absent), "missing" (the target says that it has none),
    # "unknown" (the target does not answer).
    state: str
    is_counted: bool  # its slot votes: it counts for the margin
    verified: float | None  # when it was last found good
    how: str | None  # "medium" or "cached"
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class ObjectScrub(Report):
    """One version, as every byte of its shards was read."""

    key: str
    version: str
    is_live: bool  # False: superseded or deleted, and kept for its retention
    # "healthy"; "repairable"; "repaired" (it was repairable, and is healthy now, read back);
    # "beyond repair"; "unknown": it depends on targets that do not answer
    status: str
    margin: int  # how many more shards any row can lose
    how: str  # "medium" or "cached"
    shards: tuple[ShardState, ...]
    bytes_read: int
    repaired_shards: tuple[int, ...]
    lost_rows: tuple[tuple[int, int], ...]
    problem: str | None = None


@dataclass(frozen=True)
class ScrubReport(Report):
    """The sum of a scrub, or of several that each did a part."""

    objects: int  # that were asked for
    healthy: int
    repairable: int
    repaired: int
    beyond_repair: int
    unknown: int
    retained: int  # superseded versions among those above that are not healthy: nobody's loss
    shards_read: int
    bytes_read: int
    how: str  # "medium", "cached" (at least one), "nothing"

    @property
    def status(self) -> str:
        """ "clean", "repairable", "beyond repair", "unknown" or "nothing read"."""
        if self.beyond_repair:
            return "beyond repair"
        if self.unknown:
            return "unknown"
        if self.repairable:
            return "repairable"
        return "clean" if self.shards_read else "nothing read"

    @classmethod
    def merge(cls, parts) -> "ScrubReport":
        """One report of several, each an object or its ``as_dict``."""
        dicts = [part if isinstance(part, dict) else part.as_dict() for part in parts]
        names = [field.name for field in dataclasses.fields(cls) if field.name != "how"]
        hows = {part["how"] for part in dicts} - {"nothing"}
        return cls(**{name: sum(part[name] for part in dicts) for name in names},
                   how="cached" if "cached" in hows else "medium" if hows else "nothing")


@dataclass(frozen=True)
class RepairedObject(Report):
    """The result of ``repair`` of one object."""

    key: str
    version: str
    before: str  # the status that was found, as in ObjectScrub
    repaired_shards: tuple[int, ...]
    left: dict[int, str]  # shard index -> why it could not be repaired

    @property
    def complete(self) -> bool:
        """True when every shard is good now."""
        return not self.left


@dataclass(frozen=True)
class RebuildReport(Report):
    """The result of ``rebuild`` or ``reconcile``."""

    slots: tuple[int, ...]
    records_copied: int
    shards_rebuilt: int
    bytes_read: int  # of shards; data_shards for each rebuilt one, unless some were damaged
    bytes_written: int
    seconds: float
    failed: dict[str, str]  # key -> why its shard could not be rebuilt

    @property
    def bytes_per_second(self) -> float:
        """Of what was written: the rate that a durability model asks for."""
        return self.bytes_written / self.seconds if self.seconds > 0 else 0.0

    @property
    def complete(self) -> bool:
        return not self.failed


@dataclass(frozen=True)
class MigrateReport(Report):
    """The result of ``migrate``. The sources are kept until ``reclaim`` has verified the copies
    again, when the retention has ended."""

    copied: int
    bytes_copied: int
    skipped: int  # as wanted already, or changed meanwhile
    failed: dict[str, str]
    verified: bool  # False only with unsafe_skip_verify

    @property
    def complete(self) -> bool:
        return not self.failed


@dataclass(frozen=True)
class RetireReport(Report):
    """The result of ``retire``."""

    slots: tuple[int, ...]  # that left the store
    locations: tuple[str, ...]  # where their targets are: nothing there is needed any more


@dataclass(frozen=True)
class ReclaimReport(Report):
    """The result of ``reclaim``; with ``dry_run`` what would be done."""

    refused: str | None  # why nothing at all was removed
    versions: tuple[tuple[str, str], ...]  # (key, version) that were removed
    kept: dict[str, str]  # "key version" -> why it stays although it is superseded
    tombstones: tuple[str, ...]  # keys that are gone altogether
    orphans_seen: int  # for the first time
    orphans_quarantined: int
    orphans_removed: int
    temporaries_removed: int
    bytes_freed: int
    dry_run: bool


@dataclass(frozen=True)
class IncidentReport(Report):
    """The result of ``salvage``: what happened to one object, and what is left of it."""

    object: ObjectInfo
    time: float
    status: str  # as in ObjectScrub
    last_known_whole: float | None  # when enough shards had last been found good
    shards: tuple[ShardState, ...]
    lost_ranges: tuple[tuple[int, int], ...]  # of bytes of the object
    salvage: dict  # files.SalvageReport
    journal: tuple[dict, ...]  # destructive commands since the object was committed


@dataclass(frozen=True)
class SlotState(Report):
    """One slot and its target."""

    number: int
    target_id: str
    location: str
    domain: str  # as it was given
    effective_domain: str  # slots of one device share it
    device: str | None
    state: str  # "active", "syncing", "stale", "absent"
    reason: str | None
    free_bytes: int | None
    capabilities: dict | None
    is_counted: bool
    is_draining: bool
    suspect: str | None  # a write that failed in this process: no new shards for a minute


@dataclass(frozen=True)
class ObjectAudit(Report):
    """What is there of one object, by looking; ``scrub`` looks into it."""

    object: ObjectInfo
    # "healthy"; "degraded": some shard is not good; "beyond repair"; "unknown": it depends on
    # targets that do not answer; "uncertain": it cannot be said what the object is
    status: str
    shards: tuple[ShardState, ...]
    good_shards: int  # on slots that vote
    margin: int  # good_shards less data_shards: how many more may be lost
    domain_margin: int  # how many more failure domains may be lost, in the worst order
    fatal_domains: tuple[str, ...]  # the loss of one of these alone would be fatal


@dataclass(frozen=True)
class AuditReport(Report):
    """The evidence."""

    store_id: str
    epoch: int
    writer: str
    code: str
    write_quorum: int
    retention_hours: float
    time: float
    # "healthy", "degraded", "beyond repair", "unknown"
    verdict: str
    warnings: tuple[str, ...]
    slots: tuple[SlotState, ...]
    objects: tuple[ObjectAudit, ...]
    uncertain_keys: dict[str, str]
    counts: dict[str, int]  # objects by status
    bytes_stored: int  # of objects
    margin: int | None  # the smallest of all objects
    fatal_domains: tuple[str, ...]
    oldest_verified: float | None
    never_verified: int  # shards that no scrub and no read-back has proved on the medium
    journal: tuple[dict, ...]
