"""Makes the shards of a stripe whole again, from verified blocks only."""

from collections.abc import Callable, Sequence
from os import PathLike

from .reports import RepairReport


def repair(
    shards: str | PathLike | Sequence[str | PathLike],
    *,
    targets: str | PathLike | Sequence[str | PathLike] | None = None,
    stripe_id: bytes | str | None = None,
    dry_run: bool = False,
    threads: int = 1,
    progress: Callable[[int, int | None], object] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> RepairReport:
    """Rewrites every damaged shard file in place and creates the missing ones.

    ``shards`` and ``stripe_id`` as in ``decode``. A missing shard goes to the folder, among
    ``targets`` or by default among the folders that were given or in which shards were found,
    that holds the fewest shards of the stripe (the first of equals), under the name that
    ``encode`` gave the others. A file at that place is never overwritten: one that is not
    recognisable as anything is renamed aside and reported; for any other, another name is used.

    A file is replaced only after its successor was written beside it, fsynced and read back from
    the medium block by block, so it has every good block that the old one had. A shard that is
    partly or wholly unreadable (EIO) is *unknown*: it is never replaced and never recreated
    elsewhere. The object's digest must match before anything is replaced. Where checksums are
    right and shards disagree, the wrong ones are located by the code where it can, the data
    shards are believed where it cannot, and the digest decides; without a recorded digest only
    the former is done. ``dry_run`` tells what would be done.

    ``progress`` counts bytes of the object over both passes: (done, 2 * object size).

    Raises as ``verify``; BeyondRepair, DigestMismatch, ConflictingShards, ReadBackMismatch,
    Cancelled and OSError, each with no file replaced that its successor would not improve: files
    are replaced one by one, so an error in the middle leaves earlier ones repaired, the others as
    they were.
    """
    raise NotImplementedError
