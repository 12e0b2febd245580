"""reed: erasure coding, replication and integrity for storage.

The public names, and nothing else. Each is imported when it is first used, so that
``reed.durability`` works where the compiled core is absent.
"""

import importlib

__version__ = "0.1.0"

_HOMES = {
    "ReedSolomon": "reed.codes",
    "Replication": "reed.codes",
    "split": "reed.codes",
    "join": "reed.codes",
    "crc32c": "reed._core",
    "crc32c_combine": "reed._core",
    "kernels": "reed._core",
    "info": "reed.codes",
    "get_include": "reed.codes",
    "get_library_dir": "reed.codes",
    "Store": "reed.store",
    "files": None,
    "durability": None,
    "store": None,
    "ReedError": "reed.errors",
    "InvalidParameter": "reed.errors",
    "TooFewShards": "reed.errors",
    "ShardSizeMismatch": "reed.errors",
    "NotMDS": "reed.errors",
    "SingularPattern": "reed.errors",
    "AmbiguousCorruption": "reed.errors",
    "TooComplex": "reed.errors",
    "UnsupportedKernel": "reed.errors",
    "CorruptShard": "reed.errors",
    "FormatError": "reed.errors",
    "TruncatedShard": "reed.errors",
    "UnsupportedFormat": "reed.errors",
    "NoShardsFound": "reed.errors",
    "SeveralStripes": "reed.errors",
    "ConflictingShards": "reed.errors",
    "ObjectSizeUnknown": "reed.errors",
    "BeyondRepair": "reed.errors",
    "DigestMismatch": "reed.errors",
    "ReadBackMismatch": "reed.errors",
    "TargetExists": "reed.errors",
    "Cancelled": "reed.errors",
    "StoreError": "reed.errors",
    "ObjectNotFound": "reed.errors",
    "Uncertain": "reed.errors",
    "QuorumNotReached": "reed.errors",
    "WrongTarget": "reed.errors",
    "NotAStore": "reed.errors",
    "StoreBusy": "reed.errors",
    "LeaseHeld": "reed.errors",
    "ClockJumped": "reed.errors",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name):
    try:
        home = _HOMES[name]
    except KeyError:
        raise AttributeError(f"module 'reed' has no attribute {name!r}") from None
    if home is None:
        value = importlib.import_module(f"reed.{name}")
    else:
        value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted(set(globals()) | set(_HOMES))
