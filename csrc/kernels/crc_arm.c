/* crc_arm.c - CRC32C and CRC-32 on aarch64: the optional crc32 instructions, which know both, on
 * three streams at a time. The streams are joined by plain arithmetic, so that no further extension
 * is needed. */
#include "checksum.h"

#if defined(__aarch64__) && (defined(__GNUC__) || defined(__clang__))

#include <stdbool.h>

#include "bytes.h"
#include "cpu.h"
#include "kernels/crc32_constants.h"
#include "kernels/crc32c_constants.h"

/* The compilers name the extension and its builtins differently, and before clang 16 arm_acle.h
 * hides the intrinsics unless the whole file is compiled for the extension. */
#if defined(__clang__)
#define TARGET_CRC __attribute__((target("crc")))
#define crc32c_u64 __builtin_arm_crc32cd
#define crc32c_u8 __builtin_arm_crc32cb
#define crc32_u64 __builtin_arm_crc32d
#define crc32_u8 __builtin_arm_crc32b
#else
#define TARGET_CRC __attribute__((target("+crc")))
#define crc32c_u64 __builtin_aarch64_crc32cx
#define crc32c_u8 __builtin_aarch64_crc32cb
#define crc32_u64 __builtin_aarch64_crc32x
#define crc32_u8 __builtin_aarch64_crc32b
#endif

TARGET_CRC static inline uint32_t add_u64(bool is_crc32c, uint32_t crc, uint64_t word)
{
    return is_crc32c ? crc32c_u64(crc, word) : crc32_u64(crc, word);
}

TARGET_CRC static inline uint32_t add_u8(bool is_crc32c, uint32_t crc, uint8_t byte)
{
    return is_crc32c ? crc32c_u8(crc, byte) : crc32_u8(crc, byte);
}

/* On bare registers, without the inversions. Inlined with a constant `is_crc32c`. */
TARGET_CRC static inline uint32_t add_bytes(bool is_crc32c, uint32_t crc, const uint8_t *data,
                                            size_t size)
{
    enum { STREAM = CRC_LONG_STREAM };
    const uint32_t polynomial = is_crc32c ? CRC32C_POLYNOMIAL : CRC32_POLYNOMIAL;
    const uint32_t *shifts = is_crc32c ? crc32c_long_shifts : crc32_long_shifts;
    for (; size >= 3 * STREAM; data += 3 * STREAM, size -= 3 * STREAM) {
        uint32_t second = 0, third = 0;
        for (size_t i = 0; i < STREAM; i += 8) {
            crc = add_u64(is_crc32c, crc, load_u64_le(data + i));
            second = add_u64(is_crc32c, second, load_u64_le(data + STREAM + i));
            third = add_u64(is_crc32c, third, load_u64_le(data + 2 * STREAM + i));
        }
        crc = crc_multiply(polynomial, crc, shifts[1]) ^
              crc_multiply(polynomial, second, shifts[0]) ^ third;
    }
    for (; size >= 8; data += 8, size -= 8) crc = add_u64(is_crc32c, crc, load_u64_le(data));
    for (; size > 0; data++, size--) crc = add_u8(is_crc32c, crc, *data);
    return crc;
}

TARGET_CRC static uint32_t crc32c_instruction(uint32_t value, const uint8_t *data, size_t size)
{
    return ~add_bytes(true, ~value, data, size);
}

TARGET_CRC static uint32_t crc32_instruction(uint32_t value, const uint8_t *data, size_t size)
{
    return ~add_bytes(false, ~value, data, size);
}

uint32_t crc32c_arm(uint32_t value, const uint8_t *data, size_t size)
{
    return cpu_has_arm_crc32() ? crc32c_instruction(value, data, size)
                               : crc32c_portable(value, data, size);
}

uint32_t crc32_arm(uint32_t value, const uint8_t *data, size_t size)
{
    return cpu_has_arm_crc32() ? crc32_instruction(value, data, size)
                               : crc32_portable(value, data, size);
}

#endif
