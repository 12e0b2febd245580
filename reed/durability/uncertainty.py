"""What the uncertainty of the inputs does to the answer.

Each `Range` of a fleet is read as the central 95 % of a two-piece lognormal whose median is the
input's value. Inputs are drawn independently, by a Latin hypercube with a fixed seed, and pushed
through the exact chain; the interval is the central 95 % of the results.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from .fleet import Fleet
from .model import evaluate
from .result import Interval
from .schemes import Scheme

DRAWS = 100
SEED = 20180720
Z95 = 1.959963984540054


def drawn_fleets(fleet: Fleet, draws: int = DRAWS, seed: int = SEED) -> list[Fleet]:
    """Fleets with their uncertain inputs drawn; a range of probabilities stays within 1."""
    random = np.random.default_rng(seed)
    normal = NormalDist()
    columns = []
    for spread in fleet.ranges:
        strata = (random.permutation(draws) + random.random(draws)) / draws
        value = fleet.value(spread.path)
        scores = [normal.inv_cdf(min(max(point, 1e-9), 1 - 1e-9)) / Z95 for point in strata]
        columns.append([
            value * ((spread.high / value) ** score if score > 0 else
                     (value / spread.low) ** score)
            for score in scores
        ])
    result = []
    for row in zip(*columns, strict=True):
        values = {}
        for spread, drawn in zip(fleet.ranges, row, strict=True):
            values[spread.path] = min(drawn, 1.0) if spread.high <= 1.0 else drawn
        result.append(fleet.with_values(values))
    return result


def input_interval(scheme: Scheme, fleet: Fleet, unit: str, draws: int = DRAWS) -> Interval | None:
    """Central 95 % of the annual loss probability of `unit` over the fleet's ranges; None where
    every input is exact."""
    if not fleet.ranges:
        return None
    losses = [evaluate(scheme, drawn).loss(unit) for drawn in drawn_fleets(fleet, draws)]
    low, high = np.quantile(losses, [0.025, 0.975])
    return Interval(float(low), float(high))
