"""Scrubbing a store: every shard of the chosen objects is read and judged, repaired where that was
asked for, and what was found is written down."""

import contextlib
import functools
import itertools
import time as time_module
from collections.abc import Callable, Iterator
from dataclasses import replace

from ..errors import (
    BeyondRepair,
    ConflictingShards,
    DigestMismatch,
    InvalidParameter,
    ReedError,
    Uncertain,
)
from ..files.work import Watch, Workers
from . import layout
from .entries import Entry
from .examine import bad_shards, examine, heal_records, mend
from .reports import ObjectScrub, ScrubReport
from .roster import Roster
from .verified import ScrubNotes, ScrubStates

Cancel = Callable[[], bool] | None

_SLICE_SECONDS = 0.1  # a wait is this deaf


class Throttle:
    """Keeps reading below a rate."""

    def __init__(self, bytes_per_second: float | None,
                 sleep: Callable[[float], None] = time_module.sleep,
                 monotonic: Callable[[], float] = time_module.monotonic):
        self._rate = bytes_per_second
        self._sleep = sleep
        self._monotonic = monotonic
        self._begin = monotonic()
        self._settled = 0  # bytes
        self._done = 0.0  # the same, and about as many as were read since

    def add(self, size: float, cancel: Cancel) -> None:
        """Waits until about this many more bytes are within the rate, or ``cancel`` is True."""
        self._done += size
        self._wait(cancel)

    def settle(self, size: int, cancel: Cancel) -> None:
        """As ``add``: what was added since the last time were so many bytes."""
        self._settled += size
        self._done = self._settled
        self._wait(cancel)

    def _wait(self, cancel: Cancel) -> None:
        while self._rate and (
                late := self._begin + self._done / self._rate - self._monotonic()) > 0:
            if cancel is not None and cancel():
                return
            self._sleep(min(late, _SLICE_SECONDS))


class PacedWatch(Watch):
    """Holds the reading of one version up, batch by batch.

    :param read_per_byte: how many bytes are read for each byte of the object.
    :param is_stopped: whether a cancellation stops the work, and not only the waiting.
    """

    def __init__(self, throttle: Throttle, cancel: Cancel, read_per_byte: float,
                 is_stopped: bool = True):
        super().__init__(None, cancel if is_stopped else None)
        self._throttle = throttle
        self._ends_waiting = cancel
        self._read_per_byte = read_per_byte
        self._done = 0

    def step(self, done: int) -> None:
        self._throttle.add((done - self._done) * self._read_per_byte, self._ends_waiting)
        self._done = done
        super().step(done)


def scrub_version(roster: Roster, guard, key: str, entry: Entry, workers: Workers,
                  now: float, throttle: Throttle, cancel: Cancel, repair: bool,
                  is_live: bool, on_mended: Callable[[int], object]) -> ObjectScrub:
    """Examines one version and, when asked to, repairs it and examines it again.

    :param on_mended: called with the number of shards as soon as they were written anew.
    """
    every_shard = entry.code.shard_count / entry.code.data_shards
    examined = examine(roster, key, entry, workers, now, PacedWatch(throttle, cancel, every_shard))
    report = examined.report
    bytes_read = examined.bytes_read
    status, problem = report.status, None
    repaired: tuple[int, ...] = ()
    if repair and status == "repairable":
        bad = bad_shards(examined)
        try:
            mended = mend(roster, guard, key, entry, bad, workers, PacedWatch(throttle, cancel, 1),
                          bool(report.inconsistent_rows))
            repaired = tuple(mended.repaired)
            if mended.left:
                problem = "; ".join(f"shard {index} left: {why}"
                                    for index, why in mended.left.items())
            if repaired:
                on_mended(len(repaired))
                # What was written anew belongs into the report, whoever wants to end now.
                examined = examine(roster, key, entry, workers, now, PacedWatch(
                    throttle, cancel, every_shard, is_stopped=False))
                bytes_read += examined.bytes_read + mended.bytes_read
                report = examined.report
                status = "repaired" if report.status == "healthy" else report.status
        except (BeyondRepair, DigestMismatch, ConflictingShards) as error:
            problem = str(error)
    return ObjectScrub(
        key=key, version=str(entry.version), is_live=is_live, status=status, margin=report.margin,
        how=examined.how, shards=tuple(examined.shards), bytes_read=bytes_read,
        repaired_shards=repaired, lost_rows=report.lost_rows, problem=problem)


class _Tally:
    """What the results of a scrub come to."""

    def __init__(self):
        self.counts = dict.fromkeys(
            ("healthy", "repairable", "repaired", "beyond repair", "unknown"), 0)
        self.keys = self.bytes_read = 0
        self.rewritten = 0  # shards, and of which versions: noted before they are read again
        self.repaired: set[tuple[str, str]] = set()
        self._retained = self._shards_read = 0
        self._hows: set[str] = set()

    def add(self, result: ObjectScrub) -> None:
        if not result.is_live and result.status not in ("healthy", "repaired"):
            self._retained += 1
        else:
            self.counts[result.status] += 1
        good = sum(shard.state == "good" for shard in result.shards)
        self._shards_read += good
        self.bytes_read += result.bytes_read
        if good:
            self._hows.add(result.how)

    def mended(self, key: str, entry: Entry, shards: int) -> None:
        self.rewritten += shards
        self.repaired.add((key, str(entry.version)))

    def report(self) -> ScrubReport:
        counts = self.counts
        return ScrubReport(
            objects=self.keys, healthy=counts["healthy"], repairable=counts["repairable"],
            repaired=counts["repaired"], beyond_repair=counts["beyond repair"],
            unknown=counts["unknown"], retained=self._retained, shards_read=self._shards_read,
            bytes_read=self.bytes_read,
            how="cached" if "cached" in self._hows else "medium" if self._hows else "nothing")


class Scrub:
    """One scrub of a store."""

    def __init__(self, store, repair, prefix, percent, older_than_hours, rate_limit, shard):
        if percent is not None and not 0 < percent <= 100:
            raise InvalidParameter(f"percent must be above 0 and at most 100, not {percent}")
        if rate_limit is not None and rate_limit <= 0:
            raise InvalidParameter(f"rate_limit must be above 0 bytes per second, not {rate_limit}")
        if shard is not None and not 0 <= shard[0] < shard[1]:
            raise InvalidParameter(f"shard must be (i, n) with 0 <= i < n, not {shard}")
        self._store = store
        self._roster = store._roster
        self._repair = repair
        self._prefix = prefix
        self._percent = percent
        self._older_than_hours = older_than_hours
        self._shard = shard
        self._throttle = Throttle(rate_limit)
        self._notes = ScrubNotes(self._roster)

    def run(self, on_object, progress, cancel) -> ScrubReport:
        store, watch = self._store, Watch(None, cancel)
        with store._guard:
            self._roster.refresh()
            self._roster.require_majority()
            if self._repair:
                with self._roster.lock():
                    self._roster.require_writer()
                    self._roster.heal_configs()
            keys = self._choose(watch)
        tally = _Tally()
        try:
            for fan, group in itertools.groupby(keys, layout.fan):
                with self._saving(fan) as versions:
                    for key in group:
                        watch.check()
                        for result in self._object(key, cancel, versions, tally):
                            tally.add(result)
                            if on_object is not None:
                                on_object(result)
                            self._throttle.settle(result.bytes_read, cancel)
                            watch.check()
                        tally.keys += 1
                        if progress is not None:
                            progress(tally.keys, len(keys))
        except BaseException:
            # What was written anew was; that it cannot be noted does not hide why this ends.
            with contextlib.suppress(OSError, ReedError):
                self._note_rewritten(tally)
            raise
        self._note_rewritten(tally)
        return tally.report()

    def _note_rewritten(self, tally: "_Tally") -> None:
        if tally.rewritten:
            with self._store._guard:
                self._store._journal("scrub", {"repair": True}, "every block that was written",
                                     {"objects": len(tally.repaired), "shards": tally.rewritten,
                                      "bytes_read": tally.bytes_read})

    @contextlib.contextmanager
    def _saving(self, fan: str) -> Iterator[dict[str, set[str]]]:
        """Writes down what is found of one folder of keys, also where the scrub ends within it.
        Gives a dictionary for the versions that each of the keys turns out to have: results of
        others, where they are not newer, and of keys that are no more are dropped."""
        store = self._store
        versions: dict[str, set[str]] = {}
        try:
            yield versions
            present = set(self._roster.list_keys(fan=fan))
        except BaseException:
            self._notes.save(fan, lambda key, version: False, store._now(), store._workers)
            raise

        def is_gone(key: str, version: str) -> bool:
            seen = versions.get(key, {version})
            return key not in present or (version not in seen and version < max(seen))

        self._notes.save(fan, is_gone, store._now(), store._workers)

    def _choose(self, watch: Watch) -> list[str]:
        """The keys to look at, those of one folder together."""
        keys = self._roster.list_keys(self._prefix)
        if self._shard is not None:
            part, count = self._shard
            keys = [key for key in keys if int(layout.fan(key), 16) % count == part]
        keys.sort(key=lambda key: (layout.fan(key), key))
        if self._percent is None and self._older_than_hours is None:
            return keys
        ages = {}
        states = ScrubStates(self._roster)
        for key in keys:
            watch.check()
            state, _ = self._roster.ask(key)
            ages[key] = min((states.last_verified(key, entry) for entry in state.committed
                             if entry.is_object), default=0.0)
        if self._older_than_hours is not None:
            before = self._store._now() - self._older_than_hours * 3600
            keys = [key for key in keys if ages[key] < before]
        if self._percent is not None:
            count = -(-len(keys) * self._percent // 100)
            chosen = set(sorted(keys, key=lambda key: ages[key])[:int(count)])
            keys = [key for key in keys if key in chosen]
        return keys

    def _object(self, key: str, cancel: Cancel, versions: dict[str, set[str]],
                tally: "_Tally") -> Iterator[ObjectScrub]:
        """Scrubs the versions of one object, and adds all that there are to `versions`."""
        store = self._store
        now = store._now()
        if self._repair:
            heal_records(self._roster, store._guard, key, store._workers, now)
        try:
            state = self._roster.require_state(key)
        except Uncertain as error:
            yield ObjectScrub(key=key, version="", is_live=True, status="unknown", margin=0,
                              how="medium", shards=(), bytes_read=0, repaired_shards=(),
                              lost_rows=(), problem=str(error))
            return
        full, answers = self._roster.ask(key)
        # Not of what is superseded: reclaim takes that away, target by target.
        lacking = [number for number, entries in answers.items()
                   if entries is None or full.newest not in entries]
        versions[key] = {str(entry.version) for entry in (*full.committed, *full.undecided)}
        for entry in state.committed:
            if entry.is_object:
                result = scrub_version(
                    self._roster, store._guard, key, entry, store._workers, now,
                    self._throttle, cancel, self._repair, entry == state.current,
                    functools.partial(tally.mended, key, entry))
                # What was repaired is newer than what someone else saw before that.
                self._notes.note(result, store._now() if result.repaired_shards else now)
                if lacking and entry == state.current and result.status in ("healthy", "repaired"):
                    result = replace(
                        result, status="repairable", problem="its record is damaged or missing on "
                        + ", ".join(f"slot {number}" for number in lacking))
                yield result
