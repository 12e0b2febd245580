"""The command, its reports, and the same numbers from one worker, two and a Dask cluster."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

click_testing = pytest.importorskip("click.testing", reason="NOT RUN: needs the cli extra")

from reed.cli.app import reed as group  # noqa: E402
from reed.durability import (  # noqa: E402
    Fleet,
    ReedSolomon,
    Repair,
    measure,
    report,
    simulate,
)
from reed.durability.scenario import load, shipped  # noqa: E402


def run(*arguments):
    return click_testing.CliRunner().invoke(group, ["durability", *arguments])


@pytest.mark.parametrize(("arguments", "parts"), [
    ((), ("FAIL: 10 nines claimed", "Budget of threats", "What would earn", "3 copies", "operator",
          "LRC(12,2,2)", "assumed")),
    (("azure-lrc",), ("11 nines claimed", "rack fire", "12+6")),
])
def test_answers_within_ten_seconds_and_the_default_is_the_incident(arguments, parts):
    before = os.times()
    done = subprocess.run([sys.executable, "-m", "reed.durability", *arguments],
                          capture_output=True, text=True, timeout=120)
    # Processor seconds: on an idle machine no more than that passes, and other programs on a busy
    # one do not count.
    after = os.times()
    seconds = (after.children_user - before.children_user
               + after.children_system - before.children_system)
    assert done.returncode == 0 and done.stderr == ""
    for part in parts:
        assert part in done.stdout
    assert seconds < 10, f"{seconds:.1f} s"


def test_json_is_one_object_with_everything():
    found = json.loads(run("incident", "--json").output)
    assert found["verdicts"][0]["verdict"] == "FAIL"
    assert {entry["key"] for entry in found["scenario"]["inputs"] if entry["assumption"]}
    assert len(found["schemes"]) >= 8 and found["curves"]["repair_hours"]
    estimate = found["verdicts"][0]["estimate"]
    for key in ("of", "faults", "start", "convention", "method", "inputs", "nines"):
        assert estimate[key]


def test_html_is_self_contained(tmp_path):
    pytest.importorskip("matplotlib", reason="NOT RUN: needs the durability extra")
    path = tmp_path / "report.html"
    assert run("home-nas", "--html", str(path)).exit_code == 0
    page = path.read_text()
    assert page.count("<svg") == 4
    # Links inside SVG metadata name vocabularies; nothing may be fetched.
    assert not re.search(r"(src|href)\s*=\s*['\"]https?:", page.replace("xlink:href=\"#", ""))
    assert "@import" not in page and "url(http" not in page
    assert "assumption" in page and "<script" not in page


def test_claim_and_unit_can_be_changed():
    done = run("incident", "--claim", "5", "--unit", "object")
    assert "PASS: 5 nines claimed" in done.output


@pytest.mark.parametrize(("arguments", "named"), [
    (["nowhere.toml"], "nowhere.toml"),
    (["incident", "--workers", "0"], "workers = 0"),
    (["incident", "--workers", "-1"], "workers = -1"),
    (["incident", "--simulate", "--seed", "-1"], "seed = -1"),
    (["incident", "--simulate", "--years", "0"], "years = 0.0"),
    (["incident", "--simulate", "--years", "nan"], "years = nan"),
    (["incident", "--simulate", "--years", "1e300"], "at most 1e+06"),
    (["--claim", "nan"], "nines = nan"), (["--claim", "41"], "at most 40"),
    (["--claim", "0"], "nines = 0.0"), (["--claim", "-3"], "nines = -3.0"),
    # What would be ignored is refused.
    (["incident", "--measure"], "SCENARIO"), (["--measure", "--html", "x.html"], "--html"),
    (["--measure", "--unit", "fleet"], "--unit"), (["--measure", "--claim", "9"], "--claim"),
    (["--list", "--simulate"], "--simulate"), (["--list", "--measure"], "--measure"),
    (["--years", "2"], "--years without --simulate"), (["--seed", "2"], "--seed"),
    (["-f"], "--force without --html"),
])
def test_errors_are_one_line_and_exit_3(arguments, named, monkeypatch):
    monkeypatch.setattr(measure, "measure", lambda: pytest.fail("was not refused"))
    code = click_testing.CliRunner().invoke(group, ["durability", *arguments],
                                            standalone_mode=False)
    assert code.return_value == 3
    assert code.output.startswith("reed durability: ") and code.output.count("\n") == 1
    assert named in code.output


def test_a_report_is_replaced_only_on_request(tmp_path):
    pytest.importorskip("matplotlib", reason="NOT RUN: needs the durability extra")
    path = tmp_path / "report.html"
    path.write_text("mine")
    assert "exists" in run("home-nas", "--html", str(path)).output
    assert path.read_text() == "mine"
    assert "report written" in run("home-nas", "--html", str(path), "-f").output
    assert path.read_text().startswith("<!doctype html>") and len(list(tmp_path.iterdir())) == 1
    gone = run("home-nas", "--html", str(tmp_path / "no" / "report.html")).output
    assert str(tmp_path / "no" / "report.html") in gone and "No such file" in gone


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_a_long_simulation_at_once(number):
    with subprocess.Popen(
            [sys.executable, "-m", "reed.durability", "--simulate", "--years", "1e6"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        time.sleep(3)
        process.send_signal(number)
        try:
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130 and "interrupted" in err and not out


def test_measured_rates_give_the_claim_table():
    """The real codec, timed shortly: every figure of the table follows from the rates that stand
    above it."""
    pytest.importorskip("reed._core", reason="NOT RUN: needs the compiled core")
    rates = measure.measure(seconds=0.02)
    assert 1e6 < rates.repair_bytes_per_second < 1e12
    assert 1e6 < rates.scrub_bytes_per_second < 1e12 and "10+4" in rates.origin
    found = json.loads(run("--measure", "--json").output)
    given = found["rates"]
    rows = measure.claim_table(given["repair_bytes_per_second"], given["scrub_bytes_per_second"])
    assert [row["scheme"] for row in found["schemes"]] == ["3 copies", "6+3", "10+4", "17+3"]
    for shown, row in zip(found["schemes"], rows, strict=True):
        assert shown["object_nines"] == pytest.approx(row.object_nines, rel=1e-12)
        assert shown["fleet_nines"] == pytest.approx(row.fleet_nines, rel=1e-12)
    slower = measure.claim_table(given["repair_bytes_per_second"] / 10,
                                 given["scrub_bytes_per_second"] / 10)
    assert all(after.object_nines < before.object_nines
               for after, before in zip(slower, rows, strict=True))
    text = run("--measure").output
    assert "GB/s per core" in text and "10+4" in text and "object nines" in text


def test_list_names_the_shipped_scenarios():
    output = run("--list").output
    assert all(name in output for name in shipped())


def test_one_worker_two_workers_and_a_dask_cluster_give_identical_numbers():
    pytest.importorskip("distributed", reason="NOT RUN: needs the dask extra")
    from dask.distributed import Client, LocalCluster

    fleet = Fleet(disks=50, capacity_bytes=1e12, repair=Repair(transfer_hours=48),
                  failures_per_disk_year=0.1)
    scenario = load("home-nas")
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, \
            Client(cluster) as client:
        found = [(simulate(ReedSolomon(4, 2), fleet, seed=4, workers=workers,
                           target_relative_error=0.004).as_dict(),
                  report.as_dict(report.build(scenario, workers)))
                 for workers in (1, 2, client)]
    assert found[0] == found[1] == found[2]
    assert found[0][0]["samples"] > 16384
