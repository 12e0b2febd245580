"""Moving objects to another code or other targets: verified when they are copied, and verified
again before the source goes (``reclaim``)."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace

from ..errors import InvalidParameter, LeaseHeld, QuorumNotReached, ReedError
from ..files.work import Watch
from .configuring import check_domains, check_quorum, require_other_device
from .entries import Code, Entry, Slot, Version
from .rebuild import add_slots, require_empty, synchronise
from .reports import MigrateReport
from .roster import Roster
from .target import Target
from .writer import Superseded


def prepare_targets(
        roster: Roster, targets: Sequence[Target] | None, domains: Sequence[str] | None,
        chosen: Code) -> list[tuple[Target, str]]:
    """The new targets of a migration, each with its failure domain; refuses those that cannot take
    every object in the chosen code. Raises InvalidParameter, WrongTarget."""
    if targets is None:
        slots = [slot for slot in roster.config.slots if not slot.is_draining]
        count, labels = len(slots), {slot.domain for slot in slots}
        added = []
    else:
        names = list(domains) if domains is not None else [
            f"target {secrets.token_hex(4)}" for _ in targets]
        if len(names) != len(targets):
            raise InvalidParameter(f"domains must be one for each of {len(targets)} targets, "
                                   f"not {len(names)}")
        for target in targets:
            require_empty(target)
            require_other_device(roster, target, -1)
        check_domains(targets, names, 1, roster.config.allows_shared_devices)
        count, labels = len(targets), set(names)
        added = list(zip(targets, names, strict=True))
    if count < chosen.shard_count or len(labels) < check_quorum(chosen, None):
        raise InvalidParameter(
            f"{chosen} needs {chosen.shard_count} targets in {check_quorum(chosen, None)} "
            f"failure domains, not {count} in {len(labels)}")
    return added


def enter_code(roster: Roster, guard, entropy: Callable[[int], bytes], chosen: Code,
               added: Sequence[tuple[Target, str]]) -> None:
    """Puts the new code, and the new slots, in force."""
    if added:
        first = max(slot.number for slot in roster.config.slots) + 1
        slots = [Slot(first + position, entropy(16).hex(), target.location, domain,
                      "syncing", False, False, target.capabilities.durable)
                 for position, (target, domain) in enumerate(added)]
        add_slots(roster, guard, slots, [target for target, _ in added])
        _, failed = synchronise(
            roster, guard, [slot.number for slot in slots], lambda: None)
        if failed:
            raise QuorumNotReached(
                "the new targets cannot be used: " + "; ".join(
                    f"slot {number}: {reason}" for number, reason in failed.items()),
                reached=len(added) - len(failed), needed=len(added), failures=failed)
    with guard, roster.lock():
        config = replace(roster.config, code=chosen,
                         write_quorum=check_quorum(chosen, None)
                         if chosen != roster.config.code
                         else roster.config.write_quorum)
        if added:
            new = {slot.number for slot in slots}
            config = replace(config, slots=tuple(
                replace(slot, is_draining=slot.is_draining or slot.number not in new)
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
    slots = {slot.number: slot for slot in roster.config.slots}
    return entry.code == roster.config.code and not any(
        number in slots and slots[number].is_draining for number in entry.placement)


def copy(store, key: str, entry: Entry, is_verified: bool) -> None:
    """Puts one object anew. What is read is proved in any case: there is no other way to read.
    Raises Superseded when it changed meanwhile."""
    version: Version = entry.version
    store._put(key).run(_Stream(store.chunks(key)), Watch(None, None), expected=version,
                        migrated_from=version, is_verified=is_verified, size=entry.size)
