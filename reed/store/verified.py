"""When each shard was last verified, how, and what was found: what scrubs leave on the targets."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from ..errors import FormatError, ReedError
from ..files.work import Workers
from . import layout, record
from .entries import Entry
from .reports import ObjectScrub
from .roster import Member, Roster


class ScrubStates:
    """When each shard was last verified: one record for each folder of keys, on the target that
    has the shards."""

    def __init__(self, roster: Roster):
        self._roster = roster
        self._loaded: dict[tuple[int, str], dict] = {}

    def _load(self, slot: int, fan: str) -> dict:
        if (slot, fan) not in self._loaded:
            member = self._roster.members.get(slot)
            content = {}
            # Lost results are lost: the shards count as never verified.
            with contextlib.suppress(OSError):
                if member is not None and member.is_present:
                    content = _read(self._roster, member, fan)
            self._loaded[slot, fan] = content
        return self._loaded[slot, fan]

    def of_shard(self, key: str, entry: Entry, index: int) -> tuple[float | None, str | None, str]:
        """(when it was last found good, how, the last state) of a shard; a shard that was read back
        when it was written counts from then."""
        slot = entry.placement[index]
        member = self._roster.members.get(slot) if slot is not None else None
        if member is None or not member.is_present:
            return None, None, "unknown"
        found = self._load(slot, layout.fan(key)).get(f"{key} {entry.version}")
        if found is not None:
            return tuple(found[:3])
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


class ScrubNotes:
    """What one scrub found, until it is written into those records: among what other scrubs wrote
    there meanwhile, so nothing of a record is kept from before."""

    def __init__(self, roster: Roster):
        self._roster = roster
        self._found: dict[str, dict[int, dict[str, _Found]]] = {}  # folder of keys -> slot -> name

    def note(self, scrub: ObjectScrub, now: float) -> None:
        """Takes the results of one version, which was looked at `now`."""
        slots = self._found.setdefault(layout.fan(scrub.key), {})
        for shard in scrub.shards:
            if shard.slot is not None and shard.state != "unknown":
                slots.setdefault(shard.slot, {})[f"{scrub.key} {scrub.version}"] = _Found(
                    shard.state, shard.how, now)

    def save(self, fan: str, is_gone: Callable[[str, str], bool], now: float,
             workers: Workers) -> None:
        """Writes what was taken for one folder of keys, and forgets it. Of several results for a
        shard the newest counts. What cannot be written is verified again next time.

        :param is_gone: whether the results of (key, version) are dropped.
        """
        slots = self._found.pop(fan, {})

        def write(slot: int) -> None:
            member = self._roster.members.get(slot)
            if member is None or not member.takes_records:
                return
            with contextlib.suppress(OSError, ReedError):
                content = _read(self._roster, member, fan)
                for name, found in slots[slot].items():
                    before = content.get(name)
                    # Of a time that is still to come the clock was wrong: it says nothing.
                    if before is None or not found.seen < before[3] <= now:
                        content[name] = found.after(before)
                content = {name: value for name, value in content.items()
                           if not is_gone(*name.rsplit(" ", 1))}
                record.write(member.target, layout.scrub_name(fan), record.pack(
                    "scrub", self._roster.config.store_id, member.slot.target_id, None, content))

        workers.map(write, slots)


@dataclass(frozen=True)
class _Found:
    state: str
    how: str | None
    seen: float  # seconds since 1970

    def after(self, before: list | None) -> list:
        """The value in a record: last found good when, how; the last state, found when."""
        good = [self.seen, self.how] if self.state == "good" else (
            before[:2] if before else [None, None])
        return [*good, self.state, self.seen]


def _read(roster: Roster, member: Member, fan: str) -> dict[str, list]:
    """What is known of the shards of one folder on a target; nothing, where there is no record or
    a damaged one. Raises OSError when that cannot be said."""
    try:
        return _checked(record.read_expected(member.target, layout.scrub_name(fan), "scrub",
                                             roster.config.store_id, member.slot.target_id))
    except (FileNotFoundError, FormatError):
        return {}


def _checked(content) -> dict[str, list]:
    """The content of a state record, without what it cannot say."""
    if not isinstance(content, dict):
        return {}
    return {name: value for name, value in content.items()
            if " " in name and isinstance(value, list) and len(value) == 4
            and (value[0] is None or type(value[0]) in (int, float))
            and value[1] in (None, "medium", "cached")
            and value[2] in ("good", "corrupt", "missing")
            and type(value[3]) in (int, float)}
