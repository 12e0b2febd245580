/* code.h - an immutable code: counts, generator, coefficients, kernel. Plans are made from it. */
#ifndef REED_CODE_H
#define REED_CODE_H

#include <stdbool.h>

#include "kernels/kernel.h"
#include "reed.h"

struct reed_code {
    struct reed_allocator allocator;
    const struct reed_kernel *kernel;
    enum reed_generator generator;
    uint32_t data_shards;
    uint32_t parity_shards;
    bool may_be_singular; /* accepted with REED_ALLOW_NON_MDS, or the caller's own matrix */
    bool encode_refused;  /* known not to be MDS: for old data only */
    uint8_t rows[];       /* parity_shards x data_shards */
};

static inline uint32_t code_shard_count(const struct reed_code *code)
{
    return code->data_shards + code->parity_shards;
}

static inline const uint8_t *code_parity_row(const struct reed_code *code, uint32_t shard_index)
{
    return code->rows + (size_t)(shard_index - code->data_shards) * code->data_shards;
}

/* The caller's allocator, or malloc and free. */
struct reed_allocator allocator_or_default(const struct reed_allocator *allocator);

static inline void *allocator_take(const struct reed_allocator *allocator, size_t size)
{
    return allocator->allocate(allocator->context, size > 0 ? size : 1);
}

static inline void allocator_give(const struct reed_allocator *allocator, void *memory)
{
    if (memory != NULL) allocator->release(allocator->context, memory);
}

#endif
