"""The shard structures of the C core: compilers, sanitizers, aarch64."""

import pytest

import c_build


@pytest.mark.parametrize(
    "compiler, flags",
    [("gcc", c_build.OPTIMISED), ("clang-14", c_build.OPTIMISED), ("gcc", c_build.SANITIZED)],
    ids=["gcc", "clang", "gcc-sanitized"],
)
def test_shard(tmp_path, compiler, flags):
    c_build.run(c_build.build(["test_shard"], tmp_path, flags, compiler))


def test_shard_aarch64(tmp_path):
    c_build.require(*c_build.AARCH64_WRAPPER)
    program = c_build.build(["test_shard"], tmp_path, c_build.AARCH64_FLAGS,
                            c_build.AARCH64_COMPILER)
    c_build.run(program, wrapper=c_build.AARCH64_WRAPPER)
