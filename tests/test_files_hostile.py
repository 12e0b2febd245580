"""Shard files that lie with right checksums: every verb ends soon, and says what is there."""

import json
import random
import struct
import tempfile
from pathlib import Path

import pytest

import reed
from oracles import format as oracle
from reed import files
from simulate import damage

BLOCK = 4096
DATA_SHARDS = 2
ROW = DATA_SHARDS * BLOCK
RECORD = 64 + BLOCK
FORGED_ROWS = 1 << 44
DEADLINE_STEPS = 1_000  # of a survey; the honest part of these stripes takes a handful


@pytest.fixture
def stored():
    """Three shards, 2+1, of an object of ten rows and a half."""
    with tempfile.TemporaryDirectory(prefix="reed-test-", dir=damage.scratch_folder()) as folder:
        folder = Path(folder)
        (folder / "object").write_bytes(random.Random(1).randbytes(10 * ROW + ROW // 2))
        (folder / "shards").mkdir()
        files.encode(folder / "object", folder / "shards", code=reed.ReedSolomon(DATA_SHARDS, 1),
                     block_size=BLOCK)
        yield folder


def shard_paths(folder):
    return sorted((folder / "shards").iterdir())


def bounded():
    """A ``cancel`` that ends what would not."""
    steps = iter(range(DEADLINE_STEPS))
    return lambda: next(steps, None) is None


def forge_footers(folder):
    """Every footer says 2^44 rows, and its checksum is right."""
    for path in shard_paths(folder):
        content = path.read_bytes()
        footer = bytearray(content[-256:])
        struct.pack_into("<QQ", footer, 80, FORGED_ROWS * ROW, FORGED_ROWS)
        path.write_bytes(content[:-256] + oracle.sealed(bytes(footer[:252])))


def forge_block(folder, row, *, is_last):
    """Shard 0 becomes its first three records and one that claims to be a row far away."""
    path = shard_paths(folder)[0]
    content = path.read_bytes()
    fields = oracle.parse_block(content[256:256 + RECORD])
    forged = oracle.write_block({**fields, "row": row, "flags": int(is_last)},
                                content[256 + 64:256 + RECORD])
    path.write_bytes(content[256:256 + 3 * RECORD] + bytes(RECORD) + forged)
    return content[256 + 64:256 + RECORD]


def salvage(folder):
    report = files.salvage(folder / "shards", folder / "out", cancel=bounded())
    table = json.loads(Path(report.map_path).read_text())
    assert table["partial_size"] == report.partial_size == Path(report.partial_path).stat().st_size
    assert table["holes"] == [{"offset": begin, "size": end - begin}
                              for begin, end in report.holes]
    assert sum(piece["size"] for piece in table["verified"]) == report.verified_size
    return report


def test_a_footer_that_claims_more_rows_than_there_are_bytes(stored):
    data = (stored / "object").read_bytes()
    forge_footers(stored)
    report = files.verify(stored / "shards", cancel=bounded())
    # Row 10 of the claimed object would be a full one; what stands there is half of that.
    assert report.rows == files.RowCounts(
        total=FORGED_ROWS, intact=10, degraded=0, lost=FORGED_ROWS - 10, unknown=0)
    assert report.lost_rows == ((10, FORGED_ROWS),)
    assert (report.status, report.margin, report.digest) == (
        "beyond repair", -DATA_SHARDS, "unavailable")
    for shard in report.shards:
        assert shard.state == "damaged"
        assert (shard.good_blocks, shard.unknown_blocks) == (10, 0)
        assert shard.corrupt_blocks + shard.missing_blocks == FORGED_ROWS - 10
    with pytest.raises(reed.BeyondRepair):
        files.repair(stored / "shards", cancel=bounded())
    with pytest.raises(reed.BeyondRepair):
        files.decode(stored / "shards", stored / "decoded", cancel=bounded())
    salvaged = salvage(stored)
    assert Path(salvaged.partial_path).read_bytes() == data[:10 * ROW]
    assert salvaged.holes == ((10 * ROW, FORGED_ROWS * ROW),)
    assert not salvaged.complete


def test_a_last_block_that_claims_a_row_far_away(stored):
    """No footer is left, so the object's size is what that block says."""
    _, *others = shard_paths(stored)
    row = FORGED_ROWS - 1
    forge_block(stored, row, is_last=True)
    for path in others:
        path.write_bytes(path.read_bytes()[:256 + 5 * RECORD])
    report = files.verify(shard_paths(stored), cancel=bounded())
    assert report.rows.total == FORGED_ROWS
    assert (report.rows.intact, report.rows.degraded) == (3, 2)
    assert report.lost_rows == ((5, FORGED_ROWS),)
    assert report.rows.lost == FORGED_ROWS - 5
    assert report.shards[0].good_blocks == 4
    with pytest.raises(reed.BeyondRepair):
        files.repair(shard_paths(stored), cancel=bounded())


def test_a_block_that_claims_a_row_far_away_while_the_size_is_unknown(stored):
    """Far enough for no survey, near enough for the partial file to be written, full of holes."""
    data = (stored / "object").read_bytes()
    row = 100_000_000
    block = forge_block(stored, row, is_last=False)
    for path in shard_paths(stored)[1:]:
        path.write_bytes(path.read_bytes()[:256 + 5 * RECORD])
    report = salvage(stored)
    assert report.holes == ((5 * ROW, row * ROW),)
    assert report.partial_size == row * ROW + BLOCK
    with open(report.partial_path, "rb") as partial:
        assert partial.read(5 * ROW) == data[:5 * ROW]
        partial.seek(row * ROW)
        assert partial.read() == block
    assert Path(report.partial_path).stat().st_blocks * 512 < 1 << 20


def test_gaps_between_the_blocks_of_a_fragment_are_counted_where_they_are(stored):
    data = (stored / "object").read_bytes()
    for path in shard_paths(stored):
        content = path.read_bytes()
        path.write_bytes(content[256 + RECORD:256 + 2 * RECORD]
                         + content[256 + 6 * RECORD:256 + 8 * RECORD] + content[-256:])
    report = files.verify(shard_paths(stored), cancel=bounded())
    assert report.lost_rows == ((0, 1), (2, 6), (8, 11))
    assert (report.rows.intact, report.rows.lost) == (3, 8)
    assert {(shard.good_blocks, shard.missing_blocks + shard.corrupt_blocks)
            for shard in report.shards} == {(3, 8)}
    salvaged = salvage(stored)
    assert salvaged.holes == ((0, ROW), (2 * ROW, 6 * ROW), (8 * ROW, len(data)))
    found = Path(salvaged.partial_path).read_bytes()
    assert found == bytes(ROW) + data[ROW:2 * ROW] + bytes(4 * ROW) + data[6 * ROW:8 * ROW]
