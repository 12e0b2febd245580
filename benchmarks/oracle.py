"""A slow second implementation that every contender must agree with before it is timed."""

import functools

import numpy

POLYNOMIAL = 0x11D


@functools.cache
def _products():
    """The (256, 256) multiplication table of GF(2^8)/0x11d, by shift and add."""
    a = numpy.arange(256, dtype=numpy.uint16)[:, None]
    b = numpy.arange(256, dtype=numpy.uint16)[None, :]
    product = numpy.zeros((256, 256), numpy.uint16)
    power = numpy.broadcast_to(a, (256, 256)).copy()
    for bit in range(8):
        product ^= numpy.where(b >> bit & 1, power, 0).astype(numpy.uint16)
        power = power << 1 ^ numpy.where(power & 0x80, POLYNOMIAL, 0).astype(numpy.uint16)
    return product.astype(numpy.uint8)


def multiply(matrix, rows):
    """The product of a matrix and byte rows, as uint8."""
    table = _products()
    return numpy.stack([numpy.bitwise_xor.reduce(table[coefficients[:, None], rows], axis=0)
                        for coefficients in matrix])


def sampled_columns(size):
    """Column indices worth looking at: both ends, and some between."""
    ends = 96
    if size <= 3 * ends:
        return numpy.arange(size)
    between = numpy.random.default_rng(size).integers(ends, size - ends, ends)
    return numpy.concatenate([numpy.arange(ends), numpy.sort(between),
                              numpy.arange(size - ends, size)])


def require_product(who, matrix, sources, targets):
    """AssertionError unless the targets are the matrix times the sources in sampled columns."""
    columns = sampled_columns(sources.shape[1])
    if not numpy.array_equal(multiply(matrix, sources[:, columns]), targets[:, columns]):
        raise AssertionError(f"{who} computed wrong bytes; its speed means nothing")


def require_equal(who, found, expected):
    """AssertionError unless two arrays, or two bytes objects, are equal."""
    if not numpy.array_equal(numpy.asarray(memoryview(found)), numpy.asarray(
            memoryview(expected))):
        raise AssertionError(f"{who} gave back wrong bytes; its speed means nothing")
