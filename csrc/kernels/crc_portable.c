/* crc_portable.c - CRC32C and CRC-32 for any processor; see crc_slices.h. */
#include "checksum.h"
#include "kernels/crc32_constants.h"
#include "kernels/crc32c_constants.h"
#include "kernels/crc_slices.h"

uint32_t crc32c_portable(uint32_t value, const uint8_t *data, size_t size)
{
    return ~crc_add_bytes(crc32c_slices, ~value, data, size);
}

uint32_t crc32_portable(uint32_t value, const uint8_t *data, size_t size)
{
    return ~crc_add_bytes(crc32_slices, ~value, data, size);
}

uint32_t crc32_sign_extended(uint32_t value, const uint8_t *data, size_t size)
{
    uint32_t crc = ~value;
    for (; size > 0; data++, size--) {
        uint32_t sign = 0 - (crc >> 31);
        crc = (crc >> 8 | (sign & 0xff000000)) ^ crc32_slices[0][(crc ^ *data) & 255];
    }
    return ~crc;
}
