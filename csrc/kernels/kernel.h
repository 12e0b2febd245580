/* kernel.h - what a kernel is: a table of functions for one instruction set.
 *
 * A kernel knows how to multiply by constants and nothing else: no codes, no plans, no shards.
 * All kernels give the same bytes. kernels.c lists them; each ISA file fills the table from
 * template.h. Functions here trust their arguments: plan.c and apply.c have checked them. */
#ifndef REED_KERNEL_H
#define REED_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    /* Targets that one call of `multiply` keeps in registers. */
    KERNEL_TARGETS_MAX = 8,
    /* log2 of the largest transform that `transform` runs in registers. */
    KERNEL_TRANSFORM_LOG2_MAX = 4,
    KERNEL_VECTOR_SIZE_MAX = 64
};

struct reed_kernel {
    const char *name;
    bool (*is_supported)(void);
    size_t vector_size; /* bytes; a power of two, at most KERNEL_VECTOR_SIZE_MAX */

    /* Bytes of one prepared coefficient, and the function that prepares it. */
    size_t entry_size;
    void (*prepare)(uint8_t coefficient, void *entry);

    /* For columns [begin, end): target t (^)= sum over s of c(s, t) source s, with
     * target_count 1 .. KERNEL_TARGETS_MAX and source_count >= 1. `entries` holds c(s, t) at
     * position s * target_count + t. `accumulate`: XOR into the targets. */
    void (*multiply)(const void *entries, const uint8_t *const *sources, size_t source_count,
                     uint8_t *const *targets, size_t target_count, size_t begin, size_t end,
                     bool accumulate);

    /* The same with one target and every coefficient 1. */
    void (*add)(const uint8_t *const *sources, size_t source_count, uint8_t *target, size_t begin,
                size_t end, bool accumulate);

    /* The native encoder: inverse transforms of the sources in groups of 2^log2_size, summed, then
     * one forward transform at offset 0 whose first target_count outputs are stored.
     * log2_size 1 .. KERNEL_TRANSFORM_LOG2_MAX, 2^(log2_size - 1) < target_count <= 2^log2_size.
     * `entries`: the forward twiddles, then those of each group; see template.h. */
    void (*transform)(const void *entries, unsigned log2_size, const uint8_t *const *sources,
                      size_t source_count, uint8_t *const *targets, size_t target_count,
                      size_t begin, size_t end);

    /* Passes of wide transforms over 2^log2_size rows of `size` bytes (a multiple of vector_size);
     * log2_size 1 .. KERNEL_TRANSFORM_LOG2_MAX; `out` may be `in`; 2^log2_size - 1 twiddles.
     *   inverse: out (^)= inverse transform of in
     *   forward: out = forward transform of in; `is_first`: at offset 0
     *   turn:    the last inverse pass and the first forward pass at offset 0, in place */
    void (*inverse)(const void *entries, unsigned log2_size, const uint8_t *const *in,
                    uint8_t *const *out, size_t size, bool accumulate);
    void (*forward)(const void *entries, unsigned log2_size, bool is_first,
                    const uint8_t *const *in, uint8_t *const *out, size_t size);
    void (*turn)(const void *inverse_entries, const void *forward_entries, unsigned log2_size,
                 uint8_t *const *rows, size_t size);

    /* CRC32C of `size` bytes that continue `value`; see checksum.h. */
    uint32_t (*crc32c)(uint32_t value, const uint8_t *data, size_t size);
};

extern const struct reed_kernel reed_kernel_portable;
#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define REED_HAVE_X86_KERNELS 1
extern const struct reed_kernel reed_kernel_avx2;
extern const struct reed_kernel reed_kernel_avx2_gfni;
extern const struct reed_kernel reed_kernel_avx512_gfni;
#endif
#if defined(__aarch64__) && (defined(__GNUC__) || defined(__clang__)) && defined(__AARCH64EL__)
#define REED_HAVE_NEON_KERNEL 1
extern const struct reed_kernel reed_kernel_neon;
#endif

/* The preferred kernel that this machine supports; never NULL. Looks at no environment. */
const struct reed_kernel *kernel_best(void);

#endif
