"""Verdicts, budgets and remedies; the incident; units that share faults."""

import itertools
import math
import random
from dataclasses import replace

import pytest

from reed.durability import (
    Burst,
    Exponential,
    Fixed,
    Fleet,
    LatentErrors,
    Migration,
    Outages,
    ReadErrors,
    ReedSolomon,
    Repair,
    Replication,
    Scrub,
    SilentCorruption,
    burst,
    chain,
    claim,
    evaluate,
    simulate,
    split,
    windows,
)
from reed.durability.fleet import Range
from reed.durability.measure import claim_table
from reed.durability.scenario import load, shipped
from reed.errors import InvalidParameter

TRIPLE = Fleet(disks=3, capacity_bytes=10e12, used_share=1.0, shard_bytes=2.0**22,
               failures_per_disk_year=0.0157, repair=Repair(transfer_hours=24))


def test_the_textbook_figures_of_a_triple_of_disks():
    """Three copies of a 10 TB disk at 1.57 %, 24 h: the convention alone decides ten nines; an
    unreadable sector on the last copy, 3.1e-7; the incident's path, 1.25e-6 at most."""
    for mode, loss in (("serial", 1.7e-10), ("parallel", 8.7e-11)):
        fleet = replace(TRIPLE, repair=Repair(transfer_hours=24, mode=mode))
        assert evaluate(Replication(3), fleet).disk_set_loss == pytest.approx(loss, rel=0.03)
    fleet = replace(TRIPLE, read_errors=ReadErrors(1e-15))
    assert evaluate(Replication(3), fleet).disk_set_loss == pytest.approx(3.1e-7, rel=0.02)
    fleet = replace(TRIPLE, silent_corruption=SilentCorruption(2.5e-3),
                    migration=Migration(1, 1e-3, 0.5))
    operator = claim(10, Replication(3), fleet, "disk_set", remedies=False).budget[-1]
    assert operator.threat == "operator"
    saved = evaluate(Replication(3), fleet).disk_set_loss - operator.without
    assert saved == pytest.approx(1.25e-6, rel=0.05)
    assert operator.orders_over_claim == pytest.approx(4.1, abs=0.1)


def test_the_incident_fails_and_the_budget_names_the_operator():
    scenario = load("incident")
    for unit in ("object", "disk_set", "fleet"):
        verdict = claim(scenario.nines, scenario.scheme, scenario.fleet, unit)
        assert verdict.verdict == "FAIL"
        operator = next(line for line in verdict.budget if line.threat == "operator")
        assert operator.orders_over_claim > 3
        assert operator.without < verdict.estimate.probability / 2 or unit == "fleet"


def test_with_verification_and_retention_the_verdict_follows_from_what_remains():
    scenario = load("incident")
    fleet = scenario.fleet
    sound = replace(fleet, ranges=(), migration=replace(
        fleet.migration, skip_verification=0.0, early_reclaim=0.0))
    verdict = claim(10, scenario.scheme, sound)
    assert "operator" not in [line.threat for line in verdict.budget]
    assert verdict.verdict == "FAIL" and verdict.breaking[0].threat in (
        "latent errors", "disk failures")
    clean = replace(sound, read_errors=None, silent_corruption=None)
    assert claim(10, scenario.scheme, clean).verdict == "PASS"


def test_not_demonstrable_when_the_inputs_straddle_the_claim():
    fleet = replace(TRIPLE, ranges=(Range("failures_per_disk_year", 0.01, 0.03),))
    assert claim(10, Replication(3), fleet, "disk_set").verdict == "NOT DEMONSTRABLE"
    assert claim(8, Replication(3), fleet, "disk_set").verdict == "PASS"
    assert claim(12, Replication(3), fleet, "disk_set").verdict == "FAIL"


@pytest.mark.parametrize("clock", [Fixed(24), Exponential(24)])
def test_clocks_taken_by_their_mean_make_a_verdict_approximate(clock):
    """TRIPLE loses 8.7e-11 where all clocks are exponential: ten nines, and eleven are missed by
    less than a factor of 100."""
    fleet = replace(TRIPLE, repair=Repair(clock=clock))
    verdicts = {nines: claim(nines, Replication(3), fleet, "disk_set", remedies=False)
                for nines in (8, 10, 11, 13)}
    exact = isinstance(clock, Exponential)
    assert [found.verdict for found in verdicts.values()] == (
        ["PASS", "PASS", "FAIL", "FAIL"] if exact
        else ["PASS", "NOT DEMONSTRABLE", "NOT DEMONSTRABLE", "FAIL"])
    for found in verdicts.values():
        assert ("exact" in found.estimate.method) == exact
        assert ("approximate" in found.estimate.method) != exact


def test_the_edge_at_ten_nines():
    rate = 1e-10
    fleet = replace(TRIPLE, disks=1, failures_per_disk_year=-math.log1p(-rate))
    assert claim(10, Replication(1), fleet).verdict == "PASS"
    worse = replace(fleet, failures_per_disk_year=1.0001e-10)
    assert claim(10, Replication(1), worse).verdict == "FAIL"


def test_remedies_earn_the_claim_that_they_name():
    from reed.durability.claim import with_repair_hours, with_scrub_hours

    slow = replace(TRIPLE, disks=100, repair=Repair(transfer_hours=48))
    rotten = replace(TRIPLE, disks=100, shard_bytes=1e12, latent_errors=LatentErrors(0.05),
                     scrub=Scrub(8766))
    for nines, change, fleet, make in ((10, "repair time", slow, with_repair_hours),
                                       (9, "scrub interval", rotten, with_scrub_hours)):
        verdict = claim(nines, Replication(3), fleet)
        assert verdict.verdict == "FAIL"
        found = {remedy.change: remedy for remedy in verdict.remedies}
        remedy = found[change]
        assert remedy.earns, change
        assert claim(nines, Replication(3), make(fleet, remedy.value * 0.999)).verdict == "PASS"
        assert claim(nines, Replication(3), make(fleet, remedy.value * 1.01)).verdict == "FAIL"
        assert found["code"].earns


def test_a_code_that_the_object_no_longer_fits_is_no_remedy():
    fleet = replace(TRIPLE, disks=4, object_bytes=12e12)
    assert fleet.fits(Replication(3)) and not fleet.fits(Replication(4))
    code = next(remedy for remedy in claim(14, Replication(3), fleet).remedies
                if remedy.change == "code")
    assert not code.earns and "no room" in code.text


def test_a_remedy_says_that_it_holds_at_the_stated_values_only():
    ranged = replace(TRIPLE, disks=100, ranges=(Range("failures_per_disk_year", 0.01, 0.03),))
    for fleet, said in ((ranged, True), (replace(ranged, ranges=()), False)):
        earning = [remedy for remedy in claim(11, Replication(3), fleet).remedies if remedy.earns]
        assert earning
        for remedy in earning:
            assert ("not over their ranges" in remedy.text) == said


def test_any_loss_in_a_fleet_against_a_plain_simulation_of_placed_stripes():
    """12 disks, random placement, independent failures: the sharing formula against a simulation
    that knows nothing of it. Losses of stripes come together, so N·p would be far too high."""
    disks, stripes, rate, hours, years = 12, 300, 0.5, 120.0, 1.0
    fleet = Fleet(disks=disks, capacity_bytes=1e9, used_share=1.0, failures_per_disk_year=rate,
                  shard_bytes=1e9 * disks / 3 / stripes, repair=Repair(transfer_hours=hours))
    assert fleet.stripes(Replication(3)) == pytest.approx(stripes)
    found = evaluate(Replication(3), fleet)
    source = random.Random(11)
    back = 8766 / hours
    runs, any_loss, lost_stripes = 800, 0, 0
    for _ in range(runs):
        placed = [frozenset(source.sample(range(disks), 3)) for _ in range(stripes)]
        down: set[int] = set()
        gone: set[int] = set()
        now = 0.0
        while True:
            up_rate, down_rate = (disks - len(down)) * rate, len(down) * back
            now += source.expovariate(up_rate + down_rate)
            if now > years:
                break
            if source.random() * (up_rate + down_rate) < up_rate:
                down.add(source.choice([disk for disk in range(disks) if disk not in down]))
                gone.update(place for place, where in enumerate(placed) if where <= down)
            else:
                down.remove(source.choice(sorted(down)))
        any_loss += bool(gone)
        lost_stripes += len(gone)
    share = any_loss / runs
    print(f"any loss {share:.4f} model {found.fleet_loss:.4f}; "
          f"stripe {lost_stripes / runs / stripes:.2e} model {found.object_loss:.2e}")
    assert found.fleet_loss == pytest.approx(share, abs=4 * math.sqrt(share / runs) + 0.1 * share)
    assert lost_stripes / runs / stripes == pytest.approx(found.object_loss, rel=0.35)
    assert stripes * found.object_loss > 1.2 * found.fleet_loss


def test_a_burst_is_one_fate_for_all_stripes_on_the_same_disks():
    """Six disks, each destroyed with 0.17: half of the set or more is gone in 6 % of the events,
    however many stripes lie on it."""
    fleet = Fleet(disks=6, capacity_bytes=8e12, used_share=0.7, failures_per_disk_year=1e-6,
                  shard_bytes=65536, repair=Repair(transfer_hours=24),
                  bursts=(Burst("wiped", 0.005, 0.17, operator=True),))
    expected = 0.005 * sum(math.comb(6, hit) * 0.17**hit * 0.83 ** (6 - hit)
                           for hit in range(3, 7))
    found = evaluate(ReedSolomon(4, 2), fleet)
    assert found.disk_set_loss == pytest.approx(expected, rel=1e-3)
    assert found.fleet_loss == pytest.approx(expected, rel=1e-3)


def test_disks_that_never_fail_lose_nothing_by_themselves():
    """Off is off: what needs a failing disk (a read by a repair, a wrong source to copy) loses
    exactly nothing without one, and what does not is still there."""
    incident = load("incident")
    budget = {line.threat: line for line in claim(
        10, incident.scheme, replace(incident.fleet, ranges=()), remedies=False).budget}
    assert budget["latent errors"].only == budget["operator"].only == 0.0
    assert incident.fleet.without("disk failures").failure_rate == 0.0
    still = replace(TRIPLE, disks=60, failures_per_disk_year=0.0, shard_bytes=1e12,
                    latent_errors=LatentErrors(0.05), scrub=Scrub(336))
    assert evaluate(Replication(3), replace(still, latent_errors=None)).fleet_loss == 0.0
    # One copy: the first latent error is the loss. 0.05 a disk-year on a tenth of the disk.
    share = (1e12 + 4096) / 10e12
    assert evaluate(Replication(1), still).object_loss == pytest.approx(
        -math.expm1(-0.05 * share), rel=1e-12)
    # Three: the textbook chain of failures at that rate, found after 168 h and repaired in 24 h.
    scrubbed = claim(9, Replication(3), replace(still, failures_per_disk_year=0.0157),
                     remedies=False).budget[1]
    assert scrubbed.threat == "latent errors"
    assert scrubbed.only == pytest.approx(
        chain(Replication(3), 0.05 * share, 8766 / (168 + 24), start="stationary").probability,
        rel=0.05)


def test_a_saving_within_rounding_is_nobodys_fault():
    from reed.durability.claim import answerable

    assert answerable(1e-8, 0.0, 1e-8 * (1 - 1e-13)) == 0.0
    assert answerable(1e-8, 3e-30, 1e-8 * (1 + 1e-13)) == 3e-30
    assert answerable(1e-8, 3e-30, 0.9e-8) == pytest.approx(1e-9)


def test_searches_that_reach_their_end_say_so():
    easy = replace(TRIPLE, disks=100, latent_errors=LatentErrors(1e-9), scrub=Scrub(336))
    found = {remedy.change: remedy for remedy in claim(1, Replication(3), easy).remedies}
    assert "2.4e+03 h or even more" in found["repair time"].text
    assert "or even less often" in found["scrub interval"].text
    tight = {remedy.change: remedy for remedy in claim(10, Replication(3), easy).remedies}
    assert "even" not in tight["repair time"].text and "already met" in tight["repair time"].text


@pytest.mark.parametrize("fleet", [
    replace(TRIPLE, disks=300, repair=Repair(bytes_per_second=2e9, mode="shared")),
    replace(TRIPLE, disks=300, repair=Repair(detection_hours=3, bytes_per_second=2e8,
                                             codec_bytes_per_second=1e9)),
    replace(TRIPLE, repair=Repair(transfer_hours=9, mode="serial"), outages=Outages(12, 2))])
def test_the_repair_time_of_today_is_a_fixed_point(fleet):
    from reed.durability.claim import with_repair_hours

    now = fleet.repair_hours(Replication(3))
    changed = with_repair_hours(fleet, now)
    assert changed.repair_hours(Replication(3)) == pytest.approx(now, rel=1e-12)
    assert evaluate(Replication(3), changed).object_loss == pytest.approx(
        evaluate(Replication(3), fleet).object_loss, rel=1e-9)


def test_groups_that_share_no_disk_are_that_many_single_groups():
    """Fixed disk sets: 20 groups of three disks are lost 20 times as often as one, whatever the
    number of stripes on them; a stripe is lost as often as under random placement."""
    alone = evaluate(Replication(3), replace(TRIPLE, shard_bytes=1e8))
    groups = replace(TRIPLE, disks=60, shard_bytes=1e8, placement="copyset", copysets=20)
    found = evaluate(Replication(3), groups)
    one = chain(Replication(3), 0.0157, 8766 / 24, start="stationary").probability
    assert alone.fleet_loss == alone.disk_set_loss == pytest.approx(one, rel=1e-6)
    assert found.fleet_loss == pytest.approx(20 * one, rel=1e-6)
    assert found.object_loss == pytest.approx(one, rel=1e-6)
    spread = evaluate(Replication(3), replace(groups, placement="random", copysets=None))
    assert spread.object_loss == pytest.approx(found.object_loss, rel=1e-9)
    # Enough stripes to stand on every triple of disks: any three failures at once are a loss.
    assert spread.fleet_loss == pytest.approx(math.comb(60, 3) * one, rel=1e-3)
    assert "declustered" in claim(9, Replication(3), spread.fleet).estimate.convention
    assert "20 fixed disk sets" in claim(9, Replication(3), groups).estimate.convention


def test_only_and_without_are_what_they_say():
    fleet = replace(TRIPLE, disks=60, domains=6, latent_errors=LatentErrors(0.05),
                    scrub=Scrub(336), bursts=(Burst("rack", 0.1, 0.5, "domain"),))
    verdict = claim(9, Replication(3), fleet, remedies=False)
    assert [line.threat for line in verdict.budget] == ["disk failures", "latent errors", "bursts"]
    disks = verdict.budget[0]
    alone = chain(Replication(3), 0.0157, 8766 / 24, start="stationary").probability
    assert disks.only == pytest.approx(alone, rel=1e-6)
    assert sum(line.last_blow for line in verdict.budget) == pytest.approx(
        verdict.estimate.probability, rel=1e-6)


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_scenario_gets_a_verdict_with_its_sources(name):
    scenario = load(name)
    verdict = claim(scenario.nines, scenario.scheme, replace(scenario.fleet, ranges=()),
                    scenario.unit, remedies=False)
    assert verdict.verdict in ("PASS", "FAIL")
    assert scenario.sources and scenario.fleet.assumptions
    assert all(entry.source or entry.assumption for entry in scenario.inputs
               if entry.low is not None)


@pytest.mark.parametrize("slowed", ["repair", "scrub", "both"])
def test_slower_measured_rates_lower_the_nines(slowed):
    """Repair always costs; a scrub costs once the codec is slower than the disks it reads."""
    table = []
    for rate in (2e9, 2e8, 2e7):
        table.append(claim_table(rate if slowed != "scrub" else 2e9,
                                 rate if slowed != "repair" else 2e9))
    for faster, slower in itertools.pairwise(table):
        for before, after in zip(faster, slower, strict=True):
            assert after.object_nines < before.object_nines
            assert after.fleet_nines < before.fleet_nines


def test_repair_time_counts_detection_once_and_queues_for_a_shared_budget():
    fleet = replace(TRIPLE, disks=1000, repair=Repair(detection_hours=2, bytes_per_second=100e6))
    assert fleet.repair_hours(Replication(3)) == pytest.approx(2 + 10e12 / 100e6 / 3600)
    shared = replace(fleet, repair=Repair(bytes_per_second=2e9, mode="shared"))
    transfer = 10e12 * 2 / 2e9 / 3600
    load = 1000 * 0.0157 * transfer / 8766
    assert shared.repair_hours(Replication(3)) == pytest.approx(transfer / (1 - load))
    with pytest.raises(InvalidParameter, match="below 1"):
        replace(fleet, repair=Repair(bytes_per_second=1e5, mode="shared")).repair_hours(
            ReedSolomon(10, 4))


@pytest.mark.parametrize("make", [
    lambda: claim(0, Replication(3), TRIPLE), lambda: claim(9, Replication(4), TRIPLE),
    lambda: claim(9, Replication(3), TRIPLE, "galaxy"),
    lambda: replace(TRIPLE, latent_errors=LatentErrors(1), read_errors=ReadErrors(1e-15)),
    lambda: replace(TRIPLE, used_share=70), lambda: Repair(transfer_hours=1, bytes_per_second=1),
    lambda: replace(TRIPLE, ranges=(Range("disks", 2, 4),)),
    lambda: chain(Replication(3), 0.1, repair=lambda missing: -5.0),
    lambda: chain(Replication(3), 0.1, repair=lambda missing: math.nan),
    lambda: chain(Replication(3), 0.1, repair=lambda missing: math.inf),
    lambda: burst(Replication(3), 100, 3, -1), lambda: burst(Replication(3), 100, 3, math.nan),
    lambda: windows(17, 3, 0.1, math.nan), lambda: windows(17, 3, -0.1, 1),
    lambda: windows(17, -3, 0.1, 1), lambda: split(Replication(3), TRIPLE, years=0),
    lambda: split(Replication(3), TRIPLE, years=-1), lambda: split(Replication(3), TRIPLE, paths=0),
    lambda: split(Replication(3), TRIPLE, seed=-1),
    lambda: simulate(Replication(3), TRIPLE, seed=-1),
    lambda: simulate(Replication(3), TRIPLE, seed=1.5),
    lambda: Migration(1, 1.5, 0), lambda: Scrub(-1), lambda: Range("x", 2, 1)])
def test_bad_models_are_refused_with_the_limit(make):
    with pytest.raises(InvalidParameter, match=r"allowed|needed|both|needs|outside"):
        make()
