/* fused.c - running a plan and checksumming all its shards in one pass over memory.
 *
 * Where the kernel can, the product itself keeps the checksums while the bytes are in registers.
 * Else, and for wide transforms, copies and plans without targets, slices of all shards go through
 * the product and then, still in first-level cache, through the checksums. */
#include "apply.h"
#include "checksum.h"
#include "reed.h"
#include "size.h"

enum {
    /* Bytes of all shards that stay in cache between the product and the checksum. Checksums want
     * long runs, and wide transforms long rows. */
    SLICE_BUDGET = 65536,
    SLICE_MIN = 1024,
    SLICE_MAX = 4096,
    /* Shards from which on products fold in cache: with fewer, each column waits for the states of
     * the one before. From memory that is hidden: there 2+1 gains two thirds by it, here it loses a
     * seventh. */
    FOLDED_SHARDS_MIN = 4,
    LINE_SIZE = 64
};

/* Every target is the source: its checksum is as well. */
static bool is_copy(const struct reed_plan *plan)
{
    bool result = plan->source_count == 1 && plan->transform_log2 == 0 && plan->wide == NULL;
    for (size_t i = 0; i < plan->block_count; i++) result = result && plan->blocks[i].is_sum;
    return result;
}

/* Whether products keep the checksums, and no slices are needed. */
static bool is_folding(const struct reed_plan *plan, bool leaves_cache)
{
    return apply_has_extras(plan) && !is_copy(plan) &&
           (leaves_cache || plan->source_count + plan->target_count >= FOLDED_SHARDS_MIN);
}

static size_t slice_size_of(const struct reed_plan *plan)
{
    size_t shard_count = (size_t)plan->source_count + plan->target_count;
    size_t slice = SLICE_BUDGET / (shard_count > 0 ? shard_count : 1) & ~(size_t)(LINE_SIZE - 1);
    if (slice < SLICE_MIN) return SLICE_MIN;
    return size_min(slice, SLICE_MAX);
}

struct fused {
    const struct reed_plan *plan;
    struct crc32c_state *source_states, *target_states;
    uint8_t *slices;          /* computed targets that are streamed; not where the products fold */
    const uint8_t **sources;  /* of the current step, as are the next two */
    uint8_t **targets;
    uint8_t **products;       /* the targets, or their slices where those are streamed */
    void *scratch;            /* of applying */
    size_t slice_size;
    bool is_folding;
    bool is_copy;
    bool leaves_cache;
};

static size_t slices_size(const struct reed_plan *plan)
{
    return is_folding(plan, false) ? 0 : plan->target_count * slice_size_of(plan);
}

/* States and slices, each to a cache line; three lists of pointers; what applying needs. */
size_t reed_plan_apply_crc32c_scratch_size(const struct reed_plan *plan)
{
    size_t shard_count = (size_t)plan->source_count + plan->target_count;
    return LINE_SIZE - 1 + shard_count * sizeof(struct crc32c_state) + slices_size(plan) +
           (shard_count + plan->target_count) * sizeof(void *) +
           reed_plan_apply_scratch_size(plan);
}

static struct fused divide_scratch(const struct reed_plan *plan, bool leaves_cache, void *scratch)
{
    uintptr_t misalignment = (uintptr_t)scratch % LINE_SIZE;
    uint8_t *memory = (uint8_t *)scratch + (misalignment ? LINE_SIZE - misalignment : 0);
    struct fused fused = {
        .plan = plan,
        .slice_size = is_folding(plan, leaves_cache) ? SIZE_MAX : slice_size_of(plan),
        .is_folding = is_folding(plan, leaves_cache),
        .is_copy = is_copy(plan),
        .leaves_cache = leaves_cache,
    };
    fused.source_states = (struct crc32c_state *)(void *)memory;
    fused.target_states = fused.source_states + plan->source_count;
    fused.slices = (uint8_t *)(fused.target_states + plan->target_count);
    memory = fused.slices + slices_size(plan);
    fused.sources = (const uint8_t **)(void *)memory;
    fused.targets = (uint8_t **)(void *)(fused.sources + plan->source_count);
    fused.products = fused.targets + plan->target_count;
    fused.scratch = fused.products + plan->target_count;
    return fused;
}

/* ---- checksums under way: folded by the products, or else finished after every slice ----------- */

static void begin_checksums(const struct fused *fused, struct crc32c_state *states, size_t count)
{
    if (fused->is_folding) {
        fused->plan->kernel->extras->begin(states, count);
    } else {
        for (size_t i = 0; i < count; i++) states[i].crc32c = 0;
    }
}

/* The finished checksum, after the last bytes, which are less than a line. */
static uint32_t end_checksum(const struct fused *fused, const struct crc32c_state *state,
                             const uint8_t *tail, size_t tail_size)
{
    const struct reed_kernel *kernel = fused->plan->kernel;
    return fused->is_folding ? kernel->extras->end(state, tail, tail_size)
                             : kernel->crc32c(state->crc32c, tail, tail_size);
}

/* ---- by slices ------------------------------------------------------------------------------ */

/* `size` is a multiple of LINE_SIZE. `copies`, when not NULL: where the bytes are streamed to. */
static void add_checksums(const struct fused *fused, struct crc32c_state *states, size_t count,
                          const uint8_t *const *shards, size_t size, uint8_t *const *copies)
{
    const struct reed_kernel *kernel = fused->plan->kernel;
    for (size_t i = 0; i < count; i++) {
        states[i].crc32c = kernel->crc32c(states[i].crc32c, shards[i], size);
        if (copies != NULL) kernel->add(shards + i, 1, copies + i, 1, 0, size, KERNEL_STREAM);
    }
}

/* The product and the checksums of a slice, of which the last bytes are left to end_checksum. */
static void fuse_slice(const struct fused *fused, size_t size, bool streams)
{
    const struct reed_plan *plan = fused->plan;
    size_t lines = size - size % LINE_SIZE;
    if (fused->is_copy) {
        apply_write_columns(plan, fused->sources, fused->targets, 0, size,
                            streams ? KERNEL_STREAM : KERNEL_STORE, fused->scratch);
        add_checksums(fused, fused->source_states, 1, fused->sources, lines, NULL);
        return;
    }
    /* Streamed targets are computed into scratch, where their checksum finds them in cache: memory
     * is written once and never read. */
    for (size_t t = 0; t < plan->target_count; t++) {
        fused->products[t] = streams ? fused->slices + t * fused->slice_size : fused->targets[t];
    }
    apply_write_columns(plan, fused->sources, fused->products, 0, size, KERNEL_STORE,
                        fused->scratch);
    add_checksums(fused, fused->source_states, plan->source_count, fused->sources, lines, NULL);
    add_checksums(fused, fused->target_states, plan->target_count,
                  (const uint8_t *const *)fused->products, lines, streams ? fused->targets : NULL);
}

/* ---- blocks --------------------------------------------------------------------------------- */

static bool targets_are_aligned(const struct fused *fused)
{
    for (size_t t = 0; t < fused->plan->target_count; t++) {
        if ((uintptr_t)fused->targets[t] % LINE_SIZE != 0) return false;
    }
    return true;
}

/* Bytes ahead that sources in memory are fetched. Measured on a Zen 4: of ten streams 512 is best by
 * a twentieth and 640 slower by a tenth; of 16 and more 256 is best, by up to a third. */
static size_t fetch_ahead(size_t source_count)
{
    enum { FEW_STREAMS = 12 };
    return source_count > FEW_STREAMS ? 256 : 512;
}

/* The next `size` bytes of every shard. Only a block's last step may have a tail of less than a
 * line, whose checksums are left to end_checksum. */
static void take_step(const struct fused *fused, size_t size)
{
    size_t tail = size % LINE_SIZE, lines = size - tail;
    bool streams = fused->leaves_cache && targets_are_aligned(fused);
    if (fused->is_folding) {
        struct kernel_extra extra = {
            .source_states = fused->source_states,
            .target_states = fused->target_states,
            .fetch_ahead = fused->leaves_cache ? fetch_ahead(fused->plan->source_count) : 0,
        };
        apply_extra_columns(fused->plan, fused->sources, fused->targets, 0, lines,
                           streams ? KERNEL_STREAM : KERNEL_STORE, &extra);
        apply_write_columns(fused->plan, fused->sources, fused->targets, lines, size, KERNEL_STORE,
                            fused->scratch);
    } else {
        fuse_slice(fused, size, streams && tail == 0);
    }
}

static void fuse_block(const struct fused *fused, const uint8_t *const *sources,
                       uint8_t *const *targets, size_t begin, size_t end, size_t block,
                       uint32_t *source_crc32c, uint32_t *target_crc32c, size_t stride)
{
    const struct reed_plan *plan = fused->plan;
    size_t size = 0;
    begin_checksums(fused, fused->source_states, plan->source_count);
    begin_checksums(fused, fused->target_states, plan->target_count);
    for (; begin < end; begin += size) {
        size = size_min(fused->slice_size, end - begin);
        for (size_t s = 0; s < plan->source_count; s++) fused->sources[s] = sources[s] + begin;
        for (size_t t = 0; t < plan->target_count; t++) fused->targets[t] = targets[t] + begin;
        take_step(fused, size);
    }
    size_t tail = size % LINE_SIZE, lines = size - tail;
    for (size_t s = 0; s < plan->source_count; s++) {
        source_crc32c[s * stride + block] = end_checksum(fused, fused->source_states + s,
                                                         fused->sources[s] + lines, tail);
    }
    for (size_t t = 0; t < plan->target_count; t++) {
        target_crc32c[t * stride + block] =
            fused->is_copy ? source_crc32c[block]
                           : end_checksum(fused, fused->target_states + t,
                                          fused->targets[t] + lines, tail);
    }
}

enum reed_status reed_plan_apply_crc32c(const struct reed_plan *plan,
                                        const uint8_t *const *sources, uint8_t *const *targets,
                                        size_t begin, size_t end, size_t block_size,
                                        uint32_t *source_crc32c, uint32_t *target_crc32c,
                                        size_t checksum_stride, void *scratch)
{
    if (plan == NULL || plan->accumulates || block_size == 0 || scratch == NULL ||
        !apply_range_is_valid(plan, sources, targets, begin, end) ||
        (end - begin) / block_size + ((end - begin) % block_size > 0) > checksum_stride ||
        (source_crc32c == NULL && plan->source_count > 0) ||
        (target_crc32c == NULL && plan->target_count > 0)) {
        return REED_INVALID_PARAMETER;
    }
    bool leaves_cache =
        apply_leaves_cache((size_t)plan->source_count + plan->target_count, end - begin);
    struct fused fused = divide_scratch(plan, leaves_cache, scratch);
    for (size_t block = 0; begin < end; block++) {
        size_t block_end = begin + size_min(block_size, end - begin);
        fuse_block(&fused, sources, targets, begin, block_end, block, source_crc32c, target_crc32c,
                   checksum_stride);
        begin = block_end;
    }
    if (leaves_cache) plan->kernel->fence();
    return REED_OK;
}
