"""What no verb of reed.files may do: replace what is not a shard, and leave the rest of a set undone
because one disk failed."""

import errno
import os
import stat

import pytest

import reed
from reed import files
from reed.files import medium

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
