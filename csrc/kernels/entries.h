/* entries.h - the forms in which kernels prepare a coefficient c. */
#ifndef REED_ENTRIES_H
#define REED_ENTRIES_H

#include <stdint.h>

/* c 2^b for each bit b: portable. */
struct bit_entry {
    uint8_t products[8];
};

/* c x for each low nibble x, then for each high nibble x << 4: byte shuffles. */
struct nibble_entry {
    uint8_t low[16], high[16];
};

/* The 8 x 8 bit matrix of the multiplication by c, in the order of GF2P8AFFINEQB: bit j of byte
 * 7 - i says whether bit j of the operand counts for bit i of the product. */
struct affine_entry {
    uint64_t matrix;
};

void bit_entry_prepare(uint8_t coefficient, void *entry);
void nibble_entry_prepare(uint8_t coefficient, void *entry);
void affine_entry_prepare(uint8_t coefficient, void *entry);

#endif
