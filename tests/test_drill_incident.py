"""The replay of 20 July 2018: the five outcomes, and that the judge can say otherwise."""

import json

import pytest

from cli_run import run, run_json
from reed.drill import incident, replay_incident
from reed.files import medium


@pytest.fixture
def no_waiting(monkeypatch):
    """These replays are not about power cuts."""
    monkeypatch.setattr(medium, "fsync", lambda descriptor: None)


def outcomes(report):
    return {case.name: case.outcome for case in report.cases}


def test_every_case_ends_as_it_must(tmp_path, no_waiting):
    code, answer = run_json("drill", "incident", "--in", tmp_path, "--seed", "7")
    report = answer["report"]
    assert code == 0 and answer["as_expected"]
    assert {case["name"]: case["outcome"] for case in report["cases"]} == {
        "a": "lost", "b": "recovered", "c": "caught", "d": "refused", "e": "merged"}
    lost = report["cases"][0]["proof"]
    assert not any(report["digest"][:16] in line for line in lost)
    for case in report["cases"][1:]:
        assert report["digest"][:16] in case["proof"][-1], case
    assert list(tmp_path.iterdir()) == []
    # One seed is one replay.
    assert json.dumps(replay_incident(tmp_path, seed=7).as_dict()) == json.dumps(report)


def test_a_migration_that_looked_loses_nothing(tmp_path, no_waiting, monkeypatch):
    """With verification in the stand-in, case (a) must not be called lost, nor (b) recovered."""
    monkeypatch.setattr(incident, "_migrate_without_looking", lambda day, source, target: (
        incident._encode(day, incident._read_pool(day, source), target)))
    report = replay_incident(tmp_path)
    assert not report.is_as_expected
    assert outcomes(report)["a"] == "not lost" and outcomes(report)["b"] == "not recovered"


def test_a_store_that_reclaims_too_early_is_found(tmp_path, no_waiting, monkeypatch):
    """The judge of case (d) looks at what is there and not at what the store promises."""
    from reed.store import Store

    real = Store.create.__func__
    monkeypatch.setattr(Store, "create", classmethod(
        lambda cls, targets, **options: real(cls, targets, retention_hours=0.0, **options)))
    assert outcomes(replay_incident(tmp_path))["d"] == "not refused"


def test_a_folder_that_is_not_there():
    assert "does not exist" in run("drill", "incident", "--in", "nowhere", expect=3).stderr
