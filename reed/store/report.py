"""An audit as one HTML page that needs no network: the evidence for people who were not there.

Style and plots are those of the durability report. Everything that a store's bytes say (keys,
locations, actors) is escaped.
"""

import time
from collections import Counter
from html import escape

from ..durability.html import COLOURS, STYLE, captioned, plain_axes, svg_text
from .reports import AuditReport, ObjectAudit

OBJECTS_SHOWN = 2000
_STATES = ("good", "corrupt", "missing", "unknown")
_STATE_COLOURS = ("#2e7d32", "#b3261e", "#c55a11", "#9aa5b1")
_VERDICT_COLOURS = {"healthy": "#2e7d32", "degraded": "#9a6700", "beyond repair": "#b3261e",
                    "unknown": "#b3261e"}


def render(audit: AuditReport, nines: str | None = None) -> str:
    """The whole page, of an audit that lists its objects. ``nines``: the claim as it stands, in
    words. Needs matplotlib (InvalidParameter says how to get it)."""
    title = f"reed store {audit.store_id[:8]}: {audit.verdict}"
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width, initial-scale=1'>",
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>",
        f"<body><main><h1>What is there: store {escape(audit.store_id)}</h1>",
        f"<p class='soft'>{escape(_moment(audit.time))}, {escape(audit.code)}, epoch "
        f"{audit.epoch}, written by {escape(audit.writer)}, retention "
        f"{audit.retention_hours:g} h</p>",
        f"<div class='verdict' style='--mark:{_VERDICT_COLOURS[audit.verdict]}'>"
        f"<b class='word'>{escape(audit.verdict.upper())}</b>"
        + "".join(f"<p>{escape(line)}</p>" for line in _verdict_lines(audit, nines)) + "</div>",
        _cards(audit),
        "<h2>Where the shards are</h2>",
        captioned(_slot_plot(audit), "Shards of live objects on each target, by the state that "
                  "the last look found."),
        _slots(audit),
        "<h2>What can still be lost</h2><div class='pair'>",
        captioned(_margin_plot(audit), "Objects by how many more failure domains each survives."),
        captioned(_age_plot(audit), "Good shards by how long ago each was verified."),
        "</div>",
        _objects(audit),
        _journal(audit),
        "<h2>How to read this</h2><p class='soft'>An audit looks at names, sizes and what the last "
        "scrub found; it reads no block. A scrub does, and “verified” says when and whether the "
        "medium or a cache answered. Targets on one device are one failure domain, whatever their "
        "labels say.</p></main></body></html>",
    ]
    return "\n".join(parts)


def _moment(seconds: float | None) -> str:
    if seconds is None:
        return "never"
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))


def _age(audit: AuditReport, seconds: float | None) -> str:
    if seconds is None:
        return "never"
    hours = max(0.0, audit.time - seconds) / 3600
    return f"{hours:.1f} h ago" if hours < 48 else f"{hours / 24:.1f} days ago"


def _verdict_lines(audit: AuditReport, nines: str | None):
    yield ", ".join(f"{count:,} {status}" for status, count in sorted(audit.counts.items())) or (
        "no objects")
    if audit.fatal_domains:
        yield f"The loss of one of these alone is fatal: {', '.join(audit.fatal_domains)}"
    yield from audit.warnings
    if nines:
        yield nines


def _cards(audit: AuditReport) -> str:
    margin = "–" if audit.margin is None else str(audit.margin)
    cards = (
        (f"{len(audit.objects):,}", "objects", f"{audit.bytes_stored:,} bytes"),
        (margin, "more shards may be lost", "of the object that stands worst"),
        (_age(audit, audit.oldest_verified), "oldest verification", "on the medium"),
        (f"{audit.never_verified:,}", "shards never verified", "on the medium"),
    )
    return "<div class='cards'>" + "".join(
        f"<div class='card'><b>{escape(value)}</b>{escape(name)}<br><span>{escape(more)}</span>"
        "</div>" for value, name, more in cards) + "</div>"


def _table(heads: tuple[str, ...], rows) -> str:
    """Cells are text, or ready HTML where they are a pair of it and its class."""
    body = "".join("<tr>" + "".join(
        f"<td class='left {cell[1]}'>{escape(cell[0])}</td>" if isinstance(cell, tuple) else
        f"<td class='left'>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return ("<table><tr>" + "".join(f"<th class='left'>{escape(head)}</th>" for head in heads)
            + f"</tr>{body}</table>")


def _slots(audit: AuditReport) -> str:
    return _table(("slot", "state", "location", "failure domain", "device", "free bytes"), (
        (slot.number, (slot.state, "yes" if slot.state == "active" else "no"), slot.location,
         slot.effective_domain, slot.device or "unknown",
         "unknown" if slot.free_bytes is None else f"{slot.free_bytes:,}")
        for slot in audit.slots))


def _objects(audit: AuditReport) -> str:
    # The worst first, so that what is cut off is what stands best.
    order = sorted(audit.objects, key=lambda found: (found.status == "healthy", found.domain_margin,
                                                     found.object.key))
    rows = [_object_row(audit, found) for found in order[:OBJECTS_SHOWN]]
    more = "" if len(order) <= OBJECTS_SHOWN else (
        f"<p class='soft'>{len(order) - OBJECTS_SHOWN:,} more objects, none worse than the last "
        "of these; reed store audit --json lists all.</p>")
    uncertain = "" if not audit.uncertain_keys else (
        "<h2>What nobody can say</h2>" + _table(("key", "why"), audit.uncertain_keys.items()))
    return "<h2>Every object</h2>" + _table(
        ("key", "bytes", "status", "good shards", "domains that may go", "oldest verification",
         "what is wrong"), rows) + more + uncertain


def _object_row(audit: AuditReport, found: ObjectAudit) -> tuple:
    times = [shard.verified for shard in found.shards]
    oldest = None if None in times or not times else min(times)
    wrong = "; ".join(f"shard {shard.shard_index} {shard.state} (slot {shard.slot})"
                      for shard in found.shards if shard.state != "good")
    return (found.object.key, f"{found.object.size:,}",
            (found.status, "yes" if found.status == "healthy" else "no"),
            f"{found.good_shards} of {len(found.shards)}", found.domain_margin,
            _age(audit, oldest), wrong)


def _journal(audit: AuditReport) -> str:
    rows = ((_moment(entry["time"]), entry["command"], f"{entry['actor']} on {entry['host']}",
             ", ".join(f"{name} {value}" for name, value in entry["flags"].items()),
             entry["verified"]) for entry in reversed(audit.journal))
    if not audit.journal:
        return "<h2>The journal</h2><p>No destructive command was ever given.</p>"
    return "<h2>The journal of destructive commands</h2>" + _table(
        ("when", "what", "who", "with", "verified before"), rows)


# ---- plots ---------------------------------------------------------------------------------------


def _slot_plot(audit: AuditReport) -> str:
    counts = Counter((shard.slot, shard.state) for found in audit.objects
                     for shard in found.shards)
    numbers = [slot.number for slot in audit.slots]
    figure, axes = plain_axes(9, 0.9 + 0.28 * len(numbers))
    left = [0] * len(numbers)
    for state, colour in zip(_STATES, _STATE_COLOURS, strict=True):
        widths = [counts[number, state] for number in numbers]
        axes.barh(range(len(numbers)), widths, left=left, color=colour, label=state, height=0.7)
        left = [begin + width for begin, width in zip(left, widths, strict=True)]
    axes.set_yticks(range(len(numbers)), [f"slot {number}" for number in numbers])
    axes.invert_yaxis()
    axes.set_xlabel("shards", fontsize=9)
    axes.legend(frameon=False, fontsize=9, ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return svg_text(figure)


def _bars(labels: list[str], heights: list[int], colours: list[str], label: str) -> str:
    figure, axes = plain_axes(5.4, 3.4)
    axes.bar(range(len(labels)), heights, color=colours, width=0.7)
    axes.set_xlim(-0.6, max(len(labels), 5) - 0.4)  # one bar alone stays a bar
    for place, height in enumerate(heights):
        axes.text(place, height, f"{height:,}", ha="center", va="bottom", fontsize=8)
    axes.set_xticks(range(len(labels)), labels, fontsize=8)
    axes.set_xlabel(label, fontsize=9)
    return svg_text(figure)


def _margin_plot(audit: AuditReport) -> str:
    counts = Counter(max(-1, found.domain_margin) for found in audit.objects)
    margins = range(min(counts, default=0), max(counts, default=0) + 1)
    return _bars(["lost" if margin < 0 else str(margin) for margin in margins],
                 [counts[margin] for margin in margins],
                 ["#b3261e" if margin < 1 else COLOURS[0] for margin in margins],
                 "failure domains that may go")


def _age_plot(audit: AuditReport) -> str:
    limits = ((24, "1 day"), (7 * 24, "1 week"), (30 * 24, "30 days"), (90 * 24, "90 days"))
    counts: Counter = Counter()
    for found in audit.objects:
        for shard in found.shards:
            if shard.state == "good":
                hours = None if shard.verified is None else (audit.time - shard.verified) / 3600
                counts["never" if hours is None else next(
                    (name for limit, name in limits if hours <= limit), "longer")] += 1
    labels = [name for _, name in limits] + ["longer", "never"]
    return _bars(labels, [counts[name] for name in labels],
                 [COLOURS[0]] * 4 + ["#c55a11", "#b3261e"], "verified within")
