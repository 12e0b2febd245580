/* test_stripe.c - whole stripes in one call: against the plans that they stand for, with any losses,
 * with every argument that is refused, and with an allocator that fails at each call in turn. */
#define _DEFAULT_SOURCE
#include "check.h"
#include "reed.h"

enum { SHARDS_MAX = REED_SHARDS_MAX, SIZE = 1000 };

static uint8_t memory[SHARDS_MAX][SIZE], saved[SHARDS_MAX][SIZE];
static uint8_t *shards[SHARDS_MAX];
static uint8_t is_present[SHARDS_MAX];

/* Fails when `left` calls have succeeded; counts what is not given back. */
struct faulty {
    size_t left;
    size_t taken;
};

static void *faulty_allocate(void *context, size_t size)
{
    struct faulty *faulty = context;
    if (faulty->left == 0) return NULL;
    faulty->left--;
    void *block = malloc(size);
    CHECK(block != NULL, "malloc of %zu bytes", size);
    faulty->taken++;
    memset(block, 0xa5, size);
    return block;
}

static void faulty_release(void *context, void *block)
{
    ((struct faulty *)context)->taken--;
    free(block);
}

static struct reed_code *create(enum reed_generator generator, uint32_t k, uint32_t m,
                                struct faulty *faulty)
{
    struct reed_allocator allocator = {faulty_allocate, faulty_release, faulty};
    struct reed_code_options options = {
        .struct_size = sizeof options,
        .generator = generator,
        .data_shards = k,
        .parity_shards = m,
        .allocator = &allocator,
    };
    struct reed_code *code;
    enum reed_status status = reed_code_create(&options, &code);
    CHECK(status == REED_OK, "%d+%d: %d", (int)k, (int)m, (int)status);
    return code;
}

/* Data at random, parity by a plan. */
static void fill(const struct reed_code *code, uint64_t *random)
{
    uint32_t k = reed_code_data_shards(code), count = k + reed_code_parity_shards(code);
    for (uint32_t i = 0; i < count; i++) {
        shards[i] = memory[i];
        is_present[i] = 1;
        memset(memory[i], 0xa5, SIZE);
        if (i < k) random_bytes(random, memory[i], SIZE);
    }
    struct reed_plan *plan;
    CHECK(reed_plan_create_encode(code, &plan) == REED_OK, "plan");
    void *scratch = malloc(reed_plan_apply_scratch_size(plan) + 1);
    CHECK(reed_plan_apply(plan, (const uint8_t *const *)shards, shards + k, 0, SIZE, scratch) ==
              REED_OK, "apply");
    free(scratch);
    reed_plan_destroy(plan);
    memcpy(saved, memory, sizeof saved);
}

static void test_shape(enum reed_generator generator, uint32_t k, uint32_t m, uint64_t *random)
{
    struct faulty faulty = {.left = SIZE_MAX};
    struct reed_code *code = create(generator, k, m, &faulty);
    uint32_t count = k + m;
    fill(code, random);

    for (uint32_t i = k; i < count; i++) memset(memory[i], 0x5a, SIZE);
    CHECK(reed_stripe_encode(code, shards, SIZE) == REED_OK, "encode %u+%u", k, m);
    CHECK(memcmp(memory, saved, sizeof saved) == 0, "encode %u+%u: other bytes", k, m);

    size_t column = 12345;
    const uint8_t *const *read_only = (const uint8_t *const *)shards;
    CHECK(reed_stripe_verify(code, read_only, SIZE, &column) == REED_OK, "verify %u+%u", k, m);
    for (uint32_t i = 0; m > 0 && i < count; i += 1 + count / 5) {
        size_t at = random_below(random, SIZE);
        memory[i][at] ^= 0x40;
        CHECK(reed_stripe_verify(code, read_only, SIZE, &column) == REED_MISMATCH,
              "%u+%u: a flipped bit of shard %u is not seen", k, m, i);
        CHECK(column == at, "%u+%u: column %zu, found %zu", k, m, at, column);
        CHECK(reed_stripe_verify(code, read_only, at, NULL) == REED_OK, "columns before it");
        memory[i][at] ^= 0x40;
    }

    for (int round = 0; round < 20; round++) {
        uint32_t lost = (uint32_t)random_below(random, (uint64_t)m + 1);
        for (uint32_t i = 0; i < count; i++) is_present[i] = 1;
        for (uint32_t n = 0; n < lost; n++) {
            uint32_t i = (uint32_t)random_below(random, count);
            is_present[i] = 0;
            /* Some are lost and not wanted. */
            if (random_below(random, 4) == 0) shards[i] = NULL;
            memset(memory[i], 0xa5, SIZE);
        }
        CHECK(reed_stripe_reconstruct(code, shards, is_present, SIZE) == REED_OK,
              "reconstruct %u+%u", k, m);
        for (uint32_t i = 0; i < count; i++) {
            if (shards[i] != NULL) {
                CHECK(memcmp(memory[i], saved[i], SIZE) == 0, "%u+%u: shard %u", k, m, i);
            } else {
                CHECK(memory[i][0] == 0xa5 && memory[i][SIZE - 1] == 0xa5, "not wanted: %u", i);
            }
            shards[i] = memory[i];
            memcpy(memory[i], saved[i], SIZE);
        }
    }

    for (uint32_t i = 0; i < count; i++) is_present[i] = i > m; /* one more than there may be */
    memset(memory[0], 0xa5, SIZE);
    CHECK(reed_stripe_reconstruct(code, shards, is_present, SIZE) == REED_TOO_FEW_SHARDS,
          "%u+%u from %u shards", k, m, k - 1);
    CHECK(memory[0][0] == 0xa5 && memory[0][SIZE - 1] == 0xa5, "written in spite of an error");

    CHECK(reed_stripe_encode(code, shards, 0) == REED_OK, "empty shards");
    reed_code_destroy(code);
    CHECK(faulty.taken == 0, "%zu allocations were not given back", faulty.taken);
}

static void test_refusals(uint64_t *random)
{
    struct faulty faulty = {.left = SIZE_MAX};
    struct reed_code *code = create(REED_GENERATOR_NATIVE, 4, 2, &faulty);
    fill(code, random);
    const uint8_t *const *read_only = (const uint8_t *const *)shards;
    enum reed_status want = REED_INVALID_PARAMETER;
    CHECK(reed_stripe_encode(NULL, shards, SIZE) == want, "no code");
    CHECK(reed_stripe_encode(code, NULL, SIZE) == want, "no shards");
    CHECK(reed_stripe_reconstruct(NULL, shards, is_present, SIZE) == want, "no code");
    CHECK(reed_stripe_reconstruct(code, NULL, is_present, SIZE) == want, "no shards");
    CHECK(reed_stripe_reconstruct(code, shards, NULL, SIZE) == want, "no marks");
    CHECK(reed_stripe_verify(NULL, read_only, SIZE, NULL) == want, "no code");
    CHECK(reed_stripe_verify(code, NULL, SIZE, NULL) == want, "no shards");
    for (size_t i = 0; i < 6; i++) {
        shards[i] = NULL;
        CHECK(reed_stripe_encode(code, shards, SIZE) == want, "encode without shard %zu", i);
        CHECK(reed_stripe_verify(code, read_only, SIZE, NULL) == want, "verify without %zu", i);
        CHECK(reed_stripe_reconstruct(code, shards, is_present, SIZE) == want,
              "shard %zu is present and is not there", i);
        shards[i] = memory[i];
    }
    CHECK(memcmp(memory, saved, sizeof saved) == 0, "written in spite of an error");
    reed_code_destroy(code);
}

/* Each call of the allocator fails in turn: an error, nothing written, nothing kept. */
static void test_no_memory(uint32_t k, uint32_t m, uint64_t *random)
{
    struct faulty faulty = {.left = SIZE_MAX};
    struct reed_code *code = create(REED_GENERATOR_NATIVE, k, m, &faulty);
    fill(code, random);
    size_t held = faulty.taken;
    const uint8_t *const *read_only = (const uint8_t *const *)shards;
    is_present[0] = 0;
    for (int operation = 0; operation < 3; operation++) {
        enum reed_status status = REED_OUT_OF_MEMORY;
        for (size_t calls = 0; status != REED_OK; calls++) {
            CHECK(calls < 10, "operation %d never succeeds", operation);
            faulty.left = calls;
            status = operation == 0   ? reed_stripe_encode(code, shards, SIZE)
                     : operation == 1 ? reed_stripe_verify(code, read_only, SIZE, NULL)
                                      : reed_stripe_reconstruct(code, shards, is_present, SIZE);
            CHECK(status == REED_OK || status == REED_OUT_OF_MEMORY, "status %d", (int)status);
            CHECK(status == REED_OK || calls > 0 || faulty.left == 0, "allocator was not asked");
            CHECK(faulty.taken == held, "operation %d keeps memory", operation);
            CHECK(memcmp(memory, saved, sizeof saved) == 0, "operation %d, other bytes",
                  operation);
        }
    }
    reed_code_destroy(code);
}

int main(void)
{
    uint64_t random = 20180720;
    static const uint32_t shapes[][2] = {{1, 0}, {1, 1},  {4, 2},  {10, 4},    {12, 6},
                                         {5, 0}, {20, 10}, {3, 40}, {100, 20}, {128, 128}};
    for (size_t n = 0; n < sizeof shapes / sizeof shapes[0]; n++) {
        test_shape(REED_GENERATOR_NATIVE, shapes[n][0], shapes[n][1], &random);
        test_shape(REED_GENERATOR_ISAL_CAUCHY, shapes[n][0], shapes[n][1], &random);
    }
    test_shape(REED_GENERATOR_REPLICATION, 1, 2, &random);
    test_refusals(&random);
    test_no_memory(4, 2, &random);
    test_no_memory(128, 128, &random); /* its plans need scratch */
    return EXIT_SUCCESS;
}
