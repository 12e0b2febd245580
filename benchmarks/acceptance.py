"""python -m benchmarks.acceptance: one figure alone, reed from Python against ISA-L by ctypes.

10+4, 64 KiB shards, two-dimensional arrays, one thread, interleaved. Exits 0 when reed reaches the
target, 1 when it does not, 4 when the peer is missing.
"""

import sys

from benchmarks import cases, evaluate, measure, report

ROUNDS = 61
EXIT_CODES = {evaluate.MET: 0, evaluate.MISSED: 1, evaluate.ABSENT: 4}


def main():
    field = evaluate.Field()
    processor = measure.processors()[-1]
    case = next(case for case in cases.CASES if case.name == cases.ARRAYS)
    result = evaluate.run_case(field, case, ROUNDS, processor)
    print(report.case_line(result))
    for label, entry in result["entrants"].items():
        if entry["absent"]:
            print(f"    {label}: ABSENT, {entry['absent']}")
    return EXIT_CODES[result["targets"][0]["status"]]


if __name__ == "__main__":
    sys.exit(main())
