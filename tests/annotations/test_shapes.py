from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.annotations.shapes import bounds, box_ring, ellipse_box, ellipse_ring, turned
from transforms.records import Box

numbers = st.floats(-1000, 1000)
radii = st.floats(0.1, 1000)


def test_bounds_of_rings() -> None:
    assert bounds([(3, 4, 1, 9), (2, 2)]) == Box(1, 2, 3, 9)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_bounds_of_what_is_not_finite_are_no_numbers(bad: float) -> None:
    assert all(map(math.isnan, bounds([(0, 0, 1, bad)])))


@pytest.mark.parametrize(
    ("angle", "expected"),
    [(0, (0, 0, 4, 0, 4, 2, 0, 2)), (90, (0, 0, 0, 4, -2, 4, -2, 0)), (-180, (0, 0, -4, 0, -4, -2, 0, -2))],
)
def test_turned_clockwise_about_the_top_left_corner(angle: float, expected: tuple[float, ...]) -> None:
    assert turned(box_ring(Box(0, 0, 4, 2)), angle, 0, 0) == pytest.approx(expected)


def test_angle_that_is_no_number_makes_a_box_that_is_none() -> None:
    assert all(map(math.isnan, bounds([turned((0, 0, 1, 1), math.inf, 0, 0)])))


@given(numbers, numbers, radii, radii, st.floats(-720, 720))
def test_ellipse_lies_in_its_box_and_touches_it(x: float, y: float, a: float, b: float, angle: float) -> None:
    box, ring = ellipse_box(x, y, a, b, angle), bounds([ellipse_ring(x, y, a, b, angle)])
    slack = 0.01 * max(a, b)
    assert box == pytest.approx(ring, abs=slack)
    assert ring.xmin >= box.xmin - 1e-6
    assert ring.xmax <= box.xmax + 1e-6
    assert ring.ymin >= box.ymin - 1e-6
    assert ring.ymax <= box.ymax + 1e-6
