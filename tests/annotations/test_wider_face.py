from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.annotations.folder_reading import claims, images, read_data, reasons
from transforms.records import AnnotatedImage, Box, Rejection

NAME = "0--Parade/0_Parade_1.jpg"
FACE = "449 330 122 149 0 0 0 0 0 0"
NONE = "0 0 0 0 0 0 0 0 0 0"


SAMPLE = "wider_face_train_bbx_gt.txt", f"{NAME}\n1\n{FACE}\n"


@given(
    st.lists(st.lists(st.tuples(*[st.integers(0, 999)] * 2, *[st.integers(1, 999)] * 2), max_size=4), max_size=5),
    st.sampled_from([" \n", "\n", "\r\n"]),
)
def test_written_faces_are_read(faces: list[list[tuple[int, int, int, int]]], end: str) -> None:
    lines: list[str] = []
    for number, boxes in enumerate(faces):
        rows = [f"{' '.join(map(str, box))} 0 0 0 0 0 0" for box in boxes]
        lines += [f"a/{number}.jpg", str(len(boxes)), *(rows or [NONE])]
    found = images(read_data("wider_face", end.join(lines), "wider_face_train_bbx_gt.txt"))
    assert {name: [item.box for item in item.objects] for name, item in found.items()} == {
        f"a/{number}.jpg": [Box(x, y, x + width, y + height) for x, y, width, height in boxes]
        for number, boxes in enumerate(faces)
    }
    assert {(item.split, item.problems) for item in found.values()} <= {("train", ())}


def test_fields() -> None:
    (item,) = images(read_data("wider_face", f"{NAME}\n1\n1 2 3 4 2 1 1 0 2 1"))[NAME].objects
    assert (item.class_name, item.occluded, item.pose, item.position) == ("face", True, "atypical", "line 3")


AWKWARD = {
    "invalid": (2, "1 2 3 4 0 0 0 1 0 0", ["line 4: ignore_region"]),
    "zero width": (2, "1 2 0 4 0 0 0 0 0 0", ["line 4: box_empty"]),
    "zeros among faces": (2, NONE, ["line 4: box_empty"]),
    "too few columns": (2, "1 2 3", ["line 4: field_count"]),
    "no number": (2, "1 2 x 4 0 0 0 0 0 0", ["line 4: field_not_number"]),
    "fewer than said": (3, "1 2 3 4 0 0 0 0 0 0", ["line 1: field_count"]),
}


@pytest.mark.parametrize("case", AWKWARD)
def test_awkward_line(case: str) -> None:
    count, line, expected = AWKWARD[case]
    found = images(read_data("wider_face", f"{NAME}\n{count}\n{FACE}\n{line}\nb.jpg\n0\n"))
    assert reasons(found[NAME]) == expected
    assert found[NAME].objects[0].box == Box(449, 330, 571, 479)
    assert found["b.jpg"].objects == ()


def test_lines_before_any_image_are_refused() -> None:
    readings = read_data("wider_face", f"{FACE}\n{NAME}\n1\n{FACE}")
    assert [item.reason for item in readings if isinstance(item, Rejection)] == ["orphan_annotation"]
    assert list(images(readings)) == [NAME]


@given(st.binary(max_size=60) | st.text(st.sampled_from("a.jpg\n01 "), max_size=60).map(str.encode))
def test_any_bytes_are_accounted_for(data: bytes) -> None:
    for reading in read_data("wider_face", data)[1:]:
        assert isinstance(reading, AnnotatedImage | Rejection)


@pytest.mark.parametrize(
    ("head", "is_wider"),
    [(f"{NAME}\n1\n{FACE}", True), (f"{NAME}\n0\n{NONE} ", True), (f"{NAME}\nb.jpg\nc.jpg", False), (FACE, False)],
)
def test_sniffing(head: str, is_wider: bool) -> None:
    assert ("wider_face" in claims(head)) == is_wider
    assert len(claims(head)) <= 1
