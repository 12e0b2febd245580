"""A claim of so many nines, put to the test: the verdict, the budget of threats, and what would
earn the claim.

The verdict is about *expected loss of objects* unless another unit is named, from a stationary
fleet over one year, and it respects what the inputs can carry: PASS when the whole interval of the
inputs keeps the claim, FAIL when none of it does, NOT DEMONSTRABLE when it straddles the claim.
Where a clock is not exponential the chain takes it by its mean; the interval is then wider by
`CLOCK_FACTOR` each way.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from reed.errors import InvalidParameter

from .fleet import Fleet, Scrub
from .model import Outcome, evaluate
from .result import HOURS_PER_YEAR, Estimate, Interval, human_bytes, nines_of, whole_nines
from .schemes import LocalReconstruction, ReedSolomon, Replication, Scheme
from .uncertainty import input_interval

PASS, FAIL, NOT_DEMONSTRABLE = "PASS", "FAIL", "NOT DEMONSTRABLE"
UNITS = ("object", "disk_set", "fleet")

# How far the chain is trusted where clocks enter by their mean. The worst measured is a factor
# of 24 (5 copies, joint repair after exactly 24 h), against simulation.
CLOCK_FACTOR = 100.0

# Losses are exact to some 1e-14, so a smaller difference of two of them is noise.
SAVING_ROUNDING = 1e-12

# How far a search for a repair time or a scrub interval goes. What holds at the far end may hold
# beyond, and the remedy's text says so.
SHORTEST_REPAIR_HOURS = 0.01
LONGEST_REPAIR_OVER_NOW = 100.0
SHORTEST_SCRUB_HOURS, LONGEST_SCRUB_HOURS = 0.1, 10 * HOURS_PER_YEAR

STATED = "at the stated values, not over their ranges"

UNIT_WORDS = {
    "object": "expected share of objects lost",
    "disk_set": "probability of losing some block on one set of disks",
    "fleet": "probability of any loss in the fleet",
}


@dataclass(frozen=True)
class BudgetLine:
    """One threat. All values are annual loss probabilities of the claim's unit.

    only:      with every other threat switched off
    without:   with this one switched off
    last_blow: what this threat struck last (for objects; these add up to the loss)
    orders_over_claim: log10(share this threat is answerable for / allowed loss), where the share
        is the larger of `only` and what switching it off removes; above 0 breaks the claim alone
    """

    threat: str
    only: float
    without: float
    last_blow: float
    orders_over_claim: float


@dataclass(frozen=True)
class Remedy:
    """A change that, alone, earns the claim, or the statement that it cannot. `value` is the
    needed input; None where no value does. Every other input stands at its value, not anywhere in
    its range as in the verdict: `text` says so where there are ranges."""

    change: str
    value: float | str | None
    loss: float
    text: str

    @property
    def earns(self) -> bool:
        return self.value is not None


@dataclass(frozen=True)
class Verdict:
    """The answer to "does this scheme on this fleet keep `nines` nines a year?"."""

    verdict: str
    nines: float
    unit: str
    estimate: Estimate
    outcome: Outcome
    budget: tuple[BudgetLine, ...]
    remedies: tuple[Remedy, ...]

    @property
    def allowed(self) -> float:
        return 10.0**-self.nines

    @property
    def breaking(self) -> tuple[BudgetLine, ...]:
        """The threats that break the claim alone, the worst first."""
        return tuple(sorted((line for line in self.budget if line.orders_over_claim > 0.0),
                            key=lambda line: -line.orders_over_claim))


def claim(nines: float, scheme: Scheme, fleet: Fleet, unit: str = "object",
          remedies: bool = True) -> Verdict:
    """Tests the claim that the annual loss probability of `unit` is at most 10^−`nines`."""
    if not (isinstance(nines, (int, float)) and 0.0 < nines <= 40.0):
        raise InvalidParameter(f"nines = {nines!r}: allowed is above 0, at most 40")
    if unit not in UNITS:
        raise InvalidParameter(f"unit = {unit!r}: allowed is one of {', '.join(UNITS)}")
    outcome = evaluate(scheme, fleet)
    interval = input_interval(scheme, fleet, unit)
    estimate = _estimate(outcome, unit, interval)
    return Verdict(
        verdict=_verdict(nines, estimate, interval, _exponential(scheme, fleet)),
        nines=float(nines),
        unit=unit,
        estimate=estimate,
        outcome=outcome,
        budget=_budget(nines, scheme, fleet, unit, outcome),
        remedies=_remedies(nines, scheme, fleet, unit) if remedies else (),
    )


def _keeps(nines: float, loss: float) -> bool:
    # The same forgiveness at the edge as the integer count of nines: 1e-10 is ten nines.
    return whole_nines(nines_of(loss) - nines) >= 0.0


def _exponential(scheme: Scheme, fleet: Fleet) -> bool:
    """Whether the chain is exact, with no clock taken by its mean."""
    return fleet.stripe_faults(scheme).exponential


def _verdict(nines: float, estimate: Estimate, interval: Interval | None, exact: bool) -> str:
    low, high = estimate.probability, estimate.probability
    if interval is not None:
        low, high = interval.low, interval.high
    if not exact:
        low, high = low / CLOCK_FACTOR, min(1.0, high * CLOCK_FACTOR)
    if _keeps(nines, high):
        return PASS
    return FAIL if not _keeps(nines, low) else NOT_DEMONSTRABLE


def _estimate(outcome: Outcome, unit: str, interval: Interval | None) -> Estimate:
    fleet, scheme = outcome.fleet, outcome.scheme
    loss = outcome.loss(unit)
    names = {
        "object": "one object" if fleet.object_bytes is None
        else f"one object of {human_bytes(fleet.object_bytes)}",
        "disk_set": f"some block on one set of {scheme.shards} disks",
        "fleet": f"any stripe of a fleet of {fleet.disks} disks",
    }
    return Estimate(
        probability=loss,
        log10_loss=math.log10(loss) if loss > 0.0 else -math.inf,
        years=1.0,
        of=names[unit],
        faults=fleet.threats(),
        start="stationary",
        convention=fleet.convention(scheme),
        method=("exact Markov chain of one stripe" if _exponential(scheme, fleet) else
                "Markov chain of one stripe, clocks by their mean: approximate, trusted within "
                f"a factor of {CLOCK_FACTOR:g}") + ", spread by what is shared",
        mttdl_years=1.0 / -math.log1p(-loss) if 0.0 < loss < 1.0 else None,
        inputs=interval,
    )


def _budget(nines: float, scheme: Scheme, fleet: Fleet, unit: str, outcome: Outcome
            ) -> tuple[BudgetLine, ...]:
    allowed = 10.0**-nines
    total = outcome.loss(unit)
    lines = []
    for threat in fleet.threats():
        only = evaluate(scheme, fleet.only(threat)).loss(unit)
        without = evaluate(scheme, fleet.without(threat)).loss(unit)
        share = answerable(total, only, without)
        lines.append(BudgetLine(
            threat, only, without, outcome.by_threat[threat],
            math.log10(share / allowed) if share > 0.0 else -math.inf,
        ))
    return tuple(lines)


def answerable(total: float, only: float, without: float) -> float:
    """The loss that a threat is answerable for: the larger of what it does alone and what its
    absence saves. A saving within the rounding of the two losses counts as none."""
    saved = total - without
    return max(only, saved if saved > SAVING_ROUNDING * total else 0.0)


# -- what would earn it ------------------------------------------------------------------------

Change = Callable[[float], Fleet]


def _largest(keeps: Callable[[float], bool], low: float, high: float) -> float | None:
    """The largest value in [low, high] that keeps the claim, by bisection of the logarithm; None
    if `low` does not. The claim must be monotone in the value."""
    if not keeps(low):
        return None
    if keeps(high):
        return high
    for _ in range(24):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if keeps(middle) else (low, middle)
    return low


def with_repair_hours(fleet: Fleet, hours: float) -> Fleet:
    """The same fleet with this mean time from failure to repaired, all included: also what outages
    add. A shared budget becomes what it is for a stripe, one shard after the other."""
    mode = "serial" if fleet.repair.mode == "shared" else fleet.repair.mode
    return replace(fleet.with_values({}), outages=None,
                   repair=replace(fleet.repair, detection_hours=0.0, queueing_hours=0.0,
                                  transfer_hours=hours, bytes_per_second=None,
                                  codec_bytes_per_second=None, clock=None, mode=mode))


def with_scrub_hours(fleet: Fleet, hours: float) -> Fleet:
    """The same fleet with checksums, scrubbed at this interval."""
    scrub = replace(fleet.scrub, interval_hours=hours, clock=None) if fleet.scrub else Scrub(hours)
    return replace(fleet.with_values({}), scrub=scrub, checksums=True)


def hardened(fleet: Fleet) -> Fleet:
    """The same fleet with verification never skipped, sources kept, and checksums read."""
    migration = fleet.migration and replace(fleet.migration, skip_verification=0.0,
                                            early_reclaim=0.0)
    return replace(fleet.with_values({}), migration=migration, checksums=True)


def _remedies(nines: float, scheme: Scheme, fleet: Fleet, unit: str) -> tuple[Remedy, ...]:
    found = []

    def loss(candidate: Scheme, changed: Fleet) -> float:
        return evaluate(candidate, changed).loss(unit)

    now = fleet.repair_hours(scheme)
    longest = LONGEST_REPAIR_OVER_NOW * now
    value = _largest(lambda hours: _keeps(nines, loss(scheme, with_repair_hours(fleet, hours))),
                     SHORTEST_REPAIR_HOURS, longest)
    shown = with_repair_hours(fleet, SHORTEST_REPAIR_HOURS if value is None else value)
    if value is None:
        text = f"no repair is fast enough: even {SHORTEST_REPAIR_HOURS * 3600:g} s does not earn it"
    else:
        more = " or even more" if value == longest else ""
        met = ": already met" if value >= now else ""
        text = f"repair within {value:.3g} h{more} of the failure (now {now:.3g} h){met}"
    found.append(Remedy("repair time", value, loss(scheme, shown), text))
    if fleet.latent_errors or fleet.read_errors or fleet.silent_corruption:
        interval = fleet.scrub.interval_hours if fleet.scrub else None
        value = _largest(lambda hours: _keeps(nines, loss(scheme, with_scrub_hours(fleet, hours))),
                         SHORTEST_SCRUB_HOURS, LONGEST_SCRUB_HOURS)
        shown = with_scrub_hours(fleet, SHORTEST_SCRUB_HOURS if value is None else value)
        current = f"now {interval:.3g} h" if interval else "now never"
        if value is None:
            text = f"no scrub interval alone earns it ({current})"
        elif value == LONGEST_SCRUB_HOURS:
            text = f"checksums and a scrub every ten years or even less often ({current})"
        else:
            text = f"checksums and a scrub every {value:.4g} h ({current})"
        found.append(Remedy("scrub interval", value, loss(scheme, shown), text))
    if fleet.migration or not fleet.checksums:
        after = loss(scheme, hardened(fleet))
        keeps = _keeps(nines, after)
        text = "verification always on, the source kept until verified again, checksums read"
        found.append(Remedy("operations", "verify and retain" if keeps else None, after,
                            text if keeps else f"{text}: not enough alone"))
    found.append(_other_code(nines, scheme, fleet, loss))
    if not any(remedy.earns for remedy in found):
        found.append(_together(nines, scheme, fleet, loss))
    if fleet.ranges:
        found = [replace(remedy, text=f"{remedy.text} ({STATED})") if remedy.earns else remedy
                 for remedy in found]
    return tuple(found)


def _together(nines: float, scheme: Scheme, fleet: Fleet, loss: Callable[[Scheme, Fleet], float]
              ) -> Remedy:
    """Where nothing helps alone: sound operations, a weekly scrub and the leanest code that then
    suffices."""
    interval = min(168.0, fleet.scrub.interval_hours) if fleet.scrub else 168.0
    best = with_scrub_hours(hardened(fleet), interval)
    last = loss(scheme, best)
    for candidate in [scheme, *more_parity(scheme)]:
        if not fleet.fits(candidate):
            break
        last = loss(candidate, best)
        if _keeps(nines, last):
            return Remedy("all together", str(candidate), last,
                          f"verification always on, sources retained, a scrub every "
                          f"{interval:g} h, and {candidate}")
    return Remedy("all together", None, last, "sound operations, a weekly scrub and more "
                  "redundancy together do not earn it: bursts and other shared faults remain")


def more_parity(scheme: Scheme) -> list[Scheme]:
    """The same data shards with more and more redundancy."""
    if isinstance(scheme, Replication):
        return [Replication(copies) for copies in range(scheme.copies + 1, 9)]
    if isinstance(scheme, LocalReconstruction):
        return [ReedSolomon(scheme.data_shards, m)
                for m in range(scheme.parity_shards, scheme.parity_shards + 6)]
    top = min(256 - scheme.data_shards, scheme.parity_shards + 8)
    return [ReedSolomon(scheme.data_shards, m) for m in range(scheme.parity_shards + 1, top + 1)]


def _other_code(nines: float, scheme: Scheme, fleet: Fleet,
                loss: Callable[[Scheme, Fleet], float]) -> Remedy:
    last = loss(scheme, fleet)
    for candidate in more_parity(scheme):
        if not fleet.fits(candidate):
            return Remedy("code", None, last, f"no room for more redundancy on {fleet.disks} disks")
        last = loss(candidate, fleet)
        if _keeps(nines, last):
            return Remedy("code", str(candidate), last,
                          f"{candidate} on the same fleet ({candidate.overhead:.2f} bytes stored "
                          "per byte)")
    return Remedy("code", None, last, "more redundancy alone does not earn it: what is left is "
                  "shared by all shards")
