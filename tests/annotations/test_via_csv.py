from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.annotations.folder_reading import claims, image, images, read_data, reasons
from transforms.records import AnnotatedImage, Box, Polygons, Rejection

HEADER = "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes"
RECT = {"name": "rect", "x": 5, "y": 6, "width": 10, "height": 20}


def table(*rows: tuple[str, Any, Any], header: str = HEADER) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    for number, (name, shape, attributes) in enumerate(rows):
        cells = [item if isinstance(item, str) else json.dumps(item) for item in (shape, attributes)]
        writer.writerow([name, 1234, "{}", len(rows), number, *cells])
    return f"{header}\n{text.getvalue()}"


SAMPLE = "via_region_data.csv", table(("a.jpg", RECT, {"class": "고양이"}))


@given(
    st.lists(
        st.tuples(st.sampled_from(["a.jpg", "b.jpg"]), *[st.floats(1, 999, allow_subnormal=False)] * 4),
        unique=True,
        max_size=9,
    )
)
def test_written_regions_are_read(rows: list[tuple[str, float, float, float, float]]) -> None:
    shapes = [dict(zip(("x", "y", "width", "height"), row[1:], strict=True), name="rect") for row in rows]
    text = table(*((row[0], shape, {"class": "cat"}) for row, shape in zip(rows, shapes, strict=True)))
    found = images(read_data("via_csv", text, "a.csv"))
    assert {name: [item.box for item in found[name].objects] for name in found} == {
        name: [Box(x, y, x + width, y + height) for file, x, y, width, height in rows if file == name]
        for name in {row[0] for row in rows}
    }


@pytest.mark.parametrize(
    "header", [HEADER, "#" + HEADER, HEADER.replace("file_size", "size").replace("filename", "#filename")]
)
def test_polygons_and_images_without_regions(header: str) -> None:
    ring = {"name": "polygon", "all_points_x": [1, 5, 5], "all_points_y": [2, 2, 9]}
    text = table(("i.jpg", ring, {"name": "고양이"}), ("none.jpg", "{}", "{}"), header=header)
    found = images(read_data("via_csv", "\ufeff" + text, "a.csv"))
    (item,) = found["i.jpg"].objects
    assert (item.box, item.class_name, item.mask) == (Box(1, 2, 5, 9), "고양이", Polygons(((1, 2, 5, 2, 5, 9),)))
    assert found["none.jpg"].objects == ()
    assert claims(text, ".csv") == ["via_csv"]


AWKWARD: dict[str, tuple[Any, Any, str]] = {
    "point": ({"name": "point", "cx": 1, "cy": 2}, {"class": "cat"}, "shape_unsupported"),
    "no width": ({"name": "rect", "x": 5, "y": 6, "height": 20}, {"class": "cat"}, "field_missing"),
    "text for a number": (RECT | {"x": "left"}, {"class": "cat"}, "field_not_number"),
    "zero width": (RECT | {"width": 0}, {"class": "cat"}, "box_empty"),
    "no class": (RECT, {}, "field_missing"),
    "shape that is no JSON": ('{"name":', {"class": "cat"}, "annotation_unreadable"),
    "shape that is no object": ("[1]", {"class": "cat"}, "annotation_unreadable"),
    "the same region again": (RECT, {"class": "cat"}, "dup_box"),
}


@pytest.mark.parametrize("case", AWKWARD)
def test_awkward_region(case: str) -> None:
    shape, attributes, reason = AWKWARD[case]
    text = table(("i.jpg", RECT, {"class": "cat"}), ("i.jpg", shape, attributes))
    found = image(read_data("via_csv", text, "a.csv"))
    assert reasons(found) == [f"line 3: {reason}"]
    assert len(found.objects) == 1


@pytest.mark.parametrize(("row", "reason"), [("i.jpg,1,{}", "field_count"), (",1,{},1,0,{},{}", "field_missing")])
def test_row_of_no_image(row: str, reason: str) -> None:
    (refused,) = read_data("via_csv", f"{HEADER}\n{row}", "a.csv")
    assert isinstance(refused, Rejection)
    assert (refused.reason, len(refused.problems)) == (reason, 1)


@pytest.mark.parametrize("data", ["", "a,b\n1,2", b"\xff\xff"])
def test_no_table_of_via(data: str | bytes) -> None:
    (refused,) = read_data("via_csv", data, "a.csv")
    assert isinstance(refused, Rejection)


@given(st.binary(max_size=80))
def test_any_bytes_after_a_header_are_accounted_for(data: bytes) -> None:
    for reading in read_data("via_csv", HEADER.encode() + b"\n" + data, "a.csv"):
        assert isinstance(reading, AnnotatedImage | Rejection)
