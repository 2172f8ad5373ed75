from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.examples.check_boxes import check_box, check_objects
from transforms.examples.checked_objects import MIN_SIDE_PIXELS
from transforms.examples.geometry import Geometry
from transforms.ledger.reasons import Reason
from transforms.records import Box, ObjectAnnotation

sizes = st.integers(1, 70_000)
edges = st.floats() | st.floats(-50, 150) | st.integers(-10, 110).map(float)


@given(edges, edges, edges, edges, sizes, sizes)
def test_kept_boxes_are_ordered_and_inside(x0: float, y0: float, x1: float, y1: float, width: int, height: int) -> None:
    box, reasons, _ = check_box(Box(x0, y0, x1, y1), width, height)
    if box is None:
        assert len(reasons) == 1
        assert reasons[0] in (Reason.BOX_EMPTY, Reason.BOX_OUTSIDE, Reason.BOX_NOT_FINITE)
        return
    assert 0 <= box.xmin < box.xmax <= width
    assert 0 <= box.ymin < box.ymax <= height
    assert min(box.xmax - box.xmin, box.ymax - box.ymin) >= MIN_SIDE_PIXELS
    assert set(reasons) <= {Reason.BOX_SWAPPED, Reason.BOX_CLIPPED}
    assert (box == Box(x0, y0, x1, y1)) == (not reasons)
    for edge, size in ((box.xmin, width), (box.xmax, width), (box.ymin, height), (box.ymax, height)):
        (stored,) = struct.unpack("<f", struct.pack("<f", edge / size))
        assert 0 <= stored <= 1


@given(edges, edges, edges, edges)
def test_checking_twice_changes_nothing(x0: float, y0: float, x1: float, y1: float) -> None:
    box, _, _ = check_box(Box(x0, y0, x1, y1), 100, 80)
    if box is not None:
        assert check_box(box, 100, 80) == (box, (), "")


SWAPPED, CLIPPED = Reason.BOX_SWAPPED, Reason.BOX_CLIPPED
EMPTY, OUTSIDE, NOT_FINITE = (Reason.BOX_EMPTY,), (Reason.BOX_OUTSIDE,), (Reason.BOX_NOT_FINITE,)


@pytest.mark.parametrize(
    ("given_edges", "kept", "reasons"),
    [
        ((1, 2, 3, 4), (1, 2, 3, 4), ()),
        ((0, 0, 100, 80), (0, 0, 100, 80), ()),
        ((3, 2, 1, 4), (1, 2, 3, 4), (SWAPPED,)),
        ((3, 4, 1, 2), (1, 2, 3, 4), (SWAPPED,)),
        ((90, 0, 110, 80), (90, 0, 100, 80), (CLIPPED,)),
        ((110, 0, 90, 80), (90, 0, 100, 80), (SWAPPED, CLIPPED)),
        ((-0.002, 0, 50, 80), (0, 0, 50, 80), (CLIPPED,)),
        ((-10, -10, 200, 200), None, OUTSIDE),
        ((-5, -5, 105, 85), (0, 0, 100, 80), (CLIPPED,)),
        ((75, 0, 175, 80), (75, 0, 100, 80), (CLIPPED,)),
        ((76, 0, 176, 80), None, OUTSIDE),
        ((100, 0, 110, 80), None, OUTSIDE),
        ((-10, 0, 0, 80), None, OUTSIDE),
        ((5, 5, 5, 9), None, EMPTY),
        ((5, 5, 5.009, 9), None, EMPTY),
        ((5, 5, 5.011, 9), (5, 5, 5.011, 9), ()),
        ((math.nan, 0, 1, 1), None, NOT_FINITE),
        ((0, 0, math.inf, 1), None, NOT_FINITE),
        ((-math.inf, 0, math.inf, 1), None, NOT_FINITE),
        ((-1e300, -1e300, 1e300, 1e300), None, OUTSIDE),
    ],
)
def test_cases(given_edges: tuple[float, ...], kept: tuple[float, ...] | None, reasons: tuple[Reason, ...]) -> None:
    box, found, detail = check_box(Box(*given_edges), 100, 80)
    assert (box, found) == (None if kept is None else Box(*kept), reasons)
    assert bool(detail) == bool(reasons)


def test_rounding_past_the_border_is_told_from_clipping() -> None:
    assert "by rounding only" in check_box(Box(-0.002, 0, 50, 80), 100, 80)[2]
    assert "by rounding only" not in check_box(Box(-2, 0, 50, 80), 100, 80)[2]


def test_fractions_are_scaled_by_the_picture() -> None:
    (checked,), problems = check_objects([ObjectAnnotation(Box(0.1, 0.25, 0.5, 1), "cat")], Geometry(1, 1, 100, 80))
    assert checked.box == Box(10, 20, 50, 80)
    assert problems == []


def test_an_annotated_area_shrinks_with_the_picture() -> None:
    geometry = Geometry(100, 80, 50, 40, area_scale=0.25)
    (checked,), _ = check_objects([ObjectAnnotation(Box(10, 20, 50, 80), "cat", area=1000.0)], geometry)
    assert (checked.box, checked.area) == (Box(5, 10, 25, 40), 250.0)


def test_each_reason_is_a_row_of_its_own() -> None:
    items = [ObjectAnnotation(Box(110, 0, 90, 80), "cat", "7", "object 1"), ObjectAnnotation(Box(5, 5, 5, 5), "dog")]
    checked, problems = check_objects(items, Geometry(100, 80, 100, 80))
    assert [item.annotation for item in checked] == items[:1]
    assert [(row.position, row.status, row.reason) for row in problems] == [
        ("object 1", "repaired", "box_swapped"),
        ("object 1", "repaired", "box_clipped"),
        ("", "dropped", "box_empty"),
    ]


@pytest.mark.parametrize(
    ("annotated", "area"),
    [(None, 50.0), (7.0, 7.0), (0.0, 0.0), (math.nan, 50.0), (math.inf, 50.0), (-3.0, 50.0), (1e39, 50.0)],
)
def test_area_is_always_a_number(annotated: float | None, area: float) -> None:
    (checked,), _ = check_objects(
        [ObjectAnnotation(Box(0, 0, 10, 5), "cat", area=annotated)], Geometry(100, 80, 100, 80)
    )
    assert checked.area == area
