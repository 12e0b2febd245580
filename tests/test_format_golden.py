"""The shard format, seen from two sides: csrc/shard.c and the plain Python of oracles/format.py.

Both must agree with the frozen bytes of tests/vectors/format and with each other on thousands of
structures whose fields were set to boundary values behind a correct checksum.
"""

import random
import re
import struct
import sys

import pytest

import c_build
from oracles import codes
from oracles import format as oracle

sys.path.insert(0, str(c_build.ROOT / "tests" / "vectors"))
import make_format_vectors as vectors

STATUSES = {
    0: "OK", 20: "NOT_A_SHARD", 21: "TRUNCATED", 22: "CORRUPT", 23: "MALFORMED",
    24: "UNSUPPORTED_VERSION", 25: "UNSUPPORTED_FEATURE",
}
SHARD_OUTPUT = (
    "version_major", "version_minor", "compatible_flags", "stripe_id", "generator",
    "matrix_crc32c", "data_shards", "parity_shards", "shard_index", "block_size", "digest_type",
    "object_size", "row_count", "digest",
)
BLOCK_OUTPUT = (
    "stripe_id", "row", "row_data_size", "generator", "data_shards", "parity_shards",
    "shard_index", "block_size", "payload_size", "is_last_row",
)
PARSERS = {"H": oracle.parse_header, "F": oracle.parse_footer, "B": oracle.parse_block}
FOLDER = c_build.ROOT / "tests" / "vectors" / "format"


@pytest.fixture(scope="module", params=["optimised", "sanitized"])
def dump(request, tmp_path_factory):
    """Runs cases [(letter, bytes)] through the C parsers; one list of words for each."""
    flags = {"optimised": c_build.OPTIMISED, "sanitized": c_build.SANITIZED}[request.param]
    program = c_build.build(["shard_dump"], tmp_path_factory.mktemp("dump"), flags, "gcc")

    def run(cases):
        stream = b"".join(letter.encode() + struct.pack("<I", len(data)) + data
                          for letter, data in cases)
        lines = c_build.run(program, input=stream).stdout.decode().splitlines()
        assert len(lines) == len(cases)
        return [line.split() for line in lines]

    return run


def expected_words(letter, data):
    """What C must print, without the value and the limits of a fault."""
    try:
        fields = PARSERS[letter](data)
    except oracle.Refused as refused:
        return [refused.status, refused.field or "-"]
    fields = {"object_size": 0, "row_count": 0, "digest": bytes(32), **fields}
    names = BLOCK_OUTPUT if letter == "B" else SHARD_OUTPUT
    return ["OK", *(fields[name].hex() if isinstance(fields[name], bytes) else str(fields[name])
                    for name in names)]


def printed_words(words):
    status = STATUSES[int(words[0])]
    return [status, *words[1:]] if status == "OK" else [status, words[1]]


def assert_agree(dump, cases):
    for (letter, data), words in zip(cases, dump(cases), strict=True):
        assert printed_words(words) == expected_words(letter, data), (letter, data[:256].hex())


def test_frozen_files_are_what_the_oracle_writes():
    made = vectors.vectors()
    assert sorted(made) == sorted(path.name for path in FOLDER.iterdir())
    for name, data in made.items():
        assert (FOLDER / name).read_bytes() == data, name


@pytest.mark.parametrize("name, status, field", [
    ("header.bin", "OK", None),
    ("header_compatible_flag.bin", "OK", None),
    ("header_next_minor.bin", "OK", None),
    ("header_incompatible_flag.bin", "UNSUPPORTED_FEATURE", "incompatible_flags"),
    ("header_next_major.bin", "UNSUPPORTED_VERSION", "version_major"),
    ("header_unknown_generator.bin", "UNSUPPORTED_FEATURE", "generator"),
    ("header_replica.bin", "OK", None),
    ("footer.bin", "OK", None),
    ("footer_compatible_flag.bin", "OK", None),
    ("footer_next_minor.bin", "OK", None),
    ("footer_incompatible_flag.bin", "UNSUPPORTED_FEATURE", "incompatible_flags"),
    ("footer_next_major.bin", "UNSUPPORTED_VERSION", "version_major"),
    ("footer_unknown_generator.bin", "UNSUPPORTED_FEATURE", "generator"),
    ("footer_empty_replica.bin", "OK", None),
    ("block_full.bin", "OK", None),
    ("block_last.bin", "OK", None),
    ("block_unknown_flag.bin", "UNSUPPORTED_FEATURE", "flags"),
])
def test_frozen_files_parse(dump, name, status, field):
    """shard_dump also writes what it parsed and compares the bytes."""
    case = (name[0].upper(), (FOLDER / name).read_bytes())
    words = dump([case])[0]
    assert STATUSES[int(words[0])] == status
    if field is not None:
        assert words[1] == field
    assert printed_words(words) == expected_words(*case)


def test_format_md_shows_the_frozen_bytes():
    """The examples of FORMAT.md are the golden files."""
    text = (c_build.ROOT / "FORMAT.md").read_text()
    for name in ("header.bin", "footer.bin", "block_last.bin"):
        section = text.split(f"`{name}`", 1)[1].split("```")[1]
        shown = {}
        for line in section.strip().splitlines():
            offset, _, digits = line.partition(":")
            shown[int(offset, 16)] = bytes.fromhex(digits)
        data = (FOLDER / name).read_bytes()
        covered = set()
        for offset, piece in shown.items():
            assert data[offset:offset + len(piece)] == piece, (name, offset)
            covered.update(range(offset, offset + len(piece)))
        hidden = set(range(64 if name.startswith("block") else 256)) - covered
        assert not any(data[i] for i in hidden), name


def test_format_md_pins_the_generators():
    """The samples of FORMAT.md follow from its formulas."""
    text = (c_build.ROOT / "FORMAT.md").read_text()
    line = r"^\| ([a-z-]+) \| (\d+)\+(\d+) \| ([0-9 ]+?)(?: …)? \| ([0-9a-f]{8}) \|$"
    samples = re.findall(line, text, re.MULTILINE)
    assert len(samples) == 15
    assert {name for name, *_ in samples} == set(codes.NAMES)
    for name, k, m, row, crc in samples:
        rows = codes.parity_rows(name, int(k), int(m))
        shown = [int(number) for number in row.split()]
        assert rows[0][:len(shown)].tolist() == shown, (name, k, m)
        assert oracle.crc32c(rows.astype("uint8").tobytes()) == int(crc, 16), (name, k, m)


def boundary_values(rng, bits):
    limits = [0, 1, 2, 3, 7, 8, 255, 256, 257, 4095, 4096, 4097, 65536, 1 << 24, (1 << 24) + 1,
              1 << 62, (1 << 62) + 1, 1 << 63]
    values = [*limits, (1 << bits) - 1, (1 << bits) - 2, 1 << (bits - 1), rng.getrandbits(bits)]
    return [value for value in values if value < 1 << bits]


NUMBERS = {  # field -> bits, of a header, and what a footer has beside it
    "version_major": 16, "version_minor": 16, "size": 32, "compatible_flags": 32,
    "incompatible_flags": 32, "field": 32, "generator": 32, "matrix_crc32c": 32,
    "data_shards": 32, "parity_shards": 32, "shard_index": 32, "block_size": 32,
    "checksum_type": 32, "digest_type": 32,
}
FOOTER_NUMBERS = {**NUMBERS, "object_size": 64, "row_count": 64}
BLOCK_NUMBERS = {
    "row": 64, "row_data_size": 64, "data_shards": 32, "parity_shards": 32, "shard_index": 32,
    "payload_size": 32, "generator": 8, "field": 8, "block_size_log2": 8, "flags": 8,
}


def test_every_field_over_its_boundaries(dump):
    """One field at a time, behind a correct checksum: the same verdict from both sides."""
    rng = random.Random(20240302)
    cases = []
    for letter, sample, write, numbers in (
        ("H", vectors.COMMON, oracle.write_header, NUMBERS),
        ("F", vectors.FOOTER, oracle.write_footer, FOOTER_NUMBERS),
        ("H", vectors.REPLICA, oracle.write_header, NUMBERS),
        ("F", vectors.EMPTY_FOOTER, oracle.write_footer, FOOTER_NUMBERS),
    ):
        for field, bits in numbers.items():
            cases += [(letter, write({**sample, field: value}))
                      for value in boundary_values(rng, bits)]
        cases.append((letter, write({**sample, "stripe_id": bytes(16)})))
    payload = vectors.OBJECT[:904]
    for field, bits in BLOCK_NUMBERS.items():
        for value in boundary_values(rng, bits) + list(range(9, 27)):
            cases.append(("B", oracle.write_block({**vectors.LAST_BLOCK, field: value}, payload)))
    assert_agree(dump, cases)


def test_random_shapes(dump):
    """Several fields at a time, near the limits of each generator."""
    rng = random.Random(20240303)
    cases = []
    for _ in range(4000):
        k, m = rng.choice([
            (rng.randint(1, 6), rng.randint(0, 24)), (rng.randint(1, 24), rng.randint(0, 6)),
            (k := rng.randint(1, 256), rng.randint(max(0, 254 - k), max(0, 258 - k))),
        ])
        shape = {"generator": rng.randint(1, 7), "data_shards": k, "parity_shards": m,
                 "shard_index": rng.choice([0, k + m - 1, k + m])}
        cases.append(("H", oracle.write_header({**vectors.COMMON, **shape})))
        log2 = rng.choice([12, 12, 13, 24])
        full = k << log2
        size = rng.choice([full, full - 1, rng.randint(1, 300), rng.randint(1, 300) * k])
        payload = bytes(min((size + k - 1) // k, 300)) if size < full else bytes(1 << log2)
        if len(payload) <= 300 and (size + k - 1) // k == len(payload):
            cases.append(("B", oracle.write_block(
                {**vectors.LAST_BLOCK, **shape, "block_size_log2": log2, "row_data_size": size,
                 "payload_size": len(payload), "row": rng.choice([0, (1 << 62) // full])},
                payload)))
        elif rng.random() < 0.5:
            objects = rng.choice([0, 1, full, full - 1, full + 1, rng.getrandbits(62), 1 << 62])
            rows = (objects + full - 1) // full + rng.choice([0, 0, 0, 1, -1])
            cases.append(("F", oracle.write_footer(
                {**vectors.FOOTER, **shape, "block_size": 1 << log2, "object_size": objects,
                 "row_count": max(rows, 0)})))
    assert_agree(dump, cases)


def test_layout_agrees(dump):
    rng = random.Random(20240304)
    triples = []
    for _ in range(2000):
        k, block = rng.choice([1, 2, 3, 10, 255, 256]), 1 << rng.choice([12, 16, 24])
        row = k * block
        size = rng.randint(0, 40) * row + rng.choice([0, 1, -1, k, -k, rng.randint(0, row)])
        triples.append((k, block, max(size, 0)))
    answers = dump([("L", struct.pack("<IIQ", *triple)) for triple in triples])
    for triple, words in zip(triples, answers, strict=True):
        assert [int(word) for word in words] == [0, *oracle.layout(*triple)], triple
