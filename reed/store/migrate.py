"""Moving objects to another code or other targets: verified when they are copied, and verified
again before the source goes (``reclaim``)."""

from ..errors import ReedError
from ..files.work import Watch
from .entries import Entry, Version
from .reports import MigrateReport
from .writer import Superseded


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
                        migrated_from=version, is_verified=is_verified)
