"""Taking samples: interleaved, pinned to one processor, disturbed ones taken again."""

import contextlib
import os
from dataclasses import dataclass

import numpy

from benchmarks import machine
from benchmarks.job import ROTATING

HOT_SAMPLE_NANOSECONDS = 1_000_000
ROTATING_SAMPLE_NANOSECONDS = 2_000_000
LEAD_BYTES_MAX = 64 << 20  # what a sample over a ring touches before its clock starts, at most
CALLS_MAX = 1 << 20
RETRIES_MAX = 5
RETRIED_NANOSECONDS_MAX = 4_000_000  # longer samples are disturbed again on a busy machine


@dataclass(frozen=True)
class Measured:
    """Samples of several contenders, row by row from the same time."""

    names: list
    nanoseconds: numpy.ndarray  # (rounds, contenders), of one call
    disturbed_count: int        # samples whose thread was preempted; they count the time it ran


def processors():
    """Those that this process may use, in ascending order."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count()))


@contextlib.contextmanager
def pinned(processor):
    """Keeps this thread on one processor, where the system can; None: does nothing."""
    if processor is None or not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {processor})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _lead_calls(contender, level):
    """Untimed calls before each sample: as many as fill the last cache where the ring is used."""
    if level != ROTATING or contender.touched_bytes == 0:
        return 1
    lead_bytes = min(machine.last_cache_size(), LEAD_BYTES_MAX)
    return max(1, -(-lead_bytes // contender.touched_bytes))


def _calls(contender, level):
    """Calls that make a sample of about the length that suits the level."""
    wanted = ROTATING_SAMPLE_NANOSECONDS if level == ROTATING else HOT_SAMPLE_NANOSECONDS
    calls = 1
    while True:
        taken = contender.time(1, calls).nanoseconds
        if taken >= wanted / 4 or calls >= CALLS_MAX:
            return max(1, min(CALLS_MAX, round(calls * wanted / max(taken, 1))))
        calls = min(CALLS_MAX, calls * max(2, min(16, wanted // max(taken, 1))))


def _sample(contender, lead_calls, calls):
    """(nanoseconds, whether it was disturbed) of one sample.

    One during which the thread lost its processor is taken again, RETRIES_MAX times at most. What
    is disturbed even then counts for the time that its thread ran, and is reported.
    """
    for _ in range(1 + RETRIES_MAX):
        sample = contender.time(lead_calls, calls)
        if not sample.preemptions or sample.nanoseconds > RETRIED_NANOSECONDS_MAX:
            break
    if sample.preemptions:
        return sample.running, True
    return sample.nanoseconds, False


def interleave(contenders, rounds, level):
    """`rounds` samples of each contender, A B C A B C ..."""
    calls = [_calls(contender, level) for contender in contenders]
    leads = [_lead_calls(contender, level) for contender in contenders]
    nanoseconds = numpy.empty((rounds, len(contenders)))
    disturbed_count = 0
    for row in nanoseconds:
        for i, contender in enumerate(contenders):
            taken, is_disturbed = _sample(contender, leads[i], calls[i])
            row[i] = taken / calls[i]
            disturbed_count += is_disturbed
    return Measured([contender.name for contender in contenders], nanoseconds, disturbed_count)
