"""Masks in little room, for where there are many: while a file is read, and between workers.

The corners of a polygon mostly have two decimals and lie near each other, so their differences in hundredths take two
bytes each; nothing is rounded: numbers that are no hundredths stay float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np

from transforms.records import Mask, Polygons

_POLYGONS = "polygons"
_MAX_NUMBER = 10_000_000  # so that differences of hundredths fit int32


def compact_mask(mask: Mask | None) -> Any:
    """A value that pickles small and that ``full_mask`` turns back; only polygons change."""
    if type(mask) is not Polygons:
        return mask
    numbers = compact_numbers(tuple(chain.from_iterable(mask.rings)))
    return (_POLYGONS, tuple(map(len, mask.rings)), *numbers)


def full_mask(compact: Any) -> Mask | None:
    """The mask that ``compact_mask`` was given."""
    if type(compact) is not tuple:
        return compact  # type: ignore[no-any-return]
    _, lengths, kind, data = compact
    numbers = full_numbers(kind, data)
    rings, start = [], 0
    for length in lengths:
        rings.append(tuple(numbers[start : start + length]))
        start += length
    return Polygons(tuple(rings))


def compact_numbers(numbers: Sequence[float]) -> tuple[str, bytes]:
    """Kind and bytes of numbers that alternate between x and y."""
    exact = np.array(numbers, np.float64)
    if not numbers or max(numbers) > _MAX_NUMBER or min(numbers) < -_MAX_NUMBER:
        return "<f8", exact.astype("<f8").tobytes()
    hundredths = np.rint(exact * 100)
    if not (hundredths / 100 == exact).all():  # nor is NaN
        return "<f8", exact.astype("<f8").tobytes()
    differences = hundredths.astype("<i4")
    differences[2:] = differences[2:] - differences[:-2]
    small = differences.astype("<i2")
    return ("<i2", small.tobytes()) if (small == differences).all() else ("<i4", differences.tobytes())


def full_numbers(kind: str, data: bytes) -> list[float]:
    """The numbers that ``compact_numbers`` was given."""
    if kind == "<f8":
        return np.frombuffer(data, kind).tolist()  # type: ignore[no-any-return]
    hundredths = np.frombuffer(data, kind).astype(np.int64)
    sums = np.empty_like(hundredths)
    sums[0::2], sums[1::2] = hundredths[0::2].cumsum(), hundredths[1::2].cumsum()
    return (sums / 100).tolist()  # type: ignore[no-any-return]
