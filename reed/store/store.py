"""``reed.Store``: objects over failure domains. The public class, thin: what it does is done by the
modules beside it."""

import contextlib
import getpass
import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import BinaryIO

from ..codes import ReedSolomon, Replication
from ..errors import InvalidParameter, ObjectNotFound, Uncertain
from ..files import medium
from ..files.decoding import FileOutput, StreamOutput, require_free
from ..files.digests import digest_number, preferred_digest
from ..files.work import Watch, Workers
from ..files.writing import read_back_object
from . import audit as audit_module
from . import journal, layout, rebuild, reclaim, recover, retire, roster, salvage, scrub
from .clock import Clock, Observation, SystemClock
from .configuring import check_domains, check_quorum, code_of, require_other_device
from .entries import Config, Entry, Slot, Version
from .examine import Mended, bad_shards, examine, heal_records, mend
from .migrate import enter_code, migrate_objects, prepare_targets
from .objects import OpenObject, Reading
from .reader import open_version
from .remote import open_location
from .reports import (
    AuditReport,
    GetReport,
    IncidentReport,
    MigrateReport,
    ObjectAudit,
    ObjectInfo,
    ObjectScrub,
    PutReport,
    RebuildReport,
    ReclaimReport,
    RepairedObject,
    RetireReport,
    ScrubReport,
    SlotState,
)
from .target import Target
from .verified import ScrubStates
from .writer import BytesSource, Put

Location = str | PathLike | Target
Progress = Callable[[int, int | None], object] | None
Cancel = Callable[[], bool] | None


def _open_all(locations: Sequence[Location]) -> list[Target]:
    return [open_location(item) if isinstance(item, (str, PathLike)) else item
            for item in locations]


def this_host() -> str:
    """The name of this host as a store knows it: stable over restarts, different on others."""
    try:
        machine = Path("/etc/machine-id").read_text().strip()
    except OSError:
        machine = ""
    return f"{socket.gethostname()} {machine[:12]}".strip()


class Store:
    """Objects over N targets that stand for failure domains.

    Made by ``create`` or ``open``. A context manager; may be used from any number of threads, and
    by any number of processes of one host at once.
    """

    def __init__(self, opened: roster.Roster, workers: Workers, *, clock: Clock, entropy,
                 actor: str):
        self._roster = opened
        self._workers = workers
        self._clock = clock
        self._entropy = entropy
        self._actor = actor
        self._guard = threading.RLock()
        self._seen: Observation | None = None

    # -- making and opening --

    @classmethod
    def create(
        cls,
        targets: Sequence[Location],
        *,
        code: ReedSolomon | Replication | None = None,
        domains: Sequence[str] | None = None,
        block_size: int = 65536,
        digest: str | None = None,
        write_quorum: int | None = None,
        retention_hours: float = 24.0,
        reserve_bytes: int = 256 << 20,
        allow_shared_devices: bool = False,
        **options,
    ) -> "Store":
        """Makes a new store over targets that hold none.

        ``targets``: folders that exist, URLs of fsspec (or Target objects), at least as many as
        ``code`` has shards. ``domains``: the failure domain of each; by default each is its own.
        ``write_quorum``: failure domains that must have a shard before a put is acknowledged, at
        least data_shards + 1 where there is parity, by default data_shards plus half the parity,
        rounded up. ``digest`` of each object: "sha256", "blake3" or "none"; by default blake3
        where its package is installed (the extra ``store``), which whoever opens the store needs
        then too, else sha256. ``retention_hours``: how long superseded and deleted versions are
        kept. ``reserve_bytes`` stay free on each target for repair. Targets on one device fail
        together and are refused, unless ``allow_shared_devices``.

        ``options`` as in ``open``. Raises InvalidParameter, WrongTarget, OSError.
        """
        code = ReedSolomon(10, 4) if code is None else code
        chosen = code_of(code, block_size)
        digest = preferred_digest() if digest is None else digest
        digest_number(digest)
        opened = _open_all(targets)
        if len(opened) < chosen.shard_count:
            raise InvalidParameter(f"{chosen} needs at least {chosen.shard_count} targets, not "
                                   f"{len(opened)}")
        labels = [f"target {number}" for number in range(len(opened))] if domains is None else (
            [str(domain) for domain in domains])
        if len(labels) != len(opened):
            raise InvalidParameter(f"domains must be one for each of {len(opened)} targets, not "
                                   f"{len(labels)}")
        quorum = check_quorum(chosen, write_quorum)
        check_domains(opened, labels, quorum, allow_shared_devices)
        for target in opened:
            rebuild.require_empty(target)
        settings = _Options(**options)
        slots = tuple(Slot(number, settings.entropy(16).hex(), target.location, label, "active",
                           True, False, target.capabilities.durable)
                      for number, (target, label) in enumerate(zip(opened, labels, strict=True)))
        config = Config(
            store_id=settings.entropy(16).hex(), epoch=1, nonce=settings.entropy(8).hex(),
            is_settled=True, writer=settings.host, code=chosen, digest_type=digest,
            write_quorum=quorum, retention_hours=float(retention_hours),
            reserve_bytes=int(reserve_bytes), allows_shared_devices=allow_shared_devices,
            slots=slots)
        config.check()
        for slot, target in zip(slots, opened, strict=True):
            roster.write_config(target, config, slot.target_id)
        store = cls.open(opened, **options)
        with store._guard, store._roster.lock():
            reclaim.observe(store._roster, Observation.of(store._clock))
        return store

    @classmethod
    def open(cls, targets: Location | Iterable[Location], **options) -> "Store":
        """Opens a store by one or more of its targets; the others are looked for where they last
        were. Targets may be missing, in any order, and elsewhere than before when they are given.

        :param threads: how many threads write and read targets, at most; 16 by default. Shards are
            read by no more than there are devices.
        :param host: this host's name in the store. :param actor: who is written into
            entries and the journal; by default the user's name. :param clock: a Clock.
            :param entropy: a function of a count that gives random bytes. :param locate: makes a
            Target of a location.

        Raises NotAStore, WrongTarget (another store's, or one target twice), Uncertain.
        """
        settings = _Options(**options)
        if isinstance(targets, (str, PathLike)) or hasattr(targets, "capabilities"):
            targets = [targets]
        locations = [os.fsdecode(item) if isinstance(item, PathLike) else item for item in targets]
        workers = Workers(settings.threads or 16)
        try:
            opened = roster.Roster.open(locations, settings.locate, host=settings.host,
                                        entropy=settings.entropy, workers=workers)
        except BaseException:
            workers.__exit__(None, None, None)
            raise
        return cls(opened, workers, clock=settings.clock, entropy=settings.entropy,
                   actor=settings.actor)

    def close(self) -> None:
        """Ends the store's threads, when what they have was done. What other threads of the caller
        still do here may end with RuntimeError at its next step."""
        self._workers.__exit__(None, None, None)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        self.close()

    # -- what it is --

    @property
    def store_id(self) -> str:
        """32 hexadecimal digits."""
        return self._roster.config.store_id

    @property
    def config(self) -> Config:
        """The configuration in force when it was last looked at."""
        return self._roster.config

    def slots(self) -> tuple[SlotState, ...]:
        """Every slot and how its target stands."""
        with self._guard:
            self._roster.refresh()
            return audit_module.slot_states(self._roster)

    # -- objects --

    def put(self, key: str, source: bytes | str | PathLike | BinaryIO, *,
            progress: Progress = None, cancel: Cancel = None) -> PutReport:
        """Stores an object under a key, instead of what may be there: all of it or nothing.

        ``source``: bytes, a path, or a readable binary object, which is read once, to its end.
        Every shard was fsynced and read back from the medium, and a majority of the slots has the
        commit record, when this returns. An object that was there is kept for its retention.

        Raises InvalidParameter, QuorumNotReached (nothing was committed), LeaseHeld, Uncertain (it
        cannot be said whether it is committed), Cancelled, StoreBusy, OSError of the source.
        """
        layout.check_key(key)
        if isinstance(source, (bytes, bytearray, memoryview)):
            source = BytesSource(source)
        putting = self._put(key)
        entry = putting.run(source, Watch(progress, cancel))
        return PutReport(object=audit_module.info(key, entry), shards_written=len(entry.written),
                         shards_wanted=entry.code.shard_count, failures=putting.failures)

    def _put(self, key: str) -> Put:
        return Put(self._roster, self._guard, key, entropy=self._entropy, now=self._entry_time,
                   actor=self._actor, workers=self._workers)

    def get(self, key: str, target: str | PathLike | BinaryIO, *, start: int = 0,
            end: int | None = None, read_repair: bool = False, overwrite: bool = False,
            progress: Progress = None, cancel: Cancel = None) -> GetReport:
        """Writes an object, or its bytes from ``start`` to before ``end``, to a path or a writable.

        Every block is proved by its checksum before it is written. A path is published only when
        the digest of the whole matches and the file was read back; a writable gets the bytes as
        they come, so heed the exception. ``read_repair``: damage that was met is repaired after.

        Raises ObjectNotFound, Uncertain, BeyondRepair, DigestMismatch, TargetExists, Cancelled,
        OSError of the target.
        """
        with self._reading(key, start, end) as reading:
            watch = Watch(progress, cancel, reading.size)
            if hasattr(target, "write"):
                output = StreamOutput(target)
                reading.write_to(output, watch)
            else:
                path = os.fsdecode(target)
                require_free(path, overwrite)
                with medium.Publication() as publication:
                    temporary = publication.create(path)
                    output = FileOutput(temporary)
                    reading.write_to(output, watch)
                    temporary.sync()
                    read_back_object(temporary, output.size, output.crc32c, watch.check)
                    publication.publish(overwrite)
            report = reading.report()
        if read_repair and report.damaged_shards:
            return replace(report, repaired=self.repair(key).complete)
        return report

    def read(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        """The bytes of an object, or some of them, in memory. Errors as ``get``."""
        return b"".join(self.chunks(key, start, end))

    def chunks(self, key: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The bytes of an object, or some of them, piece by piece, each proved. A mismatch of the
        whole digest is raised behind the last. Errors as ``get``."""
        with self._reading(key, start, end) as reading:
            for pieces in reading.pieces():
                yield b"".join(pieces)

    @contextlib.contextmanager
    def open_object(self, key: str) -> Iterator[OpenObject]:
        """One version of an object: what it is, and its bytes, whatever is put or deleted
        meanwhile. Errors as ``get``."""
        entry = self._current(key)
        with open_version(self._roster, key, entry, self._workers) as opened:
            yield OpenObject(key, opened)

    @contextlib.contextmanager
    def _reading(self, key: str, start: int, end: int | None) -> Iterator[Reading]:
        with self.open_object(key) as opened:
            yield opened.reading(start, end)

    def _current(self, key: str) -> Entry:
        """The entry of an object; ObjectNotFound, Uncertain."""
        layout.check_key(key)
        for attempt in range(2):
            with self._guard:
                self._roster.refresh()
                try:
                    entry = self._roster.require_state(key).current
                except Uncertain:
                    # A target may have gone, or another process changed the epoch, in between.
                    if attempt:
                        raise
                    continue
            if entry is None:
                break
            return entry
        raise ObjectNotFound(f"there is no object {key!r}", key=key)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Every object whose key begins with `prefix`, in the order of the keys. Reads the records
        of what it returns, and names. Raises Uncertain."""
        with self._guard:
            self._roster.refresh()
            keys = self._roster.list_keys(prefix)
        for key in keys:
            with self._guard:
                entry = self._roster.require_state(key).current
            if entry is not None:
                yield audit_module.info(key, entry)

    def stat(self, key: str) -> ObjectAudit:
        """One object: its shards, its margin. Raises ObjectNotFound, Uncertain."""
        entry = self._current(key)
        with self._guard:
            effective = {slot.number: slot.effective_domain
                         for slot in audit_module.slot_states(self._roster)}
            return audit_module.audit_object(
                self._roster, ScrubStates(self._roster), effective, key, entry)

    def delete(self, key: str) -> None:
        """Deletes an object; its bytes are kept for their retention. Raises ObjectNotFound,
        Uncertain, LeaseHeld, StoreBusy."""
        layout.check_key(key)
        with self._guard, self._roster.lock():
            state = self._roster.require_full_state(key)
            if state.current is None:
                raise ObjectNotFound(f"there is no object {key!r}", key=key)
            version = Version(self._roster.config.epoch, state.newest_sequence + 1,
                              self._entropy(8).hex())
            self._roster.accept(key, Entry("tombstone", version, self._entry_time(), self._actor))

    # -- keeping them --

    def scrub(self, *, repair: bool = False, prefix: str = "", percent: float | None = None,
              older_than_hours: float | None = None, rate_limit: float | None = None,
              shard: tuple[int, int] | None = None,
              on_object: Callable[[ObjectScrub], object] | None = None, progress: Progress = None,
              cancel: Cancel = None) -> ScrubReport:
        """Reads every shard of every version from the medium and verifies checksums, parity and
        digests; ``repair`` writes anew what is wrong or missing and reads it again.

        Only objects of which some shard was last verified more than ``older_than_hours`` ago (so
        an interrupted scrub goes on where it was); only the ``percent`` that wait longest; only
        part i of n of all keys by ``shard=(i, n)``, i from 0: the parts' reports ``merge``.
        ``rate_limit`` in bytes read per second. ``on_object`` gets every result as it comes.
        ``progress(done, total)`` counts objects. What was found is written on the targets.

        Raises Uncertain, InvalidParameter, Cancelled.
        """
        scrubbing = scrub.Scrub(self, repair, prefix, percent, older_than_hours, rate_limit, shard)
        return scrubbing.run(on_object, progress, cancel)

    def repair(self, key: str, *, cancel: Cancel = None) -> RepairedObject:
        """Makes one object whole: its records and its shards. Raises ObjectNotFound, Uncertain,
        BeyondRepair, DigestMismatch, LeaseHeld."""
        layout.check_key(key)
        with self._guard:
            self._roster.refresh()
            self._roster.require_writer()
        heal_records(self._roster, self._guard, key, self._workers, self._now())
        entry = self._current(key)
        now = self._now()
        examined = examine(self._roster, key, entry, self._workers, now, Watch(None, cancel))
        bad = bad_shards(examined)
        left = {shard.shard_index: f"unknown: {'; '.join(shard.problems)}"
                for shard in examined.shards if shard.state == "unknown"}
        mended = Mended()
        if bad or examined.report.status in ("beyond repair", "unknown"):
            mended = mend(self._roster, self._guard, key, entry, bad, self._workers,
                                Watch(None, cancel), bool(examined.report.inconsistent_rows))
        return RepairedObject(key=key, version=str(entry.version), before=examined.report.status,
                              repaired_shards=tuple(mended.repaired), left={**left, **mended.left})

    def rebuild(self, slot: int, onto: Location, *, domain: str | None = None,
                progress: Progress = None, cancel: Cancel = None) -> RebuildReport:
        """Gives a slot whose target is lost to a new, empty one, and makes everything that belongs
        there. The old target is forgotten; should it return, it is a stranger. A slot whose target
        answers and is up to date is refused: its shards may be the last good ones.

        ``progress(done, total)`` counts keys. Interrupted, ``reconcile`` goes on. Raises
        WrongTarget, LeaseHeld, Uncertain, InvalidParameter, OSError.
        """
        target = open_location(onto) if isinstance(onto, (str, PathLike)) else onto
        with self._guard:
            self._roster.refresh()
            try:
                old = self._roster.config.slot(slot)
            except KeyError:
                raise InvalidParameter(f"there is no slot {slot}: {sorted(self._roster.members)}"
                                       ) from None
            rebuild.require_lost(self._roster, slot)
            rebuild.require_empty(target)
            require_other_device(self._roster, target, slot)
            self._journal("rebuild", {"slot": slot, "onto": target.location},
                          "every block is verified as it is read",
                          {"forgets": old.target_id, "was at": old.location})
        rebuild.replace_target(self._roster, self._guard, slot, target,
                               self._entropy(16).hex(), domain)
        report = self._catch_up([slot], progress, cancel)
        self._note_measured("rebuilt", report)
        return report

    def reconcile(self, *, progress: Progress = None, cancel: Cancel = None) -> RebuildReport:
        """Takes targets back that are there and stale: gives them every record and shard that they
        missed, then their vote. Also ends a rebuild that was interrupted."""
        with self._guard:
            self._roster.refresh()
            self._roster.require_writer()
            numbers = [member.number for member in self._roster.reachable()
                       if not member.is_voter]
        report = self._catch_up(numbers, progress, cancel)
        if numbers:
            self._note_measured("reconciled", report)
        return report

    def _note_measured(self, command: str, report: RebuildReport) -> None:
        """Keeps what a repair took in the journal: a durability model asks for it."""
        with self._guard:
            self._journal(command, {"slots": list(report.slots)}, "every block that was written",
                          {"seconds": report.seconds, "shards": report.shards_rebuilt,
                           "bytes_read": report.bytes_read,
                           "bytes_written": report.bytes_written, "failed": len(report.failed)})

    def _catch_up(self, numbers: Sequence[int], progress: Progress,
                  cancel: Cancel) -> RebuildReport:
        watch = Watch(None, cancel)
        copied, failed = 0, {}
        if numbers:
            copied, failed = rebuild.synchronise(self._roster, self._guard, numbers, watch.check)
        numbers = [number for number in numbers if number not in failed]
        report = rebuild.fill_shards(self._roster, self._guard, numbers, self._workers, watch,
                                     progress)
        return replace(report, records_copied=copied, failed={
            **report.failed, **{f"slot {number}": reason for number, reason in failed.items()}})

    def migrate(self, *, code: ReedSolomon | Replication | None = None,
                targets: Sequence[Location] | None = None, domains: Sequence[str] | None = None,
                prefix: str = "", unsafe_skip_verify: bool = False, progress: Progress = None,
                cancel: Cancel = None) -> MigrateReport:
        """Moves every object to another code, to other targets, or both.

        Each object is read with every block and the digest verified, put anew, read back, and only
        then superseded, if nobody changed it meanwhile. The source is kept for its retention and
        goes only by ``reclaim``, which verifies the copy on the medium once more. ``targets``:
        where objects are to be from now on: new, empty ones, and ones of the store that stay; every
        other one takes no more shards, and leaves by ``retire``. Interrupted, call it again with
        the same. ``progress(done, total)`` counts keys.

        ``unsafe_skip_verify`` is for drills: the copies are not read back, every entry says so, and
        the source of such a copy is never reclaimed. What is read is verified even then.
        """
        with self._guard:
            self._roster.refresh()
            self._roster.require_writer()
            chosen = self._roster.config.code if code is None else (
                code_of(code, self._roster.config.code.block_size))
            destinations = prepare_targets(
                self._roster, None if targets is None else _open_all(targets), domains, chosen)
            flags = {"code": str(chosen), "prefix": prefix,
                     "targets": [to.target.location for to in destinations],
                     "unsafe_skip_verify": unsafe_skip_verify}
            self._journal("migrate", flags, "every block and the digest, as they are read; the "
                          + ("copies were not" if unsafe_skip_verify else "copies read back"), {})
        watch = Watch(None, cancel)
        enter_code(self._roster, self._guard, self._entropy, chosen, destinations, watch.check)
        return migrate_objects(self, prefix, unsafe_skip_verify, progress, watch)

    def reclaim(self, *, dry_run: bool = False, accept_clock: bool = False,
                accept_cached: bool = False, cancel: Cancel = None) -> ReclaimReport:
        """Removes what is superseded, by the rules of ``reed.store.reclaim``; the only operation
        that frees space. ``accept_clock``: the clock is right although it jumped.
        ``accept_cached``: what replaced a version may have been verified through a cache, which is
        all that can be had of a target behind a URL.

        Raises ClockJumped, LeaseHeld, Uncertain.
        """
        with self._guard, self._roster.lock():
            self._roster.require_writer()
        work = reclaim.Reclaim(self._roster, self._guard, self._clock, self._workers,
                               Watch(None, cancel), accept_cached)

        def write_journal(outcome: dict) -> None:
            with self._guard:
                self._journal("reclaim", {"accept_clock": accept_clock,
                                          "accept_cached": accept_cached},
                              "every successor was read" + ("" if accept_cached else
                              " from the medium") + " and is whole", outcome)

        return work.run(self._now(), dry_run, accept_clock, write_journal)

    def retire(self, *, cancel: Cancel = None) -> RetireReport:
        """Takes the slots out of the store that ``migrate`` to other targets emptied: their targets
        are not needed any more. Every slot must answer, and no version may have a shard there:
        ``reclaim`` removes the superseded ones when their retention has ended. Nobody can write
        while the records of all objects are compared.

        Raises InvalidParameter, Uncertain, ClockJumped, LeaseHeld, StoreBusy, Cancelled, OSError.
        """
        def write_journal(leaving: list[Slot]) -> None:
            self._journal("retire", {"slots": [slot.number for slot in leaving]},
                          "every slot that stays has every record, and no version a shard on one "
                          "that leaves",
                          {"forgets": [slot.target_id for slot in leaving],
                           "were at": [slot.location for slot in leaving]})

        left = retire.retire(self._roster, self._guard, self._workers, self._clock, self._now(),
                             Watch(None, cancel), write_journal)
        return RetireReport(slots=tuple(slot.number for slot in left),
                            locations=tuple(slot.location for slot in left))

    def audit(self, prefix: str = "", *, with_objects: bool = True,
              cancel: Cancel = None) -> AuditReport:
        """The evidence: for every object which shards exist, where, verified when and how, what it
        can lose; the slots; the journal of destructive commands. Reads no block."""
        with self._guard:
            self._roster.refresh()
            self._roster.require_majority()
        return audit_module.audit(self._roster, prefix, self._clock.wall(),
                                  Watch(None, cancel).check, with_objects)

    def salvage(self, key: str, target: str | PathLike, *, overwrite: bool = False,
                progress: Progress = None, cancel: Cancel = None) -> IncidentReport:
        """Writes what can be proved of an object that is beyond repair: ``TARGET.partial`` with
        the verified bytes in their places, ``TARGET.partial.json`` with the map of the holes, and
        ``TARGET.incident.json``: which shards are wrong or gone, which ranges are lost, since
        when, and what was done since. Never TARGET itself. Errors as ``get``."""
        entry = self._current(key)
        return salvage.salvage(self._roster, key, entry, os.fsdecode(target), overwrite,
                               self._now(), self._workers, Watch(progress, cancel, entry.size))

    def recover_records(self, *, cancel: Cancel = None) -> dict[str, str]:
        """Makes records from shards, for keys whose records are lost on a majority; returns
        {key: version}. What only records knew is lost: an object that was deleted, and not yet
        reclaimed, may come back."""
        with self._guard:
            self._roster.refresh()
            self._roster.require_writer()
            self._journal("recover records", {}, "every shard, as it is read", {})
        return recover.recover(self._roster, self._guard, self._workers, self._now(), self._actor,
                               Watch(None, cancel))

    def take_over(self) -> None:
        """Makes this host the one that may write. The host that did must have stopped for good."""
        with self._guard, self._roster.lock(takes_over=True):
            self._roster.require_majority()
            before = self._roster.config.writer
            self._roster.take_over()
            self._journal("take over", {}, "nothing", {"was": before})

    # -- the parts of the above --

    def _journal(self, command: str, flags: dict, verified: str, outcome: dict) -> None:
        journal.write(self._roster, time=self._now(), nonce=self._entropy(4).hex(),
                      actor=self._actor, command=command, flags=flags, verified=verified,
                      outcome=outcome)

    def _now(self) -> float:
        """The time for entries: what the clock says, but never before what it said when it was
        last seen, by this process or by reclaim."""
        now = Observation.of(self._clock)
        with self._guard:
            if self._seen is None:
                self._seen = reclaim.latest_observation(self._roster) or now
            floor = self._seen.wall
            if self._seen.boot_id == now.boot_id:
                floor += max(0.0, now.uptime - self._seen.uptime)
        return max(now.wall, floor)

    def _entry_time(self) -> float:
        """The time for an entry, under the lock. The first one after the host started is noted on
        the targets: should the clock be set later, reclaim sees that retention was counted from
        another time."""
        time, now = self._now(), Observation.of(self._clock)
        if self._seen.boot_id != now.boot_id:
            self._seen = replace(now, wall=time)
            reclaim.observe(self._roster, self._seen)
        return time


class _Options:
    """What ``create`` and ``open`` take alike."""

    def __init__(self, *, threads: int | None = None, host: str | None = None,
                 actor: str | None = None, clock: Clock | None = None, entropy=None, locate=None):
        self.threads = threads
        self.host = this_host() if host is None else host
        self.actor = _user() if actor is None else actor
        self.clock = SystemClock() if clock is None else clock
        self.entropy = secrets.token_bytes if entropy is None else entropy
        self.locate = open_location if locate is None else locate


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"user {os.getuid()}"
