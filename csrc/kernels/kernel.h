/* kernel.h - what a kernel is: a table of functions for one instruction set.
 *
 * A kernel knows how to multiply by constants, and checksums: no codes, no plans, no shards.
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

/* What becomes of computed bytes. */
enum kernel_write {
    KERNEL_STORE = 0,
    KERNEL_ADD = 1,   /* XOR into the targets */
    /* Store past the cache, for data that is larger than it. Targets at `begin` are aligned to
     * vector_size. The caller ends with `fence`. */
    KERNEL_STREAM = 2,
    /* The same, and fetch sources ahead: where the processor does not do that well itself. */
    KERNEL_STREAM_FETCH = 3
};

struct crc32c_state; /* checksum.h */

/* What a product may do on the way, while bytes are in registers. */
struct kernel_extra {
    /* Every vector that is loaded from a source, or stored into a target, is folded into the state
     * of its checksum; NULL: into none. */
    struct crc32c_state *source_states, *target_states;
    size_t fetch_ahead; /* bytes from a source's load to the line that is asked for; 0: none */
};

/* Products that do more, and what belongs to that. */
struct kernel_extras {
    /* States before the first bytes, and the finished CRC32C after the last tail_size bytes, which
     * are fewer than a vector and were in no product. */
    void (*begin)(struct crc32c_state *states, size_t count);
    uint32_t (*end)(const struct crc32c_state *state, const uint8_t *tail, size_t tail_size);

    /* As the functions of struct reed_kernel of the same names, over whole vectors; KERNEL_STORE or
     * KERNEL_STREAM. */
    void (*multiply)(const void *entries, const uint8_t *const *sources, size_t source_count,
                     uint8_t *const *targets, size_t target_count, size_t begin, size_t end,
                     enum kernel_write write, const struct kernel_extra *extra);
    void (*add)(const uint8_t *const *sources, size_t source_count, uint8_t *const *targets,
                size_t target_count, size_t begin, size_t end, enum kernel_write write,
                const struct kernel_extra *extra);
    void (*transform)(const void *entries, unsigned log2_size, const uint8_t *const *sources,
                      size_t source_count, uint8_t *const *targets, size_t target_count,
                      size_t begin, size_t end, enum kernel_write write,
                      const struct kernel_extra *extra);
};

struct reed_kernel {
    const char *name;
    bool (*is_supported)(void);
    size_t vector_size; /* bytes; a power of two, at most KERNEL_VECTOR_SIZE_MAX */

    /* Bytes of one prepared coefficient, and the function that prepares it. */
    size_t entry_size;
    void (*prepare)(uint8_t coefficient, void *entry);

    /* For columns [begin, end): target t (^)= sum over s of c(s, t) source s, with
     * target_count 1 .. KERNEL_TARGETS_MAX. `entries` holds c(s, t) at
     * position s * target_count + t. */
    void (*multiply)(const void *entries, const uint8_t *const *sources, size_t source_count,
                     uint8_t *const *targets, size_t target_count, size_t begin, size_t end,
                     enum kernel_write write);

    /* The same with every coefficient 1, and any number of targets. */
    void (*add)(const uint8_t *const *sources, size_t source_count, uint8_t *const *targets,
                size_t target_count, size_t begin, size_t end, enum kernel_write write);

    /* The native encoder: inverse transforms of the sources in groups of 2^log2_size, summed, then
     * one forward transform at offset 0 whose first target_count outputs are stored.
     * log2_size 1 .. KERNEL_TRANSFORM_LOG2_MAX, 2^(log2_size - 1) < target_count <= 2^log2_size.
     * `entries`: the forward twiddles, then those of each group; see template.h. */
    void (*transform)(const void *entries, unsigned log2_size, const uint8_t *const *sources,
                      size_t source_count, uint8_t *const *targets, size_t target_count,
                      size_t begin, size_t end, enum kernel_write write); /* not KERNEL_ADD */

    /* Passes of wide transforms over 2^log2_size rows of `size` bytes (a multiple of vector_size);
     * log2_size 1 .. KERNEL_TRANSFORM_LOG2_MAX; 2^log2_size - 1 twiddles. `out` may be `in`.
     * `scales`: one entry for each row, or NULL; only with log2_size KERNEL_TRANSFORM_LOG2_MAX.
     *   inverse: out (^)= inverse transform of scales * in
     *   forward: out = scales * forward transform of (in + D(differentiated));
     *            `differentiated` may be NULL; `is_first`: at offset 0; where out[i] is NULL,
     *            row i is not stored
     *   turn:    out = forward transform at offset 0 of x, x the inverse transform of `in`: the last
     *            inverse and the first forward pass at once. `is_derivative`: of (out +) D(x)
     * D(f)[j] = sum of f[j + 2^l] over the zero bits l of j: the formal derivative. */
    void (*inverse)(const void *entries, unsigned log2_size, const void *scales,
                    const uint8_t *const *in, uint8_t *const *out, size_t size,
                    enum kernel_write write); /* KERNEL_STORE or KERNEL_ADD */
    void (*forward)(const void *entries, unsigned log2_size, const void *scales, bool is_first,
                    const uint8_t *const *in, const uint8_t *const *differentiated,
                    uint8_t *const *out, size_t size, enum kernel_write write); /* not ADD */
    void (*turn)(const void *inverse_entries, const void *forward_entries, unsigned log2_size,
                 bool is_derivative, const uint8_t *const *in, uint8_t *const *out, size_t size,
                 enum kernel_write write); /* STORE or, with is_derivative, ADD */

    /* Orders KERNEL_STREAM stores before whatever follows. */
    void (*fence)(void);

    /* CRC32C and CRC-32 of `size` bytes that continue `value`; see checksum.h. */
    uint32_t (*crc32c)(uint32_t value, const uint8_t *data, size_t size);
    uint32_t (*crc32)(uint32_t value, const uint8_t *data, size_t size);

    /* CRC-32 of bytes that are copied in the same pass; NULL: no better way than one after the
     * other. What is summed is what was stored, though the source may change meanwhile. */
    uint32_t (*crc32_copy)(uint32_t value, const uint8_t *data, size_t size, uint8_t *copy);

    const struct kernel_extras *extras; /* NULL: none */
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
