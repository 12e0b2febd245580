/* harness.c - times calls of coders in a C loop: reed's plans, ISA-L's functions, the roofline and
 * memcpy, each behind the same task, over the same memory. benchmarks/harness.py fills the tasks
 * in, decides what runs when, and keeps the account; this file calls and reads the clock. */
#define _GNU_SOURCE
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#if defined(__linux__)
#include <sched.h>
#endif

#include "reed.h"
#include "roofline.h"

/* ---- the functions that are timed ---------------------------------------------------------- */

/* Reed's as reed.h has them, so that a call that no longer fits does not compile. */
typedef __typeof__(reed_plan_apply) reed_apply;
typedef __typeof__(reed_plan_apply_crc32c) reed_apply_crc32c;
typedef __typeof__(reed_kernel_crc32c) reed_crc32c_on;

/* ISA-L's erasure_code.h, crc.h and raid.h; lengths are int. */
typedef void isal_encode(int size, int source_count, int target_count, unsigned char *tables,
                         unsigned char **sources, unsigned char **targets);
typedef unsigned int isal_crc32c(unsigned char *data, int size, unsigned int value);
typedef int isal_xor(int buffer_count, int size, void **buffers);

/* ---- tasks --------------------------------------------------------------------------------- */

enum coder {
    CODER_NONE = 0,
    CODER_REED = 1,        /* function: reed_apply; context: a plan */
    CODER_REED_FUSED = 2,  /* function: reed_apply_crc32c; context: a plan */
    CODER_ISAL = 3,        /* function: isal_encode; context: its tables */
    CODER_ISAL_XOR = 4,    /* function: isal_xor; the table of sources has the one target behind
                              the sources of each stripe */
    CODER_ROOFLINE = 5,    /* function: roofline_run */
    CODER_COPY = 6         /* memcpy of source i to target i; the fewer of the two repeat */
};

enum checksum { CHECKSUM_NONE = 0, CHECKSUM_REED = 1, CHECKSUM_ISAL = 2 };

enum when {
    WHEN_AFTER = 0, /* of all sources and targets, in a pass of its own behind the coder's */
    WHEN_BEFORE = 1 /* of the sources, before the coder: verify, then decode */
};

/* One call works on one stripe; the next call on the next stripe, in a ring. Tasks that are
 * compared share `position`, so that none finds in the cache what another has just read. */
struct task {
    uint32_t coder;
    uint32_t checksum;
    uint32_t when;
    uint32_t status;        /* the first status of reed that was not REED_OK; 0 while there is none */
    void (*function)(void); /* the coder's */
    const void *context;
    void (*checksum_function)(void); /* reed_crc32c_on or isal_crc32c */
    const void *kernel;              /* of reed_crc32c_on */
    void *scratch;
    size_t *position;
    size_t stripe_count;
    size_t source_count;
    size_t target_count;
    const uint8_t *const *sources; /* [stripe][source] */
    uint8_t *const *targets;       /* [stripe][target] */
    size_t size;                   /* columns */
    size_t block_size;             /* columns for each checksum */
    uint32_t *source_crc32c;       /* [source][block] */
    uint32_t *target_crc32c;       /* [target][block] */
};

REED_API size_t harness_task_size(void);
REED_API void harness_call(struct task *task, size_t calls);
REED_API uint64_t harness_time(struct task *task, size_t lead_calls, size_t calls,
                               uint64_t *running, uint64_t *preemptions);
REED_API int harness_time_threads(struct task *const *tasks, const int *processors,
                                  size_t thread_count, size_t lead_calls, size_t calls,
                                  uint64_t *nanoseconds);
REED_API const struct roofline_set *harness_roofline_set(size_t position);
REED_API const char *harness_roofline_set_name(const struct roofline_set *set);
REED_API const struct roofline_variant *harness_roofline_variant(const struct roofline_set *set,
                                                                 size_t position);
REED_API const char *harness_roofline_variant_name(const struct roofline_variant *variant);
REED_API int harness_roofline_variant_is_nontemporal(const struct roofline_variant *variant);
REED_API roofline_run *harness_roofline_variant_run(const struct roofline_variant *variant);

/* The caller's layout of struct task must have this size. */
size_t harness_task_size(void)
{
    return sizeof(struct task);
}

/* ---- one call ------------------------------------------------------------------------------ */

static uint32_t crc32c_of(const struct task *task, const uint8_t *data, size_t size)
{
    if (task->checksum == CHECKSUM_REED) {
        reed_crc32c_on *function = (reed_crc32c_on *)task->checksum_function;
        return function(task->kernel, 0, data, size);
    }
    /* ISA-L leaves the two inversions of CRC32C to the caller; its functions only read. */
    isal_crc32c *function = (isal_crc32c *)task->checksum_function;
    return ~function((unsigned char *)(uintptr_t)data, (int)size, UINT_MAX);
}

static void checksum_blocks(const struct task *task, const uint8_t *const *buffers, size_t count,
                            uint32_t *crc32c)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t begin = 0; begin < task->size; begin += task->block_size) {
            size_t left = task->size - begin;
            *crc32c++ = crc32c_of(task, buffers[i] + begin,
                                  left < task->block_size ? left : task->block_size);
        }
    }
}

static void code(struct task *task, const uint8_t *const *sources, uint8_t *const *targets)
{
    enum reed_status status = REED_OK;
    size_t block_count = task->block_size == 0 ? 0 : (task->size - 1) / task->block_size + 1;
    switch ((enum coder)task->coder) {
    case CODER_NONE:
        break;
    case CODER_REED:
        status = ((reed_apply *)task->function)(task->context, sources, targets, 0, task->size,
                                                task->scratch);
        break;
    case CODER_REED_FUSED:
        status = ((reed_apply_crc32c *)task->function)(
            task->context, sources, targets, 0, task->size, task->block_size,
            task->source_crc32c, task->target_crc32c, block_count, task->scratch);
        break;
    case CODER_ISAL: /* reads its tables and sources only, though its types do not say so */
        ((isal_encode *)task->function)((int)task->size, (int)task->source_count,
                                        (int)task->target_count,
                                        (unsigned char *)(uintptr_t)task->context,
                                        (unsigned char **)(uintptr_t)sources,
                                        (unsigned char **)(uintptr_t)targets);
        break;
    case CODER_ISAL_XOR:
        ((isal_xor *)task->function)((int)task->source_count + 1, (int)task->size,
                                     (void **)(uintptr_t)sources);
        break;
    case CODER_ROOFLINE:
        ((roofline_run *)task->function)(sources, task->source_count, targets, task->target_count,
                                         task->size);
        break;
    case CODER_COPY:
        for (size_t i = 0; i < task->source_count || i < task->target_count; i++) {
            memcpy(targets[i % task->target_count], sources[i % task->source_count], task->size);
        }
        break;
    }
    if (status != REED_OK && task->status == 0) task->status = (uint32_t)status;
}

static void call_once(struct task *task, size_t stripe)
{
    size_t source_stride = task->source_count + (task->coder == CODER_ISAL_XOR);
    const uint8_t *const *sources = task->sources + stripe * source_stride;
    uint8_t *const *targets = task->targets + stripe * task->target_count;
    bool checks = task->checksum != CHECKSUM_NONE;
    if (checks && task->when == WHEN_BEFORE) {
        checksum_blocks(task, sources, task->source_count, task->source_crc32c);
    }
    code(task, sources, targets);
    if (checks && task->when == WHEN_AFTER) {
        checksum_blocks(task, sources, task->source_count, task->source_crc32c);
        checksum_blocks(task, (const uint8_t *const *)targets, task->target_count,
                        task->target_crc32c);
    }
}

/* `calls` calls on the next stripes of the ring. */
void harness_call(struct task *task, size_t calls)
{
    size_t stripe = *task->position % task->stripe_count;
    for (size_t i = 0; i < calls; i++) {
        call_once(task, stripe);
        if (++stripe == task->stripe_count) stripe = 0;
    }
    *task->position = stripe;
}

/* ---- the clock ----------------------------------------------------------------------------- */

static uint64_t nanoseconds_of(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* How often this thread lost its processor to another; 0 where the system does not tell. */
static uint64_t thread_preemptions(void)
{
#if defined(RUSAGE_THREAD)
    struct rusage usage;
    if (getrusage(RUSAGE_THREAD, &usage) == 0) return (uint64_t)usage.ru_nivcsw;
#endif
    return 0;
}

/* Nanoseconds that `calls` calls take behind `lead_calls` untimed ones, which put the caches and
 * the memory's queues into the state that this task leaves them in, not the task before it. The
 * fences keep stores on the side of the clock where they belong. *running is how much of it this
 * thread ran; *preemptions how often another took the processor from it. */
uint64_t harness_time(struct task *task, size_t lead_calls, size_t calls, uint64_t *running,
                      uint64_t *preemptions)
{
    harness_call(task, lead_calls);
    uint64_t preemptions_before = thread_preemptions();
    uint64_t running_before = nanoseconds_of(CLOCK_THREAD_CPUTIME_ID);
    atomic_thread_fence(memory_order_seq_cst);
    uint64_t begin = nanoseconds_of(CLOCK_MONOTONIC);
    harness_call(task, calls);
    atomic_thread_fence(memory_order_seq_cst);
    uint64_t end = nanoseconds_of(CLOCK_MONOTONIC);
    *running = nanoseconds_of(CLOCK_THREAD_CPUTIME_ID) - running_before;
    *preemptions = thread_preemptions() - preemptions_before;
    return end - begin;
}

/* ---- threads ------------------------------------------------------------------------------- */

struct worker {
    struct task *task;
    int processor; /* -1: any */
    size_t lead_calls;
    size_t calls;
    size_t worker_count;
    atomic_size_t *ready_count; /* workers that have reached the start */
    uint64_t begin;
    uint64_t end;
};

static void *work(void *argument)
{
    struct worker *worker = argument;
#if defined(__linux__)
    if (worker->processor >= 0) {
        cpu_set_t processors;
        CPU_ZERO(&processors);
        CPU_SET(worker->processor, &processors);
        /* A refusal leaves the thread where the system puts it; only the spread suffers. */
        (void)pthread_setaffinity_np(pthread_self(), sizeof processors, &processors);
    }
#endif
    harness_call(worker->task, worker->lead_calls);
    atomic_fetch_add(worker->ready_count, 1);
    while (atomic_load(worker->ready_count) < worker->worker_count) continue;
    worker->begin = nanoseconds_of(CLOCK_MONOTONIC);
    harness_call(worker->task, worker->calls);
    atomic_thread_fence(memory_order_seq_cst);
    worker->end = nanoseconds_of(CLOCK_MONOTONIC);
    return NULL;
}

/* Each task in a thread of its own, `calls` calls each, all at once: nanoseconds from the first
 * start to the last end. The tasks must not share a position. Returns 0, or -1 when a thread
 * cannot be had or there are more than 64. */
int harness_time_threads(struct task *const *tasks, const int *processors, size_t thread_count,
                         size_t lead_calls, size_t calls, uint64_t *nanoseconds)
{
    enum { THREADS_MAX = 64 };
    pthread_t threads[THREADS_MAX];
    struct worker workers[THREADS_MAX];
    atomic_size_t ready_count = 0;
    if (thread_count < 1 || thread_count > THREADS_MAX) return -1;
    size_t started = 0;
    for (; started < thread_count; started++) {
        workers[started] = (struct worker){tasks[started], processors[started], lead_calls, calls,
                                           thread_count, &ready_count, 0, 0};
        if (pthread_create(&threads[started], NULL, work, &workers[started]) != 0) break;
    }
    bool all_started = started == thread_count;
    if (!all_started) atomic_fetch_add(&ready_count, thread_count); /* let the others through */
    uint64_t begin = UINT64_MAX, end = 0;
    for (size_t i = 0; i < started; i++) {
        pthread_join(threads[i], NULL);
        if (workers[i].begin < begin) begin = workers[i].begin;
        if (workers[i].end > end) end = workers[i].end;
    }
    *nanoseconds = end - begin;
    return all_started ? 0 : -1;
}

/* ---- the roofline's variants ---------------------------------------------------------------- */

/* The sets that this processor can run; NULL past the last. */
const struct roofline_set *harness_roofline_set(size_t position)
{
    const struct roofline_set *const sets[] = {&roofline_avx512, &roofline_avx2, &roofline_base};
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        if (sets[i]->is_supported() && position-- == 0) return sets[i];
    }
    return NULL;
}

const char *harness_roofline_set_name(const struct roofline_set *set)
{
    return set->name;
}

/* NULL past the last. */
const struct roofline_variant *harness_roofline_variant(const struct roofline_set *set,
                                                        size_t position)
{
    return position < set->variant_count ? &set->variants[position] : NULL;
}

const char *harness_roofline_variant_name(const struct roofline_variant *variant)
{
    return variant->name;
}

int harness_roofline_variant_is_nontemporal(const struct roofline_variant *variant)
{
    return variant->is_nontemporal;
}

roofline_run *harness_roofline_variant_run(const struct roofline_variant *variant)
{
    return variant->run;
}
