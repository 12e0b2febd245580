"""Everything a report shows, computed once: verdicts, the table of schemes against threats, the
curves; and its plain-text and JSON forms. The HTML form is in ``html``."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from reed.errors import InvalidParameter

from .claim import PASS, UNIT_WORDS, Verdict, answerable, claim, with_repair_hours, with_scrub_hours
from .fleet import Fleet
from .model import evaluate
from .result import Estimate, Interval, human_bytes, nines_of
from .scenario import Scenario
from .schemes import LocalReconstruction, ReedSolomon, Replication, Scheme
from .uncertainty import input_interval
from .workers import task_map

COMPARED = (Replication(2), Replication(3), Replication(4), ReedSolomon(4, 2), ReedSolomon(6, 3),
            ReedSolomon(10, 4), ReedSolomon(17, 3), LocalReconstruction(12, 2, 2))
CURVE_POINTS = 13
ROW_DRAWS = 40
WIDTH = 96


@dataclass(frozen=True)
class Row:
    """One scheme of the comparison. by_threat: the loss each threat is answerable for (the larger
    of what it does alone and what its absence saves). problem: why there are no numbers."""

    scheme: Scheme
    loss: float
    fleet_loss: float
    repair_bytes: float
    by_threat: dict[str, float]
    interval: Interval | None
    problem: str = ""


@dataclass(frozen=True)
class Curve:
    """Nines of the claim's unit against one input, for one scheme. x in hours."""

    label: str
    x: tuple[float, ...]
    nines: tuple[float, ...]
    now: float | None


@dataclass(frozen=True)
class Report:
    """All results for one scenario. `verdicts`: the claim's unit first."""

    scenario: Scenario
    verdicts: tuple[Verdict, ...]
    rows: tuple[Row, ...]
    repair_curves: tuple[Curve, ...]
    scrub_curves: tuple[Curve, ...]
    simulation: Estimate | None = None

    @property
    def verdict(self) -> Verdict:
        return self.verdicts[0]


def build(scenario: Scenario, workers: Any = 1,
          progress: Callable[[str, int, int], None] | None = None,
          simulation: Estimate | None = None) -> Report:
    """Computes a report. `workers` as in ``workers.task_map``; the numbers do not depend on it.
    progress: called with (what, done, planned)."""
    scheme, fleet = scenario.scheme, scenario.fleet
    units = [scenario.unit] + [unit for unit in ("object", "disk_set", "fleet")
                               if unit != scenario.unit]
    if not scheme.is_mds:
        units = [unit for unit in units if unit != "disk_set" or unit == scenario.unit]
    verdicts = tuple(claim(scenario.nines, scheme, fleet, unit, remedies=unit == scenario.unit)
                     for unit in units)
    compared = [scheme, *(other for other in COMPARED if other != scheme)]
    curve_schemes = compared[:1] + [other for other in compared[1:] if str(other) in (
        "3 copies", "10+4", "6+3")][:3]
    with task_map(workers) as run:
        def spread(what: str, function: Callable, tasks: list) -> list:
            done = []
            for result in run(function, tasks):
                done.append(result)
                if progress is not None:
                    progress(what, len(done), len(tasks))
            return done

        # The scenario's own row shows the interval that its verdict rests on.
        rows = spread("schemes", _row, [(other, fleet, scenario.unit,
                                         verdicts[0].estimate.inputs if other == scheme else None)
                                        for other in compared])
        repair = _curves(spread, curve_schemes, scenario, "repair")
        scrub = _curves(spread, curve_schemes, scenario, "scrub")
    return Report(scenario, verdicts, tuple(rows), repair, scrub, simulation)


def _row(task: tuple[Scheme, Fleet, str, Interval | None]) -> Row:
    """One scheme; with the interval of its inputs where that is known already."""
    scheme, fleet, unit, interval = task
    try:
        outcome = evaluate(scheme, fleet)
    except InvalidParameter as error:
        return Row(scheme, math.nan, math.nan, math.nan, {}, None, str(error))
    loss = outcome.loss(unit)
    by_threat = {}
    for threat in fleet.threats():
        only = evaluate(scheme, fleet.only(threat)).loss(unit)
        without = evaluate(scheme, fleet.without(threat)).loss(unit)
        by_threat[threat] = answerable(loss, only, without)
    return Row(scheme, loss, outcome.fleet_loss, outcome.repair_bytes, by_threat,
               interval or input_interval(scheme, fleet, unit, ROW_DRAWS))


def _point(task: tuple[Scheme, Fleet, str]) -> float:
    scheme, fleet, unit = task
    try:
        return nines_of(evaluate(scheme, fleet).loss(unit))
    except InvalidParameter:
        return math.nan  # this scheme cannot stand on this fleet; its curve is left out


def _curves(spread: Callable, schemes: list[Scheme], scenario: Scenario, kind: str
            ) -> tuple[Curve, ...]:
    fleet = scenario.fleet
    if kind == "repair":
        low, high, change = 0.5, 1000.0, with_repair_hours
        now = fleet.repair_hours(scenario.scheme)
    else:
        if not (fleet.latent_errors or fleet.silent_corruption):
            return ()
        low, high, change = 12.0, 17532.0, with_scrub_hours
        now = fleet.scrub.interval_hours if fleet.scrub else None
    x = tuple(low * (high / low) ** (step / (CURVE_POINTS - 1)) for step in range(CURVE_POINTS))
    tasks = [(scheme, change(fleet, hours), scenario.unit) for scheme in schemes for hours in x]
    values = spread(f"{kind} curve", _point, tasks)
    curves = []
    for place, scheme in enumerate(schemes):
        nines = tuple(values[place * CURVE_POINTS : (place + 1) * CURVE_POINTS])
        if not any(math.isnan(value) for value in nines):
            curves.append(Curve(str(scheme), x, nines, now))
    return tuple(curves)


# -- words -------------------------------------------------------------------------------------


def times(loss: float) -> str:
    """A probability for people: "1.3e-06 (5.9 nines)"."""
    if loss <= 0.0:
        return "0"
    return f"{loss:.2g} ({max(0.0, nines_of(loss)):.1f} nines)"


def sentence(verdict: Verdict) -> str:
    """The verdict in one sentence."""
    estimate = verdict.estimate
    said = (f"{verdict.verdict}: {verdict.nines:g} nines claimed, {estimate.nines:.1f} computed "
            f"for the {UNIT_WORDS[verdict.unit]} ({estimate.probability:.2g} a year)")
    if estimate.inputs is not None:
        said += (f"; with the inputs' uncertainty "
                 f"{nines_of(estimate.inputs.high):.1f} to {nines_of(estimate.inputs.low):.1f}")
    return said + "."


def culprits(verdict: Verdict) -> str:
    """Which threats break the claim alone, and by how many orders of magnitude."""
    if not verdict.breaking:
        return "No single threat breaks the claim."
    parts = [f"{line.threat} ({line.orders_over_claim:.1f})" for line in verdict.breaking]
    return "Orders of magnitude over the claim, by threat: " + ", ".join(parts) + "."


def text(report: Report) -> str:
    """The report for a terminal."""
    scenario, verdict = report.scenario, report.verdict
    outcome = verdict.outcome
    lines = [scenario.title, "", _wrapped("", sentence(verdict)), _wrapped("", culprits(verdict)),
             ""]
    lines += [_wrapped(f"  {name:<11}", words) for name, words in (
        ("of what", f"{verdict.estimate.of}, {scenario.scheme}"),
        ("against", ", ".join(verdict.estimate.faults)),
        ("how", verdict.estimate.convention),
        ("method", f"{verdict.estimate.method}, {verdict.estimate.start} start, one year"),
        ("assumed", ", ".join(scenario.fleet.assumptions) or "nothing"))]
    lines += ["", "The same year, counted in other ways:",
              f"  objects lost         {times(outcome.object_loss)} of each",
              f"  bytes lost           {human_bytes(outcome.bytes_lost)} expected in the fleet",
              f"  {f'a set of {scenario.scheme.shards} disks':<21}{times(outcome.disk_set_loss)} "
              "some block lost",
              f"  any loss in fleet    {times(outcome.fleet_loss)}"]
    lines += ["", f"Budget of threats ({verdict.unit}, a year). Alone and absent need not add up:",
              f"  {'threat':<20}{'only this':>11}{'without it':>12}{'orders over claim':>19}"]
    for line in verdict.budget:
        over = f"{line.orders_over_claim:+.1f}" if math.isfinite(line.orders_over_claim) else "-"
        lines.append(f"  {line.threat:<20}{line.only:>11.2g}{line.without:>12.2g}{over:>19}")
    lines += ["", "What would keep the claim, each change alone:" if verdict.verdict == PASS
              else "What would earn the claim, each change alone:"]
    lines += [_wrapped(f"  [{'yes' if remedy.earns else ' no'}] ", remedy.text)
              for remedy in verdict.remedies]
    threats = scenario.fleet.threats()
    short = {"disk failures": "disks", "latent errors": "latent", "silent corruption": "silent",
             "bursts": "bursts", "operator": "operator"}
    lines += ["", f"Schemes on this fleet: nines ({verdict.unit}), in all and left by each threat; "
              "repair traffic", "in bytes a year per byte of data:",
              f"  {'scheme':<13}{'overhead':>9}{'traffic':>9}{'nines':>7}"
              + "".join(f"{short[threat]:>10}" for threat in threats)]
    for row in report.rows:
        if row.problem:
            lines.append(f"  {row.scheme!s:<13}{row.scheme.overhead:>9.2f}   {row.problem}")
            continue
        lines.append(f"  {row.scheme!s:<13}{row.scheme.overhead:>9.2f}{row.repair_bytes:>9.2f}"
                     f"{nines_of(row.loss):>7.1f}" + "".join(
                         f"{_nines_text(row.by_threat[threat]):>10}" for threat in threats))
    if report.simulation is not None:
        lines += ["", _wrapped("", f"Simulation: {report.simulation}")]
    return "\n".join(lines)


def _wrapped(head: str, words: str) -> str:
    return textwrap.fill(words, WIDTH, initial_indent=head, subsequent_indent=" " * len(head),
                         break_long_words=False, break_on_hyphens=False)


def inputs_text(report: Report) -> str:
    """Every input of the scenario with its range and where it comes from."""
    lines = ["", "Inputs:"]
    for entry in report.scenario.inputs:
        value = f"{entry.value:g}" if type(entry.value) in (int, float) else str(entry.value)
        if entry.low is not None:
            value += f" ({entry.low:g} to {entry.high:g})"
        origin = "; ".join(filter(None, ["assumption" * entry.assumption, entry.source]))
        lines.append(f"  {entry.key:<42} {value:<28} {origin}".rstrip())
    return "\n".join(lines)


def _nines_text(loss: float) -> str:
    return f"{nines_of(loss):.1f}" if loss > 0.0 else "-"


def _plain(value: Any) -> Any:
    """JSON has no infinity: None stands for it and for no value."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def as_dict(report: Report) -> dict[str, Any]:
    """The report as plain values for JSON."""
    scenario = report.scenario
    return _plain({
        "scenario": {"name": scenario.name, "title": scenario.title,
                     "scheme": str(scenario.scheme), "sources": list(scenario.sources),
                     "inputs": [vars(entry) for entry in scenario.inputs]},
        "verdicts": [{
            "verdict": verdict.verdict, "nines_claimed": verdict.nines, "unit": verdict.unit,
            "tested_on": UNIT_WORDS[verdict.unit], "estimate": verdict.estimate.as_dict(),
            "budget": [vars(line) for line in verdict.budget],
            "remedies": [{"change": remedy.change, "value": remedy.value, "earns": remedy.earns,
                          "loss": remedy.loss, "text": remedy.text}
                         for remedy in verdict.remedies],
        } for verdict in report.verdicts],
        "answers": {
            "object_loss": report.verdict.outcome.object_loss,
            "bytes_lost": report.verdict.outcome.bytes_lost,
            "disk_set_loss": report.verdict.outcome.disk_set_loss,
            "fleet_loss": report.verdict.outcome.fleet_loss,
        },
        "schemes": [{
            "scheme": str(row.scheme), "overhead": row.scheme.overhead, "loss": row.loss,
            "nines": None if row.problem else nines_of(row.loss),
            "repair_bytes_per_byte_year": row.repair_bytes, "by_threat": row.by_threat,
            "inputs": row.interval and vars(row.interval), "problem": row.problem,
        } for row in report.rows],
        "curves": {name: [vars(curve) for curve in curves] for name, curves in (
            ("repair_hours", report.repair_curves), ("scrub_hours", report.scrub_curves))},
        "simulation": report.simulation and report.simulation.as_dict(),
    })
