"""What is measured and what it should reach, as data.

A case is one job and the entrants that do it side by side; the first is the subject. A target says
how many times as fast as a reference the subject should be. Nothing here depends on the machine.
"""

from dataclasses import dataclass, field

from benchmarks.job import HOT, ROTATING, Job
from benchmarks.memory import ARRAY, PAGES, SPREAD

KIB, MIB = 1 << 10, 1 << 20


@dataclass(frozen=True)
class Entrant:
    """One column of a case: which contestant does which operation, under which label."""

    label: str
    contestant: str
    operation: str
    options: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Target:
    """The subject should be `at_least` times as fast as the fastest of `against`."""

    at_least: float
    against: tuple
    subject: str = "reed"


@dataclass(frozen=True)
class Case:
    name: str
    title: str
    group: str
    job: Job
    entrants: tuple
    targets: tuple = ()
    threads: int = 1     # the processors that it needs
    is_quick: bool = True


# ---- entrants ------------------------------------------------------------------------------------

ROOFLINE, ROOFLINE_NT = "roofline", "roofline nt"
PEER_LABELS = {"isal": "ISA-L", "pyeclib": "pyeclib", "zfec": "zfec", "leopard": "leopard",
               "crc32c": "crc32c", "google-crc32c": "google-crc32c"}


def _reed(operation, label="reed", **options):
    return Entrant(label, "reed", operation, options)


def _peer(name, operation, label=None, **options):
    return Entrant(label or PEER_LABELS[name], name, operation, options)


def _rooflines(operation):
    return (Entrant(ROOFLINE, "roofline", operation),
            Entrant(ROOFLINE_NT, "roofline", operation, {"nontemporal": True}))


def _size(size):
    return f"{size // MIB} MiB" if size % MIB == 0 and size else f"{size // KIB} KiB"


# ---- encode --------------------------------------------------------------------------------------

def _encode(k, m, size, targets=(), is_quick=True, layout=SPREAD):
    where = "in cache" + (", page-aligned" if layout == PAGES else "")
    suffix = "" if layout == SPREAD else f"-{layout}"
    return Case(
        f"encode-{k}+{m}-{size // KIB}KiB{suffix}",
        f"{k}+{m} encode, {_size(size)} shards, {where}",
        "encode", Job(k, m, size, layout=layout),
        (_reed("encode"), _peer("isal", "encode"), *_rooflines("encode")), tuple(targets),
        is_quick=is_quick)


def _against_isal(factor):
    return Target(factor, ("ISA-L",))


def _encode_cases():
    for size in (4 * KIB, 16 * KIB, 64 * KIB):
        targets = (_against_isal(1.7), Target(0.85, (ROOFLINE,))) if size > 4 * KIB else ()
        yield _encode(10, 4, size, targets, is_quick=bool(targets))
        yield _encode(10, 4, size, targets, is_quick=bool(targets), layout=PAGES)
    for k, m, factor in ((4, 2, 1.5), (6, 3, 1.5), (8, 3, 1.5), (17, 3, 1.5), (12, 6, 1.8),
                         (24, 8, 2.7), (32, 8, 3.3), (16, 16, 3.3), (40, 16, 4.3)):
        yield _encode(k, m, 16 * KIB, [_against_isal(factor)])
    for k, m in ((16, 4), (9, 3), (20, 4), (28, 4)):
        yield _encode(k, m, 16 * KIB, is_quick=False)
    yield Case("encode-10+1-16KiB", "10+1 encode (XOR), 16 KiB shards, in cache", "encode",
               Job(10, 1, 16 * KIB),
               (_reed("encode"), _peer("isal", "xor", "ISA-L xor_gen"), *_rooflines("encode")),
               is_quick=False)
    yield Case("encode-10+4-1MiB-memory", "10+4 encode, 1 MiB shards, from memory", "encode",
               Job(10, 4, MIB, ROTATING),
               (_reed("encode"), _peer("isal", "encode"), *_rooflines("encode"),
                Entrant("memcpy", "roofline", "copy")),
               (_against_isal(1.45), Target(0.9, (ROOFLINE_NT,))))


def _wide_cases():
    for k, m, size, targets in (
            (128, 128, 4 * KIB, (3, 6)), (128, 128, 64 * KIB, (5, 6)),
            (100, 100, 4 * KIB, (None, 4)), (100, 100, 64 * KIB, (None, 4)),
            (200, 56, 4 * KIB, (None, 4)), (200, 56, 64 * KIB, (None, 4))):
        over_leopard, over_isal = targets
        yield Case(
            f"encode-{k}+{m}-{size // KIB}KiB", f"{k}+{m} encode, {_size(size)} shards", "wide",
            Job(k, m, size),
            (_reed("encode"), _reed("array-encode", "reed (Python)"),
             _peer("leopard", "array-encode"), _peer("isal", "encode"), *_rooflines("encode")),
            (*((Target(over_leopard, ("leopard",), "reed (Python)"),) if over_leopard else ()),
             _against_isal(over_isal)),
            is_quick=size == 4 * KIB or m == 128)


# ---- repair --------------------------------------------------------------------------------------

def _reconstruct(k, m, size, lost, level, targets, what, is_quick=True):
    where = "in cache" if level == HOT else "from memory"
    suffix = "" if level == HOT else "-memory"
    return Case(
        f"reconstruct-{k}+{m}-{len(lost)}lost-{size // KIB}KiB{suffix}",
        f"{k}+{m} reconstruct {what}, {_size(size)} shards, {where}", "repair",
        Job(k, m, size, level, lost),
        (_reed("reconstruct"), _peer("isal", "reconstruct"), *_rooflines("reconstruct")),
        tuple(targets), is_quick=is_quick)


def _repair_cases():
    yield _reconstruct(10, 4, 64 * KIB, (3,), HOT,
                       [_against_isal(1.2), Target(0.9, (ROOFLINE,))], "one data shard")
    yield _reconstruct(10, 4, MIB, (3,), ROTATING,
                       [_against_isal(1.05), Target(0.9, (ROOFLINE_NT,))], "one data shard")
    yield _reconstruct(10, 4, 64 * KIB, (3, 7), HOT, [], "two data shards", is_quick=False)
    yield _reconstruct(10, 4, 64 * KIB, (0, 3, 7, 9), HOT, [], "four data shards", is_quick=False)
    yield _reconstruct(10, 4, MIB, (3, 7), ROTATING, [], "two data shards", is_quick=False)
    for size in (4 * KIB, 64 * KIB):
        lost = tuple(range(0, 128, 2))
        yield Case(
            f"repair-128+128-64lost-{size // KIB}KiB",
            f"128+128 repair 64 lost data shards, {_size(size)} shards", "repair",
            Job(128, 128, size, HOT, lost),
            (_reed("reconstruct"), _reed("array-reconstruct", "reed (Python)"),
             _peer("leopard", "array-reconstruct"),
             _peer("isal", "reconstruct", "ISA-L (dense plan)"), *_rooflines("reconstruct")),
            (Target(8, ("leopard",), "reed (Python)"), Target(1.5, ("ISA-L (dense plan)",))))


# ---- integrity -----------------------------------------------------------------------------------

def _integrity_cases():
    for size, level in ((64 * KIB, HOT), (MIB, ROTATING)):
        where = "in cache" if level == HOT else "from memory"
        suffix = "" if level == HOT else "-memory"
        yield Case(
            f"encode+crc32c-10+4-{size // KIB}KiB{suffix}",
            f"10+4 encode + CRC32C of all shards, {_size(size)} shards, {where}", "integrity",
            Job(10, 4, size, level),
            (_reed("encode+crc32c"), _reed("encode+crc32c", "reed, two passes", fused=False),
             _peer("isal", "encode+crc32c", "ISA-L, two passes"),
             _peer("isal", "encode", "ISA-L encode alone"), *_rooflines("encode")),
            (Target(2.2, ("ISA-L, two passes",)), Target(1.0, ("ISA-L encode alone",)))
            if level == ROTATING else (), is_quick=level == ROTATING)
        yield Case(
            f"crc32c+reconstruct-10+4-2lost-{size // KIB}KiB{suffix}",
            f"10+4 verify + rebuild two, {_size(size)} shards, {where}", "integrity",
            Job(10, 4, size, level, (3, 7)),
            (_reed("crc32c+reconstruct"),
             _reed("crc32c+reconstruct", "reed, two passes", fused=False),
             _peer("isal", "crc32c+reconstruct", "ISA-L, two passes"),
             *_rooflines("crc32c+reconstruct")), is_quick=False)
        yield Case(
            f"crc32c-{size // KIB}KiB{suffix}", f"CRC32C of {_size(size)} blocks, {where}",
            "crc32c", Job(10, 1, size, level), (_reed("crc32c"), _peer("isal", "crc32c")),
            is_quick=False)
    for size, level, targets in ((64 * KIB, HOT, ()),
                                 (MIB, ROTATING, (Target(0.9, (ROOFLINE_NT,)),))):
        where = "in cache" if level == HOT else "from memory"
        suffix = "" if level == HOT else "-memory"
        yield Case(
            f"replicas-3+crc32c-{size // KIB}KiB{suffix}",
            f"three replicas + CRC32C per block, {_size(size)}, {where}", "integrity",
            Job(1, 2, size, level),
            (_reed("encode+crc32c"), _reed("encode+crc32c", "reed, two passes", fused=False),
             _reed("encode", "reed, without CRC32C"),
             _peer("isal", "copies+crc32c", "memcpy, then ISA-L CRC32C"), *_rooflines("encode")),
            targets, is_quick=level == ROTATING)


# ---- instruction sets ----------------------------------------------------------------------------

def _kernel_cases():
    for k, m, factor in ((10, 4, 1.3), (24, 8, 2)):
        yield Case(
            f"encode-{k}+{m}-16KiB-avx2",
            f"{k}+{m} encode, 16 KiB shards, in cache, AVX2 without GFNI", "kernels",
            Job(k, m, 16 * KIB),
            (_reed("encode", kernel="avx2"), _peer("isal", "encode", "ISA-L avx2", isa="avx2"),
             _reed("encode", "reed dense avx2", kernel="avx2", dense=True),
             *_rooflines("encode")),
            (Target(factor, ("ISA-L avx2", "reed dense avx2")),))
        yield Case(
            f"encode-{k}+{m}-16KiB-kernels",
            f"{k}+{m} encode, 16 KiB shards, in cache, every kernel", "kernels",
            Job(k, m, 16 * KIB),
            (_reed("encode"),
             *(_reed("encode", f"reed {kernel}", kernel=kernel)
               for kernel in ("avx512_gfni", "avx2_gfni", "avx2", "neon", "portable")),
             _reed("encode", "reed dense", dense=True),
             *(_peer("isal", "encode", f"ISA-L {isa}", isa=isa)
               for isa in ("avx512_gfni", "avx2_gfni", "avx2")),
             *_rooflines("encode")), is_quick=False)


# ---- through ISA-L's interface -------------------------------------------------------------------

def _drop_in_cases():
    for k, m, factor in ((4, 1, 1.1), (10, 1, 1.1), (4, 2, 1), (10, 4, 1), (12, 6, 1.1),
                         (20, 10, 1.1), (32, 8, 1.1)):
        for size, level in ((16 * KIB, HOT), (MIB, ROTATING)):
            where = "in cache" if level == HOT else "from memory"
            suffix = "" if level == HOT else "-memory"
            yield Case(
                f"drop-in-{k}+{m}-{size // KIB}KiB{suffix}",
                f"{k}+{m} encode through ISA-L's interface, {_size(size)} shards, {where}",
                "drop-in", Job(k, m, size, level),
                (Entrant("reed's libisal", "drop-in", "encode"), _peer("isal", "encode"),
                 *_rooflines("encode")),
                (Target(factor, ("ISA-L",), "reed's libisal"),))


# ---- from Python ---------------------------------------------------------------------------------

ARRAYS = "python-arrays-10+4-64KiB"  # benchmarks.acceptance measures this one alone


def _python_cases():
    for name, layout, what in (
            (ARRAYS, ARRAY, "as NumPy makes them"),
            (f"{ARRAYS}-pages", PAGES, "page-aligned"),
            (f"{ARRAYS}-spread", SPREAD, "aligned, rows 66,112 bytes apart")):
        yield Case(
            name, f"Python, 10+4 encode, 2-D arrays {what}, 64 KiB shards, in cache", "python",
            Job(10, 4, 64 * KIB, layout=layout),
            (_reed("array-encode"), _peer("isal", "array-encode", "ISA-L (ctypes)"),
             _reed("list-encode", "reed, lists")),
            (Target(1.6, ("ISA-L (ctypes)",)),))
    large = {"data_shards": 10, "parity_shards": 4, "shard_size": MIB}
    yield Case(
        "python-object-10MiB-encode", "Python, 10 MiB object, 10+4 encode, out= reused", "python",
        Job(**large),
        (_reed("object-encode"), _peer("pyeclib", "object-encode"),
         _peer("zfec", "object-encode")),
        (Target(4, ("pyeclib",)), Target(40, ("zfec",))))
    yield Case(
        "python-object-10MiB-decode", "Python, 10 MiB object, 10+4 decode, 2 lost, out= reused",
        "python", Job(**large, lost=(3, 7)),
        (_reed("object-decode"), _peer("pyeclib", "object-decode"),
         _peer("zfec", "object-decode")),
        (Target(2.5, ("pyeclib",)),))
    yield Case(
        "python-object-10MiB-reconstruct",
        "Python, 10 MiB object, 10+4 reconstruct one, out= reused", "python",
        Job(**large, lost=(3,)),
        (_reed("object-reconstruct"), _peer("pyeclib", "object-reconstruct")),
        (Target(1.2, ("pyeclib",)),))
    yield Case(
        "python-small-encode", "Python, (10, 410) bytes, 10+4 encode", "python",
        Job(10, 4, 410),
        (_reed("array-encode", out=False), _reed("array-encode", "reed, out= reused"),
         _peer("pyeclib", "object-encode"), _peer("zfec", "object-encode")),
        (Target(3, ("pyeclib",)),))
    yield Case(
        "python-small-decode", "Python, (10, 410) bytes, 10+4 decode, 2 lost", "python",
        Job(10, 4, 410, lost=(3, 7)),
        (_reed("object-decode", out=False), _reed("object-decode", "reed, out= reused"),
         _peer("pyeclib", "object-decode"), _peer("zfec", "object-decode")),
        (Target(5, ("pyeclib",)),))
    yield Case(
        "python-encode+crc32c", "Python, 10+4 encode + CRC32C of all shards, 1 MiB shards",
        "python", Job(**large),
        (_reed("array-encode+crc32c"),
         _reed("array-encode+crc32c", "reed, two passes", fused=False),
         _reed("array-encode", "reed encode alone")))
    yield Case(
        "python-crc32c+reconstruct", "Python, 10+4 verify + rebuild two, 1 MiB shards", "python",
        Job(**large, lost=(3, 7)),
        (_reed("array-crc32c+reconstruct"),
         _reed("array-reconstruct", "reed reconstruct alone")), is_quick=False)
    for size in (4 * KIB, MIB):
        yield Case(
            f"python-crc32c-{size // KIB}KiB", f"Python, CRC32C of {_size(size)}", "python",
            Job(1, 0, size),
            (_reed("object-crc32c"), _peer("crc32c", "object-crc32c"),
             _peer("google-crc32c", "object-crc32c")), is_quick=False)


# ---- threads -------------------------------------------------------------------------------------

def _thread_cases():
    yield Case(
        "threads-2-stripes",
        "10+4 encode, 64 KiB shards in cache, a stripe for each of two threads", "threads",
        Job(10, 4, 64 * KIB),
        (_reed("encode-threads", "reed, two threads", threads=2),
         _reed("encode-threads", "reed, one thread", threads=1)),
        (Target(1.8, ("reed, one thread",), "reed, two threads"),), threads=2)
    for size, in_cache in ((128 * KIB, "64 KiB of each shard"), (MIB, "512 KiB of each shard")):
        yield Case(
            f"threads-2-python-{size // KIB}KiB",
            f"Python, 10+4 encode, {_size(size)} shards, threads=2 ({in_cache} for each)",
            "threads", Job(10, 4, size),
            (_reed("array-encode", "reed, threads=2", threads=2),
             _reed("array-encode", "reed, threads=1")),
            (Target(1.8, ("reed, threads=1",), "reed, threads=2"),), threads=2)


CASES = tuple(case for cases in (
    _encode_cases(), _wide_cases(), _repair_cases(), _integrity_cases(), _kernel_cases(),
    _drop_in_cases(), _python_cases(), _thread_cases()) for case in cases)


# ---- surveys: what the plots show beyond the cases -----------------------------------------------

HEAT_DATA_SHARDS = (2, 3, 4, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64, 100, 128, 200)
HEAT_PARITY_SHARDS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 24, 32, 56, 64, 100, 128)
HEAT_SHARD_SIZE = 8 * KIB
SIZES_HOT = tuple(256 << i for i in range(13))          # 256 B to 1 MiB
SIZES_ROTATING = tuple((4 * KIB) << i for i in range(0, 12, 2))  # 4 KiB to 4 MiB
OBJECT_SIZES = (500, 1000, 4100, 16400, 65600, 262400, 1049600)
THREAD_SHARD_SIZES = (64 * KIB, 128 * KIB, 256 * KIB, MIB, 4 * MIB)


def size_survey():
    """Encode against shard size, in cache and from memory."""
    for level, sizes in ((HOT, SIZES_HOT), (ROTATING, SIZES_ROTATING)):
        for i, size in enumerate(sizes):
            yield Case(f"size-{level}-{size}", f"10+4 encode, {size} B shards, {level}", "size",
                       Job(10, 4, size, level),
                       (_reed("encode"), _peer("isal", "encode"), *_rooflines("encode")),
                       is_quick=i % 2 == 0)


def geometry_survey():
    """Encode at many geometries, in cache."""
    for i, k in enumerate(HEAT_DATA_SHARDS):
        for j, m in enumerate(HEAT_PARITY_SHARDS):
            if k + m <= 256:
                yield Case(f"geometry-{k}+{m}", f"{k}+{m} encode, {_size(HEAT_SHARD_SIZE)} shards",
                           "geometry", Job(k, m, HEAT_SHARD_SIZE),
                           (_reed("encode"), _peer("isal", "encode")),
                           is_quick=i % 3 == 2 and j % 2 == 1)


def object_survey():
    """What one call costs from Python, for objects of a few bytes to a mebibyte."""
    for i, size in enumerate(OBJECT_SIZES):
        job = {"data_shards": 10, "parity_shards": 4, "shard_size": size // 10}
        yield Case(f"object-encode-{size}", f"Python, {size} B, 10+4 encode", "object",
                   Job(**job),
                   (_reed("array-encode", out=False), _reed("list-encode", "reed, lists"),
                    _peer("pyeclib", "object-encode"), _peer("zfec", "object-encode")),
                   is_quick=i % 2 == 0)
        yield Case(f"object-decode-{size}", f"Python, {size} B, 10+4 decode, 2 lost", "object",
                   Job(**job, lost=(3, 7)),
                   (_reed("object-decode", out=False), _peer("pyeclib", "object-decode"),
                    _peer("zfec", "object-decode")),
                   is_quick=i % 2 == 0)


def thread_survey(processor_count):
    """One thread against all processors: stripes of their own, and ``threads=`` from Python."""
    counts = sorted({1, 2, processor_count // 2, processor_count} - {0})
    counts = [count for count in counts if count <= processor_count]
    yield Case("threads-stripes", "10+4 encode, 64 KiB shards, a stripe for each thread", "threads",
               Job(10, 4, 64 * KIB),
               tuple(_reed("encode-threads", str(count), threads=count) for count in counts),
               threads=max(counts))
    for size in THREAD_SHARD_SIZES:
        yield Case(f"threads-python-{size}", f"Python, 10+4 encode, {_size(size)} shards, threads=",
                   "threads", Job(10, 4, size),
                   tuple(_reed("array-encode", str(count), threads=count) for count in counts),
                   threads=max(counts))
