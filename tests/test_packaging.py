"""The distributions: the sdist is complete, the wheel is built from it and serves C callers too."""

import email
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import c_build
import reed

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("csrc", "reed", "tests", "examples", "tools", "benchmarks", "docs", ".ci")
TOP_LEVEL = {
    "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "FORMAT.md", "LICENSE", "MANIFEST.in",
    "Makefile", "README.md", "SECURITY.md", "pyproject.toml", "setup.py",
}
GENERATED = re.compile(r"__pycache__|\.so$|\.o$|\.pyc$|^reed/_core\.c$|^reed/lib/")
EXTRAS = {"cli", "store", "remote", "durability", "dask", "bench", "test", "examples", "all"}


@pytest.fixture(scope="module")
def distributions(tmp_path_factory):
    """(sdist, wheel); the wheel is built from what the sdist holds, with what is installed here."""
    out = tmp_path_factory.mktemp("dist")
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", out, ROOT],
        capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (sdist,), (wheel,) = out.glob("*.tar.gz"), out.glob("*.whl")
    return sdist, wheel


@pytest.fixture(scope="module")
def installed(distributions, tmp_path_factory):
    """A folder into which the wheel alone was installed."""
    target = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index",
                    "--disable-pip-version-check", "--target", target, distributions[1]],
                   check=True)
    return target


def run_installed(installed, tmp_path, code):
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True,
                          text=True, env={**os.environ, "PYTHONPATH": str(installed)})
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_sdist_holds_the_whole_tree(distributions):
    with tarfile.open(distributions[0]) as archive:
        packed = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    tree = {path.relative_to(ROOT).as_posix()
            for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file()}
    wanted = TOP_LEVEL | {name for name in tree if not GENERATED.search(name)}
    assert sorted(wanted - packed) == []
    assert [name for name in packed if GENERATED.search(name)] == []


def test_wheel_holds_the_package_and_the_header(distributions):
    with zipfile.ZipFile(distributions[1]) as archive:
        names = archive.namelist()
        header = archive.read("reed/include/reed.h")
    assert header == (ROOT / "csrc/include/reed.h").read_bytes()
    major = reed.__version__.split(".")[0]
    assert {name for name in names if name.startswith("reed/lib/")} == {
        f"reed/lib/{name}" for name in (
            "libreed.a", "libreed.so", f"libreed.so.{major}", "pkgconfig/reed.pc",
            "isal/libisal.so.2", "isal/libisal-pyeclib.so.2")}
    assert sum(bool(re.fullmatch(r"reed/_core\..*\.so", name)) for name in names) == 1
    assert {"reed/py.typed", "reed/_core.pyi", "reed/creed.pxd"} <= set(names)
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "reed").rglob("*.py")}
    assert sorted(modules - set(names)) == []
    assert not [name for name in names if name.startswith(("csrc/", "tests/"))]


def test_metadata(distributions):
    with zipfile.ZipFile(distributions[1]) as archive:
        (path,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(archive.read(path))
    assert metadata["Name"] == "reed-storage"
    assert metadata["Version"] == reed.__version__
    assert metadata["License-Expression"] == "BSD-2-Clause"
    assert metadata["Requires-Python"] == ">=3.11"
    assert set(metadata.get_all("Provides-Extra")) == EXTRAS
    always = [line for line in metadata.get_all("Requires-Dist") if "extra ==" not in line]
    assert [re.match(r"[\w-]+", line)[0] for line in always] == ["numpy"]


def test_installed_wheel_runs_away_from_the_tree(installed, tmp_path):
    answer = run_installed(installed, tmp_path, """if True:
        import numpy, reed
        code = reed.ReedSolomon(4, 2)
        data = numpy.arange(4000, dtype=numpy.uint8).reshape(4, 1000)
        shards = dict(enumerate([*data, *code.encode(data)]))
        del shards[0], shards[3]
        assert (code.decode(shards) == data).all()
        print(reed.__file__, reed.get_include(), sep='|')""")
    where, include = answer.split("|")
    assert Path(where).is_relative_to(installed)
    assert Path(include) == installed / "reed" / "include"


def test_header_compiles_from_get_include(installed, tmp_path):
    include = run_installed(installed, tmp_path, "import reed; print(reed.get_include())")
    source = tmp_path / "caller.c"
    major, minor, patch = reed.__version__.split(".")
    source.write_text("#include <reed.h>\n"
                      f"#if REED_VERSION_MAJOR != {major} || REED_VERSION_MINOR != {minor} || "
                      f"REED_VERSION_PATCH != {patch}\n#error another version\n#endif\n"
                      "int main(void) { return REED_OK; }\n")
    c_build.require("cc")
    subprocess.run(["cc", *c_build.WARNINGS, f"-I{include}", "-fsyntax-only", source], check=True)
    subprocess.run(["cc", "-xc++", "-Wall", "-Werror", f"-I{include}", "-fsyntax-only", source],
                   check=True)


@pytest.mark.parametrize("how", ["config", "pkg-config"])
def test_c_program_builds_against_the_installed_wheel(installed, tmp_path, how):
    c_build.require("cc", "pkg-config")
    environment = {**os.environ, "PYTHONPATH": str(installed),
                   "LD_LIBRARY_PATH": "" if how == "config" else str(installed / "reed" / "lib"),
                   "PKG_CONFIG_PATH": str(installed / "reed" / "lib" / "pkgconfig")}
    command = ([sys.executable, "-m", "reed.cli", "config"] if how == "config"
               else ["pkg-config", "reed"])
    flags = subprocess.run([*command, "--cflags", "--libs"], cwd=tmp_path, env=environment,
                           capture_output=True, text=True, check=True).stdout.split()
    source = ROOT / "examples" / "embedding" / "stripe.c"
    subprocess.run(["cc", *c_build.WARNINGS, source, *flags, "-o", tmp_path / "stripe"], check=True)
    done = subprocess.run([tmp_path / "stripe"], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "4 of 14 shards lost and rebuilt" in done.stdout


def test_get_include_of_this_installation():
    assert (Path(reed.get_include()) / "reed.h").is_file()
