"""Reads every block of a stripe and says how it stands; writes nothing."""

from collections.abc import Callable, Sequence
from os import PathLike

from ..errors import DigestMismatch
from .decoding import missing_data, require_digest
from .digests import ObjectDigest
from .layout import cut
from .ranges import Ranges
from .reading import GOOD, Rows, Settled, Stripe, open_stripe
from .reports import RowCounts, VerifyReport
from .work import Watch, Workers, path_list


def verify(
    shards: str | PathLike | Sequence[str | PathLike],
    *,
    stripe_id: bytes | str | None = None,
    threads: int = 1,
    progress: Callable[[int, int | None], object] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> VerifyReport:
    """Checks all that can be checked: every block's checksum and identity, that all shards of
    every row agree with each other, headers, footers, lengths, and the digest of the object.

    ``shards`` and ``stripe_id`` as in ``decode``. Damage of any extent is an answer, not an
    error: see VerifyReport. Progress counts bytes of the object.

    Raises NoShardsFound, SeveralStripes, UnsupportedFormat, ConflictingShards, ObjectSizeUnknown
    (so damaged that not even the length of the object is left), Cancelled.
    """
    check = Watch(None, cancel).check
    with Workers(threads) as workers, open_stripe(
            path_list(shards, "shards"), stripe_id, workers, check) as stripe:
        survey = Survey(stripe)
        survey.run(Watch(progress, cancel, stripe.layout.object_size))
        return survey.report()


class Survey:
    """Reads a stripe from beginning to end and judges every row; used by verify and repair."""

    def __init__(self, stripe: Stripe):
        self._stripe = stripe
        self._kinds = {"intact": 0, "degraded": 0, "lost": 0, "unknown": 0}
        self._fewest = stripe.geometry.shard_count
        self.lost_rows = Ranges()
        self.inconsistent_rows = Ranges()
        self.has_dispute = False  # some row was settled by a guess that the digest must confirm
        self.is_padded = True  # the last row ends in zeros
        self.digest_state = "unavailable"
        self.mismatch: DigestMismatch | None = None
        self.computed_digest: bytes | None = None  # of the object, where no row is lost

    def run(self, watch: Watch, take_rows=None, digest_type: int | None = None) -> None:
        """Judges all rows. Where no row is lost, computes the object's digest.

        :param take_rows: called as ``take_rows(rows, settled)`` with each batch that was read,
            after its data blocks are complete; raising ends the survey.
        :param digest_type: what to compute when no footer is left to compare with.
        """
        stripe = self._stripe
        geometry, layout = stripe.geometry, stripe.layout
        wanted_digest = stripe.digest_type if stripe.digest is not None else digest_type
        row_count = stripe.rows_at_once
        if layout.row_count is not None:
            row_count = max(1, min(row_count, layout.row_count))
        with ObjectDigest(wanted_digest) as object_digest:
            for first_row, count, rows in stripe.read_ahead(
                    stripe.batches_and_gaps(row_count), row_count, range(geometry.shard_count)):
                size = layout.data_size_of(first_row, count)
                if rows is None:
                    self._judge_gap(first_row, count)
                    watch.step(first_row * geometry.row_size + size)
                    continue
                settled = [self._judge(rows, row) for row in range(count)]
                if not self._kinds["lost"] and not self._kinds["unknown"]:
                    for row, answer in enumerate(settled):
                        rows.rebuild(stripe.code, row, answer.sources,
                                     missing_data(stripe, answer.sources))
                    if layout.is_last(first_row + count - 1):
                        self.is_padded = stripe.is_padded(rows, count - 1)
                    rows.digested = object_digest.add(cut(rows.views.data_pieces, size))
                if take_rows is not None:
                    take_rows(rows, settled)
                watch.step(first_row * geometry.row_size + size)
            if not self._kinds["lost"] and not self._kinds["unknown"]:
                self.computed_digest = object_digest.finish()
                try:
                    self.digest_state = require_digest(stripe, object_digest)
                except DigestMismatch as mismatch:
                    self.digest_state = "mismatch"
                    self.mismatch = mismatch
        if layout.row_count == 0:
            watch.step(0)

    def _judge(self, rows: Rows, row: int) -> Settled:
        answer = self._stripe.settle(rows, row)
        number = rows.first_row + row
        self._kinds[answer.kind] += 1
        if answer.kind == "lost":
            self.lost_rows.add(number, 1)
        if answer.wrong or answer.is_disputed:
            self.inconsistent_rows.add(number, 1)
            self.has_dispute |= answer.is_disputed
        self._fewest = min(self._fewest, int((rows.states[:, row] == GOOD).sum()))
        return answer

    def _judge_gap(self, first_row: int, count: int) -> None:
        """Judges rows of which no file can hold a block, however many."""
        kind = self._stripe.skip(count)
        self._kinds[kind] += count
        if kind == "lost":
            self.lost_rows.add(first_row, count)
        self._fewest = 0

    @property
    def is_recoverable(self) -> bool:
        """Whether every row is whole and ends as it must, and what was guessed is confirmed by
        the digest."""
        return not (self._kinds["lost"] or self._kinds["unknown"]
                    or self.digest_state == "mismatch" or not self.is_padded
                    or (self.has_dispute and self.digest_state != "match"))

    def report(self) -> VerifyReport:
        """The verdict."""
        stripe = self._stripe
        geometry, layout = stripe.geometry, stripe.layout
        shards = stripe.shard_reports()
        margin = self._fewest - geometry.data_shards
        if layout.row_count == 0:
            margin = sum(file.footer is not None for file in stripe.files) - 1
        if self.is_recoverable:
            is_healthy = all(shard.state == "good" for shard in shards)
            status = "healthy" if is_healthy and not self.inconsistent_rows else "repairable"
        elif self._kinds["unknown"] and not self._kinds["lost"]:
            status = "unknown"
        else:
            status = "beyond repair"
        return VerifyReport(
            stripe=stripe.describe(), status=status,
            rows=RowCounts(total=layout.row_count, **self._kinds), margin=margin,
            digest=self.digest_state, lost_rows=tuple(self.lost_rows),
            inconsistent_rows=tuple(self.inconsistent_rows), shards=shards,
            skipped=tuple(stripe.skipped))
