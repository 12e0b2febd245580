"""The slots of a store and the targets in them: who is there, who may vote, which configuration is
in force; and reading and writing records on all of them.

A roster looks again at every operation (``refresh``), so targets may go and come back and other
processes may change the configuration under it.
"""

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from ..errors import (
    FormatError,
    InvalidParameter,
    LeaseHeld,
    NotAStore,
    QuorumNotReached,
    ReedError,
    StoreBusy,
    Uncertain,
    WrongTarget,
)
from ..files.work import Workers
from . import entries as entries_module
from . import layout, record
from .catalogue import KeyState, choose, may_vote, settle
from .entries import Config, Entry, Slot, entries_from_content
from .target import Target

_LOCK_WAIT_SECONDS = 0.005
# How long a slot that failed to write gets no new shards from this process. A service or a network
# that was away for a moment is used again; a disk that fails costs one degraded put each time.
SUSPECT_SECONDS = 60.0


@dataclass(frozen=True)
class Suspicion:
    """That a slot failed to write in this process."""

    reason: str
    since: float  # seconds of time.monotonic


@dataclass
class Member:
    """A slot, and the target that answers for it."""

    slot: Slot
    # Stays when it is not present any more: another thread may be about to ask it, and gets its
    # OSError.
    target: Target | None = None  # None: it never was present
    is_present: bool = False  # it answered when it was last looked at
    reason: str = "not looked at"  # why it is not present, or why it may not vote
    own: Config | None = None  # the configuration that stands on it
    stamp: object = None  # of the file that ``own`` was read from
    is_voter: bool = False
    suspicion: Suspicion | None = None  # ended by a shard that is written and proved

    @property
    def number(self) -> int:
        return self.slot.number

    @property
    def takes_records(self) -> bool:
        """Whether new entries are written to it."""
        return self.is_present and (self.is_voter or self.slot.state == "syncing")

    @property
    def suspect(self) -> str | None:
        """Why it gets no new shards from this process now; None when it does."""
        held = self.suspicion  # once: other threads set it
        if held is None or time.monotonic() - held.since >= SUSPECT_SECONDS:
            return None
        return held.reason

    def make_suspect(self, reason: str) -> None:
        """Keeps new shards away for a while."""
        self.suspicion = Suspicion(reason, time.monotonic())


def identify(target: Target) -> tuple[str, Config]:
    """The target id and the newest configuration that stand on a target.

    Raises CorruptRecord; FileNotFoundError when it holds no store; OSError.
    """
    found, problem = [], None
    for name in layout.CONFIG_NAMES:
        try:
            body = record.read(target, name)
            if body["kind"] != "store":
                raise record.CorruptRecord(f"{name}: not a configuration", path=name)
            config = Config.from_content(body["content"])
            if config.store_id != body["store"]:
                raise record.CorruptRecord(f"{name}: of another store", path=name)
            found.append((config.identity, str(body["target"]), config))
        except (FormatError, FileNotFoundError) as error:
            if problem is None or isinstance(problem, FileNotFoundError):
                problem = error
    if not found:
        raise problem
    _, target_id, config = max(found, key=lambda item: item[0])
    return target_id, config


def stamp_of(target: Target) -> object:
    """What differs when the configuration on a target was written anew. Raises FileNotFoundError
    when it has neither copy; OSError."""
    for name in layout.CONFIG_NAMES[:-1]:
        with contextlib.suppress(FileNotFoundError):
            return target.stamp(name)
    return target.stamp(layout.CONFIG_NAMES[-1])


class Roster:
    """All slots of one store, opened.

    :param locate: makes a Target of a location, or raises OSError.
    """

    def __init__(self, config: Config, targets: dict[str, Target],
                 locate: Callable[[str], Target], *, host: str, entropy, workers: Workers):
        self.config = config
        self.host = host
        self.members: dict[int, Member] = {}
        self._targets = targets  # by target id, as they were given
        self._locate = locate
        self._entropy = entropy
        self._workers = workers
        self._parsed: tuple[object, tuple[Entry, ...]] = (None, ())
        self._join()

    # -- opening --

    @classmethod
    def open(cls, locations: Iterable[str | Target], locate, **options) -> "Roster":
        """Opens a store by some of its targets; the others are looked for where they last were.

        Raises NotAStore, WrongTarget (another store, or one target twice), Uncertain.
        """
        targets: dict[str, Target] = {}
        held: dict[str, Config] = {}
        problems: list[str] = []

        def take(target: Target, is_given: bool) -> None:
            try:
                target_id, config = identify(target)
            except (OSError, ReedError) as error:
                problems.append(f"{target.location}: {describe(error)}")
                return
            known = targets.get(target_id)
            if known is not None:
                if is_given and known.location != target.location:
                    raise WrongTarget(
                        f"{target.location} and {known.location} say that they are the same "
                        "target: one is a copy; leave it out", location=target.location)
                return
            store_ids = {config.store_id for config in held.values()}
            if store_ids and config.store_id not in store_ids:
                if not is_given:
                    return
                raise WrongTarget(
                    f"{target.location} belongs to the store {config.store_id}, not to "
                    f"{store_ids.pop()}", location=target.location)
            targets[target_id] = target
            held[target_id] = config

        for location in locations:
            try:
                target = locate(location) if isinstance(location, str) else location
            except OSError as error:
                problems.append(f"{location}: {describe(error)}")
                continue
            take(target, True)
        if not held:
            raise NotAStore("no target holds a store: " + ("; ".join(problems) or "none is given"))
        seen: set[str] = set()
        while True:
            slots = [slot for config in held.values() for slot in config.slots
                     if slot.target_id not in targets and slot.location not in seen]
            if not slots:
                break
            for slot in slots:
                seen.add(slot.location)
                with contextlib.suppress(OSError, InvalidParameter):  # or its package is missing
                    take(locate(slot.location), False)
        config = choose(held)
        if config is None:
            raise Uncertain("the targets that answer do not agree on a configuration: give more of "
                            "them", answered=len(held))
        return cls(config, targets, locate, **options)

    def _join(self) -> None:
        """Makes the members of the configuration in force."""
        before = {member.slot.target_id: member for member in self.members.values()}
        members = {}
        for slot in self.config.slots:
            member = before.get(slot.target_id) or Member(slot)
            member.slot = slot
            members[slot.number] = member
            self._look(member)
        self.members = members  # at once: other threads read it
        self._count_voters()

    def _count_voters(self) -> None:
        for member in self.members.values():
            member.is_voter = member.is_present and may_vote(
                self.config, member.slot.target_id, member.own)
            if member.is_present and not member.is_voter:
                member.reason = ("stale: it missed what was written in its absence"
                                 if member.slot.state != "syncing" else "syncing")

    def _look(self, member: Member) -> None:
        """Finds out whether a member's target is there, and which configuration it holds."""
        try:
            target = member.target if member.is_present else (
                self._targets.get(member.slot.target_id) or self._locate(member.slot.location))
            stamp = stamp_of(target)
            if not member.is_present or stamp != member.stamp:
                target_id, own = identify(target)
                if (target_id, own.store_id) != (member.slot.target_id, self.config.store_id):
                    raise WrongTarget(f"another target is at {target.location}",
                                      location=target.location)
                member.own = own
            member.target, member.stamp, member.is_present = target, stamp, True
        except (OSError, ReedError) as error:
            member.is_present, member.own = False, None
            member.reason = describe(error)

    def refresh(self) -> None:
        """Looks at every target again, and at the configuration. Raises Uncertain."""
        left = set()
        while True:
            self._each(self._look, list(self.members.values()))
            config = self._chosen()
            if config == self.config:
                self._count_voters()
                return
            left.add((self.config.identity, self.config.is_settled))
            # The members of two may each say that it is the other.
            if config is None or (config.identity, config.is_settled) in left:
                answered = [member for member in self.members.values() if member.own is not None]
                raise Uncertain(
                    "the targets that answer do not agree on a configuration" + "".join(
                        f"; slot {member.number}: {member.reason}"
                        for member in self.members.values() if member.own is None),
                    answered=len(answered), needed=self.config.majority)
            # Joining looks at targets as well: what it sees must not pass for known while the
            # configuration is the one that was chosen before.
            self.config = config
            self._join()

    def _chosen(self) -> Config | None:
        """The configuration that the members' own ones say is in force; None: they do not agree."""
        return choose({member.slot.target_id: member.own for member in self.members.values()
                       if member.own is not None})

    def _each(self, function: Callable[[Member], object], members: list[Member]) -> list:
        """What a function gives for each member; all are asked at once where one is far away."""
        if any("://" in member.slot.location for member in members):
            return self._workers.map(function, members)
        return [function(member) for member in members]

    # -- who is there --

    def voters(self) -> list[Member]:
        """Members whose answers count."""
        return [member for member in self.members.values()
                if member.is_voter and member.slot.is_counted]

    def reachable(self) -> list[Member]:
        """Members whose target answers, whether or not they may vote."""
        return [member for member in self.members.values() if member.is_present]

    def require_writer(self) -> None:
        """Raises unless this host may write and a majority takes part."""
        if self.config.writer != self.host:
            raise LeaseHeld(
                f"the host {self.config.writer!r} writes to this store, this is {self.host!r}; "
                "take it over when the other one has stopped for good",
                holder=self.config.writer, host=self.host)
        self.require_majority()

    def require_in_force(self, member: Member, coming: Config | None = None) -> None:
        """Looks, right before something on a target is changed or removed, whether the target has
        still the configuration that this works under: a lock of one host does not keep another
        host out. Raises LeaseHeld; WrongTarget; OSError.

        :param coming: one that this is just writing there, and of which a copy may stand already.
        """
        stamp = stamp_of(member.target)
        if stamp == member.stamp:
            return
        target_id, own = identify(member.target)
        if (target_id == member.slot.target_id and own.epoch > self.config.epoch
                and own.writer != self.host):
            raise self._fenced_by(own)
        known = [config.identity for config in (member.own, coming) if config is not None]
        if target_id != member.slot.target_id or own.identity not in known:
            raise WrongTarget(f"{member.target.location} is not what it was a moment ago",
                              location=member.target.location)
        member.stamp = stamp

    def _fenced_by(self, own: Config) -> LeaseHeld:
        return LeaseHeld(
            f"the host {own.writer!r} took the store over in epoch {own.epoch}, this is "
            f"{self.host!r} in epoch {self.config.epoch}: it stops", holder=own.writer,
            host=self.host)

    def require_majority(self, key: str | None = None) -> None:
        """Raises Uncertain when fewer than a majority of the slots answer and may vote."""
        count = len(self.voters())
        if count < self.config.majority:
            missing = "; ".join(f"slot {member.number}: {member.reason}"
                                for member in self.members.values() if not member.is_voter)
            raise Uncertain(f"only {count} of {self.config.majority} slots that must agree answer "
                            f"({missing})", key=key, answered=count, needed=self.config.majority)

    # -- the lock --

    @contextlib.contextmanager
    def lock(self, wait_seconds: float = 30.0, takes_over: bool = False) -> Iterator[None]:
        """Keeps other writers of this host out; StoreBusy when they do not leave in time. Inside,
        the configuration is the one in force, and this host may write under it.

        :param takes_over: let a host in that may not write, because it wants to become the writer.
        :raises LeaseHeld: another host is the writer. What looks for a take-over later looks only
            for one since this: the configuration of the other host is known by then.
        """
        deadline = time.monotonic() + wait_seconds
        while True:
            with contextlib.ExitStack() as stack:
                locked = self._take_locks(stack)
                if locked:
                    self.refresh()
                    # Of other slots than those that were locked another process may have others.
                    if len(self.config.counted_ids & locked) >= self.config.majority:
                        self._finish_change()
                        if not takes_over:
                            self.require_writer()
                        yield
                        return
            if time.monotonic() > deadline:
                raise StoreBusy(f"another process has held the store's lock for {wait_seconds} s")
            time.sleep(_LOCK_WAIT_SECONDS)

    def _take_locks(self, stack: contextlib.ExitStack) -> set[str]:
        """Tries once to lock a majority of the slots, in their order; returns the ids of the
        targets that are locked, none when somebody else has one."""
        locked: set[str] = set()
        for member in self.members.values():
            if not member.is_present:
                continue
            try:
                lock = member.target.lock(member.slot.target_id)
                if lock is None:
                    continue
                if not stack.enter_context(lock):
                    return set()
                locked.add(member.slot.target_id)
            except OSError:
                continue  # it cannot be locked by the others either
        taken = len(self.config.counted_ids & locked)
        if taken < self.config.majority:
            raise Uncertain(f"only {taken} of {self.config.majority} targets that are needed can "
                            "be locked", answered=taken, needed=self.config.majority)
        return locked

    # -- records of keys --

    def ask(self, key: str, first: int | None = None
            ) -> tuple[KeyState, dict[int, tuple[Entry, ...] | None]]:
        """What is true of a key, and what each voter says of it (None: it does not know).

        :param first: ask only so many; the others count as unknown.
        """
        voters = self.voters()[:first]
        answers = dict(zip([member.number for member in voters],
                           self._each(lambda member: self.entries_on(member, key), voters),
                           strict=True))
        counted = self.config.counted
        return settle(answers.values(), counted), answers

    def require_state(self, key: str) -> KeyState:
        """What is true of a key; Uncertain when that cannot be said. Asks no more than a majority
        when they agree, so ``newest_sequence`` is not to be built upon."""
        state, _ = self.ask(key, self.config.majority)
        if not state.is_certain:
            state, _ = self.ask(key)
        self._require_certain(key, state)
        return state

    def require_full_state(self, key: str) -> KeyState:
        """As ``require_state``, from everyone who may vote."""
        state, _ = self.ask(key)
        self._require_certain(key, state)
        return state

    def _require_certain(self, key: str, state: KeyState) -> None:
        if not state.is_certain:
            raise Uncertain(
                f"{key!r}: {state.answered} slots answer, {state.needed} must agree"
                + ("; a write was not finished" if state.undecided else ""),
                key=key, answered=state.answered, needed=state.needed)

    def entries_on(self, member: Member, key: str) -> tuple[Entry, ...] | None:
        """What one target says of a key; None when it cannot be read now or is damaged."""
        try:
            content = self._record_of(member, key)
            # The targets of a store mostly say the same: it is parsed once.
            parsed, entries = self._parsed
            if content != parsed:
                entries = entries_from_content(content)
                self._parsed = content, entries
            return entries
        except FileNotFoundError:
            # A target that is gone altogether has no file either; that says nothing.
            return () if self.is_there(member) else None
        except (OSError, FormatError):
            return None

    def is_damaged(self, member: Member, key: str) -> bool:
        """Whether a target's record of a key was read now and is none that could be written."""
        try:
            entries_from_content(self._record_of(member, key))
        except FormatError:
            return True
        except OSError:
            return False
        return False

    def _record_of(self, member: Member, key: str) -> list:
        """The content of the newest record of a key. A host that took over never writes the records
        of the one before, so whatever that one still writes replaces nothing."""
        for takeovers in range(self.config.takeovers, 0, -1):
            with contextlib.suppress(FileNotFoundError):
                return self._read_record(member, key, takeovers)
        return self._read_record(member, key, 0)

    def _read_record(self, member: Member, key: str, takeovers: int) -> list:
        return record.read_expected(
            member.target, layout.record_name(key, takeovers), "object", self.config.store_id,
            member.slot.target_id, key)

    def is_there(self, member: Member) -> bool:
        """Whether a target is still the one that was looked at, and not an empty place."""
        try:
            return stamp_of(member.target) == member.stamp
        except OSError:
            return False

    def list_keys(self, prefix: str = "", fan: str | None = None,
                  asks_all: bool = False) -> list[str]:
        """Every key that may have a committed entry, in order; some may turn out to be deleted.
        Raises Uncertain when too few slots can be listed.

        :param fan: only the keys of this folder; no other is looked into.
        :param asks_all: every key of which any counted slot has an entry, committed or not.
        """
        counted = self.config.counted
        # A committed entry is on a majority, so it is on one of any so many.
        needed = counted if asks_all else counted - self.config.majority + 1
        keys: set[str] = set()
        listed = 0
        self.require_majority()
        for member in self.voters():
            try:
                found = self.keys_on(member, fan)
            except OSError:
                continue
            if self.is_there(member):
                listed += 1
                keys |= found
            if listed == needed:
                break
        if listed < needed:
            raise Uncertain(f"only {listed} of {needed} slots that are needed can be listed",
                            answered=listed, needed=needed)
        return sorted(key for key in keys if key.startswith(prefix))

    def keys_on(self, member: Member, fan: str | None = None) -> set[str]:
        """Every key that one target has a record of; `fan` as in ``list_keys``. Raises OSError."""
        folder = layout.OBJECTS if fan is None else f"{layout.OBJECTS}/{fan}"
        above = "" if fan is None else f"{fan}/"
        keys = {layout.parse_record_name(above + name) for name in member.target.names(folder)}
        return {key for key in keys if key is not None}

    def write_entries(self, member: Member, key: str, entries: tuple[Entry, ...]) -> None:
        """Writes the record of a key on one target; an empty one is removed. Raises LeaseHeld when
        another host took over."""
        if not entries:
            self.require_in_force(member)
            # The newest last: an older one must never be what is found.
            for takeovers in range(self.config.takeovers + 1):
                member.target.unlink(layout.record_name(key, takeovers))
            return
        ordered = sorted(entries, key=lambda entry: entry.version, reverse=True)
        name = layout.record_name(key, self.config.takeovers)
        record.write(member.target, name, record.pack(
            "object", self.config.store_id, member.slot.target_id, key,
            [entry.content() for entry in ordered]),
            check=lambda: self.require_in_force(member))

    def require_room(self, key: str, state: KeyState) -> None:
        """Raises InvalidParameter when a key has so many versions that it takes no more."""
        count = len(state.committed) + len(state.undecided) + len(state.dead)
        if count >= entries_module.ENTRIES_WRITTEN_MAX:
            raise InvalidParameter(
                f"{key!r} has {count} versions that were not reclaimed, the limit is "
                f"{entries_module.ENTRIES_WRITTEN_MAX}; reclaim first")

    def accept(self, key: str, entry: Entry | None = None,
               asked: tuple[KeyState, dict] | None = None) -> None:
        """Commits an entry (or only completes what is committed): under the lock, writes it to
        every slot that takes part.

        :param asked: what ``ask`` gave under the same lock, where the caller has it.

        Raises QuorumNotReached or LeaseHeld when nothing was written, Uncertain when too little
        was, or when another host took over meanwhile.
        """
        state, answers = self.ask(key) if asked is None else asked
        if state.answered < state.needed:
            raise QuorumNotReached(
                f"{key!r}: only {state.answered} of {state.needed} slots answer",
                reached=state.answered, needed=state.needed)
        if entry is not None:
            self.require_room(key, state)
        members = [member for member in self.members.values() if member.takes_records]

        def write(member: Member) -> Exception | None:
            entries = entries_for(state, answers.get(member.number))
            if member.number not in answers:  # syncing, or not counted yet
                entries = entries_for(state, self.entries_on(member, key))
            if entry is not None:
                entries = with_entries(entries, (entry,))
            try:
                self.write_entries(member, key, tuple(entries))
            except (OSError, ReedError) as error:
                return error
            return None

        errors = {member.number: error for member, error
                  in zip(members, self._workers.map(write, members), strict=True)
                  if error is not None}
        self._require_not_fenced(key, members, errors)
        failures = {number: describe(error) for number, error in errors.items()}
        accepted = [member for member in members if member.number not in failures
                    and member.is_voter and member.slot.is_counted]
        if len(accepted) < self.config.majority:
            raise Uncertain(
                f"{key!r}: only {len(accepted)} of {self.config.majority} slots took the entry: it "
                "may or may not be committed; " + "; ".join(
                    f"slot {number}: {reason}" for number, reason in failures.items()),
                key=key, answered=len(accepted), needed=self.config.majority)
        self.exclude({member.number for member in self.members.values()
                      if member.slot.state != "stale" and (
                          member.number in failures or not member.takes_records)})

    def _require_not_fenced(self, key: str, members: list[Member],
                            errors: dict[int, Exception]) -> None:
        """Looks once more, behind the writes: what another host did since it took over may rest on
        these records as they were, so nothing of this is acknowledged."""
        fence = next((error for error in errors.values() if isinstance(error, LeaseHeld)), None)
        written = [member for member in members if member.number not in errors]
        if fence is not None and not written:
            raise fence

        def look(member: Member) -> Exception | None:
            try:
                self.require_in_force(member)
            except (OSError, ReedError) as error:
                return error
            return None

        for member, error in zip(written, self._each(look, written), strict=True):
            if isinstance(error, LeaseHeld):
                fence = error
            elif error is not None:
                errors[member.number] = error
        if fence is not None:
            raise Uncertain(f"{key!r}: {fence}; what was being written may or may not be committed",
                            key=key) from fence

    # -- configurations --

    def exclude(self, numbers: set[int]) -> None:
        """Writes slots out of the epoch: they are stale until they were reconciled."""
        if numbers:
            config = self.config
            for number in numbers:
                self.members[number].make_suspect("it did not take a record")
                config = config.with_slot(number, state="stale")
            self.change(config)

    def take_over(self) -> None:
        """Makes this host the writer, under the lock. Raises Uncertain."""
        # One epoch is left out: the other host may be writing the next one, unseen.
        self.change(replace(self.config, writer=self.host, takeovers=self.config.takeovers + 1),
                    step=2)

    def change(self, config: Config, step: int = 1) -> None:
        """Puts a configuration in force, under the lock; the epoch is set here. Targets that fail
        to take it are excluded from it. Raises Uncertain; InvalidParameter when no record could
        say it.

        A slot that it does not have leaves the store: what must hold before is in ``retire``. Of
        the slots that decide until now a majority must have it before any new one gets it: else
        the others are one, and those that are new another, once more when nothing else answers.
        """
        config.check()
        try:
            self.config = self._settle_config(config, step)
        finally:
            self._join()
        chosen = self._chosen()
        if chosen is not None and chosen.writer != self.host:
            raise self._fenced_by(chosen)

    def _settle_config(self, config: Config, step: int) -> Config:
        """Writes a configuration until every target that is not excluded from it has it; returns it
        as it is then."""
        before = self.config.counted_ids
        while True:
            epochs = [member.own.epoch for member in self.members.values() if member.own]
            config = replace(config, epoch=max([*epochs, self.config.epoch, config.epoch]) + step,
                             nonce=self._entropy(8).hex(), is_settled=False)
            active = {slot.target_id for slot in config.slots if slot.state == "active"}
            self._require_taken(len(active & config.counted_ids), config.majority)
            self._adopt_targets(config)
            told = self._tell_leaving(config)
            failures = self._write_config(config, before)
            told |= {slot.target_id for slot in config.slots
                     if slot.state != "stale" and slot.number not in failures}
            self._require_taken(len(told & before), self.config.majority)
            failures |= self._write_config(config, config.ids - before)
            if not failures:
                config = replace(config, is_settled=True)
                failures = self._write_config(config, config.ids)
            if not failures:
                return config
            for number in failures:
                config = config.with_slot(number, state="stale")

    def _require_taken(self, count: int, needed: int) -> None:
        if count < needed:
            raise Uncertain(f"only {count} of {needed} slots took the new configuration",
                            answered=count, needed=needed)

    def _tell_leaving(self, config: Config) -> set[str]:
        """Writes a configuration to every counted slot that it does not have, before any other.
        They may be a majority of the one before: with that they would pass for the store when
        nothing else answers. Until the others have it, the one before is in force, and they vote.
        Returns their targets' ids. Raises Uncertain when one does not take it."""
        staying = {slot.number for slot in config.slots}
        leaving = [member for member in self.members.values()
                   if member.number not in staying and member.slot.is_counted]
        for member in leaving:
            try:
                if not member.is_present:
                    raise OSError(member.reason)
                self._replace_config(member, config)
            except LeaseHeld:
                raise
            except (OSError, ReedError) as error:
                raise Uncertain(f"slot {member.number} cannot be told that it leaves the store: "
                                f"{describe(error)}; it stays") from error
        return {member.slot.target_id for member in leaving}

    def _write_config(self, config: Config, target_ids: set[str]) -> set[int]:
        """Writes a configuration to those of some targets whose slot is not stale; returns the
        slots that failed. Raises LeaseHeld when another host took over."""
        failures = set()
        for slot in config.slots:
            member = self.members[slot.number]
            if slot.state == "stale" or slot.target_id not in target_ids:
                continue
            try:
                if not member.is_present:
                    raise OSError(member.reason)
                self._replace_config(member, config)
            except LeaseHeld:
                raise
            except (OSError, ReedError) as error:
                member.reason = describe(error)
                failures.add(slot.number)
        return failures

    def _replace_config(self, member: Member, config: Config) -> None:
        """Writes a configuration to one target. Each copy is looked at for itself: of those of a
        host that takes over meanwhile one is left, and the newer one counts."""
        def check() -> None:
            if member.stamp is not None:
                self.require_in_force(member, config)

        write_config(member.target, config, member.slot.target_id, check)
        stamp = stamp_of(member.target)
        _, own = identify(member.target)  # whose stamp that is
        if own.writer != self.host and own.epoch > config.epoch:
            raise self._fenced_by(own)
        member.own, member.stamp = config, stamp

    def _finish_change(self) -> None:
        """Finishes a change of the configuration that a crash interrupted, under the lock."""
        is_behind = any(member.own.identity != self.config.identity for member in self.voters())
        if (self.config.writer == self.host and (is_behind or not self.config.is_settled)
                and len(self.voters()) >= self.config.majority):
            self.change(self.config)

    def heal_configs(self) -> None:
        """Writes the configuration anew on voters where one of its copies is damaged, under the
        lock. Raises LeaseHeld when another host took over."""
        failures = set()
        for member in self.voters():
            for name in layout.CONFIG_NAMES:
                try:
                    content = record.read_expected(member.target, name, "store",
                                                   self.config.store_id, member.slot.target_id)
                    if Config.from_content(content) == member.own:
                        continue
                except (OSError, FormatError):
                    pass  # written anew, as one that says something else is
                try:
                    self._replace_config(member, member.own)
                except LeaseHeld:
                    raise
                except (OSError, ReedError) as error:
                    member.reason = describe(error)
                    failures.add(member.number)
                break
        self.exclude(failures)

    def _adopt_targets(self, config: Config) -> None:
        """Makes members of slots that are new, or that have a new target."""
        for slot in config.slots:
            member = self.members.get(slot.number)
            if member is None or member.slot.target_id != slot.target_id:
                member = Member(slot)
                try:
                    member.target = self._targets.get(slot.target_id) or self._locate(slot.location)
                    member.is_present = True
                except OSError as error:
                    member.reason = describe(error)
                self.members[slot.number] = member

    def add_target(self, target_id: str, target: Target) -> None:
        """Makes a target known that a coming configuration will name."""
        self._targets[target_id] = target


def entries_for(state: KeyState, own: tuple[Entry, ...] | None) -> set[Entry]:
    """What a target's record of a key should hold: what it has, without the dead, and what is
    committed. One whose record is lost may have had the undecided ones: they stay possible."""
    kept = set(state.undecided if own is None else own)
    return with_entries(kept - set(state.dead), state.committed)


def with_entries(entries: set[Entry], newer: Iterable[Entry]) -> set[Entry]:
    """Both, but one entry of each version: of one that was made again from shards, the latter."""
    newer = set(newer)
    versions = {entry.version for entry in newer}
    return newer | {entry for entry in entries if entry.version not in versions}


def write_config(target: Target, config: Config, target_id: str,
                 check: Callable[[], object] | None = None) -> None:
    """Writes both copies of a configuration to a target; `check` as in ``record.write``."""
    data = record.pack("store", config.store_id, target_id, None, config.content())
    for name in reversed(layout.CONFIG_NAMES):
        record.write(target, name, data, check=check)


def describe(error: Exception) -> str:
    """An error in a few words, for reports that name the slot themselves."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
