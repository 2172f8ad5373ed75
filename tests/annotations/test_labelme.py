from __future__ import annotations

import base64
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.annotations.reading import image, reasons
from tests.sample_data import png
from transforms.annotations.labelme import read, sniff
from transforms.records import Box, ImageLabel, MaskBitmap, ObjectAnnotation, Polygons

coordinates = st.floats(-10, 500, allow_nan=False).map(lambda value: round(value, 3))
points = st.tuples(coordinates, coordinates)
names = st.sampled_from(["cat", "고양이", "big dog"])


def shape(label: Any = "cat", kind: Any = "rectangle", points: Any = ((1, 2), (11, 22)), **more: Any) -> dict[str, Any]:
    return {"label": label, "points": points, "group_id": None, "shape_type": kind, "flags": {}, **more}


def labelme(*shapes: Any, path: Any = "a.jpg", **more: Any) -> dict[str, Any]:
    size = {"imageHeight": 30, "imageWidth": 40}
    return {"version": "5.5.0", "flags": {}, "shapes": shapes, "imagePath": path, "imageData": None, **size, **more}


SAMPLE = "a.json", labelme(shape("고양이"), shape("고양이", "polygon", [(1, 2), (3, 4), (5, 9)]))


@given(st.lists(st.tuples(names, st.none() | st.lists(points, min_size=3, max_size=6), points, points), max_size=5))
def test_what_was_written_is_read(drawn: list[Any]) -> None:
    shapes, expected = [], []
    for index, (name, polygon, first, second) in enumerate(drawn):
        corners = polygon or [first, second]
        (xs, ys) = zip(*corners, strict=True)
        mask = Polygons((tuple(value for point in polygon for value in point),)) if polygon else None
        box = Box(min(xs), min(ys), max(xs), max(ys))
        shapes.append(shape(name, "polygon" if polygon else "rectangle", corners))
        expected.append(ObjectAnnotation(box, name, position=f"shapes[{index}]", mask=mask))
    found = image(read, labelme(*shapes))
    assert list(found.objects) == expected
    assert (found.file_name, found.width, found.height, found.problems) == ("a.jpg", 40, 30, ())


@pytest.mark.parametrize("corners", [[(1, 2), (11, 22)], [(11, 22), (1, 2)], [(1, 22), (11, 2)], [(11, 2), (1, 22)]])
def test_corners_stand_in_any_order(corners: Any) -> None:
    assert image(read, labelme(shape(points=corners))).objects[0].box == Box(1, 2, 11, 22)


def test_circle() -> None:
    (item,) = image(read, labelme(shape(kind="circle", points=[(10, 20), (13, 24)]))).objects
    assert item.box == pytest.approx(Box(5, 15, 15, 25))
    assert isinstance(item.mask, Polygons)
    (ring,) = item.mask.rings
    assert all(math.dist((10, 20), point) == pytest.approx(5) for point in zip(ring[::2], ring[1::2], strict=True))


def test_mask_covers_its_last_pixel() -> None:
    mask = base64.b64encode(png(11, 21)).decode()
    (item,) = image(read, labelme(shape(kind="mask", mask=mask))).objects
    assert item.box == Box(1, 2, 12, 23)
    assert item.mask == MaskBitmap(png(11, 21), 1, 2)


def test_mask_that_is_none_leaves_the_box() -> None:
    (item,) = image(read, labelme(shape(kind="mask", mask="?"))).objects
    assert item.mask == MaskBitmap(b"", 1, 2)


def test_polygons_of_a_group_are_one_object() -> None:
    rings = [((0, 0), (4, 0), (4, 4)), ((10, 10), (20, 10), (20, 30))]
    parts = [shape("cat", "polygon", ring, group_id=1) for ring in rings]
    others = [shape("dog", "polygon", rings[0], group_id=1), shape("cat", "rectangle", group_id=1)]
    found = image(read, labelme(parts[0], *others, parts[1])).objects
    assert [(item.class_name, item.box_id, item.box) for item in found] == [
        ("cat", "1", Box(0, 0, 20, 30)),
        ("dog", "1", Box(0, 0, 4, 4)),
        ("cat", "1", Box(1, 2, 11, 22)),
    ]
    assert found[0].mask == Polygons(((0, 0, 4, 0, 4, 4), (10, 10, 20, 10, 20, 30)))


def test_flags() -> None:
    flags = {"occluded": True, "truncated": False, "Night ": True}
    found = image(read, labelme(shape(flags=flags, difficult=True), flags=flags | {"a\0": True, "x": 1}))
    (item,) = found.objects
    assert (item.occluded, item.truncated, item.difficult) == (True, False, True)
    assert found.labels == (ImageLabel("occluded"), ImageLabel("Night"))


@pytest.mark.parametrize(
    ("path", "name", "is_named_by_file"),
    [("..\\images\\a.jpg", "..\\images\\a.jpg", False), (None, "1", True), (" ", "1", True), (7, "1", True)],
)
def test_names(path: Any, name: str, is_named_by_file: bool) -> None:
    found = image(read, labelme(path=path), "x/1.json")
    assert (found.file_name, found.folder, found.is_named_by_file) == (name, "x", is_named_by_file)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ([], ["!field_missing"]),
        ("{", ["!annotation_unreadable"]),
        ("[" * 100_000, ["!annotation_unreadable"]),
        (b"\xff\xff\x81", ["!annotation_unreadable"]),
        ('{"shapes": [], "shapes": []}', ["!json_duplicate_key"]),
        ({"shapes": 3}, ["!field_missing"]),
        ({"shapes": None}, []),
        (labelme(3), ["-field_missing"]),
        ('{"shapes": [{"label": "a", "label": "b"}]}', ["-json_duplicate_key"]),
        (labelme(shape(None)), ["-field_missing"]),
        (labelme(shape(" ")), ["-field_missing"]),
        (labelme(shape(True)), ["-field_missing"]),
        (labelme(shape("a\0")), ["-name_not_unicode"]),
        (labelme(shape("\ud800")), ["-name_not_unicode"]),
        (labelme(shape(7)), ["ok"]),
        (labelme(shape(kind="point", points=[(1, 2)])), ["-shape_unsupported"]),
        (labelme(shape(kind="line")), ["-shape_unsupported"]),
        (labelme(shape(kind="linestrip")), ["-shape_unsupported"]),
        (labelme(shape(kind=["polygon"])), ["-shape_unsupported"]),
        (labelme(shape(kind=None, points=[(1, 2), (3, 4), (5, 9)])), ["ok"]),
        (labelme(shape(points=None)), ["-field_missing"]),
        (labelme(shape(points=[(1, 2)])), ["-field_missing"]),
        (labelme(shape(points=[(1, 2), (3,)])), ["-field_missing"]),
        (labelme(shape(points=[(1, 2), 3])), ["-field_missing"]),
        (labelme(shape(points=[(1, 2), (None, 3)])), ["-field_not_number"]),
        (labelme(shape(points=[(1, 2), (True, 3)])), ["-field_not_number"]),
        (labelme(shape(points=[(1, 2), ("1,5", 3)])), ["-field_not_number"]),
        (labelme(shape(points=[(1, 2), (10**400, 3)])), ["ok"]),  # infinite: the check of boxes drops it
        (labelme(shape(kind="mask", points=[(1, 2), (1e300, math.nan)])), ["ok"]),
        ("9" * 5000, ["!annotation_unreadable"]),
    ],
)
def test_awkward(content: Any, expected: list[str]) -> None:
    assert reasons(read, content) == expected


@pytest.mark.parametrize(
    ("head", "is_labelme"),
    [
        (b'{"version": "4.5.6", "flags": {}, "shapes": [{"lab', True),
        (b'{"shapes": {}}', False),
        (b'{"a": {"shapes": []}}', False),
        (b"", False),
    ],
)
def test_sniffing(head: bytes, is_labelme: bool) -> None:
    assert sniff(head) == is_labelme
