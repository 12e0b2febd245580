"""A real OpenStack Swift on loopback with reed in front of pyeclib: an EC policy 4+2.

Short, for every run of the tests; ``make swift-test`` is the long run (tests/swift/long_run.py).
"""

import random
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "swift"))

import swift_cluster
import swift_trials


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    try:
        python = swift_cluster.install()
    except swift_cluster.CannotInstall as error:
        pytest.skip(f"NOT RUN: OpenStack Swift cannot be installed: {error}")
    with swift_cluster.Cluster(tmp_path_factory.mktemp("swift"), python) as running:
        yield running


@pytest.fixture
def rng(seed):
    return random.Random(seed)


def test_objects_come_back_whole_and_in_ranges(cluster, rng):
    for size in (0, 1, 1000, 65536, 65537, 300_000):
        data = rng.randbytes(size)
        cluster.put(f"whole-{size}", data)
        assert cluster.get(f"whole-{size}") == (200, data)
        if size > 1000:
            begin = rng.randrange(size)
            end = rng.randrange(begin, size)
            assert cluster.get(f"whole-{size}", byte_range=(begin, end)) == (
                206, data[begin:end + 1])


def test_every_fragment_carries_its_checksum(cluster, rng):
    cluster.put("checked", rng.randbytes(200_000))
    fragments = cluster.all_fragments("checked")
    assert sorted(fragments) == list(range(6))
    assert all(path.read_bytes()[20] == 2 for path in fragments.values())


def test_two_lost_fragments_are_read_around_and_rebuilt(cluster, rng):
    data = rng.randbytes(250_000)
    cluster.put("degraded", data)
    fragments = cluster.all_fragments("degraded")
    before = {index: path.read_bytes() for index, path in fragments.items()}
    for index in rng.sample(range(6), 2):
        fragments[index].unlink()
    for _ in range(3):
        assert cluster.get("degraded") == (200, data)
    for _ in range(2):  # the second pass sees the suffix hashes that the first renewed
        cluster.reconstruct()
    after = {index: path.read_bytes() for index, path in cluster.fragments("degraded").items()}
    assert after == before


def test_bit_rot_is_never_served_and_is_healed(cluster, rng):
    quarantined = len(cluster.quarantined())
    outcome = swift_trials.bit_rot(cluster, rng, 4, hits=1)
    print(outcome)
    assert outcome.wrong == 0 and outcome.right > 0
    cluster.audit()  # what no GET has met
    assert len(cluster.quarantined()) - quarantined == 4
    cluster.reconstruct()
    assert swift_trials.damaged(cluster, outcome) == {}


def test_three_of_six_hit_in_one_segment_is_an_error(cluster, rng):
    outcome = swift_trials.bit_rot(cluster, rng, 2, hits=3, gets=3, same_segment=True)
    print(outcome)
    assert (outcome.right, outcome.wrong) == (0, 0)
