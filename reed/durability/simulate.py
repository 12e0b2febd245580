"""Simulation of losses too rare to wait for, with honest intervals.

Every loss ends a *busy period*: a stretch that begins when a fault strikes an all-good unit and
ends when all is good again. So

    P(loss in [0, T]) = ∫₀ᵀ E[all good at u; rate of faults at u; loss in the busy period] du.

One sample draws u evenly (forcing: a fault is made to happen there), runs the true dynamics up to
u, and then the busy period under failure biasing (`engine`). Exactly one period is biased per
sample, so weights do not pile up over long horizons, and the estimate is unbiased for the loss
probability itself. A stationary start is a pristine one that has first run, unobserved, for many
times the slowest recovery; there, faults are forced before the observation too, the true dynamics
bring them to its beginning, and what is still busy then is biased from there.

Where losses are frequent enough to be seen, the true dynamics are simulated plainly instead.

Samples come in blocks with seeds of their own, so the numbers do not depend on the workers.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from reed.errors import InvalidParameter

from .checks import instance, integer, number
from .engine import Engine, Losses, Paths
from .fleet import Fleet, StripeFaults
from .model import Blow, LossFlux, evaluate, loss_fluxes
from .result import HOURS_PER_YEAR, Estimate, Interval
from .schemes import Scheme
from .uncertainty import input_interval
from .workers import task_map

BLOCK = 8192
PILOT_BLOCKS = 2
MAX_SAMPLES = 4_000_000
# Losses per pilot sample above which plain simulation reaches any target sooner.
PLAIN_SHARE = 0.005
# Before a stationary start a unit runs for this many mean recoveries, plain; the chain's
# stationary start is approached to e^−WARM_UPS.
WARM_UPS = 8.0
Z95 = 1.959963984540054
SHORTEST_YEARS, LONGEST_YEARS = 1e-6, 1e6  # every event of every path is played
METHODS = ("auto", "biased", "plain")


@dataclass(frozen=True)
class Task:
    """One block of samples. stage separates the streams of look, pilot and final run."""

    scheme: Scheme
    fleet: Fleet
    unit: str
    years: float
    start: str
    method: str
    seed: int
    stage: int
    index: int
    count: int = BLOCK


@dataclass
class Tally:
    """Sums over one block: the weights of its samples, their squares, how many samples lost
    something, and the weight by last blow."""

    samples: int
    total: float
    squares: float
    losses: int
    by_blow: dict[Blow, float]


@lru_cache(maxsize=8)
def _engine(scheme: Scheme, fleet: Fleet, unit: str) -> Engine:
    return Engine(scheme, fleet.stripe_faults(scheme, unit))


def run_block(task: Task) -> Tally:
    """All samples of one block; deterministic in the task."""
    random = np.random.default_rng(
        np.random.SeedSequence(entropy=task.seed, spawn_key=(task.stage, task.index))
    )
    engine = _engine(task.scheme, task.fleet,
                     "disk_set" if task.unit == "disk_set" else "stripe")
    factors = _unit_factors(task.scheme, task.fleet, task.unit)
    weights = np.zeros(task.count)
    by_blow: dict[Blow, float] = defaultdict(float)

    def collect(losses: Any) -> None:
        if losses.number.size:
            value = np.exp(losses.log_weight)
            for key in np.unique(losses.key):
                same = losses.key == key
                blow = engine.blow(key)
                value[same] *= 1.0 if factors is None else factors[blow]
                by_blow[blow] += float(value[same].sum())
            np.add.at(weights, losses.number, value)

    if task.method == "plain":
        _plain_run(engine, task, random, collect)
    else:
        _biased_run(engine, task, random, collect)
    return Tally(task.count, float(weights.sum()), float((weights**2).sum()),
                 int((weights > 0.0).sum()), dict(by_blow))


def _plain_run(engine: Engine, task: Task, random: np.random.Generator,
               collect: Callable) -> None:
    span = task.years * HOURS_PER_YEAR
    if task.start == "pristine":
        paths = engine.pristine(task.count, np.full(task.count, span))
    else:
        warm = WARM_UPS * recovery_hours(engine.faults)
        paths = engine.pristine(task.count, np.full(task.count, warm), aged=random)
        paths = _run_to_horizon(engine, paths, random, replace_lost=True)
        paths.horizon[:] = warm + span
    while len(paths):
        paths, losses = engine.step(paths, random, biased=False)
        collect(losses)


def _biased_run(engine: Engine, task: Task, random: np.random.Generator,
                collect: Callable) -> None:
    span = task.years * HOURS_PER_YEAR
    warm = 0.0
    if task.start == "stationary":
        warm = WARM_UPS * recovery_hours(engine.faults)
    begin, log_density = _fault_times(task.count, warm, span, random)
    paths = engine.pristine(task.count, np.minimum(begin, warm), aged=random if warm else None)
    if warm:
        paths = _run_to_horizon(engine, paths, random, replace_lost=True)
    # From here on the unit is observed, and only its first loss is an answer.
    paths.horizon[:] = begin[paths.number]
    paths = _run_to_horizon(engine, paths, random, replace_lost=False)
    paths = paths.take((paths.condition == 0).all(axis=0))
    if not len(paths):
        return
    paths.log_weight -= log_density[paths.number]
    paths.horizon[:] = warm + span
    paths, losses = engine.force(paths, random)
    # A loss at once, before the observation has begun, is not one of ours.
    collect(_after(losses, begin, warm))
    early = paths.now < warm
    busy = paths.take(~early)
    if early.any():
        waiting = paths.take(early)
        waiting.horizon[:] = warm
        still = _still_busy_at_horizon(engine, waiting, random)
        still.horizon[:] = warm + span
        busy = _join([busy, still])
    while len(busy):
        busy, losses = engine.step(busy, random, biased=True)
        collect(losses)
        on = (busy.condition != 0).any(axis=0) & (busy.log_weight > -math.inf)
        if not on.all():
            busy = busy.take(on)


def _fault_times(count: int, warm: float, span: float, random: np.random.Generator
                 ) -> tuple[np.ndarray, np.ndarray]:
    """Hours at which faults are forced, and the log of their density. Evenly over the observed
    span; before it, half of the time, at distances of four scales, because some faults last for
    hours and some for decades."""
    inside = warm + random.random(count) * span
    if warm == 0.0:
        return inside, np.full(count, -math.log(span))
    scales = warm / 16.0 ** np.arange(4)
    before = warm - random.random(count) * scales[random.integers(0, scales.size, count)]
    begin = np.where(random.random(count) < 0.5, inside, before)
    distance = warm - begin
    early = distance > 0.0
    density = np.where(early, 0.0, 0.5 / span)
    for scale in scales:
        density += np.where(early & (distance <= scale), 0.5 / scales.size / scale, 0.0)
    return begin, np.log(density)


def _after(losses: Losses, times: np.ndarray, moment: float) -> Losses:
    kept = times[losses.number] >= moment
    return Losses(losses.number[kept], losses.log_weight[kept], losses.key[kept])


def recovery_hours(faults: StripeFaults) -> float:
    """How long the slowest kind of fault lasts, on average: until repaired, scrubbed, or, where
    nobody looks, until the disk fails or the pool is migrated."""
    rate = faults.repair(1)
    if faults.repair_clock is not None:
        rate = HOURS_PER_YEAR / faults.repair_clock.mean_hours
    slowest = HOURS_PER_YEAR / rate if rate else math.inf
    hidden = faults.latent > 0.0 or faults.silent > 0.0
    if hidden and faults.scrub_rate:
        slowest += HOURS_PER_YEAR / faults.scrub_rate
    unseen = hidden and (faults.buried_share > 0.0 or faults.scrub_rate == 0.0)
    if unseen or (faults.silent > 0.0 and not faults.checksums):
        cleared = faults.failure + faults.migrations
        slowest += HOURS_PER_YEAR / cleared if cleared else math.inf
    if not math.isfinite(slowest):
        raise InvalidParameter(
            "start = 'stationary' with faults that nothing ever clears: allowed is 'pristine'"
        )
    return slowest


def _run_to_horizon(engine: Engine, paths: Paths, random: np.random.Generator,
                    replace_lost: bool) -> Paths:
    """The true dynamics to each path's horizon, in any order. What is lost on the way drops out
    (while observed only a first loss counts) or is replaced by a pristine unit (before)."""
    arrived = [paths.take(np.zeros(0, dtype=np.intp))]
    while len(paths):
        before = paths.take(np.arange(len(paths)))
        paths, losses = engine.step(before, random, biased=False)  # moves `before` in place
        lost = np.isin(before.number, losses.number)
        arrived.append(before.take(~lost & (before.now >= before.horizon)))
        if replace_lost and lost.any():
            fresh = before.take(lost)
            fresh.condition[:] = 0
            if fresh.born is not None:
                fresh.born[:] = fresh.now
            if fresh.due is not None:
                fresh.due[:] = np.inf
            paths = _join([paths, fresh])
    return _join(arrived)


def _still_busy_at_horizon(engine: Engine, paths: Paths, random: np.random.Generator) -> Paths:
    """The true dynamics to the horizon; those whose busy period is still the same one."""
    arrived = [paths.take(np.zeros(0, dtype=np.intp))]
    while len(paths):
        before = paths.take(np.arange(len(paths)))
        paths, _ = engine.step(before, random, biased=False)  # moves `before` in place
        busy = (before.condition != 0).any(axis=0)
        arrived.append(before.take(busy & (before.now >= before.horizon)))
        paths = paths.take((paths.condition != 0).any(axis=0))
    return _join(arrived)


def _join(parts: list[Paths]) -> Paths:
    def together(name: str) -> Any:
        arrays = [getattr(part, name) for part in parts]
        return None if arrays[0] is None else np.concatenate(arrays, axis=-1)

    return Paths(*(together(name) for name in (
        "condition", "born", "due", "now", "horizon", "log_weight", "number")))


@dataclass
class Sums:
    """Tallies added in the order of their blocks."""

    samples: int = 0
    total: float = 0.0
    squares: float = 0.0
    losses: int = 0
    by_blow: dict[Blow, float] | None = None

    def add(self, tally: Tally) -> None:
        self.samples += tally.samples
        self.total += tally.total
        self.squares += tally.squares
        self.losses += tally.losses
        self.by_blow = self.by_blow or defaultdict(float)
        for blow, weight in tally.by_blow.items():
            self.by_blow[blow] += weight

    @property
    def mean(self) -> float:
        return self.total / self.samples

    @property
    def relative_error(self) -> float:
        """Standard error of the mean over the mean."""
        if self.total == 0.0:
            return math.inf
        variance = max(0.0, self.squares / self.samples - self.mean**2)
        return math.sqrt(variance / self.samples) / self.mean

    @property
    def effective(self) -> float:
        """(Σw)²/Σw²: how many equally weighted losses would be as good."""
        return self.total**2 / self.squares if self.squares else 0.0


def simulate(scheme: Scheme, fleet: Fleet, years: float = 1.0,
             target_relative_error: float = 0.05, seed: int = 0, workers: Any = 1,
             unit: str = "stripe", start: str = "pristine", method: str = "auto",
             max_samples: int = MAX_SAMPLES,
             progress: Callable[[int, int], None] | None = None) -> Estimate:
    """The loss probability of one unit over [0, `years`], by simulation.

    target_relative_error: standard error over mean to reach; if `max_samples` do not reach it the
        estimate says what was reached.
    seed: the same seed gives the same numbers, whatever the workers.
    workers: an int, "dask", a Dask scheduler's address or a Client (see ``workers``).
    unit: "stripe"; "disk_set" (some block on n whole disks); "object" or "fleet", which spread
        the stripe's losses over many stripes by what struck last, as `evaluate` does.
    start: "pristine", or "stationary" (an old fleet: ages in equilibrium, hidden faults present).
    method: "auto" simulates plainly where a pilot sees losses, else with biasing and forcing.
    progress: called with (samples done, samples planned).
    """
    number("years", years, SHORTEST_YEARS, LONGEST_YEARS)
    number("target_relative_error", target_relative_error, 1e-5)
    instance("scheme", scheme, Scheme)
    integer("seed", seed, 0)
    integer("max_samples", max_samples, 1)
    for name, value, allowed in (("start", start, ("pristine", "stationary")),
                                 ("method", method, METHODS),
                                 ("unit", unit, ("stripe", "disk_set", "object", "fleet"))):
        if value not in allowed:
            raise InvalidParameter(f"{name} = {value!r}: allowed is one of {', '.join(allowed)}")
    def tasks(chosen: str, stage: int, first: int, blocks: int) -> list[Task]:
        return [Task(scheme, fleet, unit, float(years), start, chosen, seed, stage, index)
                for index in range(first, first + blocks)]

    with task_map(workers) as run:
        def gather(chosen: str, stage: int, blocks: int, sums: Sums, planned: int = 0) -> None:
            first = sums.samples // BLOCK
            for tally in run(run_block, tasks(chosen, stage, first, blocks)):
                sums.add(tally)
                if progress is not None:
                    progress(sums.samples, max(planned, sums.samples))

        chosen = method
        if method == "auto":
            chosen = "biased"
            look = Sums()
            gather("plain", 0, 1, look)
            if look.mean > PLAIN_SHARE:
                chosen = "plain"
        pilot = Sums()
        gather(chosen, 1, PILOT_BLOCKS, pilot)
        # The final run is fresh and its size fixed by the pilot, so that stopping early at a
        # lucky moment cannot narrow the interval. The pilot understates the variance of heavy
        # weights; half as many samples again make up for it.
        spread = pilot.relative_error if math.isfinite(pilot.relative_error) else 1.0
        wanted = 1.5 * pilot.samples * (spread / target_relative_error) ** 2
        limit = max(1, max_samples // BLOCK)
        blocks = min(limit, max(PILOT_BLOCKS, math.ceil(wanted / BLOCK)))
        sums = Sums()
        gather(chosen, 2, blocks, sums, blocks * BLOCK)
        while sums.relative_error > target_relative_error and sums.samples < limit * BLOCK:
            more = min(sums.samples // BLOCK, limit - sums.samples // BLOCK)
            gather(chosen, 2, more, sums, sums.samples + more * BLOCK)

    return _estimate(scheme, fleet, years, start, unit, chosen, sums)


def of_what(unit: str, scheme: Scheme) -> str:
    """The unit of a simulated loss in words."""
    return {"stripe": f"one stripe of {scheme}",
            "disk_set": f"some block on {scheme.shards} disks under {scheme}",
            "object": f"one object under {scheme}",
            "fleet": f"any stripe of the fleet under {scheme}"}[unit]


class _Factors(dict):
    """Blow → factor. A blow that the stationary chain gives no weight at all counts as if every
    stripe were lost by itself, the largest factor there is."""

    def __init__(self, fluxes: list[LossFlux], stripes: float):
        super().__init__((flux.blow, flux.any_rate(stripes) / flux.rate) for flux in fluxes)
        self.stripes = stripes

    def __missing__(self, blow: Blow) -> float:
        return self.stripes


@lru_cache(maxsize=8)
def _unit_factors(scheme: Scheme, fleet: Fleet, unit: str) -> _Factors | None:
    """Losses of one stripe → losses of a unit of many, by what struck last: each simulated loss
    weighs as many incidents of the unit as the chain's sharing says, so that the spread of rare
    kinds of loss is in the interval too. None for units that are simulated as they are."""
    if unit not in ("object", "fleet"):
        return None
    stripes = fleet.stripes_per_object(scheme) if unit == "object" else fleet.stripes(scheme)
    own_set = unit == "object" and fleet.object_on_one_set
    return _Factors(loss_fluxes(scheme, fleet, own_set), stripes)


def _estimate(scheme: Scheme, fleet: Fleet, years: float, start: str, unit: str, chosen: str,
              sums: Sums) -> Estimate:
    mean = sums.mean
    error = sums.relative_error
    # The weights of these are rates of losses over many stripes; they become a probability last.
    turned_into_rate = unit in ("object", "fleet")

    def probability(value: float) -> float:
        return -math.expm1(-value) if turned_into_rate else value

    if sums.total > 0.0:
        if chosen == "plain" and not turned_into_rate:
            low, high = _wilson(sums.losses, sums.samples)
        else:
            low = probability(max(0.0, mean * (1.0 - Z95 * error)))
            high = probability(mean * (1.0 + Z95 * error))
    else:
        # Nothing seen: the rule of three bounds plain sampling; biased weights bound nothing.
        counted = chosen == "plain" and not turned_into_rate
        low, high = 0.0, (3.0 / sums.samples if counted else 1.0)
    value = probability(mean)
    words = {"plain": "plain simulation", "biased": "simulation with balanced failure biasing "
             "and forcing on busy periods"}
    return Estimate(
        probability=value,
        log10_loss=math.log10(value) if value > 0.0 else -math.inf,
        years=float(years),
        of=of_what(unit, scheme),
        faults=fleet.threats(),
        start=start,
        convention=fleet.convention(scheme),
        method=f"{words[chosen]}, {sums.samples} samples",
        sampling=Interval(low, min(1.0, high)),
        inputs=_inputs_interval(scheme, fleet, unit, value),
        relative_error=error,
        effective_sample_size=sums.effective,
        samples=sums.samples,
    )


def _inputs_interval(scheme: Scheme, fleet: Fleet, unit: str, value: float) -> Interval | None:
    """The chain's spread over the uncertain inputs, laid around the simulated value."""
    if not fleet.ranges:
        return None
    chain_unit = "object" if unit == "stripe" else unit
    subject = fleet
    if unit == "stripe":
        subject = replace(fleet, object_bytes=None, object_on_one_set=False)
    interval = input_interval(scheme, subject, chain_unit)
    center = evaluate(scheme, subject).loss(chain_unit)
    if center == 0.0:
        return None
    return Interval(min(1.0, interval.low / center * value),
                    min(1.0, interval.high / center * value))


def _wilson(hits: int, samples: int) -> tuple[float, float]:
    """Wilson's interval of a binomial share."""
    share = hits / samples
    z2 = Z95**2
    middle = (share + z2 / (2 * samples)) / (1 + z2 / samples)
    half = Z95 / (1 + z2 / samples) * math.sqrt(
        share * (1 - share) / samples + z2 / (4 * samples**2))
    return middle - half, middle + half
