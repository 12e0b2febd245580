"""What programs import from ``pyeclib.ec_iface``, over the codes of reed.

``ECDriver`` checks arguments as pyeclib does and hands the work to a backend: to ``FragmentCodec``
for the codes that reed has, and for the others to pyeclib itself where the hook of this package
stands in front of an installed pyeclib.

It differs from pyeclib where pyeclib gives wrong bytes; docs/compat.md lists every difference.
"""

import importlib
import logging
import os
import struct

from reed import errors
from reed._core import FRAGMENT_METADATA_SIZE, FragmentCode
from reed.codes import ReedSolomon

from .enums import PyECLib_EC_Types, PyECLib_FRAGHDRCHKSUM_Types
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
    "ALL_EC_TYPES",
    "LIBERASURECODE_VERSION",
    "PYECLIB_MAJOR",
    "PYECLIB_MAX_DATA",
    "PYECLIB_MAX_PARITY",
    "PYECLIB_MINOR",
    "PYECLIB_REV",
    "PYECLIB_VERSION",
    "VALID_EC_TYPES",
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
    "PyECLibVersion",
    "PyECLib_EC_Types",
    "PyECLib_FRAGHDRCHKSUM_Types",
    "check_backend_available",
    "get_liberasurecode_version",
]

logger = logging.getLogger(__name__)

# The interface that this is, and the version in the headers that it writes.
PYECLIB_MAJOR, PYECLIB_MINOR, PYECLIB_REV = 1, 8, 0
LIBERASURECODE_VERSION = "1.8.0"
PYECLIB_MAX_DATA = PYECLIB_MAX_PARITY = 32  # pyeclib's; nothing enforces them


def get_liberasurecode_version():
    """The version in the headers that reed writes, as one number."""
    return PyECLibVersion(*map(int, LIBERASURECODE_VERSION.split(".")))


def PyECLibVersion(z, y, x):
    """A version as one number."""
    return (z << 16) + (y << 8) + x


PYECLIB_VERSION = PyECLibVersion(PYECLIB_MAJOR, PYECLIB_MINOR, PYECLIB_REV)
__version__ = f"{PYECLIB_MAJOR}.{PYECLIB_MINOR}.{PYECLIB_REV}"

# Type -> (generator, version of the backend in headers).
_CODES = {
    PyECLib_EC_Types.isa_l_rs_vand: ("isal-vand", 0x20D00),
    PyECLib_EC_Types.isa_l_rs_cauchy: ("isal-cauchy", 0x20E01),
    PyECLib_EC_Types.isa_l_rs_vand_inv: ("vand-inv", 0x10000),
    PyECLib_EC_Types.reed_native: ("native", 0x10000),
}
_INT_MAX = 2**31 - 1  # lengths are C ints in pyeclib; callers rely on the refusal
_STATUS_BAD_CHECKSUM = -205

# The 59 bytes of metadata: index, payload size, backend metadata size, segment size, checksum type,
# checksum, mismatch flag, backend id and version.
_METADATA = struct.Struct("<IIIQB32sBBI")
_CHECKSUM_NAMES = {1: ("none", 0), 2: ("crc32", 4), 3: ("md5", 16)}  # and bytes of the checksum


# Whether this is what `import pyeclib.ec_iface` gave (see reed.compat.pyeclib_hook): then the rest
# of pyeclib is behind, with codes of its own.
_IS_IN_FRONT = __name__ == "pyeclib.ec_iface"


def _translate(error):
    """An exception of reed as the one that pyeclib's callers expect."""
    if isinstance(error, errors.CorruptShard):
        return ECBadFragmentChecksum(error, error.shard_index)
    if isinstance(error, errors.AmbiguousCorruption):
        return ECBadFragmentChecksum(error)
    if isinstance(error, errors.FormatError):
        return ECInvalidFragmentMetadata(error)
    if isinstance(error, errors.TooFewShards | errors.SingularPattern):
        return ECInsufficientFragments(error)
    if isinstance(error, errors.NotMDS):
        return ECBackendNotSupported(error)
    if isinstance(error, MemoryError):
        return ECOutOfMemory("out of memory")
    return ECInvalidParameter(error)


_TRANSLATED = (errors.ReedError, MemoryError, TypeError, BufferError, OverflowError)


class _Closed:
    """What a closed driver has instead of its code."""

    def __getattr__(self, name):
        raise ECBackendInstanceNotAvailable("erasure coding handle is closed")


class FragmentCodec:
    """One code of reed as the backend of an ``ECDriver``; argument for argument what pyeclib's
    ``ECPyECLibDriver`` is."""

    def __init__(self, k, m, hd, ec_type, chksum_type, validate=False, local_parity=0):
        self.k, self.m, self.hd, self.ec_type, self.chksum_type = k, m, hd, ec_type, chksum_type
        self._is_checked = chksum_type is PyECLib_FRAGHDRCHKSUM_Types.inline_crc32
        # Read here, not for every fragment: the environment of a server does not change.
        self._is_legacy = os.environ.get("LIBERASURECODE_WRITE_LEGACY_CRC", "") not in ("", "0")
        generator, self._version = _CODES[ec_type]
        try:
            try:
                self._code = ReedSolomon(k, m, generator)
            except errors.NotMDS:  # old data stay readable; encode refuses
                self._code = ReedSolomon(k, m, generator, decode_only=True)
        except errors.ReedError as error:
            raise ECInvalidParameter(error) from None
        self._fragments = FragmentCode(self._code, ec_type.value, self._version)

    def __repr__(self):
        return (f"{type(self).__name__}(k={self.k!r}, m={self.m!r}, hd={self.hd!r}, "
                f"ec_type={self.ec_type!r}, chksum_type={self.chksum_type!r})")

    def close(self):
        """Further calls that need the code raise ECBackendInstanceNotAvailable."""
        self._fragments = _Closed()

    def _require_open(self):
        """A closed driver refuses also what needs no code."""
        return self._fragments.code

    def encode(self, data_bytes):
        try:
            return self._fragments.encode(data_bytes, self._is_checked, self._is_legacy)
        except _TRANSLATED as error:
            raise _translate(error) from None

    def decode(self, fragment_payloads, ranges=None, force_metadata_checks=False):
        fragments = (fragment_payloads if type(fragment_payloads) is list
                     else list(fragment_payloads))
        try:
            segment, left_out = self._fragments.decode(fragments, force_metadata_checks)
        except Exception as error:
            raise self._failure("decode", fragments, error) from None
        if left_out:
            self._report("decode", fragments, left_out)
        return _cut(segment, ranges) if ranges else segment

    def reconstruct(self, fragment_payloads, indexes_to_reconstruct):
        fragments = list(fragment_payloads)
        indexes_to_reconstruct.sort()  # the caller's list too: pyeclib does so
        rebuilt = []
        try:
            for index in indexes_to_reconstruct:
                fragment, left_out = self._fragments.reconstruct(
                    fragments, index, self._is_checked, self._is_legacy)
                rebuilt.append(fragment)
                if left_out:
                    self._report("reconstruct", fragments, left_out)
        except Exception as error:
            raise self._failure("reconstruct", fragments, error) from None
        if not rebuilt:
            _check_sizes("reconstruct", fragments)
        return rebuilt

    def _failure(self, method, fragments, error):
        """What to raise instead of `error`; arguments that pyeclib refuses at once come first."""
        _check_sizes(method, fragments)
        return _translate(error) if isinstance(error, _TRANSLATED) else error

    def _report(self, method, fragments, left_out):
        """The result is right, and a fragment is not: say which."""
        _check_sizes(method, fragments)
        logger.warning("%s %d+%d %s: not used: %s", self.ec_type.name, self.k, self.m, method,
                       "; ".join(left_out))

    def fragments_needed(self, reconstruct_indexes, exclude_indexes):
        total = self.k + self.m
        self._require_open()
        unusable = set()
        for index in (*reconstruct_indexes, *exclude_indexes):
            if not isinstance(index, int) or not 0 <= index < total:
                raise ECInvalidParameter(
                    f"fragment indexes must be 0 to {total - 1}, not {index!r}")
            unusable.add(index)
        usable = [index for index in range(total) if index not in unusable]
        if len(usable) < self.k:
            raise ECInsufficientFragments(
                f"{len(usable)} of the {self.k} fragments that are needed are usable")
        return usable[:self.k]

    def min_parity_fragments_needed(self):
        return 1

    def get_metadata(self, fragment, formatted=0):
        try:
            metadata, is_corrupt = self._fragments.inspect(fragment)
        except _TRANSLATED as error:
            raise _translate(error) from None
        if formatted:
            return _describe(metadata)
        if is_corrupt:
            index = _METADATA.unpack(metadata)[0]
            raise ECBadFragmentChecksum(
                f"the payload of fragment {index} does not match its checksum", [index])
        return metadata

    def verify_stripe_metadata(self, fragment_metadata_list):
        self._require_open()
        total = self.k + self.m
        if not isinstance(fragment_metadata_list, list) or len(fragment_metadata_list) != total:
            raise ECInvalidParameter(f"metadata must be a list of {total}")
        bad, is_judged = [], False
        for metadata in fragment_metadata_list:
            try:
                index, *_, mismatch, backend, version = _METADATA.unpack_from(metadata)
            except (struct.error, TypeError):
                raise ECInvalidFragmentMetadata(
                    f"metadata must have {FRAGMENT_METADATA_SIZE} bytes") from None
            is_foreign = (index >= total or backend != self.ec_type.value
                          or version != self._version)
            # As in liberasurecode the first that is wrong decides what kind of answer this is.
            if is_foreign and not is_judged:
                raise ECInvalidFragmentMetadata(
                    f"fragment {index} is of backend {backend} version {version:#x}, not of "
                    f"{self.ec_type.value} version {self._version:#x} with {total} fragments")
            is_judged |= mismatch == 1
            if mismatch == 1:
                bad.append(index)
        if bad:
            return {"status": _STATUS_BAD_CHECKSUM, "reason": "Bad checksum", "bad_fragments": bad}
        return {"status": 0}

    def get_segment_info(self, data_len, segment_size):
        self._require_open()
        for name, value in (("data_len", data_len), ("segment_size", segment_size)):
            if not isinstance(value, int) or not 0 <= value <= _INT_MAX:
                raise ECInvalidParameter(f"{name} must be 0 to {_INT_MAX}, not {value!r}")
        if segment_size == 0:
            raise ECInvalidParameter("segment_size must be at least 1, not 0")
        count = -(-data_len // segment_size)
        # A rest that is smaller than one byte for each data fragment joins the segment before it.
        if count == 2 and data_len < segment_size + self.k:
            count = 1
        if count == 1:
            segment_size = last_size = data_len
        else:
            last_size = data_len - segment_size * (count - 1)
            if last_size < self.k:
                count -= 1
                last_size += segment_size
        return {
            "segment_size": segment_size,
            "last_segment_size": last_size,
            "fragment_size": self._fragment_size(segment_size),
            "last_fragment_size": self._fragment_size(last_size),
            "num_segments": count,
        }

    def _fragment_size(self, segment_size):
        return 80 + -(-segment_size // self.k)


def _check_sizes(method, fragments):
    """What pyeclib refuses before it looks into any fragment."""
    where = f"ECPyECLibDriver.{method}"
    if not fragments:
        raise ECDriverError(f"No fragments payload in {where}")
    sizes = [len(fragment) for fragment in fragments]
    if sizes[0] == 0:
        raise ECDriverErrorWithPosition(f"Invalid fragment payload in {where}", 0)
    for position, size in enumerate(sizes):
        if size != sizes[0]:
            raise ECDriverErrorWithPosition(f"Invalid fragment payload in {where}", position + 1)


def _cut(segment, ranges):
    """The bytes of inclusive ranges (begin, end) of a segment."""
    if not isinstance(ranges, list | tuple):
        raise ECInvalidParameter(f"ranges must be a list of tuples, not {ranges!r}")
    pieces = []
    for item in ranges:
        if (not isinstance(item, tuple) or len(item) != 2
                or not all(isinstance(place, int) for place in item)):
            raise ECInvalidParameter(f"a range must be a tuple of two ints, not {item!r}")
        begin, end = item
        if not 0 <= begin <= end + 1 <= len(segment):
            raise ECInvalidParameter(
                f"range {item} is not inside the {len(segment)} bytes of the segment")
        pieces.append(segment[begin:end + 1])
    return pieces


def _describe(metadata):
    """Metadata as the dictionary that pyeclib gives for it."""
    index, size, _, segment_size, kind, checksum, mismatch, backend, version = (
        _METADATA.unpack(metadata))
    kind_name, checksum_size = _CHECKSUM_NAMES.get(kind, ("unknown", 0))
    names = {item.value: item.name for item in PyECLib_EC_Types}
    return {
        "index": index,
        "size": size,
        "orig_data_size": segment_size,
        "chksum_type": kind_name,
        "chksum": checksum[:checksum_size].hex(),
        "chksum_mismatch": mismatch,
        "backend_id": names.get(backend, "null" if backend == 0 else "unknown"),
        "backend_version": version,
    }


def _positive(value, message):
    """A number of fragments as pyeclib takes it: whatever int() makes positive."""
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = 0
    if number <= 0:
        raise ECDriverError(message)
    return number


class ECDriver:
    """A driver to encode, decode and reconstruct segments of bytes.

    :param ec_type: one of ``VALID_EC_TYPES``.
    :param k: number of data fragments. :param m: number of parity fragments.
    :param chksum_type: "inline_crc32" or "none". The default is the inline checksum for the codes
        that reed has, since without it a corrupt payload cannot be told from a good one; for the
        others it is pyeclib's, "none".
    :param validate: silences pyeclib's own codes while they are tried.
    :param library_import_str: another backend class, as ``module.Class``.
    :param local_parity: for pyeclib's own codes.
    :raises ECDriverError: an argument is wrong. :raises ECBackendNotSupported: no such code.
    """

    def __init__(self, *, ec_type=None, library_import_str="pyeclib.core.ECPyECLibDriver", k, m,
                 chksum_type=None, validate=False, local_parity=0):
        is_default = library_import_str == "pyeclib.core.ECPyECLibDriver"
        if ec_type is None and is_default:
            raise ECDriverError(
                "Invalid Argument: either ec_type or library_import_str must be provided")
        self.k = _positive(k, "Invalid number of data fragments (k)")
        self.m = _positive(m, "Invalid number of parity fragments (m)")
        self.local_parity = int(local_parity)
        self.hd = {"flat_xor_hd": 3, "flat_xor_hd_3": 3, "flat_xor_hd_4": 4,
                   "libphazr": 1}.get(ec_type, self.m)
        self.ec_type = None
        if ec_type is not None:
            name = "flat_xor_hd" if ec_type in ("flat_xor_hd_3", "flat_xor_hd_4") else ec_type
            if name not in PyECLib_EC_Types.__members__:
                raise ECBackendNotSupported(f"{name} is not a valid EC type for PyECLib!")
            self.ec_type = PyECLib_EC_Types[name]
        is_ours = is_default and self.ec_type in _CODES
        if chksum_type is None:
            chksum_type = "inline_crc32" if is_ours else "none"
        if chksum_type not in PyECLib_FRAGHDRCHKSUM_Types.__members__:
            raise ECDriverError(f"{chksum_type} is not a valid checksum type for PyECLib!")
        self.chksum_type = PyECLib_FRAGHDRCHKSUM_Types[chksum_type]
        self.validate = validate
        self.library_import_str = library_import_str
        self.ec_lib_reference = (FragmentCodec if is_ours else self._other_backend())(
            k=self.k, m=self.m, hd=self.hd, ec_type=self.ec_type, chksum_type=self.chksum_type,
            validate=int(validate), local_parity=self.local_parity)

    def _other_backend(self):
        module, _, name = self.library_import_str.rpartition(".")
        if module == "pyeclib.core" and not _IS_IN_FRONT:
            raise ECBackendNotSupported(
                f"{self.ec_type.name if self.ec_type else name} is a code of pyeclib's own: "
                "install pyeclib and put reed in front of it (reed compat pyeclib --install)")
        try:
            return getattr(importlib.import_module(module), name)
        except ImportError as error:
            raise ECBackendNotSupported(
                f"{self.library_import_str} cannot be imported: {error}") from None

    def __repr__(self):
        name = self.ec_type.name if self.ec_type else "None"
        if name == "flat_xor_hd":
            name = f"flat_xor_hd_{self.hd}"
        return f"{type(self).__name__}(ec_type={name!r}, k={self.k}, m={self.m})"

    def close(self):
        """Let the backend go; what needs it raises ECBackendInstanceNotAvailable afterwards."""
        self.ec_lib_reference.close()

    def encode(self, data_bytes):
        """The k + m fragments of a segment, data first, as a list of bytes.

        :param data_bytes: any contiguous buffer.
        :raises ECBackendNotSupported: this geometry of isa_l_rs_vand would lose data; it can be
            read but not written.
        """
        return self.ec_lib_reference.encode(data_bytes)

    def decode(self, fragment_payloads, ranges=None, force_metadata_checks=False):
        """The segment, from any k of its fragments, in any order.

        A fragment whose payload does not match its checksum is never used. Fragments without
        checksum are compared with each other where more than k are given; with exactly k there is
        nothing to compare, and they are trusted.

        :param fragment_payloads: buffers, each one whole fragment.
        :param ranges: inclusive (begin, end) pairs; a list of their bytes is returned.
        :param force_metadata_checks: read and compare all the fragments that are given.
        :raises ECBadFragmentChecksum: without the corrupt ones there are too few.
        :raises ECInvalidFragmentMetadata: too few are fragments of this code, or of one segment.
        :raises ECInsufficientFragments: too few are given.
        """
        return self.ec_lib_reference.decode(fragment_payloads, ranges, force_metadata_checks)

    def reconstruct(self, available_fragment_payloads, missing_fragment_indexes):
        """The fragments of these indices, ascending, from others; never from a corrupt one.

        Errors as `decode`.
        """
        return self.ec_lib_reference.reconstruct(available_fragment_payloads,
                                                 missing_fragment_indexes)

    def fragments_needed(self, reconstruction_indexes, exclude_indexes=None):
        """Indices of k fragments that suffice, none of them among the given ones.

        :raises ECInsufficientFragments: fewer are left.
        """
        return self.ec_lib_reference.fragments_needed(
            reconstruction_indexes, [] if exclude_indexes is None else exclude_indexes)

    def min_parity_fragments_needed(self):
        """1, as in pyeclib."""
        return self.ec_lib_reference.min_parity_fragments_needed()

    def get_metadata(self, fragment, formatted=0):
        """A fragment's metadata as 59 opaque bytes, or `formatted` as a dictionary.

        :raises ECBadFragmentChecksum: the payload does not match its checksum; not when
            `formatted`, where ``chksum_mismatch`` says so.
        :raises ECInvalidFragmentMetadata: this is no whole fragment.
        """
        return self.ec_lib_reference.get_metadata(fragment, formatted)

    def verify_stripe_metadata(self, fragment_metadata_list):
        """{"status": 0} for the metadata of all k + m fragments; where payloads do not match
        {"status": -205, "reason": ..., "bad_fragments": [indices]}.

        :raises ECInvalidFragmentMetadata: metadata of another code.
        """
        return self.ec_lib_reference.verify_stripe_metadata(fragment_metadata_list)

    def get_segment_info(self, data_len, segment_size):
        """How `data_len` bytes are cut into segments, and the sizes of their fragments: a
        dictionary of segment_size, last_segment_size, fragment_size, last_fragment_size (bytes)
        and num_segments."""
        return self.ec_lib_reference.get_segment_info(data_len, segment_size)

    def get_segment_info_byterange(self, ranges, data_len, segment_size):
        """{range: {segment number: (begin, end) in that segment}} for inclusive (begin, end)
        ranges of an object of `data_len` bytes."""
        size = self.get_segment_info(data_len, segment_size)["segment_size"]
        recipe = {}
        for begin, end in ranges:
            first, last = begin // size, end // size
            recipe[begin, end] = {
                number: (begin % size if number == first else 0,
                         end % size if number == last else size - 1)
                for number in range(first, max(first, last) + 1)}
            if last < first:
                recipe[begin, end][last] = (0, end % size)
        return recipe


# Types by the names that ECDriver takes, in pyeclib's order.
ALL_EC_TYPES = [
    "jerasure_rs_vand",
    "jerasure_rs_cauchy",
    "flat_xor_hd_3",
    "flat_xor_hd_4",
    "isa_l_rs_vand",
    "shss",
    "liberasurecode_rs_vand",
    "isa_l_rs_cauchy",
    "libphazr",
    "isa_l_rs_vand_inv",
    "isa_l_rs_lrc",
    "reed_native",
]


def check_backend_available(backend_name):
    """Whether ECDriver can be made with this type here."""
    name = "flat_xor_hd" if backend_name.startswith("flat_xor_hd") else backend_name
    kind = PyECLib_EC_Types[name]
    if kind in _CODES:
        return True
    if not _IS_IN_FRONT:
        return False
    try:
        stock = importlib.import_module("pyeclib_c")
    except ImportError:  # the hook works without pyeclib too
        return False
    return stock.check_backend_available(kind.value)


VALID_EC_TYPES = [name for name in ALL_EC_TYPES if check_backend_available(name)]
