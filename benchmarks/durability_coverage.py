"""Do the simulator's 95 % intervals cover the truth? 12 systems with exact answers from 1e-3 to
1e-30, 100 fixed seeds each, and multilevel splitting beside them.

    python -m benchmarks.durability_coverage [--runs 100] [--workers 2]

Prints the coverage per system and in all, and exits 1 unless at least 1,120 of 1,200 intervals
(in proportion for other numbers of runs) and 86 of 100 in each system cover, and biasing and
splitting agree.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from dataclasses import dataclass

from reed.durability import (
    Burst,
    Fleet,
    LatentErrors,
    LocalReconstruction,
    ReedSolomon,
    Repair,
    Replication,
    Scheme,
    Scrub,
    SilentCorruption,
    simulate,
    split,
)
from reed.durability.markov import transition_matrix
from reed.durability.model import stripe_chain
from reed.durability.result import Interval
from reed.durability.workers import task_map

SEEDS = range(1000, 1100)  # fixed before the first run
SPLIT_SEED = 77


def _fleet(rate: float, hours: float, **more) -> Fleet:
    repair = Repair(transfer_hours=hours, mode=more.pop("mode", "parallel"))
    return Fleet(disks=200, capacity_bytes=1e12, used_share=1.0, shard_bytes=1e12, domains=10,
                 failures_per_disk_year=rate, repair=repair, **more)


@dataclass(frozen=True)
class System:
    """A scheme on a fleet. split_paths: paths per level that splitting needs here."""

    name: str
    scheme: Scheme
    fleet: Fleet
    split_paths: int = 20_000


SYSTEMS = (
    System("2 copies", Replication(2), _fleet(0.5, 36)),
    System("3 copies, serial", Replication(3), _fleet(0.3, 72, mode="serial")),
    System("3 copies, latent errors", Replication(3),
           _fleet(0.1, 48, latent_errors=LatentErrors(0.3), scrub=Scrub(336))),
    System("4+2, unverified", ReedSolomon(4, 2),
           _fleet(0.02, 48, silent_corruption=SilentCorruption(0.01), checksums=False)),
    System("6+3, bursts", ReedSolomon(6, 3),
           _fleet(0.1, 72, bursts=(Burst("power", 0.5, 0.02),)), 60_000),
    System("LRC(6,2,2)", LocalReconstruction(6, 2, 2), _fleet(0.1, 72)),
    System("10+4, joint", ReedSolomon(10, 4), _fleet(0.1, 72, mode="joint"), 20_000),
    System("17+3", ReedSolomon(17, 3), _fleet(0.02, 24), 100_000),
    System("10+6", ReedSolomon(10, 6), _fleet(0.1, 72), 10_000),
    System("10+8", ReedSolomon(10, 8), _fleet(0.1, 72), 10_000),
    System("10+11", ReedSolomon(10, 11), _fleet(0.1, 72), 10_000),
    System("12+12", ReedSolomon(12, 12), _fleet(0.1, 72), 10_000),
)


def exact(system: System) -> float:
    """The chain's loss probability within a year from a pristine start."""
    chain = stripe_chain(system.scheme, system.fleet.stripe_faults(system.scheme))
    return float(transition_matrix(chain, 1.0)[0, -1])


def _interval(task: tuple[int, int]) -> Interval:
    number, seed = task
    system = SYSTEMS[number]
    return simulate(system.scheme, system.fleet, seed=seed, method="biased").sampling


def _splitting(number: int):
    system = SYSTEMS[number]
    return split(system.scheme, system.fleet, paths=system.split_paths, seed=SPLIT_SEED)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--runs", type=int, default=100, help="seeds per system (at most 100)")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args(arguments)
    seeds = list(SEEDS)[: options.runs]
    if not seeds:
        parser.error("--runs: 1 to 100 is needed")
    failures = []
    covered_in_all = 0
    print(f"{'system':<26}{'exact':>11}{'covered':>10}{'splitting, 95 %':>26}{'seconds':>9}")
    with task_map(options.workers) as run:
        for number, system in enumerate(SYSTEMS):
            begin = time.perf_counter()
            truth = exact(system)
            intervals = list(run(_interval, [(number, seed) for seed in seeds]))
            covered = sum(truth in interval for interval in intervals)
            covered_in_all += covered
            second = _splitting(number)
            print(f"{system.name:<26}{truth:>11.3g}{covered:>6}/{len(seeds):<3}"
                  f"{second.sampling.low:>13.3g} …{second.sampling.high:>11.3g}"
                  f"{time.perf_counter() - begin:>9.1f}", flush=True)
            if covered < math.floor(0.86 * len(seeds)):
                failures.append(f"{system.name}: {covered} of {len(seeds)} intervals cover")
            if not second.sampling.overlaps(intervals[0]):
                failures.append(f"{system.name}: biasing and splitting disagree")
    total = len(seeds) * len(SYSTEMS)
    print(f"{covered_in_all} of {total} intervals cover ({covered_in_all / total:.1%})")
    if covered_in_all < math.floor(1120 / 1200 * total):
        failures.append(f"in all {covered_in_all} of {total} intervals cover")
    for failure in failures:
        print("FAILED:", failure)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
