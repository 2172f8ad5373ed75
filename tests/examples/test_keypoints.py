from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.examples.check_boxes import check_objects
from transforms.examples.geometry import Geometry
from transforms.examples.keypoints import (
    UNLABELLED,
    ClassKeypoints,
    KeypointsDisagree,
    check_keypoints,
    declared_keypoints,
    keypoint_lists,
)
from transforms.ledger.reasons import Reason
from transforms.records import Box, DeclaredClasses, Keypoint, ObjectAnnotation

WIDTH, HEIGHT = 40, 30
GEOMETRY = Geometry(WIDTH, HEIGHT, WIDTH, HEIGHT)
# "nose" is in both, at one place.
KEYPOINTS = ClassKeypoints.of({"person": ("nose", "hand"), "dog": ("tail", "nose", "paw")}, {"person": ((0, 1),)})
NAN = float("nan")


def test_keypoints_of_one_name_share_a_place() -> None:
    assert KEYPOINTS.names == ("nose", "hand", "tail", "paw")
    assert KEYPOINTS.places == {"person": (0, 1), "dog": (2, 0, 3)}
    assert KEYPOINTS.names_of("dog") == ("tail", "nose", "paw")
    assert KEYPOINTS.names_of("car") == ()


def test_declared_keypoints_come_in_the_order_of_the_classes() -> None:
    files = [
        DeclaredClasses((), (("a", ("x", "y")), ("b", ("z",))), (("a", ()),)),
        DeclaredClasses((), (("a", ("x", "y")), ("c", ("w",))), (("a", ((0, 1),)),)),
    ]
    found = declared_keypoints(["b", "a"], files)
    assert (found.names, found.skeletons) == (("z", "x", "y"), {"a": ((0, 1),)})
    assert declared_keypoints(["b", "a"], reversed(files)) == found


def test_files_that_disagree_are_refused() -> None:
    files = [DeclaredClasses((), (("a", names),)) for names in (("x", "y"), ("y", "x"))]
    with pytest.raises(KeypointsDisagree, match="class 'a' has the keypoints x, y in one annotation file and y, x"):
        declared_keypoints(["a"], files)


inside = st.builds(Keypoint, st.floats(0, WIDTH), st.floats(0, HEIGHT), st.sampled_from([1, 2]))
either = inside | st.just(UNLABELLED)


@given(st.lists(st.tuples(either, either), max_size=4))
def test_good_keypoints_are_kept_and_come_back(people: list[tuple[Keypoint, Keypoint]]) -> None:
    for points in people:
        assert check_keypoints(points, "person", GEOMETRY, KEYPOINTS) == (points, [])
    lists = keypoint_lists([("person", points) for points in people], WIDTH, HEIGHT, KEYPOINTS)
    assert len(lists.x) == len(lists.y) == len(lists.visibility) == len(KEYPOINTS.names) * len(people)
    assert lists.labelled == [sum(point.visibility > 0 for point in points) for points in people]
    for index, points in enumerate(people):
        for place, point in enumerate(points):
            at = index * len(KEYPOINTS.names) + place
            x, y = lists.x[at], lists.y[at]
            assert lists.visibility[at] == point.visibility
            if point.visibility:
                assert 0 <= x <= 1 >= y >= 0
                assert (x * WIDTH, y * HEIGHT) == pytest.approx(point[:2])
            else:
                assert math.isnan(x)
                assert math.isnan(y)


def test_each_object_has_all_places() -> None:
    dog = (Keypoint(4, 3, 2), UNLABELLED, Keypoint(40, 30, 1))
    lists = keypoint_lists([("dog", dog), ("car", None), ("person", None)], WIDTH, HEIGHT, KEYPOINTS)
    assert lists.visibility == [0, 0, 2, 1, *[0] * 8]
    assert lists.x == pytest.approx([NAN, NAN, 0.1, 1, *[NAN] * 8], nan_ok=True)
    assert lists.y == pytest.approx([NAN, NAN, 0.1, 1, *[NAN] * 8], nan_ok=True)
    assert lists.labelled == [2, 0, 0]


@pytest.mark.parametrize(
    ("point", "expected", "reason"),
    [
        ((-0.5, 3, 2), (0, 3, 2), Reason.KEYPOINT_CLIPPED),
        ((41, 31, 1), (40, 30, 1), Reason.KEYPOINT_CLIPPED),
        ((41.5, 3, 2), UNLABELLED, Reason.KEYPOINT_OUTSIDE),
        ((3, -99, 1), UNLABELLED, Reason.KEYPOINT_OUTSIDE),
        ((3, 3, 7), UNLABELLED, Reason.KEYPOINT_INVALID),
        ((3, 3, -1), UNLABELLED, Reason.KEYPOINT_INVALID),
        ((NAN, 3, 2), UNLABELLED, Reason.KEYPOINT_INVALID),
        ((3, math.inf, 1), UNLABELLED, Reason.KEYPOINT_INVALID),
        ((NAN, NAN, 0), UNLABELLED, None),
        ((99, 99, 0), UNLABELLED, None),
    ],
    ids=str,
)
def test_odd_keypoints(point: Any, expected: Any, reason: Reason | None) -> None:
    good = Keypoint(1, 2, 2)
    points, faults = check_keypoints((Keypoint(*point), good), "person", GEOMETRY, KEYPOINTS)
    assert points == (Keypoint(*expected), good)
    assert [fault for fault, _ in faults] == [reason] * (reason is not None)
    assert all("nose" in detail for _, detail in faults)


@pytest.mark.parametrize(("class_name", "count"), [("person", 1), ("person", 3), ("car", 2)])
def test_keypoints_that_are_not_those_of_the_class(class_name: str, count: int) -> None:
    points, faults = check_keypoints([UNLABELLED] * count, class_name, GEOMETRY, KEYPOINTS)
    assert points is None
    assert [reason for reason, _ in faults] == [Reason.KEYPOINTS_UNDECLARED]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_keypoints_turn_with_their_boxes(orientation: int) -> None:
    """A keypoint at a corner of a box stays at a corner of it."""
    upright = (HEIGHT, WIDTH) if orientation >= 5 else (WIDTH, HEIGHT)
    geometry = Geometry(WIDTH, HEIGHT, *upright, orientation)
    points = (Keypoint(4, 5, 2), Keypoint(14, 25, 1))
    (found,), _ = check_objects([ObjectAnnotation(Box(4, 5, 14, 25), "person", keypoints=points)], geometry, KEYPOINTS)
    assert found.annotation.keypoints is not None
    (x0, y0, _), (x1, y1, _) = found.annotation.keypoints
    assert found.box == Box(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
