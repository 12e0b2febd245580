"""Stopping cleanly: signals become a request, and waiting on a pipe does not hide it.

A verb is asked to stop by SIGINT, SIGTERM or SIGHUP. The handler only notes it; the work notices at
its next step, removes its temporaries and raises ``Cancelled``. A second signal does not wait for
the next step. Once the work is being left, further signals change nothing: they would only
interrupt the removal of the temporaries.
"""

import os
import select
import signal
import stat

from ..errors import Cancelled

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_POLL_SECONDS = 0.1
# POSIX: a write of PIPE_BUF bytes to a pipe that select calls writable does not block.
_PIPE_CHUNK = select.PIPE_BUF
_FILE_CHUNK = 1 << 20


class StopRequest:
    """Called, it tells whether to stop: the ``cancel`` of ``reed.files``."""

    def __init__(self):
        self._is_requested = False
        self._is_leaving = False  # whoever does the work was told: its cleanup may have begun
        self._earlier = {}

    def __call__(self):
        self._is_leaving = self._is_requested
        return self._is_leaving

    def _note(self, number, frame):
        if self._is_requested and not self._is_leaving:
            self._is_leaving = True
            raise KeyboardInterrupt
        self._is_requested = True

    def __enter__(self):
        for number in SIGNALS:
            # What was told to ignore a signal (nohup) goes on ignoring it.
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._earlier[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_):
        for number, handler in self._earlier.items():
            signal.signal(number, handler)

    def wait(self, descriptor, for_writing=False):
        """Returns when the descriptor is ready; raises Cancelled when asked to stop."""
        while True:
            if self():
                raise Cancelled("interrupted")
            readable, writable = ([], [descriptor]) if for_writing else ([descriptor], [])
            if any(select.select(readable, writable, [], _POLL_SECONDS)):
                return


class StandardInput:
    """Standard input as ``reed.files`` reads it: ``readinto`` that stops when asked."""

    def __init__(self, stop, descriptor=0):
        self._stop = stop
        self._descriptor = descriptor

    def readinto(self, buffer):
        self._stop.wait(self._descriptor)
        return os.readv(self._descriptor, [buffer])


class StandardOutput:
    """Standard output as ``reed.files`` writes it: all of it, or an exception."""

    def __init__(self, stop, descriptor=1):
        self._stop = stop
        self._descriptor = descriptor
        is_pipe = stat.S_ISFIFO(os.fstat(descriptor).st_mode)
        self._chunk = _PIPE_CHUNK if is_pipe else _FILE_CHUNK

    def write(self, data):
        with memoryview(data) as whole, whole.cast("B") as view:
            done = 0
            while done < len(view):
                self._stop.wait(self._descriptor, for_writing=True)
                done += os.write(self._descriptor, view[done:done + self._chunk])
            return done
