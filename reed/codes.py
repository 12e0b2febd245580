"""The two kinds of codes as users name them, and the helpers around them.

Thin on purpose: the operations are methods of ``_core.Code`` and come with their documentation;
here are construction, comparison, pickling, and the steps from bytes to rows and back.
"""

from pathlib import Path

import numpy

from reed import __version__, _core, errors


class ReedSolomon(_core.Code):
    """A systematic Reed-Solomon code: any ``data_shards`` of all shards give the data back.

    :param data_shards: 1 or more.
    :param parity_shards: 0 or more; together at most 256.
    :param generator: "native" (the fastest), or the matrix of another system: "isal-cauchy",
        "isal-vand", "vand-inv", "zfec", "klauspost"; or a (parity_shards, data_shards) uint8 array
        of your own, whose ability to survive losses is then yours to know.
    :param kernel: the instruction set to use, one of ``reed.kernels()``; the fastest by default.
        The bytes do not depend on it.
    :param decode_only: accept a shape at which the generator does not survive every loss of
        ``parity_shards`` shards ("isal-vand" only), to read data that others wrote. Encoding with
        such a code is refused.
    :raises InvalidParameter: a parameter out of its range. :raises NotMDS: see `decode_only`.
    """

    def __new__(cls, data_shards, parity_shards, generator="native", kernel=None,
                decode_only=False):
        matrix = None
        if not isinstance(generator, str):
            matrix, generator = generator, "explicit"
        elif generator == "explicit":
            raise errors.InvalidParameter(
                "generator='explicit' needs the matrix: pass the array itself as generator")
        elif generator == "replication":
            raise errors.InvalidParameter(
                "generator='replication' is made by reed.Replication(copies)")
        return super().__new__(cls, data_shards, parity_shards, generator, matrix, kernel,
                               decode_only)

    def _identity(self):
        generator = self.generator
        if generator == "explicit":
            generator = self.generator_matrix[self.data_shards:].tobytes()
        return (type(self), self.data_shards, self.parity_shards, generator, self.decode_only)

    def __eq__(self, other):
        """Equal codes make equal bytes; the kernel does not matter."""
        if not isinstance(other, ReedSolomon):
            return NotImplemented
        return self._identity() == other._identity()

    def __hash__(self):
        return hash(self._identity())

    def __reduce__(self):
        # The kernel is left to the machine that unpickles.
        generator = self.generator
        if generator == "explicit":
            generator = numpy.array(self.generator_matrix[self.data_shards:])
        return (type(self), (self.data_shards, self.parity_shards, generator, None,
                             self.decode_only))

    def __repr__(self):
        options = "" if self.generator == "native" else f", generator={self.generator!r}"
        if self.decode_only:
            options += ", decode_only=True"
        return f"reed.ReedSolomon({self.data_shards}, {self.parity_shards}{options})"


class Replication(_core.Code):
    """n-way replication as a code: one data shard and ``copies - 1`` parity shards equal to it.

    It has the same methods as ReedSolomon; `locate` is a majority vote.

    :param copies: how many copies exist in all, 1 to 256.
    :param kernel: as for ReedSolomon.
    """

    def __new__(cls, copies=3, kernel=None):
        if not isinstance(copies, int) or isinstance(copies, bool) or not 1 <= copies <= 256:
            raise errors.InvalidParameter(f"copies must be 1 to 256, not {copies!r}")
        return super().__new__(cls, 1, copies - 1, "replication", None, kernel)

    @property
    def copies(self):
        """How many copies exist in all."""
        return 1 + self.parity_shards

    def __eq__(self, other):
        if not isinstance(other, Replication):
            return NotImplemented
        return self.copies == other.copies

    def __hash__(self):
        return hash((Replication, self.copies))

    def __reduce__(self):
        return (type(self), (self.copies,))

    def __repr__(self):
        return f"reed.Replication({self.copies})"


def split(data, data_shards):
    """Cut bytes into equal rows: a (data_shards, ceil(len(data) / data_shards)) uint8 array.

    A view of the caller's memory where the length divides evenly; else a copy whose last row (or
    rows) end in zeros. Keep the length: ``join`` needs it.
    """
    if not isinstance(data_shards, int) or data_shards < 1:
        raise errors.InvalidParameter(f"data_shards must be at least 1, not {data_shards!r}")
    flat = numpy.frombuffer(data, numpy.uint8) if len(data) else numpy.empty(0, numpy.uint8)
    row_size = -(-flat.size // data_shards)
    if flat.size == row_size * data_shards:
        return flat.reshape(data_shards, row_size)
    rows = numpy.zeros((data_shards, row_size), numpy.uint8)
    rows.reshape(-1)[:flat.size] = flat
    return rows


def join(rows, length):
    """Put rows behind one another and cut to `length` bytes: the inverse of ``split``.

    :param rows: a (k, n) uint8 array or a list of k equal rows.
    :return: a uint8 array of `length` bytes; a view where `rows` is one contiguous array.
    """
    flat = numpy.asarray(rows)
    if flat.size == 0:
        flat = flat.astype(numpy.uint8)  # an empty list has no type of its own
    if flat.dtype != numpy.uint8:
        raise errors.InvalidParameter(f"rows must be unsigned bytes, not {flat.dtype}")
    flat = flat.reshape(-1)
    if not 0 <= length <= flat.size:
        raise errors.InvalidParameter(
            f"length must be 0 to {flat.size}, the bytes in the rows, not {length}")
    return flat[:length]


def get_include():
    """The folder that holds reed.h, for C and Cython callers."""
    installed = Path(__file__).parent / "include"
    return str(installed if installed.is_dir() else
               Path(__file__).parent.parent / "csrc" / "include")


def get_library_dir():
    """The folder that holds libreed (shared and static), pkgconfig/reed.pc, isal/libisal.so.2."""
    return str(Path(__file__).parent / "lib")


def info():
    """What this installation is: version, kernels, generators."""
    return {
        "version": __version__,
        "kernel": ReedSolomon(1, 0).kernel,
        "kernels": _core.all_kernels(),
        "generators": _core.generators(),
    }
