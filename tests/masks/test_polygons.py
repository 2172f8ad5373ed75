from __future__ import annotations

import math

import numpy as np
import pytest

from tests.masks.outlines import coco_bitmap, coco_rle, random_ring
from transforms.ledger.reasons import Reason
from transforms.masks.mask_png import bitmap_of_columns, mask_offset
from transforms.masks.mask_refused import MaskRefused
from transforms.masks.polygons import changes_of_polygons, passed_over

SQUARE = (1.0, 1.0, 4.0, 1.0, 4.0, 3.0, 1.0, 3.0)


def bitmap_of(*rings: tuple[float, ...], width: int = 6, height: int = 5) -> np.ndarray[tuple[int, int], np.dtype]:
    changes = changes_of_polygons([rings], width, height)
    assert len(changes) % 2 == 0
    return bitmap_of_columns(changes, width, height)


@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.slow)])
def test_pixels_are_pycocotools(count: int) -> None:
    random = np.random.default_rng(count)
    for _ in range(count):
        width, height = (int(side) for side in random.integers(1, 200, 2))
        rings = [random_ring(random, width, height) for _ in range(random.integers(1, 4))]
        expected = coco_bitmap(coco_rle(rings, width, height))
        np.testing.assert_array_equal(bitmap_of(*rings, width=width, height=height), expected, err_msg=str(rings))


def test_the_pixels_of_a_rectangle_are_those_within_it() -> None:
    expected = np.zeros((5, 6), np.uint8)
    expected[1:3, 1:4] = 1
    np.testing.assert_array_equal(bitmap_of(SQUARE), expected)


def test_rings_are_united() -> None:
    moved = tuple(number + 1 for number in SQUARE)
    np.testing.assert_array_equal(bitmap_of(SQUARE, moved), bitmap_of(SQUARE) | bitmap_of(moved))
    np.testing.assert_array_equal(bitmap_of(SQUARE, SQUARE), bitmap_of(SQUARE))


@pytest.mark.parametrize("most_rings", [1, 4])
def test_several_masks_at_once_are_the_same(most_rings: int) -> None:
    random = np.random.default_rng(0)
    width, height = 90, 70
    masks = [[random_ring(random, width, height) for _ in range(random.integers(1, most_rings + 1))] for _ in range(20)]
    single = [changes_of_polygons([rings], width, height) for rings in masks]
    together = [changes + mask_offset(number, width, height) for number, changes in enumerate(single)]
    np.testing.assert_array_equal(changes_of_polygons(masks, width, height), np.concatenate(together))


def test_points_are_placed_first() -> None:
    rings = [tuple(number / 100 for number in SQUARE)]
    changes = changes_of_polygons([rings], 6, 5, lambda points: points * 100)
    np.testing.assert_array_equal(bitmap_of_columns(changes, 6, 5), bitmap_of(SQUARE))


@pytest.mark.parametrize("far", [200, 2e8, 1e9, 1e18, 1e300])
def test_points_far_outside(far: float) -> None:
    """The whole picture, its right half, and none of it."""
    assert bitmap_of((-far, -far, far, -far, far, far, -far, far)).all()
    right = np.tile([0, 0, 0, 1, 1, 1], (5, 1))
    np.testing.assert_array_equal(bitmap_of((3, -far, far, -far, far, far, 3, far)), right)
    assert not bitmap_of((-far, 0, -5, 0, -5, 4, -far, 4)).any()


def test_a_circle_of_a_million_points_in_a_large_picture() -> None:
    angles = np.linspace(0, 2 * np.pi, 1_000_000)
    ring = tuple(np.stack([4000 + 3000 * np.cos(angles), 4000 + 3000 * np.sin(angles)], axis=1).reshape(-1).tolist())
    changes = changes_of_polygons([[ring]], 8000, 8000)
    assert (changes[1::2] - changes[0::2]).sum() == pytest.approx(np.pi * 3000**2, rel=1e-4)


INVALID = {
    "no ring": ((), "none of its 0 rings"),
    "empty ring": (((),), "none of its 1 rings"),
    "one point": (((1, 1),), "none of its 1 rings"),
    "two points": (((1, 1, 4, 4), ()), "none of its 2 rings"),
    "odd length": (((*SQUARE, 5),), "9 numbers"),
    "odd length beside a whole ring": ((SQUARE, (1, 2, 3)), "3 numbers"),
    "NaN": (((*SQUARE, math.nan, 1),), "not finite"),
    "infinite": (((*SQUARE, 1, -math.inf),), "not finite"),
    "beyond float64": (((*SQUARE, 10**400, 1),), "no number"),
    "crosses all columns over and over": (((0, 0, 6, 5, 0, 5, 6, 0) * 50_000,), "cross columns"),
}


@pytest.mark.parametrize(("rings", "detail"), INVALID.values(), ids=INVALID)
def test_invalid(rings: tuple[tuple[float, ...], ...], detail: str) -> None:
    with pytest.raises(MaskRefused, match=detail) as refused:
        changes_of_polygons([rings], 6, 5)
    assert refused.value.reason == Reason.POLY_INVALID


def test_rings_without_an_area_are_passed_over() -> None:
    rings = (SQUARE, (1, 1, 4, 4), ())
    np.testing.assert_array_equal(bitmap_of(*rings), bitmap_of(SQUARE))
    assert "2 of its 3 rings" in passed_over(rings)
    assert passed_over((SQUARE,)) == ""
