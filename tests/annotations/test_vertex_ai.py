from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.annotations.reading import images, lines, reasons
from transforms.annotations.vertex_ai import read, sniff
from transforms.records import Box, ImageLabel, ObjectAnnotation, Polygons

fractions = st.floats(-0.5, 1.5)
EDGES = ("xMin", "yMin", "xMax", "yMax")


def item(name: Any = "cat", box: Any = (0.1, 0.2, 0.3, 0.4)) -> dict[str, Any]:
    return {"displayName": name, **dict(zip(EDGES, box, strict=True))}


def line(*boxes: Any, uri: Any = "gs://bucket/x/a.jpg", use: Any = "validation", **more: Any) -> dict[str, Any]:
    labels = {"aiplatform.googleapis.com/ml_use": use, "city": "Seoul", "n": 3}
    return {"imageGcsUri": uri, "boundingBoxAnnotations": boxes, "dataItemResourceLabels": labels, **more}


SAMPLE = "import.jsonl", lines(line(item("고양이")), line(item("고양이")))


@given(st.lists(st.tuples(st.sampled_from(["cat", "고양이"]), fractions, fractions, fractions, fractions), max_size=4))
def test_what_was_written_is_read(drawn: list[Any]) -> None:
    (found,) = images(read, lines(line(*(item(name, box) for name, *box in drawn))))
    assert list(found.objects) == [
        ObjectAnnotation(Box(*box), name, position=f"boundingBoxAnnotations[{index}]")
        for index, (name, *box) in enumerate(drawn)
    ]
    assert (found.file_name, found.unit) == ("gs://bucket/x/a.jpg", "fractions")
    assert (found.split, found.fields) == ("val", (("city", "Seoul"),))


@pytest.mark.parametrize(
    ("use", "split"), [("training", "train"), ("test", "test"), ("validation", "val"), (None, ""), (3, "")]
)
def test_split(use: Any, split: str) -> None:
    assert images(read, lines(line(use=use)))[0].split == split


def test_least_edges_that_are_left_out_are_0() -> None:
    (found,) = images(read, lines(line({"displayName": "cat", "xMax": 0.5, "yMax": 1})))
    assert found.objects[0].box == Box(0, 0, 0.5, 1)


def test_polygons_and_classes_of_the_picture() -> None:
    vertexes = [{"x": 0, "y": 0}, {"x": 1, "y": 0}, {"x": 1, "y": 0.5}]
    more = {
        "polygonAnnotations": [{"displayName": "cat", "vertexes": vertexes}],
        "classificationAnnotation": {"displayName": "night"},
        "classificationAnnotations": [{"displayName": "rain"}, {}],
    }
    (found,) = images(read, lines(line(**more)))
    (polygon,) = found.objects
    assert (polygon.box, polygon.mask) == (Box(0, 0, 1, 0.5), Polygons(((0, 0, 1, 0, 1, 0.5),)))
    assert found.labels == (ImageLabel("night"), ImageLabel("rain"))
    assert [problem.position for problem in found.problems] == ["classification 3"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("{", ["!annotation_unreadable"]),
        ("[]", ["!field_missing"]),
        ('{"imageGcsUri": "a", "imageGcsUri": "b"}', ["!json_duplicate_key"]),
        (lines(line(item(), uri=None)), ["!field_missing", "-field_missing"]),
        (lines({"imageGcsUri": "gs://a.jpg"}), []),
        (lines(line() | {"boundingBoxAnnotations": 3}), ["!field_missing"]),
        (lines(line(3)), ["-field_missing"]),
        (lines(line(item(None))), ["-field_missing"]),
        (lines(line({"displayName": "cat", "xMin": 0, "yMin": 0, "xMax": 1})), ["-field_missing"]),
        (lines(line(item(box=(None, 0, 1, 1)))), ["-field_not_number"]),
        (lines(line(item(box=(0, 0, 1, True)))), ["-field_not_number"]),
        (lines(line(item(box=(0, 0, 1, 10**400)))), ["ok"]),  # infinite: the check of boxes drops it
        (lines(line(polygonAnnotations=[{"displayName": "a", "vertexes": []}])), ["-field_missing"]),
    ],
)
def test_awkward(content: Any, expected: list[str]) -> None:
    assert reasons(read, content) == expected


@pytest.mark.parametrize(
    ("head", "is_vertex"), [(b'{"imageGcsUri": "gs://x', True), (b'{"imageGcsUri": 3}', False), (b"", False)]
)
def test_sniffing(head: bytes, is_vertex: bool) -> None:
    assert sniff(head) == is_vertex
