"""Breaks the library in small ways, one at a time, and shows which test notices.

    python tests/mutants.py [NAME...]     all mutants, or those whose name contains a NAME

Each mutant is one change of text in a copy of the tree. The tests named with it are built and run
there, the cheapest first; the first one that fails has caught it. Before, every test must pass on
an unchanged copy. Exits 1 when a mutant is missed or does not apply. Needs gcc; the mutants of the
Python door build the extension and need what building reed needs.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FLAGS = ("-std=c11", "-O1", "-Icsrc", "-Icsrc/include")
TIMEOUT_SECONDS = 900

KERNELS = "test_kernels {kernel} 20"  # on each kernel that this machine runs
FUZZ = "fuzz_driver+../fuzz/fuzz_reconstruct 20000"


@dataclass
class Mutant:
    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]  # "PROGRAM arguments" of tests/c, or "pytest arguments"
    every: bool = False     # every occurrence of `old`, else exactly one is expected


MUTANTS = [
    Mutant("wrong twiddle", "csrc/wide.c",
           "(base + (unsigned)block) >> layer);", "(base + (unsigned)block) >> layer ^ 1);",
           (KERNELS,)),
    Mutant("wrong Cantor basis entry", "csrc/field.c",
           "{1, 214, 152, 146,", "{1, 214, 152, 147,", ("test_field", KERNELS)),
    Mutant("wrong entry of the logarithm table", "csrc/field.c",
           "0x58, 0xaf,\n};", "0x58, 0xae,\n};", ("test_field",)),
    Mutant("skipped tail of a product", "csrc/kernels/template.h",
           "if (rest == 0) return;\n    if (middle == begin || write == KERNEL_ADD) {",
           "if (rest < VECTOR_SIZE) return;\n    if (middle == begin || write == KERNEL_ADD) {",
           (KERNELS,)),
    Mutant("skipped tail of a transform", "csrc/kernels/template.h",
           "if (rest == 0) return;\n    if (middle == begin) {",
           "if (rest < VECTOR_SIZE) return;\n    if (middle == begin) {", (KERNELS,)),
    Mutant("tail written beyond the range", "csrc/kernels/template.h",
           "memcpy(targets[t] + begin, target_pads[t], size);",
           "memcpy(targets[t] + begin, target_pads[t], VECTOR_SIZE);", (KERNELS,), every=True),
    Mutant("columns behind the streamed ones skipped", "csrc/apply.c",
           "    apply_write_columns(plan, sources, targets, stop, end, KERNEL_STORE, scratch);\n",
           "",
           (KERNELS,)),
    Mutant("start of an unaligned addition added twice", "csrc/apply.c",
           "begin + (plan->accumulates ? distance : unit), write,", "begin + unit, write,",
           ("pytest tests/test_codec.py -k alignment",)),
    Mutant("start of unaligned columns skipped", "csrc/apply.c",
           "        if (distance > 0) {\n", "        if (distance > 0) begin += distance;\n"
           "        if (false) {\n", ("pytest tests/test_codec.py -k alignment",)),
    Mutant("off by one in the partial group", "csrc/wide.c",
           "if (block + half >= count) twiddle ^= 1;", "if (block + half > count) twiddle ^= 1;",
           (KERNELS,)),
    Mutant("swapped nibble", "csrc/kernels/entries.c",
           "prepared->high[nibble] = gf256_multiply(coefficient, (uint8_t)(nibble << 4));",
           "prepared->high[nibble] = gf256_multiply(coefficient, (uint8_t)nibble);",
           ("test_field", KERNELS)),
    Mutant("dropped last source of a product", "csrc/kernels/template.h",
           "if (s < source_count) {\n        operand last",
           "if (s > source_count) {\n        operand last",
           (KERNELS,)),
    Mutant("accumulate ignored", "csrc/plan.c",
           "(*plan)->accumulates = true;", "(*plan)->accumulates = false;",
           ("test_plan", KERNELS)),
    Mutant("accumulate ignored by sums", "csrc/kernels/template.h",
           "give_vector(at, write == KERNEL_ADD ?", "give_vector(at, false ?",
           (KERNELS,)),
    Mutant("checksums of a second block's targets in the first ones' states", "csrc/apply.c",
           "own.target_states = extra->target_states + block->first_target;",
           "own.target_states = extra->target_states;", (KERNELS,)),
    Mutant("checksums of sources kept by every block", "csrc/apply.c",
           "own = i == 0 ? *extra : (struct kernel_extra){0};", "own = *extra;", (KERNELS,)),
    Mutant("checksums of later groups in the first one's states", "csrc/kernels/template.h",
           "first_source + i, extra)", "i, extra)", (KERNELS,)),
    Mutant("last bytes of a fused product left out", "csrc/fused.c",
           "fused->targets, lines, size, KERNEL_STORE,",
           "fused->targets, lines, lines, KERNEL_STORE,", (KERNELS,)),
    Mutant("unaligned targets of a fused product streamed", "csrc/fused.c",
           "streams = fused->leaves_cache && targets_are_aligned(fused);",
           "streams = fused->leaves_cache;", (KERNELS,)),
    Mutant("rows without a source not zero", "csrc/wide.c",
           "    memset(run->zero, 0, run->strip_size);\n", "", (KERNELS,)),
    Mutant("scratch smaller than what is used", "csrc/wide.c",
           "sets * set_size + strip +", "sets * set_size +", (KERNELS,)),
    Mutant("sixteen points through a wide decode", "csrc/plan.c",
           "<= WIDE_LOW_LOG2) return false;", "== WIDE_LOW_LOG2) return true;", (KERNELS,)),
    Mutant("few columns of very many shards streamed", "csrc/apply.c",
           "end - begin < KERNEL_VECTOR_SIZE_MAX || ", "", ("test_plan",)),
    Mutant("derivative over the low bits dropped", "csrc/wide.c",
           "is_derivative ? run->low + first : NULL", "NULL", (KERNELS,)),
    Mutant("comparison blind to the last column", "csrc/apply.c",
           "if (first < size) {", "if (first + 1 < size) {", (KERNELS,)),
    Mutant("locate bound one too low", "csrc/locate.c",
           "if (error_count > l->error_limit) return false;",
           "if (error_count >= l->error_limit) return false;", ("test_plan", FUZZ)),
    Mutant("locate bound one too high", "csrc/locate.c",
           "l.error_limit = l.check_count / 2;", "l.error_limit = (l.check_count + 1) / 2;",
           ("test_plan",)),
    Mutant("locate takes the first of two explanations", "csrc/locate.c",
           "return search.found_count == 1;", "return search.found_count >= 1;",
           ("pytest tests/test_locate.py",)),
    Mutant("wrong CRC constant (combine)", "csrc/kernels/crc32c_constants.h",
           "0x40000000u, 0x20000000u,", "0x40000000u, 0x20000001u,", ("test_checksum {kernel}",)),
    Mutant("wrong CRC constant (folding)", "csrc/kernels/crc_x86.c",
           "fold_constant(folds->by_192)", "fold_constant(folds->by_128)",
           ("test_checksum {kernel}",)),
    Mutant("unchecked row in the block header", "csrc/shard.c",
           "(REED_OBJECT_SIZE_MAX - info->row_data_size) / full_row_size);", "UINT64_MAX);",
           ("test_shard",)),
    Mutant("CRC of a block without its identity", "csrc/shard.c",
           "reed_kernel_crc32c(kernel, 0, record, BLOCK_CRC32C);",
           "reed_kernel_crc32c(kernel, 0, record, 0);", ("test_shard",)),
    Mutant("index k + m accepted", "csrc/plan.c",
           "if (available[i] >= shard_count ||", "if (available[i] > shard_count ||",
           ("test_plan",)),
    Mutant("wanted shard used as a source", "csrc/plan.c",
           "usable[wanted[i]] = false;", "usable[wanted[i]] = usable[wanted[i]];", ("test_plan",)),
    Mutant("dependent rows chosen as sources", "csrc/plan.c",
           "if (code->may_be_singular) {", "if (false && code->may_be_singular) {",
           ("test_plan",)),
    Mutant("failed allocation reported as success", "csrc/plan.c",
           "if (plan == NULL) return REED_OUT_OF_MEMORY;", "if (plan == NULL) return REED_OK;",
           ("test_allocation",), every=True),
    Mutant("working memory not given back", "csrc/plan.c",
           "    allocator_give(&code->allocator, memory);\n", "", ("test_allocation",)),
    Mutant("limit of isal-vand one too high", "csrc/matrix.c",
           "parity_shards <= 21", "parity_shards <= 22",
           ("pytest tests/test_generators.py -k not_mds",)),
    Mutant("AVX-512 in the AVX2 kernel", "csrc/kernels/avx2_gfni.c",
           'target("avx2,gfni")', 'target("avx2,gfni,avx512f,avx512vl,avx512bw")',
           ("pytest tests/test_c_codec.py::test_vector_instructions_stay_in_their_kernels[gcc]",)),
    Mutant("plan cache key without the wanted shards", "reed/_core.pyx",
           "                key[SHARD_BITMAP_SIZE + i // 8] |= 1 << (i % 8)\n", "",
           ("pytest tests/test_api.py",)),
    Mutant("plan cache without a bound", "reed/_core.pyx",
           "        while len(self.plans) > PLAN_COUNT_MAX or (",
           "        while False and len(self.plans) > PLAN_COUNT_MAX or False and (",
           ("pytest tests/test_api.py -k plan",)),
    Mutant("overlap of outputs not refused", "reed/_core.pyx",
           "        if t > 0 and overlaps(", "        if False and overlaps(",
           ("pytest tests/test_api.py",)),
    Mutant("overlap with an input not refused", "reed/_core.pyx",
           "        if s < sources.count and overlaps(", "        if False and overlaps(",
           ("pytest tests/test_api.py",)),
    Mutant("overlap looked for among inputs that were passed", "reed/_core.pyx",
           "sources.size <= <uintptr_t>target_list[t]):", "0 <= <uintptr_t>target_list[t]):",
           ("pytest tests/test_api.py",)),
    Mutant("outputs kept although a checksum is wrong", "reed/_core.pyx",
           "                self.erase(&targets)\n", "                pass\n",
           ("pytest tests/test_codec.py",)),
]


class Tree:
    """A copy of what is built and tested."""

    def __init__(self, folder, objects):
        self.folder, self.objects = folder, objects
        ignored = shutil.ignore_patterns("*.so", "_core.c", "__pycache__", "build")
        for part in ("csrc", "reed", "tests"):
            shutil.copytree(ROOT / part, folder / part, ignore=ignored)
        for part in ("setup.py", "pyproject.toml", "README.md", "LICENSE", "FORMAT.md"):
            shutil.copy(ROOT / part, folder / part)
        self.has_extension = False

    def apply(self, mutant):
        path = self.folder / mutant.file
        text = path.read_text()
        count = text.count(mutant.old)
        if count == 0 or (count > 1 and not mutant.every):
            raise SystemExit(f"{mutant.name}: {count} places in {mutant.file}; update the mutant")
        path.write_text(text.replace(mutant.old, mutant.new))

    def _run(self, command, **options):
        return subprocess.run([str(word) for word in command], cwd=self.folder,
                              capture_output=True, timeout=TIMEOUT_SECONDS, **options)

    def _must_run(self, command):
        done = self._run(command)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(map(str, command))}\n{done.stderr.decode()}")
        return done.stdout

    def compiled(self):
        """Objects of the core; those that a mutant leaves alone are compiled once for all."""
        for source in sorted((self.folder / "csrc").rglob("*.c")):
            source = source.relative_to(self.folder)
            text = self._must_run(["gcc", *FLAGS, "-E", "-P", source])
            target = self.objects / (hashlib.sha256(text).hexdigest() + ".o")
            if not target.exists():
                self._must_run(["gcc", *FLAGS, "-c", source, "-o", target])
            yield target

    def program(self, names):
        target = self.folder / names[0]
        if not target.exists():
            sources = [f"tests/c/{name}.c" for name in names]
            self._must_run(["gcc", *FLAGS, "-Itests/c", *sources, *self.compiled(), "-o", target,
                            "-pthread"])
        return target

    def passes(self, test):
        """Whether this test passes; a test that crashes or hangs does not."""
        program, *arguments = test.split()
        try:
            if program == "pytest":
                if not self.has_extension:
                    self._must_run([sys.executable, "setup.py", "-q", "build_ext", "--inplace"])
                    self.has_extension = True
                return self._run([sys.executable, "-m", "pytest", "-x", "-q", *arguments],
                                 env={**os.environ, "PYTHONPATH": "."}).returncode == 0
            names = program.split("+")
            if "{kernel}" not in arguments:
                return self._run([self.program(names), *arguments]).returncode == 0
            kernels = self._must_run([self.program(["list_kernels"])]).decode().split()
            return all(
                self._run([self.program(names), *(word.format(kernel=kernel)
                                                  for word in arguments)]).returncode == 0
                for kernel in kernels)
        except subprocess.TimeoutExpired:
            return False


def main(wanted):
    chosen = [mutant for mutant in MUTANTS
              if not wanted or any(word in mutant.name for word in wanted)]
    missed = 0
    with tempfile.TemporaryDirectory(prefix="reed-mutants-") as name:
        folder = Path(name)
        objects = folder / "objects"
        objects.mkdir()
        whole = Tree(folder / "unchanged", objects)
        for test in dict.fromkeys(test for mutant in chosen for test in mutant.tests):
            if not whole.passes(test):
                raise SystemExit(f"{test} fails on the unchanged tree")
        print(f"{'mutant':45} caught by", flush=True)
        for number, mutant in enumerate(chosen):
            tree = Tree(folder / str(number), objects)
            tree.apply(mutant)
            catcher = next((test for test in mutant.tests if not tree.passes(test)), None)
            missed += catcher is None
            print(f"{mutant.name:45} {catcher or 'MISSED'}", flush=True)
            shutil.rmtree(tree.folder)
    print(f"{len(chosen) - missed} of {len(chosen)} mutants caught")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
