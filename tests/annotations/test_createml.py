from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.annotations.reading import images, reasons
from transforms.annotations.createml import read, sniff
from transforms.records import Box, ObjectAnnotation

numbers = st.integers(-40, 400).map(lambda value: value / 4)
sides = st.integers(1, 400).map(lambda value: value / 4)
drawn_objects = st.lists(st.tuples(st.sampled_from(["cat", "고양이"]), numbers, numbers, sides, sides), max_size=3)


def item(label: Any = "cat", x: Any = 6, y: Any = 12, width: Any = 10, height: Any = 20) -> dict[str, Any]:
    return {"label": label, "coordinates": {"x": x, "y": y, "width": width, "height": height}}


def createml(*items: Any, name: Any = "a.jpg") -> list[Any]:
    return [{"image": name, "annotations": items}]


SAMPLE = "createml.json", createml(item("고양이"))


@pytest.mark.parametrize(("image_key", "array"), [("image", "annotations"), ("imagefilename", "annotation")])
@given(st.lists(drawn_objects, max_size=3))
def test_what_was_written_is_read(image_key: str, array: str, drawn: list[Any]) -> None:
    written = [
        {image_key: f"{index}.jpg", array: [item(name, x + w / 2, y + h / 2, w, h) for name, x, y, w, h in objects]}
        for index, objects in enumerate(drawn)
    ]
    found = images(read, written)
    assert [image.file_name for image in found] == [f"{index}.jpg" for index in range(len(drawn))]
    for image, objects in zip(found, drawn, strict=True):
        assert list(image.objects) == [
            ObjectAnnotation(Box(x, y, x + width, y + height), name, position=f"{array}[{index}]")
            for index, (name, x, y, width, height) in enumerate(objects)
        ]


def test_picture_may_lie_beside_the_file() -> None:
    assert images(read, createml(), "train/_annotations.createml.json")[0].folder == "train"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({}, ["!annotation_unreadable"]),
        ('[{"image": "a.jpg"}', ["!annotation_unreadable"]),
        ([None], ["!field_missing"]),
        ('[{"image": "a", "image": "b"}]', ["!json_duplicate_key"]),
        (createml(item(), name=None), ["!field_missing", "-field_missing"]),
        (createml(item(), name=" "), ["!field_missing", "-field_missing"]),
        ([{"image": "a.jpg", "annotations": {}}], ["!field_missing"]),
        ([{"image": "a.jpg"}], []),
        (createml(7), ["-field_missing"]),
        (createml({"label": "cat"}), ["-field_missing"]),
        ('[{"image": "a", "annotations": [{"label": "b", "coordinates": {"x": 1, "x": 2}}]}]', ["-json_duplicate_key"]),
        (createml(item(label=None)), ["-field_missing"]),
        (createml(item(x=None)), ["-field_missing"]),
        (createml(item(x=True)), ["-field_not_number"]),
        (createml(item(x="6px")), ["-field_not_number"]),
        (createml(item(x=10**400)), ["ok"]),  # infinite: the check of boxes drops it
        (createml(item(width=0)), ["-box_empty"]),
        (createml(item(height=-1)), ["-box_empty"]),
    ],
)
def test_awkward(content: Any, expected: list[str]) -> None:
    assert reasons(read, content) == expected


@pytest.mark.parametrize(
    ("head", "is_createml"),
    [
        (b'[{"image": "a.jpg", "annotations": []', True),
        (b'[{"annotations": [{"label": "a", "coordinates": {"x', True),
        (b'[{"imagefilename": "a.jpg", "annotation": [', True),
        (b'[{"image": 1, "annotations": []', False),
        (b'{"image": "a.jpg", "annotations": []}', False),
        (b"[]", False),
    ],
)
def test_sniffing(head: bytes, is_createml: bool) -> None:
    assert sniff(head) == is_createml
