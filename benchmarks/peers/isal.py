"""ISA-L, as the wheel of pyeclib carries it: its dispatching functions, and single kernels."""

import ctypes
from ctypes import POINTER, c_int, c_uint8, c_uint32, c_void_p
from importlib import metadata

import numpy

from benchmarks import harness, oracle
from benchmarks.contestant import Absent, Contestant, PythonContender
from benchmarks.harness import NativeContender
from benchmarks.memory import page_aligned

PACKAGE, LIBRARY = "pyeclib", "libisal-pyeclib.so.2"
# What the wheels carry; the library does not tell its version.
VERSIONS = {"1.8.0": "2.32"}
TABLE_BYTES = 32  # for each coefficient, part of ISA-L's interface
# ISA-L's name of an instruction set -> reed's kernel that needs the same of the processor.
KERNELS = {"avx2": "avx2", "avx2_gfni": "avx2_gfni", "avx512_gfni": "avx512_gfni"}


def _find():
    """Path of the library within the installed wheel."""
    try:
        files = metadata.files(PACKAGE) or ()
    except metadata.PackageNotFoundError:
        raise Absent(f"comes with {PACKAGE}, which is not installed") from None
    for file in files:
        if file.name == LIBRARY:
            return str(file.locate())
    raise Absent(f"this build of {PACKAGE} does not carry {LIBRARY}")


def _pointer(array):
    return array.ctypes.data_as(POINTER(c_uint8))


class Library(Contestant):
    """A library that has ISA-L's interface."""

    def __init__(self, name, version, path):
        self.name, self.version = name, version
        try:
            self.library = ctypes.CDLL(path)
        except OSError as error:
            raise Absent(str(error)) from None
        for name, arguments in {
            "gf_gen_cauchy1_matrix": [POINTER(c_uint8), c_int, c_int],
            "gf_invert_matrix": [POINTER(c_uint8), POINTER(c_uint8), c_int],
            "ec_encode_data": [c_int, c_int, c_int, c_void_p, c_void_p, c_void_p],
        }.items():
            getattr(self.library, name).argtypes = arguments

    # -- matrices and tables --

    def _matrix(self, job):
        """All rows of the Cauchy generator; MDS at every shape, unlike the Vandermonde one."""
        matrix = numpy.zeros((job.shard_count, job.data_shards), numpy.uint8)
        self.library.gf_gen_cauchy1_matrix(_pointer(matrix), job.shard_count, job.data_shards)
        return matrix

    def _decoding_matrix(self, job):
        """Rows that make the lost shards from the first data_shards available ones."""
        matrix = self._matrix(job)
        kept = numpy.ascontiguousarray(matrix[job.available[:job.data_shards]])
        inverse = numpy.empty_like(kept)
        if self.library.gf_invert_matrix(_pointer(kept), _pointer(inverse), job.data_shards) != 0:
            raise Absent(f"gf_invert_matrix refuses the loss of {job.lost}")
        return oracle.multiply(matrix[list(job.lost)], inverse)

    def _coder(self, rows, isa):
        """The fields of a task that multiplies by these rows."""
        if isa is None:
            fill, encode = self.library.ec_init_tables, self.library.ec_encode_data
        else:
            harness.find_kernel(KERNELS[isa])  # Absent where the processor cannot run it
            kind = "gfni" if isa.endswith("gfni") else "base"
            fill = getattr(self.library, f"ec_init_tables_{kind}")
            encode = getattr(self.library, f"ec_encode_data_{isa}")
        rows = numpy.ascontiguousarray(rows)
        tables = page_aligned(numpy.zeros(rows.size * TABLE_BYTES, numpy.uint8))
        fill(c_int(rows.shape[1]), c_int(rows.shape[0]), _pointer(rows), _pointer(tables))
        return {"coder": harness.CODER_ISAL, "context": tables,
                "function": harness.address(encode)}

    # -- through the harness --

    def _encoder(self, job, isa=None, prove=None, **fields):
        rows = self._matrix(job)[job.data_shards:]
        return NativeContender(self.name, job.stripes, job.data, job.parity,
                               prove or (lambda contender: job.prove_encode(contender, rows)),
                               **self._coder(rows, isa), **fields)

    def encode(self, job, isa=None):
        return self._encoder(job, isa)


class Peer(Library):
    name = "isal"

    def __init__(self):
        path = _find()  # Absent without the package
        carrier = metadata.version(PACKAGE)
        version = f"{VERSIONS.get(carrier, 'unknown')} (of {PACKAGE} {carrier})"
        super().__init__(self.name, version, path)
        self.library.crc32_iscsi.restype = c_uint32

    def _crc32c_fields(self):
        return {"checksum": harness.CHECKSUM_ISAL,
                "checksum_function": harness.address(self.library.crc32_iscsi)}

    def xor(self, job):
        """xor_gen, its RAID 5 parity: one parity shard, all coefficients 1."""
        if job.parity_shards != 1:
            raise Absent(f"xor_gen makes one parity shard, not {job.parity_shards}")
        ones = numpy.ones((1, job.data_shards), numpy.uint8)
        return NativeContender(self.name, job.stripes, job.data, job.parity,
                               lambda contender: job.prove_encode(contender, ones),
                               coder=harness.CODER_ISAL_XOR,
                               function=harness.address(self.library.xor_gen))

    def reconstruct(self, job, isa=None):
        encoder = self._encoder(job)
        return NativeContender(self.name, job.stripes, job.available[:job.data_shards], job.lost,
                               lambda contender: job.prove_reconstruct(contender, encoder),
                               **self._coder(self._decoding_matrix(job), isa))

    def encode_crc32c(self, job):
        """Encode, then crc32_iscsi over every block of all shards."""
        rows = self._matrix(job)[job.data_shards:]
        crc32c = job.crc32c_arrays(job.data_shards, job.parity_shards)

        def prove(contender):
            job.prove_encode(contender, rows)
            job.prove_crc32c(self.name, job.data, crc32c["source_crc32c"])
            job.prove_crc32c(self.name, job.parity, crc32c["target_crc32c"])

        return self._encoder(job, prove=prove, **self._crc32c_fields(), **crc32c)

    def crc32c_reconstruct(self, job):
        """crc32_iscsi over every block that is read, then the lost shards from them."""
        sources = job.available[:job.data_shards]
        encoder = self._encoder(job)
        crc32c = job.crc32c_arrays(job.data_shards, len(job.lost))

        def prove(contender):
            job.prove_reconstruct(contender, encoder)
            job.prove_crc32c(self.name, sources, crc32c["source_crc32c"])

        return NativeContender(self.name, job.stripes, sources, job.lost, prove,
                               **self._coder(self._decoding_matrix(job), None),
                               **self._crc32c_fields(), **crc32c, when=harness.WHEN_BEFORE)

    def crc32c(self, job):
        crc32c = job.crc32c_arrays(job.data_shards, 0)

        def prove(contender):
            contender.call_on_first_stripe()
            job.prove_crc32c(self.name, job.data, crc32c["source_crc32c"])

        return NativeContender(self.name, job.stripes, job.data, (), prove,
                               **self._crc32c_fields(), **crc32c)

    def copies_crc32c(self, job):
        """memcpy to every copy, then crc32_iscsi over every block of all of them."""
        crc32c = job.crc32c_arrays(1, job.parity_shards)
        ones = numpy.ones((job.parity_shards, 1), numpy.uint8)

        def prove(contender):
            job.prove_encode(contender, ones)
            job.prove_crc32c(self.name, job.parity, crc32c["target_crc32c"])

        return NativeContender(self.name, job.stripes, job.data, job.parity, prove,
                               coder=harness.CODER_COPY, **self._crc32c_fields(), **crc32c)

    # -- from Python --

    def array_encode(self, job):
        """ec_encode_data called by ctypes, everything about the call prepared beforehand."""
        job.poison(job.parity)
        rows = job.stripes.rows()
        matrix = self._matrix(job)[job.data_shards:]
        fields = self._coder(matrix, None)
        pointers = job.stripes.table(range(job.shard_count))[0]
        sources = pointers[:job.data_shards].copy()
        targets = pointers[job.data_shards:].copy()
        function = self.library.ec_encode_data
        arguments = (c_int(job.shard_size), c_int(job.data_shards), c_int(job.parity_shards),
                     c_void_p(fields["context"].ctypes.data), c_void_p(sources.ctypes.data),
                     c_void_p(targets.ctypes.data))
        held = (fields, sources, targets)

        def prove(result, held=held):
            oracle.require_product(self.name, matrix, rows[:job.data_shards],
                                   rows[job.data_shards:job.shard_count])

        return PythonContender(self.name, lambda: function(*arguments), prove,
                               job.shard_count * job.shard_size)
