/* apply.c - running a plan over a range of columns, in slices that stay in cache. */
#include <stdint.h>
#include <string.h>

#include "apply.h"
#include "checksum.h"
#include "cpu.h"
#include "plan.h"
#include "size.h"
#include "wide.h"

enum {
    /* Columns from which on it pays to begin at an aligned one: a vector that crosses cache lines
     * costs two accesses. NumPy's large arrays all begin 16 bytes behind a page. Measured on a Zen 4,
     * 10+4 rises by half there. */
    ALIGNED_COLUMNS_MIN = 1024,
    /* Sources up to which fetching ahead helps on every processor. */
    FEW_STREAMS = 3,
    /* For fetches_by_line; the distance is in bytes. */
    MANY_STREAMS = 16,
    FETCH_BY_LINE = 256
};

/* `extra`: NULL, or for the whole plan; sources are taken by its first block alone. */
static void apply_block(const struct reed_plan *plan, size_t i, const uint8_t *const *sources,
                        uint8_t *const *targets, size_t begin, size_t end,
                        enum kernel_write write, const struct kernel_extra *extra)
{
    const struct reed_kernel *kernel = plan->kernel;
    const struct plan_block *block = &plan->blocks[i];
    const uint8_t *entries = plan->entries + block->entries_offset;
    targets += block->first_target;
    if (extra == NULL && block->is_sum) {
        kernel->add(sources, plan->source_count, targets, block->target_count, begin, end, write);
        return;
    }
    if (extra == NULL) {
        kernel->multiply(entries, sources, plan->source_count, targets, block->target_count, begin,
                         end, write);
        return;
    }
    struct kernel_extra own = i == 0 ? *extra : (struct kernel_extra){0};
    if (extra->target_states != NULL) {
        own.target_states = extra->target_states + block->first_target;
    }
    if (block->is_sum) {
        kernel->extras->add(sources, plan->source_count, targets, block->target_count, begin, end,
                            write, &own);
    } else {
        kernel->extras->multiply(entries, sources, plan->source_count, targets,
                                 block->target_count, begin, end, write, &own);
    }
}

static void apply_blocks(const struct reed_plan *plan, const uint8_t *const *sources,
                         uint8_t *const *targets, size_t begin, size_t end,
                         enum kernel_write write, const struct kernel_extra *extra)
{
    size_t slice = plan->block_count > 1 ? plan->slice_size : end - begin;
    while (begin < end) {
        size_t stop = begin + size_min(slice, end - begin);
        for (size_t i = 0; i < plan->block_count; i++) {
            apply_block(plan, i, sources, targets, begin, stop, write, extra);
        }
        begin = stop;
    }
}

void apply_write_columns(const struct reed_plan *plan, const uint8_t *const *sources,
                         uint8_t *const *targets, size_t begin, size_t end,
                         enum kernel_write write, void *scratch)
{
    if (begin == end) return;
    if (plan->wide != NULL) {
        wide_apply(plan->wide, plan->kernel, plan->entries, sources, plan->source_count, targets,
                   plan->target_count, begin, end, write, scratch);
    } else if (plan->transform_log2 > 0) {
        plan->kernel->transform(plan->entries, plan->transform_log2, sources, plan->source_count,
                                targets, plan->target_count, begin, end, write);
    } else {
        apply_blocks(plan, sources, targets, begin, end, write, NULL);
    }
}

void apply_extra_columns(const struct reed_plan *plan, const uint8_t *const *sources,
                         uint8_t *const *targets, size_t begin, size_t end,
                         enum kernel_write write, const struct kernel_extra *extra)
{
    if (plan->transform_log2 > 0) {
        plan->kernel->extras->transform(plan->entries, plan->transform_log2, sources,
                                        plan->source_count, targets, plan->target_count, begin,
                                        end, write, extra);
    } else {
        apply_blocks(plan, sources, targets, begin, end, write, extra);
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
            apply_write_columns(plan, sources, targets, begin,
                                begin + (plan->accumulates ? distance : unit), write, scratch);
            begin += distance;
        }
    }
    apply_write_columns(plan, sources, targets, begin, end, write, scratch);
}

/* Whether sources in memory are better fetched one by one, a line just before it is used. Measured on
 * a Zen 4 against what the processor foresees by itself: of more than 16 streams it does not, and
 * 20+4 to 40+16 rise by a sixth to a third; dense plans and those of two targets, whose visits are
 * short anyway, rise by a twentieth to a sixth; the longer visits of larger transforms lose. Nobody
 * measured it where cpu_foresees_streams() is false; there a burst for each visit is known to help. */
static bool fetches_by_line(const struct reed_plan *plan)
{
    return apply_has_extras(plan) && cpu_foresees_streams() &&
           (plan->transform_log2 < 2 || plan->source_count > MANY_STREAMS);
}

/* Past the cache, from aligned columns to aligned columns. */
static void stream_columns(const struct reed_plan *plan, const uint8_t *const *sources,
                           uint8_t *const *targets, size_t begin, size_t end, void *scratch)
{
    if (fetches_by_line(plan)) {
        struct kernel_extra extra = {.fetch_ahead = FETCH_BY_LINE};
        apply_extra_columns(plan, sources, targets, begin, end, KERNEL_STREAM, &extra);
        return;
    }
    enum kernel_write write = plan->source_count > FEW_STREAMS && cpu_foresees_streams()
                                  ? KERNEL_STREAM
                                  : KERNEL_STREAM_FETCH;
    apply_write_columns(plan, sources, targets, begin, end, write, scratch);
}

/* Data that is larger than the caches is written past them: a plain store would first read what it
 * overwrites. The ends up to aligned columns are stored plainly. */
static void apply_columns(const struct reed_plan *plan, const uint8_t *const *sources,
                          uint8_t *const *targets, size_t begin, size_t end, void *scratch)
{
    size_t shard_count = (size_t)plan->source_count + plan->target_count, distance = 0;
    if (plan->accumulates || plan->target_count == 0 ||
        end - begin < KERNEL_VECTOR_SIZE_MAX || /* of so many shards that this leaves the cache */
        !apply_leaves_cache(shard_count, end - begin) ||
        !find_alignment(plan, targets, begin, &distance)) {
        store_columns(plan, sources, targets, begin, end, scratch);
        return;
    }
    size_t aligned = begin + distance;
    size_t stop = end - (end - aligned) % plan->kernel->vector_size;
    apply_write_columns(plan, sources, targets, begin, aligned, KERNEL_STORE, scratch);
    stream_columns(plan, sources, targets, aligned, stop, scratch);
    plan->kernel->fence();
    apply_write_columns(plan, sources, targets, stop, end, KERNEL_STORE, scratch);
}

bool apply_range_is_valid(const struct reed_plan *plan, const void *sources, const void *targets,
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
    if (plan == NULL || !apply_range_is_valid(plan, sources, targets, begin, end) ||
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
        !apply_range_is_valid(plan, sources, targets, begin, end)) {
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
