"""Multilevel splitting: a second road to rare losses that shares nothing with the first but the
dynamics. No weights, no biasing: paths that lose a shard are multiplied, paths that lose none die
out, and the loss probability is a product of ordinary frequencies.

Levels are counts of shards that are not good (the margin used up). Fixed effort: every level
starts the same number of paths, drawn from those that reached it. Independent repetitions give the
interval.
"""

from __future__ import annotations

import math

import numpy as np

from reed.errors import InvalidParameter

from .checks import instance, integer, number
from .engine import Engine, Paths
from .fleet import Fleet
from .result import HOURS_PER_YEAR, Estimate, Interval
from .schemes import Scheme
from .simulate import LONGEST_YEARS, SHORTEST_YEARS, _join, of_what

# Two-sided 95 % quantiles of Student's t by degrees of freedom.
STUDENT95 = {4: 2.776, 5: 2.571, 7: 2.365, 9: 2.262, 14: 2.145, 19: 2.093, 29: 2.045}


def split(scheme: Scheme, fleet: Fleet, years: float = 1.0, paths: int = 20_000,
          repeats: int = 10, seed: int = 0, unit: str = "stripe") -> Estimate:
    """The loss probability over [0, `years`] from a pristine start, by `repeats` independent runs
    of `paths` paths per level. unit: "stripe" or "disk_set", as in `simulate`. repeats: one more
    than a key of STUDENT95."""
    instance("scheme", scheme, Scheme)
    integer("repeats", repeats, 1)
    if repeats - 1 not in STUDENT95:
        raise InvalidParameter(
            f"repeats = {repeats}: allowed is one of {', '.join(str(d + 1) for d in STUDENT95)}"
        )
    number("years", years, SHORTEST_YEARS, LONGEST_YEARS)
    integer("paths", paths, 1, 10_000_000)
    integer("seed", seed, 0)
    engine = Engine(scheme, fleet.stripe_faults(scheme, unit))
    values = []
    for repeat in range(repeats):
        random = np.random.default_rng(
            np.random.SeedSequence(entropy=seed, spawn_key=(repeat,)))
        values.append(_run(engine, years * HOURS_PER_YEAR, paths, random))
    mean = float(np.mean(values))
    error = float(np.std(values, ddof=1)) / math.sqrt(repeats)
    half = STUDENT95[repeats - 1] * error
    return Estimate(
        probability=mean,
        log10_loss=math.log10(mean) if mean > 0.0 else -math.inf,
        years=float(years),
        of=of_what(unit, scheme),
        faults=fleet.threats(),
        start="pristine",
        convention=fleet.convention(scheme),
        method=f"fixed-effort splitting, {repeats} runs of {paths} paths a level",
        sampling=Interval(max(0.0, mean - half), mean + half),
        relative_error=error / mean if mean else math.inf,
        samples=repeats * paths,
    )


def _run(engine: Engine, horizon: float, count: int, random: np.random.Generator) -> float:
    entrants = engine.pristine(count, np.full(count, horizon))
    reached = 1.0
    lost = 0.0
    for level in range(1, engine.shards + 1):
        arrived, died = _to_level(engine, entrants, level, random)
        lost += reached * died / count
        if not len(arrived):
            break
        reached *= len(arrived) / count
        chosen = random.integers(0, len(arrived), count)
        entrants = arrived.take(chosen)
        entrants.number = np.arange(count)
    return lost


def _to_level(engine: Engine, paths: Paths, level: int, random: np.random.Generator
              ) -> tuple[Paths, int]:
    """The true dynamics until `level` shards are not good, a loss or the horizon. Returns the
    entrants of the level and how many paths were lost before it or on it."""
    arrived = [paths.take(np.zeros(0, dtype=np.intp))]
    died = 0
    while len(paths):
        there = (paths.condition != 0).sum(axis=0) >= level
        if there.any():
            arrived.append(paths.take(there))
            paths = paths.take(~there)
            continue
        paths, losses = engine.step(paths, random, biased=False)
        died += losses.number.size
    return _join(arrived), died
