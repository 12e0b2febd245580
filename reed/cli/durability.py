"""`reed durability`: is the claim true, for what, and what would make it true?"""

from __future__ import annotations

import contextlib
import signal
import sys
from dataclasses import replace
from pathlib import Path

import click
from click.core import ParameterSource

from reed.durability import measure as measuring
from reed.durability import report as reporting
from reed.durability.html import render
from reed.durability.scenario import load, shipped
from reed.durability.simulate import simulate
from reed.errors import Cancelled, InvalidParameter

from . import options
from .exits import Exit
from .pages import check_free, publish_page
from .session import verb
from .stopping import SIGNALS

# What --list and --measure take besides what every verb takes; the rest would be ignored.
COMMON = ("as_json", "quiet", "verbose", "debug")


def _workers(_context, _parameter, value: str):
    try:
        return int(value)
    except ValueError:
        return value  # "dask" or an address


def _refuse_unused(name: str, why: str = "") -> None:
    """An option that would be ignored is an error, not a surprise."""
    context = click.get_current_context()
    for parameter in context.command.params:
        if (parameter.name in COMMON or parameter.opts[0] == name
                or context.get_parameter_source(parameter.name) is ParameterSource.DEFAULT):
            continue
        given = "SCENARIO" if isinstance(parameter, click.Argument) else parameter.opts[0]
        raise InvalidParameter(f"{given} with {name}: allowed is one of them{why}")


@contextlib.contextmanager
def _stopped_at_once():
    """Signals interrupt at once: a simulation may be long, and nothing waits to be finished."""
    def interrupt(_number, _frame):
        raise KeyboardInterrupt

    earlier = {number: signal.signal(number, interrupt) for number in SIGNALS
               if signal.getsignal(number) is not signal.SIG_IGN}
    try:
        yield
    except KeyboardInterrupt:
        raise Cancelled("interrupted") from None
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


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


@click.command(short_help="Test a durability claim.",
               epilog="Example: reed durability swift-10-4 --claim 11 --html report.html")
@click.argument("scenario", default="incident")
@click.option("--list", "list_only", is_flag=True, help="List the scenarios that come with reed.")
@click.option("--claim", "nines", type=float, help="Nines a year to test instead of the file's.")
@click.option("--unit", type=click.Choice(["object", "disk_set", "fleet"]),
              help="What the claim is about.")
@click.option("--simulate", "simulated", is_flag=True, help="Also simulate the claim's unit.")
@click.option("--years", type=float, default=1.0, show_default=True,
              help="Span of the simulation.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the simulation.")
@click.option("--workers", default="1", show_default=True, callback=_workers,
              help="Processes; or 'dask', or the address of a Dask scheduler.")
@click.option("--measure", "measured", is_flag=True,
              help="Measure the codec here and print what copies and codes earn on typical disks "
              "at that rate; for no scenario.")
@click.option("--html", "html_path", type=click.Path(dir_okay=False, path_type=Path),
              help="Write a self-contained HTML report to this file.")
@options.force
@verb
def command(session, **given):
    """Test a durability claim.

    SCENARIO is a shipped scenario or a TOML file; by default the incident: three copies, sold as
    ten nines. Exit code 0 whatever the verdict.
    """
    with _stopped_at_once():
        if given["list_only"]:
            return _list(session)
        if given["measured"]:
            return _measure(session)
        return _report(session, **given)


def _list(session):
    _refuse_unused("--list")
    titles = {name: load(name).title for name in shipped()}
    return session.finish(Exit.HEALTHY, {"scenarios": titles},
                          (f"{name:<18} {title}" for name, title in titles.items()))


def _measure(session):
    _refuse_unused("--measure", "; the table is for typical disks (docs/durability.md)")
    rates = measuring.measure()
    rows = measuring.claim_table(rates.repair_bytes_per_second, rates.scrub_bytes_per_second)
    return session.finish(
        Exit.HEALTHY,
        {"rates": vars(rates),
         "schemes": [{**vars(row), "scheme": str(row.scheme)} for row in rows]},
        [measuring.table_text(rows, rates)])


def _report(session, scenario, nines, unit, simulated, years, seed, workers, html_path, force,
            **_modes):
    context = click.get_current_context()
    for option, needed, is_there in (("years", "--simulate", simulated),
                                     ("seed", "--simulate", simulated),
                                     ("force", "--html", html_path is not None)):
        if not is_there and context.get_parameter_source(option) is not ParameterSource.DEFAULT:
            raise InvalidParameter(f"--{option} without {needed}: allowed is both or neither")
    if html_path is not None:
        check_free(html_path, force)
    chosen = load(scenario)
    if nines is not None:
        chosen = replace(chosen, nines=nines)
    if unit is not None:
        chosen = replace(chosen, unit=unit)
    progress = _Progress(session.quiet)
    simulation = None
    try:
        if simulated:
            simulation = simulate(
                chosen.scheme, chosen.fleet, years=years, seed=seed, workers=workers,
                unit=chosen.unit, start="stationary",
                progress=lambda done, planned: progress("simulation", done, planned),
            )
        result = reporting.build(chosen, workers, progress, simulation)
    finally:
        progress.close()
    lines = [reporting.text(result)]
    if session.verbose:
        lines.append(reporting.inputs_text(result))
    if html_path is not None:
        publish_page(html_path, render(result), force)
        lines.append(f"\nreport written to {html_path}")
    return session.finish(Exit.HEALTHY, reporting.as_dict(result), lines)
