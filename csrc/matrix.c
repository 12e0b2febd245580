/* matrix.c - see matrix.h. The formulas are frozen in FORMAT.md. */
#include "matrix.h"

#include <string.h>

#include "field.h"

unsigned native_group_log2(uint32_t parity_shards)
{
    unsigned log2 = 0;
    while ((1u << log2) < parity_shards) log2++;
    return log2;
}

/* Index of a native data shard on the Cantor points: after the parity group, then around onto the
 * points of the group that no parity shard uses. */
static unsigned native_data_index(uint32_t parity_shards, uint32_t shard_index)
{
    unsigned index = (1u << native_group_log2(parity_shards)) + shard_index;
    return index < GF256_ORDER ? index : index - GF256_ORDER + parity_shards;
}

unsigned native_point_index(uint32_t data_shards, uint32_t parity_shards, uint32_t shard_index)
{
    return shard_index < data_shards ? native_data_index(parity_shards, shard_index)
                                     : shard_index - data_shards;
}

static uint8_t native_data_scale(uint32_t parity_shards, unsigned index)
{
    unsigned log2 = native_group_log2(parity_shards);
    return index >> log2 ? gf256_cantor_point(index >> log2) : 1;
}

static bool isal_vand_is_mds(uint32_t data_shards, uint32_t parity_shards)
{
    /* Found by exhaustive search; the same limits as ISA-L's documentation of
     * gf_gen_rs_matrix, extended by the shapes that the search adds. */
    return data_shards <= 3 || parity_shards <= 3 || (data_shards == 4 && parity_shards <= 21) ||
           (data_shards == 5 && parity_shards <= 5) || (parity_shards == 4 && data_shards <= 21);
}

enum reed_status generator_check(enum reed_generator generator, uint32_t data_shards,
                                 uint32_t parity_shards)
{
    if (data_shards < 1 || data_shards > REED_SHARDS_MAX ||
        parity_shards > REED_SHARDS_MAX - data_shards) {
        return REED_INVALID_PARAMETER;
    }
    switch (generator) {
    case REED_GENERATOR_NATIVE:
    case REED_GENERATOR_ISAL_CAUCHY:
    case REED_GENERATOR_ZFEC:
    case REED_GENERATOR_KLAUSPOST:
    case REED_GENERATOR_EXPLICIT:
        return REED_OK;
    case REED_GENERATOR_REPLICATION:
        return data_shards == 1 ? REED_OK : REED_INVALID_PARAMETER;
    case REED_GENERATOR_VAND_INV:
        /* Points 2^1 .. 2^(k+m): the first and the 256th coincide. */
        return data_shards + parity_shards <= 255 ? REED_OK : REED_NOT_MDS;
    case REED_GENERATOR_ISAL_VAND:
        return isal_vand_is_mds(data_shards, parity_shards) ? REED_OK : REED_NOT_MDS;
    }
    return REED_UNKNOWN_GENERATOR;
}

/* product over all data points x_i, i != skip, of (at - x_i). */
static uint8_t vanishing_product(const uint8_t *points, uint32_t data_shards, uint8_t at,
                                 uint32_t skip)
{
    uint8_t product = 1;
    for (uint32_t i = 0; i < data_shards; i++) {
        if (i != skip) product = gf256_multiply(product, at ^ points[i]);
    }
    return product;
}

bool generator_points(enum reed_generator generator, uint32_t data_shards, uint32_t parity_shards,
                      uint8_t *points, uint8_t *multipliers)
{
    uint32_t shard_count = data_shards + parity_shards;
    bool is_cauchy = false;
    for (uint32_t i = 0; i < shard_count; i++) {
        multipliers[i] = 1;
        switch (generator) {
        case REED_GENERATOR_NATIVE:
            is_cauchy = true;
            points[i] = gf256_cantor_point(native_point_index(data_shards, parity_shards, i));
            break;
        case REED_GENERATOR_ISAL_CAUCHY:
            is_cauchy = true;
            points[i] = (uint8_t)i;
            break;
        case REED_GENERATOR_REPLICATION: /* constant polynomials: any distinct points */
        case REED_GENERATOR_KLAUSPOST:
            points[i] = (uint8_t)i;
            break;
        case REED_GENERATOR_VAND_INV:
            points[i] = gf256_power_of_two(i + 1);
            break;
        case REED_GENERATOR_ZFEC:
            points[i] = i == 0 ? 0 : gf256_power_of_two(i - 1);
            break;
        case REED_GENERATOR_ISAL_VAND:
        case REED_GENERATOR_EXPLICIT:
            return false;
        }
    }
    if (!is_cauchy) return true;
    /* A Cauchy row sum_j d_j a_j / (y - x_j) is f(y) / W(y) with W the product over the data
     * points and f(x_j) = a_j d_j W'(x_j). */
    for (uint32_t i = 0; i < shard_count; i++) {
        uint8_t product = vanishing_product(points, data_shards, points[i], i);
        if (i < data_shards && generator == REED_GENERATOR_NATIVE) {
            product = gf256_multiply(
                product, native_data_scale(parity_shards, native_data_index(parity_shards, i)));
        }
        multipliers[i] = gf256_inverse(product);
    }
    return true;
}

static void fill_native(uint32_t data_shards, uint32_t parity_shards, uint8_t *rows)
{
    for (uint32_t j = 0; j < data_shards; j++) {
        unsigned index = native_data_index(parity_shards, j);
        uint8_t scale = native_data_scale(parity_shards, index);
        for (uint32_t r = 0; r < parity_shards; r++) {
            rows[r * data_shards + j] = gf256_divide(scale, gf256_cantor_point(index ^ r));
        }
    }
}

/* Systematic form of evaluation at the generator's points: G[r][j] = L_j(y_r), Lagrange's basis
 * polynomial. The same as Vandermonde times the inverse of its top, without an inversion. */
static void fill_lagrange(enum reed_generator generator, uint32_t data_shards,
                          uint32_t parity_shards, uint8_t *rows)
{
    uint8_t points[REED_SHARDS_MAX], multipliers[REED_SHARDS_MAX], at_parity[REED_SHARDS_MAX];
    generator_points(generator, data_shards, parity_shards, points, multipliers);
    for (uint32_t r = 0; r < parity_shards; r++) {
        at_parity[r] =
            vanishing_product(points, data_shards, points[data_shards + r], REED_SHARDS_MAX);
    }
    for (uint32_t j = 0; j < data_shards; j++) {
        uint8_t derivative = vanishing_product(points, data_shards, points[j], j);
        for (uint32_t r = 0; r < parity_shards; r++) {
            uint8_t difference = points[data_shards + r] ^ points[j];
            /* vand-inv at 256 shards, for old data only: a parity shard on a data shard's point is
             * its copy. */
            rows[r * data_shards + j] =
                difference == 0
                    ? 1
                    : gf256_divide(at_parity[r], gf256_multiply(difference, derivative));
        }
    }
}

void generator_fill(enum reed_generator generator, uint32_t data_shards, uint32_t parity_shards,
                    uint8_t *rows)
{
    switch (generator) {
    case REED_GENERATOR_NATIVE:
        fill_native(data_shards, parity_shards, rows);
        break;
    case REED_GENERATOR_REPLICATION:
        memset(rows, 1, (size_t)parity_shards * data_shards);
        break;
    case REED_GENERATOR_ISAL_CAUCHY:
        for (uint32_t r = 0; r < parity_shards; r++) {
            for (uint32_t j = 0; j < data_shards; j++) {
                rows[r * data_shards + j] = gf256_inverse((uint8_t)((data_shards + r) ^ j));
            }
        }
        break;
    case REED_GENERATOR_ISAL_VAND:
        for (uint32_t r = 0; r < parity_shards; r++) {
            for (uint32_t j = 0; j < data_shards; j++) {
                rows[r * data_shards + j] = gf256_power_of_two(r * j);
            }
        }
        break;
    case REED_GENERATOR_VAND_INV:
    case REED_GENERATOR_ZFEC:
    case REED_GENERATOR_KLAUSPOST:
        fill_lagrange(generator, data_shards, parity_shards, rows);
        break;
    case REED_GENERATOR_EXPLICIT:
        break;
    }
}

void row_add_scaled(uint8_t *target, const uint8_t *source, uint8_t coefficient, size_t count)
{
    if (coefficient == 0) return;
    for (size_t i = 0; i < count; i++) target[i] ^= gf256_multiply(coefficient, source[i]);
}

static void row_scale(uint8_t *row, uint8_t coefficient, size_t count)
{
    for (size_t i = 0; i < count; i++) row[i] = gf256_multiply(coefficient, row[i]);
}

static void row_swap(uint8_t *a, uint8_t *b, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint8_t kept = a[i];
        a[i] = b[i];
        b[i] = kept;
    }
}

bool matrix_invert(size_t size, uint8_t *matrix, uint8_t *inverse)
{
    memset(inverse, 0, size * size);
    for (size_t i = 0; i < size; i++) inverse[i * size + i] = 1;
    for (size_t column = 0; column < size; column++) {
        size_t pivot = column;
        while (pivot < size && matrix[pivot * size + column] == 0) pivot++;
        if (pivot == size) return false;
        uint8_t *row = matrix + column * size, *inverse_row = inverse + column * size;
        if (pivot != column) {
            row_swap(row, matrix + pivot * size, size);
            row_swap(inverse_row, inverse + pivot * size, size);
        }
        uint8_t scale = gf256_inverse(row[column]);
        row_scale(row, scale, size);
        row_scale(inverse_row, scale, size);
        for (size_t other = 0; other < size; other++) {
            uint8_t factor = matrix[other * size + column];
            if (other == column || factor == 0) continue;
            row_add_scaled(matrix + other * size, row, factor, size);
            row_add_scaled(inverse + other * size, inverse_row, factor, size);
        }
    }
    return true;
}

bool row_basis_add(struct row_basis *basis, uint8_t *row)
{
    for (size_t i = 0; i < basis->rank; i++) {
        row_add_scaled(row, basis->echelon + i * basis->width, row[basis->pivots[i]],
                       basis->width);
    }
    size_t pivot = 0;
    while (pivot < basis->width && row[pivot] == 0) pivot++;
    if (pivot == basis->width) return false;
    row_scale(row, gf256_inverse(row[pivot]), basis->width);
    memcpy(basis->echelon + basis->rank * basis->width, row, basis->width);
    basis->pivots[basis->rank++] = pivot;
    return true;
}
