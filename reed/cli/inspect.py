"""``reed inspect``: what files say of themselves."""

import click

from .display import file_lines
from .exits import Exit
from .session import verb


def judge(files):
    """The exit code for a list of FileReport; foreign files beside shards do not count."""
    known = [file for file in files if file.kind in ("shard", "fragment")]
    if any(file.kind == "unreadable" for file in files):
        return Exit.INPUT_OUTPUT
    if not known:
        return Exit.NO_METADATA
    whole = all(file.kind == "shard" and file.header == file.footer == "good"
                and file.size == file.expected_size for file in known)
    return Exit.HEALTHY if whole else Exit.REPAIRABLE


@click.command(short_help="Show what files say of themselves.",
               epilog="Example: reed inspect /disk0/photos.tar.000.reed /disk1")
@click.argument("paths", nargs=-1, required=True, type=click.Path(), metavar="PATHS...")
@verb
def command(session, paths):
    """Show what files and the files in folders are, by their headers and footers.

    Quick: blocks are not read (`reed verify` does that). Exit code 0 when headers, footers and
    sizes are right, 1 when some are not, 4 when no shard was found.
    """
    from .. import files

    report = files.inspect(paths, cancel=session.cancel)

    def lines():
        for file in report.files:
            yield from file_lines(file, session.verbose)
        if not report.files:
            yield "no files there"

    return session.finish(judge(report.files), {"report": report.as_dict()}, lines())
