"""Prints csrc/kernels/<name>_constants.h: every constant of a CRC's code, from the definition.

    python tests/vectors/make_crc_constants.py crc32c > csrc/kernels/crc32c_constants.h
    python tests/vectors/make_crc_constants.py crc32 > csrc/kernels/crc32_constants.h

tests/test_c_checksum.py fails when a file differs from this output; tests/c/test_checksum.c
proves each number again in C, bit by bit.
"""

import sys

# Reflected: bit 31 is the coefficient of x^0.
POLYNOMIALS = {"crc32c": 0x82F63B78, "crc32": 0xEDB88320}

LONG_STREAM, SHORT_STREAM = 1344, 168  # bytes of each of three interleaved streams
# Zero bytes behind the bytes of a fragment's metadata that differ within a stripe: the index, one
# byte at 0 of 59, and the checksum, four bytes at 21.
FRAGMENT_DISTANCES = (58, 37, 36, 35, 34)
FOLD_SIZES = (256, 192, 128, 64, 48, 32, 16)  # bytes that a 128-bit remainder is moved ahead


class Field:
    """Arithmetic of remainders modulo one polynomial."""

    def __init__(self, polynomial):
        self.polynomial = polynomial

    def times_x(self, remainder):
        return remainder >> 1 ^ (self.polynomial if remainder & 1 else 0)

    def multiply(self, a, b):
        product = 0
        for bit in range(31, -1, -1):
            if a >> bit & 1:
                product ^= b
            b = self.times_x(b)
        return product

    def power_of_x(self, exponent):
        """x^exponent modulo P."""
        result, square = 0x80000000, 0x40000000
        while exponent:
            if exponent & 1:
                result = self.multiply(result, square)
            square = self.multiply(square, square)
            exponent >>= 1
        return result

    def slicing_tables(self, count):
        """tables[s][b]: the register after byte b and s zero bytes, begun at zero."""
        first = []
        for byte in range(256):
            for _ in range(8):
                byte = self.times_x(byte)
            first.append(byte)
        tables = [first]
        while len(tables) < count:
            tables.append([r >> 8 ^ first[r & 255] for r in tables[-1]])
        return tables


def reflect(value, size):
    """The lowest `size` bits in the other order."""
    return int(f"{value:0{size}b}"[::-1], 2)


def divide(dividend, divisor):
    """The quotient of two polynomials over GF(2), in the ordinary bit order."""
    quotient = 0
    while dividend.bit_length() >= divisor.bit_length():
        shift = dividend.bit_length() - divisor.bit_length()
        quotient |= 1 << shift
        dividend ^= divisor << shift
    return quotient


def words(numbers):
    return ", ".join(f"0x{n:08x}u" for n in numbers)


def rows(numbers, per_row=6):
    """Lines of initialisers, indented."""
    numbers = list(numbers)
    return "\n".join(f"    {words(numbers[i:i + per_row])},"
                     for i in range(0, len(numbers), per_row))


def tables(numbers):
    """The initialisers of a table of tables, and its end."""
    for table in numbers:
        print("    {")
        print(rows(table))
        print("    },")
    print("};")


def main(name):
    field = Field(POLYNOMIALS[name])
    title = name.upper()
    print(f"""\
/* {name}_constants.h - constants of {title.replace("CRC32", "CRC-32").replace("-32C", "32C")}, \
written by tests/vectors/make_crc_constants.py and
 * proved from first principles by tests/c/test_checksum.c. All remainders are modulo P and
 * reflected; see checksum.h. */
#ifndef REED_{title}_CONSTANTS_H
#define REED_{title}_CONSTANTS_H

#include "checksum.h"
""")
    if name == "crc32c":
        print("""\
/* x^(2^i). The order of x modulo P is 2^31 - 1, so that exponent i + 31 is exponent i again. */
static const uint32_t crc32c_powers[31] = {""")
        print(rows(field.power_of_x(1 << i) for i in range(31)))
        print("""\
};

/* What moves a remainder ahead by one and by two streams, long or short, in a carry-less product
 * that the crc32 instruction reduces: x^(8n - 33) and x^(16n - 33), since the product of reflected
 * numbers comes out one bit low, and the instruction multiplies by x^32. */""")
        for length, size in (("long", LONG_STREAM), ("short", SHORT_STREAM)):
            shifts = words(field.power_of_x(8 * n - 33) for n in (size, 2 * size))
            print(f"static const uint32_t crc32c_{length}_product_shifts[2] = {{{shifts}}};")
        start = field.multiply(0xffffffff, field.power_of_x(2**31 - 1 - 8 * 64))
        print(f"""
/* What folding by 64 bytes turns into the initial register: ffffffff x^(-512). */
static const uint32_t crc32c_fold_start = {words([start])};
""")
    print(f"""\
/* What moves a remainder ahead by one and by two long streams: x^(8n) and x^(16n). */
static const uint32_t {name}_long_shifts[2] = {{\
{words(field.power_of_x(8 * n) for n in (LONG_STREAM, 2 * LONG_STREAM))}}};

static const struct crc_folds {name}_folds = {{""")
    for size in FOLD_SIZES:
        fold = words((field.power_of_x(8 * size + 31), field.power_of_x(8 * size - 33)))
        print(f"    .by_{size} = {{{fold}}},")
    print(f"""\
}};

/* Slicing by eight: entry [s][b] is the register after byte b and s zero bytes, begun at 0. */
static const uint32_t {name}_slices[8][256] = {{""")
    tables(field.slicing_tables(8))
    if name == "crc32":
        # The highest coefficient first, as in all remainders here: bit 0 is that of x^64.
        quotient = reflect(divide(1 << 96, 1 << 32 | reflect(field.polynomial, 32)), 65)
        reduction = field.power_of_x(63) << 32, quotient & 2**64 - 1, field.polynomial << 1 | 1
        print(f"""\

/* What reduces 128 bits (crc_x86.c): x^63, the quotient of x^96 by P but for its last coefficient,
 * and P. */
static const uint64_t crc32_reduction[3] = {{
    {", ".join(f"0x{n:016x}u" for n in reduction)},
}};""")
        distances = ", ".join(map(str, FRAGMENT_DISTANCES))
        print(f"""\

/* The same for what differs between the headers of one stripe of fragments (fragment.c): behind
 * {distances} zero bytes. */
static const uint32_t crc32_fragment_slices[5][256] = {{""")
        slices = field.slicing_tables(max(FRAGMENT_DISTANCES) + 1)
        tables(slices[distance] for distance in FRAGMENT_DISTANCES)
    print("\n#endif")


if __name__ == "__main__":
    main(sys.argv[1])
