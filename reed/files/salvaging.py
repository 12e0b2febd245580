"""What can be proved of an object that is beyond repair, in a file that says so, and a map of the
rest."""

import json
import os
from collections.abc import Callable, Sequence
from os import PathLike

from .. import _core
from ..errors import DigestMismatch, ReadBackMismatch
from . import medium
from .decoding import missing_data, require_digest, require_free
from .digests import ObjectDigest, crc32c_of
from .layout import RecordBatch, cut
from .reading import Rows, Stripe, open_stripe
from .reports import SalvageReport
from .work import Watch, Workers, path_list
from .writing import read_back_object

MAP_FORMAT = "reed-salvage-1"
_READ_BACK_BYTES = 1 << 20


def salvage(
    shards: str | PathLike | Sequence[str | PathLike],
    target: str | PathLike,
    *,
    stripe_id: bytes | str | None = None,
    overwrite: bool = False,
    threads: int = 1,
    progress: Callable[[int, int | None], object] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> SalvageReport:
    """Writes what can be proved of an object that is beyond repair, and a map of the rest.

    Writes ``TARGET.partial``, where every verified byte stands at its offset in the object and
    holes are zero (sparse), and ``TARGET.partial.json``, which tells holes from data; never
    TARGET itself. A row that cannot be rebuilt still gives its good data blocks. The file ends at
    the last verified byte; a hole from there to the object's end, where that is known, stands in
    the map alone.

    Parameters and errors as ``decode``; damage to blocks is not an error here.
    """
    base = os.fsdecode(target)
    _require_free(base, overwrite)
    with Workers(threads) as workers, open_stripe(
            path_list(shards, "shards"), stripe_id, workers, Watch(None, cancel).check,
            needs_size=False) as stripe:
        return salvage_stripe(stripe, base, overwrite,
                              Watch(progress, cancel, stripe.layout.object_size))


def salvage_stripe(stripe: Stripe, base: str, overwrite: bool, watch: Watch) -> SalvageReport:
    """As ``salvage``, of a stripe that is open; `base` is the path of the target."""
    partial_path, map_path = _require_free(base, overwrite)
    with medium.Publication() as publication:
        partial = publication.create(partial_path)
        salvaged = _Salvage(stripe, partial)
        salvaged.run(watch)
        report = salvaged.report(partial_path, map_path)
        text = memoryview(json.dumps(_table(report), indent=1).encode() + b"\n")
        table = publication.create(map_path)
        table.write_at([text], 0)
        partial.sync()
        table.sync()
        salvaged.read_back(watch)
        read_back_object(table, len(text), crc32c_of([text], 0), watch.check)
        publication.publish(overwrite)
        return report


def _require_free(base: str, overwrite: bool) -> tuple[str, str]:
    """The paths of the partial file and of its map, which must be free."""
    paths = f"{base}.partial", f"{base}.partial.json"
    for path in paths:
        require_free(path, overwrite)
    return paths


class _Written:
    """Ranges of bytes of the object that were written, ascending and joined where they touch,
    each with the CRC32C of its bytes. Grows with the holes, not with the object."""

    def __init__(self):
        self.ranges: list[tuple[int, int, int]] = []

    def add(self, offset: int, piece: memoryview) -> None:
        """Appends a piece behind all others."""
        if self.ranges and self.ranges[-1][1] == offset:
            begin, _, crc32c = self.ranges.pop()
        else:
            begin, crc32c = offset, 0
        self.ranges.append((begin, offset + len(piece), _core.crc32c(piece, crc32c)))


class _Salvage:
    """Collects the verified bytes of a stripe in a file of their own."""

    def __init__(self, stripe: Stripe, temporary: medium.Temporary):
        self._stripe = stripe
        self._temporary = temporary
        self._verified = _Written()
        self._disputed = _Written()  # what only a matching digest can prove
        self._size = 0
        self._digest_state = "unavailable"

    def run(self, watch: Watch) -> None:
        """Reads every row and writes what is verified."""
        stripe = self._stripe
        geometry, layout = stripe.geometry, stripe.layout
        row_count = RecordBatch.rows_for(geometry, 1)
        batch = RecordBatch(geometry, row_count)
        is_whole = layout.object_size is not None
        with ObjectDigest(stripe.digest_type if stripe.digest else None) as object_digest:
            for first_row, count, is_held in stripe.batches_and_gaps(row_count):
                size = layout.data_size_of(first_row, count)
                if is_held:
                    rows = stripe.new_rows(batch, first_row, count)
                    stripe.read(rows, range(geometry.shard_count))
                    for row in range(count):
                        is_whole &= self._take_row(rows, row)
                else:
                    stripe.skip(count)
                    is_whole = False
                if is_whole:
                    object_digest.add_now(cut(rows.views.data_pieces, size))
                watch.step(first_row * geometry.row_size + size)
            if is_whole:
                try:
                    self._digest_state = require_digest(stripe, object_digest)
                except DigestMismatch:
                    self._digest_state = "mismatch"
        self._settle_disputed()
        # Not the object's size: a forged one may be more than a filesystem can count.
        self._size = self._verified.ranges[-1][1] if self._verified.ranges else 0
        os.ftruncate(self._temporary.descriptor, self._size)

    def _take_row(self, rows: Rows, row: int) -> bool:
        """Writes the verified blocks of one row; returns whether that is the whole row."""
        stripe, layout = self._stripe, self._stripe.layout
        answer = stripe.settle(rows, row)
        held = answer.sources
        is_whole = answer.kind in ("intact", "degraded")
        if is_whole:
            rows.rebuild(stripe.code, row, held, missing_data(stripe, held))
            held = range(stripe.geometry.data_shards)
        number = rows.first_row + row
        payload_size = layout.payload_size(number)
        written = self._disputed if answer.is_disputed else self._verified
        for shard_index in held:
            begin = shard_index * payload_size
            size = min(payload_size, layout.data_size(number) - begin)
            if shard_index < stripe.geometry.data_shards and size > 0:
                piece = memoryview(rows.views.payloads[shard_index, row])[:size]
                offset = number * stripe.geometry.row_size + begin
                self._temporary.write_at([piece], offset)
                written.add(offset, piece)
        return is_whole

    def _settle_disputed(self) -> None:
        """Proved by the digest, disputed bytes count; otherwise they become holes."""
        if self._digest_state == "match":
            self._verified.ranges = sorted(self._verified.ranges + self._disputed.ranges)
            return
        zeros = memoryview(bytes(_READ_BACK_BYTES))
        for begin, end, _ in self._disputed.ranges:
            for offset in range(begin, end, len(zeros)):
                self._temporary.write_at([zeros[:end - offset]], offset)

    def read_back(self, watch: Watch) -> None:
        """Compares the verified ranges on the medium with what was written."""
        buffer = memoryview(bytearray(_READ_BACK_BYTES))
        is_right = self._temporary.size() == self._size
        for begin, end, expected in self._verified.ranges:
            found = 0
            for offset in range(begin, end, len(buffer)):
                watch.check()
                piece = buffer[:end - offset]
                is_right &= self._temporary.read_at(piece, offset) == len(piece)
                found = _core.crc32c(piece, found)
            if not is_right or found != expected:
                path = self._temporary.final_path
                raise ReadBackMismatch(
                    f"{path}: the medium does not give back what was written, from byte {begin} "
                    "on", path=path, offset=begin)

    def report(self, partial_path: str, map_path: str) -> SalvageReport:
        """What was salvaged."""
        holes = []
        position = 0
        for begin, end, _ in self._verified.ranges:
            if position < begin:
                holes.append((position, begin))
            position = end
        object_size = self._stripe.layout.object_size
        is_size_known = object_size is not None
        if is_size_known and position < object_size:
            holes.append((position, object_size))
        return SalvageReport(
            stripe=self._stripe.describe(), partial_path=partial_path, map_path=map_path,
            partial_size=self._size,
            verified_size=sum(end - begin for begin, end, _ in self._verified.ranges),
            holes=tuple(holes),
            complete=is_size_known and not holes and self._digest_state != "mismatch",
            digest=self._digest_state, shards=self._stripe.shard_reports(),
            skipped=tuple(self._stripe.skipped))


def _table(report: SalvageReport) -> dict:
    """The content of the map file."""
    ranges = []
    position = 0
    for begin, end in (*report.holes, (report.partial_size, report.partial_size)):
        if position < begin:
            ranges.append({"offset": position, "size": begin - position})
        position = end
    return {
        "format": MAP_FORMAT,
        "partial_file": os.path.basename(report.partial_path),
        "complete": report.complete,
        "object_size": report.stripe.object_size,
        "partial_size": report.partial_size,
        "verified_size": report.verified_size,
        "digest": report.digest,
        "verified": ranges,
        "holes": [{"offset": begin, "size": end - begin} for begin, end in report.holes],
        "stripe": report.stripe.as_dict(),
    }
