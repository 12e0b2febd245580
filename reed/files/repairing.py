"""Makes the shards of a stripe whole again, from verified blocks only."""

import contextlib
import os
import stat
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from os import PathLike

import numpy

from ..errors import BeyondRepair, ConflictingShards, DigestMismatch
from . import medium
from .decoding import ObjectReader
from .digests import digest_number
from .layout import parse_shard_name, shard_name
from .reading import GOOD, Rows, Settled, Stripe, open_stripe
from .reports import RepairAction, RepairReport, SkippedFile, VerifyReport
from .scanning import ShardFile, probe
from .verifying import Survey
from .work import Watch, Workers, folder_list, path_list
from .writing import ShardWriter

# How header, footer and block begin; see FORMAT.md.
_MAGICS = tuple(b"\x89RS" + kind + b"\r\n\x1a\n" for kind in (b"H", b"F", b"B"))
_SURPLUS_CHUNK = 1 << 20


def repair(
    shards: str | PathLike | Sequence[str | PathLike],
    *,
    targets: str | PathLike | Sequence[str | PathLike] | None = None,
    stripe_id: bytes | str | None = None,
    dry_run: bool = False,
    threads: int = 1,
    progress: Callable[[int, int | None], object] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> RepairReport:
    """Rewrites every damaged shard file in place and creates the missing ones.

    ``shards`` and ``stripe_id`` as in ``decode``. A missing shard goes to the folder, among
    ``targets`` or by default among the folders that were given or in which shards were found,
    that holds the fewest shards of the stripe (the first of equals), under the name that
    ``encode`` gave the others. A file at that place is never overwritten: one that is not
    recognisable as anything is renamed aside and reported; for any other, another name is used.

    A file is replaced only after its successor was written beside it, fsynced and read back from
    the medium block by block, so it has every good block that the old one had. A shard that is
    partly or wholly unreadable (EIO) is *unknown*: it is never replaced and never recreated
    elsewhere. The object's digest, where one is recorded, must match before anything is
    replaced. Where checksums are right and shards disagree, the wrong ones are located by the
    code where it can, the data shards are believed where it cannot, and the digest decides;
    without a recorded digest only the former is done. ``dry_run`` tells what would be done.

    ``progress`` counts bytes of the object over both passes: (done, 2 * object size).

    Raises as ``verify``; BeyondRepair, DigestMismatch, ConflictingShards, ReadBackMismatch,
    Cancelled and OSError, each with no file replaced that its successor would not improve: files
    are replaced one by one, so an error in the middle leaves earlier ones repaired, the others as
    they were.
    """
    watch = Watch(progress, cancel)
    chosen_folders = None if targets is None else folder_list(targets, "targets")
    with Workers(threads) as workers, open_stripe(
            path_list(shards, "shards"), stripe_id, workers, watch.check) as stripe:
        object_size = stripe.layout.object_size
        watch.total = object_size if dry_run else 2 * object_size
        survey = Survey(stripe)
        survey.run(watch, digest_type=_digest_type_of(stripe))
        before = survey.report()
        _require_recoverable(stripe, survey, before)
        tasks, actions = _plan(stripe, chosen_folders, watch.check)
        if tasks and not dry_run:
            watch.offset = object_size
            actions += _carry_out(stripe, tasks, survey.computed_digest, watch)
        else:
            actions += [task.action(stripe.layout.row_count) for task in tasks]
            watch.offset = 0
            watch.step(watch.total)
        return RepairReport(
            before=before, actions=tuple(sorted(actions, key=lambda action: action.shard_index)),
            dry_run=dry_run)


@dataclass
class _Task:
    """One shard file to write."""

    shard_index: int
    path: str
    reason: str
    replaced: ShardFile | None  # the damaged file that stands at `path`
    good_count: int  # blocks that exist somewhere, by the first pass
    set_aside: str | None = None

    def action(self, row_count: int) -> RepairAction:
        """The task as a report says it."""
        return RepairAction(
            shard_index=self.shard_index,
            kind="created" if self.replaced is None else "rewritten", path=self.path,
            reason=self.reason, copied_blocks=self.good_count,
            rebuilt_blocks=row_count - self.good_count, set_aside=self.set_aside)


def _left(shard_index: int, path: str | None, reason: str) -> RepairAction:
    return RepairAction(shard_index=shard_index, kind="left", path=path, reason=reason,
                        copied_blocks=0, rebuilt_blocks=0, set_aside=None)


def _digest_type_of(stripe: Stripe) -> int:
    """What new footers record; SHA-256 when neither a header nor a footer is left to say."""
    return digest_number("sha256") if stripe.digest_type is None else stripe.digest_type


def _require_recoverable(stripe: Stripe, survey: Survey, before: VerifyReport) -> None:
    """Raises unless the whole object is proved, so that every block can be."""
    if survey.is_recoverable:
        return
    name = f"stripe {stripe.geometry.stripe_id.hex()}"
    if survey.mismatch is not None:
        raise survey.mismatch
    if before.rows.lost or before.rows.unknown:
        needed = stripe.geometry.data_shards
        raise BeyondRepair(
            f"{name}: {before.rows.lost} rows are lost and {before.rows.unknown} depend on what "
            f"is unreadable now, of {before.rows.total}; the worst has {needed + before.margin} "
            f"good blocks of the {needed} that are needed",
            needed=needed, available=needed + before.margin,
            missing=[shard.shard_index for shard in before.shards if not shard.good_blocks],
            rows=before.lost_rows, unknown=before.rows.unknown > 0)
    if not survey.is_padded:
        raise ConflictingShards(
            f"{name}: the last row does not end in zeros behind the object although every checksum "
            "is right: some shard is wrong, and it cannot be told which",
            field="row", value=before.rows.total - 1)
    first = before.inconsistent_rows[0][0]
    raise ConflictingShards(
        f"{name}: the shards disagree from row {first} on although every checksum is right, and "
        "neither the code nor a digest can tell which are wrong", field="row", value=first)


# ---- planning ------------------------------------------------------------------------------------


def _plan(stripe: Stripe, chosen_folders: list[str] | None,
          check) -> tuple[list[_Task], list[RepairAction]]:
    """What to write, and what is left alone and why."""
    tasks, actions = [], []
    held = set()
    for file in stripe.files:
        shard_index = file.shard_index
        if file.is_mixture:
            actions.append(_left(-1 if shard_index is None else shard_index, file.path,
                                 "not one shard file: holds blocks of several, or displaced"))
            continue
        if not stat.S_ISREG(file.identity.st_mode):
            actions.append(_left(shard_index, file.path, "a device, which is never replaced"))
            continue
        if _holds_more(file, stripe.layout.file_size, check):
            actions.append(_left(shard_index, file.path,
                                 "holds more than this shard behind its end: not replaced"))
            continue
        held.add(shard_index)
        if stripe.is_whole(file):
            continue
        if file.is_unreadable:
            actions.append(_left(shard_index, file.path,
                                 "partly unreadable now: it may be good, so it is not replaced"))
        elif file.unsupported is not None:
            actions.append(_left(shard_index, file.path, str(file.unsupported)))
        else:
            tasks.append(_Task(shard_index, os.path.realpath(file.path), _damage(stripe, file),
                               file, stripe.shard_states[shard_index][GOOD]))
    missing = []
    for shard_index in sorted(set(range(stripe.geometry.shard_count)) - held):
        if shard_index in stripe.unknown_shards:
            actions.append(_left(shard_index, None,
                                 "an unreadable file may be this shard: not recreated"))
        else:
            missing.append(shard_index)
    tasks += _place_missing(stripe, missing, chosen_folders, check)
    return tasks, actions


def _holds_more(file: ShardFile, end: int, check) -> bool:
    """Whether any structure of a shard begins behind the shard that this file is: an image of a
    disk, or files that were put behind one another. What stands there may be the last copy of
    something else. What cannot be read now may be such a structure."""
    buffer = memoryview(bytearray(_SURPLUS_CHUNK))
    overlap = b""
    for offset in range(end, file.size, _SURPLUS_CHUNK):
        check()
        try:
            count = file.handle.read_at(buffer, offset)
        except OSError:
            return True
        chunk = overlap + buffer[:count].tobytes()
        if any(magic in chunk for magic in _MAGICS):
            return True
        overlap = chunk[-7:]
    return False


def _damage(stripe: Stripe, file: ShardFile) -> str:
    tally = stripe.tallies[id(file)]
    bad = stripe.layout.row_count - tally.states[GOOD] + tally.wrong
    parts = [f"{bad} bad or missing blocks"] if bad else []
    parts += [problem.removeprefix(f"{file.path}: ") for problem in file.problems]
    return "; ".join(parts)


def _place_missing(stripe: Stripe, missing: list[int], chosen_folders: list[str] | None,
                   check) -> list[_Task]:
    """Spreads shards that have no file over the folders that hold the fewest."""
    holders = [os.path.dirname(os.path.realpath(file.path)) for file in stripe.files]
    candidates = stripe.folders + holders if chosen_folders is None else chosen_folders
    loads = {os.path.realpath(folder): 0 for folder in candidates}
    for folder in holders:
        if folder in loads:
            loads[folder] += 1
    names = Counter(parsed[0] for parsed in (parse_shard_name(file.path) for file in stripe.files)
                    if parsed is not None)
    name = names.most_common(1)[0][0] if names else stripe.geometry.stripe_id.hex()
    tasks = []
    for shard_index in missing:
        folder = min(loads, key=loads.get)
        loads[folder] += 1
        task = _Task(shard_index, os.path.join(folder, shard_name(name, shard_index)), "no file",
                     None, stripe.shard_states[shard_index][GOOD])
        if os.path.lexists(task.path):
            _make_room(task, name, stripe.geometry.stripe_id, check)
        tasks.append(task)
    return tasks


def _make_room(task: _Task, name: str, stripe_id: bytes, check) -> None:
    """The name of a missing shard is taken: what cannot be recognised is moved aside, anything
    else keeps its name and the shard gets another."""
    found = probe(task.path, True, check)
    if isinstance(found, SkippedFile) and found.kind == "foreign" and os.path.isfile(task.path):
        task.set_aside = medium.name_aside(task.path)
        task.reason = "an unrecognisable file has its name and is moved aside"
        return
    folder = os.path.dirname(task.path)
    task.path = os.path.join(folder, shard_name(f"{name}.{stripe_id.hex()[:8]}", task.shard_index))
    task.reason = "no file, and its name is taken"


# ---- carrying out --------------------------------------------------------------------------------


def _carry_out(stripe: Stripe, tasks: list[_Task], digest: bytes,
               watch: Watch) -> list[RepairAction]:
    """Writes every file of the plan in one pass over the stripe, proves each, publishes each."""
    with contextlib.ExitStack() as stack:
        publications = [stack.enter_context(medium.Publication()) for _ in tasks]
        writers = []
        for task, publication in zip(tasks, publications, strict=True):
            writer = ShardWriter(publication.create(task.path),
                                 shard_fields(stripe, task.shard_index))
            if task.replaced is not None:
                writer.take_owner_and_mode(task.replaced.identity)
            writers.append(writer)
        stripe.forget_states()
        second = Survey(stripe)
        second.run(watch, lambda rows, settled: write_rows(stripe, rows, settled, writers),
                   digest_type=_digest_type_of(stripe))
        _require_recoverable(stripe, second, second.report())
        if second.computed_digest != digest:
            raise DigestMismatch(
                f"stripe {stripe.geometry.stripe_id.hex()}: two readings gave different bytes",
                expected=digest.hex(), actual=second.computed_digest.hex())
        layout, blocks = stripe.layout, stripe.blocks

        def prove(writer: ShardWriter) -> None:
            writer.finish(layout, digest)
            writer.read_back(layout, blocks, watch.check)

        stripe.workers.map(prove, writers)
        return [_publish(task, publication, layout.row_count)
                for task, publication in zip(tasks, publications, strict=True)]


def shard_fields(stripe: Stripe, shard_index: int) -> dict:
    """What the header of a new file for this shard says."""
    geometry = stripe.geometry
    flags = [file.ends["compatible_flags"] for file in stripe.files if file.ends is not None]
    return {
        "stripe_id": geometry.stripe_id, "generator": geometry.generator,
        "matrix_crc32c": stripe.code.matrix_crc32c, "data_shards": geometry.data_shards,
        "parity_shards": geometry.parity_shards, "shard_index": shard_index,
        "block_size": geometry.block_size, "digest_type": _digest_type_of(stripe),
        "compatible_flags": flags[0] if flags else 0,
    }


def write_rows(stripe: Stripe, rows: Rows, settled: list[Settled],
                writers: list[ShardWriter]) -> None:
    """Completes the blocks of some rows and writes them to every new file."""
    wanted = sorted({writer.shard_index for writer in writers})
    data_shards = stripe.geometry.data_shards
    crc = numpy.empty((1, 1), numpy.uint32)
    for row, answer in enumerate(settled):
        if answer.kind not in ("intact", "degraded"):
            _raise_lost(stripe, rows.first_row + row, answer)
        lacking = [index for index in wanted if index not in answer.sources]
        # Lacking data blocks were rebuilt for the digest already.
        rows.rebuild(stripe.code, row, answer.sources,
                     [index for index in lacking if index >= data_shards])
        for index in lacking:
            # Only rebuilt blocks get a new checksum; good ones keep the one that proved them.
            record = rows.views.records[index:index + 1, row:row + 1]
            stripe.blocks.payload_crcs(record, rows.views.payload_size, crc)
            stripe.blocks.seal_records(
                record, crc, numpy.array([index], numpy.uint32), rows.first_row + row,
                stripe.layout.last_data_size_of(rows.first_row + row, 1))

    def write(writer: ShardWriter) -> None:
        writer.write_records(rows.views.shard_pieces[writer.shard_index], stripe.layout,
                             rows.first_row)

    stripe.workers.map(write, writers)


def restore(stripe: Stripe, writers: list[ShardWriter], watch: Watch, compares: bool) -> bytes:
    """Writes whole shard files from the good blocks of the others in one pass, without syncing or
    publishing them; returns the digest for their footers.

    :param compares: as ``ObjectReader``; without, no more is read than must be: data_shards shards.
    :raises BeyondRepair: some row has too few good blocks. :raises DigestMismatch: the blocks are
        right and the whole is not.
    """
    reader = ObjectReader(stripe, compares=compares)
    done = 0
    for rows, settled, pieces in reader.batches():
        write_rows(stripe, rows, settled, writers)
        done += sum(map(len, pieces))
        watch.step(done)
    return stripe.digest


def _raise_lost(stripe: Stripe, row: int, answer: Settled) -> None:
    """A row that was whole in the first pass is not any more."""
    raise BeyondRepair(
        f"stripe {stripe.geometry.stripe_id.hex()}: row {row} could be read a moment ago and has "
        f"{len(answer.sources)} good blocks now",
        needed=stripe.geometry.data_shards, available=len(answer.sources),
        rows=[(row, row + 1)], unknown=answer.kind == "unknown")


def _publish(task: _Task, publication: medium.Publication, row_count: int) -> RepairAction:
    """Gives one new file its name, unless what it replaces is not what was judged."""
    old = task.replaced
    if old is None:
        if task.set_aside is not None:
            medium.move_to_free_name(task.path, task.set_aside)
        try:
            publication.publish()
        except BaseException:
            if task.set_aside is not None:
                medium.move_to_free_name(task.set_aside, task.path)
            raise
        return task.action(row_count)
    if old.is_unreadable:
        return _left(task.shard_index, task.path, "became unreadable while it was repaired")
    now = os.stat(task.path)
    if (now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns) != (
            old.identity.st_dev, old.identity.st_ino, old.identity.st_size,
            old.identity.st_mtime_ns):
        return _left(task.shard_index, task.path, "changed while it was repaired")
    publication.publish(overwrite=True)
    return task.action(row_count)
