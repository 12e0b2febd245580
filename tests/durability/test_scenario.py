"""Scenario files: every mistake gets an error that names file, key, value and what is allowed."""

import pytest

from reed.durability.scenario import ScenarioError, load, loads, shipped

GOOD = """
[scenario]
title = "test"
[claim]
nines = 9
[scheme]
kind = "reed-solomon"
data_shards = 4
parity_shards = 2
[fleet]
disks = 60
capacity_bytes = 1e12
failures_per_disk_year = { value = 0.0157, low = 0.01, high = 0.02, source = "a study" }
[fleet.repair]
transfer_hours = { value = 24, assumption = true }
[fleet.latent_errors]
per_disk_year = 0.01
[[fleet.bursts]]
name = "power"
events_per_year = { value = 0.1, low = 0.01, high = 1.0 }
disk_loss_probability = 0.01
"""


def test_a_good_file_is_read_with_its_notes():
    scenario = loads(GOOD, "good.toml")
    assert scenario.fleet.failures_per_disk_year == 0.0157
    assert scenario.fleet.assumptions == ("fleet.repair.transfer_hours",)
    assert [spread.path for spread in scenario.fleet.ranges] == [
        "failures_per_disk_year", "bursts.power.events_per_year"]
    by_key = {entry.key: entry for entry in scenario.inputs}
    assert by_key["fleet.failures_per_disk_year"].source == "a study"


@pytest.mark.parametrize(("old", "new", "key", "value", "allowed"), [
    ("nines = 9", "nines = 9\nsevens = 7", "claim.sevens", "7", "nines"),
    ("disks = 60", "disks = 60\ndiscs = 3", "fleet.discs", "3", "disks"),
    ("[scenario]", "[fleets]\nx = 1\n[scenario]", "fleets", "x", "fleet"),
    ("per_disk_year = 0.01", "per_disk_year = -0.01", "latent_errors.per_disk_year", "-0.01",
     "at least 0"),
    ("{ value = 0.0157, low = 0.01, high = 0.02, source = \"a study\" }", "1.57",
     "failures_per_disk_year", "1.57", "at most 1"),
    ("failures_per_disk_year = { value = 0.0157, low = 0.01, high = 0.02, source = \"a study\" }",
     "annual_failure_percent = 0.0157", "annual_failure_percent", "0.0157", "per cent"),
    ("disk_loss_probability = 0.01", "disk_loss_probability = 5", "disk_loss_probability", "5",
     "at most 1"),
    ("disks = 60", "disks = 60\nused_share = 70", "used_share", "70", "at most 1"),
    ("disks = 60", "disks = 5", "fleet.disks", "= 5:", "6 shards"),
    ("parity_shards = 2", "parity_shards = 255", "scheme", "255", "252"),
    ("parity_shards = 2", "", "scheme.parity_shards", "None", "integer"),
    ("parity_shards = 2", "parity_shards = 2\ncopies = 3", "scheme.copies", "3", "parity_shards"),
    ("[[fleet.bursts]]", "[fleet.read_errors]\nper_bit = 1e-15\n[[fleet.bursts]]",
     "latent_errors and fleet.read_errors", "1e-15", "one of them"),
    ("low = 0.01, high = 0.02", "low = 0.02, high = 0.03", "failures_per_disk_year", "0.02",
     "low at most value"),
    ("low = 0.01, high = 0.02", "low = 0.01", "failures_per_disk_year", "0.01", "both"),
    ("assumption = true", "assumed = true", "transfer_hours.assumed", "True", "assumption"),
    ("disks = 60", "disks = \"many\"", "fleet.disks", "many", "integer"),
    ("disks = 60", "disks = 60\nplacement = \"copyset\"", "fleet.copysets", "None", "placement"),
    ("disks = 60", "disks = 60\ndomains = 61", "fleet.domains", "61", "disks = 60"),
    ("[[fleet.bursts]]", "[fleet.scrub]\ninterval_hours = 9\nmisses = 1.0\n[[fleet.bursts]]",
     "fleet.scrub.misses", "1.0", "at most 0.999999"),
    ("kind = \"reed-solomon\"", "kind = \"raid\"", "scheme.kind", "raid", "replication"),
    ("[fleet.repair]\ntransfer_hours = { value = 24, assumption = true }", "", "fleet.repair",
     "None", "missing"),
    ("name = \"power\"", "name = \"\"", "fleet.bursts.name", "''", "not empty"),
    ("name = \"power\"", "name = \"p.q\"", "fleet.bursts.name", "p.q", "no dot"),
    ("name = \"power\"", "name = \"migration\"", "fleet.bursts.name", "migration", "none of"),
    ("name = \"power\"", "name = \"on reading\"", "fleet.bursts.name", "on reading", "none of"),
    ("[[fleet.bursts]]", "[[fleet.bursts]]\nname = \"power\"\nevents_per_year = 0.2\n"
     "disk_loss_probability = 0.5\n[[fleet.bursts]]", "fleet.bursts.name", "power", "of its own"),
    ("disks = 60", "disks = { value = 60, low = 50, high = 70 }", "fleet.disks", "50", "exact"),
    ("nines = 9", "nines = { value = 9, low = 8, high = 10 }", "claim.nines", "8", "exact"),
    ("disks = 60", "disks = 60\nobject_bytes = 1e18", "object_bytes", "1e+18", "at most 2.8e+13"),
    ("disks = 60", "disks = 60\nobject_bytes = 1e13\nobject_on_one_set = true", "object_bytes",
     "10000000000000.0", "one set of disks"),
    ("disks = 60", "disks = 7\nplacement = \"copyset\"\ncopysets = 8", "copysets", "8",
     "at most 7"),
    ("nines = 9", "nines = = 9", "file", "Invalid", "TOML"),
    ("nines = 9", f"nines = {'9' * 5000}", "file", "digits", "TOML"),
    ("nines = 9", f"nines = {'[' * 9000}9{']' * 9000}", "file", "recursion", "TOML"),
    ("nines = 9", f"nines = {'9' * 400}", "claim.nines", "999...", "at most 40"),
    ("disks = 60", "disks = 0", "fleet.disks", "0", "at least 1"),
    ("disks = 60", "disks = 1e9", "fleet.disks", "1000000000.0", "an integer"),
    ("transfer_hours = { value = 24, assumption = true }", "transfer_hours = 0",
     "repair.transfer_hours", "0", "above 0"),
    ("transfer_hours = { value = 24, assumption = true }", "transfer_hours = nan",
     "repair.transfer_hours", "nan", "a number"),
    ("transfer_hours = { value = 24, assumption = true }", "transfer_hours = inf",
     "repair.transfer_hours", "inf", "a number"),
    ("transfer_hours = { value = 24, assumption = true }", "transfer_hours = 1e300",
     "repair.transfer_hours", "1e+300", "at most 1e+30"),
])
def test_every_mistake_is_named(old, new, key, value, allowed):
    assert old in GOOD
    with pytest.raises(ScenarioError) as caught:
        loads(GOOD.replace(old, new), "bad.toml")
    message = str(caught.value)
    assert caught.value.key.endswith(key)
    for part in ("bad.toml", key, value, allowed):
        assert part in message, f"{part!r} is not in {message!r}"


def test_probability_and_percent_become_a_rate():
    for text in ("annual_failure_probability = 0.02", "annual_failure_percent = 2.0"):
        line = GOOD.index("failures_per_disk_year")
        changed = GOOD[:line] + text + GOOD[GOOD.index("\n", line):]
        assert loads(changed).fleet.failures_per_disk_year == pytest.approx(0.020202707)


def test_unknown_names_list_what_is_shipped():
    assert set(shipped()) == {"incident", "backblaze-17-3", "ceph-3-copies", "azure-lrc",
                              "home-nas", "swift-10-4"}
    with pytest.raises(ScenarioError, match="incident"):
        load("no-such-scenario")


def test_a_file_that_is_not_utf_8_is_refused(tmp_path):
    path = tmp_path / "latin.toml"
    path.write_bytes(GOOD.replace("test", "gr\u00fcn").encode("latin-1"))
    with pytest.raises(ScenarioError, match=r"latin.toml: file = .*xfc.*UTF-8"):
        load(path)
