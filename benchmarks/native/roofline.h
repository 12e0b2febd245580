/* roofline.h - kernels that only move bytes: they load k streams, XOR them and store the sum to m
 * streams. A coder with k sources and m targets touches the same bytes and computes more, so the
 * fastest of these variants is the limit that it can approach and not pass. */
#ifndef BENCH_ROOFLINE_H
#define BENCH_ROOFLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* `size` columns; any alignment for plain stores, targets at multiples of 64 bytes for
 * non-temporal ones. */
typedef void roofline_run(const uint8_t *const *sources, size_t source_count,
                          uint8_t *const *targets, size_t target_count, size_t size);

struct roofline_variant {
    const char *name;
    bool is_nontemporal; /* the stores go past the cache */
    roofline_run *run;
};

/* The variants for one instruction set; `is_supported` says whether this processor has it. */
struct roofline_set {
    const char *name;
    bool (*is_supported)(void);
    const struct roofline_variant *variants;
    size_t variant_count;
};

extern const struct roofline_set roofline_avx512;
extern const struct roofline_set roofline_avx2;
extern const struct roofline_set roofline_base;

#endif
