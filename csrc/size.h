/* size.h - checked arithmetic on lengths. Every length that is computed from a caller's or a
 * file's numbers goes through here, so an overflow is a status and never a short buffer. */
#ifndef REED_SIZE_H
#define REED_SIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Each stores the result and returns true, or returns false when it does not fit. */
static inline bool size_add(size_t a, size_t b, size_t *sum)
{
    *sum = a + b;
    return *sum >= a;
}

static inline bool size_multiply(size_t a, size_t b, size_t *product)
{
    *product = a * b;
    return a == 0 || *product / a == b;
}

static inline bool u64_add(uint64_t a, uint64_t b, uint64_t *sum)
{
    *sum = a + b;
    return *sum >= a;
}

static inline bool u64_multiply(uint64_t a, uint64_t b, uint64_t *product)
{
    *product = a * b;
    return a == 0 || *product / a == b;
}

/* `alignment` is a power of two. */
static inline bool u64_round_up(uint64_t value, uint64_t alignment, uint64_t *rounded)
{
    if (!u64_add(value, alignment - 1, rounded)) return false;
    *rounded &= ~(alignment - 1);
    return true;
}

static inline size_t size_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

#endif
