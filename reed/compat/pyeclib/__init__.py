"""The interface of pyeclib 1.8 over reed: fragments that OpenStack Swift reads and writes.

``ECDriver`` and the exceptions are those of ``pyeclib.ec_iface``, to use by this name or, with the
hook of ``reed.compat.pyeclib_hook``, to put under programs that import ``pyeclib`` and know nothing
of reed. What is the same and what is not stands in docs/swift.md and docs/compat.md.
"""

from .ec_iface import ECDriver
from .exceptions import (
    ECBackendInitializationError,
    ECBackendInstanceInUse,
    ECBackendInstanceNotAvailable,
    ECBackendNotSupported,
    ECBadFragmentChecksum,
    ECDriverError,
    ECDriverErrorWithPosition,
    ECInsufficientFragments,
    ECInvalidFragmentMetadata,
    ECInvalidParameter,
    ECMethodNotImplemented,
    ECOutOfMemory,
)

__all__ = [
    "ECBackendInitializationError",
    "ECBackendInstanceInUse",
    "ECBackendInstanceNotAvailable",
    "ECBackendNotSupported",
    "ECBadFragmentChecksum",
    "ECDriver",
    "ECDriverError",
    "ECDriverErrorWithPosition",
    "ECInsufficientFragments",
    "ECInvalidFragmentMetadata",
    "ECInvalidParameter",
    "ECMethodNotImplemented",
    "ECOutOfMemory",
]
