"""CRC32C and CRC-32 of the C core: every kernel, compilers, sanitizers, and the origin of the
constants."""

import platform
import subprocess
import sys

import pytest

import c_build

NATIVE_KERNELS = {
    "x86_64": ("portable", "avx2", "avx2_gfni", "avx512_gfni"),
    "aarch64": ("portable", "neon"),
}.get(platform.machine(), ("portable",))


@pytest.mark.parametrize("kernel", NATIVE_KERNELS)
@pytest.mark.parametrize(
    "compiler, flags",
    [("gcc", c_build.OPTIMISED), ("clang-14", c_build.OPTIMISED), ("gcc", c_build.SANITIZED)],
    ids=["gcc", "clang", "gcc-sanitized"],
)
def test_checksum(tmp_path, compiler, flags, kernel):
    program = c_build.build(["test_checksum"], tmp_path, flags, compiler)
    c_build.run(program, kernel)


@pytest.mark.parametrize("kernel", ["portable", "neon"])
def test_checksum_aarch64(tmp_path, kernel):
    c_build.require(*c_build.AARCH64_WRAPPER)
    program = c_build.build(["test_checksum"], tmp_path, c_build.AARCH64_FLAGS,
                            c_build.AARCH64_COMPILER)
    c_build.run(program, kernel, wrapper=c_build.AARCH64_WRAPPER)


@pytest.mark.parametrize("name", ["crc32c", "crc32"])
def test_constants_come_from_their_script(name):
    script = c_build.ROOT / "tests/vectors/make_crc_constants.py"
    printed = subprocess.run([sys.executable, script, name], capture_output=True, check=True).stdout
    assert (c_build.ROOT / f"csrc/kernels/{name}_constants.h").read_bytes() == printed
