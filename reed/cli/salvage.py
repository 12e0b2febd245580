"""``reed salvage``: what can be proved of a file that is beyond repair."""

import click

from . import options
from .display import salvage_lines
from .exits import Exit
from .session import verb


@click.command(short_help="Save what is left of a lost file.",
               epilog="Example: reed salvage /disk0 /disk1 -o photos.tar")
@options.shards
@click.option("-o", "--output", "target", required=True, type=click.Path(), metavar="FILE",
              help="Names the result: FILE.partial and FILE.partial.json. FILE itself is never "
                   "written.")
@options.force
@options.choose_stripe
@options.threads
@verb
def command(session, shards, target, force, stripe_id, threads):
    """Write the verified bytes of a file that is beyond repair, and a map of the holes.

    FILE.partial has every proved byte at its place and zeros in the holes; FILE.partial.json tells
    one from the other. Exit code 0 when nothing is missing after all, 2 when there are holes.
    """
    from .. import files

    if target == "-":
        raise click.UsageError("A partial file goes to disk, next to its map: give -o FILE.")
    with session.progress("salvaging") as progress:
        report = files.salvage(shards, target, stripe_id=stripe_id, overwrite=force,
                               threads=threads, progress=progress, cancel=session.cancel)
    return session.finish(Exit.HEALTHY if report.complete else Exit.BEYOND_REPAIR,
                          {"report": report.as_dict()}, salvage_lines(report, session.verbose))
