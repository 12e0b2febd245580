"""What a stripe is and where its bytes lie, above the structures that the C core parses.

FORMAT.md is the reference; the arithmetic and every check of bytes is the core's
(``reed._core``). Here are the Python objects that the rest of the package passes around.
"""

import os
import re
from dataclasses import dataclass

import numpy

from .. import _core
from ..codes import ReedSolomon, Replication
from ..errors import ConflictingShards, FormatError, InvalidParameter
from .reports import StripeReport

HEADER_SIZE = _core.HEADER_SIZE
FOOTER_SIZE = _core.FOOTER_SIZE
BLOCK_HEADER_SIZE = _core.BLOCK_HEADER_SIZE

DIGEST_TYPES = ("none", "sha256", "blake3")  # the position is the number in a header

_SHARD_NAME = re.compile(r"(?P<name>.+)\.(?P<index>[0-9]{3,})\.reed", re.DOTALL)


def shard_name(name: str, shard_index: int) -> str:
    """The file name of a shard: ``NAME.III.reed``."""
    return f"{name}.{shard_index:03d}.reed"


def parse_shard_name(path: str) -> tuple[str, int] | None:
    """Name and shard index of a file that is called as ``shard_name`` says, else None."""
    match = _SHARD_NAME.fullmatch(os.path.basename(path))
    if match is None:
        return None
    return match["name"], int(match["index"])


def stripe_id_bytes(stripe_id: bytes | str) -> bytes:
    """The 16 bytes of a stripe id that was given as bytes or as 32 hexadecimal digits."""
    if isinstance(stripe_id, str):
        try:
            stripe_id = bytes.fromhex(stripe_id)
        except ValueError:
            raise InvalidParameter(
                f"stripe_id must be hexadecimal digits, not {stripe_id!r}") from None
    stripe_id = bytes(stripe_id)
    if len(stripe_id) != _core.STRIPE_ID_SIZE or not any(stripe_id):
        raise InvalidParameter(
            f"stripe_id must be {_core.STRIPE_ID_SIZE} bytes that are not all zero, not "
            f"{stripe_id.hex() or 'empty'}")
    return stripe_id


@dataclass(frozen=True)
class Geometry:
    """What every block of a stripe says besides its place: all that is needed to decode."""

    stripe_id: bytes
    generator: str
    data_shards: int
    parity_shards: int
    block_size: int

    @classmethod
    def of_fields(cls, fields: dict) -> "Geometry":
        """From a parsed header, footer or block."""
        return cls(fields["stripe_id"], fields["generator"], fields["data_shards"],
                   fields["parity_shards"], fields["block_size"])

    @property
    def shard_count(self) -> int:
        """Data and parity shards together."""
        return self.data_shards + self.parity_shards

    @property
    def row_size(self) -> int:
        """Bytes of the object in a full row."""
        return self.data_shards * self.block_size

    def make_code(self):
        """The code that made the shards."""
        if self.generator == "replication":
            return Replication(self.data_shards + self.parity_shards)
        return ReedSolomon(self.data_shards, self.parity_shards, generator=self.generator)

    def make_block_geometry(self) -> _core.BlockGeometry:
        """The core's object that writes and checks the records of this stripe."""
        return _core.BlockGeometry(self.stripe_id, self.generator, self.data_shards,
                                   self.parity_shards, self.block_size)


def require_same(first: dict, first_path: str, other: dict, other_path: str,
                 fields: tuple[str, ...]) -> None:
    """Raises ConflictingShards where two verified headers or footers of a stripe differ."""
    for field in fields:
        if first[field] != other[field]:
            raise ConflictingShards(
                f"{other_path}: {field} is {_shown(other[field])}, but {first_path} of the same "
                f"stripe says {_shown(first[field])}; leave one of them out",
                path=other_path, field=field, value=other[field])


def _shown(value) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def require_matrix(code, matrix_crc32c: int, path: str) -> None:
    """Raises FormatError unless this release generates the matrix that a header pins."""
    if code.matrix_crc32c != matrix_crc32c:
        raise FormatError(
            f"{path}: the generator matrix has CRC32C {matrix_crc32c:#010x}, but "
            f"{code.generator} {code.data_shards}+{code.parity_shards} is "
            f"{code.matrix_crc32c:#010x} here",
            path=path, field="matrix_crc32c", value=matrix_crc32c, minimum=code.matrix_crc32c,
            maximum=code.matrix_crc32c)


class Layout:
    """Rows, records and offsets of a stripe; with the object's size still unknown, of full rows
    without end."""

    def __init__(self, geometry: Geometry, object_size: int | None):
        self.geometry = geometry
        self.object_size = object_size
        sizes = _core.shard_layout(geometry.data_shards, geometry.block_size, object_size or 0)
        self.full_record_size = sizes["full_record_size"]
        self.row_count = None
        if object_size is not None:
            self.row_count = sizes["row_count"]
            self.last_row_data_size = sizes["last_row_data_size"]
            self.last_payload_size = sizes["last_payload_size"]
            self.footer_offset = sizes["footer_offset"]
            self.file_size = sizes["file_size"]

    def is_last(self, row: int) -> bool:
        """Whether a row is the object's last."""
        return self.row_count is not None and row == self.row_count - 1

    def data_size(self, row: int) -> int:
        """Bytes of the object in a row."""
        return self.last_row_data_size if self.is_last(row) else self.geometry.row_size

    def payload_size(self, row: int) -> int:
        """Bytes of each block of a row."""
        return self.last_payload_size if self.is_last(row) else self.geometry.block_size

    def record_size(self, row: int) -> int:
        """Bytes of each record of a row: block header, payload and zeros."""
        if not self.is_last(row):
            return self.full_record_size
        return self.footer_offset - self.offset_of(row)

    def data_size_of(self, first_row: int, count: int) -> int:
        """Bytes of the object in consecutive rows."""
        return (count - 1) * self.geometry.row_size + self.data_size(first_row + count - 1)

    def padding_begin(self, row: int, shard_index: int) -> int:
        """Where in a data shard's payload the zeros begin that fill up the object's last row;
        the payload's size where there are none."""
        payload_size = self.payload_size(row)
        return max(0, min(payload_size, self.data_size(row) - shard_index * payload_size))

    def size_of_records(self, first_row: int, count: int) -> int:
        """Bytes of the records of consecutive rows in a shard file."""
        return (count - 1) * self.full_record_size + self.record_size(first_row + count - 1)

    def offset_of(self, row: int) -> int:
        """Where the record of a row begins in a shard file."""
        return HEADER_SIZE + row * self.full_record_size

    def last_data_size_of(self, first_row: int, count: int) -> int:
        """What the core's functions take as `last_row_data_size` for these rows: the bytes of the
        object's last row when it is among them, else 0."""
        return self.last_row_data_size if self.is_last(first_row + count - 1) else 0

    def batches(self, rows_per_batch: int, end_row: int, first_row: int = 0):
        """Pairs (first row, count) that cover the rows before `end_row`; a last row with shorter
        blocks stands alone."""
        full_end = end_row
        if end_row and self.payload_size(end_row - 1) != self.geometry.block_size:
            full_end = end_row - 1
        for first in range(first_row, full_end, rows_per_batch):
            yield first, min(rows_per_batch, full_end - first)
        if full_end < end_row:
            yield full_end, 1


class RecordBatch:
    """A reused buffer for the records of some consecutive rows of a stripe.

    ``records`` is a (shards, rows, record_size) uint8 array: the records of a shard are adjacent
    there as they are in its file, so files are read and written in one piece, and row r of the
    object is the payloads ``records[:data_shards, r, 64:]``.
    """

    # Buffers of one verb together stay within this, or have one row each where a row is larger.
    MEMORY_MAX = 48 << 20
    # Small enough that a batch is still in the cache when the next step takes it up.
    BATCH_BYTES = 4 << 20

    @classmethod
    def rows_for(cls, geometry: Geometry, buffer_count: int) -> int:
        """How many rows a buffer holds when there are `buffer_count` of them."""
        row_bytes = geometry.shard_count * (geometry.block_size + BLOCK_HEADER_SIZE)
        return max(1, min(cls.BATCH_BYTES, cls.MEMORY_MAX // buffer_count) // row_bytes)

    def __init__(self, geometry: Geometry, row_count: int):
        record_size = geometry.block_size + BLOCK_HEADER_SIZE
        self.geometry = geometry
        self.crcs = numpy.empty((geometry.shard_count, row_count), numpy.uint32)
        self._memory = numpy.empty(geometry.shard_count * row_count * record_size, numpy.uint8)
        self._key = None
        self._views = None

    def views(self, record_size: int, payload_size: int, row_count: int) -> "BatchViews":
        """The views for this many rows of records of this size."""
        key = (record_size, payload_size, row_count)
        if self._key != key:
            self._views = BatchViews(self._memory, self.geometry, *key)
            self._key = key
        return self._views


class BatchViews:
    """Views into a RecordBatch, made once and used for every batch of the same shape."""

    def __init__(self, memory, geometry: Geometry, record_size: int, payload_size: int,
                 row_count: int):
        shard_count, data_shards = geometry.shard_count, geometry.data_shards
        self.row_count = row_count
        self.payload_size = payload_size
        self.records = memory[:shard_count * row_count * record_size].reshape(
            shard_count, row_count, record_size)
        payloads = self.records[:, :, BLOCK_HEADER_SIZE:BLOCK_HEADER_SIZE + payload_size]
        self.data_rows = [payloads[:data_shards, row] for row in range(row_count)]
        self.parity_rows = [payloads[data_shards:, row] for row in range(row_count)]
        # The object's bytes in their order, as many pieces.
        self.data_pieces = [memoryview(payloads[shard, row]) for row in range(row_count)
                            for shard in range(data_shards)]
        self.shard_pieces = [memoryview(self.records[shard].reshape(-1))
                             for shard in range(shard_count)]
        self.payloads = payloads


def cut(pieces: list[memoryview], size: int) -> list[memoryview]:
    """The pieces that hold the first `size` bytes, the last of them shortened."""
    kept = []
    for piece in pieces:
        if size <= 0:
            break
        kept.append(piece[:size])
        size -= len(piece)
    return kept


def describe(geometry: Geometry, object_size: int | None, digest_type: int | None,
             digest: bytes | None) -> StripeReport:
    """The report form of what is known of a stripe."""
    row_count = None
    if object_size is not None:
        row_count = Layout(geometry, object_size).row_count
    recorded = None
    if digest is not None and digest_type:
        recorded = digest.hex()
    return StripeReport(
        stripe_id=geometry.stripe_id.hex(), generator=geometry.generator,
        data_shards=geometry.data_shards, parity_shards=geometry.parity_shards,
        block_size=geometry.block_size, object_size=object_size, row_count=row_count,
        digest_type=None if digest_type is None else DIGEST_TYPES[digest_type], digest=recorded)
