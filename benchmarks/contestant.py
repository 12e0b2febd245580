"""The one interface of everything that is timed: reed, its peers, the roofline.

A *contestant* is a library. For an operation and a job it makes a *contender*, which can be proven
right and timed. What it does not have it refuses with ``Absent`` and the reason, which the report
prints.
"""

import gc
import resource
import time
from typing import NamedTuple


class Absent(Exception):
    """This contestant, operation or feature cannot be had here; the text says why."""


class Sample(NamedTuple):
    """What one timing saw."""

    nanoseconds: int
    running: int      # of these, how many the thread ran; all where several threads work
    preemptions: int  # how often another thread took the processor meanwhile


class Contender:
    """One thing to time."""

    stripes_per_call = 1  # how many stripes' data one call works through
    touched_bytes = 0     # bytes that one call reads and writes; 0: unknown

    def __init__(self, name):
        self.name = name

    def prove(self):
        """Runs once and raises AssertionError where the result is wrong."""
        raise NotImplementedError

    def time(self, lead_calls, calls):
        """A Sample of `calls` calls, behind `lead_calls` that are not timed."""
        raise NotImplementedError


class PythonContender(Contender):
    """A Python callable without arguments, timed in a Python loop of about 20 ns a turn, with the
    collector of cycles off. `threads` is how many work on one call."""

    def __init__(self, name, call, prove, touched_bytes=0, threads=1):
        super().__init__(name)
        self.call = call
        self.touched_bytes = touched_bytes
        self.threads = threads
        self._prove = prove

    def prove(self):
        self._prove(self.call())

    def time(self, lead_calls, calls):
        call = self.call
        for _ in range(lead_calls):
            call()
        who = getattr(resource, "RUSAGE_THREAD", resource.RUSAGE_SELF)
        collects = gc.isenabled()
        gc.disable()
        try:
            preemptions_before = resource.getrusage(who).ru_nivcsw
            running_before = time.thread_time_ns()
            begin = time.perf_counter_ns()
            for _ in range(calls):
                call()
            taken = time.perf_counter_ns() - begin
            running = time.thread_time_ns() - running_before
            preemptions = resource.getrusage(who).ru_nivcsw - preemptions_before
            return Sample(taken, running if self.threads == 1 else taken, preemptions)
        finally:
            if collects:
                gc.enable()


class Contestant:
    """A library that can be timed.

    A subclass sets ``name``; its constructor imports or loads the library and raises ``Absent``
    where it cannot be had; it sets ``version``. For each operation that it has it defines a method
    of that name (with _ for every other sign) that takes a Job and options and returns a
    Contender.
    """

    name = None
    version = None

    def contender(self, operation, job, **options):
        method = getattr(self, operation.translate(str.maketrans("-+ ", "___")), None)
        if method is None:
            raise Absent(f"{self.name} has no {operation}")
        return method(job, **options)
