"""Moving objects to another code or other targets: verified when they are copied, and verified
again before the source goes (``reclaim``)."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ..errors import (
    FormatError,
    InvalidParameter,
    LeaseHeld,
    QuorumNotReached,
    ReedError,
    StoreBusy,
)
from ..files.work import Watch
from .configuring import check_domains, check_quorum, require_other_device
from .entries import Code, Entry, Slot, Version
from .rebuild import add_slots, require_empty, synchronise
from .reports import MigrateReport
from .roster import Roster, identify
from .target import Target
from .writer import Superseded


@dataclass(frozen=True)
class Destination:
    """A target that objects are to go to."""

    target: Target
    domain: str
    slot: Slot | None  # the one that it holds already; None: it is new


def prepare_targets(
        roster: Roster, targets: Sequence[Target] | None, domains: Sequence[str] | None,
        chosen: Code) -> list[Destination]:
    """Where a migration goes, when it goes to other targets: new ones, and ones of the store that
    are to stay. Refuses those that cannot take every object in the chosen code. Raises
    InvalidParameter, WrongTarget, OSError."""
    quorum = (roster.config.write_quorum if chosen == roster.config.code
              else check_quorum(chosen, None))
    if targets is None:
        slots = [slot for slot in roster.config.slots if slot.takes_shards]
        count, labels = len(slots), {slot.domain for slot in slots}
        destinations = []
    else:
        if domains is not None and len(domains) != len(targets):
            raise InvalidParameter(f"domains must be one for each of {len(targets)} targets, "
                                   f"not {len(domains)}")
        destinations = [
            _destination(roster, target, None if domains is None else domains[position])
            for position, target in enumerate(targets)]
        check_domains(targets, [to.domain for to in destinations], quorum,
                      roster.config.allows_shared_devices)
        count, labels = len(targets), {to.domain for to in destinations}
    if count < chosen.shard_count or len(labels) < quorum:
        raise InvalidParameter(
            f"{chosen} needs {chosen.shard_count} targets in {quorum} failure domains, not {count} "
            f"in {len(labels)}")
    return destinations


def _destination(roster: Roster, target: Target, domain: str | None) -> Destination:
    slot = _slot_of(roster, target)
    if slot is None:
        require_empty(target)
    elif slot.is_counted and not roster.members[slot.number].is_voter:
        raise InvalidParameter(f"slot {slot.number} ({target.location}) is {slot.state}: reconcile "
                               "first, so that it has what it is to keep")
    require_other_device(roster, target, -1 if slot is None else slot.number)
    if domain is None:
        domain = f"target {secrets.token_hex(4)}" if slot is None else slot.domain
    return Destination(target, str(domain), slot)


def _slot_of(roster: Roster, target: Target) -> Slot | None:
    """The slot of this store that a target holds, as when a migration goes on that was interrupted;
    None when it holds none."""
    try:
        target_id, config = identify(target)
    except (FileNotFoundError, FormatError):
        return None
    if config.store_id != roster.config.store_id:
        return None
    return next((slot for slot in roster.config.slots if slot.target_id == target_id), None)


def enter_code(roster: Roster, guard, entropy: Callable[[int], bytes], chosen: Code,
               destinations: Sequence[Destination], check: Callable[[], None]) -> None:
    """Puts the new code in force, and where there are destinations, those as the only slots that
    take new shards."""
    domains = {to.slot.target_id: to.domain for to in destinations if to.slot is not None}
    new = {entropy(16).hex(): to for to in destinations if to.slot is None}
    if new:
        add_slots(roster, guard, {target_id: (to.target, to.domain)
                                  for target_id, to in new.items()})
        domains |= {target_id: to.domain for target_id, to in new.items()}
    with guard:
        behind = [member.number for member in roster.members.values()
                  if member.slot.target_id in domains and not member.is_voter]
    if behind:
        _, failed = synchronise(roster, guard, behind, check)
        if failed:
            raise QuorumNotReached(
                "the new targets cannot be used: " + "; ".join(
                    f"slot {number}: {reason}" for number, reason in failed.items()),
                reached=len(destinations) - len(failed), needed=len(destinations),
                failures=failed)
    with guard, roster.lock():
        config = replace(roster.config, code=chosen,
                         write_quorum=check_quorum(chosen, None)
                         if chosen != roster.config.code
                         else roster.config.write_quorum)
        if destinations:
            if not domains.keys() <= config.counted_ids:
                raise StoreBusy("targets of this migration left the store meanwhile; nothing was "
                                "moved")
            config = replace(config, slots=tuple(
                replace(slot, is_draining=slot.target_id not in domains,
                        domain=domains.get(slot.target_id, slot.domain))
                for slot in config.slots))
        if config != roster.config:
            roster.change(config)


class _Stream:
    """The bytes of an object as a readable source; a mismatch is raised where they end."""

    def __init__(self, chunks):
        self._chunks = chunks
        self._rest = memoryview(b"")

    def readinto(self, buffer: memoryview) -> int:
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def migrate_objects(store, prefix: str, unsafe_skip_verify: bool, progress,
                    watch: Watch) -> MigrateReport:
    """Puts every object anew that is not stored as the configuration says now."""
    roster = store._roster
    copied = bytes_copied = skipped = 0
    failed: dict[str, str] = {}
    with store._guard:
        keys = roster.list_keys(prefix)
    for position, key in enumerate(keys):
        watch.check()
        try:
            with store._guard:
                roster.refresh()
                entry = roster.require_state(key).current
            if entry is None or is_as_wanted(roster, entry):
                skipped += 1
            else:
                copy(store, key, entry, not unsafe_skip_verify)
                copied += 1
                bytes_copied += entry.size
        except Superseded:
            skipped += 1
        except LeaseHeld:
            raise
        except ReedError as error:
            failed[key] = str(error)
        if progress is not None:
            progress(position + 1, len(keys))
    return MigrateReport(copied=copied, bytes_copied=bytes_copied, skipped=skipped, failed=failed,
                         verified=not unsafe_skip_verify)


def is_as_wanted(roster, entry: Entry) -> bool:
    """Whether an object has the store's code and stands on slots that stay."""
    slots = {slot.number for slot in roster.config.slots if slot.takes_shards}
    return entry.code == roster.config.code and slots >= set(entry.placement) - {None}


def copy(store, key: str, entry: Entry, is_verified: bool) -> None:
    """Puts one object anew. What is read is proved in any case: there is no other way to read.
    Raises Superseded when it changed meanwhile."""
    version: Version = entry.version
    store._put(key).run(_Stream(store.chunks(key)), Watch(None, None), expected=version,
                        migrated_from=version, is_verified=is_verified, size=entry.size)
