/* entries.c - see entries.h. */
#include "kernels/entries.h"

#include "field.h"

void bit_entry_prepare(uint8_t coefficient, void *entry)
{
    struct bit_entry *prepared = entry;
    for (unsigned bit = 0; bit < 8; bit++) {
        prepared->products[bit] = gf256_multiply(coefficient, (uint8_t)(1u << bit));
    }
}

void nibble_entry_prepare(uint8_t coefficient, void *entry)
{
    struct nibble_entry *prepared = entry;
    for (unsigned nibble = 0; nibble < 16; nibble++) {
        prepared->low[nibble] = gf256_multiply(coefficient, (uint8_t)nibble);
        prepared->high[nibble] = gf256_multiply(coefficient, (uint8_t)(nibble << 4));
    }
}

void affine_entry_prepare(uint8_t coefficient, void *entry)
{
    struct affine_entry *prepared = entry;
    prepared->matrix = 0;
    for (unsigned in = 0; in < 8; in++) {
        uint8_t product = gf256_multiply(coefficient, (uint8_t)(1u << in));
        for (unsigned out = 0; out < 8; out++) {
            prepared->matrix |= (uint64_t)(product >> out & 1) << (8 * (7 - out) + in);
        }
    }
}
