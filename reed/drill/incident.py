"""The loss of 20 July 2018, replayed on real bytes.

A volume with three copies; one copy is silently wrong; a migration to another pool. What decides is
who verifies and how long the source is kept, so the same damage is played under each rule, and the
second case, two survivors with bad sectors in different places, after that. Every outcome is judged
by comparing digests of bytes on the disk with the digest of the volume, never by what a report
says.

reed has no way to read without verifying, so the two cases in which nobody looked are driven by
``_migrate_without_looking``: what a storage system does that takes a disk at its word.
"""

import hashlib
import os
import random
import shutil
import tempfile
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from .. import files
from ..codes import Replication
from ..errors import BeyondRepair
from ..files.layout import BLOCK_HEADER_SIZE, Geometry, Layout
from ..store import Capabilities, FolderTarget, Store, SystemClock

VOLUME_BYTES = 4 << 20
BLOCK_BYTES = 4096
WRONG_BYTES = 100
BAD_SECTORS = (14, 803)  # of the two survivors of the second case
_KEY = "volume"
# The folders stand for disks, also where they lie on a filesystem in memory.
_DISK = Capabilities(durable=True, atomic_publish=True, conditional_create=True, medium_reads=True)


@dataclass(frozen=True)
class Event:
    """What happened at one moment of a case. time: "20:27", "+1 d 20:27"; empty: at once."""

    time: str
    text: str


@dataclass(frozen=True)
class Case:
    """One way in which the day could go."""

    name: str
    title: str
    outcome: str  # "lost", "recovered", "caught", "refused", "merged", or what it was instead
    expected: str
    proof: tuple[str, ...]
    events: tuple[Event, ...]

    @property
    def is_as_expected(self) -> bool:
        return self.outcome == self.expected


@dataclass(frozen=True)
class ReplayReport:
    """The replay. digest: SHA-256 of the volume as the customer wrote it, hexadecimal."""

    seed: int
    volume_bytes: int
    digest: str
    cases: tuple[Case, ...]

    @property
    def is_as_expected(self) -> bool:
        """True when every case ended as it must."""
        return all(case.is_as_expected for case in self.cases)

    def as_dict(self) -> dict:
        """What ``json.dumps`` takes."""
        return asdict(self)


def replay_incident(folder: str | os.PathLike | None = None, *, seed: int = 20180720
                    ) -> ReplayReport:
    """Plays the five cases below ``folder``, by default a temporary one that is removed.

    ``seed`` chooses the volume's bytes and where the damage is. Takes some seconds and about
    60 MB. Raises OSError when the folder cannot be used.
    """
    with tempfile.TemporaryDirectory(prefix="reed-incident-", dir=folder) as base:
        volume = random.Random(seed).randbytes(VOLUME_BYTES)
        cases = []
        for play in (_unverified_and_reclaimed, _unverified_and_retained, _verified,
                     _with_reed, _two_survivors):
            day = _Day(Path(base) / play.__name__.strip("_"), volume, seed)
            cases.append(play(day))
            shutil.rmtree(day.folder)
    return ReplayReport(seed, len(volume), _sha256(volume), tuple(cases))


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class _Clock(SystemClock):
    """The clock of that day: it goes on when the story says so."""

    def __init__(self):
        self.now = datetime(2018, 7, 20, 11, 57, tzinfo=UTC).timestamp()
        self._started = self.now - 86400

    def wall(self) -> float:
        return self.now

    def uptime(self) -> float:
        return self.now - self._started

    def boot_id(self) -> str:
        return "20 July 2018"

    def set(self, time: str, days: int = 0) -> None:
        hour, minute = time.split(":")
        self.now = datetime(2018, 7, 20 + days, int(hour), int(minute), tzinfo=UTC).timestamp()


class _Day:
    """The scene of one case: a folder, the volume, the story so far."""

    def __init__(self, folder: Path, volume: bytes, seed: int):
        self.folder = folder
        self.volume = volume
        self.random = random.Random(f"{seed} {folder.name}")
        self.seed = seed
        self.clock = _Clock()
        self.events: list[Event] = []
        self.proof: list[str] = []

    def tell(self, time: str, text: str) -> None:
        self.events.append(Event(time, text))

    def disks(self, pool: str, count: int = 3) -> list[Path]:
        """New folders that stand for the disks of a pool."""
        made = [self.folder / pool / f"disk{number}" for number in range(count)]
        for disk in made:
            disk.mkdir(parents=True)
        return made

    def prove(self, what: str, data: bytes) -> bool:
        """Whether bytes are the volume's; the digest goes into the proof."""
        is_exact = data == self.volume
        self.proof.append(f"{what}: sha256 {_sha256(data)[:16]}…, "
                          f"{'the volume' if is_exact else 'NOT the volume'}")
        return is_exact

    def case(self, name: str, title: str, outcome: str, expected: str) -> Case:
        return Case(name, title, outcome, expected, tuple(self.proof), tuple(self.events))


# ---- a provider's pools: whole copies as shard files ---------------------------------------------


def _encode(day: _Day, source: bytes, disks: list[Path]) -> None:
    path = day.folder / "source"
    path.write_bytes(source)
    # With an id of its own for each pool every digest that is shown can be had again.
    pool_id = hashlib.sha256(f"{day.seed} {disks[0]}".encode()).digest()[:16]
    files.encode(path, disks, code=Replication(3), block_size=BLOCK_BYTES, stripe_id=pool_id,
                 name=_KEY)
    path.unlink()


def _pool_with_a_wrong_copy(day: _Day) -> list[Path]:
    """Pool I at 11:57: three copies, and one disk gives back other bytes than were written."""
    disks = day.disks("pool I")
    _encode(day, day.volume, disks)
    (copy,) = disks[0].iterdir()
    offset = _spoil(copy, day.random)
    day.tell("before", f"disk 0 holds {WRONG_BYTES} wrong bytes at {offset:,} and reports no error")
    day.tell("11:57", "space alarm in pool I")
    return disks


def _spoil(path: Path, generator: random.Random) -> int:
    """Replaces some bytes within one block of a shard file; returns the offset in the file."""
    layout = Layout(Geometry(b"\1" * 16, "replication", 1, 2, BLOCK_BYTES), VOLUME_BYTES)
    row = generator.randrange(layout.row_count)
    offset = layout.offset_of(row) + BLOCK_HEADER_SIZE + generator.randrange(
        BLOCK_BYTES - WRONG_BYTES)
    with open(path, "r+b") as file:
        file.seek(offset)
        before = file.read(WRONG_BYTES)
        file.seek(offset)
        file.write(bytes(byte ^ 0xFF for byte in before))
    return offset


def _payload_as_it_reads(path: Path, size: int) -> bytes:
    """What a shard file of a whole copy holds, taken at its word: no checksum is looked at."""
    layout = Layout(Geometry(b"\1" * 16, "replication", 1, 2, BLOCK_BYTES), size)
    data = path.read_bytes()
    begins = (layout.offset_of(row) + BLOCK_HEADER_SIZE for row in range(layout.row_count))
    return b"".join(data[begin:begin + layout.payload_size(row)]
                    for row, begin in enumerate(begins))


def _migrate_without_looking(day: _Day, source: list[Path], target: list[Path]) -> None:
    """Reads the first copy and writes it three times, with new checksums over what was read."""
    (copy,) = source[0].iterdir()
    _encode(day, _payload_as_it_reads(copy, len(day.volume)), target)


def _read_pool(day: _Day, disks: list[Path]) -> bytes:
    """The volume as reed reads it from a pool, every block and the digest verified."""
    path = day.folder / "read"
    files.decode(disks, path, overwrite=True)
    return path.read_bytes()


def _unverified_migration(day: _Day) -> tuple[list[Path], list[Path]]:
    pool_one = _pool_with_a_wrong_copy(day)
    pool_two = day.disks("pool II")
    day.tell("14:05", "migration to pool II, verification switched off to go faster")
    _migrate_without_looking(day, pool_one, pool_two)
    report = files.verify(pool_two)
    day.tell("20:27", f"cut-over; pool II holds {len(report.shards)} copies, verify says: "
             f"{report.status}")
    return pool_one, pool_two


def _unverified_and_reclaimed(day: _Day) -> Case:
    pool_one, pool_two = _unverified_migration(day)
    for disk in pool_one:
        shutil.rmtree(disk)
    day.tell("20:27", "pool I is reclaimed at once")
    day.tell("20:30", "the database reports errors in pool II")
    copies = [_payload_as_it_reads(next(disk.iterdir()), len(day.volume)) for disk in pool_two]
    any_exact = [day.prove(f"pool II copy {number}", data) for number, data in enumerate(copies)]
    is_agreed = len({_sha256(data) for data in copies}) == 1
    day.tell("", "three copies, one truth, and it is wrong" if is_agreed else "the copies differ")
    is_left = any(path.is_file() for disk in pool_one for path in disk.rglob("*"))
    day.proof.append(f"pool I: {'still has files' if is_left else 'nothing left'}")
    outcome = "lost" if not any(any_exact) and not is_left else "not lost"
    return day.case("a", "verification off, source reclaimed at once", outcome, "lost")


def _unverified_and_retained(day: _Day) -> Case:
    pool_one, pool_two = _unverified_migration(day)
    day.tell("20:30", "the database reports errors in pool II; pool I is still there (24 h)")
    is_wrong = not day.prove("pool II", _read_pool(day, pool_two))
    recovered = day.prove("pool I, read by reed", _read_pool(day, pool_one))
    day.tell("20:31", "pool I is read by reed: the wrong block of copy 0 is left out, copies 1 "
             "and 2 have it")
    outcome = "recovered" if is_wrong and recovered else "not recovered"
    return day.case("b", "verification off, source retained", outcome, "recovered")


def _verified(day: _Day) -> Case:
    pool_one = _pool_with_a_wrong_copy(day)
    pool_two = day.disks("pool II")
    report = files.verify(pool_one)
    bad = [shard for shard in report.shards if shard.state != "good"]
    day.tell("14:05", "migration to pool II, every block verified as it is read")
    day.tell("14:05", f"caught: {sum(shard.corrupt_blocks for shard in bad)} corrupt block in copy "
             f"{', '.join(str(shard.shard_index) for shard in bad)}; it is read from another copy")
    moved = _read_pool(day, pool_one)
    _encode(day, moved, pool_two)
    after = files.verify(pool_two)
    repaired = files.repair(pool_one, dry_run=False)
    day.tell("20:27", f"cut-over; pool II verifies: {after.status}; copy 0 of pool I "
             f"{'repaired' if repaired.complete else 'NOT repaired'}")
    exact = [day.prove(f"pool II copy {number}", _payload_as_it_reads(
        next(disk.iterdir()), len(day.volume))) for number, disk in enumerate(pool_two)]
    mended = day.prove("pool I copy 0, repaired", _payload_as_it_reads(
        next(pool_one[0].iterdir()), len(day.volume)))
    caught = all(exact) and mended and [shard.shard_index for shard in bad] == [0]
    return day.case("c", "verification on", "caught" if caught else "not caught", "caught")


# ---- the same day with reed's store --------------------------------------------------------------


def _targets(disks: list[Path]) -> list[FolderTarget]:
    return [FolderTarget(disk, _DISK) for disk in disks]


def _store(day: _Day, disks: list[Path]) -> Store:
    return Store.create(
        _targets(disks), code=Replication(3), block_size=BLOCK_BYTES, allow_shared_devices=True,
        reserve_bytes=0, threads=1, clock=day.clock, actor="operator", host="pool",
        entropy=day.random.randbytes)


def _shards(disks: list[Path]) -> list[Path]:
    return sorted(path for disk in disks for path in disk.rglob("*.reed"))


def _with_reed(day: _Day) -> Case:
    """Everything that was done that day, asked of a store with its defaults."""
    refused = []
    with _store_with_a_wrong_copy(day, "pool I") as store:
        day.clock.set("14:05")
        report = store.migrate(targets=_targets(day.disks("pool II")), unsafe_skip_verify=True)
        day.tell("14:05", f"migrate --unsafe-skip-verify: {report.copied} object copied, not read "
                 "back (but verified as it was read)")
        exact = day.prove("pool II", store.read(_KEY))
        day.clock.set("20:27", days=2)
        refused.append(_reclaim(day, store, "+2 days", "reclaim after the retention"))
    day.clock.set("11:57", days=3)
    pool_two = day.disks("pool IV")
    with _store_with_a_wrong_copy(day, "pool III") as store:
        day.clock.set("14:05", days=3)
        report = store.migrate(targets=_targets(pool_two))
        day.tell("14:05", f"again, migrate as it is: {report.copied} object copied and read back")
        exact &= day.prove("pool IV", store.read(_KEY))
        day.clock.set("20:27", days=3)
        refused.append(_reclaim(day, store, "20:27", "reclaim at once"))
        for path in _shards(pool_two):
            path.write_bytes(path.read_bytes()[:1000])
        day.tell("20:30", "the disks of pool IV break: all three copies are cut off")
        refused.append(_read_refused(day, store))
        day.clock.set("20:27", days=5)
        refused.append(_reclaim(day, store, "+2 days", "reclaim after the retention"))
    kept = _shards([day.folder / "pool III"])
    exact &= day.prove("pool III, kept", _read_pool(day, kept) if kept else b"")
    return day.case("d", "the same, asked of reed with its defaults",
                    "refused" if all(refused) and exact else "not refused", "refused")


def _store_with_a_wrong_copy(day: _Day, pool: str) -> Store:
    disks = day.disks(pool)
    store = _store(day, disks)
    store.put(_KEY, day.volume)
    _spoil(_shards(disks[:1])[0], day.random)
    day.tell("before", f"{pool}: the copy on disk 0 is silently wrong, as in (a)")
    return store


def _read_refused(day: _Day, store: Store) -> bool:
    try:
        store.read(_KEY)
    except BeyondRepair as error:
        day.tell("20:30", f"read refused ({type(error).__name__}): nothing wrong is handed out")
        return True
    return False


def _reclaim(day: _Day, store: Store, time: str, what: str) -> bool:
    """Whether a reclaim removed nothing and said why."""
    report = store.reclaim()
    why = "; ".join(dict.fromkeys(report.kept.values()))
    day.tell(time, f"{what}: {len(report.versions)} removed; kept: {why or 'nothing'}")
    return not report.versions and bool(report.kept)


def _two_survivors(day: _Day) -> Case:
    disks = day.disks("cell")
    with _store(day, disks) as store:
        store.put(_KEY, day.volume)
        shutil.rmtree(disks[2])
        day.tell("", "a failed replica cell is removed; two copies are left")
        _bad_sectors(day, disks)
        states = [state for state in store.stat(_KEY).shards if state.state == "good"]
        day.tell("", f"bad sectors: {BAD_SECTORS[0]} in copy 0, {BAD_SECTORS[1]} in copy 1, in "
                 f"different places; {len(states)} files look whole")
        exact = day.prove("read through the store", store.read(_KEY))
        (spare,) = day.disks("spare", 1)
        store.rebuild(2, *_targets([spare]))
        scrubbed = store.scrub(repair=True)
        clean = store.scrub().status
        day.tell("", f"merged block by block: {scrubbed.repaired} object repaired, a third copy "
                 f"rebuilt, then scrubbed: {clean}")
        exact &= day.prove("third copy, rebuilt", _payload_as_it_reads(
            _shards([spare])[0], len(day.volume)))
    return day.case("e", "two survivors with bad sectors in different places",
                    "merged" if exact and clean == "clean" else "not merged", "merged")


def _bad_sectors(day: _Day, disks: list[Path]) -> None:
    """Overwrites 512 bytes in so many blocks of each of two copies, no block in both."""
    layout = Layout(Geometry(b"\1" * 16, "replication", 1, 2, BLOCK_BYTES), len(day.volume))
    rows = day.random.sample(range(layout.row_count), sum(BAD_SECTORS))
    for disk, chosen in ((disks[0], rows[:BAD_SECTORS[0]]), (disks[1], rows[BAD_SECTORS[0]:])):
        with open(_shards([disk])[0], "r+b") as file:
            for row in chosen:
                file.seek(layout.offset_of(row) + BLOCK_HEADER_SIZE + 512 * day.random.randrange(8))
                file.write(b"\xde\xad" * 256)
