/* crc_fold.h - one step of carry-less folding in 512 bits, for checksums alone (crc_x86.c) and for
 * those that a product keeps on its way (avx512_gfni.c). */
#ifndef REED_CRC_FOLD_H
#define REED_CRC_FOLD_H

#include <immintrin.h>
#include <stdint.h>

#define TARGET_FOLD __attribute__((target("avx512f,vpclmulqdq")))

/* The same distance, of struct crc_folds, in every lane. */
TARGET_FOLD static inline __m512i fold_constant(const uint32_t fold[2])
{
    return _mm512_set4_epi64(fold[1], fold[0], fold[1], fold[0]);
}

/* The lanes of `remainder`, moved ahead, plus `data`. */
TARGET_FOLD static inline __m512i fold_512(__m512i remainder, __m512i constant, __m512i data)
{
    enum { XOR3 = 0x96 };
    return _mm512_ternarylogic_epi64(_mm512_clmulepi64_epi128(remainder, constant, 0x00),
                                     _mm512_clmulepi64_epi128(remainder, constant, 0x11), data,
                                     XOR3);
}

#endif
