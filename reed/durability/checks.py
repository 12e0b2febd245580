"""Checks of single inputs. A refusal names the input, its value and what is allowed.

Limits that no input of a real system comes near keep every later product finite, so that an absurd
input is an error here and not a NaN or an endless loop somewhere else.
"""

from __future__ import annotations

import math
from numbers import Integral, Real

from reed.errors import InvalidParameter

LARGEST = 1e30
FASTEST_PER_YEAR = 1e12
# Clocks below this meet the rounding of the simulator's hours.
SHORTEST_HOURS = 1e-6


class InvalidInput(InvalidParameter):
    """One input of a model is refused. Attributes: `key`, `value`, `allowed`."""

    def __init__(self, key: str, value: object, allowed: str):
        super().__init__(f"{key} = {shown(value)}: allowed is {allowed}")
        self.key = key
        self.value = value
        self.allowed = allowed


def shown(value: object) -> str:
    """A value in a message; a very long one by its beginning."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def number(name: str, value: float, low: float, high: float = LARGEST, *,
           low_open: bool = False) -> None:
    """A real number in [low, high], or in (low, high]."""
    ok = isinstance(value, Real) and not isinstance(value, bool) and low <= value <= high
    if not ok or (low_open and value == low):
        opening = "above" if low_open else "of at least"
        raise InvalidInput(name, value, f"a number {opening} {low:g} and at most {high:g}")


def integer(name: str, value: int, low: int, high: float = math.inf) -> None:
    """A whole number in [low, high]."""
    if isinstance(value, bool) or not isinstance(value, Integral) or not low <= value <= high:
        limit = "" if math.isinf(high) else f" and at most {high:g}"
        raise InvalidInput(name, value, f"an integer of at least {low}{limit}")


def hours(name: str, value: float) -> None:
    """A duration that a clock can have."""
    number(name, value, SHORTEST_HOURS)


def flag(name: str, value: bool) -> None:
    if not isinstance(value, bool):
        raise InvalidInput(name, value, "True or False")


def choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise InvalidInput(name, value, f"one of {', '.join(allowed)}")


def instance(name: str, value: object, *kinds: type) -> None:
    """An object of one of these classes; `type(None)` among them makes it optional."""
    if not isinstance(value, kinds):
        words = ["None" if kind is type(None) else kind.__name__ for kind in kinds]
        raise InvalidInput(name, value, f"a {' or '.join(words)}")
