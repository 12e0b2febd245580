/* test_field.c - the constant tables, from the polynomial; the prepared forms of coefficients; the
 * matrix algebra, against the definitions. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "field.h"
#include "kernels/entries.h"
#include "matrix.h"
#include "oracle.h"

static const uint64_t seed = 20240401;

static void test_tables(void)
{
    unsigned power = 1;
    for (unsigned i = 0; i < 255; i++) {
        CHECK(gf256_exp[i] == power && gf256_exp[i + 255] == power, "2^%u", i);
        CHECK(gf256_log[power] == i, "log %u", power);
        power <<= 1;
        if (power & 0x100) power ^= 0x11d;
    }
    CHECK(power == 1, "2 generates the multiplicative group");
}

static void test_arithmetic(void)
{
    for (unsigned a = 0; a < 256; a++) {
        for (unsigned b = 0; b < 256; b++) {
            uint8_t product = oracle_multiply((uint8_t)a, (uint8_t)b);
            CHECK(gf256_multiply((uint8_t)a, (uint8_t)b) == product, "%u * %u", a, b);
            if (b != 0) {
                CHECK(gf256_divide(product, (uint8_t)b) == a, "%u / %u", product, b);
            }
        }
        uint8_t inverse = gf256_inverse((uint8_t)a);
        CHECK(a == 0 ? inverse == 0 : oracle_multiply((uint8_t)a, inverse) == 1, "1 / %u", a);
    }
    uint8_t power = 1;
    for (uint32_t n = 0; n < 70000; n++) {
        CHECK(gf256_power_of_two(n) == power, "2^%u", n);
        power = oracle_multiply(power, 2);
    }
}

static void test_cantor_points(void)
{
    /* FORMAT.md pins these numbers; the oracle derives them. */
    static const uint8_t pinned[8] = {1, 214, 152, 146, 86, 200, 88, 230};
    bool seen[256] = {false};
    for (unsigned i = 0; i < 8; i++) CHECK(oracle_basis[i] == pinned[i], "basis %u", i);
    for (unsigned i = 0; i < 256; i++) {
        uint8_t point = gf256_cantor_point(i);
        CHECK(point == oracle_point(i), "point %u", i);
        CHECK(!seen[point], "point %u comes twice", point);
        seen[point] = true;
    }
}

static void test_entries(void)
{
    for (unsigned c = 0; c < 256; c++) {
        struct bit_entry bits;
        struct nibble_entry nibbles;
        struct affine_entry affine;
        bit_entry_prepare((uint8_t)c, &bits);
        nibble_entry_prepare((uint8_t)c, &nibbles);
        affine_entry_prepare((uint8_t)c, &affine);
        for (unsigned x = 0; x < 256; x++) {
            uint8_t product = oracle_multiply((uint8_t)c, (uint8_t)x);
            uint8_t by_bits = 0, by_affine = 0;
            for (unsigned bit = 0; bit < 8; bit++) {
                if (x >> bit & 1) by_bits ^= bits.products[bit];
                /* GF2P8AFFINEQB: bit i is the parity of byte 7 - i of the matrix, masked by x. */
                unsigned row = affine.matrix >> (8 * (7 - bit)) & x & 255;
                for (unsigned other = 0; other < 8; other++) {
                    by_affine ^= (uint8_t)((row >> other & 1) << bit);
                }
            }
            CHECK(by_bits == product && by_affine == product, "%u * %u", c, x);
            CHECK((nibbles.low[x & 15] ^ nibbles.high[x >> 4]) == product, "%u * %u", c, x);
        }
    }
}

static void test_inversion(uint64_t *state)
{
    enum { SIZE_MAX_TRIED = 40 };
    uint8_t matrix[SIZE_MAX_TRIED * SIZE_MAX_TRIED], copy[sizeof matrix], inverse[sizeof matrix];
    size_t singular_count = 0;
    for (int trial = 0; trial < 600; trial++) {
        size_t n = (size_t)trial % SIZE_MAX_TRIED + 1;
        random_bytes(state, matrix, n * n);
        if (trial % 3 == 1) { /* zeros force row swaps */
            for (size_t i = 0; i < n * n; i++) matrix[i] &= (uint8_t)-(int)(random_u64(state) & 1);
        }
        if (trial % 3 == 2 && n > 1) { /* the last row depends on the others */
            memset(matrix + (n - 1) * n, 0, n);
            for (size_t r = 0; r + 1 < n; r++) {
                uint8_t factor = (uint8_t)random_u64(state);
                for (size_t c = 0; c < n; c++) {
                    matrix[(n - 1) * n + c] ^= oracle_multiply(factor, matrix[r * n + c]);
                }
            }
        }
        memcpy(copy, matrix, n * n);
        bool is_regular = oracle_rank(copy, n, n) == n;
        memcpy(copy, matrix, n * n);
        memset(inverse, 0xa5, sizeof inverse);
        CHECK(matrix_invert(n, matrix, inverse) == is_regular, "size %zu trial %d", n, trial);
        singular_count += !is_regular;
        for (size_t r = 0; is_regular && r < n; r++) {
            for (size_t c = 0; c < n; c++) {
                uint8_t sum = 0;
                for (size_t i = 0; i < n; i++) {
                    sum ^= oracle_multiply(copy[r * n + i], inverse[i * n + c]);
                }
                CHECK(sum == (r == c), "size %zu: product is not the identity", n);
            }
        }
    }
    CHECK(singular_count > 150, "%zu singular matrices were tried", singular_count);
}

static void test_row_basis(uint64_t *state)
{
    for (int trial = 0; trial < 500; trial++) {
        enum { WIDTH = 12 };
        uint8_t echelon[WIDTH * WIDTH], added[2 * WIDTH * WIDTH], copy[sizeof added], row[WIDTH];
        size_t pivots[WIDTH];
        struct row_basis basis = {.width = WIDTH, .echelon = echelon, .pivots = pivots};
        for (size_t i = 0; i < 2 * WIDTH; i++) {
            uint8_t *next = added + i * WIDTH;
            for (size_t c = 0; c < WIDTH; c++) next[c] = (uint8_t)(random_u64(state) & 1);
            memcpy(row, next, WIDTH);
            size_t before = basis.rank;
            bool grew = row_basis_add(&basis, row);
            memcpy(copy, added, (i + 1) * WIDTH);
            CHECK(basis.rank == oracle_rank(copy, i + 1, WIDTH), "trial %d row %zu", trial, i);
            CHECK(grew == (basis.rank == before + 1), "trial %d row %zu", trial, i);
        }
    }
}

int main(void)
{
    uint64_t state = seed;
    printf("seed %llu\n", (unsigned long long)seed);
    oracle_prepare();
    test_tables();
    test_arithmetic();
    test_cantor_points();
    test_entries();
    test_inversion(&state);
    test_row_basis(&state);
    return EXIT_SUCCESS;
}
