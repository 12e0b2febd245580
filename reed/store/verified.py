"""When each shard was last verified, how, and what was found: what scrubs leave on the targets."""

import contextlib

from ..errors import FormatError, ReedError
from ..files.work import Workers
from . import layout, record
from .entries import Entry
from .reports import ObjectScrub
from .roster import Roster


class ScrubStates:
    """When each shard was last verified: one record for each folder of keys, on the target that
    has the shards."""

    def __init__(self, roster: Roster):
        self._roster = roster
        self._loaded: dict[tuple[int, str], dict] = {}

    def _load(self, slot: int, fan: str) -> dict:
        if (slot, fan) not in self._loaded:
            member = self._roster.members[slot]
            content = {}
            # Lost results are lost: the shards count as never verified.
            with contextlib.suppress(OSError, FormatError):
                if member.target is not None:
                    content = _checked(record.read_expected(
                        member.target, layout.scrub_name(fan), "scrub",
                        self._roster.config.store_id, member.slot.target_id))
            self._loaded[slot, fan] = content
        return self._loaded[slot, fan]

    def of_shard(self, key: str, entry: Entry, index: int) -> tuple[float | None, str | None, str]:
        """(when it was last found good, how, the last state) of a shard; a shard that was read back
        when it was written counts from then."""
        slot = entry.placement[index]
        member = self._roster.members.get(slot) if slot is not None else None
        if member is None or member.target is None:
            return None, None, "unknown"
        found = self._load(slot, layout.fan(key)).get(f"{key} {entry.version}")
        if found is not None:
            return tuple(found)
        if index in entry.written and not entry.is_verified:
            return None, None, "good"
        if index in entry.written:
            is_medium = member.target.capabilities.medium_reads
            return entry.time, "medium" if is_medium else "cached", "good"
        return None, None, "missing"

    def last_verified(self, key: str, entry: Entry) -> float:
        """When the shard that waits longest was verified; 0 for never."""
        return min((self.of_shard(key, entry, index)[0] or 0.0
                    for index in range(len(entry.placement))), default=0.0)

    def note(self, scrub: ObjectScrub, now: float) -> None:
        """Takes the results of one version."""
        fan = layout.fan(scrub.key)
        for shard in scrub.shards:
            if shard.slot is None or shard.state == "unknown" or (
                    shard.slot not in self._roster.members):
                continue
            content = self._load(shard.slot, fan)
            name = f"{scrub.key} {scrub.version}"
            before = content.get(name)
            verified, how = (now, shard.how) if shard.state == "good" else (
                before[:2] if before else (None, None))
            content[name] = [verified, how, shard.state]

    def save(self, fan: str, keep: set[str], workers: Workers) -> None:
        """Writes what was taken for one folder of keys, and forgets it. What cannot be written is
        verified again next time.

        :param keep: "key version" of what still exists.
        """
        def write(slot: int) -> None:
            content = self._loaded.pop((slot, fan))
            member = self._roster.members.get(slot)
            if member is None or not member.takes_records:
                return
            content = {name: value for name, value in content.items() if name in keep}
            with contextlib.suppress(OSError, ReedError):
                record.write(member.target, layout.scrub_name(fan), record.pack(
                    "scrub", self._roster.config.store_id, member.slot.target_id, None, content))

        workers.map(write, [slot for slot, held in self._loaded if held == fan])


def _checked(content) -> dict:
    """The content of a state record, without what it cannot say."""
    if not isinstance(content, dict):
        return {}
    return {name: value for name, value in content.items()
            if isinstance(value, list) and len(value) == 3
            and (value[0] is None or type(value[0]) in (int, float))
            and value[1] in (None, "medium", "cached")
            and value[2] in ("good", "corrupt", "missing")}
