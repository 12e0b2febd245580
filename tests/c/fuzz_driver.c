/* fuzz_driver.c [RUNS] - runs a libFuzzer target on seeded random inputs, for compilers that have no
 * fuzzer: it keeps the target alive between the long runs. Linked with a file of tests/fuzz. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint64_t seed = 20240406;

int main(int argc, char **argv)
{
    enum { INPUT_SIZE_MAX = 512 };
    long runs = argc > 1 ? strtol(argv[1], NULL, 10) : 2000;
    uint64_t state = seed;
    printf("seed %llu\n", (unsigned long long)seed);
    for (long i = 0; i < runs; i++) {
        size_t size = random_below(&state, INPUT_SIZE_MAX + 1);
        uint8_t *input = malloc(size + (size == 0)); /* exactly sized, for the sanitizer */
        CHECK(input != NULL, "malloc");
        random_bytes(&state, input, size);
        CHECK(LLVMFuzzerTestOneInput(input, size) == 0, "run %ld", i);
        free(input);
    }
    return EXIT_SUCCESS;
}
