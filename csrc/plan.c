/* plan.c - from a code and a pattern of losses to coefficients, and from coefficients to blocks of
 * kernel calls. This is the only place that knows both. */
#include "plan.h"

#include <stdalign.h>
#include <string.h>

#include "code.h"
#include "field.h"
#include "matrix.h"
#include "size.h"
#include "wide.h"

enum {
    PLAN_SHARDS_MAX = 65536,
    /* Blocks re-read their sources: keep a slice of all of them in a 32 KiB L1 with room for
     * targets and tables. */
    SLICE_BUDGET = 24576,
    SLICE_MIN = 256,
    /* Comparing computes a slice of all targets into scratch, which should stay in L1 as well. */
    COMPARE_BUDGET = 16384,
    COMPARE_SLICE_MIN = 256
};

static size_t slice_for(size_t budget, size_t minimum, size_t shard_count)
{
    size_t slice = budget / (shard_count > 0 ? shard_count : 1) / minimum * minimum;
    return slice > minimum ? slice : minimum;
}

/* Where each array of a plan begins in its one allocation. */
struct plan_sizes {
    size_t entries, extra, shards, total;
};

static bool add_aligned(size_t offset, size_t count, size_t unit_size, size_t *end)
{
    const size_t unit = alignof(max_align_t);
    size_t size;
    if (!size_multiply(count, unit_size, &size) || !size_add(offset, size, end) ||
        !size_add(*end, unit - 1, end)) {
        return false;
    }
    *end = *end / unit * unit;
    return true;
}

/* `extra_size`: of blocks, or of a wide transform. */
static struct reed_plan *plan_allocate(const struct reed_kernel *kernel,
                                       const struct reed_allocator *allocator,
                                       size_t source_count, size_t target_count,
                                       size_t entry_count, size_t extra_size, void **extra)
{
    struct plan_sizes sizes;
    if (!add_aligned(0, 1, sizeof(struct reed_plan), &sizes.entries) ||
        !add_aligned(sizes.entries, entry_count, kernel->entry_size, &sizes.extra) ||
        !add_aligned(sizes.extra, extra_size, 1, &sizes.shards) ||
        !add_aligned(sizes.shards, source_count + target_count, sizeof(uint32_t), &sizes.total)) {
        return NULL;
    }
    uint8_t *memory = allocator_take(allocator, sizes.total);
    if (memory == NULL) return NULL;
    struct reed_plan *plan = (struct reed_plan *)(void *)memory;
    *plan = (struct reed_plan){
        .allocator = *allocator,
        .kernel = kernel,
        .source_count = (uint32_t)source_count,
        .target_count = (uint32_t)target_count,
        .slice_size = slice_for(SLICE_BUDGET, SLICE_MIN, source_count),
        .compare_slice_size = slice_for(COMPARE_BUDGET, COMPARE_SLICE_MIN, target_count),
        .memory_size = sizes.total,
        .source_shards = (uint32_t *)(void *)(memory + sizes.shards),
        .entries = memory + sizes.entries,
    };
    plan->target_shards = plan->source_shards + source_count;
    *extra = memory + sizes.extra;
    return plan;
}

/* ---- from coefficients to blocks ------------------------------------------------------------ */

static bool row_is_ones(const uint8_t *row, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (row[i] != 1) return false;
    }
    return true;
}

/* The block that begins at target `first`: rows of ones together, else the rows up to the next one,
 * shared out evenly over as few blocks as hold them (nine targets are 5 + 4, not 8 + 1). */
static struct plan_block block_at(const uint8_t *matrix, size_t target_count, size_t source_count,
                                  size_t first)
{
    struct plan_block block = {.first_target = (uint32_t)first};
    block.is_sum = row_is_ones(matrix + first * source_count, source_count);
    size_t run = 1;
    while (first + run < target_count &&
           row_is_ones(matrix + (first + run) * source_count, source_count) == block.is_sum) {
        run++;
    }
    if (block.is_sum) {
        block.target_count = (uint32_t)size_min(run, KERNEL_TARGETS_MAX);
        return block;
    }
    size_t parts = (run + KERNEL_TARGETS_MAX - 1) / KERNEL_TARGETS_MAX;
    block.target_count = (uint32_t)((run + parts - 1) / parts);
    return block;
}

static enum reed_status plan_from_matrix(const struct reed_kernel *kernel,
                                         const struct reed_allocator *allocator,
                                         const uint8_t *matrix, size_t target_count,
                                         size_t source_count, struct reed_plan **made)
{
    size_t block_count = 0, entry_count = 0;
    for (size_t first = 0; first < target_count; block_count++) {
        struct plan_block block = block_at(matrix, target_count, source_count, first);
        if (!block.is_sum) entry_count += block.target_count * source_count;
        first += block.target_count;
    }
    size_t blocks_size;
    if (!size_multiply(block_count, sizeof(struct plan_block), &blocks_size)) {
        return REED_OUT_OF_MEMORY;
    }
    void *blocks;
    struct reed_plan *plan = plan_allocate(kernel, allocator, source_count, target_count,
                                           entry_count, blocks_size, &blocks);
    if (plan == NULL) return REED_OUT_OF_MEMORY;
    plan->block_count = block_count;
    plan->blocks = blocks;

    size_t offset = 0, first = 0;
    for (size_t i = 0; i < block_count; i++) {
        struct plan_block block = block_at(matrix, target_count, source_count, first);
        block.entries_offset = offset;
        for (size_t s = 0; !block.is_sum && s < source_count; s++) {
            for (size_t t = first; t < first + block.target_count; t++) {
                kernel->prepare(matrix[t * source_count + s], plan->entries + offset);
                offset += kernel->entry_size;
            }
        }
        plan->blocks[i] = block;
        first += block.target_count;
    }
    *made = plan;
    return REED_OK;
}

/* ---- the native transforms ------------------------------------------------------------------ */

/* Multiplications that an inverse transform of `count` of 2^log2 points does. */
static size_t inverse_cost(unsigned log2, size_t count)
{
    if (log2 == 0 || count == 0) return 0;
    size_t half = (size_t)1 << (log2 - 1);
    return inverse_cost(log2 - 1, size_min(count, half)) +
           inverse_cost(log2 - 1, count > half ? count - half : 0) + half;
}

/* Whether encoding in registers is possible, and takes fewer multiplications than the matrix. */
static bool transform_is_better(const struct reed_code *code)
{
    if (code->generator != REED_GENERATOR_NATIVE || code->parity_shards < 2) return false;
    unsigned log2 = native_group_log2(code->parity_shards);
    size_t size = (size_t)1 << log2;
    if (log2 > KERNEL_TRANSFORM_LOG2_MAX || code->data_shards + size > GF256_ORDER) return false;
    size_t forward = log2 * size / 2 - (size - 1); /* first twiddle of each layer is 0 */
    size_t cost = forward + code->data_shards / size * inverse_cost(log2, size) +
                  inverse_cost(log2, code->data_shards % size);
    return cost < (size_t)code->data_shards * code->parity_shards;
}

static enum reed_status plan_from_transform(const struct reed_code *code, struct reed_plan **made)
{
    unsigned log2 = native_group_log2(code->parity_shards);
    size_t size = (size_t)1 << log2;
    size_t group_count = (code->data_shards + size - 1) / size;
    void *unused;
    struct reed_plan *plan =
        plan_allocate(code->kernel, &code->allocator, code->data_shards, code->parity_shards,
                      (group_count + 1) * (size - 1), 0, &unused);
    if (plan == NULL) return REED_OUT_OF_MEMORY;
    plan->transform_log2 = log2;
    uint8_t *entries = prepare_twiddles(code->kernel, log2, 0, size, plan->entries);
    for (size_t group = 0; group < group_count; group++) {
        size_t first = group * size;
        entries = prepare_twiddles(code->kernel, log2, (unsigned)(size + first),
                                   size_min(size, code->data_shards - first), entries);
    }
    *made = plan;
    return REED_OK;
}

/* What a plan with a wide transform keeps behind its entries. */
struct wide_memory {
    struct wide_transform wide;
    struct wide_group groups[];
};

static struct reed_plan *plan_allocate_wide(const struct reed_code *code, size_t source_count,
                                            size_t target_count, unsigned log2_size,
                                            size_t group_count, bool is_scaled,
                                            struct wide_memory **memory)
{
    struct wide_transform shape = {
        .log2_size = log2_size, .group_count = group_count, .is_scaled = is_scaled};
    size_t size = sizeof **memory + group_count * sizeof(struct wide_group);
    void *extra;
    struct reed_plan *plan =
        plan_allocate(code->kernel, &code->allocator, source_count, target_count,
                      wide_entry_count(&shape), size, &extra);
    if (plan == NULL) return NULL;
    *memory = extra;
    memset(*memory, 0xff, size); /* every row without a shard */
    (*memory)->wide.log2_size = log2_size;
    (*memory)->wide.group_count = group_count;
    (*memory)->wide.groups = (*memory)->groups;
    (*memory)->wide.is_scaled = is_scaled;
    plan->wide = &(*memory)->wide;
    return plan;
}

/* Groups of data shards in encoding by a wide transform: whole ones behind the parity group, and
 * one for the data shards on the parity group's own points, where there are any. */
static size_t encode_group_count(const struct reed_code *code, bool *has_own)
{
    size_t size = (size_t)1 << native_group_log2(code->parity_shards);
    size_t outside = size_min(code->data_shards, GF256_ORDER - size);
    *has_own = code->data_shards > outside;
    return (outside + size - 1) / size + *has_own;
}

static bool wide_encode_is_better(const struct reed_code *code)
{
    if (code->generator != REED_GENERATOR_NATIVE || code->parity_shards < 2) return false;
    bool has_own;
    size_t group_count = encode_group_count(code, &has_own);
    return wide_encode_cost(native_group_log2(code->parity_shards), group_count) <
           (size_t)code->data_shards * code->parity_shards;
}

static enum reed_status plan_from_wide_encode(const struct reed_code *code,
                                              struct reed_plan **made)
{
    bool has_own;
    unsigned log2 = native_group_log2(code->parity_shards);
    size_t group_count = encode_group_count(code, &has_own);
    struct wide_memory *memory;
    struct reed_plan *plan = plan_allocate_wide(code, code->data_shards, code->parity_shards, log2,
                                                group_count, false, &memory);
    if (plan == NULL) return REED_OUT_OF_MEMORY;
    for (size_t g = 0; g < group_count; g++) {
        memory->groups[g].derivative = has_own && g == group_count - 1;
        memory->groups[g].base = memory->groups[g].derivative ? 0 : (unsigned)(g + 1) << log2;
    }
    for (uint32_t j = 0; j < code->data_shards; j++) {
        unsigned index = native_point_index(code->data_shards, code->parity_shards, j);
        size_t group = index >> log2 ? (index >> log2) - 1 : group_count - 1;
        memory->groups[group].sources[index & ((1u << log2) - 1)] = (uint16_t)j;
    }
    for (uint32_t r = 0; r < code->parity_shards; r++) memory->wide.targets[r] = (uint16_t)r;
    wide_prepare(&memory->wide, NULL, NULL, code->kernel, plan->entries);
    *made = plan;
    return REED_OK;
}

/* log2 of the smallest transform that holds every point of the code. */
static unsigned code_points_log2(const struct reed_code *code)
{
    size_t point_count = ((size_t)1 << native_group_log2(code->parity_shards)) + code->data_shards;
    unsigned log2 = 0;
    while ((size_t)1 << log2 < point_count && log2 < 8) log2++;
    return log2;
}

static bool wide_decode_is_better(const struct reed_code *code, size_t target_count)
{
    if (code->generator != REED_GENERATOR_NATIVE || code->parity_shards < 2) return false;
    if (code_points_log2(code) <= WIDE_LOW_LOG2) return false; /* see wide_transform.is_scaled */
    return wide_decode_cost(code_points_log2(code), code->data_shards + target_count) <
           (size_t)code->data_shards * target_count;
}

/* prod of (point - P(e)) over the rows e that hold no source, without `point` itself: the locator of
 * the losses at a known point, its derivative at a lost one. */
static uint8_t locator_at(const struct wide_transform *wide, uint8_t point)
{
    uint8_t product = 1;
    for (unsigned row = 0; row < 1u << wide->log2_size; row++) {
        uint8_t difference = point ^ gf256_cantor_point(row);
        if (wide->groups[0].sources[row] == WIDE_NO_SHARD && difference != 0) {
            product = gf256_multiply(product, difference);
        }
    }
    return product;
}

/* Shard i holds v_i f(x_i). Sources enter as f L = shard L / v; f(e) v_e leaves as v_e / L'(e). */
static enum reed_status plan_from_wide_decode(const struct reed_code *code,
                                              const uint32_t *sources, const uint32_t *targets,
                                              size_t target_count, struct reed_plan **made)
{
    uint8_t points[REED_SHARDS_MAX], multipliers[REED_SHARDS_MAX];
    generator_points(code->generator, code->data_shards, code->parity_shards, points, multipliers);
    struct wide_memory *memory;
    struct reed_plan *plan = plan_allocate_wide(code, code->data_shards, target_count,
                                                code_points_log2(code), 1, true, &memory);
    if (plan == NULL) return REED_OUT_OF_MEMORY;
    memory->groups[0].derivative = true;
    memory->groups[0].base = 0;
    for (size_t i = 0; i < code->data_shards; i++) {
        unsigned row = native_point_index(code->data_shards, code->parity_shards, sources[i]);
        memory->groups[0].sources[row] = (uint16_t)i;
    }
    for (size_t i = 0; i < target_count; i++) {
        unsigned row = native_point_index(code->data_shards, code->parity_shards, targets[i]);
        memory->wide.targets[row] = (uint16_t)i;
    }
    uint8_t source_scales[REED_SHARDS_MAX], target_scales[REED_SHARDS_MAX];
    for (size_t i = 0; i < code->data_shards; i++) {
        source_scales[i] = gf256_divide(locator_at(&memory->wide, points[sources[i]]),
                                        multipliers[sources[i]]);
    }
    for (size_t i = 0; i < target_count; i++) {
        target_scales[i] = gf256_divide(multipliers[targets[i]],
                                        locator_at(&memory->wide, points[targets[i]]));
    }
    wide_prepare(&memory->wide, source_scales, target_scales, code->kernel, plan->entries);
    *made = plan;
    return REED_OK;
}

/* ---- the public creators -------------------------------------------------------------------- */

/* Encode, whether or not the code may be used for new data. */
static enum reed_status plan_parity_from_data(const struct reed_code *code,
                                              struct reed_plan **plan)
{
    enum reed_status status;
    if (transform_is_better(code)) {
        status = plan_from_transform(code, plan);
    } else if (wide_encode_is_better(code)) {
        status = plan_from_wide_encode(code, plan);
    } else {
        status = plan_from_matrix(code->kernel, &code->allocator, code->rows, code->parity_shards,
                                  code->data_shards, plan);
    }
    if (status != REED_OK) return status;
    for (uint32_t i = 0; i < code->data_shards; i++) (*plan)->source_shards[i] = i;
    for (uint32_t i = 0; i < code->parity_shards; i++) {
        (*plan)->target_shards[i] = code->data_shards + i;
    }
    return REED_OK;
}

enum reed_status reed_plan_create_encode(const struct reed_code *code, struct reed_plan **plan)
{
    if (plan == NULL) return REED_INVALID_PARAMETER;
    *plan = NULL;
    if (code == NULL) return REED_INVALID_PARAMETER;
    if (code->encode_refused) return REED_NOT_MDS;
    return plan_parity_from_data(code, plan);
}

enum reed_status reed_plan_create_matrix(const struct reed_kernel *kernel,
                                         const struct reed_allocator *allocator,
                                         const uint8_t *matrix, size_t target_count,
                                         size_t source_count, struct reed_plan **plan)
{
    if (plan == NULL) return REED_INVALID_PARAMETER;
    *plan = NULL;
    if (source_count < 1 || source_count > PLAN_SHARDS_MAX || target_count > PLAN_SHARDS_MAX ||
        (matrix == NULL && target_count > 0)) {
        return REED_INVALID_PARAMETER;
    }
    if (kernel == NULL) {
        enum reed_status status = reed_kernel_find(NULL, &kernel);
        if (status != REED_OK) return status;
    } else if (!kernel->is_supported()) {
        return REED_UNSUPPORTED_KERNEL;
    }
    struct reed_allocator chosen = allocator_or_default(allocator);
    enum reed_status status =
        plan_from_matrix(kernel, &chosen, matrix, target_count, source_count, plan);
    if (status != REED_OK) return status;
    for (size_t i = 0; i < source_count; i++) (*plan)->source_shards[i] = (uint32_t)i;
    for (size_t i = 0; i < target_count; i++) (*plan)->target_shards[i] = (uint32_t)i;
    return REED_OK;
}

enum reed_status reed_plan_create_update(const struct reed_code *code, uint32_t shard_index,
                                         const uint32_t *parity, size_t parity_count,
                                         struct reed_plan **plan)
{
    if (plan == NULL) return REED_INVALID_PARAMETER;
    *plan = NULL;
    if (code == NULL || shard_index >= code->data_shards || parity_count > code->parity_shards ||
        (parity == NULL && parity_count > 0)) {
        return REED_INVALID_PARAMETER;
    }
    uint8_t matrix[2 * REED_SHARDS_MAX] = {0};
    bool seen[REED_SHARDS_MAX] = {false};
    for (size_t i = 0; i < parity_count; i++) {
        if (parity[i] < code->data_shards || parity[i] >= code_shard_count(code) ||
            seen[parity[i]]) {
            return REED_INVALID_PARAMETER;
        }
        seen[parity[i]] = true;
        matrix[2 * i] = matrix[2 * i + 1] = code_parity_row(code, parity[i])[shard_index];
    }
    enum reed_status status =
        plan_from_matrix(code->kernel, &code->allocator, matrix, parity_count, 2, plan);
    if (status != REED_OK) return status;
    (*plan)->accumulates = true;
    (*plan)->source_shards[0] = (*plan)->source_shards[1] = shard_index;
    for (size_t i = 0; i < parity_count; i++) (*plan)->target_shards[i] = parity[i];
    return REED_OK;
}

/* ---- reconstruction -------------------------------------------------------------------------
 *
 * With the sources fixed, let D be the data shards among them, R the parity shards among them and M
 * the data shards that are not: |R| = |M| = p. From parity_R = G[R][D] data_D + G[R][M] data_M
 *     data_M = B (parity_R + G[R][D] data_D),      B = G[R][M]^-1
 * so only a p x p matrix is inverted. A lost parity shard is its row applied to data_D and data_M. */
struct reconstruction {
    const struct reed_code *code;
    uint32_t sources[REED_SHARDS_MAX]; /* data_shards of them, ascending: D then R */
    uint32_t missing[REED_SHARDS_MAX]; /* M, ascending */
    size_t data_count;                 /* |D| */
    size_t missing_count;              /* p */
};

/* Marks which available shards may serve. */
static enum reed_status read_pattern(const struct reed_code *code, const uint32_t *available,
                                     size_t available_count, const uint32_t *wanted,
                                     size_t wanted_count, bool *usable)
{
    uint32_t shard_count = code_shard_count(code);
    if ((available == NULL && available_count > 0) || (wanted == NULL && wanted_count > 0)) {
        return REED_INVALID_PARAMETER;
    }
    for (size_t i = 0; i < available_count; i++) {
        if (available[i] >= shard_count || (i > 0 && available[i] <= available[i - 1])) {
            return REED_INVALID_PARAMETER;
        }
        usable[available[i]] = true;
    }
    bool is_wanted[REED_SHARDS_MAX] = {false};
    for (size_t i = 0; i < wanted_count; i++) {
        if (wanted[i] >= shard_count || is_wanted[wanted[i]]) return REED_INVALID_PARAMETER;
        is_wanted[wanted[i]] = true;
        usable[wanted[i]] = false;
    }
    return REED_OK;
}

/* The first usable parity shards whose rows, restricted to the missing columns, are independent:
 * for an MDS code simply the first p. `work`, for other codes: p^2 bytes of echelon, then a row. */
static enum reed_status choose_sources(struct reconstruction *r, const bool *usable, uint8_t *work)
{
    const struct reed_code *code = r->code;
    size_t pivots[REED_SHARDS_MAX];
    struct row_basis basis = {.width = r->missing_count, .echelon = work, .pivots = pivots};
    uint8_t *row = code->may_be_singular ? work + r->missing_count * r->missing_count : NULL;
    size_t chosen = r->data_count, usable_count = r->data_count;
    for (uint32_t i = code->data_shards; i < code_shard_count(code); i++) {
        if (!usable[i]) continue;
        usable_count++;
        if (chosen == code->data_shards) continue;
        if (code->may_be_singular) {
            for (size_t c = 0; c < r->missing_count; c++) {
                row[c] = code_parity_row(code, i)[r->missing[c]];
            }
            if (!row_basis_add(&basis, row)) continue;
        }
        r->sources[chosen++] = i;
    }
    if (usable_count < code->data_shards) return REED_TOO_FEW_SHARDS;
    return chosen == code->data_shards ? REED_OK : REED_SINGULAR;
}

/* solution[i] = coefficients of missing data shard i over the sources (p x data_shards).
 * `work`: 2 p^2 bytes. */
static enum reed_status solve_missing(const struct reconstruction *r, uint8_t *solution,
                                      uint8_t *work)
{
    const struct reed_code *code = r->code;
    size_t width = code->data_shards, p = r->missing_count;
    uint8_t *matrix = work, *inverse = work + p * p;
    const uint32_t *parity = r->sources + r->data_count;
    for (size_t q = 0; q < p; q++) {
        const uint8_t *row = code_parity_row(code, parity[q]);
        for (size_t i = 0; i < p; i++) matrix[q * p + i] = row[r->missing[i]];
    }
    if (!matrix_invert(p, matrix, inverse)) return REED_SINGULAR;
    for (size_t i = 0; i < p; i++) {
        uint8_t *target = solution + i * width;
        memset(target, 0, width);
        for (size_t q = 0; q < p; q++) {
            const uint8_t *row = code_parity_row(code, parity[q]);
            uint8_t factor = inverse[i * p + q];
            for (size_t j = 0; j < r->data_count; j++) {
                target[j] ^= gf256_multiply(factor, row[r->sources[j]]);
            }
            target[r->data_count + q] = factor;
        }
    }
    return REED_OK;
}

static void wanted_row(const struct reconstruction *r, const uint8_t *solution, uint32_t wanted,
                       uint8_t *row)
{
    const struct reed_code *code = r->code;
    size_t width = code->data_shards;
    memset(row, 0, width);
    if (wanted < code->data_shards) { /* wanted data is never a source, so it is missing */
        size_t i = 0;
        while (r->missing[i] != wanted) i++;
        memcpy(row, solution + i * width, width);
        return;
    }
    const uint8_t *parity_row = code_parity_row(code, wanted);
    for (size_t j = 0; j < r->data_count; j++) row[j] = parity_row[r->sources[j]];
    for (size_t i = 0; i < r->missing_count; i++) {
        row_add_scaled(row, solution + i * width, parity_row[r->missing[i]], width);
    }
}

/* Leaves out sources that no wanted shard needs (sparse explicit codes): returns how many remain,
 * with rows and r->sources packed. */
static size_t drop_idle_sources(struct reconstruction *r, uint8_t *rows, size_t row_count)
{
    size_t width = r->code->data_shards, kept = 0;
    bool needed[REED_SHARDS_MAX] = {false};
    for (size_t i = 0; i < row_count * width; i++) {
        if (rows[i] != 0) needed[i % width] = true;
    }
    for (size_t j = 0; j < width; j++) kept += needed[j];
    uint8_t *packed = rows;
    for (size_t i = 0; i < row_count * width; i++) {
        if (needed[i % width]) *packed++ = rows[i];
    }
    uint32_t *source = r->sources;
    for (size_t j = 0; j < width; j++) {
        if (needed[j]) *source++ = r->sources[j];
    }
    return kept;
}

static bool wants_all_parity(const struct reed_code *code, const uint32_t *wanted,
                             size_t wanted_count)
{
    if (wanted_count != code->parity_shards) return false;
    for (size_t i = 0; i < wanted_count; i++) {
        if (wanted[i] != code->data_shards + i) return false;
    }
    return true;
}

static void name_shards(struct reed_plan *plan, const uint32_t *sources, size_t source_count,
                        const uint32_t *targets)
{
    memcpy(plan->source_shards, sources, source_count * sizeof *sources);
    if (plan->target_count > 0) {
        memcpy(plan->target_shards, targets, plan->target_count * sizeof *targets);
    }
}

enum reed_status reed_plan_create_reconstruct(const struct reed_code *code,
                                              const uint32_t *available, size_t available_count,
                                              const uint32_t *wanted, size_t wanted_count,
                                              struct reed_plan **plan)
{
    if (plan == NULL) return REED_INVALID_PARAMETER;
    *plan = NULL;
    if (code == NULL) return REED_INVALID_PARAMETER;
    bool usable[REED_SHARDS_MAX] = {false};
    enum reed_status status =
        read_pattern(code, available, available_count, wanted, wanted_count, usable);
    if (status != REED_OK) return status;

    struct reconstruction r = {.code = code};
    for (uint32_t i = 0; i < code->data_shards; i++) {
        if (usable[i]) {
            r.sources[r.data_count++] = i;
        } else {
            r.missing[r.missing_count++] = i;
        }
    }
    if (r.missing_count == 0 && wants_all_parity(code, wanted, wanted_count)) {
        return plan_parity_from_data(code, plan);
    }

    status = code->may_be_singular ? REED_OK : choose_sources(&r, usable, NULL);
    if (status != REED_OK) return status;
    if (wide_decode_is_better(code, wanted_count)) {
        status = plan_from_wide_decode(code, r.sources, wanted, wanted_count, plan);
        if (status == REED_OK) name_shards(*plan, r.sources, code->data_shards, wanted);
        return status;
    }

    /* Working memory: the solution, the wanted rows, and two p x p matrices (or one and a row). */
    size_t width = code->data_shards, p = r.missing_count;
    size_t rows_size = (p + wanted_count) * width;
    uint8_t *memory = allocator_take(&code->allocator, rows_size + 2 * p * p + p);
    if (memory == NULL) return REED_OUT_OF_MEMORY;
    uint8_t *solution = memory, *rows = memory + p * width, *work = memory + rows_size;

    if (code->may_be_singular) status = choose_sources(&r, usable, work);
    if (status == REED_OK) status = solve_missing(&r, solution, work);
    if (status == REED_OK) {
        for (size_t i = 0; i < wanted_count; i++) {
            wanted_row(&r, solution, wanted[i], rows + i * width);
        }
        size_t source_count = drop_idle_sources(&r, rows, wanted_count);
        status = plan_from_matrix(code->kernel, &code->allocator, rows, wanted_count, source_count,
                                  plan);
        if (status == REED_OK) name_shards(*plan, r.sources, source_count, wanted);
    }
    allocator_give(&code->allocator, memory);
    return status;
}

void reed_plan_destroy(struct reed_plan *plan)
{
    if (plan == NULL) return;
    struct reed_allocator allocator = plan->allocator;
    allocator_give(&allocator, plan);
}

uint32_t reed_plan_source_count(const struct reed_plan *plan)
{
    return plan->source_count;
}

uint32_t reed_plan_target_count(const struct reed_plan *plan)
{
    return plan->target_count;
}

uint32_t reed_plan_source(const struct reed_plan *plan, uint32_t position)
{
    return plan->source_shards[position];
}

uint32_t reed_plan_target(const struct reed_plan *plan, uint32_t position)
{
    return plan->target_shards[position];
}

size_t reed_plan_memory_size(const struct reed_plan *plan)
{
    return plan->memory_size;
}
