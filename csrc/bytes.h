/* bytes.h - little-endian numbers in byte arrays. Every number that a file holds is read and
 * written here, so the bytes are the same on every machine; compilers turn each into one move. */
#ifndef REED_BYTES_H
#define REED_BYTES_H

#include <stdint.h>

static inline uint16_t load_u16_le(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] | (uint32_t)bytes[1] << 8);
}

static inline uint32_t load_u32_le(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
           (uint32_t)bytes[3] << 24;
}

static inline uint64_t load_u64_le(const uint8_t *bytes)
{
    return (uint64_t)load_u32_le(bytes) | (uint64_t)load_u32_le(bytes + 4) << 32;
}

static inline void store_u16_le(uint8_t *bytes, uint16_t value)
{
    bytes[0] = (uint8_t)value;
    bytes[1] = (uint8_t)(value >> 8);
}

static inline void store_u32_le(uint8_t *bytes, uint32_t value)
{
    store_u16_le(bytes, (uint16_t)value);
    store_u16_le(bytes + 2, (uint16_t)(value >> 16));
}

static inline void store_u64_le(uint8_t *bytes, uint64_t value)
{
    store_u32_le(bytes, (uint32_t)value);
    store_u32_le(bytes + 4, (uint32_t)(value >> 32));
}

#endif
