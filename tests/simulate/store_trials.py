"""Seeded trials of the real ``reed.Store`` over faulty, crashing disks, against a model.

    python tests/simulate/store_trials.py SEED [COUNT]       replays SEED, or COUNT seeds from there
    python tests/simulate/store_trials.py --minutes M [SEED]

One trial makes a store, does random things with it while random things happen to its disks, and
compares every answer with a model that is a dictionary. Faults are bounded by what must be
recoverable: at any time they concern only so many disks that the others hold a majority and
data_shards shards; another set of disks may become faulty only when everything was made whole. So
every loss, every wrong byte, every object that comes back from deletion, every shard that an
operation destroys, is a bug; a failing seed prints itself. Another host may take over while this
one stands still in the middle of a call: what that one acknowledged stays, whatever this one goes
on with.
"""

import random
import sys
import time
import traceback

import reed
from reed.store import layout, record
from reed.store.entries import Version

try:
    from .store_disks import TEMPORARY, Crash, Disk, World
except ImportError:
    from store_disks import TEMPORARY, Crash, Disk, World

SHAPES = (
    (reed.Replication(3), 3), (reed.Replication(3), 5), (reed.ReedSolomon(2, 2), 4),
    (reed.ReedSolomon(2, 2), 5), (reed.ReedSolomon(4, 2), 6), (reed.ReedSolomon(3, 2), 7),
)
KEYS = ("a", "b/c", "d.e")
# What the store may answer instead of doing what it was asked for.
REFUSALS = (reed.QuorumNotReached, reed.StoreBusy)
ABSENT = None


class Clock:
    def __init__(self):
        self.now = 1_800_000_000.0

    def wall(self):
        return self.now

    def uptime(self):
        return self.now - 1_700_000_000.0

    def boot_id(self):
        return "boot"


class Overlapped:
    """A source in whose middle something happens."""

    def __init__(self, data: bytes, happens):
        self._data, self._happens = data, happens

    def readinto(self, buffer: memoryview) -> int:
        if self._happens is not None:
            happens, self._happens = self._happens, None
            happens()
        count = min(len(buffer), len(self._data))
        buffer[:count], self._data = self._data[:count], self._data[count:]
        return count


class Trial:
    """One seed."""

    def __init__(self, seed: int):
        self.rng = rng = random.Random(seed)
        self.world = World(rng)
        self.clock = Clock()
        code, count = rng.choice(SHAPES)
        self.disks: dict[str, Disk] = {}
        self.code = code
        for _ in range(count):
            self._new_disk()
        # What each key may be: a set of values; ABSENT is one.
        self.model: dict[str, set] = {key: {ABSENT} for key in KEYS}
        # Keys whose last write did not end: its entry may be on any number of disks.
        self.unfinished: set[str] = set()
        # What another host put while this one was in the middle of something; None: none came.
        self.intruded: dict[str, set] | None = None
        majority = count // 2 + 1
        self.fault_limit = min(code.parity_shards, count - majority)
        self.faulty: list[str] = []
        self.log: list[str] = []
        self._between = None  # what happens in the middle of the next put
        self.moving: list[str] = []  # the disks that objects move to; none when nothing moves
        self.serial = 0
        # When a value was put, or a key last deleted, in puts since the beginning.
        self.born: dict[tuple[str, object], float] = {(key, ABSENT): 0 for key in KEYS}
        self.store = reed.Store.create(
            list(self.disks.values()), code=code, block_size=4096, reserve_bytes=0,
            retention_hours=rng.choice([0, 1]), digest=rng.choice(["sha256", "none"]),
            **self._options())
        self._choose_faulty()

    def _new_disk(self) -> Disk:
        disk = Disk(self.world, f"disk-{len(self.disks)}")
        self.disks[disk.location] = disk
        return disk

    def _options(self) -> dict:
        return {"threads": 1, "host": self.world.host, "actor": "trial", "clock": self.clock,
                "entropy": self.rng.randbytes, "locate": self._locate}

    def _locate(self, location):
        disk = self.disks[location]
        disk._call()
        return disk

    def _choose_faulty(self) -> None:
        held = sorted(slot.location for slot in self.store.config.slots)
        self.faulty = self.rng.sample(held, self.rng.randint(0, self.fault_limit))

    # -- the run --

    def run(self, steps: int = 14) -> None:
        actions = ([self.put] * 6 + [self.overlap] * 2 + [self.get] * 4 + [self.delete] * 2
                   + [self.list]
                   + [self.scrub] * 2 + [self.repair] * 2 + [self.reconcile] * 2 + [self.rebuild]
                   + [self.reclaim] * 2 + [self.migrate] + [self.move, self.retire]
                   + [self.audit] + [self.disturb] * 8 + [self.heal])
        writing = (self.put, self.overlap, self.delete, self.repair, self.reconcile,
                   self.rebuild, self.reclaim, self.migrate, self.move, self.retire)
        for _ in range(steps):
            action = self.rng.choice(actions)
            self.clock.now += self.rng.choice([0, 1, 60, 4000])
            trouble = self.rng.random()
            if trouble < 0.3 and action != self.disturb:
                self.world.calls_left = self.rng.randrange(self.rng.choice([10, 100, 600]))
            elif trouble < 0.4 and action in writing:
                self.world.calls_before_intruder = self.rng.randrange(self.rng.choice([30, 300]))
                self.world.intruder = self._take_over
            self.log.append(action.__name__)
            try:
                self._guarded(action)
            except Crash:
                self.crash()
            except (reed.LeaseHeld, reed.Uncertain, reed.QuorumNotReached, reed.WrongTarget):
                if self.intruded is None:
                    raise
            finally:
                self.world.calls_left = self.world.calls_before_intruder = None
            if self.intruded is not None:
                self._end_intrusion()
        self.heal()
        self._check_everything()

    def _guarded(self, action) -> None:
        """Runs an action and checks that it destroyed nothing."""
        is_keeping = action not in (self.put, self.overlap, self.delete, self.disturb)
        before = self._good_shards() if is_keeping else {}
        misdirected = self.world.misdirected
        unreadable = self._unreadable() if action != self.heal else []
        try:
            action()
        finally:
            after = self._good_shards() if is_keeping else {}
            # What a disk misdirected, it destroyed itself.
            misdirected = self.world.misdirected - misdirected
            for key, count in before.items():
                assert after[key] >= count - misdirected, (
                    f"{key!r}: {count} good shards became {after[key]}")
            for disk, name, file in unreadable:
                if self._is_live(name):
                    assert disk.names_now.get(name) is file, f"{name} was unreadable and replaced"

    def crash(self) -> None:
        """The machine stops; then it starts again."""
        self.log.append("CRASH")
        self.world.calls_left = None
        for disk in self.disks.values():
            disk.crash()
        self.store.close()
        self.open()
        if self.rng.random() < 0.5:
            self._compare_views()

    def _take_over(self) -> None:
        """This host stands still; another one takes over, and puts something."""
        self.log.append("INTRUDER")
        self.intruded = {}
        self.world.host = "other"
        try:
            with reed.Store.open(self._slots_disks(), **self._options()) as store:
                store.take_over()
                for key in self.rng.sample(KEYS, 2):
                    value = self._value(key)
                    self.intruded[key] = self.model[key] | {value}
                    store.put(key, value)
                    self.intruded[key] = {value}
        except (*REFUSALS, reed.Uncertain, reed.LeaseHeld):
            self.log.append("which failed")
        finally:
            self.world.host = "host"

    def _end_intrusion(self) -> None:
        """What the other host acknowledged is there, whatever this one was in the middle of."""
        for key, values in self.intruded.items():
            self.model[key] = values
            self.unfinished.add(key)
        self.heal()
        self.intruded = None
        self.unfinished.clear()

    def _compare_views(self) -> None:
        """Reads everything with some of the faulty disks away, and with others: what was read once
        must not become what it was before."""
        for disk in [None, *self.faulty]:
            for location in self.faulty:
                self.disks[location].is_away = location == disk
            for key in KEYS:
                self.get(key)
        for location in self.faulty:
            self.disks[location].is_away = False

    def open(self) -> None:
        self.store = reed.Store.open([disk for disk in self._slots_disks()], **self._options())

    def _slots_disks(self) -> list[Disk]:
        return [disk for disk in self.disks.values() if not disk.is_away]

    # -- what users do --

    def _value(self, key: str) -> bytes:
        self.serial += 1
        size = self.rng.choice([0, 1, 60, 300, 900, 4096 * self.code.data_shards, 9000])
        value = random.Random(self.serial).randbytes(size)
        self.born[key, value] = self.serial
        return value

    def put(self) -> None:
        key = self.rng.choice(KEYS)
        value = self._value(key)
        before = self.model[key]
        misdirected = self.world.misdirected
        self.model[key] = before | {value}
        was_unfinished = key in self.unfinished
        self.unfinished.add(key)
        try:
            between, self._between = self._between, None
            report = self.store.put(key, value if between is None else Overlapped(value, between))
        except (reed.QuorumNotReached, reed.StoreBusy) as error:
            # It was moved meanwhile: then nothing was committed, and nothing need be wrong.
            was_moved = isinstance(error, reed.StoreBusy)
            self.model[key] = before
            if not was_unfinished:
                self.unfinished.discard(key)
            if not was_moved:
                self._require_trouble("put was refused")
        except reed.Uncertain:
            self._require_trouble("put is uncertain")
        else:
            self.model[key] = {value}
            self.unfinished.discard(key)
            if self.intruded is not None or between is not None:
                return  # what it was to be measured by may have changed in its middle
            # Every disk is a failure domain.
            assert report.shards_written >= self.store.config.write_quorum, report
            good = self._count_good(key, report.object.version)
            # A record that was misdirected after the shards were proved may have hit one of them.
            misdirected = self.world.misdirected - misdirected
            assert good >= report.shards_written - misdirected, (
                f"put says {report.shards_written} shards, {good} are on the disks")
            active = [slot for slot in self.store.config.slots if slot.state == "active"]
            held = sum(self._has_entry(slot, key, report.object.version) for slot in active)
            assert held >= len(active) - misdirected, (
                f"{len(active)} slots are active, {held} have the entry")

    def overlap(self) -> None:
        """A put in whose middle something else happens to the store."""
        self._between = self.rng.choice([self.migrate, self.repair, self.reconcile, self.scrub])
        self.log[-1] += f" by {self._between.__name__}"
        self.put()

    def get(self, key: str | None = None) -> None:
        is_range = key is None and self.rng.random() < 0.3
        key = self.rng.choice(KEYS) if key is None else key
        try:
            if is_range:
                self._check_range(key)
                return
            value = self.store.read(key)
        except reed.ObjectNotFound:
            value = ABSENT
        except (reed.Uncertain, reed.BeyondRepair) as error:
            self._require_unfinished(key, error)
            return
        self._observe(key, value)

    def _check_range(self, key: str) -> None:
        start, size = self.rng.randrange(9000), self.rng.randrange(5000)
        try:
            piece = self.store.read(key, start, start + size)
        except reed.InvalidParameter:
            return
        assert any(value is not ABSENT and value[start:start + size] == piece
                   for value in self.model[key]), f"{key!r}: wrong bytes in a range"

    def _observe(self, key: str, value) -> None:
        assert value in self.model[key], (
            f"{key!r} is {_short(value)}, may be {[_short(v) for v in self.model[key]]}")
        if value is not ABSENT:
            # What came after it and was not finished may still come; what was before may not.
            self.model[key] = {one for one in self.model[key]
                               if self.born[key, one] >= self.born[key, value]}

    def delete(self) -> None:
        key = self.rng.choice(KEYS)
        before, last_deleted = self.model[key], self.born[key, ABSENT]
        self.model[key] = before | {ABSENT}
        self.born[key, ABSENT] = self.serial + 0.5
        was_unfinished = key in self.unfinished
        self.unfinished.add(key)
        try:
            self.store.delete(key)
        except reed.ObjectNotFound:
            assert ABSENT in before, f"{key!r} is said to be absent"
            self.model[key], self.born[key, ABSENT] = before, last_deleted
            if not was_unfinished:
                self.unfinished.discard(key)
        except (reed.Uncertain, reed.QuorumNotReached) as error:
            self._require_unfinished(key, error)
        else:
            self.model[key] = {ABSENT}
            self.unfinished.discard(key)

    def list(self) -> None:
        try:
            found = [info.key for info in self.store.list()]
        except reed.Uncertain as error:
            assert self._has_unfinished(), error
            return
        assert found == sorted(set(found))
        for key, values in self.model.items():
            assert (key in found) or ABSENT in values, f"{key!r} is not listed"
            assert (key not in found) or values != {ABSENT}, f"{key!r} is listed"

    # -- what administrators do --

    def scrub(self) -> None:
        report = self.store.scrub()
        assert report.beyond_repair == 0 or self._has_unfinished(), report

    def repair(self) -> None:
        report = self.store.scrub(repair=True)
        assert report.beyond_repair == 0 or self._has_unfinished(), report

    def reconcile(self) -> None:
        try:
            self.store.reconcile()
        except reed.Uncertain as error:
            assert self._has_unfinished() or self.faulty, error

    def rebuild(self) -> None:
        slots = [slot for slot in self.store.config.slots
                 if slot.location in self.faulty and self.disks[slot.location].is_away]
        if not slots:
            return
        slot = self.rng.choice(slots)
        disk = self._new_disk()
        try:
            self.store.rebuild(slot.number, disk)
        except reed.Uncertain as error:
            assert self._has_unfinished() or len(self.faulty) > 1, error
        # The new disk takes the old one's place among the faulty: it may lack something still.
        if any(now.location == disk.location for now in self.store.config.slots):
            for places in (self.faulty, self.moving):
                if slot.location in places:
                    places[places.index(slot.location)] = disk.location

    def reclaim(self) -> None:
        try:
            self.store.reclaim()
        except reed.ClockJumped as error:
            raise AssertionError("the clock did not jump") from error
        except reed.Uncertain as error:
            self._require_trouble(str(error))
        except (OSError, reed.ReadBackMismatch):
            self._require_trouble("a disk failed")

    def migrate(self) -> None:
        count = sum(slot.takes_shards for slot in self.store.config.slots)
        code, needed = self.rng.choice(SHAPES)
        if needed > count or code.parity_shards < self.fault_limit:
            return
        quorum = code.data_shards + -(-code.parity_shards // 2)
        if count - len(self.faulty) < quorum:
            return
        try:
            self.store.migrate(code=code)
        except reed.Uncertain:
            self._require_trouble("migration is uncertain")

    def move(self) -> None:
        """To other disks, some of them new: goes on where it was when it did not end."""
        if len(self.moving) < self.store.config.code.shard_count:  # none, or for another code
            stay = [slot.location for slot in self.store.config.slots
                    if slot.location not in self.faulty]
            count = len(self.store.config.slots)
            stay = self.rng.sample(stay, self.rng.randint(0, len(stay)))[:count - 1]
            self.moving = [*stay, *(self._new_disk().location for _ in range(count - len(stay)))]
        try:
            self.store.migrate(targets=[self.disks[location] for location in self.moving])
        except (reed.Uncertain, reed.QuorumNotReached, OSError, reed.FormatError,
                reed.WrongTarget, reed.InvalidParameter) as error:  # one that stays is stale
            self._require_trouble(str(error))

    def retire(self) -> None:
        try:
            self.store.retire()
        except reed.InvalidParameter:
            return  # nothing moves, or something is there still
        except (reed.Uncertain, OSError, reed.ReadBackMismatch) as error:
            if all(slot.is_counted for slot in self.store.config.slots):  # else a move goes on
                self._require_trouble(str(error))
        except reed.ClockJumped as error:
            raise AssertionError("the clock did not jump") from error
        else:
            self.log[-1] += " which left"
            self.moving = []

    def audit(self) -> None:
        report = self.store.audit()
        assert report.counts.get("beyond repair", 0) == 0 or self._has_unfinished(), report.counts

    # -- what happens to disks --

    def disturb(self) -> None:
        if not self.faulty:
            return
        disk = self.disks[self.rng.choice(self.faulty)]
        kind = self.rng.choice(["away", "back", "rot", "rot", "unreadable", "full", "lie"])
        self.log[-1] = f"{kind} {disk.location}"
        names = [name for name in sorted(disk.names_now)
                 if not name.startswith(TEMPORARY) and disk.names_now[name].medium is not None]
        if kind == "away":
            disk.is_away = True
        elif kind == "back":
            disk.is_away = disk.is_full = False
            disk.lies = 0.0
        elif kind == "full":
            disk.is_full = not disk.is_full
        elif kind == "lie":
            disk.lies = self.rng.choice([0.0, 0.3, 1.0])
        elif kind == "rot" and names:
            disk.rot(self.rng.choice(names))
        elif kind == "unreadable":
            shards = [name for name in names if name.startswith(layout.SHARDS)]
            if shards:
                disk.names_now[self.rng.choice(shards)].is_unreadable = True

    def heal(self) -> None:
        """All disks return and behave; everything is made whole; others may become faulty."""
        self.log[-1:] = [*self.log[-1:], "HEAL"]
        self.world.calls_left = None
        for disk in self.disks.values():
            disk.is_away = disk.is_full = False
            disk.lies = 0.0
            for file in disk.names_now.values():
                file.is_unreadable = False
        self.store.close()
        self.open()
        if self.store.config.writer != self.world.host:
            self.store.take_over()
        # A disk of which both configurations rotted is lost, and is replaced.
        for slot in self.store.slots():
            if slot.state == "absent":
                self.store.rebuild(slot.number, self._new_disk())
        report = self.store.reconcile()
        assert report.complete, report
        report = self.store.scrub(repair=True)
        assert report.status in ("clean", "nothing read"), report
        report = self.store.audit()
        assert report.verdict == "healthy", (report.verdict, report.warnings, report.uncertain_keys,
                                             [found.as_dict() for found in report.objects])
        self._check_everything()
        self._choose_faulty()

    # -- what must be true --

    def _check_everything(self) -> None:
        assert [info.key for info in self.store.list()] == [
            key for key in KEYS if self._settle(key) is not ABSENT]
        report = self.store.scrub()
        assert report.status in ("clean", "nothing read"), report

    def _settle(self, key: str):
        try:
            value = self.store.read(key)
        except reed.ObjectNotFound:
            value = ABSENT
        assert value in self.model[key], (
            f"{key!r} is {_short(value)}, may be {[_short(v) for v in self.model[key]]}")
        self.model[key] = {value}
        self.unfinished.discard(key)
        return value

    def _require_trouble(self, what: str) -> None:
        assert self.faulty or self._has_unfinished(), f"{what} although every disk is good"

    def _has_unfinished(self) -> bool:
        return bool(self.unfinished) or self.intruded is not None

    def _require_unfinished(self, key: str, error) -> None:
        assert key in self.unfinished or self.intruded is not None, (
            f"{key!r}: {type(error).__name__}: {error}")

    def _unreadable(self):
        return [(disk, name, file) for disk in self.disks.values()
                for name, file in disk.names_now.items() if file.is_unreadable]

    def _is_live(self, name: str) -> bool:
        """Whether a shard is of an object's present version. One that was deleted has none, and
        reclaim takes it away shard by shard."""
        parsed = layout.parse_shard_name(name.removeprefix(f"{layout.SHARDS}/"))
        if parsed is None or not name.startswith(layout.SHARDS):
            return False
        return self.model[parsed[0]] != {ABSENT} and self._newest(parsed[0]) == parsed[1]

    def _newest(self, key: str) -> str | None:
        """The version of which the most disks have a shard, and the newest of those that are
        enough: a look at names, independent of the store's own."""
        count: dict[str, int] = {}
        for disk in self.disks.values():
            for name in disk.names_now:
                if name.startswith(f"{layout.SHARDS}/"):
                    parsed = layout.parse_shard_name(name.removeprefix(f"{layout.SHARDS}/"))
                    if parsed and parsed[0] == key:
                        count[parsed[1]] = count.get(parsed[1], 0) + 1
        versions = [version for version in count if count[version] >= 2]
        return max(versions, key=Version.parse, default=None)

    def _count_good(self, key: str, version: str) -> int:
        """Shards of a version that parse from beginning to end on the medium: each block verified
        by the core alone."""
        good = 0
        for disk in self.disks.values():
            for name, file in disk.names_now.items():
                if name.startswith(f"{layout.SHARDS}/") and f".{version}." in name and (
                        layout.parse_shard_name(name.removeprefix(f"{layout.SHARDS}/"))[0] == key):
                    good += file.medium is not None and _is_whole(file.medium)
        return good

    def _has_entry(self, slot, key: str, version: str) -> bool:
        """Whether the medium of a slot has a record of a key that names a version."""
        file = self.disks[slot.location].names_now.get(
            layout.record_name(key, self.store.config.takeovers))
        try:
            return version in str(record.unpack(bytes(file.medium), ""))
        except (AttributeError, TypeError, reed.FormatError):
            return False

    def _good_shards(self) -> dict[str, int]:
        """Good shards of each object that is certain to exist."""
        result = {}
        for key, values in self.model.items():
            if len(values) == 1 and ABSENT not in values:
                version = self._newest(key)
                if version is not None:
                    result[key] = self._count_good(key, version)
        return {key: min(count, 2) for key, count in result.items()}


def _is_whole(data: bytes) -> bool:
    from reed import _core
    try:
        footer = _core.shard_footer_parse(data[-256:])
        _core.shard_header_parse(data[:256])
        offset = 256
        for _ in range(footer["row_count"]):
            fields = _core.block_parse(data[offset:])
            offset += -(-(64 + fields["payload_size"]) // 64) * 64
    except reed.FormatError:
        return False
    return offset == len(data) - 256


def _short(value) -> str:
    return "absent" if value is ABSENT else f"{len(value)} bytes {value[:4].hex()}"


def run(seed: int) -> None:
    """One trial; says how to replay it when it fails."""
    trial = None
    try:
        trial = Trial(seed)
        trial.run()
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        print(f"replay: python tests/simulate/store_trials.py {seed}", file=sys.stderr)
        if trial is not None:
            print("steps:", ", ".join(trial.log), "; faulty:", trial.faulty, file=sys.stderr)
        raise
    finally:
        if trial is not None:
            trial.store.close()


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["--minutes"]:
        end = time.monotonic() + 60 * float(arguments[1])
        seed = int(arguments[2]) if len(arguments) > 2 else 0
        first = seed
        while time.monotonic() < end:
            run(seed)
            seed += 1
        print(f"{seed - first} trials passed, seeds {first} to {seed - 1}")
        return 0
    first = int(arguments[0])
    count = int(arguments[1]) if len(arguments) > 1 else 1
    failed = 0
    for seed in range(first, first + count):
        try:
            run(seed)
        except Exception:
            failed += 1
            traceback.print_exc()
            if failed >= 5:
                break
    print(f"{count} trials, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
