"""The exact chains against an independent computation with far more digits."""

import math
import random

import mpmath
import numpy as np
import oracle
import pytest

from reed.durability import LocalReconstruction, ReedSolomon, Replication, chain
from reed.durability.markov import stationary
from reed.durability.result import nines_of, whole_nines
from reed.errors import InvalidParameter

SEED = 8766


def random_system(source):
    parity = source.randint(0, 8)
    data = source.choice([1, 1, 2, 4, 6, 10, 17])
    failure = 10 ** source.uniform(-4, 0.3)
    repair = 10 ** source.uniform(0, 5)
    mode = source.choice(["parallel", "serial", "joint", "callable"])
    start = source.choice(["pristine", "stationary"])
    years = source.choice([0.01, 0.5, 1.0, 1.0, 5.0, 20.0])
    return data, parity, failure, repair, mode, start, years


def test_a_thousand_random_systems_match_an_independent_computation():
    print("seed", SEED)
    source = random.Random(SEED)
    worst = (0.0, None)
    checked = smallest = 0
    smallest = 1.0
    while checked < 1000:
        system = random_system(source)
        data, parity, failure, repair, mode, start, years = system
        power = {"parallel": 1.0, "serial": 0.0, "joint": 0.0, "callable": 0.5}[mode]

        def rates(missing, repair=repair, power=power):
            return repair * missing**power

        scheme = Replication(parity + 1) if data == 1 else ReedSolomon(data, parity)
        with mpmath.workdps(120):
            rows = oracle.birth_death(data + parity, parity, failure, rates, mode == "joint")
            moved = oracle.transition(rows, mpmath.mpf(years))
            weights = [mpmath.mpf(1)] + [mpmath.mpf(0)] * parity
            if start == "stationary":
                weights = oracle.stationary(rows)
            exact = sum(w * row[-1] for w, row in zip(weights, moved[:-1], strict=True))
            if exact < mpmath.mpf("1e-40"):
                continue
        kwargs = {"repair": rates} if mode == "callable" else {
            "repairs_per_year": repair, "repair": mode}
        found = chain(scheme, failure, years=years, start=start, **kwargs)
        error = abs(float((mpmath.mpf(found.probability) - exact) / exact))
        worst = max(worst, (error, system), key=lambda pair: pair[0])
        smallest = min(smallest, float(exact))
        checked += 1
    print(f"worst relative error {worst[0]:.2e} at {worst[1]}; smallest {smallest:.1e}")
    assert worst[0] < 1e-9, worst
    assert smallest < 1e-36


def test_mttdl_matches_the_recursion_without_subtraction():
    source = random.Random(SEED + 1)
    for _ in range(200):
        data, parity, failure, repair, mode, _, _ = random_system(source)
        if mode in ("joint", "callable"):
            continue
        shards = data + parity
        total = hitting = 1.0 / (shards * failure)
        for lost in range(1, parity + 1):
            back = repair * (lost if mode == "parallel" else 1)
            hitting = (1.0 + back * hitting) / ((shards - lost) * failure)
            total += hitting
        found = chain(ReedSolomon(data, parity), failure, repair, mode, start="pristine")
        assert found.mttdl_years == pytest.approx(total, rel=1e-11)


def test_probability_close_to_one_keeps_its_survival():
    # One disk without repair for 50 years at rate 1: survival e^-50, far below 1 - p in doubles.
    found = chain(Replication(1), 1.0, 0.0, years=50.0)
    assert found.log_survival == pytest.approx(-50.0, rel=1e-9)
    assert found.annual_probability == pytest.approx(-math.expm1(-1.0), rel=1e-9)


def test_gth_keeps_tiny_stationary_shares():
    # A birth-death chain with ratio 1e-12 between neighbours: shares down to 1e-60 are exact.
    rates = np.zeros((6, 6))
    for state in range(5):
        rates[state, state + 1] = 1e-9
        rates[state + 1, state] = 1e3
    shares = stationary(rates)
    assert shares == pytest.approx([1e-12**state for state in range(6)], rel=1e-9)


@pytest.mark.parametrize("mode", ["parallel", "serial", "joint"])
def test_lrc_with_classes_equals_the_chain_over_every_pattern(mode):
    # An explicit generator with one useless global row destroys the symmetry, so shards are
    # classes of their own; with the default generator given explicitly, results must be equal.
    lumped = LocalReconstruction(4, 2, 1)
    single = LocalReconstruction(4, 2, 1)
    single.__dict__["maximally_recoverable"] = False
    assert len(single.classes) == 7 and len(lumped.classes) == 3
    one = chain(lumped, 0.1, 100.0, mode)
    other = chain(single, 0.1, 100.0, mode)
    assert one.probability == pytest.approx(other.probability, rel=1e-11)


def test_conventions_differ_as_published():
    rate = 8766 / 24
    found = {mode: chain(ReedSolomon(10, 4), 0.0157, rate, mode, start="stationary").probability
             for mode in ("parallel", "serial", "joint")}
    assert found["parallel"] == pytest.approx(5.3e-16, rel=0.02)
    assert found["serial"] == pytest.approx(1.28e-14, rel=0.02)
    assert found["joint"] == pytest.approx(1.27e-14, rel=0.02)


def test_the_edge_of_ten_nines():
    estimate = chain(Replication(1), -math.log1p(-1e-10), 0.0)
    assert estimate.probability == pytest.approx(1e-10, rel=1e-12)
    assert estimate.whole_nines == 10
    worse = chain(Replication(1), 1.00001e-10, 0.0)
    assert worse.whole_nines == 9


@pytest.mark.parametrize("count", [1, 3, 10, 11, 25, 40])
def test_the_count_of_nines_forgives_rounding_and_no_more(count):
    edge = 10.0**-count
    for excess in (0.0, 2e-15, -2e-15):
        assert whole_nines(nines_of(edge * (1 + excess))) == count
    assert whole_nines(nines_of(edge * (1 + 1e-13))) == count - 1
    assert whole_nines(nines_of(edge * (1 - 1e-13))) == count


@pytest.mark.parametrize("kwargs", [
    {"failures_per_disk_year": -0.1, "repairs_per_year": 1.0},
    {"failures_per_disk_year": 0.1, "repairs_per_year": math.inf},
    {"failures_per_disk_year": 0.1, "repairs_per_year": 1.0, "years": 0.0},
    {"failures_per_disk_year": 0.1, "repairs_per_year": 1.0, "start": "new"},
    {"failures_per_disk_year": 0.1, "repairs_per_year": 1.0, "repair": "magic"},
    {"failures_per_disk_year": 0.1, "repairs_per_year": 1.0, "repair": lambda i: 1.0},
])
def test_bad_parameters_are_refused(kwargs):
    with pytest.raises(InvalidParameter, match="allowed"):
        chain(Replication(3), **kwargs)


def test_an_estimate_says_what_it_is_about():
    text = str(chain(Replication(3), 0.02, 8760.0, "serial"))
    for part in ("3 copies", "1 year", "pristine", "independent disk failures", "serial"):
        assert part in text
