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
