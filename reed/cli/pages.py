"""Writing a report as a page, for the verbs that have --html."""

import os
from pathlib import Path

from reed.errors import TargetExists


def publish_page(path: Path, page: str, overwrite: bool) -> None:
    """Writes the page under another name first, so that half a report never stands at `path`."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with open(unfinished, "x", encoding="utf-8") as file:
            file.write(page)
        check_free(path, overwrite)
        os.replace(unfinished, path)
    except OSError as error:
        if isinstance(error, TargetExists):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from None
    finally:
        unfinished.unlink(missing_ok=True)


def check_free(path: Path, overwrite: bool) -> None:
    """Raises TargetExists where a page stands that must not be replaced."""
    if path.exists() and not overwrite:
        raise TargetExists(f"{path} exists", path=str(path))
