"""``reed repair``: make the shards whole again."""

import click

from . import options
from .display import repair_lines
from .exits import Exit
from .session import verb


@click.command(short_help="Make damaged and missing shards whole.",
               epilog="Example: reed repair /disk0 /disk1 /disk2-new")
@options.shards
@click.option("-o", "--output", "folders", multiple=True, type=click.Path(), metavar="DIR",
              help="Where missing shards go; repeat it for several. By default the folders in "
                   "which shards were found, those with the fewest first.")
@click.option("-n", "--dry-run", is_flag=True, help="Tell what would be done; change nothing.")
@options.choose_stripe
@options.threads
@verb
def command(session, shards, folders, dry_run, stripe_id, threads):
    """Rewrite damaged shards and make missing ones, from verified blocks only.

    A shard is replaced only when its successor was written, read back, and has every good block
    that it had. Exit code 0 when every shard is good afterwards (with -n: 1 when there is
    something to repair), 5 when some had to be left.
    """
    from .. import files

    with session.progress("repairing") as progress:
        report = files.repair(shards, targets=folders or None, stripe_id=stripe_id,
                              dry_run=dry_run, threads=threads, progress=progress,
                              cancel=session.cancel)
    if not report.complete:
        code = Exit.REPAIR_FAILED
    elif dry_run and not report.before.healthy:
        code = Exit.REPAIRABLE
    else:
        code = Exit.HEALTHY
    return session.finish(code, {"report": report.as_dict()},
                          repair_lines(report, session.verbose))
