"""Distributions of lifetimes, repairs and detection delays. All ages and times are in hours.

Each clock knows its mean, its hazard and its cumulative hazard, because the simulator's weights
are made of hazards, and can draw the age of a disk from a fleet that has been running for ever.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from reed.errors import InvalidParameter

from .checks import hours, number
from .result import HOURS_PER_YEAR


@dataclass(frozen=True)
class Exponential:
    """Constant hazard. `mean_hours` is the mean; for disks use `Exponential.per_year(rate)`."""

    mean_hours: float

    def __post_init__(self) -> None:
        hours("mean_hours", self.mean_hours)

    @classmethod
    def per_year(cls, failures_per_disk_year: float) -> Exponential:
        number("failures_per_disk_year", failures_per_disk_year, 0, 1e9, low_open=True)
        return cls(HOURS_PER_YEAR / failures_per_disk_year)

    def hazard(self, age: np.ndarray) -> np.ndarray:
        return np.full_like(age, 1.0 / self.mean_hours)

    def cumulative_hazard(self, age: np.ndarray) -> np.ndarray:
        return age / self.mean_hours

    def sample(self, random: np.random.Generator, size: int) -> np.ndarray:
        return random.exponential(self.mean_hours, size)

    def sample_age(self, random: np.random.Generator, size: tuple[int, ...]) -> np.ndarray:
        return random.exponential(self.mean_hours, size)


@dataclass(frozen=True)
class Weibull:
    """Three-parameter Weibull: nothing before `location_hours`, then hazard
    (shape/scale)·((age − location)/scale)^(shape − 1). shape: 1 to 100."""

    shape: float
    scale_hours: float
    location_hours: float = 0.0

    def __post_init__(self) -> None:
        number("shape", self.shape, 0, 100, low_open=True)
        hours("scale_hours", self.scale_hours)
        number("location_hours", self.location_hours, 0)
        if self.shape < 1.0:
            raise InvalidParameter(
                f"shape = {self.shape}: allowed is 1 or more (a hazard that is infinite at age 0 "
                "cannot be uniformised; model infant mortality as a burst)"
            )

    @property
    def mean_hours(self) -> float:
        return self.location_hours + self.scale_hours * math.gamma(1.0 + 1.0 / self.shape)

    def hazard(self, age: np.ndarray) -> np.ndarray:
        past = np.maximum(age - self.location_hours, 0.0) / self.scale_hours
        value = (self.shape / self.scale_hours) * past ** (self.shape - 1.0)
        return np.where(age >= self.location_hours, value, 0.0)

    def cumulative_hazard(self, age: np.ndarray) -> np.ndarray:
        return (np.maximum(age - self.location_hours, 0.0) / self.scale_hours) ** self.shape

    def sample(self, random: np.random.Generator, size: int) -> np.ndarray:
        return self.location_hours + self.scale_hours * random.weibull(self.shape, size)

    def sample_age(self, random: np.random.Generator, size: tuple[int, ...]) -> np.ndarray:
        """Ages in a fleet in equilibrium: a uniform point of a length-biased lifetime. The
        length-biased lifetime is drawn as a mixture of its location part and its Weibull part,
        whose scaled power is Gamma(1 + 1/shape)."""
        stretch = self.scale_hours * random.standard_gamma(
            1.0 + 1.0 / self.shape, size
        ) ** (1.0 / self.shape)
        early = random.random(size) < self.location_hours / self.mean_hours
        lifetime = self.location_hours + stretch
        # Equilibrium density is survival/mean: flat before the location, Weibull survival after.
        late_age = self.location_hours + random.random(size) * stretch
        return np.where(early, random.random(size) * self.location_hours,
                        np.minimum(late_age, lifetime))


@dataclass(frozen=True)
class Fixed:
    """A duration without spread. For repairs and detection delays, not for lifetimes."""

    mean_hours: float

    def __post_init__(self) -> None:
        hours("mean_hours", self.mean_hours)

    def sample(self, random: np.random.Generator, size: int) -> np.ndarray:
        return np.full(size, self.mean_hours)


@dataclass(frozen=True)
class Uniform:
    """Evenly spread over (0, 2·mean): how long a fault waits for a scrub of a fixed period."""

    mean_hours: float

    def __post_init__(self) -> None:
        hours("mean_hours", self.mean_hours)

    def sample(self, random: np.random.Generator, size: int) -> np.ndarray:
        return random.uniform(0.0, 2.0 * self.mean_hours, size)


Lifetime = Exponential | Weibull
Duration = Exponential | Weibull | Fixed | Uniform
