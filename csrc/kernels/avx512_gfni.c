/* avx512_gfni.c - 512-bit vectors; products by GF2P8AFFINEQB, three-operand XOR. */
#include "kernels/kernel.h"

#ifdef REED_HAVE_X86_KERNELS

#include <immintrin.h>

#include "checksum.h"
#include "cpu.h"
#include "kernels/crc32c_constants.h"
#include "kernels/crc_fold.h"
#include "kernels/entries.h"

#define KERNEL_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,gfni,vpclmulqdq")))

enum {
    VECTOR_SIZE = 64,
    MULTIPLY_REGISTERS = 28,
    TRANSFORM4_WIDTH = 4,
    TRANSFORM8_WIDTH = 2
};

typedef __m512i vector;
typedef vector operand;
typedef struct affine_entry entry;

static inline KERNEL_TARGET vector vector_load(const uint8_t *bytes)
{
    return _mm512_loadu_si512(bytes);
}

static inline KERNEL_TARGET void vector_store(uint8_t *bytes, vector v)
{
    _mm512_storeu_si512(bytes, v);
}

static inline KERNEL_TARGET void vector_stream(uint8_t *bytes, vector v)
{
    _mm512_stream_si512((__m512i *)(void *)bytes, v);
}

static inline KERNEL_TARGET void vector_fence(void)
{
    _mm_sfence();
}

static inline KERNEL_TARGET vector vector_zero(void)
{
    return _mm512_setzero_si512();
}

static inline KERNEL_TARGET vector vector_add(vector a, vector b)
{
    return _mm512_xor_si512(a, b);
}

static inline KERNEL_TARGET vector vector_add3(vector a, vector b, vector c)
{
    return _mm512_ternarylogic_epi64(a, b, c, 0x96); /* a ^ b ^ c */
}

static inline KERNEL_TARGET operand vector_operand(vector v)
{
    return v;
}

static inline KERNEL_TARGET vector operand_multiply(operand x, const entry *e)
{
    vector matrix = _mm512_set1_epi64((long long)e->matrix);
#if defined(__clang__)
    /* Keeps the broadcast out of the instruction's memory operand, whose 8-bit displacements clang
     * encodes wrongly before version 20 (llvm-project pull request 120340): it would silently
     * multiply by other coefficients. */
    __asm__("" : "+v"(matrix));
#endif
    return _mm512_gf2p8affine_epi64_epi8(x, matrix, 0);
}

#define KERNEL_FOLDS
static inline KERNEL_TARGET vector vector_fold(vector remainder, vector v)
{
    return fold_512(remainder, fold_constant(crc32c_folds.by_64), v);
}

#include "kernels/template.h"

static const struct kernel_extras avx512_extras = {
    .begin = crc32c_begin_avx512,
    .end = crc32c_end_avx512,
    .multiply = kernel_multiply_extra,
    .add = kernel_add_extra,
    .transform = kernel_transform_extra,
};

const struct reed_kernel reed_kernel_avx512_gfni = {
    .name = "avx512_gfni",
    .is_supported = cpu_has_avx512_gfni,
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
    .crc32c = crc32c_avx512,
    .crc32 = crc32_avx512,
    .crc32_copy = crc32_copy_avx512,
    .extras = &avx512_extras,
};

#else

typedef int reed_no_avx512_gfni_kernel; /* ISO C wants a declaration in every file */

#endif
