/* test_plan.c - codes and plans: every pattern of losses of small stripes, shapes at the limits, each
 * kernel decoding what another encoded, and what every public function says to wrong arguments. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS, setenv */
#include "oracle.h"
#include "reed.h"

enum { COLUMNS = 5, SHARDS = REED_SHARDS_MAX };

static const uint64_t seed = 20240403;

static uint64_t state;
static uint8_t shards[SHARDS][COLUMNS], made[SHARDS][COLUMNS];

static struct reed_code_options options_for(enum reed_generator generator, uint32_t data_shards,
                                            uint32_t parity_shards)
{
    return (struct reed_code_options){
        .struct_size = sizeof(struct reed_code_options),
        .generator = generator,
        .data_shards = data_shards,
        .parity_shards = parity_shards,
    };
}

static struct reed_code *code_of(struct reed_code_options options)
{
    struct reed_code *code = NULL;
    enum reed_status status = reed_code_create(&options, &code);
    CHECK(status == REED_OK, "generator %d %u+%u: %s", (int)options.generator,
          options.data_shards, options.parity_shards, reed_status_message(status));
    return code;
}

/* Applies a plan to `count` columns; scratch is what the plan states. */
static void apply(const struct reed_plan *plan, const uint8_t *const *sources,
                  uint8_t *const *targets, size_t count)
{
    size_t size = reed_plan_apply_scratch_size(plan);
    void *scratch = size > 0 ? malloc(size) : NULL;
    CHECK(size == 0 || scratch != NULL, "malloc");
    CHECK(reed_plan_apply(plan, sources, targets, 0, count, scratch) == REED_OK, "apply");
    free(scratch);
}

/* Random data and its parity, from the code's rows and the oracle's field. */
static void fill_stripe(const struct reed_code *code)
{
    uint32_t k = reed_code_data_shards(code), m = reed_code_parity_shards(code);
    const uint8_t *sources[SHARDS];
    uint8_t row[SHARDS];
    for (uint32_t i = 0; i < k; i++) {
        random_bytes(&state, shards[i], COLUMNS);
        sources[i] = shards[i];
    }
    for (uint32_t i = 0; i < k + m; i++) {
        CHECK(reed_code_row(code, i, row) == REED_OK, "row");
        for (size_t c = 0; c < COLUMNS; c++) {
            uint8_t value = oracle_dot(row, k, sources, c);
            if (i < k) CHECK(value == shards[i][c], "systematic row %u", i);
            shards[i][c] = value;
        }
    }
}

/* Rebuilds `wanted` from `available`, with the stripe's bytes at hand. */
static enum reed_status rebuild(const struct reed_code *code, const uint32_t *available,
                                size_t available_count, const uint32_t *wanted,
                                size_t wanted_count)
{
    struct reed_plan *plan = (struct reed_plan *)&state;
    enum reed_status status = reed_plan_create_reconstruct(code, available, available_count,
                                                           wanted, wanted_count, &plan);
    if (status != REED_OK) {
        CHECK(plan == NULL, "a failing creator stores NULL");
        return status;
    }
    const uint8_t *sources[SHARDS];
    uint8_t *targets[SHARDS];
    uint32_t source_count = reed_plan_source_count(plan);
    CHECK(source_count <= reed_code_data_shards(code), "%u sources", source_count);
    CHECK(reed_plan_target_count(plan) == wanted_count, "targets");
    CHECK(reed_plan_memory_size(plan) > 0, "memory");
    for (uint32_t s = 0; s < source_count; s++) {
        uint32_t source = reed_plan_source(plan, s);
        bool is_available = false;
        for (size_t i = 0; i < available_count; i++) is_available |= available[i] == source;
        for (size_t i = 0; i < wanted_count; i++) {
            CHECK(wanted[i] != source, "wanted %u is a source", source);
        }
        CHECK(is_available, "source %u was not given", source);
        CHECK(s == 0 || source > reed_plan_source(plan, s - 1), "sources ascend");
        sources[s] = shards[source];
    }
    for (size_t t = 0; t < wanted_count; t++) {
        CHECK(reed_plan_target(plan, (uint32_t)t) == wanted[t], "target order");
        memset(made[t], 0xa5, COLUMNS);
        targets[t] = made[t];
    }
    apply(plan, sources, targets, COLUMNS);
    for (size_t t = 0; t < wanted_count; t++) {
        CHECK(memcmp(made[t], shards[wanted[t]], COLUMNS) == 0, "shard %u of %u+%u generator %d",
              wanted[t], reed_code_data_shards(code), reed_code_parity_shards(code),
              (int)reed_code_generator(code));
    }
    reed_plan_destroy(plan);
    return REED_OK;
}

static unsigned bit_count(uint32_t bits)
{
    unsigned count = 0;
    for (; bits != 0; bits &= bits - 1) count++;
    return count;
}

/* The indices in `lost` (bits) and those that are not. */
static void split_pattern(uint32_t lost, uint32_t shard_count, uint32_t *available,
                          size_t *available_count, uint32_t *wanted, size_t *wanted_count)
{
    *available_count = *wanted_count = 0;
    for (uint32_t i = 0; i < shard_count; i++) {
        if (lost >> i & 1) {
            wanted[(*wanted_count)++] = i;
        } else {
            available[(*available_count)++] = i;
        }
    }
}

static bool shape_exists(enum reed_generator generator, uint32_t k, uint32_t m)
{
    if (generator == REED_GENERATOR_REPLICATION) return k == 1;
    if (generator == REED_GENERATOR_ISAL_VAND) {
        return k <= 3 || m <= 3 || m == 4 || (k == 4) || (k == 5 && m == 5);
    }
    return true;
}

/* Every set of lost shards, of every k + m <= shard_count_max: all lost ones come back where m or
 * fewer are lost (m exactly, unless `fewer_too`), and m + 1 are refused. */
static void test_all_patterns(uint32_t shard_count_max, bool fewer_too)
{
    size_t patterns = 0, refused = 0;
    for (enum reed_generator g = REED_GENERATOR_NATIVE; g <= REED_GENERATOR_KLAUSPOST; g++) {
        for (uint32_t k = 1; k <= shard_count_max; k++) {
            for (uint32_t m = 0; k + m <= shard_count_max; m++) {
                if (!shape_exists(g, k, m)) continue;
                struct reed_code *code = code_of(options_for(g, k, m));
                fill_stripe(code);
                for (uint32_t lost = 0; lost < UINT32_C(1) << (k + m); lost++) {
                    uint32_t available[SHARDS], wanted[SHARDS];
                    size_t available_count, wanted_count;
                    unsigned count = bit_count(lost);
                    if (count > m + 1 || (count < m && !fewer_too)) continue;
                    split_pattern(lost, k + m, available, &available_count, wanted,
                                  &wanted_count);
                    enum reed_status status =
                        rebuild(code, available, available_count, wanted, wanted_count);
                    CHECK(status == (count > m ? REED_TOO_FEW_SHARDS : REED_OK),
                          "generator %d %u+%u lost %x: %s", (int)g, k, m, lost,
                          reed_status_message(status));
                    patterns += count <= m;
                    refused += count > m;
                }
                reed_code_destroy(code);
            }
        }
    }
    printf("%zu patterns rebuilt, %zu refused\n", patterns, refused);
    CHECK(patterns > 0 && refused > 0, "patterns were tried");
}

/* A wanted shard that is given is rebuilt without it; parity and data mixed; any order. */
static void test_wanted_and_given(void)
{
    for (int trial = 0; trial < 3000; trial++) {
        uint32_t k = 1 + (uint32_t)random_below(&state, trial % 10 ? 12 : 200);
        uint32_t m = 1 + (uint32_t)random_below(&state, trial % 10 ? 8 : SHARDS - k);
        struct reed_code *code = code_of(options_for(REED_GENERATOR_NATIVE, k, m));
        fill_stripe(code);
        uint32_t available[SHARDS], wanted[SHARDS];
        size_t available_count = 0, wanted_count = 0, spare = m;
        for (uint32_t i = 0; i < k + m; i++) {
            uint64_t fate = random_below(&state, 4);
            bool is_wanted = fate < 2 && spare > 0;
            if (is_wanted) wanted[wanted_count++] = i;
            if (is_wanted) spare--;
            if (!is_wanted || fate == 0) available[available_count++] = i;
        }
        for (size_t i = wanted_count; i > 1; i--) {
            size_t j = random_below(&state, i);
            uint32_t kept = wanted[i - 1];
            wanted[i - 1] = wanted[j];
            wanted[j] = kept;
        }
        CHECK(rebuild(code, available, available_count, wanted, wanted_count) == REED_OK,
              "trial %d: %u+%u", trial, k, m);
        reed_code_destroy(code);
    }
}

/* The first k usable shards are the sources of an MDS code. */
static void test_sources_are_the_lowest(void)
{
    struct reed_code *code = code_of(options_for(REED_GENERATOR_NATIVE, 4, 4));
    const uint32_t available[] = {0, 2, 3, 4, 5, 6, 7}, wanted[] = {2, 1}, expected[] = {0, 3, 4, 5};
    struct reed_plan *plan;
    CHECK(reed_plan_create_reconstruct(code, available, 7, wanted, 2, &plan) == REED_OK, "plan");
    CHECK(reed_plan_source_count(plan) == 4, "%u", reed_plan_source_count(plan));
    for (uint32_t i = 0; i < 4; i++) CHECK(reed_plan_source(plan, i) == expected[i], "%u", i);
    reed_plan_destroy(plan);
    reed_code_destroy(code);
}

/* A shape that loses data: every subset decodes exactly when its rows have full rank, by the
 * oracle's elimination; and encoding is refused. */
static void test_non_mds(enum reed_generator generator, uint32_t k, uint32_t m,
                         const uint8_t *matrix)
{
    struct reed_code_options options = options_for(generator, k, m);
    struct reed_code *code;
    options.matrix = matrix;
    if (generator != REED_GENERATOR_EXPLICIT) {
        CHECK(reed_code_create(&options, &code) == REED_NOT_MDS && code == NULL, "%u+%u", k, m);
        options.flags = REED_ALLOW_NON_MDS;
    }
    code = code_of(options);
    fill_stripe(code);
    struct reed_plan *plan;
    enum reed_status encode = reed_plan_create_encode(code, &plan);
    CHECK(encode == (matrix ? REED_OK : REED_NOT_MDS), "encode: %d", (int)encode);
    reed_plan_destroy(plan);
    size_t singular = 0, regular = 0;
    for (uint32_t lost = 0; lost < UINT32_C(1) << (k + m); lost++) {
        uint32_t available[SHARDS], wanted[SHARDS];
        size_t available_count, wanted_count;
        uint8_t rows[SHARDS * SHARDS];
        split_pattern(lost, k + m, available, &available_count, wanted, &wanted_count);
        for (size_t i = 0; i < available_count; i++) {
            CHECK(reed_code_row(code, available[i], rows + i * k) == REED_OK, "row");
        }
        bool decodes = oracle_rank(rows, available_count, k) == k;
        enum reed_status expected = available_count < k ? REED_TOO_FEW_SHARDS
                                    : decodes           ? REED_OK
                                                        : REED_SINGULAR;
        enum reed_status status = rebuild(code, available, available_count, wanted, wanted_count);
        CHECK(status == expected, "%u+%u lost %x: %d, not %d", k, m, lost, (int)status,
              (int)expected);
        singular += expected == REED_SINGULAR;
        regular += expected == REED_OK;
    }
    CHECK(singular > 0 && regular > 0, "%zu singular, %zu regular", singular, regular);
    reed_code_destroy(code);
}

static void test_non_mds_shapes(void)
{
    test_non_mds(REED_GENERATOR_ISAL_VAND, 6, 5, NULL);
    test_non_mds(REED_GENERATOR_ISAL_VAND, 5, 6, NULL);
    test_non_mds(REED_GENERATOR_ISAL_VAND, 9, 5, NULL);
    /* Two local groups and one global parity: sparse, with rows of zeros and ones. */
    static const uint8_t local[5 * 6] = {
        1, 1, 1, 0, 0, 0,  0, 0, 0, 1, 1, 1,  1, 2, 4, 8, 16, 32,  0, 0, 0, 0, 0, 0,
        1, 1, 1, 1, 1, 1,
    };
    test_non_mds(REED_GENERATOR_EXPLICIT, 6, 5, local);
}

/* Encode on one kernel, rebuild on another: all pairs, and the same bytes from each. */
static void test_kernel_pairs(void)
{
    enum { SIZE = 4099, K = 11, M = 5 };
    static uint8_t data[K][SIZE], parity[2][M][SIZE], rebuilt[M][SIZE];
    const struct reed_kernel *supported[16];
    size_t count = 0;
    for (size_t i = 0; reed_kernel_at(i) != NULL; i++) {
        if (reed_kernel_is_supported(reed_kernel_at(i))) supported[count++] = reed_kernel_at(i);
    }
    CHECK(count > 0 && strcmp(reed_kernel_name(supported[count - 1]), "portable") == 0,
          "portable comes last");
    for (size_t i = 0; i < K; i++) random_bytes(&state, data[i], SIZE);
    for (size_t a = 0; a < count; a++) {
        for (size_t b = 0; b < count; b++) {
            struct reed_code_options options = options_for(REED_GENERATOR_NATIVE, K, M);
            options.kernel = supported[a];
            struct reed_code *encoder = code_of(options);
            options.kernel = supported[b];
            struct reed_code *decoder = code_of(options);
            CHECK(reed_code_kernel(encoder) == supported[a], "kernel");
            CHECK(reed_code_matrix_crc32c(encoder) == reed_code_matrix_crc32c(decoder), "crc");
            struct reed_plan *plan;
            const uint8_t *sources[K];
            uint8_t *targets[M];
            for (size_t i = 0; i < K; i++) sources[i] = data[i];
            for (size_t i = 0; i < M; i++) targets[i] = parity[a > 0 || b > 0][i];
            memset(parity[a > 0 || b > 0], 0xa5, sizeof parity[0]);
            CHECK(reed_plan_create_encode(encoder, &plan) == REED_OK, "plan");
            apply(plan, sources, targets, SIZE);
            reed_plan_destroy(plan);
            if (a > 0 || b > 0) CHECK(memcmp(parity[0], parity[1], sizeof parity[0]) == 0, "bytes");
            /* Data 0 .. M-1 from the others. */
            uint32_t available[K], wanted[M];
            for (uint32_t i = 0; i < K; i++) available[i] = i + M;
            for (uint32_t i = 0; i < M; i++) wanted[i] = i;
            CHECK(reed_plan_create_reconstruct(decoder, available, K, wanted, M, &plan) == REED_OK,
                  "plan");
            for (size_t i = 0; i < K; i++) {
                sources[i] = i + M < K ? data[i + M] : targets[i + M - K];
            }
            uint8_t *rebuilt_rows[M];
            for (size_t i = 0; i < M; i++) rebuilt_rows[i] = rebuilt[i];
            memset(rebuilt, 0xa5, sizeof rebuilt);
            apply(plan, sources, rebuilt_rows, SIZE);
            CHECK(memcmp(rebuilt, data, sizeof rebuilt) == 0, "%s to %s",
                  reed_kernel_name(supported[a]), reed_kernel_name(supported[b]));
            reed_plan_destroy(plan);
            reed_code_destroy(encoder);
            reed_code_destroy(decoder);
        }
    }
}

/* k + m of 1, 2, 255 and 256 with the extremes of k; each loop in the library must end. */
static void test_extreme_shapes(void)
{
    const uint32_t counts[] = {1, 2, 255, 256};
    for (enum reed_generator g = REED_GENERATOR_NATIVE; g <= REED_GENERATOR_KLAUSPOST; g++) {
        for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
            const uint32_t n = counts[c], choices[] = {1, 2, n / 2, n - 2, n - 1, n};
            for (size_t i = 0; i < sizeof choices / sizeof choices[0]; i++) {
                uint32_t k = choices[i], m = n - k;
                if (k < 1 || k > n) continue;
                struct reed_code_options options = options_for(g, k, m);
                struct reed_code *code;
                enum reed_status expected = REED_OK;
                if (g == REED_GENERATOR_REPLICATION && k != 1) expected = REED_INVALID_PARAMETER;
                if (g == REED_GENERATOR_VAND_INV && n == 256) expected = REED_NOT_MDS;
                if (g == REED_GENERATOR_ISAL_VAND && k > 3 && m > 3) expected = REED_NOT_MDS;
                enum reed_status status = reed_code_create(&options, &code);
                CHECK(status == expected && (code != NULL) == (expected == REED_OK),
                      "generator %d %u+%u: %d", (int)g, k, m, (int)status);
                if (status != REED_OK) continue;
                CHECK(reed_code_data_shards(code) == k && reed_code_parity_shards(code) == m &&
                          reed_code_generator(code) == g,
                      "getters");
                fill_stripe(code);
                uint32_t available[SHARDS], wanted[SHARDS];
                for (uint32_t j = 0; j < k; j++) available[j] = m + j;
                for (uint32_t j = 0; j < m; j++) wanted[j] = j;
                CHECK(rebuild(code, available, k, wanted, m) == REED_OK, "%u+%u", k, m);
                for (uint32_t j = 0; j < k; j++) available[j] = j;
                for (uint32_t j = 0; j < m; j++) wanted[j] = k + j;
                CHECK(rebuild(code, available, k, wanted, m) == REED_OK, "%u+%u", k, m);
                reed_code_destroy(code);
            }
        }
    }
}

/* ---- wrong arguments ------------------------------------------------------------------------ */

static void test_code_arguments(void)
{
    struct reed_code *const other = (struct reed_code *)&state;
    struct reed_code *code = other;
    struct reed_code_options options = options_for(REED_GENERATOR_NATIVE, 4, 2);
    CHECK(reed_code_create(&options, NULL) == REED_INVALID_PARAMETER, "NULL code");
    CHECK(reed_code_create(NULL, &code) == REED_INVALID_PARAMETER && code == NULL, "NULL options");

    const struct {
        enum reed_generator generator;
        uint32_t data_shards, parity_shards, flags;
        size_t struct_size;
        enum reed_status status;
    } cases[] = {
        {REED_GENERATOR_NATIVE, 0, 2, 0, 0, REED_INVALID_PARAMETER},
        {REED_GENERATOR_NATIVE, 0, 0, 0, 0, REED_INVALID_PARAMETER},
        {REED_GENERATOR_NATIVE, 257, 0, 0, 0, REED_INVALID_PARAMETER},
        {REED_GENERATOR_NATIVE, 256, 1, 0, 0, REED_INVALID_PARAMETER},
        {REED_GENERATOR_NATIVE, 1, 256, 0, 0, REED_INVALID_PARAMETER},
        {REED_GENERATOR_NATIVE, UINT32_MAX, 2, 0, 0, REED_INVALID_PARAMETER},
        {REED_GENERATOR_NATIVE, 2, UINT32_MAX, 0, 0, REED_INVALID_PARAMETER},
        {REED_GENERATOR_NATIVE, 2, UINT32_MAX - 1, 0, 0, REED_INVALID_PARAMETER},
        {REED_GENERATOR_NATIVE, 4, 2, 2, 0, REED_INVALID_PARAMETER},
        {REED_GENERATOR_NATIVE, 4, 2, 0, 1, REED_INVALID_PARAMETER},
        {REED_GENERATOR_NATIVE, 4, 2, 0, sizeof options + 8, REED_INVALID_PARAMETER},
        {REED_GENERATOR_EXPLICIT, 4, 2, 0, 0, REED_INVALID_PARAMETER}, /* no matrix */
        {REED_GENERATOR_REPLICATION, 2, 2, 0, 0, REED_INVALID_PARAMETER},
        {REED_GENERATOR_VAND_INV, 250, 6, 0, 0, REED_NOT_MDS},
        {(enum reed_generator)0, 4, 2, 0, 0, REED_UNKNOWN_GENERATOR},
        {(enum reed_generator)8, 4, 2, 0, 0, REED_UNKNOWN_GENERATOR},
        {(enum reed_generator)254, 4, 2, REED_ALLOW_NON_MDS, 0, REED_UNKNOWN_GENERATOR},
        {(enum reed_generator)256, 4, 2, 0, 0, REED_UNKNOWN_GENERATOR},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        options = options_for(cases[i].generator, cases[i].data_shards, cases[i].parity_shards);
        options.flags = cases[i].flags;
        if (cases[i].struct_size != 0) options.struct_size = cases[i].struct_size;
        code = other;
        enum reed_status status = reed_code_create(&options, &code);
        CHECK(status == cases[i].status && code == NULL, "case %zu: %d", i, (int)status);
    }

    static const uint8_t matrix[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    options = options_for(REED_GENERATOR_NATIVE, 4, 2);
    options.matrix = matrix;
    CHECK(reed_code_create(&options, &code) == REED_INVALID_PARAMETER, "a matrix not asked for");

    code = code_of(options_for(REED_GENERATOR_NATIVE, 4, 2));
    uint8_t row[4];
    CHECK(reed_code_row(NULL, 0, row) == REED_INVALID_PARAMETER, "NULL code");
    CHECK(reed_code_row(code, 0, NULL) == REED_INVALID_PARAMETER, "NULL row");
    CHECK(reed_code_row(code, 5, row) == REED_OK, "last");
    CHECK(reed_code_row(code, 6, row) == REED_INVALID_PARAMETER, "k + m");
    CHECK(reed_code_row(code, 7, row) == REED_INVALID_PARAMETER, "k + m + 1");
    CHECK(reed_code_row(code, UINT32_MAX, row) == REED_INVALID_PARAMETER, "max");
    reed_code_destroy(code);
    reed_code_destroy(NULL);
}

static void test_reconstruct_arguments(void)
{
    struct reed_code *code = code_of(options_for(REED_GENERATOR_NATIVE, 4, 2));
    const struct {
        uint32_t available[7], wanted[7];
        size_t available_count, wanted_count;
        enum reed_status status;
    } cases[] = {
        {{0, 1, 2, 3}, {5}, 4, 1, REED_OK},
        {{0, 1, 2, 3}, {6}, 4, 1, REED_INVALID_PARAMETER},
        {{0, 1, 2, 3}, {7}, 4, 1, REED_INVALID_PARAMETER},
        {{0, 1, 2, 3}, {UINT32_MAX}, 4, 1, REED_INVALID_PARAMETER},
        {{0, 1, 2, 6}, {5}, 4, 1, REED_INVALID_PARAMETER},
        {{0, 1, 2, UINT32_MAX}, {5}, 4, 1, REED_INVALID_PARAMETER},
        {{0, 1, 1, 2}, {5}, 4, 1, REED_INVALID_PARAMETER},
        {{1, 0, 2, 3}, {5}, 4, 1, REED_INVALID_PARAMETER},
        {{0, 1, 2, 3}, {5, 5}, 4, 2, REED_INVALID_PARAMETER},
        {{0, 1, 2}, {5}, 3, 1, REED_TOO_FEW_SHARDS},
        {{0, 1, 2, 5}, {5}, 4, 1, REED_TOO_FEW_SHARDS}, /* a wanted shard is no source */
        {{0}, {1}, 0, 1, REED_TOO_FEW_SHARDS},
        {{0, 1, 2, 3}, {0}, 4, 0, REED_OK},
        {{0, 1, 2}, {0}, 3, 0, REED_TOO_FEW_SHARDS},
        {{0, 1, 2, 3, 4, 5}, {0, 1}, 6, 2, REED_OK},
        {{0, 1, 2, 3, 4, 5}, {0, 1, 2}, 6, 3, REED_TOO_FEW_SHARDS},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fill_stripe(code);
        enum reed_status status = rebuild(code, cases[i].available, cases[i].available_count,
                                          cases[i].wanted, cases[i].wanted_count);
        CHECK(status == cases[i].status, "case %zu: %d", i, (int)status);
    }
    const uint32_t indices[] = {0, 1, 2, 3};
    struct reed_plan *plan = (struct reed_plan *)&state;
    CHECK(reed_plan_create_reconstruct(code, indices, 4, indices, 1, NULL) ==
              REED_INVALID_PARAMETER,
          "NULL plan");
    CHECK(reed_plan_create_reconstruct(NULL, indices, 4, indices, 1, &plan) ==
                  REED_INVALID_PARAMETER &&
              plan == NULL,
          "NULL code");
    CHECK(reed_plan_create_reconstruct(code, NULL, 4, indices, 1, &plan) ==
              REED_INVALID_PARAMETER,
          "NULL available");
    CHECK(reed_plan_create_reconstruct(code, indices, 4, NULL, 1, &plan) ==
              REED_INVALID_PARAMETER,
          "NULL wanted");
    CHECK(reed_plan_create_reconstruct(code, NULL, 0, NULL, 0, &plan) == REED_TOO_FEW_SHARDS,
          "nothing given");
    CHECK(reed_plan_create_encode(code, NULL) == REED_INVALID_PARAMETER, "NULL plan");
    CHECK(reed_plan_create_encode(NULL, &plan) == REED_INVALID_PARAMETER && plan == NULL,
          "NULL code");
    reed_plan_destroy(NULL);
    reed_code_destroy(code);
}

static void test_update_arguments(void)
{
    struct reed_code *code = code_of(options_for(REED_GENERATOR_NATIVE, 4, 2));
    const struct {
        uint32_t shard_index, parity[3];
        size_t parity_count;
        enum reed_status status;
    } cases[] = {
        {0, {4, 5}, 2, REED_OK},
        {3, {5, 4}, 2, REED_OK},
        {3, {5}, 1, REED_OK},
        {3, {5}, 0, REED_OK},
        {4, {4, 5}, 2, REED_INVALID_PARAMETER},
        {5, {4, 5}, 2, REED_INVALID_PARAMETER},
        {UINT32_MAX, {4, 5}, 2, REED_INVALID_PARAMETER},
        {0, {4, 4}, 2, REED_INVALID_PARAMETER},
        {0, {4, 5, 4}, 3, REED_INVALID_PARAMETER},
        {0, {3, 5}, 2, REED_INVALID_PARAMETER},
        {0, {4, 6}, 2, REED_INVALID_PARAMETER},
        {0, {4, UINT32_MAX}, 2, REED_INVALID_PARAMETER},
    };
    struct reed_plan *plan;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        plan = (struct reed_plan *)&state;
        enum reed_status status = reed_plan_create_update(
            code, cases[i].shard_index, cases[i].parity, cases[i].parity_count, &plan);
        CHECK(status == cases[i].status && (plan != NULL) == (status == REED_OK), "case %zu: %d",
              i, (int)status);
        if (status == REED_OK) {
            CHECK(reed_plan_source_count(plan) == 2, "old and new");
            CHECK(reed_plan_source(plan, 0) == cases[i].shard_index &&
                      reed_plan_source(plan, 1) == cases[i].shard_index,
                  "sources");
            for (uint32_t t = 0; t < cases[i].parity_count; t++) {
                CHECK(reed_plan_target(plan, t) == cases[i].parity[t], "target %u", t);
            }
            uint8_t byte = 0;
            CHECK(reed_plan_compare(plan, (const uint8_t *[]){&byte, &byte},
                                    (const uint8_t *[]){&byte, &byte}, 0, 0, &state, NULL) ==
                      REED_INVALID_PARAMETER,
                  "an update has nothing to compare");
        }
        reed_plan_destroy(plan);
    }
    CHECK(reed_plan_create_update(code, 0, NULL, 1, &plan) == REED_INVALID_PARAMETER, "NULL");
    CHECK(reed_plan_create_update(code, 0, NULL, 0, &plan) == REED_OK, "nothing to update");
    reed_plan_destroy(plan);
    CHECK(reed_plan_create_update(NULL, 0, NULL, 0, &plan) == REED_INVALID_PARAMETER, "NULL");
    CHECK(reed_plan_create_update(code, 0, NULL, 0, NULL) == REED_INVALID_PARAMETER, "NULL");
    reed_code_destroy(code);
}

static void test_matrix_arguments(void)
{
    enum { LIMIT = 65536 };
    struct reed_plan *plan;
    uint8_t *matrix = malloc(LIMIT + 1);
    CHECK(matrix != NULL, "malloc");
    memset(matrix, 3, LIMIT + 1);
    const struct {
        size_t target_count, source_count;
        enum reed_status status;
    } cases[] = {
        {1, 0, REED_INVALID_PARAMETER},
        {0, 0, REED_INVALID_PARAMETER},
        {0, 1, REED_OK},
        {0, LIMIT, REED_OK},
        {1, LIMIT, REED_OK},
        {LIMIT, 1, REED_OK},
        {1, LIMIT + 1, REED_INVALID_PARAMETER},
        {LIMIT + 1, 1, REED_INVALID_PARAMETER},
        {SIZE_MAX, 2, REED_INVALID_PARAMETER},
        {2, SIZE_MAX, REED_INVALID_PARAMETER},
        {SIZE_MAX / 2 + 1, 2, REED_INVALID_PARAMETER},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        plan = (struct reed_plan *)&state;
        enum reed_status status = reed_plan_create_matrix(
            NULL, NULL, matrix, cases[i].target_count, cases[i].source_count, &plan);
        CHECK(status == cases[i].status && (plan != NULL) == (status == REED_OK), "case %zu: %d",
              i, (int)status);
        reed_plan_destroy(plan);
    }
    CHECK(reed_plan_create_matrix(NULL, NULL, NULL, 1, 1, &plan) == REED_INVALID_PARAMETER &&
              plan == NULL,
          "NULL matrix");
    CHECK(reed_plan_create_matrix(NULL, NULL, NULL, 0, 1, &plan) == REED_OK, "no targets");
    reed_plan_destroy(plan);
    CHECK(reed_plan_create_matrix(NULL, NULL, matrix, 1, 1, NULL) == REED_INVALID_PARAMETER,
          "NULL plan");

    /* As many sources, and as many targets, as there may be: a sum of 65,536 bytes; 65,536 copies. */
    const uint8_t **sources = malloc(LIMIT * sizeof *sources);
    uint8_t **targets = malloc(LIMIT * sizeof *targets);
    uint8_t *bytes = malloc(LIMIT);
    CHECK(sources != NULL && targets != NULL && bytes != NULL, "malloc");
    uint8_t total = 0, sum = 0xa5;
    random_bytes(&state, bytes, LIMIT);
    for (size_t i = 0; i < LIMIT; i++) {
        sources[i] = targets[i] = bytes + i;
        total ^= oracle_multiply(3, bytes[i]);
    }
    CHECK(reed_plan_create_matrix(NULL, NULL, matrix, 1, LIMIT, &plan) == REED_OK, "plan");
    apply(plan, sources, (uint8_t *[]){&sum}, 1);
    CHECK(sum == total, "sum of %d sources", LIMIT);
    reed_plan_destroy(plan);
    CHECK(reed_plan_create_matrix(NULL, NULL, matrix, LIMIT, 1, &plan) == REED_OK, "plan");
    apply(plan, (const uint8_t *[]){&sum}, targets, 1);
    for (size_t i = 0; i < LIMIT; i++) CHECK(bytes[i] == oracle_multiply(3, sum), "%zu", i);
    reed_plan_destroy(plan);
    free(sources);
    free(targets);
    free(bytes);
    free(matrix);
}

static void test_apply_arguments(void)
{
    static const uint8_t matrix[2] = {2, 3};
    uint8_t bytes[4] = {1, 2, 3, 4}, target[4] = {9, 9, 9, 9};
    const uint8_t *sources[] = {bytes, bytes};
    uint8_t *targets[] = {target};
    const uint8_t *compared[] = {target};
    struct reed_plan *plan;
    CHECK(reed_plan_create_matrix(NULL, NULL, matrix, 1, 2, &plan) == REED_OK, "plan");
    CHECK(reed_plan_apply(NULL, sources, targets, 0, 4, NULL) == REED_INVALID_PARAMETER, "plan");
    CHECK(reed_plan_apply(plan, NULL, targets, 0, 4, NULL) == REED_INVALID_PARAMETER, "sources");
    CHECK(reed_plan_apply(plan, sources, NULL, 0, 4, NULL) == REED_INVALID_PARAMETER, "targets");
    CHECK(reed_plan_apply(plan, sources, targets, 3, 2, NULL) == REED_INVALID_PARAMETER, "range");
    CHECK(reed_plan_apply(plan, sources, targets, SIZE_MAX, 0, NULL) == REED_INVALID_PARAMETER,
          "range");
    CHECK(reed_plan_apply(plan, sources, targets, 4, 4, NULL) == REED_OK, "an empty range");
    CHECK(reed_plan_apply(plan, sources, targets, SIZE_MAX, SIZE_MAX, NULL) == REED_OK,
          "an empty range touches nothing");
    for (size_t i = 0; i < 4; i++) CHECK(target[i] == 9, "a refused call wrote");
    size_t column;
    void *scratch = malloc(reed_plan_compare_scratch_size(plan));
    CHECK(scratch != NULL, "malloc");
    CHECK(reed_plan_compare(NULL, sources, compared, 0, 4, scratch, &column) ==
              REED_INVALID_PARAMETER, "plan");
    CHECK(reed_plan_compare(plan, NULL, compared, 0, 4, scratch, &column) ==
              REED_INVALID_PARAMETER, "sources");
    CHECK(reed_plan_compare(plan, sources, NULL, 0, 4, scratch, &column) ==
              REED_INVALID_PARAMETER, "targets");
    CHECK(reed_plan_compare(plan, sources, compared, 2, 1, scratch, &column) ==
              REED_INVALID_PARAMETER, "range");
    CHECK(reed_plan_compare(plan, sources, compared, 0, 4, NULL, &column) ==
              REED_INVALID_PARAMETER, "scratch");
    CHECK(reed_plan_compare(plan, sources, compared, 4, 4, scratch, &column) == REED_OK, "empty");
    free(scratch);

    uint32_t checksums[3];
    scratch = malloc(reed_plan_apply_crc32c_scratch_size(plan));
    CHECK(scratch != NULL, "malloc");
    const struct {
        const struct reed_plan *plan;
        const uint8_t *const *sources;
        uint8_t *const *targets;
        size_t begin, end, block_size, stride;
        uint32_t *source_crc32c, *target_crc32c;
        void *scratch;
    } cases[] = {
        {NULL, sources, targets, 0, 4, 4, 1, checksums, checksums + 2, scratch},
        {plan, NULL, targets, 0, 4, 4, 1, checksums, checksums + 2, scratch},
        {plan, sources, NULL, 0, 4, 4, 1, checksums, checksums + 2, scratch},
        {plan, sources, targets, 3, 2, 4, 1, checksums, checksums + 2, scratch},
        {plan, sources, targets, 0, 4, 0, 1, checksums, checksums + 2, scratch},
        {plan, sources, targets, 0, 4, 3, 1, checksums, checksums + 2, scratch},
        {plan, sources, targets, 0, 4, 4, 0, checksums, checksums + 2, scratch},
        {plan, sources, targets, 0, 4, 4, 1, NULL, checksums + 2, scratch},
        {plan, sources, targets, 0, 4, 4, 1, checksums, NULL, scratch},
        {plan, sources, targets, 0, 4, 4, 1, checksums, checksums + 2, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CHECK(reed_plan_apply_crc32c(cases[i].plan, cases[i].sources, cases[i].targets,
                                     cases[i].begin, cases[i].end, cases[i].block_size,
                                     cases[i].source_crc32c, cases[i].target_crc32c,
                                     cases[i].stride, cases[i].scratch) == REED_INVALID_PARAMETER,
              "case %zu", i);
    }
    for (size_t i = 0; i < 4; i++) CHECK(target[i] == 9, "a refused call wrote");
    CHECK(reed_plan_apply_crc32c(plan, sources, targets, 4, 4, 1, checksums, checksums + 2, 0,
                                 scratch) == REED_OK,
          "an empty range has no blocks");
    free(scratch);
    reed_plan_destroy(plan);
}

static void test_locate_arguments(void)
{
    struct reed_code *code = code_of(options_for(REED_GENERATOR_NATIVE, 4, 2));
    fill_stripe(code);
    const uint32_t indices[] = {0, 1, 2, 3, 4, 5}, unsorted[] = {0, 1, 2, 3, 5, 4},
                   twice[] = {0, 1, 2, 3, 4, 4}, beyond[] = {0, 1, 2, 3, 4, 6};
    const uint8_t *given[6];
    uint32_t wrong[6];
    size_t count = 77, column = 0;
    for (size_t i = 0; i < 6; i++) given[i] = shards[i];
    CHECK(reed_locate(code, indices, 6, given, COLUMNS, wrong, NULL, &column) ==
              REED_INVALID_PARAMETER, "count");
    CHECK(reed_locate(NULL, indices, 6, given, COLUMNS, wrong, &count, &column) ==
              REED_INVALID_PARAMETER && count == 0, "code");
    const struct {
        const uint32_t *indices;
        const uint8_t *const *shards;
        uint32_t *wrong;
        size_t given_count;
        enum reed_status status;
    } cases[] = {
        {NULL, given, wrong, 6, REED_INVALID_PARAMETER},
        {indices, NULL, wrong, 6, REED_INVALID_PARAMETER},
        {indices, given, NULL, 6, REED_INVALID_PARAMETER},
        {unsorted, given, wrong, 6, REED_INVALID_PARAMETER},
        {twice, given, wrong, 6, REED_INVALID_PARAMETER},
        {beyond, given, wrong, 6, REED_INVALID_PARAMETER},
        {NULL, NULL, wrong, 0, REED_TOO_FEW_SHARDS},
        {indices, given, wrong, 4, REED_TOO_FEW_SHARDS},
        {indices, given, wrong, 5, REED_OK},
        {indices, given, wrong, 6, REED_OK},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        count = 77;
        enum reed_status status = reed_locate(code, cases[i].indices, cases[i].given_count,
                                              cases[i].shards, COLUMNS, cases[i].wrong, &count,
                                              NULL);
        CHECK(status == cases[i].status && count == 0, "case %zu: %d", i, (int)status);
    }
    uint8_t intact = shards[2][3];
    shards[2][3] ^= 7;
    CHECK(reed_locate(code, indices, 6, given, COLUMNS, wrong, &count, &column) == REED_OK &&
              count == 1 && wrong[0] == 2,
          "one wrong shard");
    for (unsigned error = 1; error < 256; error++) {
        shards[2][3] = (uint8_t)(intact ^ error);
        CHECK(reed_locate(code, indices, 5, given, COLUMNS, wrong, &count, &column) ==
                      REED_AMBIGUOUS && count == 0 && column == 3,
              "one check shard locates nothing: error %u", error);
    }
    CHECK(reed_locate(code, indices, 6, given, 0, wrong, &count, &column) == REED_OK && count == 0,
          "no columns");
    reed_code_destroy(code);
}

/* So many shards that a few columns of them are larger than the caches. */
static void test_more_shards_than_columns(void)
{
    enum { SOURCES = 65536, SIZE_MAX_TESTED = 70 };
    static uint8_t row[SOURCES], data[3][SIZE_MAX_TESTED], made_columns[SIZE_MAX_TESTED + 64];
    static const uint8_t *sources[SOURCES];
    static const size_t sizes[] = {1, 31, 32, 33, 40, 63, 64, 65, SIZE_MAX_TESTED};
    random_bytes(&state, row, sizeof row);
    random_bytes(&state, data[0], sizeof data);
    uint8_t folded[3] = {0, 0, 0}; /* the sum of each array's coefficients */
    for (size_t s = 0; s < SOURCES; s++) {
        sources[s] = data[s % 3];
        folded[s % 3] ^= row[s];
    }
    const struct reed_kernel *kernel;
    for (size_t i = 0; (kernel = reed_kernel_at(i)) != NULL; i++) {
        if (!reed_kernel_is_supported(kernel)) continue;
        struct reed_plan *plan;
        CHECK(reed_plan_create_matrix(kernel, NULL, row, 1, SOURCES, &plan) == REED_OK, "plan");
        for (size_t n = 0; n < sizeof sizes / sizeof sizes[0]; n++) {
            size_t size = sizes[n];
            for (size_t skew = 0; skew < 2; skew++) {
                uint8_t *target = made_columns + skew;
                memset(made_columns, 0xa5, sizeof made_columns);
                apply(plan, sources, &target, size);
                for (size_t c = 0; c < size; c++) {
                    const uint8_t *arrays[3] = {data[0], data[1], data[2]};
                    CHECK(target[c] == oracle_dot(folded, 3, arrays, c), "%s: column %zu of %zu",
                          reed_kernel_name(kernel), c, size);
                }
                CHECK(target[size] == 0xa5, "beyond %zu columns", size);
            }
        }
        reed_plan_destroy(plan);
    }
}

static void test_names(void)
{
    for (int status = -1; status < 300; status++) {
        const char *message = reed_status_message((enum reed_status)status);
        CHECK(message != NULL && message[0] != '\0', "status %d", status);
    }
    size_t known = 0;
    for (int number = -1; number < 300; number++) {
        const char *name = reed_generator_name((enum reed_generator)number);
        if (name == NULL) continue;
        enum reed_generator found = (enum reed_generator)0;
        CHECK(reed_generator_find(name, &found) == REED_OK && (int)found == number, "%s", name);
        known++;
    }
    CHECK(known == 8, "%zu generators", known);
    enum reed_generator generator;
    CHECK(reed_generator_find("nativ", &generator) == REED_UNKNOWN_GENERATOR, "unknown");
    CHECK(reed_generator_find("", &generator) == REED_UNKNOWN_GENERATOR, "empty");
    CHECK(reed_generator_find(NULL, &generator) == REED_INVALID_PARAMETER, "NULL");
    CHECK(reed_generator_find("native", NULL) == REED_INVALID_PARAMETER, "NULL");
    CHECK(strchr(reed_version(), '.') != NULL, "version");
}

static void test_kernel_choice(void)
{
    const struct reed_kernel *kernel, *preferred = NULL;
    size_t count = 0;
    while (reed_kernel_at(count) != NULL) count++;
    CHECK(count >= 1 && reed_kernel_at(count + 1) == NULL && reed_kernel_at(SIZE_MAX) == NULL,
          "the list ends");
    for (size_t i = count; i-- > 0;) {
        const struct reed_kernel *listed = reed_kernel_at(i);
        bool is_supported = reed_kernel_is_supported(listed);
        if (is_supported) preferred = listed;
        enum reed_status status = reed_kernel_find(reed_kernel_name(listed), &kernel);
        CHECK(status == (is_supported ? REED_OK : REED_UNSUPPORTED_KERNEL), "find");
        CHECK(kernel == (is_supported ? listed : NULL), "find");
        CHECK(setenv("REED_KERNEL", reed_kernel_name(listed), 1) == 0, "setenv");
        for (int empty = 0; empty < 2; empty++) {
            CHECK(reed_kernel_find(empty ? "" : NULL, &kernel) == status, "from the environment");
            CHECK(kernel == (is_supported ? listed : NULL), "from the environment");
        }
        /* A name that is given wins over the environment. */
        CHECK(reed_kernel_find("portable", &kernel) == REED_OK, "portable");
    }
    struct reed_code_options options = options_for(REED_GENERATOR_NATIVE, 2, 1);
    struct reed_code *code;
    struct reed_plan *plan;
    static const uint8_t one[1] = {1};
    CHECK(setenv("REED_KERNEL", "avx1024", 1) == 0, "setenv");
    CHECK(reed_kernel_find(NULL, &kernel) == REED_UNKNOWN_KERNEL && kernel == NULL, "unknown");
    CHECK(reed_code_create(&options, &code) == REED_UNKNOWN_KERNEL && code == NULL, "code");
    CHECK(reed_plan_create_matrix(NULL, NULL, one, 1, 1, &plan) == REED_UNKNOWN_KERNEL &&
              plan == NULL,
          "plan");
    CHECK(setenv("REED_KERNEL", "", 1) == 0, "setenv");
    CHECK(reed_kernel_find(NULL, &kernel) == REED_OK && kernel == preferred, "empty means unset");
    CHECK(unsetenv("REED_KERNEL") == 0, "unsetenv");
    CHECK(reed_kernel_find(NULL, &kernel) == REED_OK && kernel == preferred, "preferred");
    CHECK(reed_kernel_find("AVX2", &kernel) == REED_UNKNOWN_KERNEL && kernel == NULL, "case");
    CHECK(reed_kernel_find("avx2 ", &kernel) == REED_UNKNOWN_KERNEL, "space");
    CHECK(reed_kernel_find("portable", NULL) == REED_INVALID_PARAMETER, "NULL");
}

int main(int argc, char **argv)
{
    bool is_long = argc > 1 && strcmp(argv[1], "long") == 0;
    state = seed;
    printf("seed %llu\n", (unsigned long long)seed);
    oracle_prepare();
    test_kernel_choice();
    test_names();
    test_code_arguments();
    test_reconstruct_arguments();
    test_update_arguments();
    test_matrix_arguments();
    test_apply_arguments();
    test_more_shards_than_columns();
    test_locate_arguments();
    test_extreme_shapes();
    test_sources_are_the_lowest();
    test_wanted_and_given();
    test_non_mds_shapes();
    test_kernel_pairs();
    test_all_patterns(is_long ? 16 : 10, true);
    test_all_patterns(16, false);
    return EXIT_SUCCESS;
}
