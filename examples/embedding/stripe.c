/* stripe.c - reed inside a C program: ten data shards, four parity shards, four of them lost.
 *
 *   cc stripe.c $(pkg-config --cflags --libs reed)
 *   cc stripe.c $(reed config --cflags --libs)          # reed from a Python package */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <reed.h>

enum { DATA_SHARDS = 10, PARITY_SHARDS = 4, SHARDS = DATA_SHARDS + PARITY_SHARDS, SIZE = 100003 };

static void check(enum reed_status status)
{
    if (status == REED_OK) return;
    fprintf(stderr, "reed: %s\n", reed_status_message(status));
    exit(EXIT_FAILURE);
}

int main(void)
{
    struct reed_code_options options = {
        .struct_size = sizeof options,
        .generator = REED_GENERATOR_NATIVE,
        .data_shards = DATA_SHARDS,
        .parity_shards = PARITY_SHARDS,
    };
    struct reed_code *code;
    check(reed_code_create(&options, &code));

    static uint8_t bytes[SHARDS][SIZE], copy[SHARDS][SIZE];
    uint8_t *shards[SHARDS], is_present[SHARDS];
    for (size_t i = 0; i < SHARDS; i++) {
        shards[i] = bytes[i];
        is_present[i] = 1;
        for (size_t j = 0; i < DATA_SHARDS && j < SIZE; j++) {
            bytes[i][j] = (uint8_t)(i * 7 + j % 251);
        }
    }
    check(reed_stripe_encode(code, shards, SIZE));
    memcpy(copy, bytes, sizeof bytes);

    static const size_t lost[] = {0, 3, 9, 12};
    for (size_t i = 0; i < sizeof lost / sizeof lost[0]; i++) {
        memset(bytes[lost[i]], 0xa5, SIZE);
        is_present[lost[i]] = 0;
    }
    check(reed_stripe_reconstruct(code, shards, is_present, SIZE));
    check(reed_stripe_verify(code, (const uint8_t *const *)shards, SIZE, NULL));
    int is_whole = memcmp(copy, bytes, sizeof bytes) == 0;

    printf("reed %s, kernel %s: 4 of 14 shards lost and %s\n", reed_version(),
           reed_kernel_name(reed_code_kernel(code)), is_whole ? "rebuilt" : "NOT rebuilt");
    reed_code_destroy(code);
    return is_whole ? EXIT_SUCCESS : EXIT_FAILURE;
}
