/* isal.c - ISA-L's erasure-code functions over reed's core, for programs that were built for ISA-L.
 *
 * A call reads the coefficients out of the tables that it is given, builds a plan for them on the
 * stack, and applies that. Nothing is remembered between calls, because a caller may cut and
 * join tables as it likes. Whatever structure helps, such as a row of ones, is found on the way. */
#include "isal/isal.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "field.h"
#include "kernels/entries.h"
#include "kernels/kernel.h"
#include "matrix.h"
#include "plan.h"
#include "reed.h"
#include "size.h"

enum {
    TABLE_SIZE = 32,        /* bytes of one coefficient: ISA-L's contract */
    TABLE_COEFFICIENT = 1,  /* the byte of it that is the coefficient itself */
    ENTRY_SIZE_MAX = sizeof(struct nibble_entry),
    /* Limits of one plan, so that it fits any thread's stack. What is larger takes several. */
    ENTRIES_SIZE = 16384,
    BLOCKS_MAX = 8,
    TARGETS_MAX = BLOCKS_MAX * KERNEL_TARGETS_MAX,
    /* Bytes of all shards up to which nothing is gained by writing past the caches. */
    SMALL_BYTES = 1 << 20,
    /* Bytes of all shards from which on they surely come from memory; shards from which on they are
     * gathered; the memory for that, and the shards that it can hold a useful slice of. */
    GATHER_BYTES_MIN = 4 << 20,
    GATHER_SHARDS_MIN = 21,
    GATHER_SIZE = 8192,
    GATHER_SHARDS_MAX = 64,
    CACHE_LINE = 64,
    /* Bytes of all sources that stay in a core's caches where several blocks of a plan, or several
     * plans, read them one after the other. */
    L1_BUDGET = 24576,
    L1_SLICE_MIN = 256,
    L2_BUDGET = 262144,
    L2_SLICE_MIN = 1024
};

/* The kernel, and all coefficients as it wants them: 256 look-ups are what a small stripe needs
 * most. Written once, before the loader lets anybody call, and only read afterwards. */
static struct {
    const struct reed_kernel *kernel;
    size_t capacity; /* coefficients that one plan holds */
    alignas(max_align_t) uint8_t entries[GF256_ORDER * ENTRY_SIZE_MAX];
} chosen;

/* ISA-L's functions cannot report, and a kernel that was asked for by name is never replaced by
 * another: a wrong name ends the program before it starts. */
__attribute__((constructor)) static void choose_kernel(void)
{
    enum reed_status status = reed_kernel_find(NULL, &chosen.kernel);
    if (status != REED_OK) {
        fprintf(stderr, "libisal of reed: REED_KERNEL=%s: %s\n", getenv("REED_KERNEL"),
                reed_status_message(status));
        abort();
    }
    chosen.capacity = ENTRIES_SIZE / chosen.kernel->entry_size;
    for (unsigned c = 0; c < GF256_ORDER; c++) {
        chosen.kernel->prepare((uint8_t)c, chosen.entries + c * chosen.kernel->entry_size);
    }
}

/* ---- products ------------------------------------------------------------------------------ */

/* Tables of target_count rows; a row begins row_size bytes after the one before. */
struct product {
    const uint8_t *tables;
    size_t row_size;
    const uint8_t *const *sources;
    size_t source_count;
    uint8_t *const *targets;
    size_t target_count;
    bool accumulates;
};

static uint8_t coefficient_at(const struct product *product, size_t target, size_t source)
{
    return product->tables[target * product->row_size + source * TABLE_SIZE + TABLE_COEFFICIENT];
}

/* Constant sizes become single moves. */
static inline uint8_t *copy_entry(uint8_t *to, uint8_t coefficient, size_t entry_size)
{
    const uint8_t *from = chosen.entries + coefficient * entry_size;
    if (entry_size == sizeof(struct affine_entry)) {
        memcpy(to, from, sizeof(struct affine_entry));
    } else {
        memcpy(to, from, entry_size);
    }
    return to + entry_size;
}

static bool is_sum(const struct product *product)
{
    if (product->target_count != 1) return false;
    for (size_t s = 0; s < product->source_count; s++) {
        if (coefficient_at(product, 0, s) != 1) return false;
    }
    return true;
}

/* Columns at a time: a multiple of `minimum`. */
static size_t slice_for(size_t budget, size_t minimum, size_t source_count)
{
    size_t slice = budget / source_count / minimum * minimum;
    return slice > minimum ? slice : minimum;
}

/* The coefficients of targets [first, last), as kernel->multiply takes them; returns their end. */
static inline uint8_t *prepare(const struct product *product, size_t first, size_t last,
                               uint8_t *entry)
{
    size_t entry_size = chosen.kernel->entry_size;
    for (size_t s = 0; s < product->source_count; s++) {
        for (size_t t = first; t < last; t++) {
            entry = copy_entry(entry, coefficient_at(product, t, s), entry_size);
        }
    }
    return entry;
}

static void apply_plan(const struct reed_plan *plan, const uint8_t *const *sources,
                       uint8_t *const *targets, size_t begin, size_t end)
{
    if (reed_plan_apply(plan, sources, targets, begin, end, NULL) != REED_OK) {
        abort(); /* it refuses malformed plans and ranges only, and those here are not */
    }
}

/* Many shards that come from memory: their slices are gathered on the stack, one shard after the
 * other, multiplied there, and written out past the caches. Shards whose addresses are congruent
 * modulo 4096, as those of one array often are, would drive each other out of the caches before a
 * second block reads them; and processors follow few streams at a time. */
static void apply_gathered(const struct reed_plan *plan, const struct product *product,
                           size_t begin, size_t end)
{
    alignas(KERNEL_VECTOR_SIZE_MAX) uint8_t memory[GATHER_SIZE];
    const uint8_t *sources[GATHER_SHARDS_MAX];
    uint8_t *targets[GATHER_SHARDS_MAX];
    size_t shard_count = product->source_count + product->target_count;
    size_t slice = GATHER_SIZE / shard_count / KERNEL_VECTOR_SIZE_MAX * KERNEL_VECTOR_SIZE_MAX;
    for (size_t s = 0; s < product->source_count; s++) sources[s] = memory + s * slice;
    for (size_t t = 0; t < product->target_count; t++) {
        targets[t] = memory + (product->source_count + t) * slice;
    }
    while (begin < end) {
        size_t size = size_min(slice, end - begin);
        for (size_t s = 0; s < product->source_count; s++) {
            memcpy(memory + s * slice, product->sources[s] + begin, size);
            for (size_t i = 0; i < size; i += CACHE_LINE) { /* behind the end it cannot fault */
                __builtin_prefetch(product->sources[s] + begin + 2 * slice + i, 0, 2);
            }
        }
        apply_plan(plan, sources, targets, 0, size);
        for (size_t t = 0; t < product->target_count; t++) {
            const uint8_t *computed = targets[t];
            uint8_t *target = product->targets[t] + begin;
            if ((uintptr_t)target % plan->kernel->vector_size == 0) {
                plan->kernel->add(&computed, 1, &target, 1, 0, size, KERNEL_STREAM);
            } else {
                memcpy(target, computed, size);
            }
        }
        begin += size;
    }
    plan->kernel->fence();
}

static bool is_gathering_better(const struct reed_plan *plan, size_t size)
{
    size_t shard_count = (size_t)plan->source_count + plan->target_count;
    return !plan->accumulates && shard_count <= GATHER_SHARDS_MAX &&
           (plan->block_count > 1 || shard_count >= GATHER_SHARDS_MIN) &&
           size >= GATHER_BYTES_MIN / shard_count;
}

/* A part of a product that one plan on the stack holds: as few blocks as hold its targets, which
 * are shared out evenly. A row of ones among others is multiplied like them: measured, that costs
 * less than reading the sources once more for it. */
static void apply_part(const struct product *product, size_t begin, size_t end)
{
    alignas(max_align_t) uint8_t entries[ENTRIES_SIZE];
    struct plan_block blocks[BLOCKS_MAX];
    struct reed_plan plan = {
        .kernel = chosen.kernel,
        .source_count = (uint32_t)product->source_count,
        .target_count = (uint32_t)product->target_count,
        .accumulates = product->accumulates,
        .slice_size = slice_for(L1_BUDGET, L1_SLICE_MIN, product->source_count),
        .block_count = (product->target_count + KERNEL_TARGETS_MAX - 1) / KERNEL_TARGETS_MAX,
        .blocks = blocks,
        .entries = entries,
    };
    uint8_t *entry = entries;
    size_t first = 0;
    for (size_t i = 0; i < plan.block_count; i++) {
        size_t blocks_left = plan.block_count - i;
        size_t last = first + (product->target_count - first + blocks_left - 1) / blocks_left;
        blocks[i] = (struct plan_block){
            .first_target = (uint32_t)first,
            .target_count = (uint32_t)(last - first),
            .is_sum = is_sum(product),
            .entries_offset = (size_t)(entry - entries),
        };
        if (!blocks[i].is_sum) entry = prepare(product, first, last, entry);
        first = last;
    }
    if (is_gathering_better(&plan, end - begin)) {
        apply_gathered(&plan, product, begin, end);
    } else {
        apply_plan(&plan, product->sources, product->targets, begin, end);
    }
}

/* What a plan would come to where one block holds all targets and everything stays in cache,
 * without making one: of a small stripe, that would be half the time. */
static void apply_small(const struct product *product, size_t size)
{
    const struct reed_kernel *kernel = chosen.kernel;
    enum kernel_write write = product->accumulates ? KERNEL_ADD : KERNEL_STORE;
    if (is_sum(product)) {
        kernel->add(product->sources, product->source_count, product->targets, 1, 0, size,
                    write);
        return;
    }
    alignas(max_align_t) uint8_t entries[ENTRIES_SIZE];
    prepare(product, 0, product->target_count, entries);
    kernel->multiply(entries, product->sources, product->source_count, product->targets,
                     product->target_count, 0, size, write);
}

/* Columns [begin, end) by as many plans as it takes: groups of targets, and for each group the
 * sources in turn, the first ones stored and the others added. */
static void apply_columns(const struct product *whole, size_t sources_max, size_t targets_max,
                          size_t begin, size_t end)
{
    for (size_t t = 0; t < whole->target_count; t += targets_max) {
        for (size_t s = 0; s < whole->source_count; s += sources_max) {
            struct product part = {
                .tables = whole->tables + t * whole->row_size + s * TABLE_SIZE,
                .row_size = whole->row_size,
                .sources = whole->sources + s,
                .source_count = size_min(sources_max, whole->source_count - s),
                .targets = whole->targets + t,
                .target_count = size_min(targets_max, whole->target_count - t),
                .accumulates = whole->accumulates || s > 0,
            };
            apply_part(&part, begin, end);
        }
    }
}

static void apply_product(const struct product *product, size_t size)
{
    size_t coefficient_count = product->source_count * product->target_count;
    if (coefficient_count <= chosen.capacity && product->target_count <= TARGETS_MAX) {
        size_t shard_count = product->source_count + product->target_count;
        if (product->target_count <= KERNEL_TARGETS_MAX && size <= SMALL_BYTES &&
            size * shard_count <= SMALL_BYTES) {
            apply_small(product, size);
        } else {
            apply_part(product, 0, size);
        }
        return;
    }
    size_t sources_max = size_min(product->source_count, chosen.capacity / KERNEL_TARGETS_MAX);
    size_t targets_max = size_min(chosen.capacity / sources_max, TARGETS_MAX);
    size_t slice = slice_for(L2_BUDGET, L2_SLICE_MIN, product->source_count);
    for (size_t begin = 0; begin < size;) {
        size_t end = begin + size_min(slice, size - begin);
        apply_columns(product, sources_max, targets_max, begin, end);
        begin = end;
    }
}

void ec_encode_data(int len, int k, int rows, unsigned char *gftbls, unsigned char **data,
                    unsigned char **coding)
{
    if (len <= 0 || rows <= 0) return;
    if (k <= 0) { /* the empty sum */
        for (int r = 0; r < rows; r++) memset(coding[r], 0, (size_t)len);
        return;
    }
    struct product product = {
        .tables = gftbls,
        .row_size = (size_t)k * TABLE_SIZE,
        .sources = (const uint8_t *const *)data,
        .source_count = (size_t)k,
        .targets = coding,
        .target_count = (size_t)rows,
    };
    apply_product(&product, (size_t)len);
}

void ec_encode_data_update(int len, int k, int rows, int vec_i, unsigned char *gftbls,
                           unsigned char *data, unsigned char **coding)
{
    if (len <= 0 || rows <= 0) return;
    const uint8_t *source = data;
    struct product product = {
        .tables = gftbls + (ptrdiff_t)vec_i * TABLE_SIZE,
        .row_size = (size_t)k * TABLE_SIZE,
        .sources = &source,
        .source_count = 1,
        .targets = coding,
        .target_count = (size_t)rows,
        .accumulates = true,
    };
    apply_product(&product, (size_t)len);
}

void gf_vect_dot_prod(int len, int vlen, unsigned char *gftbls, unsigned char **src,
                      unsigned char *dest)
{
    ec_encode_data(len, vlen, 1, gftbls, src, &dest);
}

void gf_vect_mad(int len, int vec, int vec_i, unsigned char *gftbls, unsigned char *src,
                 unsigned char *dest)
{
    ec_encode_data_update(len, vec, 1, vec_i, gftbls, src, &dest);
}

int gf_vect_mul(int len, unsigned char *gftbl, void *src, void *dest)
{
    if (len % TABLE_SIZE != 0) return -1;
    if (len <= 0) return 0;
    const struct reed_kernel *kernel = chosen.kernel;
    const void *entry = chosen.entries + gftbl[TABLE_COEFFICIENT] * kernel->entry_size;
    const uint8_t *source = src;
    uint8_t *target = dest;
    /* Two calls, because an end that is computed twice would be multiplied twice in place. */
    size_t size = (size_t)len, whole = size - size % kernel->vector_size;
    kernel->multiply(entry, &source, 1, &target, 1, 0, whole, KERNEL_STORE);
    kernel->multiply(entry, &source, 1, &target, 1, whole, size, KERNEL_STORE);
    return 0;
}

/* ---- tables and matrices --------------------------------------------------------------------- */

void gf_vect_mul_init(unsigned char c, unsigned char *gftbl)
{
    struct nibble_entry entry;
    nibble_entry_prepare(c, &entry);
    memcpy(gftbl, entry.low, sizeof entry.low);
    memcpy(gftbl + sizeof entry.low, entry.high, sizeof entry.high);
}

void ec_init_tables(int k, int rows, unsigned char *a, unsigned char *gftbls)
{
    for (ptrdiff_t i = 0; i < (ptrdiff_t)k * rows; i++) {
        gf_vect_mul_init(a[i], gftbls + i * TABLE_SIZE);
    }
}

unsigned char gf_mul(unsigned char a, unsigned char b)
{
    return gf256_multiply(a, b);
}

unsigned char gf_inv(unsigned char a)
{
    return gf256_inverse(a);
}

static void fill_identity(unsigned char *a, ptrdiff_t rows, ptrdiff_t columns)
{
    for (ptrdiff_t i = 0; i < rows * columns; i++) a[i] = i / columns == i % columns;
}

void gf_gen_rs_matrix(unsigned char *a, int m, int k)
{
    fill_identity(a, k, k);
    for (ptrdiff_t i = k; i < m; i++) {
        for (ptrdiff_t j = 0; j < k; j++) {
            a[i * k + j] = gf256_power_of_two((uint32_t)((i - k) * j));
        }
    }
}

void gf_gen_cauchy1_matrix(unsigned char *a, int m, int k)
{
    fill_identity(a, k, k);
    for (ptrdiff_t i = k; i < m; i++) {
        for (ptrdiff_t j = 0; j < k; j++) a[i * k + j] = gf256_inverse((uint8_t)(i ^ j));
    }
}

int gf_invert_matrix(unsigned char *in, unsigned char *out, const int n)
{
    return n <= 0 || matrix_invert((size_t)n, in, out) ? 0 : -1;
}

/* ---- the same byte by byte ------------------------------------------------------------------- */

void gf_vect_mul_init_base(unsigned char c, unsigned char *gftbl)
{
    for (unsigned x = 0; x < 16; x++) {
        gftbl[x] = gf256_multiply(c, (uint8_t)x);
        gftbl[16 + x] = gf256_multiply(c, (uint8_t)(x << 4));
    }
}

void ec_init_tables_base(int k, int rows, unsigned char *a, unsigned char *gftbls)
{
    for (ptrdiff_t i = 0; i < (ptrdiff_t)k * rows; i++) {
        gf_vect_mul_init_base(a[i], gftbls + i * TABLE_SIZE);
    }
}

int gf_vect_mul_base(int len, unsigned char *gftbl, unsigned char *src, unsigned char *dest)
{
    if (len % TABLE_SIZE != 0) return -1;
    for (int i = 0; i < len; i++) dest[i] = gf256_multiply(gftbl[TABLE_COEFFICIENT], src[i]);
    return 0;
}

void gf_vect_dot_prod_base(int len, int vlen, unsigned char *gftbls, unsigned char **src,
                           unsigned char *dest)
{
    for (int i = 0; i < len; i++) {
        uint8_t sum = 0;
        for (ptrdiff_t j = 0; j < vlen; j++) {
            sum ^= gf256_multiply(gftbls[j * TABLE_SIZE + TABLE_COEFFICIENT], src[j][i]);
        }
        dest[i] = sum;
    }
}

void gf_vect_mad_base(int len, int vec, int vec_i, unsigned char *gftbls, unsigned char *src,
                      unsigned char *dest)
{
    (void)vec; /* the tables of one row are as long as they are */
    uint8_t coefficient = gftbls[(ptrdiff_t)vec_i * TABLE_SIZE + TABLE_COEFFICIENT];
    for (int i = 0; i < len; i++) dest[i] ^= gf256_multiply(coefficient, src[i]);
}

void ec_encode_data_base(int len, int k, int rows, unsigned char *gftbls, unsigned char **data,
                         unsigned char **coding)
{
    for (ptrdiff_t r = 0; r < rows; r++) {
        gf_vect_dot_prod_base(len, k, gftbls + r * k * TABLE_SIZE, data, coding[r]);
    }
}

void ec_encode_data_update_base(int len, int k, int rows, int vec_i, unsigned char *gftbls,
                                unsigned char *data, unsigned char **coding)
{
    for (ptrdiff_t r = 0; r < rows; r++) {
        gf_vect_mad_base(len, k, vec_i, gftbls + r * k * TABLE_SIZE, data, coding[r]);
    }
}
