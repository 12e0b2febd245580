"""FORMAT.md a second time, in slow and plain Python: the oracle for csrc/shard.c.

Written from the tables of FORMAT.md with ``struct`` and a bitwise CRC32C; it shares no code and no
constants with the C core. Parsers return the fields as a dict or raise ``Refused`` with the name
of the status and of the field; writers do not check anything, so that a test can write what no
writer may.
"""

import struct

OBJECT_SIZE_MAX = 1 << 62

HEADER_MAGIC = b"\x89RSH\r\n\x1a\n"
FOOTER_MAGIC = b"\x89RSF\r\n\x1a\n"
BLOCK_MAGIC = b"\x89RSB\r\n\x1a\n"

COMMON = struct.Struct("<8sHHIII16sIIIIIIIII")  # 76 bytes: header and footer begin alike
COMMON_FIELDS = (
    "magic", "version_major", "version_minor", "size", "compatible_flags", "incompatible_flags",
    "stripe_id", "field", "generator", "matrix_crc32c", "data_shards", "parity_shards",
    "shard_index", "block_size", "checksum_type", "digest_type",
)
FOOTER_TAIL = struct.Struct("<4sQQ32s")  # 4 reserved bytes, object size, rows, digest
BLOCK = struct.Struct("<8s16sQQIIIIBBBB")  # 60 bytes
BLOCK_FIELDS = (
    "magic", "stripe_id", "row", "row_data_size", "data_shards", "parity_shards", "shard_index",
    "payload_size", "generator", "field", "block_size_log2", "flags",
)


class Refused(Exception):
    """``status`` is the name of the reed_status, ``field`` the field to blame or None."""

    def __init__(self, status, field=None):
        super().__init__(status, field)
        self.status = status
        self.field = field


def crc32c(data, value=0):
    register = value ^ 0xFFFFFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0x82F63B78 if register & 1 else 0)
    return register ^ 0xFFFFFFFF


def sealed(body):
    """``body`` with its CRC32C behind it."""
    return body + struct.pack("<I", crc32c(body))


# ---- shapes --------------------------------------------------------------------------------


def shape_exists(generator, k, m):
    """The table of generators in FORMAT.md."""
    if k < 1 or k + m > 256:
        return False
    if generator == 2:
        return k == 1
    if generator == 4:
        return (k <= 3 or m <= 3 or (k == 4 and m <= 21) or (k == 5 and m <= 5)
                or (m == 4 and k <= 21))
    if generator == 5:
        return k + m <= 255
    return True


def check_geometry(f, block_size):
    if f["stripe_id"] == bytes(16):
        raise Refused("MALFORMED", "stripe_id")
    if not 1 <= f["generator"] <= 7:
        raise Refused("UNSUPPORTED_FEATURE", "generator")
    if not shape_exists(f["generator"], f["data_shards"], 0):
        raise Refused("MALFORMED", "data_shards")
    if not shape_exists(f["generator"], f["data_shards"], f["parity_shards"]):
        raise Refused("MALFORMED", "parity_shards")
    if f["shard_index"] >= f["data_shards"] + f["parity_shards"]:
        raise Refused("MALFORMED", "shard_index")
    if block_size not in [1 << log2 for log2 in range(12, 25)]:
        raise Refused("MALFORMED", "block_size")


def layout(data_shards, block_size, object_size):
    """Row count, full record size, last row's data and payload size, footer offset, file size."""
    rows = [min(data_shards * block_size, object_size - begin)
            for begin in range(0, object_size, data_shards * block_size)]
    full = 64 + block_size
    last = rows[-1] if rows else 0
    last_payload = (last + data_shards - 1) // data_shards
    footer_offset = 256
    if rows:
        footer_offset += (len(rows) - 1) * full + (64 + last_payload + 63) // 64 * 64
    return len(rows), full, last, last_payload, footer_offset, footer_offset + 256


# ---- header and footer ---------------------------------------------------------------------


def common_bytes(magic, fields):
    values = {"magic": magic, "version_major": 1, "version_minor": 0, "size": 256,
              "compatible_flags": 0, "incompatible_flags": 0, "field": 1, "checksum_type": 1,
              **fields}
    return COMMON.pack(*(values[name] for name in COMMON_FIELDS))


def write_header(fields):
    return sealed(common_bytes(HEADER_MAGIC, fields).ljust(252, b"\0"))


def write_footer(fields):
    tail = FOOTER_TAIL.pack(bytes(4), fields["object_size"], fields["row_count"], fields["digest"])
    return sealed((common_bytes(FOOTER_MAGIC, fields) + tail).ljust(252, b"\0"))


def check_magic(data, magic, needed):
    if data[:8] != magic[:len(data)]:
        raise Refused("NOT_A_SHARD")
    if len(data) < needed:
        raise Refused("TRUNCATED")


def parse_common(data, magic):
    check_magic(data, magic, 256)
    if sealed(data[:252]) != data[:256]:
        raise Refused("CORRUPT", "crc32c")
    f = dict(zip(COMMON_FIELDS, COMMON.unpack_from(data), strict=True))
    if f["version_major"] > 1:
        raise Refused("UNSUPPORTED_VERSION", "version_major")
    if f["version_major"] != 1:
        raise Refused("MALFORMED", "version_major")
    if f["size"] != 256:
        raise Refused("MALFORMED", "size")
    for name, known in (("incompatible_flags", 0), ("field", 1), ("checksum_type", 1)):
        if f[name] != known:
            raise Refused("UNSUPPORTED_FEATURE", name)
    return f


def check_common(f):
    check_geometry(f, f["block_size"])
    if f["digest_type"] not in (0, 1, 2):
        raise Refused("UNSUPPORTED_FEATURE", "digest_type")


def parse_header(data):
    f = parse_common(data, HEADER_MAGIC)
    check_common(f)
    if any(data[76:252]):
        raise Refused("MALFORMED", "reserve")
    return f


def parse_footer(data):
    f = parse_common(data, FOOTER_MAGIC)
    gap, f["object_size"], f["row_count"], f["digest"] = FOOTER_TAIL.unpack_from(data, 76)
    check_common(f)
    if f["object_size"] > OBJECT_SIZE_MAX:
        raise Refused("MALFORMED", "object_size")
    row_size = f["data_shards"] * f["block_size"]
    if f["row_count"] != (f["object_size"] + row_size - 1) // row_size:
        raise Refused("MALFORMED", "row_count")
    if f["digest_type"] == 0 and any(f["digest"]):
        raise Refused("MALFORMED", "digest")
    if any(gap) or any(data[128:252]):
        raise Refused("MALFORMED", "reserve")
    return f


# ---- blocks --------------------------------------------------------------------------------


def write_block(fields, payload):
    """A whole record: header, payload, padding."""
    values = {"magic": BLOCK_MAGIC, "field": 1, **fields}
    head = BLOCK.pack(*(values[name] for name in BLOCK_FIELDS))
    record = head + struct.pack("<I", crc32c(head + payload)) + payload
    return record + bytes(-len(record) % 64)


def parse_block(data):
    check_magic(data, BLOCK_MAGIC, 64)
    f = dict(zip(BLOCK_FIELDS, BLOCK.unpack_from(data), strict=True))
    if not 1 <= f["payload_size"] <= 1 << 24:
        raise Refused("CORRUPT", "payload_size")
    end = 64 + f["payload_size"]
    padded = (end + 63) // 64 * 64
    if len(data) < padded:
        raise Refused("TRUNCATED")
    if struct.pack("<I", crc32c(data[:60] + data[64:end])) != data[60:64]:
        raise Refused("CORRUPT", "crc32c")
    if any(data[end:padded]):
        raise Refused("CORRUPT", "padding")
    if f["flags"] > 1:
        raise Refused("UNSUPPORTED_FEATURE", "flags")
    if f["field"] != 1:
        raise Refused("UNSUPPORTED_FEATURE", "field")
    if not 12 <= f["block_size_log2"] <= 24:
        raise Refused("MALFORMED", "block_size_log2")
    f["block_size"] = 1 << f["block_size_log2"]
    f["is_last_row"] = f["flags"]
    check_geometry(f, f["block_size"])
    k, size = f["data_shards"], f["row_data_size"]
    full = k * f["block_size"]
    if not (1 <= size <= full if f["flags"] else size == full):
        raise Refused("MALFORMED", "row_data_size")
    if f["payload_size"] != (size + k - 1) // k:
        raise Refused("MALFORMED", "payload_size")
    if f["row"] * full + size > OBJECT_SIZE_MAX:
        raise Refused("MALFORMED", "row")
    return f
