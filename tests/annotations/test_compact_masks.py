from __future__ import annotations

import pickle

from hypothesis import given
from hypothesis import strategies as st

from transforms.annotations.compact_masks import compact_masks, full_masks
from transforms.records import MaskBitmap, MaskFile, Polygons, Rle

hundredths = st.integers(-(10**9), 10**9).map(lambda number: number / 100)
numbers = hundredths | st.floats(allow_nan=False) | st.integers(0, 500).map(float)
kinds = st.sampled_from([hundredths, st.integers(0, 700).map(float), numbers])
rings = kinds.flatmap(lambda kind: st.lists(kind, max_size=12)).map(tuple)
polygons = st.builds(Polygons, st.lists(rings, max_size=3).map(tuple))
others = st.sampled_from([None, Rle(2, 3, (1, 5)), Rle(2, 3, "15"), MaskBitmap(b"png", 1, 2), MaskFile("a", 3)])


@given(st.lists(polygons | others, max_size=5))
def test_masks_come_back_to_the_last_bit(masks: list[Polygons]) -> None:
    assert full_masks(compact_masks(masks)) == masks


def test_corners_of_outlines_take_two_bytes_wherever_they_are() -> None:
    outline = [round(100 + number * 1.37 % 9, 2) for number in range(200)]
    masks = [Polygons((tuple(outline),)), Polygons((tuple(round(number + 3000, 2) for number in outline),))]
    assert len(pickle.dumps(compact_masks(masks), protocol=5)) < 2 * 400 + 120
