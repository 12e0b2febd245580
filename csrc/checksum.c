/* checksum.c - the public CRCs: dispatch to a kernel, and combining. */
#include "checksum.h"

#include "kernels/crc32c_constants.h"
#include "kernels/kernel.h"
#include "reed.h"

uint32_t reed_kernel_crc32c(const struct reed_kernel *kernel, uint32_t value, const void *data,
                            size_t size)
{
    return kernel->crc32c(value, data, size);
}

uint32_t reed_crc32c(uint32_t value, const void *data, size_t size)
{
    return reed_kernel_crc32c(kernel_best(), value, data, size);
}

uint32_t reed_crc32c_combine(uint32_t crc_a, uint32_t crc_b, uint64_t size_b)
{
    /* A moves ahead by x^(8 size_b); the inversions of the two CRCs cancel. x has the order
     * 2^31 - 1, so bit i of size_b stands for x^(2^(i + 3)) = crc32c_powers[(i + 3) % 31]. */
    uint32_t moved = crc_a;
    for (unsigned bit = 3; size_b != 0; bit++, size_b >>= 1) {
        if (size_b & 1) moved = crc_multiply(CRC32C_POLYNOMIAL, crc32c_powers[bit % 31], moved);
    }
    return moved ^ crc_b;
}

uint32_t reed_kernel_crc32(const struct reed_kernel *kernel, uint32_t value, const void *data,
                           size_t size)
{
    return kernel->crc32(value, data, size);
}

uint32_t reed_crc32(uint32_t value, const void *data, size_t size)
{
    return reed_kernel_crc32(kernel_best(), value, data, size);
}
