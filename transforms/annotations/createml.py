"""Apple CreateML JSON for object detection: an array, an image each.

Format: https://developer.apple.com/documentation/createml/building-an-object-detector-data-source – ``image`` and
``annotations``, in newer files ``imagefilename`` and ``annotation``; coordinates are a box's centre and size in pixels
from the top left. The file is streamed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from transforms.annotations.json_objects import Entry, as_entry, number, read_array, read_objects
from transforms.annotations.json_outline import outline
from transforms.annotations.refusals import box_of_size
from transforms.annotations.source_files import SourceFile, read_streamed
from transforms.records import ObjectAnnotation, ReadContext, Reading

SUFFIXES = (".json",)
FILES_PER_UNIT = 1


def sniff(head: bytes) -> bool:
    """Whether the first bytes of a file are an array of images with annotations, each with coordinates."""
    found = outline(head)
    is_named = found.has(image='"', annotations="[") or found.has(imagefilename='"', annotation="[")
    return found.kind == "array" and (is_named or found.inner.get("coordinates") == "{")


def read(stream: BinaryIO, context: ReadContext) -> Iterator[Reading]:
    """Reads one CreateML file; what cannot be read is a Rejection or a BoxProblem, never an exception."""
    return read_streamed(stream, context, "CreateML JSON", read_array(_image))


def _image(entry: Entry, place: str, file: SourceFile) -> Reading:
    name = entry.get("image", entry.get("imagefilename"))
    array = "annotation" if "annotation" in entry else "annotations"
    objects, problems = read_objects(entry.get(array), array, lambda item: item.get("label"), _object)
    return file.image(name, place, objects=objects, problems=problems)


def _object(entry: Entry, name: str, position: str) -> ObjectAnnotation:
    coordinates = as_entry(entry.get("coordinates"), "coordinates")
    x, y, width, height = (number(coordinates, field) for field in ("x", "y", "width", "height"))
    return ObjectAnnotation(box_of_size(x - width / 2, y - height / 2, width, height), name, position=position)
