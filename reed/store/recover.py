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
        if state.newest is not None or any(not entry.is_object for entry in state.undecided):
            continue
        for version in sorted(versions, reverse=True):
            entry = _entry_of(roster, key, version, versions[version], now, actor)
            if entry is None:
                continue
            report = examine(roster, key, entry, workers, now, watch).report
            if report.status in ("healthy", "repairable"):
                with guard, roster.lock():
                    roster.accept(key, entry)
                recovered[key] = str(version)
                break
    return recovered


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
                     placement=tuple(places.get(i) for i in range(code.shard_count)), written=())
    return None
