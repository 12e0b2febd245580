/* neon.c - 128-bit vectors of aarch64; products by two 16-entry table look-ups in registers. */
#include "kernels/kernel.h"

#ifdef REED_HAVE_NEON_KERNEL

#include <arm_neon.h>

#include "checksum.h"
#include "cpu.h"
#include "kernels/entries.h"

#define KERNEL_TARGET

enum {
    VECTOR_SIZE = 16,
    MULTIPLY_REGISTERS = 12,
    TRANSFORM4_WIDTH = 2,
    TRANSFORM8_WIDTH = 1
};

typedef uint8x16_t vector;
typedef struct nibble_entry entry;

typedef struct {
    vector low, high; /* nibbles, one a byte */
} operand;

static inline KERNEL_TARGET vector vector_load(const uint8_t *bytes)
{
    return vld1q_u8(bytes);
}

static inline KERNEL_TARGET void vector_store(uint8_t *bytes, vector v)
{
    vst1q_u8(bytes, v);
}

/* No stores past the cache here. */
static inline KERNEL_TARGET void vector_stream(uint8_t *bytes, vector v)
{
    vector_store(bytes, v);
}

static inline KERNEL_TARGET void vector_fence(void)
{
}

static inline KERNEL_TARGET vector vector_zero(void)
{
    return vdupq_n_u8(0);
}

static inline KERNEL_TARGET vector vector_add(vector a, vector b)
{
    return veorq_u8(a, b);
}

static inline KERNEL_TARGET vector vector_add3(vector a, vector b, vector c)
{
    return veorq_u8(a, veorq_u8(b, c));
}

static inline KERNEL_TARGET operand vector_operand(vector v)
{
    return (operand){vandq_u8(v, vdupq_n_u8(0x0f)), vshrq_n_u8(v, 4)};
}

static inline KERNEL_TARGET vector operand_multiply(operand x, const entry *e)
{
    return veorq_u8(vqtbl1q_u8(vld1q_u8(e->low), x.low), vqtbl1q_u8(vld1q_u8(e->high), x.high));
}


#include "kernels/template.h"

const struct reed_kernel reed_kernel_neon = {
    .name = "neon",
    .is_supported = cpu_has_neon,
    .vector_size = VECTOR_SIZE,
    .entry_size = sizeof(entry),
    .prepare = nibble_entry_prepare,
    .multiply = kernel_multiply,
    .add = kernel_add,
    .transform = kernel_transform,
    .inverse = kernel_inverse,
    .forward = kernel_forward,
    .turn = kernel_turn,
    .fence = kernel_fence,
    .crc32c = crc32c_arm,
    .crc32 = crc32_arm,
};

#else

typedef int reed_no_neon_kernel; /* ISO C wants a declaration in every file */

#endif
