"""What a durability computation returns: a number that says of what, over which time, against
which faults and under which convention, with its uncertainty beside it.

Losses are carried as ``log10`` of the loss probability and never as one minus it, so that 1e-40
is as exact as 0.4. A year has 8766 hours everywhere except in ``compat``.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

HOURS_PER_YEAR = 8766.0

# A probability that is exactly a power of ten on paper may come out a few roundings above it. The
# integer count of nines forgives 1e-14 in the logarithm, which is 2.3e-14 of the probability: about
# 100 roundings of a double, and more than the error of log10 itself up to 40 nines (7e-15).
NINES_ROUNDING = 1e-14


@dataclass(frozen=True)
class Interval:
    """A two-sided interval of a probability. `level` is the nominal coverage, 0.95 by default."""

    low: float
    high: float
    level: float = 0.95

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    def overlaps(self, other: Interval) -> bool:
        return self.low <= other.high and other.low <= self.high


def nines_of(annual_probability: float) -> float:
    """−log10 of an annual loss probability; infinite for 0."""
    if annual_probability <= 0.0:
        return math.inf
    return -math.log10(annual_probability)


def whole_nines(nines: float) -> float:
    """The integer count of nines: the floor, forgiving `NINES_ROUNDING` at the edge."""
    return nines if math.isinf(nines) else float(math.floor(nines + NINES_ROUNDING))


def human_bytes(value: float) -> str:
    """A size in decimal units, three digits."""
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.3g} B"


def annual_from(probability: float, years: float, log_survival: float | None = None) -> float:
    """The annual probability p₁ = −expm1(log1p(−p)/years) of a loss probability over `years`.

    `log_survival` (natural logarithm of the survival probability) replaces log1p(−p) where p has
    rounded to 1.
    """
    if log_survival is None:
        log_survival = math.log1p(-probability) if probability < 1.0 else -math.inf
    return -math.expm1(log_survival / years)


@dataclass(frozen=True)
class Estimate:
    """A loss probability over [0, `years`] and everything that is needed to read it.

    of:          the unit that is lost ("one stripe", "an object of 4 MiB", "the fleet")
    faults:      the kinds of fault that were modelled; every other kind was not
    start:       "pristine" (all shards new and good) or "stationary"
    convention:  repair and loss conventions in words
    method:      how the number was computed
    sampling:    95 % interval of the simulation; None for exact methods
    inputs:      95 % interval from the uncertainty of the inputs; None when they were exact
    relative_error, effective_sample_size, samples: of the simulation, else None
    """

    probability: float
    log10_loss: float
    years: float
    of: str
    faults: tuple[str, ...]
    start: str
    convention: str
    method: str
    mttdl_years: float | None = None
    log_survival: float | None = None
    sampling: Interval | None = None
    inputs: Interval | None = None
    relative_error: float | None = None
    effective_sample_size: float | None = None
    samples: int | None = None

    @property
    def annual_probability(self) -> float:
        return annual_from(self.probability, self.years, self.log_survival)

    @property
    def nines(self) -> float:
        """−log10 of the annual loss probability, a real number."""
        return nines_of(self.annual_probability)

    @property
    def whole_nines(self) -> float:
        return whole_nines(self.nines)

    def as_dict(self) -> dict:
        """Plain values for JSON."""
        values = asdict(self)
        values["annual_probability"] = self.annual_probability
        values["nines"] = self.nines
        return values

    def __str__(self) -> str:
        year_word = "1 year" if self.years == 1 else f"{self.years:g} years"
        text = (
            f"loss probability {self.probability:.4g} ({self.nines:.2f} nines a year) of {self.of}"
            f" over {year_word} from a {self.start} start, against {', '.join(self.faults)};"
            f" {self.convention}; {self.method}"
        )
        if self.sampling is not None:
            text += f"; sampling 95 % [{self.sampling.low:.3g}, {self.sampling.high:.3g}]"
        if self.inputs is not None:
            text += f"; inputs 95 % [{self.inputs.low:.3g}, {self.inputs.high:.3g}]"
        return text
