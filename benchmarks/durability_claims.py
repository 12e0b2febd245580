"""What the codec's speed on this machine is worth in nines.

    python -m benchmarks.durability_claims [--json FILE] [--svg FILE] [--seconds 0.5]
    python -m benchmarks.durability_claims --repair-rate 2e9 --scrub-rate 4e9

Measures how fast one core rebuilds and verifies shards (or takes given rates) and prints what
copies and codes earn at that rate on the same disks; the plot shows the nines over slower and
faster codecs, with the measured one marked.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from reed.durability.html import COLOURS, plain_axes, svg_text
from reed.durability.measure import ClaimRow, Rates, claim_table, measure, table_text
from reed.errors import InvalidParameter

FACTORS = tuple(10.0 ** (step / 4 - 3) for step in range(17))


def sentence(rows: list[ClaimRow]) -> str:
    """The table in one sentence."""
    by_name = {str(row.scheme): row for row in rows}
    code, copies = by_name["10+4"], by_name["3 copies"]
    return (f"at this rate 10+4 earns {code.object_nines:.1f} nines per object, three copies "
            f"{copies.object_nines:.1f}, against disk failures, latent errors and silent "
            "corruption; not against bursts or operators")


def plot(rates: Rates) -> str:
    """SVG: object nines against the codec's speed, for each scheme."""
    figure, axes = plain_axes(7.5, 4.2)
    series: dict[str, list[float]] = {}
    speeds = [rates.repair_bytes_per_second * factor for factor in FACTORS]
    for factor in FACTORS:
        for row in claim_table(rates.repair_bytes_per_second * factor,
                               rates.scrub_bytes_per_second * factor):
            series.setdefault(str(row.scheme), []).append(row.object_nines)
    megabytes = [speed / 1e6 for speed in speeds]
    for (name, nines), colour in zip(series.items(), COLOURS, strict=False):
        axes.plot(megabytes, nines, linewidth=2, color=colour)
        axes.text(megabytes[-1] * 1.15, nines[-1], name, color=colour, fontsize=9, va="center")
    axes.axhline(10, color="#1c2430", linewidth=1)
    axes.text(0.66, 10, "ten nines", fontsize=9, va="top", transform=axes.get_yaxis_transform())
    axes.axvline(rates.repair_bytes_per_second / 1e6, color="#5b6675", linestyle="--", linewidth=1)
    axes.text(rates.repair_bytes_per_second / 1e6, 0.02, " measured", color="#5b6675", fontsize=9,
              transform=axes.get_xaxis_transform())
    axes.set_xscale("log")
    axes.set_xlabel("rebuilt by one core, MB/s")
    axes.set_ylabel("nines a year, one object")
    axes.grid(color="#e3e8ee")
    return svg_text(figure)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--seconds", type=float, default=0.5, help="per measured operation")
    parser.add_argument("--repair-rate", type=float, help="bytes/s instead of measuring")
    parser.add_argument("--scrub-rate", type=float, help="bytes/s instead of measuring")
    parser.add_argument("--json", type=Path, help="write the table to this file")
    parser.add_argument("--svg", type=Path, help="write the plot to this file")
    options = parser.parse_args(arguments)
    if (options.repair_rate is None) != (options.scrub_rate is None):
        parser.error("--repair-rate and --scrub-rate go together")
    if options.repair_rate is None:
        rates = measure(seconds=options.seconds)
    else:
        rates = Rates(options.repair_rate, options.scrub_rate, "at given rates")
    try:
        rows = claim_table(rates.repair_bytes_per_second, rates.scrub_bytes_per_second)
    except InvalidParameter as error:
        parser.error(str(error))
    print(table_text(rows, rates))
    print(sentence(rows))
    if options.json is not None:
        options.json.write_text(json.dumps({
            "rates": vars(rates),
            "schemes": [{**vars(row), "scheme": str(row.scheme)} for row in rows]}, indent=1))
    if options.svg is not None:
        options.svg.write_text(plot(rates))
    return 0


if __name__ == "__main__":
    sys.exit(main())
