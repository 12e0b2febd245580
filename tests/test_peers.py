"""The same bytes as the libraries whose data reed reads: pyeclib with its three ISA-L backends, and
zfec, both alive; and each side decodes what the other made."""

import itertools

import numpy as np
import pytest

import reed

HEADER_SIZE = 80  # liberasurecode's, in front of every fragment
BACKENDS = {
    "isal-cauchy": "isa_l_rs_cauchy",
    "isal-vand": "isa_l_rs_vand",
    "vand-inv": "isa_l_rs_vand_inv",
}
SHAPES = [(1, 1), (2, 1), (2, 2), (3, 3), (4, 2), (5, 5), (6, 3), (10, 4), (12, 4), (17, 3),
          (20, 4), (28, 4), (29, 3), (16, 16)]


@pytest.fixture(scope="module")
def driver():
    interface = pytest.importorskip("pyeclib.ec_iface", reason="NOT RUN: pyeclib is not installed")
    return lambda name, k, m: interface.ECDriver(k=k, m=m, ec_type=BACKENDS[name])


def shapes_of(name):
    for k, m in SHAPES:
        try:
            yield reed.ReedSolomon(k, m, generator=name)
        except reed.NotMDS:
            continue


@pytest.mark.parametrize("name", BACKENDS)
def test_pyeclib_makes_the_same_bytes(driver, name, seed):
    rng = np.random.default_rng(seed)
    count = 0
    for code in shapes_of(name):
        k, m = code.data_shards, code.parity_shards
        peer = driver(name, k, m)
        for size in (k, 10 * k + 1, 4096, 100_003):
            payload = rng.bytes(size)
            rows = reed.split(payload, k)
            fragments = [np.frombuffer(f, np.uint8)[HEADER_SIZE:] for f in peer.encode(payload)]
            width = rows.shape[1]
            shards = np.vstack([rows, code.encode(rows)])
            assert len(fragments) == k + m
            for i, fragment in enumerate(fragments):
                assert np.array_equal(fragment[:width], shards[i]), (k, m, size, i)
                assert not fragment[width:].any()
            count += 1
    assert count >= 30


@pytest.mark.parametrize("name", BACKENDS)
def test_reed_decodes_what_pyeclib_made_and_lost(driver, name, seed):
    rng = np.random.default_rng(seed)
    k, m = 5, 3
    code, payload = reed.ReedSolomon(k, m, generator=name), rng.bytes(5 * 321)
    fragments = driver(name, k, m).encode(payload)
    shards = {i: np.frombuffer(f, np.uint8)[HEADER_SIZE:] for i, f in enumerate(fragments)}
    for lost in itertools.combinations(range(k + m), m):
        given = {i: row for i, row in shards.items() if i not in lost}
        assert reed.join(code.decode(given), len(payload)).tobytes() == payload
        for i, row in code.reconstruct(given).items():
            assert np.array_equal(row, shards[i])


@pytest.fixture(scope="module")
def zfec():
    return pytest.importorskip("zfec", reason="NOT RUN: zfec is not installed")


@pytest.mark.parametrize("k, m", [(1, 1), (1, 2), (2, 1), (3, 2), (4, 4), (10, 4), (17, 3),
                                  (100, 20), (128, 128), (200, 56), (250, 6), (255, 1)])
def test_zfec_makes_the_same_bytes(zfec, k, m, seed):
    rng = np.random.default_rng(seed)
    code = reed.ReedSolomon(k, m, generator="zfec")
    data = rng.integers(0, 256, (k, 333), np.uint8)
    blocks = zfec.Encoder(k, k + m).encode([row.tobytes() for row in data])
    shards = np.vstack([data, code.encode(data)])
    assert [bytes(block) for block in blocks] == [row.tobytes() for row in shards]

    kept = sorted(rng.choice(k + m, k, replace=False).tolist())
    assert np.array_equal(code.decode({i: blocks[i] for i in kept}), data)
    # zfec wants data blocks at their own places among the k.
    order = [i if i in kept else None for i in range(k)]
    spare = iter(i for i in kept if i >= k)
    order = [next(spare) if i is None else i for i in order]
    decoded = zfec.Decoder(k, k + m).decode([shards[i].tobytes() for i in order], order)
    assert [bytes(block) for block in decoded] == [row.tobytes() for row in data]
