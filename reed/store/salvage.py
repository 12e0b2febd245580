"""What can be proved of an object that is beyond repair, and the report of how that came about."""

import json
import os

from ..files import medium
from ..files.digests import crc32c_of
from ..files.salvaging import salvage_stripe
from ..files.work import Watch, Workers
from ..files.writing import read_back_object
from . import journal
from .audit import info, shard_states
from .entries import Entry
from .examine import examine
from .reader import open_version
from .reports import IncidentReport
from .roster import Roster
from .verified import ScrubStates


def salvage(roster: Roster, key: str, entry: Entry, base: str, overwrite: bool, now: float,
            workers: Workers, watch: Watch) -> IncidentReport:
    """Writes BASE.partial, BASE.partial.json and BASE.incident.json."""
    before = shard_states(roster, ScrubStates(roster), key, entry)
    examined = examine(roster, key, entry, workers, now, Watch(None, None))
    with open_version(roster, key, entry, workers, from_medium=True, with_ends=True) as opened:
        found = salvage_stripe(opened.stripe, base, overwrite, watch)
    # Whole for the last time that is known: when data_shards of its shards had been found good.
    times = sorted((shard.verified for shard in before if shard.verified is not None), reverse=True)
    needed = entry.code.data_shards
    report = IncidentReport(
        object=info(key, entry), time=now,
        last_known_whole=times[needed - 1] if len(times) >= needed else None,
        status=examined.report.status, shards=tuple(examined.shards),
        lost_ranges=found.holes, salvage=found.as_dict(),
        journal=tuple(item for item in journal.read(roster) if item["time"] >= entry.time))
    text = memoryview(json.dumps(report.as_dict(), indent=1).encode() + b"\n")
    with medium.Publication() as publication:
        table = publication.create(f"{os.path.abspath(base)}.incident.json")
        table.write_at([text], 0)
        table.sync()
        read_back_object(table, len(text), crc32c_of([text], 0), watch.check)
        publication.publish(overwrite)
    return report
