/* test_threads.c - many threads at once: their very first calls together, then one code and its plans
 * shared by all while other codes come and go. For the thread sanitizer; the bytes are checked too. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS, pthread_barrier_t */
#include <pthread.h>

#include "check.h"
#include "reed.h"

enum { THREADS = 16, DATA = 10, PARITY = 4, SIZE = 8192, ROUNDS = 8 };

static const uint64_t seed = 20240405;

static pthread_barrier_t barrier;
static uint8_t data[DATA][SIZE], parity[PARITY][SIZE];
static const uint8_t *data_rows[DATA];
static uint8_t *parity_rows[PARITY];
static const struct reed_code *shared_code;
static const struct reed_plan *shared_plan;

static struct reed_code *create_code(void)
{
    struct reed_code_options options = {
        .struct_size = sizeof options, .generator = REED_GENERATOR_NATIVE,
        .data_shards = DATA, .parity_shards = PARITY,
    };
    struct reed_code *code;
    CHECK(reed_code_create(&options, &code) == REED_OK, "code");
    return code;
}

static void *scratch_for(const struct reed_plan *plan)
{
    void *scratch = malloc(reed_plan_apply_scratch_size(plan) + 1);
    CHECK(scratch != NULL, "malloc");
    return scratch;
}

/* A whole life of a code that belongs to this thread: encode, lose, rebuild. Returns a checksum of
 * the parity. */
static uint32_t own_stripe(void)
{
    struct reed_code *code = create_code();
    struct reed_plan *plan;
    uint8_t (*mine)[SIZE] = malloc(PARITY * sizeof *mine);
    uint8_t *targets[PARITY], *rebuilt[1] = {malloc(SIZE)};
    CHECK(mine != NULL && rebuilt[0] != NULL, "malloc");
    for (size_t i = 0; i < PARITY; i++) targets[i] = mine[i];
    CHECK(reed_plan_create_encode(code, &plan) == REED_OK, "plan");
    void *scratch = scratch_for(plan);
    CHECK(reed_plan_apply(plan, data_rows, targets, 0, SIZE, scratch) == REED_OK, "apply");
    free(scratch);
    reed_plan_destroy(plan);
    uint32_t crc = 0;
    for (size_t i = 0; i < PARITY; i++) crc = reed_crc32c(crc, mine[i], SIZE);

    uint32_t available[DATA], wanted[1] = {0};
    const uint8_t *sources[DATA];
    for (uint32_t i = 0; i < DATA; i++) {
        available[i] = i + 1;
        sources[i] = i + 1 < DATA ? data[i + 1] : mine[0];
    }
    CHECK(reed_plan_create_reconstruct(code, available, DATA, wanted, 1, &plan) == REED_OK, "plan");
    scratch = scratch_for(plan);
    CHECK(reed_plan_apply(plan, sources, rebuilt, 0, SIZE, scratch) == REED_OK, "apply");
    CHECK(memcmp(rebuilt[0], data[0], SIZE) == 0, "rebuilt");
    free(scratch);
    reed_plan_destroy(plan);
    reed_code_destroy(code);
    free(rebuilt[0]);
    free(mine);
    return crc;
}

static void *first_use(void *result)
{
    pthread_barrier_wait(&barrier);
    *(uint32_t *)result = own_stripe();
    return NULL;
}

/* Each thread does its own columns of the shared targets, with the shared plan. */
static void *shared_use(void *argument)
{
    size_t thread = *(const size_t *)argument, step = SIZE / THREADS;
    void *scratch = scratch_for(shared_plan);
    pthread_barrier_wait(&barrier);
    for (int round = 0; round < ROUNDS; round++) {
        CHECK(reed_plan_apply(shared_plan, data_rows, parity_rows, thread * step,
                              (thread + 1) * step, scratch) == REED_OK,
              "apply");
        struct reed_plan *plan;
        const uint32_t available[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, wanted[] = {0};
        CHECK(reed_plan_create_reconstruct(shared_code, available, DATA, wanted, 1, &plan) ==
                  REED_OK,
              "plan");
        reed_plan_destroy(plan);
        if (thread % 2) own_stripe(); /* codes are made and destroyed meanwhile */
    }
    free(scratch);
    return NULL;
}

/* Reading only: every thread locates in the same stripe. */
static void *shared_locate(void *argument)
{
    (void)argument;
    uint32_t indices[DATA + PARITY], wrong[DATA + PARITY];
    const uint8_t *given[DATA + PARITY];
    for (uint32_t i = 0; i < DATA + PARITY; i++) {
        indices[i] = i;
        given[i] = i < DATA ? data[i] : parity[i - DATA];
    }
    size_t count;
    pthread_barrier_wait(&barrier);
    CHECK(reed_locate(shared_code, indices, DATA + PARITY, given, SIZE, wrong, &count, NULL) ==
                  REED_OK && count == 1 && wrong[0] == 3,
          "locate");
    return NULL;
}

static void run_all(void *(*body)(void *), void *arguments, size_t size)
{
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        CHECK(pthread_create(&threads[i], NULL, body, (char *)arguments + i * size) == 0, "thread");
    }
    for (size_t i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0, "join");
}

int main(void)
{
    uint64_t state = seed;
    printf("seed %llu\n", (unsigned long long)seed);
    for (size_t i = 0; i < DATA; i++) {
        random_bytes(&state, data[i], SIZE);
        data_rows[i] = data[i];
    }
    for (size_t i = 0; i < PARITY; i++) parity_rows[i] = parity[i];
    CHECK(pthread_barrier_init(&barrier, NULL, THREADS) == 0, "barrier");

    uint32_t results[THREADS];
    run_all(first_use, results, sizeof results[0]); /* nothing of the library has run before */
    for (size_t i = 1; i < THREADS; i++) CHECK(results[i] == results[0], "thread %zu", i);

    struct reed_code *code = create_code();
    struct reed_plan *plan;
    CHECK(reed_plan_create_encode(code, &plan) == REED_OK, "plan");
    shared_code = code;
    shared_plan = plan;
    size_t numbers[THREADS];
    for (size_t i = 0; i < THREADS; i++) numbers[i] = i;
    run_all(shared_use, numbers, sizeof numbers[0]);
    uint32_t crc = 0;
    for (size_t i = 0; i < PARITY; i++) crc = reed_crc32c(crc, parity[i], SIZE);
    CHECK(crc == results[0], "columns by many threads, or all by one: the same bytes");

    data[3][SIZE / 2] ^= 9;
    run_all(shared_locate, numbers, sizeof numbers[0]);
    reed_plan_destroy(plan);
    reed_code_destroy(code);
    CHECK(pthread_barrier_destroy(&barrier) == 0, "barrier");
    return EXIT_SUCCESS;
}
