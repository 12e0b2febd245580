/* roofline_avx2.c - the roofline with 256-bit vectors. */
#include "roofline.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define VECTOR_TARGET __attribute__((target("avx2")))
#define SET_NAME "AVX2"
#define SET_SYMBOL roofline_avx2

enum { VECTOR_SIZE = 32 };
typedef __m256i vector;

VECTOR_TARGET static inline vector vector_load(const uint8_t *bytes)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)bytes);
}

VECTOR_TARGET static inline vector vector_xor(vector a, vector b)
{
    return _mm256_xor_si256(a, b);
}

VECTOR_TARGET static inline void vector_store(uint8_t *bytes, vector v)
{
    _mm256_storeu_si256((__m256i *)(void *)bytes, v);
}

VECTOR_TARGET static inline void vector_stream(uint8_t *bytes, vector v)
{
    _mm256_stream_si256((__m256i *)(void *)bytes, v);
}

static inline void stream_fence(void)
{
    _mm_sfence();
}

static bool set_is_supported(void)
{
    return __builtin_cpu_supports("avx2");
}

#include "roofline_template.h"

#else

static bool set_is_supported(void)
{
    return false;
}

const struct roofline_set roofline_avx2 = {.name = "AVX2", .is_supported = set_is_supported};

#endif
