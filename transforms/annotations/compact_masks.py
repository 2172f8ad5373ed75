"""The masks of an image in little room, for the way between workers.

The corners of a polygon mostly have two decimals and lie near each other, so their differences in hundredths take two
bytes each; nothing is rounded: numbers that are no hundredths stay float64.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from transforms.records import Mask, Polygons

CompactNumbers = tuple[bytes, bytes, bytes] | tuple[bytes]
_MAX_NUMBER = 10_000_000  # so that differences of hundredths fit int32


def compact_masks(masks: Sequence[Mask | None]) -> Any:
    """A value that pickles small and that ``full_masks`` turns back; only polygons change."""
    rings = [ring for mask in masks if type(mask) is Polygons for ring in mask.rings]
    others = [tuple(map(len, mask.rings)) if type(mask) is Polygons else mask for mask in masks]
    return others, compact_numbers(np.frombuffer(array("d", [*chain.from_iterable(rings)])))


def full_masks(compact: Any) -> list[Mask | None]:
    """The masks that ``compact_masks`` was given."""
    masks, numbers = compact
    rest = full_numbers(numbers)
    start = 0
    for index, lengths in enumerate(masks):
        if type(lengths) is tuple:  # of a polygon's rings
            rings = []
            for length in lengths:
                rings.append(tuple(rest[start : start + length]))
                start += length
            masks[index] = Polygons(tuple(rings))
    return masks  # type: ignore[no-any-return]


def compact_numbers(exact: npt.NDArray[np.float64]) -> CompactNumbers:
    """Numbers that alternate between x and y.

    Returns:
      Their differences in hundredths as int16, and index and value of those that do not fit; or the numbers.
    """
    if not np.abs(exact).max(initial=0) <= _MAX_NUMBER:  # nor is NaN
        return (exact.astype("<f8").tobytes(),)
    hundredths = np.rint(exact * 100)
    if not (hundredths / 100 == exact).all():
        return (exact.astype("<f8").tobytes(),)
    differences = hundredths.astype("<i4")
    differences[2:] -= hundredths[:-2].astype("<i4")
    small = differences.astype("<i2")
    large = np.flatnonzero(small != differences)
    return small.tobytes(), large.astype("<i4").tobytes(), differences[large].tobytes()


def full_numbers(compact: CompactNumbers) -> list[float]:
    """The numbers that ``compact_numbers`` was given."""
    if len(compact) == 1:
        return np.frombuffer(compact[0], "<f8").tolist()  # type: ignore[no-any-return]
    data, large, values = compact
    differences = np.frombuffer(data, "<i2").astype(np.int64)
    differences[np.frombuffer(large, "<i4")] = np.frombuffer(values, "<i4")
    sums = np.empty_like(differences)
    sums[0::2], sums[1::2] = differences[0::2].cumsum(), differences[1::2].cumsum()
    return (sums / 100).tolist()  # type: ignore[no-any-return]
