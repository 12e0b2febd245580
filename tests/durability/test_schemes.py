"""Which losses decode: counted by rank, against brute force and published shares."""

import itertools

import numpy as np
import pytest

from reed.durability import LocalReconstruction, ReedSolomon, Replication
from reed.errors import InvalidParameter


def test_mds_schemes_survive_exactly_their_parity():
    for scheme, parity in ((Replication(3), 2), (ReedSolomon(4, 2), 2), (Replication(1), 0)):
        for losses in range(scheme.shards + 1):
            good, total = scheme.decodable(losses)
            assert good == (total if losses <= parity else 0)
            assert scheme.survives(range(losses)) == (losses <= parity)


def test_azure_code_decodes_86_per_cent_of_four_losses():
    """Huang et al. 2012: LRC(6,2,2) decodes every three losses and 86 % of four."""
    code = LocalReconstruction(6, 2, 2)
    assert code.decodable(3) == (120, 120)
    assert code.decodable(4) == (180, 210)
    assert code.decodable(5) == (0, 252)
    assert LocalReconstruction(12, 2, 2).decodable(4) == (1568, 1820)


def times(a, b):
    product = 0
    while b:
        if b & 1:
            product ^= a
        a = (a << 1) ^ (0x11D if a & 0x80 else 0)
        b >>= 1
    return product


def inverse_of(a):
    return next(b for b in range(1, 256) if times(a, b) == 1)


def gf_rank(rows):
    """Rank over GF(2^8)/0x11d, one matrix, in plain Python (independent of the vectorised one)."""
    rows = [list(map(int, row)) for row in rows]
    rank = 0
    for column in range(len(rows[0])):
        pivot = next((r for r in range(rank, len(rows)) if rows[r][column]), None)
        if pivot is None:
            continue
        rows[rank], rows[pivot] = rows[pivot], rows[rank]
        scale = inverse_of(rows[rank][column])
        rows[rank] = [times(scale, value) for value in rows[rank]]
        for r in range(len(rows)):
            if r != rank and rows[r][column]:
                factor = rows[r][column]
                rows[r] = [a ^ times(factor, b) for a, b in zip(rows[r], rows[rank], strict=True)]
        rank += 1
    return rank


@pytest.mark.parametrize("generator", ["default", "weak"])
def test_survives_is_the_rank_of_the_surviving_rows(generator):
    code = LocalReconstruction(4, 2, 1)
    if generator == "weak":
        weak = code.generator.copy()
        weak[6] = weak[4]  # the global parity repeats a local one: many patterns are gone
        code = LocalReconstruction(4, 2, 1, generator=weak)
        assert not code.maximally_recoverable
    for losses in range(4):
        for missing in itertools.combinations(range(7), losses):
            left = [code.generator[index] for index in range(7) if index not in missing]
            assert code.survives(missing) == (gf_rank(left) == 4)


def test_maximally_recoverable_codes_are_proved_by_rank():
    for shape in ((6, 2, 2), (12, 2, 2), (8, 4, 2), (10, 2, 1), (6, 3, 2)):
        assert LocalReconstruction(*shape).maximally_recoverable


@pytest.mark.parametrize("make", [
    lambda: Replication(0), lambda: ReedSolomon(0, 2), lambda: ReedSolomon(250, 7),
    lambda: ReedSolomon(4, -1), lambda: ReedSolomon(4.0, 2), lambda: LocalReconstruction(4, 5, 1),
    lambda: LocalReconstruction(4, 2, 1, generator=np.zeros((7, 4))),
    lambda: Replication(3).survives([3])])
def test_impossible_shapes_are_refused_with_the_limit(make):
    with pytest.raises(InvalidParameter, match=r"allowed|needed|must|integer"):
        make()
