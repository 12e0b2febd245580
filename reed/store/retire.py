"""Taking slots out of a store that a migration to other targets has emptied.

Those that stay decide alone from then on, so their answers must be what all slots together say now.
Under one lock, so that nothing is written in between: every slot answers; no version, however old,
has a shard on a slot that leaves; nothing is undecided; and every slot that stays has exactly what
is committed. An entry that never was must not become a majority of fewer, and one that is must not
lose its own. Then the slots that leave are told first (``Roster.change``).
"""

from collections.abc import Callable
from dataclasses import replace

from ..errors import InvalidParameter, Uncertain
from ..files.work import Watch, Workers
from . import journal
from .clock import Clock
from .entries import Slot
from .examine import heal_records
from .reclaim import check_clock, unknown_slots
from .roster import Roster


def retire(roster: Roster, guard, workers: Workers, clock: Clock, now: float, watch: Watch,
           write_journal: Callable[[list[Slot]], object]) -> list[Slot]:
    """Takes out every slot that is not wanted any more; returns them.

    Records are completed key by key first, while others may write, so that little but reading is
    left for the time that the lock is held.

    :param write_journal: called with the slots before they go.
    :raises InvalidParameter: no slot is draining, or one is not empty yet. Uncertain: a slot does
        not answer. ClockJumped, LeaseHeld, StoreBusy; OSError and ReadBackMismatch of a journal.
    """
    with guard, roster.lock():  # which finishes what a crash interrupted
        _leaving(roster)
        _require_all(roster)
    # Who stays must have seen the clock: retention is counted on.
    check_clock(roster, guard, clock)
    for key in roster.list_keys(asks_all=True):
        watch.check()
        heal_records(roster, guard, key, workers, now)
    with guard, roster.lock():
        leaving = _leaving(roster)
        _require_all(roster)
        numbers = {slot.number for slot in leaving}
        for key in roster.list_keys(asks_all=True):
            watch.check()
            _settle(roster, key, numbers)
        _require_all(roster)  # one that did not take a record was written out
        journal.spread(roster, [member for member in roster.voters()
                                if member.number not in numbers])
        write_journal(leaving)
        roster.change(replace(roster.config, slots=tuple(
            slot for slot in roster.config.slots if slot.number not in numbers)))
    return leaving


def _leaving(roster: Roster) -> list[Slot]:
    leaving = [slot for slot in roster.config.slots if slot.is_draining or slot.failed_to_come]
    if not leaving:
        raise InvalidParameter("no slot is being emptied: migrate to other targets first")
    return leaving


def _require_all(roster: Roster) -> None:
    unknown = unknown_slots(roster)
    if unknown is not None:
        raise Uncertain(f"every slot must answer before one leaves the store: {unknown}",
                        answered=len(roster.voters()), needed=roster.config.counted)


def _settle(roster: Roster, key: str, leaving: set[int]) -> None:
    """Makes what stays say of a key what all say now."""
    state, answers = roster.ask(key)
    known = sum(entries is not None for entries in answers.values())
    if state.undecided or known < roster.config.counted:
        raise Uncertain(f"{key!r}: {known} of {roster.config.counted} slots say what they have, "
                        "all must; scrub with repair first", key=key, answered=known,
                        needed=roster.config.counted)
    for entry in state.committed:
        held = leaving.intersection(entry.placement)
        if held:
            raise InvalidParameter(
                f"{key!r} has shards of version {entry.version} on slot {min(held)}, which is to "
                "leave: migrate moves objects, and reclaim removes what was superseded, when its "
                "retention has ended")
    if any(set(entries) != set(state.committed) for entries in answers.values()):
        roster.accept(key, asked=(state, answers))
