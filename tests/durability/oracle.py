"""Independent answers for the durability tests: fixed-point integers of 160 digits instead of
doubles, a Taylor series with a negative diagonal instead of uniformisation, and mpmath at 60
digits for the stationary start. Shares no code with reed.durability."""

import math

import mpmath
import numpy as np

BITS = 560
ONE = 1 << BITS


def birth_death(shards, parity, failure, repair_rate, joint):
    """Full generator over 0 … parity missing shards and loss, as a list of rows of exact floats."""
    size = parity + 2
    rows = [[0] * size for _ in range(size)]
    for missing in range(parity + 1):
        rows[missing][missing + 1] += (shards - missing) * mpmath.mpf(failure)
        if missing:
            rows[missing][0 if joint else missing - 1] += mpmath.mpf(repair_rate(missing))
    for state in range(size):
        rows[state][state] = -sum(rows[state][other] for other in range(size) if other != state)
    return rows


def transition(rows, years):
    """exp(rows·years), entries as mpf: scaling, Taylor and squaring in fixed point."""
    size = len(rows)
    with mpmath.workprec(BITS + 200):
        fastest = max(abs(rows[state][state]) for state in range(size)) * years
        halvings = max(0, math.ceil(math.log2(float(fastest)))) + 6 if fastest > 0 else 0
        scaled = np.array([[int(mpmath.floor(value * years / mpmath.mpf(2) ** halvings * ONE))
                            for value in row] for row in rows], dtype=object)
        identity = np.array([[ONE if i == j else 0 for j in range(size)] for i in range(size)],
                            dtype=object)
        total, term = identity.copy(), identity.copy()
        for order in range(1, 75):  # (1/64)^75/75! is far below 2^-560
            term = (term.dot(scaled) >> BITS) // order
            total = total + term
        for _ in range(halvings):
            total = total.dot(total) >> BITS
        return [[mpmath.mpf(int(value)) / ONE for value in row] for row in total]


def stationary(rows):
    """Long-run shares of the transient states when loss restarts at state 0 (60 digits)."""
    size = len(rows) - 1
    with mpmath.workdps(90):
        system = mpmath.matrix(size, size)
        for source in range(size):
            for target in range(size):
                system[target, source] += rows[source][target]
            system[0, source] += rows[source][size]
        for column in range(size):
            system[size - 1, column] = 1
        right = mpmath.matrix(size, 1)
        right[size - 1] = 1
        return list(mpmath.lu_solve(system, right))
