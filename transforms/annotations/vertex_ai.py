"""Vertex AI JSONL, as it is imported and exported: a line for each image.

Format: https://cloud.google.com/vertex-ai/docs/image-data/object-detection/prepare-data – ``imageGcsUri`` and boxes as
fractions of the picture; the label ``aiplatform.googleapis.com/ml_use`` is the split. A least edge that is missing is
0, which JSON made of protocol buffers leaves out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

from transforms.annotations.fields import FieldError, as_number, as_split
from transforms.annotations.json_objects import (
    Entry,
    as_entry,
    as_list,
    number,
    read_lines,
    read_objects,
    ring_of_points,
    text_of,
)
from transforms.annotations.json_outline import outline
from transforms.annotations.refusals import as_class_name, problem_of
from transforms.annotations.shapes import bounds
from transforms.annotations.source_files import SourceFile, read_streamed
from transforms.records import Box, BoxProblem, ImageLabel, ObjectAnnotation, Polygons, ReadContext, Reading

SUFFIXES = (".jsonl", ".json")
FILES_PER_UNIT = 1
_ML_USE = "aiplatform.googleapis.com/ml_use"


def sniff(head: bytes) -> bool:
    """Whether the first bytes of a file are an image in Google's storage."""
    found = outline(head)
    return found.kind == "object" and found.has(imageGcsUri='"')


def read(stream: BinaryIO, context: ReadContext) -> Iterator[Reading]:
    """Reads one file; what cannot be read is a Rejection or a BoxProblem, never an exception."""
    return read_streamed(stream, context, "Vertex AI JSONL", read_lines(_image))


def _image(entry: Entry, place: str, file: SourceFile) -> Reading:
    boxes, problems = read_objects(entry.get("boundingBoxAnnotations"), "boundingBoxAnnotations", _class_name, _box)
    polygons, wrong = read_objects(entry.get("polygonAnnotations"), "polygonAnnotations", _class_name, _polygon)
    labels, others = _labels(entry)
    named = entry["dataItemResourceLabels"] if isinstance(entry.get("dataItemResourceLabels"), dict) else {}
    return file.image(
        entry.get("imageGcsUri"),
        place,
        unit="fractions",
        objects=(*boxes, *polygons),
        problems=(*problems, *wrong, *others),
        labels=tuple(labels),
        split=as_split(named.get(_ML_USE)),
        fields=tuple((key, text_of(value)) for key, value in named.items() if key != _ML_USE and text_of(value)),
    )


def _class_name(entry: Entry) -> Any:
    return entry.get("displayName")


def _box(entry: Entry, name: str, position: str) -> ObjectAnnotation:
    xmin, ymin = (as_number(edge, entry.get(edge, 0.0)) for edge in ("xMin", "yMin"))
    return ObjectAnnotation(Box(xmin, ymin, number(entry, "xMax"), number(entry, "yMax")), name, position=position)


def _polygon(entry: Entry, name: str, position: str) -> ObjectAnnotation:
    ring = ring_of_points(entry.get("vertexes"), "vertexes")
    return ObjectAnnotation(bounds([ring]), name, position=position, mask=Polygons((ring,)))


def _labels(entry: Entry) -> tuple[list[ImageLabel], list[BoxProblem]]:
    """What is said of the whole picture: one classification, or several."""
    labels: list[ImageLabel] = []
    problems: list[BoxProblem] = []
    several = as_list(entry.get("classificationAnnotations"), "classificationAnnotations")
    one = [entry["classificationAnnotation"]] if entry.get("classificationAnnotation") is not None else []
    for index, value in enumerate([*one, *several]):
        try:
            labels.append(ImageLabel(as_class_name(_class_name(as_entry(value, "classification")))))
        except FieldError as error:
            problems.append(problem_of(error, f"classification {index + 1}"))
    return labels, problems
