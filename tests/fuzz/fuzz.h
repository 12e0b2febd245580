/* fuzz.h - what the fuzz targets share: a check that aborts, memory of an exact size, and an input
 * that is read byte by byte. */
#ifndef REED_FUZZ_H
#define REED_FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                        \
    do {                                                                          \
        if (!(condition)) {                                                       \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);       \
            abort();                                                              \
        }                                                                         \
    } while (0)

/* Zeroed memory that the sanitizer watches to the byte. */
static inline void *take(size_t size)
{
    void *memory = calloc(size > 0 ? size : 1, 1);
    REQUIRE(memory != NULL);
    return memory;
}

/* The fuzzer's bytes, then zeros. */
struct input {
    const uint8_t *data;
    size_t size;
};

static inline unsigned next(struct input *input)
{
    if (input->size == 0) return 0;
    input->size--;
    return *input->data++;
}

static inline unsigned next_below(struct input *input, unsigned limit)
{
    unsigned value = next(input);
    if (limit > 256) value = value << 8 | next(input);
    return value % limit;
}

#endif
