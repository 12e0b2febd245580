"""Putting an object: shards into temporaries, proof by reading back, publication, commit."""

import contextlib
from collections.abc import Callable
from dataclasses import replace

from .. import _core
from ..errors import QuorumNotReached, ReedError, StoreBusy, StoreError
from ..files.digests import ObjectDigest, digest_number
from ..files.encoding import Encoder, Source
from ..files.layout import Layout
from ..files.work import Watch, Workers
from ..files.writing import ShardWriter
from . import layout
from .entries import Config, Entry, Version
from .roster import Member, Roster, describe


class Superseded(StoreError):
    """The object changed while something was made of it; nothing was committed."""


class BytesSource:
    """Bytes in memory as a source."""

    def __init__(self, data):
        self._view = memoryview(data).cast("B")

    def readinto(self, buffer: memoryview) -> int:
        count = min(len(buffer), len(self._view))
        buffer[:count] = self._view[:count]
        self._view = self._view[count:]
        return count


class SlotWriter:
    """A ShardWriter that gives up instead of failing the put: the quorum decides."""

    def __init__(self, member: Member, name: str, fields: dict):
        self.member = member
        self.shard_index = fields["shard_index"]
        self.failure: str | None = None
        self._suspicion = member.suspicion  # of before: only that one can be disproved here
        self._temporary = None
        self._writer = None
        self._try(lambda: self._open(name, fields))

    def _open(self, name: str, fields: dict) -> None:
        self._temporary = self.member.target.create(name)
        self._writer = ShardWriter(self._temporary, fields)

    def _try(self, step: Callable[[], object]) -> None:
        if self.failure is not None:
            return
        try:
            step()
        except (OSError, ReedError) as error:
            # Not tried again: after a failed fsync nobody knows what is on the medium.
            self.failure = describe(error)
            self.member.make_suspect(self.failure)

    def write_records(self, records: memoryview, shard_layout: Layout, first_row: int) -> None:
        self._try(lambda: self._writer.write_records(records, shard_layout, first_row))

    @property
    def device(self) -> object:
        """Equal for writers to one device, where that can be known."""
        return getattr(self._temporary, "device", self.member.number)

    def finish(self, shard_layout: Layout, digest: bytes) -> None:
        """Footer and sync."""
        self._try(lambda: self._writer.finish(shard_layout, digest))

    def read_back(self, shard_layout: Layout, blocks: _core.BlockGeometry) -> None:
        """The whole file back from the medium."""
        self._try(lambda: self._writer.read_back(shard_layout, blocks, lambda: None))

    def publish(self, replace: bool = False) -> None:
        """Gives the shard its name."""
        self._try(lambda: self._publish(replace))

    def _publish(self, replace: bool) -> None:
        self._temporary.publish(replace)
        if self.member.suspicion is self._suspicion:
            self.member.suspicion = None

    def close(self) -> None:
        """Removes the temporary, where it was not published."""
        if self._temporary is not None:
            with contextlib.suppress(OSError):  # a dead disk keeps it; sweeping collects it
                self._temporary.remove()


def prove(writers: list[SlotWriter], workers: Workers, shard_layout: Layout, digest: bytes,
          blocks: _core.BlockGeometry, reads_back: bool = True) -> None:
    """Brings all files to the medium at once, then reads them back, one after the other of those
    that share a device: it gains nothing from several at once, and the page cache holds fewer."""
    workers.map(lambda writer: writer.finish(shard_layout, digest), writers)
    if reads_back:
        groups: dict[object, list[SlotWriter]] = {}
        for writer in writers:
            groups.setdefault(writer.device, []).append(writer)

        def read_back(group: list[SlotWriter]) -> None:
            for writer in group:
                writer.read_back(shard_layout, blocks)

        workers.map(read_back, groups.values())


def shard_fields(entry: Entry, store_id: str, key: str) -> dict:
    """What the header of every shard file of an entry says."""
    code = entry.code
    return {
        "stripe_id": entry.version.stripe_id(store_id, key), "generator": code.generator,
        "matrix_crc32c": code.make().matrix_crc32c, "data_shards": code.data_shards,
        "parity_shards": code.parity_shards, "shard_index": 0, "block_size": code.block_size,
        "digest_type": digest_number(entry.digest_type), "compatible_flags": 0,
    }


def domains_for_new_shards(config: Config, members: list[Member],
                           expected_bytes: int) -> dict[int, str]:
    """The slots that may take a new shard, and the failure domain of each."""
    domains = {}
    for member in members:
        if not member.is_voter or not member.slot.takes_shards or member.suspect:
            continue
        if not member.slot.is_durable:
            continue
        try:
            free = member.target.free_bytes()
        except OSError:
            continue
        if free is None or free - expected_bytes >= config.reserve_bytes:
            domains[member.number] = member.slot.domain
    return domains


class Put:
    """One object on its way into the store."""

    def __init__(self, roster: Roster, guard, key: str, *, entropy, now: Callable[[], float],
                 actor: str, workers: Workers):
        self._roster = roster
        self._guard = guard
        self._key = key
        self._entropy = entropy
        self._now = now
        self._actor = actor
        self._workers = workers
        self.failures: dict[int, str] = {}

    def run(self, source, watch: Watch, expected: Version | None = None,
            migrated_from: Version | None = None, is_verified: bool = True,
            size: int | None = None) -> Entry:
        """Puts what `source` gives to its end; returns the committed entry.

        :param expected: the version that must still be the newest at the commit.
        :param size: of a source that cannot say it; for the reserve.
        :param is_verified: False: the shards are not read back, and the entry says so for ever.
        """
        key, roster = self._key, self._roster
        with Source(source) as opened:
            with self._guard:
                roster.refresh()
                roster.require_writer()
                state = roster.require_full_state(key)
                roster.require_room(key, state)
                sequence = state.newest_sequence + 1
                config = roster.config
                per_shard = (opened.size or size or 0) // config.code.data_shards
                domains = domains_for_new_shards(config, list(roster.members.values()), per_shard)
                version = Version(config.epoch, sequence, self._entropy(8).hex())
                entry = Entry("object", version, 0.0, self._actor, digest_type=config.digest_type,
                              code=config.code,
                              placement=layout.place(key, config.code.shard_count, domains, {
                                  slot.number: slot.domain for slot in config.slots
                                  if slot.number not in domains and slot.takes_shards}),
                              migrated_from=str(migrated_from) if migrated_from else None,
                              is_verified=is_verified)
                members = dict(roster.members)
            self._require_quorum(config, {domains[slot] for slot in entry.placement
                                          if slot in domains})
            fields = shard_fields(entry, config.store_id, key)
            writers: list[SlotWriter] = []
            try:
                for index, slot in enumerate(entry.placement):
                    if slot in domains:
                        writers.append(SlotWriter(
                            members[slot], layout.shard_name(key, str(version), index),
                            {**fields, "shard_index": index}))
                return self._fill(opened, watch, config, entry, fields, writers, expected)
            finally:
                for writer in writers:
                    writer.close()

    def _fill(self, opened: Source, watch: Watch, config: Config, entry: Entry, fields: dict,
              writers: list[SlotWriter], expected: Version | None) -> Entry:
        geometry = entry.code.geometry(fields["stripe_id"])
        watch.total = opened.size
        with ObjectDigest(fields["digest_type"]) as object_digest:
            encoder = Encoder(entry.code.make(), geometry, writers, self._workers, object_digest)
            size = encoder.run(opened, watch)
            digest = object_digest.finish()
        shard_layout = Layout(geometry, size)
        prove(writers, self._workers, shard_layout, digest, encoder.blocks, entry.is_verified)
        self._require_quorum(config, self._domains(config, writers))
        entry = replace(entry, size=size, digest=digest.hex())
        with self._guard, self._roster.lock():
            return self._commit(config, entry, writers, expected)

    def _commit(self, config: Config, entry: Entry, writers: list[SlotWriter],
                expected: Version | None) -> Entry:
        roster = self._roster
        state, answers = roster.ask(self._key)
        if expected is not None:
            newest = roster.require_state(self._key).newest
            if newest is None or newest.version != expected:
                raise Superseded(f"{self._key!r} changed meanwhile")
        # A migration's copy is newer by its number and says what was there before this began: it
        # would hide what is acknowledged here.
        elif any(other.migrated_from is not None and other.version > entry.version
                 for other in (*state.committed, *state.undecided)):
            raise StoreBusy(f"{self._key!r} was migrated while this was put, and nothing was "
                            "committed: put it again")
        if not roster.members.keys() >= set(entry.placement) - {None}:
            raise StoreBusy(f"a slot that {self._key!r} was to be put on left the store meanwhile, "
                            "and nothing was committed: put it again")
        for writer in writers:
            # A target that was replaced meanwhile must not be taken for its slot, and one that
            # missed something does not count.
            member = roster.members.get(writer.member.number)
            if member is None or member.slot.target_id != writer.member.slot.target_id:
                writer.failure = writer.failure or "its slot was given to another target"
            elif not member.is_voter:
                writer.failure = writer.failure or member.reason
        self._workers.map(lambda writer: writer.publish(), writers)
        self._require_quorum(config, self._domains(config, writers))
        entry = replace(entry, time=self._now(), written=tuple(
            writer.shard_index for writer in writers if writer.failure is None))
        roster.accept(self._key, entry, (state, answers))
        return entry

    def _domains(self, config: Config, writers: list[SlotWriter]) -> set[str]:
        for writer in writers:
            if writer.failure is not None:
                self.failures[writer.member.number] = writer.failure
        return {config.slot(writer.member.number).domain for writer in writers
                if writer.failure is None}

    def _require_quorum(self, config: Config, domains: set[str]) -> None:
        if len(domains) < config.write_quorum:
            raise QuorumNotReached(
                f"{self._key!r}: only {len(domains)} failure domains of the {config.write_quorum} "
                "that are needed can take it" + "".join(
                    f"; slot {number}: {reason}" for number, reason in self.failures.items()),
                reached=len(domains), needed=config.write_quorum, failures=self.failures)
