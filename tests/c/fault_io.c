/* fault_io.c - a library for LD_PRELOAD that makes one chosen system call of a program fail.
 *
 * Only calls on files below the folder REED_FAULT_ROOT count. REED_FAULT is KIND:NUMBER:ACTION:
 *   KIND     write, sync, name (link, rename), read, or change (the first three together)
 *   NUMBER   the call at which it begins, from 1; 0: never
 *   ACTION   an errno: this call fails with it, and all later writes and syncs too (a full disk
 *            stays full, but names can still be changed and removed); or s and a signal number:
 *            the signal is raised before this call, once
 * Each counted call appends one byte to the file REED_FAULT_LOG, so its size is their number. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_long calls;

static bool path_counts(const char *path)
{
    const char *root = getenv("REED_FAULT_ROOT");
    return root != NULL && strncmp(path, root, strlen(root)) == 0;
}

static bool descriptor_counts(int descriptor)
{
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size < 0) return false;
    path[size] = '\0';
    return path_counts(path);
}

/* 0, or the errno with which the call must fail. */
static int fault_for(const char *kind)
{
    const char *fault = getenv("REED_FAULT");
    if (fault == NULL) return 0;
    char wanted[16], action[16];
    long number;
    if (sscanf(fault, "%15[a-z]:%ld:%15s", wanted, &number, action) != 3) abort();
    bool is_change = strcmp(wanted, "change") == 0 && strcmp(kind, "read") != 0;
    if (!is_change && strcmp(wanted, kind) != 0) return 0;
    const char *log_path = getenv("REED_FAULT_LOG");
    if (log_path != NULL) {
        int log = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        ssize_t (*write_next)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
        if (log < 0 || write_next(log, ".", 1) != 1) abort();
        close(log);
    }
    long call = atomic_fetch_add(&calls, 1) + 1;
    if (number == 0 || call < number) return 0;
    if (action[0] != 's') {
        return call == number || strcmp(kind, "name") != 0 ? atoi(action) : 0;
    }
    if (call == number) raise(atoi(action + 1));
    return 0;
}

#define FAIL_WHEN(counts, kind)                                                                    \
    do {                                                                                           \
        int error = (counts) ? fault_for(kind) : 0;                                                \
        if (error != 0) {                                                                          \
            errno = error;                                                                         \
            return -1;                                                                             \
        }                                                                                          \
    } while (0)

ssize_t write(int descriptor, const void *bytes, size_t size)
{
    FAIL_WHEN(descriptor_counts(descriptor), "write");
    ssize_t (*next)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
    return next(descriptor, bytes, size);
}

/* Programs call the 64-bit names; each is a name of its own in the C library. */
#define DEFINE_VECTOR_CALL(name, kind)                                                             \
    ssize_t name(int descriptor, const struct iovec *parts, int count, off_t offset)               \
    {                                                                                              \
        FAIL_WHEN(descriptor_counts(descriptor), kind);                                            \
        ssize_t (*next)(int, const struct iovec *, int, off_t) = dlsym(RTLD_NEXT, #name);          \
        return next(descriptor, parts, count, offset);                                             \
    }

#define DEFINE_VECTOR_CALL2(name, kind)                                                            \
    ssize_t name(int descriptor, const struct iovec *parts, int count, off_t offset, int flags)    \
    {                                                                                              \
        FAIL_WHEN(descriptor_counts(descriptor), kind);                                            \
        ssize_t (*next)(int, const struct iovec *, int, off_t, int) = dlsym(RTLD_NEXT, #name);     \
        return next(descriptor, parts, count, offset, flags);                                      \
    }

DEFINE_VECTOR_CALL(pwritev, "write")
DEFINE_VECTOR_CALL(pwritev64, "write")
DEFINE_VECTOR_CALL2(pwritev2, "write")
DEFINE_VECTOR_CALL2(pwritev64v2, "write")
DEFINE_VECTOR_CALL(preadv, "read")
DEFINE_VECTOR_CALL(preadv64, "read")
DEFINE_VECTOR_CALL2(preadv2, "read")
DEFINE_VECTOR_CALL2(preadv64v2, "read")

int fsync(int descriptor)
{
    FAIL_WHEN(descriptor_counts(descriptor), "sync");
    int (*next)(int) = dlsym(RTLD_NEXT, "fsync");
    return next(descriptor);
}

int link(const char *from, const char *to)
{
    FAIL_WHEN(path_counts(to), "name");
    int (*next)(const char *, const char *) = dlsym(RTLD_NEXT, "link");
    return next(from, to);
}

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags)
{
    FAIL_WHEN(path_counts(to), "name");
    int (*next)(int, const char *, int, const char *, int) = dlsym(RTLD_NEXT, "linkat");
    return next(from_folder, from, to_folder, to, flags);
}

int rename(const char *from, const char *to)
{
    FAIL_WHEN(path_counts(to), "name");
    int (*next)(const char *, const char *) = dlsym(RTLD_NEXT, "rename");
    return next(from, to);
}

int renameat(int from_folder, const char *from, int to_folder, const char *to)
{
    FAIL_WHEN(path_counts(to), "name");
    int (*next)(int, const char *, int, const char *) = dlsym(RTLD_NEXT, "renameat");
    return next(from_folder, from, to_folder, to);
}
