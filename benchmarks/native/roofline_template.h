/* roofline_template.h - the variants of one instruction set. The including file has defined
 *
 *     VECTOR_TARGET                  the function attribute
 *     vector, VECTOR_SIZE            a type of that many bytes
 *     vector_load, vector_xor, vector_store, vector_stream, stream_fence
 *     SET_NAME, SET_SYMBOL           its name as text, and the struct roofline_set to define
 *     set_is_supported
 *
 * Two ways to walk: "registers" takes a few vectors of every stream at a time and sums them in
 * registers; "strips" takes up to 4 KiB of a few streams at a time and sums them in a buffer that
 * stays in L1, which suits stripes of more streams than the prefetcher follows. */

#include <string.h>

#define VECTOR_INLINE VECTOR_TARGET static inline __attribute__((always_inline))

/* Columns [begin, size), for what no whole step covers. */
VECTOR_INLINE void sum_tail(const uint8_t *const *sources, size_t source_count,
                            uint8_t *const *targets, size_t target_count, size_t begin,
                            size_t size)
{
    for (size_t column = begin; column < size; column++) {
        uint8_t sum = 0;
        for (size_t s = 0; s < source_count; s++) sum ^= sources[s][column];
        for (size_t t = 0; t < target_count; t++) targets[t][column] = sum;
    }
}

VECTOR_INLINE void store(uint8_t *target, vector v, bool is_nontemporal)
{
    if (is_nontemporal) {
        vector_stream(target, v);
    } else {
        vector_store(target, v);
    }
}

/* `width` vectors of each stream at a time; `ahead` bytes of software prefetch, 0 for none. */
VECTOR_INLINE void sum_in_registers(const uint8_t *const *sources, size_t source_count,
                                    uint8_t *const *targets, size_t target_count, size_t size,
                                    size_t width, size_t ahead, bool is_nontemporal)
{
    enum { WIDTH_MAX = 8, LINE = 64 };
    const size_t step = width * VECTOR_SIZE;
    vector sum[WIDTH_MAX];
    size_t column = 0;
    for (; size - column >= step; column += step) {
        for (size_t v = 0; v < width; v++) {
            sum[v] = vector_load(sources[0] + column + v * VECTOR_SIZE);
        }
        for (size_t s = 1; s < source_count; s++) {
            const uint8_t *source = sources[s] + column;
            for (size_t v = 0; v < width; v++) {
                sum[v] = vector_xor(sum[v], vector_load(source + v * VECTOR_SIZE));
            }
        }
        if (ahead != 0) {
            for (size_t s = 0; s < source_count; s++) {
                for (size_t byte = 0; byte < step; byte += LINE) {
                    __builtin_prefetch(sources[s] + column + ahead + byte);
                }
            }
        }
        for (size_t t = 0; t < target_count; t++) {
            for (size_t v = 0; v < width; v++) {
                store(targets[t] + column + v * VECTOR_SIZE, sum[v], is_nontemporal);
            }
        }
    }
    if (is_nontemporal) stream_fence();
    sum_tail(sources, source_count, targets, target_count, column, size);
}

/* `strip` bytes of up to four streams at a time. */
VECTOR_INLINE void sum_in_strips(const uint8_t *const *sources, size_t source_count,
                                 uint8_t *const *targets, size_t target_count, size_t size,
                                 size_t strip, bool is_nontemporal)
{
    enum { STRIP_MAX = 4096, GROUP = 4 };
    _Alignas(64) uint8_t sums[STRIP_MAX];
    size_t column = 0;
    for (; size - column >= strip; column += strip) {
        memset(sums, 0, strip);
        size_t s = 0;
        for (; source_count - s >= GROUP; s += GROUP) {
            for (size_t byte = 0; byte < strip; byte += VECTOR_SIZE) {
                vector sum = vector_load(sums + byte);
                for (size_t g = 0; g < GROUP; g++) {
                    sum = vector_xor(sum, vector_load(sources[s + g] + column + byte));
                }
                vector_store(sums + byte, sum);
            }
        }
        for (; s < source_count; s++) {
            for (size_t byte = 0; byte < strip; byte += VECTOR_SIZE) {
                vector_store(sums + byte, vector_xor(vector_load(sums + byte),
                                                     vector_load(sources[s] + column + byte)));
            }
        }
        for (size_t t = 0; t < target_count; t++) {
            for (size_t byte = 0; byte < strip; byte += VECTOR_SIZE) {
                store(targets[t] + column + byte, vector_load(sums + byte), is_nontemporal);
            }
        }
    }
    if (is_nontemporal) stream_fence();
    sum_tail(sources, source_count, targets, target_count, column, size);
}

/* One function for each variant: the constants fold into its loops. */
#define REGISTERS(suffix, width, ahead, is_nontemporal)                                           \
    VECTOR_TARGET static void registers_##suffix(                                                 \
        const uint8_t *const *sources, size_t source_count, uint8_t *const *targets,              \
        size_t target_count, size_t size)                                                         \
    {                                                                                             \
        sum_in_registers(sources, source_count, targets, target_count, size, width, ahead,        \
                         is_nontemporal);                                                         \
    }
#define STRIPS(suffix, strip, is_nontemporal)                                                     \
    VECTOR_TARGET static void strips_##suffix(                                                    \
        const uint8_t *const *sources, size_t source_count, uint8_t *const *targets,              \
        size_t target_count, size_t size)                                                         \
    {                                                                                             \
        sum_in_strips(sources, source_count, targets, target_count, size, strip, is_nontemporal); \
    }

REGISTERS(2, 2, 0, false)
REGISTERS(4, 4, 0, false)
REGISTERS(8, 8, 0, false)
REGISTERS(2_ahead_1k, 2, 1024, false)
REGISTERS(4_ahead_1k, 4, 1024, false)
REGISTERS(4_ahead_2k, 4, 2048, false)
REGISTERS(8_ahead_2k, 8, 2048, false)
REGISTERS(2_nt, 2, 0, true)
REGISTERS(4_nt, 4, 0, true)
REGISTERS(8_nt, 8, 0, true)
REGISTERS(2_nt_ahead_1k, 2, 1024, true)
REGISTERS(4_nt_ahead_1k, 4, 1024, true)
REGISTERS(2_nt_ahead_2k, 2, 2048, true)
REGISTERS(4_nt_ahead_2k, 4, 2048, true)
REGISTERS(8_nt_ahead_2k, 8, 2048, true)
REGISTERS(4_nt_ahead_4k, 4, 4096, true)
STRIPS(1k, 1024, false)
STRIPS(4k, 4096, false)
STRIPS(1k_nt, 1024, true)
STRIPS(4k_nt, 4096, true)

static const struct roofline_variant variants[] = {
    {"2 vectors", false, registers_2},
    {"4 vectors", false, registers_4},
    {"8 vectors", false, registers_8},
    {"2 vectors, prefetch 1 KiB", false, registers_2_ahead_1k},
    {"4 vectors, prefetch 1 KiB", false, registers_4_ahead_1k},
    {"4 vectors, prefetch 2 KiB", false, registers_4_ahead_2k},
    {"8 vectors, prefetch 2 KiB", false, registers_8_ahead_2k},
    {"2 vectors, non-temporal", true, registers_2_nt},
    {"4 vectors, non-temporal", true, registers_4_nt},
    {"8 vectors, non-temporal", true, registers_8_nt},
    {"2 vectors, non-temporal, prefetch 1 KiB", true, registers_2_nt_ahead_1k},
    {"4 vectors, non-temporal, prefetch 1 KiB", true, registers_4_nt_ahead_1k},
    {"2 vectors, non-temporal, prefetch 2 KiB", true, registers_2_nt_ahead_2k},
    {"4 vectors, non-temporal, prefetch 2 KiB", true, registers_4_nt_ahead_2k},
    {"8 vectors, non-temporal, prefetch 2 KiB", true, registers_8_nt_ahead_2k},
    {"4 vectors, non-temporal, prefetch 4 KiB", true, registers_4_nt_ahead_4k},
    {"1 KiB strips", false, strips_1k},
    {"4 KiB strips", false, strips_4k},
    {"1 KiB strips, non-temporal", true, strips_1k_nt},
    {"4 KiB strips, non-temporal", true, strips_4k_nt},
};

const struct roofline_set SET_SYMBOL = {
    .name = SET_NAME,
    .is_supported = set_is_supported,
    .variants = variants,
    .variant_count = sizeof variants / sizeof variants[0],
};
