"""Damage to shard files: thousands of seeded trials, and every byte where a file can be cut.

``REED_TRIALS=10000`` runs that many trials instead of 1,000. A failing trial prints the command
that replays it.
"""

import os
import random
import tempfile
from pathlib import Path

import pytest

import reed
from reed import _core, files
from reed.files import medium, reading, scanning
from simulate import damage

TRIALS = int(os.environ.get("REED_TRIALS") or 1000)
CHUNKS = 10


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_damage_gives_the_exact_file_or_a_named_error(chunk, seed):
    first = seed + chunk * 1_000_000
    outcomes = damage.run_trials(first, max(1, TRIALS // CHUNKS))
    print(outcomes)
    assert any(outcome.startswith("decode exact") for outcome in outcomes) or TRIALS < 100


# ---- every cut -----------------------------------------------------------------------------------


@pytest.fixture(params=["2+1", "three copies"])
def small(request):
    """A small object with a short last row, and its shard files."""
    with tempfile.TemporaryDirectory(prefix="reed-cut-", dir=damage.scratch_folder()) as folder:
        yield make_small(request.param, Path(folder))


def make_small(kind, tmp_path):
    code = reed.ReedSolomon(2, 1) if kind == "2+1" else reed.Replication(3)
    data = random.Random(7).randbytes(2 * 4096 * code.data_shards + 1000)
    (tmp_path / "object").write_bytes(data)
    folder = tmp_path / "shards"
    folder.mkdir()
    report = files.encode(tmp_path / "object", folder, code=code, block_size=4096)
    return data, list(map(folder.joinpath, report.paths)), tmp_path


def cuts(path, data_shards, size):
    """Every byte of the header, the footer, and around every edge of a block."""
    layout = _core.shard_layout(data_shards, 4096, size)
    end = path.stat().st_size
    assert end == layout["file_size"]
    edges = [256 + row * layout["full_record_size"] for row in range(layout["row_count"])]
    edges += [edge + 64 for edge in edges] + [layout["footer_offset"]]
    near = {edge + step for edge in edges for step in range(-3, 4)}
    return sorted({*range(257), *near, *range(layout["footer_offset"], end)})


def decode_bytes(paths, tmp_path):
    target = tmp_path / "decoded"
    try:
        files.decode(paths, target)
        return target.read_bytes()
    finally:
        target.unlink(missing_ok=True)


def test_a_shard_cut_at_any_byte_is_noticed_and_survived(small):
    data, paths, tmp_path = small
    content = paths[0].read_bytes()
    data_shards = files.inspect(paths[1]).files[0].stripe.data_shards
    for cut in cuts(paths[0], data_shards, len(data)):
        paths[0].write_bytes(content[:cut])
        assert decode_bytes(paths, tmp_path) == data, cut
        report = files.verify(paths)
        assert report.status == "repairable", cut
        assert report.shards[0].state != "good", cut
    paths[0].write_bytes(content + b"\0")
    assert decode_bytes(paths, tmp_path) == data
    assert not files.verify(paths).healthy
    assert files.repair(paths).complete
    assert paths[0].read_bytes() == content


def test_all_shards_cut_at_the_same_byte_never_give_other_bytes(small):
    data, paths, tmp_path = small
    contents = [path.read_bytes() for path in paths]
    footer = contents[0].rfind(b"\x89RSF")
    data_shards = files.inspect(paths[1]).files[0].stripe.data_shards
    for cut in cuts(paths[0], data_shards, len(data)):
        for path, content in zip(paths, contents, strict=True):
            path.write_bytes(content[:cut])
        if cut < footer:
            # Without its last row the object is not whole, and nothing tells its length.
            with pytest.raises((reed.NoShardsFound, reed.ObjectSizeUnknown)):
                decode_bytes(paths, tmp_path)
        else:
            # The last row says where the object ends, so the footer is not needed.
            assert decode_bytes(paths, tmp_path) == data, cut
    assert sorted(path.name for path in tmp_path.iterdir()) == ["object", "shards"]


def test_every_flipped_byte_of_header_and_footer_is_noticed(small):
    data, paths, tmp_path = small
    content = paths[1].read_bytes()
    for position in [*range(256), *range(len(content) - 256, len(content))]:
        damaged = bytearray(content)
        damaged[position] ^= 1 << (position % 8)
        paths[1].write_bytes(damaged)
        report = files.verify(paths)
        assert (report.status, report.shards[1].state) == ("repairable", "damaged"), position
        assert report.rows.intact == report.rows.total
    assert decode_bytes(paths, tmp_path) == data
    assert files.repair(paths).complete
    assert paths[1].read_bytes() == content


# ---- the tests of these tests --------------------------------------------------------------------


def skip_checksums(monkeypatch):
    """Every record that is long enough is good."""
    def check(self, data, size, shard_index, first_row, count, last_row_data_size=0):
        states = self.real.check_records(data, size, shard_index, first_row, count,
                                         last_row_data_size)
        return states.replace(bytes([_core.RECORD_CORRUPT]), bytes([_core.RECORD_GOOD]))

    replace_geometry(monkeypatch, check)


def skip_identity(monkeypatch):
    """A right checksum is enough, wherever the block belongs."""
    def check(self, data, size, shard_index, first_row, count, last_row_data_size=0):
        states = bytearray(self.real.check_records(data, size, shard_index, first_row, count,
                                                   last_row_data_size))
        step = len(data) // count
        for row, state in enumerate(states):
            if state == _core.RECORD_CORRUPT:
                try:
                    fields = _core.block_parse(memoryview(data)[row * step:(row + 1) * step])
                except reed.FormatError:
                    continue
                states[row] = _core.RECORD_GOOD if fields["payload_size"] > 0 else state
        return bytes(states)

    replace_geometry(monkeypatch, check)


def replace_geometry(monkeypatch, check):
    class Geometry:
        def __init__(self, *arguments):
            self.real = _core.BlockGeometry(*arguments)
            self.payload_crcs = self.real.payload_crcs
            self.seal_records = self.real.seal_records

        check_records = check

    monkeypatch.setattr(reading.Geometry, "make_block_geometry", lambda geometry: Geometry(
        geometry.stripe_id, geometry.generator, geometry.data_shards, geometry.parity_shards,
        geometry.block_size))


def believe_the_first_duplicate(monkeypatch):
    """Two valid but different blocks with one identity: the first is taken."""
    monkeypatch.setattr(reading.numpy, "array_equal", lambda a, b: True)


def count_duplicates_twice(monkeypatch):
    """A copy of a shard takes the place of one that is missing."""
    real = reading.Stripe._suspect_unreadable_files

    def renumber(stripe):
        real(stripe)
        held = set()
        missing = set(range(stripe.geometry.shard_count))
        missing -= {run.shard_index for file in stripe.files for run in file.runs}
        for file in stripe.files:
            for run in file.runs:
                if run.shard_index in held and missing:
                    run.shard_index = missing.pop()
                held.add(run.shard_index)

    monkeypatch.setattr(reading.Stripe, "_suspect_unreadable_files", renumber)
    skip_identity(monkeypatch)


def call_unreadable_missing(monkeypatch):
    """EIO is taken for absence, also when it comes to replacing files."""
    monkeypatch.setattr(scanning.ShardFile, "is_unreadable",
                        property(lambda file: False, lambda file, value: None))


def ignore_disagreement(monkeypatch):
    """Nobody compares the parity with the data."""
    monkeypatch.setattr(reading.Stripe, "_blame", lambda stripe, given: ([], False))


def ignore_digest(monkeypatch):
    """Every digest matches."""
    from reed.files import decoding, verifying
    for module in (decoding, verifying):
        monkeypatch.setattr(module, "require_digest", lambda stripe, digest: "match")



def leave_temporaries(monkeypatch):
    """Nobody cleans up."""
    monkeypatch.setattr(medium.Temporary, "remove", lambda temporary: None)


MUTANTS = [skip_checksums, skip_identity, believe_the_first_duplicate, count_duplicates_twice,
           call_unreadable_missing, ignore_disagreement, ignore_digest, leave_temporaries]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_the_trials_catch(mutant, monkeypatch, seed):
    mutant(monkeypatch)
    with pytest.raises(Exception) as caught:
        damage.run_trials(seed, 600)
    assert any("replay: python tests/simulate/damage.py" in note
               for note in caught.value.__notes__)


@pytest.mark.parametrize("where", ["header", "block", "footer", "length"])
def test_a_medium_that_lies_is_caught_by_reading_back(where, small, monkeypatch):
    _, paths, tmp_path = small
    footer = paths[0].stat().st_size - 256
    spans = {"header": (0, 256), "block": (256, footer), "footer": (footer, footer + 256),
             "length": (0, 0)}
    paths[0].unlink()
    before = sorted(tmp_path.rglob("*"))
    real_read, real_size = medium.preadv, medium.size_of

    def is_new(descriptor):
        return medium.is_temporary(os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}")))

    def lie(descriptor, buffers, offset):
        count = real_read(descriptor, buffers, offset)
        begin, end = spans[where]
        if is_new(descriptor) and offset < end and begin < offset + count:
            buffers[0][max(begin, offset) - offset] ^= 1
        return count

    def lie_about_size(descriptor):
        return real_size(descriptor) + (where == "length" and is_new(descriptor))

    monkeypatch.setattr(medium, "preadv", lie)
    monkeypatch.setattr(medium, "size_of", lie_about_size)
    stripe = files.inspect(paths[1]).files[0].stripe
    code = (reed.Replication(3) if stripe.generator == "replication" else
            reed.ReedSolomon(stripe.data_shards, stripe.parity_shards))
    verbs = {
        "encode": lambda: files.encode(tmp_path / "object", tmp_path, name="again", code=code,
                                       block_size=4096),
        "repair": lambda: files.repair(paths),
    }
    if where == "block":  # files without ends
        verbs["decode"] = lambda: files.decode(paths, tmp_path / "decoded")
        verbs["salvage"] = lambda: files.salvage(paths, tmp_path / "salvaged")
    for name, verb in verbs.items():
        with pytest.raises(reed.ReadBackMismatch) as caught:
            verb()
        assert caught.value.path.endswith((".reed", "decoded", ".partial"))
        assert sorted(tmp_path.rglob("*")) == before, name
