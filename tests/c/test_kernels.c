/* test_kernels.c KERNEL [ROUNDS] - the arithmetic of one kernel against the slow oracle.
 *
 * Every trial puts each shard between inaccessible pages: the columns that the call may touch begin
 * right behind one, or end right before one, or lie at a wanted alignment. Targets are poisoned,
 * and every other byte around them must keep its poison. Sources repeat random bytes with a prime
 * period, so swapped vectors never look alike. Each value of each axis is tried (targets 1 .. 16,
 * sources 1 .. 256, sizes 0 .. 4 vectors of the widest kernel and one byte, alignments 0 .. 63) with
 * the other axes random; then random combinations, small and large, ROUNDS of them; wide stripes,
 * encoded and decoded; and sizes, and many streams, that are written past the cache. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "kernel_argument.h"
#include "oracle.h"
#include "reed.h"

enum {
    SHARDS_MAX = 256,
    TARGETS_MAX = 16, /* of dense products; wide stripes have more */
    ALIGNMENTS = 64,
    SWEPT_SIZE_MAX = 4 * 64 + 1,
    LARGE_SIZE_MAX = 60000,
    HUGE_SIZE_MAX = 2200000, /* a few shards of this size do not fit in any core's cache */
    HUGE_SOURCES = 5,
    HUGE_TARGETS = 3,
    OFFSET_MAX = 100, /* first columns that are tried: less than a page */
    PERIOD = 251,
    SCRATCH_MAX = 1 << 20,
    POISON = 0xa5
};

static const uint64_t seed = 20240402;

static uint64_t state;
static const struct reed_kernel *kernel;
static struct guarded source_regions[SHARDS_MAX], target_regions[SHARDS_MAX];
static struct guarded scratch_region;
static uint8_t patterns[SHARDS_MAX][PERIOD], expected[SHARDS_MAX][PERIOD];
static size_t trial_count;

/* How one trial lies in memory. */
struct shape {
    size_t target_count, source_count;
    size_t begin, end;   /* columns */
    size_t alignment;    /* of column `begin`, where a shard is placed by alignment */
    bool is_uniform;     /* all shards are placed alike, else each at random */
};

/* Where column `begin` of a shard of `size` columns lies in its region. */
static uint8_t *place(struct guarded region, struct shape shape)
{
    switch (shape.is_uniform ? 2 : random_below(&state, 3)) {
    case 0: return region.begin;
    case 1: return region.end - (shape.end - shape.begin);
    default: return region.begin + shape.alignment;
    }
}

/* The part of a large region that a trial looks at: `size` bytes from `first`, and a margin. */
static struct guarded near(struct guarded region, const uint8_t *first, size_t size)
{
    const size_t margin = 512;
    size_t before = (size_t)(first - region.begin), behind = (size_t)(region.end - first) - size;
    return (struct guarded){
        .begin = before > margin ? region.begin + (before - margin) : region.begin,
        .end = behind > margin ? region.end - (behind - margin) : region.end,
    };
}

/* Everything of the region but [kept, kept + size) is poison. */
static void check_poison(struct guarded region, const uint8_t *kept, size_t size, size_t target)
{
    for (const uint8_t *p = region.begin; p < region.end; p++) {
        if (p == kept) p += size;
        if (p == region.end) break;
        CHECK(*p == POISON, "target %zu: byte %td outside the range was written", target,
              p - kept);
    }
}

/* Scratch of exactly the stated size between guard pages, full of noise: of equal bytes in all rows
 * most of a transform is zero, and what is read before it is written would not be seen. */
static void *scratch_for(const struct reed_plan *plan)
{
    static uint8_t noise[4096 + 61];
    size_t size = reed_plan_apply_scratch_size(plan);
    CHECK(size <= SCRATCH_MAX, "%zu bytes of scratch", size);
    if (size == 0) return NULL;
    uint8_t *scratch = random_below(&state, 2) ? scratch_region.end - size : scratch_region.begin;
    random_bytes(&state, noise, sizeof noise);
    for (size_t i = 0; i < size; i += sizeof noise) {
        memcpy(scratch + i, noise, size - i < sizeof noise ? size - i : sizeof noise);
    }
    return scratch;
}

static void repeat(uint8_t *columns, const uint8_t *pattern, size_t size)
{
    for (size_t i = 0; i < size; i += PERIOD) {
        memcpy(columns + i, pattern, size - i < PERIOD ? size - i : PERIOD);
    }
}

static bool repeats(const uint8_t *columns, const uint8_t *pattern, size_t size, size_t *first)
{
    for (size_t i = 0; i < size; i += PERIOD) {
        size_t count = size - i < PERIOD ? size - i : PERIOD;
        if (memcmp(columns + i, pattern, count) == 0) continue;
        for (*first = i; columns[*first] == pattern[*first - i];) (*first)++;
        return false;
    }
    return true;
}

/* The same targets once more, with the checksum of every block; the checksums' own tests are
 * test_checksum.c. */
static void check_fused(const struct reed_plan *plan, const uint8_t *const *sources,
                        uint8_t *const *targets, uint8_t *const *target_columns,
                        struct shape shape)
{
    enum { BLOCKS_MAX = 5 };
    static uint32_t checksums[2 * SHARDS_MAX * BLOCKS_MAX];
    size_t size = shape.end - shape.begin, first = 0;
    size_t scratch_size = reed_plan_apply_crc32c_scratch_size(plan);
    size_t block_size = size / (1 + random_below(&state, BLOCKS_MAX - 1)) + 1;
    size_t block_count = size / block_size + (size % block_size > 0);
    size_t stride = block_count + random_below(&state, BLOCKS_MAX - block_count + 1);
    uint32_t *target_checksums = checksums + shape.source_count * stride;
    CHECK(scratch_size > 0 && scratch_size <= SCRATCH_MAX, "%zu bytes of scratch", scratch_size);
    for (size_t t = 0; t < shape.target_count; t++) memset(target_columns[t], POISON, size);
    memset(checksums, POISON, sizeof checksums);
    CHECK(reed_plan_apply_crc32c(plan, sources, targets, shape.begin, shape.end, block_size,
                                 checksums, target_checksums, stride,
                                 scratch_region.end - scratch_size) == REED_OK,
          "fused");
    for (size_t i = 0; i < shape.source_count + shape.target_count; i++) {
        bool is_source = i < shape.source_count;
        const uint8_t *columns = is_source ? sources[i] + shape.begin
                                           : target_columns[i - shape.source_count];
        if (!is_source) {
            size_t t = i - shape.source_count;
            CHECK(repeats(columns, expected[t], size, &first), "fused: target %zu", t);
            check_poison(near(target_regions[t], columns, size), columns, size, t);
        }
        for (size_t b = 0; b < stride; b++) {
            uint32_t wanted = 0xa5a5a5a5u; /* behind the last block nothing is written */
            if (b < block_count) {
                size_t at = b * block_size;
                size_t count = size - at < block_size ? size - at : block_size;
                wanted = reed_crc32c(0, columns + at, count);
            }
            CHECK(checksums[i * stride + b] == wanted, "shard %zu block %zu of %zu", i, b,
                  block_count);
        }
    }
}

/* Runs `plan` on sources that repeat `source_patterns`: the targets must repeat `expected`; those of
 * an update what they held before and `expected` together. */
static void check_plan(const struct reed_plan *plan, const uint8_t *const *source_patterns,
                       struct shape shape, bool accumulates)
{
    size_t size = shape.end - shape.begin, first = 0;
    const uint8_t *sources[SHARDS_MAX], *source_columns[SHARDS_MAX];
    uint8_t *targets[SHARDS_MAX], *target_columns[SHARDS_MAX];
    CHECK(reed_plan_source_count(plan) == shape.source_count &&
              reed_plan_target_count(plan) == shape.target_count,
          "counts of the plan");
    for (size_t s = 0; s < shape.source_count; s++) {
        uint8_t *columns = place(source_regions[s], shape);
        repeat(columns, source_patterns[s], size);
        source_columns[s] = columns;
        sources[s] = columns - shape.begin;
    }
    for (size_t t = 0; t < shape.target_count; t++) {
        uint8_t *columns = place(target_regions[t], shape);
        struct guarded around = near(target_regions[t], columns, size);
        memset(around.begin, POISON, (size_t)(around.end - around.begin));
        if (accumulates) {
            uint8_t previous[PERIOD];
            random_bytes(&state, previous, PERIOD);
            repeat(columns, previous, size);
            for (size_t i = 0; i < PERIOD; i++) expected[t][i] ^= previous[i];
        }
        target_columns[t] = columns;
        targets[t] = columns - shape.begin;
    }
    CHECK(reed_plan_apply(plan, sources, targets, shape.begin, shape.end, scratch_for(plan)) ==
              REED_OK,
          "apply");
    for (size_t t = 0; t < shape.target_count; t++) {
        CHECK(repeats(target_columns[t], expected[t], size, &first),
              "%zu targets, %zu sources, columns %zu to %zu: target %zu column %zu",
              shape.target_count, shape.source_count, shape.begin, shape.end, t,
              shape.begin + first);
        check_poison(near(target_regions[t], target_columns[t], size), target_columns[t], size, t);
    }
    if (!accumulates && trial_count % 3 == 0) check_fused(plan, sources, targets, target_columns, shape);
    for (size_t s = 0; s < shape.source_count; s++) {
        CHECK(repeats(source_columns[s], source_patterns[s], size, &first),
              "source %zu was written", s);
    }
    trial_count++;
}

/* Fresh patterns for the first `count` sources, and what a matrix makes of them. */
static void fill_patterns(const uint8_t **rows, size_t count)
{
    for (size_t s = 0; s < count; s++) {
        random_bytes(&state, patterns[s], PERIOD);
        rows[s] = patterns[s];
    }
}

static void expect_product(const uint8_t *matrix, const uint8_t *const *rows, struct shape shape)
{
    size_t size = shape.end - shape.begin, count = size < PERIOD ? size : PERIOD;
    for (size_t t = 0; t < shape.target_count; t++) {
        for (size_t i = 0; i < count; i++) {
            expected[t][i] =
                oracle_dot(matrix + t * shape.source_count, shape.source_count, rows, i);
        }
    }
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

static void check_product(struct reed_plan *plan, const uint8_t *matrix, struct shape shape,
                          bool accumulates)
{
    const uint8_t *rows[SHARDS_MAX];
    fill_patterns(rows, shape.source_count);
    expect_product(matrix, rows, shape);
    check_plan(plan, rows, shape, accumulates);
    reed_plan_destroy(plan);
}

static void try_matrix(struct shape shape)
{
    uint8_t matrix[TARGETS_MAX * SHARDS_MAX];
    struct reed_plan *plan;
    random_matrix(matrix, shape.target_count, shape.source_count);
    CHECK(reed_plan_create_matrix(kernel, NULL, matrix, shape.target_count, shape.source_count,
                                  &plan) == REED_OK,
          "plan");
    check_product(plan, matrix, shape, false);
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
    static uint8_t matrix[SHARDS_MAX * SHARDS_MAX];
    if (shape.source_count + shape.target_count > SHARDS_MAX) {
        shape.source_count = SHARDS_MAX - shape.target_count;
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
    check_product(plan, matrix, shape, false);
}

/* Updates: both sources are multiplied by the same coefficient and added to the targets. */
static void try_update(struct shape shape)
{
    uint8_t rows[TARGETS_MAX * SHARDS_MAX], matrix[TARGETS_MAX * 2];
    uint32_t parity[TARGETS_MAX];
    size_t data_shards = 1 + random_below(&state, SHARDS_MAX - shape.target_count);
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
    check_product(plan, matrix, shape, true);
}

/* Loses shape.target_count random shards of a native stripe with at least as many parity shards, and
 * rebuilds them in random order. Parity comes from the oracle. */
static void try_decode(struct shape shape)
{
    size_t k = shape.source_count, lost = shape.target_count;
    if (k + lost > SHARDS_MAX) shape.source_count = k = SHARDS_MAX - lost;
    size_t m = lost + random_below(&state, SHARDS_MAX - k - lost + 1) / 4;
    const uint8_t *shards[SHARDS_MAX], *sources[SHARDS_MAX];
    fill_patterns(shards, k);
    for (size_t r = 0; r < m; r++) {
        uint8_t row[SHARDS_MAX];
        for (size_t j = 0; j < k; j++) row[j] = oracle_native((unsigned)m, (unsigned)r, (unsigned)j);
        for (size_t i = 0; i < PERIOD; i++) patterns[k + r][i] = oracle_dot(row, k, shards, i);
        shards[k + r] = patterns[k + r];
    }
    uint32_t order[SHARDS_MAX], available[SHARDS_MAX];
    bool is_lost[SHARDS_MAX] = {false};
    for (uint32_t i = 0; i < k + m; i++) order[i] = i;
    for (size_t i = 0; i < lost; i++) { /* the first `lost` of a random order */
        size_t j = i + random_below(&state, k + m - i);
        uint32_t kept = order[i];
        order[i] = order[j];
        order[j] = kept;
        is_lost[order[i]] = true;
        memcpy(expected[i], patterns[order[i]], PERIOD);
    }
    size_t available_count = 0;
    for (uint32_t i = 0; i < k + m; i++) {
        if (!is_lost[i]) available[available_count++] = i;
    }
    struct reed_code *code = make_code(REED_GENERATOR_NATIVE, k, m, NULL);
    struct reed_plan *plan;
    CHECK(reed_plan_create_reconstruct(code, available, available_count, order, lost, &plan) ==
              REED_OK,
          "plan");
    reed_code_destroy(code);
    for (uint32_t s = 0; s < k; s++) sources[s] = patterns[reed_plan_source(plan, s)];
    check_plan(plan, sources, shape, false);
    reed_plan_destroy(plan);
}

static struct shape random_shape(size_t size_max)
{
    size_t begin = random_below(&state, 2) ? random_below(&state, OFFSET_MAX) : 0;
    return (struct shape){
        .target_count = 1 + random_below(&state, TARGETS_MAX),
        .source_count = 1 + random_below(&state, random_below(&state, 4) ? 24 : SHARDS_MAX),
        .begin = begin,
        .end = begin + random_below(&state, size_max + 1),
        .alignment = random_below(&state, ALIGNMENTS),
        .is_uniform = random_below(&state, 2),
    };
}

static void try_all(struct shape shape)
{
    try_matrix(shape);
    try_native(shape);
    try_update(shape);
    try_decode(shape);
}

/* More parity shards than fit in registers, of all proportions. */
static struct shape random_wide_shape(size_t size_max)
{
    struct shape shape = random_shape(size_max);
    shape.target_count = TARGETS_MAX + 1 + random_below(&state, 239);
    shape.source_count = 1 + random_below(&state, SHARDS_MAX - shape.target_count);
    return shape;
}

/* So many bytes that the targets are written past the cache; alone and in a wide stripe. */
static void test_huge(long rounds)
{
    for (long i = 0; i < 4 + rounds / 20; i++) {
        struct shape shape = random_shape(SWEPT_SIZE_MAX);
        shape.source_count = 1 + random_below(&state, HUGE_SOURCES);
        shape.target_count = 1 + random_below(&state, HUGE_TARGETS);
        shape.end += HUGE_SIZE_MAX - SWEPT_SIZE_MAX - OFFSET_MAX - ALIGNMENTS -
                     random_below(&state, 100);
        try_all(shape);
        shape.source_count = 60 + random_below(&state, 70);
        shape.target_count = 20 + random_below(&state, 100);
        shape.end = shape.begin + LARGE_SIZE_MAX - OFFSET_MAX - ALIGNMENTS -
                    random_below(&state, 100);
        try_native(shape);
        try_decode(shape);
    }
}

/* More streams than a processor foresees, to every number of targets, past the cache. */
static void test_many_streams(void)
{
    for (size_t count = 1; count <= TARGETS_MAX; count++) {
        struct shape shape = random_shape(SWEPT_SIZE_MAX);
        shape.target_count = count;
        shape.source_count = 38 + random_below(&state, 8); /* of this size, 2 MiB and more */
        shape.end = shape.begin + LARGE_SIZE_MAX - OFFSET_MAX - ALIGNMENTS -
                    random_below(&state, 100);
        shape.is_uniform = true;
        try_matrix(shape);
        try_native(shape);
    }
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
    for (size_t count = 1; count <= SHARDS_MAX; count++) {
        struct shape shape = random_shape(SWEPT_SIZE_MAX);
        shape.source_count = count;
        try_matrix(shape);
        try_native(shape);
        if (count < SHARDS_MAX) try_decode(shape);
    }
    for (size_t size = 0; size <= SWEPT_SIZE_MAX; size++) {
        struct shape shape = random_wide_shape(0);
        shape.end = shape.begin + size;
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
    static uint8_t target_bytes[SHARDS_MAX][PERIOD];
    uint8_t *targets[SHARDS_MAX], row[SHARDS_MAX];
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
    const uint8_t *sources[SHARDS_MAX];
    for (unsigned s = 0; s < SHARDS_MAX; s++) {
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
            size_t first = trial % 3 == 0 ? end - 1 : begin + random_below(&state, end - begin);
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
    kernel = kernel_argument(argv[1]);
    CHECK(strcmp(reed_kernel_name(kernel), argv[1]) == 0, "name");
    CHECK(reed_kernel_is_supported(kernel), "supported");
    state = seed;
    printf("seed %llu\n", (unsigned long long)seed);
    oracle_prepare();
    for (size_t i = 0; i < SHARDS_MAX; i++) {
        source_regions[i] = guarded_allocate(i < HUGE_SOURCES ? HUGE_SIZE_MAX : LARGE_SIZE_MAX);
        target_regions[i] = guarded_allocate(i < HUGE_TARGETS ? HUGE_SIZE_MAX : LARGE_SIZE_MAX);
    }
    scratch_region = guarded_allocate(SCRATCH_MAX);
    test_every_product();
    test_axes();
    test_native_shapes(rounds);
    test_compare();
    for (long i = 0; i < rounds; i++) try_all(random_shape(SWEPT_SIZE_MAX));
    for (long i = 0; i < rounds; i++) {
        struct shape shape = random_shape(LARGE_SIZE_MAX - OFFSET_MAX - ALIGNMENTS);
        shape.source_count = 1 + shape.source_count % 32;
        try_all(shape);
        shape = random_wide_shape(i % 8 ? 2000 : LARGE_SIZE_MAX - OFFSET_MAX - ALIGNMENTS);
        try_native(shape);
        try_decode(shape);
    }
    test_huge(rounds);
    test_many_streams();
    printf("%zu trials\n", trial_count);
    return EXIT_SUCCESS;
}
