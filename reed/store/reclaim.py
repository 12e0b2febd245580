"""The only place that removes anything: superseded versions, dead tombstones, orphans.

Planned first, written into the journal, then done, each step checked again under the lock. A
version goes when a majority has a newer entry, the retention counted from that entry has ended,
every slot answers, and the object that replaced it was read from the medium just now and is whole.
Its shards go before its entries, so a crash leaves nothing that nobody owns. A tombstone goes when
every slot has it and nothing else is left under it. A shard that no entry owns goes in three
separate passes: seen, moved to quarantine, removed.
"""

import functools
from dataclasses import dataclass, field

from ..errors import ClockJumped, FormatError
from ..files.work import Watch, Workers
from . import layout, record
from .catalogue import KeyState
from .clock import Clock, Observation, jump
from .entries import Entry
from .examine import examine
from .reports import ReclaimReport
from .roster import Member, Roster

_NAMES_IN_JOURNAL = 1000


@dataclass
class Memory:
    """What one target remembers from pass to pass."""

    observation: Observation | None = None
    orphans: list[str] = field(default_factory=list)
    quarantined: list[str] = field(default_factory=list)


def load(roster: Roster, member: Member) -> Memory:
    """A target's memory; empty when it is lost, which only makes reclaim wait."""
    try:
        content = record.read_expected(member.target, layout.RECLAIM_NAME, "reclaim",
                                       roster.config.store_id, member.slot.target_id)
        wall, uptime, boot_id = content["observation"]
        return Memory(Observation(float(wall), float(uptime), str(boot_id)),
                      [str(name) for name in content["orphans"]],
                      [str(name) for name in content["quarantined"]])
    except (OSError, FormatError, KeyError, TypeError, ValueError):
        return Memory()


def save(roster: Roster, member: Member, memory: Memory) -> None:
    """Writes a target's memory."""
    seen = memory.observation
    record.write(member.target, layout.RECLAIM_NAME, record.pack(
        "reclaim", roster.config.store_id, member.slot.target_id, None,
        {"observation": [seen.wall, seen.uptime, seen.boot_id], "orphans": memory.orphans,
         "quarantined": memory.quarantined}))


def latest_observation(roster: Roster) -> Observation | None:
    """The observation with the highest time that any target has."""
    found = [memory.observation for memory in (
        load(roster, member) for member in roster.voters()) if memory.observation is not None]
    return max(found, key=lambda observation: observation.wall, default=None)


def observe(roster: Roster, now: Observation, accept: bool = False) -> None:
    """Writes down what the clock says on every target that takes part; a lower time than what is
    there only when it is accepted. Under the lock."""
    problem, noted = None, 0
    for member in roster.voters():
        memory = load(roster, member)
        if accept or memory.observation is None or memory.observation.wall <= now.wall:
            memory.observation = now
            roster.require_in_force(member)
            try:
                save(roster, member, memory)
            except OSError as error:  # a full disk must not keep reclaim from freeing space
                problem = error
                continue
        noted += 1
    if problem is not None and noted < roster.config.majority:
        raise problem


def unknown_slots(roster: Roster) -> str | None:
    """Which slots do not answer whose word counts, or will; None when there is none. One that
    failed to come has no shard, and what it was told is not believed should it come yet."""
    unknown = [f"slot {member.number}: {member.reason}" for member in roster.members.values()
               if not member.is_voter and not member.slot.failed_to_come]
    return "; ".join(unknown) or None


def check_clock(roster: Roster, guard, clock: Clock, accept: bool = False) -> None:
    """Raises ClockJumped until it is accepted; else writes down what the clock says."""
    with guard, roster.lock():
        before, now = latest_observation(roster), Observation.of(clock)
        wrong = "it was never seen before" if before is None else jump(before, now)
        if wrong is not None and not accept:
            raise ClockJumped(f"{wrong}, so retention cannot be counted; nothing was removed. "
                              "When the clock is right, say so (accept_clock)")
        observe(roster, now, accept)


@dataclass
class _Plan:
    versions: dict[str, list[Entry]] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)
    tombstones: list[str] = field(default_factory=list)


class Reclaim:
    """One pass."""

    def __init__(self, roster: Roster, guard, clock: Clock, workers: Workers, watch: Watch,
                 accepts_cached: bool = False):
        self._roster = roster
        self._guard = guard
        self._clock = clock
        self._workers = workers
        self._watch = watch
        self._accepts_cached = accepts_cached

    def refusal(self) -> str | None:
        """Why nothing may be removed now, because some target does not answer."""
        return unknown_slots(self._roster)

    def plan(self, now: float) -> _Plan:
        """What may go, by what is there; verifies what stays."""
        plan = _Plan()
        retention = self._roster.config.retention_hours * 3600
        for key in self._roster.list_keys():
            self._watch.check()
            state, answers = self._roster.ask(key)
            if state.undecided or None in answers.values():
                plan.kept[key] = "not every slot says what it has"
                continue
            if state.newest is not None:
                self._plan_key(plan, key, state, answers, now - retention)
        return plan

    def _plan_key(self, plan: _Plan, key: str, state: KeyState, answers, before: float) -> None:
        newest = state.newest
        old = []
        for newer, entry in zip(state.committed, state.committed[1:], strict=False):
            if newer.time > before:
                plan.kept[f"{key} {entry.version}"] = "its retention has not ended"
            else:
                old.append(entry)
        if old and newest.is_object and not newest.is_verified:
            plan.kept |= {f"{key} {entry.version}": "what replaced it was copied with verification "
                          "switched off" for entry in old}
            return
        if old and newest.is_object:
            found = examine(self._roster, key, newest, self._workers, 0.0, self._watch)
            is_verified = found.how == "medium" or self._accepts_cached
            if found.report.status != "healthy" or not is_verified:
                why = (f"what replaced it is {found.report.status}"
                       if found.report.status != "healthy" else
                       "what replaced it could not be verified on the medium (accept_cached)")
                plan.kept |= {f"{key} {entry.version}": why for entry in old}
                return
        if old:
            plan.versions[key] = old
        has_all = all(newest in entries for entries in answers.values())
        if not newest.is_object and newest.time <= before and has_all and (
                len(old) == len(state.committed) - 1):
            plan.tombstones.append(key)

    def carry_out(self, plan: _Plan) -> tuple[list[tuple[str, str]], list[str], int]:
        """Removes what was planned and is still so: versions, keys, bytes freed."""
        versions, tombstones, freed = [], [], 0
        for key in sorted({*plan.versions, *plan.tombstones}):
            self._watch.check()
            with self._guard, self._roster.lock():
                state, answers = self._roster.ask(key)
                if self.refusal() or state.undecided or None in answers.values():
                    continue
                old = [entry for entry in plan.versions.get(key, ())
                       if entry in state.committed and entry != state.newest]
                freed += sum(self._remove_shards(key, entry) for entry in old)
                is_gone = key in plan.tombstones and not state.newest.is_object and (
                    set(state.committed) == {state.newest, *old})
                gone = {*old, *state.dead}
                self._trim(key, answers, gone)
                if is_gone:
                    self._trim(key, answers, {*gone, state.newest})
                    tombstones.append(key)
                versions += [(key, str(entry.version)) for entry in old]
        return versions, tombstones, freed

    def _remove_shards(self, key: str, entry: Entry) -> int:
        freed = 0
        for index, slot in enumerate(entry.placement):
            member = self._roster.members.get(slot) if slot is not None else None
            if member is not None:
                name = layout.shard_name(key, str(entry.version), index)
                freed += _size_of(member.target, name)
                self._roster.require_in_force(member)
                member.target.unlink(name)
        return freed

    def _trim(self, key: str, answers, gone: set[Entry]) -> None:
        for number, own in answers.items():
            if set(own) & gone:
                self._roster.write_entries(self._roster.members[number], key,
                                           tuple(set(own) - gone))

    def sweep(self) -> int:
        """Removes what writers left that are gone; how many files. Not under the lock: it walks
        through everything, and a temporary says itself whether its writer lives, on this host."""
        def require_in_force(member: Member) -> None:
            with self._guard:
                self._roster.require_in_force(member)

        return sum(member.target.sweep(functools.partial(require_in_force, member))
                   for member in self._roster.voters())

    def orphans(self, dry_run: bool) -> tuple[int, int, int, int]:
        """One pass over shards that no entry owns: (seen, quarantined, removed, bytes freed)."""
        seen = quarantined = removed = freed = 0
        for member in self._roster.voters():
            memory = load(self._roster, member)
            if memory.observation is None:
                continue
            for name in memory.quarantined:
                removed += 1
                freed += _size_of(member.target, name)
                if not dry_run:
                    with self._guard, self._roster.lock():
                        self._roster.require_in_force(member)
                        member.target.unlink(name)
            found = [f"{layout.SHARDS}/{name}" for name in member.target.names(layout.SHARDS)
                     if self._is_orphan(name)]
            again = [name for name in found if name in memory.orphans]
            seen += len(found) - len(again)
            quarantined += len(again)
            if dry_run:
                continue
            moved = []
            for name in again:
                self._watch.check()
                with self._guard, self._roster.lock():
                    if self._is_orphan(name.removeprefix(f"{layout.SHARDS}/")):
                        moved.append(f"{layout.QUARANTINE}/{name}")
                        self._roster.require_in_force(member)
                        member.target.move(name, moved[-1])
            kept = [name for name in found if name not in again]
            if moved or kept != memory.orphans or memory.quarantined:
                memory.orphans, memory.quarantined = kept, moved
                with self._guard, self._roster.lock():
                    self._roster.require_in_force(member)
                    save(self._roster, member, memory)
        return seen, quarantined, removed, freed

    def _is_orphan(self, name: str) -> bool:
        """Whether nobody says that this shard's version exists or may exist."""
        parsed = layout.parse_shard_name(name)
        if parsed is None:
            return False
        key, version, _ = parsed
        state, answers = self._roster.ask(key)
        if None in answers.values() or len(answers) < self._roster.config.counted:
            return False
        return all(str(entry.version) != version for entry in (*state.committed, *state.undecided))

    def run(self, now: float, dry_run: bool, accept_clock: bool, write_journal) -> ReclaimReport:
        """The whole pass.

        :param write_journal: called with what will be done before it is done.
        """
        refused = self.refusal()
        if refused is not None:
            return ReclaimReport(f"some targets do not answer: {refused}", (), {}, (), 0, 0, 0, 0,
                                 0, dry_run)
        check_clock(self._roster, self._guard, self._clock, accept_clock)
        plan = self.plan(now)
        versions = [(key, str(entry.version)) for key, old in plan.versions.items()
                    for entry in old]
        tombstones, freed, temporaries = list(plan.tombstones), 0, 0
        if not dry_run:
            if versions or tombstones:
                write_journal({"versions": versions[:_NAMES_IN_JOURNAL],
                               "version_count": len(versions),
                               "keys_gone": tombstones[:_NAMES_IN_JOURNAL],
                               "key_count": len(tombstones)})
            versions, tombstones, freed = self.carry_out(plan)
            temporaries = self.sweep()
        seen, quarantined, removed, orphan_bytes = self.orphans(dry_run)
        return ReclaimReport(None, tuple(versions), plan.kept, tuple(tombstones), seen,
                             quarantined, removed, temporaries, freed + orphan_bytes, dry_run)


def _size_of(target, name: str) -> int:
    try:
        handle = target.open(name)
    except OSError:
        return 0
    try:
        return handle.size()
    finally:
        handle.close()


