"""The C side of fragments (csrc/fragment.c): every kernel, and under sanitizers."""

import pytest

import c_build
from test_c_checksum import NATIVE_KERNELS


@pytest.mark.parametrize("kernel", NATIVE_KERNELS)
def test_fragment(tmp_path, kernel):
    c_build.run(c_build.build(["test_fragment"], tmp_path, c_build.OPTIMISED, "gcc"), kernel)


def test_fragment_sanitized(tmp_path):
    c_build.run(c_build.build(["test_fragment"], tmp_path, c_build.SANITIZED, "gcc"), "portable")


def test_fuzz_target(tmp_path):
    """The target of the long fuzz runs, on random inputs and with the sanitizers."""
    program = c_build.build(["fuzz_driver", "../fuzz/fuzz_fragment"], tmp_path, c_build.SANITIZED,
                            "gcc")
    c_build.run(program, "3000")
