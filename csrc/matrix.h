/* matrix.h - generator matrices and their algebra: what defines a code.
 *
 * Every generator but isal-vand and explicit is a generalised Reed-Solomon code: shard i holds
 * multiplier_i f(point_i) for a polynomial f of degree < data_shards. The matrices are made from
 * that form, and locate.c decodes errors with it. */
#ifndef REED_MATRIX_H
#define REED_MATRIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reed.h"

/* Whether a code of this shape exists: INVALID_PARAMETER when the counts are out of the
 * generator's range, NOT_MDS when the counts are in range but some losses of parity_shards
 * shards could not be repaired. */
enum reed_status generator_check(enum reed_generator generator, uint32_t data_shards,
                                 uint32_t parity_shards);

/* Fills parity_shards x data_shards coefficients, row-major, of a shape that exists.
 * Not for REED_GENERATOR_EXPLICIT. */
void generator_fill(enum reed_generator generator, uint32_t data_shards, uint32_t parity_shards,
                    uint8_t *rows);

/* Points and multipliers (data_shards + parity_shards each) of the generalised Reed-Solomon form;
 * false when the generator has none. Points are distinct, multipliers are not zero. */
bool generator_points(enum reed_generator generator, uint32_t data_shards, uint32_t parity_shards,
                      uint8_t *points, uint8_t *multipliers);

/* Index among the Cantor points of a shard of the native code. */
unsigned native_point_index(uint32_t data_shards, uint32_t parity_shards, uint32_t shard_index);

/* The smallest t with 2^t >= parity_shards: the native code's parity group has 2^t points. */
unsigned native_group_log2(uint32_t parity_shards);

/* Gauss-Jordan: inverse = matrix^-1 (size x size, row-major). `matrix` is destroyed.
 * False when singular; `inverse` then has no meaning. */
bool matrix_invert(size_t size, uint8_t *matrix, uint8_t *inverse);

/* target ^= coefficient * source over `count` elements. */
void row_add_scaled(uint8_t *target, const uint8_t *source, uint8_t coefficient, size_t count);

/* Rank of a set of rows, built one row at a time. `echelon` has room for width x width. */
struct row_basis {
    size_t width;
    size_t rank;
    uint8_t *echelon; /* rank reduced rows of `width` elements each */
    size_t *pivots;   /* column of each row's leading 1; room for `width` */
};

/* Adds a row (which is reduced in place); true when it was independent of those before. */
bool row_basis_add(struct row_basis *basis, uint8_t *row);

#endif
