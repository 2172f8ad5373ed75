from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.annotations.reading import images, lines, reasons
from transforms.annotations.labelbox import read, sniff
from transforms.records import AnnotatedImage, Box, ImageLabel, ObjectAnnotation, Polygons

numbers = st.integers(-40, 400).map(lambda value: value / 4)
sides = st.integers(1, 400).map(lambda value: value / 4)


def item(name: Any = "cat", box: Any = (1, 2, 10, 20), **more: Any) -> dict[str, Any]:
    kinds = {} if box is None else {"bounding_box": dict(zip(("left", "top", "width", "height"), box, strict=True))}
    return {"feature_id": "f", "name": name, "annotation_kind": "ImageX", **kinds, **more}


def label(*objects: Any, classifications: Any = (), **more: Any) -> dict[str, Any]:
    return {"label_kind": "Default", "annotations": {"objects": objects, "classifications": classifications}, **more}


def row(*labels: Any, external_id: Any = "a.jpg", **more: Any) -> dict[str, Any]:
    data_row = {"id": "r1", "external_id": external_id, "row_data": "https://host/x/%EA%B1%B0.jpg?sig=1"}
    projects = {"p1": {"name": "pets", "labels": labels}}
    return {"data_row": data_row, "media_attributes": {"height": 30, "width": 40}, "projects": projects, **more}


def image(*rows: Any) -> AnnotatedImage:
    (found,) = images(read, lines(*rows))
    return found


SAMPLE = (
    "export.ndjson",
    lines(
        row(
            label(
                item("고양이"),
                item(box=None, polygon=[{"x": 1, "y": 2}]),
                classifications=[{"radio_answer": {"name": "x"}, "text_answer": {"content": "y"}}],
            )
        )
    ),
)


@given(st.lists(st.tuples(st.sampled_from(["cat", "고양이"]), numbers, numbers, sides, sides), max_size=4))
def test_what_was_written_is_read(drawn: list[Any]) -> None:
    found = image(row(label(*(item(name, box) for name, *box in drawn))))
    assert list(found.objects) == [
        ObjectAnnotation(Box(x, y, x + width, y + height), name, box_id="f", position=f"objects[{index}]")
        for index, (name, x, y, width, height) in enumerate(drawn)
    ]
    assert (found.file_name, found.other_names, found.image_id) == ("a.jpg", ("/x/거.jpg",), "r1")
    assert (found.width, found.height) == (40, 30)


def test_polygon() -> None:
    polygon = [{"x": 1, "y": 2}, {"x": 11, "y": 2}, {"x": 11, "y": 22}]
    (found,) = image(row(label(item(box=None, polygon=polygon)))).objects
    assert (found.box, found.mask) == (Box(1, 2, 11, 22), Polygons(((1, 2, 11, 2, 11, 22),)))


def test_classifications_of_the_picture() -> None:
    classifications = [
        {"name": "time", "radio_answer": {"name": "night"}},
        {"name": "seen", "checklist_answers": [{"name": "rain"}, {"value": "fog"}]},
        {"name": "words", "text_answer": {"content": "a street"}},
        {"name": "bad", "radio_answer": {"name": None}},
    ]
    found = image(row(label(classifications=classifications)))
    assert found.labels == (ImageLabel("night"), ImageLabel("rain"), ImageLabel("fog"))
    assert found.captions == ("a street",)
    assert [problem.position for problem in found.problems] == ["classifications[3]"]


def test_benchmark_counts_and_the_other_labels_are_listed() -> None:
    found = image(row(label(item("dog")), label(item("cat"), is_benchmark_reference=True)))
    assert [item.class_name for item in found.objects] == ["cat"]
    assert [(item.class_name, item.reason) for item in found.problems] == [("dog", "annotation_unused")]


def test_labels_of_several_projects() -> None:
    projects = {key: {"labels": [label(item(key))]} for key in ("cat", "dog")}
    assert [item.class_name for item in image(row() | {"projects": projects}).objects] == ["cat", "dog"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("{", ["!annotation_unreadable"]),
        ("[]", ["!field_missing"]),
        ('{"data_row": {"id": 1, "id": 2}}', ["!json_duplicate_key"]),
        (lines({"data_row": {}, "projects": {"p": {"labels": [label(item())]}}}), ["!field_missing", "-field_missing"]),
        (lines(row()), ["!not_annotated"]),
        (lines(row() | {"projects": None}), ["!not_annotated"]),
        (lines(row() | {"projects": []}), ["!not_annotated"]),
        (lines(row() | {"projects": [3]}), ["!field_missing"]),
        (lines(row(3)), ["!field_missing"]),
        (lines(row({"annotations": {"frames": {}}})), ["!shape_unsupported"]),
        (lines(row(label() | {"annotations": None})), []),
        (lines(row(label(3))), ["-field_missing"]),
        (lines(row(label(item(None)))), ["-field_missing"]),
        (lines(row(label(item(box=None, mask={"url": "https://host/m"})))), ["-shape_unsupported"]),
        (lines(row(label(item(box=None, point={"x": 1, "y": 2})))), ["-shape_unsupported"]),
        (lines(row(label(item(box=None, polygon=[])))), ["-field_missing"]),
        (lines(row(label(item(box=None, polygon=[{"x": 1}])))), ["-field_missing"]),
        (lines(row(label(item() | {"bounding_box": 3}))), ["-field_missing"]),
        (lines(row(label(item(box=(1, 2, 3, True))))), ["-field_not_number"]),
        (lines(row(label(item(box=(1, 2, 3, -4))))), ["-box_empty"]),
    ],
)
def test_awkward(content: Any, expected: list[str]) -> None:
    assert reasons(read, content) == expected


@pytest.mark.parametrize(
    ("head", "is_labelbox"),
    [
        (b'{"data_row": {"id": "a", "row_data": "https', True),
        (b'{"data_row": {}, "media_attributes": {', True),
        (b'{"data_row": {}}', False),
        (b'[{"data_row": {"row_data": ""}}]', False),
    ],
)
def test_sniffing(head: bytes, is_labelbox: bool) -> None:
    assert sniff(head) == is_labelbox
