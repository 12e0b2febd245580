/* wide.h - transforms that are larger than the register file: encoding with many parity shards, and
 * decoding many losses of the native code. wide.c builds and runs what a plan of this kind holds. */
#ifndef REED_WIDE_H
#define REED_WIDE_H

#include <stdbool.h>

#include "kernels/kernel.h"

enum {
    WIDE_POINTS_MAX = 256,
    WIDE_NO_SHARD = 0xffff,
    /* A transform of 2^t points is two passes: 2^min(t, 4) neighbours, then rows 16 apart. */
    WIDE_LOW_LOG2 = KERNEL_TRANSFORM_LOG2_MAX
};

/* One set of 2^log2_size rows, inverse-transformed at `base` and added to the total. */
struct wide_group {
    unsigned base;      /* index of row 0 among the Cantor points; a multiple of the size */
    bool derivative;    /* the formal derivative of the result counts; only in the last group */
    uint16_t sources[WIDE_POINTS_MAX]; /* position of the source in each row, or WIDE_NO_SHARD */
};

/* The whole transform: targets = scale (forward at offset 0 of the sum of the groups). */
struct wide_transform {
    unsigned log2_size;
    size_t group_count;
    const struct wide_group *groups;
    uint16_t targets[WIDE_POINTS_MAX]; /* position of the target in each row, or WIDE_NO_SHARD */
    bool is_scaled; /* sources and targets have scales; one group of more than 16 points */
};

/* Prepared entries: forward twiddles, each group's twiddles, then the scales of every row. */
size_t wide_entry_count(const struct wide_transform *wide);
/* `source_scales`, `target_scales`: one for each source and target; NULL when not is_scaled. */
void wide_prepare(const struct wide_transform *wide, const uint8_t *source_scales,
                  const uint8_t *target_scales, const struct reed_kernel *kernel,
                  uint8_t *entries);

/* Twiddles of a transform of the 2^log2 points from `base` on, of which the first `count` hold data,
 * in template.h's order. A butterfly whose upper input is zero takes 1 + w. Returns the end. */
uint8_t *prepare_twiddles(const struct reed_kernel *kernel, unsigned log2, unsigned base,
                          size_t count, uint8_t *entries);

/* In units of one coefficient of a dense product: what choosing between the two compares. */
size_t wide_encode_cost(unsigned log2_size, size_t group_count);
size_t wide_decode_cost(unsigned log2_size, size_t scale_count);

/* Any alignment; one thread at a time. `write`: anything but KERNEL_ADD. */
size_t wide_scratch_size(const struct wide_transform *wide, const struct reed_kernel *kernel,
                         size_t source_count, size_t target_count);
void wide_apply(const struct wide_transform *wide, const struct reed_kernel *kernel,
                const uint8_t *entries, const uint8_t *const *sources, size_t source_count,
                uint8_t *const *targets, size_t target_count, size_t begin, size_t end,
                enum kernel_write write, void *scratch);

#endif
