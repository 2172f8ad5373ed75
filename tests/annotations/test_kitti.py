from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.annotations.folder_reading import claims, image, images, read_data, read_folder, reasons
from transforms.records import AnnotatedImage, Box, Rejection

REST = "1.65 1.67 3.64 -0.65 1.71 46.70 -1.59"
LINE = f"Car 0.25 1 -1.58 587.01 173.33 614.12 200.12 {REST}"


SAMPLE = "000001.txt", f"{LINE}\n"


@given(st.lists(st.tuples(*[st.floats(-1e4, 1e4, allow_subnormal=False)] * 4), unique=True, max_size=9))
def test_written_boxes_are_read(rows: list[tuple[float, float, float, float]]) -> None:
    lines = [f"Van 0 0 -1 {' '.join(map(repr, row))} {REST}" for row in rows]
    assert [item.box for item in image(read_data("kitti", "\n".join(lines))).objects] == [Box(*row) for row in rows]


@pytest.mark.parametrize(
    ("truncated", "occluded", "flags"),
    [("0.00", "0", (False, False)), ("0.1", "2", (True, True)), ("-1", "-1", (None, None)), ("1", "3", (True, None))],
)
def test_truncated_and_occluded(truncated: str, occluded: str, flags: tuple[bool | None, bool | None]) -> None:
    (item,) = image(read_data("kitti", f"Car {truncated} {occluded} -1 5 6 15 26 {REST} 0.9")).objects
    assert (item.class_name, item.box) == ("Car", Box(5, 6, 15, 26))
    assert (item.truncated, item.occluded) == flags


AWKWARD = {
    "region without labels": (f"DontCare -1 -1 -10 503.89 169.71 590.61 190.13 {REST}", "ignore_region"),
    "too few columns": ("Car 0 0 0 1 2 3 4", "field_count"),
    "too many columns": (f"{LINE} 0.5 0.5", "field_count"),
    "two words": (f"Misc {LINE} 1", "field_count"),
    "no number": (LINE.replace("587.01", "x"), "field_not_number"),
    "decimal comma": (LINE.replace("587.01", "587,01"), "field_not_number"),
    "the same line again": (LINE, "dup_box"),
    "control character": (LINE.replace("Car", "C\x07r"), "name_not_unicode"),
}


@pytest.mark.parametrize("case", AWKWARD)
def test_awkward_line(case: str) -> None:
    line, reason = AWKWARD[case]
    found = image(read_data("kitti", f"{LINE}\r\n\r\n{line}"))
    assert reasons(found) == [f"line 3: {reason}"]
    assert len(found.objects) == 1


def test_images_and_splits(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "training/label_2/000001.txt": LINE,
        "training/label_2/000002.txt": "",
        "training/image_2/000001.png": b"",
        "training/image_2/000002.png": b"",
        "ImageSets/train.txt": "000001\n000002\n",
    }
    found = images(read_folder(tmp_path, files))
    assert {name: item.split for name, item in found.items()} == {
        "training/image_2/000001.png": "train",
        "training/image_2/000002.png": "train",
    }


@given(st.binary(max_size=60))
def test_any_bytes_are_an_image_or_a_rejection(data: bytes) -> None:
    (found,) = read_data("kitti", data)
    assert isinstance(found, AnnotatedImage | Rejection)


@pytest.mark.parametrize(
    ("head", "is_kitti"),
    [
        (LINE, True),
        (f"{LINE} 0.99\nDontCare -1 -1 -10 503.89 169.71 590.61 190.13 -1 -1 -1 -1000 -1000 -1000 -10", True),
        (LINE.replace("Car", "0"), False),
        ("Car 0 0 0 1 2 3 4", False),
        ("some text", False),
    ],
)
def test_sniffing(head: str, is_kitti: bool) -> None:
    assert ("kitti" in claims(head)) == is_kitti
