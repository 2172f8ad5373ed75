"""CrowdHuman's ODGT: a line of JSON for each image.

Format: https://www.crowdhuman.org/download.html – boxes are x, y, width, height in pixels. Of a person's three boxes
the full body (``fbox``), by which the benchmark is scored, is read; the visible part (``vbox``) where there is no
other; the head (``hbox``) is not. What is to be ignored – ``extra.ignore``, and the tag "mask" of drawn people and
crowds – is a person marked as crowd.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

from transforms.annotations.fields import as_flag, as_id, as_number, quote
from transforms.annotations.json_objects import Entry, as_list, read_lines, read_objects, text_of
from transforms.annotations.json_outline import outline
from transforms.annotations.refusals import Refused, box_of_size
from transforms.annotations.source_files import SourceFile, read_streamed
from transforms.ledger.reasons import Reason
from transforms.records import Box, ObjectAnnotation, ReadContext, Reading

SUFFIXES = (".odgt",)
FILES_PER_UNIT = 1
_CROWD = "mask"


def sniff(head: bytes) -> bool:
    """Whether the first bytes of a file are an image's ID and its ground truth boxes."""
    found = outline(head)
    return found.kind == "object" and found.has(ID='"', gtboxes="[")


def read(stream: BinaryIO, context: ReadContext) -> Iterator[Reading]:
    """Reads one file; what cannot be read is a Rejection or a BoxProblem, never an exception."""
    return read_streamed(stream, context, "ODGT", read_lines(_image))


def _image(entry: Entry, place: str, file: SourceFile) -> Reading:
    name = text_of(entry.get("ID"))
    objects, problems = read_objects(entry.get("gtboxes"), "gtboxes", _class_name, _object)
    return file.image(f"{name}.jpg" if name else None, place, image_id=name, objects=objects, problems=problems)


def _class_name(entry: Entry) -> Any:
    return "person" if entry.get("tag") == _CROWD else entry.get("tag")


def _object(entry: Entry, name: str, position: str) -> ObjectAnnotation:
    extra = entry["extra"] if isinstance(entry.get("extra"), dict) else {}
    is_ignored = as_flag(extra.get("ignore")) is True or entry.get("tag") == _CROWD
    return ObjectAnnotation(
        _box(entry),
        name,
        box_id=as_id(extra.get("box_id")) or "",
        position=position,
        is_crowd=is_ignored,
        occluded=as_flag(extra.get("occ")),
    )


def _box(entry: Entry) -> Box:
    field = next((key for key in ("fbox", "vbox") if entry.get(key) is not None), "fbox")
    values = [as_number(field, value) for value in as_list(entry.get(field), field)]
    if len(values) != 4:
        raise Refused(Reason.FIELD_MISSING, f"{field} is {quote(entry.get(field))}, not [x, y, width, height]")
    return box_of_size(*values)
