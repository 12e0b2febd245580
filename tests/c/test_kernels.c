/* test_kernels.c KERNEL [ROUNDS] - the arithmetic of one kernel against the slow oracle.
 *
 * Every trial puts each shard between inaccessible pages: the columns that the call may touch begin
 * right behind one, or end right before one, or lie at a wanted alignment. Targets are poisoned,
 * and every other byte of their pages must keep its poison. Sources repeat random bytes with a prime
 * period, so swapped vectors never look alike. Each value of each axis is tried (targets 1 .. 16,
 * sources 1 .. 256, sizes 0 .. 4 vectors of the widest kernel and one byte, alignments 0 .. 63) with
 * the other axes random; then random combinations, small and large, ROUNDS of them. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "oracle.h"
#include "reed.h"

enum {
    SOURCES_MAX = 256,
    TARGETS_MAX = 16,
    ALIGNMENTS = 64,
    SWEPT_SIZE_MAX = 4 * 64 + 1,
    LARGE_SIZE_MAX = 60000,
    OFFSET_MAX = 100, /* first columns that are tried: less than a page */
    PERIOD = 251,
    SCRATCH_MAX = 1 << 20,
    POISON = 0xa5
};

static const uint64_t seed = 20240402;

static uint64_t state;
static const struct reed_kernel *kernel;
static struct guarded source_regions[SOURCES_MAX], target_regions[TARGETS_MAX];
static struct guarded scratch_region;
static uint8_t patterns[SOURCES_MAX][PERIOD];
static size_t trial_count;

/* How one trial lies in memory. */
struct shape {
    size_t target_count, source_count;
    size_t begin, end;   /* columns */
    size_t alignment;    /* of column `begin`, where a shard is placed by alignment */
};

/* Where column `begin` of a shard of `size` columns lies in its region. */
static uint8_t *place(struct guarded region, size_t size, size_t alignment)
{
    switch (random_below(&state, 3)) {
    case 0: return region.begin;
    case 1: return region.end - size;
    default: return region.begin + alignment;
    }
}

static void poison(struct guarded region)
{
    memset(region.begin, POISON, (size_t)(region.end - region.begin));
}

/* Everything of the region but [kept, kept + size) is poison. */
static void check_poison(struct guarded region, const uint8_t *kept, size_t size, size_t target)
{
    for (const uint8_t *p = region.begin; p < region.end; p++) {
        if (p == kept && size > 0) p += size;
        if (p == region.end) break;
        CHECK(*p == POISON, "target %zu: byte %td outside the range was written", target,
              p - kept);
    }
}

/* Regions are large; only their first and last parts are used by small trials, so only those are
 * poisoned and looked at. */
static struct guarded near(struct guarded region, const uint8_t *first, size_t size)
{
    const size_t margin = 512;
    struct guarded part = region;
    if ((size_t)(first - region.begin) > margin) part.begin = region.end - size - margin;
    if (part.begin < region.begin) part.begin = region.begin;
    if ((size_t)(region.end - first) > size + margin) {
        part.end = part.begin + (size_t)(first - part.begin) + size + margin;
    }
    return part;
}

/* Scratch of exactly the stated size between guard pages, full of what the last call left. */
static void *scratch_for(const struct reed_plan *plan)
{
    size_t size = reed_plan_apply_scratch_size(plan);
    CHECK(size <= SCRATCH_MAX, "%zu bytes of scratch", size);
    if (size == 0) return NULL;
    return random_below(&state, 2) ? scratch_region.end - size : scratch_region.begin;
}

/* Runs `plan` and compares with `matrix` (target_count x source_count); an update adds to what the
 * targets held. */
static void check_plan(const struct reed_plan *plan, const uint8_t *matrix, struct shape shape,
                       bool accumulates)
{
    size_t size = shape.end - shape.begin;
    const uint8_t *sources[SOURCES_MAX], *source_columns[SOURCES_MAX];
    uint8_t *targets[TARGETS_MAX], *target_columns[TARGETS_MAX];
    uint8_t previous[TARGETS_MAX][PERIOD];
    for (size_t s = 0; s < shape.source_count; s++) {
        uint8_t *columns = place(source_regions[s], size, shape.alignment);
        random_bytes(&state, patterns[s], PERIOD);
        for (size_t i = 0; i < size; i++) columns[i] = patterns[s][i % PERIOD];
        source_columns[s] = columns;
        sources[s] = columns - shape.begin;
    }
    for (size_t t = 0; t < shape.target_count; t++) {
        target_columns[t] = place(target_regions[t], size, shape.alignment);
        targets[t] = target_columns[t] - shape.begin;
        poison(near(target_regions[t], target_columns[t], size));
        random_bytes(&state, previous[t], PERIOD);
        for (size_t i = 0; accumulates && i < size; i++) {
            target_columns[t][i] = previous[t][i % PERIOD];
        }
    }
    CHECK(reed_plan_apply(plan, sources, targets, shape.begin, shape.end, scratch_for(plan)) ==
              REED_OK,
          "apply");
    for (size_t t = 0; t < shape.target_count; t++) {
        uint8_t expected[PERIOD];
        const uint8_t *pattern_rows[SOURCES_MAX];
        for (size_t s = 0; s < shape.source_count; s++) pattern_rows[s] = patterns[s];
        for (size_t i = 0; i < PERIOD && i < size; i++) {
            expected[i] = oracle_dot(matrix + t * shape.source_count, shape.source_count,
                                     pattern_rows, i);
            if (accumulates) expected[i] ^= previous[t][i];
        }
        for (size_t i = 0; i < size; i++) {
            CHECK(target_columns[t][i] == expected[i % PERIOD],
                  "%zu targets, %zu sources, columns %zu to %zu: target %zu column %zu",
                  shape.target_count, shape.source_count, shape.begin, shape.end, t, i);
        }
        check_poison(near(target_regions[t], target_columns[t], size), target_columns[t], size, t);
    }
    for (size_t s = 0; s < shape.source_count; s++) {
        for (size_t i = 0; i < size; i++) {
            CHECK(source_columns[s][i] == patterns[s][i % PERIOD], "source %zu was written", s);
        }
    }
    trial_count++;
}

/* Random coefficients, with the special ones often: 0, 1, 255 and whole rows of ones. */
static void random_matrix(uint8_t *matrix, size_t target_count, size_t source_count)
{
    random_bytes(&state, matrix, target_count * source_count);
    for (size_t t = 0; t < target_count; t++) {
        uint8_t *row = matrix + t * source_count;
        switch (random_below(&state, 6)) {
        case 0: memset(row, 1, source_count); break;
        case 1: memset(row, 255, source_count); break;
        case 2: row[random_below(&state, source_count)] = 0; break;
        case 3: row[random_below(&state, source_count)] = 1; break;
        default: break;
        }
    }
}

static void try_matrix(struct shape shape)
{
    uint8_t matrix[TARGETS_MAX * SOURCES_MAX];
    struct reed_plan *plan;
    random_matrix(matrix, shape.target_count, shape.source_count);
    CHECK(reed_plan_create_matrix(kernel, NULL, matrix, shape.target_count, shape.source_count,
                                  &plan) == REED_OK,
          "plan");
    check_plan(plan, matrix, shape, false);
    reed_plan_destroy(plan);
}

static struct reed_code *make_code(enum reed_generator generator, size_t data_shards,
                                   size_t parity_shards, const uint8_t *matrix)
{
    struct reed_code_options options = {
        .struct_size = sizeof options,
        .generator = generator,
        .data_shards = (uint32_t)data_shards,
        .parity_shards = (uint32_t)parity_shards,
        .matrix = matrix,
        .kernel = kernel,
    };
    struct reed_code *code;
    CHECK(reed_code_create(&options, &code) == REED_OK, "%zu+%zu", data_shards, parity_shards);
    return code;
}

/* The native encoder: a transform wherever that is what the plan chooses. */
static void try_native(struct shape shape)
{
    uint8_t matrix[TARGETS_MAX * SOURCES_MAX];
    if (shape.source_count + shape.target_count > 256) {
        shape.source_count = 256 - shape.target_count;
    }
    for (size_t t = 0; t < shape.target_count; t++) {
        for (size_t s = 0; s < shape.source_count; s++) {
            matrix[t * shape.source_count + s] =
                oracle_native((unsigned)shape.target_count, (unsigned)t, (unsigned)s);
        }
    }
    struct reed_code *code = make_code(REED_GENERATOR_NATIVE, shape.source_count,
                                       shape.target_count, NULL);
    struct reed_plan *plan;
    CHECK(reed_plan_create_encode(code, &plan) == REED_OK, "plan");
    reed_code_destroy(code); /* a plan shares nothing with its code */
    check_plan(plan, matrix, shape, false);
    reed_plan_destroy(plan);
}

/* Updates: both sources are multiplied by the same coefficient and added to the targets. */
static void try_update(struct shape shape)
{
    uint8_t rows[TARGETS_MAX * SOURCES_MAX], matrix[TARGETS_MAX * 2];
    uint32_t parity[TARGETS_MAX];
    size_t data_shards = 1 + random_below(&state, 256 - shape.target_count);
    uint32_t changed = (uint32_t)random_below(&state, data_shards);
    random_matrix(rows, shape.target_count, data_shards);
    for (size_t t = 0; t < shape.target_count; t++) {
        size_t row = shape.target_count - 1 - t; /* an order that is not the code's */
        parity[t] = (uint32_t)(data_shards + row);
        matrix[2 * t] = matrix[2 * t + 1] = rows[row * data_shards + changed];
    }
    struct reed_code *code =
        make_code(REED_GENERATOR_EXPLICIT, data_shards, shape.target_count, rows);
    struct reed_plan *plan;
    CHECK(reed_plan_create_update(code, changed, parity, shape.target_count, &plan) == REED_OK,
          "plan");
    reed_code_destroy(code);
    shape.source_count = 2;
    check_plan(plan, matrix, shape, true);
    reed_plan_destroy(plan);
}

static struct shape random_shape(size_t size_max)
{
    size_t begin = random_below(&state, 2) ? random_below(&state, OFFSET_MAX) : 0;
    return (struct shape){
        .target_count = 1 + random_below(&state, TARGETS_MAX),
        .source_count = 1 + random_below(&state, random_below(&state, 4) ? 24 : SOURCES_MAX),
        .begin = begin,
        .end = begin + random_below(&state, size_max + 1),
        .alignment = random_below(&state, ALIGNMENTS),
    };
}

static void try_all(struct shape shape)
{
    try_matrix(shape);
    try_native(shape);
    try_update(shape);
}

static void test_axes(void)
{
    for (size_t count = 1; count <= TARGETS_MAX; count++) {
        for (int again = 0; again < 4; again++) {
            struct shape shape = random_shape(SWEPT_SIZE_MAX);
            shape.target_count = count;
            try_all(shape);
        }
    }
    for (size_t count = 1; count <= SOURCES_MAX; count++) {
        struct shape shape = random_shape(SWEPT_SIZE_MAX);
        shape.source_count = count;
        try_matrix(shape);
        try_native(shape);
    }
    for (size_t size = 0; size <= SWEPT_SIZE_MAX; size++) {
        for (int again = 0; again < 2; again++) {
            struct shape shape = random_shape(0);
            shape.end = shape.begin + size;
            try_all(shape);
        }
    }
    for (size_t alignment = 0; alignment < ALIGNMENTS; alignment++) {
        struct shape shape = random_shape(SWEPT_SIZE_MAX);
        shape.alignment = alignment;
        try_all(shape);
    }
}

/* Every product that exists: all coefficients on all bytes, alone and paired with another. */
static void test_every_product(void)
{
    for (unsigned c = 0; c < 256; c++) {
        uint8_t matrix[2] = {(uint8_t)c, (uint8_t)(c ^ 0x5a)};
        uint8_t bytes[2][256], target[256];
        const uint8_t *sources[2] = {bytes[0], bytes[1]};
        uint8_t *targets[1] = {target};
        for (unsigned i = 0; i < 256; i++) {
            bytes[0][i] = (uint8_t)i;
            bytes[1][i] = (uint8_t)(7 * i + 13);
        }
        for (size_t source_count = 1; source_count <= 2; source_count++) {
            struct reed_plan *plan;
            CHECK(reed_plan_create_matrix(kernel, NULL, matrix, 1, source_count, &plan) == REED_OK,
                  "plan");
            memset(target, POISON, sizeof target);
            CHECK(reed_plan_apply(plan, sources, targets, 0, 256, scratch_for(plan)) == REED_OK,
                  "apply");
            for (size_t i = 0; i < 256; i++) {
                CHECK(target[i] == oracle_dot(matrix, source_count, sources, i), "%u * %zu", c, i);
            }
            reed_plan_destroy(plan);
        }
    }
}

/* The matrix of a code is the formula, and its encoder makes the same bytes. */
static void check_native_shape(unsigned k, unsigned m, const uint8_t *const *sources, size_t size,
                               size_t column_step)
{
    static uint8_t target_bytes[SOURCES_MAX][PERIOD];
    uint8_t *targets[SOURCES_MAX], row[SOURCES_MAX];
    for (unsigned t = 0; t < m; t++) targets[t] = target_bytes[t];
    struct reed_code *code = make_code(REED_GENERATOR_NATIVE, k, m, NULL);
    struct reed_plan *plan;
    CHECK(reed_plan_create_encode(code, &plan) == REED_OK, "plan");
    memset(target_bytes, POISON, sizeof target_bytes);
    CHECK(reed_plan_apply(plan, sources, targets, 0, size, scratch_for(plan)) == REED_OK, "apply");
    for (unsigned t = 0; t < m; t++) {
        CHECK(reed_code_row(code, k + t, row) == REED_OK, "row");
        for (unsigned s = 0; s < k; s++) {
            CHECK(row[s] == oracle_native(m, t, s), "%u+%u: row %u shard %u", k, m, t, s);
        }
        for (size_t i = t % column_step; i < size; i += column_step) {
            CHECK(targets[t][i] == oracle_dot(row, k, sources, i),
                  "%u+%u: parity %u column %zu", k, m, t, i);
        }
    }
    reed_plan_destroy(plan);
    reed_code_destroy(code);
}

/* Every shape of up to 16 parity shards, and of the others a share that covers every k and every m
 * (every one where rounds >= 1000). */
static void test_native_shapes(long rounds)
{
    enum { SIZE = 67 }; /* a whole vector of every kernel, and a rest */
    const unsigned share = rounds >= 1000 ? 1 : 23;
    const uint8_t *sources[SOURCES_MAX];
    for (unsigned s = 0; s < SOURCES_MAX; s++) {
        random_bytes(&state, patterns[s], PERIOD);
        sources[s] = patterns[s];
    }
    for (unsigned m = 1; m < 256; m++) {
        for (unsigned k = 1; k + m <= 256; k++) {
            bool is_chosen = m <= TARGETS_MAX || (k + 7 * m) % share == 0 || k + m == 256;
            if (is_chosen) check_native_shape(k, m, sources, SIZE, m <= TARGETS_MAX ? 11 : 31);
        }
    }
}

/* compare() says the first column at which a target differs, wherever the difference is. */
static void test_compare(void)
{
    for (int trial = 0; trial < 300; trial++) {
        enum { SIZE_MAX_TRIED = 3000 };
        size_t target_count = 1 + random_below(&state, TARGETS_MAX);
        size_t source_count = 1 + random_below(&state, 20);
        size_t begin = random_below(&state, 50);
        size_t end = begin + random_below(&state, SIZE_MAX_TRIED - 50);
        uint8_t matrix[TARGETS_MAX * 20];
        static uint8_t bytes[20][SIZE_MAX_TRIED], made[TARGETS_MAX][SIZE_MAX_TRIED];
        const uint8_t *sources[20], *compared[TARGETS_MAX];
        uint8_t *targets[TARGETS_MAX];
        for (size_t s = 0; s < source_count; s++) {
            random_bytes(&state, bytes[s], end);
            sources[s] = bytes[s];
        }
        for (size_t t = 0; t < target_count; t++) compared[t] = targets[t] = made[t];
        random_matrix(matrix, target_count, source_count);
        struct reed_plan *plan;
        CHECK(reed_plan_create_matrix(kernel, NULL, matrix, target_count, source_count, &plan) ==
                  REED_OK,
              "plan");
        CHECK(reed_plan_apply(plan, sources, targets, begin, end, scratch_for(plan)) == REED_OK,
              "apply");
        size_t scratch_size = reed_plan_compare_scratch_size(plan);
        size_t skew = random_below(&state, 9); /* any alignment */
        struct guarded scratch = guarded_allocate(scratch_size + 9);
        uint8_t *memory = trial % 2 ? scratch.end - scratch_size : scratch.begin + skew;
        size_t column = 12345;
        CHECK(reed_plan_compare(plan, sources, compared, begin, end, memory, &column) == REED_OK,
              "equal targets");
        CHECK(column == 12345, "column was written");
        /* Outside the range nothing counts. */
        size_t victim = random_below(&state, target_count);
        made[victim][end] ^= 1;
        if (begin > 0) made[victim][begin - 1] ^= 1;
        CHECK(reed_plan_compare(plan, sources, compared, begin, end, memory, NULL) == REED_OK,
              "difference outside the range");
        if (end > begin) {
            size_t first = begin + random_below(&state, end - begin);
            made[victim][first] ^= (uint8_t)(1u << random_below(&state, 8));
            size_t other = first + random_below(&state, end - first);
            size_t other_victim = random_below(&state, target_count);
            if (other != first) made[other_victim][other] ^= 0x40;
            CHECK(reed_plan_compare(plan, sources, compared, begin, end, memory, &column) ==
                      REED_MISMATCH,
                  "difference at %zu", first);
            CHECK(column == first, "column %zu, not %zu", column, first);
        }
        guarded_release(scratch);
        reed_plan_destroy(plan);
    }
}

int main(int argc, char **argv)
{
    CHECK(argc == 2 || argc == 3, "usage: %s KERNEL [ROUNDS]", argv[0]);
    long rounds = argc == 3 ? strtol(argv[2], NULL, 10) : 100;
    enum reed_status status = reed_kernel_find(argv[1], &kernel);
    if (status == REED_UNSUPPORTED_KERNEL) {
        printf("this processor cannot run kernel %s\n", argv[1]);
        return EXIT_NOT_RUN;
    }
    CHECK(status == REED_OK, "kernel %s: %s", argv[1], reed_status_message(status));
    CHECK(strcmp(reed_kernel_name(kernel), argv[1]) == 0, "name");
    CHECK(reed_kernel_is_supported(kernel), "supported");
    state = seed;
    printf("seed %llu\n", (unsigned long long)seed);
    oracle_prepare();
    for (size_t i = 0; i < SOURCES_MAX; i++) {
        source_regions[i] = guarded_allocate(i < 32 ? LARGE_SIZE_MAX : 4096);
    }
    for (size_t i = 0; i < TARGETS_MAX; i++) target_regions[i] = guarded_allocate(LARGE_SIZE_MAX);
    scratch_region = guarded_allocate(SCRATCH_MAX);
    test_every_product();
    test_axes();
    test_native_shapes(rounds);
    test_compare();
    for (long i = 0; i < rounds; i++) try_all(random_shape(SWEPT_SIZE_MAX));
    for (long i = 0; i < rounds; i++) {
        struct shape shape = random_shape(LARGE_SIZE_MAX - OFFSET_MAX);
        shape.source_count = 1 + shape.source_count % 32;
        try_all(shape);
    }
    printf("%zu trials\n", trial_count);
    return EXIT_SUCCESS;
}
