"""Compiles and runs the C tests: a test program of tests/c together with the whole C core.

The core is compiled once per compiler and set of flags and kept for the session, for all of its
worker processes; warnings are errors. A tool that is missing skips with a reason that begins with
``NOT RUN:``, so that the summary says what this machine could not check.
"""

import fcntl
import functools
import hashlib
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
EXIT_NOT_RUN = 77  # how a C test says that this machine cannot run it; stdout tells why
C_TESTS = ROOT / "tests" / "c"
C_CORE = ROOT / "csrc"
C_SOURCES = tuple(sorted([*C_CORE.glob("*.c"), *C_CORE.glob("kernels/*.c")]))

WARNINGS = ("-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror")
OPTIMISED = ("-O2", "-g")
SANITIZED = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
# Checks of every single pointer in the unrolled kernels multiply the time to compile by ten, and
# the address sanitizer sees what such a pointer would do. gcc also warns, under a name that cannot
# be turned off, of unrolling that the instrumentation prevents.
KERNEL_SANITIZED = ("-fno-sanitize=null,alignment,object-size,pointer-overflow", "-Wno-error")
INCLUDES = (f"-I{C_CORE / 'include'}", f"-I{C_CORE}")

AARCH64_COMPILER = "aarch64-linux-gnu-gcc"
AARCH64_FLAGS = (*OPTIMISED, "-static")
AARCH64_WRAPPER = ("qemu-aarch64-static",)


def require(*tools):
    """Skips the test, loudly, unless every tool is on the search path."""
    for tool in tools:
        if shutil.which(tool) is None:
            pytest.skip(f"NOT RUN: {tool} is not installed")


def _compile(command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    if done.returncode != 0:
        pytest.fail(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}", pytrace=False)


def session_folder():
    """Where this session's processes keep what they compiled; conftest.py makes and removes it."""
    return Path(os.environ["REED_TEST_BUILD"])


@functools.cache
def core_objects(flags=OPTIMISED, compiler="cc"):
    """The object files of the core, C_SOURCES, for this compiler and these flags."""
    name = hashlib.sha256(repr((compiler, flags)).encode()).hexdigest()[:16]
    folder = session_folder() / name

    def object_of(source):
        return folder / ("-".join(source.relative_to(C_CORE).parts) + ".o")

    def compile_one(source):
        target = object_of(source)
        is_unrolled = '#include "kernels/template.h"' in source.read_text()
        is_sanitized = any("-fsanitize=" in flag and "undefined" in flag for flag in flags)
        extra = KERNEL_SANITIZED if is_unrolled and is_sanitized else ()
        _compile([compiler, *WARNINGS, *flags, *extra, *INCLUDES, "-c", source, "-o", target])

    with open(f"{folder}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the first process compiles, the others wait for it
        if not (folder / "complete").exists():
            folder.mkdir(exist_ok=True)
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                list(pool.map(compile_one, C_SOURCES))
            (folder / "complete").touch()
    return tuple(map(object_of, C_SOURCES))


def build(names, folder, flags=OPTIMISED, compiler="cc"):
    """Links tests/c/<name>.c for each name with the core; returns the program's path."""
    require(compiler)
    flags = tuple(flags)
    program = Path(folder) / names[0]
    sources = [C_TESTS / f"{name}.c" for name in names]
    objects = core_objects(flags, compiler)
    _compile([compiler, *WARNINGS, *flags, *INCLUDES, *sources, *objects, "-o", program,
              "-pthread"])
    return program


def build_fuzzer(name, folder):
    """Links tests/fuzz/<name>.c, a libFuzzer target, with the core under ASan and UBSan."""
    require("clang-14")
    flags = ("-O1", "-g", "-fsanitize=fuzzer-no-link,address,undefined",
             "-fno-sanitize-recover=all")
    program = Path(folder) / name
    source = ROOT / "tests" / "fuzz" / f"{name}.c"
    command = ["clang-14", *WARNINGS, *flags, "-fsanitize=fuzzer", *INCLUDES, f"-I{C_TESTS}",
               source, *core_objects(flags, "clang-14"), "-o", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    if "libclang_rt.fuzzer" in done.stderr:
        pytest.skip("NOT RUN: the clang run-time libraries (libclang-rt-14-dev) are not installed")
    assert done.returncode == 0, done.stderr
    return program


def run(program, *arguments, wrapper=(), timeout=600, **options):
    """Runs a program that exits 0 when it passes, EXIT_NOT_RUN when this machine cannot run it.

    Any other exit fails the test with what the program printed.
    ``wrapper`` is put in front of the command (qemu-aarch64-static). ``options`` go to
    subprocess.run; the output is bytes unless they say ``text=True``.
    """
    require(*wrapper[:1])
    command = [*wrapper, program, *arguments]
    done = subprocess.run(command, capture_output=True, timeout=timeout, **options)

    def text(output):
        return output if isinstance(output, str) else output.decode(errors="replace")

    if done.returncode == EXIT_NOT_RUN:
        pytest.skip(f"NOT RUN: {text(done.stdout).strip()}")
    if done.returncode != 0:
        pytest.fail(f"{' '.join(map(str, command))} exited {done.returncode}\n"
                    f"{text(done.stdout)}{text(done.stderr)}", pytrace=False)
    return done
