"""python -m benchmarks.run: reed, its peers and the roofline, interleaved in one run.

Prints the machine and every case as it goes; leaves results.json, results.md and plots in a
folder. ``--quick`` stays under three minutes.
"""

import argparse
import datetime
import json
import sys
import time
from pathlib import Path

from benchmarks import cases, evaluate, harness, machine, measure, report

ROUNDS_QUICK, ROUNDS_FULL = 15, 61
SURVEY_ROUNDS_QUICK, SURVEY_ROUNDS_FULL = 7, 25


def arguments(argv):
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer cases and rounds")
    parser.add_argument("--only", metavar="TEXT", action="append",
                        help="only the cases whose name contains this, and no surveys")
    parser.add_argument("--rounds", type=int, help="interleaved samples of each contender")
    parser.add_argument("--cpu", type=int, help="processor to pin to (the last one by default)")
    parser.add_argument("--no-surveys", action="store_true", help="the cases alone, without plots")
    parser.add_argument("--output", type=Path, metavar="DIR",
                        help="where to write (build/benchmarks/<date>-<cpu> by default)")
    parser.add_argument("--list", action="store_true", help="name the cases and stop")
    chosen = parser.parse_args(argv)
    if chosen.rounds is not None and chosen.rounds < 1:
        parser.error(f"--rounds must be at least 1, not {chosen.rounds}")
    return chosen


def selected_cases(chosen):
    if chosen.only:
        return [case for case in cases.CASES if any(text in case.name for text in chosen.only)]
    return [case for case in cases.CASES if case.is_quick or not chosen.quick]


def surveys(chosen):
    """name -> cases of each survey."""
    found = {
        "size": cases.size_survey(), "geometry": cases.geometry_survey(),
        "object": cases.object_survey(),
        "threads": cases.thread_survey(len(measure.processors())),
    }
    return {name: [case for case in each if case.is_quick or not chosen.quick]
            for name, each in found.items()}


def show(*lines):
    print(*lines, sep="\n", flush=True)


def main(argv=None):
    chosen = arguments(argv)
    chosen_cases = selected_cases(chosen)
    if chosen.list:
        show(*(case.name for case in chosen_cases))
        return 0
    if not chosen_cases:
        print(f"no case has a name with {' or '.join(chosen.only)}; --list names them",
              file=sys.stderr)
        return 3
    begin = time.monotonic()
    field = evaluate.Field()
    rounds = chosen.rounds or (ROUNDS_QUICK if chosen.quick else ROUNDS_FULL)
    survey_rounds = min(rounds, SURVEY_ROUNDS_QUICK if chosen.quick else SURVEY_ROUNDS_FULL)
    processor = measure.processors()[-1] if chosen.cpu is None else chosen.cpu
    document = {
        "schema": evaluate.SCHEMA,
        "date": datetime.date.today().isoformat(),
        "mode": "quick" if chosen.quick else "full",
        "seconds": 0.0,
        "rounds": rounds,
        "machine": machine.describe(harness.COMPILER[0]),
        "contestants": field.versions(),
        "missing_peers": field.missing,
        "noise": {},
        "cases": [],
        "surveys": {},
    }
    show(*report.machine_lines(document["machine"]),
         *(f"{name} {version}" for name, version in document["contestants"].items()),
         *(f"MISSING PEER: {name} ({reason})" for name, reason in field.missing.items()))
    document["noise"] = evaluate.noise_floor(field, max(rounds, ROUNDS_QUICK), processor)
    show("Noise floor, the same work against itself:",
         *("    " + line for line in report.noise_lines(document["noise"])), "")
    for case in chosen_cases:
        result = evaluate.run_case(field, case, rounds, processor)
        document["cases"].append(result)
        show(report.case_line(result))
    if not chosen.only and not chosen.no_surveys:
        for name, survey in surveys(chosen).items():
            show(f"Survey: {name}, {len(survey)} points")
            document["surveys"][name] = [
                evaluate.run_case(field, case, survey_rounds, processor) for case in survey]
    document["seconds"] = time.monotonic() - begin
    write(document, chosen)
    return 0


def write(document, chosen):
    """results.json, results.md and, where matplotlib is there, the plots."""
    folder = chosen.output or (
        harness.BUILD / f"{document['date']}-{machine.short_name(document['machine'])}")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(document, indent=1) + "\n")
    (folder / "results.md").write_text(report.markdown(document) + "\n")
    written = ["results.json", "results.md"]
    if document["surveys"]:
        try:
            from benchmarks import plots
        except ImportError as error:
            show(f"NO PLOTS: {error}")
        else:
            written += plots.draw(document, folder)
    targets = [target["status"] for result in document["cases"] for target in result["targets"]]
    show("", f"{document['seconds']:.0f} s; targets: " + ", ".join(
        f"{targets.count(status)} {status}" for status in report.MARKS))
    show(f"{', '.join(written)} in {folder}")


if __name__ == "__main__":
    sys.exit(main())
