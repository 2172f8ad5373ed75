from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.annotations.reading import image, readings, reasons
from transforms.annotations.vott import read, sniff
from transforms.records import AnnotatedImage, Box, DeclaredClasses, ObjectAnnotation, Polygons

numbers = st.integers(-40, 400).map(lambda value: value / 4)
sides = st.integers(1, 400).map(lambda value: value / 4)


def region(tags: Any = ("cat",), box: Any = (1, 2, 10, 20), kind: Any = "RECTANGLE", **more: Any) -> dict[str, Any]:
    bounding_box = dict(zip(("left", "top", "width", "height"), box, strict=True))
    return {"id": "r", "type": kind, "tags": tags, "boundingBox": bounding_box, "points": [], **more}


def asset(*regions: Any, name: Any = "a.jpg", path: Any = "file:C:/Users/kim/my%20photos/a.jpg", **more: Any) -> Any:
    described = {"format": "jpg", "id": "f00", "name": name, "path": path, "size": {"width": 40, "height": 30}}
    return {"asset": {**described, "state": 2, "type": 1, **more}, "regions": regions, "version": "2.2.0"}


def export(*assets: Any, tags: Any = ()) -> dict[str, Any]:
    start = {"name": "project", "securityToken": "x", "videoSettings": {"frameExtractionRate": 15}}
    return {**start, "tags": tags, "id": "p", "assets": {str(index): item for index, item in enumerate(assets)}}


SAMPLE = (
    "vott.json",
    export(asset(region(["고양이"]), region(kind="POLYGON", points=[{"x": 1, "y": 2}])), tags=[{"name": "cat"}]),
)


@given(
    st.lists(st.tuples(st.sampled_from(["cat", "고양이"]), numbers, numbers, sides, sides), max_size=4), st.booleans()
)
def test_what_was_written_is_read(drawn: list[Any], is_export: bool) -> None:
    written = asset(*(region([name], box) for name, *box in drawn))
    found = image(read, export(written) if is_export else written)
    assert list(found.objects) == [
        ObjectAnnotation(Box(x, y, x + width, y + height), name, box_id="r", position=f"regions[{index}]")
        for index, (name, x, y, width, height) in enumerate(drawn)
    ]
    assert (found.file_name, found.other_names) == ("C:/Users/kim/my photos/a.jpg", ("a.jpg",))
    assert (found.image_id, found.width, found.height) == ("f00", 40, 30)


def test_tags_are_declared_in_their_order() -> None:
    tags = [{"name": "dog", "color": "#fff"}, {"name": " cat "}, {"name": "dog"}, {}, 7]
    *_, declared = readings(read, export(asset(), tags=tags))
    assert declared == DeclaredClasses((("dog", 1), ("cat", 2)))


def test_polygon_and_region_of_two_tags() -> None:
    points = [{"x": 1, "y": 2}, {"x": 11, "y": 2}, {"x": 11, "y": 22}]
    found = image(read, asset(region(kind="POLYGON", points=points), region(["cat", "wet"])))
    assert found.objects[0].mask == Polygons(((1, 2, 11, 2, 11, 22),))
    assert [item.class_name for item in found.objects] == ["cat", "cat", "wet"]


def test_frame_of_a_video() -> None:
    found = image(read, asset(region(), name="a.mp4#t=1.5", parent={"name": "a.mp4"}, timestamp=1.5))
    assert (found.fields, found.other_names) == ((("video", "a.mp4"),), ("a.mp4#t=1.5",))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("{", ["!annotation_unreadable"]),
        ('{"asset": {', ["!annotation_unreadable"]),
        ('{"asset": {"name": "a", "name": "b"}}', ["!json_duplicate_key"]),
        ('{"tags": [], "assets": {"0": {"asset"', ["!annotation_unreadable"]),
        (export(3), ["!field_missing"]),
        (export({}), ["!field_missing"]),
        ({"assets": [asset()]}, []),
        (export(asset(region(), name="", path="")), ["!field_missing", "-field_missing"]),
        (export(asset(state=0)), ["!not_annotated"]),
        (export(asset(state=1)), []),
        (asset() | {"regions": 3}, ["!field_missing"]),
        (asset(3), ["-field_missing"]),
        (asset(region([])), ["-field_missing"]),
        (asset(region(None)), ["-field_missing"]),
        (asset(region(["cat", None])), ["-field_missing"]),
        (asset(region(kind="POINT")), ["-shape_unsupported"]),
        (asset(region(kind="POLYLINE")), ["-shape_unsupported"]),
        (asset(region(kind="POLYGON")), ["-field_missing"]),
        (asset(region() | {"boundingBox": None}), ["-field_missing"]),
        (asset(region(box=(1, 2, 3, None))), ["-field_missing"]),
        (asset(region(box=(1, 2, 3, False))), ["-field_not_number"]),
        (asset(region(box=(1, 2, 0, 3))), ["-box_empty"]),
    ],
)
def test_awkward(content: Any, expected: list[str]) -> None:
    assert reasons(read, content) == expected


def test_each_asset_of_an_export_is_an_image() -> None:
    found = readings(read, export(asset(name="a.jpg"), asset(name="b.jpg")))
    assert sum(isinstance(item, AnnotatedImage) for item in found) == 2


@pytest.mark.parametrize(
    ("head", "is_vott"),
    [
        (b'{"asset": {"format": "jpg", "state": 2', True),
        (b'{"name": "x", "videoSettings": {}, "tags": [{"name', True),
        (b'{"assets": {', True),
        (b'{"asset": {"version": "2.0"}}', False),
        (b'{"tags": []}', False),
    ],
)
def test_sniffing(head: bytes, is_vott: bool) -> None:
    assert sniff(head) == is_vott
