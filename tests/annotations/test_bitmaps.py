from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sample_data import jpeg, png
from transforms.annotations import bitmaps
from transforms.annotations.bitmaps import box_of_rle, pixels_of_png, pixels_of_row_runs, png_of_pixels
from transforms.annotations.refusals import Refused
from transforms.records import Box, Rle

sizes = st.tuples(st.integers(1, 5), st.integers(1, 5))


@given(sizes, st.data())
def test_pixels_come_back(size: tuple[int, int], data: st.DataObject) -> None:
    flat = data.draw(st.lists(st.booleans(), min_size=size[0] * size[1], max_size=size[0] * size[1]))
    pixels = np.array(flat).reshape(size)
    found = pixels_of_png(png_of_pixels(pixels))
    assert found is not None
    assert (found == pixels).all()


@pytest.mark.parametrize(
    ("runs", "width", "height"),
    [([], 1, 1), ([1], 1, 2), ([-1, 3], 1, 2), ([1, 2], -1, -3), ([1 << 40], 1 << 20, 1 << 20), ([0], 0, 0)],
)
def test_runs_that_are_no_picture(runs: list[int], width: int, height: int) -> None:
    assert pixels_of_row_runs(runs, width, height) is None


@pytest.mark.parametrize("data", [b"", b"?", jpeg(), png()[:40]])
def test_what_is_no_png(data: bytes) -> None:
    assert pixels_of_png(data) is None


def test_png_of_too_many_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bitmaps, "MAX_PIXELS", 40 * 30 - 1)
    assert pixels_of_png(png(40, 30)) is None


@given(sizes, st.data())
def test_box_of_run_lengths(size: tuple[int, int], data: st.DataObject) -> None:
    height, width = size
    flat = np.array(data.draw(st.lists(st.booleans(), min_size=height * width, max_size=height * width)))
    changes = np.flatnonzero(np.diff(np.concatenate(([False], flat)))).tolist()
    rle = Rle(height, width, tuple(np.diff([0, *changes, flat.size]).tolist()))
    pixels = flat.reshape(width, height).T
    if not pixels.any():
        with pytest.raises(Refused, match="no pixel"):
            box_of_rle(rle)
        return
    rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
    assert box_of_rle(rle) == Box(columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)


def test_run_lengths_of_another_size_have_no_box() -> None:
    with pytest.raises(Refused, match="add up"):
        box_of_rle(Rle(2, 2, (1, 1)))
