"""reed store, as its users run it: what it prints, and with which exit code it ends."""

import json
import shutil

import pytest

from cli_run import run, run_json
from store_folders import data_of, flip, folders, shard_files

DATA = data_of(20, 300_000)


@pytest.fixture
def store(tmp_path):
    """Runs `reed store`; its first target is given to every command but create."""
    disks = folders(tmp_path, 5)
    run("store", "create", *disks, "-k", "3", "-m", "2", "--allow-shared-devices", expect=0)

    def command(verb, *arguments, **options):
        return run("store", verb, "-s", disks[0], *arguments, **options)

    command.base = tmp_path
    command.first = disks[0]
    return command


def test_put_get_list_stat_delete(store, tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(DATA)
    assert "5 of 5 shards" in store("put", "a/b", source, expect=0).stdout
    store("put", "c", "-", input=b"", text=False, expect=0)
    store("get", "a/b", "-o", target, expect=0)
    assert target.read_bytes() == DATA
    store("get", "a/b", "-o", target, expect=3)
    done = store("get", "a/b", "-o", "-", "--start", "10", "--end", "20", text=False, expect=0)
    assert done.stdout == DATA[10:20]
    assert [line.split()[-1] for line in store("list").stdout.splitlines()] == ["a/b", "c"]
    lines = store("list", "a", "--json").stdout.splitlines()
    assert json.loads(lines[0])["size"] == len(DATA) and json.loads(lines[-1])["objects"] == 1
    assert "healthy" in store("stat", "a/b", expect=0).stdout
    store("delete", "c", expect=0)
    store("get", "c", "-o", "-", expect=4)
    store("delete", "c", expect=4)


def test_scrub_repairs_and_its_parts_merge(store, tmp_path):
    store("scrub", expect=4)
    for i in range(6):
        store("put", f"k{i}", "-", input=DATA[:10_000], text=False, expect=0)
    flip(shard_files(tmp_path)[0])
    parts = []
    for part in (1, 2):
        path = tmp_path / f"part{part}"
        done = store("scrub", "--json", "--shard", f"{part}/2", expect=(0, 1, 4))
        path.write_text(done.stdout)
        parts.append(path)
    _, merged = run_json("store", "merge", *parts, expect=1)
    assert (merged["report"]["objects"], merged["report"]["repairable"]) == (6, 1)
    assert "repairable" in store("scrub", expect=1).stdout
    assert "repaired" in store("scrub", "--repair", expect=0).stdout
    assert store("scrub", expect=0).stdout.startswith("clean")


def test_a_lost_target_and_a_lost_object(store, tmp_path):
    store("put", "key", "-", input=DATA, text=False, expect=0)
    shutil.rmtree(tmp_path / "disk4")
    done = store("audit", expect=1)
    assert "absent" in done.stdout and done.stdout.startswith("degraded")
    store("put", "other", "-", input=DATA, text=False, expect=1)
    (new,) = folders(tmp_path / "new", 1)
    store("rebuild", "4", new, expect=0)
    assert store("audit", "-v", expect=0).stdout.startswith("healthy")
    for path in shard_files(tmp_path, "key")[:3]:
        flip(path)
    store("get", "key", "-o", "-", expect=2)
    store("scrub", "--repair", expect=2)
    assert "reed store salvage KEY" in store("get", "key", "-o", "-", expect=2).stderr
    store("salvage", "key", "-o", tmp_path / "out", expect=2)
    assert (tmp_path / "out.partial").exists() and (tmp_path / "out.incident.json").exists()
    for number in (1, 2, 3):
        shutil.rmtree(tmp_path / f"disk{number}")
    for verb in ("audit", "list", "scrub", "reclaim"):
        assert "only 2 of 3" in store(verb, expect=6).stderr


def test_migrate_and_reclaim(store, tmp_path):
    store("put", "key", "-", input=DATA, text=False, expect=0)
    store("migrate", "--copies", "3", expect=0)
    assert "1 kept" in store("reclaim", "-n", expect=0).stdout
    assert "3 copies" in store("list").stdout
    assert len(shard_files(tmp_path)) == 8


def test_a_move_to_other_targets(tmp_path):
    disks, new = folders(tmp_path / "old", 3), folders(tmp_path / "new", 3)
    run("store", "create", *disks, "--copies", "3", "--retention-hours", "0",
        "--allow-shared-devices", expect=0)
    run("store", "put", "-s", disks[0], "key", "-", input=DATA, text=False, expect=0)
    assert "migrate" in run("store", "retire", "-s", disks[0], expect=3).stderr
    onto = [argument for folder in new for argument in ("--onto", folder)]
    moved = run("store", "migrate", "-s", disks[0], *onto, expect=0).stdout
    assert "1 object copied" in moved and "then reed store retire" in moved
    assert "reclaim" in run("store", "retire", "-s", disks[0], expect=3).stderr
    run("store", "reclaim", "-s", disks[0], expect=0)
    assert "3 slots (0, 1, 2)" in run("store", "retire", "-s", disks[0], expect=0).stdout
    shutil.rmtree(tmp_path / "old")
    done = run("store", "get", "-s", new[0], "key", "-o", "-", text=False, expect=0)
    assert done.stdout == DATA
    run("store", "audit", "-s", new[0], expect=0)


@pytest.mark.parametrize("arguments, code, message", [
    (("create", "{base}/none", "--copies", "1"), 6, "No such file"),
    (("create", "{base}", "--copies", "3"), 3, "needs at least 3 targets"),
    (("create", "{base}", "--copies", "3", "-k", "1"), 3, "contradict"),
    (("list", "-s", "{base}"), 4, "no target holds a store"),
    (("list",), 2, "--store"),
    (("scrub", "-s", "{base}", "--shard", "3/2"), 2, "no part"),
])
def test_what_cannot_be_done_is_said(tmp_path, arguments, code, message):
    done = run("store", *(argument.format(base=tmp_path) for argument in arguments),
               expect=(code, 3))
    assert message in done.stderr
    assert not any(tmp_path.iterdir())


def test_targets_on_one_disk_are_refused(tmp_path):
    done = run("store", "create", *folders(tmp_path, 3), "--copies", "3", expect=3)
    assert "share a device" in done.stderr and "reed store create:" in done.stderr
