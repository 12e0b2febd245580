"""``reed encode``: a file into shards."""

import os

import click

from . import options
from .display import count_text, size_text, stripe_lines
from .exits import Exit
from .session import verb
from .stopping import StandardInput


def make_code(context, data_shards, parity_shards, copies, generator):
    """The code that the options describe."""
    from .. import ReedSolomon, Replication

    if copies is None:
        return ReedSolomon(data_shards, parity_shards, generator=generator)
    for name in ("data_shards", "parity_shards", "generator"):
        if context.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT:
            flag = next(p.opts[-1] for p in context.command.params if p.name == name)
            raise click.UsageError(f"--copies and {flag} exclude each other: give one of them.")
    return Replication(copies)


def warn_of_small_spread(session, folders, code):
    """Says so when one lost folder takes more shards than may be lost."""
    shard_count = code.data_shards + code.parity_shards
    worst = -(-shard_count // len(folders))
    if worst > code.parity_shards:
        session.warn(
            f"{count_text(len(folders), 'folder')} for {shard_count} shards put {worst} in one; "
            f"only {code.parity_shards} may be lost, so the loss of that folder loses the file")


@click.command(short_help="Spread a file over shards.",
               epilog="Example: reed encode photos.tar -k 10 -m 4 -o /disk0 -o /disk1 -o /disk2")
@click.argument("source", type=click.Path(), metavar="FILE")
@click.option("-o", "--output", "folders", multiple=True, required=True, metavar="DIR",
              type=click.Path(), help="A folder for shards; repeat it for each disk. They must "
                                      "exist. Shards are dealt out in turn.")
@click.option("-k", "--data-shards", type=int, default=10, show_default=True, metavar="N",
              help="Shards that hold the data: so many suffice to get the file back.")
@click.option("-m", "--parity-shards", type=int, default=4, show_default=True, metavar="N",
              help="Shards that may be lost.")
@click.option("--copies", type=int, metavar="N", help="Keep N whole copies instead of -k and -m.")
@click.option("--generator", default="native", show_default=True, metavar="NAME",
              help="Generator matrix; `reed info` lists them.")
@click.option("--block-size", type=options.Size(), default="64K", show_default=True,
              metavar="SIZE", help="Bytes under one checksum: a power of two, 4K to 16M.")
@click.option("--digest", default="sha256", show_default=True, metavar="NAME",
              help="Digest of the whole file: sha256, blake3 or none.")
@click.option("--stripe-id", metavar="HEX",
              help="32 hexadecimal digits instead of random ones, for reproducible shards. Never "
                   "use one for two different files.")
@click.option("--name", help="Shards are named NAME.000.reed and so on; FILE's name by default.")
@options.force
@options.threads
@verb
@click.pass_context
def command(context, session, source, folders, data_shards, parity_shards, copies, generator,
            block_size, digest, stripe_id, name, force, threads):
    """Protect FILE (- for standard input): write its shards to the folders.

    Nothing gets its final name before all shards were written and read back.
    """
    from .. import files

    if source == "-" and name is None:
        raise click.UsageError("Standard input has no name: give one with --name NAME.")
    if os.path.isdir(source):
        raise click.UsageError(f"{source} is a folder: put it into one file first, with tar say.")
    code = make_code(context, data_shards, parity_shards, copies, generator)
    stream = StandardInput(session.cancel) if source == "-" else source
    with session.progress(f"encoding {os.path.basename(source)}") as progress:
        report = files.encode(
            stream, folders, code=code, block_size=block_size, digest=digest, stripe_id=stripe_id,
            name=name, overwrite=force, threads=threads, progress=progress, cancel=session.cancel)
    warn_of_small_spread(session, folders, code)

    def lines():
        yield from stripe_lines(report.stripe)
        if session.verbose:
            yield from (f"  {path}" for path in report.paths)
        ratio = report.stored_size / report.stripe.object_size if report.stripe.object_size else 0
        yield (f"wrote {count_text(len(report.paths), 'shard')}, {size_text(report.stored_size)}"
               + (f" ({ratio:.2f} times the file)" if ratio else ""))

    return session.finish(Exit.HEALTHY, {"report": report.as_dict()}, lines())
