"""A writing host that stood still while another one took over is refused, and harms nothing.

Both hosts are processes of this machine; a lock file of its own for each stands for a filesystem
whose locks keep no other host out.
"""

import contextlib
import itertools
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import reed
from reed.files import medium
from reed.store import folder, layout, roster
from reed.store.reclaim import Reclaim
from reed.store.roster import Roster
from store_folders import CODE, data_of, folders, make, shard_files

# Does ACT on the store at BASE; stands still before the Nth record gets its name, until it is told
# to go on; then says what became of it.
STALE = """
import sys
sys.path.insert(0, sys.argv[1])
import reed
from reed.files import medium
from reed.store import folder, record
base, act, left = sys.argv[2], sys.argv[3], int(sys.argv[4])
folder._LOCK_NAME = "lock-one"
medium.fsync = lambda descriptor: None
from store_folders import Clock
actual = record.require_same
def stand_still(*arguments):
    global left
    left -= 1
    if left == -1:
        print("standing still", flush=True)
        sys.stdin.readline()
    return actual(*arguments)
clock = Clock()
clock.now += 100 * 3600 if act == "reclaim" else 0
with reed.Store.open(base + "/disk0", host="one", threads=1, clock=clock) as store:
    record.require_same = stand_still
    try:
        {"put": lambda: store.put("key", b"stale"), "delete": lambda: store.delete("key"),
         "reclaim": store.reclaim, "repair": lambda: store.scrub(repair=True),
         "migrate": lambda: store.migrate(code=reed.Replication(3))}[act]()
        print("done")
    except (reed.LeaseHeld, reed.Uncertain) as error:
        print(type(error).__name__, error)
    try:
        store.put("other", b"stale")
    except reed.LeaseHeld:
        print("refused")
"""


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(medium, "fsync", lambda descriptor: None)
    monkeypatch.setattr(folder, "_LOCK_NAME", "lock-two")


@pytest.mark.parametrize("act, stop", [("put", 0), ("put", 2), ("put", 5), ("delete", 0),
                                       ("delete", 4), ("reclaim", 8), ("migrate", 1),
                                       ("migrate", 14)])
def test_a_writer_that_wakes_up_is_refused(tmp_path, act, stop):
    with make(tmp_path, host="one") as store:
        store.put("key", data_of(1, 9_000))
        store.put("key", data_of(2, 9_000))
    stale = subprocess.Popen(
        [sys.executable, "-c", STALE, Path(__file__).parent, tmp_path, act, str(stop)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert stale.stdout.readline() == "standing still\n"
        with reed.Store.open(tmp_path / "disk1", host="two", threads=1) as store:
            store.take_over()
            store.put("key", data_of(3, 9_000))
            store.put("new", data_of(4, 9_000))
            said, _ = stale.communicate("go on\n", timeout=60)
            outcome, refused = said.splitlines()
            assert outcome.startswith(("LeaseHeld", "Uncertain")) and "'two'" in outcome
            assert refused == "refused"
            assert store.read("key") == data_of(3, 9_000) and store.read("new") == data_of(4, 9_000)
            assert [info.key for info in store.list()] == ["key", "new"]
            store.reconcile()
            assert store.scrub(repair=True).status == "clean"
            assert store.audit().verdict == "healthy" and store.audit().writer == "two"
            assert store.read("key") == data_of(3, 9_000)
    finally:
        stale.kill()
        stale.wait()


def test_what_was_written_after_the_last_look_is_not_acknowledged(tmp_path, monkeypatch):
    """All records at once pass their check, then the other host takes over and puts the same key:
    too late to be kept out, and not too late to say so; and what the other one put stays."""
    looked = Roster.require_in_force
    came = []

    def take_over():
        came.append(True)
        monkeypatch.setattr(folder, "_LOCK_NAME", "lock-two")
        with reed.Store.open(tmp_path / "disk0", host="two", threads=1) as other:
            other.take_over()
            other.put("key", b"of the other")

    barrier = threading.Barrier(6, action=take_over)

    def look(roster, member, coming=None):
        looked(roster, member, coming)
        if roster.host == "one" and not came:
            barrier.wait(30)

    monkeypatch.setattr(folder, "_LOCK_NAME", "lock-one")
    with make(tmp_path, host="one", code=CODE, threads=6) as store:
        monkeypatch.setattr(Roster, "require_in_force", look)
        with pytest.raises(reed.Uncertain, match="'two' took"):
            store.put("key", b"content")
        with pytest.raises(reed.LeaseHeld):
            store.put("key", b"content")
        assert store.read("key") == b"of the other"
    monkeypatch.setattr(folder, "_LOCK_NAME", "lock-two")
    with reed.Store.open(tmp_path / "disk0", host="two", threads=1) as other:
        other.delete("key")
        assert list(other.list()) == []


def interrupt_a_change(store, monkeypatch):
    """Leaves a new configuration on two targets, as a crash in the middle would."""
    actual, left = Roster._replace_config, [2]

    def replace(roster, member, config):
        if not left[0]:
            raise RuntimeError("a crash")
        left[0] -= 1
        actual(roster, member, config)

    with monkeypatch.context() as patch:
        patch.setattr(Roster, "_replace_config", replace)
        with pytest.raises(RuntimeError, match="a crash"):
            store.migrate(code=reed.Replication(3))


@pytest.mark.parametrize("act", ["put", "delete", "migrate"])
def test_a_take_over_at_any_look_at_a_target_stays_in_force(tmp_path, monkeypatch, act):
    """The writer has a change of its own to finish; another one takes over between two of its looks
    at the targets, each in turn. The newer configuration must not be taken for known."""
    looked = Roster._look

    def trial(base, number):
        count = itertools.count()

        def look(roster, member):
            if roster.host == "one" and next(count) == number:
                with monkeypatch.context() as patch:
                    patch.setattr(folder, "_LOCK_NAME", "lock-two")
                    with reed.Store.open(base / "disk1", host="two", threads=1) as other:
                        other.take_over()
                        other.put("key", b"of the other")
            looked(roster, member)

        with monkeypatch.context() as patch:
            patch.setattr(folder, "_LOCK_NAME", "lock-one")
            with make(base, host="one") as store:
                store.put("key", b"before")
                interrupt_a_change(store, monkeypatch)
            with reed.Store.open(base / "disk0", host="one", threads=1) as store:
                patch.setattr(Roster, "_look", look)
                with contextlib.suppress(reed.LeaseHeld, reed.Uncertain):
                    {"put": lambda: store.put("key", b"stale"),
                     "delete": lambda: store.delete("key"),
                     "migrate": lambda: store.migrate(code=reed.Replication(3))}[act]()
                patch.setattr(Roster, "_look", looked)
        if next(count) <= number:
            return False
        with reed.Store.open(base / "disk2", host="two", threads=1) as store:
            assert store.config.writer == "two", f"before look {number}"
            assert store.read("key") == b"of the other", f"before look {number}"
        return True

    assert sum(itertools.takewhile(bool, (trial(tmp_path / str(number), number)
                                          for number in itertools.count()))) > 10


def test_a_take_over_right_behind_a_configuration_stays_in_force(tmp_path, monkeypatch):
    """On a single target: no other one tells of it."""
    actual = roster.write_config

    def write(*arguments):
        actual(*arguments)
        monkeypatch.setattr(roster, "write_config", actual)
        with monkeypatch.context() as patch:
            patch.setattr(folder, "_LOCK_NAME", "lock-two")
            with reed.Store.open(tmp_path / "disk0", host="two", threads=1) as other:
                other.take_over()

    monkeypatch.setattr(folder, "_LOCK_NAME", "lock-one")
    with make(tmp_path, count=1, code=reed.Replication(1), host="one") as store:
        monkeypatch.setattr(roster, "write_config", write)
        with pytest.raises(reed.LeaseHeld, match="'two' took"), store._roster.lock():
            store._roster.change(store.config)
    with reed.Store.open(tmp_path / "disk0", host="two", threads=1) as store:
        assert store.config.writer == "two"


def test_a_folder_that_is_swapped_under_a_writer_takes_no_record(tmp_path):
    with make(tmp_path, host="one") as store:
        store.put("key", b"before")
        actual = Roster.accept

        def swap(roster, *arguments):
            (tmp_path / "disk2").rename(tmp_path / "away")
            (tmp_path / "disk2").mkdir()
            return actual(roster, *arguments)

        store._roster.accept = swap.__get__(store._roster)
        store.put("key", b"after")
        assert not list((tmp_path / "disk2").rglob("*.record"))
        assert store.read("key") == b"after" and len(shard_files(tmp_path / "away")) == 2


def files_of(base):
    """Every file of a store and its bytes, but not the empty files that are locked."""
    return {path: path.read_bytes() for path in base.rglob("*")
            if path.is_file() and path.name not in ("lock", "lock-one", "lock-two")}


def away_and_back(store, base):
    (base / "disk2").rename(base / "away")
    for key in ("a", "b"):
        store.put(key, data_of(2, 9_000))
    (base / "away").rename(base / "disk2")


def with_orphans(store, base, keys=("x", "y")):
    """The last was seen, the one before is in quarantine."""
    for key in keys:
        path = base / "disk0" / layout.shard_name(
            key, "00000001-000000000001-0123456789abcdef", 0)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"of nobody")
        store.reclaim(accept_clock=True)


# What is done before, and the act.
ACTS = {
    "reconcile": (away_and_back, lambda store, base: store.reconcile()),
    "rebuild": (lambda store, base: (folders(base / "new", 1),
                                     (base / "disk2").rename(base / "gone")),
                lambda store, base: store.rebuild(2, base / "new" / "disk0")),
    "migrate": (lambda store, base: folders(base / "new", 3),
                lambda store, base: store.migrate(
                    code=reed.Replication(3),
                    targets=[base / "new" / f"disk{number}" for number in range(3)])),
    "reclaim": (with_orphans, lambda store, base: store.reclaim()),
}


@pytest.mark.parametrize("step", ["sweep", "orphans"])
def test_a_take_over_before_a_last_step_ends_reclaim(tmp_path, monkeypatch, step):
    """What is swept, and what one pass remembers for the next, is for the host that may write."""
    actual = getattr(Reclaim, step)
    before = {}

    def taken_over(reclaim, *arguments):
        with reed.Store.open(tmp_path / "disk1", host="two", threads=1) as other:
            other.take_over()
        before.update(files_of(tmp_path))
        return actual(reclaim, *arguments)

    with make(tmp_path, host="one") as store:
        store.put("key", data_of(1, 9_000))
        with_orphans(store, tmp_path, ("x",))
        (tmp_path / "disk0" / layout.SHARDS / f".left{medium.TEMPORARY_MARK}x").write_bytes(b"x")
        monkeypatch.setattr(Reclaim, step, taken_over)
        with pytest.raises(reed.LeaseHeld, match="'two'"):
            store.reclaim()
        assert files_of(tmp_path) == before


@pytest.mark.parametrize("act", ACTS)
def test_a_take_over_before_any_lock_of_an_act_ends_it(tmp_path, monkeypatch, act):
    """Whenever the other host comes between two steps, the act changes nothing from then on."""
    prepare, run = ACTS[act]
    actual = Roster.lock
    for stop in itertools.count(1):
        base = tmp_path / str(stop)
        left, before = stop, None
        with make(base, host="one") as store:
            for key in ("a", "b"):
                store.put(key, data_of(1, 9_000))
            prepare(store, base)

            @contextlib.contextmanager
            def lock(roster, *arguments, base=base, **options):
                nonlocal left, before
                left -= roster.host == "one"
                if left == 0 and roster.host == "one":
                    with reed.Store.open(base / "disk1", host="two", threads=1) as other:
                        other.take_over()
                    # Temporaries that are being written do not count.
                    before = {path: data for path, data in files_of(base).items()
                              if not path.name.startswith(".")}
                with actual(roster, *arguments, **options):
                    yield

            monkeypatch.setattr(Roster, "lock", lock)
            refused = None
            try:
                run(store, base)
            except reed.LeaseHeld as error:
                refused = error
            monkeypatch.setattr(Roster, "lock", actual)
        if before is None:  # it takes the lock less often
            break
        assert refused is not None and refused.holder == "two", f"taken over before lock {stop}"
        assert files_of(base) == before, f"taken over before lock {stop}"
        with reed.Store.open([base / "disk1", base / "disk0"], host="two", threads=1) as other:
            assert other.audit().writer == "two" and other.audit().epoch >= 3
    assert refused is None and stop > 3
