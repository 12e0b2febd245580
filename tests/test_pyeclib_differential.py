"""reed.compat.pyeclib against the live pyeclib 1.8.0: the same bytes, both ways, at random.

One trial takes a random code, geometry, size and checksum type, and compares encoding, decoding
and reconstruction from each other's fragments, metadata, ranges and segment arithmetic. REED_TRIALS
says how many trials run, REED_SEED which.
"""

import os
import random
import sys

import pytest

pytest.importorskip("pyeclib", reason="NOT RUN: pyeclib is not installed (pip install pyeclib)")

import pyeclib.ec_iface as stock_iface

import reed.compat.pyeclib.ec_iface as reed_iface

TRIALS = int(os.environ.get("REED_TRIALS") or 150)

TYPES = ("isa_l_rs_cauchy", "isa_l_rs_vand", "isa_l_rs_vand_inv")
GEOMETRIES = (
    (1, 1), (1, 2), (2, 1), (2, 2), (3, 1), (3, 2), (3, 3), (4, 2), (4, 3), (4, 4), (5, 3), (5, 5),
    (6, 3), (7, 5), (8, 2), (8, 3), (8, 4), (9, 5), (10, 2), (10, 4), (10, 5), (11, 7), (12, 4),
    (15, 4), (16, 16), (20, 3), (22, 4), (32, 8), (60, 20), (120, 100),
)
# Geometries of isa_l_rs_vand that lose data for some pattern: reed reads and does not write them.
REFUSED = {(7, 5), (9, 5), (10, 5), (11, 7), (16, 16), (22, 4), (32, 8), (60, 20), (120, 100)}

assert len(GEOMETRIES) == 30


def random_size(rng, k):
    """Bytes of a segment: small, at edges, prime, or up to 20 MB."""
    kind = rng.randrange(12)
    if kind < 3:
        return rng.choice((0, 1, 2, k - 1, k, k + 1, 2 * k - 1, 64 * k, 64 * k + 1))
    if kind < 5:
        return rng.choice((7, 101, 4099, 65537, 104729, 1299709))
    if kind < 8:
        return max(0, (1 << rng.randrange(1, 18)) + rng.randrange(-2, 3))
    if kind < 11:
        return rng.randrange(200_000)
    return rng.randrange(20_000_001) if rng.randrange(5) == 0 else rng.randrange(2_000_000)


def outcome(call):
    """What a call returns, or the name of what it raises."""
    try:
        return call()
    except Exception as error:
        return type(error).__name__


def same_segments(rng, stock, reed):
    """Segment arithmetic, which every PUT and ranged GET rests on."""
    segment_size = rng.choice((1, 3, stock.k, 1024, 1 << 20, rng.randrange(1, 1 << 22)))
    length = rng.choice((1, segment_size, segment_size + 1, segment_size + stock.k,
                         rng.randrange(1, 1 << 31)))
    assert (reed.get_segment_info(length, segment_size)
            == stock.get_segment_info(length, segment_size)), (length, segment_size)
    ranges = []
    for _ in range(3):
        begin = rng.randrange(length)
        ranges.append((begin, min(length - 1, begin + rng.randrange(5 * segment_size))))
    assert (reed.get_segment_info_byterange(ranges, length, segment_size)
            == stock.get_segment_info_byterange(ranges, length, segment_size)), ranges


def same_metadata(rng, stock, reed, fragments):
    fragment = rng.choice(fragments)
    assert reed.get_metadata(fragment) == stock.get_metadata(fragment)
    assert reed.get_metadata(fragment, 1) == stock.get_metadata(fragment, 1)
    metadata = [stock.get_metadata(one) for one in fragments]
    assert reed.verify_stripe_metadata(metadata) == stock.verify_stripe_metadata(metadata)


def same_requirements(rng, stock, reed, total):
    wanted = rng.sample(range(total), rng.randrange(0, stock.m + 1))
    excluded = rng.sample(range(total), rng.randrange(0, stock.m + 1))
    expected = outcome(lambda: stock.fragments_needed(wanted, excluded))
    found = outcome(lambda: reed.fragments_needed(wanted, excluded))
    assert found == expected or (expected, found) == ("ECDriverError", "ECInsufficientFragments")


def trial(rng, number):
    kind = rng.choice(TYPES)
    k, m = GEOMETRIES[number % len(GEOMETRIES)]
    checksum = rng.choice(("none", "inline_crc32"))
    data = rng.randbytes(random_size(rng, k))
    print(f"trial {number}: {kind} {k}+{m} {checksum} {len(data)} bytes")
    options = {"k": k, "m": m, "ec_type": kind, "chksum_type": checksum}
    stock, reed = stock_iface.ECDriver(**options), reed_iface.ECDriver(**options)

    fragments = stock.encode(data)
    if kind == "isa_l_rs_vand" and (k, m) in REFUSED:
        with pytest.raises(reed_iface.ECBackendNotSupported):
            reed.encode(data)
        made = fragments
    else:
        made = reed.encode(data)
        assert made == fragments
    same_metadata(rng, stock, reed, fragments)
    same_segments(rng, stock, reed)
    same_requirements(rng, stock, reed, k + m)

    given = rng.sample(range(k + m), rng.randrange(k, k + m + 1))
    theirs, ours = [fragments[i] for i in given], [made[i] for i in given]
    if rng.randrange(2):
        theirs = [memoryview(bytearray(one)) for one in theirs]
    force = bool(rng.randrange(2))
    expected = outcome(lambda: stock.decode(ours, None, force))
    if expected == "ECDriverError":  # a pattern that this non-MDS geometry cannot invert
        assert (k, m) in REFUSED and kind == "isa_l_rs_vand"
        # reed may do better: it can choose other rows where more than k are given.
        assert outcome(lambda: reed.decode(theirs)) in (data, "ECInsufficientFragments")
        return
    assert expected == data
    assert reed.decode(theirs, None, force) == data
    if data:
        begin = rng.randrange(len(data))
        ranges = [(begin, rng.randrange(begin, len(data))), (0, len(data) - 1)]
        assert reed.decode(theirs, ranges) == stock.decode(ours, ranges)

    missing = [i for i in range(k + m) if i not in given]
    if missing:
        index = rng.choice(missing)
        assert stock.reconstruct(ours, [index]) == [fragments[index]]
        assert reed.reconstruct(theirs, [index]) == [fragments[index]]


def test_the_two_agree(seed):
    rng = random.Random(seed)
    for number in range(TRIALS):
        trial(rng, number)


@pytest.mark.parametrize("size", [0, 1, 4099, 1 << 20])
@pytest.mark.parametrize("kind", TYPES)
def test_every_geometry_encodes_the_same_bytes(kind, size, seed):
    data = random.Random(seed).randbytes(size)
    for k, m in GEOMETRIES:
        if kind == "isa_l_rs_vand" and (k, m) in REFUSED:
            continue
        options = {"k": k, "m": m, "ec_type": kind, "chksum_type": "inline_crc32"}
        assert reed_iface.ECDriver(**options).encode(data) == (
            stock_iface.ECDriver(**options).encode(data)), (k, m)


def test_every_name_of_the_interface_is_there():
    """All that pyeclib.ec_iface offers, and its exceptions with the same kinship."""
    for name, value in vars(stock_iface).items():
        if name.startswith("_") or getattr(value, "__module__", "").startswith("typing"):
            continue
        if name in ("annotations", "Enum", "unique", "warnings", "pyeclib_c", "create_instance",
                    "positive_int_value"):
            continue  # what it imports for itself
        ours = getattr(reed_iface, name)
        if isinstance(value, type) and issubclass(value, Exception):
            assert [base.__name__ for base in ours.__mro__] == [
                base.__name__ for base in value.__mro__], name
    for member in stock_iface.PyECLib_EC_Types:
        assert reed_iface.PyECLib_EC_Types[member.name].value == member.value


ARGUMENTS = [
    {"k": 4, "m": 2, "ec_type": "isa_l_rs_cauchy", "chksum_type": "crc"},
    {"k": -100, "m": 1, "ec_type": "isa_l_rs_cauchy"},
    {"k": 1, "m": -100, "ec_type": "isa_l_rs_cauchy"},
    {"k": None, "m": 1, "ec_type": "isa_l_rs_cauchy"},
    {"k": 4, "m": 0, "ec_type": "isa_l_rs_vand"},
    {"k": 200, "m": 57, "ec_type": "isa_l_rs_cauchy"},
    {"k": 4, "m": 2, "ec_type": "invalid_algo"},
    {"k": 4, "m": 2},
]


@pytest.mark.parametrize("options", ARGUMENTS, ids=str)
def test_the_same_arguments_are_refused(options):
    assert outcome(lambda: reed_iface.ECDriver(**options)) == outcome(
        lambda: stock_iface.ECDriver(**options)) != "ECDriver"


CALLS = {
    "encode a string": lambda d, f: d.encode("text"),
    "encode None": lambda d, f: d.encode(None),
    "decode nothing": lambda d, f: d.decode([]),
    "decode empty fragments": lambda d, f: d.decode([b""] * 4),
    "decode different lengths": lambda d, f: d.decode([f[0], f[1][:-1], *f[2:]]),
    "decode too few": lambda d, f: d.decode(f[:3]),
    "decode cut headers": lambda d, f: d.decode([one[:40] for one in f]),
    "decode no fragments": lambda d, f: d.decode([b"0" * 99] * 6),
    "decode a range too far": lambda d, f: d.decode(f, [(0, 11)]),
    "decode a range of one": lambda d, f: d.decode(f, [(1,)]),
    "decode a float range": lambda d, f: d.decode(f, [(1.0, 2)]),
    "decode an empty range": lambda d, f: d.decode(f, [(3, 2)]),
    "decode no ranges": lambda d, f: d.decode(f, []),
    "decode a generator": lambda d, f: d.decode(iter(f)),
    "decode duplicates": lambda d, f: d.decode([f[0]] * 3 + f[1:]),
    "reconstruct too few": lambda d, f: d.reconstruct(f[:3], [4]),
    "reconstruct from nothing": lambda d, f: d.reconstruct([], [4]),
    "reconstruct nothing": lambda d, f: d.reconstruct(f, []),
    "reconstruct a name": lambda d, f: d.reconstruct(f, ["a"]),
    "reconstruct two, unsorted": lambda d, f: d.reconstruct(f[2:], [1, 0]),
    "reconstruct one that is there": lambda d, f: d.reconstruct(f, [5]),
    "metadata of nothing": lambda d, f: d.get_metadata(b""),
    "metadata of a string": lambda d, f: d.get_metadata("x"),
    "metadata of no fragment": lambda d, f: d.get_metadata(b"0" * 100),
    "stripe metadata of five": lambda d, f: d.verify_stripe_metadata(
        [d.get_metadata(one) for one in f[1:]]),
    "segment info of a float": lambda d, f: d.get_segment_info(1.5, 3),
    "segment info of too much": lambda d, f: d.get_segment_info(1 << 31, 3),
    "parity needed": lambda d, f: d.min_parity_fragments_needed(),
    "its words": lambda d, f: repr(d),
}


@pytest.mark.parametrize("call", CALLS)
def test_odd_calls_end_the_same_way(call):
    results = []
    for iface in (reed_iface, stock_iface):
        driver = iface.ECDriver(k=4, m=2, ec_type="isa_l_rs_cauchy", chksum_type="none")
        fragments = driver.encode(b"hello world")
        results.append(outcome(lambda d=driver, f=fragments: CALLS[call](d, f)))
    assert results[0] == results[1]


def test_stripe_metadata_names_the_same_bad_fragments():
    driver = stock_iface.ECDriver(k=4, m=2, ec_type="isa_l_rs_cauchy", chksum_type="inline_crc32")
    fragments = driver.encode(b"hello world")
    fragments[3] = fragments[3][:-1] + bytes([fragments[3][-1] ^ 1])
    metadata = [driver.get_metadata(one) for one in fragments]
    ours = reed_iface.ECDriver(k=4, m=2, ec_type="isa_l_rs_cauchy")
    assert ours.verify_stripe_metadata(metadata) == driver.verify_stripe_metadata(metadata) == {
        "status": -205, "reason": "Bad checksum", "bad_fragments": [3]}


def test_a_closed_driver_says_so():
    for iface in (reed_iface, stock_iface):
        driver = iface.ECDriver(k=4, m=2, ec_type="isa_l_rs_cauchy")
        fragments = driver.encode(b"data")
        driver.close()
        driver.close()
        for call in (lambda d: d.encode(b"data"), lambda d, f=fragments: d.decode(f),
                     lambda d, f=fragments: d.reconstruct(f[1:], [0]),
                     lambda d, f=fragments: d.get_metadata(f[0]),
                     lambda d: d.get_segment_info(1, 1), lambda d: d.fragments_needed([0])):
            with pytest.raises(iface.ECBackendInstanceNotAvailable, match="handle is closed"):
                call(driver)


def test_legacy_header_checksums(monkeypatch):
    """Both write them when asked to, and read them."""
    monkeypatch.setenv("LIBERASURECODE_WRITE_LEGACY_CRC", "1")
    options = {"k": 4, "m": 2, "ec_type": "isa_l_rs_cauchy", "chksum_type": "none"}
    # The C library asks the environment of the process, which os.environ writes through to.
    old, ours = stock_iface.ECDriver(**options), reed_iface.ECDriver(**options)
    data = random.Random(1).randbytes(999)
    fragments = old.encode(data)
    assert ours.encode(data) == fragments
    assert ours.reconstruct(fragments[1:], [0]) == fragments[:1]
    monkeypatch.delenv("LIBERASURECODE_WRITE_LEGACY_CRC")
    today = reed_iface.ECDriver(**options)
    assert today.encode(data) != fragments  # the flag did something
    assert today.decode(fragments[2:]) == data


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, "-q"]))
