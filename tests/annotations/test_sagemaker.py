from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.annotations.reading import images, lines, readings, reasons
from transforms.annotations.sagemaker import read, sniff
from transforms.records import AnnotatedImage, Box, DeclaredClasses, ImageLabel, ObjectAnnotation

numbers = st.integers(-40, 400)
sides = st.integers(1, 400)
CLASSES = {"0": "cat", "1": "고양이"}


def item(class_id: Any = 0, box: Any = (1, 2, 10, 20)) -> dict[str, Any]:
    return {"class_id": class_id, **dict(zip(("left", "top", "width", "height"), box, strict=True))}


def line(*objects: Any, source: Any = "s3://bucket/x/a.jpg", classes: Any = None, job: str = "pets") -> dict[str, Any]:
    value = {"image_size": [{"width": 40, "height": 30, "depth": 3}], "annotations": objects}
    metadata = {"objects": [{"confidence": 1}], "class-map": CLASSES if classes is None else classes}
    return {"source-ref": source, job: value, f"{job}-metadata": metadata}


SAMPLE = "output.manifest", lines(line(item(1)), line(item(1)))


@given(st.lists(st.tuples(st.sampled_from([0, 1]), numbers, numbers, sides, sides), max_size=4))
def test_what_was_written_is_read(drawn: list[Any]) -> None:
    (found,) = images(read, lines(line(*(item(class_id, box) for class_id, *box in drawn))))
    assert list(found.objects) == [
        ObjectAnnotation(Box(x, y, x + w, y + h), CLASSES[str(class_id)], position=f"pets.annotations[{index}]")
        for index, (class_id, x, y, w, h) in enumerate(drawn)
    ]
    assert (found.file_name, found.width, found.height) == ("s3://bucket/x/a.jpg", 40, 30)


def test_classes_of_all_lines_are_declared_from_1() -> None:
    classes = [{"1": "dog"}, {"0": " cat ", "x": "y", "2": None}, {"1": "dog"}]
    *_, declared = readings(read, lines(*(line(classes=item) for item in classes)))
    assert declared == DeclaredClasses((("cat", 1), ("dog", 2)))


def test_objects_and_labels_of_several_jobs() -> None:
    entry = line(item(0)) | line(item(1), job="more")
    entry |= {"time": 0, "time-metadata": {"class-name": "night", "type": "groundtruth/image-classification"}}
    entry |= {"seen": [1, 0], "seen-metadata": {"class-map": {"0": "fog", "1": "rain"}}}
    (found,) = images(read, lines(entry))
    assert [item.class_name for item in found.objects] == ["cat", "고양이"]
    assert found.labels == (ImageLabel("night"), ImageLabel("rain"), ImageLabel("fog"))


def test_lines_are_images() -> None:
    found = readings(read, lines(line(source="a.jpg")) + "\r\n\r\n" + lines(line(source="b.jpg")) + "\n")
    assert [item.file_name for item in found if isinstance(item, AnnotatedImage)] == ["a.jpg", "b.jpg"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("{", ["!annotation_unreadable"]),
        ("[]", ["!field_missing"]),
        ('{"source-ref": "a", "source-ref": "b"}', ["!json_duplicate_key"]),
        (lines(line(item(), source=None)), ["!field_missing", "-field_missing"]),
        (lines({"source-ref": "a.jpg"}), ["!not_annotated"]),
        (lines({"source-ref": "a.jpg", "pets-metadata": {"failure-reason": "timeout"}}), ["!not_annotated"]),
        (lines(line() | {"pets-metadata": 3}), ["!field_missing"]),
        (lines(line() | {"pets": {"annotations": 3}}), ["!field_missing"]),
        (lines(line(3)), ["-field_missing"]),
        (lines(line(item(None))), ["-field_missing"]),
        (lines(line(item(True))), ["-field_missing"]),
        (lines(line(item(7))), ["-unknown_class"]),
        (lines(line(item("0"))), ["ok"]),
        (lines(line(item(), classes=3)), ["-unknown_class"]),
        (lines(line(item(), classes={"0": None})), ["-field_missing"]),
        (lines(line(item(box=(1, 2, 3, None)))), ["-field_missing"]),
        (lines(line(item(box=(1, 2, 3, [])))), ["-field_not_number"]),
        (lines(line(item(box=(1, 2, 0, 4)))), ["-box_empty"]),
        (lines({"source-ref": "a", "x-ref": "s3://m.png", "x-ref-metadata": {}}), ["-shape_unsupported"]),
        (lines({"source-ref": "a", "x": [5], "x-metadata": {"class-map": {}}}), ["-unknown_class"]),
    ],
)
def test_awkward(content: Any, expected: list[str]) -> None:
    assert reasons(read, content) == expected


@pytest.mark.parametrize(
    ("head", "is_manifest"), [(b'{"source-ref": "s3://x', True), (b'{"source-ref": 3}', False), (b"", False)]
)
def test_sniffing(head: bytes, is_manifest: bool) -> None:
    assert sniff(head) == is_manifest
