"""The fault drill: every fault with three codes on real files, and a judge that finds errors."""

import dataclasses
import json
import random

import pytest

import reed
from cli_run import run
from reed.drill import FAULTS, faults, faulty, run_drill
from reed.drill.faults import ONE_STRENGTH, _run_victim
from reed.drill.scene import Scene
from reed.files import medium
from reed.store import Store
from store_folders import data_of, make


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    """Drills here are not about power cuts."""
    monkeypatch.setattr(medium, "fsync", lambda descriptor: None)


@pytest.mark.parametrize("code, seed", [
    (reed.Replication(3), 1), (reed.ReedSolomon(6, 3), 2), (reed.ReedSolomon(10, 4), 3)], ids=repr)
def test_every_fault_ends_as_promised(tmp_path, code, seed):
    report = run_drill(tmp_path, code=code, seed=seed)
    assert len(report.findings) == 2 * len(FAULTS) - len(ONE_STRENGTH)
    for finding in report.findings:
        assert finding.is_as_promised and finding.not_healed is None, finding
        assert finding.verdict == "exact" if finding.strength == "within" else (
            finding.verdict in ("refused", "salvaged")), finding
    assert list(tmp_path.iterdir()) == []


def test_one_seed_is_one_drill(tmp_path):
    names = ["flip-bits", "stale-shards"]
    code = reed.Replication(3)
    whole = run_drill(tmp_path, code=code, seed=5, faults=names)
    alone = run_drill(tmp_path, code=code, seed=5, faults=names[1:2])
    assert alone.findings == whole.findings[2:4]
    other = run_drill(tmp_path, code=code, seed=6, faults=names[:1])
    assert other.findings != whole.findings[:2]


def test_objects_of_a_store(tmp_path):
    with make(tmp_path / "store") as store:
        store.put("mine", data_of(1, 30_000))
        before = sorted(path.stat().st_mtime_ns for path in tmp_path.rglob("*.re*"))
        report = run_drill(tmp_path, like=store, faults=["flip-bits"])
        assert (report.code, report.objects) == ("4+2", 4)
        assert before == sorted(path.stat().st_mtime_ns for path in tmp_path.rglob("*.re*"))


def test_the_process_is_killed_where_it_is_said(tmp_path):
    before, after = data_of(2, 20_000), data_of(3, 20_000)
    scene = Scene(tmp_path / "scene", reed.Replication(3), {"key": before}, random.Random(1))

    def run_victim(kill_at):
        """(whether it was acknowledged, whether it left something half-made)"""
        is_acknowledged = _run_victim(scene, "put", "key", after, kill_at)
        with scene.opened() as store:
            assert scene.holds(store, "key", after if is_acknowledged else before)
        return is_acknowledged, any(scene.folder.rglob(".*.reed-partial-*"))

    assert run_victim(1) == (False, False)
    assert (False, True) in map(run_victim, range(15, 90, 15))  # in the middle of it
    assert run_victim(10**6)[0]


# ---- the judge -----------------------------------------------------------------------------------


def test_wrong_bytes_are_found(tmp_path, monkeypatch):
    real = Store.read
    monkeypatch.setattr(Store, "read", lambda self, key: real(self, key)[:-1] + b"\0")
    report = run_drill(tmp_path, code=reed.Replication(3), faults=["kill-targets"])
    assert [finding.verdict for finding in report.findings] == ["WRONG", "refused"]
    assert not report.is_as_promised and not report.is_healed


def test_a_repair_that_does_nothing_is_found(tmp_path, monkeypatch):
    real = Store.scrub
    monkeypatch.setattr(Store, "scrub", lambda self, repair=False: real(self))
    report = run_drill(tmp_path, code=reed.Replication(3), faults=["flip-bits"])
    assert report.is_as_promised and not report.is_healed
    assert "repairable" in report.findings[0].not_healed


def test_a_put_that_is_forgotten_is_found(tmp_path, monkeypatch):
    """An acknowledged put of which nothing is there afterwards."""
    monkeypatch.setattr(Store, "put", _only_the_first_put(Store.put))
    report = run_drill(tmp_path, code=reed.Replication(3), faults=["full-disk"])
    assert report.findings[0].verdict == "WRONG"


def _only_the_first_put(real):
    def put(self, key, source):
        if key not in [info.key for info in self.list()]:
            return real(self, key, source)
        return None
    return put


def test_salvage_with_a_wrong_byte_is_found(tmp_path, monkeypatch):
    real = Store.salvage

    def salvage(self, key, target):
        report = real(self, key, target)
        path = f"{target}.partial"
        with open(path, "r+b") as file:
            file.write(b"\0\1\2\3")
        return report

    monkeypatch.setattr(Store, "salvage", salvage)
    report = run_drill(tmp_path, code=reed.ReedSolomon(4, 2), faults=["cut-shards"], seed=1)
    assert [finding.verdict for finding in report.findings] == ["exact", "WRONG"]


def test_an_object_that_is_gone_is_found(tmp_path, monkeypatch):
    def read(self, key):
        raise reed.ObjectNotFound("gone", key=key)

    monkeypatch.setattr(Store, "read", read)
    report = run_drill(tmp_path, code=reed.Replication(3), faults=["kill-targets"])
    assert report.findings[0].verdict == "WRONG"


def test_what_a_dead_process_acknowledged_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(faults, "_run_victim", lambda *_: True)
    for name in ONE_STRENGTH[:2]:
        report = run_drill(tmp_path, code=reed.Replication(3), faults=[name])
        assert [finding.verdict for finding in report.findings] == ["WRONG"]


def test_what_a_dead_process_left_is_judged_before_anyone_repairs_it(tmp_path, monkeypatch):
    monkeypatch.setattr(faults, "_run_victim", lambda *_: False)
    monkeypatch.setattr(Scene, "judge", lambda *_: "WRONG" if len(_) == 4 else "exact")
    report = run_drill(tmp_path, code=reed.Replication(3), faults=["kill-put"])
    assert [finding.verdict for finding in report.findings] == ["WRONG"]


@pytest.mark.parametrize("fault, call, verdict, expected", [
    ("flip-bits", 2, "refused", (False, True)),  # beyond, one object may be refused, and no other
    ("full-disk", 0, "WRONG", (False, True)),
    ("flip-bits", 1, "refused", (True, False))])  # within; then what heal looks at
def test_every_object_is_judged(tmp_path, monkeypatch, fault, call, verdict, expected):
    real, calls = Scene.judge_all, []

    def judge_all(self, store):
        calls.append(real(self, store))
        return dict.fromkeys(calls[-1], verdict) if len(calls) == call + 1 else calls[-1]

    monkeypatch.setattr(Scene, "judge_all", judge_all)
    report = run_drill(tmp_path, code=reed.Replication(3), faults=[fault])
    assert (report.is_as_promised, report.is_healed) == expected


def test_a_full_disk_says_that_it_is_full(tmp_path):
    scene = Scene(tmp_path / "scene", reed.Replication(3), {}, random.Random(1))
    with scene.opened({1: faulty.FULL}) as store:
        assert store.put("key", b"x" * 9000).failures == {1: "No space left on device"}


# ---- the command ---------------------------------------------------------------------------------


def test_the_command(tmp_path):
    done = run("drill", "faults", "--copies", "3", "--fault", "flip-bits", "--fault", "kill-delete",
               "--in", tmp_path, "--json", expect=0)
    *lines, last = map(json.loads, done.stdout.splitlines())
    assert [line["finding"]["verdict"] for line in lines] == [
        "exact", lines[1]["finding"]["verdict"], "exact"]
    assert last["report"]["is_as_promised"] and last["exit_code"] == 0
    assert run("drill", "faults", "--list", expect=0).stdout.split() == list(FAULTS)
    assert "must be one of" in run("drill", "faults", "--fault", "rain", expect=3).stderr
    assert "contradict" in run("drill", "faults", "-s", tmp_path, "--copies", "3", expect=3).stderr


def test_exit_codes_by_finding(monkeypatch, capsys, tmp_path):
    """2 for what is wrong or lost, before 5 for what was not healed."""
    import reed.drill
    from reed.cli.app import run as run_here

    good = run_drill(tmp_path, code=reed.Replication(3), faults=["cut-shards"])
    for changes, code in (({}, 0), ({"not_healed": "why"}, 5),
                          ({"is_as_promised": False, "not_healed": "why"}, 2)):
        report = dataclasses.replace(good, findings=(
            dataclasses.replace(good.findings[0], **changes),))
        monkeypatch.setattr(reed.drill, "run_drill", lambda *_, _report=report, **__: _report)
        assert run_here(["drill", "faults"]) == code
