"""``reed decode``: shards into the file."""

import click

from . import options
from .display import count_text, shard_lines, size_text, skipped_lines, stripe_lines
from .exits import Exit
from .session import verb
from .stopping import StandardOutput


@click.command(short_help="Get the file back from shards.",
               epilog="Example: reed decode /disk0 /disk1 /disk2 -o photos.tar")
@options.shards
@click.option("-o", "--output", "target", required=True, type=click.Path(), metavar="FILE",
              help="Where the file goes; - for standard output.")
@options.force
@options.choose_stripe
@options.threads
@verb
def command(session, shards, target, force, stripe_id, threads):
    """Get the file back from SHARDS: files and folders, in any order.

    Gives exactly the file (exit code 0, with a warning when shards are damaged or missing), or an
    error and no file. To standard output the bytes are proved block by block as they go, and the
    digest at the end: heed the exit code.
    """
    from .. import files

    session.data_on_stdout = target == "-"
    stream = StandardOutput(session.cancel) if target == "-" else target
    with session.progress("decoding") as progress:
        report = files.decode(shards, stream, stripe_id=stripe_id, overwrite=force,
                              threads=threads, progress=progress, cancel=session.cancel)
    if report.degraded:
        bad = sum(shard.state != "good" for shard in report.shards)
        are = "is" if bad == 1 else "are"
        session.warn(f"the file is exact, but {count_text(bad, 'shard')} {are} damaged or missing: "
                     f"`reed verify` tells how much, `reed repair` restores the redundancy")
    if report.digest == "unavailable":
        session.warn("no digest of the whole file is recorded or readable; every block was proved "
                     "by its own checksum")

    def lines():
        if session.verbose:
            yield from stripe_lines(report.stripe)
            yield from shard_lines(report.shards, verbose=True)
        yield from skipped_lines(report.skipped, session.verbose)
        proof = (f"{report.stripe.digest_type} matches" if report.digest == "match"
                 else "checked block by block")
        name = report.target or "standard output"
        yield f"{name}: {size_text(report.stripe.object_size)}, {proof}"

    return session.finish(Exit.HEALTHY, {"degraded": report.degraded, "report": report.as_dict()},
                          lines())
