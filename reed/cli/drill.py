"""`reed drill`: faults on purpose, to see what is kept and what is refused."""

import contextlib
import json

import click

from .exits import Exit
from .session import verb
from .store import code_of, code_options


@click.group(short_help="Play faults on real bytes and judge each.")
def command():
    """Play faults on real bytes, below a folder of their own, and judge what comes back.

    \b
      reed drill incident
      reed drill faults --copies 3
      reed drill faults -s disk0 --seed 7
    """


in_folder = click.option("--in", "folder", type=click.Path(file_okay=False, exists=True),
                         metavar="DIR", help="Where the drill makes its folder, which it removes; "
                         "by default where the system keeps temporary files.")


@command.command(short_help="Replay the loss of 20 July 2018.")
@in_folder
@click.option("--seed", type=int, default=20180720, show_default=True,
              help="Chooses the bytes and where the damage is.")
@verb
def incident(session, folder, seed):
    """Replay the loss of 20 July 2018 in five cases, and prove each by digests.

    Three copies, one of them silently wrong, and a migration: without verification and without
    retention the data are lost; either rule alone saves them. Exit code 0 when every case ended as
    it must, else 2.
    """
    from ..drill import replay_incident

    report = replay_incident(folder, seed=seed)
    code = Exit.HEALTHY if report.is_as_expected else Exit.BEYOND_REPAIR
    return session.finish(code, {"as_expected": report.is_as_expected, "report": report.as_dict()},
                          _incident_lines(report))


def _incident_lines(report):
    yield (f"a volume of {report.volume_bytes:,} bytes, sha256 {report.digest[:16]}…, as three "
           "copies")
    for case in report.cases:
        wrong = "" if case.is_as_expected else f", BUT MUST BE {case.expected.upper()}"
        yield ""
        yield f"({case.name}) {case.title}: {case.outcome.upper()}{wrong}"
        for event in case.events:
            yield f"  {event.time:<8}{event.text}"
        yield from (f"  proof   {proof}" for proof in case.proof)
    yield ""
    yield ("every case ended as it must" if report.is_as_expected else
           "SOME CASE DID NOT END AS IT MUST")


@command.command(short_help="Inject faults and judge each.")
@code_options
@click.option("-s", "--store", "targets", multiple=True, type=click.Path(), metavar="DIR",
              help="A target of a store: drill with its code and some of its objects. It is only "
              "read.")
@click.option("--fault", "faults", multiple=True, metavar="NAME",
              help="Only this fault; repeat it. --list names all.")
@click.option("--list", "list_only", is_flag=True, help="List the faults.")
@click.option("--rounds", type=click.IntRange(1), default=1, show_default=True,
              help="How often each fault is played.")
@click.option("--seed", type=int, default=0, show_default=True, help="Decides all that is chosen.")
@in_folder
@verb
def faults(session, data_shards, parity_shards, copies, targets, faults, list_only, rounds, seed,
           folder):
    """Play faults on a store of the drill's own, and judge what it answers. 10+4 by default.

    Each fault comes within what the redundancy covers, where every object must be exact, and one
    step beyond, where it must be refused or salvaged and never wrong; then everything is repaired
    and read again. With --json a line for each, then the sum. Exit code 0 when all is as promised,
    2 when something was wrong or lost, 5 when a repair did not make it whole.
    """
    from ..drill import FAULTS, run_drill
    from ..store import Store

    if list_only:
        return session.finish(Exit.HEALTHY, {"faults": list(FAULTS)}, FAULTS)
    code = code_of(data_shards, parity_shards, copies)
    if code is not None and targets:
        raise click.UsageError("-s and a code contradict each other: give one of them.")

    def on_finding(finding):
        if session.as_json:
            click.echo(json.dumps({"finding": finding.__dict__}))
        elif not session.quiet:
            for line in _finding_lines(finding, session.verbose):
                click.echo(line)

    with Store.open(targets) if targets else contextlib.nullcontext() as like:
        report = run_drill(folder, code=code, like=like, seed=seed, rounds=rounds,
                           faults=faults or None, on_finding=on_finding, cancel=session.cancel)
    exit_code = (Exit.BEYOND_REPAIR if not report.is_as_promised else
                 Exit.REPAIR_FAILED if not report.is_healed else Exit.HEALTHY)
    facts = {name: value for name, value in report.as_dict().items() if name != "findings"}
    counts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(report.counts.items()))
    return session.finish(exit_code, {"report": facts}, [
        f"{report.code}, seed {seed}: {counts}; " + (
            "all as promised" if exit_code == Exit.HEALTHY else "NOT AS PROMISED")])


def _finding_lines(finding, verbose):
    kept = "" if finding.is_as_promised else "  NOT AS PROMISED"
    yield f"{finding.verdict:<9}{finding.strength:<7} {finding.what}{kept}"
    if finding.not_healed:
        yield f"         NOT HEALED: {finding.not_healed}"
    if verbose or kept or finding.not_healed:
        yield (f"         --fault {finding.fault}, seed {finding.seed}: "
               + ", ".join(f"{count} {verdict}" for verdict, count in finding.objects.items()))
