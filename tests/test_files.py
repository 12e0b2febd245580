"""The verbs of reed.files on real files: what they promise, refuse, survive and leave behind."""

import errno
import hashlib
import io
import json
import os
import random
import shutil
import stat
import tempfile
import threading
import time
from pathlib import Path

import numpy
import pytest

import reed
from peak_memory import peak_of
from reed import _core, files
from reed.files import digests, medium, scanning
from simulate import damage

BLOCK = 4096


@pytest.fixture
def work():
    """A folder on a memory filesystem where there is one: everything here is synced often."""
    with tempfile.TemporaryDirectory(prefix="reed-test-", dir=damage.scratch_folder()) as folder:
        yield Path(folder)


class Stored:
    """An object and its shards."""

    def __init__(self, work, code=None, size=100_001, folders=1, **options):
        self.code = code or reed.ReedSolomon(4, 2)
        self.data = random.Random(size).randbytes(size)
        self.source = work / "object"
        self.source.write_bytes(self.data)
        self.folders = [work / f"disk{i}" for i in range(folders)]
        for folder in self.folders:
            folder.mkdir()
        self.report = files.encode(self.source, self.folders, code=self.code,
                                   **{"block_size": BLOCK, **options})
        self.paths = [Path(path) for path in self.report.paths]
        self.pristine = [path.read_bytes() for path in self.paths]

    def damage_block(self, shard_index, row):
        """Flips a byte in one payload."""
        self.damage_byte(shard_index, 256 + row * (BLOCK + 64) + 100)

    def damage_byte(self, shard_index, position):
        content = bytearray(self.paths[shard_index].read_bytes())
        content[position] ^= 1
        self.paths[shard_index].write_bytes(content)

    def forge(self, shard_index, row):
        """Wrong content under a right checksum."""
        trial = damage.Trial(0, None, self.code, BLOCK, self.data,
                             bytes.fromhex(self.report.stripe.stripe_id), "", [])
        content = bytearray(self.paths[shard_index].read_bytes())
        begin, end = trial.record_span(row)
        payload_size = _core.block_parse(memoryview(content)[begin:end])["payload_size"]
        content[begin + 64] ^= 0x10
        damage.seal(trial, content, shard_index, row, payload_size)
        self.paths[shard_index].write_bytes(content)

    def unreadable(self, shard_index, begin=0, end=1 << 40):
        faults = damage.FaultyMedium(random.Random(0))
        faults.make_unreadable(self.paths[shard_index], begin, end)
        return faults


def decoded(shards, **options):
    output = io.BytesIO()
    return files.decode(shards, output, **options), output.getvalue()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


# ---- there and back ------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [
    reed.ReedSolomon(1, 0), reed.ReedSolomon(1, 1), reed.ReedSolomon(3, 0),
    reed.ReedSolomon(4, 2), reed.ReedSolomon(10, 4), reed.ReedSolomon(200, 56),
    reed.ReedSolomon(3, 3, generator="isal-vand"), reed.Replication(1), reed.Replication(3),
], ids=repr)
def test_every_size_around_blocks_and_rows_comes_back(code, work):
    row = code.data_shards * BLOCK
    shards = work / "shards"
    for size in (0, 1, 2, code.data_shards, BLOCK - 1, BLOCK, BLOCK + 1, row - 1, row, row + 1,
                 2 * row, 2 * row + code.data_shards + 1):
        shards.mkdir()
        data = random.Random(size).randbytes(size)
        report = files.encode(io.BytesIO(data), shards, code=code, block_size=BLOCK, name="x")
        layout = _core.shard_layout(code.data_shards, BLOCK, size)
        assert {path.stat().st_size for path in shards.iterdir()} == {layout["file_size"]}
        assert report.stored_size == len(report.paths) * layout["file_size"]
        kept = random.Random(size).sample(report.paths, code.data_shards)
        answer, found = decoded(kept)
        assert found == data
        assert answer.digest == "match"
        shutil.rmtree(shards)


@pytest.mark.parametrize("threads", [2, 5])
def test_threads_do_not_change_the_bytes(threads, work):
    stored = Stored(work, size=3_000_017, stripe_id="ab" * 16, folders=2)
    other = work / "other"
    other.mkdir()
    report = files.encode(stored.source, other, code=stored.code, block_size=BLOCK,
                          stripe_id=bytes.fromhex("ab" * 16), threads=threads)
    assert [Path(path).read_bytes() for path in report.paths] == stored.pristine
    stored.paths[0].unlink()
    stored.damage_block(3, 7)
    assert decoded(stored.folders, threads=threads)[1] == stored.data
    assert files.verify(stored.folders, threads=threads).status == "repairable"
    assert files.repair(stored.folders, threads=threads).complete
    assert [path.read_bytes() for path in stored.paths] == stored.pristine
    report = files.salvage(stored.folders, work / "out", threads=threads)
    assert report.complete
    assert Path(report.partial_path).read_bytes() == stored.data


def test_sources_that_are_streams(work):
    data = random.Random(1).randbytes(50_001)

    class Reader:
        """Only read, and never as much as asked for."""

        def __init__(self):
            self.inner = io.BytesIO(data)

        def read(self, size):
            return self.inner.read(min(size, 777))

    read_end, write_end = os.pipe()
    writer = threading.Thread(target=lambda: (os.write(write_end, data[:40_000]),
                                              os.write(write_end, data[40_000:]),
                                              os.close(write_end)))
    writer.start()
    with open(read_end, "rb", buffering=0) as pipe:
        for number, source in enumerate((Reader(), io.BytesIO(data), pipe)):
            files.encode(source, work, code=reed.ReedSolomon(3, 1), block_size=BLOCK,
                         name=f"stream{number}")
            assert decoded(sorted(work.glob(f"stream{number}.*")))[1] == data
    writer.join()


def test_a_fifo_by_its_path(work):
    os.mkfifo(work / "fifo")
    data = bytes(range(256)) * 50
    writer = threading.Thread(target=lambda: (work / "fifo").write_bytes(data))
    writer.start()
    report = files.encode(work / "fifo", work, code=reed.Replication(2))
    writer.join()
    assert decoded(list(report.paths))[1] == data


def test_a_slow_digest_sees_the_right_bytes(work, monkeypatch):
    """Buffers are used again only when the digest is done with them."""
    real = digests.ObjectDigest._update

    def slow(digest, pieces):
        time.sleep(0.05)
        real(digest, pieces)

    monkeypatch.setattr(digests.ObjectDigest, "_update", slow)
    stored = Stored(work, size=24 << 20, block_size=65536)
    assert stored.report.stripe.digest == hashlib.sha256(stored.data).hexdigest()
    assert decoded(stored.folders)[0].digest == "match"
    assert files.verify(stored.folders).digest == "match"


def test_targets_that_are_streams_get_every_byte_in_portions(work):
    stored = Stored(work)

    class Sink(io.RawIOBase):
        def __init__(self):
            self.taken = b""

        def write(self, piece):
            self.taken += bytes(piece[:100])
            return min(100, len(piece))

    sink = Sink()
    report = files.decode(stored.folders, sink)
    assert sink.taken == stored.data
    assert report.target is None


def test_shards_are_spread_over_folders_in_turn(work):
    stored = Stored(work, folders=4)
    assert [path.parent.name for path in stored.paths] == [
        "disk0", "disk1", "disk2", "disk3", "disk0", "disk1"]
    assert [path.name for path in stored.paths] == [f"object.{i:03d}.reed" for i in range(6)]


def test_defaults_are_ten_and_four_with_sha256(work):
    (work / "f").write_bytes(b"x")
    stripe = files.encode(work / "f", work).stripe
    assert (stripe.generator, stripe.data_shards, stripe.parity_shards, stripe.block_size,
            stripe.digest_type) == ("native", 10, 4, 65536, "sha256")


def test_blake3_when_it_is_installed(work, monkeypatch):
    blake3 = pytest.importorskip("blake3", reason="NOT RUN: the package blake3 is not installed")
    stored = Stored(work, digest="blake3")
    assert stored.report.stripe.digest == blake3.blake3(stored.data).hexdigest()
    assert decoded(stored.folders)[0].digest == "match"


def test_blake3_that_is_not_installed_is_said(work, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "blake3", None)
    (work / "f").write_bytes(b"x")
    with pytest.raises(reed.InvalidParameter, match="blake3"):
        files.encode(work / "f", work, digest="blake3")
    assert names(work) == ["f"]


# ---- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize("options", [
    {"block_size": 4095}, {"block_size": 1 << 25}, {"block_size": 12288}, {"block_size": 0},
    {"digest": "md5"}, {"stripe_id": b"short"}, {"stripe_id": "zz"}, {"stripe_id": bytes(16)},
    {"name": "a/b"}, {"name": ""}, {"threads": 0}, {"threads": True}, {"code": "10+4"},
    {"code": reed.ReedSolomon(2, 1, generator=numpy.ones((1, 2), numpy.uint8))},
    {"code": reed.ReedSolomon(10, 10, generator="isal-vand", decode_only=True)},
], ids=str)
def test_encode_refuses_parameters_out_of_range(options, work):
    (work / "f").write_bytes(b"x")
    with pytest.raises(reed.InvalidParameter):
        files.encode(work / "f", work, **options)
    assert names(work) == ["f"]


def test_encode_refuses_streams_without_a_name_and_folders_that_are_none(work):
    with pytest.raises(reed.InvalidParameter, match="name"):
        files.encode(io.BytesIO(b"x"), work)
    with pytest.raises(reed.InvalidParameter, match="source"):
        files.encode(42, work)
    with pytest.raises(reed.InvalidParameter, match="targets"):
        files.encode(io.BytesIO(b"x"), [], name="x")
    with pytest.raises(FileNotFoundError):
        files.encode(io.BytesIO(b"x"), work / "none", name="x")
    (work / "file").write_bytes(b"")
    with pytest.raises(NotADirectoryError):
        files.encode(io.BytesIO(b"x"), work / "file", name="x")


def test_existing_files_are_not_replaced_unless_told(work):
    stored = Stored(work)
    stored.paths[5].write_bytes(b"precious")
    for path in stored.paths[:5]:
        path.unlink()
    with pytest.raises(reed.TargetExists) as caught:
        files.encode(stored.source, stored.folders, code=stored.code)
    assert caught.value.path == str(stored.paths[5])
    assert isinstance(caught.value, FileExistsError)
    assert names(stored.folders[0]) == ["object.005.reed"]
    files.encode(stored.source, stored.folders, code=stored.code, overwrite=True)
    assert files.verify(stored.folders).healthy
    for path in (work / "out", work / "out.partial", work / "out.partial.json"):
        path.write_bytes(b"precious")
    for verb in (files.decode, files.salvage):
        with pytest.raises(reed.TargetExists):
            verb(stored.folders, work / "out")
    assert (work / "out").read_bytes() == b"precious"
    files.decode(stored.folders, work / "out", overwrite=True)
    files.salvage(stored.folders, work / "out", overwrite=True)
    assert (work / "out").read_bytes() == (work / "out.partial").read_bytes() == stored.data


def test_a_name_taken_while_the_work_was_done_is_not_replaced(work):
    stored = Stored(work)

    def take_the_name(done, total):
        (work / "out").write_bytes(b"precious")

    with pytest.raises(reed.TargetExists):
        files.decode(stored.folders, work / "out", progress=take_the_name)
    assert (work / "out").read_bytes() == b"precious"
    assert names(work) == ["disk0", "object", "out"]


def test_the_set_of_an_encode_is_published_together_or_not_at_all(work):
    source = work / "object"
    source.write_bytes(bytes(9000))
    folder = work / "disk"
    folder.mkdir()

    def take_the_last_name(done, total):
        (folder / "object.005.reed").write_bytes(b"precious")

    with pytest.raises(reed.TargetExists):
        files.encode(source, folder, code=reed.ReedSolomon(4, 2), progress=take_the_last_name)
    assert names(folder) == ["object.005.reed"]


def test_a_failed_overwrite_brings_the_old_shards_back(work, monkeypatch):
    stored = Stored(work)
    real = os.replace

    def fail_at_the_fourth(source, target):
        if target == str(stored.paths[3]) and medium.TEMPORARY_MARK in source:
            raise OSError(errno.EIO, "no")
        real(source, target)

    monkeypatch.setattr(os, "replace", fail_at_the_fourth)
    with pytest.raises(OSError, match="no"):
        files.encode(stored.source, stored.folders, code=stored.code, overwrite=True)
    assert [path.read_bytes() for path in stored.paths] == stored.pristine
    assert names(stored.folders[0]) == [path.name for path in stored.paths]


def test_without_hard_links_nothing_is_replaced_either(work, monkeypatch):
    def refuse(*arguments, **options):
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    stored = Stored(work)
    with pytest.raises(reed.TargetExists):
        files.encode(stored.source, stored.folders, code=stored.code)
    files.encode(stored.source, stored.folders, code=stored.code, overwrite=True)
    assert decoded(stored.folders)[1] == stored.data
    (work / "out").write_bytes(b"precious")
    with pytest.raises(reed.TargetExists):
        files.decode(stored.folders, work / "out")
    stored.paths[0].unlink()
    stored.damage_block(1, 0)
    assert files.repair(stored.folders).complete
    assert names(stored.folders[0]) == [path.name for path in stored.paths]
    assert names(work) == ["disk0", "object", "out"]


# ---- interruptions -------------------------------------------------------------------------------


def writing_verbs(stored, work):
    return {
        "encode": lambda **options: files.encode(stored.source, stored.folders, name="again",
                                                 code=stored.code, block_size=BLOCK, **options),
        "decode": lambda **options: files.decode(stored.folders, work / "out", **options),
        "repair": lambda **options: files.repair(stored.folders, **options),
        "salvage": lambda **options: files.salvage(stored.folders, work / "out", **options),
    }


@pytest.mark.parametrize("verb", ["encode", "decode", "repair", "salvage"])
@pytest.mark.parametrize("threads", [1, 3])
def test_cancelled_at_any_moment_nothing_is_left(verb, threads, work):
    stored = Stored(work)
    stored.paths[0].unlink()
    stored.damage_block(1, 1)
    before = {path: path.read_bytes() for path in work.rglob("*") if path.is_file()}
    for moment in range(1000):
        answers = iter([False] * moment)
        try:
            writing_verbs(stored, work)[verb](cancel=lambda a=answers: next(a, True),
                                              threads=threads)
        except reed.Cancelled:
            assert before == {path: path.read_bytes()
                              for path in work.rglob("*") if path.is_file()}
        else:
            break
    assert moment > 3


class Interrupted:
    """Lets a number of calls of a function of the medium pass, then behaves as told."""

    def __init__(self, monkeypatch, function_name, error):
        self.left = None
        real = getattr(medium, function_name)

        def call(*arguments):
            if self.left is not None:
                self.left -= 1
                if self.left < 0:
                    raise error
            return real(*arguments)

        monkeypatch.setattr(medium, function_name, call)


@pytest.mark.parametrize("verb", ["encode", "decode", "repair", "salvage"])
@pytest.mark.parametrize(("function_name", "error"), [
    ("pwritev", OSError(errno.ENOSPC, "full")), ("fsync", OSError(errno.EIO, "fsync")),
    ("fsync", KeyboardInterrupt()), ("pwritev", KeyboardInterrupt()),
], ids=["ENOSPC in a write", "EIO in fsync", "SIGINT in fsync", "SIGINT in a write"])
def test_every_write_and_sync_may_fail(verb, function_name, error, work, monkeypatch):
    stored = Stored(work, code=reed.ReedSolomon(2, 2), size=3 * 2 * BLOCK + 5)
    stored.paths[0].unlink()
    before = {path: path.read_bytes() for path in work.rglob("*") if path.is_file()}
    interrupted = Interrupted(monkeypatch, function_name, error)
    for moment in range(1000):
        interrupted.left = moment
        try:
            writing_verbs(stored, work)[verb]()
        except type(error):
            assert before == {path: path.read_bytes()
                              for path in work.rglob("*") if path.is_file()}, moment
        else:
            break
    assert moment >= 2
    interrupted.left = None
    assert decoded(stored.paths)[1] == stored.data


def test_a_failed_read_of_the_source_publishes_nothing(work):
    class Failing(io.BytesIO):
        def readinto(self, buffer):
            if self.tell() > 20_000:
                raise OSError(errno.EIO, "source")
            return super().readinto(buffer[:5000])

    with pytest.raises(OSError, match="source"):
        files.encode(Failing(bytes(90_000)), work, code=reed.ReedSolomon(2, 1), name="x",
                     block_size=BLOCK)
    assert names(work) == []


def test_progress_is_monotone_and_ends_at_the_total(work):
    stored = Stored(work, size=20 * 1024 * 1024)
    stored.paths[2].unlink()
    size = len(stored.data)
    for verb, total in (("encode", size), ("decode", size), ("salvage", size),
                        ("repair", 2 * size)):
        seen = []
        writing_verbs(stored, work)[verb](
            progress=lambda done, total, seen=seen: seen.append((done, total)))
        done = [step for step, _ in seen]
        assert len(done) > 3
        assert done == sorted(done)
        assert seen[-1] == (total, total)
        for path in stored.folders[0].glob("again*"):
            path.unlink()
    seen = []
    files.encode(io.BytesIO(stored.data), stored.folders, name="again",
                 progress=lambda done, total: seen.append(total))
    assert set(seen[:-1]) == {None}


# ---- damage that has to be survived --------------------------------------------------------------


def test_all_shards_damaged_in_different_places(work):
    stored = Stored(work, code=reed.ReedSolomon(10, 4), size=14 * 10 * BLOCK)
    for shard_index in range(14):
        stored.damage_block(shard_index, shard_index)
        stored.damage_block(shard_index, (shard_index + 1) % 14)
        stored.damage_byte(shard_index, 10 if shard_index % 2 else -10)
    report, found = decoded(stored.folders)
    assert found == stored.data
    assert report.degraded
    report = files.verify(stored.folders)
    assert (report.status, report.margin, report.digest) == ("repairable", 2, "match")
    assert {shard.state for shard in report.shards} == {"damaged"}
    assert {shard.corrupt_blocks for shard in report.shards} == {2}
    assert files.repair(stored.folders).complete
    assert [path.read_bytes() for path in stored.paths] == stored.pristine


def test_three_replicas_all_damaged_in_different_places(work):
    """The second case: two survivors with bad sectors in different places, merged by hand."""
    stored = Stored(work, code=reed.Replication(3), size=10 * BLOCK)
    stored.paths[0].unlink()
    for row in range(0, 10, 2):
        stored.damage_block(1, row)
        stored.damage_block(2, row + 1)
    assert decoded(stored.folders)[1] == stored.data
    assert files.verify(stored.folders).margin == 0
    assert files.repair(stored.folders).complete
    assert [path.read_bytes() for path in stored.paths] == stored.pristine


def test_one_loss_too_many_is_refused_with_its_values(work):
    stored = Stored(work)
    for shard_index in (0, 2, 5):
        stored.damage_block(shard_index, 3)
    with pytest.raises(reed.BeyondRepair) as caught:
        files.decode(stored.folders, work / "out")
    error = caught.value
    assert (error.needed, error.available, error.rows) == (4, 3, ((3, 4),))
    assert not (work / "out").exists()
    report = files.verify(stored.folders)
    assert (report.status, report.margin) == ("beyond repair", -1)
    assert report.lost_rows == ((3, 4),)
    with pytest.raises(reed.BeyondRepair) as caught:
        files.repair(stored.folders)
    assert caught.value.rows == ((3, 4),)


def test_headers_and_footers_all_gone_the_blocks_say_everything(work):
    stored = Stored(work, size=3 * 4 * BLOCK + 17)
    for path in stored.paths:
        content = path.read_bytes()
        path.write_bytes(bytes(256) + content[256:-256] + bytes(256))
    report, found = decoded(stored.folders)
    assert found == stored.data
    assert report.digest == "unavailable"
    assert files.verify(stored.folders).status == "repairable"
    assert files.repair(stored.folders).complete
    assert [path.read_bytes() for path in stored.paths] == stored.pristine


def test_blocks_are_carved_from_a_raw_image_at_any_offset(work):
    stored = Stored(work)
    rng = random.Random(3)
    image = work / "image"
    image.write_bytes(b"".join(rng.randbytes(rng.randint(1, 5000)) + path.read_bytes()[200:]
                               for path in stored.paths[:4]) + rng.randbytes(100))
    assert decoded([image, stored.paths[4], stored.paths[5]])[1] == stored.data
    report = files.repair([image, stored.paths[4], stored.paths[5]], targets=work)
    kinds = {(action.kind, action.path) for action in report.actions}
    assert ("left", str(image)) in kinds
    assert decoded(sorted(work.glob("object.*.reed")))[1] == stored.data


def test_bytes_lost_or_gained_in_the_middle_displace_blocks_but_lose_none(work):
    stored = Stored(work, code=reed.ReedSolomon(4, 0))
    content = stored.pristine[1]
    stored.paths[1].write_bytes(content[:4416] + b"xyz" + content[4416:])
    assert decoded(stored.folders)[1] == stored.data
    assert not files.verify(stored.folders).healthy
    content = stored.pristine[2]
    stored.paths[2].write_bytes(content[:100] + content[200:])
    assert decoded(stored.folders)[1] == stored.data


def test_an_object_that_holds_shards_is_no_trouble(work):
    """A search for blocks must not take the object's own bytes for shards."""
    stored = Stored(work, code=reed.Replication(2))
    inner = b"".join(stored.pristine)
    (work / "inner").write_bytes(inner)
    outer = work / "outer"
    outer.mkdir()
    report = files.encode(work / "inner", outer, code=reed.ReedSolomon(1, 1), block_size=1 << 20)
    for path in map(Path, report.paths):
        content = path.read_bytes()
        path.write_bytes(bytes(256) + content[256:-256] + bytes(256))
    assert decoded(outer)[1] == inner


def test_file_names_mean_nothing(work):
    stored = Stored(work)
    for path in stored.paths:
        path.rename(path.with_name(f"{random.Random(path.name).random()}.jpg"))
    assert decoded(stored.folders)[1] == stored.data
    assert files.verify(stored.folders).healthy


def test_copies_complement_each_other_and_count_once(work):
    stored = Stored(work, code=reed.ReedSolomon(2, 1), size=4 * 2 * BLOCK)
    copies = work / "copies"
    copies.mkdir()
    copy = copies / "copy"
    shutil.copy(stored.paths[0], copy)
    stored.damage_block(0, 0)
    (copies / "hard link").hardlink_to(copy)
    (copies / "symbolic link").symlink_to(copy)
    stored.paths[1].unlink()
    # Three names of shard 0 are still one shard.
    with pytest.raises(reed.BeyondRepair):
        decoded([stored.paths[0], copies])
    report, found = decoded([stored.paths[0], copies, stored.paths[2]])
    assert found == stored.data
    assert len(report.shards[0].paths) == 2


def test_two_valid_but_different_blocks_are_both_bad(work):
    stored = Stored(work, code=reed.ReedSolomon(2, 1), size=4 * 2 * BLOCK, digest="none")
    copy = work / "disk0" / "copy"
    shutil.copy(stored.paths[0], copy)
    stored.forge(0, 1)
    assert decoded(stored.folders)[1] == stored.data
    report = files.verify(stored.folders)
    assert report.status == "repairable"
    assert any("different valid blocks" in problem for problem in report.shards[0].problems)
    assert files.repair(stored.folders).complete
    assert stored.paths[0].read_bytes() == copy.read_bytes() == stored.pristine[0]
    stored.forge(0, 1)
    stored.paths[2].unlink()
    with pytest.raises(reed.BeyondRepair):
        decoded(stored.folders)


# ---- silent corruption from before the checksum --------------------------------------------------


def test_parity_that_disagrees_is_noticed_although_every_checksum_is_right(work):
    stored = Stored(work)
    stored.forge(5, 2)
    report = files.verify(stored.folders)
    assert (report.status, report.digest) == ("repairable", "match")
    assert report.inconsistent_rows == ((2, 3),)
    assert files.repair(stored.folders).complete
    assert stored.paths[5].read_bytes() == stored.pristine[5]


def test_a_forged_data_block_is_located_and_the_object_still_exact(work):
    stored = Stored(work)
    stored.forge(1, 2)
    stored.forge(3, 4)
    files.decode(stored.folders, work / "out")
    assert (work / "out").read_bytes() == stored.data
    report = files.verify(stored.folders)
    assert (report.status, report.digest) == ("repairable", "match")
    assert report.inconsistent_rows == ((2, 3), (4, 5))
    assert [shard.shard_index for shard in report.shards if shard.corrupt_blocks] == [1, 3]
    assert files.repair(stored.folders).complete
    assert [path.read_bytes() for path in stored.paths] == stored.pristine


def test_a_stream_gets_the_digest_mismatch_as_an_exception(work):
    stored = Stored(work)
    stored.forge(1, 2)
    with pytest.raises(reed.DigestMismatch) as caught:
        decoded(stored.folders)
    assert caught.value.expected == stored.report.stripe.digest


def test_what_cannot_be_located_is_decided_by_the_digest(work):
    stored = Stored(work, code=reed.ReedSolomon(4, 1))
    stored.forge(4, 1)
    assert files.repair(stored.folders).complete
    assert stored.paths[4].read_bytes() == stored.pristine[4]
    stored.forge(0, 1)
    with pytest.raises(reed.DigestMismatch):
        files.decode(stored.folders, work / "out")
    assert not (work / "out").exists()
    report = files.verify(stored.folders)
    assert (report.status, report.digest) == ("beyond repair", "mismatch")
    with pytest.raises(reed.DigestMismatch):
        files.repair(stored.folders)
    # Salvage vouches for nothing in the disputed row.
    report = files.salvage(stored.folders, work / "out")
    assert report.holes == ((4 * BLOCK, 8 * BLOCK),)


def test_without_a_digest_nobody_decides(work):
    stored = Stored(work, code=reed.Replication(2), digest="none")
    stored.forge(1, 0)
    assert files.verify(stored.folders).status == "beyond repair"
    with pytest.raises(reed.ConflictingShards, match="disagree"):
        files.repair(stored.folders)


def test_padding_is_checked(work):
    """The zeros behind the object are under no digest and must be zeros all the same."""
    stored = Stored(work, code=reed.ReedSolomon(4, 1), size=1)
    stored.forge(3, 0)
    report = files.verify(stored.folders)
    assert report.shards[3].corrupt_blocks == 1
    assert files.repair(stored.folders).complete
    assert stored.paths[3].read_bytes() == stored.pristine[3]
    # A wrong parity block would put something else there; the object itself is right.
    stored.forge(4, 0)
    stored.paths[3].unlink()
    assert decoded(stored.folders)[1] == stored.data
    report = files.verify(stored.folders)
    assert (report.status, report.digest) == ("beyond repair", "match")
    with pytest.raises(reed.ConflictingShards, match="zeros"):
        files.repair(stored.folders)


# ---- several objects, other files ----------------------------------------------------------------


def test_two_objects_must_be_told_apart(work):
    first = Stored(work)
    second = files.encode(io.BytesIO(b"second"), first.folders, name="second",
                          code=reed.Replication(2))
    with pytest.raises(reed.SeveralStripes) as caught:
        decoded(first.folders)
    assert caught.value.stripe_ids == {first.report.stripe.stripe_id: 6,
                                       second.stripe.stripe_id: 2}
    for verb in (files.verify, files.repair):
        with pytest.raises(reed.SeveralStripes):
            verb(first.folders)
    report, found = decoded(first.folders, stripe_id=second.stripe.stripe_id)
    assert found == b"second"
    assert [file.kind for file in report.skipped] == ["other stripe"] * 6
    assert decoded(first.folders, stripe_id=bytes.fromhex(
        first.report.stripe.stripe_id))[1] == first.data
    with pytest.raises(reed.NoShardsFound):
        decoded(first.folders, stripe_id="77" * 16)


def test_one_stripe_id_for_two_objects_is_a_conflict(work):
    stored = Stored(work, stripe_id="cd" * 16)
    for code, field in ((stored.code, "object_size"), (reed.ReedSolomon(3, 3), "geometry")):
        other = files.encode(io.BytesIO(b"other"), work, name="other", stripe_id="cd" * 16,
                             code=code, block_size=BLOCK, overwrite=True)
        with pytest.raises(reed.ConflictingShards) as caught:
            decoded([*stored.paths, other.paths[0]])
        assert caught.value.field == field
        assert caught.value.path == other.paths[0]


def test_a_matrix_that_is_not_ours_is_refused(work):
    """A generator that was implemented wrongly somewhere must not make wrong bytes here."""
    stored = Stored(work)
    for path, content in zip(stored.paths, stored.pristine, strict=True):
        fields = _core.shard_footer_parse(content[-256:])
        fields["matrix_crc32c"] ^= 1
        path.write_bytes(_core.shard_header_write(fields) + content[256:-256]
                         + _core.shard_footer_write(fields))
    for verb in (decoded, files.verify, files.repair):
        with pytest.raises(reed.FormatError) as caught:
            verb(stored.folders)
        assert caught.value.field == "matrix_crc32c"
        assert caught.value.path == str(stored.paths[0])


def test_foreign_files_are_skipped_with_a_reason(work):
    stored = Stored(work)
    folder = stored.folders[0]
    (folder / "zeros.reed").write_bytes(bytes(5000))
    (folder / "empty.reed").write_bytes(b"")
    (folder / "notes").write_text("not a shard")
    (folder / f".object.000.reed{medium.TEMPORARY_MARK}0123abcd").write_bytes(b"half")
    (folder / "folder.reed").mkdir()
    os.mkfifo(folder / "fifo.reed")
    (folder / "dangling.reed").symlink_to("nowhere")
    report, found = decoded([*stored.folders, work / "absent"])
    assert found == stored.data
    assert {Path(file.path).name: file.kind for file in report.skipped} == {
        "zeros.reed": "foreign", "empty.reed": "foreign", "notes": "foreign",
        f".object.000.reed{medium.TEMPORARY_MARK}0123abcd": "temporary",
        "fifo.reed": "foreign", "dangling.reed": "absent", "absent": "absent"}
    assert not report.degraded
    assert files.verify(stored.folders).healthy


def test_nothing_to_read_is_an_error_of_its_own(work):
    (work / "notes").write_text("not a shard")
    for verb in (files.verify, files.repair, lambda paths: decoded(paths),
                 lambda paths: files.salvage(paths, work / "out")):
        with pytest.raises(reed.NoShardsFound) as caught:
            verb(work)
    assert [file.kind for file in caught.value.skipped] == ["foreign"]
    with pytest.raises(reed.InvalidParameter):
        files.verify([])


# ---- the medium does not answer ------------------------------------------------------------------


def test_unreadable_is_an_erasure_for_decode_and_unknown_for_repair(work):
    stored = Stored(work)
    with stored.unreadable(1, 5000, 5001).installed():
        assert decoded(stored.folders)[1] == stored.data
        report = files.verify(stored.folders)
        assert report.shards[1].state == "unknown"
        assert report.shards[1].unknown_blocks == 1
        assert (report.status, report.margin) == ("repairable", 1)
        stored.paths[2].unlink()
        planned = files.repair(stored.folders, dry_run=True)
        report = files.repair(stored.folders)
        assert report.actions == planned.actions
        assert not report.complete
        assert {action.shard_index: action.kind for action in report.actions} == {
            1: "left", 2: "created"}
    assert [path.read_bytes() for path in stored.paths] == stored.pristine


def test_a_shard_that_cannot_be_opened_is_not_recreated(work, monkeypatch):
    stored = Stored(work)
    real = medium.open_to_read

    def refuse(path):
        if path == str(stored.paths[4]):
            raise OSError(errno.EIO, "Input/output error", path)
        return real(path)

    monkeypatch.setattr(medium, "open_to_read", refuse)
    report = files.verify(stored.folders)
    assert report.shards[4].state == "unknown"
    assert report.shards[4].unknown_blocks == report.rows.total
    report = files.repair(stored.folders)
    assert [(action.shard_index, action.kind) for action in report.actions] == [(4, "left")]
    assert names(stored.folders[0]) == [path.name for path in stored.paths]


def test_rows_that_depend_on_unreadable_blocks_are_unknown_not_lost(work):
    stored = Stored(work)
    stored.damage_block(0, 0)
    stored.damage_block(2, 0)
    with stored.unreadable(1).installed():
        report = files.verify(stored.folders)
        assert report.status == "unknown"
        assert (report.rows.unknown, report.rows.lost) == (1, 0)
        for verb in (decoded, files.repair):
            with pytest.raises(reed.BeyondRepair) as caught:
                verb(stored.folders)
            assert caught.value.unknown
    assert decoded(stored.folders)[1] == stored.data


def test_a_file_that_becomes_unreadable_during_repair_is_left(work, monkeypatch):
    stored = Stored(work)
    stored.damage_block(1, 0)
    damaged = stored.paths[1].read_bytes()
    faults = damage.FaultyMedium(random.Random(0))
    size = len(stored.data)

    def break_later(done, total):
        if done >= size:
            faults.make_unreadable(stored.paths[1], 4500, 4501)

    with faults.installed():
        report = files.repair(stored.folders, progress=break_later)
    assert [(action.shard_index, action.kind) for action in report.actions] == [(1, "left")]
    assert stored.paths[1].read_bytes() == damaged


# ---- repair --------------------------------------------------------------------------------------


def test_repair_of_healthy_shards_does_nothing(work):
    stored = Stored(work)
    before = [path.stat().st_mtime_ns for path in stored.paths]
    report = files.repair(stored.folders)
    assert (report.actions, report.complete) == ((), True)
    assert [path.stat().st_mtime_ns for path in stored.paths] == before


def test_dry_run_says_what_repair_does(work):
    stored = Stored(work)
    stored.paths[0].unlink()
    stored.damage_block(3, 1)
    before = names(stored.folders[0])
    planned = files.repair(stored.folders, dry_run=True)
    assert names(stored.folders[0]) == before
    assert [(action.shard_index, action.kind, action.rebuilt_blocks)
            for action in planned.actions] == [(0, "created", 7), (3, "rewritten", 1)]
    assert files.repair(stored.folders).actions == planned.actions


def test_missing_shards_go_where_the_fewest_are(work):
    stored = Stored(work, folders=6)
    shutil.rmtree(stored.folders[2])
    stored.folders[2].mkdir()
    assert files.repair(stored.folders).complete
    assert stored.paths[2].read_bytes() == stored.pristine[2]
    stored.paths[2].unlink()
    new = work / "new"
    new.mkdir()
    report = files.repair(stored.paths, targets=[new])
    assert report.actions[0].path == str(new / "object.002.reed")
    assert (new / "object.002.reed").read_bytes() == stored.pristine[2]


def test_an_unrecognisable_file_in_the_way_is_moved_aside_and_any_other_keeps_its_name(work):
    stored = Stored(work)
    stored.paths[0].write_bytes(bytes(len(stored.pristine[0])))
    report = files.repair(stored.folders)
    (action,) = report.actions
    assert Path(action.set_aside).read_bytes() == bytes(len(stored.pristine[0]))
    assert stored.paths[0].read_bytes() == stored.pristine[0]
    files.encode(io.BytesIO(b"other"), work, name="object", code=reed.Replication(1))
    (work / "object.000.reed").replace(stored.paths[1])
    other = stored.paths[1].read_bytes()
    report = files.repair(stored.folders, stripe_id=stored.report.stripe.stripe_id)
    (action,) = report.actions
    assert stored.paths[1].read_bytes() == other
    assert Path(action.path).read_bytes() == stored.pristine[1]


def test_repair_keeps_mode_and_follows_symbolic_links(work):
    stored = Stored(work)
    stored.paths[1].chmod(0o640)
    elsewhere = work / "elsewhere"
    stored.paths[1].rename(elsewhere)
    stored.paths[1].symlink_to(elsewhere)
    stored.damage_block(1, 0)
    assert files.repair(stored.folders).complete
    assert stored.paths[1].is_symlink()
    assert elsewhere.read_bytes() == stored.pristine[1]
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o640


def test_a_shard_that_changed_meanwhile_is_left(work):
    stored = Stored(work)
    stored.damage_block(1, 0)
    size = len(stored.data)

    def replace_it(done, total):
        if done == 2 * size:
            stored.paths[1].write_bytes(b"somebody else's")

    report = files.repair(stored.folders, progress=replace_it)
    assert [action.kind for action in report.actions] == ["left"]
    assert stored.paths[1].read_bytes() == b"somebody else's"


def test_what_a_crash_between_two_renames_leaves_is_completed(work):
    """All shards are on the medium before the first is published, so k published ones suffice."""
    stored = Stored(work)
    for path in stored.paths[4:]:
        path.rename(path.with_name(f".{path.name}{medium.TEMPORARY_MARK}00000000"))
    report = files.verify(stored.folders)
    assert report.status == "repairable"
    assert [shard.state for shard in report.shards] == ["good"] * 4 + ["missing"] * 2
    assert files.repair(stored.folders).complete
    # Fewer than k: the temporaries are whole and can be named.
    for path in stored.paths[1:]:
        path.unlink()
    left = sorted(stored.folders[0].glob(".*"))
    assert len(left) == 2
    assert files.inspect(left).files[0].kind == "shard"


# ---- zero bytes ----------------------------------------------------------------------------------


def test_an_empty_object_needs_one_footer(work):
    stored = Stored(work, size=0)
    report = files.verify(stored.folders)
    assert (report.status, report.margin, report.rows.total) == ("healthy", 5, 0)
    for path in stored.paths[1:]:
        path.unlink()
    assert decoded(stored.folders)[1] == b""
    assert files.verify(stored.folders).margin == 0
    assert files.repair(stored.folders).complete
    assert [path.read_bytes() for path in stored.paths] == stored.pristine
    for path, content in zip(stored.paths, stored.pristine, strict=True):
        path.write_bytes(content[:-1])
    with pytest.raises(reed.ObjectSizeUnknown):
        decoded(stored.folders)
    report = files.salvage(stored.folders, work / "out")
    assert (report.partial_size, report.complete) == (0, False)


# ---- salvage -------------------------------------------------------------------------------------


def test_salvage_gives_every_good_block_and_a_map_of_the_holes(work):
    stored = Stored(work)
    for shard_index in (0, 1, 2):
        stored.damage_block(shard_index, 3)
    for shard_index in (1, 3, 4):
        stored.damage_block(shard_index, 5)
    report = files.salvage(stored.folders, work / "out")
    row = 4 * BLOCK
    holes = ((3 * row, 3 * row + 3 * BLOCK), (5 * row + BLOCK, 5 * row + 2 * BLOCK),
             (5 * row + 3 * BLOCK, 6 * row))
    assert report.holes == holes
    assert not report.complete
    found = Path(report.partial_path).read_bytes()
    expected = bytearray(stored.data)
    for begin, end in holes:
        expected[begin:end] = bytes(end - begin)
    assert found == bytes(expected)
    table = json.loads(Path(report.map_path).read_text())
    assert table["holes"] == [{"offset": begin, "size": end - begin} for begin, end in holes]
    assert sum(piece["size"] for piece in table["verified"]) == report.verified_size
    assert table["verified_size"] + sum(hole["size"] for hole in table["holes"]) == 100_001
    assert names(work) == ["disk0", "object", "out.partial", "out.partial.json"]


def test_salvage_without_any_length_ends_at_the_last_verified_byte(work):
    stored = Stored(work)
    for path, content in zip(stored.paths, stored.pristine, strict=True):
        path.write_bytes(content[:256 + 3 * (BLOCK + 64) + 70])
    with pytest.raises(reed.ObjectSizeUnknown):
        files.verify(stored.folders)
    report = files.salvage(stored.folders, work / "out")
    assert Path(report.partial_path).read_bytes() == stored.data[:3 * 4 * BLOCK]
    assert report.stripe.object_size is None
    assert not report.complete


# ---- inspect -------------------------------------------------------------------------------------


def test_inspect_says_what_each_file_says_of_itself(work):
    stored = Stored(work)
    stored.damage_byte(1, 30)
    stored.paths[2].write_bytes(stored.pristine[2][:-300])
    stored.paths[3].write_bytes(bytes(256) + stored.pristine[3][256:-256])
    stored.paths[4].write_bytes(b"foreign")
    reports = files.inspect(stored.folders).files
    assert [report.kind for report in reports] == [
        "shard", "shard", "shard", "fragment", "foreign", "shard"]
    assert (reports[0].header, reports[0].footer) == ("good", "good")
    assert reports[0].expected_size == reports[0].size == len(stored.pristine[0])
    assert reports[0].stripe == stored.report.stripe
    assert reports[0].format_version == "1.0"
    assert (reports[1].header, reports[1].footer) == ("corrupt", "good")
    assert (reports[2].header, reports[2].footer) == ("good", "absent")
    assert reports[2].stripe.object_size is None
    assert (reports[3].shard_index, reports[3].fragment_blocks) == (3, 7)
    with pytest.raises(FileNotFoundError):
        files.inspect(work / "absent")


def test_reports_are_plain_data(work):
    stored = Stored(work)
    stored.paths[0].unlink()
    for report in (stored.report, files.verify(stored.folders), files.inspect(stored.folders),
                   decoded(stored.folders)[0], files.repair(stored.folders),
                   files.salvage(stored.folders, work / "out")):
        assert json.loads(json.dumps(report.as_dict()))


# ---- bounds --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("code", "block_size", "size"), [
    (reed.ReedSolomon(10, 4), 65536, 96 << 20),
    (reed.ReedSolomon(2, 2), 16 << 20, 100 << 20),
    (reed.ReedSolomon(200, 56), 65536, 140 << 20),
], ids=["10+4", "blocks of 16 MiB", "200+56"])
def test_memory_is_bounded(code, block_size, size, work):
    """At most 64 MiB and four rows, for objects of any size; NumPy tells tracemalloc its part."""
    with open(work / "object", "wb") as file:
        file.truncate(size)
    shards = work / "shards"
    shards.mkdir()
    row = (code.data_shards + code.parity_shards) * (block_size + 64)
    verbs = {
        "encode": lambda: files.encode(work / "object", shards, code=code, block_size=block_size,
                                       threads=2),
        "verify": lambda: files.verify(shards, threads=2),
        "decode": lambda: files.decode(shards, work / "decoded", threads=2),
        "repair": lambda: files.repair(shards, threads=2),
        "salvage": lambda: files.salvage(shards, work / "salvaged", threads=2),
    }
    for name, verb in verbs.items():
        peak = peak_of(verb)
        assert peak <= (64 << 20) + 4 * row, name
        assert peak < size or row > size // 8, name
        if name == "verify":
            (shards / "object.001.reed").unlink()


def test_a_hostile_file_does_not_make_the_search_quadratic(work, monkeypatch):
    monkeypatch.setattr(scanning, "_WASTE_BYTES", 1 << 20)
    head = (b"\x89RSB\r\n\x1a\n" + bytes(44) + (60_000).to_bytes(4, "little")).ljust(64, b"\1")
    (work / "hostile.reed").write_bytes(head * 20_000)
    read = 0
    real = medium.preadv

    def count(descriptor, buffers, offset):
        nonlocal read
        done = real(descriptor, buffers, offset)
        read += done
        return done

    monkeypatch.setattr(medium, "preadv", count)
    with pytest.raises(reed.NoShardsFound):
        files.verify(work)
    assert read < 7 * 64 * 20_000 + (2 << 20)
