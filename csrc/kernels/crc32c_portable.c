/* crc32c_portable.c - CRC32C for any processor: slicing by eight. Each of eight bytes looks up what
 * it contributes after the bytes behind it, so that eight look-ups run side by side. */
#include "bytes.h"
#include "checksum.h"
#include "kernels/crc32c_constants.h"

uint32_t crc32c_portable(uint32_t value, const uint8_t *data, size_t size)
{
    uint32_t crc = ~value;
    for (; size >= 8; data += 8, size -= 8) {
        uint32_t low = crc ^ load_u32_le(data);
        uint32_t high = load_u32_le(data + 4);
        crc = crc32c_slices[7][low & 255] ^ crc32c_slices[6][low >> 8 & 255] ^
              crc32c_slices[5][low >> 16 & 255] ^ crc32c_slices[4][low >> 24] ^
              crc32c_slices[3][high & 255] ^ crc32c_slices[2][high >> 8 & 255] ^
              crc32c_slices[1][high >> 16 & 255] ^ crc32c_slices[0][high >> 24];
    }
    for (; size > 0; data++, size--) crc = crc >> 8 ^ crc32c_slices[0][(crc ^ *data) & 255];
    return ~crc;
}
