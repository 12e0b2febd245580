/* checksum.h - CRC32C (Castagnoli) on each instruction set, and the algebra of combining.
 *
 * A CRC is the remainder of the message, taken as a polynomial over GF(2), modulo
 * P = x^32 + 0x1edc6f41. All code here is "reflected": bit 31 of a remainder is the coefficient
 * of x^0, bit 0 that of x^31. The functions take and give finished CRCs (inverted at both ends, as
 * reed_crc32c), continue from `value`, allow any alignment and read exactly `size` bytes.
 * They trust that the processor can run them; struct reed_kernel says when. */
#ifndef REED_CHECKSUM_H
#define REED_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* P without x^32, reflected. */
#define CRC32C_POLYNOMIAL UINT32_C(0x82f63b78)

/* Any C11 compiler: eight table look-ups for eight bytes. */
uint32_t crc32c_portable(uint32_t value, const uint8_t *data, size_t size);

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
/* The crc32 instruction on three interleaved streams; needs cpu_has_sse42(). */
uint32_t crc32c_sse42(uint32_t value, const uint8_t *data, size_t size);
/* 512-bit carry-less folding from 256 bytes up, else crc32c_sse42; needs
 * cpu_has_avx512_gfni(). */
uint32_t crc32c_avx512(uint32_t value, const uint8_t *data, size_t size);
#endif

#if defined(__aarch64__) && (defined(__GNUC__) || defined(__clang__))
/* The crc32c instructions where cpu_has_arm_crc32(), else crc32c_portable: right anywhere. */
uint32_t crc32c_arm(uint32_t value, const uint8_t *data, size_t size);
#endif

/* a * b modulo P, all reflected. */
static inline uint32_t crc32c_multiply(uint32_t a, uint32_t b)
{
    uint32_t product = 0;
    for (int bit = 31; bit >= 0; bit--) {
        product ^= b & (0 - (a >> bit & 1));
        b = b >> 1 ^ (CRC32C_POLYNOMIAL & (0 - (b & 1)));
    }
    return product;
}

#endif
