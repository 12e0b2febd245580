"""One stripe as an exact Markov chain: failures, hidden faults, repairs that may copy them,
scrubs, bursts and migrations; and from the chain's loss fluxes the three answers (objects, bytes,
any loss) for objects, disk sets and whole fleets.

A shard is good, *missing* (known to be gone), *latent* (unreadable and unnoticed), or *wrong*
(reads back without an error, with other bytes); the last two can be *buried* where no scrub looks.
A stripe is lost for ever when its good shards no longer decode. That is the most forgiving rule:
without checksums a reader may be served wrong bytes long before.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .checks import instance
from .fleet import ALL_THREATS, MIGRATION, ON_READING, Fleet, StripeBurst, StripeFaults
from .markov import LOST, MarkovChain, Move, explore, occupation
from .schemes import Scheme

# Conditions of a shard that is not good, as positions in a class's tuple of counts.
MISSING, LATENT, BURIED, WRONG, BURIED_WRONG = range(5)
CONDITIONS = 5
HIDDEN = (LATENT, BURIED, WRONG, BURIED_WRONG)

Class = tuple[int, ...]
State = tuple[Class, ...]


@dataclass(frozen=True)
class Blow:
    """The last blow of a loss: its threat; the name where it was a burst or a migration; else how
    many shards were missing and how many hidden-bad when it had fallen."""

    threat: str
    name: str = ""
    missing: int = 0
    hidden: int = 0


class _Shape:
    """What the states of one scheme mean, whatever the rates. Kept between chains, because
    uncertain inputs, budgets and searches solve one shape at hundreds of different rates."""

    def __init__(self, scheme: Scheme, hidden_adds: bool):
        self.scheme = scheme
        self.hidden_adds = hidden_adds
        self.alike = scheme.alike
        self.sizes = tuple(len(members) for members in scheme.classes)
        self._decodes: dict[tuple[int, ...], bool] = {}
        self._lost: dict[State, bool] = {}
        self._totals: dict[State, tuple[int, ...]] = {}
        self._struck: dict[tuple[State, int], tuple[float, tuple[tuple[State, float], ...]]] = {}

    def totals(self, state: State) -> tuple[int, ...]:
        known = self._totals.get(state)
        if known is None:
            known = self._totals[state] = tuple(map(sum, zip(*state, strict=True)))
        return known

    def is_lost(self, state: State) -> bool:
        known = self._lost.get(state)
        if known is None:
            if self.hidden_adds:
                bad = tuple(sum(counts) for counts in state)
            else:
                missing = state[0][MISSING]
                hidden = sum(state[0]) - missing
                bad = (missing + min(1, hidden),)
            if bad not in self._decodes:
                self._decodes[bad] = self.scheme.survives_counts(bad)
            known = self._lost[state] = not self._decodes[bad]
        return known

    def canonical(self, state: State) -> State:
        """One order for groups of shards that may be swapped whole."""
        for first, past in self.alike:
            state = (*state[:first], *sorted(state[first:past]), *state[past:])
        return state

    def struck(self, state: State, kills: int) -> tuple[float, tuple[tuple[State, float], ...]]:
        """When `kills` present shards, any alike, are destroyed: the share of ways that are lost,
        and every other state that may follow with its share."""
        known = self._struck.get((state, kills))
        if known is None:
            pools = [(place, None, size - sum(state[place]))
                     for place, size in enumerate(self.sizes)]
            pools += [(place, condition, counts[condition])
                      for place, counts in enumerate(state) for condition in HIDDEN]
            pools = [pool for pool in pools if pool[2]]
            limits = [pool[2] for pool in pools]
            ways: dict[State, int] = defaultdict(int)
            for split in _splits(kills, limits):
                after = state
                for (place, condition, _), killed in zip(pools, split, strict=True):
                    for _ in range(killed):
                        after = moved(after, place, condition, MISSING)
                ways[self.canonical(after)] += math.prod(map(math.comb, limits, split))
            total = math.comb(sum(limits), kills)
            known = self._struck[state, kills] = (
                sum(count for after, count in ways.items() if self.is_lost(after)) / total,
                tuple((after, count / total) for after, count in ways.items()
                      if not self.is_lost(after)))
        return known


@lru_cache(maxsize=64)
def _shape(scheme: Scheme, hidden_adds: bool) -> _Shape:
    return _Shape(scheme, hidden_adds)


def moved(state: State, place: int, source: int | None, target: int | None) -> State:
    """One shard of class `place` goes from condition `source` to `target` (None: good)."""
    counts = list(state[place])
    if source is not None:
        counts[source] -= 1
    if target is not None:
        counts[target] += 1
    return (*state[:place], tuple(counts), *state[place + 1 :])


class _Stripe:
    """The successor function of the chain. Total rates only; order of shards within a class never
    matters because the scheme's classes are interchangeable."""

    def __init__(self, scheme: Scheme, faults: StripeFaults):
        self.scheme = scheme
        self.faults = faults
        self.shape = _shape(scheme, faults.hidden_adds)
        self.sizes = self.shape.sizes
        # Nothing tells a wrong shard from an unreadable one where every reader checks; then one
        # condition serves both and the chain stays small.
        tellable = not faults.checksums or (faults.migrations and faults.skip_verification)
        self.corrupt = (WRONG, BURIED_WRONG) if tellable else (LATENT, BURIED)

    # -- what a state means --------------------------------------------------------------------

    def start(self) -> State:
        return tuple((0,) * CONDITIONS for _ in self.sizes)

    def settle(self, target: State, rate: float, threat: str) -> Move:
        if not self.shape.is_lost(target):
            return Move(target, rate)
        totals = self.shape.totals(target)
        missing = totals[MISSING]
        return Move(LOST, rate, Blow(threat, "", missing, sum(totals) - missing))

    # -- what happens --------------------------------------------------------------------------

    def moves(self, state: State) -> Iterator[Move]:
        for move in self.labelled_moves(state):
            if move.target is LOST or not self.shape.alike:
                yield move
            else:
                yield Move(self.shape.canonical(move.target), move.rate, move.label)

    def labelled_moves(self, state: State) -> Iterator[Move]:
        yield from self.arrivals(state)
        yield from self.scrubs(state)
        yield from self.repairs(state)
        for burst in self.faults.bursts:
            yield from self.burst(state, burst)
        yield from self.migration(state)

    def arrivals(self, state: State) -> Iterator[Move]:
        """Disk failures, latent errors and silent corruption, one shard at a time."""
        faults = self.faults
        for place, size in enumerate(self.sizes):
            counts = state[place]
            good = size - sum(counts)
            for source, count in ((None, good), *((c, counts[c]) for c in HIDDEN)):
                if count:
                    yield self.settle(moved(state, place, source, MISSING),
                                      count * faults.failure, "disk failures")
            if not good:
                continue
            buried = faults.buried_share
            for threat, rate, seen, unseen in (
                ("latent errors", faults.latent, LATENT, BURIED),
                ("silent corruption", faults.silent, *self.corrupt),
            ):
                yield self.settle(moved(state, place, None, seen),
                                  good * rate * (1.0 - buried), threat)
                yield self.settle(moved(state, place, None, unseen),
                                  good * rate * buried, threat)

    def scrubs(self, state: State) -> Iterator[Move]:
        """A found fault of a stripe becomes a missing shard; on a whole disk it is rewritten."""
        faults = self.faults
        found = (LATENT, WRONG) if faults.checksums else (LATENT,)
        target = MISSING if faults.hidden_adds else None
        for place, counts in enumerate(state):
            for condition in found:
                if counts[condition]:
                    yield Move(moved(state, place, condition, target),
                               counts[condition] * faults.scrub_rate)

    def misled(self, totals: tuple[int, ...]) -> float:
        """Probability that a reader who trusts what it reads takes a wrong source: it picks the
        data shards' number of sources among all that read back."""
        wrong = totals[WRONG] + totals[BURIED_WRONG]
        if not wrong:
            return 0.0
        good = self.scheme.shards - sum(totals)
        sources = self.scheme.data_shards
        if sources > good + wrong:
            return 1.0
        return 1.0 - math.comb(good, sources) / math.comb(good + wrong, sources)

    def repairs(self, state: State) -> Iterator[Move]:
        totals = self.shape.totals(state)
        missing = totals[MISSING]
        if not missing:
            return
        faults = self.faults
        rate = faults.repair(missing)
        if faults.read_failure:
            bad = (tuple(sum(counts) for counts in state) if faults.hidden_adds
                   else (state[0][MISSING],))
            lost = unreadable_probability(self.scheme, bad, faults)
            hidden = sum(totals) - missing
            yield Move(LOST, rate * lost, Blow("latent errors", ON_READING, missing, hidden))
            rate *= 1.0 - lost
        wrong = 0.0 if faults.checksums else self.misled(totals)
        for target, share in ((None, 1.0 - wrong), (WRONG, wrong)):
            if share == 0.0:
                continue
            if faults.joint:
                after = state
                for place, counts in enumerate(state):
                    for _ in range(counts[MISSING]):
                        after = moved(after, place, MISSING, target)
                yield Move(after, rate * share)
            else:
                for place, counts in enumerate(state):
                    if counts[MISSING]:
                        yield Move(moved(state, place, MISSING, target),
                                   rate * share * counts[MISSING] / missing)

    def burst(self, state: State, burst: StripeBurst) -> Iterator[Move]:
        """`at_risk` shards, any of them alike, each destroyed with the burst's probability."""
        total = self.scheme.shards
        missing = self.shape.totals(state)[MISSING]
        present = total - missing
        threat = "operator" if burst.operator else "bursts"
        hopeless = 0.0
        for kills in range(1, min(present, burst.at_risk) + 1):
            chance = kill_probability(total, present, burst.at_risk, burst.probability, kills)
            if chance == 0.0:
                continue
            if missing + kills > self.scheme.parity_shards:
                hopeless += chance  # whichever they are
                continue
            lost, survived = self.shape.struck(state, kills)
            hopeless += chance * lost
            for after, share in survived:
                yield Move(after, burst.events_per_year * chance * share)
        # How shared a named event is does not depend on what it found.
        yield Move(LOST, burst.events_per_year * hopeless, Blow(threat, burst.name))

    def migration(self, state: State) -> Iterator[Move]:
        """All shards are read and written anew; see `fleet.Migration`."""
        faults = self.faults
        if faults.migrations == 0.0:
            return
        totals = self.shape.totals(state)
        skipped = faults.skip_verification
        bad = self.misled(totals)
        yield Move(self.start(), faults.migrations * (1.0 - skipped * bad))
        # A misled migration whose source was kept is rolled back: the stripe stays as it was.
        yield Move(LOST, faults.migrations * skipped * bad * faults.early_reclaim,
                   Blow("operator", MIGRATION))


def unreadable_probability(scheme: Scheme, bad: tuple[int, ...], faults: StripeFaults) -> float:
    """That a repair does not find enough it can read, when each good shard fails to be read with
    probability `faults.read_failure`. bad: shards per class of the scheme that are not good; of a
    set of whole disks those that are missing, because what cannot be read on two disks lies in
    different stripes, and a read is fatal only where no disk more may be missing."""
    q = faults.read_failure
    good = scheme.shards - sum(bad)
    if not faults.hidden_adds:
        # Beyond the margin the set is lost already; the engine's table asks all the same.
        return -math.expm1(good * math.log1p(-q)) if sum(bad) >= scheme.parity_shards else 0.0
    return min(1.0, math.fsum(
        ways * q**failed * (1.0 - q) ** (good - failed)
        for failed, ways in enumerate(_fatal_sets(scheme, bad)) if ways
    ))


@lru_cache(maxsize=4096)
def _fatal_sets(scheme: Scheme, bad: tuple[int, ...]) -> tuple[int, ...]:
    """[failed] → in how many ways that many further shards can go so that nothing decodes."""
    left = [len(members) - gone for members, gone in zip(scheme.classes, bad, strict=True)]
    ways = [0] * (sum(left) + 1)
    for failed in itertools.product(*(range(count + 1) for count in left)):
        if not scheme.survives_counts(tuple(map(sum, zip(bad, failed, strict=True)))):
            ways[sum(failed)] += math.prod(map(math.comb, left, failed))
    return tuple(ways)


@lru_cache(maxsize=4096)
def kill_probability(shards: int, present: int, at_risk: int, probability: float,
                     kills: int) -> float:
    """That a burst destroys exactly `kills` of the `present` shards, when `at_risk` of all
    `shards`, drawn evenly, are each destroyed with `probability`."""
    total = 0.0
    for risked in range(kills, min(present, at_risk) + 1):
        if at_risk - risked > shards - present:
            continue
        drawn = (math.comb(present, risked) * math.comb(shards - present, at_risk - risked)
                 / math.comb(shards, at_risk))
        total += (drawn * math.comb(risked, kills) * probability**kills
                  * (1.0 - probability) ** (risked - kills))
    return total


def _splits(total: int, limits: list[int]) -> Iterator[tuple[int, ...]]:
    """All ways to take `total` from pools of these sizes."""
    return (split for split in itertools.product(*(range(min(total, limit) + 1)
                                                   for limit in limits)) if sum(split) == total)


def stripe_chain(scheme: Scheme, faults: StripeFaults) -> MarkovChain:
    """The chain of one stripe (or disk set). Exact where all clocks are exponential; other clocks
    enter with their mean."""
    stripe = _Stripe(scheme, faults)
    return explore(stripe.start(), stripe.moves)


@dataclass(frozen=True)
class LossFlux:
    """Losses of one kind. rate: per stripe-year. together: probability that one given stripe is
    lost when such an incident happens anywhere in the population it is drawn for; incidents occur
    `rate/together` times a year. sets: how many fates there are, where stripes on the same disks
    share one (a burst destroys whole disks)."""

    blow: Blow
    rate: float
    together: float
    sets: float = math.inf

    def any_rate(self, stripes: float) -> float:
        """Incidents per year that take at least one of `stripes` stripes:
        rate/together·(1 − (1 − together)^n) for n independent fates, which is rate·n while
        incidents are rare and small, and the incident rate when each one surely hits. Disk sets
        that overlap are counted as independent, which can only raise it."""
        stripes = min(stripes, self.sets)
        if self.rate == 0.0:
            return 0.0
        if self.together >= 1.0:
            return self.rate
        return self.rate * -math.expm1(stripes * math.log1p(-self.together)) / self.together


@dataclass(frozen=True)
class Outcome:
    """What one scheme on one fleet loses in a year, from the stationary state of its chain.

    object_loss:  expected share of objects lost per year (what providers mean)
    bytes_lost:   expected bytes of data lost per year in the fleet
    fleet_loss:   probability of any loss in the fleet within a year
    disk_set_loss: probability that some block on a given set of disks is lost within a year
    by_threat:    final blows, as rates per object-year; they add up to the object's loss rate
    repair_bytes: bytes read plus written per stored byte of data and year by repairs
    """

    scheme: Scheme
    fleet: Fleet
    stripe_rate: float
    object_loss: float
    disk_set_loss: float
    fleet_loss: float
    bytes_lost: float
    by_threat: dict[str, float]
    repair_bytes: float
    stripes: float

    def loss(self, unit: str) -> float:
        return {"object": self.object_loss, "disk_set": self.disk_set_loss,
                "fleet": self.fleet_loss}[unit]


@dataclass(frozen=True)
class _Solved:
    """The stationary chain of one stripe of a fleet."""

    faults: StripeFaults
    chain: MarkovChain
    share: np.ndarray
    fluxes: dict[Blow, float]
    hidden: float  # mean share of a stripe's shards with a hidden fault
    repairs: dict[Blow, float]  # how often a year a repair starts that can end in this loss


@lru_cache(maxsize=512)
def _solve(scheme: Scheme, fleet: Fleet) -> _Solved:
    faults = fleet.stripe_faults(scheme)
    chain = stripe_chain(scheme, faults)
    share = occupation(chain) if chain.losses else np.eye(1, len(chain.states))[0]
    fluxes: dict[Blow, float] = defaultdict(float)
    repairs: dict[Blow, float] = defaultdict(float)
    for state, blow, rate in chain.losses:
        fluxes[blow] += float(share[state]) * rate
        if blow.name == ON_READING:
            repairs[blow] += float(share[state]) * faults.repair(blow.missing)
    hidden = math.fsum(
        float(part) * (sum(map(sum, state)) - sum(counts[MISSING] for counts in state))
        for part, state in zip(share, chain.states, strict=True)
    ) / scheme.shards
    return _Solved(faults, chain, share, dict(fluxes), hidden, dict(repairs))


def loss_fluxes(scheme: Scheme, fleet: Fleet, own_set: bool = False) -> list[LossFlux]:
    """The stationary loss rates of one stripe by what struck last, with their sharing between
    stripes that are placed as the fleet places them, or between those of one set of disks."""
    return _together(scheme, fleet, _solve(scheme, fleet), own_set)


def evaluate(scheme: Scheme, fleet: Fleet) -> Outcome:
    """The three answers for a fleet, by the stationary chain of one stripe.

    Losses of a stripe come at the chain's stationary rate; for the bigger units that rate is split
    by what struck last, because faults that are shared strike many stripes at once (`LossFlux`).
    Clocks that are not exponential enter with their mean; `simulate` does better.
    """
    instance("scheme", scheme, Scheme)
    instance("fleet", fleet, Fleet)
    solved = _solve(scheme, fleet)
    object_stripes = fleet.stripes_per_object(scheme)
    stripes = fleet.stripes(scheme)
    set_stripes = min(stripes, fleet.stripes_per_disk_set())
    spread = _together(scheme, fleet, solved, own_set=False)
    own = _together(scheme, fleet, solved, own_set=True)
    stripe_rate = math.fsum(solved.fluxes.values())
    of_object = own if fleet.object_on_one_set else spread
    by_threat = {threat: 0.0 for threat in ALL_THREATS}
    for flux in of_object:
        by_threat[flux.blow.threat] += flux.any_rate(object_stripes)
    return Outcome(
        scheme=scheme,
        fleet=fleet,
        stripe_rate=stripe_rate,
        object_loss=_within_a_year(flux.any_rate(object_stripes) for flux in of_object),
        disk_set_loss=_within_a_year(flux.any_rate(set_stripes) for flux in own),
        fleet_loss=_within_a_year(flux.any_rate(stripes) for flux in spread),
        bytes_lost=-math.expm1(-stripe_rate) * stripes * scheme.data_shards * fleet.shard_bytes,
        by_threat=by_threat,
        repair_bytes=_repair_bytes(scheme, solved),
        stripes=stripes,
    )


def _within_a_year(rates) -> float:
    return -math.expm1(-math.fsum(rates))


def _together(scheme: Scheme, fleet: Fleet, solved: _Solved, own_set: bool) -> list[LossFlux]:
    """The fluxes with their sharing. `own_set`: all stripes lie on one set of disks."""
    faults, fluxes, hidden = solved.faults, solved.fluxes, solved.hidden
    burst_rates: dict[str, float] = defaultdict(float)
    for blow, rate in fluxes.items():
        if blow.threat in ("bursts", "operator"):
            burst_rates[blow.name] += rate
    fleet_events = {burst.name: burst.fleet_events_per_year for burst in faults.bursts}
    fleet_events[MIGRATION] = (
        faults.migrations * faults.skip_verification * faults.early_reclaim
    )
    result = []
    for blow, rate in fluxes.items():
        if rate == 0.0:
            continue
        sets = math.inf
        if blow.name in fleet_events:
            if blow.name != MIGRATION:
                sets = 1.0 if own_set else fleet.copysets or math.comb(fleet.disks, scheme.shards)
            together = burst_rates[blow.name] / fleet_events[blow.name]
        else:
            # Disks that failed by themselves: a stripe is hit when it lies on just these disks.
            # A hidden fault besides must also lie in this very stripe.
            together = 1.0
            if not own_set:
                together = (math.comb(scheme.shards, blow.missing)
                            / math.comb(fleet.disks, blow.missing))
                if fleet.copysets is not None:
                    together = max(together, 1.0 / fleet.copysets)
            together *= hidden**blow.hidden
            if blow.name == ON_READING:
                # Of the stripes that such a repair reads, this share lacks a readable source.
                together *= rate / solved.repairs[blow]
        result.append(LossFlux(blow, rate, min(1.0, max(together, 1e-300)), sets))
    return result


def _repair_bytes(scheme: Scheme, solved: _Solved) -> float:
    """Per year and byte of data: shards rebuilt, each read from its sources and written once. A
    joint repair reads its sources once for all missing shards."""
    faults = solved.faults
    shards = 0.0
    for part, state in zip(solved.share, solved.chain.states, strict=True):
        missing = sum(counts[MISSING] for counts in state)
        if not missing:
            continue
        rate = part * faults.repair(missing)
        if faults.joint:
            shards += rate * (scheme.data_shards + missing)
        else:
            shards += rate * (scheme.repair_shards + 1)
    return float(shards) / scheme.data_shards
