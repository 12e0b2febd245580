"""One version of an object, open: its bytes, all of them or some."""

from collections.abc import Iterator

from ..errors import InvalidParameter
from ..files.decoding import ObjectReader
from ..files.reading import GOOD, UNKNOWN
from ..files.work import Watch
from .audit import info
from .reader import Opened
from .reports import GetReport


class OpenObject:
    """One version of an object, open. ``info``: an ObjectInfo."""

    def __init__(self, key: str, opened: Opened):
        self.info = info(key, opened.entry)
        self._opened = opened

    def reading(self, start: int, end: int | None) -> "Reading":
        """The bytes from ``start`` to before ``end``. Raises InvalidParameter."""
        size = self.info.size
        if not 0 <= start <= size or (end is not None and end < start):
            raise InvalidParameter(f"start must be 0 to {size}, and end not before it, not "
                                   f"{start} and {end}")
        return Reading(self.info.key, self._opened, start, size if end is None else min(end, size))

    def chunks(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """As ``Store.chunks``, of this version."""
        for pieces in self.reading(start, end).pieces():
            yield b"".join(pieces)


class Reading:
    """Some bytes of an opened version."""

    def __init__(self, key: str, opened: Opened, start: int, end: int):
        self._key = key
        self._opened = opened
        self._start = start
        self._end = end
        self._written = 0
        row_size = opened.stripe.geometry.row_size
        is_whole = start == 0 and end == opened.entry.size
        first_row, end_row = (0, None) if is_whole else (
            (start // row_size, -(-end // row_size)) if start < end else (0, 0))
        self._offset = first_row * row_size
        self._reader = ObjectReader(opened.stripe, first_row, end_row)

    @property
    def size(self) -> int:
        return self._end - self._start

    def pieces(self) -> Iterator[list[memoryview]]:
        """The bytes, as pieces that stay until the next step."""
        position = self._offset
        for _, _, pieces in self._reader.batches():
            wanted = []
            for piece in pieces:
                begin, end = max(0, self._start - position), self._end - position
                if begin < min(end, len(piece)):
                    wanted.append(piece[begin:end])
                position += len(piece)
            if wanted:
                yield wanted

    def write_to(self, output, watch: Watch) -> None:
        """Writes all of them."""
        for pieces in self.pieces():
            output.write(pieces)
            self._written += sum(map(len, pieces))
            watch.step(self._written)

    def report(self) -> GetReport:
        """What was written, and what was met on the way."""
        stripe = self._opened.stripe
        damaged = [index for index, states in enumerate(stripe.shard_states)
                   if sum(states.values()) - states[GOOD] - states[UNKNOWN] > 0]
        damaged = sorted({*damaged, *self._opened.missing})
        return GetReport(
            object=info(self._key, self._opened.entry), bytes_written=self._written,
            rebuilt_rows=self._reader.rebuilt_rows, damaged_shards=tuple(damaged),
            digest=self._reader.digest_state, repaired=False)
