/* checksum.h - CRC32C (Castagnoli) and CRC-32 (IEEE 802.3, zlib's) on each instruction set, and
 * the algebra that they share.
 *
 * A CRC is the remainder of the message, taken as a polynomial over GF(2), modulo
 * P = x^32 + 0x1edc6f41 (CRC32C) or x^32 + 0x04c11db7 (CRC-32). All code here is "reflected":
 * bit 31 of a remainder is the coefficient of x^0, bit 0 that of x^31. The functions take and give
 * finished CRCs (inverted at both ends, as reed_crc32c), continue from `value`, allow any alignment
 * and read exactly `size` bytes. They trust that the processor can run them; struct reed_kernel
 * says when. */
#ifndef REED_CHECKSUM_H
#define REED_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* P without x^32, reflected. */
#define CRC32C_POLYNOMIAL UINT32_C(0x82f63b78)
#define CRC32_POLYNOMIAL UINT32_C(0xedb88320)

/* Bytes of each of three streams that run side by side. */
enum { CRC_LONG_STREAM = 1344, CRC_SHORT_STREAM = 168 };

/* What folds 128 bits ahead by n bytes, for the first and the second half:
 * {x^(8n + 31), x^(8n - 33)}. */
struct crc_folds {
    uint32_t by_256[2], by_192[2], by_128[2], by_64[2], by_48[2], by_32[2], by_16[2];
};

/* A CRC32C under way. */
struct crc32c_state {
    union {
        uint8_t lanes[64]; /* of a folding: 16 bytes are a remainder, four follow each other */
        uint32_t crc32c;   /* without one */
    };
};

/* Any C11 compiler: eight table look-ups for eight bytes. */
uint32_t crc32c_portable(uint32_t value, const uint8_t *data, size_t size);
uint32_t crc32_portable(uint32_t value, const uint8_t *data, size_t size);
/* What a table-driven CRC-32 with a signed register gives: old fragments carry it (fragment.c). */
uint32_t crc32_sign_extended(uint32_t value, const uint8_t *data, size_t size);

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
/* The crc32 instruction on three interleaved streams; needs cpu_has_sse42(). */
uint32_t crc32c_sse42(uint32_t value, const uint8_t *data, size_t size);
/* 128-bit carry-less folding; needs cpu_has_sse42(). */
uint32_t crc32_sse42(uint32_t value, const uint8_t *data, size_t size);
/* 512-bit carry-less folding from 256 bytes up, else the above; need cpu_has_avx512_gfni(). */
uint32_t crc32c_avx512(uint32_t value, const uint8_t *data, size_t size);
uint32_t crc32_avx512(uint32_t value, const uint8_t *data, size_t size);
/* The same in one pass with a copy; needs cpu_has_avx512_gfni(). */
uint32_t crc32_copy_avx512(uint32_t value, const uint8_t *data, size_t size, uint8_t *copy);

/* CRC32Cs that grow by vectors of 64 bytes, which a product folds into their states
 * (kernels/crc_fold.h, by 64): at the beginning they hold what folding turns into the initial
 * register in front of the first bytes; at the end fewer than 64 bytes may follow. Need
 * cpu_has_avx512_gfni(). */
void crc32c_begin_avx512(struct crc32c_state *states, size_t count);
uint32_t crc32c_end_avx512(const struct crc32c_state *state, const uint8_t *tail, size_t tail_size);
#endif

#if defined(__aarch64__) && (defined(__GNUC__) || defined(__clang__))
/* The crc32 instructions where cpu_has_arm_crc32(), else the portable code: right anywhere. */
uint32_t crc32c_arm(uint32_t value, const uint8_t *data, size_t size);
uint32_t crc32_arm(uint32_t value, const uint8_t *data, size_t size);
#endif

/* a * b modulo P, all reflected. */
static inline uint32_t crc_multiply(uint32_t polynomial, uint32_t a, uint32_t b)
{
    uint32_t product = 0;
    for (int bit = 31; bit >= 0; bit--) {
        product ^= b & (0 - (a >> bit & 1));
        b = b >> 1 ^ (polynomial & (0 - (b & 1)));
    }
    return product;
}

#endif
