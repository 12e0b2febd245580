"""Seeded damage to real shard files, and an oracle that knows what must come back.

One trial encodes an object, damages the files in ways that storage does, and asks every verb of
``reed.files`` for its answer. The oracle knows the undamaged bytes and nothing of the package's
reading: it counts, row by row, the shards whose records stand untouched in their places.

    python tests/simulate/damage.py SEED [COUNT]

replays trials SEED, SEED + 1, ...; a failing trial prints this command with its own seed.
"""

import errno
import os
import random
import shutil
import sys
import tempfile
import traceback
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy

import reed
from reed import _core, files
from reed.files import medium

HEADER, FOOTER, BLOCK_HEADER = 256, 256, 64

# Everything that a verb may answer to damage; anything else is a bug.
NAMED_ERRORS = (
    reed.NoShardsFound, reed.SeveralStripes, reed.UnsupportedFormat, reed.ConflictingShards,
    reed.ObjectSizeUnknown, reed.BeyondRepair, reed.DigestMismatch,
)


# ---- a medium that fails -------------------------------------------------------------------------


class FaultyMedium:
    """Stands behind the one seam of ``reed.files``: unreadable ranges, a full disk, transfers that
    stop short."""

    def __init__(self, rng: random.Random):
        self._rng = rng
        self.unreadable: dict[tuple[int, int], list[tuple[int, int]]] = {}
        self.space_left: int | None = None
        self.stops_short = False

    def make_unreadable(self, path: Path, begin: int, end: int) -> None:
        """Reads of these bytes of a file give EIO from now on."""
        status = os.stat(path)
        self.unreadable.setdefault((status.st_dev, status.st_ino), []).append((begin, end))

    def ranges_of(self, path: Path) -> list[tuple[int, int]]:
        """The unreadable ranges of a file."""
        if not path.exists():
            return []
        status = os.stat(path)
        return self.unreadable.get((status.st_dev, status.st_ino), [])

    def is_readable(self, path: Path, begin: int, end: int) -> bool:
        """Whether a read of these bytes succeeds."""
        return not any(first < end and begin < last for first, last in self.ranges_of(path))

    def preadv(self, descriptor, buffers, offset):
        size = sum(map(len, buffers))
        status = os.fstat(descriptor)
        for begin, end in self.unreadable.get((status.st_dev, status.st_ino), ()):
            if begin < offset + size and offset < end:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
        return os.preadv(descriptor, self._shorten(buffers), offset)

    def pwritev(self, descriptor, buffers, offset):
        buffers = self._shorten(buffers)
        if self.space_left is not None:
            self.space_left -= sum(map(len, buffers))
            if self.space_left < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return os.pwritev(descriptor, buffers, offset)

    def readv(self, descriptor, buffers):
        return os.readv(descriptor, self._shorten(buffers))

    def _shorten(self, buffers):
        if not self.stops_short or self._rng.random() < 0.5:
            return buffers
        kept = buffers[:self._rng.randint(1, len(buffers))]
        if len(kept[-1]) > 1:
            kept[-1] = kept[-1][:self._rng.randint(1, len(kept[-1]))]
        return kept

    @contextmanager
    def installed(self):
        """Puts the faults in place for the duration of a with statement."""
        kept = medium.preadv, medium.pwritev, medium.readv
        medium.preadv, medium.pwritev, medium.readv = self.preadv, self.pwritev, self.readv
        try:
            yield self
        finally:
            medium.preadv, medium.pwritev, medium.readv = kept


# ---- one trial -----------------------------------------------------------------------------------


@dataclass
class Trial:
    """An object, its shards, and what was done to them."""

    seed: int
    root: Path
    code: object
    block_size: int
    data: bytes
    stripe_id: bytes
    digest: str
    folders: list[Path]
    pristine: list[bytes] = field(default_factory=list)
    paths: list[Path] = field(default_factory=list)
    others: dict[Path, bytes] = field(default_factory=dict)  # files that are not of the stripe
    log: list[str] = field(default_factory=list)
    # (shard index, row) of every block somewhere with wrong content under a right checksum.
    forged: set[tuple[int, int]] = field(default_factory=set)
    has_forgery: bool = False  # one of them stands unopposed by the right block
    needs_choice: bool = False  # shards of a second object are among the files

    @property
    def shard_count(self) -> int:
        return self.code.data_shards + self.code.parity_shards

    @property
    def layout(self) -> dict:
        return _core.shard_layout(self.code.data_shards, self.block_size, len(self.data))

    def record_span(self, row: int) -> tuple[int, int]:
        """Where the record of a row lies in an undamaged file."""
        layout = self.layout
        begin = HEADER + row * layout["full_record_size"]
        if row == layout["row_count"] - 1:
            return begin, layout["footer_offset"]
        return begin, begin + layout["full_record_size"]

    def all_files(self) -> list[Path]:
        """Every file in the shard folders, temporaries and all."""
        return sorted(path for folder in self.folders for path in folder.iterdir())

    def options(self) -> dict:
        """What the verbs are told besides the paths."""
        return {"stripe_id": self.stripe_id} if self.needs_choice else {}

    # -- the oracle --

    def blocks_in_place(self, faults: FaultyMedium) -> set[tuple[int, int]]:
        """(shard index, row) of every record that stands untouched and readable in its place, in
        a file that its header or footer identifies."""
        found = set()
        for path in self.all_files():
            content = path.read_bytes()
            for shard_index, original in enumerate(self.pristine):
                if not self._is_identified(path, content, original, faults):
                    continue
                for row in range(self.layout["row_count"]):
                    begin, end = self.record_span(row)
                    if (content[begin:end] == original[begin:end]
                            and faults.is_readable(path, begin, end)):
                        found.add((shard_index, row))
        return found

    def _is_identified(self, path, content, original, faults) -> bool:
        header = content[:HEADER] == original[:HEADER] and faults.is_readable(path, 0, HEADER)
        end = len(content)
        footer = (content[-FOOTER:] == original[-FOOTER:] and end > HEADER
                  and faults.is_readable(path, end - FOOTER, end))
        header_is_torn = not faults.is_readable(path, 0, HEADER) or (
            content[:3] != original[:3] and content[:4] != b"\x89RSH")
        # A file with the ends of two shards is neither.
        return (header and (footer or content[-FOOTER:][:4] != b"\x89RSF")) or (
            footer and (header or header_is_torn))

    def has_size_evidence(self, faults: FaultyMedium) -> bool:
        """Whether some file has a footer where it belongs."""
        for path in self.all_files():
            content = path.read_bytes()
            for original in self.pristine:
                if (content[:HEADER] == original[:HEADER]
                        and content[-FOOTER:] == original[-FOOTER:]
                        and faults.is_readable(path, 0, HEADER)
                        and faults.is_readable(path, len(content) - FOOTER, len(content))):
                    return True
        return False

    def fewest_in_place(self, blocks: set[tuple[int, int]]) -> int:
        """The smallest number of untouched blocks in any row."""
        counts = [0] * self.layout["row_count"]
        for _, row in blocks:
            counts[row] += 1
        return min(counts, default=self.shard_count)

    def fewest_anywhere(self) -> int:
        """The same, with records counted wherever in whatever file their bytes are."""
        contents = [path.read_bytes() for path in self.all_files()]
        fewest = self.shard_count
        for row in range(self.layout["row_count"]):
            begin, end = self.record_span(row)
            fewest = min(fewest, sum(any(original[begin:end] in content for content in contents)
                                     for original in self.pristine))
        return fewest


def make_trial(seed: int, root: Path) -> Trial:
    """Encodes the object of this seed under `root`."""
    rng = random.Random(seed)
    kind = rng.random()
    if kind < 0.25:
        code = reed.Replication(rng.randint(1, 4))
    else:
        generator = rng.choice(["native", "native", "isal-cauchy", "vand-inv", "zfec", "klauspost"])
        code = reed.ReedSolomon(rng.randint(1, 6), rng.randint(0, 4), generator=generator)
    block_size = rng.choice([4096, 4096, 4096, 8192])
    row_size = code.data_shards * block_size
    rows = rng.randint(0, 4)
    size = max(0, rows * row_size + rng.choice([0, 0, 1, -1, rng.randrange(row_size),
                                                rng.randint(0, 100)]))
    folders = [root / f"disk{i}" for i in range(rng.choice([1, 1, 2, 5]))]
    for folder in folders:
        folder.mkdir()
    trial = Trial(seed, root, code, block_size, rng.randbytes(size), rng.randbytes(16),
                  rng.choice(["sha256", "sha256", "sha256", "none"]), folders)
    source = root / "object"
    source.write_bytes(trial.data)
    report = files.encode(source, folders, code=code, block_size=block_size,
                          digest=trial.digest, stripe_id=trial.stripe_id)
    trial.paths = [Path(path) for path in report.paths]
    trial.pristine = [path.read_bytes() for path in trial.paths]
    trial.log.append(f"{code!r}, {size} bytes, blocks of {block_size}, digest {trial.digest}, "
                     f"{len(folders)} folders")
    return trial


# ---- kinds of damage -----------------------------------------------------------------------------


def _edges(trial: Trial) -> list[int]:
    """The offsets where structures begin and end."""
    edges = {0, HEADER, trial.layout["footer_offset"], trial.layout["file_size"]}
    for row in range(trial.layout["row_count"]):
        begin, _ = trial.record_span(row)
        edges |= {begin, begin + BLOCK_HEADER}
    return sorted(edges)


def _offset(trial: Trial, rng: random.Random, size: int) -> int:
    """An offset in a file, at or beside an edge half of the time."""
    if rng.random() < 0.5:
        return min(size, max(0, rng.choice(_edges(trial)) + rng.choice([-1, 0, 0, 1])))
    return rng.randint(0, size)


def _flip(trial, path, rng, faults):
    content = bytearray(path.read_bytes())
    for _ in range(rng.choice([1, 1, 2, 30])):
        if content:
            position = min(len(content) - 1, _offset(trial, rng, len(content)))
            content[position] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


def _wipe(trial, path, rng, faults):
    content = bytearray(path.read_bytes())
    begin = _offset(trial, rng, len(content))
    end = min(len(content), begin + rng.choice([16, 256, 4096, 20000]))
    content[begin:end] = rng.choice([bytes(end - begin), rng.randbytes(end - begin)])
    path.write_bytes(content)


def _truncate(trial, path, rng, faults):
    os.truncate(path, _offset(trial, rng, path.stat().st_size))


def _extend(trial, path, rng, faults):
    with open(path, "ab") as file:
        size = rng.choice([1, 64, 256, 5000])
        file.write(rng.choice([bytes(size), rng.randbytes(size), trial.pristine[0][-size:]]))


def _zero(trial, path, rng, faults):
    path.write_bytes(bytes(path.stat().st_size))


def _empty(trial, path, rng, faults):
    path.write_bytes(b"")


def _delete(trial, path, rng, faults):
    path.unlink()


def _insert(trial, path, rng, faults):
    content = path.read_bytes()
    at = _offset(trial, rng, len(content))
    path.write_bytes(content[:at] + rng.randbytes(rng.choice([1, 64, 4160])) + content[at:])


def _cut_out(trial, path, rng, faults):
    content = path.read_bytes()
    at = _offset(trial, rng, len(content))
    path.write_bytes(content[:at] + content[at + rng.choice([1, 64, 4160]):])


def _swap_names(trial, path, rng, faults):
    other = rng.choice([p for p in trial.all_files() if p.is_file()])
    if other != path:
        first, second = path.read_bytes(), other.read_bytes()
        path.write_bytes(second)
        other.write_bytes(first)


def _duplicate(trial, path, rng, faults):
    (rng.choice(trial.folders) / f"copy{rng.randrange(10)}.reed").write_bytes(path.read_bytes())


def _overwrite_with_copy(trial, path, rng, faults):
    other = rng.choice(trial.all_files())
    if other != path:
        shutil.copyfile(other, path)


def _swap_records(trial, path, rng, faults):
    """Two records change places, in one file or between two."""
    if not trial.layout["row_count"]:
        return
    other = rng.choice(trial.all_files())
    spans = [trial.record_span(rng.randrange(trial.layout["row_count"])) for _ in range(2)]
    contents = {path: bytearray(path.read_bytes())}
    contents.setdefault(other, bytearray(other.read_bytes()))
    (a, b), (c, d) = spans
    first, second = contents[path][a:b], contents[other][c:d]
    if len(first) == len(second):
        contents[path][a:b], contents[other][c:d] = second, first
    for target, content in contents.items():
        target.write_bytes(content)


def _unreadable(trial, path, rng, faults):
    begin = _offset(trial, rng, path.stat().st_size)
    faults.make_unreadable(path, begin, begin + rng.choice([1, 512, 4096, 1 << 20]))


def _forge(trial, path, rng, faults):
    """Silent corruption from before the checksum: wrong payload, right CRC32C; in the file itself
    or in a copy beside it."""
    content = bytearray(path.read_bytes())
    for shard_index, original in enumerate(trial.pristine):
        if content == original and trial.layout["row_count"]:
            row = rng.randrange(trial.layout["row_count"])
            begin, end = trial.record_span(row)
            fields = _core.block_parse(memoryview(original)[begin:end])
            content[begin + BLOCK_HEADER + rng.randrange(fields["payload_size"])] ^= 0x55
            seal(trial, content, shard_index, row, fields["payload_size"])
            trial.forged.add((shard_index, row))
            if rng.random() < 0.5:
                path = rng.choice(trial.folders) / rng.choice(["a forged copy.reed", "zz.reed"])
            path.write_bytes(content)
            return


def seal(trial: Trial, content: bytearray, shard_index: int, row: int, payload_size: int) -> None:
    """Makes the header of a record right for whatever payload stands there."""
    geometry = _core.BlockGeometry(trial.stripe_id, trial.code.generator, trial.code.data_shards,
                                   trial.code.parity_shards, trial.block_size)
    begin, end = trial.record_span(row)
    record = numpy.frombuffer(content, numpy.uint8)[begin:end].reshape(1, 1, end - begin)
    crcs = numpy.empty((1, 1), numpy.uint32)
    geometry.payload_crcs(record, payload_size, crcs)
    layout = trial.layout
    is_last = row == layout["row_count"] - 1
    geometry.seal_records(record, crcs, numpy.array([shard_index], numpy.uint32), row,
                          layout["last_row_data_size"] if is_last else 0)


DAMAGES = [_flip, _flip, _wipe, _truncate, _extend, _zero, _empty, _delete, _delete, _insert,
           _cut_out, _swap_names, _duplicate, _overwrite_with_copy, _swap_records]


def damage(trial: Trial, faults: FaultyMedium, *, with_faults: bool = True) -> None:
    """Does what this seed says to the files; with `with_faults` also to the medium."""
    rng = random.Random(trial.seed ^ 0x5EED)
    kinds = DAMAGES + [_unreadable, _unreadable] * with_faults
    for _ in range(rng.choice([0, 1, 1, 2, 2, 3, 4, 6, 10])):
        existing = [path for path in trial.all_files() if path.is_file()]
        if not existing:
            break
        kind = _forge if rng.random() < 0.06 else rng.choice(kinds)
        path = rng.choice(existing)
        kind(trial, path, rng, faults)
        trial.log.append(f"{kind.__name__[1:]} {path.parent.name}/{path.name}")
    if rng.random() < 0.2:
        _add_foreign(trial, rng)
    if rng.random() < 0.1:
        _add_other_object(trial, rng)


def _add_foreign(trial: Trial, rng: random.Random) -> None:
    for name in ("notes.txt", "holiday.reed", ".hidden"):
        path = rng.choice(trial.folders) / name
        path.write_bytes(rng.randbytes(rng.choice([0, 10, 10000])))
        trial.others[path] = path.read_bytes()
    trial.log.append("foreign files")


def _add_other_object(trial: Trial, rng: random.Random) -> None:
    """Shards of another version of the object, one of them under a name of this one."""
    folder = trial.root / "other"
    folder.mkdir()
    report = files.encode(trial.root / "object", folder, code=trial.code,
                          block_size=trial.block_size, stripe_id=rng.randbytes(16), name="object")
    taken = rng.choice(trial.paths)
    shutil.copyfile(report.paths[0], taken)
    trial.others[taken] = taken.read_bytes()
    trial.needs_choice = True
    trial.log.append(f"shard 0 of another version over {taken.name}")


# ---- the questions -------------------------------------------------------------------------------


def _snapshot(trial: Trial) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in trial.all_files()}


def _require(condition, message) -> None:
    if not condition:
        raise AssertionError(message)


def run_trial(seed: int, root: Path) -> str:
    """Runs one trial in an empty folder; raises AssertionError, or says how it went."""
    trial = make_trial(seed, root)
    rng = random.Random(seed ^ 0xFA17)
    faults = FaultyMedium(rng)
    damage(trial, faults)
    try:
        return _ask(trial, faults, rng)
    except Exception as error:
        error.add_note("\n".join(["what was done:", *trial.log]))
        raise


def _ask(trial: Trial, faults: FaultyMedium, rng: random.Random) -> str:
    paths = rng.sample(trial.folders, len(trial.folders))
    if rng.random() < 0.3:
        paths = rng.sample(trial.all_files(), len(trial.all_files())) or paths
    faults.stops_short = rng.random() < 0.3
    before = _snapshot(trial)
    blocks = trial.blocks_in_place(faults)
    trial.has_forgery = bool(trial.forged - blocks)
    blocks -= trial.forged  # of two that contradict each other, neither counts
    data_shards = trial.code.data_shards
    must = (trial.fewest_in_place(blocks) >= data_shards and trial.has_size_evidence(faults)
            and not trial.has_forgery)
    cannot = trial.fewest_anywhere() < data_shards
    with faults.installed():
        decoded = _ask_decode(trial, paths, must, cannot)
        _require(_snapshot(trial) == before, "decode changed a file")
        status = _ask_verify(trial, paths, decoded, must)
        _require(_snapshot(trial) == before, "verify changed a file")
        _ask_salvage(trial, paths, faults, blocks)
        _require(_snapshot(trial) == before, "salvage changed a file")
        if rng.random() < 0.2:
            _ask_full_disk(trial, paths, faults, rng)
            _require(_snapshot(trial) == before, "a full disk changed a file")
        repaired = _ask_repair(trial, paths, faults, before, blocks, status)
    return f"decode {decoded}, {status}, repair {repaired}"


def _ask_decode(trial: Trial, paths, must: bool, cannot: bool) -> str:
    target = trial.root / "decoded"
    try:
        report = files.decode(paths, target, **trial.options())
    except NAMED_ERRORS as error:
        _require(not must, f"decode refused what it must give: {error!r}")
        _require(not target.exists(), "decode failed and left its target")
        _require(not _temporaries(trial.root), "decode left a temporary")
        return type(error).__name__
    found = target.read_bytes()
    is_exact = found == trial.data
    # With a forged block and no digest (left) nobody can know better.
    _require(is_exact or (trial.has_forgery and report.digest == "unavailable"),
             "decode returned other bytes")
    _require(not cannot or trial.has_forgery, "decode returned what cannot be known")
    _require(not _temporaries(trial.root), "decode left a temporary")
    return "exact" if is_exact else "forged"


def _temporaries(root: Path) -> list[Path]:
    return [path for path in root.rglob(".*") if medium.is_temporary(path.name)]


def _ask_verify(trial: Trial, paths, decoded: str, must: bool) -> str:
    try:
        report = files.verify(paths, **trial.options())
    except NAMED_ERRORS as error:
        _require(decoded != "exact", f"verify refused a decodable stripe: {error!r}")
        return type(error).__name__
    is_whole = report.status in ("healthy", "repairable")
    if not trial.has_forgery:
        _require(is_whole == (decoded == "exact"), f"decode {decoded}, verify {report.status}")
    _require(report.rows.total == trial.layout["row_count"], "rows miscounted")
    if report.status == "healthy":
        held = {path.read_bytes() for path in trial.all_files()}
        # Without digest and parity there is nothing that a forged block could contradict.
        is_blind = (trial.has_forgery and report.digest == "unavailable"
                    and not trial.code.parity_shards)
        _require(is_blind or all(original in held for original in trial.pristine),
                 "healthy, but not every shard is what was written")
    return report.status


def _ask_salvage(trial: Trial, paths, faults: FaultyMedium, blocks) -> None:
    target = trial.root / "salvaged"
    try:
        report = files.salvage(paths, target, **trial.options())
    except NAMED_ERRORS:
        _require(not list(trial.root.glob("salvaged*")), "salvage failed and left files")
        return
    _require(not target.exists(), "salvage wrote under the object's own name")
    found = Path(report.partial_path).read_bytes()
    is_forgeable = trial.has_forgery and report.digest != "match"
    position = 0
    for begin, end in (*report.holes, (len(found), len(found))):
        _require(is_forgeable or found[position:begin] == trial.data[position:begin],
                 "salvage vouches for wrong bytes")
        _require(not any(found[begin:end]), "a hole is not zero")
        position = end
    if report.stripe.object_size is None or trial.has_forgery:
        return
    layout = trial.layout
    for shard_index, row in blocks:
        if shard_index >= trial.code.data_shards:
            continue
        is_last = row == layout["row_count"] - 1
        payload_size = layout["last_payload_size"] if is_last else trial.block_size
        begin = row * trial.code.data_shards * trial.block_size + shard_index * payload_size
        end = min(begin + payload_size, len(trial.data))
        _require(all(end <= hole or last <= begin or begin >= end for hole, last in report.holes),
                 f"salvage left out the good block {shard_index} of row {row}")


def _ask_full_disk(trial: Trial, paths, faults: FaultyMedium, rng: random.Random) -> None:
    """Every writing verb, with space for only a part of what it writes."""
    verbs = [
        lambda: files.decode(paths, trial.root / "full", **trial.options()),
        lambda: files.repair(paths, **trial.options()),
        lambda: files.salvage(paths, trial.root / "full", **trial.options()),
        lambda: files.encode(trial.root / "object", trial.folders, name="full", code=trial.code,
                             block_size=trial.block_size),
    ]
    before = _snapshot(trial)
    for verb in verbs:
        # Never enough for a shard file, so that repair changes nothing before its own question.
        faults.space_left = rng.choice([0, 100, 300, 300 if verb is verbs[1] else 5000])
        try:
            verb()
        except OSError as error:
            _require(isinstance(error, reed.ReedError) or error.errno in (errno.ENOSPC, errno.EIO),
                     f"a full disk gave {error!r}")
        except NAMED_ERRORS:
            pass  # refused before anything was written
        else:
            # It fitted, or there was nothing to write.
            for path in (*trial.root.glob("full*"), *(p for f in trial.folders
                                                      for p in f.glob("full.*"))):
                path.unlink()
            continue
        finally:
            faults.space_left = None
        _require(not list(trial.root.glob("full*")), "a full disk left a target")
        _require(not _temporaries(trial.root), "a full disk left a temporary")
        _require(_snapshot(trial) == before, "a full disk changed a shard")


def _ask_repair(trial: Trial, paths, faults: FaultyMedium, before, blocks, status) -> str:
    # Of files of another size not every byte belongs to anything.
    unreadable = [path for path, content in before.items()
                  if len(content) == trial.layout["file_size"]
                  and any(begin < len(content) for begin, _ in faults.ranges_of(path))]
    try:
        report = files.repair(paths, **trial.options())
    except NAMED_ERRORS as error:
        _require(status not in ("healthy", "repairable"), f"repair refused {status}: {error!r}")
        _require(_snapshot(trial) == before, "repair failed and changed a file")
        return type(error).__name__
    _require(not _temporaries(trial.root), "repair left a temporary")
    _require(status in ("healthy", "repairable"), f"repair worked on what is {status}")
    after = _snapshot(trial)
    if not trial.has_forgery:
        _require(blocks <= trial.blocks_in_place(faults), "repair lost a good block")
    written = {Path(action.path).resolve() for action in report.actions
               if action.kind != "left"}
    for path in unreadable:
        _require(after.get(path) == before[path], f"repair touched the unreadable {path.name}")
    moved = {Path(action.path) for action in report.actions if action.set_aside}
    for path, content in before.items():
        if path.resolve() not in written:
            _require(after.get(path) == content, f"repair touched {path.name}")
        if path in moved:
            _require(content in after.values(), f"{path.name} was not moved aside but lost")
    for path, content in trial.others.items():
        _require(before[path] != content or content in after.values(), "a foreign file is gone")
    is_guessed = trial.has_forgery and report.before.digest == "unavailable"
    # When no header and no footer was left, nothing says whether there was a digest.
    compared = slice(None)
    if report.before.stripe.digest_type is None:
        compared = slice(HEADER, trial.layout["footer_offset"])
    for action in report.actions:
        if action.kind != "left" and not is_guessed:
            _require(Path(action.path).read_bytes()[compared]
                     == trial.pristine[action.shard_index][compared],
                     f"shard {action.shard_index} was not rebuilt exactly")
    if report.complete and not is_guessed:
        again = files.verify([*trial.folders], **trial.options())
        _require(again.healthy, f"after a complete repair: {again.status}")
        _require(not files.repair([*trial.folders], **trial.options()).actions,
                 "a second repair found work")
        return "complete"
    return "partial"


# ---- running many --------------------------------------------------------------------------------


def scratch_folder() -> str | None:
    """A memory filesystem where there is one: the trials sync thousands of files."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def run_trials(first_seed: int, count: int) -> dict[str, int]:
    """Runs trials one after the other; returns how often each outcome came."""
    outcomes: dict[str, int] = {}
    for seed in range(first_seed, first_seed + count):
        with tempfile.TemporaryDirectory(prefix="reed-trial-", dir=scratch_folder()) as root:
            try:
                outcome = run_trial(seed, Path(root))
            except BaseException as error:
                error.add_note(f"replay: python tests/simulate/damage.py {seed}")
                raise
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
    return outcomes


def main() -> int:
    first_seed = int(sys.argv[1])
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    try:
        outcomes = run_trials(first_seed, count)
    except Exception:
        traceback.print_exc()
        return 1
    for outcome, times in sorted(outcomes.items(), key=lambda item: -item[1]):
        print(f"{times:6}  {outcome}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
