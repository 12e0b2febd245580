/* avx2_gfni.c - 256-bit vectors; products by GF2P8AFFINEQB in its VEX encoding. */
#include "kernels/kernel.h"

#ifdef REED_HAVE_X86_KERNELS

#include <immintrin.h>

#include "checksum.h"
#include "cpu.h"
#include "kernels/entries.h"

#define KERNEL_TARGET __attribute__((target("avx2,gfni")))

enum {
    VECTOR_SIZE = 32,
    MULTIPLY_REGISTERS = 12,
    TRANSFORM4_WIDTH = 1,
    TRANSFORM8_WIDTH = 1
};

typedef __m256i vector;
typedef vector operand;
typedef struct affine_entry entry;

static inline KERNEL_TARGET vector vector_load(const uint8_t *bytes)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)bytes);
}

static inline KERNEL_TARGET void vector_store(uint8_t *bytes, vector v)
{
    _mm256_storeu_si256((__m256i *)(void *)bytes, v);
}

static inline KERNEL_TARGET void vector_stream(uint8_t *bytes, vector v)
{
    _mm256_stream_si256((__m256i *)(void *)bytes, v);
}

static inline KERNEL_TARGET void vector_fence(void)
{
    _mm_sfence();
}

static inline KERNEL_TARGET vector vector_zero(void)
{
    return _mm256_setzero_si256();
}

static inline KERNEL_TARGET vector vector_add(vector a, vector b)
{
    return _mm256_xor_si256(a, b);
}

static inline KERNEL_TARGET vector vector_add3(vector a, vector b, vector c)
{
    return _mm256_xor_si256(a, _mm256_xor_si256(b, c));
}

static inline KERNEL_TARGET operand vector_operand(vector v)
{
    return v;
}

static inline KERNEL_TARGET vector operand_multiply(operand x, const entry *e)
{
    return _mm256_gf2p8affine_epi64_epi8(x, _mm256_set1_epi64x((long long)e->matrix), 0);
}


#include "kernels/template.h"

const struct reed_kernel reed_kernel_avx2_gfni = {
    .name = "avx2_gfni",
    .is_supported = cpu_has_avx2_gfni,
    .vector_size = VECTOR_SIZE,
    .entry_size = sizeof(entry),
    .prepare = affine_entry_prepare,
    .multiply = kernel_multiply,
    .add = kernel_add,
    .transform = kernel_transform,
    .inverse = kernel_inverse,
    .forward = kernel_forward,
    .turn = kernel_turn,
    .fence = kernel_fence,
    .crc32c = crc32c_sse42,
    .crc32 = crc32_sse42,
};

#else

typedef int reed_no_avx2_gfni_kernel; /* ISO C wants a declaration in every file */

#endif
