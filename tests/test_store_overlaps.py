"""reed.Store when things overlap, stop half-way, or are done to the wrong target: what was
acknowledged stays, what was deleted stays away, and no command spends the last good shard."""

import errno
import secrets

import pytest

import reed
from reed.files import medium
from reed.store import FolderTarget, layout, scrub
from reed.store.reclaim import Reclaim
from reed.store.roster import Roster
from store_folders import Overlapped, data_of, flip, folders, make, shard_files

COPIES = reed.Replication(3)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(medium, "fsync", lambda descriptor: None)


def record_files(base, key):
    return [base / f"disk{number}" / layout.record_name(key) for number in range(3)]


# ---- puts and what comes between -----------------------------------------------------------------


@pytest.mark.parametrize("is_new_epoch", [True, False])
def test_a_put_is_not_hidden_by_a_migration_that_overlaps_it(tmp_path, is_new_epoch):
    for trial in range(1 if is_new_epoch else 6):  # in one epoch the nonce decides who is newer
        with make(tmp_path / str(trial), code=COPIES, count=3) as store:
            store.put("key", data_of(1, 9_000))
            if not is_new_epoch:
                store.migrate(code=reed.ReedSolomon(2, 1), prefix="none")
            data = data_of(2, 9_000)
            source = Overlapped(data, lambda store=store: store.migrate(
                code=reed.ReedSolomon(2, 1)))
            try:
                store.put("key", source)
            except reed.StoreBusy as error:
                assert "migrated" in str(error)
                assert store.read("key") == data_of(1, 9_000)
                store.put("key", data)
            assert store.read("key") == data
            assert store.scrub(repair=True).status == "clean" and store.read("key") == data


def test_a_slot_that_is_written_out_during_a_put_does_not_count(tmp_path):
    with make(tmp_path, code=COPIES, count=3) as store:
        def leaves():
            with store._roster.lock():
                store._roster.exclude({2})

        report = store.put("key", Overlapped(data_of(1, 9_000), leaves))
        assert report.degraded and set(report.failures) == {2}

        def leaves_too():
            leaves()
            for path in (tmp_path / "disk1" / layout.SHARDS).rglob(".*"):
                if path.is_file():
                    path.unlink()

        store.reconcile()
        with pytest.raises(reed.QuorumNotReached):
            store.put("other", Overlapped(data_of(1, 9_000), leaves_too))


ACTS = {"put": lambda store: store.put("key", b"interrupted"),
        "delete": lambda store: store.delete("key")}
LATER = {"put": (lambda store: store.put("key", b"acknowledged"), b"acknowledged"),
         "delete": (lambda store: store.delete("key"), None)}


def value_of(store):
    try:
        return store.read("key")
    except reed.ObjectNotFound:
        return None


@pytest.mark.parametrize("later", LATER)
@pytest.mark.parametrize("act", ACTS)
def test_what_a_slot_alone_has_does_not_come_back_with_it(tmp_path, monkeypatch, act, later):
    """Of the same number and epoch as what was acknowledged without it, and newer by its nonce."""
    nonce = [b"\x01"]
    run, value = LATER[later]
    actual = Roster.write_entries

    def first_only(roster, member, key, entries):
        if member.number != 0:
            raise KeyboardInterrupt
        return actual(roster, member, key, entries)

    def entropy(size):
        return nonce[0] * size if size == 8 else secrets.token_bytes(size)

    with make(tmp_path, code=COPIES, count=3, entropy=entropy) as store:
        store.put("key", b"before")
        nonce[0] = b"\xff"
        monkeypatch.setattr(Roster, "write_entries", first_only)
        with pytest.raises(KeyboardInterrupt):
            ACTS[act](store)
        monkeypatch.setattr(Roster, "write_entries", actual)
        (tmp_path / "disk0").rename(tmp_path / "away")
        nonce[0] = b"\x02"
        run(store)
        (tmp_path / "away").rename(tmp_path / "disk0")
        nonce[0] = b"\x03"
        assert store.reconcile().complete and value_of(store) == value
        (tmp_path / "disk1").rename(tmp_path / "away")
        assert value_of(store) == value
        store.scrub(repair=True)
        assert value_of(store) == value
        (tmp_path / "away").rename(tmp_path / "disk1")
        nonce[0] = b"\x04"
        assert store.reconcile().complete and value_of(store) == value


# ---- commands on the wrong target ----------------------------------------------------------------


def test_rebuild_does_not_give_up_a_target_that_is_there(tmp_path):
    with make(tmp_path, code=reed.ReedSolomon(2, 1), count=3) as store:
        store.put("key", data_of(1, 20_000))
        flip(shard_files(tmp_path / "disk1")[0])
        folders(tmp_path / "new", 1)
        with pytest.raises(reed.InvalidParameter, match=r"slot 0 .* answers and is up to date"):
            store.rebuild(0, tmp_path / "new" / "disk0")
        assert store.read("key") == data_of(1, 20_000) and store.audit().journal == ()


def test_a_rebuild_that_is_refused_is_not_in_the_journal(tmp_path):
    with make(tmp_path, code=reed.ReedSolomon(2, 1), count=3) as store:
        (tmp_path / "disk0").rename(tmp_path / "gone")
        with pytest.raises(reed.WrongTarget):
            store.rebuild(0, tmp_path / "disk1")
        assert store.audit().journal == ()


# ---- records -------------------------------------------------------------------------------------


def test_recovered_records_are_of_one_version_once(tmp_path):
    """One good record is left, one damaged, one gone: what is made from shards agrees with it."""
    with make(tmp_path, code=reed.ReedSolomon(2, 1), count=3) as store:
        store.put("key", data_of(1, 20_000))
        records = record_files(tmp_path, "key")
        flip(records[1], 50)
        records[2].unlink()
        assert set(store.recover_records()) == {"key"}
        assert store.read("key") == data_of(1, 20_000)
        assert store.scrub(repair=True).status == "clean" and store.audit().verdict == "healthy"
        store.delete("key")


def test_a_target_that_returns_after_recovery_has_one_entry_of_each_version(tmp_path):
    with make(tmp_path, code=reed.ReedSolomon(2, 1), count=3) as store:
        store.put("key", data_of(1, 20_000))
        with store._roster.lock():
            store._roster.exclude({0})
        for path in record_files(tmp_path, "key")[1:]:
            path.unlink()
        assert set(store.recover_records()) == {"key"}
        assert store.reconcile().complete
        assert len(store._roster.entries_on(store._roster.members[0], "key")) == 1
        assert store.audit().verdict == "healthy" and store.scrub().status == "clean"


def test_recovery_leaves_what_a_tombstone_speaks_of(tmp_path):
    with make(tmp_path, code=reed.ReedSolomon(2, 1), count=3) as store:
        store.put("key", data_of(1, 20_000))
        store.delete("key")
        for path in record_files(tmp_path, "key")[1:]:
            path.unlink()
        assert store.recover_records() == {}
        with pytest.raises(reed.ObjectNotFound):
            store.read("key")


def test_records_that_are_damaged_on_a_majority_are_recovered(tmp_path):
    with make(tmp_path, code=COPIES, count=3) as store:
        for key in ("key", "other"):
            store.put(key, data_of(1, 20_000))
        for path in record_files(tmp_path, "key")[1:]:
            path.write_bytes(b"")
        with pytest.raises(reed.Uncertain):
            store.read("key")
        assert set(store.recover_records()) == {"key"}
        assert store.read("key") == data_of(1, 20_000) and store.scrub().status == "clean"


def test_recovery_without_a_target_leaves_a_place_for_its_shard(tmp_path):
    with make(tmp_path, code=reed.ReedSolomon(2, 1), count=4) as store:
        store.put("key", data_of(1, 20_000))
        slot = store.stat("key").shards[0].slot
        (tmp_path / f"disk{slot}").rename(tmp_path / "away")
        for number in range(4):
            (tmp_path / f"disk{number}" / layout.record_name("key")).unlink(missing_ok=True)
        store.recover_records()
        (tmp_path / "away").rename(tmp_path / f"disk{slot}")
        store.reconcile()
        assert store.scrub().status == "clean" and store.stat("key").margin == 1


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: flip(path, 50)])
def test_a_scrub_sees_records(tmp_path, damage):
    with make(tmp_path, code=COPIES, count=3) as store:
        store.put("key", data_of(1, 9_000))
        damage(record_files(tmp_path, "key")[1])
        seen = []
        assert store.scrub(on_object=seen.append).status == "repairable"
        assert seen[0].problem == "its record is damaged or missing on slot 1"
        assert store.scrub(repair=True).status == "clean" and store.scrub().status == "clean"


def test_the_audit_says_what_records_do_not_survive(tmp_path):
    with make(tmp_path, code=COPIES, count=3) as store:
        store.put("key", data_of(1, 9_000))
        assert any("only 1 more targets can go" in text for text in store.audit().warnings)
    with make(tmp_path / "wide") as store:
        store.put("key", data_of(1, 9_000))
        assert not any("can go" in text for text in store.audit().warnings)


# ---- the clock -----------------------------------------------------------------------------------


@pytest.mark.parametrize("behind", [-60, 86400])
@pytest.mark.parametrize("act", LATER)
def test_a_clock_that_is_set_after_a_write_does_not_end_a_retention(tmp_path, behind, act):
    """The host started with a clock that stood; the write came before the right time did."""
    with make(tmp_path, code=COPIES, count=3) as store:
        store.put("key", data_of(1, 9_000))
        clock = store.clock
    began = clock.now
    clock.boot, clock.now = "another", began - behind
    started = clock.now - 100
    clock.uptime = lambda: clock.now - started if clock.now < began + 86400 else 160.0
    with reed.Store.open(tmp_path / "disk0", clock=clock, threads=1) as store:
        LATER[act][0](store)
    clock.now = began + 20 * 86400  # it is set, 60 s later
    with reed.Store.open(tmp_path / "disk0", clock=clock, threads=1) as store:
        with pytest.raises(reed.ClockJumped, match="was set by"):
            store.reclaim()
        assert len(shard_files(tmp_path, "key.")) == (6 if act == "put" else 3)


# ---- what cannot be written ----------------------------------------------------------------------


def test_one_full_target_does_not_keep_reclaim_from_freeing_space(tmp_path, monkeypatch):
    actual, create = Reclaim.carry_out, FolderTarget.create
    reached = []

    def full(target, name):
        if target.location.endswith("disk0") and not reached:
            raise OSError(errno.ENOSPC, "No space left on device")
        return create(target, name)

    def carry_out(reclaim, plan):
        reached.append(plan)  # from here on there is room again
        return actual(reclaim, plan)

    with make(tmp_path, code=COPIES, count=3, retention_hours=0) as store:
        store.put("key", data_of(1, 9_000))
        store.put("key", data_of(2, 9_000))
        store.clock.now += 10
        monkeypatch.setattr(FolderTarget, "create", full)
        monkeypatch.setattr(Reclaim, "carry_out", carry_out)
        assert len(store.reclaim().versions) == 1 and store.read("key") == data_of(2, 9_000)


def test_a_journal_that_cannot_be_written_does_not_hide_a_cancellation(tmp_path, monkeypatch):
    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    with make(tmp_path, code=reed.ReedSolomon(2, 1), count=3) as store:
        store.put("key", data_of(1, 20_000))
        flip(shard_files(tmp_path / "disk1")[0])
        monkeypatch.setattr("reed.store.journal.write", full)
        seen = []
        with pytest.raises(reed.Cancelled):
            store.scrub(repair=True, on_object=seen.append, cancel=lambda: bool(seen))


def test_a_repair_that_is_interrupted_while_it_is_read_again_is_in_the_journal(
        tmp_path, monkeypatch):
    actual, calls = scrub.examine, []

    def examine(*arguments):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return actual(*arguments)

    with make(tmp_path, code=reed.ReedSolomon(2, 1), count=3) as store:
        store.put("key", data_of(1, 20_000))
        flip(shard_files(tmp_path / "disk1")[0])
        monkeypatch.setattr(scrub, "examine", examine)
        with pytest.raises(KeyboardInterrupt):
            store.scrub(repair=True)
        (entry,) = store.audit().journal
        assert entry["outcome"]["shards"] == 1 and entry["outcome"]["objects"] == 1
