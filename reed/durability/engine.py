"""The event loop of the simulator: many stripes at once, shard by shard, in NumPy.

It shares no transition table with the chain in ``model``: every shard is its own slot with its own
condition, birth and due time, so that agreement between the two says something. Each step brings
every active path to its next event, in one of two ways:

plain   The true dynamics. Hazards that change with age are uniformised: events come from a Poisson
        clock at a bound of the hazard and are thinned.
biased  Failure biasing. With probability ρ the next event is a failure of some kind, before the
        next repair could complete; kinds are drawn partly evenly (balanced, Shahabuddin 1994),
        partly by their rates. The path's weight takes the exact likelihood ratio, with integrated
        hazards for ageing disks (the limit of uniformisation with an infinitely fast clock, as in
        Nakayama & Shahabuddin 2004). Weights are never clipped.

Times are in hours. Arrays are (shards, paths), so that sums over shards run along memory.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from reed.errors import InvalidParameter

from .clocks import Exponential
from .fleet import MIGRATION, ON_READING, StripeFaults
from .model import Blow, kill_probability, unreadable_probability
from .result import HOURS_PER_YEAR
from .schemes import Scheme

GOOD, MISSING, LATENT, BURIED, WRONG, BURIED_WRONG = range(6)
# What can happen besides damage. TIMED: a due time or the horizon has come.
REPAIR, SCRUB_LATENT, SCRUB_WRONG, MIGRATE, TIMED = range(5)
NOTHING = -1
NEVER = np.inf
TABLE_LIMIT = 1 << 22
# now + (due − now) may miss due by a rounding; events of real models are further apart.
CLOCK_ROUNDING_HOURS = 1e-8


@dataclass(frozen=True)
class _Kind:
    """One kind of damaging event. code: what happens; kills: of a burst."""

    code: str
    threat: str
    name: str = ""
    condition: int = GOOD
    kills: int = 0


@dataclass
class Paths:
    """Active paths. `condition` (shards, paths); `born` and `due` likewise, or None where no clock
    needs them. `log_weight` is the log of the likelihood ratio so far, `number` the path's own."""

    condition: np.ndarray
    born: np.ndarray | None
    due: np.ndarray | None
    now: np.ndarray
    horizon: np.ndarray
    log_weight: np.ndarray
    number: np.ndarray

    def __len__(self) -> int:
        return self.now.size

    def take(self, which: np.ndarray) -> Paths:
        if which.dtype == bool:
            which = np.flatnonzero(which)
        return Paths(
            # np.take keeps rows contiguous, which plain indexing does not.
            np.take(self.condition, which, axis=1),
            None if self.born is None else np.take(self.born, which, axis=1),
            None if self.due is None else np.take(self.due, which, axis=1),
            self.now[which], self.horizon[which], self.log_weight[which], self.number[which],
        )


@dataclass
class Losses:
    """What a step lost: path numbers, their log weights (already including the chance of this
    loss) and the blow's key (`Engine.blow`)."""

    number: np.ndarray
    log_weight: np.ndarray
    key: np.ndarray


class Engine:
    """The model of one unit (a stripe or a disk set) for the event loop."""

    def __init__(self, scheme: Scheme, faults: StripeFaults):
        self.scheme = scheme
        self.faults = faults
        self.top_bias = 1.0 - 0.5 / (1.0 + scheme.parity_shards)
        self.shards = scheme.shards
        lifetime = faults.lifetime
        self.ageing = lifetime is not None and not isinstance(lifetime, Exponential)
        self.lifetime = lifetime
        self.repair_clock = None if isinstance(faults.repair_clock, Exponential) else (
            faults.repair_clock)
        self.scrub_clock = None if isinstance(faults.scrub_clock, Exponential) else (
            faults.scrub_clock)
        self.scheduled = self.repair_clock is not None or self.scrub_clock is not None
        self.repair_rates = np.array(
            [0.0] + [faults.repair(i) for i in range(1, self.shards + 1)]
        ) / HOURS_PER_YEAR
        self.kinds, self.kind_rates = self._damage()
        self.hidden_conditions = [
            condition for condition in (LATENT, BURIED, WRONG, BURIED_WRONG)
            if self._can_be(condition)
        ]
        self.mending_events = self._mending_events()
        self.event_of_choice = np.array([*self.mending_events, NOTHING])
        self.misled_table = self._misled()
        self.class_rows = [np.array(members, dtype=np.intp) for members in scheme.classes]
        self.radix: list[int] = []
        self.decodes = self._decoding()
        self.unreadable_table = self._unreadable()

    # -- tables --------------------------------------------------------------------------------

    def _damage(self) -> tuple[list[_Kind], list[np.ndarray | float]]:
        """Kinds of damage; the rate per hour is per good shard, or for bursts by the number of
        shards present. The first kind is the failure of a disk."""
        faults = self.faults
        buried = faults.buried_share
        kinds = [_Kind("failure", "disk failures")]
        rates: list[np.ndarray | float] = [faults.failure / HOURS_PER_YEAR]
        for threat, rate, condition in (
            ("latent errors", faults.latent * (1 - buried), LATENT),
            ("latent errors", faults.latent * buried, BURIED),
            ("silent corruption", faults.silent * (1 - buried), WRONG),
            ("silent corruption", faults.silent * buried, BURIED_WRONG),
        ):
            if rate:
                kinds.append(_Kind("hidden", threat, condition=condition))
                rates.append(rate / HOURS_PER_YEAR)
        for burst in faults.bursts:
            for kills in range(1, burst.at_risk + 1):
                by_present = np.array([
                    kill_probability(self.shards, present, burst.at_risk, burst.probability, kills)
                    for present in range(self.shards + 1)
                ])
                kinds.append(_Kind("burst", "operator" if burst.operator else "bursts",
                                   burst.name, kills=kills))
                rates.append(burst.events_per_year / HOURS_PER_YEAR * by_present)
        fatal = faults.migrations * faults.skip_verification * faults.early_reclaim
        if fatal and faults.silent:
            kinds.append(_Kind("migration", "operator", MIGRATION))
            rates.append(fatal / HOURS_PER_YEAR)
        return kinds, rates

    def _can_be(self, condition: int) -> bool:
        if any(kind.condition == condition for kind in self.kinds if kind.code == "hidden"):
            return True
        return condition == WRONG and not self.faults.checksums and self.faults.silent > 0.0

    def _misled(self) -> np.ndarray:
        """[good, wrong] → probability that a trusting reader picks a wrong source."""
        size, sources = self.shards + 1, self.scheme.data_shards
        table = np.zeros((size, size))
        for good in range(size):
            for wrong in range(1, size):
                ways = math.comb(good + wrong, sources)
                table[good, wrong] = 1.0 - math.comb(good, sources) / ways if ways else 1.0
        return table

    def _unreadable(self) -> np.ndarray:
        """[bad counts in mixed radix] → probability that a repair cannot read enough."""
        if not self.faults.read_failure:
            return np.zeros(self.decodes.size)
        return np.array([unreadable_probability(self.scheme, counts, self.faults)
                         for counts in self._class_counts()])

    def _class_counts(self) -> Iterator[tuple[int, ...]]:
        """Every vector of bad shards per class, in the order of its mixed-radix index."""
        sizes = [len(members) for members in self.scheme.classes]
        for index in range(math.prod(size + 1 for size in sizes)):
            yield tuple((index // step) % (size + 1)
                        for step, size in zip(self.radix, sizes, strict=True))

    def _index(self, bad: np.ndarray) -> np.ndarray:
        """(shards, paths) flags → mixed-radix index of their counts per class."""
        if len(self.class_rows) == 1:
            return _set(bad)
        return sum(step * _set(bad[rows]).astype(np.intp)
                   for step, rows in zip(self.radix, self.class_rows, strict=True))

    def _decoding(self) -> np.ndarray:
        """[bad counts in mixed radix] → whether they decode."""
        sizes = [len(members) for members in self.scheme.classes]
        total = math.prod(size + 1 for size in sizes)
        if total > TABLE_LIMIT:
            raise InvalidParameter(
                f"{self.scheme}: {total} loss patterns; at most {TABLE_LIMIT} are tabulated"
            )
        self.radix = [math.prod(size + 1 for size in sizes[:place]) for place in range(len(sizes))]
        return np.array([self.scheme.survives_counts(counts) for counts in self._class_counts()])

    # -- blows ---------------------------------------------------------------------------------

    def blow(self, key: int) -> Blow:
        """The last blow behind a key."""
        base = self.shards + 1
        kind, rest = divmod(int(key), base * base)
        missing, hidden = divmod(rest, base)
        if kind == len(self.kinds):
            return Blow("latent errors", ON_READING, missing, hidden)
        if self.kinds[kind].name:
            return Blow(self.kinds[kind].threat, self.kinds[kind].name)
        return Blow(self.kinds[kind].threat, "", missing, hidden)

    def _key(self, kind: np.ndarray | int, condition: np.ndarray) -> np.ndarray:
        base = self.shards + 1
        missing = _set(condition == MISSING).astype(np.intp)
        hidden = _set(condition > MISSING).astype(np.intp)
        return (kind * base + missing) * base + hidden

    # -- paths ---------------------------------------------------------------------------------

    def pristine(self, count: int, horizon: np.ndarray, aged: np.random.Generator | None = None
                 ) -> Paths:
        """`count` all-good paths at time 0; `aged` draws the ages of a fleet in equilibrium."""
        shape = (self.shards, count)
        born = None
        if self.ageing:
            born = np.zeros(shape) if aged is None else -self.lifetime.sample_age(aged, shape)
        return Paths(
            np.zeros(shape, dtype=np.int8), born,
            np.full(shape, NEVER) if self.scheduled else None,
            np.zeros(count), np.array(horizon, dtype=float), np.zeros(count), np.arange(count),
        )

    def is_lost(self, condition: np.ndarray) -> np.ndarray:
        """(paths,) whether the shards that are not good are too many."""
        bad = condition != GOOD
        if not self.faults.hidden_adds:
            missing = condition == MISSING
            index = _set(missing) + (bad & ~missing).any(axis=0)
            return ~self.decodes[index]
        return ~self.decodes[self._index(bad)]

    def damage_rates(self, paths: Paths, counts: dict[int, np.ndarray],
                     at: np.ndarray | None = None, out: np.ndarray | None = None) -> np.ndarray:
        """(kinds, paths) rates per hour; ageing disks by their hazard at time `at`."""
        present = self.shards - counts[MISSING]
        rates = np.empty((len(self.kinds), len(paths))) if out is None else out
        for row, (kind, rate) in enumerate(zip(self.kinds, self.kind_rates, strict=True)):
            if kind.code == "failure":
                if self.ageing:
                    hazard = self.lifetime.hazard((paths.now if at is None else at) - paths.born)
                    rates[row] = np.where(paths.condition != MISSING, hazard, 0.0).sum(axis=0)
                else:
                    np.multiply(present, rate, out=rates[row])
            elif kind.code == "hidden":
                np.multiply(counts[GOOD], rate, out=rates[row])
            elif kind.code == "burst":
                rates[row] = rate[present]
            else:
                rates[row] = rate * self._misled_now(counts)
        return rates

    def _misled_now(self, counts: dict[int, np.ndarray]) -> np.ndarray:
        return self.misled_table[counts[GOOD], counts[WRONG] + counts[BURIED_WRONG]]

    def count(self, condition: np.ndarray) -> dict[int, np.ndarray]:
        """Shards per condition, each (paths,)."""
        nothing = np.zeros(condition.shape[1], dtype=np.uint8)
        counts = dict.fromkeys(range(6), nothing)
        bad = counts[MISSING] = _set(condition == MISSING)
        for hidden in self.hidden_conditions:
            counts[hidden] = _set(condition == hidden)
            bad = bad + counts[hidden]
        counts[GOOD] = (self.shards - bad).astype(np.uint8)
        return counts

    def _mending_events(self) -> list[int]:
        """The memoryless ways to mend that this model has (numbers as in `_mend`)."""
        faults = self.faults
        scrubbed = self.scrub_clock is None and faults.scrub_rate > 0.0
        present = {
            REPAIR: self.repair_clock is None,
            SCRUB_LATENT: scrubbed and LATENT in self.hidden_conditions,
            SCRUB_WRONG: scrubbed and faults.checksums and WRONG in self.hidden_conditions,
            MIGRATE: faults.migrations > 0.0,
        }
        return [event for event, is_present in present.items() if is_present]

    def _fill_mending(self, rates: np.ndarray, counts: dict[int, np.ndarray]) -> np.ndarray:
        """Rates per hour of `self.mending_events`, into the rows of `rates`."""
        faults = self.faults
        for row, event in zip(rates, self.mending_events, strict=True):
            if event == REPAIR:
                np.take(self.repair_rates, counts[MISSING], out=row)
            elif event == MIGRATE:
                row[:] = faults.migrations / HOURS_PER_YEAR * (
                    1.0 - faults.skip_verification * self._misled_now(counts))
            else:
                found = counts[LATENT if event == SCRUB_LATENT else WRONG]
                np.multiply(found, faults.scrub_rate / HOURS_PER_YEAR, out=row)
        return rates

    # -- one step ------------------------------------------------------------------------------

    def force(self, paths: Paths, random: np.random.Generator) -> tuple[Paths, Losses]:
        """Makes a fault happen now in all-good paths. The log weight gains the log of
        rate/probability (per hour), the density of a fault just now."""
        rates = self.damage_rates(paths, self.count(paths.condition))
        possible = rates.any(axis=0)  # before its location a Weibull disk cannot fail
        if not possible.all():
            paths, rates = paths.take(possible), rates[:, possible]
        chance = self._proposal(rates)
        kind = _choose(chance, random)
        everyone = np.arange(len(paths))
        paths.log_weight += np.log(rates[kind, everyone] / chance[kind, everyone])
        if self.ageing:
            self._weigh_slot(paths, everyone[kind == 0], rates, random)
            others = everyone[kind != 0]
            self._strike(paths, others, kind[others], random)
        else:
            self._strike(paths, everyone, kind, random)
        gone = self._lost_among(paths, everyone)
        losses = self._losses(paths, gone, kind)
        on = np.ones(len(paths), dtype=bool)
        on[gone] = False
        return paths.take(on), losses

    def _proposal(self, rates: np.ndarray) -> np.ndarray:
        """A quarter balanced over the kinds that can happen, the rest by their rates."""
        possible = rates > 0.0
        total = rates.sum(axis=0)
        safe = np.where(total > 0.0, total, 1.0)
        return 0.25 * possible / np.maximum(possible.sum(axis=0), 1) + 0.75 * rates / safe

    def _weigh_slot(self, paths: Paths, which: np.ndarray, rates: np.ndarray,
                    random: np.random.Generator) -> None:
        """A disk, evenly drawn among those present, fails now; the weight, which holds the total
        hazard in `rates`, is corrected to this disk's own."""
        slot = _nth(np.take(paths.condition, which, axis=1) != MISSING, random)
        present = _set(paths.condition[:, which] != MISSING)
        hazard = self.lifetime.hazard(paths.now[which] - paths.born[slot, which])
        with np.errstate(divide="ignore"):  # a disk that cannot fail yet: weight zero
            paths.log_weight[which] += np.log(hazard * present / rates[0, which])
        self._lose_shard(paths, which, slot, random)

    def step(self, paths: Paths, random: np.random.Generator, biased: bool
             ) -> tuple[Paths, Losses]:
        """Every path's next event. Returns the paths that go on (neither lost nor at their
        horizon) and what was lost."""
        counts = self.count(paths.condition)
        limit = paths.horizon - paths.now
        if paths.due is not None:
            # What is due together with what was done last may lie a rounding before now.
            limit = np.maximum(np.minimum(limit, paths.due.min(axis=0) - paths.now), 0.0)
        move = self._biased if biased else self._plain
        kind, event = move(paths, counts, limit, random)
        unread = self._mend(paths, event, random, biased)
        gone = self._lost_among(paths, np.flatnonzero(kind >= 0))
        lost = self._losses(paths, gone, kind)
        keep = paths.now < paths.horizon
        keep[gone] = False
        if unread is not None and unread.number.size:
            lost = Losses(np.concatenate([lost.number, unread.number]),
                          np.concatenate([lost.log_weight, unread.log_weight]),
                          np.concatenate([lost.key, unread.key]))
            if not biased:  # biased paths go on with the weight of what was read
                keep &= ~np.isin(paths.number, unread.number)
        return (paths if keep.all() else paths.take(keep)), lost

    def _plain(self, paths, counts, limit, random):
        kinds = len(self.kinds)
        rates = np.empty((kinds + len(self.mending_events), len(paths)))
        # A hazard that grows with age is largest at the horizon: the uniformisation bound.
        self.damage_rates(paths, counts, paths.horizon if self.ageing else None, rates[:kinds])
        self._fill_mending(rates[kinds:], counts)
        total = rates.sum(axis=0)
        with np.errstate(divide="ignore"):
            wait = random.standard_exponential(len(paths)) / total
        happens = wait < limit
        paths.now += np.where(happens, wait, limit)
        choice = _choose(rates, random)
        kind = np.where(happens & (choice < kinds), choice, -1)
        # Index −1 of the table is NOTHING, so damage maps there.
        event = self.event_of_choice[np.maximum(choice - kinds, -1)]
        event[~happens] = TIMED
        if self.ageing:
            failing = np.flatnonzero(kind == 0)
            self._thin(paths, failing, random)
            others = np.flatnonzero(kind > 0)
            self._strike(paths, others, kind[others], random)
        else:
            which = np.flatnonzero(kind >= 0)
            self._strike(paths, which, kind[which], random)
        return kind, event

    def _thin(self, paths: Paths, which: np.ndarray, random: np.random.Generator) -> None:
        """A tick of the bounding clock: some disk, drawn by its bound, fails with probability
        hazard/bound."""
        condition = paths.condition[:, which]
        bound = np.where(condition != MISSING,
                         self.lifetime.hazard(paths.horizon[which] - paths.born[:, which]), 0.0)
        slot = _choose(bound / bound.sum(axis=0), random)
        hazard = self.lifetime.hazard(paths.now[which] - paths.born[slot, which])
        accepted = random.random(which.size) * bound[slot, np.arange(which.size)] < hazard
        self._lose_shard(paths, which[accepted], slot[accepted], random)

    def _biased(self, paths, counts, limit, random):
        # Ageing hazards by their value at the end of the step, the largest: a proposal only, but
        # one that must be above zero wherever a failure can come before the limit.
        damage = self.damage_rates(paths, counts, paths.now + limit if self.ageing else None)
        mending = self._fill_mending(np.empty((len(self.mending_events), len(paths))), counts)
        damage_total = damage.sum(axis=0)
        mend_total = mending.sum(axis=0)
        # The share of damage among the next events without biasing, roughly.
        natural = damage_total / (damage_total + mend_total + 1.0 / np.maximum(limit, 1e-9))
        # The straight way to a loss should be likely, so ρ grows with its length; but each repair
        # costs a factor 1/(1 − ρ) in weight, which only pays while repairs are much the likelier
        # event. Where damage is the likelier one anyway, biasing must not hold it back.
        rho = np.clip(1.0 - 4.0 * natural, 0.5, self.top_bias)
        rho = np.where(damage_total > 0.0, np.clip(natural, rho, 0.99), 0.0)
        fails = random.random(len(paths)) < rho
        # Waiting time as if only mending went on: for a failure, given that it comes before the
        # limit; else cut at the limit.
        within = -np.expm1(-mend_total * limit)
        # (1 − e^(−R·limit))/R, which is the limit itself for R → 0.
        slow = mend_total * limit < 1e-12
        scale = np.where(slow, limit, within / np.where(slow, 1.0, mend_total))
        u = random.random(len(paths))
        safe_total = np.where(mend_total > 0.0, mend_total, 1.0)
        failing_wait = np.where(slow, u * limit, -np.log1p(-u * within) / safe_total)
        mending_wait = np.where(mend_total > 0.0,
                                random.standard_exponential(len(paths)) / safe_total, NEVER)
        reached = ~fails & (mending_wait >= limit)
        wait = np.where(fails, np.minimum(failing_wait, limit), np.minimum(mending_wait, limit))
        if self.ageing:
            ages = paths.now - paths.born
            grown = self.lifetime.cumulative_hazard(ages + wait) - (
                self.lifetime.cumulative_hazard(ages))
            exposure = np.where(paths.condition != MISSING, grown, 0.0).sum(axis=0)
            exposure += damage[1:].sum(axis=0) * wait
        else:
            exposure = damage_total * wait
        paths.log_weight -= exposure
        paths.now += wait
        chance = self._proposal(damage)
        choice = _choose(chance, random)
        kind = np.where(fails, choice, -1)
        paths.log_weight -= np.where(fails, np.log(np.where(fails, rho, 1.0)), np.log1p(-rho))
        which = np.flatnonzero(fails)
        chosen = kind[which]
        with np.errstate(divide="ignore"):  # no failure comes before what is due now: weight zero
            paths.log_weight[which] += np.log(
                damage[chosen, which] * scale[which] / chance[chosen, which]
            )
        if self.ageing:
            self._weigh_slot(paths, which[chosen == 0], damage, random)
            which = which[chosen != 0]
            chosen = kind[which]
        self._strike(paths, which, chosen, random)
        event = np.full(len(paths), TIMED)
        if self.mending_events:
            event = np.where(reached, TIMED, self.event_of_choice[_choose(mending, random)])
        event[fails] = NOTHING
        return kind, event

    # -- damage --------------------------------------------------------------------------------

    def _strike(self, paths: Paths, which: np.ndarray, kind: np.ndarray,
                random: np.random.Generator) -> None:
        """The chosen kind of damage to shards drawn evenly among those it can strike."""
        for number, what in enumerate(self.kinds):
            hit = which[kind == number]
            if not hit.size:
                continue
            if what.code == "failure":
                slot = _nth(np.take(paths.condition, hit, axis=1) != MISSING, random)
                self._lose_shard(paths, hit, slot, random)
            elif what.code == "hidden":
                slot = _nth(np.take(paths.condition, hit, axis=1) == GOOD, random)
                paths.condition[slot, hit] = what.condition
                found = what.condition == LATENT or (
                    what.condition == WRONG and self.faults.checksums)
                if found and self.scrub_clock is not None:
                    paths.due[slot, hit] = paths.now[hit] + self.scrub_clock.sample(
                        random, hit.size)
            elif what.code == "burst":
                for _ in range(what.kills):
                    slot = _nth(np.take(paths.condition, hit, axis=1) != MISSING, random)
                    self._lose_shard(paths, hit, slot, random)
            else:
                # A wrong source copied over everything and the truth reclaimed: no shard is good.
                readable = paths.condition[:, hit] != MISSING
                paths.condition[:, hit] = np.where(readable, WRONG, MISSING)

    def _lose_shard(self, paths: Paths, which: np.ndarray, slot: np.ndarray,
                    random: np.random.Generator) -> None:
        """The shard goes missing and the repair clock starts; the replacement disk is new."""
        if paths.born is not None:
            paths.born[slot, which] = paths.now[which]
        self._miss(paths, which, slot, random)

    def _miss(self, paths: Paths, which: np.ndarray, slot: np.ndarray,
              random: np.random.Generator) -> None:
        if paths.due is not None:
            due = np.full(which.size, NEVER)
            if self.repair_clock is not None:
                due = paths.now[which] + self.repair_clock.sample(random, which.size)
                if self.faults.joint:
                    # One pass rebuilds all: a shard that goes missing joins the pass under way.
                    underway = np.where(paths.condition[:, which] == MISSING,
                                        paths.due[:, which], NEVER).min(axis=0)
                    due = np.minimum(due, underway)
            paths.due[slot, which] = due
        paths.condition[slot, which] = MISSING

    def _lost_among(self, paths: Paths, which: np.ndarray) -> np.ndarray:
        """Those of the paths `which` that are lost now."""
        return which[self.is_lost(np.take(paths.condition, which, axis=1))]

    def _losses(self, paths: Paths, gone: np.ndarray, kind: np.ndarray) -> Losses:
        return Losses(paths.number[gone], paths.log_weight[gone],
                      self._key(kind[gone], np.take(paths.condition, gone, axis=1)))

    # -- mending -------------------------------------------------------------------------------

    def _mend(self, paths: Paths, event: np.ndarray, random: np.random.Generator, biased: bool
              ) -> Losses | None:
        """event: per path, REPAIR … TIMED or NOTHING."""
        losses = None
        repaired = np.flatnonzero(event == REPAIR)
        slots = None
        if repaired.size:
            slots = _nth(np.take(paths.condition, repaired, axis=1) == MISSING, random)
        timed = np.flatnonzero(event == TIMED) if paths.due is not None else repaired[:0]
        if timed.size:
            slot = paths.due[:, timed].argmin(axis=0)
            # A due time is only reached when it is now; else this is the horizon.
            reached = paths.due[slot, timed] <= paths.now[timed] + CLOCK_ROUNDING_HOURS
            timed, slot = timed[reached], slot[reached]
            missing = paths.condition[slot, timed] == MISSING
            self._found(paths, timed[~missing], slot[~missing], random)
            if missing.any():
                timed_slots = slot[missing]
                slots = timed_slots if slots is None else np.concatenate([slots, timed_slots])
                repaired = np.concatenate([repaired, timed[missing]])
        for scrub, condition in ((SCRUB_LATENT, LATENT), (SCRUB_WRONG, WRONG)):
            if scrub not in self.mending_events:
                continue
            which = np.flatnonzero(event == scrub)
            if which.size:
                slot = _nth(np.take(paths.condition, which, axis=1) == condition, random)
                self._found(paths, which, slot, random)
        moved = np.flatnonzero(event == MIGRATE)
        if moved.size:
            paths.condition[:, moved] = GOOD
            if paths.due is not None:
                paths.due[:, moved] = NEVER
        if repaired.size:
            losses = self._repair(paths, repaired, slots, random, biased)
        return losses

    def _found(self, paths: Paths, which: np.ndarray, slot: np.ndarray,
               random: np.random.Generator) -> None:
        """A scrub found a hidden fault: in a stripe the shard is now missing, on a whole disk the
        block is rewritten."""
        if self.faults.hidden_adds:
            self._miss(paths, which, slot, random)
        else:
            paths.condition[slot, which] = GOOD
            if paths.due is not None:
                paths.due[slot, which] = NEVER

    def _repair(self, paths: Paths, which: np.ndarray, slot: np.ndarray,
                random: np.random.Generator, biased: bool) -> Losses | None:
        losses = None
        counts = self.count(np.take(paths.condition, which, axis=1))
        if self.faults.read_failure:
            condition = paths.condition[:, which]
            bad = condition != GOOD if self.faults.hidden_adds else condition == MISSING
            lost = self.unreadable_table[self._index(bad)]
            key = self._key(len(self.kinds), condition)
            if biased:
                # The chance of not finding enough readable shards is counted, not drawn.
                with np.errstate(divide="ignore"):  # certain either way: weight zero for the other
                    log_lost, log_read = np.log(lost), np.log1p(-lost)
                losses = Losses(paths.number[which], paths.log_weight[which] + log_lost, key)
                paths.log_weight[which] += log_read
            else:
                drawn = random.random(which.size) < lost
                losses = Losses(paths.number[which[drawn]], paths.log_weight[which[drawn]],
                                key[drawn])
        target = np.full(which.size, GOOD, dtype=np.int8)
        if not self.faults.checksums and self.faults.silent:
            misled = random.random(which.size) < self._misled_now(counts)
            target[misled] = WRONG
        if self.faults.joint:
            missing = paths.condition[:, which] == MISSING
            paths.condition[:, which] = np.where(missing, target, paths.condition[:, which])
            if paths.due is not None:
                paths.due[:, which] = np.where(missing, NEVER, paths.due[:, which])
        else:
            paths.condition[slot, which] = target
            if paths.due is not None:
                paths.due[slot, which] = NEVER
        return losses


def _choose(chance: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """(rows, paths) weights → a row per path, drawn in proportion."""
    # A hair below the sum, so that rounding never picks a last row of weight zero.
    point = random.random(chance.shape[1]) * chance.sum(axis=0) * (1.0 - 4e-16)
    running = np.zeros(chance.shape[1])
    row = np.zeros(chance.shape[1], dtype=np.intp)
    for part in chance[:-1]:
        running += part
        row += running <= point
    return row


def _nth(mask: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A slot per path, evenly drawn among those where `mask` (shards, paths) is set. Row by row in
    bytes: a cumulative sum along the short axis is several times slower."""
    place = (random.random(mask.shape[1]) * _set(mask)).astype(np.uint8)
    running = np.zeros(mask.shape[1], dtype=np.uint8)
    slot = np.zeros(mask.shape[1], dtype=np.uint8)
    for row in mask.view(np.uint8):
        running += row
        slot += (running <= place).view(np.uint8)
    return slot


def _set(mask: np.ndarray) -> np.ndarray:
    """How many shards are set per path, as bytes (a stripe has at most 256 shards, one good)."""
    return np.add.reduce(mask.view(np.uint8), axis=0, dtype=np.uint8)
