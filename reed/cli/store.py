"""``reed store``: objects over failure domains."""

import contextlib
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from . import options
from .display import count_text, size_text
from .exits import Exit
from .pages import check_free, publish_page
from .session import verb
from .stopping import StandardInput, StandardOutput

EXIT_BY_STATUS = {
    "clean": Exit.HEALTHY, "healthy": Exit.HEALTHY, "repaired": Exit.HEALTHY,
    "degraded": Exit.REPAIRABLE, "repairable": Exit.REPAIRABLE,
    "beyond repair": Exit.BEYOND_REPAIR, "unknown": Exit.INPUT_OUTPUT,
    "nothing read": Exit.NO_METADATA,
}


@click.group(short_help="Keep objects over several failure domains.")
def command():
    """Keep objects over several disks, and prove at any time what is there.

    Every command but create takes -s, one target of the store (or several): the others are looked
    for where they last were. REED_STORE in the environment does the same. A target is a folder or
    a URL that fsspec knows, such as s3://bucket/path.

    \b
      reed store create disk0 disk1 disk2 --copies 3
      reed store put -s disk0 photos/1 1.jpg
      reed store scrub -s disk0 --repair
      reed store audit -s disk0
    """


where = click.option("-s", "--store", "targets", multiple=True, required=True, type=click.Path(),
                     envvar="REED_STORE", metavar="DIR",
                     help="A target of the store; repeat it for several.")
key_argument = click.argument("key")
prefix_option = click.option("--prefix", default="", metavar="TEXT",
                             help="Only keys that begin with this.")


@contextlib.contextmanager
def opened(targets):
    """The store, open."""
    from ..store import Store

    with Store.open(targets) as store:
        yield store


def code_of(data_shards, parity_shards, copies, generator="native"):
    """The code that was asked for; None when none was."""
    from ..codes import ReedSolomon, Replication

    if copies is not None:
        if data_shards is not None or parity_shards is not None:
            raise click.UsageError("--copies and -k, -m contradict each other: give one of them.")
        return Replication(copies)
    if data_shards is None and parity_shards is None:
        return None
    if data_shards is None or parity_shards is None:
        raise click.UsageError("-k and -m go together: give both.")
    return ReedSolomon(data_shards, parity_shards, generator=generator)


def code_options(function):
    """The options that choose a code."""
    for option in (
            click.option("--copies", type=int, metavar="N", help="Keep N whole copies."),
            click.option("-m", "--parity-shards", type=int, metavar="M",
                         help="How many shards may be lost."),
            click.option("-k", "--data-shards", type=int, metavar="K",
                         help="How many shards give the object back.")):
        function = option(function)
    return function


def _counting(session, label):
    """A progress of counts, where somebody looks; else None."""
    if session.quiet or not sys.stderr.isatty():
        return contextlib.nullcontext(None)
    return _count_bar(label)


@contextlib.contextmanager
def _count_bar(label):
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@command.command(short_help="Make a store over new targets.")
@click.argument("folders", nargs=-1, required=True, type=click.Path(), metavar="DIR...")
@code_options
@click.option("--domain", "domains", multiple=True, metavar="NAME",
              help="The failure domain of each DIR, in their order; by default each is its own.")
@click.option("--block-size", type=options.Size(), default=65536, show_default=True,
              metavar="SIZE", help="Bytes in a block, a power of two.")
@click.option("--digest", type=click.Choice(["sha256", "blake3", "none"]),
              help="The digest of each object; by default blake3 where it is installed (the extra "
              "store), else sha256, which is slower than fast disks.")
@click.option("--write-quorum", type=int, metavar="N",
              help="Failure domains that a put needs; by default K and half of M, rounded up.")
@click.option("--retention-hours", type=float, default=24.0, show_default=True, metavar="HOURS",
              help="How long superseded and deleted objects are kept.")
@click.option("--reserve", type=options.Size(), default=256 << 20, metavar="SIZE",
              help="Space kept free on each target for repair; 256M by default.")
@click.option("--allow-shared-devices", is_flag=True,
              help="Accept targets that fail together, for a trial.")
@verb
def create(session, folders, data_shards, parity_shards, copies, domains, block_size, digest,
           write_quorum, retention_hours, reserve, allow_shared_devices):
    """Make a new store over the folders DIR, which must exist and hold no store.

    10+4 by default. Targets on one disk, or in one bucket, fail together and are refused.
    """
    from ..store import Store

    store = Store.create(
        folders, code=code_of(data_shards, parity_shards, copies), domains=domains or None,
        block_size=block_size, digest=digest, write_quorum=write_quorum,
        retention_hours=retention_hours, reserve_bytes=reserve,
        allow_shared_devices=allow_shared_devices)
    with store:
        config = store.config
        return session.finish(Exit.HEALTHY, {
            "store_id": store.store_id, "code": str(config.code),
            "write_quorum": config.write_quorum, "digest": config.digest_type,
            "targets": [s.location for s in config.slots],
        }, [f"store {store.store_id}: {config.code} over "
            f"{count_text(len(config.slots), 'target')}, a put needs "
            f"{count_text(config.write_quorum, 'failure domain')}; digest {config.digest_type}"])


@command.command(short_help="Store a file under a key.")
@where
@key_argument
@click.argument("source", type=click.Path(allow_dash=True), metavar="FILE")
@verb
def put(session, targets, key, source):
    """Store FILE (- for standard input) under KEY, instead of what may be there.

    Exit code 0 when every shard was written and read back, 1 when the quorum was reached and some
    shard is still to be made by repair.
    """
    with opened(targets) as store, session.progress("storing") as progress:
        report = store.put(key, StandardInput(session.cancel) if source == "-" else source,
                           progress=progress, cancel=session.cancel)

    def lines():
        yield (f"{key}: {size_text(report.object.size)}, {report.shards_written} of "
               f"{count_text(report.shards_wanted, 'shard')} written and read back")
        for slot, reason in report.failures.items():
            yield f"  slot {slot}: {reason}"
        if report.degraded:
            yield "next: reed store scrub --repair"

    return session.finish(Exit.REPAIRABLE if report.degraded else Exit.HEALTHY,
                          {"report": report.as_dict()}, lines())


@command.command(short_help="Give an object back.")
@where
@key_argument
@click.option("-o", "--output", required=True, type=click.Path(allow_dash=True), metavar="FILE",
              help="Where it goes; - is standard output.")
@click.option("--start", type=int, default=0, metavar="N", help="The first byte.")
@click.option("--end", type=int, metavar="N", help="The byte behind the last.")
@click.option("--read-repair", is_flag=True, help="Repair the damage that is met.")
@options.force
@verb
def get(session, targets, key, output, start, end, read_repair, force):
    """Write the object KEY, or some of its bytes, to a file. Nothing unverified is ever written."""
    session.data_on_stdout = output == "-"
    with opened(targets) as store, session.progress("reading") as progress:
        report = store.get(key, StandardOutput(session.cancel) if output == "-" else output,
                           start=start, end=end, read_repair=read_repair, overwrite=force,
                           progress=progress, cancel=session.cancel)

    def lines():
        if output != "-" or session.verbose:
            yield f"{key}: {size_text(report.bytes_written)}, digest {report.digest}"
        if report.damaged_shards and not report.repaired:
            yield (f"{count_text(len(report.damaged_shards), 'shard')} damaged or missing; next: "
                   "reed store scrub --repair")

    return session.finish(Exit.HEALTHY, {"report": report.as_dict()}, lines())


@command.command("list", short_help="List objects.")
@where
@click.argument("prefix", default="")
@verb
def list_objects(session, targets, prefix):
    """List the objects whose key begins with PREFIX; with --json one line for each."""
    with opened(targets) as store:
        count = 0
        for info in store.list(prefix):
            count += 1
            if session.as_json:
                click.echo(json.dumps(info.as_dict()))
            elif not session.quiet:
                click.echo(f"{info.size:>14,}  {info.code:<9}  {info.key}")
    return session.finish(Exit.HEALTHY, {"objects": count}, ())


def _shown(location):
    """A path as it is from here; a URL as it is."""
    return location if "://" in location else os.path.relpath(location)


def _shard_lines(shards, verbose):
    for shard in shards:
        if verbose or shard.state != "good":
            yield (f"  shard {shard.shard_index:>3}  {shard.state:<7}  slot {shard.slot}  "
                   f"{shard.domain}" + (f"  {'; '.join(shard.problems)}" if shard.problems else "")
                   + ("" if shard.is_counted else "  (not counted)"))


@command.command(short_help="Tell how one object stands.")
@where
@key_argument
@verb
def stat(session, targets, key):
    """Tell which shards of KEY are there, and what it can lose."""
    with opened(targets) as store:
        found = store.stat(key)

    def lines():
        yield (f"{key}: {size_text(found.object.size)} as {found.object.code}, {found.status}: "
               f"{found.good_shards} of {count_text(len(found.shards), 'shard')} good, "
               f"{found.margin} may be lost")
        yield from _shard_lines(found.shards, session.verbose)
        if found.fatal_domains:
            yield f"fatal alone: {', '.join(found.fatal_domains)}"

    return session.finish(EXIT_BY_STATUS[found.status], {"object": found.as_dict()}, lines())


@command.command(short_help="Delete an object.")
@where
@key_argument
@verb
def delete(session, targets, key):
    """Delete KEY. Its bytes are kept until `reed store reclaim` after the retention."""
    with opened(targets) as store:
        store.delete(key)
    return session.finish(Exit.HEALTHY, {"key": key}, [f"{key}: deleted"])


class Part(click.ParamType):
    """i/n: part i, from 1, of n."""

    name = "part"

    def convert(self, value, param, ctx):
        if isinstance(value, tuple):
            return value
        first, _, count = value.partition("/")
        if not (first.isdigit() and count.isdigit() and 1 <= int(first) <= int(count)):
            self.fail(f"{value!r} is no part: write 1/4 to 4/4.", param, ctx)
        return int(first) - 1, int(count)


@command.command(short_help="Read and verify everything.")
@where
@prefix_option
@click.option("--repair", is_flag=True, help="Write anew what is wrong or missing.")
@click.option("--rate-limit", type=options.Size(), metavar="SIZE", help="Bytes read per second.")
@click.option("--percent", type=float, metavar="P", help="Only the P percent that wait longest.")
@click.option("--older-than", "older_than_hours", type=float, metavar="HOURS",
              help="Only what was last verified longer ago; an interrupted scrub goes on so.")
@click.option("--shard", type=Part(), metavar="I/N",
              help="Only part I of N; `reed store merge` adds the reports up.")
@verb
def scrub(session, targets, prefix, repair, rate_limit, percent, older_than_hours, shard):
    """Read every shard from the medium and verify checksums, parity and digests.

    With --json a line for each object that is not healthy (-v: for each), then the sum. Exit code
    0 when all is clean, 1 when --repair can make it so, 2 when something is lost, 4 when there was
    nothing to read, 6 when it depends on targets that do not answer.
    """
    def on_object(result):
        if not session.verbose and result.status == "healthy":
            return
        if session.as_json:
            click.echo(json.dumps({"object": result.as_dict()}))
        elif not session.quiet:
            click.echo(f"{result.key}: {result.status}" + ("" if result.is_live else
                       " (superseded)") + (f": {result.problem}" if result.problem else ""))
            for line in _shard_lines(result.shards, session.verbose):
                click.echo(line)

    with opened(targets) as store, _counting(session, "scrubbing") as progress:
        report = store.scrub(repair=repair, prefix=prefix, percent=percent,
                             older_than_hours=older_than_hours, rate_limit=rate_limit, shard=shard,
                             on_object=on_object, progress=progress, cancel=session.cancel)
    return _finish_scrub(session, report)


def _finish_scrub(session, report):
    def lines():
        yield (f"{report.status}: {count_text(report.objects, 'object')}, "
               f"{count_text(report.shards_read, 'shard')} good "
               f"({size_text(report.bytes_read)} read, {report.how})")
        for count, what in ((report.repaired, "repaired"), (report.repairable, "repairable"),
                            (report.beyond_repair, "beyond repair"), (report.unknown, "unknown")):
            if count:
                yield f"  {count:,} {what}"
        if report.status == "repairable":
            yield "next: reed store scrub --repair"

    return session.finish(EXIT_BY_STATUS[report.status],
                          {"status": report.status, "report": report.as_dict()}, lines())


@command.command(short_help="Add up the reports of scrubs of parts.")
@click.argument("files", nargs=-1, required=True, type=click.File("r"), metavar="FILE...")
@verb
def merge(session, files):
    """Add up what `reed store scrub --json --shard I/N` printed for every part."""
    from ..store import ScrubReport

    reports = []
    for file in files:
        for line in file:
            found = json.loads(line)
            if "report" in found:
                reports.append(found["report"])
    return _finish_scrub(session, ScrubReport.merge(reports))


def _finish(session, report, line, next_step=None):
    """What was done, each thing that failed, and whether the report is complete; what is next when
    it is."""
    lines = [line, *(f"  {what}: {why}" for what, why in report.failed.items())]
    if report.complete and next_step is not None:
        lines.append(f"next: {next_step}")
    return session.finish(Exit.HEALTHY if report.complete else Exit.REPAIR_FAILED,
                          {"report": report.as_dict()}, lines)


def _finish_rebuild(session, report):
    slots = ", ".join(map(str, report.slots)) or "none"
    return _finish(session, report, (
        f"slots {slots}: {count_text(report.records_copied, 'record')}, "
        f"{count_text(report.shards_rebuilt, 'shard')} rebuilt, "
        f"{size_text(report.bytes_read)} read, {size_text(report.bytes_written)} written in "
        f"{report.seconds:.1f} s"))


@command.command(short_help="Replace a lost target by a new one.")
@where
@click.argument("slot", type=int)
@click.argument("onto", type=click.Path(), metavar="DIR")
@click.option("--domain", metavar="NAME", help="The failure domain of DIR, when it is another.")
@verb
def rebuild(session, targets, slot, onto, domain):
    """Give SLOT, whose target is lost, to the empty folder DIR and make everything that belongs
    there. The old target is forgotten. `reed store audit` shows the slots."""
    with opened(targets) as store, _counting(session, "rebuilding") as progress:
        report = store.rebuild(slot, onto, domain=domain, progress=progress, cancel=session.cancel)
    return _finish_rebuild(session, report)


@command.command(short_help="Take back targets that were away.")
@where
@verb
def reconcile(session, targets):
    """Give targets that returned what they missed, and then their vote. Also ends a rebuild that
    was interrupted."""
    with opened(targets) as store, _counting(session, "reconciling") as progress:
        report = store.reconcile(progress=progress, cancel=session.cancel)
    return _finish_rebuild(session, report)


@command.command(short_help="Move objects to another code or other targets.")
@where
@code_options
@click.option("--onto", "new_targets", multiple=True, type=click.Path(), metavar="DIR",
              help="Where objects go, new or of the store; repeat it. The others are emptied.")
@click.option("--domain", "domains", multiple=True, metavar="NAME",
              help="The failure domain of each --onto.")
@prefix_option
@click.option("--unsafe-skip-verify", is_flag=True,
              help="For drills: do not read the copies back. Their source is never reclaimed.")
@verb
def migrate(session, targets, data_shards, parity_shards, copies, new_targets, domains, prefix,
            unsafe_skip_verify):
    """Move every object, verified when it is read and when it is written. The source stays until
    `reed store reclaim` has verified the copy again after the retention; then `reed store retire`
    takes emptied targets out. Interrupted, repeat it."""
    with opened(targets) as store, _counting(session, "migrating") as progress:
        report = store.migrate(
            code=code_of(data_shards, parity_shards, copies), targets=new_targets or None,
            domains=domains or None, prefix=prefix, unsafe_skip_verify=unsafe_skip_verify,
            progress=progress, cancel=session.cancel)
        is_emptying = any(slot.is_draining for slot in store.config.slots)

    return _finish(session, report, (
        f"{count_text(report.copied, 'object')} copied ({size_text(report.bytes_copied)})"
        f", {report.skipped:,} as wanted already"
        + ("" if report.verified else "; NOTHING WAS VERIFIED")),
        "reed store reclaim when the retention has ended, then reed store retire"
        if is_emptying else None)


@command.command(short_help="Write what can be proved of a lost object.")
@where
@key_argument
@click.option("-o", "--output", required=True, type=click.Path(), metavar="FILE",
              help="FILE.partial, FILE.partial.json and FILE.incident.json are written.")
@options.force
@verb
def salvage(session, targets, key, output, force):
    """Write the verified bytes of KEY, the map of its holes, and the report of what happened.

    Exit code 0 when the whole object was written, 2 when it has holes."""
    with opened(targets) as store, session.progress("salvaging") as progress:
        report = store.salvage(key, output, overwrite=force, progress=progress,
                               cancel=session.cancel)

    def lines():
        lost = sum(end - begin for begin, end in report.lost_ranges)
        yield (f"{key}: {report.status}; {size_text(lost)} lost in "
               f"{count_text(len(report.lost_ranges), 'hole')}: {output}.partial")
        yield from _shard_lines(report.shards, session.verbose)

    is_whole = report.salvage["complete"]
    return session.finish(Exit.HEALTHY if is_whole else Exit.BEYOND_REPAIR,
                          {"report": report.as_dict()}, lines())


@command.command("recover-records", short_help="Make lost records from shards.")
@where
@verb
def recover_records(session, targets):
    """Make records from shards, for objects whose records are lost on most targets. An object that
    was deleted, and not yet reclaimed, may come back."""
    with opened(targets) as store:
        recovered = store.recover_records(cancel=session.cancel)
    return session.finish(Exit.HEALTHY, {"recovered": recovered},
                          [f"{count_text(len(recovered), 'object')} recovered",
                           *(f"  {key}" for key in recovered)])


@command.command(short_help="Free the space of what was superseded.")
@where
@click.option("-n", "--dry-run", is_flag=True, help="Tell what would be done; remove nothing.")
@click.option("--accept-clock", is_flag=True, help="The clock is right although it jumped.")
@click.option("--accept-cached", is_flag=True,
              help="Accept what was read through a cache: no target behind a URL gives more.")
@verb
def reclaim(session, targets, dry_run, accept_clock, accept_cached):
    """Remove superseded and deleted versions whose retention has ended, when every target answers
    and what replaced them was read from the medium and is whole. Nothing else ever removes."""
    with opened(targets) as store:
        report = store.reclaim(dry_run=dry_run, accept_clock=accept_clock,
                               accept_cached=accept_cached, cancel=session.cancel)

    def lines():
        if report.refused is not None:
            yield f"nothing was removed: {report.refused}"
            return
        would = "would be " if dry_run else ""
        yield (f"{count_text(len(report.versions), 'version')} {would}removed, "
               f"{count_text(len(report.tombstones), 'deleted key')} forgotten, "
               f"{size_text(report.bytes_freed)} freed; {len(report.kept):,} kept")
        if session.verbose:
            yield from (f"  {key} {version}" for key, version in report.versions)
            yield from (f"  kept {what}: {why}" for what, why in report.kept.items())
        if report.orphans_seen or report.orphans_quarantined or report.orphans_removed:
            yield (f"orphans: {report.orphans_seen} seen, {report.orphans_quarantined} "
                   f"quarantined, {report.orphans_removed} removed")

    return session.finish(Exit.INPUT_OUTPUT if report.refused is not None else Exit.HEALTHY,
                          {"report": report.as_dict()}, lines())


@command.command(short_help="Take emptied targets out of the store.")
@where
@verb
def retire(session, targets):
    """Take the targets out of the store that `reed store migrate --onto` emptied, when `reed store
    reclaim` has removed what was left on them. Every target must answer."""
    with opened(targets) as store:
        report = store.retire(cancel=session.cancel)
    slots = ", ".join(map(str, report.slots))
    return session.finish(Exit.HEALTHY, {"report": report.as_dict()}, [
        f"left the store: {count_text(len(report.slots), 'slot')} ({slots}); nothing at these "
        "places is needed any more:", *(f"  {_shown(place)}" for place in report.locations)])


@command.command(short_help="Show the evidence.")
@where
@prefix_option
@click.option("--html", "html_path", type=click.Path(dir_okay=False), metavar="FILE",
              help="Also write it as one HTML page with plots.")
@options.force
@verb
def audit(session, targets, prefix, html_path, force):
    """Show which shards of every object exist, where, when they were last verified, what may be
    lost, and the journal of destructive commands. Reads no block: `reed store scrub` does."""
    if force and html_path is None:
        raise click.UsageError("--force without --html: there is nothing to replace.")
    with opened(targets) as store:
        if html_path is not None:
            check_free(Path(html_path), force)
        report = store.audit(prefix, cancel=session.cancel)
        code = store.config.code
    lines = list(audit_lines(report, session.verbose))
    if html_path is not None:
        publish_page(Path(html_path), _audit_page(report, code), force)
        lines.append(f"report written to {html_path}")
    return session.finish(EXIT_BY_STATUS[report.verdict], {"report": report.as_dict()}, lines)


def _audit_page(report, code):
    """The page, with the claim as it stands."""
    from ..store.claim import claim
    from ..store.report import render
    from .claim import nines_text

    return render(report, nines_text(claim(report, code.data_shards, code.parity_shards)))


def audit_lines(report, verbose):
    """An audit: the verdict first."""
    counts = ", ".join(f"{count:,} {status}" for status, count in sorted(report.counts.items()))
    yield (f"{report.verdict}: store {report.store_id}, {report.code}, epoch {report.epoch}, "
           f"{counts or 'no objects'}, {size_text(report.bytes_stored)}")
    yield from (f"  warning: {warning}" for warning in report.warnings)
    for slot in report.slots:
        if verbose or slot.state != "active":
            yield (f"  slot {slot.number:>3}  {slot.state:<7}  {slot.effective_domain}  "
                   f"{_shown(slot.location)}")
    for found in report.objects:
        if verbose or found.status != "healthy":
            yield (f"{found.object.key}: {found.status}, {found.good_shards} of "
                   f"{count_text(len(found.shards), 'shard')} good, {found.margin} may be lost")
            yield from _shard_lines(found.shards, verbose)
    yield from (f"{key}: {why}" for key, why in report.uncertain_keys.items())
    if report.margin is not None and report.margin < 0:
        yield f"margin: some object lacks {count_text(-report.margin, 'shard')}"
    elif report.margin is not None:
        yield f"margin: every object can lose {count_text(report.margin, 'more shard')}"
    if report.fatal_domains:
        yield f"fatal alone: {', '.join(report.fatal_domains)}"
    if report.never_verified:
        yield f"{count_text(report.never_verified, 'shard')} never verified on the medium"
    for entry in report.journal if verbose else report.journal[-5:]:
        when = datetime.fromtimestamp(entry["time"], UTC).isoformat(" ", "seconds")
        yield f"journal: {when} {entry['command']} by {entry['actor']} on {entry['host']}"


@command.command("take-over", short_help="Make this host the one that writes.")
@where
@verb
def take_over(session, targets):
    """Make this host the one that may write, when the other one has stopped for good."""
    with opened(targets) as store:
        store.take_over()
    return session.finish(Exit.HEALTHY, {}, ["this host writes from now on"])
