"""Looks at files and says what they are: shards by their header or footer, fragments by the blocks
that are found in them, or foreign. Nothing here is believed without a checksum.

A file is read at both ends. One that was named, or is called ``*.reed``, and has neither end is
searched for blocks from beginning to end; blocks carry the whole geometry, so even pieces of a raw
disk image take part. Other files of a folder are not searched: a folder may hold anything.
"""

import errno
import os
import stat
from dataclasses import dataclass, field

from .. import _core
from ..errors import CorruptShard, FormatError, TruncatedShard, UnsupportedFormat
from . import medium
from .layout import FOOTER_SIZE, HEADER_SIZE, Geometry, Layout
from .reports import SkippedFile

# What the headers and footers of a stripe must agree on; in one file also its index and flags.
IDENTITY_FIELDS = ("stripe_id", "generator", "matrix_crc32c", "data_shards", "parity_shards",
                   "block_size", "digest_type")

_BLOCK_MAGIC = b"\x89RSB\r\n\x1a\n"
_WINDOW_BYTES = 1 << 20
_SMALLEST_READ = 1 << 12  # where a window is unreadable, what is given up at once
# A search reads at most this much in records that turn out to be none, so that a hostile file
# cannot make it quadratic: four times the file, and room for damage in small ones.
_WASTE_FACTOR = 4
_WASTE_BYTES = 64 << 20
# Each run is a piece of a shard at one distance from its proper place; more of them than this in
# one file is not damage that happens.
_RUNS_MAX = 1 << 16


@dataclass
class Run:
    """Records of one shard that stand one behind the other in a file: row r is at
    ``offset + (r - first_row) * record size``. ``end_row`` None: to the end of the object."""

    geometry: Geometry
    shard_index: int
    first_row: int
    end_row: int | None
    offset: int
    block_count: int = 0  # valid blocks that a search found in it


@dataclass
class ShardFile:
    """A file that holds something of a stripe."""

    path: str
    identity: os.stat_result
    size: int
    header: dict | None = None
    footer: dict | None = None
    header_state: str = "good"  # or why there is none
    footer_state: str = "good"
    is_unreadable: bool = False  # the medium refused some of the file, outside blocks too
    runs: list[Run] = field(default_factory=list)
    # Rows and bytes of the object in the block that was found to be the last one, of a search.
    last_rows: dict[Geometry, tuple[int, int]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    is_mixture: bool = False  # holds blocks of more than one shard, or not in their places
    handle: medium.OpenFile | None = None
    unsupported: UnsupportedFormat | None = None

    @property
    def ends(self) -> dict | None:
        """The header's or footer's fields, whichever is there."""
        return self.header or self.footer

    @property
    def shard_index(self) -> int | None:
        """The one shard that this file is (a part of); None for a mixture."""
        if self.ends is not None:
            return self.ends["shard_index"]
        held = {(run.geometry, run.shard_index) for run in self.runs}
        return held.pop()[1] if len(held) == 1 else None

    def geometries(self) -> set[Geometry]:
        """Every stripe that this file holds something of."""
        if self.ends is not None:
            return {Geometry.of_fields(self.ends)}
        return {run.geometry for run in self.runs}

    def open(self) -> None:
        """Opens the file for reading."""
        if self.handle is None:
            self.handle = medium.OpenFile(self.path)

    def close(self) -> None:
        """Closes it."""
        if self.handle is not None:
            self.handle.close()
            self.handle = None


def list_files(paths: list[str]) -> tuple[list[tuple[str, bool]], list[SkippedFile], list[str]]:
    """The files behind paths: (path, whether it was named itself) in a stable order, what was left
    out at once, and the folders among the paths."""
    files, skipped, folders = [], [], []
    for path in paths:
        try:
            is_folder = stat.S_ISDIR(os.stat(path).st_mode)
            entries = sorted(os.scandir(path), key=lambda entry: entry.name) if is_folder else []
        except FileNotFoundError:
            skipped.append(SkippedFile(path, "absent", "does not exist"))
            continue
        except OSError as error:
            skipped.append(_unreadable(path, error))
            continue
        if not is_folder:
            files.append((path, True))
            continue
        folders.append(path)
        for entry in entries:
            if medium.is_temporary(entry.name):
                skipped.append(SkippedFile(entry.path, "temporary",
                                           "left by a write that did not end"))
            elif not entry.is_dir():
                files.append((entry.path, False))
    return files, skipped, folders


def scan(paths: list[str], check) -> tuple[list[ShardFile], list[SkippedFile], list[str]]:
    """Everything among `paths` that holds something of some stripe, what does not, and the folders
    among them. `check()` is called now and then and may raise."""
    files, skipped, folders = list_files(paths)
    found = []
    seen = set()
    for path, is_named in files:
        check()
        result = probe(path, is_named, check)
        if isinstance(result, SkippedFile):
            skipped.append(result)
        elif (result.identity.st_dev, result.identity.st_ino) not in seen:
            # A second name of the same bytes is not a second copy.
            seen.add((result.identity.st_dev, result.identity.st_ino))
            found.append(result)
    return found, skipped, folders


def probe(path: str, is_named: bool, check) -> ShardFile | SkippedFile:
    """What one file is. The file is closed again."""
    try:
        handle = medium.OpenFile(path)
    except FileNotFoundError:
        return SkippedFile(path, "absent", "does not exist")
    except IsADirectoryError:
        return SkippedFile(path, "foreign", "a folder")
    except OSError as error:
        return _unreadable(path, error)
    try:
        size = handle.size()
    except OSError as error:
        handle.close()
        return _unreadable(path, error)
    file = ShardFile(path, os.fstat(handle.descriptor), size, handle=handle)
    try:
        read_ends(file)
        if file.ends is not None:
            return file
        if file.unsupported is not None:
            return SkippedFile(path, "unsupported", str(file.unsupported))
        if file.size and (is_named or path.endswith(".reed")):
            search(file, None, check)
            if file.runs:
                return file
        if file.is_unreadable:
            return SkippedFile(path, "unreadable", f"header {file.header_state}, footer "
                                                   f"{file.footer_state}")
        return SkippedFile(path, "foreign", "neither header, footer nor block")
    finally:
        file.close()


def _unreadable(path: str, error: OSError) -> SkippedFile:
    if error.errno == errno.EINVAL:  # what open_to_read says of anything but files
        return SkippedFile(path, "foreign", "not a regular file")
    return SkippedFile(path, "unreadable", error.strerror or str(error))


def read_ends(file: ShardFile) -> None:
    """Reads header and footer of an open file; two that contradict each other count as neither."""
    file.header, file.header_state = read_end(file, _core.shard_header_parse, 0, HEADER_SIZE)
    file.footer, file.footer_state = read_footer(file, max(0, file.size - FOOTER_SIZE))
    if file.header is None or file.footer is None:
        return
    for name in (*IDENTITY_FIELDS, "shard_index", "compatible_flags"):
        if file.header[name] != file.footer[name]:
            # Two files in one. Each end is right about itself; neither is about the whole.
            state = f"header and footer belong to different shards ({name} differs)"
            file.header = file.footer = None
            file.header_state = file.footer_state = state
            return


def read_footer(file: ShardFile, offset: int) -> tuple[dict | None, str]:
    """The footer at this offset, or None and the reason."""
    return read_end(file, _core.shard_footer_parse, offset, FOOTER_SIZE)


def read_end(file: ShardFile, parse, offset: int, size: int) -> tuple[dict | None, str]:
    """The structure that `parse` finds at this offset, or None and the reason."""
    buffer = bytearray(size)
    try:
        count = file.handle.read_at(memoryview(buffer), offset)
    except OSError as error:
        file.is_unreadable = True
        return None, f"unreadable ({error.strerror})"
    try:
        return parse(memoryview(buffer)[:count]), "good"
    except UnsupportedFormat as error:
        error.path = file.path
        file.unsupported = error
        return None, "unsupported"
    except CorruptShard:
        return None, "corrupt"
    except FormatError:
        return None, "absent"


def search(file: ShardFile, geometry: Geometry | None, check) -> None:
    """Fills ``runs`` and ``last_rows`` with every valid block in the file, at any offset.

    With a geometry, only blocks of that stripe are taken.
    """
    file.runs = []
    open_runs: dict[tuple[Geometry, int], Run] = {}
    allowance = _WASTE_FACTOR * file.size + _WASTE_BYTES
    end = 0  # of the last valid record: an object may itself hold shards, which are not ours
    for offset in _magic_offsets(file, check):
        if offset < end:
            continue
        fields, wasted = _record_at(file, offset)
        if fields is None:
            allowance -= wasted
            if allowance < 0:
                file.problems.append(f"{file.path}: the search for blocks was given up at byte "
                                     f"{offset}: too many false beginnings")
                return
            continue
        end = offset + _core.BLOCK_HEADER_SIZE + fields["payload_size"]
        found = Geometry.of_fields(fields)
        if geometry is not None and found != geometry:
            continue
        if fields["is_last_row"]:
            file.last_rows[found] = (fields["row"], fields["row_data_size"])
        key = (found, fields["shard_index"])
        run = open_runs.get(key)
        record_size = found.block_size + _core.BLOCK_HEADER_SIZE
        if run is not None and offset - run.offset == (fields["row"] - run.first_row) * record_size:
            run.end_row = fields["row"] + 1
            run.block_count += 1
            continue
        if len(file.runs) >= _RUNS_MAX:
            file.problems.append(f"{file.path}: in more than {_RUNS_MAX} pieces; the rest is not "
                                 "used")
            return
        run = Run(*key, fields["row"], fields["row"] + 1, offset, 1)
        open_runs[key] = run
        file.runs.append(run)


def _magic_offsets(file: ShardFile, check):
    """Every offset at which a block may begin."""
    overlap = len(_BLOCK_MAGIC) - 1
    buffer = bytearray(_WINDOW_BYTES + overlap)
    base = 0
    while base < file.size:
        check()
        count = _read_what_can_be(file, buffer, base)
        position = buffer.find(_BLOCK_MAGIC, 0, count)
        while position >= 0:
            yield base + position
            position = buffer.find(_BLOCK_MAGIC, position + 1, count)
        base += _WINDOW_BYTES


def _read_what_can_be(file: ShardFile, buffer: bytearray, offset: int) -> int:
    """Fills the buffer, zeros where the medium does not answer."""
    view = memoryview(buffer)
    try:
        return file.handle.read_at(view, offset)
    except OSError:
        file.is_unreadable = True
    size = min(len(buffer), file.size - offset)
    for begin in range(0, size, _SMALLEST_READ):
        piece = view[begin:min(begin + _SMALLEST_READ, size)]
        try:
            file.handle.read_at(piece, offset + begin)
        except OSError:
            piece[:] = bytes(len(piece))
    return size


def _record_at(file: ShardFile, offset: int) -> tuple[dict | None, int]:
    """The block that begins at this offset, or None; and how many bytes were read."""
    size = _SMALLEST_READ + _core.BLOCK_HEADER_SIZE
    read = 0
    while True:
        buffer = bytearray(size)
        try:
            count = file.handle.read_at(memoryview(buffer), offset)
        except OSError:
            file.is_unreadable = True
            return None, read + size
        read += count
        try:
            return _core.block_parse(memoryview(buffer)[:count]), read
        except TruncatedShard:
            largest = _core.BLOCK_SIZE_MAX + _core.BLOCK_HEADER_SIZE
            if count < size or size == largest:
                return None, read
            size = min(4 * size, largest)
        except FormatError:
            return None, read


def stands_in_place(file: ShardFile, layout: Layout, blocks: _core.BlockGeometry) -> bool:
    """Whether the last whole record that fits into the file is where it belongs: a sample that
    tells a file that lost or gained bytes at its end from one that did so in the middle."""
    row = min(layout.row_count, (file.size - HEADER_SIZE) // layout.full_record_size) - 1
    if row < 0:
        return True
    record = bytearray(layout.record_size(row))
    try:
        count = file.handle.read_at(memoryview(record), layout.offset_of(row))
    except OSError:
        file.is_unreadable = True
        return True
    states = blocks.check_records(record, count, file.shard_index, row, 1,
                                  layout.last_data_size_of(row, 1))
    return states[0] == _core.RECORD_GOOD
