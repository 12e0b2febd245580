"""`reed drill`: faults on purpose, to see what is kept and what is refused."""

import click

from .exits import Exit
from .session import verb


@click.group(short_help="Play faults on real bytes and judge each.")
def command():
    """Play faults on real bytes, below a folder of their own, and judge what comes back.

    \b
      reed drill incident
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
