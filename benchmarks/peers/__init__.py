"""The peers: one module each, with a class ``Peer``, found by looking into this folder."""

import importlib
import pkgutil

from benchmarks.contestant import Absent


def load():
    """(name -> peer, name -> why it is missing) of every module here, in alphabetical order."""
    present, missing = {}, {}
    for found in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{found.name}")
        try:
            present[module.Peer.name] = module.Peer()
        except (ImportError, Absent) as error:
            missing[module.Peer.name] = str(error)
    return present, missing
