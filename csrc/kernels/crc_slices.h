/* crc_slices.h - any reflected CRC of 32 bits on any processor: slicing by eight. Each of eight
 * bytes looks up what it contributes after the bytes behind it, so that eight look-ups run side by
 * side. */
#ifndef REED_CRC_SLICES_H
#define REED_CRC_SLICES_H

#include "bytes.h"

/* On the bare register, without the inversions. */
static inline uint32_t crc_add_u64(const uint32_t slices[8][256], uint32_t crc, uint64_t word)
{
    word ^= crc;
    return slices[7][word & 255] ^ slices[6][word >> 8 & 255] ^ slices[5][word >> 16 & 255] ^
           slices[4][word >> 24 & 255] ^ slices[3][word >> 32 & 255] ^
           slices[2][word >> 40 & 255] ^ slices[1][word >> 48 & 255] ^ slices[0][word >> 56];
}

static inline uint32_t crc_add_bytes(const uint32_t slices[8][256], uint32_t crc,
                                     const uint8_t *data, size_t size)
{
    for (; size >= 8; data += 8, size -= 8) crc = crc_add_u64(slices, crc, load_u64_le(data));
    for (; size > 0; data++, size--) crc = crc >> 8 ^ slices[0][(crc ^ *data) & 255];
    return crc;
}

#endif
