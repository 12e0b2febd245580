"""The command line as a user meets it: results, exit codes, JSON, streams, refusals."""

import hashlib
import json
import os
import pty
import random
import subprocess
import sys

import pytest

import reed
from cli_run import REED, command, environment, run, run_json, snapshot, temporaries

VERBS = ("encode", "decode", "verify", "repair", "salvage", "inspect", "info", "config",
         "compat")
STRIPE_ID = "00112233445566778899aabbccddeeff"


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "photos.tar"
    path.write_bytes(random.Random(1).randbytes(100_000))
    return path


@pytest.fixture
def disks(tmp_path):
    folders = [tmp_path / f"disk{index}" for index in range(6)]
    for folder in folders:
        folder.mkdir()
    return folders


def encode(data, disks, *options, expect=0):
    outputs = [part for disk in disks for part in ("-o", disk)]
    return run("encode", data, "-k", 4, "-m", 2, "--block-size", "4K", *outputs, *options,
               expect=expect)


def shard(disks, index):
    (path,) = disks[index].glob("*.reed")
    return path


def flip(path, offset):
    content = bytearray(path.read_bytes())
    content[offset] ^= 0x40
    path.write_bytes(content)


# ---- the way there and back ----------------------------------------------------------------------


def test_round_trip(data, disks, tmp_path):
    done = encode(data, disks)
    assert "wrote 6 shards" in done.stdout
    assert [path.name for disk in disks for path in disk.iterdir()] == [
        f"photos.tar.{index:03}.reed" for index in range(6)]
    out = tmp_path / "back"
    done = run("decode", *disks, "-o", out, expect=0)
    assert out.read_bytes() == data.read_bytes()
    assert "sha256 matches" in done.stdout
    assert done.stderr == ""
    assert "healthy" in run("verify", *disks, expect=0).stdout
    assert "nothing to repair" in run("repair", *disks, expect=0).stdout


@pytest.mark.parametrize("options", [
    ("--copies", 3), ("-k", 1, "-m", 0), ("-k", 3, "-m", 2, "--generator", "isal-cauchy"),
    ("--digest", "none"), ("--block-size", 8192, "--threads", 1),
], ids=lambda options: "".join(map(str, options)))
@pytest.mark.parametrize("size", [0, 1, 100_000])
def test_round_trip_with_options(options, size, disks, tmp_path):
    data = tmp_path / "data"
    data.write_bytes(random.Random(size).randbytes(size))
    run("encode", data, "-o", disks[0], "-o", disks[1], *options, expect=0)
    run("decode", disks[0], disks[1], "-o", tmp_path / "back", expect=0)
    assert (tmp_path / "back").read_bytes() == data.read_bytes()


def test_degraded_decode_warns_and_is_exact(data, disks, tmp_path):
    encode(data, disks)
    shard(disks, 1).unlink()
    flip(shard(disks, 3), 5000)
    done = run("decode", *disks, "-o", tmp_path / "back", expect=0)
    assert (tmp_path / "back").read_bytes() == data.read_bytes()
    assert "warning" in done.stderr and "reed repair" in done.stderr


def test_repair_after_loss(data, disks):
    encode(data, disks, "--stripe-id", STRIPE_ID)
    whole = snapshot(*disks)
    shard(disks, 1).unlink()
    flip(shard(disks, 3), 5000)
    damaged = snapshot(*disks)
    assert "repairable" in run("verify", *disks, expect=1).stdout
    done = run("repair", *disks, "-n", expect=1)
    assert "would be" in done.stdout
    assert snapshot(*disks) == damaged
    run("repair", *disks, expect=0)
    run("verify", *disks, expect=0)
    assert snapshot(*disks) == whole


def test_repair_places_missing_shards_where_told(data, disks, tmp_path):
    encode(data, disks)
    shard(disks, 0).unlink()
    disks[0].rmdir()
    replacement = tmp_path / "replacement"
    replacement.mkdir()
    run("repair", *disks[1:], "-o", replacement, expect=0)
    assert [path.name for path in replacement.iterdir()] == ["photos.tar.000.reed"]
    run("verify", *disks[1:], replacement, expect=0)


def test_beyond_repair(data, disks, tmp_path):
    encode(data, disks)
    for index in range(3):
        flip(shard(disks, index), 5000)
    before = snapshot(*disks)
    assert "beyond repair" in run("verify", *disks, expect=2).stdout
    out = tmp_path / "back"
    done = run("decode", *disks, "-o", out, expect=2)
    assert "reed salvage" in done.stderr
    run("repair", *disks, expect=2)
    assert snapshot(*disks) == before
    assert not out.exists() and not temporaries(tmp_path)

    run("salvage", *disks, "-o", out, expect=2)
    assert not out.exists()
    partial = (tmp_path / "back.partial").read_bytes()
    holes = json.loads((tmp_path / "back.partial.json").read_text())["holes"]
    original = data.read_bytes()
    assert len(partial) == len(original) and holes
    inside = {hole["offset"] + place for hole in holes for place in range(hole["size"])}
    assert all(partial[place] == (0 if place in inside else original[place])
               for place in range(len(original)))


def test_salvage_of_a_whole_file(data, disks, tmp_path):
    encode(data, disks)
    run("salvage", *disks, "-o", tmp_path / "back", expect=0)
    assert (tmp_path / "back.partial").read_bytes() == data.read_bytes()


def test_same_id_same_bytes(data, disks):
    encode(data, disks, "--stripe-id", STRIPE_ID, "--threads", 1)
    first = snapshot(*disks)
    encode(data, disks, "--stripe-id", STRIPE_ID, "--threads", 3, "-f")
    assert snapshot(*disks) == first


@pytest.mark.parametrize("damage, named", [
    (lambda content: content.__setitem__(20, content[20] ^ 1), "header"),
    (lambda content: content.__setitem__(-20, content[-20] ^ 1), "footer"),
    (lambda content: content.append(0), "footer"),
    (lambda content: content.__delitem__(slice(9000, None)), "footer"),
    (lambda content: content.__setitem__(slice(9000, 9000), bytes(64)), "size"),
], ids=["header", "footer", "longer", "shorter", "wider"])
def test_inspect_tells_what_is_damaged(damage, named, data, disks):
    encode(data, disks)
    assert run("inspect", *disks, expect=0).stdout.count("photos.tar.00") == 6
    content = bytearray(shard(disks, 2).read_bytes())
    damage(content)
    shard(disks, 2).write_bytes(content)
    assert named in run("inspect", disks[2], expect=1).stdout


# ---- streams -------------------------------------------------------------------------------------


def test_standard_input_and_output(data, disks):
    content = data.read_bytes()
    outputs = [part for disk in disks for part in ("-o", disk)]
    run("encode", "-", "--name", "stream", "-k", 4, "-m", 2, *outputs, expect=0, text=False,
        input=content)
    assert shard(disks, 0).name == "stream.000.reed"
    done = run("decode", *disks, "-o", "-", expect=0, text=False)
    assert done.stdout == content
    done = run("decode", *disks, "-o", "-", "--json", expect=0, text=False)
    assert done.stdout == content
    assert json.loads(done.stderr)["exit_code"] == 0


def test_standard_input_needs_a_name(disks):
    done = run("encode", "-", "-o", disks[0], expect=3, input="")
    assert "--name" in done.stderr


def test_reader_that_goes_away(data, disks):
    data.write_bytes(random.Random(2).randbytes(3_000_000))
    encode(data, disks)
    decoding = subprocess.Popen(command("decode", *disks, "-o", "-"), stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, env=environment())
    decoding.stdout.read(10)
    decoding.stdout.close()
    stderr = decoding.stderr.read().decode()
    assert decoding.wait(60) == 6
    assert "Traceback" not in stderr and "standard output was closed" in stderr


# ---- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments, named", [
    ((), "Usage"),
    (("bogus",), "bogus"),
    (("encode",), "FILE"),
    (("encode", "{data}"), "--output"),
    (("encode", "{data}", "-o", "{disk}", "-k", "0"), "data_shards must be 1 to 256, not 0"),
    (("encode", "{data}", "-o", "{disk}", "-k", "ten"), "ten"),
    (("encode", "{data}", "-o", "{disk}", "-k", "200", "-m", "57"), "256"),
    (("encode", "{data}", "-o", "{disk}", "--copies", "3", "-k", "4"), "--copies"),
    (("encode", "{data}", "-o", "{disk}", "--copies", "0"), "copies must be 1 to 256, not 0"),
    (("encode", "{data}", "-o", "{disk}", "--generator", "magic"), "magic"),
    (("encode", "{data}", "-o", "{disk}", "--generator", "isal-vand", "-k", "30", "-m", "9"),
     "isal-vand"),
    (("encode", "{data}", "-o", "{disk}", "--block-size", "5000"), "5000"),
    (("encode", "{data}", "-o", "{disk}", "--block-size", "64Q"), "64Q"),
    (("encode", "{data}", "-o", "{disk}", "--digest", "md5"), "md5"),
    (("encode", "{data}", "-o", "{disk}", "--stripe-id", "xyz"), "xyz"),
    (("encode", "{data}", "-o", "{disk}", "--threads", "0"), "0"),
    (("encode", "{disk}", "-o", "{disk}"), "is a folder"),
    (("decode", "{disk}"), "--output"),
    (("verify",), "SHARDS"),
    (("verify", "{disk}", "-q", "-v"), "-q"),
    (("salvage", "{disk}", "-o", "-"), "-o"),
    (("info", "--bogus"), "--bogus"),
], ids=lambda value: " ".join(value) if isinstance(value, tuple) else "")
def test_usage_errors(arguments, named, data, disks):
    filled = [argument.format(data=data, disk=disks[0]) for argument in arguments]
    done = run(*filled, expect=3)
    assert named in done.stderr
    assert done.stdout == ""
    assert not list(disks[0].iterdir())


@pytest.mark.parametrize("arguments", [
    ("encode", "{absent}", "-o", "{disk}"),
    ("encode", "{data}", "-o", "{absent}"),
    ("inspect", "{absent}"),
], ids=" ".join)
def test_what_the_system_refuses(arguments, data, disks, tmp_path):
    places = {"data": data, "disk": disks[0], "absent": tmp_path / "absent"}
    done = run(*(argument.format(**places) for argument in arguments), expect=6)
    assert str(tmp_path) in done.stderr
    assert not list(disks[0].iterdir())


@pytest.mark.parametrize("verb", ["decode", "verify", "repair", "salvage", "inspect"])
def test_no_shard_found(verb, data, disks, tmp_path):
    (disks[0] / "foreign").write_bytes(b"not a shard")
    options = ("-o", tmp_path / "back") if verb in ("decode", "salvage") else ()
    _, answer = run_json(verb, disks[0], *options, expect=4)
    assert not (tmp_path / "back").exists()
    if verb != "inspect":
        assert answer["error"]["type"] == "NoShardsFound"


def test_never_overwrites_without_force(data, disks, tmp_path):
    encode(data, disks)
    before = snapshot(*disks)
    done = encode(data, disks, expect=3)
    assert "-f" in done.stderr and "photos.tar.000.reed" in done.stderr
    assert snapshot(*disks) == before
    out = tmp_path / "back"
    out.write_bytes(b"mine")
    done = run("decode", *disks, "-o", out, expect=3)
    assert "-f" in done.stderr and str(out) in done.stderr
    assert out.read_bytes() == b"mine"
    run("decode", *disks, "-o", out, "-f", expect=0)
    assert out.read_bytes() == data.read_bytes()
    encode(data, disks, "-f")
    assert snapshot(*disks) != before  # another random stripe id
    run("verify", *disks, expect=0)
    assert not temporaries(tmp_path)


def test_two_stripes_need_a_choice(data, disks, tmp_path):
    encode(data, disks, "--stripe-id", STRIPE_ID)
    encode(data, disks, "--name", "other")
    done = run("verify", *disks, expect=3)
    assert "--stripe-id" in done.stderr and STRIPE_ID in done.stderr
    run("verify", *disks, "--stripe-id", STRIPE_ID, expect=0)
    run("decode", *disks, "--stripe-id", STRIPE_ID, "-o", tmp_path / "back", expect=0)
    assert (tmp_path / "back").read_bytes() == data.read_bytes()


def test_few_folders_are_pointed_out(data, disks):
    done = encode(data, disks[:2])
    assert "2 folders for 6 shards" in done.stderr
    assert "warning" not in encode(data, disks[3:], "--name", "spread").stderr


# ---- what is printed -----------------------------------------------------------------------------


def test_json_of_every_verb(data, disks, tmp_path):
    outputs = [part for disk in disks for part in ("-o", disk)]
    assert run_json("encode", data, *outputs)[1]["report"]["stripe"]["object_size"] == 100_000
    assert run_json("verify", *disks)[1]["report"]["status"] == "healthy"
    shard_to_lose = sorted(disks[0].glob("*.reed"))[0]
    shard_to_lose.unlink()
    code, answer = run_json("verify", *disks)
    assert code == 1
    assert [s["state"] for s in answer["report"]["shards"]].count("missing") == 1
    assert run_json("decode", *disks, "-o", tmp_path / "back")[1]["degraded"] is True
    assert len(run_json("inspect", *disks, expect=0)[1]["report"]["files"]) == 13
    assert run_json("repair", *disks, "-n", expect=1)[1]["report"]["dry_run"] is True
    assert run_json("repair", *disks, expect=0)[1]["report"]["actions"][0]["kind"] == "created"
    assert run_json("salvage", *disks, "-o", tmp_path / "s", expect=0)[1]["report"]["complete"]
    assert run_json("info", expect=0)[1]["version"] == reed.__version__


def test_json_of_an_error(data, disks, tmp_path):
    encode(data, disks)
    for index in range(3):
        shard(disks, index).unlink()
    _, answer = run_json("decode", *disks, "-o", tmp_path / "back", expect=2)
    assert answer["error"]["type"] == "BeyondRepair"
    assert answer["error"]["values"]["needed"] == 4
    assert answer["error"]["values"]["available"] == 3
    assert answer["error"]["values"]["missing"] == [0, 1, 2]


def test_quiet_and_verbose(data, disks):
    assert encode(data, disks, "-q").stdout == ""
    assert run("verify", *disks, "-q", expect=0).stdout == ""
    short = run("verify", *disks, expect=0).stdout
    long = run("verify", *disks, "-v", expect=0).stdout
    assert len(long.splitlines()) > len(short.splitlines())
    assert hashlib.sha256(data.read_bytes()).hexdigest() in long


@pytest.mark.parametrize("verb", VERBS)
def test_help_has_an_example(verb):
    done = run(verb, "--help", expect=0)
    assert f"Example: reed {verb}" in done.stdout
    for option in ("--json", "--quiet", "--verbose", "--debug"):
        assert option in done.stdout


def test_general_help_lists_verbs_and_exit_codes():
    done = run("--help", expect=0)
    for verb in VERBS:
        assert f"\n  {verb}" in done.stdout
    assert "130" in done.stdout
    assert reed.__version__ in run("--version", expect=0).stdout


def test_debug_shows_where(data, disks):
    done = subprocess.run(command("verify", disks[0], "--debug"), capture_output=True, text=True)
    assert done.returncode == 4
    assert "Traceback" in done.stderr


def test_progress_only_on_a_terminal(data, disks):
    encode(data, disks)
    assert run("verify", *disks, expect=0).stderr == ""
    ours, theirs = pty.openpty()
    done = subprocess.run(command("verify", *disks), stdout=subprocess.PIPE, stderr=theirs,
                          env={**os.environ, "TERM": "xterm"})
    os.close(theirs)
    shown = b""
    while True:
        try:
            shown += os.read(ours, 65536)
        except OSError:  # EIO: the other side is closed and all is read
            break
    os.close(ours)
    assert done.returncode == 0
    assert b"verifying" in shown


def test_without_click_one_line_tells_what_to_install():
    code = "import sys; sys.modules['click'] = None; from reed.cli import main; sys.exit(main([]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 3
    assert done.stderr.splitlines() == [
        "reed: the command line needs click: pip install 'reed-storage[cli]'"]


def test_module_and_script_are_one(tmp_path):
    by_module = subprocess.run([sys.executable, "-m", "reed.cli", "info"], capture_output=True,
                               text=True, cwd=tmp_path)
    by_script = subprocess.run([REED, "info"], capture_output=True, text=True, cwd=tmp_path)
    assert (by_module.returncode, by_module.stdout) == (0, by_script.stdout)
