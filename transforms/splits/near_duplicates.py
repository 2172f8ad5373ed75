"""Pairs of 64-bit hashes that differ in few bits, and what hangs together by pairs.

The search is multi-index hashing (M. Norouzi, A. Punjani, D. Fleet: Fast Search in Hamming Space with Multi-Index
Hashing, 2012): of four bands of 16 bits, two hashes that differ in d bits have one in which they differ in d // 4 bits
at most. So each band is sorted, and only hashes whose bands are equal, or nearly so, are compared in full.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np
import numpy.typing as npt

MAX_DISTANCE = 11
_BANDS, _BAND_BITS = 4, 16
_PAIRS_AT_ONCE = 1 << 22
_Pairs = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]


def near_pairs(hashes: npt.NDArray[np.uint64], distance: int) -> Iterator[_Pairs]:
    """Yields pairs ``(i, j)``, ``i < j``, of hashes that differ in at most ``distance`` bits, in bounded memory.

    Args:
      hashes: each different.
      distance: 0 to MAX_DISTANCE.

    Yields:
      Positions of the firsts and of the seconds; a pair may come more than once.
    """
    for band in range(_BANDS):
        values = ((hashes >> np.uint64(_BAND_BITS * band)) & np.uint64((1 << _BAND_BITS) - 1)).astype(np.int64)
        order = np.argsort(values, kind="stable")
        for mask in _masks(distance // _BANDS):
            yield from _pairs_of_band(hashes, values, order, mask, distance)


def _masks(radius: int) -> Iterator[int]:
    """All 16-bit numbers of at most ``radius`` bits."""
    for bits in range(radius + 1):
        for positions in combinations(range(_BAND_BITS), bits):
            yield sum(1 << position for position in positions)


def _pairs_of_band(
    hashes: npt.NDArray[np.uint64],
    values: npt.NDArray[np.int64],
    order: npt.NDArray[np.int64],
    mask: int,
    distance: int,
) -> Iterator[_Pairs]:
    ordered = values[order]
    starts = np.searchsorted(ordered, values ^ mask, side="left")
    counts = np.searchsorted(ordered, values ^ mask, side="right") - starts
    ends = np.cumsum(counts)
    first = 0
    while first < len(hashes):
        before = ends[first - 1] if first else 0
        last = max(first + 1, int(np.searchsorted(ends, before + _PAIRS_AT_ONCE, side="right")))
        i = np.repeat(np.arange(first, last), counts[first:last])
        within = np.arange(len(i)) - np.repeat(ends[first:last] - counts[first:last] - before, counts[first:last])
        j = order[starts[i] + within]
        is_first = i < j  # the other order comes from the other's turn
        i, j = i[is_first], j[is_first]
        is_near = bit_counts(hashes[i] ^ hashes[j]) <= distance
        if is_near.any():
            yield i[is_near], j[is_near]
        first = last


def bit_counts(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The number of bits that are set in each value (S. Anderson: Bit Twiddling Hacks, "in parallel")."""
    ones, twos, fours = (np.uint64(int(digits * 8, 16)) for digits in ("55", "33", "0f"))
    values = values - ((values >> np.uint64(1)) & ones)
    values = (values & twos) + ((values >> np.uint64(2)) & twos)
    values = (values + (values >> np.uint64(4))) & fours
    return (values * np.uint64(int("01" * 8, 16))) >> np.uint64(56)


class Components:
    """What hangs together among ``size`` items: a union-find over arrays."""

    def __init__(self, size: int):
        self._roots = np.arange(size)

    @property
    def roots(self) -> npt.NDArray[np.int64]:
        """For each item the smallest of those that it hangs together with."""
        return self._roots

    def join(self, firsts: npt.NDArray[np.int64], seconds: npt.NDArray[np.int64]) -> None:
        """Joins the items of each pair."""
        roots = self._roots
        while True:
            a, b = roots[firsts], roots[seconds]
            is_apart = a != b
            if not is_apart.any():
                return
            firsts, seconds, a, b = firsts[is_apart], seconds[is_apart], a[is_apart], b[is_apart]
            np.minimum.at(roots, np.maximum(a, b), np.minimum(a, b))  # roots hang on smaller roots: no ring
            while True:
                shorter = roots[roots]
                if np.array_equal(shorter, roots):
                    break
                roots = shorter
            self._roots = roots
