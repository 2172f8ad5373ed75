"""KITTI object labels: a text file for each image, an object a line.

Format: the object development kit's readme (https://www.cvlibs.net/datasets/kitti/eval_object.php): ``type truncated
occluded alpha left top right bottom height width length x y z rotation_y``, maybe a score; left to bottom are edges in
pixels from 0. ``truncated`` is a share from 0 to 1, ``occluded`` 0 (not), 1 or 2; -1, and 3 of the latter, say nothing.
``DontCare`` marks regions in which nothing was labelled: they are no objects, and are dropped as such. The three
dimensions have no place in a record.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from transforms.annotations.line_files import (
    are_numbers,
    class_name_of,
    head_lines,
    is_most,
    numbers,
    read_image_file,
    wrong_columns,
)
from transforms.annotations.refusals import Refused
from transforms.annotations.source_splits import split_of_path
from transforms.ledger.reasons import Reason
from transforms.records import Box, ObjectAnnotation, ReadContext, Reading

SUFFIXES = (".txt",)
FILES_PER_UNIT = 500
IS_FILE_PER_IMAGE = True
COMPANIONS = ("imagesets/*.txt",)
_COLUMNS = (15, 16)
_FIELDS = ("truncated", "occluded", "left", "top", "right", "bottom")


def sniff(head: bytes) -> bool:
    """Whether most lines are a word and 14 or 15 numbers."""
    return is_most(head_lines(head), _is_object)


def _is_object(line: str) -> bool:
    name, *values = line.split()
    return len(values) + 1 in _COLUMNS and not are_numbers([name]) and are_numbers(values)


def read(stream: BinaryIO, context: ReadContext) -> Iterator[Reading]:
    """Reads one label file; what cannot be read is a Rejection or a BoxProblem, never an exception."""
    return read_image_file(stream, context, _object, split=split_of_path(context.annotation_file))


def _object(line: str, position: str) -> ObjectAnnotation:
    fields = line.split()
    if len(fields) not in _COLUMNS:
        raise wrong_columns(line, len(fields), "15 or 16")
    name = class_name_of(fields[0])
    if name.lower() == "dontcare":
        raise Refused(Reason.IGNORE_REGION, "DontCare marks a region without labels", name)
    truncated, occluded, left, top, right, bottom = numbers(_FIELDS, [*fields[1:3], *fields[4:8]], name)
    return ObjectAnnotation(
        Box(left, top, right, bottom),
        name,
        position=position,
        truncated=truncated > 0 if 0 <= truncated <= 1 else None,
        occluded=occluded > 0 if occluded in (0, 1, 2) else None,
    )
