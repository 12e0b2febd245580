/* check.h - the little that a C test needs: a check that says what it saw, seeded random numbers,
 * and memory that ends where the next byte faults. */
#ifndef REED_TESTS_CHECK_H
#define REED_TESTS_CHECK_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* What a program exits with when this machine cannot run it; stdout then says why. */
enum { EXIT_NOT_RUN = 77 };

/* CHECK(condition, "format", values...): the program stops at the first one that fails. */
#define CHECK(condition, ...) check((condition), #condition, __FILE__, __LINE__, __VA_ARGS__)

#if defined(__GNUC__) || defined(__clang__)
__attribute__((format(printf, 5, 6)))
#endif
static inline void check(bool holds, const char *condition, const char *file, int line,
                         const char *format, ...)
{
    if (holds) return;
    va_list values;
    va_start(values, format);
    fprintf(stderr, "%s:%d: %s: ", file, line, condition);
    vfprintf(stderr, format, values);
    fputc('\n', stderr);
    va_end(values);
    exit(EXIT_FAILURE);
}

/* SplitMix64: every seed gives a good sequence. */
static inline uint64_t random_u64(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* 0 .. limit - 1; the slight bias of the remainder does not matter to a test. */
static inline uint64_t random_below(uint64_t *state, uint64_t limit)
{
    return random_u64(state) % limit;
}

static inline void random_bytes(uint64_t *state, uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) bytes[i] = (uint8_t)random_u64(state);
}

/* Whole pages with an inaccessible page before and behind them. */
struct guarded {
    uint8_t *begin;
    uint8_t *end;
};

static inline struct guarded guarded_allocate(size_t size_min)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t size = (size_min + page - 1) / page * page;
    uint8_t *memory = mmap(NULL, size + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED, "mmap of %zu bytes", size);
    CHECK(mprotect(memory + page, size, PROT_READ | PROT_WRITE) == 0, "mprotect");
    return (struct guarded){.begin = memory + page, .end = memory + page + size};
}

static inline void guarded_release(struct guarded region)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    CHECK(munmap(region.begin - page, (size_t)(region.end - region.begin) + 2 * page) == 0,
          "munmap");
}

#endif
