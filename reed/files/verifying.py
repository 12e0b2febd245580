"""Reads every block of a stripe and says how it stands; writes nothing."""

from collections.abc import Callable, Sequence
from os import PathLike

from .reports import VerifyReport


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
    raise NotImplementedError
