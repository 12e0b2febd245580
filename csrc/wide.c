/* wide.c - see wide.h. Columns are taken in strips whose rows stay in the first-level cache. In each
 * strip a group goes through two inverse passes (16 neighbouring rows at a time, then rows 16
 * apart), groups are summed, and two forward passes lead to the targets. The last inverse and the
 * first forward pass run on the same registers where there is one group.
 *
 * Sources:
 *  - the transform: Lin, Chung, Han, "Novel polynomial basis and its application to Reed-Solomon
 *    erasure codes" (FOCS 2014); in the Cantor basis its formal derivative is additions only:
 *    D(f)[j] = sum of f[j + 2^l] over the zero bits l of j.
 *  - decoding: with the locator L(x) = prod over lost points e of (x - e), g = f L is known at every
 *    point (0 at the lost ones), and f(e) = g'(e) / L'(e). */
#include "wide.h"

#include <string.h>

#include "field.h"
#include "size.h"

enum {
    /* Bytes of rows that a strip touches in scratch, and the widest strip that is worth while. */
    STRIP_BUDGET = 32768,
    STRIP_MAX = 512
};

/* ---- building ------------------------------------------------------------------------------- */

static unsigned low_log2(const struct wide_transform *wide)
{
    return wide->log2_size < WIDE_LOW_LOG2 ? wide->log2_size : (unsigned)WIDE_LOW_LOG2;
}

static unsigned high_log2(const struct wide_transform *wide)
{
    return wide->log2_size - low_log2(wide);
}

/* Twiddles of one transform of the whole size: every low block's, then the high pass's. */
static size_t transform_entry_count(const struct wide_transform *wide)
{
    size_t block_count = (size_t)1 << high_log2(wide);
    return block_count * (((size_t)1 << low_log2(wide)) - 1) + block_count - 1;
}

size_t wide_entry_count(const struct wide_transform *wide, size_t source_count,
                        size_t target_count)
{
    return (1 + wide->group_count) * transform_entry_count(wide) +
           (wide->source_scales != NULL ? source_count : 0) +
           (wide->target_scales != NULL ? target_count : 0);
}

uint8_t *prepare_twiddles(const struct reed_kernel *kernel, unsigned log2, unsigned base,
                          size_t count, uint8_t *entries)
{
    for (unsigned layer = 0; layer < log2; layer++) {
        size_t half = (size_t)1 << layer;
        for (size_t block = 0; block < (size_t)1 << log2; block += 2 * half) {
            uint8_t twiddle = gf256_cantor_point((base + (unsigned)block) >> layer);
            if (block + half >= count) twiddle ^= 1;
            kernel->prepare(twiddle, entries);
            entries += kernel->entry_size;
        }
    }
    return entries;
}

static uint8_t *prepare_transform(const struct wide_transform *wide,
                                  const struct reed_kernel *kernel, unsigned base,
                                  uint8_t *entries)
{
    unsigned low = low_log2(wide), high = high_log2(wide);
    for (unsigned block = 0; block < 1u << high; block++) {
        entries = prepare_twiddles(kernel, low, base + (block << low), (size_t)1 << low, entries);
    }
    return prepare_twiddles(kernel, high, base >> low, (size_t)1 << high, entries);
}

void wide_prepare(const struct wide_transform *wide, size_t source_count, size_t target_count,
                  const struct reed_kernel *kernel, uint8_t *entries)
{
    entries = prepare_transform(wide, kernel, 0, entries);
    for (size_t g = 0; g < wide->group_count; g++) {
        entries = prepare_transform(wide, kernel, wide->groups[g].base, entries);
    }
    for (size_t i = 0; wide->source_scales != NULL && i < source_count; i++) {
        kernel->prepare(wide->source_scales[i], entries);
        entries += kernel->entry_size;
    }
    for (size_t i = 0; wide->target_scales != NULL && i < target_count; i++) {
        kernel->prepare(wide->target_scales[i], entries);
        entries += kernel->entry_size;
    }
}

size_t wide_cost(unsigned log2_size, size_t group_count, bool has_derivative, size_t scale_count)
{
    /* Measured against dense products: a butterfly costs about one and a half of their steps, a row
     * that goes through memory about one a pass. */
    size_t size = (size_t)1 << log2_size, passes = log2_size > WIDE_LOW_LOG2 ? 2 : 1;
    size_t cost = (group_count + 1) * (log2_size * size * 3 / 4 + passes * size);
    if (has_derivative) cost += log2_size * size / 2;
    return cost + 2 * scale_count;
}

/* ---- running -------------------------------------------------------------------------------- */

struct wide_run {
    const struct wide_transform *wide;
    const struct reed_kernel *kernel;
    const uint8_t *forward;       /* entries */
    const uint8_t *first_group;
    const uint8_t *source_scales; /* entries, or NULL */
    const uint8_t *target_scales;
    size_t transform_size;        /* bytes of one transform's entries */
    size_t strip_size;
    uint8_t *work[WIDE_POINTS_MAX];  /* rows of the group that is being transformed */
    uint8_t *total[WIDE_POINTS_MAX]; /* rows of the sum; the same as `work` for a single group */
    uint8_t *zero;                   /* one row each */
    uint8_t *unwanted;
};

static bool needs_total(const struct wide_transform *wide)
{
    return wide->group_count > 1 || wide->groups[0].derivative;
}

static size_t strip_size_for(const struct wide_transform *wide)
{
    size_t rows = ((size_t)1 << wide->log2_size) * (needs_total(wide) ? 2 : 1);
    size_t strip = STRIP_BUDGET / rows / KERNEL_VECTOR_SIZE_MAX * KERNEL_VECTOR_SIZE_MAX;
    if (strip < KERNEL_VECTOR_SIZE_MAX) return KERNEL_VECTOR_SIZE_MAX;
    return size_min(strip, STRIP_MAX);
}

size_t wide_scratch_size(const struct wide_transform *wide, const struct reed_kernel *kernel,
                         size_t source_count, size_t target_count)
{
    size_t rows = ((size_t)1 << wide->log2_size) * (needs_total(wide) ? 2 : 1) + 2;
    return KERNEL_VECTOR_SIZE_MAX - 1 + rows * strip_size_for(wide) +
           (source_count + target_count) * kernel->vector_size;
}

/* D of `work` into `total`: see the top of this file. */
static void add_derivative(const struct wide_run *run, size_t size, bool accumulate)
{
    size_t row_count = (size_t)1 << run->wide->log2_size;
    for (size_t row = 0; row < row_count; row++) {
        const uint8_t *terms[8];
        size_t term_count = 0;
        for (size_t bit = 1; bit < row_count; bit *= 2) {
            if ((row & bit) == 0) terms[term_count++] = run->work[row + bit];
        }
        run->kernel->add(terms, term_count, run->total[row], 0, size, accumulate);
    }
}

/* Columns [position, position + size) of one low block's rows into `in`, scaled where the transform
 * says so; false when the block holds no source. */
static bool gather_block(const struct wide_run *run, const struct wide_group *group, size_t first,
                         const uint8_t *const *sources, size_t position, size_t size,
                         const uint8_t **in)
{
    size_t count = (size_t)1 << low_log2(run->wide);
    bool is_used = false;
    for (size_t i = 0; i < count; i++) {
        uint16_t source = group->sources[first + i];
        in[i] = run->zero;
        if (source == WIDE_NO_SHARD) continue;
        is_used = true;
        in[i] = sources[source] + position;
        if (run->source_scales != NULL) {
            run->kernel->multiply(run->source_scales + source * run->kernel->entry_size, &in[i], 1,
                                  &run->work[first + i], 1, 0, size, false);
            in[i] = run->work[first + i];
        }
    }
    return is_used;
}

/* Adds group g to the total; `is_turned`: leaves the first forward pass done as well. */
static void add_group(const struct wide_run *run, size_t g, const uint8_t *const *sources,
                      size_t position, size_t size, bool is_turned)
{
    const struct wide_group *group = &run->wide->groups[g];
    const uint8_t *entries = run->first_group + g * run->transform_size;
    unsigned low = low_log2(run->wide), high = high_log2(run->wide);
    size_t low_count = (size_t)1 << low, high_count = (size_t)1 << high;
    bool accumulate = g > 0 && !group->derivative;
    /* The last pass of a group that needs no derivative ends in the total. */
    uint8_t *const *low_out = high == 0 && !group->derivative ? run->total : run->work;
    for (size_t first = 0; first < low_count * high_count; first += low_count) {
        const uint8_t *in[1 << WIDE_LOW_LOG2];
        if (gather_block(run, group, first, sources, position, size, in)) {
            run->kernel->inverse(entries, low, in, low_out + first, size, high == 0 && accumulate);
        } else if (low_out == run->work || !accumulate) {
            for (size_t i = 0; i < low_count; i++) memset(low_out[first + i], 0, size);
        }
        entries += (low_count - 1) * run->kernel->entry_size;
    }
    for (size_t j = 0; high > 0 && j < low_count; j++) {
        const uint8_t *in[1 << WIDE_LOW_LOG2];
        uint8_t *out[1 << WIDE_LOW_LOG2];
        for (size_t i = 0; i < high_count; i++) {
            in[i] = run->work[j + i * low_count];
            out[i] = group->derivative ? run->work[j + i * low_count]
                                       : run->total[j + i * low_count];
        }
        if (is_turned) {
            const uint8_t *forward =
                run->forward + high_count * (low_count - 1) * run->kernel->entry_size;
            run->kernel->turn(entries, forward, high, out, size);
        } else {
            run->kernel->inverse(entries, high, in, out, size, accumulate);
        }
    }
    if (group->derivative) add_derivative(run, size, g > 0);
}

static void forward_high(const struct wide_run *run, size_t size)
{
    unsigned low = low_log2(run->wide), high = high_log2(run->wide);
    size_t low_count = (size_t)1 << low, high_count = (size_t)1 << high;
    const uint8_t *entries = run->forward + high_count * (low_count - 1) * run->kernel->entry_size;
    for (size_t j = 0; high > 0 && j < low_count; j++) {
        uint8_t *rows[1 << WIDE_LOW_LOG2];
        for (size_t i = 0; i < high_count; i++) rows[i] = run->total[j + i * low_count];
        run->kernel->forward(entries, high, true, (const uint8_t *const *)rows, rows, size);
    }
}

static void forward_low(const struct wide_run *run, uint8_t *const *targets, size_t position,
                        size_t size)
{
    const struct wide_transform *wide = run->wide;
    unsigned low = low_log2(wide);
    size_t low_count = (size_t)1 << low, row_count = (size_t)1 << wide->log2_size;
    for (size_t first = 0; first < row_count; first += low_count) {
        uint8_t *out[1 << WIDE_LOW_LOG2];
        bool is_used = false;
        for (size_t i = 0; i < low_count; i++) {
            uint16_t target = wide->targets[first + i];
            is_used |= target != WIDE_NO_SHARD;
            out[i] = target == WIDE_NO_SHARD     ? run->unwanted
                     : run->target_scales != NULL ? run->total[first + i]
                                                  : targets[target] + position;
        }
        if (!is_used) continue;
        const uint8_t *entries =
            run->forward + first / low_count * (low_count - 1) * run->kernel->entry_size;
        run->kernel->forward(entries, low, first == 0,
                             (const uint8_t *const *)run->total + first, out, size);
        for (size_t i = 0; run->target_scales != NULL && i < low_count; i++) {
            uint16_t target = wide->targets[first + i];
            if (target == WIDE_NO_SHARD) continue;
            const uint8_t *source = run->total[first + i];
            uint8_t *scaled = targets[target] + position;
            run->kernel->multiply(run->target_scales + target * run->kernel->entry_size, &source,
                                  1, &scaled, 1, 0, size, false);
        }
    }
}

/* `size` is a multiple of the vector size and at most the strip size. */
static void apply_strip(const struct wide_run *run, const uint8_t *const *sources,
                        uint8_t *const *targets, size_t position, size_t size)
{
    bool is_turned = !needs_total(run->wide) && high_log2(run->wide) > 0;
    for (size_t g = 0; g < run->wide->group_count; g++) {
        add_group(run, g, sources, position, size, is_turned);
    }
    if (!is_turned) forward_high(run, size);
    forward_low(run, targets, position, size);
}

/* Splits the scratch into rows; returns what remains of it. */
static uint8_t *run_prepare(struct wide_run *run, const struct wide_transform *wide,
                            const struct reed_kernel *kernel, const uint8_t *entries,
                            size_t source_count, void *scratch)
{
    size_t row_count = (size_t)1 << wide->log2_size;
    uintptr_t misalignment = (uintptr_t)scratch % KERNEL_VECTOR_SIZE_MAX;
    uint8_t *memory = (uint8_t *)scratch + (misalignment ? KERNEL_VECTOR_SIZE_MAX - misalignment : 0);
    run->wide = wide;
    run->kernel = kernel;
    run->strip_size = strip_size_for(wide);
    run->transform_size = transform_entry_count(wide) * kernel->entry_size;
    run->forward = entries;
    run->first_group = entries + run->transform_size;
    const uint8_t *scales = run->first_group + wide->group_count * run->transform_size;
    run->source_scales = wide->source_scales != NULL ? scales : NULL;
    if (wide->source_scales != NULL) scales += source_count * kernel->entry_size;
    run->target_scales = wide->target_scales != NULL ? scales : NULL;
    for (size_t row = 0; row < row_count; row++, memory += run->strip_size) {
        run->work[row] = run->total[row] = memory;
    }
    for (size_t row = 0; needs_total(wide) && row < row_count; row++, memory += run->strip_size) {
        run->total[row] = memory;
    }
    run->zero = memory;
    run->unwanted = memory + run->strip_size;
    memset(run->zero, 0, run->strip_size);
    return memory + 2 * run->strip_size;
}

void wide_apply(const struct wide_transform *wide, const struct reed_kernel *kernel,
                const uint8_t *entries, const uint8_t *const *sources, size_t source_count,
                uint8_t *const *targets, size_t target_count, size_t begin, size_t end,
                void *scratch)
{
    struct wide_run run;
    uint8_t *pads = run_prepare(&run, wide, kernel, entries, source_count, scratch);
    size_t vector = kernel->vector_size;
    if (end - begin < vector) { /* too few columns for a vector: padded copies */
        const uint8_t *padded_sources[WIDE_POINTS_MAX];
        uint8_t *padded_targets[WIDE_POINTS_MAX];
        for (size_t i = 0; i < source_count; i++, pads += vector) {
            memset(pads, 0, vector);
            memcpy(pads, sources[i] + begin, end - begin);
            padded_sources[i] = pads;
        }
        for (size_t i = 0; i < WIDE_POINTS_MAX; i++) {
            padded_targets[i] = i < target_count ? pads + i * vector : NULL;
        }
        apply_strip(&run, padded_sources, padded_targets, 0, vector);
        for (size_t i = 0; i < target_count; i++) {
            memcpy(targets[i] + begin, padded_targets[i], end - begin);
        }
        return;
    }
    while (begin < end) {
        size_t size = size_min(run.strip_size, end - begin);
        if (size < vector) { /* the rest of a vector: compute a part of the one before again */
            begin = end - vector;
            size = vector;
        }
        size -= size % vector;
        apply_strip(&run, sources, targets, begin, size);
        begin += size;
    }
}
