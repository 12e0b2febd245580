/* fuzz_reconstruct.c - libFuzzer target for codes, plans and locate.
 *
 *     clang -std=c11 -g -O1 -fsanitize=fuzzer,address,undefined -Icsrc -Icsrc/include \
 *         tests/fuzz/fuzz_reconstruct.c $(find csrc -name '*.c') -o fuzz_reconstruct
 *     ./fuzz_reconstruct -max_len=512 corpus
 *
 * The input chooses a generator, a shape, a kernel, which shards are given, wanted and damaged, and
 * the bytes. Properties: no access outside exactly sized shards; what is rebuilt is what was lost;
 * a pattern that cannot be rebuilt is refused and nothing is made; compare finds the first wrong
 * column; locate names exactly the wrong shards within its bound, and never fails beyond it in a way
 * that is not documented. */
#include <stdbool.h>
#include <string.h>

#include "fuzz.h"
#include "reed.h"

enum { SHARDS = REED_SHARDS_MAX, COLUMNS_MAX = 300 };

/* A stripe in memory that the sanitizer watches byte by byte. */
struct stripe {
    struct reed_code *code;
    uint32_t data_shards, shard_count;
    size_t columns;
    uint8_t *shards[SHARDS];
};

static void apply(const struct reed_plan *plan, const uint8_t *const *sources,
                  uint8_t *const *targets, size_t begin, size_t end)
{
    void *scratch = take(reed_plan_apply_scratch_size(plan));
    REQUIRE(reed_plan_apply(plan, sources, targets, begin, end, scratch) == REED_OK);
    free(scratch);
}

/* Data from the input, stretched by a multiplicative generator; parity by rows, one at a time,
 * through single-row plans of the portable kernel. */
static void fill(struct stripe *stripe, struct input *input)
{
    const struct reed_kernel *portable;
    uint32_t state = next(input) * 2 + 1, k = stripe->data_shards;
    REQUIRE(reed_kernel_find("portable", &portable) == REED_OK);
    for (uint32_t i = 0; i < k; i++) {
        for (size_t c = 0; c < stripe->columns; c++) {
            state = state * 1664525 + 1013904223;
            stripe->shards[i][c] = (uint8_t)(state >> 24);
        }
    }
    for (uint32_t i = k; i < stripe->shard_count; i++) {
        uint8_t row[SHARDS];
        struct reed_plan *plan;
        REQUIRE(reed_code_row(stripe->code, i, row) == REED_OK);
        REQUIRE(reed_plan_create_matrix(portable, NULL, row, 1, k, &plan) == REED_OK);
        apply(plan, (const uint8_t *const *)stripe->shards, stripe->shards + i, 0,
              stripe->columns);
        reed_plan_destroy(plan);
    }
}

/* Rebuilds what is wanted from what is given, in two pieces of columns, and compares. */
static void check_reconstruct(const struct stripe *stripe, struct input *input)
{
    uint32_t available[SHARDS], wanted[SHARDS];
    size_t available_count = 0, wanted_count = 0, usable = 0;
    for (uint32_t i = 0; i < stripe->shard_count; i++) {
        unsigned fate = next(input);
        bool is_given = (fate & 3) != 0, is_wanted = (fate & 12) == 0;
        if (is_given) available[available_count++] = i;
        if (is_wanted) wanted[wanted_count++] = i;
        usable += is_given && !is_wanted;
    }
    struct reed_plan *plan;
    enum reed_status status = reed_plan_create_reconstruct(
        stripe->code, available, available_count, wanted, wanted_count, &plan);
    if (status != REED_OK) {
        REQUIRE(plan == NULL);
        REQUIRE(status == (usable < stripe->data_shards ? REED_TOO_FEW_SHARDS : REED_SINGULAR));
        return;
    }
    const uint8_t *sources[SHARDS];
    const uint8_t *compared[SHARDS];
    uint8_t *targets[SHARDS];
    for (uint32_t s = 0; s < reed_plan_source_count(plan); s++) {
        sources[s] = stripe->shards[reed_plan_source(plan, s)];
    }
    REQUIRE(reed_plan_target_count(plan) == wanted_count);
    for (size_t t = 0; t < wanted_count; t++) {
        targets[t] = take(stripe->columns);
        memset(targets[t], 0xa5, stripe->columns);
        compared[t] = stripe->shards[wanted[t]];
    }
    size_t middle = next_below(input, (unsigned)stripe->columns + 1);
    apply(plan, sources, targets, middle, stripe->columns);
    apply(plan, sources, targets, 0, middle);
    for (size_t t = 0; t < wanted_count; t++) {
        REQUIRE(memcmp(targets[t], compared[t], stripe->columns) == 0);
    }
    void *scratch = take(reed_plan_compare_scratch_size(plan));
    size_t column = 0;
    REQUIRE(reed_plan_compare(plan, sources, compared, 0, stripe->columns, scratch, &column) ==
            REED_OK);
    if (wanted_count > 0 && stripe->columns > 0) {
        uint8_t *victim = targets[next_below(input, (unsigned)wanted_count)];
        size_t at = next_below(input, (unsigned)stripe->columns);
        victim[at] ^= 0x10;
        REQUIRE(reed_plan_compare(plan, sources, (const uint8_t *const *)targets, 0,
                                  stripe->columns, scratch, &column) == REED_MISMATCH);
        REQUIRE(column == at);
    }
    free(scratch);
    for (size_t t = 0; t < wanted_count; t++) free(targets[t]);
    reed_plan_destroy(plan);
}

/* Damages some shards and asks where. The bytes stay damaged. */
static void check_locate(const struct stripe *stripe, struct input *input, bool is_decode_only,
                         bool is_mds)
{
    uint32_t indices[SHARDS], wrong[SHARDS];
    uint8_t *given[SHARDS];
    size_t count = 0, wrong_count = 1, column = 0;
    uint32_t skipped = next(input) % 3;
    for (uint32_t i = 0; i < stripe->shard_count; i++) {
        if (skipped > 0 && next(input) % 8 == 0) {
            skipped--;
            continue;
        }
        indices[count] = i;
        given[count++] = stripe->shards[i];
    }
    size_t limit = count > stripe->data_shards ? (count - stripe->data_shards) / 2 : 0;
    unsigned damage[COLUMNS_MAX] = {0}, worst = 0;
    bool is_wrong[SHARDS] = {false};
    for (unsigned i = next(input) % 12; i > 0 && stripe->columns > 0 && count > 0; i--) {
        unsigned victim = next_below(input, (unsigned)count);
        unsigned at = next_below(input, (unsigned)stripe->columns);
        unsigned change = next(input);
        if (change == 0 || is_wrong[victim]) continue; /* a byte is changed once */
        given[victim][at] ^= (uint8_t)change;
        is_wrong[victim] = true;
        if (++damage[at] > worst) worst = damage[at];
    }
    enum reed_status status =
        reed_locate(stripe->code, indices, count, (const uint8_t *const *)given, stripe->columns,
                    wrong, &wrong_count, &column);
    if (status != REED_OK) REQUIRE(wrong_count == 0);
    if (is_decode_only) {
        REQUIRE(status == REED_NOT_MDS);
    } else if (count <= stripe->data_shards) {
        REQUIRE(status == REED_TOO_FEW_SHARDS);
    } else if (is_mds && worst <= limit && status != REED_TOO_COMPLEX) {
        size_t expected = 0;
        REQUIRE(status == REED_OK);
        for (size_t i = 0; i < count; i++) {
            if (is_wrong[i]) REQUIRE(expected < wrong_count && wrong[expected++] == indices[i]);
        }
        REQUIRE(expected == wrong_count);
    } else if (is_mds && status != REED_OK) {
        REQUIRE(status == REED_AMBIGUOUS || status == REED_TOO_COMPLEX);
        if (status == REED_AMBIGUOUS) REQUIRE(column < stripe->columns && damage[column] > limit);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum reed_generator generators[] = {
        REED_GENERATOR_NATIVE,      REED_GENERATOR_REPLICATION, REED_GENERATOR_ISAL_CAUCHY,
        REED_GENERATOR_ISAL_VAND,   REED_GENERATOR_VAND_INV,    REED_GENERATOR_ZFEC,
        REED_GENERATOR_KLAUSPOST,   REED_GENERATOR_EXPLICIT,    REED_GENERATOR_NATIVE,
    };
    struct input input = {data, size};
    struct reed_code_options options = {.struct_size = sizeof options};
    options.generator = generators[next_below(&input, sizeof generators / sizeof generators[0])];
    bool is_wide = next(&input) % 8 == 0;
    options.data_shards = next_below(&input, is_wide ? 258 : 20);
    options.parity_shards = next_below(&input, is_wide ? 258 : 20);
    options.flags = next(&input) % 2 ? REED_ALLOW_NON_MDS : 0;
    size_t kernel_count = 0;
    while (reed_kernel_at(kernel_count) != NULL) kernel_count++;
    const struct reed_kernel *kernel = reed_kernel_at(next(&input) % kernel_count);
    options.kernel = reed_kernel_is_supported(kernel) ? kernel : NULL;
    uint8_t matrix[SHARDS * SHARDS];
    size_t matrix_size = (size_t)options.data_shards * options.parity_shards;
    if (options.generator == REED_GENERATOR_EXPLICIT) {
        for (size_t i = 0; i < matrix_size && i < sizeof matrix; i++) {
            matrix[i] = (uint8_t)next(&input);
        }
        options.matrix = matrix;
    }

    struct stripe stripe = {.data_shards = options.data_shards,
                            .shard_count = options.data_shards + options.parity_shards};
    enum reed_status status = reed_code_create(&options, &stripe.code);
    if (status != REED_OK) {
        REQUIRE(stripe.code == NULL);
        REQUIRE(status == REED_INVALID_PARAMETER || status == REED_NOT_MDS);
        return 0;
    }
    REQUIRE(stripe.data_shards >= 1 && stripe.shard_count <= SHARDS);
    stripe.columns = next_below(&input, COLUMNS_MAX);
    for (uint32_t i = 0; i < stripe.shard_count; i++) stripe.shards[i] = take(stripe.columns);
    fill(&stripe, &input);

    struct reed_plan *encode;
    status = reed_plan_create_encode(stripe.code, &encode);
    REQUIRE(status == REED_OK || (status == REED_NOT_MDS && encode == NULL));
    bool is_decode_only = status == REED_NOT_MDS;
    bool is_mds = status == REED_OK && options.generator != REED_GENERATOR_EXPLICIT;
    if (status == REED_OK) {
        void *scratch = take(reed_plan_compare_scratch_size(encode));
        REQUIRE(reed_plan_compare(encode, (const uint8_t *const *)stripe.shards,
                                  (const uint8_t *const *)stripe.shards + stripe.data_shards, 0,
                                  stripe.columns, scratch, NULL) == REED_OK);
        free(scratch);
        reed_plan_destroy(encode);
    }
    check_reconstruct(&stripe, &input);
    check_locate(&stripe, &input, is_decode_only, is_mds);
    for (uint32_t i = 0; i < stripe.shard_count; i++) free(stripe.shards[i]);
    reed_code_destroy(stripe.code);
    return 0;
}
