"""VIA CSV (VGG Image Annotator 1 and 2): a region a row, its shape and attributes as JSON within the row.

Format: the CSV export of https://www.robots.ox.ac.uk/~vgg/software/via. An image without regions has a row with an
empty shape. Regions are read as those of VIA's JSON are.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

from transforms.annotations.fields import FieldError, quote
from transforms.annotations.image_urls import name_of_url
from transforms.annotations.line_files import FileRefused
from transforms.annotations.refusals import Refused, as_class_name, problem_of
from transforms.annotations.table_images import TableImages
from transforms.annotations.table_rows import column_names, head_rows, open_table
from transforms.annotations.via_regions import class_of_region, read_region
from transforms.ledger.reasons import Reason
from transforms.records import ObjectAnnotation, ReadContext, Reading

SUFFIXES = (".csv",)
FILES_PER_UNIT = 1
_COLUMNS = ("filename", "regionshapeattributes", "regionattributes")


def sniff(head: bytes) -> bool:
    """Whether the first row has the names of VIA's columns."""
    rows = head_rows(head)
    return bool(rows) and _columns(rows[0]) is not None


def _columns(header: Sequence[str]) -> tuple[int, int, int] | None:
    names = column_names([name.lstrip("#") for name in header])
    if not set(_COLUMNS) <= set(names):
        return None
    return names.index(_COLUMNS[0]), names.index(_COLUMNS[1]), names.index(_COLUMNS[2])


def read(stream: BinaryIO, context: ReadContext) -> Iterator[Reading]:
    """Reads one CSV file; what cannot be read is a Rejection or a BoxProblem, never an exception."""
    try:
        table = open_table(stream)
        header = next(table.rows, None)
        columns = _columns(header.fields) if header else None
        if header is None or columns is None:
            raise FileRefused(Reason.ANNOTATION_UNREADABLE, "the first row does not name the columns of VIA")
    except FileRefused as refused:
        yield refused.rejection(context, is_image=False)
        return
    images = TableImages(context, table.repairs)
    for row in table.rows:
        _add(images, row.fields, columns, f"line {row.line}", row.error, len(header.fields), context.with_masks)
    yield from images.readings()


def _add(
    images: TableImages,
    fields: Sequence[str],
    columns: tuple[int, int, int],
    position: str,
    error: str,
    count: int,
    with_masks: bool,
) -> None:
    name, class_name = "", ""
    try:
        if error:
            raise Refused(Reason.ANNOTATION_UNREADABLE, f"no readable row: {error}")
        if len(fields) != count:
            raise Refused(Reason.FIELD_COUNT, f"{len(fields)} columns, not {count}")
        name = name_of_url(fields[columns[0]])
        if not name:
            raise Refused(Reason.FIELD_MISSING, "the row names no image")
        images.add_image(name)
        shape, attributes = (_json(fields[place]) for place in columns[1:])
        if not shape:
            return
        class_name = as_class_name(class_of_region(dict(attributes)))
        box, mask = read_region(dict(shape))
        images.add_object(name, ObjectAnnotation(box, class_name, position=position, mask=mask if with_masks else None))
    except FieldError as problem:
        images.add_problem(name, problem_of(problem, position, class_name))


def _json(text: str) -> Mapping[str, Any]:
    """The object that a field holds; empty for an empty field.

    Raises:
      Refused: it is no JSON object.
    """
    try:
        value = json.loads(text) if text else {}
    except (ValueError, RecursionError) as error:
        raise Refused(Reason.ANNOTATION_UNREADABLE, f"no readable JSON: {error}") from None
    if not isinstance(value, dict):
        raise Refused(Reason.ANNOTATION_UNREADABLE, f"{quote(value)} is no JSON object")
    return value
