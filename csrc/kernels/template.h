/* template.h - every kernel's loops, written once.
 *
 * An ISA file defines, with its instructions, and then includes this file:
 *
 *   KERNEL_TARGET            function attribute that enables the instructions; may be empty
 *   vector, VECTOR_SIZE      a register and its bytes
 *   operand                  what multiplication needs of a vector (its nibbles, or itself)
 *   entry                    one prepared coefficient
 *   vector_load(p), vector_store(p, v)                unaligned
 *   vector_stream(p, v), vector_fence()               aligned, past the cache; then order them
 *   vector_zero(), vector_add(a, b), vector_add3(a, b, c)
 *   vector_operand(v), operand_multiply(x, const entry *)
 *   MULTIPLY_REGISTERS       registers that a product may hold: from it follows how many vectors of
 *                            each shard are worked on at a time; 0 is one
 *   TRANSFORM4_WIDTH, TRANSFORM8_WIDTH   the same for transforms of up to 4 and of 8 points
 *   vector_fold(remainder, v), with KERNEL_FOLDS defined: a checksum's next vector; then the ISA has
 *                            struct kernel_extras
 *
 * Wide visits serve the cache as well. Shards whose addresses are congruent modulo 4096 - rows of
 * an array, page-aligned buffers - share one set of the first-level cache; from nine of them on, a
 * line that the processor has fetched ahead is evicted before its turn comes. Visits of 256 bytes
 * use what was fetched: measured on a Zen 4, 10+4 rises from 1.2 to 1.7 times ISA-L there, and
 * does not change for shards that are not congruent.
 *
 * All inner loops have constant bounds and are unrolled, so that arrays of vectors become
 * registers. A range shorter than a vector goes through padded copies on the stack; other ends
 * recompute a part of the last whole vector, which is safe because targets never alias sources. */

#include <string.h>

#include "checksum.h"

#define KERNEL_INLINE static inline __attribute__((always_inline)) KERNEL_TARGET
#if defined(__clang__)
#define KERNEL_UNROLL _Pragma("clang loop unroll(full)")
#else
#define KERNEL_UNROLL _Pragma("GCC unroll 32")
#endif

enum {
    /* Sources that a padded product copies at a time: bounds the stack to a few KiB. */
    PADDED_SOURCES = 64,
    TRANSFORM_SOURCES_MAX = 256
};

/* Bytes ahead that streaming code fetches its sources, a burst for each visit: about a memory
 * latency at full speed. Who fetches line by line (struct kernel_extra) measures best at less. */
enum { FETCH_AHEAD = 1024 };


KERNEL_INLINE void write_vector(uint8_t *bytes, vector v, enum kernel_write write)
{
    if (write >= KERNEL_STREAM) {
        vector_stream(bytes, v);
    } else {
        vector_store(bytes, v);
    }
}

/* Beyond the end of a source this fetches nothing that matters, and it cannot fault. */
KERNEL_INLINE void fetch_ahead(const uint8_t *const *sources, size_t source_count, size_t position)
{
    for (size_t s = 0; s < source_count; s++) {
        __builtin_prefetch(sources[s] + position + FETCH_AHEAD);
    }
}

/* Continues a checksum, where one is wanted. States stay in memory: those of ten sources and four
 * targets would fill the registers, and nobody waits for a state between one column and the next. */
KERNEL_INLINE void fold(struct crc32c_state *states, size_t shard, vector v)
{
#ifdef KERNEL_FOLDS
    if (states == NULL) return;
    uint8_t *lanes = states[shard].lanes;
    vector_store(lanes, vector_fold(vector_load(lanes), v));
#else
    (void)states;
    (void)shard;
    (void)v;
#endif
}

/* A vector of a source, and what is done on its way; `extra` is NULL where this is compiled for
 * products alone. */
KERNEL_INLINE vector take_vector(const uint8_t *bytes, size_t source,
                                 const struct kernel_extra *extra)
{
    vector v = vector_load(bytes);
    if (extra != NULL) {
        fold(extra->source_states, source, v);
        if (extra->fetch_ahead > 0) __builtin_prefetch(bytes + extra->fetch_ahead);
    }
    return v;
}

KERNEL_INLINE void give_vector(uint8_t *bytes, vector v, enum kernel_write write, size_t target,
                               const struct kernel_extra *extra)
{
    write_vector(bytes, v, write);
    if (extra != NULL) fold(extra->target_states, target, v);
}

static KERNEL_TARGET void kernel_fence(void)
{
    vector_fence();
}

/* ---- products ---------------------------------------------------------------------------- */

enum { MULTIPLY_WIDTH_MAX = 8, MULTIPLY_TOTALS_MAX = 32 };

/* Vectors at a time for `count` targets: their totals and a pair of sources fit the registers. */
KERNEL_INLINE unsigned multiply_width(const unsigned count)
{
    const unsigned room = MULTIPLY_REGISTERS / (count + 2);
    return room >= 8 ? 8 : room >= 4 ? 4 : room >= 2 ? 2 : 1;
}

/* `count` targets, `width` vectors at `position`. Sources are taken in pairs, for three-operand
 * additions where the ISA has them. */
KERNEL_INLINE void multiply_columns(const unsigned count, const unsigned width,
                                    const entry *entries, const uint8_t *const *sources,
                                    size_t source_count, uint8_t *const *targets, size_t position,
                                    enum kernel_write write, const struct kernel_extra *extra)
{
    vector total[MULTIPLY_TOTALS_MAX];
    if (write == KERNEL_STREAM_FETCH) fetch_ahead(sources, source_count, position);
    KERNEL_UNROLL
    for (unsigned i = 0; i < count * width; i++) {
        const uint8_t *target = targets[i / width] + position + i % width * VECTOR_SIZE;
        total[i] = write == KERNEL_ADD ? vector_load(target) : vector_zero();
    }
    size_t s = 0;
    for (; s + 1 < source_count; s += 2, entries += 2 * count) {
        operand first[MULTIPLY_WIDTH_MAX], second[MULTIPLY_WIDTH_MAX];
        KERNEL_UNROLL
        for (unsigned v = 0; v < width; v++) {
            size_t at = position + v * VECTOR_SIZE;
            first[v] = vector_operand(take_vector(sources[s] + at, s, extra));
            second[v] = vector_operand(take_vector(sources[s + 1] + at, s + 1, extra));
        }
        KERNEL_UNROLL
        for (unsigned i = 0; i < count * width; i++) {
            total[i] = vector_add3(total[i],
                                   operand_multiply(first[i % width], entries + i / width),
                                   operand_multiply(second[i % width], entries + count + i / width));
        }
    }
    if (s < source_count) {
        operand last[MULTIPLY_WIDTH_MAX];
        KERNEL_UNROLL
        for (unsigned v = 0; v < width; v++) {
            last[v] =
                vector_operand(take_vector(sources[s] + position + v * VECTOR_SIZE, s, extra));
        }
        KERNEL_UNROLL
        for (unsigned i = 0; i < count * width; i++) {
            total[i] =
                vector_add(total[i], operand_multiply(last[i % width], entries + i / width));
        }
    }
    KERNEL_UNROLL
    for (unsigned i = 0; i < count * width; i++) {
        give_vector(targets[i / width] + position + i % width * VECTOR_SIZE, total[i], write,
                    i / width, extra);
    }
}

/* [begin, end) is a whole number of vectors. Streaming takes one vector at a time: measured, the
 * memory likes short visits to each shard. So does what does more: a state that was just stored
 * cannot be loaded again at once, and the carry-less products of one shard hide the latency of the
 * others'. */
KERNEL_INLINE void multiply_vectors_of(const unsigned count, const unsigned width,
                                       const entry *entries, const uint8_t *const *sources,
                                       size_t source_count, uint8_t *const *targets, size_t begin,
                                       size_t end, enum kernel_write write,
                                       const struct kernel_extra *extra)
{
    size_t position = begin;
    while (extra == NULL && write < KERNEL_STREAM && end - position >= width * VECTOR_SIZE) {
        multiply_columns(count, width, entries, sources, source_count, targets, position, write,
                         NULL);
        position += width * VECTOR_SIZE;
    }
    for (; position < end; position += VECTOR_SIZE) {
        multiply_columns(count, 1, entries, sources, source_count, targets, position, write, extra);
    }
}

KERNEL_INLINE void multiply_cases(const entry *entries, const uint8_t *const *sources,
                                  size_t source_count, uint8_t *const *targets,
                                  size_t target_count, size_t begin, size_t end,
                                  enum kernel_write write, const struct kernel_extra *extra)
{
    switch (target_count) {
    case 1:
        multiply_vectors_of(1, multiply_width(1), entries, sources, source_count, targets, begin,
                            end, write, extra);
        break;
    case 2:
        multiply_vectors_of(2, multiply_width(2), entries, sources, source_count, targets, begin,
                            end, write, extra);
        break;
    case 3:
        multiply_vectors_of(3, multiply_width(3), entries, sources, source_count, targets, begin,
                            end, write, extra);
        break;
    case 4:
        multiply_vectors_of(4, multiply_width(4), entries, sources, source_count, targets, begin,
                            end, write, extra);
        break;
    case 5:
        multiply_vectors_of(5, multiply_width(5), entries, sources, source_count, targets, begin,
                            end, write, extra);
        break;
    case 6:
        multiply_vectors_of(6, multiply_width(6), entries, sources, source_count, targets, begin,
                            end, write, extra);
        break;
    case 7:
        multiply_vectors_of(7, multiply_width(7), entries, sources, source_count, targets, begin,
                            end, write, extra);
        break;
    default:
        multiply_vectors_of(8, multiply_width(8), entries, sources, source_count, targets, begin,
                            end, write, extra);
        break;
    }
}

static KERNEL_TARGET void multiply_vectors(const entry *entries, const uint8_t *const *sources,
                                           size_t source_count, uint8_t *const *targets,
                                           size_t target_count, size_t begin, size_t end,
                                           enum kernel_write write)
{
    multiply_cases(entries, sources, source_count, targets, target_count, begin, end, write, NULL);
}

/* Fewer columns than a vector has. */
static KERNEL_TARGET void multiply_padded(const entry *entries, const uint8_t *const *sources,
                                          size_t source_count, uint8_t *const *targets,
                                          size_t target_count, size_t begin, size_t end,
                                          enum kernel_write write)
{
    uint8_t source_pads[PADDED_SOURCES][VECTOR_SIZE];
    uint8_t target_pads[KERNEL_TARGETS_MAX][VECTOR_SIZE];
    const uint8_t *padded_sources[PADDED_SOURCES];
    uint8_t *padded_targets[KERNEL_TARGETS_MAX];
    size_t size = end - begin;
    for (size_t t = 0; t < target_count; t++) {
        memset(target_pads[t], 0, VECTOR_SIZE);
        if (write == KERNEL_ADD) memcpy(target_pads[t], targets[t] + begin, size);
        padded_targets[t] = target_pads[t];
    }
    for (size_t s = 0; s < source_count; s += PADDED_SOURCES) {
        size_t chunk = source_count - s < PADDED_SOURCES ? source_count - s : PADDED_SOURCES;
        for (size_t i = 0; i < chunk; i++) {
            memset(source_pads[i], 0, VECTOR_SIZE);
            memcpy(source_pads[i], sources[s + i] + begin, size);
            padded_sources[i] = source_pads[i];
        }
        multiply_vectors(entries + s * target_count, padded_sources, chunk, padded_targets,
                         target_count, 0, VECTOR_SIZE, KERNEL_ADD);
    }
    for (size_t t = 0; t < target_count; t++) memcpy(targets[t] + begin, target_pads[t], size);
}

static KERNEL_TARGET void kernel_multiply(const void *prepared, const uint8_t *const *sources,
                                          size_t source_count, uint8_t *const *targets,
                                          size_t target_count, size_t begin, size_t end,
                                          enum kernel_write write)
{
    const entry *entries = prepared;
    size_t rest = (end - begin) % VECTOR_SIZE, middle = end - rest;
    multiply_vectors(entries, sources, source_count, targets, target_count, begin, middle,
                     write);
    if (rest == 0) return;
    if (middle == begin || write == KERNEL_ADD) {
        multiply_padded(entries, sources, source_count, targets, target_count, middle, end,
                        write);
    } else {
        multiply_vectors(entries, sources, source_count, targets, target_count, end - VECTOR_SIZE,
                         end, KERNEL_STORE);
    }
}

/* ---- sums -------------------------------------------------------------------------------- */

KERNEL_INLINE void add_columns(const unsigned width, const uint8_t *const *sources,
                               size_t source_count, uint8_t *const *targets, size_t target_count,
                               size_t position, enum kernel_write write,
                               const struct kernel_extra *extra)
{
    vector total[MULTIPLY_WIDTH_MAX];
    if (write == KERNEL_STREAM_FETCH) fetch_ahead(sources, source_count, position);
    KERNEL_UNROLL
    for (unsigned v = 0; v < width; v++) total[v] = vector_zero();
    size_t s = 0;
    for (; s + 1 < source_count; s += 2) {
        KERNEL_UNROLL
        for (unsigned v = 0; v < width; v++) {
            size_t at = position + v * VECTOR_SIZE;
            total[v] =
                vector_add3(total[v], take_vector(sources[s] + at, s, extra),
                            take_vector(sources[s + 1] + at, s + 1, extra));
        }
    }
    if (s < source_count) {
        KERNEL_UNROLL
        for (unsigned v = 0; v < width; v++) {
            total[v] = vector_add(
                total[v], take_vector(sources[s] + position + v * VECTOR_SIZE, s, extra));
        }
    }
    for (size_t t = 0; t < target_count; t++) {
        KERNEL_UNROLL
        for (unsigned v = 0; v < width; v++) {
            uint8_t *at = targets[t] + position + v * VECTOR_SIZE;
            give_vector(at, write == KERNEL_ADD ? vector_add(total[v], vector_load(at)) : total[v],
                        write, t, extra);
        }
    }
}

static KERNEL_TARGET void kernel_add(const uint8_t *const *sources, size_t source_count,
                                     uint8_t *const *targets, size_t target_count, size_t begin,
                                     size_t end, enum kernel_write write)
{
    size_t position = begin;
    const unsigned width = multiply_width(1);
    for (; write < KERNEL_STREAM && end - position >= width * VECTOR_SIZE;
         position += width * VECTOR_SIZE) {
        add_columns(width, sources, source_count, targets, target_count, position, write, NULL);
    }
    for (; end - position >= VECTOR_SIZE; position += VECTOR_SIZE) {
        add_columns(1, sources, source_count, targets, target_count, position, write, NULL);
    }
    for (; position < end; position++) {
        uint8_t total = 0;
        for (size_t s = 0; s < source_count; s++) total ^= sources[s][position];
        for (size_t t = 0; t < target_count; t++) {
            targets[t][position] = write == KERNEL_ADD ? targets[t][position] ^ total : total;
        }
    }
}

/* ---- transforms --------------------------------------------------------------------------
 *
 * The additive FFT of Lin, Chung and Han (2014) in the Cantor basis. One butterfly joins x and y:
 *     inverse: y += x, x += w y            forward: x += w y, y += x
 * Layer i joins positions j and j + 2^i inside blocks of 2^(i+1). The twiddles of a transform of
 * `size` points are ordered by layer from 0 up, then by block: size - 1 of them. */

/* Position of butterfly `i` (of size / 2) in `layer`: block * 2^(layer+1) + offset. */
KERNEL_INLINE unsigned butterfly_low(const unsigned layer, const unsigned i)
{
    return ((i >> layer) << (layer + 1)) + (i & ((1u << layer) - 1));
}

KERNEL_INLINE const entry *layer_twiddle(const entry *twiddles, const unsigned size,
                                         const unsigned layer, const unsigned i)
{
    return twiddles + (size - (size >> layer)) + (i >> layer);
}

/* One inverse layer over `size` points of which those from `count` on are zero. Where y = 0 the
 * butterfly is y = x, x = (1 + w) x, and the plan has stored 1 + w. */
KERNEL_INLINE void inverse_layer(const unsigned layer, const unsigned size, const unsigned count,
                                 vector *x, const entry *twiddles)
{
    KERNEL_UNROLL
    for (unsigned i = 0; i < size / 2; i++) {
        const unsigned low = butterfly_low(layer, i), high = low + (1u << layer);
        const unsigned block = low >> (layer + 1) << (layer + 1);
        const entry *w = layer_twiddle(twiddles, size, layer, i);
        if (block + (1u << layer) < count) {
            x[high] = vector_add(x[high], x[low]);
            x[low] = vector_add(x[low], operand_multiply(vector_operand(x[high]), w));
        } else if (block < count) {
            x[high] = x[low];
            x[low] = operand_multiply(vector_operand(x[low]), w);
        }
    }
}

/* total += (or, `is_first`, =) the inverse transform of `count` of `size` points that begin at
 * sources[first_source]. The top layer goes straight into the totals. */
KERNEL_INLINE void inverse_into(const unsigned log2_size, const unsigned count,
                                const bool is_first, vector *total,
                                const uint8_t *const *sources, size_t position,
                                const entry *twiddles, size_t first_source,
                                const struct kernel_extra *extra)
{
    const unsigned size = 1u << log2_size, half = size / 2;
    vector x[1u << KERNEL_TRANSFORM_LOG2_MAX];
    if (count > size) return; /* a case of the switch below that this size does not have */
    KERNEL_UNROLL
    for (unsigned i = 0; i < size; i++) {
        x[i] = i < count ? take_vector(sources[first_source + i] + position, first_source + i, extra)
                         : vector_zero();
    }
    if (log2_size > 1) inverse_layer(0, size, count, x, twiddles);
    if (log2_size > 2) inverse_layer(1, size, count, x, twiddles);
    if (log2_size > 3) inverse_layer(2, size, count, x, twiddles);
    const entry *top = twiddles + size - 2;
    KERNEL_UNROLL
    for (unsigned i = 0; i < half; i++) {
        if (count > half && is_first) {
            total[half + i] = vector_add(x[i], x[half + i]);
            total[i] = vector_add(x[i], operand_multiply(vector_operand(total[half + i]), top));
        } else if (count > half) {
            vector sum = vector_add(x[i], x[half + i]);
            total[half + i] = vector_add(total[half + i], sum);
            total[i] = vector_add3(total[i], x[i], operand_multiply(vector_operand(sum), top));
        } else {
            total[half + i] = vector_add(total[half + i], x[i]);
            total[i] = vector_add(total[i], operand_multiply(vector_operand(x[i]), top));
        }
    }
}

/* One forward layer; only what the first `count` outputs need. `is_first`: at offset 0, where the
 * first twiddle of each layer is 0. */
KERNEL_INLINE void forward_layer(const unsigned layer, const unsigned size, const unsigned count,
                                 const bool is_first, vector *x, const entry *twiddles)
{
    KERNEL_UNROLL
    for (unsigned i = 0; i < size / 2; i++) {
        const unsigned low = butterfly_low(layer, i), high = low + (1u << layer);
        const unsigned block = low >> (layer + 1) << (layer + 1);
        const entry *w = layer_twiddle(twiddles, size, layer, i);
        if (block >= count) continue;
        if (block > 0 || !is_first) {
            x[low] = vector_add(x[low], operand_multiply(vector_operand(x[high]), w));
        }
        if (block + (1u << layer) < count) x[high] = vector_add(x[high], x[low]);
    }
}

KERNEL_INLINE void forward_layers(const unsigned log2_size, const unsigned count,
                                  const bool is_first, vector *x, const entry *twiddles)
{
    const unsigned size = 1u << log2_size;
    if (log2_size > 3) forward_layer(3, size, count, is_first, x, twiddles);
    if (log2_size > 2) forward_layer(2, size, count, is_first, x, twiddles);
    if (log2_size > 1) forward_layer(1, size, count, is_first, x, twiddles);
    forward_layer(0, size, count, is_first, x, twiddles);
}

KERNEL_INLINE void forward_store(const unsigned log2_size, const unsigned count, vector *x,
                                 uint8_t *const *targets, size_t position, const entry *twiddles,
                                 enum kernel_write write, const struct kernel_extra *extra)
{
    const unsigned size = 1u << log2_size;
    if (count > size || count <= size / 2) return; /* a case that this size does not have */
    forward_layers(log2_size, count, true, x, twiddles);
    KERNEL_UNROLL
    for (unsigned i = 0; i < count; i++) {
        give_vector(targets[i] + position, x[i], write, i, extra);
    }
}

/* `width` adjacent vectors at a time: their arithmetic hides each other's latency. */
KERNEL_INLINE void inverse_columns(const unsigned log2_size, const unsigned count,
                                   const bool is_first, const unsigned width, vector *total,
                                   const uint8_t *const *sources, size_t position,
                                   const entry *twiddles, size_t first_source,
                                   const struct kernel_extra *extra)
{
    KERNEL_UNROLL
    for (unsigned v = 0; v < width; v++) {
        inverse_into(log2_size, count, is_first, total + (v << log2_size), sources,
                     position + v * VECTOR_SIZE, twiddles, first_source, extra);
    }
}

KERNEL_INLINE void forward_columns(const unsigned log2_size, const unsigned count,
                                   const unsigned width, vector *total, uint8_t *const *targets,
                                   size_t position, const entry *twiddles, enum kernel_write write,
                                   const struct kernel_extra *extra)
{
    KERNEL_UNROLL
    for (unsigned v = 0; v < width; v++) {
        forward_store(log2_size, count, total + (v << log2_size), targets,
                      position + v * VECTOR_SIZE, twiddles, write, extra);
    }
}

/* Each case fixes a count, so that the compiler drops the butterflies that it does not need. */
KERNEL_INLINE void inverse_rest(const unsigned log2_size, size_t rest, const unsigned width,
                                vector *total, const uint8_t *const *sources, size_t position,
                                const entry *twiddles, size_t first_source,
                                const struct kernel_extra *extra)
{
    switch (rest) {
    case 1:
        inverse_columns(log2_size, 1, false, width, total, sources, position, twiddles,
                        first_source, extra);
        break;
    case 2:
        inverse_columns(log2_size, 2, false, width, total, sources, position, twiddles,
                        first_source, extra);
        break;
    case 3:
        inverse_columns(log2_size, 3, false, width, total, sources, position, twiddles,
                        first_source, extra);
        break;
    case 4:
        inverse_columns(log2_size, 4, false, width, total, sources, position, twiddles,
                        first_source, extra);
        break;
    case 5:
        inverse_columns(log2_size, 5, false, width, total, sources, position, twiddles,
                        first_source, extra);
        break;
    case 6:
        inverse_columns(log2_size, 6, false, width, total, sources, position, twiddles,
                        first_source, extra);
        break;
    case 7:
        inverse_columns(log2_size, 7, false, width, total, sources, position, twiddles,
                        first_source, extra);
        break;
    case 8:
        inverse_columns(log2_size, 8, false, width, total, sources, position, twiddles,
                        first_source, extra);
        break;
    case 9:
        inverse_columns(log2_size, 9, false, width, total, sources, position, twiddles,
                        first_source, extra);
        break;
    case 10:
        inverse_columns(log2_size, 10, false, width, total, sources, position, twiddles,
                        first_source, extra);
        break;
    case 11:
        inverse_columns(log2_size, 11, false, width, total, sources, position, twiddles,
                        first_source, extra);
        break;
    case 12:
        inverse_columns(log2_size, 12, false, width, total, sources, position, twiddles,
                        first_source, extra);
        break;
    case 13:
        inverse_columns(log2_size, 13, false, width, total, sources, position, twiddles,
                        first_source, extra);
        break;
    case 14:
        inverse_columns(log2_size, 14, false, width, total, sources, position, twiddles,
                        first_source, extra);
        break;
    case 15:
        inverse_columns(log2_size, 15, false, width, total, sources, position, twiddles,
                        first_source, extra);
        break;
    default: break;
    }
}

KERNEL_INLINE void forward_targets(const unsigned log2_size, size_t target_count,
                                   const unsigned width, vector *total, uint8_t *const *targets,
                                   size_t position, const entry *twiddles, enum kernel_write write,
                                   const struct kernel_extra *extra)
{
    switch (target_count) {
    case 2:
        forward_columns(log2_size, 2, width, total, targets, position, twiddles, write,
                        extra);
        break;
    case 3:
        forward_columns(log2_size, 3, width, total, targets, position, twiddles, write,
                        extra);
        break;
    case 4:
        forward_columns(log2_size, 4, width, total, targets, position, twiddles, write,
                        extra);
        break;
    case 5:
        forward_columns(log2_size, 5, width, total, targets, position, twiddles, write,
                        extra);
        break;
    case 6:
        forward_columns(log2_size, 6, width, total, targets, position, twiddles, write,
                        extra);
        break;
    case 7:
        forward_columns(log2_size, 7, width, total, targets, position, twiddles, write,
                        extra);
        break;
    case 8:
        forward_columns(log2_size, 8, width, total, targets, position, twiddles, write,
                        extra);
        break;
    case 9:
        forward_columns(log2_size, 9, width, total, targets, position, twiddles, write,
                        extra);
        break;
    case 10:
        forward_columns(log2_size, 10, width, total, targets, position, twiddles, write,
                        extra);
        break;
    case 11:
        forward_columns(log2_size, 11, width, total, targets, position, twiddles, write,
                        extra);
        break;
    case 12:
        forward_columns(log2_size, 12, width, total, targets, position, twiddles, write,
                        extra);
        break;
    case 13:
        forward_columns(log2_size, 13, width, total, targets, position, twiddles, write,
                        extra);
        break;
    case 14:
        forward_columns(log2_size, 14, width, total, targets, position, twiddles, write,
                        extra);
        break;
    case 15:
        forward_columns(log2_size, 15, width, total, targets, position, twiddles, write,
                        extra);
        break;
    case 16:
        forward_columns(log2_size, 16, width, total, targets, position, twiddles, write,
                        extra);
        break;
    default: break;
    }
}

KERNEL_INLINE void transform_columns(const unsigned log2_size, const unsigned width,
                                     const entry *twiddles, const uint8_t *const *sources,
                                     size_t source_count, uint8_t *const *targets,
                                     size_t target_count, size_t position,
                                     enum kernel_write write, const struct kernel_extra *extra)
{
    const unsigned size = 1u << log2_size;
    const entry *forward = twiddles;
    vector total[1u << KERNEL_TRANSFORM_LOG2_MAX];
    if (write == KERNEL_STREAM_FETCH) fetch_ahead(sources, source_count, position);
    twiddles += size - 1;
    size_t whole = source_count & ~(size_t)(size - 1);
    if (whole > 0) {
        inverse_columns(log2_size, size, true, width, total, sources, position, twiddles, 0,
                        extra);
        twiddles += size - 1;
    } else {
        KERNEL_UNROLL
        for (unsigned i = 0; i < size * width; i++) total[i] = vector_zero();
    }
    for (size_t s = size; s < whole; s += size, twiddles += size - 1) {
        inverse_columns(log2_size, size, false, width, total, sources, position, twiddles, s, extra);
    }
    inverse_rest(log2_size, source_count - whole, width, total, sources, position, twiddles, whole,
                 extra);
    forward_targets(log2_size, target_count, width, total, targets, position, forward, write, extra);
}

/* [begin, end) is a whole number of vectors. Streaming takes one vector at a time from 8 points
 * on; measured, 4 points stream better in wide visits, unless each line is fetched by itself. */
KERNEL_INLINE void transform_vectors_of(const unsigned log2_size, const unsigned width,
                                        const entry *twiddles, const uint8_t *const *sources,
                                        size_t source_count, uint8_t *const *targets,
                                        size_t target_count, size_t begin, size_t end,
                                        enum kernel_write write, const struct kernel_extra *extra)
{
    size_t position = begin;
    while (extra == NULL && (log2_size < 3 || write < KERNEL_STREAM) &&
           end - position >= width * VECTOR_SIZE) {
        transform_columns(log2_size, width, twiddles, sources, source_count, targets, target_count,
                          position, write, NULL);
        position += width * VECTOR_SIZE;
    }
    for (; position < end; position += VECTOR_SIZE) {
        transform_columns(log2_size, 1, twiddles, sources, source_count, targets, target_count,
                          position, write, extra);
    }
}

KERNEL_INLINE void transform_cases(const entry *twiddles, unsigned log2_size,
                                   const uint8_t *const *sources, size_t source_count,
                                   uint8_t *const *targets, size_t target_count, size_t begin,
                                   size_t end, enum kernel_write write,
                                   const struct kernel_extra *extra)
{
    switch (log2_size) {
    case 1:
        transform_vectors_of(1, TRANSFORM4_WIDTH, twiddles, sources, source_count, targets,
                             target_count, begin, end, write, extra);
        break;
    case 2:
        transform_vectors_of(2, TRANSFORM4_WIDTH, twiddles, sources, source_count, targets,
                             target_count, begin, end, write, extra);
        break;
    case 3:
        transform_vectors_of(3, TRANSFORM8_WIDTH, twiddles, sources, source_count, targets,
                             target_count, begin, end, write, extra);
        break;
    default:
        transform_vectors_of(4, 1, twiddles, sources, source_count, targets,
                             target_count, begin, end, write, extra);
        break;
    }
}

static KERNEL_TARGET void transform_vectors(const entry *twiddles, unsigned log2_size,
                                            const uint8_t *const *sources, size_t source_count,
                                            uint8_t *const *targets, size_t target_count,
                                            size_t begin, size_t end, enum kernel_write write)
{
    transform_cases(twiddles, log2_size, sources, source_count, targets, target_count, begin, end,
                    write, NULL);
}

/* Fewer columns than a vector has. */
static KERNEL_TARGET void transform_padded(const entry *twiddles, unsigned log2_size,
                                           const uint8_t *const *sources, size_t source_count,
                                           uint8_t *const *targets, size_t target_count,
                                           size_t begin, size_t end)
{
    uint8_t source_pads[TRANSFORM_SOURCES_MAX][VECTOR_SIZE];
    uint8_t target_pads[1u << KERNEL_TRANSFORM_LOG2_MAX][VECTOR_SIZE];
    const uint8_t *padded_sources[TRANSFORM_SOURCES_MAX];
    uint8_t *padded_targets[1u << KERNEL_TRANSFORM_LOG2_MAX];
    size_t size = end - begin;
    for (size_t s = 0; s < source_count; s++) {
        memset(source_pads[s], 0, VECTOR_SIZE);
        memcpy(source_pads[s], sources[s] + begin, size);
        padded_sources[s] = source_pads[s];
    }
    for (size_t t = 0; t < sizeof target_pads / VECTOR_SIZE; t++) padded_targets[t] = target_pads[t];
    transform_vectors(twiddles, log2_size, padded_sources, source_count, padded_targets,
                      target_count, 0, VECTOR_SIZE, KERNEL_STORE);
    for (size_t t = 0; t < target_count; t++) memcpy(targets[t] + begin, target_pads[t], size);
}

static KERNEL_TARGET void kernel_transform(const void *prepared, unsigned log2_size,
                                           const uint8_t *const *sources, size_t source_count,
                                           uint8_t *const *targets, size_t target_count,
                                           size_t begin, size_t end, enum kernel_write write)
{
    const entry *twiddles = prepared;
    size_t rest = (end - begin) % VECTOR_SIZE, middle = end - rest;
    transform_vectors(twiddles, log2_size, sources, source_count, targets, target_count, begin,
                      middle, write);
    if (rest == 0) return;
    if (middle == begin) {
        transform_padded(twiddles, log2_size, sources, source_count, targets, target_count, begin,
                         end);
    } else {
        transform_vectors(twiddles, log2_size, sources, source_count, targets, target_count,
                          end - VECTOR_SIZE, end, KERNEL_STORE);
    }
}

/* ---- passes of wide transforms ----------------------------------------------------------------
 *
 * A transform that is larger than the register file runs as two passes over rows in memory, each of
 * up to 16 points in registers; wide.c drives them. Rows are `size` bytes, a multiple of
 * VECTOR_SIZE; `out` may be `in`. */

KERNEL_INLINE void inverse_layers(const unsigned log2_size, vector *x, const entry *twiddles)
{
    const unsigned size = 1u << log2_size;
    inverse_layer(0, size, size, x, twiddles);
    if (log2_size > 1) inverse_layer(1, size, size, x, twiddles);
    if (log2_size > 2) inverse_layer(2, size, size, x, twiddles);
    if (log2_size > 3) inverse_layer(3, size, size, x, twiddles);
}

KERNEL_INLINE void scale_all(const unsigned count, vector *x, const entry *scales)
{
    KERNEL_UNROLL
    for (unsigned i = 0; i < count; i++) {
        x[i] = operand_multiply(vector_operand(x[i]), scales + i);
    }
}

KERNEL_INLINE void inverse_pass(const unsigned log2_size, const entry *twiddles,
                                const bool is_scaled, const entry *scales,
                                const uint8_t *const *in, uint8_t *const *out, size_t size,
                                enum kernel_write write)
{
    const unsigned count = 1u << log2_size;
    for (size_t position = 0; position < size; position += VECTOR_SIZE) {
        vector x[1u << KERNEL_TRANSFORM_LOG2_MAX];
        KERNEL_UNROLL
        for (unsigned i = 0; i < count; i++) x[i] = vector_load(in[i] + position);
        if (is_scaled) scale_all(count, x, scales);
        inverse_layers(log2_size, x, twiddles);
        if (write == KERNEL_ADD) {
            KERNEL_UNROLL
            for (unsigned i = 0; i < count; i++) {
                x[i] = vector_add(x[i], vector_load(out[i] + position));
            }
        }
        KERNEL_UNROLL
        for (unsigned i = 0; i < count; i++) vector_store(out[i] + position, x[i]);
    }
}

static KERNEL_TARGET void kernel_inverse(const void *prepared, unsigned log2_size,
                                         const void *scales, const uint8_t *const *in,
                                         uint8_t *const *out, size_t size,
                                         enum kernel_write write)
{
    switch (log2_size) {
    case 1: inverse_pass(1, prepared, false, NULL, in, out, size, write); break;
    case 2: inverse_pass(2, prepared, false, NULL, in, out, size, write); break;
    case 3: inverse_pass(3, prepared, false, NULL, in, out, size, write); break;
    default:
        if (scales != NULL) {
            inverse_pass(4, prepared, true, scales, in, out, size, write);
        } else {
            inverse_pass(4, prepared, false, NULL, in, out, size, write);
        }
        break;
    }
}

/* x = D(x), in place: x[i] needs none below it. */
KERNEL_INLINE void derive(const unsigned log2_size, vector *x)
{
    const unsigned count = 1u << log2_size;
    KERNEL_UNROLL
    for (unsigned i = 0; i < count; i++) {
        vector sum = vector_zero();
        KERNEL_UNROLL
        for (unsigned l = 0; l < log2_size; l++) {
            if ((i >> l & 1) == 0) sum = vector_add(sum, x[i + (1u << l)]);
        }
        x[i] = sum;
    }
}

KERNEL_INLINE void forward_pass(const unsigned log2_size, const bool is_first,
                                const entry *twiddles, const entry *scales,
                                const uint8_t *const *in, const uint8_t *const *differentiated,
                                uint8_t *const *out, size_t size, enum kernel_write write)
{
    const unsigned count = 1u << log2_size;
    for (size_t position = 0; position < size; position += VECTOR_SIZE) {
        vector x[1u << KERNEL_TRANSFORM_LOG2_MAX];
        if (differentiated != NULL) {
            KERNEL_UNROLL
            for (unsigned i = 0; i < count; i++) x[i] = vector_load(differentiated[i] + position);
            derive(log2_size, x);
            KERNEL_UNROLL
            for (unsigned i = 0; i < count; i++) {
                x[i] = vector_add(x[i], vector_load(in[i] + position));
            }
        } else {
            KERNEL_UNROLL
            for (unsigned i = 0; i < count; i++) x[i] = vector_load(in[i] + position);
        }
        forward_layers(log2_size, count, is_first, x, twiddles);
        if (scales != NULL) scale_all(count, x, scales);
        KERNEL_UNROLL
        for (unsigned i = 0; i < count; i++) {
            if (out[i] != NULL) write_vector(out[i] + position, x[i], write);
        }
    }
}

static KERNEL_TARGET void kernel_forward(const void *prepared, unsigned log2_size,
                                         const void *scales, bool is_first,
                                         const uint8_t *const *in,
                                         const uint8_t *const *differentiated,
                                         uint8_t *const *out, size_t size,
                                         enum kernel_write write)
{
    /* The most frequent cases are compiled for themselves. */
    switch (log2_size) {
    case 1:
        forward_pass(1, is_first, prepared, NULL, in, differentiated, out, size, write);
        break;
    case 2:
        forward_pass(2, is_first, prepared, NULL, in, differentiated, out, size, write);
        break;
    case 3:
        forward_pass(3, is_first, prepared, NULL, in, differentiated, out, size, write);
        break;
    default:
        if (scales != NULL || differentiated != NULL) {
            forward_pass(4, is_first, prepared, scales, in, differentiated, out, size, write);
        } else if (is_first) {
            forward_pass(4, true, prepared, NULL, in, NULL, out, size, write);
        } else {
            forward_pass(4, false, prepared, NULL, in, NULL, out, size, write);
        }
        break;
    }
}

KERNEL_INLINE void turn_pass(const unsigned log2_size, const bool is_derivative,
                             const entry *inverse, const entry *forward, const uint8_t *const *in,
                             uint8_t *const *out, size_t size, enum kernel_write write)
{
    const unsigned count = 1u << log2_size;
    for (size_t position = 0; position < size; position += VECTOR_SIZE) {
        vector x[1u << KERNEL_TRANSFORM_LOG2_MAX];
        KERNEL_UNROLL
        for (unsigned i = 0; i < count; i++) x[i] = vector_load(in[i] + position);
        inverse_layers(log2_size, x, inverse);
        if (is_derivative) derive(log2_size, x);
        if (write == KERNEL_ADD) {
            KERNEL_UNROLL
            for (unsigned i = 0; i < count; i++) {
                x[i] = vector_add(x[i], vector_load(out[i] + position));
            }
        }
        forward_layers(log2_size, count, true, x, forward);
        KERNEL_UNROLL
        for (unsigned i = 0; i < count; i++) vector_store(out[i] + position, x[i]);
    }
}

static KERNEL_TARGET void kernel_turn(const void *inverse, const void *forward, unsigned log2_size,
                                      bool is_derivative, const uint8_t *const *in,
                                      uint8_t *const *out, size_t size, enum kernel_write write)
{
    /* The most frequent cases are compiled for themselves. */
    switch (log2_size) {
    case 1: turn_pass(1, is_derivative, inverse, forward, in, out, size, write); break;
    case 2: turn_pass(2, is_derivative, inverse, forward, in, out, size, write); break;
    case 3: turn_pass(3, is_derivative, inverse, forward, in, out, size, write); break;
    default:
        if (is_derivative) {
            turn_pass(4, true, inverse, forward, in, out, size, write);
        } else {
            turn_pass(4, false, inverse, forward, in, out, size, KERNEL_STORE);
        }
        break;
    }
}

/* ---- products that do more --------------------------------------------------------------- */

#ifdef KERNEL_FOLDS

/* Copies of `extra`, so that the compiler knows that it stays. */

static KERNEL_TARGET void kernel_multiply_extra(const void *prepared,
                                                const uint8_t *const *sources,
                                                size_t source_count, uint8_t *const *targets,
                                                size_t target_count, size_t begin, size_t end,
                                                enum kernel_write write,
                                                const struct kernel_extra *extra)
{
    const struct kernel_extra local = *extra;
    multiply_cases(prepared, sources, source_count, targets, target_count, begin, end, write,
                   &local);
}

static KERNEL_TARGET void kernel_add_extra(const uint8_t *const *sources, size_t source_count,
                                           uint8_t *const *targets, size_t target_count,
                                           size_t begin, size_t end, enum kernel_write write,
                                           const struct kernel_extra *extra)
{
    const struct kernel_extra local = *extra;
    for (size_t position = begin; position < end; position += VECTOR_SIZE) {
        add_columns(1, sources, source_count, targets, target_count, position, write, &local);
    }
}

static KERNEL_TARGET void kernel_transform_extra(const void *prepared, unsigned log2_size,
                                                 const uint8_t *const *sources,
                                                 size_t source_count, uint8_t *const *targets,
                                                 size_t target_count, size_t begin, size_t end,
                                                 enum kernel_write write,
                                                 const struct kernel_extra *extra)
{
    const struct kernel_extra local = *extra;
    transform_cases(prepared, log2_size, sources, source_count, targets, target_count, begin, end,
                    write, &local);
}

#endif
