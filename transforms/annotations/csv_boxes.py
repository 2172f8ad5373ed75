"""CSV tables with a box a row, as TensorFlow tutorials, keras-retinanet, Roboflow and many others write them.

There is no standard: columns are told by their names (``csv_columns``), or by their values where there is no header.
Boxes are edges, a corner and a size, or a centre and a size; in pixels, or in fractions of the image if most rows have
no coordinate above 2. A row with an image and nothing else is a picture without objects. Where no column names a
class, all objects are "object". The rows of an image may stand anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, BinaryIO

from transforms.annotations.csv_columns import Columns, columns_of
from transforms.annotations.fields import as_flag, as_size, quote
from transforms.annotations.line_files import FileRefused, class_name_of, numbers, wrong_columns
from transforms.annotations.refusals import Refused, box_of_size
from transforms.annotations.source_splits import split_of_name
from transforms.annotations.table_images import TableImages
from transforms.annotations.table_rows import Table, head_rows, open_table
from transforms.ledger.reasons import Reason
from transforms.records import Box, BoxProblem, ObjectAnnotation, ReadContext, Reading

SUFFIXES = (".csv", ".tsv")
FILES_PER_UNIT = 1
COMPANIONS = ("classes.csv", "class_list.csv", "class_map*.csv", "*class-descriptions*.csv")
ONLY_CLASS = "object"
# No box in pixels is that small, no box in fractions that large.
_LARGEST_FRACTION = 2.0
_DECIMAL_COMMA = re.compile(r"-?\d*,\d+")
_BOX_FIELDS = {
    "edges": ("xmin", "ymin", "xmax", "ymax"),
    "corner and size": ("x", "y", "width", "height"),
    "centre and size": ("x_center", "y_center", "width", "height"),
    "list": ("x", "y", "width", "height"),
}


_size = lru_cache(maxsize=1024)(as_size)


def sniff(head: bytes) -> bool:
    """Whether the first row names columns of boxes, or most rows hold boxes."""
    rows = head_rows(head)
    columns = columns_of(rows[0]) if rows else None
    return bool(columns and (columns.has_header or sum(columns_of(row) == columns for row in rows) > len(rows) / 2))


def read(stream: BinaryIO, context: ReadContext) -> Iterator[Reading]:
    """Reads one CSV file; what cannot be read is a Rejection or a BoxProblem, never an exception."""
    try:
        table = open_table(stream)
        first = next(table.rows, None)
        columns = columns_of(first.fields) if first else None
        if first is None or columns is None:
            shown = quote(table.delimiter.join(first.fields)) if first else "nothing"
            raise FileRefused(
                Reason.ANNOTATION_UNREADABLE, f"the first row names no columns of an image and a box: {shown}"
            )
    except FileRefused as refused:
        yield refused.rejection(context, is_image=False)
        return
    yield from _CsvReader(table, columns, context).readings(None if columns.has_header else first.fields, first.line)


class _CsvReader:
    """Reads the rows of one table."""

    def __init__(self, table: Table, columns: Columns, context: ReadContext):
        self._table = table
        self._columns = columns
        self._images = TableImages(context, table.repairs)
        self._has_decimal_commas = table.delimiter != ","
        self._rows_of_pixels = 0
        self._rows_of_fractions = 0

    def readings(self, first: Sequence[str] | None, line: int) -> Iterator[Reading]:
        if first is not None:
            self._add(first, f"line {line}")
        for row in self._table.rows:
            position = f"line {row.line}"
            if row.error:
                detail = f"no readable row: {row.error}"
                self._images.add_problem(
                    "", BoxProblem(position, "", "", "dropped", Reason.ANNOTATION_UNREADABLE, detail)
                )
            else:
                self._add(row.fields, position)
        is_fractions = self._rows_of_fractions > self._rows_of_pixels
        yield from self._images.readings("fractions" if is_fractions else "pixels")

    def _add(self, fields: Sequence[str], position: str) -> None:
        columns = self._columns
        name = fields[columns.image] if columns.image < len(fields) else ""
        try:
            if len(fields) != columns.count and (len(fields) < columns.count or any(fields[columns.count :])):
                name = ""  # which field is which is unknown
                raise wrong_columns(self._table.delimiter.join(fields), len(fields), str(columns.count))
            if not name:
                raise Refused(Reason.FIELD_MISSING, "the row names no image")
            width = _size(fields[columns.size[0]]) if columns.size else None
            height = _size(fields[columns.size[1]]) if columns.size else None
            split = split_of_name(fields[columns.split]) if columns.split is not None else ""
            self._images.add_image(name, width, height, split)
            class_name = fields[columns.class_name] if columns.class_name is not None else ""
            if class_name or any(fields[place] for place in columns.box):
                self._images.add_object(name, self._object(fields, position))
        except Refused as refused:
            self._images.add_problem(name, refused.problem(position))

    def _object(self, fields: Sequence[str], position: str) -> ObjectAnnotation:
        columns = self._columns
        class_name = ONLY_CLASS if columns.class_name is None else class_name_of(fields[columns.class_name])
        box_id = fields[columns.box_id] if columns.box_id is not None else ""
        item = ObjectAnnotation(self._box(fields, class_name), class_name, box_id, position)
        flags: dict[str, Any] = {flag: as_flag(fields[place]) for flag, place in columns.flags}
        return item._replace(**flags) if flags else item

    def _box(self, fields: Sequence[str], class_name: str) -> Box:
        kind = self._columns.kind
        texts = [fields[place] for place in self._columns.box]
        if kind == "list":
            texts = texts[0].strip("[]() ").replace(",", " ").split()
            if len(texts) != 4:
                detail = f"the box is {quote(fields[self._columns.box[0]])}, not [x, y, width, height]"
                raise Refused(Reason.FIELD_COUNT, detail, class_name)
        elif self._has_decimal_commas:
            texts = [text.replace(",", ".") if _DECIMAL_COMMA.fullmatch(text) else text for text in texts]
        if not all(texts):
            missing = [name for name, text in zip(_BOX_FIELDS[kind], texts, strict=True) if not text]
            raise Refused(Reason.FIELD_MISSING, f"the row has no {', '.join(missing)}", class_name)
        x, y, right, bottom = numbers(_BOX_FIELDS[kind], texts, class_name)
        if max(x, y, right, bottom) <= _LARGEST_FRACTION:
            self._rows_of_fractions += 1
        else:
            self._rows_of_pixels += 1
        if kind == "edges":
            return Box(x, y, right, bottom)
        if kind == "centre and size":
            x, y = x - right / 2, y - bottom / 2
        return box_of_size(x, y, right, bottom, class_name=class_name)
