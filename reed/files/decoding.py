"""Shard files back into the object, exactly or not at all."""

import os
from collections.abc import Callable, Iterator, Sequence
from os import PathLike
from typing import BinaryIO

from ..errors import BeyondRepair, DigestMismatch, InvalidParameter, TargetExists
from . import medium
from .digests import ObjectDigest, crc32c_of
from .layout import cut
from .ranges import Ranges
from .reading import GOOD, UNKNOWN, Rows, Settled, Stripe, open_stripe
from .reports import DecodeReport
from .work import Watch, Workers, path_list
from .writing import read_back_object


def decode(
    shards: str | PathLike | Sequence[str | PathLike],
    target: str | PathLike | BinaryIO,
    *,
    stripe_id: bytes | str | None = None,
    overwrite: bool = False,
    threads: int = 1,
    progress: Callable[[int, int | None], object] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> DecodeReport:
    """Gives back exactly the object, or raises; never anything in between under its final name.

    ``shards``: paths of files and folders, any number in any order. Of a folder every regular
    file directly in it is looked at (temporaries of interrupted writes are skipped). Foreign
    files are skipped and reported; copies of a shard count once and complement each other. When
    the paths hold more than one stripe, ``stripe_id`` (16 bytes or 32 hexadecimal digits) must
    choose.

    ``target``: a path, or an object with ``write``. A path is published only when the digest
    matches and the file was read back from the medium. A writable object receives bytes that are
    each proved by their block's checksum, but the digest is known only after the last of them: a
    mismatch is raised when they have been written, so a pipeline must heed the exception.

    Reads the data shards; other shards only for rows where those are damaged. If the blocks are
    right and the digest is not, decodes once more with every shard compared, and the wrong ones
    left out, when the target is a path.

    ``threads``, ``progress(done, total)`` (bytes of the object) and ``cancel`` as in ``encode``.

    Raises NoShardsFound, SeveralStripes, UnsupportedFormat, ConflictingShards, ObjectSizeUnknown,
    BeyondRepair (rows with fewer than data_shards good blocks; ``salvage`` gives what there is),
    DigestMismatch, TargetExists, ReadBackMismatch, Cancelled, OSError.
    """
    with Workers(threads) as workers, open_stripe(
            path_list(shards, "shards"), stripe_id, workers, Watch(None, cancel).check) as stripe:
        watch = Watch(progress, cancel, stripe.layout.object_size)
        if hasattr(target, "write"):
            output = StreamOutput(target)
            rebuilt_rows, digest_state = _decode_to(stripe, output, watch)
            target_path = None
        else:
            target_path = os.fsdecode(target)
            rebuilt_rows, digest_state = _decode_to_path(stripe, target_path, overwrite, watch)
        return DecodeReport(
            stripe=stripe.describe(), target=target_path, digest=digest_state,
            rebuilt_rows=rebuilt_rows, shards=stripe.shard_reports(),
            skipped=tuple(stripe.skipped))


class StreamOutput:
    """Writes an object to a caller's stream."""

    def __init__(self, stream):
        self._stream = stream

    def write(self, pieces: list[memoryview]) -> None:
        """Writes all pieces, whatever portions the stream takes."""
        for piece in pieces:
            while len(piece):
                count = self._stream.write(piece)
                if count is None:
                    raise BlockingIOError("the target is not ready; it must be a blocking stream")
                piece = piece[count:]


class FileOutput:
    """Writes an object to a temporary from its beginning on, and knows what was written."""

    def __init__(self, temporary: medium.Temporary):
        self._temporary = temporary
        self.size = 0
        self.crc32c = 0

    def write(self, pieces: list[memoryview]) -> None:
        """Writes all pieces behind what is there."""
        self.size = self._temporary.write_at(pieces, self.size)
        self.crc32c = crc32c_of(pieces, self.crc32c)


def _decode_to_path(stripe: Stripe, path: str, overwrite: bool, watch: Watch) -> tuple[int, str]:
    require_free(path, overwrite)
    for compares in (False, True):
        with medium.Publication() as publication:
            temporary = publication.create(path)
            output = FileOutput(temporary)
            try:
                rebuilt_rows, digest_state = _decode_to(stripe, output, watch, compares)
            except DigestMismatch:
                if compares:
                    raise
                continue
            temporary.sync()
            read_back_object(temporary, output.size, output.crc32c, watch.check)
            publication.publish(overwrite)
            return rebuilt_rows, digest_state
    raise AssertionError("the last turn returns or raises")


def _decode_to(stripe: Stripe, output, watch: Watch, compares: bool = False) -> tuple[int, str]:
    """Writes the whole object; returns the count of rebuilt rows and the digest's state."""
    reader = ObjectReader(stripe, compares=compares)
    done = 0
    for _, _, pieces in reader.batches():
        output.write(pieces)
        done += sum(map(len, pieces))
        watch.step(done)
    return reader.rebuilt_rows, reader.digest_state


class ObjectReader:
    """Reads the data of a stripe batch by batch, all of it or some consecutive rows.

    Reads parity only for rows that lack data; where it ``compares``, every shard of every row, and
    leaves out those that the others contradict.

    ``rebuilt_rows`` counts rows of which some data block was computed from others;
    ``digest_state`` is "match" when the whole was read and is what was recorded, else
    "unavailable".
    """

    def __init__(self, stripe: Stripe, first_row: int = 0, end_row: int | None = None, *,
                 compares: bool = False):
        self._stripe = stripe
        self._compares = compares
        self._first_row = first_row
        self._end_row = stripe.layout.row_count if end_row is None else end_row
        self._is_whole = first_row == 0 and self._end_row == stripe.layout.row_count
        self.rebuilt_rows = 0
        self.digest_state = "unavailable"

    def batches(self) -> Iterator[tuple[Rows, list[Settled], list[memoryview]]]:
        """Yields rows whose data blocks are complete, what each is worth, and the object's bytes
        in them, which stay as they are until the next step. Raises BeyondRepair; and, when the
        whole was read, DigestMismatch behind the last."""
        stripe = self._stripe
        row_count = min(stripe.rows_at_once, max(1, self._end_row - self._first_row))
        batches = ((first_row, count, True) for first_row, count in stripe.layout.batches(
            row_count, self._end_row, self._first_row))
        merge = _merge_comparing if self._compares else _merge_sparingly
        shards = stripe.geometry.shard_count if self._compares else stripe.geometry.data_shards
        is_digested = self._is_whole and stripe.digest
        with ObjectDigest(stripe.digest_type if is_digested else None) as object_digest:
            for first_row, count, rows in stripe.read_ahead(batches, row_count, range(shards)):
                settled = merge(stripe, rows)
                self.rebuilt_rows += sum(bool(missing_data(stripe, answer.sources))
                                         for answer in settled)
                pieces = cut(rows.views.data_pieces, stripe.layout.data_size_of(first_row, count))
                rows.digested = object_digest.add(pieces)
                yield rows, settled, pieces
            if self._is_whole:
                self.digest_state = require_digest(stripe, object_digest)


def require_digest(stripe: Stripe, object_digest: ObjectDigest) -> str:
    """Compares with the recorded digest: "match" or "unavailable"; raises DigestMismatch."""
    if not stripe.digest or not stripe.digest_type:
        return "unavailable"
    found = object_digest.finish()
    if found != stripe.digest:
        raise DigestMismatch(
            f"stripe {stripe.geometry.stripe_id.hex()}: every block is right, but the digest of "
            f"the object is {found.hex()}, must be {stripe.digest.hex()}",
            expected=stripe.digest.hex(), actual=found.hex())
    return "match"


def _merge_sparingly(stripe: Stripe, rows: Rows) -> list[Settled]:
    """Completes the data blocks of `rows`, which were read, reading parity only where a row lacks
    some; returns which blocks of each row were read and good."""
    data_shards = stripe.geometry.data_shards
    good = rows.states == GOOD
    rebuilt = [row for row in range(rows.count) if not good[:data_shards, row].all()]
    for shard_index in range(data_shards, stripe.geometry.shard_count):
        if all(len(rows.good_shards(row)) >= data_shards for row in rebuilt):
            break
        stripe.read(rows, [shard_index])
    _require_enough(stripe, rows, rebuilt)
    settled = [Settled("degraded", rows.good_shards(row), [], False) for row in range(rows.count)]
    _rebuild_data(stripe, rows, settled)
    return settled


def _merge_comparing(stripe: Stripe, rows: Rows) -> list[Settled]:
    """As ``_merge_sparingly``, where every shard was read: those that the others contradict are
    left out."""
    settled = [stripe.settle(rows, row) for row in range(rows.count)]
    _require_enough(stripe, rows, range(rows.count))
    _rebuild_data(stripe, rows, settled)
    return settled


def _rebuild_data(stripe: Stripe, rows: Rows, settled: list[Settled]) -> None:
    for row, answer in enumerate(settled):
        rows.rebuild(stripe.code, row, answer.sources, missing_data(stripe, answer.sources))


def missing_data(stripe: Stripe, sources: list[int]) -> list[int]:
    return sorted(set(range(stripe.geometry.data_shards)) - set(sources))


def _require_enough(stripe: Stripe, rows: Rows, which) -> None:
    """Raises BeyondRepair when a row has too few good blocks."""
    needed = stripe.geometry.data_shards
    lost = Ranges()
    fewest = needed
    is_unknown = False
    missing = set(range(stripe.geometry.shard_count))
    for row in which:
        good = rows.good_shards(row)
        if len(good) < needed:
            lost.add(rows.first_row + row, 1)
            fewest = min(fewest, len(good))
            missing -= set(good)
            is_unknown |= bool((rows.states[:, row] == UNKNOWN).any())
    if lost:
        raise BeyondRepair(
            f"stripe {stripe.geometry.stripe_id.hex()}: row {lost[0][0]} has {fewest} good blocks "
            f"of the {needed} that are needed" + (
                "; some are unreadable now" if is_unknown else ""),
            needed=needed, available=fewest, missing=sorted(missing), rows=lost,
            unknown=is_unknown)


def require_free(path: str, overwrite: bool) -> None:
    if not overwrite and os.path.lexists(path):
        raise TargetExists(f"{path} exists", path=path)
    if not os.path.basename(path):
        raise InvalidParameter(f"target must be the path of a file, not {path!r}")
