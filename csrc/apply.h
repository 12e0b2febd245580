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

/* Whether apply_pass_columns can run this plan. One without targets multiplies nothing. */
static inline bool apply_has_passes(const struct reed_plan *plan)
{
    return plan->kernel->passes != NULL && (plan->transform_log2 > 0 || plan->block_count > 0);
}

/* As apply_write_columns, over whole vectors; what `pass` does, it does once for every shard. */
void apply_pass_columns(const struct reed_plan *plan, const uint8_t *const *sources,
                        uint8_t *const *targets, size_t begin, size_t end, enum kernel_write write,
                        const struct kernel_pass *pass);

#endif
