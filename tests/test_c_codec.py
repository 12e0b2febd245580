"""The codec of the C core: compilers, sanitizers, aarch64 under emulation, and what the compilers
made of it: no instruction outside the kernel that may use it, no exported name but the public ones.

REED_LONG=1 runs more random rounds and all patterns of losses of every shape up to 16 shards.
"""

import os
import re
import subprocess
import sys

import pytest

import c_build
import test_isal
from test_c_checksum import NATIVE_KERNELS

LONG = os.environ.get("REED_LONG", "") not in ("", "0")
ROUNDS = ("1000",) if LONG else ()
PATTERNS = ("long",) if LONG else ()
THREAD_SANITIZED = ("-O0", "-g", "-fsanitize=thread")  # -O1 takes minutes to compile

BUILDS = pytest.mark.parametrize(
    "compiler, flags",
    [("gcc", c_build.OPTIMISED), ("clang-14", c_build.OPTIMISED), ("gcc", c_build.SANITIZED)],
    ids=["gcc", "clang", "gcc-sanitized"],
)


def run(tmp_path, name, *arguments, compiler="gcc", flags=c_build.OPTIMISED, **options):
    return c_build.run(c_build.build([name], tmp_path, flags, compiler), *arguments, **options)


@BUILDS
def test_field(tmp_path, compiler, flags):
    run(tmp_path, "test_field", compiler=compiler, flags=flags)


@pytest.mark.parametrize("kernel", NATIVE_KERNELS)
@BUILDS
def test_kernel(tmp_path, compiler, flags, kernel):
    run(tmp_path, "test_kernels", kernel, *ROUNDS, compiler=compiler, flags=flags)


def test_kernels_are_all_tested():
    """A kernel that is added to the library is added to the lists of these tests too."""
    listed = set(re.findall(r"&reed_kernel_(\w+)",
                            (c_build.C_CORE / "kernels" / "kernels.c").read_text()))
    assert listed == {"portable", "avx2", "avx2_gfni", "avx512_gfni", "neon"}


@BUILDS
def test_plans(tmp_path, compiler, flags):
    run(tmp_path, "test_plan", *PATTERNS, compiler=compiler, flags=flags)


@BUILDS
def test_allocation_failures(tmp_path, compiler, flags):
    run(tmp_path, "test_allocation", compiler=compiler, flags=flags)


@pytest.mark.parametrize("flags", [c_build.OPTIMISED, THREAD_SANITIZED], ids=["plain", "tsan"])
@pytest.mark.parametrize("kernel", NATIVE_KERNELS)
def test_threads(tmp_path, flags, kernel):
    kernels = run(tmp_path, "list_kernels", flags=flags, text=True).stdout.split()
    if kernel not in kernels:
        pytest.skip(f"NOT RUN: this processor cannot run kernel {kernel}")
    run(tmp_path, "test_threads", flags=flags, env={**os.environ, "REED_KERNEL": kernel})


@pytest.mark.parametrize("name", ["test_plan", "test_allocation", "test_field"])
def test_aarch64(tmp_path, name):
    run(tmp_path, name, compiler=c_build.AARCH64_COMPILER, flags=c_build.AARCH64_FLAGS,
        wrapper=c_build.AARCH64_WRAPPER)


@pytest.mark.parametrize("kernel", ["portable", "neon"])
def test_kernel_aarch64(tmp_path, kernel):
    run(tmp_path, "test_kernels", kernel, *ROUNDS, compiler=c_build.AARCH64_COMPILER,
        flags=c_build.AARCH64_FLAGS, wrapper=c_build.AARCH64_WRAPPER)


def test_isal_aarch64(tmp_path):
    core = c_build.core_objects(c_build.AARCH64_FLAGS, c_build.AARCH64_COMPILER)
    program = test_isal.linked(tmp_path, core, c_build.AARCH64_FLAGS, c_build.AARCH64_COMPILER)
    c_build.run(program, wrapper=c_build.AARCH64_WRAPPER,
                env={**os.environ, "REED_KERNEL": "neon"})


def test_valgrind(tmp_path):
    """Reads of uninitialised memory, which the sanitizers do not see. Valgrind knows no AVX-512."""
    program = c_build.build(["test_allocation"], tmp_path, c_build.OPTIMISED, "gcc")
    for kernel in sorted({"portable", "avx2"} & set(NATIVE_KERNELS)):
        c_build.run(program, wrapper=("valgrind", "-q", "--error-exitcode=1",
                                      "--leak-check=full"),
                    env={**os.environ, "REED_KERNEL": kernel})


# ---- what the compilers made of it ---------------------------------------------------------------

FUNCTION = re.compile(r"^[0-9a-f]+ <([^>]+)>:$")
INSTRUCTION = re.compile(r"^\s*[0-9a-f]+:\t((?:[0-9a-f]{2} )+)\s*\t?(.*)$")
SEGMENT_AND_SIZE_PREFIXES = {"26", "2e", "36", "3e", "64", "65", "66", "67", "f0", "f2", "f3"}


def encodings(disassembly):
    """(function, "VEX" or "EVEX", text) of each AVX or AVX-512 instruction: in 64-bit mode the
    bytes c4, c5 and 62 begin nothing else."""
    function = None
    for line in disassembly.splitlines():
        if match := FUNCTION.match(line):
            function = match[1]
        elif match := INSTRUCTION.match(line):
            text = match[2]
            opcode = match[1].split()
            while opcode and opcode[0] in SEGMENT_AND_SIZE_PREFIXES:
                opcode.pop(0)
            if opcode and text and opcode[0] in ("c4", "c5", "62"):
                yield function, "EVEX" if opcode[0] == "62" else "VEX", text


def allowed(object_name, function):
    """The encodings that this function of this object may hold."""
    if "avx512" in object_name or "avx512" in function or function.startswith("fold"):
        return {"VEX", "EVEX"}
    if "kernels-avx2" in object_name:
        return {"VEX"}
    return set()


@pytest.mark.parametrize("compiler", ["gcc", "clang-14"])
def test_vector_instructions_stay_in_their_kernels(compiler):
    if NATIVE_KERNELS[-1] != "avx512_gfni":
        pytest.skip("NOT RUN: this machine is no x86-64")
    c_build.require(compiler, "objdump")
    seen = set()
    for path in c_build.core_objects(c_build.OPTIMISED, compiler):
        listing = subprocess.run(["objdump", "-d", path], capture_output=True, text=True,
                                 check=True).stdout
        for function, encoding, text in encodings(listing):
            assert encoding in allowed(path.name, function), (
                f"{path.name}: {function} holds {text} ({encoding})")
            seen.add((path.name, encoding))
    # The check sees something where there must be something.
    assert ("kernels-avx512_gfni.c.o", "EVEX") in seen
    assert ("kernels-avx2.c.o", "VEX") in seen
    assert ("kernels-avx2_gfni.c.o", "VEX") in seen


def test_extension_exports_only_public_names():
    """Two libraries in one process never meet each other's helpers."""
    c_build.require("nm")
    from reed import _core

    listing = subprocess.run(["nm", "-D", "--defined-only", _core.__file__], capture_output=True,
                             text=True, check=True).stdout
    names = {line.split()[-1] for line in listing.splitlines()}
    assert "PyInit__core" in names
    header = (c_build.C_CORE / "include" / "reed.h").read_text()
    declared = set(re.findall(r"\b(reed_\w+)\(", header))
    assert names - {"PyInit__core", "_init", "_fini"} <= declared


def test_header_is_c_plus_plus_too(tmp_path):
    """A daemon in C++ can include the header, alone and as the first of all."""
    c_build.require("g++")
    source = tmp_path / "one.cpp"
    source.write_text('#include "reed.h"\nint main() { return reed_version() == nullptr; }\n')
    subprocess.run(["g++", "-Wall", "-Wextra", "-Wpedantic", "-Werror", *c_build.INCLUDES,
                    "-fsyntax-only", source], check=True)


def test_unknown_kernel_from_the_environment_is_named():
    done = subprocess.run([sys.executable, "-c", "import reed; reed.ReedSolomon(2, 1)"],
                          env={**os.environ, "REED_KERNEL": "avx1024"}, capture_output=True,
                          text=True)
    assert done.returncode != 0
    assert "avx1024" in done.stderr and "REED_KERNEL" in done.stderr


@pytest.mark.parametrize("kernel", NATIVE_KERNELS)
def test_kernel_from_the_environment_is_used(kernel):
    done = subprocess.run(
        [sys.executable, "-c", "import reed; print(reed.ReedSolomon(2, 1).kernel)"],
        env={**os.environ, "REED_KERNEL": kernel}, capture_output=True, text=True)
    if "cannot run" in done.stderr:
        pytest.skip(f"NOT RUN: this processor cannot run kernel {kernel}")
    assert done.stdout.strip() == kernel


def test_fuzz_target(tmp_path):
    """The target of the long fuzz runs, on random inputs and with the sanitizers."""
    program = c_build.build(["fuzz_driver", "../fuzz/fuzz_reconstruct"], tmp_path,
                            c_build.SANITIZED, "gcc")
    c_build.run(program, "50000" if LONG else "2000")
