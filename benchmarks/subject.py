"""Reed as a contestant: its plans through the C harness, and its Python API."""

import ctypes
import dataclasses
from ctypes import byref, c_uint8, c_uint32, c_void_p

import numpy

import reed
from benchmarks import harness, measure, oracle
from benchmarks.contestant import Absent, Contestant, PythonContender
from benchmarks.harness import NativeContender, ThreadedContender
from benchmarks.job import POISON
from benchmarks.memory import page_aligned
from benchmarks.peers import isal

GENERATOR_NATIVE, GENERATOR_REPLICATION = 1, 2  # enum reed_generator


def _indices(shards):
    return (c_uint32 * len(shards))(*shards)


class _Code:
    """An owned reed_code and the plans made from it."""

    def __init__(self, job, kernel):
        self.core = harness.core()
        self.handle = c_void_p()
        self.job = job
        self.kernel = harness.find_kernel(kernel)
        generator = GENERATOR_REPLICATION if job.data_shards == 1 else GENERATOR_NATIVE
        options = harness.CodeOptions(
            struct_size=ctypes.sizeof(harness.CodeOptions), generator=generator,
            data_shards=job.data_shards, parity_shards=job.parity_shards, kernel=self.kernel)
        self.require(self.core.reed_code_create(byref(options), byref(self.handle)))

    def __del__(self):
        self.core.reed_code_destroy(self.handle)

    def require(self, status):
        if status != 0:
            message = self.core.reed_status_message(status).decode()
            raise Absent(f"{self.job.data_shards}+{self.job.parity_shards}: {message}")

    def parity_matrix(self):
        rows = numpy.empty((self.job.parity_shards, self.job.data_shards), numpy.uint8)
        for index, row in enumerate(rows, self.job.data_shards):
            pointer = row.ctypes.data_as(ctypes.POINTER(c_uint8))
            self.require(self.core.reed_code_row(self.handle, index, pointer))
        return rows

    def encode_plan(self):
        plan = _Plan(self)
        self.require(self.core.reed_plan_create_encode(self.handle, byref(plan.handle)))
        return plan

    def dense_encode_plan(self):
        """The same product as any matrix: no transform, whatever the coefficients."""
        plan = _Plan(self)
        matrix = self.parity_matrix()
        self.require(self.core.reed_plan_create_matrix(
            self.kernel, None, matrix.ctypes.data, *matrix.shape, byref(plan.handle)))
        return plan

    def reconstruct_plan(self):
        plan = _Plan(self)
        available, lost = self.job.available, self.job.lost
        self.require(self.core.reed_plan_create_reconstruct(
            self.handle, _indices(available), len(available), _indices(lost), len(lost),
            byref(plan.handle)))
        return plan


class _Plan:
    """An owned reed_plan."""

    def __init__(self, code):
        self.code = code
        self.handle = c_void_p()

    def __del__(self):
        self.code.core.reed_plan_destroy(self.handle)

    @property
    def sources(self):
        count = self.code.core.reed_plan_source_count(self.handle)
        return [self.code.core.reed_plan_source(self.handle, i) for i in range(count)]

    def fields(self, fused=False):
        """What a task needs to apply this plan; the plan lives as long as they are held.

        :param fused: with the checksums in the same pass.
        """
        core = self.code.core
        if fused:
            coder, function = harness.CODER_REED_FUSED, core.reed_plan_apply_crc32c
            size = core.reed_plan_apply_crc32c_scratch_size(self.handle)
        else:
            coder, function = harness.CODER_REED, core.reed_plan_apply
            size = core.reed_plan_apply_scratch_size(self.handle)
        return {"coder": coder, "context": _Held(self), "function": harness.address(function),
                "scratch": page_aligned(numpy.zeros(max(size, 1), numpy.uint8))}


class _Held(int):
    """The address of a plan that keeps the plan alive."""

    def __new__(cls, plan):
        held = super().__new__(cls, plan.handle.value)
        held.plan = plan
        return held


class DropIn(isal.Library):
    """Reed behind ISA-L's interface, as a program that was built for ISA-L meets it."""

    name = "drop-in"

    def __init__(self):
        path = f"{reed.get_library_dir()}/isal/libisal.so.2"
        super().__init__(self.name, reed.__version__, path)


class Reed(Contestant):
    """Operations without "array" or "object" in their name run in the harness, without Python."""

    name = "reed"

    def __init__(self):
        self.version = reed.__version__

    # -- through the harness --

    def _crc32c_fields(self, code):
        return {"checksum": harness.CHECKSUM_REED, "kernel": code.kernel,
                "checksum_function": harness.address(harness.core().reed_kernel_crc32c)}

    def _encoder(self, name, job, fields, prove=None):
        return NativeContender(name, job.stripes, job.data, job.parity, prove, **fields)

    def encode(self, job, kernel=None, dense=False):
        code = _Code(job, kernel)
        plan = code.dense_encode_plan() if dense else code.encode_plan()
        matrix = code.parity_matrix()
        return self._encoder(self.name, job, plan.fields(),
                             lambda contender: job.prove_encode(contender, matrix))

    def encode_threads(self, job, threads):
        """The encoder in several threads at once, each on a processor and a stripe of its own."""
        processors = measure.processors()
        if len(processors) < threads:
            raise Absent(f"needs {threads} processors, this process may use {len(processors)}")
        each = [self.encode(dataclasses.replace(job)) for _ in range(threads)]
        return ThreadedContender(self.name, each, processors)

    def reconstruct(self, job, kernel=None):
        code = _Code(job, kernel)
        plan = code.reconstruct_plan()
        encoder = self._encoder("reed encode", job, code.encode_plan().fields())
        return NativeContender(self.name, job.stripes, plan.sources, job.lost,
                               lambda contender: job.prove_reconstruct(contender, encoder),
                               **plan.fields())

    def encode_crc32c(self, job, fused=True, kernel=None):
        """Encode, and CRC32C of every block of all shards."""
        code = _Code(job, kernel)
        plan, matrix = code.encode_plan(), code.parity_matrix()
        crc32c = job.crc32c_arrays(job.data_shards, job.parity_shards)

        def prove(contender):
            job.prove_encode(contender, matrix)
            job.prove_crc32c(self.name, job.data, crc32c["source_crc32c"])
            job.prove_crc32c(self.name, job.parity, crc32c["target_crc32c"])

        fields = plan.fields(fused)
        if not fused:
            fields |= self._crc32c_fields(code)
        return self._encoder(self.name, job, {**fields, **crc32c}, prove)

    def crc32c_reconstruct(self, job, fused=True, kernel=None):
        """CRC32C of every block that is read, and the lost shards from them."""
        code = _Code(job, kernel)
        plan = code.reconstruct_plan()
        encoder = self._encoder("reed encode", job, code.encode_plan().fields())
        crc32c = job.crc32c_arrays(job.data_shards, len(job.lost))

        def prove(contender):
            job.prove_reconstruct(contender, encoder)
            job.prove_crc32c(self.name, plan.sources, crc32c["source_crc32c"])

        fields = plan.fields(fused)
        if not fused:
            fields |= {**self._crc32c_fields(code), "when": harness.WHEN_BEFORE}
        return NativeContender(self.name, job.stripes, plan.sources, job.lost, prove,
                               **fields, **crc32c)

    def crc32c(self, job, kernel=None):
        """CRC32C of every block of the data."""
        code = _Code(job, kernel)
        crc32c = job.crc32c_arrays(job.data_shards, 0)

        def prove(contender):
            contender.call_on_first_stripe()
            job.prove_crc32c(self.name, job.data, crc32c["source_crc32c"])

        return NativeContender(self.name, job.stripes, job.data, (), prove,
                               **self._crc32c_fields(code), **crc32c)

    # -- from Python, on the rows of one stripe --

    def _code(self, job):
        if job.data_shards == 1:
            return reed.Replication(job.shard_count)
        return reed.ReedSolomon(job.data_shards, job.parity_shards)

    def _require_product(self, code, rows):
        k = code.data_shards
        oracle.require_product(self.name, code.generator_matrix[k:], rows[:k],
                               rows[k:k + code.parity_shards])

    def array_encode(self, job, threads=1, out=True):
        job.poison(job.parity)
        code, rows = self._code(job), job.stripes.rows()
        data, parity = rows[:job.data_shards], rows[job.data_shards:job.shard_count]
        if out:
            return PythonContender(
                self.name, lambda: code.encode(data, out=parity, threads=threads),
                lambda result: self._require_product(code, rows),
                job.shard_count * job.shard_size, threads)
        return PythonContender(
            self.name, lambda: code.encode(data, threads=threads),
            lambda result: self._require_product(code, numpy.vstack([data, result])),
            threads=threads)

    def list_encode(self, job):
        job.poison(job.parity)
        code, rows = self._code(job), job.stripes.rows()
        data, parity = list(rows[:job.data_shards]), list(rows[job.data_shards:job.shard_count])
        return PythonContender(self.name, lambda: code.encode(data, out=parity),
                               lambda result: self._require_product(code, rows))

    def array_reconstruct(self, job):
        code, rows = self._code(job), job.stripes.rows()
        code.encode(rows[:job.data_shards], out=rows[job.data_shards:job.shard_count])
        given = {shard: rows[shard] for shard in job.available}
        out = {shard: numpy.full(job.shard_size, POISON, numpy.uint8) for shard in job.lost}
        expected = {shard: rows[shard].copy() for shard in job.lost}

        def prove(result):
            for shard in job.lost:
                oracle.require_equal(self.name, result[shard], expected[shard])

        return PythonContender(
            self.name, lambda: code.reconstruct(given, wanted=job.lost, out=out), prove)

    def array_encode_crc32c(self, job, fused=True):
        """encode_crc32c; or encode, and crc32c of each block."""
        job.poison(job.parity)
        code, rows = self._code(job), job.stripes.rows()
        data, parity = rows[:job.data_shards], rows[job.data_shards:job.shard_count]
        size = job.block_size
        blocks = [[row[begin:begin + size] for begin in range(0, job.shard_size, size)]
                  for row in rows[:job.shard_count]]

        def call_fused():
            return code.encode_crc32c(data, block_size=size, out=parity)

        def call_twice():
            code.encode(data, out=parity)
            return parity, [[reed.crc32c(block) for block in row] for row in blocks]

        def prove(result):
            self._require_product(code, rows)
            job.prove_crc32c(self.name, range(job.shard_count), result[1])

        return PythonContender(self.name, call_fused if fused else call_twice, prove)

    def array_crc32c_reconstruct(self, job):
        """reconstruct_crc32c: what is read is verified in the same pass."""
        code, rows = self._code(job), job.stripes.rows()
        _, checksums = code.encode_crc32c(rows[:job.data_shards], block_size=job.block_size,
                                          out=rows[job.data_shards:job.shard_count])
        given = {shard: rows[shard] for shard in job.available}
        known = {shard: checksums[shard] for shard in job.available}
        out = {shard: numpy.zeros(job.shard_size, numpy.uint8) for shard in job.lost}
        expected = {shard: rows[shard].copy() for shard in job.lost}

        def prove(result):
            fixed, fixed_crc32c = result
            for shard in job.lost:
                oracle.require_equal(self.name, fixed[shard], expected[shard])
                oracle.require_equal(self.name, fixed_crc32c[shard], checksums[shard])

        return PythonContender(
            self.name, lambda: code.reconstruct_crc32c(
                given, known, block_size=job.block_size, wanted=job.lost, out=out), prove)

    # -- from Python, on one object of bytes --

    def object_encode(self, job):
        code, payload = self._code(job), job.payload
        out = numpy.zeros((job.parity_shards, job.shard_size), numpy.uint8)

        def prove(result):
            data = reed.split(payload, job.data_shards)
            self._require_product(code, numpy.vstack([data, result]))

        return PythonContender(
            self.name, lambda: code.encode(reed.split(payload, job.data_shards), out=out), prove)

    def _object_shards(self, job):
        code = self._code(job)
        data = reed.split(job.payload, job.data_shards)
        shards = [*data, *code.encode(data)]
        return code, {shard: shards[shard] for shard in job.available}, shards

    def object_decode(self, job, out=True):
        code, given, _ = self._object_shards(job)

        def prove(result):
            oracle.require_equal(self.name, numpy.ascontiguousarray(result).reshape(-1),
                                 job.payload)

        if not out:
            return PythonContender(self.name, lambda: code.decode(given), prove)
        data = numpy.zeros((job.data_shards, job.shard_size), numpy.uint8)
        return PythonContender(self.name, lambda: code.decode(given, out=data), prove)

    def object_reconstruct(self, job):
        code, given, shards = self._object_shards(job)
        out = {shard: numpy.zeros(job.shard_size, numpy.uint8) for shard in job.lost}

        def prove(result):
            for shard in job.lost:
                oracle.require_equal(self.name, result[shard], shards[shard])

        return PythonContender(
            self.name, lambda: code.reconstruct(given, wanted=job.lost, out=out), prove)

    def object_crc32c(self, job):
        return PythonContender(self.name, lambda: reed.crc32c(job.payload), job.prove_object_crc32c)
