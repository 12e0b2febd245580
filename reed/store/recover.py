"""Records from shards alone: for a store that has lost the records of objects on a majority.

Shards say what they are: their names carry key and version, and the stripe id inside every block's
checksum is the hash of both. What only records know is lost: that an object was deleted. So this
takes nothing for an object that any record still speaks of, and is asked for explicitly.
"""

from ..errors import FormatError
from ..files.layout import DIGEST_TYPES
from ..files.scanning import ShardFile, read_ends
from ..files.work import Watch, Workers
from . import layout
from .entries import Code, Entry, Version
from .examine import examine
from .roster import Roster


def recover(roster: Roster, guard, workers: Workers, now: float, actor: str,
            watch: Watch) -> dict[str, str]:
    """Commits the newest version that is whole of every key whose records are damaged or gone on
    a majority; returns {key: version}."""
    found: dict[str, dict[Version, dict[int, int]]] = {}
    for member in roster.voters():
        for name in member.target.names(layout.SHARDS):
            parsed = layout.parse_shard_name(name)
            if parsed is not None:
                key, version, index = parsed
                places = found.setdefault(key, {}).setdefault(Version.parse(version), {})
                places.setdefault(index, member.number)
    recovered = {}
    for key, versions in sorted(found.items()):
        watch.check()
        state, _ = roster.ask(key)
        known = {entry.version: entry for entry in (*state.undecided, *state.dead)}
        if state.newest is not None or any(not entry.is_object for entry in known.values()):
            continue
        for version in sorted(versions, reverse=True):
            # A record that some target still has is the truth of that version, and each version has
            # one entry.
            entry = known.get(version) or _entry_of(
                roster, key, version, versions[version], now, actor)
            if entry is None:
                continue
            report = examine(roster, key, entry, workers, now, watch).report
            if report.status in ("healthy", "repairable"):
                with guard, roster.lock():
                    _drop_damaged(roster, key)
                    roster.accept(key, entry)
                recovered[key] = str(version)
                break
    return recovered


def _drop_damaged(roster: Roster, key: str) -> None:
    """Removes records of a key that were read and are no records, where they are so many that the
    others are no majority: they say nothing, and keep everything from being said."""
    state, answers = roster.ask(key)
    if state.answered >= state.needed:
        return
    for number, entries in answers.items():
        member = roster.members[number]
        if entries is None and roster.is_damaged(member, key):
            roster.write_entries(member, key, ())


def _entry_of(roster: Roster, key: str, version: Version, places: dict[int, int], now: float,
              actor: str) -> Entry | None:
    """The entry of a version, from the first of its shards whose footer can be believed."""
    stripe_id = version.stripe_id(roster.config.store_id, key)
    for index, slot in sorted(places.items()):
        member = roster.members[slot]
        if not member.is_present:
            continue
        try:
            handle = member.target.open(layout.shard_name(key, str(version), index))
        except OSError:
            continue
        file = ShardFile("", None, handle.size(), handle=handle)
        try:
            read_ends(file)
        except (OSError, FormatError):
            continue
        finally:
            file.close()
        footer = file.footer
        if footer is None or footer["stripe_id"] != stripe_id:
            continue
        code = Code(footer["generator"], footer["data_shards"], footer["parity_shards"],
                    footer["block_size"])
        return Entry("object", version, now, actor, size=footer["object_size"],
                     digest=footer["digest"].hex(),
                     digest_type=DIGEST_TYPES[footer["digest_type"]], code=code,
                     placement=_placement(roster, key, code, places), written=())
    return None


def _placement(roster: Roster, key: str, code: Code, places: dict[int, int]) -> tuple:
    """Where the shards are, and for those that were not found, where repair may put them."""
    free = {slot.number: slot.domain for slot in roster.config.slots
            if slot.number not in places.values() and slot.takes_shards}
    spare = iter(layout.place(key, code.shard_count, free, {}))
    return tuple(places[index] if index in places else next(spare)
                 for index in range(code.shard_count))
