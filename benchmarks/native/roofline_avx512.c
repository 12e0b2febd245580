/* roofline_avx512.c - the roofline with 512-bit vectors. */
#include "roofline.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define VECTOR_TARGET __attribute__((target("avx512f")))
#define SET_NAME "AVX-512"
#define SET_SYMBOL roofline_avx512

enum { VECTOR_SIZE = 64 };
typedef __m512i vector;

VECTOR_TARGET static inline vector vector_load(const uint8_t *bytes)
{
    return _mm512_loadu_si512(bytes);
}

VECTOR_TARGET static inline vector vector_xor(vector a, vector b)
{
    return _mm512_xor_si512(a, b);
}

VECTOR_TARGET static inline void vector_store(uint8_t *bytes, vector v)
{
    _mm512_storeu_si512(bytes, v);
}

VECTOR_TARGET static inline void vector_stream(uint8_t *bytes, vector v)
{
    _mm512_stream_si512((void *)bytes, v);
}

static inline void stream_fence(void)
{
    _mm_sfence();
}

static bool set_is_supported(void)
{
    return __builtin_cpu_supports("avx512f");
}

#include "roofline_template.h"

#else

static bool set_is_supported(void)
{
    return false;
}

const struct roofline_set roofline_avx512 = {.name = "AVX-512", .is_supported = set_is_supported};

#endif
