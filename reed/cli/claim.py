"""`reed claim`: the nines of a store as it stands."""

import math

import click

from .display import count_text, size_text
from .exits import Exit
from .session import verb
from .store import opened, where


@click.command(short_help="Tell the nines of a store as it stands.",
               epilog="Example: reed claim -s disk0 --nines 10")
@where
@click.option("--nines", type=click.FloatRange(0, 40, min_open=True), metavar="N",
              help="Also say whether so many nines a year are kept.")
@verb
def command(session, targets, nines):
    """Tell the nines of a store as it stands, from what it has measured: repair times, scrub ages,
    errors, failure domains, margins. Says of every input whether a default stands in.

    Exit code 0 whatever the answer.
    """
    from ..store.claim import claim

    with opened(targets) as store:
        code = store.config.code
        report = claim(store.audit(cancel=session.cancel), code.data_shards, code.parity_shards)
    facts = {"report": report.as_dict()}
    if nines is not None:
        facts["is_kept"] = report.loss_now <= 10.0 ** -nines
    return session.finish(Exit.HEALTHY, facts, _lines(report, nines))


def _nines(value):
    return "more than 40" if math.isinf(value) or value > 40 else f"{max(0.0, value):.1f}"


def nines_text(report):
    """The answer in one line."""
    return (f"{_nines(report.nines_now)} nines a year for an object as it stands, "
            f"{_nines(report.nines_designed)} as {report.code} is designed")


def _lines(report, nines):
    yield nines_text(report)
    if nines is not None:
        kept = report.loss_now <= 10.0 ** -nines
        yield f"{nines:g} nines: {'kept' if kept else 'NOT kept'}"
    for domains, margin, objects in report.states:
        yield (f"  {count_text(objects, 'object')}: " + (
            "lost, or nobody can say" if margin < 0 else
            f"good shards in {count_text(domains, 'domain')}, {margin} may go"))
    yield "inputs:"
    for given in report.inputs:
        value = size_text(round(given.value)) if given.unit.startswith("bytes") else (
            f"{given.value:.4g}")
        unit = given.unit.removeprefix("bytes")
        yield (f"  {given.name:<28}{value + (' ' if unit == 'h' else '') + unit:<14}"
               f"{'measured' if given.is_measured else 'default ':<10}{given.origin}")
    if report.acts:
        worst = report.acts[0]
        lasted = "" if worst.hours is None else f" for {worst.hours:.2g} h"
        yield (f"dearest of the last days: {worst.text}: {_nines(worst.nines_during)} nines"
               f"{lasted}, {worst.nines_cost:.1f} fewer than designed")
    else:
        yield "no act of the last days cost a nine"
