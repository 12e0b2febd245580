"""Puts reed in the place of ISA-L's erasure code, for libraries that this process loads later.

>>> from reed.compat import isal; isal.preload()
>>> import pyeclib.ec_iface   # isa_l_rs_vand, isa_l_rs_cauchy, isa_l_rs_vand_inv now run on reed

The same for a program that cannot be changed, without Python: put the folder that
``reed config --isal-dir`` prints into ``LD_LIBRARY_PATH``, or the library of the right name in it
into ``LD_PRELOAD``. Only the functions of ISA-L's erasure code are there, so a program that also
uses its compression or checksums keeps ISA-L.
"""

import ctypes
from pathlib import Path

from ..codes import get_library_dir
from ..errors import ReedError

# The names under which ISA-L is asked for: its own, and the one inside pyeclib's wheel.
NAMES = ("libisal.so.2", "libisal-pyeclib.so.2")

_loaded = []  # handles: a library stays as long as something holds it


class AlreadyLoaded(ReedError):
    """Another ISA-L is in this process already, and callers keep what they found first."""

    def __init__(self, name):
        super().__init__(f"{name} was loaded before reed's: call preload() before pyeclib, or "
                         "whatever else uses ISA-L, is imported")
        self.name = name


def get_isal_dir():
    """The folder that holds the drop-in under each of NAMES, for LD_LIBRARY_PATH."""
    return str(Path(get_library_dir()) / "isal")


def preload():
    """Loads the drop-in under each of NAMES, so that whoever asks for one of them gets reed.

    The loader of the C library gives a library that is already there to everybody who asks for its
    name. Calling this again changes nothing. Raises AlreadyLoaded when another ISA-L came first,
    OSError when the libraries of this installation cannot be loaded.
    """
    for name in NAMES:
        # Not RTLD_GLOBAL: a library that carries an ISA-L of its own must keep all of it, since
        # the tables of the two are different inside.
        ours = ctypes.CDLL(str(Path(get_isal_dir()) / name))
        found = ctypes.CDLL(name)
        if _address(found) != _address(ours):
            raise AlreadyLoaded(name)
        _loaded.append(ours)


def _address(library):
    return ctypes.cast(library.ec_encode_data, ctypes.c_void_p).value
