"""The operations from Python, on every kernel, against the slow oracle: shapes, sizes, threads,
strides, partial updates and columns, and long sequences of calls on the same dirty buffers."""

import os
import threading

import numpy as np
import pytest

import reed
from oracles import codes, gf256

FACTOR = 10 if os.environ.get("REED_LONG", "") not in ("", "0") else 1
SHAPES = [(1, 0), (1, 1), (1, 2), (2, 1), (3, 2), (4, 2), (6, 3), (10, 4), (8, 3), (12, 6), (17, 3),
          (9, 9), (16, 16), (5, 20), (40, 24), (100, 30), (200, 56), (255, 1), (1, 255)]


@pytest.fixture(params=reed.kernels())
def kernel(request):
    return request.param


def make(name, k, m, **options):
    if name == "replication":
        return reed.Replication(1 + m, **options)
    return reed.ReedSolomon(k, m, generator=name, **options)


def stripe_of(code, data):
    """All shards, by the oracle."""
    rows = codes.parity_rows(code.generator, code.data_shards, code.parity_shards)
    return np.vstack([data, gf256.dot(rows, data)])


@pytest.mark.parametrize("k, m", SHAPES)
def test_encode_and_every_way_back(kernel, k, m, seed):
    rng = np.random.default_rng([seed, k, m])
    for size in (0, 1, 7, 63, 64, 65, 200, int(rng.integers(300, 3000))):
        code = reed.ReedSolomon(k, m, kernel=kernel)
        data = rng.integers(0, 256, (k, size), np.uint8)
        shards = stripe_of(code, data)
        parity = code.encode(data)
        assert parity.shape == (m, size) and parity.dtype == np.uint8
        assert np.array_equal(parity, shards[k:])
        lost = set(rng.choice(k + m, int(rng.integers(0, m + 1)), replace=False).tolist())
        given = {i: shards[i] for i in range(k + m) if i not in lost}
        fixed = code.reconstruct(given)
        assert sorted(fixed) == sorted(lost)
        assert all(np.array_equal(fixed[i], shards[i]) for i in lost)
        assert np.array_equal(code.decode(given), data)
        if len(given) > k:
            assert code.verify(given) is True
            if size:
                victim = int(rng.choice(list(given)))
                bad = shards[victim].copy()
                bad[rng.integers(size)] ^= 1
                assert code.verify({**given, victim: bad}) is False


@pytest.mark.parametrize("name", codes.NAMES)
def test_every_generator_round_trips(name, kernel, seed):
    rng = np.random.default_rng(seed)
    for k, m in [(1, 2), (4, 2), (10, 4), (20, 3), (3, 30), (1, 20), (60, 40)]:
        if not codes.exists(name, k, m):
            continue
        code = make(name, k, m, kernel=kernel)
        data = rng.integers(0, 256, (k, 777), np.uint8)
        shards = stripe_of(code, data)
        assert np.array_equal(code.encode(data), shards[k:])
        lost = rng.choice(k + m, m, replace=False).tolist()
        given = {i: shards[i] for i in range(k + m) if i not in lost}
        for i, row in code.reconstruct(given).items():
            assert np.array_equal(row, shards[i])


def test_wanted_and_columns(kernel, seed):
    rng = np.random.default_rng(seed)
    code = reed.ReedSolomon(6, 4, kernel=kernel)
    data = rng.integers(0, 256, (6, 5000), np.uint8)
    shards = stripe_of(code, data)
    for _ in range(200 * FACTOR):
        lost = rng.choice(10, int(rng.integers(0, 5)), replace=False)
        given = {i: shards[i] for i in range(10) if i not in lost}
        wanted = rng.permutation(6)[:rng.integers(1, 7)].tolist()
        a, b = np.sort(rng.integers(0, 5001, 2)).tolist()
        rows = code.decode(given, wanted=wanted, columns=slice(a, b))
        assert np.array_equal(rows, data[wanted][:, a:b])
        # Recomputing given shards leaves them out.
        spare = len(given) - 6
        again = rng.choice(list(given), int(rng.integers(0, spare + 1)), replace=False).tolist()
        given.update({i: np.full(5000, 0xA5, np.uint8) for i in again})
        for i, row in code.reconstruct(given, wanted=again).items():
            assert np.array_equal(row, shards[i])


def test_reconstruct_uses_the_lowest_given_and_ignores_the_rest():
    code = reed.ReedSolomon(3, 3)
    data = np.arange(12, dtype=np.uint8).reshape(3, 4)
    shards = stripe_of(code, data)
    wrong = np.full(4, 0xEE, np.uint8)
    given = {0: shards[0], 2: shards[2], 3: shards[3], 4: wrong, 5: b"of another size"}
    assert np.array_equal(code.reconstruct(given, wanted=[1])[1], data[1])
    # Bare arrays carry no checksum: a wrong one among those used gives a wrong result.
    given[2] = wrong
    assert not np.array_equal(code.reconstruct(given, wanted=[1])[1], data[1])


def test_updates_equal_a_new_encode(kernel, seed):
    rng = np.random.default_rng(seed)
    for k, m in ((1, 2), (4, 2), (10, 4), (30, 20)):
        code = reed.ReedSolomon(k, m, kernel=kernel)
        data = rng.integers(0, 256, (k, 1000), np.uint8)
        parity = code.encode(data)
        some = {i: row.copy() for i, row in zip(range(k, k + m), parity, strict=True)
                if rng.integers(2)}
        for _ in range(20):
            shard, (a, b) = int(rng.integers(k)), np.sort(rng.integers(0, 1001, 2)).tolist()
            new = rng.integers(0, 256, b - a, np.uint8)
            code.update(parity, shard, data[shard, a:b], new, offset=a)
            code.update(some, shard, data[shard, a:b].tobytes(), bytes(new), a)
            data[shard, a:b] = new
        assert np.array_equal(parity, code.encode(data))
        assert all(np.array_equal(row, parity[i - k]) for i, row in some.items())


@pytest.mark.parametrize("k, m", [(1, 2), (4, 2), (10, 4), (3, 20), (24, 8), (60, 40)])
def test_bytes_do_not_depend_on_alignment(kernel, k, m, seed):
    """Long shards are worked on from an aligned column on; what stands before is not lost, not
    added twice, and nothing outside is touched."""
    rng = np.random.default_rng([seed, k, m])
    code = reed.ReedSolomon(k, m, kernel=kernel)
    for _ in range(12):
        size = int(rng.integers(1024, 1400))
        begin, other = rng.integers(0, 64, 2)
        data = rng.integers(0, 256, (k, size + 128), np.uint8)[:, begin:begin + size]
        room = rng.integers(0, 256, (m, size + 128), np.uint8)
        before, parity = room.copy(), room[:, other:other + size]
        code.encode(data, out=parity)
        assert np.array_equal(parity, stripe_of(code, data)[k:])
        index, new = int(rng.integers(k)), rng.integers(0, 256, size, np.uint8)
        code.update(parity, index, data[index], new)
        data[index] = new
        assert np.array_equal(parity, stripe_of(code, data)[k:])
        before[:, other:other + size] = parity
        assert np.array_equal(room, before)


@pytest.mark.parametrize("threads", [1, 2, 3, 7, 64])
def test_bytes_do_not_depend_on_threads(threads, kernel, seed):
    rng = np.random.default_rng(seed)
    # The first and the last are enough work for several threads.
    for k, m, size in ((10, 4, 500_001), (10, 4, 4095), (4, 2, 8192), (5, 40, 100_000)):
        code = reed.ReedSolomon(k, m, kernel=kernel)
        data = rng.integers(0, 256, (k, size), np.uint8)
        parity = np.full((m, size), 0xA5, np.uint8)
        assert code.encode(data, out=parity, threads=threads) is parity
        assert np.array_equal(parity, code.encode(data))
        given = {i: row for i, row in enumerate(np.vstack([data, parity])) if i >= min(k, m)}
        assert np.array_equal(code.decode(given, threads=threads), data)
        for i, row in code.reconstruct(given, threads=threads).items():
            assert np.array_equal(row, data[i])


def test_sequences_of_calls_on_the_same_dirty_buffers(kernel, seed):
    """Results never depend on what a buffer, a plan or scratch held before."""
    rng = np.random.default_rng(seed)
    arena = rng.integers(0, 256, (64, 4096), np.uint8)
    made = [reed.ReedSolomon(k, m, kernel=kernel, generator=name)
            for name, k, m in (("native", 10, 4), ("native", 3, 2), ("native", 20, 17),
                               ("zfec", 5, 5), ("isal-vand", 7, 3), ("native", 1, 1))]
    made.append(reed.Replication(3, kernel=kernel))
    for _ in range(400 * FACTOR):
        code = made[rng.integers(len(made))]
        k, m = code.data_shards, code.parity_shards
        size = int(rng.integers(0, 4097)) if rng.integers(2) else int(rng.integers(0, 130))
        data = rng.integers(0, 256, (k, size), np.uint8)
        shards = stripe_of(code, data)
        places = rng.permutation(64)
        out = [arena[place, :size] for place in places[:k + m]]
        action = rng.integers(5)
        lost = sorted(rng.choice(k + m, int(rng.integers(0, m + 1)), replace=False).tolist())
        given = {i: shards[i] for i in range(k + m) if i not in lost}
        if action == 0:
            code.encode(data, out=out[:m])
            assert all(np.array_equal(a, b) for a, b in zip(out[:m], shards[k:], strict=True))
        elif action == 1:
            fixed = code.reconstruct(given, out={i: out[i] for i in lost})
            assert all(fixed[i] is out[i] and np.array_equal(out[i], shards[i]) for i in lost)
        elif action == 2:
            code.decode(given, out=out[:k])
            assert all(np.array_equal(a, b) for a, b in zip(out[:k], data, strict=True))
        elif len(given) > k:
            found = code.verify(given) if action == 3 else code.locate(given)
            assert found == (True if action == 3 else [])
        arena[places[0]] = rng.integers(256)


def test_fused_checksums(kernel, seed):
    rng = np.random.default_rng(seed)
    for k, m, size, block_size in ((10, 4, 100_000, 4096), (3, 2, 777, 777), (3, 2, 778, 777),
                                   (20, 20, 30_000, 10_000), (4, 2, 5, 1), (1, 0, 9, 4),
                                   (10, 4, 700_000, 65536)):
        code = reed.ReedSolomon(k, m, kernel=kernel)
        data = rng.integers(0, 256, (k, size), np.uint8)
        shards = np.vstack([data, code.encode(data)])
        for threads in (1, 3, 1000):
            parity, checksums = code.encode_crc32c(data, block_size, threads=threads)
            assert np.array_equal(parity, shards[k:])
            assert checksums.tolist() == [
                [reed.crc32c(row[i:i + block_size].tobytes()) for i in range(0, size, block_size)]
                for row in shards]
        lost = rng.choice(k + m, m, replace=False).tolist()
        given = {i: shards[i] for i in range(k + m) if i not in lost}
        fixed, fixed_checksums = code.reconstruct_crc32c(given, checksums, block_size)
        for i in lost:
            assert np.array_equal(fixed[i], shards[i])
            assert np.array_equal(fixed_checksums[i], checksums[i])


@pytest.mark.parametrize("name, k, m", [("native", 10, 4), ("zfec", 20, 3), ("native", 40, 30),
                                        ("replication", 1, 2)])
def test_fused_checksums_of_large_shards(name, k, m, kernel, seed):
    """Past the cache: with blocks and ends that are whole cache lines and that are not."""
    code = make(name, k, m, kernel=kernel)
    rng = np.random.default_rng(seed)
    size = (5 << 20) // (k + m) // 64 * 64
    data = rng.integers(0, 256, (k, size), np.uint8)
    shards = stripe_of(code, data)
    for columns, block_size in ((size, 65536), (size, 65500), (size - 1, 32768), (size - 64, 4096)):
        for begin in (0, 16):
            room = np.full((m, size + 64), 0xA5, np.uint8)
            out = room[:, begin:begin + columns]
            _, checksums = code.encode_crc32c(data[:, :columns], block_size, out=out)
            assert np.array_equal(out, shards[k:, :columns])
            assert (room[:, :begin] == 0xA5).all() and (room[:, begin + columns:] == 0xA5).all()
            assert checksums.tolist() == [
                [reed.crc32c(row[i:min(i + block_size, columns)])
                 for i in range(0, columns, block_size)] for row in shards]


def test_fused_checksums_give_nothing_unverified(seed):
    rng = np.random.default_rng(seed)
    code = reed.ReedSolomon(4, 2)
    data = rng.integers(0, 256, (4, 1000), np.uint8)
    parity, checksums = code.encode_crc32c(data, 256)
    recorded = dict(enumerate(checksums))
    shards = {1: data[1], 2: data[2].copy(), 3: data[3], 4: parity[0]}
    shards[2][700] ^= 1

    def attempt(checksums, block_size=256):
        out = {0: np.full(1000, 0xA5, np.uint8)}
        try:
            code.reconstruct_crc32c(shards, checksums, block_size, wanted=[0], out=out)
        except (reed.ReedError, ValueError, OverflowError) as error:
            # What the caller's buffer held, or zeros: never a shard that was not verified.
            assert set(out[0].tolist()) <= {0, 0xA5}, error
            return error
        raise AssertionError("accepted")

    error = attempt(recorded)
    assert isinstance(error, reed.CorruptShard)
    assert (error.shard_index, error.block) == (2, 2)
    assert isinstance(attempt({i: recorded[i] for i in (1, 2, 4)}), reed.InvalidParameter)
    assert isinstance(attempt({**recorded, 3: recorded[3][:2]}), reed.InvalidParameter)
    assert isinstance(attempt({**recorded, 3: recorded[3][0]}), reed.InvalidParameter)
    attempt({**recorded, 3: [-1, 0, 0, 0]})
    attempt(recorded, block_size=0)


def test_one_code_in_many_threads(seed):
    """The plan cache is shared: each thread asks for other patterns at the same time."""
    code = reed.ReedSolomon(8, 4)
    data = np.random.default_rng(seed).integers(0, 256, (8, 3000), np.uint8)
    shards = np.vstack([data, code.encode(data)])
    failures = []

    def work(number):
        rng = np.random.default_rng([seed, number])
        for _ in range(150):
            lost = rng.choice(12, int(rng.integers(1, 5)), replace=False).tolist()
            given = {i: shards[i] for i in range(12) if i not in lost}
            fixed = code.reconstruct(given)
            if not all(np.array_equal(fixed[i], shards[i]) for i in lost):
                failures.append((number, lost))

    workers = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert failures == []
