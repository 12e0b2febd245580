"""The textbook question, exactly: independent failures at one rate, repairs at one rate, and the
probability that a stripe is lost within some years."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from reed.errors import InvalidParameter

from .checks import FASTEST_PER_YEAR, instance, number
from .fleet import StripeFaults
from .markov import SMALLEST_PROBABILITY, mean_time_to_loss, occupation, transition_matrix
from .model import stripe_chain
from .result import Estimate
from .schemes import Scheme

STARTS = ("pristine", "stationary")


def chain(scheme: Scheme, failures_per_disk_year: float, repairs_per_year: float | None = None,
          repair: str | Callable[[int], float] = "parallel", years: float = 1.0,
          start: str = "pristine") -> Estimate:
    """The exact loss probability of one stripe over [0, `years`].

    failures_per_disk_year: rate λ of each disk, per year (8766 h). A published probability p of
        failing within a year is the rate −ln(1 − p).
    repairs_per_year: rate μ of one repair, one over the mean of detection, queueing and transfer.
    repair: "parallel" (i missing shards come back at iμ), "serial" (at μ), "joint" (one pass at μ
        rebuilds all), or a callable giving the total rate with i missing shards, which come back
        one by one; then `repairs_per_year` is not given.
    start: "pristine", all shards new and good; or "stationary", the long-run mixture of a stripe
        that is replaced by a pristine one whenever it is lost.

    Non-MDS schemes are solved over the loss patterns themselves, up to the scheme's symmetry.
    """
    instance("scheme", scheme, Scheme)
    for name, value, limit in (("failures_per_disk_year", failures_per_disk_year, 1e9),
                               ("years", years, 1e9)):
        number(name, value, 0, limit, low_open=True)
    if start not in STARTS:
        raise InvalidParameter(f"start = {start!r}: allowed is {' or '.join(STARTS)}")
    if callable(repair):
        if repairs_per_year is not None:
            raise InvalidParameter(
                f"repairs_per_year = {repairs_per_year!r} with a callable repair: allowed is None"
            )
        def total_rate(missing: int) -> float:
            rate = repair(missing)
            number(f"repair({missing})", rate, 0, FASTEST_PER_YEAR)
            return rate

        convention = "repair rate by the caller's function"
    else:
        if repair not in ("parallel", "serial", "joint"):
            raise InvalidParameter(
                f"repair = {repair!r}: allowed is parallel, serial, joint or a callable"
            )
        rate = repairs_per_year
        number("repairs_per_year", rate, 0, FASTEST_PER_YEAR)
        if repair == "parallel":
            def total_rate(missing: int) -> float:
                return missing * rate
        else:
            def total_rate(missing: int) -> float:
                return rate
        convention = f"{repair} repair at {rate:g} a year"
    markov = stripe_chain(scheme, StripeFaults(
        failure=failures_per_disk_year, repair=total_rate, joint=repair == "joint"
    ))
    moved = transition_matrix(markov, years)
    pristine = np.eye(1, len(markov.states))[0]
    weights = pristine if start == "pristine" else occupation(markov)
    probability = float(weights @ moved[:-1, -1])
    if probability < SMALLEST_PROBABILITY:
        raise InvalidParameter(
            f"the loss probability is below {SMALLEST_PROBABILITY:g}, beyond double precision"
        )
    survival = float((weights @ moved[:-1, :-1]).sum())
    log_survival = (math.log1p(-probability) if probability < 0.5
                    else math.log(survival) if survival > 0.0 else -math.inf)
    return Estimate(
        probability=probability,
        log10_loss=math.log10(probability),
        years=float(years),
        of=f"one stripe of {scheme}, each shard on its own disk",
        faults=("independent disk failures",),
        start=start,
        convention=f"exponential lifetimes at {failures_per_disk_year:g} a disk-year, {convention}",
        method=f"exact Markov chain of {len(markov.states)} states",
        mttdl_years=mean_time_to_loss(markov),
        log_survival=log_survival,
    )
