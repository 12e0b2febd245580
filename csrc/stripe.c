/* stripe.c - whole stripes in one call: each makes the plan that the operation needs, applies it to
 * all columns, and forgets it. */
#include "code.h"
#include "plan.h"
#include "reed.h"

static bool are_given(const uint8_t *const *shards, size_t first, size_t last)
{
    for (size_t i = first; i < last; i++) {
        if (shards[i] == NULL) return false;
    }
    return true;
}

/* With scratch from the code's allocator, and the plan given back in any case. */
static enum reed_status apply_once(const struct reed_code *code, struct reed_plan *plan,
                                   const uint8_t *const *sources, uint8_t *const *targets,
                                   size_t shard_size)
{
    size_t size = reed_plan_apply_scratch_size(plan);
    void *scratch = size > 0 ? allocator_take(&code->allocator, size) : NULL;
    enum reed_status status = REED_OUT_OF_MEMORY;
    if (size == 0 || scratch != NULL) {
        status = reed_plan_apply(plan, sources, targets, 0, shard_size, scratch);
    }
    allocator_give(&code->allocator, scratch);
    reed_plan_destroy(plan);
    return status;
}

enum reed_status reed_stripe_encode(const struct reed_code *code, uint8_t *const *shards,
                                    size_t shard_size)
{
    if (code == NULL || shards == NULL ||
        !are_given((const uint8_t *const *)shards, 0, code_shard_count(code))) {
        return REED_INVALID_PARAMETER;
    }
    struct reed_plan *plan;
    enum reed_status status = reed_plan_create_encode(code, &plan);
    if (status != REED_OK) return status;
    return apply_once(code, plan, (const uint8_t *const *)shards, shards + code->data_shards,
                      shard_size);
}

enum reed_status reed_stripe_reconstruct(const struct reed_code *code, uint8_t *const *shards,
                                         const uint8_t *is_present, size_t shard_size)
{
    if (code == NULL || shards == NULL || is_present == NULL) return REED_INVALID_PARAMETER;
    uint32_t available[REED_SHARDS_MAX], wanted[REED_SHARDS_MAX];
    size_t available_count = 0, wanted_count = 0;
    for (uint32_t i = 0; i < code_shard_count(code); i++) {
        if (is_present[i]) {
            if (shards[i] == NULL) return REED_INVALID_PARAMETER;
            available[available_count++] = i;
        } else if (shards[i] != NULL) {
            wanted[wanted_count++] = i;
        }
    }
    if (wanted_count == 0) return REED_OK;
    struct reed_plan *plan;
    enum reed_status status = reed_plan_create_reconstruct(code, available, available_count, wanted,
                                                           wanted_count, &plan);
    if (status != REED_OK) return status;
    const uint8_t *sources[REED_SHARDS_MAX];
    uint8_t *targets[REED_SHARDS_MAX];
    for (uint32_t i = 0; i < reed_plan_source_count(plan); i++) {
        sources[i] = shards[reed_plan_source(plan, i)];
    }
    for (size_t i = 0; i < wanted_count; i++) targets[i] = shards[wanted[i]];
    return apply_once(code, plan, sources, targets, shard_size);
}

enum reed_status reed_stripe_verify(const struct reed_code *code, const uint8_t *const *shards,
                                    size_t shard_size, size_t *column)
{
    if (code == NULL || shards == NULL || !are_given(shards, 0, code_shard_count(code))) {
        return REED_INVALID_PARAMETER;
    }
    struct reed_plan *plan;
    enum reed_status status = reed_plan_create_encode(code, &plan);
    if (status != REED_OK) return status;
    status = REED_OUT_OF_MEMORY;
    void *scratch = allocator_take(&code->allocator, reed_plan_compare_scratch_size(plan));
    if (scratch != NULL) {
        status = reed_plan_compare(plan, shards, shards + code->data_shards, 0, shard_size, scratch,
                                   column);
    }
    allocator_give(&code->allocator, scratch);
    reed_plan_destroy(plan);
    return status;
}
