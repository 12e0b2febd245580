"""An object into shard files: rows are read, encoded, sealed, written, read back, published."""

from collections.abc import Callable, Sequence
from os import PathLike
from typing import BinaryIO

from ..codes import Replication, ReedSolomon
from .reports import EncodeReport


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
    raise NotImplementedError
