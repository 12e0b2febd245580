/* test_isal.c - the drop-in for ISA-L, used as Hadoop's native code uses ISA-L: by the names of nine
 * functions that the loader resolves. Everything is compared with arithmetic of this program's own.
 *
 *   test_isal libisal.so.2     resolves them there
 *   test_isal                  where it was compiled with -DISAL_LINKED: what it is linked with
 *
 * Threads, tables cut and joined at any coefficient, every length around the vectors, buffers that
 * end at a page that faults, and sizes at which other code runs (several plans, past the cache). */
#define _DEFAULT_SOURCE
#include <dlfcn.h>
#include <pthread.h>

#include "isal/isal.h"
#include "oracle.h"

enum { SHARDS_MAX = 256, TABLE_SIZE = 32 };

static struct {
    unsigned char (*gf_mul)(unsigned char, unsigned char);
    unsigned char (*gf_inv)(unsigned char);
    void (*gf_gen_rs_matrix)(unsigned char *, int, int);
    void (*gf_gen_cauchy1_matrix)(unsigned char *, int, int);
    int (*gf_invert_matrix)(unsigned char *, unsigned char *, const int);
    int (*gf_vect_mul)(int, unsigned char *, void *, void *);
    void (*ec_init_tables)(int, int, unsigned char *, unsigned char *);
    void (*ec_encode_data)(int, int, int, unsigned char *, unsigned char **, unsigned char **);
    void (*ec_encode_data_update)(int, int, int, int, unsigned char *, unsigned char *,
                                  unsigned char **);
} isal;

#ifdef ISAL_LINKED
#define RESOLVE(library, name) (isal.name = name)
#else
/* ISO C knows no conversion from an object's pointer to a function's; POSIX promises this one. */
#define RESOLVE(library, name)                                 \
    do {                                                       \
        void *found = dlsym(library, #name);                   \
        CHECK(found != NULL, #name ": %s", dlerror());         \
        memcpy(&isal.name, &found, sizeof found);              \
    } while (0)
#endif

static void resolve(const char *path)
{
#ifdef ISAL_LINKED
    CHECK(path == NULL, "linked already");
#else
    CHECK(path != NULL, "usage: test_isal libisal.so.2");
    void *library = dlopen(path, RTLD_LAZY | RTLD_GLOBAL);
    CHECK(library != NULL, "%s", dlerror());
#endif
    RESOLVE(library, gf_mul);
    RESOLVE(library, gf_inv);
    RESOLVE(library, gf_gen_rs_matrix);
    RESOLVE(library, gf_gen_cauchy1_matrix);
    RESOLVE(library, gf_invert_matrix);
    RESOLVE(library, gf_vect_mul);
    RESOLVE(library, ec_init_tables);
    RESOLVE(library, ec_encode_data);
    RESOLVE(library, ec_encode_data_update);
}

/* ---- scalars and matrices ------------------------------------------------------------------- */

static void test_field(void)
{
    for (unsigned a = 0; a < 256; a++) {
        CHECK(isal.gf_inv((uint8_t)a) == (a == 0 ? 0 : oracle_inverses[a]), "inverse of %u", a);
        for (unsigned b = 0; b < 256; b++) {
            CHECK(isal.gf_mul((uint8_t)a, (uint8_t)b) == oracle_products[a][b], "%u * %u", a, b);
        }
    }
}

static void test_generators(void)
{
    static uint8_t rs[SHARDS_MAX * SHARDS_MAX], cauchy[SHARDS_MAX * SHARDS_MAX];
    static const int shapes[][2] = {{1, 1}, {4, 2}, {10, 4}, {3, 0}, {128, 127}, {255, 1}, {1, 255}};
    for (size_t n = 0; n < sizeof shapes / sizeof shapes[0]; n++) {
        int k = shapes[n][0], rows = k + shapes[n][1];
        isal.gf_gen_rs_matrix(rs, rows, k);
        isal.gf_gen_cauchy1_matrix(cauchy, rows, k);
        uint8_t base = 1; /* 2^(i - k) */
        for (int i = 0; i < rows; i++) {
            uint8_t power = 1;
            for (int j = 0; j < k; j++) {
                uint8_t one = i == j;
                uint8_t want_rs = i < k ? one : power;
                uint8_t want_cauchy = i < k ? one : oracle_inverses[i ^ j];
                CHECK(rs[i * k + j] == want_rs, "rs %d+%d row %d column %d", k, rows - k, i, j);
                CHECK(cauchy[i * k + j] == want_cauchy, "cauchy %d+%d row %d column %d", k,
                      rows - k, i, j);
                power = oracle_multiply(power, base);
            }
            if (i >= k) base = oracle_multiply(base, 2);
        }
    }
}

static void test_inversion(uint64_t *random)
{
    static uint8_t matrix[64 * 64], work[64 * 64], inverse[64 * 64];
    for (int n = 1; n <= 64; n += n < 8 ? 1 : 7) {
        random_bytes(random, matrix, (size_t)(n * n));
        memcpy(work, matrix, (size_t)(n * n));
        if (isal.gf_invert_matrix(work, inverse, n) != 0) continue; /* one in 256 is singular */
        for (int i = 0; i < n; i++) {
            for (int j = 0; j < n; j++) {
                uint8_t sum = 0;
                for (int l = 0; l < n; l++) {
                    sum ^= oracle_multiply(matrix[i * n + l], inverse[l * n + j]);
                }
                CHECK(sum == (i == j), "inverse of size %d at %d, %d", n, i, j);
            }
        }
        if (n > 1) { /* two equal rows */
            memcpy(work, matrix, (size_t)(n * n));
            memcpy(work + n * (n - 1), work, (size_t)n);
            CHECK(isal.gf_invert_matrix(work, inverse, n) == -1, "singular matrix of size %d", n);
        }
    }
    uint8_t needs_a_swap[4] = {0, 1, 1, 0}, swapped[4];
    CHECK(isal.gf_invert_matrix(needs_a_swap, swapped, 2) == 0, "zero on the diagonal");
    CHECK(swapped[0] == 0 && swapped[1] == 1 && swapped[2] == 1 && swapped[3] == 0, "its inverse");
}

/* ---- products --------------------------------------------------------------------------------- */

struct stripe {
    struct guarded memory[2 * SHARDS_MAX]; /* products may have more than a code */
    uint8_t *shards[2 * SHARDS_MAX];       /* each ends at its guard page */
    size_t count;
};

static void stripe_allocate(struct stripe *stripe, size_t count, size_t size, uint64_t *random)
{
    stripe->count = count;
    for (size_t i = 0; i < count; i++) {
        stripe->memory[i] = guarded_allocate(size + 64);
        stripe->shards[i] = stripe->memory[i].end - size;
        random_bytes(random, stripe->shards[i], size);
    }
}

static void stripe_release(struct stripe *stripe)
{
    for (size_t i = 0; i < stripe->count; i++) guarded_release(stripe->memory[i]);
}

static uint8_t expected(const uint8_t *row, uint8_t *const *sources, int k, size_t column)
{
    uint8_t sum = 0;
    for (int j = 0; j < k; j++) sum ^= oracle_multiply(row[j], sources[j][column]);
    return sum;
}

/* Encodes with random coefficients, whose tables are made for more rows than are used and then cut,
 * and compares every byte, or every `step`th. Shards end at guard pages, `shift` bytes early. */
static void check_product(int k, int rows, size_t size, size_t shift, size_t step,
                          uint64_t *random)
{
    int skipped = (int)random_below(random, 3);
    uint8_t *matrix = malloc((size_t)(k * (rows + skipped)));
    uint8_t *tables = malloc((size_t)(k * (rows + skipped)) * TABLE_SIZE);
    CHECK(matrix != NULL && tables != NULL, "malloc");
    random_bytes(random, matrix, (size_t)(k * (rows + skipped)));
    if (random_below(random, 3) == 0) memset(matrix, 1, (size_t)(k * (skipped + 1)));
    isal.ec_init_tables(k, rows + skipped, matrix, tables);
    const uint8_t *rows_used = matrix + k * skipped;
    uint8_t *tables_used = tables + k * skipped * TABLE_SIZE;

    struct stripe stripe;
    stripe_allocate(&stripe, (size_t)(k + rows), size + shift, random);
    uint8_t **targets = stripe.shards + k;
    for (int r = 0; r < rows; r++) memset(targets[r], 0xa5, size + shift);
    isal.ec_encode_data((int)size, k, rows, tables_used, stripe.shards, targets);
    for (int r = 0; r < rows; r++) {
        for (size_t i = 0; i < size; i += step) {
            CHECK(targets[r][i] == expected(rows_used + r * k, stripe.shards, k, i),
                  "%d+%d, %zu bytes, row %d, column %zu", k, rows, size, r, i);
        }
        for (size_t i = size; i < size + shift; i++) {
            CHECK(targets[r][i] == 0xa5, "%d+%d wrote behind %zu bytes", k, rows, size);
        }
    }

    /* One source after the other gives zero: every product is there twice. */
    for (int j = 0; j < k; j++) {
        isal.ec_encode_data_update((int)size, k, rows, j, tables_used, stripe.shards[j], targets);
    }
    for (int r = 0; r < rows; r++) {
        for (size_t i = 0; i < size; i++) {
            CHECK(targets[r][i] == 0, "update of %d+%d, %zu bytes, row %d, column %zu", k, rows,
                  size, r, i);
        }
    }
    stripe_release(&stripe);
    free(tables);
    free(matrix);
}

static void test_products(uint64_t *random)
{
    for (size_t size = 1; size <= 4 * 64 + 1; size++) {
        int k = 1 + (int)random_below(random, 20), rows = 1 + (int)random_below(random, 12);
        check_product(k, rows, size, 0, 1, random);
        check_product(k, rows, size, 1 + random_below(random, 63), 1, random);
    }
    /* Around the limits of one block, one plan and its memory, for every size of entry. */
    static const int shapes[][2] = {{1, 1},   {1, 255}, {255, 1},  {63, 8},   {64, 8},  {65, 8},
                                    {65, 9},  {20, 10}, {32, 16},  {3, 64},   {3, 65},  {128, 16},
                                    {128, 17}, {255, 8}, {255, 9}, {127, 129}};
    for (size_t n = 0; n < sizeof shapes / sizeof shapes[0]; n++) {
        check_product(shapes[n][0], shapes[n][1], 200, 0, 1, random);
        check_product(shapes[n][0], shapes[n][1], 3001, 0, 97, random);
    }
    /* More than the caches, aligned and not, with few shards and with many. */
    static const int large[][2] = {{2, 1}, {10, 4}, {20, 1}, {20, 10}, {32, 8}, {60, 5}, {100, 9}};
    for (size_t n = 0; n < sizeof large / sizeof large[0]; n++) {
        size_t size = ((size_t)5 << 20) / (size_t)(large[n][0] + large[n][1]);
        check_product(large[n][0], large[n][1], size / 4096 * 4096, 0, 211, random);
        check_product(large[n][0], large[n][1], size, 13, 211, random);
    }
}

static void test_empty_products(void)
{
    uint8_t byte = 7, matrix = 3, table[TABLE_SIZE];
    uint8_t *shard = &byte, target = 9, *targets = &target;
    isal.ec_init_tables(1, 1, &matrix, table);
    isal.ec_encode_data(0, 1, 1, table, &shard, &targets);
    isal.ec_encode_data(-1, 1, 1, table, &shard, &targets);
    isal.ec_encode_data(1, 1, 0, table, &shard, &targets);
    isal.ec_encode_data_update(0, 1, 1, 0, table, &byte, &targets);
    CHECK(target == 9, "nothing was asked for and %u was written", target);
}

/* Tables joined from single ones, in another order than they were made in. */
static void test_joined_tables(uint64_t *random)
{
    uint8_t single[256][TABLE_SIZE], tables[6 * TABLE_SIZE], row[6], sources[6][100], target[100];
    uint8_t *pointers[6], *targets = target;
    for (unsigned c = 0; c < 256; c++) {
        uint8_t coefficient = (uint8_t)c;
        isal.ec_init_tables(1, 1, &coefficient, single[c]);
    }
    for (int round = 0; round < 100; round++) {
        for (int j = 0; j < 6; j++) {
            row[j] = (uint8_t)random_u64(random);
            memcpy(tables + j * TABLE_SIZE, single[row[j]], TABLE_SIZE);
            random_bytes(random, sources[j], sizeof sources[j]);
            pointers[j] = sources[j];
        }
        isal.ec_encode_data(100, 6, 1, tables, pointers, &targets);
        for (size_t i = 0; i < 100; i++) {
            CHECK(target[i] == expected(row, pointers, 6, i), "joined tables, column %zu", i);
        }
    }
}

static void test_vect_mul(uint64_t *random)
{
    for (unsigned c = 0; c < 256; c++) {
        uint8_t coefficient = (uint8_t)c, table[TABLE_SIZE], bytes[416], source[416];
        isal.ec_init_tables(1, 1, &coefficient, table);
        random_bytes(random, source, sizeof source);
        for (int size = 0; size <= 416; size += 32) {
            memcpy(bytes, source, sizeof source);
            CHECK(isal.gf_vect_mul(size, table, bytes, bytes) == 0, "size %d", size);
            for (int i = 0; i < 416; i++) {
                uint8_t want = i < size ? oracle_multiply(coefficient, source[i]) : source[i];
                CHECK(bytes[i] == want, "%u, in place, size %d, column %d", c, size, i);
            }
        }
        CHECK(isal.gf_vect_mul(33, table, source, bytes) != 0, "33 bytes are not refused");
    }
}

/* ---- as a file system uses them ----------------------------------------------------------------- */

/* Encodes, loses as many shards as there are parity shards, and decodes them by the inverse of the
 * rows that are left: Hadoop's way. */
static void check_recovery(int k, int m, int is_cauchy, size_t size, uint64_t *random)
{
    uint8_t generator[64 * 32], left[32 * 32], inverse[32 * 32], rows[32 * 32];
    uint8_t tables[32 * 32 * TABLE_SIZE], *given[32], *rebuilt[32];
    int kept[64], lost[64], kept_count = 0, lost_count = 0;
    struct stripe stripe, again;
    stripe_allocate(&stripe, (size_t)(k + m), size, random);
    stripe_allocate(&again, (size_t)m, size, random);
    (is_cauchy ? isal.gf_gen_cauchy1_matrix : isal.gf_gen_rs_matrix)(generator, k + m, k);
    isal.ec_init_tables(k, m, generator + k * k, tables);
    isal.ec_encode_data((int)size, k, m, tables, stripe.shards, stripe.shards + k);

    for (int i = 0; i < k + m; i++) {
        int still = k + m - i; /* each shard is lost with what is left of the chance */
        if ((int)random_below(random, (uint64_t)still) < m - lost_count) {
            lost[lost_count++] = i;
        } else {
            memcpy(left + kept_count * k, generator + i * k, (size_t)k);
            given[kept_count] = stripe.shards[i];
            kept[kept_count++] = i;
        }
    }
    CHECK(kept_count == k && lost_count == m, "%d kept, %d lost", kept_count, lost_count);
    CHECK(isal.gf_invert_matrix(left, inverse, k) == 0, "%d+%d cannot be inverted without %d", k, m,
          lost[0]);
    for (int r = 0; r < m; r++) {
        for (int j = 0; j < k; j++) {
            uint8_t sum = 0;
            for (int l = 0; l < k; l++) {
                sum ^= isal.gf_mul(generator[lost[r] * k + l], inverse[l * k + j]);
            }
            rows[r * k + j] = sum;
        }
        rebuilt[r] = again.shards[r];
    }
    isal.ec_init_tables(k, m, rows, tables);
    isal.ec_encode_data((int)size, k, m, tables, given, rebuilt);
    for (int r = 0; r < m; r++) {
        CHECK(memcmp(rebuilt[r], stripe.shards[lost[r]], size) == 0,
              "%d+%d: shard %d rebuilt from %d ... is another", k, m, lost[r], kept[0]);
    }
    stripe_release(&again);
    stripe_release(&stripe);
}

static void *recover_many(void *seed)
{
    uint64_t random = *(uint64_t *)seed;
    static const int shapes[][2] = {{3, 2}, {6, 3}, {10, 4}, {12, 4}, {2, 1}, {20, 3}};
    for (int round = 0; round < 30; round++) {
        size_t n = random_below(&random, sizeof shapes / sizeof shapes[0]);
        check_recovery(shapes[n][0], shapes[n][1], round % 2, 1 + random_below(&random, 5000),
                       &random);
    }
    return NULL;
}

static void test_threads(uint64_t *random)
{
    pthread_t threads[4];
    uint64_t seeds[4];
    for (size_t i = 0; i < 4; i++) {
        seeds[i] = random_u64(random);
        CHECK(pthread_create(&threads[i], NULL, recover_many, &seeds[i]) == 0, "thread %zu", i);
    }
    for (size_t i = 0; i < 4; i++) CHECK(pthread_join(threads[i], NULL) == 0, "thread %zu", i);
}

int main(int argc, char **argv)
{
    uint64_t random = 20180720;
    resolve(argc > 1 ? argv[1] : NULL);
    oracle_prepare();
    test_field();
    test_generators();
    test_inversion(&random);
    test_empty_products();
    test_joined_tables(&random);
    test_vect_mul(&random);
    test_products(&random);
    test_threads(&random);
    return EXIT_SUCCESS;
}
