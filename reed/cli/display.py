"""The reports of ``reed.files`` as lines that people read."""

import os

_UNITS = ("KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
# Skipped files of these kinds may matter for the result; the others are mentioned with -v.
_NOTEWORTHY = ("unsupported", "unreadable", "conflict")
_PROBLEMS_SHOWN = 3


def size_text(size):
    """A number of bytes as people say it: 512 B, 64 KiB, 1.4 MiB."""
    if size is None:
        return "unknown size"
    if size < 1024:
        return f"{size} B"
    for unit in _UNITS:
        size /= 1024
        if size < 1024 or unit == _UNITS[-1]:
            return f"{size:.1f}".removesuffix(".0") + f" {unit}"


def count_text(count, noun, plural=None):
    """1 shard, 2 shards, 1,000 shards."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def path_text(path):
    """A path as short as it can be said from the working folder."""
    relative = os.path.relpath(path)
    return relative if len(relative) < len(path) and not relative.startswith("..") else path


def code_text(stripe):
    """The redundancy in a few words."""
    if stripe.generator == "replication":
        return count_text(stripe.data_shards + stripe.parity_shards, "copy", "copies")
    return f"{stripe.data_shards}+{stripe.parity_shards} shards ({stripe.generator})"


def stripe_lines(stripe):
    """One object: what it is and how it is stored."""
    rows = "unknown rows" if stripe.row_count is None else count_text(stripe.row_count, "row")
    yield (f"stripe {stripe.stripe_id}: {size_text(stripe.object_size)} as {code_text(stripe)}, "
           f"{rows} of {size_text(stripe.block_size)} blocks")
    if stripe.digest:
        yield f"{stripe.digest_type} {stripe.digest}"


def ranges_text(ranges, shown=6):
    """Half-open ranges as 3-5, 9: first and last, both inclusive."""
    parts = [f"{begin:,}" if end == begin + 1 else f"{begin:,}-{end - 1:,}"
             for begin, end in ranges[:shown]]
    if len(ranges) > shown:
        parts.append(f"and {len(ranges) - shown} more")
    return ", ".join(parts)


def _blocks_text(shard):
    counts = ((shard.corrupt_blocks, "corrupt"), (shard.missing_blocks, "missing"),
              (shard.unknown_blocks, "unreadable"))
    return ", ".join(f"{count:,} {kind}" for count, kind in counts if count) or "all right"


def shard_lines(shards, verbose):
    """A line for each shard that is not good (with ``verbose``: for each), and its problems."""
    for shard in shards:
        if shard.state == "good" and not verbose:
            continue
        where = ", ".join(map(path_text, shard.paths))
        blocks = "" if shard.state == "missing" else f"blocks: {_blocks_text(shard)}"
        parts = (f"  shard {shard.shard_index:>3}  {shard.state:<7}", blocks, where)
        yield "  ".join(part for part in parts if part).rstrip()
        problems = shard.problems if verbose else shard.problems[:_PROBLEMS_SHOWN]
        yield from (f"             {problem}" for problem in problems)
        if len(problems) < len(shard.problems):
            yield f"             and {len(shard.problems) - len(problems)} more (-v shows all)"


def skipped_lines(skipped, verbose):
    """Files that took no part, where that may matter (with ``verbose``: all)."""
    for file in skipped:
        if verbose or file.kind in _NOTEWORTHY:
            yield f"  left out   {path_text(file.path)}: {file.kind}: {file.reason}"


def verify_lines(report, verbose):
    """A verification: the verdict first, then what led to it."""
    good = sum(shard.state == "good" for shard in report.shards)
    yield f"{report.status}: {good} of {count_text(len(report.shards), 'shard')} good"
    if verbose or not report.healthy:
        yield from stripe_lines(report.stripe)
    yield from shard_lines(report.shards, verbose)
    yield from skipped_lines(report.skipped, verbose)
    rows = report.rows
    if rows.total != rows.intact:
        yield (f"rows: {rows.total:,} in all, {rows.intact:,} intact, {rows.degraded:,} degraded, "
               f"{rows.lost:,} lost, {rows.unknown:,} unknown")
    if report.lost_rows:
        yield f"lost rows: {ranges_text(report.lost_rows)}"
    if report.inconsistent_rows:
        yield (f"rows that disagree although every checksum is right: "
               f"{ranges_text(report.inconsistent_rows)}")
    if report.digest == "mismatch":
        yield "the digest of the object does not match"
    if report.status in ("healthy", "repairable"):
        yield f"margin: any row can lose {count_text(report.margin, 'more block')}"


def _action_text(action, dry_run):
    """What was done about one shard; its blocks, and why."""
    if action.kind == "left":
        return f"left as it is: {action.reason}"
    would = "would be " if dry_run else ""
    kept = f", {action.copied_blocks:,} kept" if action.copied_blocks else ""
    return (f"{would}{action.kind}: {count_text(action.rebuilt_blocks, 'block')} rebuilt{kept} "
            f"({action.reason})")


def repair_lines(report, verbose):
    """A repair: what was found, then what was done about each shard."""
    before = report.before
    if before.healthy or verbose:
        yield from verify_lines(before, verbose)
    else:
        good = sum(shard.state == "good" for shard in before.shards)
        yield f"found {good} of {count_text(len(before.shards), 'shard')} good"
    if before.healthy:
        yield "nothing to repair"
        return
    for action in report.actions:
        yield f"  shard {action.shard_index:>3}  {_action_text(action, report.dry_run)}"
        if action.path:
            yield f"             {path_text(action.path)}"
        if action.set_aside:
            yield f"             what stood there is now {path_text(action.set_aside)}"
    if report.complete:
        yield f"every shard {'would be' if report.dry_run else 'is'} good"
    else:
        left = sum(action.kind == "left" for action in report.actions)
        yield f"not complete: {count_text(left, 'shard')} left as found"


def byte_ranges_text(ranges, shown=8):
    """Half-open byte ranges as [begin, end)."""
    parts = [f"[{begin:,}, {end:,})" for begin, end in ranges[:shown]]
    if len(ranges) > shown:
        parts.append(f"and {len(ranges) - shown} more (in the map)")
    return ", ".join(parts)


def salvage_lines(report, verbose):
    """A salvage: what is proved, what is not, and where the map is."""
    yield from stripe_lines(report.stripe)
    yield from shard_lines(report.shards, verbose)
    yield from skipped_lines(report.skipped, verbose)
    size = report.stripe.object_size
    total = f"{report.verified_size:,} of {size:,} bytes" if size is not None else (
        f"{report.verified_size:,} bytes of an object of unknown size")
    yield f"{report.partial_path}: {total} verified, {count_text(len(report.holes), 'hole')}"
    if report.holes:
        yield f"holes (bytes): {byte_ranges_text(report.holes)}"
    if report.digest == "mismatch":
        yield "the digest of the object does not match: do not trust these bytes as the object"
    yield f"{report.map_path}: which ranges are verified and which are holes"


def file_lines(file, verbose):
    """One inspected file."""
    if file.stripe is None:
        yield f"{file.path}: {file.kind} ({size_text(file.size)}): {file.header}"
        return
    index = "blocks of several shards" if file.shard_index is None else f"shard {file.shard_index}"
    yield (f"{file.path}: {index} of {code_text(file.stripe)}, "
           f"{size_text(file.stripe.object_size)}, stripe {file.stripe.stripe_id}")
    for part, state in (("header", file.header), ("footer", file.footer)):
        if verbose or state != "good":
            yield f"  {part}: {state}"
    if file.expected_size is not None and file.size != file.expected_size:
        yield f"  size: {file.size:,} bytes, a whole shard has {file.expected_size:,}"
    if file.kind == "fragment":
        yield f"  {count_text(file.fragment_blocks, 'valid block')} found"
    if verbose:
        yield from (f"  {line}" for line in stripe_lines(file.stripe))
        yield f"  format {file.format_version}, {size_text(file.size)}"
