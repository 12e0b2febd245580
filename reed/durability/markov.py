"""Continuous-time Markov chains with rare absorption, computed without a single subtraction of
like-sized numbers, so that a loss probability of 1e-40 has as many right digits as one of 0.1.

* State spaces are explored from a successor function (`explore`).
* Stationary distributions come from GTH elimination (Grassmann, Taksar & Heyman, Operations
  Research 33, 1985), which only adds, multiplies and divides non-negative numbers; every entry is
  accurate to a few roundings (O'Cinneide, Numerische Mathematik 65, 1993).
* Absorption within a time comes from uniformisation on a short step and repeated squaring of the
  transition matrix. All terms are non-negative; rows are scaled back to sum 1 after each squaring
  so that rounding adds up with the number of squarings, not with the number of steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass

import numpy as np

from reed.errors import InvalidParameter

STATE_LIMIT = 3000

# Below this a double loses digits to gradual underflow; results there are refused by name.
SMALLEST_PROBABILITY = 1e-290

LOST = None


@dataclass(frozen=True)
class Move:
    """One transition. `target` is a state or LOST; `label` says why, for loss accounting."""

    target: Hashable
    rate: float
    label: Hashable = None


@dataclass(frozen=True)
class MarkovChain:
    """Transient `states`, `rates` between them (row → column, zero diagonal; per year) and the
    `losses` out of each, a list of (state index, label, rate). State 0 is the pristine one."""

    states: list
    rates: np.ndarray
    losses: list[tuple[int, Hashable, float]]

    @property
    def loss_rates(self) -> np.ndarray:
        total = np.zeros(len(self.states))
        for state, _, rate in self.losses:
            total[state] += rate
        return total


def explore(start: Hashable, moves: Callable[[Hashable], Iterable[Move]]) -> MarkovChain:
    """Every state reachable from `start`, in breadth-first order."""
    number = {start: 0}
    states = [start]
    entries: list[tuple[int, int, float]] = []
    losses: list[tuple[int, Hashable, float]] = []
    for source, state in enumerate(states):  # `states` grows while it is walked
        for move in moves(state):
            if move.rate <= 0.0:
                continue
            if move.target is LOST:
                losses.append((source, move.label, move.rate))
                continue
            if move.target == state:
                continue
            target = number.get(move.target)
            if target is None:
                target = number[move.target] = len(states)
                states.append(move.target)
                if len(states) > STATE_LIMIT:
                    raise InvalidParameter(
                        f"the chain has more than {STATE_LIMIT} states; simulate instead"
                    )
            entries.append((source, target, move.rate))
    rates = np.zeros((len(states), len(states)))
    for source, target, rate in entries:
        rates[source, target] += rate
    return MarkovChain(states, rates, losses)


def stationary(rates: np.ndarray) -> np.ndarray:
    """The stationary distribution of an irreducible chain, by GTH elimination. Diagonal ignored."""
    work = np.array(rates, dtype=float)
    np.fill_diagonal(work, 0.0)
    size = work.shape[0]
    for last in range(size - 1, 0, -1):
        leaving = work[last, :last].sum()
        if leaving <= 0.0:
            raise InvalidParameter("the chain is not irreducible: a state cannot be left")
        work[:last, last] /= leaving
        work[:last, :last] += np.outer(work[:last, last], work[last, :last])
    result = np.zeros(size)
    result[0] = 1.0
    for state in range(1, size):
        result[state] = result[:state] @ work[:state, state]
    return result / result.sum()


def occupation(chain: MarkovChain) -> np.ndarray:
    """The share of time in each state when every lost unit is replaced by a pristine one."""
    rates = chain.rates.copy()
    rates[:, 0] += chain.loss_rates
    return stationary(rates)


def mean_time_to_loss(chain: MarkovChain) -> float:
    """Mean years from the pristine state to loss: a renewal cycle loses exactly once, so this is
    one over the loss rate under `occupation`. Infinite when nothing can be lost."""
    if not chain.losses:
        return math.inf
    rate = float(occupation(chain) @ chain.loss_rates)
    if rate < SMALLEST_PROBABILITY:
        raise InvalidParameter(
            f"the loss rate is below {SMALLEST_PROBABILITY:g} a year, beyond double precision"
        )
    return 1.0 / rate


def transition_matrix(chain: MarkovChain, years: float) -> np.ndarray:
    """(S+1, S+1) transition probabilities over `years`, the last row and column for loss."""
    size = len(chain.states)
    rates = np.zeros((size + 1, size + 1))
    rates[:size, :size] = chain.rates
    rates[:size, size] = chain.loss_rates
    np.fill_diagonal(rates, 0.0)
    leaving = rates.sum(axis=1)
    fastest = leaving.max()
    if fastest == 0.0 or years == 0.0:
        return np.eye(size + 1)
    # Twice the fastest rate keeps every diagonal entry of the uniformised chain at 1/2 or more,
    # so that computing it loses no digits.
    clock = 2.0 * fastest
    squarings = max(0, math.ceil(math.log2(clock * years)))
    step = clock * years / 2.0**squarings  # at most 1
    uniform = rates / clock
    uniform[np.diag_indices(size + 1)] = 1.0 - leaving / clock
    term = np.eye(size + 1) * math.exp(-step)
    result = term.copy()
    # 1/30! is 4e-33, and a path to loss needs at most `size` moves; the relative size of the
    # first neglected term against the leading one of every entry is below 1e-20 from there.
    for order in range(1, size + 30):
        term = term @ uniform * (step / order)
        result += term
    result /= result.sum(axis=1, keepdims=True)
    for _ in range(squarings):
        result = result @ result
        result /= result.sum(axis=1, keepdims=True)
    return result
