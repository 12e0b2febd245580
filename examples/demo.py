"""The demonstration: protect real data, lose parts of it, get it back, and see where that ends.

``make demo`` runs it in its own environment. It uses the ``reed`` command as anyone would, on
folders that stand for disks, under build/demo (removed when it starts again). Every claim that it
prints is checked; the first one that does not hold ends it with exit code 1.
"""

import hashlib
import json
import random
import shutil
import statistics
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import numpy

import reed

ROOT = Path("build/demo")
DATA_SIZE_MIN = 50_000_000
DATA_SIZE_WANTED = 64_000_000
FILE_SIZE_MAX = 8_000_000  # one huge library would make the story longer, not better
DATA_SHARDS, PARITY_SHARDS, COPIES = 10, 4, 3
BLOCK_SIZE = 65536
SHARD_HEADER_SIZE, BLOCK_HEADER_SIZE = 256, 64  # FORMAT.md
SEED = 20180720  # the day of the incident; the damage is the same in every run

damage = random.Random(SEED)


# ---- telling and checking ------------------------------------------------------------------------


def act(title):
    print(f"\n=== {title}\n")


def tell(text):
    print(text)


def claim(text, holds):
    """Prints a claim that was just checked; ends the demonstration when it does not hold."""
    if not holds:
        print(f"  FAILED: {text}")
        sys.exit(1)
    print(f"  checked: {text}")


def command(*arguments, expect, show=12):
    """Runs a reed command as in a shell and checks its exit code."""
    words = [str(argument) for argument in arguments]
    folders = [word for word in words if "disk" in word or "copy" in word]
    if len(folders) > 4:
        # The shell would expand a pattern; printing fourteen folders helps nobody.
        shown = [word for word in words if word not in folders[1:]]
        shown[shown.index(folders[0])] = f"{folders[0][:-2]}*"
    else:
        shown = words
    print(f"$ reed {' '.join(shown)}")
    done = subprocess.run([sys.executable, "-m", "reed.cli", *words], capture_output=True,
                          text=True)
    lines = (done.stdout + done.stderr).splitlines()
    for line in lines[:show]:
        print(f"  {line}")
    if len(lines) > show:
        print(f"  ... {len(lines) - show} more lines")
    claim(f"exit code {expect}", done.returncode == expect)


def sha256(path):
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def prove_identical(path, original):
    claim(f"SHA-256 of {path} is that of the original", sha256(path) == sha256(original))


# ---- damage --------------------------------------------------------------------------------------


def shard_file(folder):
    (path,) = Path(folder).glob("*.reed")
    return path


def flip_a_byte(path, row):
    """What a firmware bug does: the disk reports success and gives other bytes."""
    record_size = BLOCK_HEADER_SIZE + BLOCK_SIZE
    offset = SHARD_HEADER_SIZE + row * record_size + damage.randrange(record_size)
    with open(path, "r+b") as stream:
        stream.seek(offset)
        byte = stream.read(1)[0]
        stream.seek(offset)
        stream.write(bytes([byte ^ damage.randrange(1, 256)]))


def cut(path, fraction):
    with open(path, "r+b") as stream:
        stream.truncate(int(path.stat().st_size * fraction))


def wipe(folder):
    """The disk was replaced by an empty one."""
    shutil.rmtree(folder)
    folder.mkdir()


# ---- the acts ------------------------------------------------------------------------------------


def make_data():
    """A tar of the environment that `make demo` has just made, more than 50 MB of it."""
    path = ROOT / "environment.tar"
    files = sorted(path for path in Path(sys.prefix).rglob("*")
                   if path.is_file() and path.stat().st_size <= FILE_SIZE_MAX)
    with tarfile.open(path, "w") as archive:
        turn = 0
        while archive.offset < DATA_SIZE_WANTED:
            turn += 1
            for file in files:
                archive.add(file, arcname=f"{turn}/{file.relative_to(sys.prefix)}")
                if archive.offset >= DATA_SIZE_WANTED:
                    break
    return path


def folders_for(name, count):
    folders = [ROOT / f"{name}{index:02}" for index in range(count)]
    for folder in folders:
        folder.mkdir()
    return folders


def protect(data, disks, copies):
    outputs = [part for disk in disks for part in ("-o", disk)]
    command("encode", data, "-k", DATA_SHARDS, "-m", PARITY_SHARDS, *outputs, expect=0)
    outputs = [part for copy in copies for part in ("-o", copy)]
    command("encode", data, "--copies", COPIES, *outputs, expect=0)


def lose_within_redundancy(data, disks, copies):
    tell("Two disks die, one flips a byte without saying so, one ends too early.")
    wipe(disks[2])
    wipe(disks[11])
    flip_a_byte(shard_file(disks[5]), row=7)
    cut(shard_file(disks[8]), 0.6)
    command("verify", *disks, expect=1)
    tell("The file can be had at once, before any repair:")
    out = ROOT / "during.tar"
    command("decode", *disks, "-o", out, expect=0)
    prove_identical(out, data)
    command("repair", *disks, expect=0)
    command("verify", *disks, expect=0)

    tell("\nOf the three copies one is gone, and both survivors have bad blocks, in different")
    tell("places. Neither is whole; together they are.")
    wipe(copies[0])
    for row in range(10, 24):
        flip_a_byte(shard_file(copies[1]), row)
    for row in range(100, 130):
        flip_a_byte(shard_file(copies[2]), row)
    command("verify", *copies, expect=1)
    command("repair", *copies, expect=0)
    command("verify", *copies, expect=0)
    out = ROOT / "merged.tar"
    command("decode", *copies, "-o", out, expect=0)
    prove_identical(out, data)


def damage_every_shard(data, disks):
    tell("Each of the 14 shards is damaged, in other rows than its neighbours: no file is whole.")
    for index, disk in enumerate(disks):
        for row in range(index, 60, len(disks)):
            flip_a_byte(shard_file(disk), row)
    command("verify", *disks, expect=1, show=6)
    out = ROOT / "every.tar"
    command("decode", *disks, "-o", out, expect=0)
    prove_identical(out, data)
    command("repair", *disks, expect=0, show=4)
    command("verify", *disks, expect=0)


def one_step_beyond(data, disks):
    tell(f"{PARITY_SHARDS + 1} blocks of one row go bad: one more than {DATA_SHARDS}"
         f"+{PARITY_SHARDS} covers.")
    for disk in disks[:PARITY_SHARDS + 1]:
        flip_a_byte(shard_file(disk), row=42)
    command("verify", *disks, expect=2)
    out = ROOT / "beyond.tar"
    command("decode", *disks, "-o", out, expect=2)
    claim("no file was written, not even a part of one", not list(ROOT.glob("beyond.tar*")))
    command("salvage", *disks, "-o", out, expect=2)

    partial, original = Path(f"{out}.partial").read_bytes(), data.read_bytes()
    map_of_file = json.loads(Path(f"{out}.partial.json").read_text())
    holes = [(hole["offset"], hole["offset"] + hole["size"]) for hole in map_of_file["holes"]]
    lost = sum(end - begin for begin, end in holes)
    claim(f"the map names {len(holes)} hole{'s' * (len(holes) != 1)} of {lost:,} bytes",
          0 < lost <= (PARITY_SHARDS + 1) * BLOCK_SIZE)
    position, outside_agrees = 0, len(partial) == len(original)
    for begin, end in [*holes, (len(original), len(original))]:
        outside_agrees &= partial[position:begin] == original[position:begin]
        position = end
    claim(f"every byte outside the holes is right: {len(original) - lost:,} of "
          f"{len(original):,}", outside_agrees)
    claim("the holes hold zeros, nothing that could be taken for data",
          all(not any(partial[begin:end]) for begin, end in holes))


def measure_speed(data):
    """The codec beside a plain copy of the same bytes: same run, taking turns, medians."""
    code = reed.ReedSolomon(DATA_SHARDS, PARITY_SHARDS)
    everything = numpy.fromfile(data, numpy.uint8)
    rates = {}
    for label, shard_size in (("in cache, 64 KiB shards", 65536),
                              ("in memory, the whole file", len(everything) // DATA_SHARDS)):
        rows = everything[:DATA_SHARDS * shard_size].reshape(DATA_SHARDS, shard_size)
        parity = numpy.empty((PARITY_SHARDS, shard_size), numpy.uint8)
        copied = numpy.empty_like(rows)
        rounds = max(5, 200_000_000 // rows.size)
        spent = {"encode": [], "copy": []}
        for _ in range(rounds):
            begin = time.perf_counter()
            code.encode(rows, out=parity)
            middle = time.perf_counter()
            numpy.copyto(copied, rows)
            end = time.perf_counter()
            spent["encode"].append(middle - begin)
            spent["copy"].append(end - middle)
        encode, copy = (rows.size / statistics.median(times) / 1e9 for times in spent.values())
        rates[label] = encode
        tell(f"  {label:<27} encode {DATA_SHARDS}+{PARITY_SHARDS}: {encode:6.1f} GB/s   "
             f"memory copy: {copy:6.1f} GB/s")
        claim("the parity is right (all shards agree)",
              code.verify(dict(enumerate([*rows, *parity]))))
    tell(f"  data bytes per second, one thread, kernel {code.kernel}")
    return rates


def main():
    started = time.perf_counter()
    shutil.rmtree(ROOT, ignore_errors=True)
    ROOT.mkdir(parents=True)

    act("Real data")
    data = make_data()
    size = data.stat().st_size
    tell(f"{data}: a tar of this environment, {size:,} bytes, SHA-256 {sha256(data)}")
    claim(f"at least {DATA_SIZE_MIN:,} bytes", size >= DATA_SIZE_MIN)

    act(f"Protect it: {DATA_SHARDS}+{PARITY_SHARDS} over 14 disks, and as {COPIES} copies")
    disks = folders_for("disk", DATA_SHARDS + PARITY_SHARDS)
    copies = folders_for("copy", COPIES)
    protect(data, disks, copies)

    act("Damage within the redundancy")
    lose_within_redundancy(data, disks, copies)

    act("Every shard damaged, in different places")
    damage_every_shard(data, disks)

    act("One step beyond")
    one_step_beyond(data, disks)

    act("Speed")
    rates = measure_speed(data)

    act("What it earns: nines a year at the speed just measured")
    command("durability", "--measure", expect=0)

    act("Summary")
    tell(f"  {size / 1e6:.0f} MB of real data, protected {DATA_SHARDS}+{PARITY_SHARDS} and as "
         f"{COPIES} copies")
    tell("  lost disks, silent corruption, truncation, 14 of 14 shards damaged: exact each time")
    tell("  one block beyond the redundancy: refused, nothing half written, the rest salvaged")
    tell(f"  codec: up to {max(rates.values()):.0f} GB/s of data on one core")
    tell(f"  {time.perf_counter() - started:.0f} seconds; every line marked `checked` was checked")


if __name__ == "__main__":
    main()
