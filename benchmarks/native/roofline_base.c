/* roofline_base.c - the roofline with what every processor of the architecture has: pairs of
 * 128-bit vectors (SSE2 on x86-64, NEON on aarch64, the compiler's choice elsewhere). A pair,
 * because aarch64 stores past the cache in pairs only. */
#include "roofline.h"

#include <string.h>

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

#define VECTOR_TARGET
#define SET_NAME "128-bit"
#define SET_SYMBOL roofline_base

typedef uint8_t half __attribute__((vector_size(16)));
typedef struct {
    half low;
    half high;
} vector;
enum { VECTOR_SIZE = 32 };

static inline vector vector_load(const uint8_t *bytes)
{
    vector v;
    memcpy(&v.low, bytes, sizeof v.low);
    memcpy(&v.high, bytes + sizeof v.low, sizeof v.high);
    return v;
}

static inline vector vector_xor(vector a, vector b)
{
    return (vector){a.low ^ b.low, a.high ^ b.high};
}

static inline void vector_store(uint8_t *bytes, vector v)
{
    memcpy(bytes, &v.low, sizeof v.low);
    memcpy(bytes + sizeof v.low, &v.high, sizeof v.high);
}

/* Where the architecture has no such store it is a plain one, and the two rooflines agree. */
static inline void vector_stream(uint8_t *bytes, vector v)
{
#if defined(__x86_64__)
    _mm_stream_si128((__m128i *)(void *)bytes, (__m128i)v.low);
    _mm_stream_si128((__m128i *)(void *)(bytes + sizeof v.low), (__m128i)v.high);
#elif defined(__aarch64__)
    __asm__ volatile("stnp %q1, %q2, [%0]" : : "r"(bytes), "w"(v.low), "w"(v.high) : "memory");
#else
    vector_store(bytes, v);
#endif
}

static inline void stream_fence(void)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static bool set_is_supported(void)
{
    return true;
}

#include "roofline_template.h"
