"""Writes one shard file into a temporary and reads it back from the medium; used by encode and
repair."""

import contextlib
import os
import stat

import numpy

from .. import _core
from ..errors import ReadBackMismatch
from . import medium
from .digests import crc32c_of
from .layout import Layout

_READ_BACK_BYTES = 1 << 20


class ShardWriter:
    """One shard file on its way: header, records, footer, sync, proof by reading back."""

    def __init__(self, temporary: medium.Temporary, fields: dict):
        self.shard_index = fields["shard_index"]
        self._fields = fields
        self._header = _core.shard_header_write(fields)
        self._footer = b""
        self._temporary = temporary
        temporary.write_at([memoryview(self._header)], 0)

    def take_owner_and_mode(self, status: os.stat_result) -> None:
        """Gives the file the owner and the permissions of the one that it will replace."""
        # Only root gives files away; without it the file belongs to whoever repaired it.
        with contextlib.suppress(PermissionError):
            os.fchown(self._temporary.descriptor, status.st_uid, status.st_gid)
        os.fchmod(self._temporary.descriptor, stat.S_IMODE(status.st_mode))

    def write_records(self, records: memoryview, layout: Layout, first_row: int) -> None:
        """Writes adjacent records at the place of `first_row`."""
        self._temporary.write_at([records], layout.offset_of(first_row))

    def finish(self, layout: Layout, digest: bytes) -> None:
        """Writes the footer and brings the file to the medium."""
        self._footer = _core.shard_footer_write(
            {**self._fields, "object_size": layout.object_size, "row_count": layout.row_count,
             "digest": digest})
        self._temporary.write_at([memoryview(self._footer)], layout.footer_offset)
        self._temporary.sync()

    def read_back(self, layout: Layout, blocks: _core.BlockGeometry, check) -> None:
        """Reads the file from the medium and verifies every byte of it; `check()` may raise to
        end it early. Raises ReadBackMismatch."""
        self._require(self._header, 0)
        self._require(self._footer, layout.footer_offset)
        size = self._temporary.size()
        if size != layout.file_size:
            raise self._mismatch(min(size, layout.file_size))
        rows_at_once = max(1, _READ_BACK_BYTES // layout.full_record_size)
        buffer = numpy.empty(rows_at_once * layout.full_record_size, numpy.uint8)
        for first_row, count in layout.batches(rows_at_once, layout.row_count):
            check()
            offset = layout.offset_of(first_row)
            size = layout.size_of_records(first_row, count)
            size = self._temporary.read_at(memoryview(buffer)[:size], offset)
            last_size = layout.last_data_size_of(first_row, count)
            states = blocks.check_records(buffer, size, self.shard_index, first_row, count,
                                          last_size)
            if states.count(_core.RECORD_GOOD) != count:
                bad_row = next(i for i, state in enumerate(states) if state != _core.RECORD_GOOD)
                raise self._mismatch(offset + bad_row * layout.full_record_size)

    def _require(self, expected: bytes, offset: int) -> None:
        found = bytearray(len(expected))
        size = self._temporary.read_at(memoryview(found), offset)
        if found[:size] != expected:
            raise self._mismatch(offset)

    def _mismatch(self, offset: int) -> ReadBackMismatch:
        path = self._temporary.final_path
        return ReadBackMismatch(
            f"{path}: the medium does not give back what was written, from byte {offset} on",
            path=path, offset=offset)


def read_back_object(temporary: medium.Temporary, size: int, crc32c: int, check) -> None:
    """Reads a plain file from the medium and compares its length and CRC32C with what was
    written. Raises ReadBackMismatch."""
    buffer = memoryview(bytearray(_READ_BACK_BYTES))
    found = 0
    offset = 0
    while True:
        check()
        count = temporary.read_at(buffer, offset)
        found = crc32c_of([buffer[:count]], found)
        offset += count
        if count < len(buffer):
            break
    if offset != size or found != crc32c:
        raise ReadBackMismatch(
            f"{temporary.final_path}: the medium does not give back what was written ({offset} "
            f"bytes with CRC32C {found:#010x}, not {size} with {crc32c:#010x})",
            path=temporary.final_path, offset=min(offset, size))
