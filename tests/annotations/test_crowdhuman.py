from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.annotations.reading import images, lines, reasons
from transforms.annotations.crowdhuman import read, sniff
from transforms.records import Box, ObjectAnnotation

numbers = st.integers(-40, 400)
sides = st.integers(1, 400)
drawn_boxes = st.lists(st.tuples(numbers, numbers, sides, sides, st.sampled_from([0, 1]), st.booleans()), max_size=3)


def person(fbox: Any = (1, 2, 10, 20), tag: Any = "person", **more: Any) -> dict[str, Any]:
    return {"tag": tag, "hbox": [1, 2, 3, 4], "head_attr": {"ignore": 0}, "fbox": fbox, "vbox": [2, 3, 4, 5], **more}


def line(*boxes: Any, image_id: Any = "273271,c9db") -> dict[str, Any]:
    return {"ID": image_id, "gtboxes": boxes}


SAMPLE = "annotation_train.odgt", lines(*[line(person(tag="고양이"), person(None))] * 2)


@given(st.lists(drawn_boxes, max_size=3))
def test_what_was_written_is_read(drawn: list[Any]) -> None:
    written = [
        line(
            *(person(box, extra={"box_id": 7, "occ": occ, "ignore": int(ignore)}) for *box, occ, ignore in boxes),
            image_id=f"{index}",
        )
        for index, boxes in enumerate(drawn)
    ]
    found = images(read, lines(*written))
    assert [(item.file_name, item.image_id) for item in found] == [(f"{n}.jpg", f"{n}") for n in range(len(drawn))]
    for item, boxes in zip(found, drawn, strict=True):
        assert list(item.objects) == [
            ObjectAnnotation(
                Box(x, y, x + width, y + height),
                "person",
                box_id="7",
                position=f"gtboxes[{index}]",
                is_crowd=ignore,
                occluded=bool(occ),
            )
            for index, (x, y, width, height, occ, ignore) in enumerate(boxes)
        ]


def test_mask_is_a_crowd_of_people() -> None:
    (found,) = images(read, lines(line(person(tag="mask"), person())))
    assert [(item.class_name, item.is_crowd) for item in found.objects] == [("person", True), ("person", False)]


def test_visible_part_where_there_is_no_full_body() -> None:
    (found,) = images(read, lines(line(person(None))))
    assert found.objects[0].box == Box(2, 3, 6, 8)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("\n \n", []),
        ("{", ["!annotation_unreadable"]),
        (lines(line()) + "\n{\n" + lines(line(person())), ["!annotation_unreadable", "ok"]),
        ("[" * 100_000, ["!annotation_unreadable"]),
        ("3", ["!field_missing"]),
        ('{"ID": "a", "ID": "b"}', ["!json_duplicate_key"]),
        (lines(line(person(), image_id=None)), ["!field_missing", "-field_missing"]),
        (lines({"ID": "a", "gtboxes": {}}), ["!field_missing"]),
        (lines(line(3)), ["-field_missing"]),
        (lines(line(person(tag=None))), ["-field_missing"]),
        (lines(line(person([1, 2, 3]))), ["-field_missing"]),
        (lines(line(person(3))), ["-field_missing"]),
        (lines(line({"tag": "person"})), ["-field_missing"]),
        (lines(line(person([1, 2, 3, "x"]))), ["-field_not_number"]),
        (lines(line(person([1, 2, 0, 3]))), ["-box_empty"]),
    ],
)
def test_awkward(content: Any, expected: list[str]) -> None:
    assert reasons(read, content) == expected


@pytest.mark.parametrize(
    ("head", "is_odgt"), [(b'{"ID": "a", "gtboxes": [', True), (b'{"ID": 3, "gtboxes": [', False), (b"", False)]
)
def test_sniffing(head: bytes, is_odgt: bool) -> None:
    assert sniff(head) == is_odgt
