/* apply.h - what running a plan shares with running it fused with checksums. */
#ifndef REED_APPLY_H
#define REED_APPLY_H

#include "plan.h"

enum {
    /* Bytes of all shards from which on targets are written past the cache: more than a core's
     * second-level cache, so that they would leave it before anybody reads them. */
    APPLY_STREAM_BYTES_MIN = 2 << 20
};

static inline bool apply_leaves_cache(size_t shard_count, size_t column_count)
{
    return shard_count > 0 && column_count >= APPLY_STREAM_BYTES_MIN / shard_count;
}

bool apply_range_is_valid(const struct reed_plan *plan, const void *sources, const void *targets,
                          size_t begin, size_t end);

/* Runs the plan over a part of the columns that is written in one way; for KERNEL_STREAM see
 * kernel.h. */
void apply_write_columns(const struct reed_plan *plan, const uint8_t *const *sources,
                         uint8_t *const *targets, size_t begin, size_t end,
                         enum kernel_write write, void *scratch);

/* Whether apply_extra_columns can run this plan: not a wide one, not one without targets, which has
 * no products, and not one that accumulates. */
static inline bool apply_has_extras(const struct reed_plan *plan)
{
    return plan->kernel->extras != NULL && !plan->accumulates &&
           (plan->transform_log2 > 0 || plan->block_count > 0);
}

/* As apply_write_columns, over whole vectors; `extra` is done once for every shard. */
void apply_extra_columns(const struct reed_plan *plan, const uint8_t *const *sources,
                         uint8_t *const *targets, size_t begin, size_t end,
                         enum kernel_write write, const struct kernel_extra *extra);

#endif
