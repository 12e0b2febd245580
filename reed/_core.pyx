# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
# cython: freethreading_compatible=True, embedsignature=True
"""The only door from Python to the C core.

Buffers are taken from Python, checked, and handed to one C call with the GIL released, unless the
call is over sooner than that takes; statuses become exceptions. Nothing is computed here. What the
arguments mean stands on each method.
"""

cimport cython
from cpython.buffer cimport (
    Py_buffer, PyBUF_FORMAT, PyBUF_SIMPLE, PyBUF_STRIDES, PyBUF_WRITABLE, PyBuffer_Release,
    PyObject_CheckBuffer, PyObject_GetBuffer,
)
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_RawFree, PyMem_RawMalloc
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF
from libc.limits cimport INT_MAX
from libc.stdint cimport uint8_t, uint32_t, uint64_t, uintptr_t
from libc.string cimport memcmp, memcpy, memset
from posix.unistd cimport usleep

from reed cimport creed
from reed.creed cimport (
    REED_GENERATOR_EXPLICIT, REED_MISMATCH, REED_OK, REED_SHARDS_MAX, reed_code, reed_kernel,
    reed_plan, reed_status,
)

import os
from _thread import allocate_lock, start_new_thread

import numpy

from reed import errors

cdef object empty = numpy.empty
cdef object uint8 = numpy.dtype(numpy.uint8)
cdef object uint32 = numpy.dtype(numpy.uint32)

cdef enum:
    # Sizes the C arrays below; checked against the header when the module is imported.
    SHARDS_MAX = 256
    SHARD_BITMAP_SIZE = 32
    # Plans kept per code, one for each pattern of losses: at most this many, and at most this many
    # bytes of coefficients; the oldest goes first.
    PLAN_COUNT_MAX = 256
    PLAN_BYTES_MAX = 33554432
    # Products of bytes that are worth a thread of their own, and the multiple at which columns are
    # split: waking a processor takes 20 to 50 microseconds, in which one thread does as much.
    THREAD_PRODUCTS_MIN = 8388608
    THREAD_COLUMNS_STEP = 64
    CACHE_LINE_SIZE = 64
    ALIGNED_BYTES_MIN = 65536
    # Products of bytes up to which the interpreter's lock is kept: to let it go and take it back
    # costs 50 ns. A vector kernel makes as many in a microsecond or two, a slow one in 100.
    LOCKED_PRODUCTS_MAX = 131072

if <int>SHARDS_MAX != <int>REED_SHARDS_MAX:
    raise ImportError(f"built for {SHARDS_MAX} shards, reed.h says {REED_SHARDS_MAX}")


# ---- statuses ------------------------------------------------------------------------------------

cdef dict _EXCEPTIONS = {
    <int>creed.REED_INVALID_PARAMETER: errors.InvalidParameter,
    <int>creed.REED_OUT_OF_MEMORY: MemoryError,
    <int>creed.REED_TOO_FEW_SHARDS: errors.TooFewShards,
    <int>creed.REED_NOT_MDS: errors.NotMDS,
    <int>creed.REED_SINGULAR: errors.SingularPattern,
    <int>creed.REED_UNKNOWN_KERNEL: errors.UnsupportedKernel,
    <int>creed.REED_UNSUPPORTED_KERNEL: errors.UnsupportedKernel,
    <int>creed.REED_UNKNOWN_GENERATOR: errors.InvalidParameter,
    <int>creed.REED_AMBIGUOUS: errors.AmbiguousCorruption,
    <int>creed.REED_TOO_COMPLEX: errors.TooComplex,
}


cdef int _check(reed_status status, str context) except -1:
    """Raise the exception that stands for a status; `context` names the values."""
    if status == REED_OK:
        return 0
    message = creed.reed_status_message(status).decode()
    raise _EXCEPTIONS.get(<int>status, errors.ReedError)(f"{context}: {message}")


# ---- kernels -------------------------------------------------------------------------------------

cdef const reed_kernel *find_kernel(object name) except NULL:
    """The kernel of this name; None: REED_KERNEL in the environment, else the fastest."""
    cdef const reed_kernel *kernel = NULL
    cdef bytes wanted
    cdef reed_status status
    if name is not None and not isinstance(name, str):
        raise errors.InvalidParameter(f"kernel must be a name, not {name!r}")
    wanted = (name or "").encode()
    status = creed.reed_kernel_find(wanted, &kernel)
    if status != REED_OK:
        if not name:
            name = f"{os.environ.get('REED_KERNEL')} (from REED_KERNEL)"
        _check(status, f"kernel {name}; this machine runs {', '.join(kernels())}")
    return kernel


def kernels():
    """Names of the kernels that this machine can run, the preferred one first."""
    return [name for name, supported in all_kernels().items() if supported]


def all_kernels():
    """Every kernel that is compiled in, mapped to whether this machine can run it."""
    cdef const reed_kernel *kernel
    found = {}
    for position in range(1 << 8):
        kernel = creed.reed_kernel_at(position)
        if kernel == NULL:
            break
        found[creed.reed_kernel_name(kernel).decode()] = bool(
            creed.reed_kernel_is_supported(kernel))
    return found


def generators():
    """Names of the generators that need no matrix of the caller's."""
    names = []
    for number in range(1, <int>REED_GENERATOR_EXPLICIT):
        name = creed.reed_generator_name(<creed.reed_generator>number)
        if name == NULL:
            break
        names.append(name.decode())
    return names


# What crc32c uses: chosen once, so that REED_KERNEL has the meaning it has for codes.
cdef const reed_kernel *default_kernel = find_kernel(None)


# ---- checksums -----------------------------------------------------------------------------------

ctypedef uint32_t (*kernel_checksum)(const reed_kernel *kernel, uint32_t value, const void *data,
                                     size_t size) noexcept nogil


cdef object checksum_of(kernel_checksum checksum, object buffer, uint32_t value, object kernel):
    """The checksum of a contiguous buffer that continues data whose checksum is `value`."""
    cdef Py_buffer view
    cdef const reed_kernel *chosen = default_kernel if kernel is None else find_kernel(kernel)
    PyObject_GetBuffer(buffer, &view, PyBUF_SIMPLE)
    try:
        with nogil:
            value = checksum(chosen, value, view.buf, view.len)
    finally:
        PyBuffer_Release(&view)
    return value


def crc32c(buffer, uint32_t value=0, kernel=None):
    """CRC32C (Castagnoli) of a contiguous buffer that continues data whose CRC32C is `value`."""
    return checksum_of(creed.reed_kernel_crc32c, buffer, value, kernel)


def crc32(buffer, uint32_t value=0, kernel=None):
    """CRC-32 (IEEE 802.3, the one of zlib) of a contiguous buffer that continues data whose CRC-32
    is `value`: for formats of other systems."""
    return checksum_of(creed.reed_kernel_crc32, buffer, value, kernel)


def crc32c_combine(uint32_t crc_a, uint32_t crc_b, uint64_t size_b):
    """CRC32C of a||b from crc32c(a), crc32c(b) and the size of b in bytes."""
    return creed.reed_crc32c_combine(crc_a, crc_b, size_b)


# ---- buffers -------------------------------------------------------------------------------------

cdef struct Rows:
    # Equally long byte rows of Python buffers, exported for as long as the call runs.
    uint32_t count
    uint32_t view_count
    Py_ssize_t size                    # bytes in every row; -1 while none is known
    Py_buffer views[SHARDS_MAX]
    uint8_t *pointers[SHARDS_MAX]


cdef inline void rows_begin(Rows *rows) noexcept:
    rows.count = 0
    rows.view_count = 0
    rows.size = -1


cdef inline void rows_release(Rows *rows) noexcept:
    cdef uint32_t i
    for i in range(rows.view_count):
        PyBuffer_Release(&rows.views[i])


cdef object named(str what, int index):
    """How an error calls an argument, or one row of it; made only for an error."""
    return what if index < 0 else f"{what}[{index}]"


cdef Py_buffer *rows_export(Rows *rows, object buffer, bint writable, str what,
                            int index) except NULL:
    """Export `buffer` into the next view; only unsigned bytes are taken, and never copied.

    :param index: of the row of `what` that it is; -1 where it is all of it. Likewise below.
    """
    cdef Py_buffer *view = &rows.views[rows.view_count]
    cdef int flags = PyBUF_FORMAT | PyBUF_STRIDES | (PyBUF_WRITABLE if writable else 0)
    if rows.view_count == SHARDS_MAX:  # a caller's container that grows while it is read
        raise errors.InvalidParameter(f"{named(what, index)}: more than {SHARDS_MAX} buffers")
    if not PyObject_CheckBuffer(buffer):
        raise errors.InvalidParameter(
            f"{named(what, index)} must be a buffer of bytes, not {type(buffer).__name__}")
    try:
        PyObject_GetBuffer(buffer, view, flags)
    except (BufferError, ValueError) as error:
        raise errors.InvalidParameter(
            f"{named(what, index)} cannot be used in place: {error}") from None
    rows.view_count += 1
    if view.itemsize != 1 or (view.format != NULL and (
            view.format[0] != c"B" or view.format[1] != 0)):
        found = view.format.decode() if view.format != NULL else "?"
        raise errors.InvalidParameter(
            f"{named(what, index)} must hold unsigned bytes (format 'B'), not format {found!r} "
            f"with items of {view.itemsize} bytes")
    return view


cdef int rows_size(Rows *rows, Py_ssize_t size, Py_ssize_t stride, str what,
                   int index) except -1:
    if stride != 1 and size > 1:
        raise errors.InvalidParameter(
            f"{named(what, index)} must have unit column stride, not {stride}; pass a contiguous "
            "copy")
    if rows.size < 0:
        rows.size = size
    elif rows.size != size:
        raise errors.ShardSizeMismatch(
            f"{named(what, index)} has {size} bytes where {rows.size} are needed",
            expected=rows.size, actual=size)
    return 0


cdef int rows_add(Rows *rows, object buffer, bint writable, str what, int index) except -1:
    """Append one one-dimensional buffer as the next row."""
    cdef Py_buffer *view = rows_export(rows, buffer, writable, what, index)
    if view.ndim != 1:
        raise errors.InvalidParameter(
            f"{named(what, index)} must have 1 dimension, not {view.ndim}")
    rows_size(rows, view.shape[0], view.strides[0], what, index)
    rows.pointers[rows.count] = <uint8_t *>view.buf
    rows.count += 1
    return 0


cdef int rows_take(Rows *rows, object data, uint32_t count, bint writable, str what) except -1:
    """Take `count` rows: a two-dimensional array, or a sequence of buffers; where count is 1, a
    single buffer too. `rows.size`, when set, is the length that is needed."""
    cdef Py_buffer *view
    cdef uint32_t i
    if not PyObject_CheckBuffer(data):
        if not isinstance(data, (list, tuple)):
            raise errors.InvalidParameter(
                f"{what} must be a 2-D array of bytes or a list of buffers, not "
                f"{type(data).__name__}")
        if len(data) != count:
            raise errors.InvalidParameter(f"{what} must have {count} rows, not {len(data)}")
        for item in data:
            rows_add(rows, item, writable, what, rows.count)
        if rows.count != count:  # a caller's list that changes while it is read
            raise errors.InvalidParameter(f"{what} must have {count} rows, not {rows.count}")
        return 0
    view = rows_export(rows, data, writable, what, -1)
    if view.ndim == 1 and count == 1:
        rows_size(rows, view.shape[0], view.strides[0], what, -1)
        rows.pointers[0] = <uint8_t *>view.buf
    else:
        if view.ndim != 2:
            raise errors.InvalidParameter(f"{what} must have 2 dimensions, not {view.ndim}")
        if view.shape[0] != count:
            raise errors.InvalidParameter(f"{what} must have {count} rows, not {view.shape[0]}")
        rows_size(rows, view.shape[1], view.strides[1], what, -1)
        for i in range(count):
            rows.pointers[i] = <uint8_t *>view.buf + <Py_ssize_t>i * view.strides[0]
    rows.count = count
    return 0


cdef inline bint overlaps(const uint8_t *a, const uint8_t *b, Py_ssize_t a_size,
                          Py_ssize_t b_size) noexcept nogil:
    return <uintptr_t>a < <uintptr_t>b + b_size and <uintptr_t>b < <uintptr_t>a + a_size


cdef void sort_pointers(const uint8_t **pointers, uint32_t count) noexcept nogil:
    """Ascending. By insertion: rows mostly come in order."""
    cdef uint32_t i, place
    cdef const uint8_t *pointer
    for i in range(1, count):
        pointer = pointers[i]
        place = i
        while place > 0 and <uintptr_t>pointers[place - 1] > <uintptr_t>pointer:
            pointers[place] = pointers[place - 1]
            place -= 1
        pointers[place] = pointer


cdef bint any_overlap(Rows *sources, Rows *targets, Py_ssize_t target_offset,
                      Py_ssize_t target_size) noexcept nogil:
    """Whether a target aliases a source or another target. Each is compared with its neighbours in
    memory alone: all pairs of 128+128 cost a third of encoding 4 KiB shards."""
    cdef const uint8_t *source_list[SHARDS_MAX]
    cdef const uint8_t *target_list[SHARDS_MAX]
    cdef uint32_t t, s = 0
    memcpy(source_list, sources.pointers, sources.count * sizeof(uint8_t *))
    sort_pointers(source_list, sources.count)
    for t in range(targets.count):
        target_list[t] = targets.pointers[t] + target_offset
    sort_pointers(target_list, targets.count)
    for t in range(targets.count):
        if t > 0 and overlaps(target_list[t - 1], target_list[t], target_size, target_size):
            return True
        # Sources are equally long, so the first that does not end before the target decides.
        while s < sources.count and (
                <uintptr_t>source_list[s] + sources.size <= <uintptr_t>target_list[t]):
            s += 1
        if s < sources.count and overlaps(target_list[t], source_list[s], target_size,
                                          sources.size):
            return True
    return False


cdef object new_rows(Py_ssize_t count, Py_ssize_t size):
    """A (count, size) array for results. Large ones begin at a cache line, which NumPy's do not, so
    that they can be written past the cache."""
    cdef Py_ssize_t begin
    if count * size < ALIGNED_BYTES_MIN:
        return empty((count, size), uint8)
    room = empty(count * size + CACHE_LINE_SIZE - 1, uint8)
    begin = -<Py_ssize_t>room.ctypes.data % CACHE_LINE_SIZE
    return room[begin:begin + count * size].reshape(count, size)


cdef int refuse_overlap(Rows *sources, Rows *targets, Py_ssize_t target_offset,
                        Py_ssize_t target_size) except -1:
    """Targets may alias neither sources nor each other."""
    cdef uint32_t s, t, other
    cdef const uint8_t *target
    if target_size <= 0 or sources.size <= 0:
        return 0
    if not any_overlap(sources, targets, target_offset, target_size):
        return 0
    for t in range(targets.count):  # which ones
        target = targets.pointers[t] + target_offset
        for s in range(sources.count):
            if overlaps(target, sources.pointers[s], target_size, sources.size):
                raise errors.InvalidParameter(f"output {t} overlaps input {s} in memory")
        for other in range(t):
            if overlaps(target, targets.pointers[other] + target_offset, target_size, target_size):
                raise errors.InvalidParameter(f"outputs {other} and {t} overlap in memory")
    return 0


# ---- plans ---------------------------------------------------------------------------------------

cdef class Plan:
    """Owns one C plan."""
    cdef reed_plan *plan

    def __dealloc__(self):
        creed.reed_plan_destroy(self.plan)


cdef class _Columns:
    """One range of columns of one plan, as a task for a thread. The pointers belong to the caller,
    who waits for the task."""
    cdef const reed_plan *plan
    cdef const uint8_t *const *sources
    cdef uint8_t *const *targets
    cdef size_t begin, end
    cdef size_t block_size             # 0: no checksums
    cdef uint32_t *source_crc32c
    cdef uint32_t *target_crc32c
    cdef size_t checksum_stride
    cdef void *scratch
    cdef reed_status status
    cdef bint is_closed, is_running
    cdef object done                   # a lock that is held until the task has ended

    def __call__(self):
        with cython.critical_section(self):
            if self.is_closed:
                return
            self.is_running = True
        with nogil:
            if self.block_size == 0:
                self.status = creed.reed_plan_apply(
                    self.plan, self.sources, self.targets, self.begin, self.end, self.scratch)
            else:
                self.status = creed.reed_plan_apply_crc32c(
                    self.plan, self.sources, self.targets, self.begin, self.end, self.block_size,
                    self.source_crc32c, self.target_crc32c, self.checksum_stride, self.scratch)
        with cython.critical_section(self):
            self.is_running = False
        if self.done is not None:
            self.done.release()

    cdef int close(self) except -1:
        """Returns when the task uses the caller's memory no more, and never will. Runs no Python
        code, which an interrupt could leave."""
        cdef bint is_running = True
        while is_running:
            with cython.critical_section(self):
                self.is_closed = True
                is_running = self.is_running
            if is_running:
                with nogil:
                    usleep(100)
        return 0


cdef int thread_count(object wanted) except -1:
    """A caller's number of threads."""
    cdef int count
    try:
        count = wanted
    except OverflowError:
        count = 0
    if count < 1:
        raise errors.InvalidParameter(
            f"threads must be at least 1 and at most {INT_MAX}, not {wanted}")
    return count


cdef inline uint64_t products(const reed_plan *plan, Py_ssize_t size,
                              uint32_t source_count) noexcept:
    """How much work `size` columns are, reading and writing included. `plan` may be NULL, for copies
    alone."""
    cdef uint64_t target_count = creed.reed_plan_target_count(plan) if plan != NULL else 0
    return size * (1 + target_count) * (1 + source_count)


cdef inline bint is_brief(const reed_plan *plan, Py_ssize_t size, uint32_t source_count) noexcept:
    """Whether `size` columns are too little work to let the interpreter's lock go."""
    return products(plan, size, source_count) <= LOCKED_PRODUCTS_MAX


cdef int worthwhile_threads(const reed_plan *plan, Py_ssize_t size, object wanted) except -1:
    """How many of the threads that a caller allows have enough to do."""
    cdef uint64_t work = products(plan, size, creed.reed_plan_source_count(plan))
    return max(<uint64_t>1, min(<uint64_t>thread_count(wanted), work // THREAD_PRODUCTS_MIN))


cdef int apply_plan(const reed_plan *plan, const uint8_t *const *sources, uint8_t *const *targets,
                    Py_ssize_t size, object wanted_threads) except -1:
    """Columns [0, size), in as many column ranges as threads where that is worth while."""
    cdef int threads = worthwhile_threads(plan, size, wanted_threads)
    cdef size_t scratch_size = creed.reed_plan_apply_scratch_size(plan)
    cdef uint8_t *scratch = NULL
    cdef reed_status status
    if scratch_size > 0:
        scratch = <uint8_t *>PyMem_RawMalloc(threads * scratch_size)
        if scratch == NULL:
            raise MemoryError
    try:
        if threads == 1:
            if is_brief(plan, size, creed.reed_plan_source_count(plan)):
                status = creed.reed_plan_apply(plan, sources, targets, 0, size, scratch)
            else:
                with nogil:
                    status = creed.reed_plan_apply(plan, sources, targets, 0, size, scratch)
            _check(status, "apply")
        else:
            apply_ranges(plan, sources, targets, size, threads, scratch, scratch_size)
    finally:
        PyMem_RawFree(scratch)
    return 0


cdef int apply_ranges(const reed_plan *plan, const uint8_t *const *sources,
                      uint8_t *const *targets, size_t size, int threads, uint8_t *scratch,
                      size_t scratch_size) except -1:
    """One range of columns for each thread; each with its own part of the scratch."""
    cdef _Columns task
    cdef size_t step, begin
    step = (size // threads + THREAD_COLUMNS_STEP) // THREAD_COLUMNS_STEP * THREAD_COLUMNS_STEP
    tasks = []
    for begin in range(0, size, step):
        task = _Columns()
        task.plan, task.sources, task.targets = plan, sources, targets
        task.begin, task.end = begin, min(begin + step, size)
        task.scratch = scratch + len(tasks) * scratch_size if scratch != NULL else NULL
        tasks.append(task)
    return run_tasks(tasks)


cdef int run_tasks(list tasks) except -1:
    """The first task runs on the caller's thread, each other one on a thread of its own, which
    costs no more than to hand it to one that waits. Tasks use the caller's memory: whatever happens
    (an interrupt, no thread to be had), none runs when this returns."""
    cdef _Columns task
    try:
        for task in tasks[1:]:
            task.done = allocate_lock()
            task.done.acquire()
            start_new_thread(task, ())
        tasks[0]()
        for task in tasks[1:]:
            task.done.acquire()
    finally:
        for task in tasks:
            task.close()
    for task in tasks:
        _check(task.status, "apply")
    return 0


cdef object apply_plan_crc32c(const reed_plan *plan, Rows *sources, Rows *targets,
                              Py_ssize_t block_size, object wanted_threads):
    """Apply, and return the (sources + targets, blocks) array of checksums. Threads share the
    columns by whole blocks."""
    cdef Py_ssize_t size = sources.size, block_count, step, block
    cdef int threads = worthwhile_threads(plan, max(size, 0), wanted_threads)
    cdef size_t scratch_size = creed.reed_plan_apply_crc32c_scratch_size(plan)
    cdef uint32_t[:, ::1] view
    cdef uint32_t *source_crc32c
    cdef uint8_t *scratch
    cdef _Columns task
    if block_size < 1:
        raise errors.InvalidParameter(f"block_size must be at least 1, not {block_size}")
    block_count = size // block_size + (size % block_size > 0)
    checksums = empty((sources.count + targets.count, block_count), uint32)
    if checksums.size == 0:
        return checksums
    threads = min(threads, block_count)
    view = checksums
    source_crc32c = &view[0, 0]
    step = (block_count + threads - 1) // threads
    scratch = <uint8_t *>PyMem_RawMalloc(threads * scratch_size)
    if scratch == NULL:
        raise MemoryError
    tasks = []
    try:
        for block in range(0, block_count, step):
            task = _Columns()
            task.plan = plan
            task.sources = <const uint8_t *const *>sources.pointers
            task.targets = targets.pointers
            task.begin, task.end = block * block_size, min((block + step) * block_size, size)
            task.block_size, task.checksum_stride = block_size, block_count
            task.source_crc32c = source_crc32c + block
            task.target_crc32c = task.source_crc32c + <Py_ssize_t>sources.count * block_count
            task.scratch = scratch + len(tasks) * scratch_size
            tasks.append(task)
        run_tasks(tasks)
    finally:
        PyMem_RawFree(scratch)
    return checksums


# ---- codes ---------------------------------------------------------------------------------------

cdef class Code:
    """An immutable erasure code; ``ReedSolomon`` and ``Replication`` are its public faces.

    Shards are numbered 0 to ``data_shards + parity_shards - 1``, data first. A shard is a row of
    bytes; all shards of a stripe have the same size, from 0 up. Buffers are anything that exports
    unsigned bytes with unit column stride: bytes, bytearray, memoryview, mmap, NumPy arrays.
    Nothing is copied and no output may overlap an input. Methods release the GIL, but for some
    microseconds of work, and may be called from any number of threads at once.
    """
    cdef reed_code *code
    cdef Plan encode_plan        # None: the shape is for decoding only
    cdef dict plans              # pattern of losses -> Plan, oldest first
    cdef size_t plan_bytes
    cdef readonly int data_shards
    cdef readonly int parity_shards
    cdef readonly str generator
    cdef readonly bint decode_only

    def __cinit__(self, data_shards, parity_shards, str generator, matrix=None, kernel=None,
                  bint decode_only=False):
        cdef creed.reed_code_options options
        cdef Rows rows
        cdef Plan plan = Plan()
        cdef bytes name
        for what, value, least in (("data_shards", data_shards, 1),
                                   ("parity_shards", parity_shards, 0)):
            if not isinstance(value, int) or isinstance(value, bool):
                raise errors.InvalidParameter(f"{what} must be an int, not {value!r}")
            if not least <= value <= REED_SHARDS_MAX:
                raise errors.InvalidParameter(
                    f"{what} must be {least} to {REED_SHARDS_MAX}, not {value}")
        if data_shards + parity_shards > REED_SHARDS_MAX:
            raise errors.InvalidParameter(
                f"data_shards + parity_shards must be at most {REED_SHARDS_MAX}, not "
                f"{data_shards} + {parity_shards}")
        memset(&options, 0, sizeof(options))
        options.struct_size = sizeof(options)
        options.data_shards = data_shards
        options.parity_shards = parity_shards
        options.flags = creed.REED_ALLOW_NON_MDS if decode_only else 0
        name = generator.encode()
        if creed.reed_generator_find(name, &options.generator) != REED_OK:
            raise errors.InvalidParameter(
                f"generator {generator!r} is unknown; there are {', '.join(generators())}")
        options.kernel = find_kernel(kernel)
        rows_begin(&rows)
        try:
            if matrix is not None:
                rows.size = data_shards
                rows_take(&rows, matrix, parity_shards, False, "the generator matrix")
                packed = b"".join(PyBytes_FromStringAndSize(<char *>rows.pointers[i], data_shards)
                                  for i in range(parity_shards))
                options.matrix = <const uint8_t *><char *>packed
            _check(creed.reed_code_create(&options, &self.code),
                   f"{generator} {data_shards}+{parity_shards}")
        finally:
            rows_release(&rows)
        self.data_shards = data_shards
        self.parity_shards = parity_shards
        self.generator = generator
        self.decode_only = decode_only
        self.plans = {}
        status = creed.reed_plan_create_encode(self.code, &plan.plan)
        if status != creed.REED_NOT_MDS:
            _check(status, "encode")
            self.encode_plan = plan

    def __dealloc__(self):
        creed.reed_code_destroy(self.code)

    @property
    def kernel(self):
        """Name of the kernel that does the arithmetic."""
        return creed.reed_kernel_name(creed.reed_code_kernel(self.code)).decode()

    @property
    def generator_matrix(self):
        """The (data_shards + parity_shards, data_shards) uint8 matrix whose product with the data
        rows gives the shards; the identity on top. Read-only."""
        matrix = empty((self.data_shards + self.parity_shards, self.data_shards), uint8)
        cdef uint8_t[:, ::1] rows = matrix
        cdef uint32_t i
        for i in range(rows.shape[0]):
            _check(creed.reed_code_row(self.code, i, &rows[i, 0]), "generator_matrix")
        matrix.flags.writeable = False
        return matrix

    @property
    def matrix_crc32c(self):
        """CRC32C of the parity rows of the generator matrix: what a shard file records."""
        return creed.reed_code_matrix_crc32c(self.code)

    # -- patterns --

    cdef int mark(self, object index, bint *marks) except -1:
        """Mark one shard index of a caller; refuses what is no index."""
        cdef Py_ssize_t i
        try:
            i = index
        except (TypeError, OverflowError):
            raise errors.InvalidParameter(f"shard index must be an int, not {index!r}") from None
        if i < 0 or i >= self.data_shards + self.parity_shards:
            raise errors.InvalidParameter(
                f"shard index must be 0 to {self.data_shards + self.parity_shards - 1}, not {i}")
        marks[i] = True
        return 0

    cdef dict given(self, object shards, bint *marks):
        """The caller's shards as a dict, with their indices marked."""
        memset(marks, 0, (self.data_shards + self.parity_shards) * sizeof(bint))
        if not isinstance(shards, dict):
            if not hasattr(shards, "keys"):
                raise errors.InvalidParameter(
                    "shards must map shard indices to buffers, as {0: s0, 3: s3}, not be a "
                    f"{type(shards).__name__}")
            shards = dict(shards)
        for index in shards:
            self.mark(index, marks)
        return shards

    cdef int count(self, bint *marks) noexcept:
        """How many are marked. Not what the caller's container says: its keys may name one shard
        twice, and it may change meanwhile."""
        cdef int i, found = 0
        for i in range(self.data_shards + self.parity_shards):
            found += marks[i]
        return found

    cdef object too_few(self, str what, int needed, bint *marks, bint *also_missing):
        cdef int i, available = 0
        missing = []
        for i in range(self.data_shards + self.parity_shards):
            if marks[i] and not (also_missing != NULL and also_missing[i]):
                available += 1
            else:
                missing.append(i)
        return errors.TooFewShards(
            f"{what} needs {needed} shards and {available} are given; missing: {missing}",
            needed=needed, available=available, missing=missing)

    cdef Plan reconstruct_plan(self, bint *available, bint *wanted):
        """The cached plan that makes the wanted shards (ascending) from the available ones."""
        cdef uint8_t key[2 * SHARD_BITMAP_SIZE]
        cdef uint32_t available_list[SHARDS_MAX]
        cdef uint32_t wanted_list[SHARDS_MAX]
        cdef size_t available_count = 0, wanted_count = 0
        cdef int i, usable = 0
        cdef Plan plan
        cdef reed_status status
        memset(key, 0, sizeof(key))
        for i in range(self.data_shards + self.parity_shards):
            if available[i]:
                key[i // 8] |= 1 << (i % 8)
                available_list[available_count] = i
                available_count += 1
                usable += not wanted[i]
            if wanted[i]:
                key[SHARD_BITMAP_SIZE + i // 8] |= 1 << (i % 8)
                wanted_list[wanted_count] = i
                wanted_count += 1
        name = PyBytes_FromStringAndSize(<char *>key, sizeof(key))
        found = self.plans.get(name)
        if found is not None:
            return <Plan>found
        if usable < self.data_shards:
            raise self.too_few("reconstruction", self.data_shards, available, wanted)
        plan = Plan()
        with nogil:
            status = creed.reed_plan_create_reconstruct(self.code, available_list, available_count,
                                                        wanted_list, wanted_count, &plan.plan)
        _check(status, f"{self.generator} {self.data_shards}+{self.parity_shards}")
        return self.keep(name, plan)

    cdef Plan keep(self, bytes name, Plan plan):
        """Cache a plan, and let the oldest go while there are too many."""
        with cython.critical_section(self):
            kept = self.plans.setdefault(name, plan)
            if kept is not plan:  # another thread made it meanwhile
                return <Plan>kept
            self.plan_bytes += creed.reed_plan_memory_size(plan.plan)
            while len(self.plans) > PLAN_COUNT_MAX or (
                    self.plan_bytes > PLAN_BYTES_MAX and len(self.plans) > 1):
                oldest = self.plans.pop(next(iter(self.plans)))
                self.plan_bytes -= creed.reed_plan_memory_size((<Plan>oldest).plan)
        return plan

    cdef int take_sources(self, Rows *rows, const reed_plan *plan, dict shards) except -1:
        cdef uint32_t s
        for s in range(creed.reed_plan_source_count(plan)):
            self.take_shard(rows, creed.reed_plan_source(plan, s), shards)
        return 0

    cdef int mark_wanted(self, object wanted, bint *available, bint *targeted) except -1:
        """The caller's wanted indices; all that are not available by default."""
        cdef int i
        memset(targeted, 0, SHARDS_MAX * sizeof(bint))
        if wanted is None:
            for i in range(self.data_shards + self.parity_shards):
                targeted[i] = not available[i]
        else:
            for index in wanted:
                self.mark(index, targeted)
        return 0

    cdef dict take_wanted(self, Rows *sources, Rows *targets, const reed_plan *plan, dict given,
                          object out):
        """Take the plan's targets from `out`, or make them: {shard index: buffer}."""
        cdef uint32_t t
        indices = [creed.reed_plan_target(plan, t)
                   for t in range(creed.reed_plan_target_count(plan))]
        if sources.size < 0:  # nothing is wanted, or only zero rows of a sparse matrix
            for index in given:
                self.take_shard(sources, index, given)
                sources.count = 0
                break
        if out is None:
            block = new_rows(len(indices), max(sources.size, 0))
            rows_take(targets, block, len(indices), True, "out")
            return dict(zip(indices, block))
        targets.size = sources.size
        result = {}
        for index in indices:
            try:
                buffer = out[index]
            except LookupError:
                raise errors.InvalidParameter(
                    f"out has no buffer for shard {index}") from None
            result[index] = buffer
            rows_add(targets, buffer, True, "out", index)
        refuse_overlap(sources, targets, 0, targets.size)
        return result

    cdef int take_shard(self, Rows *rows, uint32_t index, dict shards) except -1:
        rows_add(rows, shards[index], False, "shards", index)
        return 0

    # -- operations --

    def encode(self, data, out=None, threads=1):
        """Compute the parity shards.

        :param data: a (data_shards, n) uint8 array or data_shards buffers of n bytes.
        :param out: where to write: a (parity_shards, n) array or parity_shards writable buffers of
            n bytes; a new array by default. It must not overlap the data.
        :param threads: over how many threads to split the columns, at most; what is too little
            work for a thread stays together.
        :return: the (parity_shards, n) array, or `out`.
        :raises InvalidParameter, ShardSizeMismatch: the rows do not fit; nothing was written.
        :raises NotMDS: the code was made with ``decode_only=True``.
        """
        cdef Rows sources, targets
        if self.encode_plan is None:
            raise errors.NotMDS(
                f"{self.generator} {self.data_shards}+{self.parity_shards} would lose data; "
                "decode_only=True reads old data only")
        rows_begin(&sources)
        rows_begin(&targets)
        try:
            rows_take(&sources, data, self.data_shards, False, "data")
            if out is None:
                out = new_rows(self.parity_shards, sources.size)
                rows_take(&targets, out, self.parity_shards, True, "out")
            else:
                targets.size = sources.size
                rows_take(&targets, out, self.parity_shards, True, "out")
                refuse_overlap(&sources, &targets, 0, targets.size)
            apply_plan(self.encode_plan.plan, <const uint8_t *const *>sources.pointers,
                       targets.pointers, sources.size, threads)
        finally:
            rows_release(&sources)
            rows_release(&targets)
        return out

    def reconstruct(self, shards, wanted=None, out=None, threads=1):
        """Compute shards from others.

        The data_shards lowest given indices that are not wanted are used and the rest is ignored.
        Bare buffers carry no checksum: the bytes given are trusted, and a wrong one among those
        used gives wrong results; see `verify` and `locate`.

        :param shards: mapping shard index -> buffer of n bytes.
        :param wanted: shard indices to compute; by default all that are not given. A wanted index
            that was given is recomputed without it.
        :param out: mapping wanted index -> writable buffer of n bytes; new arrays by default.
        :param threads: over how many threads to split the columns, at most; what is too little
            work for a thread stays together.
        :return: {index: uint8 array of n bytes}, or the buffers of `out`.
        :raises TooFewShards: fewer than data_shards usable shards (needed, available, missing).
        :raises SingularPattern: with a code that is not MDS only.
        """
        cdef bint available[SHARDS_MAX]
        cdef bint targeted[SHARDS_MAX]
        cdef Rows sources, targets
        cdef Plan plan
        given = self.given(shards, available)
        self.mark_wanted(wanted, available, targeted)
        plan = self.reconstruct_plan(available, targeted)
        rows_begin(&sources)
        rows_begin(&targets)
        try:
            self.take_sources(&sources, plan.plan, given)
            result = self.take_wanted(&sources, &targets, plan.plan, given, out)
            apply_plan(plan.plan, <const uint8_t *const *>sources.pointers, targets.pointers,
                       sources.size, threads)
        finally:
            rows_release(&sources)
            rows_release(&targets)
        return result

    def encode_crc32c(self, data, Py_ssize_t block_size=65536, out=None, threads=1):
        """Compute the parity shards and the CRC32C of every block of all shards, in one pass over
        memory: about as fast as `encode` alone.

        :param data: a (data_shards, n) uint8 array or data_shards buffers of n bytes.
        :param block_size: bytes of a block; the last block of a shard may be shorter.
        :param out: where to write the parity, as for `encode`.
        :param threads: over how many threads to split the blocks.
        :return: (parity, checksums); checksums is a (data_shards + parity_shards,
            ceil(n / block_size)) uint32 array.
        :raises: as `encode`.
        """
        cdef Rows sources, targets
        if self.encode_plan is None:
            raise errors.NotMDS(
                f"{self.generator} {self.data_shards}+{self.parity_shards} would lose data; "
                "decode_only=True reads old data only")
        rows_begin(&sources)
        rows_begin(&targets)
        try:
            rows_take(&sources, data, self.data_shards, False, "data")
            if out is None:
                out = new_rows(self.parity_shards, sources.size)
                rows_take(&targets, out, self.parity_shards, True, "out")
            else:
                targets.size = sources.size
                rows_take(&targets, out, self.parity_shards, True, "out")
                refuse_overlap(&sources, &targets, 0, targets.size)
            checksums = apply_plan_crc32c(self.encode_plan.plan, &sources, &targets, block_size,
                                          threads)
        finally:
            rows_release(&sources)
            rows_release(&targets)
        return out, checksums

    def reconstruct_crc32c(self, shards, checksums, Py_ssize_t block_size=65536, wanted=None,
                           out=None, threads=1):
        """Compute shards from others whose checksums are verified in the same pass.

        :param shards: mapping shard index -> buffer of n bytes; the data_shards lowest given
            indices that are not wanted are used.
        :param checksums: mapping shard index -> the CRC32C of each of its blocks, at least for the
            shards that are used; or the array that `encode_crc32c` gave.
        :param block_size: bytes of a block.
        :param wanted, out: as for `reconstruct`.
        :param threads: over how many threads to split the blocks.
        :return: (fixed, fixed_checksums), each a mapping wanted index -> array.
        :raises CorruptShard: a block of a used shard does not match (shard_index, block); the
            outputs have been filled with zeros.
        :raises TooFewShards: fewer than data_shards usable shards.
        """
        cdef bint available[SHARDS_MAX]
        cdef bint targeted[SHARDS_MAX]
        cdef Rows sources, targets
        cdef Plan plan
        cdef uint32_t s
        given = self.given(shards, available)
        self.mark_wanted(wanted, available, targeted)
        plan = self.reconstruct_plan(available, targeted)
        rows_begin(&sources)
        rows_begin(&targets)
        try:
            self.take_sources(&sources, plan.plan, given)
            result = self.take_wanted(&sources, &targets, plan.plan, given, out)
            expected = self.recorded(plan.plan, sources.size, block_size, checksums)
            try:
                found = apply_plan_crc32c(plan.plan, &sources, &targets, block_size, threads)
                for s, block in numpy.argwhere(found[:sources.count] != expected):
                    raise errors.CorruptShard(
                        f"shard {creed.reed_plan_source(plan.plan, s)}: the CRC32C of block {block} "
                        "does not match", shard_index=creed.reed_plan_source(plan.plan, s),
                        block=int(block))
            except BaseException:
                self.erase(&targets)
                raise
        finally:
            rows_release(&sources)
            rows_release(&targets)
        return result, dict(zip(result, found[sources.count:]))

    cdef object recorded(self, const reed_plan *plan, Py_ssize_t size, Py_ssize_t block_size,
                         object checksums):
        """The caller's checksums of the plan's sources, a row each."""
        cdef Py_ssize_t block_count
        cdef uint32_t s, index
        if block_size < 1:
            raise errors.InvalidParameter(f"block_size must be at least 1, not {block_size}")
        block_count = size // block_size + (size % block_size > 0)
        expected = empty((creed.reed_plan_source_count(plan), block_count), uint32)
        for s in range(creed.reed_plan_source_count(plan)):
            index = creed.reed_plan_source(plan, s)
            try:
                row = numpy.asarray(checksums[index])
            except LookupError:
                raise errors.InvalidParameter(
                    f"checksums has no entry for shard {index}") from None
            if row.shape != (block_count,):
                raise errors.InvalidParameter(
                    f"checksums of shard {index} must be {block_count} numbers, not of shape "
                    f"{row.shape}")
            expected[s] = row
        return expected

    cdef int erase(self, Rows *rows) except -1:
        cdef uint32_t i
        for i in range(rows.count):
            memset(rows.pointers[i], 0, rows.size)
        return 0

    cdef int place_rows(self, object wanted, int *position_of) except -1:
        """The position of each data row in what the caller wants, -1 where he does not. Returns how
        many rows are wanted."""
        cdef int row_count = 0
        cdef Py_ssize_t row
        for row in range(self.data_shards):
            position_of[row] = <int>row if wanted is None else -1
        if wanted is None:
            return self.data_shards
        for index in wanted:
            try:
                row = index
            except (TypeError, OverflowError):
                row = -1
            if row < 0 or row >= self.data_shards:
                raise errors.InvalidParameter(
                    f"wanted rows must be 0 to {self.data_shards - 1}, not {index!r}")
            if position_of[row] >= 0:
                raise errors.InvalidParameter(f"row {row} is wanted twice")
            position_of[row] = row_count
            row_count += 1
        return row_count

    def decode(self, shards, wanted=None, columns=None, out=None, threads=1):
        """Get the data rows back.

        Rows that are given are copied; missing ones are computed from the data_shards lowest given
        shards. Bare buffers carry no checksum: the bytes given are trusted; see `verify`.

        :param shards: mapping shard index -> buffer of n bytes.
        :param wanted: data rows to return, in this order; all by default.
        :param columns: slice of byte positions (step 1) to return; all by default. Only these
            columns of the shards are read.
        :param out: (len(wanted), columns) array, or as many writable buffers.
        :param threads: over how many threads to split the columns, at most; what is too little
            work for a thread stays together.
        :return: the (len(wanted), columns) uint8 array, or `out`.
        :raises TooFewShards: a missing row is wanted and fewer than data_shards are given.
        """
        cdef bint available[SHARDS_MAX]
        cdef bint computed[SHARDS_MAX]
        cdef int position_of[SHARDS_MAX]          # of a data row in the result; -1: not wanted
        cdef uint8_t *given_row[SHARDS_MAX]       # NULL: not taken, or not given
        cdef Rows sources, targets
        cdef const uint8_t *from_column[SHARDS_MAX]
        cdef uint8_t *to_row[SHARDS_MAX]
        cdef Py_ssize_t begin, end
        cdef Plan plan = None
        cdef uint32_t i
        cdef int row, row_count
        cdef bint is_missing = False
        thread_count(threads)  # wrong, it is refused before anything is copied
        given = self.given(shards, available)
        row_count = self.place_rows(wanted, position_of)
        for row in range(self.data_shards):
            given_row[row] = NULL
            computed[row] = position_of[row] >= 0 and not available[row]
            is_missing |= computed[row]
        for row in range(self.data_shards, self.data_shards + self.parity_shards):
            computed[row] = False
        if is_missing:
            plan = self.reconstruct_plan(available, computed)
        rows_begin(&sources)
        rows_begin(&targets)
        try:
            if plan is not None:
                self.take_sources(&sources, plan.plan, given)
                for i in range(sources.count):
                    given_row[creed.reed_plan_source(plan.plan, i)] = sources.pointers[i]
            for row in range(self.data_shards):
                if position_of[row] >= 0 and available[row] and given_row[row] == NULL:
                    self.take_shard(&sources, row, given)
                    given_row[row] = sources.pointers[sources.count - 1]
            column_range(columns, max(sources.size, 0), &begin, &end)
            if out is None:
                out = new_rows(row_count, end - begin)
                rows_take(&targets, out, row_count, True, "out")
            else:
                targets.size = end - begin
                rows_take(&targets, out, row_count, True, "out")
                refuse_overlap(&sources, &targets, 0, targets.size)
            if is_brief(NULL, end - begin, row_count):
                copy_rows(given_row, self.data_shards, begin, end, targets.pointers, position_of)
            else:
                with nogil:
                    copy_rows(given_row, self.data_shards, begin, end, targets.pointers,
                              position_of)
            if plan is not None:
                for i in range(sources.count):
                    from_column[i] = sources.pointers[i] + begin
                for i in range(creed.reed_plan_target_count(plan.plan)):
                    to_row[i] = targets.pointers[
                        position_of[creed.reed_plan_target(plan.plan, i)]]
                apply_plan(plan.plan, from_column, to_row, end - begin, threads)
        finally:
            rows_release(&sources)
            rows_release(&targets)
        return out

    def verify(self, shards):
        """Whether the given shards agree with each other.

        True when they are shards of one stripe. False says that at least one is wrong, not which:
        see `locate`. With as many wrong shards as there are spare ones the answer can be wrong.

        :param shards: mapping shard index -> buffer of n bytes; at least data_shards + 1.
        :raises TooFewShards: there is nothing to agree with (needed=data_shards + 1).
        :raises SingularPattern: with a matrix of your own that is not MDS only: the first
            data_shards given do not determine the others.
        """
        cdef bint available[SHARDS_MAX]
        cdef bint compared[SHARDS_MAX]
        cdef Rows sources, targets
        cdef Plan plan
        cdef int i, source_count = 0
        cdef reed_status status
        cdef void *scratch
        given = self.given(shards, available)
        if self.count(available) <= self.data_shards:
            raise self.too_few("verify", self.data_shards + 1, available, NULL)
        memset(compared, 0, sizeof(compared))
        for i in range(self.data_shards + self.parity_shards):
            if available[i]:
                if source_count == self.data_shards:
                    available[i] = False
                    compared[i] = True
                else:
                    source_count += 1
        plan = self.reconstruct_plan(available, compared)
        scratch = PyMem_RawMalloc(creed.reed_plan_compare_scratch_size(plan.plan))
        if scratch == NULL:
            raise MemoryError
        rows_begin(&sources)
        rows_begin(&targets)
        try:
            self.take_sources(&sources, plan.plan, given)
            targets.size = sources.size
            for i in range(self.data_shards + self.parity_shards):
                if compared[i]:
                    self.take_shard(&targets, i, given)
            with nogil:
                status = creed.reed_plan_compare(
                    plan.plan, <const uint8_t *const *>sources.pointers,
                    <const uint8_t *const *>targets.pointers, 0, targets.size, scratch, NULL)
        finally:
            rows_release(&sources)
            rows_release(&targets)
            PyMem_RawFree(scratch)
        if status == REED_MISMATCH:
            return False
        _check(status, "verify")
        return True

    def locate(self, shards):
        """Find the wrong shards among the given ones.

        With g shards given, up to t = (g - data_shards) // 2 wrong shards in each byte column can
        be located. If no column has more, the result is exactly the set of shards that are wrong
        anywhere; over all columns that may be more than t. A column beyond the bound raises
        AmbiguousCorruption, or goes to a wrong answer with a probability of about
        sum(C(g, i) 255**i for i <= t) / 256**(g - data_shards): 0.14 % for all shards of 10+4.

        :param shards: mapping shard index -> buffer of n bytes; at least data_shards + 1.
        :return: the sorted list of wrong shard indices; [] where all agree.
        :raises TooFewShards: there is nothing to agree with (needed=data_shards + 1).
        :raises AmbiguousCorruption: too many wrong shards in a column, or errors that a matrix of
            your own cannot tell apart (column).
        :raises SingularPattern: as `verify`.
        :raises TooComplex: isal-vand and explicit codes of a shape that takes too many trials.
        """
        cdef bint available[SHARDS_MAX]
        cdef uint32_t indices[SHARDS_MAX]
        cdef uint32_t wrong[SHARDS_MAX]
        cdef size_t wrong_count = 0, column = 0, given_count = 0
        cdef Rows rows
        cdef reed_status status
        cdef uint32_t i
        given = self.given(shards, available)
        if self.count(available) <= self.data_shards:
            raise self.too_few("locate", self.data_shards + 1, available, NULL)
        rows_begin(&rows)
        try:
            for i in range(<uint32_t>(self.data_shards + self.parity_shards)):
                if available[i]:
                    self.take_shard(&rows, i, given)
                    indices[given_count] = i
                    given_count += 1
            with nogil:
                status = creed.reed_locate(
                    self.code, indices, given_count, <const uint8_t *const *>rows.pointers,
                    rows.size, wrong, &wrong_count, &column)
        finally:
            rows_release(&rows)
        if status == creed.REED_AMBIGUOUS:
            raise errors.AmbiguousCorruption(
                f"column {column}: more than {(given_count - self.data_shards) // 2} of "
                f"{given_count} shards are wrong", column=column)
        _check(status, "locate")
        return [wrong[i] for i in range(wrong_count)]

    def update(self, parity, shard_index, old, new, Py_ssize_t offset=0):
        """Apply the change of a part of one data shard to the parity shards, in place.

        :param parity: a (parity_shards, n) array, a list of parity_shards buffers, or a mapping
            shard index -> buffer for some of them.
        :param shard_index: the data shard that changes.
        :param old: its bytes before, from `offset` on.
        :param new: its bytes after; as long as `old`.
        :param offset: the first byte position that changes.
        :raises InvalidParameter: the change does not lie inside the shards; nothing was changed.
        """
        cdef Rows sources, targets
        cdef uint32_t parity_list[SHARDS_MAX]
        cdef uint8_t *from_offset[SHARDS_MAX]
        cdef bint marks[SHARDS_MAX]
        cdef Plan plan
        cdef uint32_t count = 0, changed, i
        cdef reed_status status
        memset(marks, 0, sizeof(marks))
        self.mark(shard_index, marks)
        changed = shard_index
        if changed >= <uint32_t>self.data_shards:
            raise errors.InvalidParameter(
                f"shard_index must be a data shard, 0 to {self.data_shards - 1}, not {changed}")
        rows_begin(&sources)
        rows_begin(&targets)
        try:
            rows_add(&sources, old, False, "old", -1)
            rows_add(&sources, new, False, "new", -1)
            if hasattr(parity, "keys"):
                for index in parity:
                    self.mark(index, marks)
                    if index < self.data_shards:
                        raise errors.InvalidParameter(
                            f"parity shards are {self.data_shards} to "
                            f"{self.data_shards + self.parity_shards - 1}, not {index}")
                    # First what refuses more buffers than the list has places.
                    rows_add(&targets, parity[index], True, "parity", index)
                    parity_list[count] = index
                    count += 1
            else:
                for i in range(<uint32_t>self.parity_shards):
                    parity_list[i] = self.data_shards + i
                count = self.parity_shards
                rows_take(&targets, parity, count, True, "parity")
            if count == 0:
                return
            if offset < 0 or sources.size > targets.size - offset:
                raise errors.InvalidParameter(
                    f"bytes {offset} to {offset + sources.size} lie outside shards of "
                    f"{targets.size} bytes")
            refuse_overlap(&sources, &targets, offset, sources.size)
            name = PyBytes_FromStringAndSize(<char *>&changed, sizeof(changed)) + \
                PyBytes_FromStringAndSize(<char *>parity_list, count * sizeof(uint32_t)) + b"u"
            found = self.plans.get(name)
            if found is not None:
                plan = <Plan>found
            else:
                plan = Plan()
                status = creed.reed_plan_create_update(self.code, changed, parity_list, count,
                                                       &plan.plan)
                _check(status, "update")
                self.keep(name, plan)
            for i in range(count):
                from_offset[i] = targets.pointers[i] + offset
            apply_plan(plan.plan, <const uint8_t *const *>sources.pointers, from_offset,
                       sources.size, 1)
        finally:
            rows_release(&sources)
            rows_release(&targets)


cdef void copy_rows(uint8_t *const *rows, int count, Py_ssize_t begin, Py_ssize_t end,
                    uint8_t *const *targets, const int *position_of) noexcept nogil:
    """Columns [begin, end) of the rows that are there and have a position among the targets."""
    cdef int row
    for row in range(count):
        if rows[row] != NULL and position_of[row] >= 0:
            memcpy(targets[position_of[row]], rows[row] + begin, end - begin)


cdef int column_range(object columns, Py_ssize_t size, Py_ssize_t *begin,
                      Py_ssize_t *end) except -1:
    """The two ends of a slice that must lie inside [0, size]."""
    cdef Py_ssize_t step = 1
    begin[0], end[0] = 0, size
    if columns is None:
        return 0
    if isinstance(columns, slice) and columns.step is not None:
        step = columns.step
    if not isinstance(columns, slice) or step != 1:
        raise errors.InvalidParameter(f"columns must be a slice of step 1, not {columns!r}")
    if columns.start is not None:
        begin[0] = columns.start
    if columns.stop is not None:
        end[0] = columns.stop
    if not 0 <= begin[0] <= end[0] <= size:
        raise errors.InvalidParameter(
            f"columns {begin[0]} to {end[0]} lie outside shards of {size} bytes")
    return 0


# ---- the shard format ----------------------------------------------------------------------------

HEADER_SIZE = creed.REED_SHARD_HEADER_SIZE
FOOTER_SIZE = creed.REED_SHARD_FOOTER_SIZE
BLOCK_HEADER_SIZE = creed.REED_BLOCK_HEADER_SIZE
BLOCK_ALIGNMENT = creed.REED_BLOCK_ALIGNMENT
BLOCK_SIZE_DEFAULT = creed.REED_BLOCK_SIZE_DEFAULT
BLOCK_SIZE_MAX = creed.REED_BLOCK_SIZE_MAX
STRIPE_ID_SIZE = creed.REED_STRIPE_ID_SIZE

# What BlockGeometry.check_records says of one record.
RECORD_ABSENT = 0
RECORD_GOOD = 1
RECORD_CORRUPT = 2

cdef enum:
    ABSENT = 0
    GOOD = 1
    CORRUPT = 2


cdef int _check_format(reed_status status, const creed.reed_format_fault *fault,
                       str what) except -1:
    """Raise what a status of the shard format means, naming the field, its value and the limit."""
    if status == REED_OK:
        return 0
    message = f"{what}: {creed.reed_status_message(status).decode()}"
    values = {}
    if fault.field != NULL:
        values = {"field": fault.field.decode(), "value": fault.value, "minimum": fault.minimum,
                  "maximum": fault.maximum}
        limit = f"{fault.minimum}" if fault.minimum == fault.maximum else (
            f"{fault.minimum} to {fault.maximum}")
        message += f" ({values['field']} is {fault.value}, must be {limit})"
    if status == creed.REED_INVALID_PARAMETER:
        raise errors.InvalidParameter(message)
    if status == creed.REED_CORRUPT:
        raise errors.CorruptShard(message, **values)
    if status == creed.REED_TRUNCATED:
        raise errors.TruncatedShard(message, **values)
    if status in (creed.REED_UNSUPPORTED_VERSION, creed.REED_UNSUPPORTED_FEATURE):
        raise errors.UnsupportedFormat(message, **values)
    raise errors.FormatError(message, **values)


cdef int _generator_number(str name) except -1:
    cdef bytes encoded = name.encode()
    cdef creed.reed_generator generator
    if creed.reed_generator_find(encoded, &generator) != REED_OK:
        raise errors.InvalidParameter(
            f"generator {name!r} is unknown; there are {', '.join(generators())}")
    return <int>generator


cdef str _generator_name(uint32_t number):
    return creed.reed_generator_name(<creed.reed_generator>number).decode()


cdef int _copy_bytes(uint8_t *target, Py_ssize_t size, object value, str what) except -1:
    cdef bytes source = bytes(value)
    if len(source) != size:
        raise errors.InvalidParameter(f"{what} must have {size} bytes, not {len(source)}")
    memcpy(target, <const char *>source, size)
    return 0


cdef uint32_t _u32(object value, str what) except? 0xffffffff:
    if not isinstance(value, int) or not 0 <= value <= 0xffffffff:
        raise errors.InvalidParameter(f"{what} must be 0 to {0xffffffff}, not {value!r}")
    return value


cdef int _fill_info(creed.reed_shard_info *info, dict fields) except -1:
    memset(info, 0, sizeof(info[0]))
    _copy_bytes(info.stripe_id, sizeof(info.stripe_id), fields["stripe_id"], "stripe_id")
    info.generator = _generator_number(fields["generator"])
    info.matrix_crc32c = _u32(fields["matrix_crc32c"], "matrix_crc32c")
    info.data_shards = _u32(fields["data_shards"], "data_shards")
    info.parity_shards = _u32(fields["parity_shards"], "parity_shards")
    info.shard_index = _u32(fields["shard_index"], "shard_index")
    info.block_size = _u32(fields["block_size"], "block_size")
    info.digest_type = _u32(fields["digest_type"], "digest_type")
    info.compatible_flags = _u32(fields["compatible_flags"], "compatible_flags")
    return 0


cdef dict _info_fields(const creed.reed_shard_info *info):
    return {
        "stripe_id": PyBytes_FromStringAndSize(<const char *>info.stripe_id,
                                               sizeof(info.stripe_id)),
        "generator": _generator_name(info.generator),
        "matrix_crc32c": info.matrix_crc32c,
        "data_shards": info.data_shards,
        "parity_shards": info.parity_shards,
        "shard_index": info.shard_index,
        "block_size": info.block_size,
        "digest_type": info.digest_type,
        "compatible_flags": info.compatible_flags,
    }


def shard_header_write(dict fields):
    """The 256 bytes of a header.

    :param fields: those of `struct reed_shard_info`, with the generator as a name; the version
        is this library's and a footer's fields are ignored.
    """
    cdef creed.reed_shard_info info
    cdef creed.reed_format_fault fault
    cdef uint8_t packed[256]
    _fill_info(&info, fields)
    _check_format(creed.reed_shard_header_write(&info, packed, &fault), &fault, "shard header")
    return PyBytes_FromStringAndSize(<char *>packed, creed.REED_SHARD_HEADER_SIZE)


def shard_footer_write(dict fields):
    """The 256 bytes of a footer: as `shard_header_write`, and object_size, row_count, digest."""
    cdef creed.reed_shard_info info
    cdef creed.reed_format_fault fault
    cdef uint8_t packed[256]
    _fill_info(&info, fields)
    info.object_size = fields["object_size"]
    info.row_count = fields["row_count"]
    _copy_bytes(info.digest, sizeof(info.digest), fields["digest"], "digest")
    _check_format(creed.reed_shard_footer_write(&info, packed, &fault), &fault, "shard footer")
    return PyBytes_FromStringAndSize(<char *>packed, creed.REED_SHARD_FOOTER_SIZE)


def shard_header_parse(const uint8_t[::1] data):
    """The fields of a header, verified; with version_major and version_minor.

    :raises FormatError: not a header, or a field out of its range. :raises TruncatedShard: too
        short. :raises CorruptShard: the checksum does not match. :raises UnsupportedFormat: of a
        newer version.
    """
    cdef creed.reed_shard_info info
    cdef creed.reed_format_fault fault
    cdef const uint8_t *start = &data[0] if data.shape[0] > 0 else NULL
    _check_format(creed.reed_shard_header_parse(start, data.shape[0], &info, &fault), &fault,
                  "shard header")
    fields = _info_fields(&info)
    fields.update(version_major=info.version_major, version_minor=info.version_minor)
    return fields


def shard_footer_parse(const uint8_t[::1] data):
    """The fields of a footer, verified; errors as `shard_header_parse`."""
    cdef creed.reed_shard_info info
    cdef creed.reed_format_fault fault
    cdef const uint8_t *start = &data[0] if data.shape[0] > 0 else NULL
    _check_format(creed.reed_shard_footer_parse(start, data.shape[0], &info, &fault), &fault,
                  "shard footer")
    fields = _info_fields(&info)
    fields.update(
        version_major=info.version_major, version_minor=info.version_minor,
        object_size=info.object_size, row_count=info.row_count,
        digest=PyBytes_FromStringAndSize(<const char *>info.digest, sizeof(info.digest)))
    return fields


def block_parse(const uint8_t[::1] record):
    """The fields of the block record that `record` begins with, verified with its payload.

    Errors as `shard_header_parse`; TruncatedShard also where damage made the length too large.
    """
    cdef creed.reed_block_info info
    cdef creed.reed_format_fault fault
    cdef reed_status status
    cdef const uint8_t *start = &record[0] if record.shape[0] > 0 else NULL
    cdef size_t size = record.shape[0]
    with nogil:
        status = creed.reed_block_parse(default_kernel, start, size, &info, &fault)
    _check_format(status, &fault, "block")
    return {
        "stripe_id": PyBytes_FromStringAndSize(<const char *>info.stripe_id,
                                               sizeof(info.stripe_id)),
        "row": info.row,
        "row_data_size": info.row_data_size,
        "generator": _generator_name(info.generator),
        "data_shards": info.data_shards,
        "parity_shards": info.parity_shards,
        "shard_index": info.shard_index,
        "block_size": info.block_size,
        "payload_size": info.payload_size,
        "is_last_row": bool(info.is_last_row),
    }


def shard_layout(data_shards, block_size, uint64_t object_size):
    """Where things lie in a shard file: the fields of `struct reed_shard_layout`, bytes.

    :raises InvalidParameter: a parameter out of its range, or sizes of 2**63 or more.
    """
    cdef creed.reed_shard_layout_t layout
    _check(creed.reed_shard_layout(_u32(data_shards, "data_shards"),
                                   _u32(block_size, "block_size"), object_size, &layout),
           f"layout of {object_size} bytes over {data_shards} data shards in blocks of "
           f"{block_size} bytes")
    return {
        "row_count": layout.row_count,
        "full_record_size": layout.full_record_size,
        "last_row_data_size": layout.last_row_data_size,
        "last_payload_size": layout.last_payload_size,
        "footer_offset": layout.footer_offset,
        "file_size": layout.file_size,
    }


cdef class BlockGeometry:
    """What all blocks of a stripe have in common, to write and check many records in one call.

    Rows are given as `first_row` and a count; they are full rows, but where `last_row_data_size`
    is not zero the last of them is the last row of the object and holds that many bytes of it.
    """
    cdef creed.reed_block_info common
    cdef uint64_t full_row_size

    def __cinit__(self, stripe_id, str generator, data_shards, parity_shards, block_size):
        memset(&self.common, 0, sizeof(self.common))
        _copy_bytes(self.common.stripe_id, sizeof(self.common.stripe_id), stripe_id, "stripe_id")
        self.common.generator = _generator_number(generator)
        self.common.data_shards = _u32(data_shards, "data_shards")
        self.common.parity_shards = _u32(parity_shards, "parity_shards")
        self.common.block_size = _u32(block_size, "block_size")
        if self.common.data_shards == 0:
            raise errors.InvalidParameter("data_shards must be at least 1, not 0")
        self.full_row_size = <uint64_t>self.common.data_shards * self.common.block_size

    cdef void fill(self, creed.reed_block_info *info, uint64_t row, bint is_last,
                   uint64_t last_row_data_size) noexcept nogil:
        info[0] = self.common
        info.row = row
        info.is_last_row = is_last
        info.row_data_size = last_row_data_size if is_last else self.full_row_size
        info.payload_size = <uint32_t>((info.row_data_size + info.data_shards - 1)
                                       // info.data_shards)

    def payload_crcs(self, const uint8_t[:, :, :] records, Py_ssize_t payload_size,
                     uint32_t[:, :] out):
        """CRC32C of the payload of every record.

        :param records: (shards, rows, record_size) bytes, unit stride within a record.
        :param payload_size: bytes that count in each record, behind its header.
        :param out: (shards, rows) uint32, filled.
        """
        cdef Py_ssize_t shard, row
        if (records.strides[2] != 1 or out.shape[0] != records.shape[0]
                or out.shape[1] != records.shape[1]
                or not 0 <= payload_size <= records.shape[2] - creed.REED_BLOCK_HEADER_SIZE):
            raise errors.InvalidParameter("records and out do not fit each other")
        with nogil:
            for row in range(records.shape[1]):
                for shard in range(records.shape[0]):
                    out[shard, row] = creed.reed_kernel_crc32c(
                        default_kernel, 0,
                        &records[shard, row, 0] + <Py_ssize_t>creed.REED_BLOCK_HEADER_SIZE,
                        payload_size)

    def seal_records(self, uint8_t[:, :, :] records, const uint32_t[:, :] payload_crcs,
                     const uint32_t[::1] shard_indices, uint64_t first_row,
                     uint64_t last_row_data_size=0):
        """Write the header of every record, and the zeros behind its payload.

        :param records: (shards, rows, record_size) bytes, unit stride within a record; the
            payloads are in place.
        :param payload_crcs: their CRC32C, (shards, rows).
        :param shard_indices: what the first axis holds.
        """
        cdef creed.reed_block_info info
        cdef creed.reed_format_fault fault
        cdef reed_status status = REED_OK
        cdef Py_ssize_t shard, row, used = 0
        cdef uint8_t *record
        if (records.strides[2] != 1 or payload_crcs.shape[0] != records.shape[0]
                or payload_crcs.shape[1] != records.shape[1]
                or shard_indices.shape[0] != records.shape[0]
                or records.shape[2] < creed.REED_BLOCK_HEADER_SIZE):
            raise errors.InvalidParameter("records, checksums and indices do not fit each other")
        with nogil:
            for row in range(records.shape[1]):
                self.fill(&info, first_row + row,
                          last_row_data_size != 0 and row == records.shape[1] - 1,
                          last_row_data_size)
                used = <Py_ssize_t>creed.REED_BLOCK_HEADER_SIZE + info.payload_size
                for shard in range(records.shape[0]):
                    if used > records.shape[2]:
                        status = creed.REED_INVALID_PARAMETER
                        break
                    record = &records[shard, row, 0]
                    info.shard_index = shard_indices[shard]
                    status = creed.reed_block_header_write(&info, payload_crcs[shard, row], record,
                                                           &fault)
                    if status != REED_OK:
                        break
                    memset(record + used, 0, records.shape[2] - used)
                if status != REED_OK:
                    break
        if used > records.shape[2]:
            raise errors.InvalidParameter(
                f"a record needs {used} bytes, there are {records.shape[2]}")
        _check_format(status, &fault, "block")

    def check_records(self, const uint8_t[::1] data, Py_ssize_t size, uint32_t shard_index,
                      uint64_t first_row, Py_ssize_t count, uint64_t last_row_data_size=0):
        """Verify consecutive records of one shard: checksum, padding and every field of identity.

        :param data: the records one behind the other; at least as many bytes as they take.
        :param size: how many bytes of `data` were read; records that are not wholly inside are
            absent.
        :return: bytes, one RECORD_* for each row.
        """
        cdef creed.reed_block_info expected, found
        cdef Py_ssize_t row, record_size, begin = 0
        cdef Py_ssize_t alignment = creed.REED_BLOCK_ALIGNMENT
        states = PyBytes_FromStringAndSize(NULL, count)
        cdef uint8_t *state = <uint8_t *><char *>states
        if size > data.shape[0]:
            raise errors.InvalidParameter(f"size must be at most {data.shape[0]}, not {size}")
        with nogil:
            for row in range(count):
                self.fill(&expected, first_row + row, last_row_data_size != 0 and row == count - 1,
                          last_row_data_size)
                record_size = (<Py_ssize_t>creed.REED_BLOCK_HEADER_SIZE + expected.payload_size
                               + alignment - 1) // alignment * alignment
                if begin + record_size > size:
                    state[row] = ABSENT
                elif creed.reed_block_parse(default_kernel, &data[begin], record_size, &found,
                                            NULL) != REED_OK:
                    state[row] = CORRUPT
                else:
                    state[row] = GOOD if (
                        memcmp(found.stripe_id, expected.stripe_id, sizeof(found.stripe_id)) == 0
                        and found.row == expected.row
                        and found.row_data_size == expected.row_data_size
                        and found.generator == expected.generator
                        and found.data_shards == expected.data_shards
                        and found.parity_shards == expected.parity_shards
                        and found.shard_index == shard_index
                        and found.block_size == expected.block_size
                        and found.payload_size == expected.payload_size
                        and found.is_last_row == expected.is_last_row) else CORRUPT
                begin += record_size
        return states


# ---- fragments of liberasurecode -----------------------------------------------------------------

FRAGMENT_METADATA_SIZE = creed.REED_FRAGMENT_METADATA_SIZE

cdef enum:
    FRAGMENT_HEADER = 80  # checked below: sizes known to the compiler are cheaper
    # What is known of a fragment's payload.
    PAYLOAD_UNREAD = 0
    PAYLOAD_GOOD = 1
    PAYLOAD_UNCHECKED = 2  # it carries no checksum
    PAYLOAD_CORRUPT = 3

if <int>FRAGMENT_HEADER != <int>creed.REED_FRAGMENT_HEADER_SIZE:
    raise ImportError("built for another size of fragment headers than reed.h has")

cdef str FAILS_CHECKSUM = "does not match its checksum"
cdef dict _FRAGMENT_FAULTS = {
    <int>creed.REED_TRUNCATED: "it is shorter than its header says",
    <int>creed.REED_NOT_A_SHARD: "it has no magic number",
    <int>creed.REED_CORRUPT: "the checksum of its header does not match",
    <int>creed.REED_MALFORMED: "it is longer than its header says, or names no version",
}

cdef extern from *:
    # Made, filled and cut to length while nobody else holds it.
    PyObject *new_bytes "PyBytes_FromStringAndSize" (char *, Py_ssize_t) except NULL
    char *bytes_start "PyBytes_AS_STRING" (PyObject *)
    int resize_bytes "_PyBytes_Resize" (PyObject **, Py_ssize_t) except -1


cdef enum:
    KEPT_MIN = 65536     # below, nothing is given back early
    KEPT_MAX = 33488896  # 32 MiB, glibc's own limit for what it learns, less 64 KiB

cdef size_t kept_memory = 0


cdef int keep_memory(size_t size) except -1:
    """Tell the allocator that blocks of `size` bytes in all come and go.

    glibc gives freed memory back to the system beyond a limit that it learns from the largest
    block it mapped and saw freed, twice that size. Fragments are smaller than the stripe they make
    up, so that it would return every stripe and get it again page by page, which costs several times
    as much as encoding. One large block that is freed at once, never touched, teaches it. At most
    twice the largest stripe stays with the process. Other allocators do not mind.
    """
    global kept_memory
    if size < KEPT_MIN or size <= kept_memory or kept_memory == KEPT_MAX:
        return 0
    kept_memory = min(2 * size, <size_t>KEPT_MAX)
    PyMem_RawFree(PyMem_RawMalloc(kept_memory))
    return 0


cdef struct Fragment:
    const uint8_t *start
    Py_ssize_t size
    creed.reed_fragment_info info
    int payload_state


cdef inline const uint8_t *payload_of(const Fragment *fragment) noexcept nogil:
    return fragment.start + <Py_ssize_t>FRAGMENT_HEADER


cdef inline bint judge_payload(Fragment *fragment, uint32_t crc) noexcept nogil:
    """Settle what is known of a payload whose CRC-32 is `crc`; false where it is corrupt."""
    if fragment.info.checksum_type != creed.REED_FRAGMENT_CRC32:
        fragment.payload_state = PAYLOAD_UNCHECKED
    elif creed.reed_fragment_crc32_matches(&fragment.info, crc, payload_of(fragment)):
        fragment.payload_state = PAYLOAD_GOOD
    else:
        fragment.payload_state = PAYLOAD_CORRUPT
    return fragment.payload_state != PAYLOAD_CORRUPT


cdef bint read_payload(Fragment *fragment) noexcept:
    """The same, by reading it if need be."""
    cdef uint32_t crc = 0
    if fragment.payload_state == PAYLOAD_UNREAD:
        with nogil:
            if fragment.info.checksum_type == creed.REED_FRAGMENT_CRC32:
                crc = creed.reed_kernel_crc32(default_kernel, 0, payload_of(fragment),
                                              fragment.info.payload_size)
            judge_payload(fragment, crc)
    return fragment.payload_state != PAYLOAD_CORRUPT


cdef class _Given:
    """The fragments of one segment that a caller gave, parsed; one for each shard index."""
    cdef list objects                  # keeps them alive
    cdef Py_buffer *views              # of those that are not bytes
    cdef Py_ssize_t view_count
    cdef Fragment *all
    cdef Py_ssize_t count
    cdef Fragment **by_index           # shard_count places, NULL where there is none
    cdef int shard_count
    cdef Fragment *first               # speaks for the sizes of all; NULL when none is whole
    # Both None while nothing is wrong:
    cdef list corrupt                  # shard indices whose payload is wrong
    cdef list left_out                 # what is wrong with which fragment, as sentences
    cdef uint32_t made_crc32           # of the payload that was reconstructed

    def __cinit__(self, list objects, int shard_count):
        cdef size_t pointers_size = shard_count * sizeof(Fragment *)
        self.objects = objects
        self.shard_count = shard_count
        self.by_index = <Fragment **>PyMem_RawMalloc(
            pointers_size + len(objects) * sizeof(Fragment))
        if self.by_index == NULL:
            raise MemoryError
        memset(self.by_index, 0, pointers_size)
        self.all = <Fragment *>(self.by_index + shard_count)
        for item in objects:
            self.add(item, &self.all[self.count])
            self.count += 1

    cdef int add(self, object item, Fragment *fragment) except -1:
        cdef Py_buffer *view
        fragment.payload_state = PAYLOAD_UNREAD
        if type(item) is bytes:  # the common case, much cheaper than an export
            fragment.start = <const uint8_t *><char *>(<bytes>item)
            fragment.size = len(<bytes>item)
            return 0
        if self.views == NULL:
            self.views = <Py_buffer *>PyMem_RawMalloc(len(self.objects) * sizeof(Py_buffer))
            if self.views == NULL:
                raise MemoryError
        view = &self.views[self.view_count]
        PyObject_GetBuffer(item, view, PyBUF_SIMPLE)
        self.view_count += 1
        fragment.start = <const uint8_t *>view.buf
        fragment.size = view.len
        return 0

    def __dealloc__(self):
        cdef Py_ssize_t i
        for i in range(self.view_count):
            PyBuffer_Release(&self.views[i])
        PyMem_RawFree(self.views)
        PyMem_RawFree(self.by_index)

    cdef int leave_out(self, str sentence) except -1:
        if self.left_out is None:
            self.left_out = []
        self.left_out.append(sentence)
        return 0

    cdef int discard(self, Fragment *fragment, str why) except -1:
        """A fragment whose payload is wrong is out, and remembered."""
        if self.corrupt is None:
            self.corrupt = []
        self.corrupt.append(fragment.info.shard_index)
        self.leave_out(f"fragment {fragment.info.shard_index} {why}")
        if self.by_index[fragment.info.shard_index] == fragment:
            self.by_index[fragment.info.shard_index] = NULL
        return 0

    cdef int choose(self, Fragment *fragment) except -1:
        """Keep one fragment for each index; two that differ and both seem right are an error."""
        cdef Fragment *other = self.by_index[fragment.info.shard_index]
        if other != NULL and not read_payload(other):
            self.discard(other, FAILS_CHECKSUM)
            other = NULL
        if other != NULL:
            if not read_payload(fragment):
                self.discard(fragment, FAILS_CHECKSUM)
                return 0
            if memcmp(payload_of(other), payload_of(fragment), other.info.payload_size) != 0:
                if other.payload_state == fragment.payload_state:
                    raise errors.ConflictingShards(
                        f"fragment {other.info.shard_index} is given twice with different bytes",
                        field="shard_index")
                self.discard(fragment if other.payload_state == PAYLOAD_GOOD else other,
                             "differs from another of its index that has a checksum")
            if other.payload_state == PAYLOAD_GOOD:
                return 0
        self.by_index[fragment.info.shard_index] = fragment
        return 0

    cdef object shortage(self, int needed):
        """The exception for fewer usable fragments than the code needs."""
        available = [index for index in range(self.shard_count) if self.by_index[index] != NULL]
        found = f"{len(available)} of the {needed} fragments that are needed are usable"
        if self.left_out:
            found = f"{found}; {'; '.join(self.left_out)}"
        if self.corrupt:
            return errors.CorruptShard(found, shard_index=sorted(self.corrupt))
        if self.left_out:
            return errors.FormatError(found)
        return errors.TooFewShards(found, needed=needed, available=len(available))


cdef reed_status write_fragments(const reed_plan *plan, int k, int n, const uint8_t *segment,
                                 const creed.reed_fragment_info *info, uint32_t flags,
                                 uint8_t **headers, void *scratch) noexcept nogil:
    """All n fragments of a segment, each behind its `headers` pointer; `info` is what their headers
    have in common."""
    cdef const uint8_t *sources[SHARDS_MAX]
    cdef uint8_t *copies[SHARDS_MAX]
    cdef uint8_t *rows[SHARDS_MAX]
    cdef uint32_t crc32[SHARDS_MAX]
    cdef bint checked = info.checksum_type == creed.REED_FRAGMENT_CRC32
    cdef Py_ssize_t size = info.payload_size, left = info.segment_size
    cdef reed_status status
    cdef int i
    for i in range(n):
        rows[i] = headers[i] + <Py_ssize_t>FRAGMENT_HEADER
    for i in range(k):
        if left >= size:
            sources[i] = segment
            copies[i] = rows[i]
            segment += size
            left -= size
        else:  # the end of the segment, and zeros
            memcpy(rows[i], segment, left)
            memset(rows[i] + left, 0, size - left)
            sources[i] = rows[i]
            copies[i] = NULL
            left = 0
    status = creed.reed_fragments_apply(
        default_kernel, plan, sources, k, copies, rows + k, size, crc32 if checked else NULL,
        crc32 + k if checked else NULL, scratch)
    creed.reed_fragment_headers_write(info, flags, crc32, n, headers)
    return status


cdef reed_status read_fragments(const reed_plan *plan, int k, Fragment **fragments, int count,
                                Py_ssize_t size, int index, uint8_t *result,
                                uint32_t *made_crc32, void *scratch) noexcept nogil:
    """The data payloads one behind the other, or where `index` is not negative the fragment of that
    index without its header and the CRC-32 of its payload. Settles the state of every fragment that
    is read. `plan`: NULL where nothing is missing."""
    cdef const uint8_t *sources[SHARDS_MAX]
    cdef uint8_t *copies[SHARDS_MAX]
    cdef uint8_t *targets[SHARDS_MAX]
    cdef uint32_t crc32[SHARDS_MAX]
    cdef reed_status status
    cdef int i
    for i in range(count):
        sources[i] = payload_of(fragments[i])
        copies[i] = NULL
        if index < 0 and fragments[i].info.shard_index < <uint32_t>k:
            copies[i] = result + <Py_ssize_t>fragments[i].info.shard_index * size
    if plan != NULL:
        for i in range(<int>creed.reed_plan_target_count(plan)):
            targets[i] = (result + <Py_ssize_t>creed.reed_plan_target(plan, i) * size
                          if index < 0 else result + <Py_ssize_t>FRAGMENT_HEADER)
    status = creed.reed_fragments_apply(
        default_kernel, plan, sources, count, copies, targets, size, crc32,
        made_crc32 if index >= 0 else NULL, scratch)
    for i in range(count):
        judge_payload(fragments[i], crc32[i])
    return status


cdef class FragmentCode:
    """Segments of bytes as fragments of liberasurecode, and back, with one code.

    A fragment whose payload does not match its checksum is never used; one without checksum is
    compared with the others where more are given than the code needs. A writable buffer may not
    change while a call reads it.

    :param code: what makes parity.
    :param backend_id: 0 to 255, of headers; fragments with another are refused.
    :param backend_version: likewise.
    """
    cdef readonly Code code
    cdef readonly int backend_id
    cdef readonly uint32_t backend_version

    def __cinit__(self, Code code not None, uint8_t backend_id, uint32_t backend_version):
        self.code = code
        self.backend_id = backend_id
        self.backend_version = backend_version

    cdef void describe(self, creed.reed_fragment_info *info, uint64_t segment_size,
                       uint32_t payload_size, bint checked) noexcept:
        memset(info, 0, sizeof(info[0]))
        info.segment_size = segment_size
        info.payload_size = payload_size
        info.checksum_type = (creed.REED_FRAGMENT_CRC32 if checked
                              else creed.REED_FRAGMENT_UNCHECKED)
        info.backend_id = self.backend_id
        info.backend_version = self.backend_version
        info.library_version = creed.REED_FRAGMENT_LIBRARY_VERSION

    def encode(self, segment, bint checked=True, bint legacy_crc=False):
        """The fragments of a segment.

        :param segment: any contiguous buffer.
        :param checked: store the CRC-32 of each payload.
        :param legacy_crc: write the checksum of headers as liberasurecode before 1.6 may do.
        :return: a list of data_shards + parity_shards bytes objects.
        :raises NotMDS: this code is for decoding only.
        """
        cdef Py_buffer view
        cdef uint8_t *headers[SHARDS_MAX]
        cdef creed.reed_fragment_info info
        cdef uint32_t flags = creed.REED_FRAGMENT_LEGACY_CRC if legacy_crc else 0
        cdef reed_status status
        cdef int k = self.code.data_shards, n = k + self.code.parity_shards, i
        cdef Py_ssize_t payload_size
        cdef const reed_plan *plan
        cdef size_t scratch_size
        cdef void *scratch = NULL
        if self.code.encode_plan is None:
            raise errors.NotMDS(
                f"{self.code.generator} {k}+{n - k} does not survive every loss of {n - k} "
                "shards: it is for reading old data only")
        plan = self.code.encode_plan.plan
        cdef list fragments = [None] * n
        PyObject_GetBuffer(segment, &view, PyBUF_SIMPLE)
        try:
            payload_size = view.len // k + (view.len % k != 0)
            if payload_size > <Py_ssize_t>0x7fffffff - FRAGMENT_HEADER:
                raise errors.InvalidParameter(
                    f"a segment must be at most {k} * (2**31 - 81) bytes, not {view.len}")
            keep_memory(n * (FRAGMENT_HEADER + payload_size))
            for i in range(n):
                fragment = PyBytes_FromStringAndSize(NULL, FRAGMENT_HEADER + payload_size)
                headers[i] = <uint8_t *><char *>fragment
                fragments[i] = fragment
            self.describe(&info, view.len, payload_size, checked)
            scratch_size = creed.reed_plan_apply_scratch_size(plan)
            if scratch_size > 0:
                scratch = PyMem_RawMalloc(scratch_size)
                if scratch == NULL:
                    raise MemoryError
            if is_brief(plan, payload_size, k):
                status = write_fragments(plan, k, n, <const uint8_t *>view.buf, &info, flags,
                                         headers, scratch)
            else:
                with nogil:
                    status = write_fragments(plan, k, n, <const uint8_t *>view.buf, &info, flags,
                                             headers, scratch)
            _check(status, "encode")
        finally:
            PyMem_RawFree(scratch)
            PyBuffer_Release(&view)
        return fragments

    def inspect(self, fragment):
        """What a fragment's header says, and whether its payload agrees.

        :return: the 59 bytes of metadata in little-endian order, with the mismatch flag set where
            the payload does not match its checksum; and whether it does not.
        :raises FormatError: this is no whole fragment, or its header is damaged.
        """
        cdef Py_buffer view
        cdef Fragment one
        cdef reed_status status
        cdef uint8_t header[FRAGMENT_HEADER]
        cdef bint is_corrupt
        PyObject_GetBuffer(fragment, &view, PyBUF_SIMPLE)
        try:
            one.start = <const uint8_t *>view.buf
            one.size = view.len
            one.payload_state = PAYLOAD_UNREAD
            status = creed.reed_fragment_parse(default_kernel, one.start, one.size, &one.info)
            if status != REED_OK:
                raise errors.FormatError(f"not a fragment: {_FRAGMENT_FAULTS[<int>status]}")
            is_corrupt = not read_payload(&one)
            if one.info.is_swapped:
                creed.reed_fragment_header_write(&one.info, 0, header)
            else:
                memcpy(header, one.start, FRAGMENT_HEADER)
            if one.info.checksum_type == creed.REED_FRAGMENT_CRC32:
                header[53] = is_corrupt
        finally:
            PyBuffer_Release(&view)
        return PyBytes_FromStringAndSize(
            <char *>header, creed.REED_FRAGMENT_METADATA_SIZE), is_corrupt

    cdef _Given take(self, list fragments, bint read_all):
        """The usable ones of the given fragments."""
        cdef int k = self.code.data_shards, n = k + self.code.parity_shards
        cdef _Given given = _Given(fragments, n)
        cdef Fragment *one
        cdef Py_ssize_t i
        for i in range(given.count):
            one = &given.all[i]
            status = creed.reed_fragment_parse(default_kernel, one.start, one.size, &one.info)
            if status != REED_OK:
                given.leave_out(
                    f"the fragment at position {i} is not one: {_FRAGMENT_FAULTS[<int>status]}")
            elif (one.info.backend_id != self.backend_id
                  or one.info.backend_version != self.backend_version
                  or one.info.backend_metadata_size != 0):
                given.leave_out(
                    f"the fragment at position {i} is of backend {one.info.backend_id} version "
                    f"{one.info.backend_version:#x}, not of {self.backend_id} version "
                    f"{self.backend_version:#x}")
            elif one.info.shard_index >= <uint32_t>n:
                given.leave_out(
                    f"the fragment at position {i} says that it is number {one.info.shard_index} "
                    f"of {n}")
            elif one.info.segment_size > <uint64_t>one.info.payload_size * k:
                given.leave_out(
                    f"the fragment at position {i} is of a segment of {one.info.segment_size} "
                    f"bytes, more than {k} payloads of {one.info.payload_size}")
            else:
                if given.first == NULL:
                    given.first = one
                elif (given.first.info.segment_size != one.info.segment_size
                      or given.first.info.payload_size != one.info.payload_size):
                    raise errors.ConflictingShards(
                        f"fragments of segments of {given.first.info.segment_size} and of "
                        f"{one.info.segment_size} bytes are mixed", field="segment_size")
                if read_all and not read_payload(one):
                    given.discard(one, FAILS_CHECKSUM)
                else:
                    given.choose(one)
        return given

    cdef bytes run(self, _Given given, int index, bint read_all, bint *is_verified):
        """The segment, or where `index` is not negative the fragment of that index, whose header
        is still to be written.

        Sources are summed in the pass that uses them; one that turns out to be corrupt is
        discarded with the result, and the next choice is tried.
        """
        cdef bint available[SHARDS_MAX]
        cdef bint wanted[SHARDS_MAX]
        cdef Fragment *sources[SHARDS_MAX]
        cdef int k = self.code.data_shards, n = k + self.code.parity_shards
        cdef int i, checked, usable, wanted_count, source_count
        cdef Fragment *one
        cdef bint is_whole, is_checked
        while True:
            checked = usable = wanted_count = 0
            for i in range(n):
                one = given.by_index[i] if i != index else NULL
                usable += one != NULL
                checked += one != NULL and one.info.checksum_type == creed.REED_FRAGMENT_CRC32
            for i in range(n):
                one = given.by_index[i] if i != index else NULL
                # Where those with a checksum suffice, the others are not needed.
                available[i] = one != NULL and (
                    checked < k or one.info.checksum_type == creed.REED_FRAGMENT_CRC32)
                wanted[i] = i == index if index >= 0 else i < k and not available[i]
                wanted_count += wanted[i]
            if usable < k:
                raise given.shortage(k)
            plan = self.code.reconstruct_plan(available, wanted) if wanted_count else None
            source_count = self.choose_sources(given, plan, available, index, sources)
            result = self.compute(given, plan, sources, source_count, index)
            is_whole = is_checked = True
            for i in range(source_count):
                if sources[i].payload_state == PAYLOAD_CORRUPT:
                    given.discard(sources[i], FAILS_CHECKSUM)
                    is_whole = False
                is_checked &= sources[i].payload_state == PAYLOAD_GOOD
            if not is_whole:
                continue
            is_verified[0] = is_checked
            # Fewer sources than data shards (non-MDS codes only) do not determine the others.
            if (is_checked and not read_all) or usable == k or source_count < k:
                return result
            if self.agree(given, sources):
                is_verified[0] = True
                return result

    cdef int choose_sources(self, _Given given, Plan plan, bint *available, int index,
                            Fragment **sources) noexcept:
        """The fragments to read: what the plan needs, and for a segment all its data. Returns how
        many."""
        cdef bint taken[SHARDS_MAX]
        cdef int count = 0, i, source
        memset(taken, 0, (self.code.data_shards + self.code.parity_shards) * sizeof(bint))
        if plan is not None:
            for i in range(<int>creed.reed_plan_source_count(plan.plan)):
                source = creed.reed_plan_source(plan.plan, i)
                sources[count] = given.by_index[source]
                taken[source] = True
                count += 1
        if index < 0:
            for i in range(self.code.data_shards):
                if available[i] and not taken[i]:
                    sources[count] = given.by_index[i]
                    count += 1
        return count

    cdef bytes compute(self, _Given given, Plan plan, Fragment **fragments, int count, int index):
        """One pass: the result, and the state of every source."""
        cdef int k = self.code.data_shards
        cdef Py_ssize_t size = given.first.info.payload_size
        cdef Py_ssize_t segment_size = given.first.info.segment_size
        cdef PyObject *result
        cdef uint8_t *start
        cdef reed_status status
        cdef const reed_plan *c_plan = plan.plan if plan is not None else NULL
        cdef size_t scratch_size = 0 if c_plan == NULL else \
            creed.reed_plan_apply_scratch_size(c_plan)
        cdef void *scratch = NULL
        if scratch_size > 0:
            scratch = PyMem_RawMalloc(scratch_size)
            if scratch == NULL:
                raise MemoryError
        try:
            keep_memory(k * size)
            result = new_bytes(NULL, k * size if index < 0 else FRAGMENT_HEADER + size)
            start = <uint8_t *>bytes_start(result)
            if is_brief(c_plan, size, count):
                status = read_fragments(c_plan, k, fragments, count, size, index, start,
                                        &given.made_crc32, scratch)
            else:
                with nogil:
                    status = read_fragments(c_plan, k, fragments, count, size, index, start,
                                            &given.made_crc32, scratch)
        finally:
            PyMem_RawFree(scratch)
        if status == REED_OK and index < 0 and segment_size != k * size:
            resize_bytes(&result, segment_size)  # the padding
        taken = <object>result
        Py_DECREF(taken)
        _check(status, "decode")
        return taken

    cdef bint agree(self, _Given given, Fragment **sources) except -1:
        """Whether the usable fragments that were not sources are what the sources make of them.
        Where they are not and one can say which are wrong, those are discarded; else it is an
        error."""
        cdef int k = self.code.data_shards, n = k + self.code.parity_shards, i
        payloads = {}
        proved = set()
        for i in range(n):
            if given.by_index[i] == NULL:
                continue
            if not read_payload(given.by_index[i]):
                given.discard(given.by_index[i], FAILS_CHECKSUM)
                continue
            position = given.by_index[i] - given.all
            payloads[i] = memoryview(given.objects[position]).cast("B")[FRAGMENT_HEADER:]
            if given.by_index[i].payload_state == PAYLOAD_GOOD:
                proved.add(i)
        used = {sources[i].info.shard_index for i in range(k)}
        others = [index for index in payloads if index not in used]
        made = self.code.reconstruct({index: payloads[index] for index in used}, others)
        if all(memoryview(made[index]) == payloads[index] for index in others):
            return bool(others) or len(proved) == k
        try:
            wrong = self.code.locate(payloads)
        except (errors.AmbiguousCorruption, errors.NotMDS, errors.TooComplex,
                errors.SingularPattern):
            wrong = []
        if not wrong or proved.intersection(wrong):
            raise errors.AmbiguousCorruption(
                f"the fragments {sorted(payloads)} disagree, and which of them is wrong cannot be "
                "told")
        for i in wrong:
            given.discard(given.by_index[i], "disagrees with the others")
        return False

    def decode(self, fragments, bint read_all=False):
        """The segment.

        :param fragments: an iterable of buffers, any fragments of one segment in any order.
        :param read_all: read and compare all of them, not just as many as are needed.
        :return: the segment's bytes, and sentences about fragments that were found wrong and not
            used, or None.
        :raises CorruptShard: too few are left without those whose payload is corrupt
            (``shard_index``: the sorted list of them).
        :raises FormatError: too few are left without those that are no fragments of this code.
        :raises TooFewShards: too few are given. :raises ConflictingShards: of several segments.
        :raises AmbiguousCorruption: fragments without checksum disagree, and it cannot be told
            which are wrong. :raises SingularPattern: non-MDS codes only.
        """
        cdef bint is_verified
        given = self.take(list(fragments), read_all)
        segment = self.run(given, -1, read_all, &is_verified)
        return segment, given.left_out

    def reconstruct(self, fragments, int index, bint checked=True, bint legacy_crc=False):
        """The fragment `index`, from others.

        Where it is among the given ones and matches its checksum its payload is taken from there;
        without a checksum, only where there are too few others. The result has a checksum only
        where what it was made from was verified, by checksums or by agreement of more fragments
        than are needed: none is minted for unproved bytes.

        :param fragments: as for `decode`. :param checked: as for `encode`, likewise `legacy_crc`.
        :return: the fragment, and sentences as for `decode`.
        :raises InvalidParameter: index out of range; otherwise as for `decode`.
        """
        cdef bint is_verified = False
        cdef creed.reed_fragment_info info
        cdef Fragment *own
        cdef int n = self.code.data_shards + self.code.parity_shards
        if not 0 <= index < n:
            raise errors.InvalidParameter(f"index must be 0 to {n - 1}, not {index}")
        given = self.take(list(fragments), False)
        own = given.by_index[index]
        if own != NULL:
            if not read_payload(own):
                given.discard(own, FAILS_CHECKSUM)
                own = NULL
        if own != NULL and own.payload_state == PAYLOAD_GOOD:
            fragment = PyBytes_FromStringAndSize(<char *>own.start, own.size)
            given.made_crc32 = own.info.payload_crc32
            is_verified = True
        else:
            try:
                fragment = self.run(given, index, False, &is_verified)
            except errors.TooFewShards:
                if own == NULL:
                    raise
                fragment = PyBytes_FromStringAndSize(<char *>own.start, own.size)
        self.describe(&info, given.first.info.segment_size, given.first.info.payload_size,
                      checked and is_verified)
        info.shard_index = index
        info.payload_crc32 = given.made_crc32
        creed.reed_fragment_header_write(
            &info, creed.REED_FRAGMENT_LEGACY_CRC if legacy_crc else 0, <uint8_t *><char *>fragment)
        return fragment, given.left_out
