"""The report as one HTML file that needs no network: style and plots are inline (SVG)."""

from __future__ import annotations

import io
import math
from html import escape
from typing import Any

from reed.errors import InvalidParameter

from .claim import PASS, UNIT_WORDS, Verdict
from .report import Curve, Report, culprits, sentence
from .result import human_bytes, nines_of

COLOURS = ("#1f4e79", "#c55a11", "#548235", "#7f6000", "#7030a0")
# Curves that lie on each other stay countable.
STROKES = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)))
VERDICT_COLOURS = {"PASS": "#2e7d32", "FAIL": "#b3261e", "NOT DEMONSTRABLE": "#9a6700"}

STYLE = """
:root { --ink: #1c2430; --soft: #5b6675; --line: #d8dee6; --paper: #ffffff; --shade: #f5f7fa; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--shade); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", "Helvetica Neue", Arial, sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 2.5rem 3rem 4rem; background: var(--paper); }
h1 { font-size: 1.75rem; line-height: 1.25; margin: 0 0 .4rem; }
h2 { font-size: 1.2rem; margin: 2.6rem 0 .6rem; padding-top: .8rem;
  border-top: 1px solid var(--line); }
p { margin: .5rem 0; } .soft { color: var(--soft); font-size: .92rem; }
.verdict { margin: 1.4rem 0; padding: 1.1rem 1.4rem; border-left: .5rem solid var(--mark);
  background: var(--shade); }
.verdict b.word { color: var(--mark); font-size: 1.5rem; letter-spacing: .02em; }
.cards { display: grid; grid-template-columns: repeat(4, 1fr); gap: .9rem; margin: 1.2rem 0; }
.card { border: 1px solid var(--line); border-radius: .4rem; padding: .8rem 1rem; }
.card b { display: block; font-size: 1.3rem; } .card span { color: var(--soft); font-size: .86rem; }
table { border-collapse: collapse; width: 100%; margin: .7rem 0; font-size: .92rem;
  font-variant-numeric: tabular-nums; }
th { text-align: right; font-weight: 600; color: var(--soft);
  border-bottom: 2px solid var(--line); }
td { text-align: right; border-bottom: 1px solid var(--line); }
th, td { padding: .38rem .55rem; vertical-align: top; }
th.left, td.left { text-align: left; }
tr.own td { background: #eaf1f8; font-weight: 600; }
td.over { color: #b3261e; font-weight: 600; }
.tag { display: inline-block; font-size: .76rem; padding: 0 .45rem; border-radius: .7rem;
  background: #fff1d6; color: #7a5200; border: 1px solid #efd9a8; white-space: nowrap; }
.yes { color: #2e7d32; font-weight: 600; } .no { color: #b3261e; font-weight: 600; }
figure { margin: 1rem 0; } figure svg { width: 100%; height: auto; display: block; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 1.2rem; }
figcaption { color: var(--soft); font-size: .88rem; }
@media (max-width: 52rem) {
  .pair, .cards { grid-template-columns: 1fr 1fr; } main { padding: 1.5rem; } }
@media print {
  body { background: #fff; } main { max-width: none; padding: 0; } h2 { break-after: avoid; } }
"""


def render(report: Report) -> str:
    """The whole page. Needs matplotlib (pip install 'reed-storage[durability]')."""
    verdict = report.verdict
    scenario = report.scenario
    colour = VERDICT_COLOURS[verdict.verdict]
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width, initial-scale=1'>",
        f"<title>{escape(scenario.title)}: {verdict.verdict}</title><style>{STYLE}</style></head>",
        f"<body><main><h1>{escape(scenario.title)}</h1>",
        f"<p class='soft'>{escape(scenario.description.strip())}</p>",
        f"<div class='verdict' style='--mark:{colour}'><b class='word'>{verdict.verdict}</b>"
        f"<p>{escape(sentence(verdict).split(': ', 1)[1])}</p>"
        f"<p>{escape(culprits(verdict))}</p></div>",
        _cards(verdict),
        _statement(verdict),
        "<h2>The budget of threats</h2>",
        captioned(_budget_plot(verdict), "Annual loss that each threat is answerable for: the "
                  "larger of what it does alone and what its absence would save. The line is the "
                  "claim."),
        _budget_table(verdict),
        f"<h2>What would {'keep' if verdict.verdict == PASS else 'earn'} the claim</h2>",
        _remedies(verdict),
        "<h2>Schemes on the same fleet</h2>",
        captioned(_scheme_plot(report), "Nines a year with the 95 % interval of the inputs."),
        _scheme_table(report),
        "<h2>What moves the answer</h2><div class='pair'>",
        captioned(_curve_plot(report, report.repair_curves, "mean repair time, hours"),
                  "Nines against the time from failure to repaired, all else equal."),
        captioned(_curve_plot(report, report.scrub_curves, "scrub interval, hours"),
                  "Nines against the scrub interval, with checksums, all else equal.")
        if report.scrub_curves else "<p class='soft'>This fleet has no faults that wait for a "
        "scrub, so there is no curve over its interval.</p>",
        "</div>",
        _other_units(report),
        _inputs(report),
        _limits(),
        "</main></body></html>",
    ]
    return "\n".join(parts)


def _cards(verdict: Verdict) -> str:
    outcome = verdict.outcome
    cards = (
        (_nines(outcome.object_loss), "nines for one object",
         f"{outcome.object_loss:.2g} of each lost a year"),
        (human_bytes(outcome.bytes_lost), "expected loss a year", "in the whole fleet"),
        (_nines(outcome.disk_set_loss), f"nines for {outcome.scheme.shards} disks",
         "some block on one set of disks"),
        (f"{outcome.fleet_loss:.2g}", "any loss in the fleet", "probability within a year"),
    )
    return "<div class='cards'>" + "".join(
        f"<div class='card'><b>{escape(value)}</b>{escape(name)}<br><span>{escape(more)}</span>"
        "</div>" for value, name, more in cards) + "</div>"


def _statement(verdict: Verdict) -> str:
    estimate = verdict.estimate
    rows = (
        ("Of what", f"{estimate.of}; {verdict.outcome.scheme}; tested on the "
                    f"{UNIT_WORDS[verdict.unit]}"),
        ("Over which time", f"one year of 8766 h, {estimate.start} start"),
        ("Against which faults", ", ".join(estimate.faults)),
        ("Under which convention", estimate.convention),
        ("How computed", estimate.method),
    )
    return "<table>" + "".join(
        f"<tr><td class='left' style='width:12rem;color:var(--soft)'>{name}</td>"
        f"<td class='left'>{escape(text)}</td></tr>" for name, text in rows) + "</table>"


def _budget_table(verdict: Verdict) -> str:
    body = []
    for line in verdict.budget:
        over = line.orders_over_claim
        shown = f"{over:+.1f}".replace("-", "−") if math.isfinite(over) else "none"
        mark = " class='over'" if over > 0 else ""
        body.append(f"<tr><td class='left'>{line.threat}</td><td>{_probability(line.only)}</td>"
                    f"<td>{_probability(line.without)}</td>"
                    f"<td>{_probability(line.last_blow)}</td><td{mark}>{shown}</td></tr>")
    return (
        "<table><tr><th class='left'>threat</th><th>only this threat</th><th>all but this</th>"
        "<th>struck last (objects)</th><th>orders over the claim</th></tr>" + "".join(body)
        + "</table><p class='soft'>Annual loss probabilities. Threats work together (a latent "
        "error alone loses nothing; it kills when the other copies are gone), so the columns need "
        "not add up to the total. Disks alone, for instance, are computed with every other threat "
        "switched off; an operator's skipped verification only harms where something is silently "
        "wrong already.</p>"
    )


def _remedies(verdict: Verdict) -> str:
    body = []
    for remedy in verdict.remedies:
        word = "<span class='yes'>yes</span>" if remedy.earns else "<span class='no'>no</span>"
        body.append(f"<tr><td class='left'>{escape(remedy.change)}</td><td class='left'>{word}</td>"
                    f"<td class='left'>{escape(remedy.text)}</td>"
                    f"<td>{_nines(remedy.loss)}</td></tr>")
    return ("<table><tr><th class='left'>change</th><th class='left'>earns it</th>"
            "<th class='left'>what it takes</th><th>nines then</th></tr>" + "".join(body)
            + "</table>")


def _scheme_table(report: Report) -> str:
    threats = report.scenario.fleet.threats()
    head = ("<tr><th class='left'>scheme</th><th>overhead</th><th>repair traffic</th><th>nines</th>"
            "<th>interval</th>" + "".join(f"<th>{threat}</th>" for threat in threats) + "</tr>")
    body = []
    for row in report.rows:
        own = " class='own'" if row.scheme == report.scenario.scheme else ""
        first = (f"<tr{own}><td class='left'>{escape(str(row.scheme))}</td>"
                 f"<td>{row.scheme.overhead:.2f}</td>")
        if row.problem:
            body.append(f"{first}<td class='left' colspan='{3 + len(threats)}'>"
                        f"{escape(row.problem)}</td></tr>")
            continue
        interval = "exact inputs" if row.interval is None else (
            f"{_nines(row.interval.high)} – {_nines(row.interval.low)}")
        body.append(first + f"<td>{row.repair_bytes:.2f}</td><td>{_nines(row.loss)}</td>"
                    f"<td style='white-space:nowrap'>{interval}</td>" + "".join(
                        f"<td>{_nines(row.by_threat[threat])}</td>" for threat in threats)
                    + "</tr>")
    return ("<table>" + head + "".join(body) + "</table><p class='soft'>Overhead: bytes stored per "
            "byte of data. Repair traffic: bytes read and written a year per byte of data. The "
            "columns by threat are the nines that this threat would leave if it were all there "
            "is or could be removed, whichever is worse.</p>")


def _other_units(report: Report) -> str:
    body = []
    for verdict in report.verdicts:
        interval = verdict.estimate.inputs
        spread = "exact inputs" if interval is None else (
            f"{_nines(interval.high)} – {_nines(interval.low)}")
        colour = VERDICT_COLOURS[verdict.verdict]
        body.append(f"<tr><td class='left'>{escape(UNIT_WORDS[verdict.unit])}</td>"
                    f"<td>{_probability(verdict.estimate.probability)}</td>"
                    f"<td>{_nines(verdict.estimate.probability)}</td><td>{spread}</td>"
                    f"<td style='color:{colour};font-weight:600'>{verdict.verdict}</td></tr>")
    simulated = ""
    if report.simulation is not None:
        simulated = f"<p class='soft'>Simulation: {escape(str(report.simulation))}.</p>"
    return ("<h2>The same claim, asked of other units</h2><table><tr><th class='left'>asked of</th>"
            "<th>annual loss</th><th>nines</th><th>inputs, 95 %</th>"
            f"<th>{report.verdict.nines:g} nines</th></tr>" + "".join(body) + "</table>"
            + simulated)


def _inputs(report: Report) -> str:
    body = []
    for entry in report.scenario.inputs:
        spread = "" if entry.low is None else f"{entry.low:g} – {entry.high:g}"
        tag = "<span class='tag'>assumption</span> " if entry.assumption else ""
        if not entry.key.startswith("fleet.") or entry.key.endswith(".name"):
            continue  # the claim and the scheme stand above, a burst's name in its other keys
        value = entry.value if isinstance(entry.value, (str, bool)) else f"{entry.value:g}"
        if entry.key.endswith("_bytes"):
            value = human_bytes(entry.value)
        body.append(f"<tr><td class='left'>{escape(entry.key)}</td><td>{value}</td>"
                    f"<td style='white-space:nowrap'>{spread}</td>"
                    f"<td class='left'>{tag}{escape(entry.source)}</td></tr>")
    sources = "".join(f"<li>{escape(source)}</li>" for source in report.scenario.sources)
    return ("<h2>Inputs and where they come from</h2><table><tr><th class='left'>input</th>"
            "<th>value</th><th>95 % range</th><th class='left'>source</th></tr>" + "".join(body)
            + f"</table><p class='soft'>Sources:</p><ul class='soft'>{sources}</ul>")


def _limits() -> str:
    return ("<h2>How to read this</h2><p class='soft'>Loss means permanent loss: fewer good shards "
            "than decode. Outages that end are not loss. Bugs in the storage software, attackers, "
            "and faults that nobody has listed above are not in the number; a claim that passes "
            "here has passed these threats only. Values marked as assumptions were invented for "
            "illustration and should be replaced by the operator's own.</p>")


def captioned(svg: str, caption: str) -> str:
    """A plot with the sentence that says what it shows."""
    return f"<figure>{svg}<figcaption>{escape(caption)}</figcaption></figure>"


def _probability(value: float) -> str:
    if value <= 0.0:
        return "0"
    exponent = math.floor(math.log10(value))
    if exponent >= -2:
        return f"{value:.3f}"
    if exponent < -30:
        return "below 10<sup>−30</sup>"
    mantissa, power = f"{value:.1e}".split("e")
    return f"{mantissa}·10<sup>{int(power)}</sup>".replace("-", "−")


def _nines(loss: float) -> str:
    if math.isnan(loss):
        return "–"
    if loss <= 10.0**-30:
        return "> 30"
    return f"{max(0.0, nines_of(loss)):.1f}"


# -- plots -------------------------------------------------------------------------------------


def plain_axes(width: float, height: float) -> tuple[Any, Any]:
    """A figure of this size in inches and its axes, in the report's style."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise InvalidParameter(
            "the HTML report needs matplotlib: pip install 'reed-storage[durability]'"
        ) from None
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color("#9aa5b1")
    axes.tick_params(colors="#3c4654", labelsize=9)
    return figure, axes


def svg_text(figure: Any) -> str:
    """A matplotlib figure as one SVG element; equal figures give equal text."""
    from matplotlib import rc_context

    # Text stays text (searchable, small); a fixed salt makes equal reports equal bytes.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "reed"}):
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def _budget_plot(verdict: Verdict) -> str:
    lines = [line for line in verdict.budget if math.isfinite(line.orders_over_claim)]
    figure, axes = plain_axes(9, 0.6 + 0.48 * max(1, len(lines)))
    values = [line.orders_over_claim for line in lines]
    # Bars that are far below the claim are cut: how far is in the table.
    floor = -6.0
    shown = [max(value, floor) for value in values]
    axes.barh(range(len(lines)), shown, height=0.6,
              color=["#b3261e" if value > 0 else "#7d9bb8" for value in values])
    for place, (value, at) in enumerate(zip(values, shown, strict=True)):
        label = f"{value:+.1f}".replace("-", "−") if value > floor else "far below"
        beside = {"x": at + 0.08, "ha": "left"} if value > 0 else {"x": at - 0.08, "ha": "right"}
        axes.text(y=place, s=label, va="center", fontsize=9, color="#1c2430", **beside)
    axes.set_yticks(range(len(lines)), [line.threat for line in lines])
    axes.invert_yaxis()
    axes.axvline(0.0, color="#1c2430", linewidth=1.2)
    axes.set_xlim(min(*shown, 0.0) - 1.0, max(1.0, *shown, 0.0) + 0.8)
    axes.set_xlabel("orders of magnitude over the claim (right of the line breaks it)", fontsize=9)
    return svg_text(figure)


def _scheme_plot(report: Report) -> str:
    rows = [row for row in report.rows if not row.problem]
    figure, axes = plain_axes(9, 0.7 + 0.38 * len(rows))
    for place, row in enumerate(rows):
        own = row.scheme == report.scenario.scheme
        colour = COLOURS[1] if own else COLOURS[0]
        centre = min(30.0, nines_of(row.loss))
        if row.interval is not None:
            left = min(30.0, nines_of(row.interval.high))
            right = min(30.0, nines_of(row.interval.low))
            axes.plot([left, right], [place, place], color=colour, linewidth=5, alpha=0.35,
                      solid_capstyle="butt")
        axes.plot(centre, place, "o", color=colour, markersize=7)
        axes.text(centre, place - 0.32, f"{centre:.1f}", ha="center", va="bottom", fontsize=8,
                  color="#3c4654")
    axes.set_yticks(range(len(rows)), [f"{row.scheme}  ({row.scheme.overhead:.2f}×)"
                                       for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.8)
    claimed = report.verdict.nines
    axes.axvline(claimed, color="#1c2430", linewidth=1.2)
    axes.text(claimed, -0.75, f"  claim: {claimed:g}", fontsize=9, va="top", color="#1c2430")
    axes.set_xlim(0, max(axes.get_xlim()[1], claimed * 1.12))
    axes.grid(axis="x", color="#e3e8ee", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.set_xlabel("nines a year", fontsize=9)
    return svg_text(figure)


def _curve_plot(report: Report, curves: tuple[Curve, ...], label: str) -> str:
    figure, axes = plain_axes(5.4, 3.9)
    for place, curve in enumerate(curves):
        axes.plot(curve.x, [min(30.0, value) for value in curve.nines],
                  color=COLOURS[place % len(COLOURS)], linestyle=STROKES[place % len(STROKES)],
                  linewidth=2, label=curve.label)
    claimed = report.verdict.nines
    axes.axhline(claimed, color="#1c2430", linewidth=1.1)
    axes.text(0.99, claimed, "claim", fontsize=9, ha="right", va="bottom", color="#1c2430",
              transform=axes.get_yaxis_transform())
    if curves and curves[0].now is not None:
        axes.axvline(curves[0].now, color="#9aa5b1", linewidth=1.1, linestyle="--")
        axes.text(curves[0].now, 0.02, " now", fontsize=9, color="#5b6675",
                  transform=axes.get_xaxis_transform())
    axes.set_xscale("log")
    axes.set_ylim(0, 1.1 * max(axes.get_ylim()[1], claimed))
    axes.set_xlabel(label, fontsize=9)
    axes.set_ylabel("nines a year", fontsize=9)
    axes.grid(color="#e3e8ee", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.legend(frameon=False, fontsize=9)
    return svg_text(figure)
