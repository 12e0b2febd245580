"""The drop-in for ISA-L: against arithmetic of its own on every kernel, compiler, sanitizer and
machine, and as other programs load it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import c_build
import reed
from reed.compat import isal
from test_c_checksum import NATIVE_KERNELS

FOLDER = Path(isal.get_isal_dir())
INSTALLED_CORE = Path(reed.get_library_dir()) / "libreed.a"
SOURCE = c_build.C_CORE / "isal" / "isal.c"
MAP = c_build.C_CORE / "isal" / "isal.map"
THREAD_SANITIZED = ("-O0", "-g", "-fsanitize=thread")
# What libhadoop resolves by name.
HADOOP = {"gf_mul", "gf_inv", "gf_gen_rs_matrix", "gf_gen_cauchy1_matrix", "gf_invert_matrix",
          "gf_vect_mul", "ec_init_tables", "ec_encode_data", "ec_encode_data_update"}


def supported(kernel):
    from reed import kernels

    if kernel not in kernels():
        pytest.skip(f"NOT RUN: this processor cannot run kernel {kernel}")
    return {**os.environ, "REED_KERNEL": kernel}


def linked(folder, core, flags, compiler="gcc"):
    """test_isal with the drop-in and the core inside it."""
    c_build.require(compiler)
    program = Path(folder) / "test_isal"
    command = [compiler, *c_build.WARNINGS, *flags, "-DISAL_LINKED", *c_build.INCLUDES,
               f"-I{c_build.C_TESTS}", c_build.C_TESTS / "test_isal.c", SOURCE,
               *core, "-o", program, "-pthread"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return program


@pytest.mark.parametrize("kernel", NATIVE_KERNELS)
@pytest.mark.parametrize("name", isal.NAMES)
def test_as_hadoop_loads_it(tmp_path, name, kernel):
    """Nothing is linked: the nine functions come from dlsym, of the library as it is installed."""
    c_build.require("cc")
    environment = supported(kernel)
    program = tmp_path / "test_isal"
    subprocess.run(["cc", *c_build.WARNINGS, *c_build.OPTIMISED, *c_build.INCLUDES,
                    c_build.C_TESTS / "test_isal.c", "-o", program, "-ldl",
                    "-pthread"], check=True)
    c_build.run(program, FOLDER / name, env=environment)


@pytest.mark.parametrize("kernel", NATIVE_KERNELS)
def test_sanitized(tmp_path, kernel):
    """The drop-in's own code; the core inside is the installed one, and has tests of its own.

    On aarch64: test_c_codec.py, which has the core for it."""
    c_build.run(linked(tmp_path, [INSTALLED_CORE], c_build.SANITIZED), env=supported(kernel))


def test_thread_sanitized(tmp_path):
    c_build.run(linked(tmp_path, [INSTALLED_CORE], THREAD_SANITIZED))


@pytest.mark.parametrize("name", isal.NAMES)
def test_exports_and_name(name):
    """ISA-L's names alone: reed's own stay inside, whoever else brings them."""
    c_build.require("nm", "readelf")
    library = FOLDER / name
    listing = subprocess.run(["nm", "-D", "--defined-only", library], capture_output=True,
                             text=True, check=True).stdout
    names = {line.split()[-1] for line in listing.splitlines()} - {"_init", "_fini"}
    wanted = set(re.findall(r"\b((?:ec|gf)_\w+);", MAP.read_text()))
    assert names == wanted >= HADOOP
    declared = re.findall(r"ISAL_API [\w ]+?\b((?:ec|gf)_\w+)\(",
                          (c_build.C_CORE / "isal" / "isal.h").read_text())
    assert set(declared) == wanted
    dynamic = subprocess.run(["readelf", "-d", library], capture_output=True, text=True,
                             check=True).stdout
    assert re.search(r"SONAME.*\[(.*)\]", dynamic)[1] == name
    assert "libreed" not in dynamic


def test_a_kernel_that_cannot_be_had_ends_the_program():
    done = subprocess.run(
        [sys.executable, "-c", f"import ctypes; ctypes.CDLL({str(FOLDER / 'libisal.so.2')!r})"],
        env={**os.environ, "REED_KERNEL": "avx1024"}, capture_output=True, text=True)
    assert done.returncode < 0
    assert "REED_KERNEL=avx1024" in done.stderr


def loaded(code, **environment):
    """Runs Python code that ends with `path` = where ec_encode_data of `library` lies."""
    show = ("\nfor line in open('/proc/self/maps'):\n"
            "    begin, end = (int(edge, 16) for edge in line.split()[0].split('-'))\n"
            "    address = ctypes.cast(library.ec_encode_data, ctypes.c_void_p).value\n"
            "    if begin <= address < end: print(line.split()[-1])\n")
    done = subprocess.run([sys.executable, "-c", "import ctypes\n" + code + show],
                          capture_output=True, text=True, env={**os.environ, **environment})
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("name", isal.NAMES)
def test_preload_answers_to_both_names(name):
    path = loaded("from reed.compat import isal\nisal.preload()\nisal.preload()\n"
                  f"library = ctypes.CDLL({name!r})")
    assert Path(path) == FOLDER / name


@pytest.mark.parametrize("name", isal.NAMES)
def test_the_folder_serves_the_library_path(name):
    path = loaded(f"library = ctypes.CDLL({name!r})", LD_LIBRARY_PATH=str(FOLDER))
    assert Path(path) == FOLDER / name


def test_preload_does_not_put_the_names_in_everybodys_way():
    """A library with an ISA-L of its own inside keeps all of it."""
    done = subprocess.run(
        [sys.executable, "-c", "import ctypes\nfrom reed.compat import isal\nisal.preload()\n"
         "ctypes.CDLL(None).ec_encode_data"], capture_output=True, text=True)
    assert "undefined symbol: ec_encode_data" in done.stderr


def test_preload_too_late_is_an_error(tmp_path):
    c_build.require("cc")
    other = tmp_path / isal.NAMES[0]
    (tmp_path / "other.c").write_text("void ec_encode_data(void) {}\n")
    subprocess.run(["cc", "-shared", "-fPIC", tmp_path / "other.c", "-o", other,
                    f"-Wl,-soname,{other.name}"], check=True)
    done = subprocess.run(
        [sys.executable, "-c", f"import ctypes\nctypes.CDLL({str(other)!r})\n"
         "from reed.compat import isal\nisal.preload()"], capture_output=True, text=True)
    assert "AlreadyLoaded: libisal.so.2 was loaded before reed's" in done.stderr
