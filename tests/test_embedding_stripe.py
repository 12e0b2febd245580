"""Whole stripes in one call, under the sanitizers, on every kernel."""

import os

import pytest

import c_build
from test_c_checksum import NATIVE_KERNELS


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """The test under the sanitizers, with the core as it is installed."""
    from reed import get_library_dir

    c_build.require("gcc")
    program = tmp_path_factory.mktemp("stripe") / "test_stripe"
    c_build._compile(["gcc", *c_build.WARNINGS, *c_build.SANITIZED, *c_build.INCLUDES,
                      c_build.C_TESTS / "test_stripe.c", c_build.C_CORE / "stripe.c",
                      f"{get_library_dir()}/libreed.a", "-o", program])
    return program


@pytest.mark.parametrize("kernel", NATIVE_KERNELS)
def test_stripe(program, kernel):
    from reed import kernels

    if kernel not in kernels():
        pytest.skip(f"NOT RUN: this processor cannot run kernel {kernel}")
    c_build.run(program, env={**os.environ, "REED_KERNEL": kernel})
