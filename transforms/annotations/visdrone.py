"""VisDrone-DET: a text file for each image, an object a line.

Format: https://github.com/VisDrone/VisDrone2018-DET-toolkit – ``left,top,width,height,score,category,truncation,
occlusion`` in pixels. Categories are numbers with fixed names. Objects of score 0, and category 0 ("ignored regions"),
are left out of evaluation: they are dropped as such.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from transforms.annotations.line_files import are_numbers, head_lines, is_most, numbers, read_image_file, wrong_columns
from transforms.annotations.refusals import Refused, box_of_size
from transforms.annotations.source_splits import split_of_path
from transforms.ledger.reasons import Reason
from transforms.records import DeclaredClasses, ObjectAnnotation, ReadContext, Reading

SUFFIXES = (".txt",)
FILES_PER_UNIT = 500
IS_FILE_PER_IMAGE = True
CLASSES = (
    "pedestrian",
    "people",
    "bicycle",
    "car",
    "van",
    "truck",
    "tricycle",
    "awning-tricycle",
    "bus",
    "motor",
    "others",
)
_DECLARED = DeclaredClasses(tuple((name, number) for number, name in enumerate(CLASSES, start=1)))
_FIELDS = ("left", "top", "width", "height", "score", "category", "truncation", "occlusion")


def sniff(head: bytes) -> bool:
    """Whether most lines are eight numbers with commas, the last of them a category and small grades."""
    return is_most(head_lines(head), _is_object)


def _is_object(line: str) -> bool:
    fields = _fields(line)
    return (
        len(fields) == len(_FIELDS)
        and are_numbers(fields)
        and float(fields[5]) in range(len(CLASSES) + 1)
        and all(float(field) in (0, 1, 2) for field in fields[6:])
    )


def _fields(line: str) -> list[str]:
    return [field.strip() for field in line.rstrip(", ").split(",")]


def read(stream: BinaryIO, context: ReadContext) -> Iterator[Reading]:
    """Reads one file; what cannot be read is a Rejection or a BoxProblem, never an exception."""
    yield _DECLARED
    yield from read_image_file(stream, context, _object, split=split_of_path(context.annotation_file))


def _object(line: str, position: str) -> ObjectAnnotation:
    fields = _fields(line)
    if len(fields) != len(_FIELDS):
        raise wrong_columns(line, len(fields), str(len(_FIELDS)))
    left, top, width, height, score, category, truncation, occlusion = numbers(_FIELDS, fields)
    if category not in range(len(CLASSES) + 1):
        raise Refused(Reason.UNKNOWN_CLASS, f"category {category:g} is not one of 0 to {len(CLASSES)}")
    name = CLASSES[int(category) - 1] if category else "ignored regions"
    if not category or not score:
        raise Refused(Reason.IGNORE_REGION, f"{name} of score {score:g} are not evaluated", name)
    return ObjectAnnotation(
        box_of_size(left, top, width, height, class_name=name),
        name,
        position=position,
        truncated=truncation > 0 if truncation in (0, 1, 2) else None,
        occluded=occlusion > 0 if occlusion in (0, 1, 2) else None,
    )
