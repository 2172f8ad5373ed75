"""Annotation files of text lines, one file an image: what all such formats share."""

from __future__ import annotations

import io
import math
import posixpath
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import BinaryIO

from transforms.annotations.fields import FieldError, as_number, clean_class_name, is_text, quote
from transforms.annotations.refusals import Refused
from transforms.annotations.text_encoding import LAST_RESORT, decode_text, detect_encoding
from transforms.ledger.reasons import Reason
from transforms.records import (
    AnnotatedImage,
    BoxProblem,
    ObjectAnnotation,
    ReadContext,
    Reading,
    Rejection,
    Unit,
)

MAX_FILE_BYTES = 16 << 20
HEAD_BYTES = 1 << 16
# So many lines tell what a file is.
_SNIFFED_LINES = 50

ParseLine = Callable[[str, str], ObjectAnnotation | None]
"""Makes an object of a line and its position; None for a line that holds none; raises Refused."""


class FileRefused(Exception):
    """An annotation file that cannot be used: a reason code and a sentence for the ledger."""

    def __init__(self, reason: Reason, detail: str):
        super().__init__(detail)
        self.reason, self.detail = reason, detail

    def rejection(self, context: ReadContext, *, is_image: bool) -> Rejection:
        return Rejection(
            self.reason,
            self.detail,
            is_image=is_image,
            source=context.source,
            annotation_file=context.annotation_file,
        )


def head_lines(head: bytes) -> list[str]:
    """The first lines of a file that are not blank, stripped and whole; empty if they are no text.

    Args:
      head: the first ``HEAD_BYTES`` of the file.
    """
    if len(head) >= HEAD_BYTES:  # the last line may be cut, and a letter of it
        head = head[: head.rfind(b"\n") + 1]
    try:
        text, _ = decode_text(head)
    except UnicodeError:
        return []
    return [line.strip() for line in text.splitlines() if line.strip()][:_SNIFFED_LINES]


def is_most(lines: Sequence[str], is_object: Callable[[str], bool]) -> bool:
    """Whether more than half of the lines are objects of a format; others may be damaged."""
    return sum(map(is_object, lines)) > len(lines) / 2


def are_numbers(fields: Sequence[str]) -> bool:
    """Whether all fields are finite numbers."""
    try:
        return all(math.isfinite(float(field)) for field in fields)
    except ValueError:
        return False


def read_image_file(
    stream: BinaryIO, context: ReadContext, parse: ParseLine, unit: Unit = "pixels", split: str = ""
) -> Iterator[Reading]:
    """Reads a file with an object a line about the image that has the file's own name."""
    try:
        lines, repairs = read_lines(stream)
    except FileRefused as refused:
        yield refused.rejection(context, is_image=True)
        return
    yield image_of_lines(lines, context, parse, unit, split, repairs)


def image_of_lines(
    lines: Sequence[str],
    context: ReadContext,
    parse: ParseLine,
    unit: Unit = "pixels",
    split: str = "",
    repairs: tuple[str, ...] = (),
) -> AnnotatedImage:
    """The image that has the annotation file's own name, with an object a line."""
    objects, problems = parse_lines(lines, parse)
    return AnnotatedImage(
        file_name=posixpath.splitext(posixpath.basename(context.annotation_file))[0],
        folder=posixpath.dirname(context.annotation_file),
        is_named_by_file=True,
        unit=unit,
        objects=tuple(objects),
        problems=tuple(problems),
        repairs=repairs,
        source=context.source,
        annotation_file=context.annotation_file,
        split=split,
    )


def read_lines(stream: BinaryIO) -> tuple[list[str], tuple[str, ...]]:
    """The lines of a small file, and the repairs that its encoding took.

    Raises:
      FileRefused: too large, or no text.
    """
    data = stream.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise FileRefused(Reason.ANNOTATION_TOO_LARGE, f"larger than {MAX_FILE_BYTES} bytes")
    lines, repairs = text_lines(io.BytesIO(data))
    return list(lines), repairs


def text_lines(stream: BinaryIO) -> tuple[Iterator[str], tuple[str, ...]]:
    """The lines of a file of any size as they come, and the repairs that its encoding took.

    Raises:
      FileRefused: no text.
    """
    try:
        encoding = detect_encoding(stream)
    except UnicodeError as error:
        raise FileRefused(Reason.ANNOTATION_UNREADABLE, f"no readable text: {error}") from None
    lines = (line.rstrip("\n") for line in io.TextIOWrapper(stream, encoding=encoding))
    return lines, (Reason.ENCODING_CP949,) if encoding == LAST_RESORT else ()


def parse_lines(lines: Sequence[str], parse: ParseLine) -> tuple[list[ObjectAnnotation], list[BoxProblem]]:
    """The objects of lines and what is wrong with others; of equal lines the first counts."""
    objects: list[ObjectAnnotation] = []
    problems: list[BoxProblem] = []
    seen: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        line = line.strip()
        if not line:
            continue
        position = f"line {number}"
        try:
            item = parse(line, position)
            if item is None:
                continue
            if (first := seen.setdefault(line, number)) != number:
                raise Refused(Reason.DUP_BOX, f"the same as line {first}", item.class_name)
            objects.append(item)
        except Refused as refused:
            problems.append(refused.problem(position))
    return objects, problems


@lru_cache(maxsize=4096)
def class_name_of(text: str) -> str:
    """A class's name as it is written to labels files.

    Raises:
      Refused: it is empty, or holds control characters.
    """
    name = clean_class_name(text)
    if not name:
        raise Refused(Reason.FIELD_MISSING, "the object has no class")
    if not is_text(name):
        raise Refused(Reason.NAME_NOT_UNICODE, f"the class {quote(name)} holds control characters", name)
    return name


def numbers(names: Sequence[str], values: Sequence[str], class_name: str = "") -> list[float]:
    """Fields as numbers.

    Raises:
      Refused: a value is empty, or is no number.
    """
    try:
        return [float(value) for value in values] if "_" not in "".join(values) else _checked(names, values)
    except ValueError:
        pass
    try:
        return _checked(names, values)
    except FieldError as error:
        raise Refused(Reason.FIELD_NOT_NUMBER, str(error), class_name) from None


def _checked(names: Sequence[str], values: Sequence[str]) -> list[float]:
    return [as_number(name, value) for name, value in zip(names, values, strict=True)]


def wrong_columns(line: str, found: int, expected: str) -> Refused:
    """What to raise for a line with another number of columns than its format has."""
    return Refused(Reason.FIELD_COUNT, f"{found} columns, not {expected}: {quote(line)}")
