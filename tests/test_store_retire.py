"""Moving a store to other targets to the end: the old ones leave it, and what stays decides alone
as all did together."""

import errno
import shutil
from dataclasses import replace

import pytest

import reed
from reed.files import medium
from reed.store import entries, layout, migrate, rebuild, retire, roster
from reed.store import store as store_module
from reed.store.catalogue import choose
from reed.store.entries import Version
from store_folders import CODE, Overlapped, data_of, flip, folders, make, shard_files

COPIES = reed.Replication(3)
DAY = 24 * 3600


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(medium, "fsync", lambda descriptor: None)


def old(base, count=6):
    return [base / f"disk{number}" for number in range(count)]


def put_some(store):
    data = {f"key/{number}": data_of(number, 9_000) for number in range(4)}
    for key, value in data.items():
        store.put(key, value)
    store.put("gone", b"gone")
    store.delete("gone")
    return data


def move(store, base, count=6, code=None):
    """Everything to new targets; the old ones are empty, and are in the store still."""
    new = folders(base / "new", count)
    assert store.migrate(targets=new, code=code).complete
    store.clock.now += 2 * DAY
    assert store.reclaim().refused is None
    return new


def objects(store):
    return {info.key: store.read(info.key) for info in store.list()}


# ---- the whole way -------------------------------------------------------------------------------


def test_a_store_moves_to_other_targets_and_the_old_ones_may_go(tmp_path):
    with make(tmp_path) as store:
        data = put_some(store)
        new = folders(tmp_path / "new", 6)
        assert store.migrate(targets=new).copied == 4
        with pytest.raises(reed.InvalidParameter, match=r"has shards of version .* reclaim"):
            store.retire()
        assert len(store.config.slots) == 12
        assert "0, 1, 2, 3, 4, 5 are being emptied" in " ".join(store.audit().warnings)
        store.clock.now += 2 * DAY
        store.reclaim()
        commands = [entry["command"] for entry in store.audit().journal]
        store.clock.now += 1
        report = store.retire()
        assert report.slots == (0, 1, 2, 3, 4, 5)
        assert report.locations == tuple(map(str, old(tmp_path)))
        assert objects(store) == data
    for folder in old(tmp_path):
        shutil.rmtree(folder)
    with reed.Store.open(new[0], clock=store.clock) as store:
        assert objects(store) == data
        audit = store.audit()
        assert audit.verdict == "healthy" and len(audit.slots) == 6
        # What only the old targets had of the journal came along.
        assert [entry["command"] for entry in audit.journal] == [*commands, "retire"]
        assert audit.journal[-1]["outcome"]["were at"] == list(map(str, old(tmp_path)))
        store.put("more", b"more")
        assert store.scrub().status == "clean"


def test_a_target_that_left_leads_to_the_others_and_decides_nothing(tmp_path):
    """Six of nine leave: they were a majority."""
    with make(tmp_path) as store:
        data = put_some(store)
        new = move(store, tmp_path, 3, COPIES)
        store.retire()
        store.put("key/0", b"newer")
    with reed.Store.open(tmp_path / "disk0") as store:
        assert objects(store) == {**data, "key/0": b"newer"}
        assert {slot.number for slot in store.slots()} == {6, 7, 8}
    for folder in new:
        folder.rename(folder.with_name("away" + folder.name))
    with pytest.raises(reed.Uncertain):
        reed.Store.open(old(tmp_path))


def test_part_of_the_targets_leaves(tmp_path):
    with make(tmp_path) as store:
        data = put_some(store)
        (new,) = folders(tmp_path / "new", 1)
        store.migrate(targets=[*old(tmp_path)[1:], new])
        store.clock.now += 2 * DAY
        store.reclaim()
        assert store.retire().slots == (0,)
        assert objects(store) == data and store.audit().verdict == "healthy"
        assert not shard_files(tmp_path / "disk0")
        assert [slot.domain for slot in store.slots()][:5] == [
            f"target {number}" for number in range(1, 6)]


def test_a_target_that_left_may_come_again_when_it_was_emptied(tmp_path):
    with make(tmp_path) as store:
        data = put_some(store)
        new = move(store, tmp_path)
        store.retire()
        with pytest.raises(reed.WrongTarget, match="holds target"):
            store.migrate(targets=[tmp_path / "disk0", *new[1:]])
        shutil.rmtree(tmp_path / "disk0")
        (tmp_path / "disk0").mkdir()
        store.migrate(targets=[tmp_path / "disk0", *new[1:]])
        store.clock.now += 2 * DAY
        store.reclaim()
        store.retire()
        assert objects(store) == data and store.audit().verdict == "healthy"


def test_who_changes_his_mind_names_the_old_targets_again(tmp_path):
    with make(tmp_path) as store:
        data = put_some(store)
        store.migrate(targets=folders(tmp_path / "new", 6))
        store.migrate(targets=old(tmp_path), domains=[f"rack {number}" for number in range(6)])
        assert {slot.number for slot in store.slots() if slot.is_draining} == set(range(6, 12))
        store.clock.now += 2 * DAY
        store.reclaim()
        assert store.retire().slots == tuple(range(6, 12))
        assert objects(store) == data
        assert [slot.domain for slot in store.slots()] == [f"rack {n}" for n in range(6)]


def test_what_stays_has_seen_the_clock(tmp_path):
    with make(tmp_path) as store:
        store.migrate(targets=folders(tmp_path / "new", 6))
        store.retire()
        assert store.reclaim().refused is None
        store.migrate(targets=folders(tmp_path / "newer", 6))
        store.clock.now -= DAY
        with pytest.raises(reed.ClockJumped):
            store.retire()
        assert len(store.slots()) == 12


# ---- what is refused -----------------------------------------------------------------------------


def test_nothing_leaves_that_is_not_being_emptied(tmp_path):
    with make(tmp_path) as store, pytest.raises(reed.InvalidParameter, match="migrate"):
        store.retire()


@pytest.mark.parametrize("gone", ["disk3", "new/disk3"])
def test_every_slot_must_answer(tmp_path, gone):
    with make(tmp_path) as store:
        data = put_some(store)
        move(store, tmp_path)
        (tmp_path / gone).rename(tmp_path / "away")
        before = store.config
        with pytest.raises(reed.Uncertain, match=r"every slot must answer.*slot"):
            store.retire()
        assert store.config == before and objects(store) == data


def test_a_record_that_cannot_be_read_keeps_everything_in_place(tmp_path):
    with make(tmp_path) as store:
        put_some(store)
        move(store, tmp_path)
        flip(tmp_path / "disk0" / layout.record_name("key/0"))
        store.retire()  # it is mended on the way
        assert len(store.config.slots) == 6


def test_a_put_that_was_on_its_way_to_a_slot_that_left_is_refused(tmp_path):
    with make(tmp_path, retention_hours=0) as store:
        data = put_some(store)

        def happens():
            store.migrate(targets=[*old(tmp_path)[1:], *folders(tmp_path / "new", 1)])
            store.reclaim()
            store.retire()

        with pytest.raises(reed.StoreBusy, match="left the store"):
            store.put("fresh", Overlapped(b"x" * 20_000, happens))
        assert objects(store) == data and store.scrub().status == "clean"


# ---- the votes of those that stay ----------------------------------------------------------------


def entries_of(store, key):
    members = store._roster.members
    return {number: store._roster.entries_on(member, key) for number, member in members.items()}


@pytest.fixture(params=[True, False], ids=["before", "under the lock"])
def healing(request, monkeypatch):
    """Records are completed before, and once more where they were written meanwhile."""
    if not request.param:
        monkeypatch.setattr(retire, "heal_records", lambda *arguments: None)


def test_an_entry_that_never_was_does_not_become_a_majority_of_fewer(tmp_path, healing):
    """A put that was killed when four of nine had its entry: three of them are those that stay."""
    with make(tmp_path) as store:
        data = put_some(store)
        move(store, tmp_path, 3, COPIES)
        with store._roster.lock():
            state, answers = store._roster.ask("key/0")
            ghost = replace(state.newest, version=Version(99, 99, "0" * 16))
            new_key = replace(ghost, version=Version(99, 1, "1" * 16))
            for number in (5, 6, 7, 8):
                member = store._roster.members[number]
                store._roster.write_entries(member, "key/0", (*answers[number], ghost))
                store._roster.write_entries(member, "new", (new_key,))
        assert store.read("key/0") == data["key/0"]
        store.retire()
        assert objects(store) == data
        assert all(ghost not in entries for entries in entries_of(store, "key/0").values())


def test_an_entry_of_the_majority_stays_where_it_was_on_few(tmp_path, healing):
    with make(tmp_path) as store:
        data = put_some(store)
        move(store, tmp_path, 3, COPIES)
        with store._roster.lock():
            for number in (6, 7):
                store._roster.write_entries(store._roster.members[number], "key/0", ())
        assert store.read("key/0") == data["key/0"]
        store.retire()
        assert objects(store) == data
        assert len(set(entries_of(store, "key/0").values())) == 1


def test_a_slot_that_fails_while_records_are_completed_stops_it(tmp_path, monkeypatch):
    with make(tmp_path) as store:
        data = put_some(store)
        move(store, tmp_path, 3, COPIES)
        with store._roster.lock():
            store._roster.write_entries(store._roster.members[6], "key/0", ())
        actual = roster.Roster.write_entries

        def write_entries(self, member, key, entries):
            if member.number == 6:
                raise OSError(errno.ENOSPC, "no space left")
            return actual(self, member, key, entries)

        with monkeypatch.context() as patched:
            patched.setattr(roster.Roster, "write_entries", write_entries)
            with pytest.raises(reed.Uncertain):
                store.retire()
        assert len(store.config.slots) == 9 and objects(store) == data
        store.reconcile()
        store.retire()
        assert objects(store) == data and store.audit().verdict == "healthy"


# ---- half-way ------------------------------------------------------------------------------------


@pytest.mark.parametrize("fails_at", range(9))
def test_a_configuration_that_cannot_be_written_everywhere(tmp_path, monkeypatch, fails_at):
    """At each slot in turn: one that leaves keeps all in place; one that stays is written out."""
    with make(tmp_path) as store:
        data = put_some(store)
        move(store, tmp_path, 3, COPIES)
        actual = roster.write_config

        def write_config(target, config, target_id, check=None):
            if len(config.slots) < 9 and target.location == locations[fails_at]:
                raise OSError(errno.EIO, "input/output error")
            return actual(target, config, target_id, check)

        locations = [slot.location for slot in store.config.slots]
        with monkeypatch.context() as patched:
            patched.setattr(roster, "write_config", write_config)
            if fails_at < 6:
                with pytest.raises(reed.Uncertain, match="cannot be told that it leaves"):
                    store.retire()
            else:
                store.retire()
        assert objects(store) == data
        assert len(store.config.slots) == (9 if fails_at < 6 else 3)
    with reed.Store.open(locations, clock=store.clock) as store:
        assert objects(store) == data
        store.reconcile()
        if fails_at < 6:
            store.put("key/0", b"newer")
            assert store.retire().slots == tuple(range(6))
            data["key/0"] = b"newer"
        assert objects(store) == data and store.scrub().status == "clean"
        assert store.audit().verdict == "healthy" and len(store.slots()) == 3


def test_a_migration_that_stopped_while_its_targets_were_added_goes_on(tmp_path, monkeypatch):
    with make(tmp_path) as store:
        data = put_some(store)
        new = folders(tmp_path / "new", 6)

        def synchronise(*arguments):
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(migrate, "synchronise", synchronise)
            with pytest.raises(KeyboardInterrupt):
                store.migrate(targets=new)
        assert {slot.state for slot in store.slots()} == {"active", "syncing"}
        assert store.migrate(targets=new).copied == 4
        assert len(store.slots()) == 12 and store.migrate(targets=new).skipped == 5
        store.clock.now += 2 * DAY
        store.reclaim()
        store.retire()
        assert objects(store) == data and len(shard_files(tmp_path / "new")) == 4 * 6


def test_targets_that_could_not_be_added_leave_again(tmp_path, monkeypatch):
    with make(tmp_path) as store:
        data = put_some(store)
        new = folders(tmp_path / "new", 6)
        actual = roster.Roster.write_entries

        def write_entries(self, member, key, entries):
            if member.number >= 6:
                raise OSError(errno.ENOSPC, "no space left")
            return actual(self, member, key, entries)

        with monkeypatch.context() as patched:
            patched.setattr(roster.Roster, "write_entries", write_entries)
            with pytest.raises(reed.QuorumNotReached, match="cannot be used: slot 6"):
                store.migrate(targets=new)
        shutil.rmtree(tmp_path / "new")
        assert store.reclaim().refused is None  # they never knew of anything
        assert store.retire().slots == tuple(range(6, 12))
        assert objects(store) == data and store.audit().verdict == "healthy"


# ---- who is the store ----------------------------------------------------------------------------


def stop_at(monkeypatch, location, slot_count):
    """The process dies when the configuration of so many slots is written to one target."""
    actual = roster.write_config

    def write_config(target, config, target_id, check=None):
        if len(config.slots) == slot_count and target.location == str(location):
            raise KeyboardInterrupt
        return actual(target, config, target_id, check)

    monkeypatch.setattr(roster, "write_config", write_config)


def away(*paths):
    for path in paths:
        path.rename(path.with_name(f"away {path.name}"))


def back(*paths):
    for path in paths:
        path.with_name(f"away {path.name}").rename(path)


def half_retired(tmp_path, monkeypatch):
    """Two of three slots that stay have the new configuration, and all that leave."""
    store = make(tmp_path)
    data = put_some(store)
    new = move(store, tmp_path, 3, COPIES)
    with monkeypatch.context() as patched:
        stop_at(patched, new[2], 3)
        with pytest.raises(KeyboardInterrupt):
            store.retire()
    store.close()
    return data, new, store.clock


def test_what_was_finished_without_a_slot_is_not_undone_by_it(tmp_path, monkeypatch):
    """The others go on alone; then they are away, and the one that missed it meets those that left:
    six of nine, and one."""
    data, new, clock = half_retired(tmp_path, monkeypatch)
    away(new[2])
    with reed.Store.open(new[0], clock=clock) as store:
        store.put("key/0", b"newer")
        store.delete("key/1")
    back(new[2])
    away(*new[:2])
    with pytest.raises(reed.Uncertain), reed.Store.open(
            [*old(tmp_path), new[2]], clock=clock) as store:
        store.read("key/0")
    back(*new[:2])
    with reed.Store.open([*old(tmp_path), *new], clock=clock) as store:
        del data["key/1"]
        assert objects(store) == {**data, "key/0": b"newer"}
        store.reconcile()
        assert store.audit().verdict == "healthy"


def test_retire_again_finishes_what_was_interrupted(tmp_path, monkeypatch):
    data, new, clock = half_retired(tmp_path, monkeypatch)
    with reed.Store.open(new, clock=clock) as store:
        audit = store.audit()
        assert audit.verdict == "degraded" and "not finished" in " ".join(audit.warnings)
        with pytest.raises(reed.InvalidParameter, match="no slot is being emptied"):
            store.retire()
        assert store.audit().verdict == "healthy"
    for folder in [*old(tmp_path), new[0]]:
        shutil.rmtree(folder)
    with reed.Store.open(new[1:], clock=clock) as store:
        assert objects(store) == data


def test_slots_get_a_vote_only_when_those_that_vote_know_it(tmp_path, monkeypatch):
    """Four of six cannot take the configuration in which twelve vote: alone they are a majority."""
    with make(tmp_path, code=COPIES) as store:
        store.put("key", b"old")
        new = folders(tmp_path / "new", 6)
        actual = roster.write_config

        def write_config(target, config, target_id, check=None):
            if config.counted == 12 and target.location in map(str, old(tmp_path, 4)):
                raise OSError(errno.ENOSPC, "no space left")
            return actual(target, config, target_id, check)

        with monkeypatch.context() as patched:
            patched.setattr(roster, "write_config", write_config)
            with pytest.raises(reed.Uncertain, match="took the new configuration"):
                store.migrate(targets=new)
        assert store.config.counted == 6
        store.put("key", b"newer")
    away(*new, *old(tmp_path)[4:])
    with reed.Store.open(old(tmp_path, 4)) as store:
        assert store.read("key") == b"newer"


@pytest.mark.parametrize("given", [("disk0", "new/disk3"), ("disk0",), ("new/disk3",)])
def test_slots_that_disagree_for_ever_are_uncertain(tmp_path, monkeypatch, given):
    """Each configuration's own slots say that the other one is in force."""
    with make(tmp_path) as store:
        put_some(store)
        new = move(store, tmp_path, 4, COPIES)
        actual = roster.write_config

        def write_config(target, config, target_id, check=None):
            if len(config.slots) == 4 and target.location == str(new[3]):
                raise OSError(errno.ENOSPC, "no space left")
            return actual(target, config, target_id, check)

        with monkeypatch.context() as patched:
            patched.setattr(roster, "write_config", write_config)
            assert len(store.retire().slots) == 6
    away(*new[:3])
    with pytest.raises(reed.Uncertain), reed.Store.open(
            [tmp_path / place for place in given]) as store:
        store.read("key/0")


@pytest.mark.parametrize("returned", [0, 1])
def test_new_targets_that_never_voted_are_not_waited_for(tmp_path, monkeypatch, returned):
    """The process died when one of three had the configuration in which nine vote."""
    with make(tmp_path, count=3, code=COPIES) as store:
        data = put_some(store)
        new = folders(tmp_path / "new", 6)
        actual = roster.write_config

        def write_config(target, config, target_id, check=None):
            if config.counted == 9 and target.location != str(tmp_path / "disk0"):
                raise KeyboardInterrupt
            return actual(target, config, target_id, check)

        with monkeypatch.context() as patched:
            patched.setattr(roster, "write_config", write_config)
            with pytest.raises(KeyboardInterrupt):
                store.migrate(targets=new)
    away(*new[returned:])
    with reed.Store.open(old(tmp_path, 3)) as store:
        assert objects(store) == data
        store.put("key/0", b"newer")
        assert store.read("key/0") == b"newer"


def test_a_change_that_only_a_leaving_slot_has_was_never_begun(tmp_path):
    """Retire was killed when the one that leaves had been told; a host that did not see that began
    another change, and was killed as well. The newer one does not speak for the older one."""
    with make(tmp_path) as store:
        first = store.config
    ids = [slot.target_id for slot in first.slots]
    retiring = replace(first, epoch=first.epoch + 1, nonce="1" * 16, is_settled=False,
                       slots=tuple(slot for slot in first.slots if slot.number != 2))
    other = replace(first, epoch=first.epoch + 2, nonce="2" * 16, is_settled=False)
    held = dict(zip(ids, [other, other, retiring, other, first, first], strict=True))
    assert choose(held) == first
    del held[ids[2]]
    assert choose(held) == first


def test_a_lock_of_slots_that_left_is_none(tmp_path):
    with make(tmp_path) as store:
        put_some(store)
        new = move(store, tmp_path, 3, COPIES)
        with reed.Store.open(tmp_path / "disk0", clock=store.clock) as other:
            away(*new)
            assert len(store._roster.voters()) == 9 and store.slots()[6].state == "absent"
            back(*new)
            other.retire()
            with (store._roster.lock(), pytest.raises(reed.StoreBusy),
                  other._roster.lock(wait_seconds=0.05)):
                pass
            assert len(store.config.slots) == 3


# ---- targets that failed to come -----------------------------------------------------------------


def add_and_die(store, new, monkeypatch, at_key=None, **options):
    """New slots are added, and get records up to one key."""
    actual = rebuild._give

    def give(store_roster, member, key, *arguments):
        if key == at_key:
            raise KeyboardInterrupt
        return actual(store_roster, member, key, *arguments)

    def synchronise(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(rebuild, "_give", give)
        if at_key is None:
            patched.setattr(migrate, "synchronise", synchronise)
        with pytest.raises(KeyboardInterrupt):
            store.migrate(targets=new, **options)


@pytest.mark.parametrize("comes_by", ["migrate", "reconcile"])
def test_what_was_removed_meanwhile_does_not_come_with_new_targets(tmp_path, monkeypatch, comes_by):
    """They have the record of a key of which everybody else forgot that it was deleted."""
    with make(tmp_path, count=3, code=COPIES) as store:
        for key in ("a", "b", "c"):
            store.put(key, b"1")
            store.put(key, key.encode())
        new = folders(tmp_path / "new", 6)
        add_and_die(store, new, monkeypatch, "c", code=CODE)
        away(tmp_path / "new")
        store.delete("a")
        store.clock.now += 2 * DAY
        report = store.reclaim()
        assert report.refused is None and report.tombstones == ("a",) and len(report.versions) == 4
        back(tmp_path / "new")
        if comes_by == "migrate":
            assert store.migrate(targets=new, code=CODE).complete
        else:
            assert store.reconcile().complete
        assert objects(store) == {"b": b"b", "c": b"c"}
        assert store.scrub().status == "clean" and store.audit().verdict == "healthy"
        assert not any(entries_of(store, "a").values())


def test_nothing_is_placed_on_targets_that_did_not_come(tmp_path, monkeypatch):
    with make(tmp_path) as store:
        add_and_die(store, folders(tmp_path / "new", 6), monkeypatch)
        shutil.rmtree(tmp_path / "new")
        store.put("first", b"first")  # which writes them out
        away(tmp_path / "disk2")
        for number in range(10):
            store.put(f"key/{number}", data_of(number, 3_000))
        back(tmp_path / "disk2")
        with pytest.raises(reed.InvalidParameter, match=r"8\+4 needs 12 targets .* not 6 in 6"):
            store.migrate(code=reed.ReedSolomon(8, 4))
        store.reconcile()
        assert store.scrub(repair=True).status == "clean"
        assert {store.stat(key).status for key in objects(store)} == {"healthy"}
        store.delete("key/0")
        store.clock.now += 2 * DAY
        assert store.reclaim().tombstones == ("key/0",)
        store.retire()
        assert store.audit().verdict == "healthy" and len(objects(store)) == 10


# ---- two at once, and what nobody can mean -------------------------------------------------------


@pytest.mark.parametrize("is_same", [True, False])
def test_two_migrations_that_add_targets_at_once(tmp_path, monkeypatch, is_same):
    with make(tmp_path) as store, reed.Store.open(tmp_path / "disk0", threads=1) as other:
        data = put_some(store)
        new = folders(tmp_path / "new", 6)
        others = new if is_same else folders(tmp_path / "others", 6)
        actual = migrate.add_slots

        def add_slots(store_roster, *arguments):
            monkeypatch.setattr(migrate, "add_slots", actual)
            assert other.migrate(targets=others).complete
            return actual(store_roster, *arguments)

        monkeypatch.setattr(migrate, "add_slots", add_slots)
        if is_same:
            with pytest.raises(reed.WrongTarget, match="holds target"):
                store.migrate(targets=new)
        else:
            assert store.migrate(targets=new).complete
        assert objects(store) == data
        assert len(store.slots()) == (12 if is_same else 18)
    with reed.Store.open(tmp_path / "disk0") as store:
        assert objects(store) == data


def test_a_migration_to_slots_that_leave_meanwhile(tmp_path, monkeypatch):
    with make(tmp_path, retention_hours=0) as store:
        data = put_some(store)
        new = move(store, tmp_path)
        actual = store_module.enter_code

        def enter_code(*arguments):
            with reed.Store.open(new[0], clock=store.clock) as other:
                other.retire()
            return actual(*arguments)

        monkeypatch.setattr(store_module, "enter_code", enter_code)
        with pytest.raises(reed.StoreBusy, match="left the store meanwhile"):
            store.migrate(targets=old(tmp_path))
        assert not any(slot.is_draining for slot in store.slots())
        assert objects(store) == data


def test_a_target_is_named_once(tmp_path):
    with make(tmp_path) as store:
        disks, new = old(tmp_path), folders(tmp_path / "new", 6)
        (tmp_path / "link").symlink_to(new[0])
        for targets in ([disks[0], *disks[:5]], [new[0], *new[:5]], [tmp_path / "link", *new[:5]]):
            with pytest.raises(reed.InvalidParameter, match="is given 2 times"):
                store.migrate(targets=targets)
        assert len(store.slots()) == 6
    with pytest.raises(reed.InvalidParameter, match="is given 2 times"):
        reed.Store.create([new[0], new[0], new[1]], code=COPIES, allow_shared_devices=True)


def test_a_stale_slot_is_reconciled_before_it_stays(tmp_path):
    with make(tmp_path) as store:
        away(tmp_path / "disk1")
        store.put("key", data_of(1, 9_000))
        back(tmp_path / "disk1")
        with pytest.raises(reed.InvalidParameter, match=r"slot 1 .* is stale: reconcile first"):
            store.migrate(targets=old(tmp_path))
        store.reconcile()
        store.migrate(targets=old(tmp_path))
        assert store.stat("key").status == "healthy"


def test_a_store_moves_as_often_as_one_likes(tmp_path, monkeypatch):
    """The numbers of slots that left are used again: there are only so many."""
    monkeypatch.setattr(entries, "_SLOTS_MAX", 8)
    with make(tmp_path, count=3, code=COPIES, retention_hours=0) as store:
        store.put("key", b"content")
        for turn in range(4):
            store.migrate(targets=folders(tmp_path / f"turn{turn}", 3))
            store.clock.now += 1
            store.reclaim()
            store.retire()
        with pytest.raises(reed.InvalidParameter, match="no configuration"):
            store.migrate(targets=folders(tmp_path / "many", 6))
        assert objects(store) == {"key": b"content"}


def test_domains_may_be_numbers_as_for_create(tmp_path):
    with make(tmp_path) as store:
        store.put("key", b"content")
        store.migrate(targets=folders(tmp_path / "new", 6), domains=range(6))
    with reed.Store.open(tmp_path / "disk0") as store:
        assert objects(store) == {"key": b"content"}


@pytest.mark.parametrize("name", layout.CONFIG_NAMES)
def test_one_copy_of_the_configuration_is_enough(tmp_path, name):
    """As on a target that was being added when the process died."""
    with make(tmp_path) as store:
        data = put_some(store)
        (tmp_path / "disk0" / name).unlink()
        assert {slot.state for slot in store.slots()} == {"active"}
        assert objects(store) == data
        store.put("more", b"more")
        store.scrub(repair=True)
        assert (tmp_path / "disk0" / name).exists() and store.audit().verdict == "healthy"


def test_new_targets_must_keep_what_is_put_there(tmp_path):
    with make(tmp_path, code=CODE) as store:
        with pytest.raises(reed.InvalidParameter, match="durable"):
            store.migrate(targets=[f"memory://{tmp_path.name}/{number}" for number in range(6)])
        with pytest.raises(reed.InvalidParameter, match="needs 6 targets"):
            store.migrate(targets=folders(tmp_path / "new", 5))
        assert len(store.slots()) == 6
