/* plan.h - what a plan holds: which kernel calls, with which prepared coefficients, make which
 * targets from which sources. plan.c builds it, apply.c runs it. */
#ifndef REED_PLAN_H
#define REED_PLAN_H

#include <stdbool.h>

#include "kernels/kernel.h"
#include "reed.h"

/* Targets that one kernel call computes together. */
struct plan_block {
    uint32_t first_target;
    uint32_t target_count;
    bool is_sum;           /* every coefficient is 1: kernel->add, and no entries */
    size_t entries_offset; /* bytes */
};

struct reed_plan {
    struct reed_allocator allocator;
    const struct reed_kernel *kernel;
    uint32_t source_count;
    uint32_t target_count;
    bool accumulates;        /* targets ^= ..., an update */
    unsigned transform_log2; /* not 0: one kernel->transform call of this size, and no blocks */
    const struct wide_transform *wide; /* not NULL: this instead of blocks */
    size_t slice_size;       /* columns at a time where more than one block reads the sources */
    size_t compare_slice_size;
    size_t memory_size;
    size_t block_count;
    struct plan_block *blocks;
    uint32_t *source_shards;
    uint32_t *target_shards;
    uint8_t *entries; /* all arrays lie behind the struct, in its one allocation */
};

#endif
