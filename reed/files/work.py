"""The small things that every verb needs: threads, progress and cancellation, arguments."""

import errno
import os
import stat
from concurrent.futures import Future, ThreadPoolExecutor

from ..errors import Cancelled, InvalidParameter


def path_list(paths, what: str) -> list[str]:
    """One path or several as a list of strings, at least one."""
    if isinstance(paths, (str, os.PathLike)):
        paths = [paths]
    result = [os.fsdecode(path) for path in paths]
    if not result:
        raise InvalidParameter(f"{what} must have at least one path")
    return result


def folder_list(paths, what: str) -> list[str]:
    """As ``path_list``, of folders that exist."""
    folders = path_list(paths, what)
    for folder in folders:
        if not stat.S_ISDIR(os.stat(folder).st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), folder)
    return folders


class Workers:
    """Runs a function over items on `threads` threads, the caller's own when there is one.

    A context manager that waits for its threads, whatever ends it.
    """

    def __init__(self, threads: int):
        if not isinstance(threads, int) or isinstance(threads, bool) or threads < 1:
            raise InvalidParameter(f"threads must be at least 1, not {threads!r}")
        self.threads = threads
        self._executor = ThreadPoolExecutor(threads, "reed-files") if threads > 1 else None

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        if self._executor is not None:
            # What is queued runs to its end: others may wait for it, and nobody would wake them.
            # Whoever is interrupted abandons what he began, which leaves the queue empty.
            self._executor.shutdown(wait=True)

    def map(self, function, items) -> list:
        """The results in the order of the items; the first error is raised when all have ended,
        so nothing still writes into a buffer or a descriptor that the caller reuses. An interrupt
        of the caller's thread is raised when all that had begun have ended; the rest never do."""
        return self.calls(function, items).run()

    def calls(self, function, items) -> "Calls":
        """As ``map``, to be begun and waited for separately."""
        return Calls(self._executor, function, items)


class Calls:
    """Calls that an executor makes once they are begun; without one they are made when their
    results are asked for.

    Whoever begins them holds them already, and abandons them whatever happens: an interrupt may
    come between any two steps, and calls that nobody knows of would go on with buffers and
    descriptors that have become someone else's.
    """

    def __init__(self, executor: ThreadPoolExecutor | None, function, items):
        self._executor = executor
        self._function = function
        self._calls = [(Future(), item) for item in items]

    def begin(self) -> None:
        """Hands them to the executor."""
        if self._executor is not None:
            for future, item in self._calls:
                self._executor.submit(_run, future, self._function, item)

    def results(self) -> list:
        """What ``Workers.map`` returns or raises; not before all of them have ended."""
        if self._executor is None:
            return [self._function(item) for _, item in self._calls]
        errors = [future.exception() for future, _ in self._calls]
        for error in errors:
            if error is not None:
                raise error
        return [future.result() for future, _ in self._calls]

    def run(self) -> list:
        """Begins them and returns their results."""
        try:
            self.begin()
            return self.results()
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Returns when none of them runs and none ever will."""
        _abandon([future for future, _ in self._calls])


def _run(future: Future, function, item) -> None:
    """Runs the function unless the future was cancelled before."""
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(function(item))
    except BaseException as error:
        future.set_exception(error)


def _abandon(futures: list[Future]) -> None:
    """Returns when none of them runs and none ever will, however often that is interrupted: the
    interrupt that led here is raised by the caller."""
    is_waiting = True
    while is_waiting:
        try:
            for future in futures:
                future.cancel()
            for future in futures:
                if not future.cancelled():
                    future.exception()
            is_waiting = False
        except BaseException:
            continue


class Watch:
    """Carries a caller's ``progress`` and ``cancel`` through the loops."""

    def __init__(self, progress, cancel, total: int | None = None):
        self._progress = progress
        self._cancel = cancel
        self.total = total
        self.offset = 0  # bytes of earlier passes

    def step(self, done: int) -> None:
        """Reports `done` bytes; raises Cancelled when the caller wants out."""
        if self._progress is not None:
            self._progress(self.offset + done, self.total)
        self.check()

    def check(self) -> None:
        """Raises Cancelled when the caller wants out."""
        if self._cancel is not None and self._cancel():
            raise Cancelled("cancelled by the caller")
