"""Puts reed in front of pyeclib in one Python environment: programs that import ``pyeclib`` and
know nothing of reed, as OpenStack Swift, then use ``reed.compat.pyeclib``.

``install`` writes one line into the environment's site-packages, which Python runs whenever it
starts there, however a server is started; ``remove`` deletes it. The line puts a finder before the
others that answers for the three modules that reed has a version of. The rest of pyeclib stays as
it is, and does the codes that reed does not have. Nothing of pyeclib is changed on disk.

``REED_PYECLIB=0`` in the environment of a process leaves pyeclib alone there. This module is
imported at every start of Python, so it imports little.
"""

import importlib.machinery
import importlib.util
import os
import sys

FILE_NAME = "reed_pyeclib.pth"
SWITCH = "REED_PYECLIB"
_LINE = "import reed.compat.pyeclib_hook; reed.compat.pyeclib_hook.activate()\n"
_HOME = os.path.join(os.path.dirname(os.path.abspath(__file__)), "pyeclib")
# pyeclib 1.8 has one module for all three; later versions have three.
REPLACED = {f"pyeclib.{name}": os.path.join(_HOME, f"{name}.py")
            for name in ("ec_iface", "exceptions", "enums")}

# What a fresh interpreter is asked: which pyeclib a server that starts now would get.
_QUESTION = """\
import importlib.metadata, json
try:
    version = importlib.metadata.version("PyECLib")
except importlib.metadata.PackageNotFoundError:
    version = None
try:
    import pyeclib.ec_iface as iface
except ImportError:
    iface = None
print(json.dumps({
    "installed_pyeclib": version,
    "module": getattr(iface, "__file__", None),
    "interface": getattr(iface, "__version__", None),
    "ec_types": getattr(iface, "VALID_EC_TYPES", []),
}))
"""


class Finder:
    """A finder of ``sys.meta_path`` for the modules that reed replaces."""

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name in REPLACED:
            return importlib.util.spec_from_file_location(name, REPLACED[name])
        if name == "pyeclib" and importlib.machinery.PathFinder.find_spec(name) is None:
            # pyeclib is not installed: an empty package holds the modules.
            return importlib.machinery.ModuleSpec(name, None, is_package=True)
        return None


def activate():
    """Stand in front, for this process, unless ``REED_PYECLIB=0``. Does no harm twice.

    :raises ImportError: pyeclib has been imported already, so that it would be too late.
    """
    if os.environ.get(SWITCH) == "0" or Finder in sys.meta_path:
        return
    loaded = [name for name in REPLACED if name in sys.modules]
    if loaded:
        raise ImportError(f"{loaded[0]} was imported before reed could stand in front of it")
    sys.meta_path.insert(0, Finder)


def pth_path():
    """The file that makes it permanent in this environment, whether or not it exists."""
    import sysconfig

    return os.path.join(sysconfig.get_path("purelib"), FILE_NAME)


def install():
    """Write the file; returns its path. Processes that start afterwards are affected.

    :raises OSError: it cannot be written.
    """
    path = pth_path()
    temporary = f"{path}.{os.getpid()}"  # not *.pth: Python does not read it
    try:
        with open(temporary, "w") as file:
            file.write(_LINE)
        os.replace(temporary, path)
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)
    return path


def remove():
    """Delete the file; returns its path, or None where there was none. Running processes keep what
    they have.

    :raises OSError: it cannot be deleted.
    """
    path = pth_path()
    try:
        os.remove(path)
    except FileNotFoundError:
        return None
    return path


def status():
    """What a Python that starts now in this environment gets, by asking one.

    :return: a dictionary: ``active`` (reed is in front), ``hook`` (path of the file, or None),
        ``switched_off`` (by the environment of this process), ``module`` (path of what
        ``pyeclib.ec_iface`` is, or None), ``interface`` (its version), ``installed_pyeclib`` (its
        version, or None), ``ec_types``.
    """
    import json
    import subprocess

    done = subprocess.run([sys.executable, "-c", _QUESTION], capture_output=True, text=True)
    if done.returncode != 0:
        raise ImportError(f"a fresh {sys.executable} failed: {done.stderr.strip()}")
    found = json.loads(done.stdout.splitlines()[-1])
    path = pth_path()
    return {
        "active": found["module"] == REPLACED["pyeclib.ec_iface"],
        "hook": path if os.path.exists(path) else None,
        "switched_off": os.environ.get(SWITCH) == "0",
        **found,
    }
