"""The memory that is worked on: stripes of shards, one or a ring of many."""

import ctypes
import functools
import mmap

import numpy

ALIGNMENT = 64
# Bytes between shards. Starts that are multiples of 4 KiB apart share sets of L1, multiples of
# 128 KiB sets of L2; nine lines more spread 256 shards over all sets of both.
SKEW = 576
PAGE = 4096
# How the shards of a stripe lie:
SPREAD = "spread"  # aligned to 64 bytes, and skewed so that they share no set of a cache
PAGES = "pages"    # each at the beginning of a page: all share the sets of the first-level cache
ARRAY = "array"    # rows of one array as NumPy makes it: 16 bytes behind a page, one by one
NUMPY_OFFSET = 16  # what malloc keeps in front of a large piece
ROTATION_MIN = 500 * 10**6  # bytes that calls touch before the first stripe comes back
SEED = 20180720


def page_aligned(array):
    """A copy that begins at a page. Where a small table lies within its page moves figures by one
    or two per cent; so every contender's tables lie alike."""
    array = numpy.ascontiguousarray(array)
    room = numpy.zeros(array.nbytes + PAGE, numpy.uint8)
    begin = -room.ctypes.data % PAGE
    copy = room[begin:begin + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


def shard_stride(shard_size, layout=SPREAD):
    """The distance of neighbouring shards in bytes."""
    if layout == ARRAY:
        return shard_size
    if layout == PAGES:
        return -(-shard_size // PAGE) * PAGE
    stride = -(-shard_size // ALIGNMENT) * ALIGNMENT + SKEW
    while min(stride % PAGE, -stride % PAGE) < SKEW:
        stride += ALIGNMENT
    return stride


def _arena(size):
    """Page-aligned random bytes, in huge pages where the system gives them, as NumPy asks too."""
    memory = mmap.mmap(-1, size)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        memory.madvise(mmap.MADV_HUGEPAGE)
    view = numpy.frombuffer(memory, numpy.uint8)
    noise = numpy.random.default_rng(SEED).integers(0, 256, 1 << 20, numpy.uint8)
    for begin in range(0, size, noise.size):
        view[begin:begin + noise.size] = noise[:size - begin]
    return view


_large_arena = functools.lru_cache(maxsize=1)(_arena)  # one ring at a time, used again


def ring_count(touched_bytes, last_cache_size):
    """How many stripes a ring needs: one turn touches ROTATION_MIN bytes and four times the last
    cache. `touched_bytes` are those that one call reads or writes."""
    return -(-max(ROTATION_MIN, 4 * last_cache_size) // touched_bytes)


class Stripes:
    """`count` stripes of `shard_count` shards each; tasks on them share `position`.

    :param touched_bytes: of each stripe, those that one call reads or writes.
    :param rotates: a ring, see `ring_count`; else one stripe, which stays in the cache that it
        fits.
    """

    def __init__(self, shard_size, shard_count, touched_bytes, rotates, last_cache_size,
                 layout=SPREAD):
        self.shard_size = shard_size
        self.shard_count = shard_count
        self.stride = shard_stride(shard_size, layout)
        self.count = ring_count(touched_bytes, last_cache_size) if rotates else 1
        size = self.count * shard_count * self.stride
        step = 1 << 26  # rings of about the same size share one arena
        if rotates:
            self.memory = _large_arena(-(-size // step) * step)
        else:
            offset = NUMPY_OFFSET if layout == ARRAY else 0
            self.memory = _arena(size + offset)[offset:]
        self.position = ctypes.c_size_t(0)

    def rows(self, stripe=0):
        """The shards of one stripe: a (shard_count, shard_size) view with skewed rows."""
        begin = stripe * self.shard_count * self.stride
        return numpy.lib.stride_tricks.as_strided(
            self.memory[begin:], (self.shard_count, self.shard_size), (self.stride, 1))

    def table(self, shards):
        """Pointers to the given shards of every stripe, [stripe][shard], for the harness."""
        stripes = numpy.arange(self.count, dtype=numpy.uint64)[:, None]
        offsets = (stripes * self.shard_count + numpy.asarray(shards, numpy.uint64)[None, :])
        pointers = self.memory.ctypes.data + offsets * numpy.uint64(self.stride)
        return page_aligned(pointers.astype(numpy.uintp))
