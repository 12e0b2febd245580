"""Writes tests/vectors/shards/CASE/*.reed: whole shard files, put together by the oracles.

    python tests/vectors/make_shard_vectors.py

The files are frozen with version 1 of the format. Nothing of reed takes part: the parity is a slow
matrix product and the structures are those of tests/oracles/format.py. This script says where the
files come from; a run that changes one of them is a change of the format.
tests/test_files_golden.py compares them with what reed writes, and reads them.
"""

import hashlib
import sys
from pathlib import Path

import numpy

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from oracles import codes, gf256  # noqa: E402
from oracles import format as oracle  # noqa: E402

BLOCK_SIZE = 4096
GENERATOR_NUMBERS = {name: number for number, name in enumerate(codes.NAMES, 1)}
DIGESTS = {"none": 0, "sha256": 1}


def object_bytes(size):
    """The object of a case: bytes that repeat with no period of a power of two."""
    return bytes(i * 7 % 251 for i in range(size))


# Name -> generator, data shards, parity shards, object size, digest.
CASES = {
    "empty": ("native", 2, 1, 0, "sha256"),
    "one_byte": ("native", 2, 1, 1, "sha256"),
    "exact_multiple": ("native", 2, 1, 2 * 2 * BLOCK_SIZE, "sha256"),
    "partial_last_row": ("native", 2, 1, 2 * BLOCK_SIZE + 1001, "sha256"),
    "no_digest": ("native", 3, 2, 100, "none"),
    "three_copies": ("replication", 1, 2, BLOCK_SIZE + 77, "sha256"),
    **{f"generator_{name}": (name, 3, 2, 1000, "sha256") for name in codes.NAMES
       if name != "replication"},
}

# Header fields that another version might write, in all shards of "one_byte".
OTHER_VERSIONS = {
    "unknown_compatible_flag": {"compatible_flags": 1 << 31},
    "unknown_incompatible_flag": {"incompatible_flags": 1},
    "next_minor": {"version_minor": 1},
    "next_major": {"version_major": 2},
}


def stripe_id(case):
    """Sixteen bytes that differ from case to case."""
    return hashlib.sha256(case.encode()).digest()[:16]


def shard_files(case, generator, data_shards, parity_shards, size, digest, **header_fields):
    """The bytes of every shard file of a case, by shard index."""
    data = object_bytes(size)
    parity_rows = codes.parity_rows(generator, data_shards, parity_shards)
    number = GENERATOR_NUMBERS[generator]
    common = {
        "stripe_id": stripe_id(case), "generator": number, "data_shards": data_shards,
        "parity_shards": parity_shards,
    }
    header = {
        **common, "matrix_crc32c": oracle.crc32c(parity_rows.tobytes()), "block_size": BLOCK_SIZE,
        "digest_type": DIGESTS[digest], **header_fields,
    }
    row_size = data_shards * BLOCK_SIZE
    footer = {
        "object_size": size, "row_count": -(-size // row_size),
        "digest": hashlib.sha256(data).digest() if digest == "sha256" else bytes(32),
    }
    shards = [[oracle.write_header({**header, "shard_index": index})]
              for index in range(data_shards + parity_shards)]
    for begin in range(0, size, row_size):
        row = data[begin:begin + row_size]
        payload_size = -(-len(row) // data_shards)
        padded = row.ljust(data_shards * payload_size, b"\0")
        rows = numpy.frombuffer(padded, numpy.uint8).reshape(data_shards, payload_size)
        blocks = numpy.concatenate([rows, gf256.dot(parity_rows, rows)])
        for index, block in enumerate(blocks):
            shards[index].append(oracle.write_block(
                {**common, "shard_index": index, "row": begin // row_size,
                 "row_data_size": len(row), "payload_size": payload_size,
                 "block_size_log2": BLOCK_SIZE.bit_length() - 1,
                 "flags": int(begin + row_size >= size)}, block.tobytes()))
    for index, parts in enumerate(shards):
        parts.append(oracle.write_footer({**header, **footer, "shard_index": index}))
    return [b"".join(parts) for parts in shards]


def vectors():
    """Path below the folder -> bytes."""
    files = {}
    for case, parameters in CASES.items():
        for index, content in enumerate(shard_files(case, *parameters)):
            files[f"{case}/object.{index:03d}.reed"] = content
    for case, fields in OTHER_VERSIONS.items():
        for index, content in enumerate(shard_files(case, *CASES["one_byte"], **fields)):
            files[f"{case}/object.{index:03d}.reed"] = content
    return files


def main():
    for name, content in vectors().items():
        path = HERE / "shards" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


if __name__ == "__main__":
    main()
