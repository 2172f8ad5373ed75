"""What the readers of JSON formats share: opening a file, reading an image's objects, saying what is wrong with them.

A reader of one object raises ``ObjectRefused`` (or ``FieldError``) and ``read_objects`` makes the row of it; nothing
is raised beyond a format's ``read``.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, TextIO

from transforms.annotations.fields import FieldError, as_id, as_number, clean_class_name, is_text, quote
from transforms.annotations.json_stream import DUPLICATE_KEY, JsonError, decode_json
from transforms.annotations.text_encoding import LAST_RESORT, decode_text, detect_encoding
from transforms.ledger.reasons import Reason
from transforms.records import AnnotatedImage, Box, BoxProblem, ObjectAnnotation, ReadContext, Reading, Rejection

MAX_DOCUMENT_BYTES = 128 << 20
Entry = dict[str, Any]


class ObjectRefused(FieldError):
    """An object, an image or a file that cannot be used: a reason code and a sentence for the ledger."""

    def __init__(self, reason: Reason, detail: str):
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class JsonFile:
    """The annotation file that is being read.

    Attributes:
      context: of the read.
      title: of the format, for sentences.
      repairs: of the file itself, which each of its images carries.
    """

    context: ReadContext
    title: str
    repairs: tuple[str, ...] = ()

    def rejection(self, reason: str, detail: str, is_image: bool = True) -> Rejection:
        """The row of an entry, or of the whole file, that names no image."""
        context = self.context
        return Rejection(
            reason, detail, is_image=is_image, source=context.source, annotation_file=context.annotation_file
        )

    def unreadable(self, error: Exception, is_image: bool = False) -> Rejection:
        """The row of a text that is not what it must be."""
        return self.rejection(Reason.ANNOTATION_UNREADABLE, f"no readable {self.title}: {error}", is_image)

    def image(self, file_name: Any, place: str, **fields: Any) -> AnnotatedImage | Rejection:
        """An image of this file with the given fields of ``AnnotatedImage``; refused if it has no name.

        Args:
          file_name: as found, of any type.
          place: of the entry ("line 3"), for the ledger.
        """
        is_named = isinstance(file_name, str) and bool(file_name.strip())
        image = AnnotatedImage(
            file_name=file_name if is_named else "",
            repairs=self.repairs,
            source=self.context.source,
            annotation_file=self.context.annotation_file,
            **fields,
        )
        if is_named:
            return image
        return refuse_image(image, Reason.FIELD_MISSING, f"{place} names no image, but {quote(file_name)}")


def refuse_image(image: AnnotatedImage, reason: Reason, detail: str) -> Rejection:
    """An image that is lost, with all its boxes."""
    dropped = tuple(problem for problem in image.problems if problem.status == "dropped")
    lost = (BoxProblem(o.position, o.box_id, o.class_name, "dropped", reason, detail) for o in image.objects)
    return Rejection(
        reason,
        detail,
        file_name=image.file_name,
        image_id=image.image_id,
        problems=(*dropped, *lost),
        source=image.source,
        annotation_file=image.annotation_file,
    )


def read_streamed(
    stream: BinaryIO, context: ReadContext, title: str, read_text: Callable[[TextIO, JsonFile], Iterator[Reading]]
) -> Iterator[Reading]:
    """Reads a file of any size. Where its text breaks off, one rejection follows the images that were whole."""
    repairs: tuple[str, ...] = ()
    try:
        encoding = detect_encoding(stream)
        repairs = (Reason.ENCODING_CP949,) if encoding == LAST_RESORT else ()
        with io.TextIOWrapper(stream, encoding=encoding, newline="") as text:
            yield from read_text(text, JsonFile(context, title, repairs))
    except (JsonError, UnicodeDecodeError) as error:
        yield JsonFile(context, title, repairs).unreadable(error)


def read_document(
    stream: BinaryIO, context: ReadContext, title: str, read_entry: Callable[[Entry, JsonFile], Reading]
) -> Iterator[Reading]:
    """Reads a file of one image at once; larger than 128 MiB it is refused."""
    file = JsonFile(context, title)
    data = stream.read(MAX_DOCUMENT_BYTES + 1)
    if len(data) > MAX_DOCUMENT_BYTES:
        yield file.rejection(Reason.ANNOTATION_TOO_LARGE, f"larger than {MAX_DOCUMENT_BYTES} bytes")
        return
    try:
        text, encoding = decode_text(data)
        file = JsonFile(context, title, (Reason.ENCODING_CP949,) if encoding == LAST_RESORT else ())
        yield read_entry(as_entry(decode_json(text), "the file"), file)
    except (JsonError, UnicodeDecodeError) as error:
        yield file.unreadable(error, is_image=True)
    except ObjectRefused as refused:
        yield file.rejection(refused.reason, refused.detail)


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
      name_of: gives the class name as found in an object.
      read_object: makes an object of its entry, class name and position; raises what is wrong with it.

    Returns:
      The objects that could be read, and the problems of the others; positions count all of them.

    Raises:
      ObjectRefused: the entries are no array.
    """
    objects: list[ObjectAnnotation] = []
    problems: list[BoxProblem] = []
    for index, value in enumerate(as_list(entries, place)):
        position, name = f"{place}[{index}]", ""
        try:
            entry = as_entry(value, position)
            name = as_class_name(name_of(entry))
            objects.append(read_object(entry, name, position))
        except FieldError as error:
            problems.append(problem_of(error, position, name))
    return tuple(objects), tuple(problems)


def problem_of(error: FieldError, position: str, class_name: str = "", box_id: str = "") -> BoxProblem:
    """The row of an object that could not be read."""
    reason = error.reason if isinstance(error, ObjectRefused) else Reason.FIELD_NOT_NUMBER
    return BoxProblem(position, box_id, class_name, "dropped", reason, str(error))


def as_entry(value: Any, field: str) -> Entry:
    """An object whose keys are each there once.

    Raises:
      ObjectRefused: anything else.
    """
    if not isinstance(value, dict):
        raise ObjectRefused(Reason.FIELD_MISSING, f"{field} is {quote(value)}, not an object")
    if DUPLICATE_KEY in value:
        raise ObjectRefused(Reason.JSON_DUPLICATE_KEY, f"the key {quote(value[DUPLICATE_KEY])} stands twice in {field}")
    return value


def as_list(value: Any, field: str) -> list[Any]:
    """An array; empty if there is none.

    Raises:
      ObjectRefused: anything else.
    """
    if value is not None and not isinstance(value, list):
        raise ObjectRefused(Reason.FIELD_MISSING, f"{field} is {quote(value)}, not an array")
    return value or []


def as_class_name(value: Any) -> str:
    """A class name, stripped and composed; a number is its digits.

    Raises:
      ObjectRefused: there is none, or it is no text.
    """
    name = clean_class_name(value) if isinstance(value, str) else as_id(value)
    if not name:
        raise ObjectRefused(Reason.FIELD_MISSING, f"the object has no class name, but {quote(value)}")
    if not is_text(name):
        raise ObjectRefused(Reason.NAME_NOT_UNICODE, f"the class name {quote(name)} holds control characters")
    return name


def number(entry: Entry, field: str) -> float:
    """A number of an object; may be infinite or none, see ``as_number``.

    Raises:
      FieldError: it is no number. ObjectRefused: it is missing.
    """
    value = entry.get(field)
    if value is None:
        raise ObjectRefused(Reason.FIELD_MISSING, f"the object has no {field}")
    return as_number(field, value)


def ring_of_pairs(value: Any, field: str) -> tuple[float, ...]:
    """A ring of points written as [[x, y], …].

    Raises:
      FieldError: a coordinate is no number. ObjectRefused: no points, or one that is no pair.
    """
    ring: list[float] = []
    for point in as_list(value, field):
        if not isinstance(point, list) or len(point) < 2:
            raise ObjectRefused(Reason.FIELD_MISSING, f"a point of {field} is {quote(point)}, not [x, y]")
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
        raise ObjectRefused(Reason.FIELD_MISSING, f"{field} has {len(numbers)} numbers, the last is half a point")
    return _not_empty(numbers, field)


def _not_empty(ring: list[float], field: str) -> tuple[float, ...]:
    if not ring:
        raise ObjectRefused(Reason.FIELD_MISSING, f"the object's {field} has no points")
    return tuple(ring)


def box_of_size(x: float, y: float, width: float, height: float) -> Box:
    """A box from its top-left corner and size.

    Raises:
      ObjectRefused: a side is zero or negative, which is no swapped edge: nobody knows which one x and y are then.
    """
    if min(width, height) <= 0 and math.isfinite(width + height):
        raise ObjectRefused(Reason.BOX_EMPTY, f"width {width:g}, height {height:g}")
    return Box(x, y, x + width, y + height)
