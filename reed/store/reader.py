"""Opening the shards of a version: for reading, for judging, for repairing.

One shard is looked for in one place, the slot of its placement. What is not there is missing, what
cannot be read now is unknown, and both are said to the machinery of reed.files, which proves every
block before anyone sees it.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from .. import _core
from ..files.layout import FOOTER_SIZE, HEADER_SIZE, Layout
from ..files.reading import Stripe
from ..files.scanning import ShardFile, read_end
from ..files.work import Workers
from . import layout
from .entries import Entry
from .roster import Roster, describe
from .writer import shard_fields


class StoredShard(ShardFile):
    """A shard file on a slot, already open."""

    expected_index: int
    slot: int
    reads_medium: bool  # as its target says

    @property
    def shard_index(self) -> int:
        """Where it stands says which shard it must be; every block is checked against that."""
        return self.expected_index


@dataclass
class Opened:
    """A version's shards."""

    stripe: Stripe
    entry: Entry
    missing: dict[int, str] = field(default_factory=dict)  # shard index -> why
    unknown: dict[int, str] = field(default_factory=dict)


@contextlib.contextmanager
def open_version(roster: Roster, key: str, entry: Entry, workers: Workers,
                 from_medium: bool = False, with_ends: bool = False) -> Iterator[Opened]:
    """Opens every shard of a version that can be opened.

    :param from_medium: drop cached pages first. :param with_ends: judge headers and footers too.
    """
    fields = shard_fields(entry, roster.config.store_id, key)
    geometry = entry.code.geometry(fields["stripe_id"])
    files: list[StoredShard] = []
    opened = Opened(Stripe(geometry, [], [], [], workers), entry)
    try:
        for index, slot in enumerate(entry.placement):
            member = roster.members.get(slot) if slot is not None else None
            if slot is None or member is None:
                opened.missing[index] = "it has no slot"
                continue
            if not member.is_present:
                opened.unknown[index] = member.reason
                continue
            name = layout.shard_name(key, str(entry.version), index)
            try:
                file = _open(member.target, name, index, slot, from_medium)
            except FileNotFoundError:
                if roster.is_there(member):
                    opened.missing[index] = "no file"
                else:
                    opened.unknown[index] = "the target is gone"
                continue
            except OSError as error:
                opened.unknown[index] = describe(error)
                continue
            files.append(file)
        stripe = opened.stripe = Stripe(geometry, files, [], [], workers)
        stripe.unknown_shards = set(opened.unknown)
        # Threads wait for devices: more of them than there are cost time and gain none.
        devices = {getattr(file.handle, "device", file.slot) for file in files}
        stripe.lanes = min(workers.threads, len(devices))
        if with_ends:
            for file in files:
                _judge_ends(file, {**fields, "object_size": entry.size,
                                   "digest": bytes.fromhex(entry.digest)},
                            Layout(geometry, entry.size))
        stripe.open_known(entry.size, fields["digest_type"], bytes.fromhex(entry.digest))
        yield opened
    finally:
        for file in files:
            file.close()


def _open(target, name: str, index: int, slot: int, from_medium: bool) -> StoredShard:
    handle = target.open(name)
    try:
        if from_medium:
            handle.drop_cached()
        file = StoredShard(path=f"{target.location}/{name}", identity=None, size=handle.size(),
                           handle=handle)
    except BaseException:
        handle.close()
        raise
    file.expected_index, file.slot = index, slot
    file.reads_medium = target.capabilities.medium_reads
    return file


def _judge_ends(file: StoredShard, expected: dict, shard_layout: Layout) -> None:
    """Reads header and footer and compares every field with what the entry says."""
    expected = {**expected, "shard_index": file.expected_index}
    header, file.header_state = read_end(file, _core.shard_header_parse, 0, HEADER_SIZE)
    footer, file.footer_state = read_end(file, _core.shard_footer_parse,
                                         shard_layout.footer_offset, FOOTER_SIZE)
    for fields, state in ((header, "header_state"), (footer, "footer_state")):
        if fields is not None:
            wrong = [name for name, value in expected.items()
                     if name in fields and name != "compatible_flags" and fields[name] != value]
            if wrong:
                setattr(file, state, f"of something else ({wrong[0]} differs)")
    if file.size != shard_layout.file_size:
        file.problems.append(f"{file.path}: {file.size} bytes, must be {shard_layout.file_size}")
    for what, state in (("header", file.header_state), ("footer", file.footer_state)):
        if state != "good":
            file.problems.append(f"{file.path}: {what} {state}")
