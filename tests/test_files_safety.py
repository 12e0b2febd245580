"""What no verb of reed.files may do: replace what is not a shard, and leave the rest of a set
undone because one disk failed."""

import errno
import os
import stat
import threading
import time

import pytest

import reed
from reed import files
from reed.files import medium
from reed.files.decoding import ObjectReader
from reed.files.layout import RecordBatch
from reed.files.reading import open_stripe
from reed.files.work import Workers

OBJECT = bytes(range(251)) * 3000


@pytest.fixture
def shards(tmp_path):
    """Makes the shard files of one object: make(name) -> paths."""

    def make(name, data=OBJECT):
        folder = tmp_path / name
        folder.mkdir()
        source = tmp_path / f"{name}.source"
        source.write_bytes(data)
        report = files.encode(source, folder, code=reed.ReedSolomon(4, 2), block_size=4096,
                              name=name)
        return [os.fspath(path) for path in report.paths]

    return make


def read(path):
    with open(path, "rb") as file:
        return file.read()


def test_repair_never_replaces_an_image_that_holds_another_stripe(shards, tmp_path):
    ours, others = shards("ours"), shards("others", OBJECT[::-1])
    image = tmp_path / "disk.img"
    content = read(ours[0]) + bytes(8192) + read(others[0]) + bytes(512)
    image.write_bytes(content)
    os.unlink(ours[0])
    report = files.repair([image, *ours[1:]], targets=[tmp_path / "ours"])
    assert image.read_bytes() == content
    assert [action.kind for action in report.actions if action.path == os.fspath(image)] == ["left"]
    assert files.verify([tmp_path / "ours"]).healthy


def test_repair_replaces_a_shard_with_garbage_behind_it(shards):
    paths = shards("object")
    before = read(paths[2])
    with open(paths[2], "ab") as file:
        file.write(b"garbage")
    files.repair(paths)
    assert read(paths[2]) == before


@pytest.mark.parametrize("what", ["folder", "fifo"])
def test_overwriting_replaces_files_only(shards, tmp_path, what):
    paths = shards("object")
    target = tmp_path / "target"
    os.mkdir(target) if what == "folder" else os.mkfifo(target)
    before = os.lstat(target)
    with pytest.raises(reed.TargetExists, match="never replaced"):
        files.decode(paths, target, overwrite=True)
    assert os.path.samestat(before, os.lstat(target))
    assert stat.S_IFMT(before.st_mode) == stat.S_IFMT(os.lstat(target).st_mode)
    assert sorted(os.listdir(tmp_path)) == ["object", "object.source", "target"]


def test_one_failing_unlink_leaves_no_other_temporary(tmp_path, monkeypatch):
    with pytest.raises(OSError) as caught, medium.Publication() as publication:
        temporaries = [publication.create(os.fspath(tmp_path / f"f{i}")) for i in range(4)]
        unlink = medium._unlink_if_present

        def failing(path):
            if path == temporaries[1].path:
                raise OSError(errno.EIO, "dead disk", path)
            unlink(path)

        monkeypatch.setattr(medium, "_unlink_if_present", failing)
    assert caught.value.errno == errno.EIO
    assert os.listdir(tmp_path) == [os.path.basename(temporaries[1].path)]


def test_a_rollback_goes_on_past_a_disk_that_died(tmp_path, monkeypatch):
    for i in range(4):
        (tmp_path / f"f{i}").write_bytes(b"old")
    replace = os.replace
    is_dying = False

    def failing(source, target):
        nonlocal is_dying
        if is_dying and target == os.fspath(tmp_path / "f0"):
            raise OSError(errno.EIO, "dead disk", target)
        replace(source, target)

    def failing_sync(path):
        nonlocal is_dying
        is_dying = True
        raise OSError(errno.EIO, "dead disk", path)

    monkeypatch.setattr(os, "replace", failing)
    monkeypatch.setattr(medium, "sync_folder", failing_sync)
    with pytest.raises(OSError), medium.Publication() as publication:
        for i in range(4):
            temporary = publication.create(os.fspath(tmp_path / f"f{i}"))
            medium.write_all_at(temporary.descriptor, [memoryview(b"new")], 0)
        publication.publish(overwrite=True)
    assert [(tmp_path / f"f{i}").read_bytes() for i in range(1, 4)] == [b"old"] * 3


def test_errors_name_the_path_that_was_asked_for(shards, tmp_path):
    paths = shards("object")
    target = os.fspath(tmp_path / "absent" / "out")
    with pytest.raises(FileNotFoundError) as caught:
        files.decode(paths, target)
    assert caught.value.filename == target


# ---- reading ahead -------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_nothing_is_read_when_a_reader_was_left(shards, monkeypatch, threads):
    """The next rows are read while the caller works: whoever leaves finds nothing still running
    that would read into freed memory or from a descriptor of another file."""
    running = 0
    guard = threading.Lock()
    real = medium.preadv

    def slow(descriptor, buffers, offset):
        nonlocal running
        with guard:
            running += 1
        time.sleep(0.02)
        try:
            return real(descriptor, buffers, offset)
        finally:
            with guard:
                running -= 1

    monkeypatch.setattr(RecordBatch, "BATCH_BYTES", 1)
    paths = shards("object")
    with Workers(threads) as workers, open_stripe(paths, None, workers, lambda: None) as stripe:
        monkeypatch.setattr(medium, "preadv", slow)
        reader = ObjectReader(stripe).batches()
        _, _, pieces = next(reader)
        assert b"".join(pieces) == OBJECT[:4 * 4096]
        reader.close()
        assert running == 0


def test_calls_that_were_abandoned_never_run():
    done = []
    with Workers(2) as workers:
        blocked = threading.Event()
        first = workers.calls(lambda number: blocked.wait(), range(2))
        second = workers.calls(done.append, range(5))
        first.begin()
        second.begin()
        threading.Timer(0.05, blocked.set).start()
        second.abandon()
        assert first.results() == [True, True] and not done
    with Workers(1) as workers:
        calls = workers.calls(done.append, [7])
        calls.begin()
        assert not done
        calls.results()
        assert done == [7]
