"""`reed durability`: is the claim true, for what, and what would make it true?"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import click

from reed.durability import measure as measuring
from reed.durability import report as reporting
from reed.durability.html import render
from reed.durability.scenario import load, shipped
from reed.durability.simulate import simulate
from reed.errors import ReedError

EXIT_USAGE = 3
EXIT_IO = 6


def _workers(_context, _parameter, value: str):
    try:
        return int(value)
    except ValueError:
        return value  # "dask" or an address


class _Progress:
    """One line on standard error, and only on a terminal."""

    def __init__(self, quiet: bool):
        self.shown = sys.stderr.isatty() and not quiet

    def __call__(self, what: str, done: int, planned: int) -> None:
        if self.shown:
            click.echo(f"\r{what}: {done}/{planned}\x1b[K", err=True, nl=False)

    def close(self) -> None:
        if self.shown:
            click.echo("\r\x1b[K", err=True, nl=False)


@click.command("durability")
@click.argument("scenario", default="incident")
@click.option("--list", "list_only", is_flag=True, help="List the scenarios that come with reed.")
@click.option("--claim", "nines", type=float, help="Nines a year to test instead of the file's.")
@click.option("--unit", type=click.Choice(["object", "disk_set", "fleet"]),
              help="What the claim is about.")
@click.option("--simulate", "simulated", is_flag=True, help="Also simulate the claim's unit.")
@click.option("--years", type=click.FloatRange(min=0, min_open=True), default=1.0,
              show_default=True, help="Span of the simulation.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the simulation.")
@click.option("--workers", default="1", show_default=True, callback=_workers,
              help="Processes; or 'dask', or the address of a Dask scheduler.")
@click.option("--measure", "measured", is_flag=True,
              help="Measure the codec here and print what each scheme earns at that rate.")
@click.option("--html", "html_path", type=click.Path(dir_okay=False, path_type=Path),
              help="Write a self-contained HTML report to this file.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
def command(scenario, list_only, nines, unit, simulated, years, seed, workers, measured, html_path,
            as_json, quiet):
    """Tests a durability claim. SCENARIO is a shipped scenario or a TOML file; by default the
    incident: three copies, sold as ten nines.

    Exits 0 whatever the verdict, 3 for a bad scenario or option, 6 when a file cannot be written.
    """
    try:
        if list_only:
            for name in shipped():
                click.echo(f"{name:<18} {load(name).title}")
            return
        if measured:
            rates = measuring.measure()
            rows = measuring.claim_table(rates.repair_bytes_per_second,
                                         rates.scrub_bytes_per_second)
            if as_json:
                click.echo(json.dumps({"rates": vars(rates), "schemes": [
                    {**vars(row), "scheme": str(row.scheme)} for row in rows]}, indent=1))
            else:
                click.echo(measuring.table_text(rows, rates))
            return
        chosen = load(scenario)
        if nines is not None:
            chosen = replace(chosen, nines=nines)
        if unit is not None:
            chosen = replace(chosen, unit=unit)
        progress = _Progress(quiet)
        simulation = None
        if simulated:
            simulation = simulate(
                chosen.scheme, chosen.fleet, years=years, seed=seed, workers=workers,
                unit=chosen.unit, start="stationary",
                progress=lambda done, planned: progress("simulation", done, planned),
            )
        result = reporting.build(chosen, workers, progress, simulation)
        progress.close()
        page = render(result) if html_path is not None else None
    except ReedError as error:
        click.echo(f"reed durability: {error}", err=True)
        sys.exit(EXIT_USAGE)
    if page is not None:
        try:
            html_path.write_text(page, encoding="utf-8")
        except OSError as error:
            click.echo(f"reed durability: {html_path}: {error.strerror}", err=True)
            sys.exit(EXIT_IO)
    if as_json:
        click.echo(json.dumps(reporting.as_dict(result), indent=1))
    else:
        click.echo(reporting.text(result))
        if page is not None:
            click.echo(f"\nreport written to {html_path}")
