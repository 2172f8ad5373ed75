from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.annotations.folder_reading import claims, class_ids, image, images, read_data, read_folder, reasons
from transforms.annotations.visdrone import CLASSES
from transforms.records import AnnotatedImage, Box, Rejection

LINE = "684,8,273,116,1,4,1,2"


SAMPLE = "0000001.txt", f"{LINE}\n"


@given(st.lists(st.tuples(*[st.integers(1, 2000)] * 4, st.integers(1, 11)), unique=True, max_size=9))
def test_written_boxes_are_read(rows: list[tuple[int, int, int, int, int]]) -> None:
    lines = [f"{x},{y},{width},{height},1,{category},0,0" for x, y, width, height, category in rows]
    found = image(read_data("visdrone", "\n".join(lines)))
    assert [(item.box, item.class_name) for item in found.objects] == [
        (Box(x, y, x + width, y + height), CLASSES[category - 1]) for x, y, width, height, category in rows
    ]


@pytest.mark.parametrize("line", [LINE, LINE + ",", LINE.replace(",", ", "), LINE + "\r"])
def test_flags(line: str) -> None:
    readings = read_data("visdrone", line)
    (item,) = image(readings).objects
    assert (item.class_name, item.truncated, item.occluded) == ("car", True, True)
    assert class_ids(readings)["others"] == 11


AWKWARD = {
    "ignored region": ("1,2,3,4,0,0,0,0", "ignore_region"),
    "not evaluated": ("1,2,3,4,0,4,0,0", "ignore_region"),
    "no such category": ("1,2,3,4,1,12,0,0", "unknown_class"),
    "half a category": ("1,2,3,4,1,1.5,0,0", "unknown_class"),
    "category nan": ("1,2,3,4,1,nan,0,0", "unknown_class"),
    "zero width": ("1,2,0,4,1,4,0,0", "box_empty"),
    "negative height": ("1,2,3,-4,1,4,0,0", "box_empty"),
    "too few columns": ("1,2,3,4", "field_count"),
    "empty column": ("1,2,,4,1,4,0,0", "field_not_number"),
    "the same line again": (LINE, "dup_box"),
}


@pytest.mark.parametrize("case", AWKWARD)
def test_awkward_line(case: str) -> None:
    line, reason = AWKWARD[case]
    found = image(read_data("visdrone", f"{LINE}\n{line}\n"))
    assert reasons(found) == [f"line 2: {reason}"]
    assert len(found.objects) == 1


def test_images_and_splits(tmp_path: Path) -> None:
    place = "VisDrone2019-DET-train"
    files: dict[str, str | bytes] = {f"{place}/annotations/1.txt": LINE, f"{place}/images/1.jpg": b""}
    assert {name: item.split for name, item in images(read_folder(tmp_path, files)).items()} == {
        f"{place}/images/1.jpg": "train"
    }


@given(st.binary(max_size=60))
def test_any_bytes_are_an_image_or_a_rejection(data: bytes) -> None:
    _, found = read_data("visdrone", data)
    assert isinstance(found, AnnotatedImage | Rejection)


@pytest.mark.parametrize(
    ("head", "is_visdrone"),
    [
        (f"{LINE}\n1,2,3,4,0,0,0,0\n", True),
        (LINE + ",", True),
        ("1,2,3,4,1,44,0,0", False),
        ("1,2,3,4,1,4,0,0.5", False),
        ("1,1,10,20,30,40,1,-1,-1,-1", False),
    ],
)
def test_sniffing(head: str, is_visdrone: bool) -> None:
    assert ("visdrone" in claims(head)) == is_visdrone
