"""What shard files say of themselves, without looking at their neighbours or every block."""

import errno
import os
from collections.abc import Callable, Sequence
from os import PathLike

from .layout import Geometry, Layout, describe
from .reports import FileReport, InspectReport, SkippedFile
from .scanning import ShardFile, list_files, probe
from .work import Watch, path_list


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
    check = Watch(None, cancel).check
    files, skipped, _ = list_files(path_list(paths, "paths"))
    reports = []
    for file in skipped:
        if file.kind == "absent":
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), file.path)
        reports.append(_of_skipped(file))
    for path, is_named in files:
        check()
        found = probe(path, is_named, check)
        reports.append(_of_skipped(found) if isinstance(found, SkippedFile) else _of_shard(found))
    return InspectReport(files=tuple(reports))


def _of_skipped(file: SkippedFile) -> FileReport:
    size = None
    if file.kind != "unreadable":
        try:
            size = os.stat(file.path).st_size
        except FileNotFoundError:
            size = None  # gone since it was listed
    return FileReport(
        path=file.path, size=size, kind=file.kind, stripe=None, shard_index=None,
        format_version=None, header=file.reason, footer=file.reason, expected_size=None,
        fragment_blocks=0)


def _of_shard(file: ShardFile) -> FileReport:
    ends = file.ends
    expected_size = None
    version = None
    if ends is None:
        geometries = file.geometries()
        stripe = None
        if len(geometries) == 1:
            stripe = describe(geometries.pop(), None, None, None)
    else:
        footer = file.footer or {}
        object_size = footer.get("object_size")
        geometry = Geometry.of_fields(ends)
        stripe = describe(geometry, object_size, ends["digest_type"], footer.get("digest"))
        version = f"{ends['version_major']}.{ends['version_minor']}"
        if object_size is not None:
            expected_size = Layout(geometry, object_size).file_size
    return FileReport(
        path=file.path, size=file.size, kind="fragment" if ends is None else "shard",
        stripe=stripe, shard_index=file.shard_index, format_version=version,
        header=file.header_state, footer=file.footer_state, expected_size=expected_size,
        fragment_blocks=sum(run.block_count for run in file.runs))
