"""The generator matrices a second time, each from its formula in FORMAT.md.

``parity_rows(name, k, m)`` gives the (m, k) parity rows. Systems that are defined as a Vandermonde
matrix times the inverse of its top are computed exactly so.
"""

import functools

import numpy as np

from oracles import gf256


@functools.cache
def native_rows(m):
    """The (m, 256 - m) parity rows of the longest native code with m parity shards: shorter ones
    are its first columns."""
    points = gf256.cantor_points()
    log2 = max(m - 1, 0).bit_length()
    size = 1 << log2
    index = size + np.arange(256 - m)
    index = np.where(index < 256, index, m + index - 256)
    scale = np.where(index >= size, points[index >> log2], 1).astype(np.uint8)
    row = np.arange(m)[:, None]
    return gf256.multiply(scale[None, :], gf256.INVERSES[points[index[None, :] ^ row]])


def vandermonde(points, k):
    return np.array([[gf256.power(int(x), c) for c in range(k)] for x in points], np.uint8)


def _systematic(matrix, k):
    return gf256.dot(matrix[k:], gf256.invert(matrix[:k]))


@functools.cache
def powers_of_two():
    return np.array([gf256.power(2, i) for i in range(255)], np.uint8)


def parity_rows(name, k, m):
    if m == 0:
        return np.zeros((0, k), np.uint8)
    r, j = np.arange(m)[:, None], np.arange(k)[None, :]
    if name == "native":
        return native_rows(m)[:, :k]
    if name == "replication":
        return np.ones((m, k), np.uint8)
    if name == "isal-cauchy":
        return gf256.INVERSES[(k + r) ^ j]
    if name == "isal-vand":
        return powers_of_two()[(r * j) % 255]
    i, c = np.arange(k + m)[:, None], np.arange(k)[None, :]
    if name == "vand-inv":
        return _systematic(powers_of_two()[((i + 1) * c) % 255], k)
    if name == "zfec":
        matrix = powers_of_two()[((i - 1) * c) % 255]
        matrix[0] = c[0] == 0
        return _systematic(matrix, k)
    if name == "klauspost":
        return _systematic(vandermonde(range(k + m), k), k)
    raise ValueError(name)


NAMES = ("native", "replication", "isal-cauchy", "isal-vand", "vand-inv", "zfec", "klauspost")


def isal_vand_is_mds(k, m):
    """The limits within which gf_gen_rs_matrix loses nothing."""
    return (k <= 3 or m <= 3 or (k == 4 and m <= 21) or (m == 4 and k <= 21)
            or (k == 5 and m == 5))


def exists(name, k, m):
    """Whether a code of this shape may be used for new data."""
    if not (k >= 1 and m >= 0 and k + m <= 256):
        return False
    return {"replication": k == 1, "isal-vand": isal_vand_is_mds(k, m),
            "vand-inv": k + m <= 255}.get(name, True)
