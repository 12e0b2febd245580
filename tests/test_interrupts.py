"""Interrupts at the worst moments: a second signal, a signal during the cleanup, an interrupt while
threads write; and arguments that change while the core reads them."""

import contextlib
import io
import os
import signal
import sys
import threading
import time

import numpy as np
import pytest

import reed
from reed import files
from reed.cli.session import describe_error
from reed.cli.stopping import StopRequest
from reed.files import medium
from reed.files.digests import ObjectDigest
from reed.files.encoding import Encoder, Source
from reed.files.layout import Geometry, RecordBatch
from reed.files.reading import Stripe, open_stripe
from reed.files.work import Calls, Watch, Workers
from reed.files.writing import ShardWriter

# ---- signals to the command ----------------------------------------------------------------------


def test_a_second_signal_is_raised_once():
    with StopRequest() as stop:
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGINT)
        assert stop()


def test_no_signal_is_raised_once_the_work_was_told():
    with StopRequest() as stop:
        assert not stop()
        signal.raise_signal(signal.SIGINT)
        assert stop()
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.raise_signal(number)
        assert stop()


@pytest.mark.parametrize("first", [(signal.SIGINT,), (signal.SIGINT, signal.SIGTERM)],
                         ids=["one signal", "two signals"])
def test_signals_during_the_cleanup_leave_no_temporary(tmp_path, monkeypatch, first):
    source, folder = tmp_path / "object", tmp_path / "disk"
    source.write_bytes(bytes(100_000))
    folder.mkdir()
    write, unlink = medium.pwritev, os.unlink
    writes, unlinked = [], []

    def interrupted_write(*arguments):
        writes.append(arguments)
        if len(writes) == 7:
            for number in first:
                signal.raise_signal(number)
        return write(*arguments)

    def interrupted_unlink(*arguments, **options):
        unlinked.append(arguments)
        signal.raise_signal(signal.SIGHUP)
        return unlink(*arguments, **options)

    monkeypatch.setattr(medium, "pwritev", interrupted_write)
    monkeypatch.setattr(os, "unlink", interrupted_unlink)
    with StopRequest() as stop, pytest.raises((reed.Cancelled, KeyboardInterrupt)) as raised:
        files.encode(source, folder, code=reed.ReedSolomon(3, 2), block_size=4096, threads=1,
                     cancel=stop)
    assert len(unlinked) == 5
    assert list(folder.iterdir()) == []
    # Only who knows that they were removed says so.
    message = describe_error(raised.value)
    assert message.startswith("interrupted")
    assert ("removed" in message) == isinstance(raised.value, reed.Cancelled)


# ---- an interrupt of the caller of threads -------------------------------------------------------


class Tasks:
    """Tasks that tell when they run, and that last until released."""

    def __init__(self):
        self.begun = threading.Semaphore(0)
        self.release = threading.Event()
        self.ended = []

    def __call__(self, item):
        self.begun.release()
        assert self.release.wait(30)
        time.sleep(0.05)  # whoever does not wait for the end gets away in this time
        self.ended.append(item)


@pytest.mark.parametrize("interrupts", [1, 3])
def test_interrupted_map_waits_for_what_runs(interrupts):
    tasks = Tasks()

    def interrupt():
        for _ in range(2):
            assert tasks.begun.acquire(timeout=30)
        for _ in range(interrupts):
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            time.sleep(0.05)
        tasks.release.set()

    earlier = signal.signal(signal.SIGINT, signal.default_int_handler)
    thread = threading.Thread(target=interrupt)
    try:
        with Workers(2) as workers:
            thread.start()
            with pytest.raises(KeyboardInterrupt):
                workers.map(tasks, range(6))
            ended = sorted(tasks.ended)
            thread.join()
        # A slow machine may begin more before the interrupt is noticed; what began has ended.
        assert ended[:2] == [0, 1]
        assert sorted(tasks.ended) == ended, "something ran afterwards"
    finally:
        tasks.release.set()
        signal.signal(signal.SIGINT, earlier)


def test_map_interrupted_while_it_submits(monkeypatch):
    tasks = Tasks()
    tasks.release.set()
    with Workers(2) as workers:
        submit = workers._executor.submit
        submitted = []

        def interrupted_submit(*arguments):
            # The worst moment: the executor has the task, the caller not yet its future.
            submitted.append(submit(*arguments))
            if len(submitted) == 2:
                for _ in range(2):
                    assert tasks.begun.acquire(timeout=30)
                raise KeyboardInterrupt
            return submitted[-1]

        monkeypatch.setattr(workers._executor, "submit", interrupted_submit)
        with pytest.raises(KeyboardInterrupt):
            workers.map(tasks, range(6))
        ended = sorted(tasks.ended)
    assert ended == [0, 1] == sorted(tasks.ended)


def test_workers_that_end_leave_nobody_waiting():
    tasks = Tasks()
    results = []
    workers = Workers(2)
    waiting = threading.Thread(
        target=lambda: results.append(workers.map(tasks, range(4))), daemon=True)
    waiting.start()
    for _ in range(2):
        assert tasks.begun.acquire(timeout=30)
    threading.Timer(0.1, tasks.release.set).start()
    workers.__exit__(None, None, None)  # while two tasks run and two are queued
    waiting.join(5)
    assert results == [[None] * 4] and sorted(tasks.ended) == [0, 1, 2, 3]
    with pytest.raises(RuntimeError, match="after shutdown"):
        workers.map(tasks, range(4))


class InterruptAt:
    """Raises KeyboardInterrupt before the n-th instruction of some functions, in this thread."""

    def __init__(self, functions, number):
        self.codes = {function.__code__ for function in functions}
        self.left = number

    def __enter__(self):
        self.earlier = sys.gettrace()
        sys.settrace(self.trace)
        return self

    def __exit__(self, kind, error, traceback):
        sys.settrace(self.earlier)

    def trace(self, frame, event, argument):
        if frame.f_code not in self.codes or self.left < 0:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
        return self.trace


class SlowMedium:
    """Counts the calls that run."""

    def __init__(self, real):
        self.real = real
        self.running = 0
        self.guard = threading.Lock()

    def __call__(self, *arguments):
        with self.guard:
            self.running += 1
        try:
            time.sleep(0.001)
            return self.real(*arguments)
        finally:
            with self.guard:
                self.running -= 1


def write_an_object(workers, folder, slow):
    geometry = Geometry(b"\1" * 16, "native", 2, 1, 4096)
    paths = [folder / name for name in "abc"]
    fields = {"stripe_id": geometry.stripe_id, "generator": "native",
              "matrix_crc32c": geometry.make_code().matrix_crc32c, "data_shards": 2,
              "parity_shards": 1, "block_size": 4096, "digest_type": 0, "compatible_flags": 0}
    with medium.Publication() as publication, ObjectDigest(0) as digest:
        writers = [ShardWriter(publication.create(str(path)), {**fields, "shard_index": index})
                   for index, path in enumerate(paths)]
        encoder = Encoder(geometry.make_code(), geometry, writers, workers, digest)
        try:
            encoder.run(Source(io.BytesIO(bytes(10_000))), Watch(None, None))
        finally:
            assert slow.running == 0


def read_an_object(workers, folder, slow):
    with open_stripe([str(folder)], None, workers, lambda: None) as stripe:
        try:
            for _ in stripe.read_ahead(stripe.batches_and_gaps(1), 1, range(3)):
                pass
        finally:
            assert slow.running == 0


@pytest.mark.parametrize("work, call, functions", [
    (write_an_object, "pwritev", (Encoder._write, Encoder._end_writing, Calls.begin,
                                  Calls.results, Workers.calls)),
    (read_an_object, "preadv", (Stripe.read_ahead, Stripe._end_reading, Stripe._calls_to_read,
                                Calls.begin, Calls.results, Workers.calls)),
], ids=["write", "read"])
def test_an_interrupt_at_any_instruction_leaves_nothing_running(tmp_path, monkeypatch, work, call,
                                                                functions):
    """Neither between beginning to write or read and knowing what was begun, nor elsewhere."""
    monkeypatch.setattr(RecordBatch, "BATCH_BYTES", 1)
    source, folder = tmp_path / "object", tmp_path / "disk"
    source.write_bytes(bytes(10_000))
    folder.mkdir()
    if work is read_an_object:
        files.encode(source, folder, code=reed.ReedSolomon(2, 1), block_size=4096)
    slow = SlowMedium(getattr(medium, call))
    monkeypatch.setattr(medium, call, slow)
    interrupt = None
    number = 0
    with Workers(2) as workers:
        while interrupt is None or interrupt.left < 0:
            with InterruptAt(functions, number) as interrupt, contextlib.suppress(
                    KeyboardInterrupt):
                work(workers, folder, slow)
            number += 1
    assert number > 100


def test_interrupted_repair_writes_to_no_closed_descriptor(tmp_path, monkeypatch):
    source, folder = tmp_path / "object", tmp_path / "disk"
    source.write_bytes(bytes(100_000))
    folder.mkdir()
    paths = files.encode(source, folder, code=reed.ReedSolomon(3, 2), block_size=4096).paths
    for path in paths[:2]:
        os.unlink(path)
    left = sorted(os.listdir(folder))
    write = medium.pwritev
    failures = []

    def slow_write(*arguments):
        if arguments[2] > 30_000:  # the footers, which threads write
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            time.sleep(0.3)
        try:
            return write(*arguments)
        except OSError as error:
            failures.append(error)
            raise

    monkeypatch.setattr(medium, "pwritev", slow_write)
    earlier = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            files.repair(folder, threads=2)
    finally:
        signal.signal(signal.SIGINT, earlier)
    assert failures == [] and sorted(os.listdir(folder)) == left


# ---- arguments that change while they are read ---------------------------------------------------


class Shrinking(list):
    """A list that gives fewer items than its length says."""

    def __iter__(self):
        return iter(self[:-1])


class Repeating(dict):
    """A mapping whose keys never end."""

    def __iter__(self):
        while True:
            yield from self.keys()


class Changing:
    """An index that is another one each time it is asked."""

    def __init__(self, *values):
        self.values = list(values)

    def __index__(self):
        return self.values.pop(0) if len(self.values) > 1 else self.values[0]

    def __le__(self, other):
        return True

    def __ge__(self, other):
        return True

    def __lt__(self, other):
        return True


ROWS = np.arange(3 * 64, dtype=np.uint8).reshape(3, 64)


def test_a_list_that_shrinks_is_refused():
    code = reed.ReedSolomon(3, 2)
    with pytest.raises(reed.InvalidParameter, match="data must have 3 rows, not 2"):
        code.encode(Shrinking(ROWS))
    out = Shrinking([bytearray(64), bytearray(64)])
    with pytest.raises(reed.InvalidParameter, match="out must have 2 rows, not 1"):
        code.encode(ROWS, out=out)
    assert out == [bytes(64)] * 2


def test_parity_without_end_is_refused():
    code = reed.ReedSolomon(3, 2)
    parity = Repeating({3: bytearray(64), 4: bytearray(64)})
    with pytest.raises(reed.InvalidParameter, match="more than 256 buffers"):
        code.update(parity, 0, ROWS[0], ROWS[1])
    assert parity[3] == parity[4] == bytes(64)


@pytest.mark.parametrize("wanted", [Changing(7), Changing(-1), Changing(1 << 40), 3, -1, 1 << 64,
                                    "1", 1.0, None])
def test_a_wanted_row_is_what_it_converts_to(wanted):
    code = reed.ReedSolomon(3, 2)
    with pytest.raises(reed.InvalidParameter, match="wanted rows must be 0 to 2, not"):
        code.decode(dict(enumerate(ROWS)), wanted=[wanted])


@pytest.mark.parametrize("threads", [1 << 31, 1 << 70, -(1 << 70)])
def test_threads_beyond_any_machine(threads):
    code = reed.ReedSolomon(3, 2)
    shards = {**dict(enumerate(ROWS[1:], 1)), 3: code.encode(ROWS)[0]}
    checksums = {i: code.encode_crc32c(ROWS)[1][i] for i in shards}
    for call in (code.encode, code.encode_crc32c):
        with pytest.raises(reed.InvalidParameter, match=f"at most {(1 << 31) - 1}, not {threads}"):
            call(ROWS, threads=threads)
    for call in (code.decode, code.reconstruct,
                 lambda shards, threads: code.reconstruct_crc32c(shards, checksums,
                                                                 threads=threads)):
        with pytest.raises(reed.InvalidParameter, match=f"at most {(1 << 31) - 1}, not {threads}"):
            call(shards, threads=threads)
