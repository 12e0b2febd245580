"""locate: exactly the wrong shards within the bound, whatever the code, the pattern and the column;
beyond the bound a refusal or the documented false answer, and never a crash.

REED_LONG=1 multiplies the trials by ten.
"""

import math
import os

import numpy as np
import pytest

import reed
from oracles import codes, gf256

FACTOR = 10 if os.environ.get("REED_LONG", "") not in ("", "0") else 1


def make(name, k, m):
    if name == "replication":
        return reed.Replication(1 + m)
    if name == "explicit":  # an MDS matrix that the library knows nothing about
        return reed.ReedSolomon(k, m, generator=codes.parity_rows("isal-cauchy", k, m).copy())
    return reed.ReedSolomon(k, m, generator=name)


GEOMETRIES = [
    ("native", 1, 1), ("native", 1, 2), ("native", 1, 6), ("native", 2, 2), ("native", 4, 2),
    ("native", 10, 4), ("native", 6, 5), ("native", 17, 3), ("native", 20, 16), ("native", 32, 32),
    ("native", 100, 56), ("native", 240, 16), ("native", 250, 6), ("native", 128, 128),
    ("native", 1, 255), ("native", 252, 4), ("isal-cauchy", 10, 4), ("isal-cauchy", 250, 6),
    ("isal-vand", 10, 3), ("isal-vand", 21, 4), ("isal-vand", 4, 12), ("isal-vand", 5, 5),
    ("isal-vand", 253, 3), ("vand-inv", 10, 4), ("vand-inv", 249, 6), ("zfec", 10, 4),
    ("zfec", 200, 56), ("klauspost", 10, 4), ("klauspost", 251, 5), ("replication", 1, 2),
    ("replication", 1, 4), ("replication", 1, 255), ("explicit", 4, 2), ("explicit", 10, 4),
    ("explicit", 6, 6),
]


def stripe_of(code, rng, size):
    data = rng.integers(0, 256, (code.data_shards, size), np.uint8)
    return np.vstack([data, code.encode(data)])


def damage(rng, shards, given, column, count):
    """Change `count` of the given shards in one column; returns which."""
    victims = rng.choice(given, count, replace=False)
    for victim in victims:
        shards[victim, column] ^= rng.integers(1, 256)
    return set(victims.tolist())


@pytest.mark.parametrize("name, k, m", GEOMETRIES)
def test_exactly_the_wrong_ones_within_the_bound(name, k, m, seed):
    rng = np.random.default_rng([seed, k, m])
    code, n = make(name, k, m), k + m
    for trial in range((60 if n < 60 else 12) * FACTOR):
        size = int(rng.integers(1, 700))
        shards = stripe_of(code, rng, size)
        missing = 0 if trial % 3 == 0 else int(rng.integers(0, m))
        given = np.sort(rng.choice(n, n - missing, replace=False))
        bound = (m - missing) // 2
        wrong = set()
        style = trial % 4
        if style == 0 and bound:  # the same few shards, everywhere
            victims = rng.choice(given, bound, replace=False)
            for victim in victims:
                at = rng.choice(size, int(rng.integers(1, size + 1)), replace=False)
                shards[victim, at] ^= rng.integers(1, 256, at.size, np.uint8)
            wrong = set(victims.tolist())
        elif style in (1, 2) and bound:  # other shards in each column: the union passes the bound
            for column in rng.choice(size, min(size, 12), replace=False):
                count = bound if style == 1 else int(rng.integers(1, bound + 1))
                wrong |= damage(rng, shards, given, column, count)
        assert code.locate({int(i): shards[i] for i in given}) == sorted(wrong), (trial, missing)


@pytest.mark.parametrize("name, k, m", [("native", 4, 1), ("native", 4, 3), ("zfec", 200, 5),
                                        ("isal-vand", 4, 3), ("explicit", 3, 3),
                                        ("replication", 1, 3)])
def test_one_spare_shard_detects_and_locates_nothing(name, k, m, seed):
    rng = np.random.default_rng(seed)
    code = make(name, k, m)
    shards = stripe_of(code, rng, 50)
    given = np.sort(rng.choice(k + m, k + 1, replace=False))
    assert code.locate({int(i): shards[i] for i in given}) == []
    for victim in given:
        bad = shards.copy()
        bad[victim, 31] ^= 5
        stripe = {int(i): bad[i] for i in given}
        assert code.verify(stripe) is False
        with pytest.raises(reed.AmbiguousCorruption) as caught:
            code.locate(stripe)
        assert caught.value.column == 31


@pytest.mark.parametrize("name, k, m", [("native", 4, 2), ("native", 10, 4), ("native", 6, 3),
                                        ("isal-cauchy", 8, 4), ("isal-vand", 8, 4),
                                        ("explicit", 8, 4), ("replication", 1, 2),
                                        ("replication", 1, 4), ("native", 30, 20)])
def test_beyond_the_bound(name, k, m, seed):
    """One error too many in one column: AmbiguousCorruption, or false at about the documented rate.
    Replicas that are wrong in different ways have no majority."""
    rng = np.random.default_rng(seed)
    code, bound, trials = make(name, k, m), m // 2, 1500 * FACTOR
    shards = stripe_of(code, rng, 1)
    false_answers = 0
    for _ in range(trials):
        bad = shards.copy()
        wrong = damage(rng, bad, np.arange(k + m), 0, bound + 1)
        try:
            located = code.locate(dict(enumerate(bad)))
        except reed.AmbiguousCorruption as error:
            assert error.column == 0
        else:
            assert located != sorted(wrong)
            assert 1 <= len(located) <= bound
            false_answers += 1
    documented = sum(math.comb(k + m, i) * 255**i for i in range(bound + 1)) / 256**m
    print(f"{name} {k}+{m}: {false_answers}/{trials} false, documented {documented:.3g}")
    assert false_answers <= trials * (3 * documented + 0.01)


def test_garbage_never_crashes(seed):
    rng = np.random.default_rng(seed)
    for name, k, m in GEOMETRIES:
        code = make(name, k, m)
        for size in (1, 70):
            shards = rng.integers(0, 256, (k + m, size), np.uint8)
            try:
                located = code.locate(dict(enumerate(shards)))
            except (reed.AmbiguousCorruption, reed.TooComplex):
                continue
            assert located == sorted(set(located)) and all(0 <= i < k + m for i in located)


def test_large_clean_and_nearly_clean_stripes(seed):
    rng = np.random.default_rng(seed)
    code = reed.ReedSolomon(10, 4)
    shards = stripe_of(code, rng, 1_000_003)
    assert code.locate(dict(enumerate(shards))) == []
    assert code.verify(dict(enumerate(shards)))
    shards[12, -1] ^= 1
    assert code.locate(dict(enumerate(shards))) == [12]
    shards[0, :] ^= 0x55
    assert code.locate(dict(enumerate(shards))) == [0, 12]
    shards[7, 3] ^= 2  # a third wrong shard, but no column has three
    assert code.locate(dict(enumerate(shards))) == [0, 7, 12]
    shards[9, 3] ^= 1
    assert code.verify(dict(enumerate(shards))) is False
    with pytest.raises(reed.AmbiguousCorruption) as caught:
        code.locate(dict(enumerate(shards)))
    assert caught.value.column == 3


def test_too_complex_is_refused_and_says_so(seed):
    code = reed.ReedSolomon(3, 200, generator="isal-vand")
    shards = stripe_of(code, np.random.default_rng(seed), 10)
    with pytest.raises(reed.TooComplex):
        code.locate(dict(enumerate(shards)))


def test_a_matrix_that_cannot_tell_shards_apart(seed):
    """Two equal columns: an error in either data shard looks the same, so none may be named."""
    code = reed.ReedSolomon(2, 2, generator=np.array([[1, 1], [2, 2]], np.uint8))
    shards = stripe_of(code, np.random.default_rng(seed), 9)
    for victim in (0, 1):
        bad = shards.copy()
        bad[victim, 4] ^= 3
        with pytest.raises(reed.AmbiguousCorruption):
            code.locate(dict(enumerate(bad)))
    for victim in (2, 3):  # these can be told apart
        bad = shards.copy()
        bad[victim, 4] ^= 3
        assert code.locate(dict(enumerate(bad))) == [victim]


def test_random_matrices_never_name_a_good_shard(seed):
    """Of explicit matrices, most are not MDS: where the bound fails, the answer is a refusal or
    nothing, unless the oracle agrees that the errors cancel out."""
    rng = np.random.default_rng(seed)
    located_count = refused_count = 0
    for _ in range(400 * FACTOR):
        k, m = int(rng.integers(1, 5)), int(rng.integers(2, 6))
        matrix = rng.integers(0, 3, (m, k), np.uint8)
        code = reed.ReedSolomon(k, m, generator=matrix)
        shards = stripe_of(code, rng, 3)
        bad = shards.copy()
        wrong = damage(rng, bad, np.arange(k + m), 1, int(rng.integers(1, m // 2 + 1)))
        change = bad[:, 1] ^ shards[:, 1]
        check = np.hstack([matrix, np.eye(m, dtype=np.uint8)])
        seen = gf256.dot(check, change[:, None])
        try:
            located = code.locate(dict(enumerate(bad)))
        except (reed.AmbiguousCorruption, reed.SingularPattern):
            refused_count += 1
            continue
        if not seen.any():
            assert located == []
        elif len(wrong) == 1:
            assert located == sorted(wrong)
            located_count += 1
    assert located_count > 50 and refused_count > 20


def test_arguments():
    code = reed.ReedSolomon(3, 2)
    rows = np.zeros((5, 4), np.uint8)
    with pytest.raises(reed.TooFewShards) as caught:
        code.locate({0: rows[0], 2: rows[2], 4: rows[4]})
    assert (caught.value.needed, caught.value.available) == (4, 3)
    assert caught.value.missing == (1, 3)
    assert code.locate({i: rows[i, :0] for i in range(5)}) == []
    with pytest.raises(reed.ShardSizeMismatch) as caught:
        code.locate({0: rows[0], 1: rows[1], 2: rows[2], 3: rows[3, :3]})
    assert (caught.value.expected, caught.value.actual) == (4, 3)
