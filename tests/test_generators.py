"""Generator matrices: golden bytes, formulas at every shape, and which shapes are refused."""

import itertools
import json
import sys

import numpy as np
import pytest

import c_build
import reed
from oracles import codes, gf256

sys.path.insert(0, str(c_build.ROOT / "tests" / "vectors"))
import make_generators

GOLDEN = json.loads((c_build.ROOT / "tests" / "vectors" / "generators.json").read_text())


def make(name, k, m, **options):
    if name == "replication":
        return reed.Replication(1 + m, **options)
    return reed.ReedSolomon(k, m, generator=name, **options)


def rows_of(code):
    matrix = code.generator_matrix
    assert matrix.shape == (code.data_shards + code.parity_shards, code.data_shards)
    assert matrix.dtype == np.uint8 and not matrix.flags.writeable
    assert np.array_equal(matrix[:code.data_shards], np.eye(code.data_shards, dtype=np.uint8))
    return matrix[code.data_shards:]


# ---- the oracle itself ---------------------------------------------------------------------------

def test_oracle_field_is_what_galois_computes():
    galois = pytest.importorskip("galois", reason="NOT RUN: galois is not installed")
    field = galois.GF(2**8, irreducible_poly=gf256.POLYNOMIAL)
    a, b = np.meshgrid(np.arange(256), np.arange(256))
    assert np.array_equal(np.asarray(field(a) * field(b)), gf256.multiply(a, b))
    assert np.array_equal(np.asarray(field(np.arange(1, 256)) ** -1), gf256.INVERSES[1:])


def test_oracle_klauspost_is_what_galois_computes():
    galois = pytest.importorskip("galois", reason="NOT RUN: galois is not installed")
    field = galois.GF(2**8, irreducible_poly=gf256.POLYNOMIAL)
    for k, m in ((4, 2), (10, 4), (17, 3)):
        top = field([[1 if c == 0 else (int(field(r) ** c) if r else 0) for c in range(k)]
                     for r in range(k + m)])
        rows = top[k:] @ np.linalg.inv(top[:k])
        assert np.array_equal(np.asarray(rows), codes.parity_rows("klauspost", k, m))


# ---- golden bytes --------------------------------------------------------------------------------

def test_golden_file_is_what_its_script_makes():
    assert make_generators.golden() == GOLDEN


@pytest.mark.parametrize("name", codes.NAMES)
def test_golden_rows(name):
    assert len(GOLDEN[name]) >= 4
    for shape, rows in GOLDEN[name].items():
        k, m = map(int, shape.split("+"))
        assert [row.tobytes().hex() for row in rows_of(make(name, k, m))] == rows, shape


def test_published_numbers():
    """Figures that stand in the design and in other projects' documentation."""
    native = rows_of(reed.ReedSolomon(10, 4))
    assert native[:, 0].tolist() == [11, 220, 69, 147]
    assert rows_of(reed.ReedSolomon(7, 1)).tolist() == [[1] * 7]
    assert rows_of(reed.ReedSolomon(4, 2, generator="klauspost"))[0].tolist() == [27, 28, 18, 20]


def test_every_generator_is_listed_once():
    from reed import _core

    assert sorted(_core.generators()) == sorted(codes.NAMES)
    assert sorted(reed.info()["generators"]) == sorted(codes.NAMES)


# ---- every shape ---------------------------------------------------------------------------------

def test_native_is_its_formula_at_every_shape():
    count = 0
    for m in range(256):
        expected = codes.native_rows(m) if m else np.zeros((0, 256), np.uint8)
        for k in range(1, 257 - m):
            rows = reed.ReedSolomon(k, m).generator_matrix[k:]
            assert np.array_equal(rows, expected[:, :k]), (k, m)
            count += 1
    assert count == 256 * 257 // 2


@pytest.mark.parametrize("name", [name for name in codes.NAMES if name != "native"])
def test_foreign_generators_are_their_formulas(name, seed):
    rng = np.random.default_rng(seed)
    shapes = [(k, m) for k in range(1, 15) for m in range(15 - k)]
    shapes += [(int(k), int(rng.integers(0, 257 - k))) for k in rng.integers(1, 257, 12)]
    shapes += [(1, 254), (1, 255), (2, 253), (127, 128), (128, 128), (253, 3), (254, 1), (255, 1)]
    for k, m in shapes:
        if codes.exists(name, k, m):
            assert np.array_equal(rows_of(make(name, k, m)), codes.parity_rows(name, k, m)), (k, m)


def test_vand_inv_of_256_shards_repeats_a_point():
    """For reading only: its last parity shard sits on the point of data shard 0, and is a copy."""
    code = reed.ReedSolomon(253, 3, generator="vand-inv", decode_only=True)
    assert np.array_equal(rows_of(code), codes.parity_rows("vand-inv", 253, 3))
    assert rows_of(code)[2].tolist() == [1] + [0] * 252


# ---- refused shapes ------------------------------------------------------------------------------

def determinants(block):
    """Of (..., n, n) matrices with n <= 4, by cofactors."""
    n = block.shape[-1]
    if n == 1:
        return block[..., 0, 0]
    total = np.zeros(block.shape[:-2], np.uint8)
    for column in range(n):
        others = [c for c in range(n) if c != column]
        total ^= gf256.multiply(block[..., 0, column], determinants(block[..., 1:, others]))
    return total


def has_singular_minor(rows, order):
    m, k = rows.shape
    if order > min(m, k):
        return False
    chosen = np.array(list(itertools.combinations(range(m), order)))
    return any(np.any(determinants(rows[chosen][:, :, list(columns)]) == 0)
               for columns in itertools.combinations(range(k), order))


def loses_data(k, m):
    rows = codes.parity_rows("isal-vand", k, m)
    if min(k, m) <= 4:
        return any(has_singular_minor(rows, order) for order in range(1, min(k, m) + 1))
    return any(
        gf256.rank(rows[np.ix_(r, c)]) < order
        for order in range(1, min(k, m) + 1)
        for r in itertools.combinations(range(m), order)
        for c in itertools.combinations(range(k), order))


@pytest.mark.parametrize("k, m", [(3, 253), (4, 21), (5, 5), (2, 254), (1, 255)])
def test_isal_vand_loses_nothing_inside_its_limits(k, m):
    """All square submatrices are regular. The matrix is symmetric in k and m, and shorter codes are
    its corners, so these five shapes prove the whole region."""
    assert np.array_equal(codes.parity_rows("isal-vand", m, k),
                          codes.parity_rows("isal-vand", k, m).T) or k + m > 256
    assert not loses_data(k, m)


@pytest.mark.parametrize("k, m", [(4, 22), (22, 4), (5, 6), (6, 5)])
def test_isal_vand_loses_data_outside_them(k, m):
    """Every refused shape contains one of these four."""
    assert loses_data(k, m)


def test_not_mds_exactly_where_data_would_be_lost():
    for k in range(1, 257):
        for m in range(257 - k):
            refused = any(k >= a and m >= b for a, b in ((4, 22), (22, 4), (5, 6), (6, 5)))
            assert refused != codes.isal_vand_is_mds(k, m)
            if refused:
                with pytest.raises(reed.NotMDS, match=rf"isal-vand {k}\+{m}"):
                    reed.ReedSolomon(k, m, generator="isal-vand")
            elif k + m < 40 or k + m > 250:
                reed.ReedSolomon(k, m, generator="isal-vand")
    for k in (1, 2, 100, 255, 256):
        with pytest.raises(reed.NotMDS):
            reed.ReedSolomon(k, 256 - k, generator="vand-inv")
    reed.ReedSolomon(200, 55, generator="vand-inv")


def test_old_data_of_a_refused_shape_decodes_where_it_can(seed):
    rng = np.random.default_rng(seed)
    k, m = 8, 5
    code = reed.ReedSolomon(k, m, generator="isal-vand", decode_only=True)
    matrix = code.generator_matrix
    assert np.array_equal(matrix[k:], codes.parity_rows("isal-vand", k, m))
    data = rng.integers(0, 256, (k, 50), np.uint8)
    shards = gf256.dot(matrix, data)
    with pytest.raises(reed.NotMDS):
        code.encode(data)
    decoded = singular = 0
    for lost in itertools.combinations(range(k + m), m):
        given = {i: shards[i] for i in range(k + m) if i not in lost}
        if gf256.rank(matrix[list(given)]) == k:
            assert np.array_equal(code.decode(given), data), lost
            decoded += 1
        else:
            with pytest.raises(reed.SingularPattern):
                code.decode(given)
            singular += 1
    assert decoded > 1000 and singular > 0
