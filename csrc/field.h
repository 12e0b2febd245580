/* field.h - scalar arithmetic in GF(2^8) = GF(2)[x] / (x^8 + x^4 + x^3 + x^2 + 1).
 * For building matrices and decoding single columns; bulk data goes through kernels. */
#ifndef REED_FIELD_H
#define REED_FIELD_H

#include <stdint.h>

enum { GF256_POLYNOMIAL = 0x11d, GF256_ORDER = 256 };

extern const uint8_t gf256_exp[510];
extern const uint8_t gf256_log[256];

static inline uint8_t gf256_multiply(uint8_t a, uint8_t b)
{
    if (a == 0 || b == 0) return 0;
    return gf256_exp[gf256_log[a] + gf256_log[b]];
}

/* 1 / a; 0 for a = 0, which callers exclude or (ISA-L's contract) rely on. */
static inline uint8_t gf256_inverse(uint8_t a)
{
    if (a == 0) return 0;
    return gf256_exp[255 - gf256_log[a]];
}

/* a / b for b != 0. */
static inline uint8_t gf256_divide(uint8_t a, uint8_t b)
{
    if (a == 0) return 0;
    return gf256_exp[gf256_log[a] + 255 - gf256_log[b]];
}

/* 2^n for any n. */
static inline uint8_t gf256_power_of_two(uint32_t n)
{
    return gf256_exp[n % 255];
}

/* The field element with coordinates `index` (0 .. 255) in the Cantor basis
 * 1, 214, 152, 146, 86, 200, 88, 230: the evaluation points of the native code. */
uint8_t gf256_cantor_point(unsigned index);

#endif
