"""What the Python API promises: names, errors with their values, which buffers are taken, what is
refused and left untouched, copies of codes, the plan cache, threads and signals."""

import array
import ast
import copy
import importlib
import importlib.resources
import inspect
import itertools
import mmap
import os
import pickle
import random
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import reed
from reed import _core

SEED = 20261123
DATA = np.arange(40, dtype=np.uint8).reshape(4, 10)


@pytest.fixture
def code():
    return reed.ReedSolomon(4, 2)


@pytest.fixture
def shards(code):
    return dict(enumerate(np.vstack([DATA, code.encode(DATA)])))


# ---- names ---------------------------------------------------------------------------------------

def test_every_public_name_exists():
    for name in reed.__all__:
        assert getattr(reed, name) is not None
    assert set(reed.__all__) <= set(dir(reed))
    with pytest.raises(AttributeError, match="'nothing'"):
        reed.nothing  # noqa: B018
    errors = importlib.import_module("reed.errors")
    for name, value in vars(errors).items():
        if isinstance(value, type) and issubclass(value, Exception):
            assert getattr(reed, name) is value and issubclass(value, reed.ReedError), name


def test_info_and_kernels():
    info = reed.info()
    assert info["version"] == reed.__version__
    assert info["kernel"] in reed.kernels() and reed.kernels()[-1] == "portable"
    assert {name for name, runs in info["kernels"].items() if runs} == set(reed.kernels())
    assert os.path.exists(os.path.join(reed.get_include(), "reed.h"))


def test_attributes(code):
    assert (code.data_shards, code.parity_shards, code.generator) == (4, 2, "native")
    assert code.kernel in reed.kernels()
    for kernel in reed.kernels():
        assert reed.ReedSolomon(4, 2, kernel=kernel).kernel == kernel
    with pytest.raises(AttributeError):
        code.data_shards = 5
    assert reed.Replication(3).data_shards == 1 and reed.Replication(3).parity_shards == 2
    assert reed.Replication().copies == 3


@pytest.mark.parametrize("name", ["avx1024", "AVX2", "", "портативный"])
def test_kernel_names(name):
    if name == "":
        assert reed.ReedSolomon(1, 1, kernel=name).kernel == reed.ReedSolomon(1, 1).kernel
        return
    with pytest.raises(reed.UnsupportedKernel, match=name):
        reed.ReedSolomon(1, 1, kernel=name)


# ---- parameters ----------------------------------------------------------------------------------

@pytest.mark.parametrize("arguments, message", [
    ((0, 2), "data_shards must be 1 to 256, not 0"),
    ((-1, 2), "not -1"),
    ((4, -1), "parity_shards must be 0 to 256, not -1"),
    ((257, 0), "not 257"),
    ((200, 57), r"at most 256, not 200 \+ 57"),
    ((2**40, 1), "not 1099511627776"),
    ((4.0, 2), "must be an int, not 4.0"),
    (("4", 2), "must be an int"),
    ((True, 2), "must be an int, not True"),
    ((None, 2), "must be an int"),
    ((4, 2, "cauchy"), "'cauchy' is unknown; there are native"),
    ((4, 2, "explicit"), "needs the matrix"),
    ((1, 2, "replication"), "reed.Replication"),
    ((4, 2, [[1, 2, 3, 4], [5, 6, 7, 8]]), "buffer of bytes"),
    ((4, 2, np.zeros((2, 3), np.uint8)), "3 bytes where 4 are needed"),
    ((4, 2, np.zeros((3, 4), np.uint8)), "2 rows, not 3"),
    ((4, 2, np.zeros((2, 4), np.int64)), "unsigned bytes"),
    ((4, 2, np.zeros(8, np.uint8)), "2 dimensions, not 1"),
])
def test_wrong_parameters(arguments, message):
    with pytest.raises(reed.InvalidParameter, match=message):
        reed.ReedSolomon(*arguments)
    with pytest.raises(ValueError):
        reed.ReedSolomon(*arguments)


@pytest.mark.parametrize("copies", [0, -1, 257, 2.0, "3", True, None])
def test_wrong_copies(copies):
    with pytest.raises(reed.InvalidParameter, match="1 to 256"):
        reed.Replication(copies)


@pytest.mark.parametrize("k, m", [(1, 0), (1, 1), (254, 1), (255, 0), (1, 254), (255, 1), (1, 255),
                                  (256, 0), (128, 128)])
def test_shapes_at_the_limits(k, m):
    code = reed.ReedSolomon(k, m)
    data = np.arange(k * 3, dtype=np.uint8).reshape(k, 3)
    shards = np.vstack([data, code.encode(data)])
    given = {i: shards[i] for i in range(m, k + m)}
    assert np.array_equal(code.decode(given), data)


def test_an_explicit_matrix_is_copied():
    rows = np.array([[1, 2, 3], [4, 5, 6]], np.uint8)
    code = reed.ReedSolomon(3, 2, generator=rows)
    before = code.encode(DATA[:3])
    rows[:] = 0
    assert np.array_equal(code.encode(DATA[:3]), before)
    assert code.generator == "explicit"
    assert code.generator_matrix[3:].tolist() == [[1, 2, 3], [4, 5, 6]]
    strided = np.zeros((4, 3), np.uint8)[::2]
    assert reed.ReedSolomon(3, 2, generator=strided).generator_matrix[3:].tolist() == [[0] * 3] * 2


# ---- buffers -------------------------------------------------------------------------------------

def as_bytes(row):
    return row.tobytes()


def as_mmap(row):
    memory = mmap.mmap(-1, max(row.size, 1))
    memory[:row.size] = row.tobytes()
    return memoryview(memory)[:row.size]


READABLE = {
    "bytes": as_bytes,
    "bytearray": lambda row: bytearray(row.tobytes()),
    "memoryview": lambda row: memoryview(row.tobytes()),
    "read-only array": lambda row: np.frombuffer(row.tobytes(), np.uint8),
    "array.array": lambda row: array.array("B", row.tobytes()),
    "mmap": as_mmap,
    "row of an array": lambda row: np.vstack([row, row])[1],
}


@pytest.mark.parametrize("kind", READABLE)
def test_inputs_of_many_kinds(code, shards, kind):
    convert = READABLE[kind]
    parity = code.encode([convert(row) for row in DATA])
    assert np.array_equal(parity, code.encode(DATA))
    assert np.array_equal(code.encode(tuple(convert(row) for row in DATA)), parity)
    given = {i: convert(shards[i]) for i in (1, 3, 4, 5)}
    assert np.array_equal(code.decode(given), DATA)
    assert np.array_equal(code.reconstruct(given)[2], DATA[2])
    assert code.verify({i: convert(row) for i, row in shards.items()})
    assert code.locate({i: convert(row) for i, row in shards.items()}) == []


@pytest.mark.parametrize("make_out", [
    lambda: bytearray(10), lambda: memoryview(bytearray(10)), lambda: np.empty(10, np.uint8),
    lambda: array.array("B", bytes(10)), lambda: np.empty((2, 12), np.uint8)[1, 1:11],
])
def test_outputs_of_many_kinds(code, shards, make_out):
    out = [make_out(), make_out()]
    assert code.encode(DATA, out=out) is out
    assert [bytes(row) for row in out] == [shards[4].tobytes(), shards[5].tobytes()]
    rows = {1: make_out()}
    fixed = code.reconstruct({i: shards[i] for i in (0, 2, 3, 5)}, wanted=[1], out=rows)
    assert fixed[1] is rows[1] and bytes(rows[1]) == DATA[1].tobytes()
    out = [make_out() for _ in range(4)]
    assert code.decode({i: shards[i] for i in (0, 2, 3, 5)}, out=out) is out
    assert [bytes(row) for row in out] == [row.tobytes() for row in DATA]


def test_any_row_stride(code, shards):
    wide = np.zeros((9, 30), np.uint8)
    wide[::2, 5:15][:4] = DATA
    assert np.array_equal(code.encode(wide[::2, 5:15][:4]), code.encode(DATA))
    upside_down = wide[6::-2, 5:15]
    assert np.array_equal(code.encode(upside_down), code.encode(DATA[::-1].copy()))
    repeated = np.broadcast_to(DATA[0], (4, 10))
    assert np.array_equal(code.encode(repeated), code.encode(np.ascontiguousarray(repeated)))
    out = np.full((6, 30), 0xA5, np.uint8)
    code.encode(DATA, out=out[1::3, 7:17])
    assert np.array_equal(out[1::3, 7:17], [shards[4], shards[5]])
    out[1::3, 7:17] = 0xA5
    assert np.all(out == 0xA5)


@pytest.mark.parametrize("data, message", [
    (DATA.astype(np.int8), "format 'b'"),
    (DATA.astype(np.uint16), "format 'H' with items of 2 bytes"),
    (DATA.astype(bool), "format '\\?'"),
    (DATA.astype(float), "items of 8 bytes"),
    (np.zeros((4, 20), np.uint8)[:, ::2], "unit column stride, not 2"),
    (np.asfortranarray(DATA), "unit column stride, not 4"),
    (DATA[:, ::-1], "unit column stride, not -1"),
    (DATA[:3], "4 rows, not 3"),
    (np.zeros((5, 10), np.uint8), "4 rows, not 5"),
    (DATA.ravel(), "2 dimensions, not 1"),
    (np.zeros((4, 5, 2), np.uint8), "2 dimensions, not 3"),
    (np.uint8(7), "dimensions, not 0"),
    (list(DATA[:3]), "4 rows, not 3"),
    (list(DATA.reshape(4, 2, 5)), "1 dimension, not 2"),
    ([b"abc", "abc", b"abc", b"abc"], "not str"),
    ([b"abc", None, b"abc", b"abc"], "not NoneType"),
    ([[1, 2], [3, 4], [5, 6], [7, 8]], "not list"),
    (7, "not int"),
    (None, "not NoneType"),
    ({0: b"a"}, "not dict"),
    (iter([b"a"] * 4), "list of buffers"),
])
def test_refused_inputs(code, data, message):
    with pytest.raises(reed.InvalidParameter, match=message):
        code.encode(data)


def test_sizes_that_differ(code, shards):
    rows = [DATA[0], DATA[1], DATA[2][:9], DATA[3]]
    with pytest.raises(reed.ShardSizeMismatch) as caught:
        code.encode(rows)
    assert (caught.value.expected, caught.value.actual) == (10, 9)
    for call in (code.verify, code.locate, code.decode):
        with pytest.raises(reed.ShardSizeMismatch):
            call({**shards, 1: b"short"})
    with pytest.raises(reed.ShardSizeMismatch):
        code.encode(DATA, out=np.empty((2, 11), np.uint8))
    with pytest.raises(reed.ShardSizeMismatch):
        code.reconstruct({i: shards[i] for i in range(1, 5)},
                         out={0: bytearray(9), 5: bytearray(10)})
    with pytest.raises(reed.ShardSizeMismatch):
        code.decode(shards, columns=slice(2, 5), out=np.empty((4, 10), np.uint8))
    with pytest.raises(reed.ShardSizeMismatch):
        code.update(np.zeros((2, 10), np.uint8), 0, b"abc", b"ab")


@pytest.mark.parametrize("out, message", [
    ([bytes(10), bytes(10)], "cannot be used in place"),
    (np.frombuffer(bytes(20), np.uint8).reshape(2, 10), "cannot be used in place"),
    (np.empty((3, 10), np.uint8), "2 rows, not 3"),
    (np.empty((2, 20), np.uint8)[:, ::2], "unit column stride"),
    (np.empty((2, 10), np.int8), "unsigned bytes"),
    ([bytearray(10)], "2 rows, not 1"),
])
def test_refused_outputs(code, out, message):
    with pytest.raises(reed.InvalidParameter, match=message):
        code.encode(DATA, out=out)


def test_overlap_is_refused_and_nothing_written(code, shards):
    arena = np.full(100, 0xA5, np.uint8)
    arena[:40] = DATA.ravel()
    before = arena.copy()
    data = arena[:40].reshape(4, 10)
    overlapping = [
        lambda: code.encode(data, out=arena[39:59].reshape(2, 10)),
        lambda: code.encode(data, out=arena[:20].reshape(2, 10)),
        lambda: code.encode(data, out=[arena[50:60], arena[59:69]]),
        lambda: code.encode(data, out=[arena[50:60], arena[50:60]]),
        lambda: code.encode(data, out=np.lib.stride_tricks.as_strided(
            arena[50:], (2, 10), (0, 1), writeable=True)),
        lambda: code.reconstruct({1: data[1], 2: data[2], 3: data[3], 4: shards[4]},
                                 wanted=[0], out={0: arena[35:45]}),
        lambda: code.decode({1: data[1], 2: data[2], 3: data[3], 4: shards[4]},
                            out=arena[5:45].reshape(4, 10)),
        lambda: code.decode(dict(enumerate(data)), out=arena[5:45].reshape(4, 10)),
        lambda: code.update(arena[40:60].reshape(2, 10), 0, arena[41:44], b"abc", offset=1),
        lambda: code.update([arena[40:50], arena[45:55]], 0, b"abcdef", b"ghijkl",
                            offset=4),
        lambda: code.encode_crc32c(data, 4, out=arena[39:59].reshape(2, 10)),
    ]
    for call in overlapping:
        with pytest.raises(reed.InvalidParameter, match="overlap"):
            call()
        assert np.array_equal(arena, before)
    # Neighbours are no overlap, nor are rows that interleave.
    code.encode(data, out=arena[40:60].reshape(2, 10))
    assert np.array_equal(arena[:40], before[:40])
    woven = np.zeros((6, 10), np.uint8)
    woven[[0, 1, 3, 4]] = DATA
    code.encode([woven[0], woven[1], woven[3], woven[4]], out=[woven[2], woven[5]])
    assert np.array_equal(woven[[2, 5]], [shards[4], shards[5]])


def test_overlap_is_what_it_is_anywhere_in_memory():
    """Rows at random places of one buffer, against all pairs; sources may share bytes."""
    rng = random.Random(SEED)
    arena = np.frombuffer(rng.randbytes(160), np.uint8).copy()
    code, found = reed.ReedSolomon(3, 2), set()
    for _ in range(3000):
        size = rng.randint(1, 24)
        rows = [(begin, begin + size) for begin in (rng.randrange(160 - size) for _ in range(5))]
        overlaps = any(a[0] < b[1] and b[0] < a[1] for t, a in enumerate(rows[3:], 3)
                       for b in rows[:t])
        views = [arena[begin:end] for begin, end in rows]
        before = arena.copy()
        try:
            code.encode(views[:3], out=views[3:])
        except reed.InvalidParameter as error:
            assert overlaps and "overlap" in str(error) and np.array_equal(arena, before), (
                SEED, rows)
        else:
            assert not overlaps, (SEED, rows)
            expected = code.encode([before[begin:end] for begin, end in rows[:3]])
            assert np.array_equal(views[3:], expected), (SEED, rows)
        found.add(overlaps)
    assert found == {True, False}


def test_refused_calls_write_nothing(code, shards):
    out = {0: np.full(10, 0xA5, np.uint8), 5: np.full(10, 0xA5, np.uint8)}
    calls = [
        lambda: code.reconstruct({i: shards[i] for i in (1, 2, 3)}, out=out),
        lambda: code.reconstruct({1: shards[1], 2: shards[2], 3: b"short", 4: shards[4]}, out=out),
        lambda: code.reconstruct({i: shards[i] for i in (1, 2, 3, 4)}, out={5: out[5]}),
        lambda: code.encode(DATA, out=[out[0], bytes(10)]),
        lambda: code.encode(DATA, out=[out[0], out[5]], threads=0),
        lambda: code.decode(shards, wanted=[0, 1], out=[out[0], out[5]], threads=0),
        lambda: code.decode({i: shards[i] for i in (0, 2, 3, 4)}, wanted=[0, 1],
                            out=[out[0], out[5]], threads=0),
    ]
    for call in calls:
        with pytest.raises(reed.ReedError):
            call()
        assert all((row == 0xA5).all() for row in out.values())


def test_a_shard_that_is_named_twice(code, shards):
    """Five entries are four shards: nothing is there to compare."""
    class Three:
        def __index__(self):
            return 3

    given = {0: shards[0], 1: shards[1], 2: shards[2], 3: shards[3], Three(): shards[3]}
    for call in (code.verify, code.locate):
        with pytest.raises(reed.TooFewShards) as caught:
            call(given)
        assert (caught.value.needed, caught.value.available) == (5, 4)


def test_buffers_are_held_while_they_are_used_and_released_after(code):
    rows = [bytearray(row.tobytes()) for row in DATA]
    code.encode(rows)
    for row in rows:
        row.append(1)  # an exported bytearray refuses to be resized
    with pytest.raises(reed.ReedError):
        code.encode([*rows[:3], b"short"])
    for row in rows:
        row.append(1)


def test_a_container_that_grows_while_it_is_read(code):
    """Buffers go into a fixed array; a hostile mapping must not overrun it."""
    class Endless:
        def keys(self):
            return self

        def __iter__(self):
            return itertools.repeat(4)

        def __getitem__(self, index):
            return bytearray(10)

    with pytest.raises(reed.InvalidParameter):
        code.update(Endless(), 0, b"abc", b"abc")


# ---- operations ----------------------------------------------------------------------------------

def test_zero_bytes(code):
    empty = np.empty((4, 0), np.uint8)
    assert code.encode(empty).shape == (2, 0)
    shards = {i: b"" for i in range(6)}
    assert code.verify(shards) is True
    assert code.locate(shards) == []
    assert code.decode({i: b"" for i in (0, 2, 4, 5)}).shape == (4, 0)
    assert {i: row.size for i, row in code.reconstruct({i: b"" for i in range(4)}).items()} == {
        4: 0, 5: 0}
    code.update([bytearray(), bytearray()], 0, b"", b"")
    assert code.encode([b""] * 4).shape == (2, 0)


def test_no_parity():
    code = reed.ReedSolomon(4, 0)
    assert code.encode(DATA).shape == (0, 10)
    assert code.encode(DATA, out=[]) == []
    assert np.array_equal(code.decode(dict(enumerate(DATA))), DATA)
    assert code.reconstruct(dict(enumerate(DATA))) == {}
    code.update([], 1, b"abc", b"abd")
    for call in (code.verify, code.locate):
        with pytest.raises(reed.TooFewShards) as caught:
            call(dict(enumerate(DATA)))
        assert (caught.value.needed, caught.value.available) == (5, 4)
    with pytest.raises(reed.TooFewShards):
        code.decode({0: DATA[0]})


def test_too_few_shards_carries_its_values(shards):
    code = reed.ReedSolomon(4, 2)
    with pytest.raises(reed.TooFewShards) as caught:
        code.reconstruct({i: shards[i] for i in (1, 3, 5)})
    error = caught.value
    assert (error.needed, error.available, error.missing) == (4, 3, (0, 2, 4))
    assert "4" in str(error) and "3" in str(error) and "[0, 2, 4]" in str(error)
    with pytest.raises(reed.TooFewShards) as caught:  # a wanted one is no source
        code.reconstruct({i: shards[i] for i in (0, 1, 2, 3)}, wanted=[1])
    assert (caught.value.needed, caught.value.available) == (4, 3)
    assert 1 in caught.value.missing
    with pytest.raises(reed.TooFewShards) as caught:
        code.verify({i: shards[i] for i in (0, 1, 2, 4)})
    assert (caught.value.needed, caught.value.available, caught.value.missing) == (5, 4, (3, 5))
    with pytest.raises(reed.TooFewShards):
        code.decode({})
    # Rows that are given need no others.
    assert np.array_equal(code.decode({2: shards[2]}, wanted=[2]), DATA[[2]])


@pytest.mark.parametrize("index", [6, 7, -1, 255, 256, 2**31, 2**40, 2**70, "0", None, 1.5, (1,)])
def test_wrong_shard_indices(code, shards, index):
    for call in (code.reconstruct, code.decode, code.verify, code.locate):
        with pytest.raises(reed.InvalidParameter, match="shard index must be"):
            call({**shards, index: shards[0]})
    with pytest.raises(reed.InvalidParameter):
        code.reconstruct(shards, wanted=[index])
    with pytest.raises(reed.InvalidParameter):
        code.decode(shards, wanted=[index])
    with pytest.raises(reed.InvalidParameter):
        code.update(np.zeros((2, 10), np.uint8), index, b"a", b"b")
    with pytest.raises(reed.InvalidParameter):
        code.update({index: bytearray(10)}, 0, b"a", b"b")


def test_numpy_integers_are_indices(code, shards):
    given = {np.int64(i): shards[i] for i in (0, 2, 4, 5)}
    assert np.array_equal(code.decode(given, wanted=np.array([3, 1])), DATA[[3, 1]])
    assert list(code.reconstruct(given, wanted=np.array([1]))) == [1]
    code.update({np.int64(4): bytearray(10)}, np.int64(1), b"a", b"b", np.int64(3))


@pytest.mark.parametrize("shards", [None, 5, [b"a"] * 6, b"abc", {1, 2}])
def test_shards_must_be_a_mapping(code, shards):
    for call in (code.reconstruct, code.decode, code.verify, code.locate):
        with pytest.raises(reed.InvalidParameter, match="must map shard indices"):
            call(shards)


@pytest.mark.parametrize("columns", [slice(0, 11), slice(5, 4), slice(-1, 5), slice(0, -1),
                                     slice(0, 4, 2), slice(0, 2**40), 5, (0, 4)])
def test_wrong_columns(code, shards, columns):
    with pytest.raises(reed.InvalidParameter, match="columns"):
        code.decode(shards, columns=columns)


def test_columns_read_only_what_they_need(code):
    """Shared memory gets its pages when it is touched: the shards take 1 GiB if all is read."""
    resource = pytest.importorskip("resource", reason="NOT RUN: no resource module")
    size = 1 << 28
    shards = {i: mmap.mmap(-1, size) for i in (0, 1, 3, 5)}
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rows = code.decode(shards, columns=slice(size - 4096, size), wanted=[2])
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert rows.shape == (1, 4096) and not rows.any()
    assert grown < 100_000, f"{grown} KiB"


def test_decode_refuses_rows_twice_and_parity(code, shards):
    with pytest.raises(reed.InvalidParameter, match="row 1 is wanted twice"):
        code.decode(shards, wanted=[1, 0, 1])
    with pytest.raises(reed.InvalidParameter, match="0 to 3, not 4"):
        code.decode(shards, wanted=[4])


@pytest.mark.parametrize("arguments, message", [
    ((4, b"ab", b"cd"), "data shard, 0 to 3, not 4"),
    ((0, b"ab", b"cd", 9), "bytes 9 to 11 lie outside shards of 10 bytes"),
    ((0, b"ab", b"cd", -1), "bytes -1"),
    ((0, b"ab", b"cd", 2**62), "lie outside"),
    ((0, bytes(11), bytes(11)), "bytes 0 to 11"),
])
def test_wrong_updates(code, arguments, message):
    parity = np.full((2, 10), 0xA5, np.uint8)
    for form in (parity, list(parity), {4: parity[0], 5: parity[1]}):
        with pytest.raises(reed.InvalidParameter, match=message):
            code.update(form, *arguments)
    assert (parity == 0xA5).all()
    with pytest.raises(reed.InvalidParameter, match="parity shards are 4 to 5, not 3"):
        code.update({3: parity[0]}, 0, b"a", b"b")


def test_replicas():
    code = reed.Replication(3)
    copies = code.encode([b"abc"])
    assert copies.tobytes() == b"abcabc"
    assert code.encode(b"abc").tobytes() == b"abcabc"
    assert code.decode({2: b"abc"}).tobytes() == b"abc"
    assert code.locate({0: b"abc", 1: b"abd", 2: b"abc"}) == [1]
    assert code.locate({0: b"xbc", 1: b"abd", 2: b"abc"}) == [0, 1]
    with pytest.raises(reed.AmbiguousCorruption):
        code.locate({0: b"abc", 1: b"abd"})
    with pytest.raises(reed.AmbiguousCorruption):
        code.locate({0: b"a", 1: b"b", 2: b"c"})
    assert reed.Replication(1).encode(b"abc").shape == (0, 3)


def test_split_and_join():
    for size in (0, 1, 3, 4, 5, 100, 4097):
        payload = bytes(i % 251 for i in range(size))
        for k in (1, 2, 3, 4, 7):
            rows = reed.split(payload, k)
            assert rows.shape == (k, -(-size // k)) and rows.dtype == np.uint8
            assert not rows.reshape(-1)[size:].any()
            assert reed.join(rows, size).tobytes() == payload
            assert reed.join(list(rows), size).tobytes() == payload
    with pytest.raises(reed.InvalidParameter, match="0 to 8"):
        reed.join(np.zeros((4, 2), np.uint8), 9)
    with pytest.raises(reed.InvalidParameter):
        reed.join(np.zeros((4, 2), np.uint8), -1)
    with pytest.raises(reed.InvalidParameter):
        reed.split(b"abc", 0)
    with pytest.raises(reed.InvalidParameter, match="unsigned bytes"):
        reed.join(np.array([[300, 2]]), 2)  # never cut down to fit a byte


# ---- codes as values -----------------------------------------------------------------------------

CODES = [
    lambda: reed.ReedSolomon(10, 4),
    lambda: reed.ReedSolomon(10, 5),
    lambda: reed.ReedSolomon(9, 4),
    lambda: reed.ReedSolomon(10, 4, generator="isal-cauchy"),
    lambda: reed.ReedSolomon(6, 5, generator="isal-vand", decode_only=True),
    lambda: reed.ReedSolomon(2, 1, generator=np.array([[1, 2]], np.uint8)),
    lambda: reed.ReedSolomon(2, 1, generator=np.array([[2, 1]], np.uint8)),
    lambda: reed.ReedSolomon(1, 2),
    lambda: reed.Replication(3),
    lambda: reed.Replication(4),
]


def test_codes_compare_and_hash():
    for i, make in enumerate(CODES):
        for j, other in enumerate(CODES):
            assert (make() == other()) == (i == j), (i, j)
            assert (make() != other()) == (i != j)
        assert hash(make()) == hash(make())
    assert len({make() for make in CODES for _ in range(2)}) == len(CODES)
    assert reed.ReedSolomon(10, 4) != (10, 4)
    assert reed.ReedSolomon(4, 2, kernel="portable") == reed.ReedSolomon(4, 2)


@pytest.mark.parametrize("make", CODES)
def test_codes_pickle_and_copy(make):
    code = make()
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        again = pickle.loads(pickle.dumps(code, protocol))
        assert again == code and type(again) is type(code)
        assert np.array_equal(again.generator_matrix, code.generator_matrix)
        assert again.decode_only == code.decode_only
    assert copy.copy(code) == code and copy.deepcopy(code) == code


def test_codes_print_as_they_are_made():
    for make in CODES:
        code = make()
        if code.generator != "explicit":
            assert eval(repr(code), {"reed": reed}) == code
    assert repr(reed.ReedSolomon(10, 4)) == "reed.ReedSolomon(10, 4)"
    assert repr(reed.Replication(3)) == "reed.Replication(3)"


def test_plans_are_cached_and_bounded():
    """Thousands of patterns of losses on a wide code must not fill the memory."""
    resource = pytest.importorskip("resource", reason="NOT RUN: no resource module")
    code = reed.ReedSolomon(100, 100, generator="isal-cauchy")
    shards = dict(enumerate(np.zeros((200, 1), np.uint8)))
    rng = np.random.default_rng(1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(1200):  # 80 KB of coefficients each
        kept = rng.choice(200, 100, replace=False)
        code.reconstruct({int(i): shards[i] for i in kept})
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 60_000, f"{grown} KiB"


def test_the_plan_of_a_pattern_is_not_the_plan_of_another(code, shards):
    """Same shards given, other ones wanted; same wanted, others given; and updates."""
    for _ in range(2):
        for given in itertools.combinations(range(6), 4):
            stripe = {i: shards[i] for i in given}
            for count in (1, 2):
                for wanted in itertools.combinations(set(range(6)) - set(given), count):
                    fixed = code.reconstruct(stripe, wanted=wanted)
                    assert sorted(fixed) == sorted(wanted)
                    for i, row in fixed.items():
                        assert np.array_equal(row, shards[i]), (given, wanted)
        for shard in range(4):
            for some in ([4], [5], [4, 5], [5, 4]):
                parity = {i: shards[i].copy() for i in some}
                new = np.full(10, 77, np.uint8)
                code.update(parity, shard, DATA[shard], new)
                data = DATA.copy()
                data[shard] = new
                full = code.encode(data)
                assert all(np.array_equal(row, full[i - 4]) for i, row in parity.items())


# ---- threads, forks, signals ---------------------------------------------------------------------

@pytest.mark.parametrize("threads", [0, -1])
def test_wrong_threads(code, threads):
    with pytest.raises(reed.InvalidParameter, match="threads must be at least 1"):
        code.encode(DATA, threads=threads)


def runs_beside(call):
    """Whether this thread ran Python while `call` ran in another, with an interpreter that takes
    the GIL from nobody: so it was given."""
    seen = []

    def work():
        seen.append("begun")
        call()
        seen.append("ended")

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000)
    try:
        worker = threading.Thread(target=work)
        worker.start()
        while not seen:
            time.sleep(0)
        was_running = seen == ["begun"]
        worker.join()
    finally:
        sys.setswitchinterval(interval)
    return was_running


def test_the_gil_is_released():
    """Not every time: a busy machine may wake this thread too late."""
    code = reed.ReedSolomon(20, 10, kernel="portable")
    data = np.zeros((20, 1_000_000), np.uint8)
    parity = code.encode(data)
    shards = dict(enumerate(np.vstack([data, parity])))
    lossy = {i: row for i, row in shards.items() if i > 4}
    assert not any(runs_beside(lambda: sum(range(1_000_000))) for _ in range(5))
    for call in (lambda: code.encode(data, out=parity), lambda: code.decode(lossy),
                 lambda: code.verify(shards), lambda: code.locate(shards)):
        assert any(runs_beside(call) for _ in range(20))


SCRIPT_FORK = """
import os, sys
import numpy as np
import reed
code = reed.ReedSolomon(4, 2)
data = np.arange(4 * 2_000_000, dtype=np.uint8).reshape(4, -1)
parity = code.encode(data, threads=3)
child = os.fork()
if child == 0:
    os._exit(0 if np.array_equal(code.encode(data, threads=3), parity) else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_threads_work_in_a_forked_child():
    """The parent's threads do not exist there: waiting for them would hang."""
    done = subprocess.run([sys.executable, "-c", SCRIPT_FORK], timeout=60, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


def test_an_interrupt_leaves_no_thread_writing():
    class Interrupted(Exception):
        pass

    def interrupt(signal_number, frame):
        raise Interrupted

    code = reed.ReedSolomon(10, 4, kernel="portable")
    data = np.ones((10, 400_000), np.uint8)
    out = np.empty((4, 400_000), np.uint8)
    previous = signal.signal(signal.SIGALRM, interrupt)
    interrupted = 0
    try:
        for trial in range(60):
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.0002 * (1 + trial % 25))
                code.encode(data, out=out, threads=4)
                signal.setitimer(signal.ITIMER_REAL, 0)
            except Interrupted:
                interrupted += 1
                out[:] = 0xA5
                time.sleep(0.002)
                assert (out == 0xA5).all(), "a thread still writes after the call has ended"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    assert interrupted > 5
    assert np.array_equal(code.encode(data, threads=4), code.encode(data))


def test_without_a_thread_to_be_had(monkeypatch):
    """The second thread is refused while the first runs: the call fails, not before that ended."""
    start, started = _core.start_new_thread, []

    def start_once(task, arguments):
        if started:
            raise RuntimeError("can't start new thread")
        started.append(task)
        start(task, arguments)

    monkeypatch.setattr(_core, "start_new_thread", start_once)
    code = reed.ReedSolomon(4, 2, kernel="portable")
    data = np.ones((4, 3_000_000), np.uint8)
    out = np.empty((2, 3_000_000), np.uint8)
    with pytest.raises(RuntimeError, match="new thread"):
        code.encode(data, out=out, threads=3)
    out[:] = 0xA5
    time.sleep(0.05)
    assert started and (out == 0xA5).all(), "a thread still writes after the call has ended"


# ---- the typed stub ------------------------------------------------------------------------------

def stub_of(name):
    """{function or class: (parameters, or {method: parameters})} of _core.pyi."""
    path = importlib.resources.files("reed") / "_core.pyi"
    module = ast.parse(path.read_text())

    def parameters(function):
        arguments = function.args
        return [argument.arg for argument in
                arguments.posonlyargs + arguments.args + arguments.kwonlyargs]

    functions, classes = {}, {}
    for node in module.body:
        if isinstance(node, ast.FunctionDef):
            functions[node.name] = parameters(node)
        elif isinstance(node, ast.ClassDef):
            classes[node.name] = {method.name: parameters(method) for method in node.body
                                  if isinstance(method, ast.FunctionDef)}
    return functions if name is None else classes[name]


def test_the_stub_says_what_there_is():
    functions = stub_of(None)
    public = {name for name, value in vars(_core).items()
              if callable(value) and getattr(value, "__module__", None) == "reed._core"
              and not name.startswith("_") and not isinstance(value, type)}
    codec = {"kernels", "all_kernels", "generators", "crc32c", "crc32c_combine", "crc32"}
    assert codec <= set(functions) <= public
    for name in codec:
        assert list(inspect.signature(getattr(_core, name)).parameters) == functions[name], name
    methods = stub_of("Code")
    assert {name for name in dir(_core.Code) if not name.startswith("_")} == {
        name for name in methods if not name.startswith("_")}
    for name, parameters in methods.items():
        value = getattr(_core.Code, name)
        if callable(value) and not name.startswith("_"):
            assert list(inspect.signature(value).parameters) == parameters, name
