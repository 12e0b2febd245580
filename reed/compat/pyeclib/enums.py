"""The numbers of pyeclib: types of code, which are the backend ids in headers, and checksums."""

import enum


@enum.unique
class PyECLib_EC_Types(enum.Enum):
    """Types of code; the value is the backend id in the headers of fragments."""

    jerasure_rs_vand = 1
    jerasure_rs_cauchy = 2
    flat_xor_hd = 3
    isa_l_rs_vand = 4
    shss = 5
    liberasurecode_rs_vand = 6
    isa_l_rs_cauchy = 7
    libphazr = 8
    isa_l_rs_vand_inv = 9
    isa_l_rs_lrc = 10
    reed_native = 114  # reed's own code: far from the numbers that liberasurecode gives out


@enum.unique
class PyECLib_FRAGHDRCHKSUM_Types(enum.Enum):
    """Checksums of payloads."""

    none = 1
    inline_crc32 = 2
