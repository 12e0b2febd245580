"""Writes tests/vectors/format/*.bin: headers, footers and blocks, made by the oracle.

    python tests/vectors/make_format_vectors.py

The files are frozen with version 1 of the format. This script says where they come from; a run
that changes one of them is a change of the format. tests/test_format_golden.py compares.
"""

import hashlib
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from oracles import format as oracle  # noqa: E402

OBJECT = bytes(i * 7 % 251 for i in range(50_000))

# Native 10+4 at shard 13; the matrix checksum is a stand-in that only these vectors use.
COMMON = {
    "stripe_id": bytes(range(0x10, 0x20)),
    "generator": 1,
    "matrix_crc32c": 0x12345678,
    "data_shards": 10,
    "parity_shards": 4,
    "shard_index": 13,
    "block_size": 4096,
    "digest_type": 1,
}
FOOTER = {**COMMON, "object_size": len(OBJECT), "row_count": 2,
          "digest": hashlib.sha256(OBJECT).digest()}
REPLICA = {**COMMON, "generator": 2, "data_shards": 1, "parity_shards": 2, "shard_index": 2,
           "block_size": 65536, "digest_type": 0}
EMPTY_FOOTER = {**REPLICA, "object_size": 0, "row_count": 0, "digest": bytes(32)}
BLOCK = {name: COMMON[name]
         for name in ("stripe_id", "generator", "data_shards", "parity_shards", "shard_index")}
FULL_BLOCK = {**BLOCK, "block_size_log2": 12, "row": 0, "row_data_size": 40_960,
              "payload_size": 4096, "flags": 0}
LAST_BLOCK = {**BLOCK, "block_size_log2": 12, "row": 1, "row_data_size": 9_040,
              "payload_size": 904, "flags": 1}


def vectors():
    """File name -> bytes."""
    files = {
        "block_full.bin": oracle.write_block(FULL_BLOCK, OBJECT[:4096]),
        "block_last.bin": oracle.write_block(LAST_BLOCK, OBJECT[:904]),
        "block_unknown_flag.bin": oracle.write_block({**LAST_BLOCK, "flags": 3}, OBJECT[:904]),
        "header_replica.bin": oracle.write_header(REPLICA),
        "footer_empty_replica.bin": oracle.write_footer(EMPTY_FOOTER),
    }
    for kind, write, fields in (("header", oracle.write_header, COMMON),
                                ("footer", oracle.write_footer, FOOTER)):
        files[f"{kind}.bin"] = write(fields)
        files[f"{kind}_compatible_flag.bin"] = write({**fields, "compatible_flags": 1 << 31})
        files[f"{kind}_incompatible_flag.bin"] = write({**fields, "incompatible_flags": 1})
        files[f"{kind}_next_minor.bin"] = write({**fields, "version_minor": 1})
        files[f"{kind}_next_major.bin"] = write({**fields, "version_major": 2})
        files[f"{kind}_unknown_generator.bin"] = write({**fields, "generator": 8})
    return files


def main():
    folder = HERE / "format"
    folder.mkdir(exist_ok=True)
    for name, data in vectors().items():
        (folder / name).write_bytes(data)


if __name__ == "__main__":
    main()
