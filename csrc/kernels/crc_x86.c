/* crc_x86.c - CRC32C and CRC-32 on x86-64: the crc32 instruction, which knows CRC32C alone, on
 * three streams at a time (its latency is three cycles, its rate one a cycle), and carry-less
 * folding in 128 and in 512 bits, which serves any polynomial.
 *
 * Folding keeps a 128-bit remainder per lane; two carry-less products move it ahead by a fixed
 * distance, where the next data is added. The last 128 bits are reduced by the crc32 instruction
 * or by carry-less products. The constants are explained where they are made, crc32c_constants.h
 * and struct crc_folds. */
#include "checksum.h"

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))

#include <immintrin.h>
#include <string.h>

#include "bytes.h"
#include "kernels/crc32_constants.h"
#include "kernels/crc32c_constants.h"
#include "kernels/crc_fold.h"

#define TARGET_SSE42 __attribute__((target("sse4.2,pclmul")))
#define TARGET_AVX512 __attribute__((target("avx512f,avx512vl,vpclmulqdq,pclmul,sse4.2")))

/* ---- the instruction --------------------------------------------------------------------- */

/* Here and below `crc` is the bare register, without the inversions. */
TARGET_SSE42 static inline uint64_t add_bytes(uint64_t crc, const uint8_t *data, size_t size)
{
    for (; size >= 8; data += 8, size -= 8) crc = _mm_crc32_u64(crc, load_u64_le(data));
    for (; size > 0; data++, size--) crc = _mm_crc32_u8((uint32_t)crc, *data);
    return crc;
}

/* A remainder moved ahead by a carry-less product; the crc32 instruction must reduce the result. */
TARGET_SSE42 static inline uint64_t shift_product(uint64_t crc, uint32_t shift)
{
    __m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128((int64_t)crc),
                                           _mm_cvtsi64_si128((int64_t)shift), 0x00);
    return (uint64_t)_mm_cvtsi128_si64(product);
}

/* Three streams of `stream` bytes, a multiple of 8, that follow each other. */
TARGET_SSE42 static inline uint64_t add_streams(uint64_t crc, const uint8_t *data, size_t stream,
                                                const uint32_t product_shifts[2])
{
    uint64_t second = 0, third = 0;
    size_t i = 0;
    for (; i < stream - 8; i += 8) {
        crc = _mm_crc32_u64(crc, load_u64_le(data + i));
        second = _mm_crc32_u64(second, load_u64_le(data + stream + i));
        third = _mm_crc32_u64(third, load_u64_le(data + 2 * stream + i));
    }
    crc = _mm_crc32_u64(crc, load_u64_le(data + i));
    second = _mm_crc32_u64(second, load_u64_le(data + stream + i));
    /* The third stream's last step reduces the two products with it. */
    uint64_t moved = shift_product(crc, product_shifts[1]) ^
                     shift_product(second, product_shifts[0]);
    return _mm_crc32_u64(third, load_u64_le(data + 2 * stream + i) ^ moved);
}

TARGET_SSE42 uint32_t crc32c_sse42(uint32_t value, const uint8_t *data, size_t size)
{
    uint64_t crc = ~value;
    for (; size >= 3 * CRC_LONG_STREAM;
         data += 3 * CRC_LONG_STREAM, size -= 3 * CRC_LONG_STREAM) {
        crc = add_streams(crc, data, CRC_LONG_STREAM, crc32c_long_product_shifts);
    }
    for (; size >= 3 * CRC_SHORT_STREAM;
         data += 3 * CRC_SHORT_STREAM, size -= 3 * CRC_SHORT_STREAM) {
        crc = add_streams(crc, data, CRC_SHORT_STREAM, crc32c_short_product_shifts);
    }
    return ~(uint32_t)add_bytes(crc, data, size);
}

/* ---- folding in 128 bits ----------------------------------------------------------------- */

TARGET_SSE42 static inline __m128i load_128(const uint8_t *data)
{
    return _mm_loadu_si128((const __m128i *)(const void *)data);
}

/* `remainder`, moved ahead, plus `data`. */
TARGET_SSE42 static inline __m128i fold_128(__m128i remainder, const uint32_t fold[2], __m128i data)
{
    const __m128i constant = _mm_set_epi64x(fold[1], fold[0]);
    return _mm_xor_si128(_mm_xor_si128(_mm_clmulepi64_si128(remainder, constant, 0x00),
                                       _mm_clmulepi64_si128(remainder, constant, 0x11)), data);
}

/* Shuffles of 16 bytes: from position 16 + n the identity moved n bytes down, from n on it moved
 * 16 - n bytes up; 0x80 gives zero. */
static const uint8_t byte_shifts[48] = {
    0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
    0,    1,    2,    3,    4,    5,    6,    7,    8,    9,    10,   11,   12,   13,   14,   15,
    0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
};

/* The CRC-32 register after a 128-bit remainder R: R x^32 modulo P. Two products bring R below
 * x^64, as F; then Barrett's division: the quotient of F x^32 by P is that of F (x^96 / P) by x^64.
 * Bit i of the 128 is the coefficient of x^(127 - i), before and after each step. */
TARGET_SSE42 static inline uint32_t crc32_reduce(__m128i remainder)
{
    const __m128i x63 = _mm_cvtsi64_si128((int64_t)crc32_reduction[0]);
    const __m128i division = _mm_set_epi64x((int64_t)crc32_reduction[2],
                                            (int64_t)crc32_reduction[1]);
    const __m128i high_half = _mm_set_epi64x(-1, 0);
    for (int i = 0; i < 2; i++) { /* 128 bits to 96, 96 to 64 */
        remainder = _mm_xor_si128(_mm_clmulepi64_si128(remainder, x63, 0x00),
                                  _mm_and_si128(remainder, high_half));
    }
    const __m128i quotient = _mm_clmulepi64_si128(remainder, division, 0x01);
    return (uint32_t)_mm_extract_epi32(_mm_clmulepi64_si128(quotient, division, 0x10), 2);
}

/* The CRC-32 register after a 128-bit remainder and the bytes behind it; the 16 bytes before
 * `data` can be read. */
TARGET_SSE42 static inline uint32_t crc32_finish(__m128i remainder, const uint8_t *data,
                                                 size_t size)
{
    for (; size >= 16; data += 16, size -= 16) {
        remainder = fold_128(remainder, crc32_folds.by_16, load_128(data));
    }
    if (size > 0) {
        /* The remainder and the last bytes together are 16 + size bytes: the first `size` of them
         * are folded onto the others. */
        const __m128i down = load_128(byte_shifts + 16 + size);
        const __m128i first = _mm_shuffle_epi8(remainder, load_128(byte_shifts + size));
        const __m128i others = _mm_blendv_epi8(_mm_shuffle_epi8(remainder, down),
                                               load_128(data + size - 16), down);
        remainder = fold_128(first, crc32_folds.by_16, others);
    }
    return crc32_reduce(remainder);
}

TARGET_SSE42 uint32_t crc32_sse42(uint32_t value, const uint8_t *data, size_t size)
{
    if (size < 16) return crc32_portable(value, data, size);

    __m128i a = _mm_xor_si128(load_128(data), _mm_cvtsi32_si128((int32_t)~value));
    data += 16;
    size -= 16;
    if (size >= 112) { /* four lanes hide the latency of the products */
        __m128i b = load_128(data), c = load_128(data + 16), d = load_128(data + 32);
        data += 48;
        size -= 48;
        for (; size >= 64; data += 64, size -= 64) {
            a = fold_128(a, crc32_folds.by_64, load_128(data));
            b = fold_128(b, crc32_folds.by_64, load_128(data + 16));
            c = fold_128(c, crc32_folds.by_64, load_128(data + 32));
            d = fold_128(d, crc32_folds.by_64, load_128(data + 48));
        }
        d = fold_128(a, crc32_folds.by_48, d);
        d = fold_128(b, crc32_folds.by_32, d);
        a = fold_128(c, crc32_folds.by_16, d);
    }
    return ~crc32_finish(a, data, size);
}

/* ---- folding in 512 bits ----------------------------------------------------------------- */

/* The 128-bit remainder of four that follow each other. */
TARGET_AVX512 static inline __m128i fold_lanes(const struct crc_folds *folds, __m512i d)
{
    /* Lanes 0 to 2 to the place of lane 3, which stays. */
    const __m512i to_last_lane = _mm512_set_epi64(
        0, 0, folds->by_16[1], folds->by_16[0], folds->by_32[1], folds->by_32[0],
        folds->by_48[1], folds->by_48[0]);
    d = fold_512(d, to_last_lane, _mm512_maskz_mov_epi64(0xc0, d));
    __m256i half = _mm256_xor_si256(_mm512_castsi512_si256(d), _mm512_extracti64x4_epi64(d, 1));
    return _mm_xor_si128(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}

/* 64 bytes of `data` from `at` on, also put into `copy` where that is not NULL. */
TARGET_AVX512 static inline __m512i take_512(const uint8_t *data, size_t at, uint8_t *copy)
{
    const __m512i vector = _mm512_loadu_si512(data + at);
    if (copy != NULL) _mm512_storeu_si512(copy + at, vector);
    return vector;
}

/* The 128-bit remainder of `crc` and all but the last size % 64 bytes, which are copied as well
 * where `copy` is not NULL; size is 256 or more. */
TARGET_AVX512 static inline __attribute__((always_inline)) __m128i fold_vectors(
    const struct crc_folds *folds, uint32_t crc, const uint8_t *data, size_t size, uint8_t *copy)
{
    /* Four vectors hide the latency of the products. */
    __m512i a = _mm512_xor_si512(take_512(data, 0, copy),
                                 _mm512_zextsi128_si512(_mm_cvtsi32_si128((int32_t)crc)));
    __m512i b = take_512(data, 64, copy);
    __m512i c = take_512(data, 128, copy);
    __m512i d = take_512(data, 192, copy);
    const __m512i by_256 = fold_constant(folds->by_256);
    size_t at = 256;
    for (; size - at >= 256; at += 256) {
        a = fold_512(a, by_256, take_512(data, at, copy));
        b = fold_512(b, by_256, take_512(data, at + 64, copy));
        c = fold_512(c, by_256, take_512(data, at + 128, copy));
        d = fold_512(d, by_256, take_512(data, at + 192, copy));
    }
    const __m512i by_64 = fold_constant(folds->by_64);
    d = fold_512(a, fold_constant(folds->by_192), d);
    d = fold_512(b, fold_constant(folds->by_128), d);
    d = fold_512(c, by_64, d);
    for (; size - at >= 64; at += 64) d = fold_512(d, by_64, take_512(data, at, copy));
    return fold_lanes(folds, d);
}

/* The finished CRC32C after a 128-bit remainder and the bytes behind it. */
TARGET_SSE42 static inline uint32_t crc32c_finish(__m128i remainder, const uint8_t *data,
                                                  size_t size)
{
    uint64_t crc = _mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(remainder));
    crc = _mm_crc32_u64(crc, (uint64_t)_mm_extract_epi64(remainder, 1));
    return ~(uint32_t)add_bytes(crc, data, size);
}

TARGET_AVX512 uint32_t crc32c_avx512(uint32_t value, const uint8_t *data, size_t size)
{
    if (size < 256) return crc32c_sse42(value, data, size);

    return crc32c_finish(fold_vectors(&crc32c_folds, ~value, data, size, NULL),
                         data + size / 64 * 64, size % 64);
}

TARGET_AVX512 uint32_t crc32_avx512(uint32_t value, const uint8_t *data, size_t size)
{
    if (size < 256) return crc32_sse42(value, data, size);

    return ~crc32_finish(fold_vectors(&crc32_folds, ~value, data, size, NULL),
                         data + size / 64 * 64, size % 64);
}

TARGET_AVX512 uint32_t crc32_copy_avx512(uint32_t value, const uint8_t *data, size_t size,
                                         uint8_t *copy)
{
    if (size < 256) {
        memcpy(copy, data, size);
        return crc32_sse42(value, copy, size);
    }
    memcpy(copy + size / 64 * 64, data + size / 64 * 64, size % 64);
    return ~crc32_finish(fold_vectors(&crc32_folds, ~value, data, size, copy),
                         copy + size / 64 * 64, size % 64);
}

/* ---- under way --------------------------------------------------------------------------- */

TARGET_AVX512 void crc32c_begin_avx512(struct crc32c_state *states, size_t count)
{
    const __m512i start = _mm512_zextsi128_si512(_mm_cvtsi32_si128((int32_t)crc32c_fold_start));
    for (size_t i = 0; i < count; i++) _mm512_storeu_si512(states[i].lanes, start);
}

TARGET_AVX512 uint32_t crc32c_end_avx512(const struct crc32c_state *state, const uint8_t *tail,
                                       size_t tail_size)
{
    return crc32c_finish(fold_lanes(&crc32c_folds, _mm512_loadu_si512(state->lanes)), tail,
                         tail_size);
}

#endif
