"""An object into shard files: rows are read, encoded, sealed, written, read back, published."""

import os
import secrets
from collections.abc import Callable, Sequence
from os import PathLike
from typing import BinaryIO

import numpy

from .. import _core
from ..codes import ReedSolomon, Replication
from ..errors import InvalidParameter, TargetExists
from . import medium
from .digests import ObjectDigest, digest_number
from .layout import (
    BLOCK_HEADER_SIZE,
    BatchViews,
    Geometry,
    Layout,
    RecordBatch,
    cut,
    describe,
    shard_name,
    stripe_id_bytes,
)
from .reports import EncodeReport
from .work import Watch, Workers, folder_list
from .writing import ShardWriter

_BUFFER_COUNT = 3  # one is read into or encoded, one is written, one may still be under the digest


def encode(
    source: str | PathLike | BinaryIO,
    targets: str | PathLike | Sequence[str | PathLike],
    *,
    code: ReedSolomon | Replication | None = None,
    block_size: int = 65536,
    digest: str = "sha256",
    stripe_id: bytes | str | None = None,
    name: str | None = None,
    overwrite: bool = False,
    threads: int = 1,
    progress: Callable[[int, int | None], object] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> EncodeReport:
    """Protects an object: writes one shard file per shard of the code.

    ``source`` is a path or a readable binary object (``readinto`` or ``read``; a pipe is fine and
    is read once, to its end). ``targets`` is one folder or several that stand for failure domains
    (disks, machines); they must exist. Shard i goes to ``targets[i % len(targets)]`` under
    ``NAME.III.reed``, III being i in three digits or more. ``name`` defaults to the file name of
    a path; a stream needs one.

    ``code`` defaults to ``ReedSolomon(10, 4)``. ``block_size`` is a power of two, 4,096 to
    16,777,216 bytes. ``digest`` of the whole object: "sha256", "blake3" (needs the package of that
    name) or "none". ``stripe_id``: 16 bytes or 32 hexadecimal digits, random by default; with the
    same id, input and options the files are the same bytes everywhere. Never use an id for two
    different objects.

    Files that exist are refused unless ``overwrite``. ``threads`` is how many threads encode,
    write and read back; the digest has one more of its own. ``progress(done, total)`` is called
    from the calling thread with bytes of the object (total is None for a stream of unknown size);
    ``cancel()`` is asked as often, and True raises Cancelled.

    All shards are written to temporaries, fsynced and read back from the medium before the first
    one gets its final name. After an error, an interrupt or a cancellation, no temporary remains
    and no shard is published (with ``overwrite``: the earlier files stand again). A crash (power,
    SIGKILL) can leave temporaries; between the first and the last rename it can also leave only
    some of the shards published, all whole: ``verify`` tells, and ``repair`` completes them from
    data_shards on. The source is only read.

    Raises InvalidParameter, TargetExists, Cancelled, ReadBackMismatch, OSError (a full disk, a
    source or target that fails).
    """
    code = ReedSolomon(10, 4) if code is None else code
    geometry = _geometry_of(code, block_size, stripe_id)
    fields = {
        "stripe_id": geometry.stripe_id, "generator": geometry.generator,
        "matrix_crc32c": code.matrix_crc32c, "data_shards": geometry.data_shards,
        "parity_shards": geometry.parity_shards, "shard_index": 0,
        "block_size": geometry.block_size, "digest_type": digest_number(digest),
        "compatible_flags": 0,
    }
    _core.shard_header_write(fields)  # refuses what a header cannot say, before any work
    folders = folder_list(targets, "targets")
    with Source(source) as opened:
        paths = _shard_paths(folders, _base_name(name, opened), geometry.shard_count, overwrite)
        watch = Watch(progress, cancel, opened.size)
        with medium.Publication() as publication, Workers(threads) as workers, \
                ObjectDigest(fields["digest_type"]) as object_digest:
            writers = [ShardWriter(publication.create(path), {**fields, "shard_index": shard_index})
                       for shard_index, path in enumerate(paths)]
            encoder = Encoder(code, geometry, writers, workers, object_digest)
            object_size = encoder.run(opened, watch)
            layout = Layout(geometry, object_size)
            object_hash = object_digest.finish()
            watch.total = object_size
            workers.map(lambda writer: writer.finish(layout, object_hash), writers)
            workers.map(
                lambda writer: writer.read_back(layout, encoder.blocks, watch.check), writers)
            watch.step(object_size)
            publication.publish(overwrite)
    return EncodeReport(
        stripe=describe(geometry, object_size, fields["digest_type"], object_hash),
        paths=tuple(paths), stored_size=geometry.shard_count * layout.file_size)


def encode_rows(code, views: BatchViews, row_count: int, crcs: numpy.ndarray) -> None:
    """Computes the parity of the first rows of a batch, and in the same pass the CRC32C of every
    payload into `crcs` (shards, rows)."""
    for row in range(row_count):
        _, checksums = code.encode_crc32c(views.data_rows[row], views.payload_size,
                                          out=views.parity_rows[row])
        crcs[:, row] = checksums[:, 0]


class Encoder:
    """Takes an object row by row from its source to the writers of its shards."""

    def __init__(self, code, geometry: Geometry, writers: list[ShardWriter], workers: Workers,
                 object_digest: ObjectDigest):
        self.blocks = geometry.make_block_geometry()
        self._code = code
        self._geometry = geometry
        self._layout = Layout(geometry, None)
        self._writers = writers
        self._workers = workers
        self._digest = object_digest
        self._shard_indices = numpy.arange(geometry.shard_count, dtype=numpy.uint32)
        self._full_record_size = geometry.block_size + BLOCK_HEADER_SIZE
        self._writing = workers.calls(None, ())  # of the batch before

    def run(self, source: "Source", watch: Watch) -> int:
        """Encodes to the end of the source; returns the object's size in bytes."""
        geometry = self._geometry
        rows = RecordBatch.rows_for(geometry, _BUFFER_COUNT)
        if source.size is not None:
            rows = max(1, min(rows, -(-source.size // geometry.row_size)))
        batches = [RecordBatch(geometry, rows) for _ in range(_BUFFER_COUNT)]
        digested = [None] * _BUFFER_COUNT
        batch_size = rows * geometry.row_size
        waiting = None  # a full batch: whether it ends the object is known after the next read
        done = 0
        position = 0
        try:
            while True:
                batch = batches[position]
                if digested[position] is not None:
                    digested[position].result()
                views = batch.views(self._full_record_size, geometry.block_size, rows)
                size = source.fill(views.data_pieces)
                digested[position] = self._digest.add(cut(views.data_pieces, size))
                if waiting is not None:
                    self._write(*waiting, rows, geometry.row_size if size == 0 else 0)
                done += size
                watch.step(done)
                if size < batch_size:
                    break
                waiting = (batch, views, (done - size) // geometry.row_size)
                position = (position + 1) % _BUFFER_COUNT
            self._finish(batch, views, (done - size) // geometry.row_size, size)
            self._end_writing()
        finally:
            self._writing.abandon()
        for future in digested:
            if future is not None:
                future.result()
        return done

    def _finish(self, batch: RecordBatch, views: BatchViews, first_row: int, size: int) -> None:
        """The last, partial batch of `size` bytes: full rows, then perhaps a short one."""
        row_size = self._geometry.row_size
        row_count, rest_size = divmod(size, row_size)
        if row_count:
            self._write(batch, views, first_row, row_count, 0 if rest_size else row_size)
        if rest_size:
            pieces = views.data_pieces[row_count * self._geometry.data_shards:]
            rest = b"".join(cut(pieces, rest_size))
            short = RecordBatch(self._geometry, 1)
            layout = Layout(self._geometry, rest_size)
            short_views = short.views(layout.record_size(0), layout.payload_size(0), 1)
            _scatter_padded(rest, short_views)
            self._write(short, short_views, first_row + row_count, 1, rest_size)

    def _write(self, batch: RecordBatch, views: BatchViews, first_row: int, row_count: int,
               last_row_data_size: int) -> None:
        """Encodes and seals the first rows of a batch, and begins to write them when the batch
        before has been written."""
        crcs = batch.crcs[:, :row_count]
        encode_rows(self._code, views, row_count, crcs)
        self.blocks.seal_records(views.records[:, :row_count], crcs, self._shard_indices,
                                 first_row, last_row_data_size)

        def write(writer: ShardWriter) -> None:
            records = views.shard_pieces[writer.shard_index]
            writer.write_records(records[:row_count * views.records.shape[2]], self._layout,
                                 first_row)

        self._end_writing()
        self._writing = self._workers.calls(write, self._writers)
        self._writing.begin()

    def _end_writing(self) -> None:
        self._writing.results()
        self._writing = self._workers.calls(None, ())


def _scatter_padded(row: bytes, views: BatchViews) -> None:
    """Puts the bytes of a short row into equal payloads, zeros behind them."""
    payload_size = views.payload_size
    for shard, piece in enumerate(views.data_pieces):
        part = row[shard * payload_size:(shard + 1) * payload_size]
        piece[:len(part)] = part
        piece[len(part):] = bytes(payload_size - len(part))


def _geometry_of(code, block_size: int, stripe_id: bytes | str | None) -> Geometry:
    if not isinstance(code, (ReedSolomon, Replication)):
        raise InvalidParameter(f"code must be a ReedSolomon or a Replication, not {code!r}")
    if code.generator == "explicit":
        raise InvalidParameter("a code with a matrix of your own has no number in a shard file")
    chosen = secrets.token_bytes(_core.STRIPE_ID_SIZE) if stripe_id is None else (
        stripe_id_bytes(stripe_id))
    return Geometry(chosen, code.generator, code.data_shards, code.parity_shards, block_size)


def _base_name(name: str | None, source: "Source") -> str:
    if name is None:
        name = source.name
    if name is None:
        raise InvalidParameter("name is needed: the source is a stream and has none")
    if not name or os.path.basename(name) != name or "\0" in name:
        raise InvalidParameter(f"name must be a file name without a folder, not {name!r}")
    return name


def _shard_paths(folders: list[str], name: str, shard_count: int, overwrite: bool) -> list[str]:
    paths = [os.path.join(folders[shard_index % len(folders)], shard_name(name, shard_index))
             for shard_index in range(shard_count)]
    for path in paths:
        if not overwrite and os.path.lexists(path):
            raise TargetExists(f"{path} exists", path=path)
    return paths


class Source:
    """Reads an object to its end, from a path or a readable object, into given pieces."""

    def __init__(self, source):
        self.name = None
        self.size = None  # bytes, where it is known before the end
        self._descriptor = -1
        self._stream = None
        if isinstance(source, (str, PathLike)):
            path = os.fsdecode(source)
            self.name = os.path.basename(os.path.abspath(path))
            self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            self.size = medium.regular_size(self._descriptor)
        elif hasattr(source, "readinto") or hasattr(source, "read"):
            self._stream = source
        else:
            raise InvalidParameter(
                f"source must be a path or a readable binary object, not {source!r}")

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        if self._descriptor >= 0:
            os.close(self._descriptor)

    def fill(self, pieces: list[memoryview]) -> int:
        """Fills the pieces one after the other; fewer bytes than fit only at the end."""
        if self._stream is None:
            return medium.read_into_all(self._descriptor, pieces)
        total = 0
        for piece in pieces:
            done = 0
            while done < len(piece):
                count = self._read_stream(piece[done:])
                if count == 0:
                    return total + done
                done += count
            total += done
        return total

    def _read_stream(self, buffer: memoryview) -> int:
        if hasattr(self._stream, "readinto"):
            count = self._stream.readinto(buffer)
        else:
            data = self._stream.read(len(buffer))
            count = None if data is None else len(data)
            if count:
                buffer[:count] = data
        if count is None:
            raise BlockingIOError("the source is not ready; it must be a blocking stream")
        return count
