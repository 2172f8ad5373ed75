from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from transforms.images.png_structure import broken_png
from transforms.masks.mask_png import (
    bitmap_of_columns,
    empty_mask_png,
    mask_offset,
    png_of_bitmap,
    png_of_columns,
    pngs_of_columns,
)

Bitmap = np.ndarray[Any, Any]
noise = hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=40), elements=st.integers(0, 1))
boxes = st.tuples(st.integers(1, 90), st.integers(1, 90), *[st.integers(0, 90)] * 4).map(lambda args: _box(*args))
bitmaps = noise | boxes


def _box(height: int, width: int, top: int, left: int, bottom: int, right: int) -> Bitmap:
    bitmap = np.zeros((height, width), np.uint8)
    bitmap[top:bottom, left:right] = 1
    return bitmap


def _columns(bitmap: Bitmap) -> Bitmap:
    """Where the sequence of pixels down the columns changes."""
    sequence = np.concatenate([[0], bitmap.T.reshape(-1), [0]])
    return np.flatnonzero(sequence[1:] != sequence[:-1])


def _decoded(png: bytes) -> Bitmap:
    assert broken_png(png) == ""
    image = Image.open(io.BytesIO(png))
    assert (image.format, image.mode) == ("PNG", "L")
    return np.asarray(image)


@given(bitmaps)
def test_pngs_hold_the_pixels(bitmap: Bitmap) -> None:
    png = png_of_bitmap(bitmap)
    np.testing.assert_array_equal(_decoded(png), bitmap)
    height, width = bitmap.shape
    assert png_of_columns(_columns(bitmap), width, height) == png
    np.testing.assert_array_equal(bitmap_of_columns(_columns(bitmap), width, height), bitmap)


@given(bitmaps, st.lists(st.integers(0, 30), max_size=5))
def test_empty_runs_change_nothing(bitmap: Bitmap, places: list[int]) -> None:
    height, width = bitmap.shape
    places = [min(place, width * height) for place in places]
    changes = np.sort(np.concatenate([_columns(bitmap), places, places]).astype(np.int64))
    assert png_of_columns(changes, width, height) == png_of_bitmap(bitmap)
    np.testing.assert_array_equal(bitmap_of_columns(changes, width, height), bitmap)


@given(st.data(), st.integers(1, 30), st.integers(1, 30))
def test_several_masks_at_once_are_the_same(data: st.DataObject, width: int, height: int) -> None:
    pixels = hnp.arrays(np.uint8, (height, width), elements=st.integers(0, 1))
    masks = data.draw(st.lists(pixels, min_size=1, max_size=5))
    changes = [_columns(mask) + mask_offset(number, width, height) for number, mask in enumerate(masks)]
    pngs = pngs_of_columns(np.concatenate(changes), len(masks), width, height)
    assert pngs == [png_of_bitmap(mask) for mask in masks]


def test_several_masks_of_much_noise() -> None:
    masks = np.random.default_rng(0).integers(0, 2, (3, 900, 1000), np.uint8)
    changes = [_columns(mask) + mask_offset(number, 1000, 900) for number, mask in enumerate(masks)]
    assert pngs_of_columns(np.concatenate(changes), 3, 1000, 900) == [png_of_bitmap(mask) for mask in masks]


def test_noise_of_many_pixels() -> None:
    bitmap = np.random.default_rng(0).integers(0, 2, (1600, 1500), np.uint8)
    png = png_of_bitmap(bitmap)
    np.testing.assert_array_equal(_decoded(png), bitmap)
    assert png_of_columns(_columns(bitmap), 1500, 1600) == png


def test_stripes_take_no_more_memory_than_their_pixels() -> None:
    """Few runs, yet each pixel differs from its neighbour: they are no way to ask for gigabytes."""
    width, height = 3000, 2000
    png = png_of_columns(np.arange(width + 1 - width % 2) * height, width, height)
    np.testing.assert_array_equal(_decoded(png), np.tile(np.arange(width) & 1, (height, 1)) ^ 1)


def test_the_mask_without_a_pixel_is_made_once() -> None:
    png = empty_mask_png(640, 480)
    assert png_of_columns(np.empty(0, np.int64), 640, 480) is empty_mask_png(640, 480) is png
    assert png_of_bitmap(np.zeros((480, 640), np.uint8)) == png
    assert not _decoded(png).any()
    assert len(png) < 500


@pytest.mark.parametrize("shape", [(1, 1), (1, 70_000), (70_000, 1)])
def test_pictures_of_extreme_shapes(shape: tuple[int, int]) -> None:
    bitmap = np.ones(shape, np.uint8)
    np.testing.assert_array_equal(_decoded(png_of_bitmap(bitmap)), bitmap)


def test_tensorflow_decodes_zeros_and_ones() -> None:
    tf = pytest.importorskip("tensorflow")
    bitmap = _box(48, 64, 5, 6, 40, 30)
    decoded = tf.io.decode_png(png_of_bitmap(bitmap), channels=1)
    np.testing.assert_array_equal(decoded[..., 0], bitmap)
