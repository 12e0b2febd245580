/* kernel_argument.h - the kernel that a test program's caller names. */
#ifndef REED_TESTS_KERNEL_ARGUMENT_H
#define REED_TESTS_KERNEL_ARGUMENT_H

#include "check.h"
#include "reed.h"

/* The program ends, and says why, where this processor cannot run it. */
static inline const struct reed_kernel *kernel_argument(const char *name)
{
    const struct reed_kernel *kernel;
    enum reed_status status = reed_kernel_find(name, &kernel);
    if (status == REED_UNSUPPORTED_KERNEL) {
        printf("this processor has no %s\n", name);
        exit(EXIT_NOT_RUN);
    }
    CHECK(status == REED_OK, "kernel %s: %s", name, reed_status_message(status));
    return kernel;
}

#endif
