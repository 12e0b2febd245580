/* crc32c_arm.c - CRC32C on aarch64: the optional crc32c instructions on three streams at a time.
 * The streams are joined by plain arithmetic, so that no further extension is needed. */
#include "checksum.h"

#if defined(__aarch64__) && (defined(__GNUC__) || defined(__clang__))

#include "bytes.h"
#include "cpu.h"
#include "kernels/crc32c_constants.h"

/* The compilers name the extension and its builtins differently, and before clang 16 arm_acle.h
 * hides the intrinsics unless the whole file is compiled for the extension. */
#if defined(__clang__)
#define TARGET_CRC __attribute__((target("crc")))
#define crc32c_u64 __builtin_arm_crc32cd
#define crc32c_u8 __builtin_arm_crc32cb
#else
#define TARGET_CRC __attribute__((target("+crc")))
#define crc32c_u64 __builtin_aarch64_crc32cx
#define crc32c_u8 __builtin_aarch64_crc32cb
#endif

/* On bare registers, without the inversions. */
TARGET_CRC static uint32_t add_bytes(uint32_t crc, const uint8_t *data, size_t size)
{
    enum { STREAM = CRC32C_LONG_STREAM };
    for (; size >= 3 * STREAM; data += 3 * STREAM, size -= 3 * STREAM) {
        uint32_t second = 0, third = 0;
        for (size_t i = 0; i < STREAM; i += 8) {
            crc = crc32c_u64(crc, load_u64_le(data + i));
            second = crc32c_u64(second, load_u64_le(data + STREAM + i));
            third = crc32c_u64(third, load_u64_le(data + 2 * STREAM + i));
        }
        crc = crc32c_multiply(crc, crc32c_long_shifts[1]) ^
              crc32c_multiply(second, crc32c_long_shifts[0]) ^ third;
    }
    for (; size >= 8; data += 8, size -= 8) crc = crc32c_u64(crc, load_u64_le(data));
    for (; size > 0; data++, size--) crc = crc32c_u8(crc, *data);
    return crc;
}

uint32_t crc32c_arm(uint32_t value, const uint8_t *data, size_t size)
{
    if (!cpu_has_arm_crc32()) return crc32c_portable(value, data, size);
    return ~add_bytes(~value, data, size);
}

#endif
