"""Choosing a sample, and what it says of all."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from typing import TypeVar

Item = TypeVar("Item")
# Of a normal distribution, 95 % lie within so many standard errors.
_DEVIATIONS = 1.96
# What is said of a sample whose items tell nothing of each other's differences.
UNKNOWN_MARGIN = 0.5


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number that is known from a sample.

    Attributes:
      value: of all.
      margin: the true number is within ``value * (1 ± margin)`` nineteen times of twenty; 0: it is exact.
    """

    value: float
    margin: float = 0.0

    def __add__(self, other: Estimate) -> Estimate:
        """Of both together; their errors have nothing to do with each other."""
        value = self.value + other.value
        error = math.hypot(self.value * self.margin, other.value * other.margin)
        return Estimate(value, error / value if value else 0.0)


NOTHING = Estimate(0.0)


def spread_by_hash(items: Iterable[Item], name: Callable[[Item], str], most: int) -> list[Item]:
    """At most so many items, those whose names have the smallest hashes: the same ones every time."""
    return nsmallest(most, items, key=lambda item: _hash(name(item)))


def _hash(name: str) -> bytes:
    return hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8, person=b"sample").digest()


def ratio_estimate(values: Sequence[float], sizes: Sequence[float], all_sizes: float, population: int) -> Estimate:
    """The sum of a quantity over all items, from a sample, if it grows with a size that is known of all.

    The ratio estimator of survey sampling (W. Cochran: Sampling Techniques, 1977, chapter 6), with its usual error.

    Args:
      values, sizes: of the sampled items.
      all_sizes: sum of the sizes of all items.
      population: number of all items.
    """
    number, size = len(values), sum(sizes)
    if not number or not size:
        return Estimate(0.0, 0.0 if population == number else UNKNOWN_MARGIN)
    ratio = sum(values) / size
    value = ratio * all_sizes
    if number >= population or not value:
        return Estimate(value)
    if number == 1:
        return Estimate(value, UNKNOWN_MARGIN)
    squares = sum((item - ratio * weight) ** 2 for item, weight in zip(values, sizes, strict=True))
    error = math.sqrt(squares / (number * (number - 1)) * (1 - number / population))
    return Estimate(value, _DEVIATIONS * error / (sum(values) / number))
