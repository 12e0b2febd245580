"""What shard files say of themselves, without looking at their neighbours or every block."""

from collections.abc import Callable, Sequence
from os import PathLike

from .reports import InspectReport


def inspect(
    paths: str | PathLike | Sequence[str | PathLike],
    *,
    cancel: Callable[[], bool] | None = None,
) -> InspectReport:
    """Reads the header and footer of every file among ``paths`` (files and folders).

    A file that was named, or whose name ends in ``.reed``, and that has neither is searched for
    blocks, which carry the whole geometry. Never raises for what a file holds. Raises OSError for
    a path that does not exist, and Cancelled.
    """
    raise NotImplementedError
