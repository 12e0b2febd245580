"""Absurd inputs: every one is refused with its limit, or gives a probability; none ends in NaN, a
warning, another exception or an endless loop."""

import inspect
import math

import numpy as np
import pytest

from reed.durability import (
    Burst,
    Exponential,
    Fixed,
    Fleet,
    LatentErrors,
    LocalReconstruction,
    Migration,
    Outages,
    Range,
    ReadErrors,
    ReedSolomon,
    Repair,
    Replication,
    Scrub,
    SilentCorruption,
    Uniform,
    Weibull,
    burst,
    chain,
    claim,
    compat,
    evaluate,
    simulate,
    split,
)
from reed.durability.engine import Engine
from reed.durability.measure import claim_table
from reed.errors import InvalidParameter

ABSURD = (0, -1, math.nan, math.inf, -math.inf, 1e308, 5e-324, 10**400, True, None, "x", 1e15,
          1e-15, [], 1 + 1j)
COPIES = Replication(3)
WHOLE = {
    "disks": 60, "capacity_bytes": 1e12, "failures_per_disk_year": 0.02, "shard_bytes": 1e8,
    "domains": 6, "repair": Repair(detection_hours=1, bytes_per_second=1e8),
    "latent_errors": LatentErrors(0.03), "silent_corruption": SilentCorruption(1e-3),
    "scrub": Scrub(336, 0.1, "persistent"), "bursts": (Burst("b", 0.1, 0.2),),
    "migration": Migration(1, 1e-2, 0.5), "outages": Outages(3, 2)}
PARTS = (
    ("repair", Repair, {"detection_hours": 1, "bytes_per_second": 1e8, "queueing_hours": 1,
                        "codec_bytes_per_second": 1e9, "mode": "serial", "clock": None}),
    ("latent_errors", LatentErrors, {"per_disk_year": 0.1, "cluster_bytes": 4096}),
    ("silent_corruption", SilentCorruption, {"per_disk_year": 0.1, "cluster_bytes": 4096}),
    ("scrub", Scrub, {"interval_hours": 100, "misses": 0.1, "miss_kind": "per_pass",
                      "clock": None}),
    ("migration", Migration, {"per_year": 1, "skip_verification": 0.1, "early_reclaim": 0.1}),
    ("outages", Outages, {"per_disk_year": 1, "mean_hours": 2}))
CLOCKS = ((Exponential, {"mean_hours": 24.0}, "repair"), (Fixed, {"mean_hours": 24.0}, "repair"),
          (Uniform, {"mean_hours": 24.0}, "repair"),
          (Weibull, {"shape": 1.2, "scale_hours": 4e5, "location_hours": 10.0}, "lifetime"))


def fleet(**changes):
    return Fleet(**{**WHOLE, **changes})


def aged(**clock):
    return fleet(failures_per_disk_year=None, lifetime=Weibull(**clock))


def sampled(changed, **more):
    return simulate(COPIES, changed, **{"max_samples": 8192, "method": "biased", **more})


def calls():
    """(name, one parameter, its function of a value)"""
    for name in (*WHOLE, "used_share", "object_bytes", "copysets", "placement", "checksums",
                 "object_on_one_set", "lifetime", "ranges"):
        yield "Fleet", name, lambda value, name=name: evaluate(COPIES, fleet(**{name: value}))
    for field, kind, values in PARTS:
        for name in values:
            yield kind.__name__, name, lambda value, f=field, k=kind, v=values, n=name: evaluate(
                COPIES, fleet(**{f: k(**{**v, n: value})}))
    for name in ("name", "events_per_year", "disk_loss_probability", "scope", "operator"):
        yield "Burst", name, lambda value, name=name: evaluate(COPIES, fleet(bursts=(Burst(**{
            "name": "b", "events_per_year": 0.1, "disk_loss_probability": 0.2, name: value}),)))
    yield "ReadErrors", "per_bit", lambda value: evaluate(
        COPIES, fleet(latent_errors=None, read_errors=ReadErrors(value)))
    for name in ("low", "high"):
        yield "Range", name, lambda value, name=name: claim(9, COPIES, fleet(ranges=(Range(**{
            "path": "failures_per_disk_year", "low": 0.01, "high": 0.1, name: value}),)),
            remedies=False).estimate
    for kind, values, where in CLOCKS:
        for name in values:
            yield kind.__name__, name, lambda value, k=kind, v=values, n=name, w=where: evaluate(
                COPIES, aged(**{**v, n: value}) if w == "lifetime"
                else fleet(repair=Repair(clock=k(**{**v, n: value}))))
    for name in ("failures_per_disk_year", "repairs_per_year", "repair", "years", "start",
                 "scheme"):
        yield "chain", name, lambda value, name=name: chain(**{
            "scheme": COPIES, "failures_per_disk_year": 0.02, "repairs_per_year": 365.0,
            name: value})
    yield "chain", "rate", lambda value: chain(COPIES, 0.02, repair=lambda missing: value)
    for name in ("nines", "unit", "scheme", "fleet"):
        yield "claim", name, lambda value, name=name: claim(**{
            "nines": 9, "scheme": COPIES, "fleet": fleet(), "remedies": False,
            name: value}).estimate
    for name in ("years", "target_relative_error", "seed", "workers", "unit", "start", "method"):
        yield "simulate", name, lambda value, name=name: sampled(fleet(), **{name: value})
    for name in ("years", "paths", "repeats", "seed", "unit"):
        yield "split", name, lambda value, name=name: split(
            COPIES, fleet(), **{"paths": 500, "repeats": 5, name: value})
    for name in ("disks", "down", "stripes", "placement", "copysets", "domains", "domains_hit"):
        yield "burst", name, lambda value, name=name: burst(
            COPIES, **{"disks": 100, "down": 10, "stripes": 1e6, name: value})
    for place in range(2):
        yield "claim_table", place, lambda value, place=place: claim_table(
            *(value if place == at else 1e9 for at in range(2)))
    for make, count in ((Replication, 1), (ReedSolomon, 2), (LocalReconstruction, 3)):
        for place in range(count):
            yield make.__name__, place, lambda value, make=make, place=place, count=count: make(
                *(value if place == at else (6, 2, 2)[at] for at in range(count)))
    published = {
        compat.windows: (17, 3, 0.004, 6.5), compat.storj: (2, 4, 0.1), compat.azure: ("3-rep",),
        compat.xorbas: (), compat.ford: (3,), compat.copysets: (5000, 50, 3, 1e7),
        compat.ceph: (3,), compat.alike: (14, 10, 1e-6, 1.0), compat.unlike: ([1e-6] * 5, 3, 1.0),
        compat.zstorage: (), compat.netease: ()}
    for function, given in published.items():
        names = list(inspect.signature(function).parameters)
        for name in names:
            values = dict(zip(names, given, strict=False))
            listed = function is compat.unlike and name == "failures_per_hour"
            yield function.__name__, name, lambda value, f=function, v=values, n=name, ls=listed: f(
                **{**v, n: [value] * 5 if ls else value})


CALLS = list(calls())


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("call", CALLS, ids=[f"{name}-{what}" for name, what, _ in CALLS])
def test_an_absurd_input_is_refused_or_gives_a_probability(call):
    _, _, function = call
    for value in ABSURD:
        try:
            found = function(value)
        except InvalidParameter as error:
            assert any(word in str(error) for word in (
                "allowed", "need", "must", "beyond", "outside", "given", "more than")), str(error)
            continue
        for name in ("probability", "object_loss", "fleet_loss", "disk_set_loss", "any"):
            probability = getattr(found, name, 0.0)
            assert 0.0 <= probability <= 1.0, (value, name, probability)
        for name in ("bytes_lost", "repair_bytes", "expected_stripes"):
            assert math.isfinite(getattr(found, name, 0.0)), (value, name)


def test_integers_of_numpy_are_integers():
    assert evaluate(COPIES, fleet(disks=np.int64(60))).object_loss == evaluate(
        COPIES, fleet()).object_loss
    assert sampled(fleet(), seed=np.int64(3)).probability == sampled(fleet(), seed=3).probability


@pytest.mark.filterwarnings("error")
def test_disks_lost_together_come_back_together():
    """A burst and a fixed repair: several shards are due at one moment."""
    wiped = Fleet(disks=20, capacity_bytes=1e12, failures_per_disk_year=2.0,
                  repair=Repair(clock=Fixed(240)), bursts=(Burst("power", 3.0, 0.3),))
    plain, biased = (simulate(ReedSolomon(4, 3), wiped, seed=3, method=method,
                              target_relative_error=0.02) for method in ("plain", "biased"))
    assert abs(plain.probability - biased.probability) < 4 * math.hypot(
        plain.relative_error * plain.probability, biased.relative_error * biased.probability)


@pytest.mark.parametrize("biased", [True, False])
def test_a_moment_that_rounding_put_before_now_is_now(biased):
    repaired = fleet(repair=Repair(clock=Fixed(24)))
    engine = Engine(COPIES, repaired.stripe_faults(COPIES))
    count = 1000
    paths = engine.pristine(count, np.full(count, 8766.0))
    paths.now[:] = 100.0
    paths.condition[:2] = 1  # missing
    paths.due[:2] = 100.0 - 1e-11
    random = np.random.default_rng(1)
    for _ in range(2):
        paths, losses = engine.step(paths, random, biased=biased)
        assert not np.isnan(paths.log_weight).any() and not np.isnan(losses.log_weight).any()
        assert (losses.log_weight <= 0.0).all()
        assert (paths.now >= 100.0).all()
