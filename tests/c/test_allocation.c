/* test_allocation.c - each allocation fails in turn: the call says OUT_OF_MEMORY, stores nothing,
 * keeps nothing; and all memory arrives poisoned, so whatever is read before it is written shows. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "oracle.h"
#include "reed.h"

enum { LIVE_MAX = 64, SIZE = 3000, SHARDS = 40 };

static const uint64_t seed = 20240404;

/* An allocator that counts, refuses one request, and knows what it gave. */
struct heap {
    size_t request_count, failing_request; /* failing_request 0: none */
    size_t live_count;
    void *live[LIVE_MAX];
};

static void *heap_allocate(void *context, size_t size)
{
    struct heap *heap = context;
    CHECK(size > 0, "a request for nothing");
    heap->request_count++;
    if (heap->request_count == heap->failing_request) return NULL;
    void *memory = malloc(size);
    CHECK(memory != NULL && heap->live_count < LIVE_MAX, "malloc");
    memset(memory, 0xa5, size);
    heap->live[heap->live_count++] = memory;
    return memory;
}

static void heap_release(void *context, void *memory)
{
    struct heap *heap = context;
    CHECK(memory != NULL, "NULL was released");
    size_t i = 0;
    while (i < heap->live_count && heap->live[i] != memory) i++;
    CHECK(i < heap->live_count, "memory was released twice, or is not ours");
    heap->live[i] = heap->live[--heap->live_count];
    free(memory);
}

static struct heap heap;
static const struct reed_allocator allocator = {heap_allocate, heap_release, &heap};
static uint8_t shards[SHARDS][SIZE];
static uint64_t state;

static struct reed_code *code_of(enum reed_generator generator, uint32_t k, uint32_t m,
                                 const uint8_t *matrix)
{
    struct reed_code_options options = {
        .struct_size = sizeof options, .generator = generator, .data_shards = k,
        .parity_shards = m, .matrix = matrix, .allocator = &allocator,
    };
    struct reed_code *code;
    CHECK(reed_code_create(&options, &code) == REED_OK, "%u+%u", k, m);
    return code;
}

/* One call that allocates; `made` is what it creates, or NULL. */
typedef enum reed_status (*attempt)(const struct reed_code *code, void **made);

static enum reed_status make_code(const struct reed_code *code, void **made)
{
    struct reed_code_options options = {
        .struct_size = sizeof options, .generator = reed_code_generator(code),
        .data_shards = reed_code_data_shards(code),
        .parity_shards = reed_code_parity_shards(code), .allocator = &allocator,
    };
    uint8_t matrix[SHARDS * SHARDS] = {1};
    if (options.generator == REED_GENERATOR_EXPLICIT) options.matrix = matrix;
    struct reed_code *other = (struct reed_code *)&state;
    enum reed_status status = reed_code_create(&options, &other);
    *made = other;
    return status;
}

static enum reed_status make_encode(const struct reed_code *code, void **made)
{
    struct reed_plan *plan = (struct reed_plan *)&state;
    enum reed_status status = reed_plan_create_encode(code, &plan);
    *made = plan;
    return status;
}

static enum reed_status make_reconstruct(const struct reed_code *code, void **made)
{
    uint32_t k = reed_code_data_shards(code), available[SHARDS], wanted[2] = {0, k + 1};
    for (uint32_t i = 0; i + 1 < k; i++) available[i] = i + 1;
    available[k - 1] = k;
    struct reed_plan *plan = (struct reed_plan *)&state;
    enum reed_status status =
        reed_plan_create_reconstruct(code, available, k, wanted, 2, &plan);
    *made = plan;
    return status;
}

static enum reed_status make_update(const struct reed_code *code, void **made)
{
    uint32_t parity = reed_code_data_shards(code);
    struct reed_plan *plan = (struct reed_plan *)&state;
    enum reed_status status = reed_plan_create_update(code, 0, &parity, 1, &plan);
    *made = plan;
    return status;
}

static enum reed_status make_matrix(const struct reed_code *code, void **made)
{
    (void)code;
    uint8_t matrix[6] = {1, 2, 3, 4, 5, 6};
    struct reed_plan *plan = (struct reed_plan *)&state;
    enum reed_status status = reed_plan_create_matrix(NULL, &allocator, matrix, 2, 3, &plan);
    *made = plan;
    return status;
}

/* Two wrong shards in different columns: the plan without the first is made on the way. */
static enum reed_status run_locate(const struct reed_code *code, void **made)
{
    uint32_t n = reed_code_data_shards(code) + reed_code_parity_shards(code);
    uint32_t indices[SHARDS], wrong[SHARDS];
    const uint8_t *given[SHARDS];
    size_t count = 99;
    *made = NULL;
    for (uint32_t i = 0; i < n; i++) {
        indices[i] = i;
        given[i] = shards[i];
    }
    enum reed_status status =
        reed_locate(code, indices, n, given, SIZE, wrong, &count, NULL);
    if (status == REED_OK) {
        CHECK(count == 2 && wrong[0] == 1 && wrong[1] == n - 1, "%zu wrong shards", count);
    } else {
        CHECK(count == 0, "a failed locate names %zu shards", count);
    }
    return status;
}

static void destroy_code(void *made)
{
    reed_code_destroy(made);
}

static void destroy_plan(void *made)
{
    reed_plan_destroy(made);
}

/* Fails request 1, 2, ... until the call needs no more; returns how many requests it makes. */
static size_t fail_each(attempt call, void (*destroy)(void *), const struct reed_code *code)
{
    size_t live_before = heap.live_count;
    for (size_t failing = 1;; failing++) {
        void *made = &state;
        heap.request_count = 0;
        heap.failing_request = failing;
        enum reed_status status = call(code, &made);
        size_t requests = heap.request_count;
        heap.failing_request = 0;
        CHECK(requests < 50, "%zu requests", requests);
        if (requests < failing) { /* nothing failed this time */
            CHECK(status == REED_OK, "%s", reed_status_message(status));
            if (destroy != NULL) {
                CHECK(made != NULL, "nothing was made");
                destroy(made);
            }
            CHECK(heap.live_count == live_before, "%zu blocks leaked",
                  heap.live_count - live_before);
            return requests;
        }
        CHECK(status == REED_OUT_OF_MEMORY, "request %zu failed: %s", failing,
              reed_status_message(status));
        CHECK(made == NULL, "request %zu failed and something was stored", failing);
        CHECK(heap.live_count == live_before, "request %zu failed: %zu blocks leaked", failing,
              heap.live_count - live_before);
    }
}

static void test_code(enum reed_generator generator, uint32_t k, uint32_t m, const uint8_t *matrix)
{
    struct reed_code *code = code_of(generator, k, m, matrix);
    /* A stripe by the oracle, wrong in two shards. */
    const uint8_t *sources[SHARDS];
    uint8_t row[SHARDS];
    for (uint32_t i = 0; i < k; i++) {
        random_bytes(&state, shards[i], SIZE);
        sources[i] = shards[i];
    }
    for (uint32_t i = k; i < k + m; i++) {
        CHECK(reed_code_row(code, i, row) == REED_OK, "row");
        for (size_t c = 0; c < SIZE; c++) shards[i][c] = oracle_dot(row, k, sources, c);
    }
    shards[1][10] ^= 1;
    shards[k + m - 1][2000] ^= 0x80;

    size_t requests = fail_each(make_code, destroy_code, code);
    CHECK(requests == 1, "a code is one block");
    requests = fail_each(make_encode, destroy_plan, code);
    CHECK(requests >= 1, "encode");
    requests = fail_each(make_reconstruct, destroy_plan, code);
    CHECK(requests >= 2, "reconstruct takes working memory and a plan");
    requests = fail_each(make_update, destroy_plan, code);
    CHECK(requests >= 1, "update");
    requests = fail_each(make_matrix, destroy_plan, code);
    CHECK(requests >= 1, "matrix");
    requests = fail_each(run_locate, NULL, code);
    CHECK(requests >= 4, "locate makes two plans and takes working memory");
    reed_code_destroy(code);
    CHECK(heap.live_count == 0, "%zu blocks leaked", heap.live_count);
}

/* Plans outlive their code, and destroying one code leaves others alone. */
static void test_lifetimes(void)
{
    struct reed_code *one = code_of(REED_GENERATOR_NATIVE, 4, 4, NULL);
    struct reed_code *two = code_of(REED_GENERATOR_NATIVE, 4, 4, NULL);
    struct reed_plan *plan, *other;
    CHECK(reed_plan_create_encode(one, &plan) == REED_OK, "plan");
    reed_code_destroy(one);
    CHECK(reed_plan_create_encode(two, &other) == REED_OK, "plan");
    reed_plan_destroy(other);
    uint8_t expected[4], *scratch = malloc(reed_plan_apply_scratch_size(plan) + 1);
    CHECK(scratch != NULL, "malloc");
    const uint8_t *sources[4] = {shards[0], shards[1], shards[2], shards[3]};
    uint8_t *targets[4] = {shards[4], shards[5], shards[6], shards[7]};
    CHECK(reed_plan_apply(plan, sources, targets, 0, SIZE, scratch) == REED_OK, "apply");
    CHECK(reed_code_row(two, 4, expected) == REED_OK, "row");
    for (size_t c = 0; c < SIZE; c++) {
        CHECK(shards[4][c] == oracle_dot(expected, 4, sources, c), "column %zu", c);
    }
    free(scratch);
    reed_plan_destroy(plan);
    reed_code_destroy(two);
    CHECK(heap.live_count == 0, "%zu blocks leaked", heap.live_count);
}

int main(void)
{
    state = seed;
    printf("seed %llu\n", (unsigned long long)seed);
    oracle_prepare();
    test_code(REED_GENERATOR_NATIVE, 10, 4, NULL);
    test_code(REED_GENERATOR_NATIVE, 10, 24, NULL);
    test_code(REED_GENERATOR_ISAL_CAUCHY, 5, 3, NULL);
    test_code(REED_GENERATOR_ISAL_VAND, 5, 4, NULL);
    test_code(REED_GENERATOR_KLAUSPOST, 4, 2, NULL);
    static const uint8_t matrix[4 * 2] = {1, 1, 1, 2, 1, 4, 1, 8};
    test_code(REED_GENERATOR_EXPLICIT, 2, 4, matrix);
    test_lifetimes();
    return EXIT_SUCCESS;
}
