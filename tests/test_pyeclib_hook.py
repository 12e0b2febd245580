"""reed in front of pyeclib: a real environment, fresh interpreters, and the way back."""

import json
import os
import subprocess
import sysconfig
import venv
from pathlib import Path

import pytest

import reed

pytest.importorskip("pyeclib", reason="NOT RUN: pyeclib is not installed (pip install pyeclib)")

ROOT = Path(reed.__file__).parents[1]


class Environment:
    """A virtual environment that sees the packages of this one, and reed."""

    def __init__(self, folder):
        venv.create(folder, with_pip=False)
        self.python = folder / "bin" / "python"
        self.site = next(folder.glob("lib/python*/site-packages"))
        seen = [str(ROOT), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
        (self.site / "a.pth").write_text("".join(f"{path}\n" for path in seen))

    def run(self, code, **environment):
        clean = {name: value for name, value in os.environ.items()
                 if name not in ("PYTHONPATH", "REED_PYECLIB")}
        return subprocess.run([self.python, "-c", code], capture_output=True, text=True,
                              env=clean | environment)

    def reed(self, *arguments, **environment):
        done = self.run(f"import sys; from reed.cli import main; sys.exit(main({arguments!r}))",
                        **environment)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    return Environment(tmp_path_factory.mktemp("environment"))


def test_install_status_remove(environment):
    def status(**variables):
        return json.loads(environment.reed("compat", "pyeclib", "--status", "--json", **variables))

    before = status()
    assert not before["active"] and before["hook"] is None
    assert before["installed_pyeclib"] == "1.8.0"
    assert "reed_native" not in before["ec_types"]

    environment.reed("compat", "pyeclib", "--install")
    environment.reed("compat", "pyeclib", "--install")  # again does no harm
    during = status()
    assert during["active"] and during["hook"] == str(environment.site / "reed_pyeclib.pth")
    assert set(during["ec_types"]) == {*before["ec_types"], "reed_native"}
    off = status(REED_PYECLIB="0")
    assert not off["active"] and off["switched_off"] and off["module"] == before["module"]

    assert "deleted" in environment.reed("compat", "pyeclib", "--remove")
    assert "nothing to remove" in environment.reed("compat", "pyeclib", "--remove")
    assert status() == before


def test_unmodified_programs_get_reed(environment):
    environment.reed("compat", "pyeclib", "--install")
    done = environment.run("""
import pyeclib.core, pyeclib.ec_iface as iface
from pyeclib.ec_iface import ECDriver, ECBadFragmentChecksum, ECInvalidFragmentMetadata

ours = ECDriver(k=4, m=2, ec_type="isa_l_rs_cauchy")
fragments = ours.encode(b"data" * 100)
fragments[0] = fragments[0][:-1] + b"?"
try:
    ours.decode(fragments[:4])
except ECBadFragmentChecksum as error:
    print(error.bad_fragments)

# Codes that reed does not have are pyeclib's, with the same exceptions.
theirs = ECDriver(k=4, m=2, ec_type="liberasurecode_rs_vand")
assert isinstance(theirs.ec_lib_reference, pyeclib.core.ECPyECLibDriver)
assert theirs.chksum_type is iface.PyECLib_FRAGHDRCHKSUM_Types.none
fragments = theirs.encode(b"data" * 100)
assert theirs.decode(fragments[2:]) == b"data" * 100
try:
    theirs.decode([b"0" * 180] * 6)
except ECInvalidFragmentMetadata:
    print("same exceptions")
null = ECDriver(library_import_str="pyeclib.core.ECNullDriver", k=8, m=2)
print(null.encode(b""))
""")
    environment.reed("compat", "pyeclib", "--remove")
    assert done.stdout == "(0,)\nsame exceptions\nNone\n", done.stderr


def test_without_pyeclib(environment):
    """The package is made up; only reed's codes are there."""
    done = environment.run("""
import importlib.machinery, sys
from reed.compat import pyeclib_hook
find = importlib.machinery.PathFinder.find_spec
importlib.machinery.PathFinder.find_spec = (
    lambda name, *rest: None if name.startswith("pyeclib") else find(name, *rest))
pyeclib_hook.activate()
pyeclib_hook.activate()
import pyeclib.ec_iface as iface
print(iface.VALID_EC_TYPES)
try:
    iface.ECDriver(k=4, m=2, ec_type="liberasurecode_rs_vand")
except iface.ECBackendNotSupported as error:
    print(error)
""")
    assert done.stdout.splitlines()[0] == (
        "['isa_l_rs_vand', 'isa_l_rs_cauchy', 'isa_l_rs_vand_inv', 'reed_native']"), done.stderr
    assert "pyeclib.core" in done.stdout


def test_too_late_is_said(environment):
    done = environment.run("import pyeclib.ec_iface\nfrom reed.compat import pyeclib_hook\n"
                           "pyeclib_hook.activate()")
    assert "was imported before reed could stand in front" in done.stderr


def test_a_start_of_python_stays_cheap(environment):
    environment.reed("compat", "pyeclib", "--install")
    done = environment.run("import sys; print('numpy' in sys.modules, 'reed._core' in sys.modules)")
    environment.reed("compat", "pyeclib", "--remove")
    assert done.stdout == "False False\n"


def test_without_the_hook_foreign_codes_are_refused():
    from reed.compat.pyeclib import ECBackendNotSupported, ECDriver

    with pytest.raises(ECBackendNotSupported, match="reed compat pyeclib --install"):
        ECDriver(k=4, m=2, ec_type="liberasurecode_rs_vand")
