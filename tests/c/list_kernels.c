/* list_kernels.c - prints the names of the kernels that this machine runs. */
#include <stdio.h>
#include <stdlib.h>

#include "reed.h"

int main(void)
{
    for (size_t i = 0; reed_kernel_at(i) != NULL; i++) {
        if (reed_kernel_is_supported(reed_kernel_at(i))) puts(reed_kernel_name(reed_kernel_at(i)));
    }
    return EXIT_SUCCESS;
}
