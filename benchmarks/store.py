"""python -m benchmarks.store: the store beside `cat` and plain files, interleaved in one run.

    python -m benchmarks.store [--folder DIR] [--size 512M] [--rounds 7] [--only 10+4]
        [--digest blake3] [--json FILE]

For each code and digest, in every round one after the other:

- *write*: as many files as there are shards, of their size, in pieces of 1 MiB, each fsynced and
  dropped from the page cache; then all read back. Beside it *put*, whose source is in the cache.
- *cat k*: the data shards to /dev/null. Beside it *get*, to a sink that takes everything.
- *cat all*: every shard to /dev/null. Beside it *scrub*.
- *digest* and *crc32c*: one thread over as many bytes in memory: no get can be faster than these.

What is read was dropped from the page cache before. Each `cat` and get is led in by another that is
not timed: a virtual machine may have to ask its host for the memory of the page cache, and then the
first to fill it pays. All shards lie on the one filesystem of --folder. Ratios of seconds are taken
within a round; their median and quartiles are given, the processor time beside them. `cat` has one
thread and reed several: on a machine that does other things at the same time, look at both. Memory
is the peak of the process during the operation.
"""

import argparse
import contextlib
import hashlib
import itertools
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy

import reed
from benchmarks import harness, machine, report
from benchmarks.memory import SEED

PIECE = 1 << 20
CODES = {"10+4": reed.ReedSolomon(10, 4), "6+3": reed.ReedSolomon(6, 3),
         "3 copies": reed.Replication(3)}
DIGESTS = ("blake3", "sha256")
# (operation, its peer, how many times the peer's seconds it may take). A scrub at 80 % of the
# peer's speed takes 1.25 times as long.
TARGETS = (("put", "write", 1.25), ("get", "cat k", 1.25), ("scrub", "cat all", 1.25))


@dataclass
class Samples:
    """Seconds, processor seconds and peak bytes of one contender, round by round."""

    seconds: list[float] = field(default_factory=list)
    processor_seconds: list[float] = field(default_factory=list)
    peak_bytes: list[int] = field(default_factory=list)

    def take(self, call) -> None:
        """Times one call."""
        _forget_peak()
        before, begin = _processor_seconds(), time.perf_counter()
        call()
        self.seconds.append(time.perf_counter() - begin)
        self.processor_seconds.append(_processor_seconds() - before)
        self.peak_bytes.append(_peak_bytes())


def _processor_seconds() -> float:
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _forget_peak() -> None:
    """Makes the kernel count this process's peak of memory anew, where it can."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak_bytes() -> int:
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


class Sink:
    """Takes everything and keeps nothing."""

    def write(self, piece) -> int:
        return len(piece)


def make_source(path: Path, size: int) -> None:
    """A file of random bytes, no two pieces alike."""
    generator = numpy.random.default_rng(SEED)
    with path.open("wb") as file:
        for begin in range(0, size, PIECE):
            file.write(generator.bytes(min(PIECE, size - begin)))
        file.flush()
        os.fsync(file.fileno())


def drop(paths) -> None:
    """Drops files from the page cache; they were synced."""
    for path in paths:
        with open(path, "rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def cat(paths) -> None:
    """Reads files as the shell would."""
    subprocess.run(["cat", *paths], stdout=subprocess.DEVNULL, check=True)


def write_and_read_back(folders, shard_size: int, piece: bytes) -> None:
    """What any program does at least that keeps as many bytes and has seen them on the medium."""
    paths = [folder / "plain" for folder in folders]
    for path in paths:
        with path.open("wb", buffering=0) as file:
            for begin in range(0, shard_size, PIECE):
                file.write(memoryview(piece)[:min(PIECE, shard_size - begin)])
            os.fsync(file.fileno())
        drop([path])
    buffer = bytearray(PIECE)
    for path in paths:
        with path.open("rb", buffering=0) as file:
            while file.readinto(buffer):
                pass
        path.unlink()


def digest_of(name: str, data: bytes, size: int) -> None:
    """The digest of `size` bytes by one thread."""
    hashing = hashlib.sha256()
    if name == "blake3":
        import blake3

        hashing = blake3.blake3()
    for begin in range(0, size, len(data)):
        hashing.update(memoryview(data)[:min(len(data), size - begin)])


def crc32c_of(data: bytes, size: int) -> None:
    """The CRC32C of `size` bytes by one thread."""
    for begin in range(0, size, len(data)):
        reed.crc32c(memoryview(data)[:min(len(data), size - begin)])


def survey(base: Path, source: Path, code, digest: str, rounds: int) -> dict[str, Samples]:
    """All contenders of one code and digest."""
    size = source.stat().st_size
    piece = numpy.random.default_rng(SEED).bytes(PIECE)
    folders = [base / f"disk{index:02d}" for index in range(code.data_shards + code.parity_shards)]
    for folder in folders:
        folder.mkdir()
    found: dict[str, Samples] = {}

    def take(name, call, paths=()):
        drop(paths)
        found.setdefault(name, Samples()).take(call)

    with reed.Store.create(folders, code=code, digest=digest, allow_shared_devices=True,
                           retention_hours=0, reserve_bytes=0) as store:
        store.put("kept", source)
        shards = [str(path) for path in sorted(
            base.glob("disk*/shards/*/kept.*.reed"), key=lambda path: path.suffixes[-2])]
        data = shards[:code.data_shards]
        shard_size = os.path.getsize(shards[0])
        for number in range(rounds):
            take("write", lambda: write_and_read_back(folders, shard_size, piece))
            cat([source])
            take("put", lambda key=f"put{number}": store.put(key, source))
            store.delete(f"put{number}")
            store.reclaim()
            cat(data)  # see the top
            take("cat k", lambda: cat(data), data)
            drop(data)
            store.get("kept", Sink())
            take("get", lambda: store.get("kept", Sink()), data)
            cat(shards)
            take("cat all", lambda: cat(shards), shards)
            take("scrub", lambda: _require_clean(store.scrub(prefix="kept")), shards)
            take("digest", lambda: digest_of(digest, piece, size))
            take("crc32c", lambda: crc32c_of(piece, size))
    return found


def _require_clean(scrubbed) -> None:
    if scrubbed.status != "clean" or scrubbed.how != "medium":
        raise AssertionError(f"a scrub of whole objects says {scrubbed}")


def quartiles(found: dict[str, Samples], name: str, peer: str) -> tuple[float, float, float]:
    """Of the ratio of seconds, round by round."""
    ratios = numpy.divide(found[name].seconds, found[peer].seconds)
    return tuple(float(value) for value in numpy.percentile(ratios, (25, 50, 75)))


def lines(title: str, size: int, found: dict[str, Samples]):
    """One survey as text."""
    yield f"{title}, object of {size >> 20} MiB"
    for name, samples in found.items():
        ratio = ""
        for operation, peer, limit in TARGETS:
            if name == operation:
                low, middle, high = quartiles(found, name, peer)
                ratio = (f"; {middle:.2f} times {peer} ({low:.2f} to {high:.2f}), at most {limit}: "
                         + ("met" if middle <= limit else "MISSED"))
        yield (f"    {name:<8}{numpy.median(samples.seconds):7.3f} s, fastest "
               f"{min(samples.seconds):.3f}, processor "
               f"{numpy.median(samples.processor_seconds):.3f} s, "
               f"{max(samples.peak_bytes) >> 20} MiB{ratio}")


def size_argument(text: str) -> int:
    """Bytes: digits, with K, M or G behind them."""
    units = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
    digits = text.rstrip("KMG")
    if not digits.isdigit() or text not in (digits, *(digits + unit for unit in units)):
        raise argparse.ArgumentTypeError(f"a size is digits and perhaps K, M or G, not {text!r}")
    return int(digits) * units.get(text[len(digits):], 1)


def arguments(argv):
    parser = argparse.ArgumentParser(prog="python -m benchmarks.store",
                                     description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, default=harness.BUILD,
                        help="where the targets are made, and removed (build/benchmarks)")
    parser.add_argument("--size", type=size_argument, default=512 << 20, help="of the object")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", choices=CODES, action="append", help="a code; repeat it")
    parser.add_argument("--digest", choices=DIGESTS, action="append", help="repeat it")
    parser.add_argument("--json", type=Path, help="also write every sample there")
    chosen = parser.parse_args(argv)
    if chosen.rounds < 1:
        parser.error(f"--rounds must be at least 1, not {chosen.rounds}")
    return chosen


def main(argv=None) -> int:
    chosen = arguments(argv)
    described = machine.describe(harness.COMPILER[0])
    print(*report.machine_lines(described), sep="\n", flush=True)
    chosen.folder.mkdir(parents=True, exist_ok=True)
    document = {"machine": described, "size": chosen.size, "surveys": {}}
    with tempfile.TemporaryDirectory(prefix="store-", dir=chosen.folder) as work:
        source = Path(work) / "source"
        make_source(source, chosen.size)
        for name, digest in itertools.product(chosen.only or CODES, chosen.digest or DIGESTS):
            base = Path(work) / "store"
            base.mkdir()
            found = survey(base, source, CODES[name], digest, chosen.rounds)
            shutil.rmtree(base)
            title = f"{name}, {digest}"
            document["surveys"][title] = {key: asdict(each) for key, each in found.items()}
            print(*lines(title, chosen.size, found), sep="\n", flush=True)
    if chosen.json:
        chosen.json.write_text(json.dumps(document, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
