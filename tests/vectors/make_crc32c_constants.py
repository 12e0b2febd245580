"""Prints csrc/kernels/crc32c_constants.h: every constant of the CRC32C code, from the definition.

    python tests/vectors/make_crc32c_constants.py > csrc/kernels/crc32c_constants.h

tests/test_c_checksum.py fails when the file differs from this output; tests/c/test_checksum.c
proves each number again in C, bit by bit.
"""

POLYNOMIAL = 0x82F63B78  # reflected: bit 31 is the coefficient of x^0

STREAM_SIZES = (1344, 168)  # bytes of each of three interleaved streams
FOLD_SIZES = (256, 192, 128, 64, 48, 32, 16)  # bytes that a 128-bit remainder is moved ahead


def times_x(remainder):
    return remainder >> 1 ^ (POLYNOMIAL if remainder & 1 else 0)


def multiply(a, b):
    product = 0
    for bit in range(31, -1, -1):
        if a >> bit & 1:
            product ^= b
        b = times_x(b)
    return product


def power_of_x(exponent):
    """x^exponent modulo P."""
    result, square = 0x80000000, 0x40000000
    while exponent:
        if exponent & 1:
            result = multiply(result, square)
        square = multiply(square, square)
        exponent >>= 1
    return result


def slicing_tables():
    """tables[s][b]: the register after byte b and s zero bytes, begun at zero."""
    first = []
    for byte in range(256):
        for _ in range(8):
            byte = times_x(byte)
        first.append(byte)
    tables = [first]
    for _ in range(7):
        tables.append([r >> 8 ^ first[r & 255] for r in tables[-1]])
    return tables


def rows(numbers, per_row=6):
    """Lines of initialisers, indented."""
    words = [f"0x{n:08x}u" for n in numbers]
    return "\n".join("    " + ", ".join(words[i:i + per_row]) + ","
                     for i in range(0, len(words), per_row))


def main():
    print("""\
/* crc32c_constants.h - constants of CRC32C, written by tests/vectors/make_crc32c_constants.py and
 * proved from first principles by tests/c/test_checksum.c. All remainders are modulo P and
 * reflected; see checksum.h. */
#ifndef REED_CRC32C_CONSTANTS_H
#define REED_CRC32C_CONSTANTS_H

#include <stdint.h>

/* x^(2^i). The order of x modulo P is 2^31 - 1, so that exponent i + 31 is exponent i again. */
static const uint32_t crc32c_powers[31] = {""")
    print(rows(power_of_x(1 << i) for i in range(31)))
    print("""\
};

/* Bytes of each of three streams that run side by side. */
enum {""")
    for name, size in zip(("LONG", "SHORT"), STREAM_SIZES, strict=True):
        print(f"    CRC32C_{name}_STREAM = {size},")
    print("""\
};

/* What moves a remainder ahead by one and by two long streams: x^(8n) and x^(16n). */""")
    long_size = STREAM_SIZES[0]
    print("static const uint32_t crc32c_long_shifts[2] = {")
    print(rows(power_of_x(8 * n) for n in (long_size, 2 * long_size)))
    print("};")
    print("""\

/* What does so, by streams of either length, in a carry-less product that the crc32 instruction
 * reduces: x^(8n - 33) and x^(16n - 33), since the product of reflected numbers comes out one bit
 * low, and the instruction multiplies by x^32. */""")
    for name, size in zip(("long", "short"), STREAM_SIZES, strict=True):
        print(f"static const uint32_t crc32c_{name}_product_shifts[2] = {{")
        print(rows(power_of_x(8 * n - 33) for n in (size, 2 * size)))
        print("};")
    print("""\

/* What folds 128 bits ahead by n bytes: {x^(8n + 31), x^(8n - 33)}, for the first and the second
 * half. */""")
    for size in FOLD_SIZES:
        print(f"static const uint32_t crc32c_fold_{size}[2] = {{")
        print(rows((power_of_x(8 * size + 31), power_of_x(8 * size - 33))))
        print("};")
    print("""\

/* Slicing by eight: entry [s][b] is the register after byte b and s zero bytes, begun at 0. */
static const uint32_t crc32c_slices[8][256] = {""")
    for table in slicing_tables():
        print("    {")
        print(rows(table))
        print("    },")
    print("};\n\n#endif")


if __name__ == "__main__":
    main()
