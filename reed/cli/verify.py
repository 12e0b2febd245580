"""``reed verify``: is every shard whole?"""

import click

from . import options
from .display import verify_lines
from .exits import Exit
from .session import verb

EXIT_BY_STATUS = {
    "healthy": Exit.HEALTHY,
    "repairable": Exit.REPAIRABLE,
    "beyond repair": Exit.BEYOND_REPAIR,
    "unknown": Exit.INPUT_OUTPUT,
}


@click.command(short_help="Check every block of the shards.",
               epilog="Example: reed verify /disk0 /disk1 /disk2")
@options.shards
@options.choose_stripe
@options.threads
@verb
def command(session, shards, stripe_id, threads):
    """Read every block of SHARDS (files and folders) and tell how the file stands.

    Writes nothing. Exit code 0 when all is well, 1 when `reed repair` can make it so, 2 when data
    is lost, 6 when it depends on a disk that cannot be read now.
    """
    from .. import files

    with session.progress("verifying") as progress:
        report = files.verify(shards, stripe_id=stripe_id, threads=threads, progress=progress,
                              cancel=session.cancel)

    def lines():
        yield from verify_lines(report, session.verbose)
        if report.status == "repairable":
            yield "next: reed repair SHARDS..."
        elif report.status == "beyond repair":
            yield "next: give more shards, or reed salvage SHARDS... -o FILE"

    return session.finish(EXIT_BY_STATUS[report.status], {"report": report.as_dict()}, lines())
