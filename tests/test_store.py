"""reed.Store over local folders: objects, damage, targets that go and return, reclaim, moves."""

import contextlib
import errno
import io
import itertools
import json
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import reed
from peak_memory import peak_of
from reed.files import medium
from reed.files.layout import RecordBatch
from reed.store import FolderTarget, audit, entries, layout, record, scrub
from reed.store.scrub import Throttle
from store_folders import CODE, Clock, data_of, flip, folders, make, shard_files

SIZES = (0, 1, 4095, 4 * 4096, 4 * 4096 + 1, 200_001)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    """These tests are not about power cuts."""
    monkeypatch.setattr(medium, "fsync", lambda descriptor: None)


# ---- objects -------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [CODE, reed.Replication(3), reed.ReedSolomon(2, 1)], ids=repr)
def test_objects_come_back_exactly(tmp_path, code):
    with make(tmp_path, code=code) as store:
        for size in SIZES:
            report = store.put(f"object/{size}", data_of(size, size))
            assert not report.degraded and report.object.size == size
        assert [found.key for found in store.list("object/")] == sorted(
            f"object/{size}" for size in SIZES)
        for size in SIZES:
            data = data_of(size, size)
            assert store.read(f"object/{size}") == data
            for start, end in ((0, size), (size // 3, 2 * size // 3), (size, size), (0, 1)):
                assert store.read(f"object/{size}", start, end) == data[start:end]
        assert store.scrub().status == "clean"
        assert store.audit().verdict == "healthy"


def test_sources_and_targets_of_every_kind(tmp_path):
    data = data_of(1, 50_000)
    source = tmp_path / "source"
    source.write_bytes(data)
    with make(tmp_path / "store") as store:
        store.put("bytes", data)
        store.put("path", source)
        store.put("stream", io.BytesIO(data))
        for key in ("bytes", "path", "stream"):
            target = tmp_path / f"{key}.out"
            report = store.get(key, target)
            assert target.read_bytes() == data and report.digest == "match"
            with pytest.raises(reed.TargetExists):
                store.get(key, target)
            stream = io.BytesIO()
            store.get(key, stream, start=100, end=40_000)
            assert stream.getvalue() == data[100:40_000]


def test_overwriting_and_deleting(tmp_path):
    with make(tmp_path) as store:
        for version in range(4):
            store.put("key", data_of(version, 10_000 + version))
            assert store.read("key") == data_of(version, 10_000 + version)
        store.delete("key")
        with pytest.raises(reed.ObjectNotFound):
            store.read("key")
        with pytest.raises(reed.ObjectNotFound):
            store.delete("key")
        assert list(store.list()) == []
        store.put("key", b"again")
        assert store.read("key") == b"again"


@pytest.mark.parametrize("key", ["a", "..", "a/b", "/", "\0", "ä" * 500, ".hidden", "x" * 1024,
                                 "a.record", "%41", "=x~", "a~", "\n"])
def test_keys_are_any_text(tmp_path, key):
    base = tmp_path / "a/b"
    with make(base) as store:
        store.put(key, b"content")
        assert store.read(key) == b"content"
        assert [found.key for found in store.list()] == [key]
        assert layout.unescape(layout.escape(key)) == key
    assert len(shard_files(tmp_path)) == len(list(base.glob("disk*/shards/??/**/*.reed"))) == 6


@pytest.mark.parametrize("key", ["", "x" * 1025, "\ud800", 7])
def test_other_keys_are_refused(tmp_path, key):
    with make(tmp_path) as store, pytest.raises(reed.InvalidParameter, match="key must"):
        store.put(key, b"")


def test_a_source_that_fails_leaves_nothing(tmp_path):
    class Failing:
        def __init__(self):
            self.left = 100_000

        def read(self, size):
            self.left -= size
            if self.left < 0:
                raise OSError(errno.EIO, "the source is gone")
            return b"x" * size

    with make(tmp_path) as store:
        store.put("key", b"before")
        with pytest.raises(OSError, match="source is gone"):
            store.put("key", Failing())
        assert store.read("key") == b"before"
    assert len(shard_files(tmp_path)) == 6
    assert not [path for path in tmp_path.rglob(".*")]


def test_threads_and_processes_share_a_store(tmp_path):
    """Each writes values that say what they are; every read is one of those, whole."""
    with make(tmp_path, threads=4, host="host") as store:
        def work(number):
            for step in range(6):
                key = f"key{(number + step) % 3}"
                store.put(key, f"{key} {number} {step} ".encode() * 500)
                value = store.read(key)
                assert value == value[:value.index(b" ", 5) + 3] * 500 and value.startswith(
                    key.encode())
            return True

        script = ("import sys, reed\n"
                  "from reed.files import medium\n"
                  "medium.fsync = lambda descriptor: None\n"
                  "with reed.Store.open(sys.argv[1], host='host', threads=2) as store:\n"
                  "    for step in range(8):\n"
                  "        store.put('key0', f'key0 9 {step} '.encode() * 500)\n")
        other = subprocess.Popen([sys.executable, "-c", script, tmp_path / "disk0"])
        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(work, range(4)))
        assert other.wait(60) == 0
        assert store.scrub().status == "clean" and store.audit().epoch == 1


def test_a_key_with_too_many_versions_is_refused_and_stays_readable(tmp_path, monkeypatch):
    monkeypatch.setattr(entries, "ENTRIES_WRITTEN_MAX", 5)
    with make(tmp_path, retention_hours=0) as store:
        for version in range(5):
            store.put("key", bytes([version]))
        for act in (lambda: store.put("key", b"x"), lambda: store.delete("key")):
            with pytest.raises(reed.InvalidParameter, match="reclaim first"):
                act()
        assert store.read("key") == b"\4" and len(shard_files(tmp_path)) == 30
        store.reclaim()
        store.put("key", b"more")


# ---- damage --------------------------------------------------------------------------------------


def test_damage_within_the_redundancy_is_found_and_repaired(tmp_path):
    data = data_of(2, 150_000)
    with make(tmp_path) as store:
        store.put("key", data)
        files = shard_files(tmp_path)
        whole = [path.read_bytes() for path in files]
        flip(files[0])
        files[1].write_bytes(whole[1][:-100])
        assert store.read("key") == data
        report = store.scrub()
        assert report.status == "repairable" and report.repairable == 1
        seen = []
        report = store.scrub(repair=True, on_object=seen.append)
        assert report.status == "clean" and report.repaired == 1
        assert len(seen[0].repaired_shards) == 2 and seen[0].status == "repaired"
        assert [path.read_bytes() for path in files] == whole
        assert store.scrub().healthy == 1


def test_damage_beyond_the_redundancy_is_named_and_nothing_wrong_is_served(tmp_path):
    with make(tmp_path) as store:
        store.put("key", data_of(3, 16_000))
        store.put("other", b"fine")
        for path in shard_files(tmp_path, "key")[:3]:
            flip(path)
        with pytest.raises(reed.BeyondRepair):
            store.read("key")
        with pytest.raises(reed.BeyondRepair):
            store.repair("key")
        report = store.scrub(repair=True)
        assert (report.status, report.beyond_repair, report.healthy) == ("beyond repair", 1, 1)
        assert store.stat("key").status == "beyond repair"
        assert store.read("other") == b"fine"


def test_a_shard_of_an_older_version_in_the_place_of_a_newer_one_is_wrong(tmp_path):
    with make(tmp_path) as store:
        store.put("key", data_of(4, 20_000))
        old = {path.parent.parent.parent: path.read_bytes() for path in shard_files(tmp_path)}
        store.put("key", data_of(5, 20_000))
        newer = [path for path in shard_files(tmp_path) if "-000000000002-" in path.name]
        newer[0].write_bytes(old[newer[0].parent.parent.parent])
        assert store.read("key") == data_of(5, 20_000)
        assert store.scrub(repair=True).repaired == 1
        for path in newer:
            path.write_bytes(old[path.parent.parent.parent])
        with pytest.raises(reed.BeyondRepair):
            store.read("key")


def test_read_repair(tmp_path):
    with make(tmp_path) as store:
        store.put("key", data_of(6, 60_000))
        for path in shard_files(tmp_path)[:1]:
            path.unlink()
        report = None
        for _ in range(2):
            report = store.get("key", io.BytesIO(), read_repair=True)
        assert not report.damaged_shards and store.scrub().status == "clean"


def test_a_record_that_is_damaged_says_nothing_and_is_made_new(tmp_path):
    with make(tmp_path) as store:
        store.put("key", b"content")
        records = sorted(tmp_path.glob("disk*/objects/*/*.record"))
        whole = [path.read_bytes() for path in records]
        for path in records[:2]:
            flip(path, 100)
        assert store.read("key") == b"content"
        store.scrub(repair=True)
        assert [len(path.read_bytes()) for path in records] == list(map(len, whole))
        for path in records[:3]:
            flip(path, 100)
        with pytest.raises(reed.Uncertain):
            store.read("key")
        with pytest.raises(reed.Uncertain):
            list(store.list())


# ---- targets that go and return ------------------------------------------------------------------


def test_a_lost_target_is_rebuilt_elsewhere(tmp_path):
    data = data_of(7, 90_000)
    with make(tmp_path) as store:
        store.put("key", data)
        shutil.rmtree(tmp_path / "disk3")
        assert store.read("key") == data
        report = store.put("later", data)
        assert report.degraded and report.shards_written == 5
        (new,) = folders(tmp_path / "new", 1)
        report = store.rebuild(3, new)
        assert report.complete and report.shards_rebuilt == 2
        shard_size = shard_files(new)[0].stat().st_size
        assert report.bytes_read <= 2 * 4 * shard_size
        assert store.scrub().status == "clean" and store.audit().verdict == "healthy"
        assert {entry["command"] for entry in store.audit().journal} == {"rebuild", "rebuilt"}


def test_a_target_that_returns_is_quarantined_until_it_is_reconciled(tmp_path):
    with make(tmp_path) as store:
        store.put("a", b"old")
        store.put("b", b"gone")
        (tmp_path / "disk0").rename(tmp_path / "away")
        store.put("a", b"new")
        store.delete("b")
        (tmp_path / "away").rename(tmp_path / "disk0")
        assert store.slots()[0].state == "stale"
        assert store.read("a") == b"new"
        with pytest.raises(reed.ObjectNotFound):
            store.read("b")
        assert store.stat("a").margin == 1
        assert store.reclaim().refused is not None
        report = store.reconcile()
        assert report.complete and report.shards_rebuilt == 1
        assert store.audit().verdict == "healthy" and store.stat("a").margin == 2
        assert store.scrub().status == "clean"


def test_without_a_majority_nothing_is_said_to_be_absent(tmp_path):
    with make(tmp_path) as store:
        store.put("key", b"content")
        for number in range(3):
            shutil.rmtree(tmp_path / f"disk{number}")
        for act in (lambda: store.read("key"), lambda: store.read("never"),
                    lambda: list(store.list()), lambda: store.put("key", b"new"),
                    lambda: store.delete("key"), store.audit, store.scrub, store.reclaim):
            with pytest.raises(reed.Uncertain):
                act()


def test_a_target_that_was_replaced_is_a_stranger_when_it_returns(tmp_path):
    with make(tmp_path) as store:
        store.put("key", b"old")
        (tmp_path / "disk0").rename(tmp_path / "away")
        store.rebuild(0, folders(tmp_path / "new", 1)[0])
        store.put("key", b"new")
        (tmp_path / "away").rename(tmp_path / "disk0")
        assert store.read("key") == b"new"
    places = [tmp_path / "disk0", tmp_path / "disk1"]
    with reed.Store.open(places, threads=1) as store:
        assert store.read("key") == b"new"
        assert str(tmp_path / "disk0") not in [slot.location for slot in store.slots()]


@pytest.mark.parametrize("act", ["scrub", "audit", "reclaim"])
def test_a_target_that_vanishes_at_any_moment_is_only_absent(tmp_path, monkeypatch, act):
    """It goes right before any one of an act's calls, and another thread notices first."""
    actual = {name: getattr(FolderTarget, name) for name in ("open", "stamp", "names", "device")}
    left, gone = 0, None

    with make(tmp_path, count=3, code=reed.Replication(3)) as store:
        store.put("key", data_of(1, 9_000))
        store.put("key", data_of(2, 9_000))
        store.clock.now += 100 * 3600
        store.reclaim(dry_run=True, accept_clock=True)
        run = {"scrub": store.scrub, "audit": store.audit,
               "reclaim": lambda: store.reclaim(dry_run=True)}[act]

        def notice(target):
            nonlocal left, gone
            if gone is None and store._guard.acquire(blocking=False):
                left -= 1
                if left == 0:
                    gone = Path(target.location)
                    gone.rename(tmp_path / "gone")
                    store._roster.refresh()
                store._guard.release()

        def hooked(name):
            def call(target, *arguments):
                if threading.current_thread() is threading.main_thread():
                    other = threading.Thread(target=notice, args=(target,))
                    other.start()
                    other.join()
                return actual[name](target, *arguments)
            return call

        for stop in itertools.count(1):
            left, gone = stop, None
            for name in actual:
                monkeypatch.setattr(FolderTarget, name, hooked(name))
            with contextlib.suppress(reed.ReedError, OSError):
                run()
            for name, method in actual.items():
                monkeypatch.setattr(FolderTarget, name, method)
            if gone is None:
                break
            (tmp_path / "gone").rename(gone)
            assert {slot.state for slot in store.slots()} == {"active"}
        assert stop > 5


def test_a_target_that_vanishes_while_its_shard_is_read_does_not_end_a_scrub(tmp_path, monkeypatch):
    with make(tmp_path) as store:
        store.put("key", data_of(1, 90_000))
        actual = medium.OpenFile.read_at

        def read_at(file, buffer, offset):
            if len(buffer) > 4096 and (tmp_path / "disk4").exists():
                (tmp_path / "disk4").rename(tmp_path / "gone")
                store.slots()
            return actual(file, buffer, offset)

        monkeypatch.setattr(medium.OpenFile, "read_at", read_at)
        report = store.scrub()
        assert not (tmp_path / "disk4").exists() and report.objects == 1


def test_targets_may_be_given_in_any_order_and_elsewhere(tmp_path):
    with make(tmp_path) as store:
        store.put("key", b"content")
    moved = []
    for number in range(6):
        moved.append(tmp_path / f"mount{5 - number}")
        (tmp_path / f"disk{number}").rename(moved[-1])
    with pytest.raises(reed.Uncertain), reed.Store.open(moved[0]) as store:
        store.read("key")
    with reed.Store.open(moved[::-1]) as store:
        assert store.read("key") == b"content"
    assert store.audit().verdict == "healthy"


def test_strangers_and_copies_are_refused(tmp_path):
    with make(tmp_path / "one") as one, make(tmp_path / "two") as two:
        one.put("key", b"1")
        two.put("key", b"2")
    with pytest.raises(reed.WrongTarget, match="belongs to the store"):
        reed.Store.open([tmp_path / "one/disk0", tmp_path / "two/disk1"])
    shutil.copytree(tmp_path / "one/disk0", tmp_path / "copy")
    with pytest.raises(reed.WrongTarget, match="same target"):
        reed.Store.open([tmp_path / "one/disk0", tmp_path / "copy"])
    with pytest.raises(reed.NotAStore):
        reed.Store.open(folders(tmp_path / "empty", 1))
    with pytest.raises(reed.WrongTarget, match="holds target"):
        reed.Store.create([tmp_path / f"one/disk{i}" for i in range(6)], code=CODE,
                          allow_shared_devices=True)


def test_targets_on_one_device_are_refused_or_told(tmp_path):
    with pytest.raises(reed.InvalidParameter, match="share a device"):
        reed.Store.create(folders(tmp_path / "a", 6), code=CODE)
    with make(tmp_path / "b") as store:
        store.put("key", b"x")
        report = store.audit()
        assert any("count as one failure domain" in warning for warning in report.warnings)
        assert report.objects[0].domain_margin == 0 and report.objects[0].margin == 2


def test_another_host_is_refused_until_it_takes_over(tmp_path):
    with make(tmp_path, host="one") as one:
        one.put("key", b"1")
        with reed.Store.open(tmp_path / "disk0", host="two", threads=1) as two:
            assert two.read("key") == b"1"
            for act in (lambda: two.put("key", b"2"), lambda: two.delete("key"), two.reclaim,
                        two.reconcile, lambda: two.scrub(repair=True)):
                with pytest.raises(reed.LeaseHeld):
                    act()
            two.take_over()
            two.put("key", b"2")
        with pytest.raises(reed.LeaseHeld):
            one.put("key", b"3")
        assert one.read("key") == b"2"


# ---- reclaim and migration -----------------------------------------------------------------------


def test_reclaim_waits_for_retention_and_then_frees(tmp_path):
    with make(tmp_path, retention_hours=24) as store:
        store.put("key", data_of(8, 50_000))
        store.put("key", data_of(9, 50_000))
        store.put("gone", b"x")
        store.delete("gone")
        report = store.reclaim()
        assert not report.versions and len(report.kept) == 2
        store.clock.now += 25 * 3600
        assert store.reclaim(dry_run=True).versions and len(shard_files(tmp_path)) == 18
        report = store.reclaim()
        assert len(report.versions) == 2 and report.tombstones == ("gone",)
        assert len(shard_files(tmp_path)) == 6
        assert store.read("key") == data_of(9, 50_000)
        assert [entry["command"] for entry in store.audit().journal] == ["reclaim"]


def test_reclaim_keeps_what_a_damaged_successor_replaced(tmp_path):
    with make(tmp_path, retention_hours=0) as store:
        store.put("key", data_of(10, 50_000))
        store.put("key", data_of(11, 50_000))
        flip(next(path for path in shard_files(tmp_path) if "-000000000002-" in path.name))
        report = store.reclaim()
        assert not report.versions and "repairable" in str(report.kept)
        store.scrub(repair=True)
        assert store.reclaim().versions


@pytest.mark.parametrize("step", [-3600, 90 * 86400])
def test_a_clock_that_jumps_stops_reclaim(tmp_path, step):
    class Set(Clock):
        offset = 0.0

        def wall(self):
            return self.now + self.offset

    with make(tmp_path, clock=Set(), retention_hours=1) as store:
        store.put("key", b"1")
        store.put("key", b"2")
        store.clock.offset = step
        with pytest.raises(reed.ClockJumped):
            store.reclaim()
        assert len(shard_files(tmp_path)) == 12
        store.clock.now += 3 * 3600 - min(0, step)
        assert store.reclaim(accept_clock=True).versions


def test_migration_to_another_code_keeps_the_source_for_its_retention(tmp_path):
    data = {f"key{i}": data_of(i, 30_000 * i) for i in range(4)}
    with make(tmp_path, code=reed.Replication(3), retention_hours=24) as store:
        for key, content in data.items():
            store.put(key, content)
        before = len(shard_files(tmp_path))
        report = store.migrate(code=CODE)
        assert report.copied == 4 and report.complete
        assert store.migrate(code=CODE).copied == 0
        assert {found.code for found in store.list()} == {"4+2"}
        assert len(shard_files(tmp_path)) == before + 4 * 6
        store.clock.now += 25 * 3600
        assert len(store.reclaim().versions) == 4
        assert {key: store.read(key) for key in data} == data
        assert len(shard_files(tmp_path)) == 4 * 6


def test_migration_of_a_damaged_object_never_copies_the_damage(tmp_path):
    data = data_of(12, 100_000)
    with make(tmp_path, code=reed.Replication(3)) as store:
        store.put("key", data)
        flip(shard_files(tmp_path)[0], 70_000)
        assert store.migrate(code=CODE).copied == 1
        assert store.read("key") == data and store.scrub().beyond_repair == 0


def test_migration_to_other_targets(tmp_path):
    with make(tmp_path, retention_hours=0) as store:
        store.put("key", data_of(13, 40_000))
        new = folders(tmp_path / "new", 6)
        report = store.migrate(targets=new)
        assert report.copied == 1
        assert len(shard_files(tmp_path / "new")) == 6
        store.put("other", b"x")
        assert len(shard_files(tmp_path / "new")) == 12
        store.reclaim()
        assert store.read("key") == data_of(13, 40_000)
        assert len(shard_files(tmp_path)) == 12


# ---- beyond repair -------------------------------------------------------------------------------


def test_salvage_writes_what_is_proved_and_says_what_is_not(tmp_path):
    data = data_of(15, 100_000)
    with make(tmp_path) as store:
        store.put("key", data)
        for path in shard_files(tmp_path)[:3]:
            flip(path, 6000)
        report = store.salvage("key", tmp_path / "out")
        assert report.status == "beyond repair" and report.last_known_whole is not None
        partial = (tmp_path / "out.partial").read_bytes()
        kept = bytearray(data)
        for begin, end in report.lost_ranges:
            kept[begin:end] = bytes(end - begin)
        assert partial == bytes(kept) and 0 < sum(e - b for b, e in report.lost_ranges) <= 3 * 4096
        assert json.loads((tmp_path / "out.incident.json").read_text())["object"]["key"] == "key"
        assert not (tmp_path / "out").exists()


def test_two_copies_with_bad_sectors_in_different_places_are_merged(tmp_path):
    data = data_of(16, 300_000)
    with make(tmp_path, 3, code=reed.Replication(3)) as store:
        store.put("key", data)
        files = shard_files(tmp_path)
        files[0].unlink()
        for offset in range(5_000, 290_000, 20_000):
            flip(files[1], offset)
            flip(files[2], offset + 9_000)
        assert store.read("key") == data
        assert store.scrub(repair=True).status == "clean"


def test_records_are_made_from_shards_alone(tmp_path):
    data = {f"key{i}": data_of(i, 10_000 * i) for i in range(3)}
    with make(tmp_path) as store:
        for key, content in data.items():
            store.put(key, b"older")
            store.put(key, content)
        for path in tmp_path.glob("disk*/objects"):
            shutil.rmtree(path)
        assert list(store.list()) == []
        assert set(store.recover_records()) == set(data)
        assert {key: store.read(key) for key in data} == data


# ---- large objects -------------------------------------------------------------------------------


def test_a_large_object_stays_out_of_memory_and_of_the_page_cache(tmp_path, monkeypatch):
    """At most 64 MiB and four rows; and what is behind by a few megabytes is given up."""
    dropped = []
    drop = medium._drop_cached

    def note(descriptor, begin=0, size=0):
        dropped.append((begin, size))
        drop(descriptor, begin, size)

    monkeypatch.setattr(medium, "_drop_cached", note)
    code = reed.ReedSolomon(2, 1)
    source = tmp_path / "source"
    with open(source, "wb") as file:
        file.truncate(100 << 20)
    with reed.Store.create(folders(tmp_path, 3), code=code, allow_shared_devices=True,
                           reserve_bytes=0, threads=4) as store:
        for verb in (lambda: store.put("key", source), lambda: store.get("key", tmp_path / "out"),
                     lambda: store.scrub()):
            dropped.clear()
            assert peak_of(verb) <= (64 << 20) + 4 * 3 * (65536 + 64)
            pieces = [size for _, size in dropped if size]
            assert pieces and max(pieces) <= 3 * medium._BEHIND_BYTES
        assert (tmp_path / "out").read_bytes() == bytes(100 << 20)


@pytest.mark.parametrize("threads", [1, 3])
def test_a_put_whose_source_fails_waits_for_what_it_began_to_write(tmp_path, monkeypatch, threads):
    """No thread writes into a temporary that is being removed, or into a file that got its
    descriptor."""
    events = []
    write, remove = medium.pwritev, medium.Temporary.remove

    def slow(descriptor, buffers, offset):
        time.sleep(0.01)
        events.append("written")
        return write(descriptor, buffers, offset)

    def note(temporary):
        events.append("removed")
        remove(temporary)

    class Failing:
        left = 10

        def readinto(self, buffer):
            self.left -= 1
            if self.left < 0:
                raise OSError(errno.EIO, "the source fails")
            return len(buffer)

    with make(tmp_path, 3, reed.ReedSolomon(2, 1), threads=threads) as store:
        monkeypatch.setattr(RecordBatch, "BATCH_BYTES", 1)
        monkeypatch.setattr(medium, "pwritev", slow)
        monkeypatch.setattr(medium.Temporary, "remove", note)
        with pytest.raises(OSError, match="the source fails"):
            store.put("key", Failing())
        time.sleep(0.1)  # what still runs shows
        assert not list(store.list()) and not shard_files(tmp_path)
    assert events[-3:] == ["removed"] * 3 and events.count("removed") == 3


def test_a_put_interrupted_while_it_makes_its_temporaries_leaves_none(tmp_path, monkeypatch):
    create = FolderTarget.create
    made = []

    def interrupted(target, name):
        made.append(name)
        if len(made) == 4:
            raise KeyboardInterrupt
        return create(target, name)

    with make(tmp_path) as store:
        monkeypatch.setattr(FolderTarget, "create", interrupted)
        with pytest.raises(KeyboardInterrupt):
            store.put("key", b"x")
        assert len(made) == 4 and not list(tmp_path.rglob(".*partial*"))


def test_shards_on_one_device_are_read_one_after_the_other(tmp_path):
    with make(tmp_path, threads=4) as store:
        store.put("key", b"x" * 100_000)
        with store.open_object("key") as found:
            assert found._opened.stripe.lanes == 1


# ---- scrubbing in parts --------------------------------------------------------------------------


def test_parts_of_a_scrub_merge_and_remember(tmp_path):
    with make(tmp_path) as store:
        for i in range(20):
            store.put(f"key{i}", bytes([i]) * 100)
        whole = store.scrub()
        parts = [store.scrub(shard=(i, 3)).as_dict() for i in range(3)]
        assert reed.store.ScrubReport.merge(parts) == whole
        assert store.scrub(older_than_hours=1).status == "nothing read"
        store.clock.now += 2 * 3600
        assert store.scrub(percent=25).objects == 5
        assert store.scrub(older_than_hours=1).objects == 15
        assert store.scrub(older_than_hours=1).objects == 0


def test_a_scrub_looks_up_each_name_twice_at_most(tmp_path, monkeypatch):
    """Once to choose the keys and once with its folder: the cost grows with the objects, and not
    with their square."""
    seen = 0
    names = FolderTarget.names

    def count(target, folder):
        nonlocal seen
        for name in names(target, folder):
            seen += folder.startswith(layout.OBJECTS)
            yield name

    monkeypatch.setattr(FolderTarget, "names", count)
    with make(tmp_path) as store:
        for i in range(60):
            store.put(f"key{i}", b"x")
        assert store.scrub().objects == 60
        assert 60 <= seen <= 2 * 60 * len(store.config.slots)


def test_a_scrub_of_some_keys_keeps_what_is_known_of_their_neighbours(tmp_path):
    keys = [f"key{i}" for i in range(2000) if layout.fan(f"key{i}") == layout.fan("key0")][:4]
    with make(tmp_path) as store:
        for key in keys:
            store.put(key, b"x")
        store.clock.now += 7200
        store.scrub()
        store.clock.now += 7200
        store.scrub(prefix=keys[0])
        old, new = (store.stat(key).shards[0].verified for key in (keys[1], keys[0]))
        assert new - old == 7200


def two_in_one_folder(store):
    """Puts two objects whose keys are of one folder, and gives the keys in order."""
    keys = [f"key{i}" for i in range(2000) if layout.fan(f"key{i}") == layout.fan("key0")][:2]
    for key in keys:
        store.put(key, b"x")
    return sorted(keys)


@pytest.mark.parametrize("chosen", [{"prefix": "key0"}, {"percent": 50}], ids=str)
def test_a_scrub_of_some_keys_keeps_what_another_found_meanwhile(tmp_path, chosen):
    with make(tmp_path) as store:
        first, second = two_in_one_folder(store)
        store.scrub()
        seen = []

        def meanwhile(result):
            seen.append(result.key)
            store.clock.now += 1
            flip(shard_files(tmp_path, f"{second}.")[0])
            with reed.Store.open(tmp_path / "disk0", clock=store.clock, threads=1) as other:
                assert other.scrub(prefix=second).repairable == 1

        store.scrub(on_object=meanwhile, **chosen)
        assert seen == [first]
        assert (store.stat(first).margin, store.stat(second).margin) == (2, 1)


def test_of_two_results_the_newer_counts(tmp_path):
    """One scrub finds an object whole and saves that after another one found it damaged; with a
    clock that was ahead before, what is found now counts."""
    with make(tmp_path) as store:
        first, second = two_in_one_folder(store)

        def damage(result):
            if result.key == second:
                store.clock.now += 1
                flip(shard_files(tmp_path, f"{second}.")[0])
                with reed.Store.open(tmp_path / "disk0", clock=store.clock, threads=1) as other:
                    assert other.scrub(prefix=second).repairable == 1
                store.clock.now += 1

        assert store.scrub(on_object=damage).healthy == 2
        assert (store.stat(first).margin, store.stat(second).margin) == (2, 1)
        store.clock.now -= 7200
        flip(shard_files(tmp_path, f"{second}.")[0])
        assert store.scrub().healthy == 2
        assert store.stat(second).margin == 2


@pytest.mark.parametrize("end", [reed.Cancelled, KeyboardInterrupt])
def test_a_scrub_that_is_cancelled_leaves_what_it_found(tmp_path, end):
    with make(tmp_path) as store:
        first, second = two_in_one_folder(store)
        store.scrub()
        for key in (first, second):
            flip(shard_files(tmp_path, f"{key}.")[0])
        store.clock.now += 1
        seen = []

        def take(result):
            seen.append(result.key)
            if end is KeyboardInterrupt:
                raise end

        with pytest.raises(end):
            store.scrub(on_object=take, cancel=lambda: bool(seen))
        assert seen == [first]
        assert (store.stat(first).margin, store.stat(second).margin) == (1, 2)


def test_a_repair_that_is_cancelled_is_in_the_journal(tmp_path):
    with make(tmp_path) as store:
        for key in two_in_one_folder(store):
            flip(shard_files(tmp_path, f"{key}.")[0])
        seen = []
        with pytest.raises(reed.Cancelled):
            store.scrub(repair=True, on_object=seen.append, cancel=lambda: bool(seen))
        (entry,) = store.audit().journal
        assert entry["command"] == "scrub" and entry["outcome"]["shards"] == 1


def test_a_slot_that_comes_during_an_audit_counts_where_it_was_given(tmp_path, monkeypatch):
    actual = audit.slot_states
    with make(tmp_path, code=reed.Replication(3), count=3) as store:
        folders(tmp_path / "new", 3)

        def slot_states(roster):
            states = actual(roster)
            monkeypatch.setattr(audit, "slot_states", actual)
            store.migrate(targets=[tmp_path / "new" / f"disk{number}" for number in range(3)])
            return states

        store.put("key", data_of(1, 9_000))
        monkeypatch.setattr(audit, "slot_states", slot_states)
        (found,) = store.audit().objects
        assert found.margin == 2 and {shard.slot for shard in found.shards} == {3, 4, 5}


def test_the_digest_of_a_new_store(tmp_path, monkeypatch):
    """The one that keeps pace with disks where it is installed; a host without it says so."""
    with make(tmp_path / "blake3") as store:
        assert store.config.digest_type == "blake3"
        store.put("key", data_of(1, 20_000))  # two rows
    monkeypatch.setitem(sys.modules, "blake3", None)
    with make(tmp_path / "sha256") as store:
        assert store.config.digest_type == "sha256"
        store.put("key", b"some bytes")
        assert store.read("key") == b"some bytes"
    with reed.Store.open(tmp_path / "blake3" / "disk0", threads=1) as store:
        assert store.read("key", 0, 4) == data_of(1, 4)
        for act in (lambda: store.read("key"), lambda: store.put("key", b"others"), store.scrub):
            with pytest.raises(reed.InvalidParameter, match="package blake3"):
                act()


@pytest.mark.parametrize("repair", [False, True])
def test_the_rate_of_a_scrub_holds_within_an_object(tmp_path, monkeypatch, repair):
    rate, batch = 100_000, 6 * (4096 + 64)
    time_now = [0.0]
    read_at = medium.preadv
    total = 0
    most = 0.0

    def sleep(seconds):
        assert 0 < seconds <= 0.1
        time_now[0] += seconds

    def count(*arguments):
        nonlocal total, most
        size = read_at(*arguments)
        total += size
        most = max(most, total - rate * time_now[0])
        return size

    monkeypatch.setattr(RecordBatch, "BATCH_BYTES", 1)
    monkeypatch.setattr(scrub, "Throttle", lambda given: Throttle(
        given, sleep, lambda: time_now[0]))
    with make(tmp_path) as store:
        for key in ("a", "b"):
            store.put(key, data_of(1, 500_000))
        flip(shard_files(tmp_path)[0])
        monkeypatch.setattr(medium, "preadv", count)
        report = store.scrub(repair=repair, rate_limit=rate)
    assert report.repaired == repair and report.bytes_read > 1_500_000
    # The next batch is read while the last one's time passes; and the ends of the files. What is
    # read back of a new shard has no limit.
    assert most < 5 * batch + repair * 130_000
    assert report.bytes_read / rate <= time_now[0] < 1.1 * report.bytes_read / rate


def test_a_scrub_that_waits_can_be_cancelled(tmp_path):
    with make(tmp_path) as store:
        store.put("key", data_of(1, 100_000))
        begin = time.monotonic()
        with pytest.raises(reed.Cancelled):
            store.scrub(rate_limit=5000, cancel=lambda: time.monotonic() > begin + 0.3)
        assert time.monotonic() < begin + 10  # of 30


def test_results_of_what_is_gone_are_dropped(tmp_path):
    with make(tmp_path) as store:
        first, second = two_in_one_folder(store)
        store.scrub()
        kept = store.stat(second).object.version
        store.put(first, b"again")
        store.clock.now += 25 * 3600
        assert len(store.reclaim().versions) == 1
        store.scrub(prefix=first)
        name = layout.scrub_name(layout.fan(first))
        slot = store.stat(second).shards[0].slot
        content = record.read(FolderTarget(tmp_path / f"disk{slot}"), name)["content"]
        assert set(content) == {f"{first} {store.stat(first).object.version}", f"{second} {kept}"}


def test_a_scrub_of_an_empty_store_is_not_clean(tmp_path):
    with make(tmp_path) as store:
        assert store.scrub().status == "nothing read"


def test_a_copy_that_was_not_read_back_never_frees_its_source(tmp_path):
    with make(tmp_path, 6, reed.Replication(3)) as store:
        data = data_of(30, 40_000)
        store.put("key", data)
        report = store.migrate(code=CODE, unsafe_skip_verify=True)
        assert report.complete and not report.verified
        assert store.audit().never_verified == 6
        store.clock.now += 25 * 3600
        report = store.reclaim()
        (why,) = report.kept.values()
        assert report.versions == () and "verification switched off" in why
        assert store.migrate(code=reed.Replication(3)).verified
        store.clock.now += 25 * 3600
        assert len(store.reclaim().versions) == 2 and store.read("key") == data


def test_the_journal_keeps_what_repairs_took(tmp_path):
    with make(tmp_path) as store:
        store.put("key", data_of(31, 40_000))
        flip(shard_files(tmp_path)[0])
        assert store.scrub(repair=True).repaired == 1
        shutil.rmtree(tmp_path / "disk3")
        store.rebuild(3, folders(tmp_path / "new", 1)[0])
        outcomes = {entry["command"]: entry["outcome"] for entry in store.audit().journal}
        assert outcomes["scrub"]["shards"] == outcomes["rebuilt"]["shards"] == 1
        assert outcomes["rebuilt"]["seconds"] > 0
