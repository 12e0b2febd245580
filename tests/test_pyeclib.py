"""reed.compat.pyeclib where it is better than pyeclib: nothing corrupt is decoded or used to
rebuild, whatever is given is safe, and what was wrong is named."""

import contextlib
import itertools
import logging
import random
import struct
import threading
import time
import zlib

import pytest

from reed import _core
from reed.compat.pyeclib import (
    ECBackendNotSupported,
    ECBadFragmentChecksum,
    ECDriver,
    ECDriverError,
    ECInsufficientFragments,
    ECInvalidFragmentMetadata,
    ECInvalidParameter,
)

HEADER = 80
TYPES = ("isa_l_rs_cauchy", "isa_l_rs_vand", "isa_l_rs_vand_inv", "reed_native")


def make(kind="isa_l_rs_cauchy", k=4, m=2, checksum=None):
    return ECDriver(k=k, m=m, ec_type=kind, chksum_type=checksum)


def flip(fragment, bit):
    """The fragment with one bit changed."""
    changed = bytearray(fragment)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def hit(rng, fragment):
    """The fragment with one random bit of its payload changed."""
    return flip(fragment, rng.randrange(8 * HEADER, 8 * len(fragment)))


@pytest.fixture
def rng(seed):
    return random.Random(seed)


# ---- what is written -----------------------------------------------------------------------------

def test_payloads_carry_a_checksum_unless_told_otherwise(rng):
    data = rng.randbytes(10_000)
    for kind in TYPES:
        for fragment in make(kind).encode(data):
            assert fragment[20] == 2
            assert struct.unpack_from("<I", fragment, 21)[0] == zlib.crc32(fragment[HEADER:])
        assert all(fragment[20] == 1 for fragment in make(kind, checksum="none").encode(data))


def test_reeds_own_code_has_its_own_backend_id(rng):
    data = rng.randbytes(1000)
    fragments = make("reed_native").encode(data)
    assert {fragment[54] for fragment in fragments} == {114}
    assert make("reed_native").decode(fragments[2:]) == data
    assert make("reed_native").get_metadata(fragments[0], 1)["backend_id"] == "reed_native"
    with pytest.raises(ECInvalidFragmentMetadata, match="backend 114"):
        make("isa_l_rs_cauchy").decode(fragments)


@pytest.mark.parametrize("size", [0, 1, 3, 4, 5, 4096, 100_003])
def test_buffers_of_any_kind(size, rng):
    data = rng.randbytes(size)
    driver = make()
    fragments = driver.encode(data)
    for form in (bytearray, memoryview, lambda b: memoryview(bytearray(b))):
        assert driver.encode(form(data)) == fragments
        given = [form(fragment) for fragment in fragments]
        assert driver.decode(given[1:5]) == data
        assert driver.reconstruct(given[1:], [0]) == fragments[:1]
        assert driver.get_metadata(given[0]) == driver.get_metadata(fragments[0])


def test_a_geometry_that_loses_data_is_read_and_not_written():
    driver = make("isa_l_rs_vand", 10, 5)
    with pytest.raises(ECBackendNotSupported, match=r"isal-vand 10\+5 does not survive"):
        driver.encode(b"data")


# ---- corrupt fragments with a checksum -----------------------------------------------------------

@pytest.mark.parametrize("kind", TYPES)
def test_a_corrupt_fragment_is_named_and_never_decoded(kind, rng, caplog):
    driver = make(kind)
    data = rng.randbytes(5000)
    fragments = driver.encode(data)
    for count in (1, 2, 3):
        for bad in itertools.combinations(range(6), count):
            given = [hit(rng, one) if i in bad else one for i, one in enumerate(fragments)]
            for shuffled in (given, rng.sample(given, 6)):
                for force in (False, True):
                    caplog.clear()
                    if count < 3:
                        assert driver.decode(shuffled, None, force) == data
                        # What was read and found wrong is in the log; with force all are read.
                        named = [i for i in range(6) if f"fragment {i} does not" in caplog.text]
                        assert set(named) <= set(bad)
                        assert not force or named == list(bad)
                    else:
                        with pytest.raises(ECBadFragmentChecksum) as caught:
                            driver.decode(shuffled, None, force)
                        assert caught.value.bad_fragments == bad
            for index in bad:
                if count < 3:
                    assert driver.reconstruct(given, [index]) == [fragments[index]]
                else:
                    with pytest.raises(ECBadFragmentChecksum):
                        driver.reconstruct(given, [index])


def test_exactly_k_with_one_corrupt_is_an_error_that_names_it(rng):
    driver = make()
    fragments = driver.encode(rng.randbytes(5000))
    given = [fragments[1], hit(rng, fragments[2]), fragments[4], fragments[5]]
    with pytest.raises(ECBadFragmentChecksum, match="fragment 2 does not match") as caught:
        driver.decode(given)
    assert caught.value.bad_fragments == (2,)
    with pytest.raises(ECBadFragmentChecksum) as caught:
        driver.reconstruct(given, [0])
    assert caught.value.bad_fragments == (2,)


def test_every_single_bit_of_a_fragment_counts(rng):
    """A flipped bit is found by metadata and by decode, or does not matter to either."""
    driver = make(k=2, m=1)
    data = rng.randbytes(13)
    fragments = driver.encode(data)
    ignored = 0
    for bit in range(8 * len(fragments[0])):
        changed = flip(fragments[0], bit)
        try:
            decoded = driver.decode([changed, fragments[1]])
        except (ECBadFragmentChecksum, ECInvalidFragmentMetadata):
            with pytest.raises((ECBadFragmentChecksum, ECInvalidFragmentMetadata)):
                driver.get_metadata(changed)
        else:
            assert decoded == data
            ignored += 1
    # The version of the library and the unused end of the header: no checksum covers them.
    assert ignored == (4 + 9) * 8


def test_metadata_of_a_corrupt_fragment(rng):
    driver = make()
    fragment = hit(rng, driver.encode(rng.randbytes(999))[3])
    with pytest.raises(ECBadFragmentChecksum, match="fragment 3") as caught:
        driver.get_metadata(fragment)
    assert caught.value.bad_fragments == (3,)
    assert driver.get_metadata(fragment, formatted=True)["chksum_mismatch"] == 1


def test_metadata_of_another_code_is_no_damage(rng):
    """Swift quarantines what get_metadata refuses: a wrong policy must not cost all data."""
    fragment = make("isa_l_rs_vand", 20, 4).encode(b"data" * 9)[23]
    assert make().get_metadata(fragment, 1)["index"] == 23


# ---- fragments without a checksum ----------------------------------------------------------------

@pytest.mark.parametrize("kind", TYPES)
def test_without_checksums_spare_fragments_tell(kind, rng):
    driver = make(kind, 4, 3, "none")
    data = rng.randbytes(3000)
    fragments = driver.encode(data)
    for bad in range(7):
        given = [hit(rng, one) if i == bad else one for i, one in enumerate(fragments)]
        # Two or more spares: the wrong one is located. One spare: only that something is wrong.
        assert driver.decode(given) == data
        assert driver.decode([one for i, one in enumerate(given) if i != (bad + 1) % 7]) == data
        with pytest.raises(ECBadFragmentChecksum, match="cannot be told") as caught:
            driver.decode([one for i, one in enumerate(given)
                           if i not in ((bad + 1) % 7, (bad + 2) % 7)])
        assert caught.value.bad_fragments == ()
    two = [hit(rng, one) if i < 2 else one for i, one in enumerate(fragments)]
    with pytest.raises(ECBadFragmentChecksum):
        driver.decode(two[:5])


def test_checked_fragments_make_up_for_unchecked_ones(rng):
    """A stripe of a mixed cluster: enough with a checksum, and wrong ones without."""
    data = rng.randbytes(3000)
    checked, unchecked = make().encode(data), make(checksum="none").encode(data)
    # Wrong in every column, so that comparing could not tell which two of the six it is.
    given = [one[:HEADER] + rng.randbytes(len(one) - HEADER) for one in unchecked[:2]] + checked[2:]
    assert make().decode(given) == data
    assert make().reconstruct(given, [0]) == checked[:1]
    # Three with, two without of which one is wrong: one spare, and something is wrong.
    given = [hit(rng, unchecked[0]), unchecked[1], *checked[2:5]]
    with pytest.raises(ECBadFragmentChecksum):
        make().decode(given)


def test_no_checksum_is_minted_for_unproved_bytes(rng):
    data = rng.randbytes(3000)
    unchecked = make(checksum="none").encode(data)
    driver = make()
    # Exactly k, none proved: as good as what it was made from, and it says so.
    assert driver.reconstruct(unchecked[1:5], [0]) == unchecked[:1]
    # One more that agrees proves all of them.
    assert driver.reconstruct(unchecked[1:6], [0]) == driver.encode(data)[:1]


def test_the_same_index_twice(rng):
    driver = make()
    data = rng.randbytes(3000)
    fragments = driver.encode(data)
    wrong = hit(rng, fragments[1])
    for pair in ([wrong, fragments[1]], [fragments[1], wrong]):
        assert driver.decode([fragments[0], *pair, *fragments[2:4]]) == data
    with pytest.raises(ECInsufficientFragments):
        driver.decode([fragments[0]] * 4)
    other = driver.encode(rng.randbytes(3000))
    with pytest.raises(ECInvalidFragmentMetadata, match="given twice"):
        driver.decode([other[1], *fragments[:4]])


def test_fragments_of_two_segments_are_not_mixed(rng):
    driver = make()
    one, other = driver.encode(rng.randbytes(3000)), driver.encode(rng.randbytes(2999))
    with pytest.raises(ECInvalidFragmentMetadata, match="3000 and of 2999"):
        driver.decode([*one[:3], other[3]])
    # Of the same size, with right checksums: found where more than k are compared.
    other = driver.encode(rng.randbytes(3000))
    with pytest.raises(ECBadFragmentChecksum, match="cannot be told"):
        driver.decode([*one[:4], other[4]], force_metadata_checks=True)


# ---- headers -------------------------------------------------------------------------------------

def header(index=0, payload=3, extra=0, segment=11, kind=1, crc=0, backend=7, version=0x20E01,
           magic=0x0B0C5ECC, library=0x10800, order="<"):
    metadata = struct.pack(order + "IIIQBI28xBBI", index, payload, extra, segment, kind, crc, 0,
                           backend, version)
    return metadata + struct.pack(order + "III9x", magic, library, zlib.crc32(metadata))


def test_headers_of_the_other_byte_order(rng):
    driver = make()
    data = rng.randbytes(11)
    fragments = driver.encode(data)
    crc = zlib.crc32(fragments[0][HEADER:])
    swapped = header(kind=2, crc=crc, order=">") + fragments[0][HEADER:]
    assert driver.get_metadata(swapped) == driver.get_metadata(fragments[0])
    assert driver.decode([swapped, *fragments[1:4]]) == data
    with pytest.raises(ECBadFragmentChecksum):
        driver.get_metadata(flip(swapped, 8 * HEADER))


def test_headers_before_1_2_have_no_checksum_of_their_own():
    old = bytearray(header(library=0x10100) + b"abc")
    old[67:71] = b"\0\0\0\0"
    assert make().get_metadata(bytes(old), 1)["orig_data_size"] == 11


@pytest.mark.parametrize("change, message", [
    ({"index": 6}, "number 6 of 6"),
    ({"index": 2**32 - 1}, "number 4294967295 of 6"),
    ({"payload": 4}, "shorter than its header"),
    ({"payload": 2**32 - 1}, "shorter than its header"),
    ({"payload": 2}, "longer than its header"),
    ({"extra": 1}, "shorter than its header"),
    ({"segment": 13}, "more than 4 payloads"),
    ({"segment": 2**64 - 1}, "more than 4 payloads"),
    ({"backend": 4}, "backend 4"),
    ({"version": 0}, "version 0x0"),
    ({"magic": 0}, "no magic"),
    ({"library": 0}, "names no version"),
], ids=str)
def test_each_field_of_a_header_is_checked(change, message):
    driver = make(checksum="none")
    fragments = driver.encode(b"hello world")
    assert fragments[0] == header() + b"hel"
    hostile = header(**change) + b"hel"
    with pytest.raises(ECInvalidFragmentMetadata, match=message):
        driver.decode([hostile, *fragments[1:4]])
    assert driver.decode([hostile, *fragments[1:5]]) == b"hello world"


def test_random_damage_is_safe(rng):
    """Any bytes: the data, or an exception of the interface."""
    driver = make()
    data = rng.randbytes(300)
    fragments = driver.encode(data)
    for _ in range(3000):
        given = []
        for fragment in rng.sample(fragments, rng.randrange(3, 7)):
            damaged = bytearray(fragment)
            for _ in range(rng.choice((0, 0, 1, 3))):
                damaged[rng.randrange(rng.choice((HEADER, len(damaged))))] = rng.randrange(256)
            given.append(bytes(damaged))
        if rng.randrange(10) == 0:
            given[0] = given[0][:rng.randrange(len(given[0]))]
        for call in (lambda g: driver.decode(g) == data,
                     lambda g: driver.reconstruct(g, [1]) == fragments[1:2],
                     lambda g: driver.get_metadata(g[0]) is not None):
            with contextlib.suppress(ECDriverError):
                assert call(given)


def test_reconstruct_indices_out_of_range(rng):
    driver = make()
    fragments = driver.encode(rng.randbytes(100))
    for index in (-1, 6, 2**31 - 1, 2**40):
        with pytest.raises(ECInvalidParameter):
            driver.reconstruct(fragments, [index])


# ---- the log, threads ----------------------------------------------------------------------------

def test_what_was_left_out_is_in_the_log(rng, caplog):
    driver = make()
    fragments = driver.encode(rng.randbytes(100))
    fragments[1] = hit(rng, fragments[1])
    with caplog.at_level(logging.WARNING):
        driver.decode(fragments)
    assert caplog.messages == [
        "isa_l_rs_cauchy 4+2 decode: not used: fragment 1 does not match its checksum"]


def test_other_threads_run_meanwhile(rng):
    """The GIL is released: a thread that only counts goes on during a long encode."""
    driver = make(k=10, m=4)
    data = rng.randbytes(64 << 20)
    counts, stop = [0], threading.Event()

    def count():
        while not stop.is_set():
            counts[0] += 1
            time.sleep(0)

    thread = threading.Thread(target=count)
    thread.start()
    try:
        before = counts[0]
        driver.encode(data)
        during = counts[0] - before
    finally:
        stop.set()
        thread.join()
    # With the GIL held it could run once or twice, at the edges of the call.
    assert during > 20


def test_one_driver_in_many_threads(rng):
    driver = make(k=6, m=3)
    data = rng.randbytes(20_000)
    fragments = driver.encode(data)
    failures = []

    def work(seed):
        own = random.Random(seed)
        for _ in range(200):
            if driver.decode(own.sample(fragments, own.randrange(6, 10))) != data:
                failures.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


# ---- CRC-32 --------------------------------------------------------------------------------------

@pytest.mark.parametrize("kernel", _core.kernels())
def test_crc32_is_zlibs(kernel, rng):
    for size in (0, 1, 15, 16, 59, 127, 128, 255, 256, 1000, 100_003):
        data = rng.randbytes(size)
        assert _core.crc32(data, 0, kernel) == zlib.crc32(data)
        assert _core.crc32(data, 0x1234, kernel) == zlib.crc32(data, 0x1234)
