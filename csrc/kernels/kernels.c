/* kernels.c - the list of kernels, the preferred one first, and how one is chosen. */
#include <stdlib.h>
#include <string.h>

#include "kernels/kernel.h"
#include "reed.h"

static const struct reed_kernel *const kernels[] = {
#ifdef REED_HAVE_X86_KERNELS
    &reed_kernel_avx512_gfni,
    &reed_kernel_avx2_gfni,
    &reed_kernel_avx2,
#endif
#ifdef REED_HAVE_NEON_KERNEL
    &reed_kernel_neon,
#endif
    &reed_kernel_portable,
};

enum { KERNEL_COUNT = sizeof kernels / sizeof kernels[0] };

const struct reed_kernel *kernel_best(void)
{
    size_t position = 0;
    while (!kernels[position]->is_supported()) position++; /* portable always is */
    return kernels[position];
}

const struct reed_kernel *reed_kernel_at(size_t position)
{
    return position < KERNEL_COUNT ? kernels[position] : NULL;
}

const char *reed_kernel_name(const struct reed_kernel *kernel)
{
    return kernel->name;
}

int reed_kernel_is_supported(const struct reed_kernel *kernel)
{
    return kernel->is_supported();
}

enum reed_status reed_kernel_find(const char *name, const struct reed_kernel **kernel)
{
    if (kernel == NULL) return REED_INVALID_PARAMETER;
    *kernel = NULL;
    if (name == NULL || *name == '\0') name = getenv("REED_KERNEL");
    if (name == NULL || *name == '\0') {
        *kernel = kernel_best();
        return REED_OK;
    }
    for (size_t i = 0; i < KERNEL_COUNT; i++) {
        if (strcmp(kernels[i]->name, name) != 0) continue;
        if (!kernels[i]->is_supported()) return REED_UNSUPPORTED_KERNEL;
        *kernel = kernels[i];
        return REED_OK;
    }
    return REED_UNKNOWN_KERNEL;
}
