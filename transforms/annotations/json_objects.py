"""What the readers of JSON formats share: opening a file, reading an image's objects and their fields.

A reader of one object raises ``Refused`` or ``FieldError``, and ``read_objects`` makes the row of it; nothing is raised
beyond a format's ``read``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO, TextIO

from transforms.annotations.fields import FieldError, as_number, clean_name, quote
from transforms.annotations.json_stream import DUPLICATE_KEY, JsonError, decode_json, stream_array, stream_lines
from transforms.annotations.refusals import Refused, as_class_name, problem_of
from transforms.annotations.source_files import SourceFile
from transforms.annotations.text_encoding import LAST_RESORT, decode_text
from transforms.ledger.reasons import Reason
from transforms.records import BoxProblem, ObjectAnnotation, ReadContext, Reading

MAX_DOCUMENT_BYTES = 128 << 20
Entry = dict[str, Any]


def read_document(
    stream: BinaryIO, context: ReadContext, title: str, read_entry: Callable[[Entry, SourceFile], Reading]
) -> Iterator[Reading]:
    """Reads a file of one image at once; larger than 128 MiB it is refused."""
    file = SourceFile(context, title)
    data = stream.read(MAX_DOCUMENT_BYTES + 1)
    if len(data) > MAX_DOCUMENT_BYTES:
        yield file.rejection(Reason.ANNOTATION_TOO_LARGE, f"larger than {MAX_DOCUMENT_BYTES} bytes")
        return
    try:
        text, encoding = decode_text(data)
        file = SourceFile(context, title, (Reason.ENCODING_CP949,) if encoding == LAST_RESORT else ())
        yield read_entry(as_entry(decode_json(text), "the file"), file)
    except (JsonError, UnicodeDecodeError) as error:
        yield file.unreadable(error, is_image=True)
    except Refused as refused:
        yield file.rejection(refused.reason, refused.detail)


def read_entries(
    values: Iterable[tuple[str, Any]], file: SourceFile, read_entry: Callable[[Entry, str, SourceFile], Reading]
) -> Iterator[Reading]:
    """Reads images one by one, each from an object of its own.

    Args:
      values: place ("line 3") and value of each; a ``JsonError`` stands for a value that could not be decoded.
      read_entry: makes a reading of an entry at a place; raises what is wrong with it.
    """
    for place, value in values:
        try:
            if isinstance(value, JsonError):
                raise Refused(Reason.ANNOTATION_UNREADABLE, f"{place} is no JSON: {value}")
            yield read_entry(as_entry(value, place), place, file)
        except FieldError as error:
            problem = problem_of(error, place)
            yield file.rejection(problem.reason, f"{place}: {problem.detail}")


def read_lines(
    read_entry: Callable[[Entry, str, SourceFile], Reading],
) -> Callable[[TextIO, SourceFile], Iterator[Reading]]:
    """Makes a reader of files that have an image a line."""

    def read_text(text: TextIO, file: SourceFile) -> Iterator[Reading]:
        values = ((f"line {index}", value) for index, value in stream_lines(text))
        return read_entries(values, file, read_entry)

    return read_text


def read_array(
    read_entry: Callable[[Entry, str, SourceFile], Reading],
) -> Callable[[TextIO, SourceFile], Iterator[Reading]]:
    """Makes a reader of files that are an array of images."""

    def read_text(text: TextIO, file: SourceFile) -> Iterator[Reading]:
        values = ((f"[{index}]", value) for index, value in enumerate(stream_array(text)))
        return read_entries(values, file, read_entry)

    return read_text


def read_objects(
    entries: Any,
    place: str,
    name_of: Callable[[Entry], Any],
    read_object: Callable[[Entry, str, str], ObjectAnnotation],
) -> tuple[tuple[ObjectAnnotation, ...], tuple[BoxProblem, ...]]:
    """Reads the objects of an image.

    Args:
      entries: the array of them; None where there is none.
      place: of the array ("shapes"), for positions such as "shapes[2]".
      name_of: gives the class name as found in an object; for a list of names, there is an object of each.
      read_object: makes an object of its entry, class name and position; raises what is wrong with it.

    Returns:
      The objects that could be read, and the problems of the others; positions count all of them.

    Raises:
      Refused: the entries are no array.
    """
    objects: list[ObjectAnnotation] = []
    problems: list[BoxProblem] = []
    for index, value in enumerate(as_list(entries, place)):
        position, name = f"{place}[{index}]", ""
        try:
            entry = as_entry(value, position)
            found = name_of(entry)
            name, *others = map(as_class_name, found or [None]) if isinstance(found, list) else (as_class_name(found),)
            item = read_object(entry, name, position)
            objects.append(item)
            if others:
                objects += [item._replace(class_name=other) for other in others]
        except FieldError as error:
            problems.append(problem_of(error, position, name))
    return tuple(objects), tuple(problems)


def as_entry(value: Any, field: str) -> Entry:
    """An object whose keys are each there once.

    Raises:
      Refused: anything else.
    """
    if not isinstance(value, dict):
        raise Refused(Reason.FIELD_MISSING, f"{field} is {quote(value)}, not an object")
    if DUPLICATE_KEY in value:
        raise Refused(Reason.JSON_DUPLICATE_KEY, f"the key {quote(value[DUPLICATE_KEY])} stands twice in {field}")
    return value


def as_list(value: Any, field: str) -> list[Any]:
    """An array; empty if there is none.

    Raises:
      Refused: anything else.
    """
    if value is not None and not isinstance(value, list):
        raise Refused(Reason.FIELD_MISSING, f"{field} is {quote(value)}, not an array")
    return value or []


def text_of(value: Any) -> str:
    """A text, stripped and composed; "" for anything else."""
    return clean_name(value) if isinstance(value, str) else ""


def number(entry: Entry, field: str) -> float:
    """A number of an object; may be infinite or none, see ``as_number``.

    Raises:
      FieldError: it is no number. Refused: it is missing.
    """
    value = entry.get(field)
    if type(value) is float:  # as most are
        return value
    if value is None:
        raise Refused(Reason.FIELD_MISSING, f"the object has no {field}")
    return as_number(field, value)


def ring_of_pairs(value: Any, field: str) -> tuple[float, ...]:
    """A ring of points written as [[x, y], …].

    Raises:
      FieldError: a coordinate is no number. Refused: no points, or one that is no pair.
    """
    ring: list[float] = []
    for point in as_list(value, field):
        if not isinstance(point, list) or len(point) < 2:
            raise Refused(Reason.FIELD_MISSING, f"a point of {field} is {quote(point)}, not [x, y]")
        ring += (as_number(field, point[0]), as_number(field, point[1]))
    return _not_empty(ring, field)


def ring_of_points(value: Any, field: str) -> tuple[float, ...]:
    """A ring of points written as [{"x": x, "y": y}, …]; raises as ``ring_of_pairs``."""
    ring: list[float] = []
    for point in as_list(value, field):
        entry = as_entry(point, f"a point of {field}")
        ring += (number(entry, "x"), number(entry, "y"))
    return _not_empty(ring, field)


def ring_of_numbers(value: Any, field: str) -> tuple[float, ...]:
    """A ring of points written as [x0, y0, x1, y1, …]; raises as ``ring_of_pairs``."""
    numbers = [as_number(field, item) for item in as_list(value, field)]
    if len(numbers) % 2:
        raise Refused(Reason.FIELD_MISSING, f"{field} has {len(numbers)} numbers, the last is half a point")
    return _not_empty(numbers, field)


def _not_empty(ring: list[float], field: str) -> tuple[float, ...]:
    if not ring:
        raise Refused(Reason.FIELD_MISSING, f"the object's {field} has no points")
    return tuple(ring)
