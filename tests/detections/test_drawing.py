from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from transforms.detections.drawing import class_colour, draw_detections

FIRST_COLOUR = (36, 96, 242)
NONE = np.zeros((0, 4), np.float32)


def _draw(pixels: np.ndarray, box: list[float], score: float = 0.5, **more: np.ndarray) -> np.ndarray:
    return draw_detections(
        pixels,
        np.array([box], np.float32),
        np.array([score], np.float32),
        np.array([7], np.int32),
        ["dog"],
        **more,
    )


def _ground(height: int = 240, width: int = 320, value: int = 90) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


def test_a_box_is_drawn_on_its_edges_and_not_inside() -> None:
    before = _ground()
    shown = _draw(before, [0.5, 0.25, 0.75, 0.75])
    colour = class_colour(7)
    for y, x in [(120, 160), (179, 160), (150, 80), (150, 239)]:
        assert tuple(shown[y, x]) == colour
    for y, x in [(150, 160), (185, 160), (150, 75), (150, 245)]:
        assert tuple(shown[y, x]) == (90, 90, 90)
    assert (before == 90).all(), "the caller's frame is left alone"


def test_nothing_to_draw_changes_nothing() -> None:
    pixels = _ground()
    empty = np.zeros(0)
    assert np.array_equal(draw_detections(pixels, NONE, empty, empty, []), pixels)


@pytest.mark.parametrize("value", [0, 90, 255])
def test_the_label_stands_out_on_any_ground(value: int) -> None:
    shown = _draw(_ground(value=value), [0.5, 0.25, 0.75, 0.75])
    above = shown[:119]
    rows, columns = np.nonzero((above == class_colour(7)).all(axis=2))
    tag = above[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    assert tag.shape[0] >= 12
    assert tag.shape[1] >= 40
    text = np.abs(_luma(tag) - _luma(np.array(class_colour(7)))) > 90
    assert 0.05 < text.mean() < 0.5


def _luma(colours: np.ndarray) -> np.ndarray:
    return colours @ np.array([0.299, 0.587, 0.114])


def test_text_grows_with_the_frame() -> None:
    def rows_of_tag(height: int, width: int) -> int:
        shown = _draw(_ground(height, width), [0.5, 0.25, 0.75, 0.75])
        return int((shown[: height // 2, width // 4 + 2] != 90).any(axis=1).sum())

    assert rows_of_tag(240, 320) < rows_of_tag(1080, 1920)


@pytest.mark.parametrize("box", [[0, 0, 0.1, 0.1], [0, 0.97, 1, 1], [0.99, 0.99, 1, 1], [0.5, 0.5, 0.5001, 0.5001]])
def test_labels_stay_within_the_frame(box: list[float]) -> None:
    shown = _draw(_ground(), box)
    drawn = np.argwhere((shown == class_colour(7)).all(axis=2))
    assert len(drawn) > 100


def test_neighbouring_classes_differ_and_colours_are_stable() -> None:
    colours = [class_colour(number) for number in range(1, 91)]
    assert len(set(colours)) == 90
    for one, other in pairwise(colours):
        assert sum(abs(a - b) for a, b in zip(one, other, strict=True)) > 60
    # Drawings of different runs are compared by eye: a class must not change its colour.
    assert colours[0] == FIRST_COLOUR


def test_masks_tint_and_key_points_dot() -> None:
    mask = np.zeros((1, 4, 4), np.float32)
    mask[0, :, :2] = 1.0  # the left half of the box
    shown = _draw(_ground(), [0.5, 0.25, 1.0, 0.75], masks=mask)
    assert tuple(shown[180, 110]) != (90, 90, 90)
    assert tuple(shown[180, 210]) == (90, 90, 90)
    points = np.array([[[0.75, 0.5], [np.nan, 0.1]]], np.float32)
    shown = _draw(_ground(), [0.5, 0.25, 1.0, 0.75], keypoints=points)
    assert tuple(shown[180, 160]) == class_colour(7)
