"""Frozen shard files: reed writes exactly these bytes and reads them, and other versions of the
format are read or refused as FORMAT.md says."""

import io
import sys
from pathlib import Path

import pytest

import reed
from reed import files

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT / "vectors"))
import make_shard_vectors as vectors  # noqa: E402

FOLDER = ROOT / "vectors" / "shards"


def code_of(case):
    generator, data_shards, parity_shards, _, _ = vectors.CASES[case]
    if generator == "replication":
        return reed.Replication(data_shards + parity_shards)
    return reed.ReedSolomon(data_shards, parity_shards, generator=generator)


def test_the_files_are_what_the_oracle_makes():
    made = vectors.vectors()
    kept = {str(path.relative_to(FOLDER)): path.read_bytes() for path in FOLDER.rglob("*.reed")}
    assert sorted(kept) == sorted(made)
    assert [name for name in made if kept[name] != made[name]] == []


@pytest.mark.parametrize("case", vectors.CASES)
def test_encode_writes_the_frozen_bytes(case, tmp_path):
    *_, size, digest = vectors.CASES[case]
    report = files.encode(io.BytesIO(vectors.object_bytes(size)), tmp_path, code=code_of(case),
                          block_size=vectors.BLOCK_SIZE, digest=digest, name="object",
                          stripe_id=vectors.stripe_id(case))
    for path in map(Path, report.paths):
        assert path.read_bytes() == (FOLDER / case / path.name).read_bytes(), path.name


@pytest.mark.parametrize("case", vectors.CASES)
def test_decode_reads_them_from_any_data_shards_of_them(case):
    _, data_shards, parity_shards, size, digest = vectors.CASES[case]
    paths = sorted((FOLDER / case).iterdir())
    assert len(paths) == data_shards + parity_shards
    for chosen in (paths[:data_shards], paths[-data_shards:]):
        output = io.BytesIO()
        report = files.decode(chosen, output)
        assert output.getvalue() == vectors.object_bytes(size)
        assert report.digest == ("unavailable" if digest == "none" else "match")
    assert files.verify(paths).healthy


@pytest.mark.parametrize("case", ["unknown_compatible_flag", "next_minor"])
def test_a_compatible_newer_file_is_read(case):
    output = io.BytesIO()
    files.decode(FOLDER / case, output)
    assert output.getvalue() == vectors.object_bytes(1)
    assert files.verify(FOLDER / case).healthy


@pytest.mark.parametrize(("case", "field"), [("unknown_incompatible_flag", "incompatible_flags"),
                                             ("next_major", "version_major")])
def test_an_incompatible_newer_file_is_refused_by_name(case, field, tmp_path):
    with pytest.raises(reed.UnsupportedFormat, match=field):
        files.decode(FOLDER / case, tmp_path / "object")
    assert not list(tmp_path.iterdir())
    kinds = {file.kind for file in files.inspect(FOLDER / case).files}
    assert kinds == {"unsupported"}


def test_an_incompatible_newer_file_is_skipped_among_readable_ones(tmp_path):
    paths = [*(FOLDER / "one_byte").iterdir(), FOLDER / "next_major" / "object.000.reed"]
    report = files.decode(paths, tmp_path / "object")
    assert [file.kind for file in report.skipped] == ["unsupported"]
    assert (tmp_path / "object").read_bytes() == vectors.object_bytes(1)


def test_repair_keeps_an_unknown_compatible_flag(tmp_path):
    for path in (FOLDER / "unknown_compatible_flag").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    lost = tmp_path / "object.001.reed"
    original = lost.read_bytes()
    lost.unlink()
    assert files.repair(tmp_path).complete
    assert lost.read_bytes() == original
