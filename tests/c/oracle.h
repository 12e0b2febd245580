/* oracle.h - GF(2^8) and the native generator a second time, slowly and from their definitions.
 *
 * Nothing of csrc is used: products are shifts and additions modulo the polynomial, inverses are
 * searched, the Cantor basis is solved from its equation. Call oracle_prepare() first. */
#ifndef REED_TESTS_ORACLE_H
#define REED_TESTS_ORACLE_H

#include "check.h"

static uint8_t oracle_products[256][256];
static uint8_t oracle_inverses[256];
static uint8_t oracle_basis[8];

/* x^8 + x^4 + x^3 + x^2 + 1, a bit of `b` at a time. */
static inline uint8_t oracle_multiply_bits(uint8_t a, uint8_t b)
{
    unsigned product = 0;
    for (int bit = 7; bit >= 0; bit--) {
        product <<= 1;
        if (product & 0x100) product ^= 0x11d;
        if (b >> bit & 1) product ^= a;
    }
    return (uint8_t)product;
}

static inline uint8_t oracle_multiply(uint8_t a, uint8_t b)
{
    return oracle_products[a][b];
}

static inline uint8_t oracle_divide(uint8_t a, uint8_t b)
{
    CHECK(b != 0, "%u / 0", a);
    return oracle_products[a][oracle_inverses[b]];
}

/* beta_0 = 1, beta_i the smaller root of x^2 + x = beta_{i-1}. */
static inline void oracle_prepare(void)
{
    for (unsigned a = 0; a < 256; a++) {
        for (unsigned b = 0; b < 256; b++) {
            oracle_products[a][b] = oracle_multiply_bits((uint8_t)a, (uint8_t)b);
            if (oracle_products[a][b] == 1) oracle_inverses[a] = (uint8_t)b;
        }
    }
    oracle_basis[0] = 1;
    for (unsigned i = 1; i < 8; i++) {
        unsigned root = 0;
        while ((oracle_multiply((uint8_t)root, (uint8_t)root) ^ root) != oracle_basis[i - 1]) {
            root++;
            CHECK(root < 256, "no root for basis element %u", i);
        }
        oracle_basis[i] = (uint8_t)root;
    }
}

static inline uint8_t oracle_point(unsigned index)
{
    uint8_t point = 0;
    for (unsigned bit = 0; bit < 8; bit++) {
        if (index >> bit & 1) point ^= oracle_basis[bit];
    }
    return point;
}

/* G[row][shard] of the native code: d / P(x ^ row). */
static inline uint8_t oracle_native(unsigned parity_shards, unsigned row, unsigned shard)
{
    unsigned log2 = 0;
    while (1u << log2 < parity_shards) log2++;
    unsigned group = 1u << log2, x = group + shard;
    if (x >= 256) x = parity_shards + (x - 256);
    uint8_t scale = x >= group ? oracle_point(x >> log2) : 1;
    return oracle_divide(scale, oracle_point(x ^ row));
}

/* Column `column` of sum_s row[s] sources[s]. */
static inline uint8_t oracle_dot(const uint8_t *row, size_t count, const uint8_t *const *sources,
                                 size_t column)
{
    uint8_t sum = 0;
    for (size_t s = 0; s < count; s++) sum ^= oracle_multiply(row[s], sources[s][column]);
    return sum;
}

/* Gaussian elimination without pivots' scaling: the rank of rows x columns, which is destroyed. */
static inline size_t oracle_rank(uint8_t *matrix, size_t rows, size_t columns)
{
    size_t rank = 0;
    for (size_t c = 0; c < columns && rank < rows; c++) {
        size_t pivot = rank;
        while (pivot < rows && matrix[pivot * columns + c] == 0) pivot++;
        if (pivot == rows) continue;
        for (size_t i = 0; i < columns; i++) {
            uint8_t kept = matrix[rank * columns + i];
            matrix[rank * columns + i] = matrix[pivot * columns + i];
            matrix[pivot * columns + i] = kept;
        }
        for (size_t r = rank + 1; r < rows; r++) {
            uint8_t up = matrix[rank * columns + c], down = matrix[r * columns + c];
            if (down == 0) continue;
            for (size_t i = 0; i < columns; i++) {
                matrix[r * columns + i] = oracle_multiply(matrix[r * columns + i], up) ^
                                          oracle_multiply(matrix[rank * columns + i], down);
            }
        }
        rank++;
    }
    return rank;
}

#endif
