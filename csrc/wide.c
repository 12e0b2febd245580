/* wide.c - see wide.h. Columns are taken in strips whose rows stay in a core's own caches. In each
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
    /* Bytes of rows that a strip touches in scratch, and the widest strip. Measured: wide strips
     * share the cost of finding rows, which is worth more than staying in the first-level cache. */
    STRIP_BUDGET = 262144,
    STRIP_MAX = 1024
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

size_t wide_entry_count(const struct wide_transform *wide)
{
    return (1 + wide->group_count) * transform_entry_count(wide) +
           (wide->is_scaled ? (size_t)2 << wide->log2_size : 0);
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

/* One scale for each row; rows without a shard, whose products nobody reads, get 1. */
static uint8_t *prepare_scales(const struct wide_transform *wide, const uint16_t *shards,
                               const uint8_t *scales, const struct reed_kernel *kernel,
                               uint8_t *entries)
{
    for (size_t row = 0; row < (size_t)1 << wide->log2_size; row++) {
        kernel->prepare(shards[row] == WIDE_NO_SHARD ? 1 : scales[shards[row]], entries);
        entries += kernel->entry_size;
    }
    return entries;
}

void wide_prepare(const struct wide_transform *wide, const uint8_t *source_scales,
                  const uint8_t *target_scales, const struct reed_kernel *kernel,
                  uint8_t *entries)
{
    entries = prepare_transform(wide, kernel, 0, entries);
    for (size_t g = 0; g < wide->group_count; g++) {
        entries = prepare_transform(wide, kernel, wide->groups[g].base, entries);
    }
    if (!wide->is_scaled) return;
    entries = prepare_scales(wide, wide->groups[0].sources, source_scales, kernel, entries);
    prepare_scales(wide, wide->targets, target_scales, kernel, entries);
}

size_t wide_encode_cost(unsigned log2_size, size_t group_count)
{
    /* Measured against dense products: a butterfly costs about one and a half of their steps, a row
     * that goes through memory about one a pass. */
    size_t size = (size_t)1 << log2_size, passes = log2_size > WIDE_LOW_LOG2 ? 2 : 1;
    return (group_count + 1) * (log2_size * size * 3 / 4 + passes * size);
}

size_t wide_decode_cost(unsigned log2_size, size_t scale_count)
{
    /* Measured likewise: three passes and the derivative together cost about twelve steps a row,
     * from 64 to 256 rows alike, and finding and scaling a shard three. */
    return ((size_t)12 << log2_size) + 3 * scale_count;
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
    bool is_turned;               /* the last group does the first forward pass */
    bool is_fetching;
    const uint8_t *low[WIDE_POINTS_MAX]; /* the last group's rows after its first pass */
    uint8_t *work[WIDE_POINTS_MAX];  /* where those rows are */
    uint8_t *total[WIDE_POINTS_MAX]; /* rows of the sum; the same as `work` for a single group */
    uint8_t *zero;                   /* one row */
};

static const struct wide_group *last_group(const struct wide_transform *wide)
{
    return &wide->groups[wide->group_count - 1];
}

static bool needs_total(const struct wide_transform *wide)
{
    return wide->group_count > 1 || last_group(wide)->derivative;
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
    size_t sets = needs_total(wide) ? 2 : 1, strip = strip_size_for(wide);
    size_t set_size = strip * (((size_t)1 << wide->log2_size) + ((size_t)1 << high_log2(wide)));
    return KERNEL_VECTOR_SIZE_MAX - 1 + sets * set_size + strip +
           (source_count + target_count) * kernel->vector_size;
}

/* Where the rows of one low block begin at `position`; false when the block holds no source.
 * `is_fetching`: ask for the next strip, whose rows are too many and too short to be foreseen. */
static bool gather_block(const struct wide_run *run, const struct wide_group *group, size_t first,
                         const uint8_t *const *sources, size_t position, size_t size,
                         bool is_fetching, const uint8_t **in)
{
    size_t count = (size_t)1 << low_log2(run->wide);
    bool is_used = false;
    for (size_t i = 0; i < count; i++) {
        uint16_t source = group->sources[first + i];
        in[i] = run->zero;
        if (source == WIDE_NO_SHARD) continue;
        is_used = true;
        in[i] = sources[source] + position;
        for (size_t line = 0; is_fetching && line < size; line += 64) {
            __builtin_prefetch(in[i] + size + line);
        }
    }
    return is_used;
}

/* The scales of the rows from `first` on, where there are any. */
static const uint8_t *row_scales(const struct wide_run *run, const uint8_t *scales, size_t first)
{
    return scales != NULL ? scales + first * run->kernel->entry_size : NULL;
}

/* The first inverse pass of a group: blocks of neighbouring rows, from the sources to `out`, which
 * run->low then names; blocks without a source are the zero row. */
static void inverse_low(struct wide_run *run, const struct wide_group *group,
                        const uint8_t *entries, const uint8_t *const *sources, size_t position,
                        size_t size, enum kernel_write write, uint8_t *const *out)
{
    unsigned low = low_log2(run->wide);
    size_t low_count = (size_t)1 << low, row_count = (size_t)1 << run->wide->log2_size;
    for (size_t first = 0; first < row_count; first += low_count) {
        const uint8_t *in[1 << WIDE_LOW_LOG2];
        bool is_used =
            gather_block(run, group, first, sources, position, size, run->is_fetching, in);
        if (is_used) {
            run->kernel->inverse(entries, low, row_scales(run, run->source_scales, first), in,
                                 out + first, size, write);
        }
        for (size_t i = first; i < first + low_count; i++) {
            run->low[i] = is_used ? out[i] : run->zero;
        }
        entries += (low_count - 1) * run->kernel->entry_size;
    }
}

/* Twiddles of the high pass: behind those of all low blocks. */
static const uint8_t *high_entries(const struct wide_run *run, const uint8_t *entries)
{
    size_t low_count = (size_t)1 << low_log2(run->wide);
    size_t high_count = (size_t)1 << high_log2(run->wide);
    return entries + high_count * (low_count - 1) * run->kernel->entry_size;
}

/* Adds group g to the total. The last group leaves the first forward pass done as well where that
 * can be had on the same registers: a single one, or one whose derivative counts. */
static void add_group(struct wide_run *run, size_t g, const uint8_t *const *sources,
                      size_t position, size_t size)
{
    const struct wide_group *group = &run->wide->groups[g];
    const uint8_t *entries = run->first_group + g * run->transform_size;
    unsigned high = high_log2(run->wide);
    size_t low_count = (size_t)1 << low_log2(run->wide);
    enum kernel_write write = g > 0 ? KERNEL_ADD : KERNEL_STORE;
    if (high == 0 && !group->derivative) {
        inverse_low(run, group, entries, sources, position, size, write, run->total);
        return;
    }
    inverse_low(run, group, entries, sources, position, size, KERNEL_STORE, run->work);
    for (size_t j = 0; high > 0 && j < low_count; j++) {
        const uint8_t *in[1 << WIDE_LOW_LOG2];
        uint8_t *total[1 << WIDE_LOW_LOG2];
        for (size_t i = 0; i < (size_t)1 << high; i++) {
            in[i] = run->low[j + i * low_count];
            total[i] = run->total[j + i * low_count];
        }
        if (run->is_turned && group == last_group(run->wide)) {
            run->kernel->turn(high_entries(run, entries), high_entries(run, run->forward), high,
                              group->derivative, in, total, size, write);
        } else {
            run->kernel->inverse(high_entries(run, entries), high, NULL, in, total, size, write);
        }
    }
}

static void forward_high(const struct wide_run *run, size_t size)
{
    unsigned high = high_log2(run->wide);
    size_t low_count = (size_t)1 << low_log2(run->wide);
    for (size_t j = 0; high > 0 && j < low_count; j++) {
        uint8_t *rows[1 << WIDE_LOW_LOG2];
        for (size_t i = 0; i < (size_t)1 << high; i++) rows[i] = run->total[j + i * low_count];
        run->kernel->forward(high_entries(run, run->forward), high, NULL, true,
                             (const uint8_t *const *)rows, NULL, rows, size, KERNEL_STORE);
    }
}

/* The last pass, from the total to the targets; rows that nobody wants are not stored. The
 * derivative over the low bits of a row's number is taken here: it commutes with the passes over the
 * high ones, which undo each other, so that it needs the group's rows as the first pass left them. */
static void forward_low(const struct wide_run *run, uint8_t *const *targets, size_t position,
                        size_t size, enum kernel_write write)
{
    unsigned low = low_log2(run->wide);
    size_t low_count = (size_t)1 << low, row_count = (size_t)1 << run->wide->log2_size;
    for (size_t first = 0; first < row_count; first += low_count) {
        uint8_t *out[1 << WIDE_LOW_LOG2];
        bool is_used = false;
        for (size_t i = 0; i < low_count; i++) {
            uint16_t target = run->wide->targets[first + i];
            is_used |= target != WIDE_NO_SHARD;
            out[i] = target == WIDE_NO_SHARD ? NULL : targets[target] + position;
        }
        if (!is_used) continue;
        const uint8_t *entries =
            run->forward + first / low_count * (low_count - 1) * run->kernel->entry_size;
        bool is_derivative = last_group(run->wide)->derivative && run->low[first] != run->zero;
        run->kernel->forward(entries, low, row_scales(run, run->target_scales, first), first == 0,
                             (const uint8_t *const *)run->total + first,
                             is_derivative ? run->low + first : NULL, out, size, write);
    }
}

/* `size` is a multiple of the vector size and at most the strip size. */
static void apply_strip(struct wide_run *run, const uint8_t *const *sources,
                        uint8_t *const *targets, size_t position, size_t size,
                        enum kernel_write write)
{
    for (size_t g = 0; g < run->wide->group_count; g++) {
        add_group(run, g, sources, position, size);
    }
    if (!run->is_turned) forward_high(run, size);
    forward_low(run, targets, position, size, write);
}

/* The place of one row stays empty behind each low block: else the rows that a high pass works on,
 * 16 apart, would be congruent modulo 4096 and evict each other from the first-level cache. A single
 * line would cure that, but then stores look to the processor like what the next columns load.
 * Measured for 64 losses of 128+128: 7.9 instead of 6.0 GB/s. Returns the end. */
static uint8_t *lay_out_rows(const struct wide_run *run, uint8_t *memory, uint8_t **rows)
{
    size_t low_count = (size_t)1 << low_log2(run->wide);
    for (size_t row = 0; row < (size_t)1 << run->wide->log2_size; row++) {
        rows[row] = memory;
        memory += run->strip_size;
        if ((row + 1) % low_count == 0) memory += run->strip_size;
    }
    return memory;
}

/* Splits the scratch into rows; returns what remains of it. */
static uint8_t *run_prepare(struct wide_run *run, const struct wide_transform *wide,
                            const struct reed_kernel *kernel, const uint8_t *entries,
                            enum kernel_write write, void *scratch)
{
    uintptr_t misalignment = (uintptr_t)scratch % KERNEL_VECTOR_SIZE_MAX;
    uint8_t *memory = (uint8_t *)scratch + (misalignment ? KERNEL_VECTOR_SIZE_MAX - misalignment : 0);
    run->wide = wide;
    run->kernel = kernel;
    run->strip_size = strip_size_for(wide);
    run->is_fetching = write == KERNEL_STREAM_FETCH;
    run->is_turned = high_log2(wide) > 0 &&
                     (wide->group_count == 1 || last_group(wide)->derivative);
    run->transform_size = transform_entry_count(wide) * kernel->entry_size;
    run->forward = entries;
    run->first_group = entries + run->transform_size;
    const uint8_t *scales = run->first_group + wide->group_count * run->transform_size;
    run->source_scales = wide->is_scaled ? scales : NULL;
    run->target_scales = wide->is_scaled ? scales + (kernel->entry_size << wide->log2_size) : NULL;
    memory = lay_out_rows(run, memory, run->work);
    if (needs_total(wide)) {
        memory = lay_out_rows(run, memory, run->total);
    } else {
        memcpy(run->total, run->work, sizeof run->total);
    }
    run->zero = memory;
    memset(run->zero, 0, run->strip_size);
    return memory + run->strip_size;
}

void wide_apply(const struct wide_transform *wide, const struct reed_kernel *kernel,
                const uint8_t *entries, const uint8_t *const *sources, size_t source_count,
                uint8_t *const *targets, size_t target_count, size_t begin, size_t end,
                enum kernel_write write, void *scratch)
{
    struct wide_run run;
    uint8_t *pads = run_prepare(&run, wide, kernel, entries, write, scratch);
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
        apply_strip(&run, padded_sources, padded_targets, 0, vector, KERNEL_STORE);
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
            write = KERNEL_STORE; /* no longer aligned */
        }
        size -= size % vector;
        apply_strip(&run, sources, targets, begin, size, write);
        begin += size;
    }
}
