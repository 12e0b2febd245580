"""From measured codec speed to nines: the rates at which this machine rebuilds and verifies shards,
and what a claim looks like at just those rates.

`claim_table` is pure arithmetic on given rates; only `measure` needs the compiled codec.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace

from .checks import number
from .fleet import Fleet, LatentErrors, Repair, Scrub, SilentCorruption
from .model import evaluate
from .result import nines_of
from .schemes import ReedSolomon, Replication, Scheme

# One core looks after this many disks: it computes their repairs and reads them in scrubs.
DISKS_PER_CORE = 12
DISK_BYTES_PER_SECOND = 200e6
# The share of a disk's and a core's time that a scrub may take from users.
SCRUB_SHARE = 0.1


@dataclass(frozen=True)
class Rates:
    """Bytes per second of one core. repair: bytes rebuilt; scrub: bytes read and verified. origin:
    what measured them, or that they were given."""

    repair_bytes_per_second: float
    scrub_bytes_per_second: float
    origin: str


@dataclass(frozen=True)
class ClaimRow:
    """What one scheme earns at the given rates: nines of objects and of the whole fleet."""

    scheme: Scheme
    repair_hours: float
    scrub_hours: float
    object_nines: float
    fleet_nines: float


def typical_fleet() -> Fleet:
    """16 TB disks with the fault rates of published field studies (docs/durability.md)."""
    return Fleet(
        disks=1200, capacity_bytes=16e12, used_share=0.8, failures_per_disk_year=0.0157,
        shard_bytes=2.0**20, domains=60,
        repair=Repair(detection_hours=1.0, bytes_per_second=DISK_BYTES_PER_SECOND),
        latent_errors=LatentErrors(0.0129, 65536.0),
        silent_corruption=SilentCorruption(2.5e-3, 104 * 4096.0),
        scrub=Scrub(336.0),
    )


def fleet_at(fleet: Fleet, repair_bytes_per_second: float, scrub_bytes_per_second: float) -> Fleet:
    """The fleet with its repair slowed by the codec and its scrub as often as the slower of disk
    and codec can read everything once, at SCRUB_SHARE of their time. Repair reads, computes and
    writes one after the other, so a slower codec always costs."""
    number("repair_bytes_per_second", repair_bytes_per_second, 1)
    number("scrub_bytes_per_second", scrub_bytes_per_second, 1)
    used = fleet.capacity_bytes * fleet.used_share
    speed = SCRUB_SHARE * min(DISK_BYTES_PER_SECOND, scrub_bytes_per_second / DISKS_PER_CORE)
    return replace(
        fleet.with_values({}),
        repair=replace(fleet.repair, codec_bytes_per_second=repair_bytes_per_second),
        scrub=Scrub(used / speed / 3600.0),
    )


def claim_table(repair_bytes_per_second: float, scrub_bytes_per_second: float,
                fleet: Fleet | None = None,
                schemes: tuple[Scheme, ...] = (Replication(3), ReedSolomon(6, 3),
                                               ReedSolomon(10, 4), ReedSolomon(17, 3)),
                ) -> list[ClaimRow]:
    """"At the rate just measured, 10+4 on these disks earns N nines, three copies M." """
    at_rate = fleet_at(fleet or typical_fleet(), repair_bytes_per_second, scrub_bytes_per_second)
    rows = []
    for scheme in schemes:
        outcome = evaluate(scheme, at_rate)
        rows.append(ClaimRow(scheme, at_rate.repair_hours(scheme), at_rate.scrub.interval_hours,
                             nines_of(outcome.object_loss), nines_of(outcome.fleet_loss)))
    return rows


def measure(data_shards: int = 10, parity_shards: int = 4, shard_bytes: int = 1 << 20,
            seconds: float = 0.5) -> Rates:
    """Measures one core of this machine with the codec itself: `reconstruct` of one lost shard
    (bytes rebuilt per second) and `verify` of a whole stripe (bytes read per second). The best of
    several runs, as a rate that the machine can keep when nothing else disturbs it."""
    import numpy as np

    import reed

    code = reed.ReedSolomon(data_shards, parity_shards)
    data = np.frombuffer(os.urandom(data_shards * shard_bytes), dtype=np.uint8).reshape(
        data_shards, shard_bytes)
    parity = code.encode(data)
    shards = dict(enumerate([*data, *parity]))
    survivors = {index: shard for index, shard in shards.items() if index != 0}
    rebuild = _best_seconds(lambda: code.reconstruct(survivors, wanted=[0]), seconds)
    check = _best_seconds(lambda: code.verify(shards), seconds)
    return Rates(shard_bytes / rebuild, len(shards) * shard_bytes / check,
                 f"measured with reed's {code.kernel} kernel, {data_shards}+{parity_shards}, "
                 f"{shard_bytes >> 10} KiB shards, one thread")


def _best_seconds(action, seconds: float) -> float:
    action()
    best = float("inf")
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        begin = time.perf_counter()
        action()
        best = min(best, time.perf_counter() - begin)
    return best


def table_text(rows: list[ClaimRow], rates: Rates | None = None) -> str:
    """The claim table for a terminal."""
    lines = []
    if rates is not None:
        lines.append(f"{rates.origin}: rebuilds "
                     f"{rates.repair_bytes_per_second / 1e9:.2f} GB/s, verifies "
                     f"{rates.scrub_bytes_per_second / 1e9:.2f} GB/s per core")
    lines.append(f"{'scheme':<12}{'overhead':>9}{'repair h':>10}{'scrub h':>9}"
                 f"{'object nines':>14}{'fleet nines':>13}")
    for row in rows:
        lines.append(f"{row.scheme!s:<12}{row.scheme.overhead:>9.2f}{row.repair_hours:>10.1f}"
                     f"{row.scrub_hours:>9.0f}{row.object_nines:>14.1f}{row.fleet_nines:>13.1f}")
    return "\n".join(lines)
