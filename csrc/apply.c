/* apply.c - running a plan over a range of columns, in slices that stay in cache. */
#include <stdint.h>
#include <string.h>

#include "cpu.h"
#include "plan.h"
#include "size.h"
#include "wide.h"

enum {
    /* Bytes of all shards from which on targets are written past the cache: more than a core's
     * second-level cache, so that they would leave it before anybody reads them. */
    STREAM_BYTES_MIN = 4 << 20,
    /* Columns from which on it pays to begin at an aligned one: a vector that crosses cache lines
     * costs two accesses. NumPy's large arrays all begin 16 bytes behind a page. Measured on a Zen 4,
     * 10+4 rises by half there. */
    ALIGNED_COLUMNS_MIN = 1024,
    /* Sources up to which fetching ahead helps on every processor. */
    FEW_STREAMS = 3
};

static void apply_block(const struct reed_plan *plan, const struct plan_block *block,
                        const uint8_t *const *sources, uint8_t *const *targets, size_t begin,
                        size_t end, enum kernel_write write)
{
    if (block->is_sum) {
        plan->kernel->add(sources, plan->source_count, targets[block->first_target], begin, end,
                          write);
    } else {
        plan->kernel->multiply(plan->entries + block->entries_offset, sources, plan->source_count,
                               targets + block->first_target, block->target_count, begin, end,
                               write);
    }
}

/* A part of the columns that is written in one way. */
static void write_columns(const struct reed_plan *plan, const uint8_t *const *sources,
                          uint8_t *const *targets, size_t begin, size_t end,
                          enum kernel_write write, void *scratch)
{
    if (begin == end) return;
    if (plan->wide != NULL) {
        wide_apply(plan->wide, plan->kernel, plan->entries, sources, plan->source_count, targets,
                   plan->target_count, begin, end, write, scratch);
        return;
    }
    if (plan->transform_log2 > 0) {
        plan->kernel->transform(plan->entries, plan->transform_log2, sources, plan->source_count,
                                targets, plan->target_count, begin, end, write);
        return;
    }
    size_t slice = plan->block_count > 1 ? plan->slice_size : end - begin;
    while (begin < end) {
        size_t stop = begin + size_min(slice, end - begin);
        for (size_t i = 0; i < plan->block_count; i++) {
            apply_block(plan, &plan->blocks[i], sources, targets, begin, stop, write);
        }
        begin = stop;
    }
}

/* How far `begin` is from columns at which every target is aligned; false when there are none. */
static bool find_alignment(const struct reed_plan *plan, uint8_t *const *targets, size_t begin,
                           size_t *distance)
{
    size_t unit = plan->kernel->vector_size;
    for (size_t t = 0; t < plan->target_count; t++) {
        size_t found = (0 - ((uintptr_t)targets[t] + begin)) % unit;
        if (t > 0 && found != *distance) return false;
        *distance = found;
    }
    return true;
}

/* Plain stores, from a column on at which the first source is aligned, or the first target where
 * targets are more: others mostly lie alike. What stands before is computed as one vector, of which
 * the end is computed again; an addition may not do that. */
static void store_columns(const struct reed_plan *plan, const uint8_t *const *sources,
                          uint8_t *const *targets, size_t begin, size_t end, void *scratch)
{
    enum kernel_write write = plan->accumulates ? KERNEL_ADD : KERNEL_STORE;
    if (end - begin >= ALIGNED_COLUMNS_MIN && plan->source_count > 0 && plan->target_count > 0) {
        size_t unit = plan->kernel->vector_size;
        const uint8_t *shard =
            plan->source_count >= plan->target_count ? sources[0] : targets[0];
        size_t distance = (0 - ((uintptr_t)shard + begin)) % unit;
        if (distance > 0) {
            write_columns(plan, sources, targets, begin,
                          begin + (plan->accumulates ? distance : unit), write, scratch);
            begin += distance;
        }
    }
    write_columns(plan, sources, targets, begin, end, write, scratch);
}

/* Data that is larger than the caches is written past them: a plain store would first read what it
 * overwrites. The ends up to aligned columns are stored plainly. */
static void apply_columns(const struct reed_plan *plan, const uint8_t *const *sources,
                          uint8_t *const *targets, size_t begin, size_t end, void *scratch)
{
    size_t shard_count = (size_t)plan->source_count + plan->target_count, distance = 0;
    if (plan->accumulates || plan->target_count == 0 ||
        end - begin < STREAM_BYTES_MIN / shard_count ||
        !find_alignment(plan, targets, begin, &distance)) {
        store_columns(plan, sources, targets, begin, end, scratch);
        return;
    }
    size_t aligned = begin + distance;
    size_t stop = end - (end - aligned) % plan->kernel->vector_size;
    write_columns(plan, sources, targets, begin, aligned, KERNEL_STORE, scratch);
    enum kernel_write write = plan->source_count > FEW_STREAMS && cpu_foresees_streams()
                                  ? KERNEL_STREAM
                                  : KERNEL_STREAM_FETCH;
    write_columns(plan, sources, targets, aligned, stop, write, scratch);
    plan->kernel->fence();
    write_columns(plan, sources, targets, stop, end, KERNEL_STORE, scratch);
}

static bool is_range_valid(const struct reed_plan *plan, const void *sources, const void *targets,
                           size_t begin, size_t end)
{
    return begin <= end && (sources != NULL || plan->source_count == 0) &&
           (targets != NULL || plan->target_count == 0);
}

size_t reed_plan_apply_scratch_size(const struct reed_plan *plan)
{
    if (plan->wide == NULL) return 0; /* the others work in registers */
    return wide_scratch_size(plan->wide, plan->kernel, plan->source_count, plan->target_count);
}

enum reed_status reed_plan_apply(const struct reed_plan *plan, const uint8_t *const *sources,
                                 uint8_t *const *targets, size_t begin, size_t end, void *scratch)
{
    if (plan == NULL || !is_range_valid(plan, sources, targets, begin, end) ||
        (plan->wide != NULL && scratch == NULL)) {
        return REED_INVALID_PARAMETER;
    }
    apply_columns(plan, sources, targets, begin, end, scratch);
    return REED_OK;
}

/* Scratch of a comparison: pointers to the sources' and the computed targets' current slice, then
 * the computed slices, then what applying needs. */
size_t reed_plan_compare_scratch_size(const struct reed_plan *plan)
{
    size_t pointer_count = (size_t)plan->source_count + plan->target_count;
    return sizeof(void *) - 1 + pointer_count * sizeof(void *) +
           (size_t)plan->target_count * plan->compare_slice_size +
           reed_plan_apply_scratch_size(plan);
}

/* The first of `count` bytes that differ; `count` when none does. */
static size_t first_difference(const uint8_t *a, const uint8_t *b, size_t count)
{
    if (memcmp(a, b, count) == 0) return count;
    size_t i = 0;
    while (a[i] == b[i]) i++;
    return i;
}

enum reed_status reed_plan_compare(const struct reed_plan *plan, const uint8_t *const *sources,
                                   const uint8_t *const *targets, size_t begin, size_t end,
                                   void *scratch, size_t *column)
{
    if (plan == NULL || plan->accumulates || scratch == NULL ||
        !is_range_valid(plan, sources, targets, begin, end)) {
        return REED_INVALID_PARAMETER;
    }
    uintptr_t misalignment = (uintptr_t)scratch % sizeof(void *);
    uint8_t *memory = (uint8_t *)scratch + (misalignment ? sizeof(void *) - misalignment : 0);
    const uint8_t **slice_sources = (const uint8_t **)(void *)memory;
    uint8_t **computed = (uint8_t **)(void *)(slice_sources + plan->source_count);
    memory = (uint8_t *)(computed + plan->target_count);
    for (size_t t = 0; t < plan->target_count; t++) {
        computed[t] = memory + t * plan->compare_slice_size;
    }
    memory += (size_t)plan->target_count * plan->compare_slice_size;
    while (begin < end) {
        size_t size = size_min(plan->compare_slice_size, end - begin);
        for (size_t s = 0; s < plan->source_count; s++) slice_sources[s] = sources[s] + begin;
        apply_columns(plan, slice_sources, computed, 0, size, memory);
        size_t first = size;
        for (size_t t = 0; t < plan->target_count; t++) {
            first = first_difference(computed[t], targets[t] + begin, first);
        }
        if (first < size) {
            if (column != NULL) *column = begin + first;
            return REED_MISMATCH;
        }
        begin += size;
    }
    return REED_OK;
}

/* ---- fused with checksums --------------------------------------------------------------------- */

enum {
    /* Bytes of all shards that stay in cache between the product and the checksum. */
    FUSED_BUDGET = 65536,
    FUSED_SLICE_MIN = 1024,
    FUSED_SLICE_MAX = 4096
};

static size_t fused_slice_size(const struct reed_plan *plan)
{
    size_t shard_count = (size_t)plan->source_count + plan->target_count;
    size_t slice = FUSED_BUDGET / (shard_count > 0 ? shard_count : 1) & ~(size_t)63;
    if (slice < FUSED_SLICE_MIN) return FUSED_SLICE_MIN;
    return size_min(slice, FUSED_SLICE_MAX);
}

/* Pointers to the sources' and the computed targets' slices, the slices, what applying needs. */
size_t reed_plan_apply_crc32c_scratch_size(const struct reed_plan *plan)
{
    size_t pointer_count = (size_t)plan->source_count + plan->target_count;
    return KERNEL_VECTOR_SIZE_MAX - 1 + (size_t)plan->target_count * fused_slice_size(plan) +
           pointer_count * sizeof(void *) + reed_plan_apply_scratch_size(plan);
}

struct fused {
    const struct reed_plan *plan;
    uint8_t **computed;             /* slices in scratch */
    const uint8_t **slice_sources;
    void *scratch;                  /* of applying */
    bool is_streaming;
};

/* From scratch to where it belongs, past the cache where the target is aligned. */
static void copy_out(const struct fused *fused, const uint8_t *slice, uint8_t *target, size_t size)
{
    size_t unit = fused->plan->kernel->vector_size;
    size_t streamed = (uintptr_t)target % unit == 0 ? size - size % unit : 0;
    if (streamed > 0) fused->plan->kernel->add(&slice, 1, target, 0, streamed, KERNEL_STREAM);
    memcpy(target + streamed, slice + streamed, size - streamed);
}

/* One slice: targets are computed into scratch where they are streamed, so that their checksum finds
 * them in cache and memory is written once and never read. */
static void apply_fused_slice(const struct fused *fused, const uint8_t *const *sources,
                              uint8_t *const *targets, size_t begin, size_t end,
                              uint32_t *source_crc32c, uint32_t *target_crc32c, size_t stride)
{
    const struct reed_plan *plan = fused->plan;
    if (fused->is_streaming) {
        for (size_t s = 0; s < plan->source_count; s++) fused->slice_sources[s] = sources[s] + begin;
        write_columns(plan, fused->slice_sources, fused->computed, 0, end - begin, KERNEL_STORE,
                      fused->scratch);
    } else {
        write_columns(plan, sources, targets, begin, end, KERNEL_STORE, fused->scratch);
    }
    for (size_t s = 0; s < plan->source_count; s++) {
        source_crc32c[s * stride] =
            plan->kernel->crc32c(source_crc32c[s * stride], sources[s] + begin, end - begin);
    }
    for (size_t t = 0; t < plan->target_count; t++) {
        const uint8_t *slice = fused->is_streaming ? fused->computed[t] : targets[t] + begin;
        target_crc32c[t * stride] =
            plan->kernel->crc32c(target_crc32c[t * stride], slice, end - begin);
        if (fused->is_streaming) copy_out(fused, slice, targets[t] + begin, end - begin);
    }
}

enum reed_status reed_plan_apply_crc32c(const struct reed_plan *plan,
                                        const uint8_t *const *sources, uint8_t *const *targets,
                                        size_t begin, size_t end, size_t block_size,
                                        uint32_t *source_crc32c, uint32_t *target_crc32c,
                                        size_t checksum_stride, void *scratch)
{
    if (plan == NULL || plan->accumulates || block_size == 0 || scratch == NULL ||
        !is_range_valid(plan, sources, targets, begin, end) ||
        (end - begin) / block_size + ((end - begin) % block_size > 0) > checksum_stride ||
        (source_crc32c == NULL && plan->source_count > 0) ||
        (target_crc32c == NULL && plan->target_count > 0)) {
        return REED_INVALID_PARAMETER;
    }
    size_t slice_size = fused_slice_size(plan);
    size_t shard_count = (size_t)plan->source_count + plan->target_count;
    uintptr_t misalignment = (uintptr_t)scratch % KERNEL_VECTOR_SIZE_MAX;
    uint8_t *memory =
        (uint8_t *)scratch + (misalignment ? KERNEL_VECTOR_SIZE_MAX - misalignment : 0);
    uint8_t *slices = memory;
    memory += (size_t)plan->target_count * slice_size;
    struct fused fused = {.plan = plan, .computed = (uint8_t **)(void *)memory};
    fused.slice_sources = (const uint8_t **)(void *)(fused.computed + plan->target_count);
    fused.scratch = fused.slice_sources + plan->source_count;
    fused.is_streaming = shard_count > 0 && end - begin >= STREAM_BYTES_MIN / shard_count;
    for (size_t t = 0; t < plan->target_count; t++) fused.computed[t] = slices + t * slice_size;

    for (size_t block = 0; begin < end; block++) {
        size_t block_end = begin + size_min(block_size, end - begin);
        for (size_t s = 0; s < plan->source_count; s++) {
            source_crc32c[s * checksum_stride + block] = 0;
        }
        for (size_t t = 0; t < plan->target_count; t++) {
            target_crc32c[t * checksum_stride + block] = 0;
        }
        while (begin < block_end) {
            size_t stop = begin + size_min(slice_size, block_end - begin);
            apply_fused_slice(&fused, sources, targets, begin, stop, source_crc32c + block,
                              target_crc32c + block, checksum_stride);
            begin = stop;
        }
    }
    if (fused.is_streaming) plan->kernel->fence();
    return REED_OK;
}
