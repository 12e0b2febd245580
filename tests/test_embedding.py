"""reed inside C and C++ programs: the CMake build, the installed tree, what is exported, and the
promise that what was released stays."""

import functools
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import c_build
import reed
from reed.cli.config import CHOICES

ROOT = c_build.ROOT
EXAMPLES = ROOT / "examples" / "embedding"
HEADER = c_build.C_CORE / "include" / "reed.h"
ABI = c_build.C_TESTS / "abi_0.c"
MAJOR = reed.__version__.split(".")[0]
SONAME = f"libreed.so.{MAJOR}"
REBUILT = "4 of 14 shards lost and rebuilt"
UNOPTIMISED = "-O0"  # compiles three times as fast, and speed is not what is tested here


def call(*command, **options):
    """Standard output of a command that must succeed."""
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=600,
                          **options)
    if done.returncode != 0:
        pytest.fail(f"{' '.join(map(str, command))} exited {done.returncode}\n"
                    f"{done.stdout}{done.stderr}", pytrace=False)
    return done.stdout


def exported(library):
    c_build.require("nm")
    listing = call("nm", "-D", "--defined-only", library)
    return {line.split()[-1] for line in listing.splitlines()} - {"_init", "_fini"}


def soname(library):
    c_build.require("readelf")
    return re.search(r"SONAME.*\[(.*)\]", call("readelf", "-d", library))[1]


def declared(header=None):
    text = re.sub(r"/\*.*?\*/", "", header or HEADER.read_text(), flags=re.DOTALL)
    return set(re.findall(r"\b(reed_\w+)\(", text))


# ---- CMake and an installed tree ----------------------------------------------------------------


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    c_build.require("cmake", "make", "cc")
    folder = tmp_path_factory.mktemp("cmake")
    call("cmake", "-S", c_build.C_CORE, "-B", folder, "-DCMAKE_BUILD_TYPE=Debug",
         f"-DCMAKE_C_FLAGS={UNOPTIMISED} -Wall -Wextra -Wpedantic -Werror",
         "-DCMAKE_INSTALL_LIBDIR=lib/deep")  # not where anybody looks by luck
    call("cmake", "--build", folder, "--parallel", "2")
    return folder


@pytest.fixture(scope="module")
def prefix(built, tmp_path_factory):
    """An installed tree that was moved after its installation."""
    first = tmp_path_factory.mktemp("first") / "prefix"
    call("cmake", "--install", built, "--prefix", first)
    moved = tmp_path_factory.mktemp("moved") / "elsewhere"
    shutil.move(first, moved)
    return moved


def test_ctest_passes_and_has_tests(built):
    c_build.require("ctest")
    assert "100% tests passed, 0 tests failed out of 2" in call("ctest", cwd=built)


def test_installed_tree_is_complete(prefix):
    files = {path.relative_to(prefix).as_posix() for path in prefix.rglob("*")
             if not path.is_dir()}
    assert files == {
        "include/reed.h", "lib/deep/libreed.a", "lib/deep/libreed.so", f"lib/deep/{SONAME}",
        f"lib/deep/libreed.so.{reed.__version__}", "lib/deep/pkgconfig/reed.pc",
        "lib/deep/cmake/reed/reed-config.cmake", "lib/deep/cmake/reed/reed-config-version.cmake",
        "lib/deep/cmake/reed/reed-targets.cmake", "lib/deep/cmake/reed/reed-targets-debug.cmake",
        "lib/deep/reed-isal/libisal.so.2", "lib/deep/reed-isal/libisal-pyeclib.so.2"}
    assert soname(prefix / "lib/deep/libreed.so") == SONAME


def test_exports(prefix):
    assert exported(prefix / "lib/deep/libreed.so") == declared()


def test_the_check_of_the_exported_list_can_fail(prefix, tmp_path):
    check = c_build.C_CORE / "cmake" / "check_exports.cmake"
    library = prefix / "lib/deep/libreed.so"
    header = tmp_path / "reed.h"

    def run(text):
        header.write_text(text)
        return subprocess.run(["cmake", "-DNM=nm", f"-DLIBRARY={library}", f"-DHEADER={header}",
                               "-P", check], capture_output=True, text=True)

    text = HEADER.read_text()
    assert run(text).returncode == 0
    assert "missing [reed_newcomer]" in run(text + "int reed_newcomer(void);\n").stderr
    assert "not declared [reed_version]" in run(text.replace("*reed_version(", "*other(")).stderr


def pkg_config(prefix, *arguments):
    c_build.require("pkg-config")
    path = prefix / "lib" / "deep" / "pkgconfig"
    return call("pkg-config", *arguments, "reed",
                env={**os.environ, "PKG_CONFIG_PATH": str(path)}).strip()


def test_c_example_with_pkg_config_alone(prefix, tmp_path):
    flags = shlex.split(pkg_config(prefix, "--cflags", "--libs"))
    program = tmp_path / "stripe"
    call("cc", *c_build.WARNINGS, EXAMPLES / "stripe.c", *flags, "-o", program)
    environment = {**os.environ, "LD_LIBRARY_PATH": str(prefix / "lib" / "deep")}
    assert REBUILT in call(program, env=environment)
    assert pkg_config(prefix, "--modversion") == reed.__version__


def test_c_example_under_valgrind(prefix, tmp_path):
    """Valgrind knows no AVX-512."""
    c_build.require("valgrind")
    flags = shlex.split(pkg_config(prefix, "--cflags", "--libs"))
    program = tmp_path / "stripe"
    call("cc", *c_build.WARNINGS, "-g", EXAMPLES / "stripe.c", *flags, "-o", program)
    environment = {**os.environ, "LD_LIBRARY_PATH": str(prefix / "lib" / "deep"),
                   "REED_KERNEL": "portable"}
    assert REBUILT in call("valgrind", "-q", "--error-exitcode=1", "--leak-check=full",
                           "--errors-for-leak-kinds=all", "--show-leak-kinds=all", program,
                           env=environment)


def package_dir(prefix):
    """For find_package, which looks for itself only into lib and the machine's own folder."""
    return f"-Dreed_DIR={prefix}/lib/deep/cmake/reed"


def test_c_plus_plus_example_with_find_package(prefix, tmp_path):
    c_build.require("c++")
    call("cmake", "-S", EXAMPLES, "-B", tmp_path, package_dir(prefix),
         "-DCMAKE_CXX_FLAGS=-Wall -Wextra -Wpedantic -Werror")
    call("cmake", "--build", tmp_path)
    assert "4 parity shards by 2 threads" in call(tmp_path / "stripe_cpp")
    assert REBUILT in call(tmp_path / "stripe_static")
    assert SONAME not in call("readelf", "-d", tmp_path / "stripe_static")


def test_find_package_refuses_another_major_version(prefix, tmp_path):
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.16)\nproject(p LANGUAGES NONE)\n"
        f"find_package(reed {int(MAJOR) + 1} REQUIRED)\n")
    done = subprocess.run(["cmake", "-S", tmp_path, "-B", tmp_path / "b",
                           package_dir(prefix)], capture_output=True, text=True)
    assert done.returncode != 0
    assert "compatible" in done.stderr


def test_the_compiler_line_of_the_manual(tmp_path):
    """The one line that does without CMake makes a library with the right name and exports."""
    c_build.require("cc")
    line = re.search(r"^cc -std=c11 .*$", (c_build.C_CORE / "README.md").read_text(), re.M)[0]
    library = tmp_path / SONAME
    assert line.endswith(f"-soname,{SONAME} -Wl,--version-script=reed.map -o {SONAME}")
    line = line.replace("-O3", UNOPTIMISED).replace(f" -o {SONAME}", f" -o {library}")
    call("sh", "-c", line, cwd=c_build.C_CORE)
    assert soname(library) == SONAME
    assert exported(library) == declared()


# ---- from a Python package ----------------------------------------------------------------------


def config(*options):
    return call(sys.executable, "-m", "reed.cli", "config", *options).strip()


def test_config_builds_the_example(tmp_path):
    program = tmp_path / "stripe"
    for library in ("--libs", "--static-libs"):
        flags = shlex.split(config("--cflags", library))
        call("cc", *c_build.WARNINGS, EXAMPLES / "stripe.c", *flags, "-o", program)
        assert REBUILT in call(program)


def test_pkg_config_of_the_package_builds_the_example(tmp_path):
    c_build.require("pkg-config")
    environment = {**os.environ, "PKG_CONFIG_PATH": config("--pkgconfig-dir")}
    flags = shlex.split(call("pkg-config", "--cflags", "--libs", "reed", env=environment))
    program = tmp_path / "stripe"
    call("cc", *c_build.WARNINGS, EXAMPLES / "stripe.c", *flags, "-o", program)
    assert REBUILT in call(program, env={**os.environ, "LD_LIBRARY_PATH": reed.get_library_dir()})


def test_config_shows_everything_by_name():
    assert [line.split(":")[0] for line in config().splitlines()] == list(CHOICES)
    assert config("--include-dir") == reed.get_include()
    assert config("--library-dir", "--include-dir") == (
        f"{reed.get_include()} {reed.get_library_dir()}")


def test_libraries_of_the_package_export_and_are_named_right():
    folder = Path(reed.get_library_dir())
    assert exported(folder / SONAME) == declared()
    assert soname(folder / SONAME) == SONAME


# ---- the promise --------------------------------------------------------------------------------


@functools.cache
def frozen():
    return set(re.findall(r"^FUNCTION\(.*?, (reed_\w+),", ABI.read_text(), re.M))


def compiles(header, tmp_path, compiler="cc"):
    (tmp_path / "reed.h").write_text(header)
    return subprocess.run([compiler, *c_build.WARNINGS, f"-I{tmp_path}", "-fsyntax-only", ABI],
                          capture_output=True, text=True)


def test_nothing_released_has_changed(tmp_path):
    c_build.require("cc")
    done = compiles(HEADER.read_text(), tmp_path)
    assert done.returncode == 0, done.stderr


def test_everything_declared_is_in_the_promise():
    assert declared() - frozen() == set(), "add a FUNCTION line to tests/c/abi_0.c for each"
    assert frozen() - declared() == set()


@pytest.mark.parametrize("old, new", [
    # A signature: an argument's type, a result's type, one argument more.
    ("uint32_t shard_index, uint8_t *coefficients", "int32_t shard_index, uint8_t *coefficients"),
    ("reed_crc32c(uint32_t value, const void *data, size_t size)",
     "reed_crc32c(uint32_t value, const void *data, uint32_t size)"),
    ("REED_API size_t reed_plan_memory_size(", "REED_API uint32_t reed_plan_memory_size("),
    ("reed_code_destroy(struct reed_code *code)", "reed_code_destroy(struct reed_code *c, int f)"),
    # A struct: fields swapped, one wider, one removed, one in the middle, one at the end.
    ("    uint32_t data_shards;   /* >= 1 */\n    uint32_t parity_shards; ",
     "    uint32_t parity_shards;\n    uint32_t data_shards; "),
    ("    uint16_t version_minor;\n", "    uint32_t version_minor;\n"),
    ("    uint32_t is_last_row;    /* 0 or 1 */\n", ""),
    ("    uint32_t digest_type; ", "    uint32_t digest_type, digest_subtype; "),
    ("    uint64_t file_size;\n", "    uint64_t file_size;\n    uint64_t more;\n"),
    # A value.
    ("REED_MISMATCH = 9", "REED_MISMATCH = 19"),
    ("REED_BLOCK_SIZE_MAX = 16777216", "REED_BLOCK_SIZE_MAX = 33554432"),
    # A function that is gone.
    ("REED_API const char *reed_version(void);\n", ""),
])
def test_a_broken_promise_does_not_compile(tmp_path, old, new):
    c_build.require("cc")
    text = HEADER.read_text()
    assert text.count(old) == 1
    assert compiles(text.replace(old, new), tmp_path).returncode != 0


def test_an_options_struct_may_grow(tmp_path):
    c_build.require("cc")
    old = "    const struct reed_allocator *allocator; /* NULL: malloc and free; copied */\n"
    text = HEADER.read_text()
    assert text.count(old) == 1
    assert compiles(text.replace(old, old + "    uint64_t more;\n"), tmp_path).returncode == 0
