"""DOTA: a text file for each image, an oriented object a line.

Format: https://captain-whu.github.io/DOTA/dataset.html – ``x1 y1 x2 y2 x3 y3 x4 y4 category difficult``, corners in
pixels; lines ``imagesource:…`` and ``gsd:…`` come first. The box is the one around the corners; they are its mask. What
the first lines say of the image becomes its fields.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
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
from transforms.annotations.shapes import bounds
from transforms.annotations.source_splits import split_of_path
from transforms.records import AnnotatedImage, ObjectAnnotation, Polygons, ReadContext, Reading

SUFFIXES = (".txt",)
FILES_PER_UNIT = 500
IS_FILE_PER_IMAGE = True
_HEADER = ("imagesource", "gsd")
_CORNERS = ("x1", "y1", "x2", "y2", "x3", "y3", "x4", "y4")


def sniff(head: bytes) -> bool:
    """Whether most lines are eight numbers, a word and maybe a digit; or all are of the header."""
    lines = head_lines(head)
    objects = [line for line in lines if not _is_header(line)]
    return is_most(objects, _is_object) or bool(lines and not objects)


def _is_header(line: str) -> bool:
    return line.partition(":")[0].strip().lower() in _HEADER and ":" in line


def _is_object(line: str) -> bool:
    fields = line.split()
    return (
        len(fields) in (9, 10) and are_numbers(fields[:8]) and not are_numbers(fields[8:9]) and are_numbers(fields[9:])
    )


def read(stream: BinaryIO, context: ReadContext) -> Iterator[Reading]:
    """Reads one label file; what cannot be read is a Rejection or a BoxProblem, never an exception."""
    header: dict[str, str] = {}
    parse = partial(_object, header=header, with_masks=context.with_masks)
    for reading in read_image_file(stream, context, parse, split=split_of_path(context.annotation_file)):
        yield reading._replace(fields=tuple(header.items())) if isinstance(reading, AnnotatedImage) else reading


def _object(line: str, position: str, header: dict[str, str], with_masks: bool) -> ObjectAnnotation | None:
    if _is_header(line):
        name, _, value = line.partition(":")
        header[name.strip().lower()] = value.strip()
        return None
    fields = line.split()
    if len(fields) not in (9, 10):
        raise wrong_columns(line, len(fields), "9 or 10")
    name = class_name_of(fields[8])
    ring = tuple(numbers(_CORNERS, fields[:8], name))
    (difficult,) = numbers(("difficult",), fields[9:], name) if len(fields) == 10 else (None,)
    return ObjectAnnotation(
        bounds([ring]),
        name,
        position=position,
        difficult=None if difficult is None else difficult > 0,
        mask=Polygons((ring,)) if with_masks else None,
    )
