"""One version: reading everything of it and saying how it stands; and making it whole again from
what is verified."""

from dataclasses import dataclass, field

from ..files.layout import Layout
from ..files.reading import CORRUPT, GOOD
from ..files.repairing import restore
from ..files.reports import VerifyReport
from ..files.verifying import Survey
from ..files.work import Watch, Workers
from . import layout
from .entries import Entry
from .reader import open_version
from .reports import ShardState
from .roster import Roster
from .writer import SlotWriter, prove, shard_fields

_STATES = {"good": "good", "damaged": "corrupt", "missing": "missing", "unknown": "unknown"}


@dataclass
class Examined:
    """A version after every byte of its shards was read."""

    report: VerifyReport
    shards: list[ShardState]
    bytes_read: int
    how: str


def examine(roster: Roster, key: str, entry: Entry, workers: Workers, now: float,
            watch: Watch) -> Examined:
    """Reads every shard of a version from the medium and judges it."""
    with open_version(roster, key, entry, workers, from_medium=True, with_ends=True) as opened:
        survey = Survey(opened.stripe)
        survey.run(watch)
        report = survey.report()
        how = "medium" if all(file.reads_medium for file in opened.stripe.files) else "cached"
        bytes_read = sum(file.size for file in opened.stripe.files)
        shards = []
        for shard in report.shards:
            index = shard.shard_index
            slot = entry.placement[index]
            state = _STATES[shard.state]
            problem = opened.missing.get(index) or opened.unknown.get(index)
            shards.append(ShardState(
                shard_index=index, slot=slot, domain=domain_of(roster, slot), state=state,
                is_counted=is_counted(roster, slot), verified=now if state == "good" else None,
                how=how if state == "good" else None,
                problems=shard.problems or ((problem,) if problem else ())))
        return Examined(report, shards, bytes_read, how)


def domain_of(roster: Roster, slot: int | None) -> str | None:
    """The failure domain of a slot, as it was given."""
    member = roster.members.get(slot) if slot is not None else None
    return member.slot.domain if member is not None else None


def is_counted(roster: Roster, slot: int | None) -> bool:
    """Whether a shard on this slot counts for the margin."""
    member = roster.members.get(slot) if slot is not None else None
    return member is not None and member.is_voter and member.slot.is_durable


@dataclass
class Mended:
    """What a repair did."""

    repaired: list[int] = field(default_factory=list)
    left: dict[int, str] = field(default_factory=dict)  # shard index -> why
    bytes_read: int = 0
    bytes_written: int = 0


def mend(roster: Roster, guard, key: str, entry: Entry, bad: dict[int, str], workers: Workers,
         watch: Watch, is_inconsistent: bool = False) -> Mended:
    """Writes the bad shards of a version anew, from verified blocks of the others.

    A shard that stands there is replaced only when its successor was read back from the medium and
    the digest of the whole object matched. Reads data_shards shards, and more only where those
    are damaged.

    :param bad: shard index -> why; missing and corrupt ones, never unknown ones.
    :param is_inconsistent: checksums are right and shards disagree: compare all of them.
    :raises BeyondRepair, DigestMismatch: nothing was replaced.
    """
    mended = Mended()
    fields = shard_fields(entry, roster.config.store_id, key)
    writers: list[SlotWriter] = []
    try:
        for index in sorted(bad):
            slot = entry.placement[index]
            member = roster.members.get(slot) if slot is not None else None
            if member is None:
                mended.left[index] = "it has no slot"
            elif not member.is_present or not (member.is_voter or member.slot.state == "syncing"):
                mended.left[index] = f"slot {slot}: {member.reason}"
            else:
                writers.append(SlotWriter(
                    member, layout.shard_name(key, str(entry.version), index),
                    {**fields, "shard_index": index}))
        if writers:
            _write_shards(roster, guard, key, entry, writers, workers, watch, is_inconsistent,
                          mended)
    finally:
        for writer in writers:
            writer.close()
    return mended


def _write_shards(roster: Roster, guard, key: str, entry: Entry, writers: list[SlotWriter],
                  workers: Workers, watch: Watch, is_inconsistent: bool, mended: Mended) -> None:
    with open_version(roster, key, entry, workers, from_medium=True) as opened:
        stripe = opened.stripe
        digest = restore(stripe, writers, watch, is_inconsistent)
        shard_layout = Layout(stripe.geometry, entry.size)
        prove(writers, workers, shard_layout, digest, stripe.blocks)
        read_blocks = sum(states[GOOD] + states[CORRUPT] for states in stripe.shard_states)
        rows = shard_layout.row_count or 1
        # Whole records were read, of as many shards as each row needed.
        mended.bytes_read = read_blocks * shard_layout.file_size // rows
    with guard, roster.lock():
        state, _ = roster.ask(key)
        if entry not in state.committed:
            for writer in writers:
                writer.failure = writer.failure or "the version was removed meanwhile"
        for writer in writers:
            member = roster.members.get(writer.member.number)
            if member is None or member.slot.target_id != writer.member.slot.target_id:
                writer.failure = writer.failure or "its slot was given to another target"
            elif not member.takes_records:
                writer.failure = writer.failure or member.reason
        workers.map(lambda writer: writer.publish(replace=True), writers)
    for writer in writers:
        if writer.failure is None:
            mended.repaired.append(writer.shard_index)
            mended.bytes_written += shard_layout.file_size
        else:
            mended.left[writer.shard_index] = f"slot {writer.member.number}: {writer.failure}"


def bad_shards(examined: Examined) -> dict[int, str]:
    """The shards that must be written anew: corrupt or missing, not unknown."""
    return {shard.shard_index: "; ".join(shard.problems) or shard.state
            for shard in examined.shards if shard.state in ("corrupt", "missing")}


def heal_records(roster: Roster, guard, key: str, workers: Workers, now: float) -> None:
    """Gives every slot the record of a key that it should have, and finishes a write that was
    interrupted, where its data is whole."""
    state, answers = roster.ask(key)
    promoted = None
    if state.undecided and (state.newest is None
                            or state.undecided[0].version > state.newest.version):
        promoted = state.undecided[0]
        if promoted.is_object:
            report = examine(roster, key, promoted, workers, now, Watch(None, None)).report
            if report.status not in ("healthy", "repairable"):
                promoted = None
    committed = set(state.committed)
    if promoted is None and all(entries is not None and committed <= set(entries)
                                and not set(state.dead) & set(entries)
                                for entries in answers.values()):
        return
    with guard, roster.lock():
        again, _ = roster.ask(key)
        if promoted is not None and promoted not in again.undecided:
            promoted = None
        roster.accept(key, promoted)
