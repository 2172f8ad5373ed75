from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.annotations.reading import image, images, reasons
from transforms.annotations.via import read, sniff
from transforms.annotations.via_regions import class_of_region
from transforms.records import Box, ObjectAnnotation, Polygons

numbers = st.integers(-40, 400).map(lambda value: value / 4)
sides = st.integers(1, 400).map(lambda value: value / 4)
RECT = {"name": "rect", "x": 1, "y": 2, "width": 10, "height": 20}


def region(shape: Any = RECT, **attributes: Any) -> dict[str, Any]:
    return {"shape_attributes": shape, "region_attributes": attributes or {"type": "cat"}}


def entry(*regions: Any, name: Any = "a.jpg", **more: Any) -> dict[str, Any]:
    return {"filename": name, "size": 1234, "regions": regions, "file_attributes": {}, **more}


def export(*entries: Any) -> dict[str, Any]:
    return {f"{index}.jpg1234": item for index, item in enumerate(entries)}


def project(*entries: Any) -> dict[str, Any]:
    rest = {
        "_via_attributes": {"region": {}},
        "_via_data_format_version": "2.0.10",
        "_via_image_id_list": ["a.jpg1234"],
    }
    return {"_via_settings": {"ui": {}}, "_via_img_metadata": export(*entries), **rest}


SAMPLE = (
    "via_project.json",
    project(
        entry(
            region(type="고양이"),
            region({"name": "ellipse", "cx": 1, "cy": 2, "rx": 3, "ry": 4, "theta": 5}),
            region({"name": "polygon", "all_points_x": [1, 2], "all_points_y": [3, 4]}, kind={"cat": True}),
        )
    ),
)


@given(
    st.lists(st.tuples(st.sampled_from(["cat", "고양이"]), numbers, numbers, sides, sides), max_size=4),
    st.sampled_from([export, project]),
    st.booleans(),
)
def test_what_was_written_is_read(drawn: list[Any], write: Any, is_version_1: bool) -> None:
    regions = [
        region({"name": "rect", "x": x, "y": y, "width": width, "height": height}, type=name)
        for name, x, y, width, height in drawn
    ]
    written = entry(*regions)
    if is_version_1:
        written["regions"] = {str(index): item for index, item in enumerate(regions)}
    assert list(image(read, write(written)).objects) == [
        ObjectAnnotation(Box(x, y, x + width, y + height), name, position=f"regions[{index}]")
        for index, (name, x, y, width, height) in enumerate(drawn)
    ]


def test_shapes() -> None:
    polygon = region({"name": "polygon", "all_points_x": [1, 11, 11], "all_points_y": [2, 2, 22]})
    circle = region({"name": "circle", "cx": 10, "cy": 20, "r": 5})
    ellipse = region({"name": "ellipse", "cx": 10, "cy": 20, "rx": 4, "ry": 2, "theta": math.pi / 2})
    found = image(read, export(entry(polygon, circle, ellipse))).objects
    assert (found[0].box, found[0].mask) == (Box(1, 2, 11, 22), Polygons(((1, 2, 11, 2, 11, 22),)))
    assert found[1].box == pytest.approx(Box(5, 15, 15, 25))
    assert found[2].box == pytest.approx(Box(8, 16, 12, 24))


def test_names_and_attributes_of_files() -> None:
    attributes = {"caption": "a street", "public_domain": "no", "image_url": "", "n": 3}
    found = image(read, project(entry(name="https://host/x/%EA%B1%B0.jpg", file_attributes=attributes)))
    assert (found.file_name, found.fields) == ("/x/거.jpg", (("caption", "a street"), ("public_domain", "no")))


def test_repeated_entry_is_met_twice() -> None:
    twice = '{"a": {"filename": "a.jpg", "regions": []}, "a": {"filename": "a.jpg", "regions": []}}'
    assert [item.file_name for item in images(read, twice)] == ["a.jpg", "a.jpg"]


@pytest.mark.parametrize(
    ("attributes", "name"),
    [
        ({"type": "cat"}, "cat"),
        ({"Class": "cat", "type": "x"}, "cat"),
        ({"colour": "red", "label": "cat"}, "cat"),
        ({"colour": "red", "label": ""}, "red"),
        ({"kind": {"cat": True, "dog": False, "wet": True}}, ["cat", "wet"]),
        ({"name": "not_defined"}, "not_defined"),
        ({}, None),
    ],
)
def test_class_attribute(attributes: dict[str, Any], name: Any) -> None:
    assert class_of_region(attributes) == name


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ([], ["!annotation_unreadable"]),
        ('{"a.jpg1": {"filename": "a.jpg"', ["!annotation_unreadable"]),
        ({"_via_settings": {}, "_via_img_metadata": 3}, ["!annotation_unreadable"]),
        ({"a": 3}, ["!field_missing"]),
        ('{"a": {"filename": "a", "filename": "b"}}', ["!json_duplicate_key"]),
        (export(entry(region(), name=None)), ["!field_missing", "-field_missing"]),
        (export(entry() | {"regions": 3}), ["!field_missing"]),
        (export(entry() | {"regions": None}), []),
        (export(entry(3)), ["-field_missing"]),
        (export(entry(region() | {"region_attributes": {}})), ["-field_missing"]),
        (export(entry(region() | {"region_attributes": 3})), ["-field_missing"]),
        (export(entry(region(colour="red", size="big"))), ["-field_missing"]),
        (export(entry(region(kind={"cat": True, "dog": True}))), ["ok", "ok"]),
        (export(entry(region(kind={"cat": False}))), ["-field_missing"]),
        (export(entry(region(None))), ["-field_missing"]),
        (export(entry(region({"name": "point", "cx": 1, "cy": 2}))), ["-shape_unsupported"]),
        (export(entry(region({"name": "polyline"}))), ["-shape_unsupported"]),
        (export(entry(region({}))), ["-shape_unsupported"]),
        (export(entry(region(RECT | {"x": None}))), ["-field_missing"]),
        (export(entry(region(RECT | {"x": True}))), ["-field_not_number"]),
        (export(entry(region(RECT | {"width": 0}))), ["-box_empty"]),
        (export(entry(region({"name": "polygon", "all_points_x": [1, 2], "all_points_y": [1]}))), ["-field_missing"]),
        (export(entry(region({"name": "polygon", "all_points_x": [], "all_points_y": []}))), ["-field_missing"]),
        (export(entry(region({"name": "polygon", "all_points_x": [1], "all_points_y": ["?"]}))), ["-field_not_number"]),
        (export(entry(region({"name": "polygon", "all_points_x": 1, "all_points_y": [1]}))), ["-field_missing"]),
    ],
)
def test_awkward(content: Any, expected: list[str]) -> None:
    assert reasons(read, content) == expected


@pytest.mark.parametrize(
    ("head", "is_via"),
    [
        (b'{"_via_settings": {"ui": {}, ', True),
        (b'{"_via_img_metadata": {', True),
        (b'{"a.jpg1234": {"fileref": "", "size": 1, "filename": "a.jpg", "regions": {"0"', True),
        (b'{"a": {"filename": 3, "regions": []}}', False),
        (b'{"a": {"filename": "a.jpg"}}', False),
        (b"{}", False),
    ],
)
def test_sniffing(head: bytes, is_via: bool) -> None:
    assert sniff(head) == is_via
