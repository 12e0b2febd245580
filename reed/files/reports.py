"""What the verbs of ``reed.files`` answer: plain frozen dataclasses, JSON-ready by ``as_dict``.

Sizes and offsets are bytes, indices count from 0, rows are row numbers of the stripe. Ranges of
rows and bytes are half-open pairs ``(begin, end)`` in ascending order.
"""

import dataclasses
from dataclasses import dataclass


class Report:
    """Adds ``as_dict`` to a dataclass."""

    __slots__ = ()

    def as_dict(self) -> dict:
        """The report as dictionaries, lists, strings and numbers: what ``json.dumps`` takes."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class StripeReport(Report):
    """What is known of one encoded object; all its shards share these values."""

    stripe_id: str  # 32 hexadecimal digits
    generator: str
    data_shards: int
    parity_shards: int
    block_size: int
    object_size: int | None  # None while no footer and no last row is readable
    row_count: int | None
    digest_type: str | None  # "sha256", "blake3", "none"; None when no header or footer is left
    digest: str | None  # hexadecimal; None without a footer or for "none"


@dataclass(frozen=True)
class SkippedFile(Report):
    """A file among the given paths that takes no part, and why."""

    path: str
    # "foreign": not a shard file. "other stripe": another stripe was chosen. "unsupported":
    # written by a newer version. "unreadable": the operating system refused (unknown, not absent).
    # "temporary": left by an interrupted write, in a folder. "absent": there is no such path.
    kind: str
    reason: str


@dataclass(frozen=True)
class ShardReport(Report):
    """The state of one shard index, over all the files that hold blocks of it."""

    shard_index: int
    # "good": every block, header and footer is right. "damaged": something is corrupt or absent.
    # "missing": no file and no block. "unknown": what was readable is right, the rest is not
    # readable now; it may be right or wrong.
    state: str
    paths: tuple[str, ...]
    good_blocks: int
    corrupt_blocks: int  # readable and wrong, among them blocks of another place or shard
    missing_blocks: int  # absent: the file is shorter, or there is no file
    unknown_blocks: int  # the medium did not answer (EIO)
    problems: tuple[str, ...]  # sentences about header, footer and length, each naming its file


@dataclass(frozen=True)
class RowCounts(Report):
    """How the rows of a stripe stand. ``total`` is the sum of the other four."""

    total: int
    intact: int  # every block is good and all agree
    degraded: int  # at least data_shards good blocks, which agree or can be made to
    lost: int  # fewer than data_shards good blocks, also when unknown ones are counted
    unknown: int  # enough only if blocks that are unreadable now turn out to be good


@dataclass(frozen=True)
class EncodeReport(Report):
    """The result of ``encode``: every shard is published, fsynced and was read back."""

    stripe: StripeReport
    paths: tuple[str, ...]  # by shard index
    stored_size: int  # bytes of all shard files together


@dataclass(frozen=True)
class DecodeReport(Report):
    """The result of ``decode``: the target holds exactly the object."""

    stripe: StripeReport
    target: str | None  # None for a writable object
    # "match", or "unavailable": the object was encoded with digest "none", or no footer is
    # readable; every block was still proved by its checksum.
    digest: str
    rebuilt_rows: int  # rows of which some data block was computed from others
    shards: tuple[ShardReport, ...]  # only blocks that were read count; others count nowhere
    skipped: tuple[SkippedFile, ...]

    @property
    def degraded(self) -> bool:
        """True when the object was whole but something on the way to it was not."""
        return self.rebuilt_rows > 0 or any(s.state != "good" for s in self.shards)


@dataclass(frozen=True)
class VerifyReport(Report):
    """The result of ``verify``: every block was read and checked, nothing was written."""

    stripe: StripeReport
    # "healthy": all shards are good, agree, and the digest matches or is unavailable.
    # "repairable": the object is whole, some shard is not. "beyond repair": a row is lost or the
    # digest does not match. "unknown": it depends on what is unreadable now.
    status: str
    rows: RowCounts
    # How many more blocks any row can lose before data is lost: the smallest count of good blocks
    # in a row, less data_shards (negative: so many are lacking). Exact for MDS generators, an
    # upper bound for others. With no row: how many footers can be lost.
    margin: int
    digest: str  # "match", "mismatch", or "unavailable" (none recorded, or data is lost)
    lost_rows: tuple[tuple[int, int], ...]
    # Rows in which every checksum is right and the shards still disagree: silent corruption from
    # before the checksum was taken.
    inconsistent_rows: tuple[tuple[int, int], ...]
    shards: tuple[ShardReport, ...]  # all data_shards + parity_shards, by index
    skipped: tuple[SkippedFile, ...]

    @property
    def healthy(self) -> bool:
        """True when nothing needs attention."""
        return self.status == "healthy"


@dataclass(frozen=True)
class RepairAction(Report):
    """What repair did, or with ``dry_run`` would do, about one file."""

    shard_index: int
    # "rewritten": a damaged file was replaced by a whole one. "created": there was no file.
    # "left": not touched; ``reason`` says why (unreadable now, no target folder, an image).
    kind: str
    path: str | None
    reason: str
    copied_blocks: int  # good blocks, from this file or a duplicate
    rebuilt_blocks: int  # computed from the other shards
    set_aside: str | None  # new name of an unrecognisable file that stood at ``path``


@dataclass(frozen=True)
class RepairReport(Report):
    """The result of ``repair``; ``before`` is the verification that it acted on."""

    before: VerifyReport
    actions: tuple[RepairAction, ...]
    dry_run: bool

    @property
    def complete(self) -> bool:
        """True when every shard is (with ``dry_run``: would be) good afterwards."""
        return not any(action.kind == "left" for action in self.actions)


@dataclass(frozen=True)
class SalvageReport(Report):
    """The result of ``salvage``: a partial file and the map of its holes."""

    stripe: StripeReport
    partial_path: str  # TARGET.partial: verified bytes in place, zeros in the holes between
    map_path: str  # TARGET.partial.json: this report's facts, every range and every hole
    partial_size: int  # of the file, which ends at the last verified byte
    verified_size: int  # bytes in verified ranges
    holes: tuple[tuple[int, int], ...]  # the last to the object's end, where that is known
    complete: bool  # no hole, the size is known, and the digest does not contradict
    digest: str  # "match", "mismatch", "unavailable"
    shards: tuple[ShardReport, ...]
    skipped: tuple[SkippedFile, ...]


@dataclass(frozen=True)
class FileReport(Report):
    """What one file says of itself; nothing here was compared with other shards."""

    path: str
    size: int | None  # None when unreadable
    # "shard": header or footer is valid. "fragment": neither is, but blocks were found.
    # Else as in SkippedFile: "foreign", "unsupported", "unreadable".
    kind: str
    stripe: StripeReport | None
    shard_index: int | None  # None also for a fragment with blocks of several shards
    format_version: str | None  # "1.0"
    header: str  # "good", or why not
    footer: str  # "good", or why not
    expected_size: int | None  # of a whole shard file; None without a footer
    fragment_blocks: int  # valid blocks found in a fragment; 0 for other kinds, not counted there


@dataclass(frozen=True)
class InspectReport(Report):
    """The result of ``inspect``."""

    files: tuple[FileReport, ...]
