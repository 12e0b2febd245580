"""Giving a slot another target, and giving a target that was away what it missed."""

import itertools
import time as time_module
from collections.abc import Callable
from dataclasses import replace

from ..errors import FormatError, InvalidParameter, LeaseHeld, ReedError, WrongTarget
from ..files.work import Watch, Workers
from . import layout
from .catalogue import KeyState, settle
from .entries import Slot
from .examine import mend
from .reports import RebuildReport
from .roster import Member, Roster, describe, entries_for, identify
from .target import Target


def require_empty(target: Target) -> None:
    """Raises WrongTarget unless a target holds no store."""
    try:
        target_id, config = identify(target)
    except FileNotFoundError:
        return
    except FormatError:
        raise WrongTarget(f"{target.location} holds a store whose configuration is damaged",
                          location=target.location) from None
    raise WrongTarget(f"{target.location} holds target {target_id} of the store {config.store_id}",
                      location=target.location)


def require_lost(roster: Roster, number: int) -> None:
    """Raises InvalidParameter when a slot's target is there and up to date: its shards are good,
    and giving it up could be what loses an object."""
    member = roster.members[number]
    if member.is_voter:
        raise InvalidParameter(
            f"slot {number} ({member.target.location}) answers and is up to date: rebuild is for a "
            "target that is lost. Damage on it is mended by scrub with repair; one that is to be "
            "replaced must be out of reach first")


def replace_target(roster: Roster, guard, number: int, target: Target, target_id: str,
                   domain: str | None) -> None:
    """Gives a slot to a new, empty target; the old one is forgotten by a new epoch."""
    require_empty(target)
    with guard, roster.lock():
        require_lost(roster, number)
        slot = roster.config.slot(number)
        roster.add_target(target_id, target)
        roster.change(roster.config.with_slot(
            number, target_id=target_id, location=target.location, state="syncing",
            domain=slot.domain if domain is None else domain,
            is_durable=target.capabilities.durable))


def add_slots(roster: Roster, guard, added: dict[str, tuple[Target, str]]) -> None:
    """Adds new slots that are not counted before they have the records: of each target id the
    target, which must be empty, and its failure domain. Raises WrongTarget, Uncertain."""
    with guard, roster.lock():
        used = {slot.number for slot in roster.config.slots}
        free = (number for number in itertools.count() if number not in used)
        slots = []
        for target_id, (target, domain) in added.items():
            require_empty(target)
            roster.add_target(target_id, target)
            slots.append(Slot(next(free), target_id, target.location, domain, "syncing", False,
                              False, target.capabilities.durable))
        roster.change(replace(roster.config, slots=(*roster.config.slots, *slots)))


def synchronise(roster: Roster, guard, numbers: list[int],
                check: Callable[[], None]) -> tuple[int, dict[int, str]]:
    """Gives slots every record that they should have, and then their vote; returns how many
    records were written, and which slots failed and stay out. Raises Uncertain."""
    with guard, roster.lock():
        config = roster.config
        for number in numbers:
            config = config.with_slot(number, state="syncing")
        if config != roster.config:
            roster.change(config)
        members = [roster.members[number] for number in numbers]
    copied = 0
    failed: dict[int, str] = {}
    # What a new one has already, and nobody knows any more, was removed since it was given that.
    keys = set(roster.list_keys())
    for member in members:
        if not member.slot.is_counted:
            try:
                keys |= roster.keys_on(member)
            except OSError as error:
                failed[member.number] = describe(error)
    for key in sorted(keys):
        check()
        with guard, roster.lock():
            state, answers = roster.ask(key)
            for member in members:
                if member.number not in failed:
                    try:
                        copied += _give(roster, member, key, state, answers)
                    except (OSError, ReedError) as error:
                        failed[member.number] = describe(error)
    with guard, roster.lock():
        config = roster.config
        for slot in config.slots:
            # One that failed meanwhile was written out of the epoch again: it stays out.
            if slot.number in numbers and slot.state == "syncing":
                config = config.with_slot(
                    slot.number, state="stale" if slot.number in failed else "active",
                    is_counted=slot.is_counted or slot.number not in failed)
        roster.change(config)
        for number in numbers:
            member = roster.members.get(number)
            if member is None:
                failed.setdefault(number, "it left the store meanwhile")
            elif member.slot.state == "active":
                member.suspicion = None
            else:
                failed.setdefault(number, member.reason)
    return copied, failed


def _give(roster: Roster, member: Member, key: str, state: KeyState, answers: dict) -> bool:
    """Writes one record to a target that is catching up, where it is not as it should be."""
    if not member.is_present:
        raise OSError(member.reason)
    own = roster.entries_on(member, key)
    if own and member.slot.is_counted:
        # With its own vote: what it alone has was never committed, and others may have been
        # acknowledged since in the place of that.
        state = settle([*answers.values(), own], roster.config.counted)
        wanted = entries_for(state, own)
    else:
        # A new target stands for one that may have had what is undecided. What it has itself, of a
        # time when it was to come in, says nothing: others may have removed it since.
        wanted = entries_for(state, None)
    if own is not None and wanted == set(own):
        return False
    roster.write_entries(member, key, tuple(wanted))
    return True


def fill_shards(roster: Roster, guard, numbers: list[int], workers: Workers, watch: Watch,
                progress: Callable[[int, int | None], object] | None) -> RebuildReport:
    """Makes every shard that belongs on these slots and is not there.

    Reads data_shards shards for each, and more only where those are damaged.
    """
    begin = time_module.monotonic()
    shards = bytes_read = bytes_written = done = 0
    failed: dict[str, str] = {}
    keys = roster.list_keys()
    for position, key in enumerate(keys):
        watch.check()
        state, _ = roster.ask(key)
        for entry in state.committed:
            absent = {}
            for index, slot in enumerate(entry.placement):
                if slot in numbers and not _exists(roster, key, entry, index):
                    absent[index] = "no file"
            if not absent:
                continue
            try:
                mended = mend(roster, guard, key, entry, absent, workers, Watch(None, None))
            except LeaseHeld:
                raise
            except ReedError as error:
                if entry == state.newest:
                    failed[key] = str(error)
                continue
            shards += len(mended.repaired)
            bytes_read += mended.bytes_read
            bytes_written += mended.bytes_written
            if mended.left and entry == state.newest:
                failed[key] = "; ".join(mended.left.values())
        done = position + 1
        if progress is not None:
            progress(done, len(keys))
    return RebuildReport(slots=tuple(numbers), records_copied=0, shards_rebuilt=shards,
                         bytes_read=bytes_read, bytes_written=bytes_written,
                         seconds=time_module.monotonic() - begin, failed=failed)


def _exists(roster: Roster, key: str, entry, index: int) -> bool:
    """Whether a shard's file is there, or may be."""
    member = roster.members.get(entry.placement[index])
    if member is None or not member.is_present:
        return True
    try:
        member.target.stamp(layout.shard_name(key, str(entry.version), index))
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True


