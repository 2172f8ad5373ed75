from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.annotations.compact_masks import compact_mask, full_mask
from transforms.records import MaskBitmap, MaskFile, Polygons, Rle

hundredths = st.integers(-(10**9), 10**9).map(lambda number: number / 100)
numbers = hundredths | st.floats(allow_nan=False) | st.integers(0, 500).map(float)
rings = st.lists(numbers, max_size=12).map(tuple)


@given(st.lists(rings, max_size=3).map(tuple))
def test_polygons_come_back_to_the_last_bit(rings: tuple[tuple[float, ...], ...]) -> None:
    assert full_mask(compact_mask(Polygons(rings))) == Polygons(rings)


@pytest.mark.parametrize("mask", [None, Rle(2, 3, (1, 5)), Rle(2, 3, "15"), MaskBitmap(b"png", 1, 2), MaskFile("a", 3)])
def test_other_masks_stay(mask: object) -> None:
    assert full_mask(compact_mask(mask)) == mask  # type: ignore[arg-type]


def test_corners_of_an_outline_take_two_bytes() -> None:
    outline = tuple(round(100 + number * 1.37 % 9, 2) for number in range(200))
    assert len(pickle.dumps(compact_mask(Polygons((outline,))), protocol=5)) < 2 * 200 + 80
