"""Rows of CSV files as they are found: any of the usual encodings and delimiters, streamed."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

from transforms.annotations.line_files import HEAD_BYTES, FileRefused, head_lines
from transforms.annotations.text_encoding import LAST_RESORT, detect_encoding
from transforms.ledger.reasons import Reason

_DELIMITERS = "\t;,|"
# Polygons stand in single fields.
_MAX_FIELD_CHARS = 16 << 20


class Row(NamedTuple):
    """A row: the line that it ends on, from 1; its fields, stripped; or why it has none."""

    line: int
    fields: list[str]
    error: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A CSV file that is being read.

    Attributes:
      delimiter: between fields.
      rows: all that are not blank; a header is among them.
      repairs: that its encoding took.
    """

    delimiter: str
    rows: Iterator[Row]
    repairs: tuple[str, ...]


def open_table(stream: BinaryIO) -> Table:
    """Opens a CSV file for reading row by row.

    Raises:
      FileRefused: the file is no text.
    """
    delimiter = delimiter_of(head_lines(stream.read(HEAD_BYTES)))
    stream.seek(0)
    try:
        encoding = detect_encoding(stream)
    except UnicodeError as error:
        raise FileRefused(Reason.ANNOTATION_UNREADABLE, f"no readable text: {error}") from None
    text = io.TextIOWrapper(stream, encoding=encoding, newline="")
    return Table(delimiter, _rows(text, delimiter), (Reason.ENCODING_CP949,) if encoding == LAST_RESORT else ())


def _rows(text: io.TextIOWrapper, delimiter: str) -> Iterator[Row]:
    csv.field_size_limit(_MAX_FIELD_CHARS)
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    while True:
        try:
            for fields in reader:
                fields = [field.strip() for field in fields]
                if any(fields):
                    yield Row(reader.line_num, fields)
            return
        except csv.Error as error:  # the next row is read as if nothing had been
            yield Row(reader.line_num, [], str(error))


def head_rows(head: bytes) -> list[list[str]]:
    """The first rows of a file, their fields stripped; empty if it is no text."""
    lines = head_lines(head)
    try:
        return [[field.strip() for field in row] for row in csv.reader(lines, delimiter=delimiter_of(lines))]
    except csv.Error:
        return []


def delimiter_of(lines: Sequence[str]) -> str:
    """The delimiter that cuts the first line into most fields; commas may be decimal, so they are asked late."""
    return max(_DELIMITERS, key=lambda delimiter: lines[0].count(delimiter)) if lines else ","


def column_names(header: Sequence[str]) -> list[str]:
    """Names of columns as they are compared: lower case, letters and digits only."""
    return ["".join(char for char in name.lower() if char.isalnum()) for name in header]
