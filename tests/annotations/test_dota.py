from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.annotations.folder_reading import claims, image, images, read_data, read_folder, reasons
from transforms.records import AnnotatedImage, Box, Polygons, Rejection

HEADER = "imagesource:GoogleEarth\ngsd:0.146343\n"
LINE = "20 10 40 30 30 40 10 20 large-vehicle 1"


SAMPLE = "P0001.txt", f"{HEADER}{LINE}\n"


@given(st.lists(st.tuples(*[st.floats(-1e4, 1e4, allow_subnormal=False)] * 8), unique=True, max_size=9))
def test_written_corners_are_read(rows: list[tuple[float, ...]]) -> None:
    lines = [f"{' '.join(map(repr, row))} ship 0" for row in rows]
    found = image(read_data("dota", HEADER + "\n".join(lines)))
    assert [item.mask for item in found.objects] == [Polygons((row,)) for row in rows]
    assert [item.box for item in found.objects] == [
        Box(min(row[::2]), min(row[1::2]), max(row[::2]), max(row[1::2])) for row in rows
    ]


@pytest.mark.parametrize(("grade", "difficult"), [(" 0", False), (" 1", True), (" 2", True), ("", None)])
def test_difficult(grade: str, difficult: bool | None) -> None:
    (item,) = image(read_data("dota", f"1 1 2 1 2 2 1 2 plane{grade}")).objects
    assert (item.class_name, item.difficult) == ("plane", difficult)


def test_header_becomes_fields() -> None:
    found = image(read_data("dota", HEADER + LINE))
    assert found.fields == (("imagesource", "GoogleEarth"), ("gsd", "0.146343"))
    assert found.objects[0].position == "line 3"
    assert image(read_data("dota", HEADER)).objects == ()


AWKWARD = {
    "too few columns": ("1 1 2 1 2 2 plane 0", "field_count"),
    "too many columns": (f"{LINE} 0", "field_count"),
    "no number": ("1 x 2 1 2 2 1 2 plane 0", "field_not_number"),
    "no grade": ("1 1 2 1 2 2 1 2 plane x", "field_not_number"),
    "the same line again": (LINE, "dup_box"),
    "control character": ("1 1 2 1 2 2 1 2 pl\x07ne 0", "name_not_unicode"),
}


@pytest.mark.parametrize("case", AWKWARD)
def test_awkward_line(case: str) -> None:
    line, reason = AWKWARD[case]
    found = image(read_data("dota", f"{LINE}\n{line}\n"))
    assert reasons(found) == [f"line 2: {reason}"]
    assert len(found.objects) == 1


def test_images_beside_labels(tmp_path: Path) -> None:
    files = {"train/labelTxt/P0000.txt": HEADER + LINE, "train/images/P0000.png": b""}
    assert {name: item.split for name, item in images(read_folder(tmp_path, files)).items()} == {
        "train/images/P0000.png": "train"
    }


@given(st.binary(max_size=60))
def test_any_bytes_are_an_image_or_a_rejection(data: bytes) -> None:
    (found,) = read_data("dota", data)
    assert isinstance(found, AnnotatedImage | Rejection)


@pytest.mark.parametrize(
    ("head", "is_dota"),
    [
        (HEADER + LINE, True),
        ("1.0 1.0 2.0 1.0 2.0 2.0 1.0 2.0 plane 0", True),
        (HEADER, True),
        ("1 1 2 1 2 2 1 2 3 0", False),
        ("plane 1 1 2 1 2 2 1 2", False),
    ],
)
def test_sniffing(head: str, is_dota: bool) -> None:
    assert claims(head) == (["dota"] if is_dota else [])
