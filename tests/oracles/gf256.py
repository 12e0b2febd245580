"""GF(2^8) with polynomial 0x11d a second time: slow, from the polynomial, on NumPy arrays.

The oracle for everything that multiplies. It shares no table and no code with csrc: products are
carry-less multiplications reduced bit by bit, inverses are searched for.
"""

import numpy as np

POLYNOMIAL = 0x11D  # x^8 + x^4 + x^3 + x^2 + 1


def _products():
    a, b = np.meshgrid(np.arange(256), np.arange(256), indexing="ij")
    wide = np.zeros((256, 256), np.int64)
    for bit in range(8):
        wide ^= np.where(b >> bit & 1, a << bit, 0)
    for bit in range(14, 7, -1):
        wide ^= np.where(wide >> bit & 1, POLYNOMIAL << (bit - 8), 0)
    return wide.astype(np.uint8)


PRODUCTS = _products()
INVERSES = np.zeros(256, np.uint8)  # 1 / 0 is 0 here
INVERSES[1:] = np.argmax(PRODUCTS[1:] == 1, axis=1)


def multiply(a, b):
    """Elementwise product, broadcast."""
    return PRODUCTS[a, b]


def power(base, exponent):
    """base**exponent by repeated multiplication; 0**0 is 1."""
    result = 1
    for _ in range(exponent):
        result = int(PRODUCTS[result, base])
    return result


def dot(matrix, rows):
    """The matrix product of (t, s) coefficients and (s, n) rows: (t, n) bytes."""
    matrix, rows = np.asarray(matrix, np.uint8), np.asarray(rows, np.uint8)
    result = np.zeros((matrix.shape[0], rows.shape[1]), np.uint8)
    for s in range(matrix.shape[1]):
        result ^= PRODUCTS[matrix[:, s, None], rows[s][None, :]]
    return result


def _eliminate(matrix):
    """Reduced row echelon form and the rank."""
    matrix = np.array(matrix, np.uint8)
    rank = 0
    for column in range(matrix.shape[1]):
        pivots = np.flatnonzero(matrix[rank:, column])
        if not pivots.size:
            continue
        pivot = rank + pivots[0]
        matrix[[rank, pivot]] = matrix[[pivot, rank]]
        matrix[rank] = PRODUCTS[INVERSES[matrix[rank, column]], matrix[rank]]
        factors = matrix[:, column].copy()
        factors[rank] = 0
        matrix ^= PRODUCTS[factors[:, None], matrix[rank][None, :]]
        rank += 1
        if rank == matrix.shape[0]:
            break
    return matrix, rank


def rank(matrix):
    return _eliminate(matrix)[1]


def invert(matrix):
    """The inverse of a regular matrix."""
    size = len(matrix)
    both = np.hstack([np.asarray(matrix, np.uint8), np.eye(size, dtype=np.uint8)])
    reduced, _ = _eliminate(both)
    if not np.array_equal(reduced[:, :size], np.eye(size, dtype=np.uint8)):
        raise ValueError("singular")
    return reduced[:, size:]


def cantor_points():
    """P(0 .. 255): beta_0 = 1, beta_i the smaller root of x^2 + x = beta_{i-1}."""
    everything = np.arange(256)
    artin_schreier = PRODUCTS[everything, everything] ^ everything
    points = np.zeros(256, np.uint8)
    beta = 1
    for bit in range(8):
        if bit:
            beta = int(np.flatnonzero(artin_schreier == beta)[0])
        points ^= np.where(everything >> bit & 1, beta, 0).astype(np.uint8)
    return points
