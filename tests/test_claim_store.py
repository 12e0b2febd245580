"""The living claim: what a store has measured moves its nines, and what it has not is said."""

import shutil

import pytest

import reed
from cli_run import run_json
from reed.durability import Fleet, ReedSolomon, evaluate
from reed.files import medium
from reed.store import FolderTarget
from reed.store.claim import claim, measured_fleet
from store_folders import Clock, data_of, flip, folders, shard_files


class Disk(FolderTarget):
    """A folder that counts as a device of its own."""

    def device(self):
        return self.location


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setattr(medium, "fsync", lambda descriptor: None)
    clock = Clock()
    with reed.Store.create([Disk(folder) for folder in folders(tmp_path, 6)], block_size=4096,
                           code=reed.ReedSolomon(4, 2), clock=clock, reserve_bytes=0, threads=1,
                           locate=Disk) as made:
        made.clock = clock
        made.put("key", data_of(1, 50_000))
        clock.now += 60
        yield made


def claimed(store):
    return claim(store.audit(), 4, 2)


def given(report):
    return {item.name: item for item in report.inputs}


def test_a_whole_store_is_what_it_was_designed_to_be(store):
    report = claimed(store)
    assert report.loss_now == report.loss_designed and report.states == ((6, 2, 1),)
    fleet, _ = measured_fleet(store.audit())
    assert isinstance(fleet, Fleet)
    assert report.loss_now == evaluate(ReedSolomon(4, 2), fleet).object_loss > 0
    assert report.acts == ()


def test_a_store_that_measured_nothing_says_so(store):
    inputs = given(claimed(store))
    assert {name for name, item in inputs.items() if item.is_measured} == {
        "targets", "failure domains", "bytes on a target"}
    assert "typical" in inputs["repair rate"].origin and "scrubbed" in inputs[
        "scrub interval"].origin


def test_a_lost_target_costs_nines_until_it_is_rebuilt(store, tmp_path):
    before = claimed(store)
    shutil.rmtree(tmp_path / "disk3")
    during = claimed(store)
    assert during.states == ((5, 1, 1),) and during.nines_now < before.nines_now - 2
    assert "slots 3 are away" in during.acts[0].text
    (new,) = folders(tmp_path / "new", 1)
    rebuilt = store.rebuild(3, Disk(new))
    store.clock.now += 60
    after = claimed(store)
    assert after.states == ((6, 2, 1),)
    rate = given(after)["repair rate"]
    assert rate.is_measured and rate.value == pytest.approx(rebuilt.bytes_per_second)
    (act,) = after.acts
    assert "slot 3 was away and rebuilt" in act.text and act.nines_cost > 2
    assert act.hours == pytest.approx(rebuilt.seconds / 3600)
    store.clock.now += 31 * 86400
    assert claimed(store).acts == ()


def test_scrub_ages_and_errors_are_measured(store, tmp_path):
    flip(shard_files(tmp_path)[0])
    store.scrub(repair=True)
    store.clock.now += 100 * 3600
    inputs = given(claimed(store))
    assert inputs["scrub interval"].is_measured
    assert inputs["scrub interval"].value == pytest.approx(100.0)
    assert inputs["wrong shards per disk-year"].value == 1.0
    store.clock.now += 365.25 * 86400
    store.scrub()
    rate = given(claimed(store))["wrong shards per disk-year"]
    assert rate.is_measured and rate.value == pytest.approx(1 / 6, rel=0.02)


def test_lost_objects_and_shared_domains_are_counted(store, tmp_path):
    store.put("other", data_of(2, 50_000))
    for path in shard_files(tmp_path, "other")[:3]:
        path.unlink()
    report = claimed(store)
    assert report.loss_now == pytest.approx(0.5, rel=0.01) and (0, -1, 1) in report.states
    with reed.Store.create(folders(tmp_path / "one", 6), code=reed.ReedSolomon(4, 2),
                           allow_shared_devices=True, reserve_bytes=0, threads=1) as shared:
        shared.put("key", b"x" * 1000)
        assert claimed(shared).states == ((1, 0, 1),) and claimed(shared).nines_now < 3


def test_the_command(store, tmp_path):
    _, answer = run_json("claim", "-s", tmp_path / "disk0", "--nines", "10", expect=0)
    report = answer["report"]
    # The command sees the real devices: all folders are on one.
    assert report["states"] == [[1, 0, 1]] and not answer["is_kept"]
    assert report["nines_designed"] > 10
