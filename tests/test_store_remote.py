"""reed.Store over targets behind URLs: fsspec's memory, an object store that fails as it is told,
and both mixed with local folders."""

import contextlib
import gc
import io
import itertools
import subprocess
import sys
from pathlib import Path

import fsspec
import pytest

import reed
from cli_run import run
from reed.files import medium
from reed.store import (
    Capabilities,
    FolderTarget,
    RemoteTarget,
    open_location,
    record,
    remote,
    roster,
    writer,
)
from store_buckets import TRUSTED, Bucket, Places, eio, forget, locate
from store_folders import CODE, Clock, data_of, folders


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    monkeypatch.setattr(medium, "fsync", lambda descriptor: None)
    forget()


@pytest.fixture(params=["memory", "bucket", "mixed"])
def places(request, tmp_path):
    return Places(request.param, tmp_path)


@pytest.fixture
def bucket(tmp_path):
    return Places("bucket", tmp_path)


def make(places, count=6, code=CODE, **options):
    clock = options.pop("clock", None) or Clock()
    targets = places.make(count)
    store = reed.Store.create(
        [locate(target) for target in targets], code=code, allow_shared_devices=True,
        block_size=4096, clock=clock, reserve_bytes=0, locate=locate,
        threads=options.pop("threads", 1), **options)
    store.clock = clock
    return store, targets


def shards(places, targets, part=""):
    """(target, name) of every shard."""
    return [(target, name) for target in targets for name in places.names(target, "shards/")
            if part in name]


# ---- what every store does -----------------------------------------------------------------------


def test_objects_come_back_exactly(places):
    store, targets = make(places, threads=4)
    with store:
        for size in (0, 1, 4 * 4096 + 1, 200_001):
            data = data_of(size, size)
            assert not store.put(f"object/{size}", data).degraded
            assert store.read(f"object/{size}") == data
            for start, end in ((0, size), (size // 3, 2 * size // 3), (size, size), (0, 1)):
                assert store.read(f"object/{size}", start, end) == data[start:end]
        store.put("object/1", b"overwritten")
        store.put("object/x", b"deleted")
        store.delete("object/x")
        assert [found.key for found in store.list("object/")] == [
            f"object/{size}" for size in (0, 1, 16385, 200_001)]
        report = store.scrub()
        assert (report.status, report.how) == ("clean", "cached")
        assert store.audit().verdict == "healthy"
    with reed.Store.open(targets[3], locate=locate) as store:
        assert store.read("object/1") == b"overwritten"
    assert not [name for target in targets for name in places.names(target, "partial/")]


def test_damage_is_repaired_and_what_cannot_be_read_is_left(places):
    data = data_of(2, 150_000)
    store, targets = make(places)
    with store:
        store.put("key", data)
        held = shards(places, targets)
        whole = [places.read(*shard) for shard in held]
        places.flip(*held[0])
        places.write(*held[1], None)
        assert store.read("key") == data
        assert store.scrub().status == "repairable"
        report = store.scrub(repair=True)
        assert (report.status, report.repaired) == ("clean", 1)
        assert [places.read(*shard) for shard in held] == whole
        for shard in held[:3]:
            places.flip(*shard)
        with pytest.raises(reed.BeyondRepair):
            store.read("key")
        assert store.scrub(repair=True).status == "beyond repair"


def test_a_target_that_was_away_is_stale_and_is_reconciled(places):
    store, targets = make(places)
    with store:
        store.put("a", b"old")
        store.put("b", b"gone")
        held = places.take(targets[1])
        store.put("a", b"new")
        store.delete("b")
        places.give(targets[1], held)
        assert store.slots()[1].state == "stale"
        assert store.read("a") == b"new" and store.stat("a").margin == 1
        with pytest.raises(reed.ObjectNotFound):
            store.read("b")
        assert store.reclaim().refused is not None
        assert store.reconcile().complete
        assert store.audit().verdict == "healthy" and store.scrub().status == "clean"


def test_rebuild_and_migrate(places):
    data = {f"key{i}": data_of(i, 30_000 * i) for i in range(4)}
    store, targets = make(places, code=reed.Replication(3), retention_hours=0)
    with store:
        for key, content in data.items():
            store.put(key, content)
        lost = next(slot for slot, target in enumerate(targets) if shards(places, [target]))
        places.take(targets[lost])
        report = store.rebuild(lost, locate(places.one("new", 1)))
        assert report.complete and report.shards_rebuilt
        assert store.scrub().status == "clean"
        assert store.migrate(code=CODE).copied == 4
        moved = [locate(place) for place in places.make(6, "moved")]
        assert store.migrate(targets=moved).copied == 4
        store.reclaim(accept_cached=True)
        assert {key: store.read(key) for key in data} == data
        assert store.scrub().status == "clean" and store.audit().counts == {"healthy": 4}


def test_reclaim_says_that_it_read_through_a_cache(places):
    store, targets = make(places, retention_hours=24)
    with store:
        store.put("key", data_of(8, 50_000))
        store.put("key", data_of(9, 50_000))
        store.clock.now += 25 * 3600
        report = store.reclaim()
        assert not report.versions and "accept_cached" in str(report.kept)
        assert len(store.reclaim(accept_cached=True).versions) == 1
        assert len(shards(places, targets)) == 6 and store.read("key") == data_of(9, 50_000)
        assert [entry["flags"]["accept_cached"] for entry in store.audit().journal] == [True]


def test_orphans_go_in_three_passes(places):
    store, targets = make(places)
    with store:
        store.put("key", b"content")
        (target, name), *_ = shards(places, targets)
        orphan = name.replace("-000000000001-", "-000000000007-")
        places.give(target, {orphan: b"never committed"})
        for seen, quarantined, removed in ((1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0, 0)):
            report = store.reclaim()
            assert (report.orphans_seen, report.orphans_quarantined, report.orphans_removed) == (
                seen, quarantined, removed)
        assert len(shards(places, targets)) == 6 and not places.names(target, "quarantine/")


def test_missing_swapped_copied_and_strange_targets(places):
    store, targets = make(places)
    with store:
        store.put("key", b"content")
    with reed.Store.open(targets[:0:-1], locate=locate) as store:
        assert store.read("key") == b"content"
    copies = [places.take(target) for target in targets]
    for target, held in zip(targets, copies[1:] + copies[:1], strict=True):  # each elsewhere
        places.give(target, held)
    with reed.Store.open(targets, locate=locate) as store:
        assert store.read("key") == b"content" and store.audit().verdict == "healthy"
    twin = places.one("twin", 1)
    places.give(twin, copies[0])
    with pytest.raises(reed.WrongTarget, match="same target"):
        reed.Store.open([*targets, twin], locate=locate)
    other, others = make(Places(places.kind, places.base / "other"))
    other.close()
    with pytest.raises(reed.WrongTarget, match="belongs to the store"):
        reed.Store.open([targets[0], others[1]], locate=locate)
    with pytest.raises(reed.NotAStore):
        reed.Store.open(places.one("empty", 1), locate=locate)
    for target in targets[:3]:
        places.take(target)
    with pytest.raises(reed.Uncertain), reed.Store.open(targets, locate=locate) as store:
        store.read("key")


def test_records_are_made_from_shards_alone(places):
    store, targets = make(places)
    with store:
        store.put("key", data_of(3, 40_000))
        for target in targets:
            for name in places.names(target, "objects/"):
                places.write(target, name, None)
        assert list(store.list()) == []
        assert set(store.recover_records()) == {"key"}
        assert store.read("key") == data_of(3, 40_000)


# ---- a service that fails ------------------------------------------------------------------------


def unknown_after_repair(store):
    """How many shards a repair found unknown, and so left alone."""
    seen = []
    assert store.scrub(repair=True, on_object=seen.append).repaired == 0
    return sum(shard.state == "unknown" for found in seen for shard in found.shards)


def test_what_cannot_be_read_is_unknown_and_never_replaced(bucket):
    store, targets = make(bucket)
    with store:
        store.put("key", data_of(4, 50_000))
        target, name = shards(bucket, targets)[0]
        before = bucket.read(target, name)
        Bucket.fault = eio(lambda verb, path: path.endswith(name))
        assert store.read("key") == data_of(4, 50_000)
        assert store.stat("key").shards[int(name.split(".")[-2])].state == "unknown"
        assert unknown_after_repair(store) == 1
        Bucket.fault = None
        assert bucket.read(target, name) == before and store.scrub().status == "clean"


@pytest.mark.parametrize("error", [RuntimeError("no route"), TimeoutError(), ValueError("no JSON"),
                                   PermissionError(13, "no")], ids=repr)
def test_errors_of_every_kind_say_that_nothing_is_known(bucket, error):
    store, targets = make(bucket)
    lost = [target.removeprefix("bucket://") for target in targets[:3]]

    def fault(verb, path):
        if path.startswith(tuple(lost)):
            raise error

    with store:
        store.put("key", b"content")
        Bucket.fault = fault
        for act in (lambda: store.read("never"), lambda: store.read("key"), store.audit,
                    lambda: store.put("key", b"new"), lambda: list(store.list()), store.reclaim):
            with pytest.raises(reed.Uncertain):
                act()
        lost.pop()
        assert store.read("key") == b"content"
        with pytest.raises(reed.QuorumNotReached):
            store.put("key", b"new")


def test_a_bucket_that_is_gone_is_not_an_empty_one(bucket):
    store, targets = make(bucket)
    with store:
        store.put("key", b"content")
        for target in targets[:2]:
            bucket.take(target)
        found = store.stat("key")
        assert [shard.state for shard in found.shards].count("unknown") == 2
        assert found.margin == 0 and store.read("key") == b"content"


def test_a_write_that_the_service_garbles_is_noticed(bucket):
    store, targets = make(bucket)
    root = targets[2].removeprefix("bucket://")
    put = Bucket.pipe_file

    def garble(self, path, value, **kwargs):
        value = bytearray(value)
        if path.startswith(f"{root}/shards"):
            value[len(value) // 2] ^= 1
        put(self, path, bytes(value), **kwargs)

    with store:
        Bucket.pipe_file = garble
        try:
            report = store.put("key", data_of(5, 30_000))
        finally:
            Bucket.pipe_file = put
        assert report.degraded and "give back" in report.failures[2]
        assert store.scrub(repair=True).status == "clean"


def test_a_short_answer_is_an_error_and_not_the_end_of_the_file(bucket, monkeypatch):
    store, targets = make(bucket)
    with store:
        store.put("key", data_of(6, 60_000))
        root = targets[0].removeprefix("bucket://")
        whole = Bucket.cat_file

        def short(self, path, start=None, end=None, **kwargs):
            data = whole(self, path, start, end)
            return data[:-1] if path.startswith(f"{root}/shards") else data

        monkeypatch.setattr(Bucket, "cat_file", short)
        assert store.read("key") == data_of(6, 60_000)
        assert unknown_after_repair(store) == 1


def test_a_large_upload_that_fails_leaves_nothing(bucket):
    """Parts are sent as they come, and completed or thrown away."""
    class Failing(io.RawIOBase):
        left = 40 << 20

        def readable(self):
            return True

        def readinto(self, buffer):
            self.left -= len(buffer)
            if self.left < 0:
                raise OSError(5, "the source is gone")
            buffer[:] = bytes(len(buffer))
            return len(buffer)

    store, targets = make(bucket, 3, reed.Replication(3))
    with store:
        with pytest.raises(OSError, match="source is gone"):
            store.put("key", Failing())
        assert Bucket.calls["part"] > 6  # it was well under way
        gc.collect()
        assert not Bucket.uploads and not shards(bucket, targets)
        data = data_of(7, 12 << 20)
        store.put("key", data)
        assert store.read("key") == data and not Bucket.uploads


@pytest.mark.parametrize("kind", ["memory", "bucket"])
def test_what_replaces_is_proved_before_it_does(kind, tmp_path):
    """A repair whose upload fails leaves the damaged shard as it was: its good blocks count."""
    places = Places(kind, tmp_path)
    store, targets = make(places)
    with store:
        store.put("key", data_of(8, 50_000))
        target, name = shards(places, targets)[0]
        places.flip(target, name)
        damaged = places.read(target, name)
        actual = RemoteTarget.rename

        def fail(self, *names):
            raise OSError(5, "no")

        RemoteTarget.rename = fail
        try:
            assert store.scrub(repair=True).repaired == 0
        finally:
            RemoteTarget.rename = actual
        assert places.read(target, name) == damaged
        assert store.read("key") == data_of(8, 50_000)
        assert not places.names(target, "partial/")


def test_what_a_dead_writer_left_is_swept_and_what_a_living_one_writes_is_not(tmp_path):
    target = locate("memory://sweep/x")
    living = target.create("shards/00/a")
    living.write_at([memoryview(b"x" * (6 << 20))], 0)
    dead = target.create("shards/00/b")
    dead.write_at([memoryview(b"y")], 0)
    dead.sync()
    dead._stack.close()  # as the kernel does
    assert len(list(target.names("partial"))) == 2
    assert target.sweep(lambda: None) == 1 and len(list(target.names("partial"))) == 1
    living.sync()
    living.publish(False)
    living.remove()
    assert target.open("shards/00/a").size() == 6 << 20 and target.sweep(lambda: None) == 0
    with pytest.raises(reed.TargetExists):
        again = target.create("shards/00/a")
        again.write_at([memoryview(b"z")], 0)
        again.sync()
        again.publish(False)


# ---- locks ---------------------------------------------------------------------------------------


HOLDER = """
import sys, time
sys.path.insert(0, sys.argv[1])
from store_buckets import locate
with locate("memory://locks/x").lock("one") as taken:
    print(taken, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder():
    """Another process that holds the lock of the target "one"."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, Path(__file__).parent],
                               stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "True\n"
        yield process
    finally:
        process.kill()
        process.wait()


def can_lock(target_id="one"):
    with locate("memory://locks/x").lock(target_id) as taken:
        return taken


def test_locks_exclude_and_end_with_their_holder(holder):
    with locate("memory://locks/x").lock("two") as taken:
        assert taken and not can_lock("two") and not can_lock("one") and can_lock("three")
    assert can_lock("two") and not can_lock("one")
    holder.kill()
    holder.wait()
    assert can_lock("one")


@pytest.mark.parametrize("shared", ["file", "network"])
def test_locks_exclude_where_only_one_space_is_shared(holder, monkeypatch, shared):
    """A process in another network namespace has other socket names; one with a /dev/shm of its own
    has another lock file. What the other process does is left out here, as if it were so."""
    if shared == "file":
        monkeypatch.setattr(remote, "_takes_socket", lambda stack, digest: True)
    else:
        monkeypatch.setattr(remote, "_takes_byte", lambda stack, digest: True)
    assert not can_lock("one") and can_lock("two")


def test_the_lock_does_not_depend_on_the_way_to_the_target(bucket, monkeypatch):
    """Two processes reach one bucket by two spellings of the endpoint: one writes at a time."""
    store, targets = make(bucket)
    monkeypatch.setitem(fsspec.config.conf, "bucket", {"endpoint_url": "https://other.example"})
    with store, reed.Store.open(targets, locate=locate) as other:
        assert all("other.example" in locate(target).device() for target in targets)
        with store._roster.lock(), pytest.raises(reed.StoreBusy), other._roster.lock(0):
            pass
        with other._roster.lock(0):
            pass


# ---- between the upload and the commit -----------------------------------------------------------


def test_a_shard_that_reclaim_took_meanwhile_is_not_acknowledged(bucket, monkeypatch):
    """Shards stand under their final names while they are read back. Two passes of reclaim in that
    time take them for orphans."""
    store, targets = make(bucket, retention_hours=0)
    prove = writer.prove

    def prove_slowly(*arguments):
        prove(*arguments)
        with reed.Store.open(targets, locate=locate, clock=store.clock) as other:
            passes = [other.reclaim(accept_clock=True) for _ in range(2)]
            assert [found.orphans_quarantined for found in passes] == [0, 6]

    with store:
        store.reclaim(accept_clock=True)
        monkeypatch.setattr(writer, "prove", prove_slowly)
        with pytest.raises(reed.QuorumNotReached):
            store.put("key", data_of(10, 50_000))
        assert list(store.list()) == []


def test_a_shard_that_was_replaced_meanwhile_is_not_published():
    target = locate("bucket://a/x")
    written = target.create("shards/00/name")
    written.write_at([memoryview(b"content")], 0)
    written.sync()
    target._filesystem.pipe_file(written.final_path, b"other")
    with pytest.raises(reed.ReadBackMismatch, match="5 bytes, 7 were written"):
        written.publish(False)


@pytest.mark.parametrize("was_there", [False, True])
def test_no_record_has_its_name_before_the_last_look(bucket, monkeypatch, was_there):
    """Another host takes over while the first record of a key is being written: LeaseHeld says that
    nothing was changed, and nothing was; also where the other one has removed the key since."""
    monkeypatch.setattr(RemoteTarget, "lock", lambda self, target_id: contextlib.nullcontext(True))
    store, targets = make(bucket, host="one", retention_hours=0)
    write, others = record.write, []

    def write_late(target, name, *arguments, **options):
        if name.startswith("objects/") and not others:
            others.append(reed.Store.open(targets, host="two", locate=locate, clock=store.clock))
            others[0].take_over()
            if was_there:
                others[0].put("key", b"of the other")
                others[0].delete("key")
                for _ in range(3):
                    others[0].reclaim(accept_clock=True, accept_cached=True)
        write(target, name, *arguments, **options)

    monkeypatch.setattr(record, "write", write_late)
    with store, pytest.raises(reed.LeaseHeld):
        store.put("key", b"of one")
    with others[0] as other:
        assert not [name for target in targets for name in bucket.names(target, "objects/")]
        with pytest.raises(reed.ObjectNotFound):
            other.read("key")


def ill(target):
    """A fault: no shard can be written on a target."""
    return eio(lambda verb, path: verb in ("put", "copy", "part")
               and path.startswith(f"{target.removeprefix('bucket://')}/shards/"))


def suspects(store):
    return [slot.number for slot in store.slots() if slot.suspect is not None]


def test_a_slot_that_failed_once_takes_shards_again_after_a_repair_or_a_while(bucket, monkeypatch):
    store, targets = make(bucket)
    with store:
        Bucket.fault = ill(targets[2])
        assert list(store.put("one", b"content").failures) == [2]
        Bucket.fault = None
        assert store.put("two", b"content").degraded and suspects(store) == [2]
        slot = store.slots()[2]
        assert slot.state == "active" and "the service is ill" in slot.suspect
        assert any("slot 2" in warning and "the service is ill" in warning
                   for warning in store.audit().warnings)
        store.scrub(repair=True)
        assert suspects(store) == []
        assert not store.put("three", b"content").degraded

        for target in targets[3:5]:
            Bucket.fault = ill(target)
            with contextlib.suppress(reed.QuorumNotReached):
                store.put("four", b"content")
        Bucket.fault = None
        assert suspects(store) == [3, 4]
        with pytest.raises(reed.QuorumNotReached):
            store.put("five", b"content")
        monkeypatch.setattr(roster, "SUSPECT_SECONDS", 0.0)
        assert suspects(store) == [] and not store.put("five", b"content").degraded


def test_a_write_that_began_before_a_failure_proves_nothing(bucket):
    store, targets = make(bucket)

    class Source(io.BytesIO):
        def readinto(self, buffer):
            if self.tell() == 0:
                Bucket.fault = ill(targets[2])
                store.put("inner", b"content")
                Bucket.fault = None
            return super().readinto(buffer)

    with store:
        assert not store.put("outer", Source(b"content")).degraded
        assert suspects(store) == [2]


# ---- what a URL may be ---------------------------------------------------------------------------


def test_urls_of_local_folders_are_folders(tmp_path):
    for url in (f"file://{tmp_path}", f"local://{tmp_path}", f"dir::file://{tmp_path}"):
        target = open_location(url)
        assert isinstance(target, FolderTarget) and target.location == str(tmp_path)
    inner = open_location("dir::memory://some/place")
    assert inner.path_of("x") == open_location("memory://some/place").path_of("x")


@pytest.mark.parametrize("url, words", [
    ("nowhere://x", "nowhere"), ("ftp://me:secret@host/x", "password"),
    ("simplecache::memory://x", "cache"), ("filecache::memory://x", "cache")])
def test_other_urls_are_refused(url, words):
    with pytest.raises(reed.InvalidParameter, match=words) as error:
        open_location(url)
    assert "secret" not in str(error.value)


def test_without_fsspec_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(reed.InvalidParameter, match=r"reed-storage\[remote\]"):
        open_location("memory://x")
    assert open_location(f"file://{tmp_path}").location == str(tmp_path)


def test_a_store_opens_without_a_target_whose_package_is_missing(tmp_path, monkeypatch):
    with reed.Store.create([*folders(tmp_path, 4), locate("memory://a/x"), locate("memory://b/x")],
                           code=CODE, allow_shared_devices=True, locate=locate) as store:
        store.put("key", b"content")
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with reed.Store.open(tmp_path / "disk0") as store:
        assert store.read("key") == b"content"
        assert "reed-storage[remote]" in store.slots()[5].reason


def test_memory_adds_nothing(tmp_path):
    with pytest.raises(reed.InvalidParameter, match="durable failure domains"):
        reed.Store.create([f"memory://{i}/x" for i in range(6)], code=CODE,
                          allow_shared_devices=True)
    targets = [*folders(tmp_path, 6), "memory://a/x"]
    with reed.Store.create(targets, code=CODE, allow_shared_devices=True, threads=1) as store:
        for i in range(5):
            store.put(f"key{i}", b"content")
        assert all(6 not in [shard.slot for shard in found.shards if shard.state == "good"]
                   for found in store.audit().objects)
        assert any("is not durable" in warning for warning in store.audit().warnings)


def test_urls_of_one_bucket_are_one_failure_domain():
    bucket = TRUSTED["bucket"]
    targets = [RemoteTarget(f"bucket://{'ab'[i % 2]}/{i}", bucket) for i in range(6)]
    with pytest.raises(reed.InvalidParameter, match="share a device"):
        reed.Store.create(targets, code=CODE)
    assert targets[0].device() == targets[2].device() != targets[1].device()
    with reed.Store.create([RemoteTarget(f"bucket://{i}/x", bucket) for i in range(6)],
                           code=CODE, locate=locate) as store:
        assert len({slot.effective_domain for slot in store.slots()}) == 6


def test_a_listing_that_names_something_else_is_an_error():
    class Lying(RemoteTarget):
        def _files_below(self, path):
            return itertools.chain(super()._files_below(path), ["elsewhere/shards/x"])

    target = Lying("bucket://a/x", Capabilities(True, True, False, False))
    with pytest.raises(OSError, match="listing"):
        list(target.names("shards"))


def test_the_command_line_takes_urls(tmp_path):
    disks = [f"file://{disk}" for disk in folders(tmp_path, 4)]
    run("store", "create", *disks, "-k", "2", "-m", "1", "--allow-shared-devices", expect=0)
    run("store", "put", "-s", disks[0], "key", "-", input=b"content", text=False, expect=0)
    done = run("store", "get", "-s", disks[3], "key", "-o", "-", text=False, expect=0)
    assert done.stdout == b"content"
    assert "clean" in run("store", "scrub", "-s", disks[0], expect=0).stdout
    run("store", "reclaim", "-s", disks[0], "--accept-cached", expect=0)
    done = run("store", "create", "nowhere://x", *disks, expect=3)
    assert "nowhere" in done.stderr and "Traceback" not in done.stderr
    done = run("store", "create", *[f"memory://{i}/x" for i in range(3)], "--copies", "3", expect=3)
    assert "durable" in done.stderr
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    run("store", "create", "memory://a/x", tmp_path / "a", tmp_path / "b", "--copies", "3",
        "--allow-shared-devices", expect=0)
    assert "memory://a/x\n" in run("store", "audit", "-s", tmp_path / "a").stdout
