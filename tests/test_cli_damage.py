"""Two hundred damaged stripes through the real command: exactly the file, or a named refusal.

Each trial draws a stripe, one to eight damages and a verb from its seed. What must come out is
decided from the undamaged shards alone: a record survives where some file still holds its bytes at
its place, and the file can be had when every row keeps data_shards of them. A failing trial is
replayed by its name, with the REED_SEED that the header of the run shows:

    REED_SEED=... pytest tests/test_cli_damage.py -k 'trial-137'
"""

import json
import random
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from cli_run import record_places, run, snapshot, temporaries

TRIALS = 200
BLOCK_SIZE = 4096
# (options, data shards, shards in all, bytes of the file)
STRIPES = (
    (("-k", 4, "-m", 2), 4, 6, 70_001),
    (("-k", 10, "-m", 4), 10, 14, 200_000),
    (("--copies", 3), 1, 3, 30_000),
    (("-k", 2, "-m", 1, "--digest", "none"), 2, 3, 8192 * 3),
    (("-k", 3, "-m", 3, "--generator", "klauspost"), 3, 6, 1),
    (("-k", 5, "-m", 3), 5, 8, 0),
)


@dataclass
class Pristine:
    """A whole stripe: the file, its shards' bytes by index, and where their records lie."""

    data: bytes
    data_shards: int
    shards: list[bytes]
    places: list[tuple[int, int]]
    stripe_id: str


@pytest.fixture(scope="module")
def stripes(tmp_path_factory):
    made = []
    for number, (options, data_shards, shard_count, size) in enumerate(STRIPES):
        folder = tmp_path_factory.mktemp("stripe")
        data = random.Random(number).randbytes(size)
        (folder / "data").write_bytes(data)
        (folder / "shards").mkdir()
        stripe_id = f"{number + 1:032x}"
        run("encode", folder / "data", *options, "--block-size", BLOCK_SIZE, "--stripe-id",
            stripe_id, "-o", folder / "shards", "-q", expect=0)
        shards = [(folder / f"shards/data.{index:03}.reed").read_bytes()
                  for index in range(shard_count)]
        places = record_places(data_shards, BLOCK_SIZE, size)
        assert all(len(shard) == 256 + sum(size for _, size in places) + 256 for shard in shards)
        made.append(Pristine(data, data_shards, shards, places, stripe_id))
    return made


# ---- damages: each takes the random numbers and the folder, and hurts something ------------------


def pick(rng, folder):
    """A file of the folder, or None when all are gone."""
    return rng.choice(sorted(folder.iterdir()) or [None])


def rewrite(path, change):
    if path is not None:
        content = bytearray(path.read_bytes())
        change(content)
        path.write_bytes(content)


def delete(rng, folder, stripes):
    path = pick(rng, folder)
    if path is not None:
        path.unlink()


def flip(rng, folder, stripes):
    def change(content):
        for _ in range(rng.choice((1, 1, 1, 2, 20))):
            if content:
                content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    rewrite(pick(rng, folder), change)


def flip_in_header_or_footer(rng, folder, stripes):
    def change(content):
        if len(content) >= 512:
            place = rng.randrange(256)
            content[place if rng.random() < 0.5 else len(content) - 1 - place] ^= 0xFF
    rewrite(pick(rng, folder), change)


def truncate(rng, folder, stripes):
    def change(content):
        del content[rng.randrange(len(content) + 1):]
    rewrite(pick(rng, folder), change)


def extend(rng, folder, stripes):
    rewrite(pick(rng, folder), lambda content: content.extend(rng.randbytes(rng.choice((1, 700)))))


def zero_range(rng, folder, stripes):
    def change(content):
        begin = rng.randrange(len(content) + 1)
        size = min(rng.choice((512, 4096, 10_000)), len(content) - begin)
        content[begin:begin + size] = bytes(size)
    rewrite(pick(rng, folder), change)


def zero_file(rng, folder, stripes):
    rewrite(pick(rng, folder), lambda content: content.__setitem__(
        slice(None), bytes(len(content))))


def garbage_file(rng, folder, stripes):
    rewrite(pick(rng, folder), lambda content: content.__setitem__(
        slice(None), rng.randbytes(len(content))))


def swap(rng, folder, stripes):
    first, second = pick(rng, folder), pick(rng, folder)
    if first is not None:
        one, two = first.read_bytes(), second.read_bytes()
        first.write_bytes(two)
        second.write_bytes(one)


def duplicate(rng, folder, stripes):
    path = pick(rng, folder)
    if path is not None:
        shutil.copy(path, folder / f"copy-{rng.randrange(10**6)}.reed")


def overwrite_by_neighbour(rng, folder, stripes):
    first, second = pick(rng, folder), pick(rng, folder)
    if first is not None:
        first.write_bytes(second.read_bytes())


def foreign_file(rng, folder, stripes):
    (folder / f"notes-{rng.randrange(10**6)}.txt").write_bytes(rng.randbytes(3000))


def other_stripe(rng, folder, stripes):
    (folder / f"stray-{rng.randrange(10**6)}.reed").write_bytes(
        rng.choice(rng.choice(stripes).shards))


DAMAGES = (delete, delete, flip, flip, flip, flip_in_header_or_footer, truncate, extend, zero_range,
           zero_file, garbage_file, swap, duplicate, overwrite_by_neighbour, foreign_file,
           other_stripe)


# ---- what must come out --------------------------------------------------------------------------


def surviving_blocks(pristine, folder):
    """{(row, shard index)} of the records that some file still holds, at their place."""
    contents = [path.read_bytes() for path in folder.iterdir()]
    return {(row, index) for index, shard in enumerate(pristine.shards)
            for row, (offset, size) in enumerate(pristine.places)
            if any(content[offset:offset + size] == shard[offset:offset + size]
                   for content in contents)}


def is_decodable(pristine, folder):
    """Whether each row keeps enough blocks, and the length of the file is known from any footer
    at its place or, where there are rows, from any block of the last row."""
    alive = surviving_blocks(pristine, folder)
    enough = all(sum((row, index) in alive for index in range(len(pristine.shards)))
                 >= pristine.data_shards for row in range(len(pristine.places)))
    ends = [(len(shard) - 256, shard[-256:]) for shard in pristine.shards]
    return enough and (bool(pristine.places) or any(
        path.read_bytes()[offset:offset + 256] == footer
        for path in folder.iterdir() for offset, footer in ends))


def is_untouched(pristine, folder):
    return sorted(path.read_bytes() for path in folder.iterdir()) == sorted(pristine.shards)


# ---- the trials ----------------------------------------------------------------------------------


def check_decode(pristine, folder, target, decodable):
    allowed = {0} if decodable else {0, 2, 4}
    done = run("decode", folder, "-o", target, "--stripe-id", pristine.stripe_id, expect=allowed)
    if done.returncode == 0:
        assert target.read_bytes() == pristine.data
    else:
        assert done.stderr.startswith("reed decode: ")
    assert [path.name for path in target.parent.iterdir()] == (
        [target.name] if done.returncode == 0 else [])


def check_verify(pristine, folder, target, decodable):
    if is_untouched(pristine, folder):
        allowed = {0}
    elif not decodable:
        allowed = {1, 2, 4}
    else:
        # Foreign files and good duplicates are no damage.
        whole = {path.read_bytes() for path in folder.iterdir()} >= set(pristine.shards)
        allowed = {0, 1} if whole else {1}
    run("verify", folder, "--stripe-id", pristine.stripe_id, expect=allowed)


def check_repair(pristine, folder, target, decodable):
    before, alive = snapshot(folder), surviving_blocks(pristine, folder)
    done = run("repair", folder, "--stripe-id", pristine.stripe_id,
               expect={0} if decodable else {0, 2, 4})
    assert surviving_blocks(pristine, folder) >= alive
    if done.returncode == 0:
        contents = {path.read_bytes() for path in folder.iterdir()}
        assert contents >= set(pristine.shards)
        run("verify", folder, "--stripe-id", pristine.stripe_id, expect=0)
    else:
        assert snapshot(folder) == before


def check_salvage(pristine, folder, target, decodable):
    done = run("salvage", folder, "-o", target, "--stripe-id", pristine.stripe_id,
               expect={0} if decodable else {0, 2, 4})
    assert not target.exists()
    partial = Path(f"{target}.partial")
    if done.returncode == 4:
        assert list(target.parent.iterdir()) == []
        return
    content = partial.read_bytes()
    holes = json.loads(Path(f"{target}.partial.json").read_text())["holes"]
    if done.returncode == 0:
        assert content == pristine.data and holes == []
    position = 0
    for hole in [*holes, {"offset": len(content), "size": 0}]:
        begin, end = hole["offset"], hole["offset"] + hole["size"]
        assert content[position:begin] == pristine.data[position:begin]
        assert not any(content[begin:end])
        position = end


CHECKS = (check_decode, check_decode, check_verify, check_repair, check_salvage)


@pytest.mark.parametrize("trial", range(TRIALS), ids="trial-{}".format)
def test_damage(trial, seed, stripes, tmp_path):
    rng = random.Random(f"{seed}/{trial}")
    pristine = rng.choice(stripes)
    folder = tmp_path / "shards"
    folder.mkdir()
    for index, shard in enumerate(pristine.shards):
        (folder / f"data.{index:03}.reed").write_bytes(shard)
    for _ in range(rng.choice((1, 1, 2, 3, 5, 8))):
        damage = rng.choice(DAMAGES)
        print(f"damage: {damage.__name__}")
        damage(rng, folder, stripes)
    target = tmp_path / "out" / "back"
    target.parent.mkdir()
    check = rng.choice(CHECKS)
    print(f"{check.__name__}: {pristine.stripe_id}, decodable {is_decodable(pristine, folder)}")
    check(pristine, folder, target, is_decodable(pristine, folder))
    assert not [path for path in temporaries(tmp_path) if ".set-aside-" not in path.name]
