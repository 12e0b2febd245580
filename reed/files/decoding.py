"""Shard files back into the object: decode, or where that is impossible, salvage."""

from collections.abc import Callable, Sequence
from os import PathLike
from typing import BinaryIO

from .reports import DecodeReport, SalvageReport


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
    raise NotImplementedError


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
    TARGET itself. A row that cannot be rebuilt still gives its good data blocks. Without any
    readable length the file ends at the last verified byte.

    Parameters and errors as ``decode``; damage to blocks is not an error here.
    """
    raise NotImplementedError
