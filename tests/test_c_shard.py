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


def test_fuzz_target_builds_and_runs(tmp_path):
    """A moment of the fuzzer, from the frozen structures; long runs are for hands."""
    program = c_build.build_fuzzer("fuzz_shard", tmp_path)
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    c_build.run(program, "-seed=20240305", "-runs=50000", "-max_len=8192", corpus,
                c_build.ROOT / "tests" / "vectors" / "format", cwd=tmp_path)
