/* portable.c - the kernel for any processor: eight bytes of a 64-bit word at a time. Bytes stay in
 * their lanes, so the byte order of the machine does not matter, and there are no look-ups, so
 * neither memory accesses nor time depend on the data. */
#include "checksum.h"
#include "kernels/entries.h"
#include "kernels/kernel.h"

#include <string.h>

#define KERNEL_TARGET

enum {
    VECTOR_SIZE = 8,
    MULTIPLY_REGISTERS = 0,
    TRANSFORM4_WIDTH = 1,
    TRANSFORM8_WIDTH = 1
};

typedef uint64_t vector;
typedef uint64_t operand;
typedef struct bit_entry entry;

static inline vector vector_load(const uint8_t *bytes)
{
    vector v;
    memcpy(&v, bytes, sizeof v);
    return v;
}

static inline void vector_store(uint8_t *bytes, vector v)
{
    memcpy(bytes, &v, sizeof v);
}

/* No stores past the cache here. */
static inline void vector_stream(uint8_t *bytes, vector v)
{
    vector_store(bytes, v);
}

static inline void vector_fence(void)
{
}

static inline vector vector_zero(void)
{
    return 0;
}

static inline vector vector_add(vector a, vector b)
{
    return a ^ b;
}

static inline vector vector_add3(vector a, vector b, vector c)
{
    return a ^ b ^ c;
}

static inline operand vector_operand(vector v)
{
    return v;
}

static inline vector operand_multiply(operand x, const entry *e)
{
    /* A lane of 0 or 1 times c 2^b: the products never carry into the next lane. */
    const uint64_t ones = 0x0101010101010101u;
    vector product = 0;
    for (unsigned bit = 0; bit < 8; bit++) product ^= (x >> bit & ones) * e->products[bit];
    return product;
}

#include "kernels/template.h"

static bool is_supported(void)
{
    return true;
}

const struct reed_kernel reed_kernel_portable = {
    .name = "portable",
    .is_supported = is_supported,
    .vector_size = VECTOR_SIZE,
    .entry_size = sizeof(entry),
    .prepare = bit_entry_prepare,
    .multiply = kernel_multiply,
    .add = kernel_add,
    .transform = kernel_transform,
    .inverse = kernel_inverse,
    .forward = kernel_forward,
    .turn = kernel_turn,
    .fence = kernel_fence,
    .crc32c = crc32c_portable,
    .crc32 = crc32_portable,
};
