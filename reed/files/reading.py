"""One stripe, opened over whatever files hold pieces of it, and read row by row.

A candidate for a block is a place in a file where the block may stand. Every candidate is verified
when it is read: checksum, and every field of its identity. Where several files hold the same shard
they complement each other, count once, and must not differ: two valid but different candidates for
one block are both bad.
"""

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy

from .. import _core
from ..errors import (
    AmbiguousCorruption,
    ConflictingShards,
    NoShardsFound,
    ObjectSizeUnknown,
    SeveralStripes,
    TooComplex,
    UnsupportedFormat,
)
from .layout import (
    BLOCK_HEADER_SIZE,
    HEADER_SIZE,
    BatchViews,
    Geometry,
    Layout,
    RecordBatch,
    describe,
    parse_shard_name,
    require_matrix,
    require_same,
    stripe_id_bytes,
)
from .ranges import Ranges
from .reports import ShardReport, SkippedFile, StripeReport
from .scanning import (
    IDENTITY_FIELDS,
    Run,
    ShardFile,
    read_footer,
    scan,
    search,
    stands_in_place,
)
from .work import Calls, Workers

# States of a block; the first three are the core's.
ABSENT = _core.RECORD_ABSENT
GOOD = _core.RECORD_GOOD
CORRUPT = _core.RECORD_CORRUPT
UNKNOWN = 3  # the medium did not answer
UNREAD = 4  # nobody has asked yet

_CONFLICTS_SHOWN = 100
# One is read into, one is the caller's, one may still be under the digest.
_BUFFER_COUNT = 3
_ROW_MAX = (1 << 63) - 1  # more than any object has


@dataclass
class FileTally:
    """How the blocks of one file stood when they were read in their proper places."""

    states: Counter = field(default_factory=Counter)
    wrong: int = 0  # blocks that contradict others although their checksum is right


class Rows:
    """Some consecutive rows in memory: a batch's views and the state of every block."""

    def __init__(self, views: BatchViews, first_row: int, count: int, shard_count: int):
        self.views = views
        self.first_row = first_row
        self.count = count
        self.states = numpy.full((shard_count, count), UNREAD, numpy.uint8)
        self.digested: Future | None = None  # until it is done, the data blocks must stay

    def good_shards(self, row: int) -> list[int]:
        """The indices with a good block in the batch's row `row`."""
        return numpy.flatnonzero(self.states[:, row] == GOOD).tolist()

    def payload_map(self, row: int, shard_indices: list[int]) -> dict[int, numpy.ndarray]:
        """Shard index -> payload, as the code's methods take it."""
        return {index: self.views.payloads[index, row] for index in shard_indices}

    def rebuild(self, code, row: int, sources: list[int], wanted: list[int]) -> None:
        """Computes the wanted blocks of a row from good ones, in place."""
        if wanted:
            code.reconstruct(self.payload_map(row, sources), wanted=wanted,
                             out=self.payload_map(row, wanted))


@dataclass(frozen=True)
class Settled:
    """What a row is worth after its blocks were compared with each other."""

    kind: str  # "intact", "degraded", "lost", "unknown"
    sources: list[int]  # trusted shards, at least data_shards unless lost or unknown
    wrong: list[int]  # shards whose checksum is right and whose content is not
    is_disputed: bool  # the code cannot tell who is wrong; `sources` is a guess for the digest


class Stripe:
    """The files of one stripe, open for reading. A context manager that closes them."""

    def __init__(self, geometry: Geometry, files: list[ShardFile], skipped: list[SkippedFile],
                 folders: list[str], workers: Workers):
        self.geometry = geometry
        self.files = files
        self.skipped = skipped
        self.folders = folders
        self.workers = workers
        self.lanes = workers.threads  # how many shards are read at once
        self.code = geometry.make_code()
        self.blocks = geometry.make_block_geometry()
        self.digest_type: int | None = None
        self.digest: bytes | None = None
        self.layout = Layout(geometry, None)
        self.problems: dict[int, list[str]] = {}
        self.tallies: dict[int, FileTally] = {id(file): FileTally() for file in files}
        self.shard_states = [Counter() for _ in range(geometry.shard_count)]
        self.unknown_shards: set[int] = set()
        self._candidates: list[list[tuple[ShardFile, Run]]] = []
        self._candidate_rows: list[numpy.ndarray] = []  # (first row, end row) of each
        self._conflict_count = 0

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        for file in self.files:
            file.close()

    # -- opening --

    def open(self, check, needs_size: bool) -> None:
        """Opens the files and settles what they say together: identity, size, digest, and where
        each has its blocks."""
        for file in self.files:
            file.open()
        self._agree_on_ends()
        object_size = self._find_object_size(check)
        if object_size is None and needs_size:
            raise ObjectSizeUnknown(
                f"stripe {self.geometry.stripe_id.hex()}: no footer and no block of the last row "
                "is readable, so the length of the object is unknown; salvage gives what there is")
        self.layout = Layout(self.geometry, object_size)
        for file in self.files:
            self._place(file, check)
        self._agree_on_footers()  # again: some may have been found at their computed places
        self._suspect_unreadable_files()
        self._list_candidates()

    def _list_candidates(self) -> None:
        self._candidates = [[] for _ in range(self.geometry.shard_count)]
        for file in self.files:
            for run in file.runs:
                self._candidates[run.shard_index].append((file, run))
        self._candidate_rows = [
            numpy.array([(run.first_row, _ROW_MAX if run.end_row is None else run.end_row)
                         for _, run in candidates], numpy.int64).reshape(-1, 2)
            for candidates in self._candidates]

    def open_known(self, object_size: int, digest_type: int, digest: bytes) -> None:
        """As ``open``, for files that are open and known to be shards of this stripe, each with
        its blocks in their places, and an object of which someone vouches for size and digest.
        Says nothing about headers and footers; every block is still verified when it is read."""
        self.layout = Layout(self.geometry, object_size)
        self.digest_type, self.digest = digest_type, digest
        for file in self.files:
            file.runs = [Run(self.geometry, file.shard_index, 0, None, HEADER_SIZE)]
        self._list_candidates()

    def _agree_on_ends(self) -> None:
        first = None
        for file in self.files:
            if file.ends is None:
                continue
            if first is None:
                first = file
                require_matrix(self.code, file.ends["matrix_crc32c"], file.path)
                self.digest_type = file.ends["digest_type"]
            require_same(first.ends, first.path, file.ends, file.path, IDENTITY_FIELDS)
        self._agree_on_footers()

    def _agree_on_footers(self) -> None:
        first = None
        for file in self.files:
            if file.footer is None:
                continue
            if first is None:
                first = file
                self.digest = file.footer["digest"]
            require_same(first.footer, first.path, file.footer, file.path,
                         (*IDENTITY_FIELDS, "object_size", "digest"))

    def _find_object_size(self, check) -> int | None:
        for file in self.files:
            if file.footer is not None:
                return file.footer["object_size"]
        found = None
        for file in self.files:
            if not file.runs:
                search(file, self.geometry, check)
            last = file.last_rows.get(self.geometry)
            if last is None:
                continue
            if found not in (None, last):
                raise ConflictingShards(
                    f"{file.path}: row {last[0]} with {last[1]} bytes is the last of the object, "
                    f"but another shard says row {found[0]} with {found[1]} bytes",
                    path=file.path, field="row", value=last[0])
            found = last
        if found is None:
            return None
        return found[0] * self.geometry.row_size + found[1]

    def _place(self, file: ShardFile, check) -> None:
        """Finds out where a file has its blocks, and what is wrong with its ends and length."""
        layout = self.layout
        held = {(run.geometry, run.shard_index) for run in file.runs}
        displaced = [run for run in file.runs if run.geometry == self.geometry]
        if layout.object_size is not None and file.ends is not None:
            end = layout.footer_offset
            if file.footer is None and file.size > end:
                file.footer, state = read_footer(file, end)
                file.footer_state = state if file.footer is not None else file.footer_state
            if (file.size != layout.file_size and not displaced
                    and not stands_in_place(file, layout, self.blocks)):
                search(file, self.geometry, check)
                displaced = file.runs
        in_place = [run for run in displaced if self._is_in_place(run, file)]
        if file.ends is not None or (in_place and file.shard_index is not None):
            displaced = [run for run in displaced if run not in in_place]
            displaced.insert(0, Run(self.geometry, file.shard_index, 0, None, HEADER_SIZE))
        held |= {(run.geometry, run.shard_index) for run in displaced}
        file.is_mixture = len(held) > 1 or all(run.end_row is not None for run in displaced)
        file.runs = displaced
        if layout.object_size is not None and file.size != layout.file_size:
            file.problems.append(f"{file.path}: {file.size} bytes, must be {layout.file_size}")
        for what, state in (("header", file.header_state), ("footer", file.footer_state)):
            if state != "good":
                file.problems.append(f"{file.path}: {what} {state}")

    def _is_in_place(self, run: Run, file: ShardFile) -> bool:
        return (run.shard_index == file.shard_index
                and run.offset == self.layout.offset_of(run.first_row))

    def _suspect_unreadable_files(self) -> None:
        """A shard without a file is unknown, not missing, while an unreadable file may be it."""
        held = {run.shard_index for file in self.files for run in file.runs}
        names = {name for name, _ in filter(None, map(parse_shard_name,
                                                      (file.path for file in self.files)))}
        everything = set(range(self.geometry.shard_count)) - held
        for file in self.skipped:
            if file.kind != "unreadable":
                continue
            parsed = parse_shard_name(file.path)
            if parsed is None:
                self.unknown_shards |= everything
            elif (not names or parsed[0] in names) and parsed[1] in everything:
                self.unknown_shards.add(parsed[1])

    # -- reading --

    def forget_states(self) -> None:
        """Starts counting anew, before all rows are read a second time."""
        self.tallies = {id(file): FileTally() for file in self.files}
        self.shard_states = [Counter() for _ in range(self.geometry.shard_count)]

    def describe(self) -> StripeReport:
        """What is known of the stripe."""
        return describe(self.geometry, self.layout.object_size, self.digest_type, self.digest)

    @property
    def rows_at_once(self) -> int:
        """How many rows ``read_ahead`` has in each of its buffers at most."""
        return RecordBatch.rows_for(self.geometry, _BUFFER_COUNT)

    def batches_and_gaps(self, rows_per_batch: int) -> Iterator[tuple[int, int, bool]]:
        """Triples (first row, count, whether the files can hold a block of them) over all rows;
        while the object's size is unknown, to the last that they can hold.

        A footer or a block may claim more rows than anyone can visit. The rows that the files are
        long enough for are bounded by their bytes; a gap between those, of any length, comes as
        one, for ``skip``.
        """
        row_count = self.layout.row_count
        held = Ranges()
        position = 0
        for begin, end in sorted(self._row_span(file, run)
                                 for file in self.files for run in file.runs):
            begin = max(begin, position)
            if row_count is not None:
                end = min(end, row_count)
            if begin < end:
                held.add(begin, end - begin)
                position = end
        position = 0
        for begin, end in held:
            if position < begin:
                yield position, begin - position, False
            for first_row, count in self.layout.batches(rows_per_batch, end, begin):
                yield first_row, count, True
            position = end
        if row_count is not None and position < row_count:
            yield position, row_count - position, False

    def _row_span(self, file: ShardFile, run: Run) -> tuple[int, int]:
        """First row and end row of what a run's file is long enough for."""
        record_count = -(-max(0, file.size - run.offset) // self.layout.full_record_size)
        end = run.first_row + record_count
        return run.first_row, end if run.end_row is None else min(end, run.end_row)

    def skip(self, count: int) -> str:
        """Counts rows of which no file can hold a block; returns what they are, as ``settle``."""
        unknown_count = 0
        for shard_index, states in enumerate(self.shard_states):
            state = self._state_without_block(shard_index)
            states[state] += count
            unknown_count += state == UNKNOWN
        for file in self.files:
            for run in file.runs:
                if run.end_row is None:
                    self.tallies[id(file)].states[ABSENT] += count
        return "unknown" if unknown_count >= self.geometry.data_shards else "lost"

    def _state_without_block(self, shard_index: int) -> int:
        """The state of a block of which no file has a candidate."""
        return UNKNOWN if shard_index in self.unknown_shards else ABSENT

    def new_rows(self, batch: RecordBatch, first_row: int, count: int) -> Rows:
        """Rows with nothing read yet, in a batch's memory."""
        views = batch.views(self.layout.record_size(first_row + count - 1),
                            self.layout.payload_size(first_row + count - 1), count)
        return Rows(views, first_row, count, self.geometry.shard_count)

    def read(self, rows: Rows, shard_indices) -> None:
        """Reads and verifies the blocks of some shards into `rows`."""
        self._take(rows, self._calls_to_read(rows, shard_indices).run())

    def read_ahead(self, batches: Iterable[tuple[int, int, bool]], rows_max: int, shard_indices
                   ) -> Iterator[tuple[int, int, Rows | None]]:
        """Yields (first row, count, rows) of every batch, with the blocks of these shards read and
        verified; None for a batch that no file can hold. The next is read meanwhile. Rows are
        valid until the next step; memory of some that are ``digested`` is used again when that is
        done.

        :param batches: as ``batches_and_gaps`` gives them, of at most `rows_max` rows.
        """
        buffers = [RecordBatch(self.geometry, rows_max) for _ in range(_BUFFER_COUNT)]
        users: list[Rows | None] = [None] * _BUFFER_COUNT
        turn = 0
        current = following = None
        try:
            for first_row, count, is_held in batches:
                rows = calls = None
                if is_held:
                    before = users[turn]
                    if before is not None and before.digested is not None:
                        before.digested.result()
                    rows = users[turn] = self.new_rows(buffers[turn], first_row, count)
                    calls = self._calls_to_read(rows, shard_indices)
                    turn = (turn + 1) % _BUFFER_COUNT
                # One after the other: what runs must be in one of them at every moment.
                current = following
                following = (first_row, count, rows, calls)
                if calls is not None:
                    calls.begin()
                if current is not None:
                    yield self._end_reading(current)
            if following is not None:
                current = following
                following = None
                yield self._end_reading(current)
        finally:
            for begun in (current, following):
                if begun is not None and begun[-1] is not None:
                    begun[-1].abandon()

    def _end_reading(self, begun: tuple[int, int, Rows | None, Calls | None]):
        first_row, count, rows, calls = begun
        if calls is not None:
            self._take(rows, calls.results())
        return first_row, count, rows

    def _calls_to_read(self, rows: Rows, shard_indices) -> Calls:
        lanes = max(1, min(self.lanes, len(shard_indices)))

        def read(lane: int) -> list:
            return [(index, *self._read_shard(rows, index)) for index in shard_indices[lane::lanes]]

        if lanes == 1:
            # The system reads ahead in a file by itself; to hand over costs more than that leaves.
            return Calls(None, read, range(1))
        return self.workers.calls(read, range(lanes))

    def _take(self, rows: Rows, found: list[list]) -> None:
        """Counts what was found."""
        for shard_index, states, tallies, conflicts in itertools.chain(*found):
            rows.states[shard_index] = states
            self.shard_states[shard_index].update(states.tolist())
            for file, file_states in tallies:
                self.tallies[id(file)].states.update(file_states.tolist())
            for conflict in conflicts:
                self._count_wrong(shard_index)
                self._conflict_count += 1
                if self._conflict_count <= _CONFLICTS_SHOWN:
                    self.problems.setdefault(shard_index, []).append(conflict)

    def _read_shard(self, rows: Rows, shard_index: int):
        """One shard's blocks of `rows`: merged states, states by file in place, conflicts."""
        memory = rows.views.records[shard_index].reshape(-1)
        # Of the pieces of a scattered shard, which may be many, only those that reach into `rows`.
        spans = self._candidate_rows[shard_index]
        candidates = [self._candidates[shard_index][position] for position in numpy.flatnonzero(
            (spans[:, 0] < rows.first_row + rows.count) & (spans[:, 1] > rows.first_row))]
        tallies, conflicts = [], []
        if not candidates:
            return (numpy.full(rows.count, self._state_without_block(shard_index), numpy.uint8),
                    tallies, conflicts)
        merged = None
        scratch = None
        for position, (file, run) in enumerate(candidates):
            target = memory
            if position:
                scratch = numpy.empty_like(memory) if scratch is None else scratch
                target = scratch
            states = self._read_candidate(rows, file, run, target)
            if run.end_row is None:
                tallies.append((file, states))
            if merged is None:
                merged, is_conflict = states.copy(), numpy.zeros(rows.count, bool)
                continue
            record_size = len(memory) // rows.count
            for row in range(rows.count):
                if states[row] == GOOD:
                    part = slice(row * record_size, (row + 1) * record_size)
                    if merged[row] != GOOD:
                        memory[part] = target[part]
                        merged[row] = GOOD
                    elif not numpy.array_equal(memory[part], target[part]):
                        is_conflict[row] = True
                        conflicts.append(
                            f"row {rows.first_row + row}: {file.path} and another file hold "
                            "different valid blocks; both count as bad")
                elif states[row] == UNKNOWN and merged[row] != GOOD:
                    merged[row] = UNKNOWN
                elif merged[row] == ABSENT:
                    merged[row] = states[row]
        merged[is_conflict] = CORRUPT
        return merged, tallies, conflicts

    def _read_candidate(self, rows: Rows, file: ShardFile, run: Run,
                        memory: numpy.ndarray) -> numpy.ndarray:
        """Reads one run's part of `rows` to its place in `memory`; the states of all the rows."""
        states = numpy.full(rows.count, ABSENT, numpy.uint8)
        begin = max(rows.first_row, run.first_row)
        end = rows.first_row + rows.count
        if run.end_row is not None:
            end = min(end, run.end_row)
        if begin >= end:
            return states
        record_size = len(memory) // rows.count
        part = memory[(begin - rows.first_row) * record_size:(end - rows.first_row) * record_size]
        offset = run.offset + (begin - run.first_row) * self.layout.full_record_size
        states[begin - rows.first_row:end - rows.first_row] = self._read_records(
            file, run.shard_index, begin, end - begin, offset, part)
        return states

    def _read_records(self, file: ShardFile, shard_index: int, first_row: int, count: int,
                      offset: int, memory: numpy.ndarray) -> numpy.ndarray:
        """Reads adjacent records. Where the medium refuses the whole, each is tried alone, so
        that only those which are really unreadable are unknown."""
        try:
            size = file.handle.read_at(memoryview(memory), offset)
        except OSError:
            file.is_unreadable = True
            if count == 1:
                return numpy.array([UNKNOWN], numpy.uint8)
            record_size = len(memory) // count
            return numpy.concatenate([
                self._read_records(file, shard_index, first_row + row, 1,
                                   offset + row * record_size,
                                   memory[row * record_size:(row + 1) * record_size])
                for row in range(count)])
        states = self.blocks.check_records(memory, size, shard_index, first_row, count,
                                           self.layout.last_data_size_of(first_row, count))
        states = numpy.frombuffer(bytearray(states), numpy.uint8)
        last = first_row + count - 1
        if self.layout.is_last(last) and states[-1] == GOOD and (
                shard_index < self.geometry.data_shards):
            payload = memory[(count - 1) * (len(memory) // count) + BLOCK_HEADER_SIZE:]
            if not self._has_zero_padding(last, shard_index, payload):
                states[-1] = CORRUPT
        return states

    def _has_zero_padding(self, row: int, shard_index: int, payload: numpy.ndarray) -> bool:
        return not payload[self.layout.padding_begin(row, shard_index):
                           self.layout.payload_size(row)].any()

    # -- judging --

    def is_padded(self, rows: Rows, row: int) -> bool:
        """Whether the complete data blocks of a row end in zeros where the object has ended. No
        digest covers those bytes, and wrong ones would go into rebuilt shards."""
        return all(self._has_zero_padding(rows.first_row + row, index,
                                          rows.views.payloads[index, row])
                   for index in range(self.geometry.data_shards))

    def settle(self, rows: Rows, row: int) -> Settled:
        """Compares all good blocks of one row with each other and says which to trust.

        Every shard must have been read. Blocks found wrong lose their state GOOD.
        """
        good = rows.good_shards(row)
        data_shards = self.geometry.data_shards
        if len(good) < data_shards:
            unknown = int((rows.states[:, row] == UNKNOWN).sum())
            kind = "unknown" if len(good) + unknown >= data_shards else "lost"
            return Settled(kind, good, [], False)
        is_disputed = False
        wrong: list[int] = []
        given = rows.payload_map(row, good)
        if len(good) > data_shards and not self.code.verify(given):
            wrong, is_disputed = self._blame(given)
            for shard_index in wrong:
                rows.states[shard_index, row] = CORRUPT
                self.shard_states[shard_index][GOOD] -= 1
                self.shard_states[shard_index][CORRUPT] += 1
                self._count_wrong(shard_index)
        sources = [index for index in good if index not in wrong]
        kind = "intact" if len(sources) == self.geometry.shard_count else "degraded"
        return Settled(kind, sources, wrong, is_disputed)

    def _count_wrong(self, shard_index: int) -> None:
        """One block of this shard is not what it should be in any file that has it."""
        for file, _ in self._candidates[shard_index]:
            self.tallies[id(file)].wrong += 1

    def _blame(self, given: dict[int, numpy.ndarray]) -> tuple[list[int], bool]:
        """Which of the given shards, that disagree, are wrong; and whether that is a guess."""
        data_shards = self.geometry.data_shards
        try:
            wrong = self.code.locate(given)
        except (AmbiguousCorruption, TooComplex):
            wrong = []
        rest = {index: given[index] for index in given if index not in wrong}
        if wrong and (len(rest) == data_shards or (
                len(rest) > data_shards and self.code.verify(rest))):
            return wrong, False
        # The lowest ones are the data shards, which the digest can judge.
        trusted = sorted(given)[:data_shards]
        others = sorted(given)[data_shards:]
        recomputed = self.code.reconstruct({index: given[index] for index in trusted},
                                           wanted=others)
        return [index for index in others
                if not numpy.array_equal(recomputed[index], given[index])], True

    def shard_report(self, shard_index: int) -> ShardReport:
        """The state of one shard as far as it was read."""
        files = [file for file in self.files
                 if any(run.shard_index == shard_index for run in file.runs)]
        states = self.shard_states[shard_index]
        problems = [problem for file in files for problem in file.problems]
        problems += self.problems.get(shard_index, [])
        is_damaged = bool(states[CORRUPT] or states[ABSENT]) or any(
            self._is_damaged(file) for file in files)
        if not files:
            state = "unknown" if shard_index in self.unknown_shards else "missing"
        elif is_damaged:
            state = "damaged"
        elif states[UNKNOWN] or any(file.is_unreadable for file in files):
            state = "unknown"
        else:
            state = "good"
        return ShardReport(
            shard_index=shard_index, state=state, paths=tuple(file.path for file in files),
            good_blocks=states[GOOD], corrupt_blocks=states[CORRUPT],
            missing_blocks=states[ABSENT], unknown_blocks=states[UNKNOWN],
            problems=tuple(problems))

    def shard_reports(self) -> tuple[ShardReport, ...]:
        """All shards in order."""
        return tuple(map(self.shard_report, range(self.geometry.shard_count)))

    def _is_damaged(self, file: ShardFile) -> bool:
        """Whether something of a file is wrong, beyond being unreadable now."""
        tally = self.tallies[id(file)]
        ends = (file.header_state, file.footer_state)
        return bool(
            tally.states[CORRUPT] or tally.states[ABSENT] or tally.wrong
            or any(state != "good" and not state.startswith("unreadable") for state in ends)
            or (self.layout.object_size is not None and file.size != self.layout.file_size))

    def is_whole(self, file: ShardFile) -> bool:
        """Whether a file is exactly what encode wrote; known when every row has been read."""
        return (file.header_state == file.footer_state == "good" and not file.is_unreadable
                and not self._is_damaged(file)
                and self.tallies[id(file)].states[GOOD] == self.layout.row_count)


def open_stripe(paths: list[str], stripe_id: bytes | str | None, workers: Workers, check,
                needs_size: bool = True) -> Stripe:
    """Opens the stripe that the files among `paths` hold pieces of.

    Raises NoShardsFound, SeveralStripes, UnsupportedFormat, ConflictingShards, FormatError and,
    with `needs_size`, ObjectSizeUnknown.
    """
    files, skipped, folders = scan(paths, check)
    counts = Counter(found for file in files
                     for found in {geometry.stripe_id for geometry in file.geometries()})
    if stripe_id is not None:
        chosen = stripe_id_bytes(stripe_id)
    elif len(counts) > 1:
        listed = {found.hex(): count for found, count in sorted(counts.items())}
        raise SeveralStripes(
            "the files hold shards of several objects, one must be chosen: " + ", ".join(
                f"{found} ({count} files)" for found, count in listed.items()),
            stripe_ids=listed)
    else:
        chosen = next(iter(counts), None)
    own = []
    for file in files:
        ids = {geometry.stripe_id for geometry in file.geometries()}
        if chosen in ids:
            own.append(file)
        else:
            skipped.append(SkippedFile(file.path, "other stripe",
                                       " ".join(sorted(found.hex() for found in ids))))
    if not own:
        _raise_nothing_found(chosen, skipped)
    stripe = Stripe(_common_geometry(own, chosen), own, skipped, folders, workers)
    try:
        stripe.open(check, needs_size)
    except BaseException:
        stripe.__exit__(None, None, None)
        raise
    return stripe


def _common_geometry(files: list[ShardFile], stripe_id: bytes) -> Geometry:
    """The one geometry of a stripe; of headers and footers where there are any, else of blocks."""
    from_ends = [(Geometry.of_fields(file.ends), file) for file in files if file.ends is not None]
    found = from_ends or [(geometry, file) for file in files
                          for geometry in sorted(file.geometries(), key=repr)
                          if geometry.stripe_id == stripe_id]
    first, first_file = found[0]
    for geometry, file in found:
        if geometry != first:
            raise ConflictingShards(
                f"{file.path} is of {geometry}, but {first_file.path} with the same stripe id is "
                f"of {first}; leave one of them out", path=file.path, field="geometry")
    return first


def _raise_nothing_found(chosen: bytes | None, skipped: list[SkippedFile]) -> None:
    for file in skipped:
        if file.kind == "unsupported":
            raise UnsupportedFormat(f"{file.path}: {file.reason}", path=file.path)
    what = "shard files" if chosen is None else f"shards of stripe {chosen.hex()}"
    shown = "; ".join(f"{file.path}: {file.reason}" for file in skipped[:10])
    raise NoShardsFound(f"no {what} among the given paths ({shown or 'nothing to look at'})",
                        skipped=skipped)
