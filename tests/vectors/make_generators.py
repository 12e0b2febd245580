"""Prints tests/vectors/generators.json: parity rows of every generator, from tests/oracles alone.

    python tests/vectors/make_generators.py > tests/vectors/generators.json

The file is frozen: bytes on disk are made with these matrices. tests/test_generators.py fails when
the library, the oracle or this script departs from it.
"""

import json
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from oracles import codes

SHAPES = [(1, 0), (1, 1), (1, 2), (2, 1), (2, 2), (3, 2), (4, 2), (4, 4), (5, 3), (5, 5), (6, 3),
          (8, 3), (9, 7), (10, 4), (12, 6), (16, 4), (17, 3), (20, 16), (21, 4), (4, 21), (32, 17),
          (240, 16), (248, 8), (254, 1), (254, 2), (3, 253), (1, 255), (250, 6), (200, 56)]


def golden():
    """{name: {"k+m": [row in hexadecimal, ...]}}"""
    return {
        name: {f"{k}+{m}": [row.tobytes().hex() for row in codes.parity_rows(name, k, m)]
               for k, m in SHAPES if codes.exists(name, k, m)}
        for name in codes.NAMES
    }


if __name__ == "__main__":
    json.dump(golden(), sys.stdout, indent=1)
    print()
