"""The command, its reports, and the same numbers from one worker, two and a Dask cluster."""

import json
import os
import re
import subprocess
import sys

import pytest

click_testing = pytest.importorskip("click.testing", reason="NOT RUN: needs the cli extra")

from reed.cli.durability import command  # noqa: E402
from reed.durability import Fleet, ReedSolomon, Repair, report, simulate  # noqa: E402
from reed.durability.scenario import load, shipped  # noqa: E402


def run(*arguments):
    return click_testing.CliRunner().invoke(command, arguments)


def test_the_default_is_the_incident_and_answers_within_ten_seconds():
    before = os.times()
    done = subprocess.run([sys.executable, "-m", "reed.durability"], capture_output=True,
                          text=True, timeout=120)
    # Processor seconds: on an idle machine no more than that passes, and other programs on a busy
    # one do not count.
    after = os.times()
    seconds = (after.children_user - before.children_user
               + after.children_system - before.children_system)
    assert done.returncode == 0 and done.stderr == ""
    for part in ("FAIL: 10 nines claimed", "Budget of threats", "What would earn", "3 copies",
                 "operator", "LRC(12,2,2)", "assumed"):
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


@pytest.mark.parametrize("arguments", [["nowhere.toml"], ["incident", "--workers", "0"],
                                       ["incident", "--workers", "-1"],
                                       ["incident", "--simulate", "--seed", "-1"]])
def test_errors_are_one_line_and_exit_3(arguments):
    done = run(*arguments)
    assert done.exit_code == 3
    assert done.output.startswith("reed durability: ") and done.output.count("\n") == 1


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
