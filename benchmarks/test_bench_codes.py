"""The Python API under pytest-benchmark, for developers: ``pytest benchmarks/``.

These figures are for comparing two states of reed with each other (``--benchmark-autosave`` and
``--benchmark-compare``); for reed beside its peers and the limit of the machine there is
``python -m benchmarks.run``. The rate in extra_info is data bytes per second.
"""

import numpy
import pytest

import reed
from benchmarks import accounting
from benchmarks.memory import Stripes

GEOMETRIES = [(4, 2), (10, 4), (17, 3), (24, 8), (40, 16), (128, 128)]
SIZES = [410, 1 << 14, 1 << 16, 1 << 20]
SEED = 20180720


def stripe(code, shard_size):
    """(data, parity) rows of one stripe, aligned and skewed; the parity is right."""
    count = code.data_shards + code.parity_shards
    rows = Stripes(shard_size, count, count * shard_size, False, 0).rows()
    data, parity = rows[:code.data_shards], rows[code.data_shards:]
    code.encode(data, out=parity)
    return data, parity


def lose(code, data, parity, lost):
    """The shards that are left, as a mapping."""
    return {shard: row for shard, row in enumerate([*data, *parity]) if shard not in lost}


def measure(benchmark, code, shard_size, function, *arguments, **options):
    benchmark.group = benchmark.name.partition("[")[0]
    result = benchmark(function, *arguments, **options)
    if benchmark.stats is not None:  # None under --benchmark-disable
        counted = accounting.data_bytes(code.data_shards, shard_size)
        benchmark.extra_info["data_bytes_per_second"] = counted / benchmark.stats.stats.median
    return result


@pytest.mark.parametrize("shard_size", SIZES)
@pytest.mark.parametrize("geometry", GEOMETRIES, ids="{0[0]}+{0[1]}".format)
def test_encode(benchmark, geometry, shard_size):
    code = reed.ReedSolomon(*geometry)
    data, parity = stripe(code, shard_size)
    measure(benchmark, code, shard_size, code.encode, data, out=parity)


@pytest.mark.parametrize("kernel", reed.kernels())
def test_encode_kernel(benchmark, kernel):
    code = reed.ReedSolomon(10, 4, kernel=kernel)
    data, parity = stripe(code, 1 << 14)
    measure(benchmark, code, 1 << 14, code.encode, data, out=parity)


@pytest.mark.parametrize("generator", ["isal-cauchy", "zfec", "klauspost"])
def test_encode_generator(benchmark, generator):
    code = reed.ReedSolomon(10, 4, generator=generator)
    data, parity = stripe(code, 1 << 14)
    measure(benchmark, code, 1 << 14, code.encode, data, out=parity)


@pytest.mark.parametrize("threads", [1, 2])
def test_encode_threads(benchmark, threads):
    code = reed.ReedSolomon(10, 4)
    data, parity = stripe(code, 1 << 20)
    measure(benchmark, code, 1 << 20, code.encode, data, out=parity, threads=threads)


@pytest.mark.parametrize("shard_size", SIZES)
def test_encode_crc32c(benchmark, shard_size):
    code = reed.ReedSolomon(10, 4)
    data, parity = stripe(code, shard_size)
    measure(benchmark, code, shard_size, code.encode_crc32c, data, out=parity)


@pytest.mark.parametrize("lost", [(3,), (3, 7), (0, 3, 7, 9)], ids=len)
@pytest.mark.parametrize("shard_size", SIZES)
def test_reconstruct(benchmark, shard_size, lost):
    code = reed.ReedSolomon(10, 4)
    data, parity = stripe(code, shard_size)
    given = lose(code, data, parity, lost)
    out = {shard: numpy.empty(shard_size, numpy.uint8) for shard in lost}
    measure(benchmark, code, shard_size, code.reconstruct, given, wanted=lost, out=out)


@pytest.mark.parametrize("shard_size", SIZES)
def test_decode(benchmark, shard_size):
    code = reed.ReedSolomon(10, 4)
    data, parity = stripe(code, shard_size)
    out = numpy.empty((10, shard_size), numpy.uint8)
    measure(benchmark, code, shard_size, code.decode, lose(code, data, parity, (3, 7)), out=out)


def test_decode_columns(benchmark):
    """4 KiB of a degraded stripe of 10 MiB; its rate counts the 4 KiB of every data shard."""
    code = reed.ReedSolomon(10, 4)
    data, parity = stripe(code, 1 << 20)
    given = lose(code, data, parity, (3, 7))
    measure(benchmark, code, 4096, code.decode, given, columns=slice(8192, 12288))


@pytest.mark.parametrize("shard_size", SIZES)
def test_verify(benchmark, shard_size):
    code = reed.ReedSolomon(10, 4)
    data, parity = stripe(code, shard_size)
    assert measure(benchmark, code, shard_size, code.verify, lose(code, data, parity, ()))


@pytest.mark.parametrize("is_damaged", [False, True], ids=["clean", "one shard wrong"])
def test_locate(benchmark, is_damaged):
    code = reed.ReedSolomon(10, 4)
    data, parity = stripe(code, 1 << 16)
    if is_damaged:
        data[3] ^= numpy.random.default_rng(SEED).integers(1, 256, 1 << 16, numpy.uint8)
    found = measure(benchmark, code, 1 << 16, code.locate, lose(code, data, parity, ()))
    assert found == ([3] if is_damaged else [])


def test_update(benchmark):
    """One changed data shard; its rate counts all data, as if encoded anew."""
    code = reed.ReedSolomon(10, 4)
    data, parity = stripe(code, 1 << 16)
    new = data[4][::-1].copy()
    measure(benchmark, code, 1 << 16, code.update, parity, 4, data[4], new)


@pytest.mark.parametrize("size", [64, 4096, 1 << 20])
def test_crc32c(benchmark, size):
    payload = numpy.random.default_rng(SEED).bytes(size)
    benchmark.group = "test_crc32c"
    benchmark(reed.crc32c, payload)
