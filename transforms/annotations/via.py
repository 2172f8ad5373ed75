"""VIA JSON (VGG Image Annotator 1 and 2): a project, or an export of its annotations.

Format: https://www.robots.ox.ac.uk/~vgg/software/via – an object with an entry for each image, in a project under
``_via_img_metadata``; regions have their shape in pixels and attributes of the annotator's own making. The file is
streamed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO, TextIO

from transforms.annotations.fields import quote
from transforms.annotations.image_urls import name_of_url
from transforms.annotations.json_objects import Entry, as_entry, read_entries, read_objects, text_of
from transforms.annotations.json_outline import outline
from transforms.annotations.json_stream import JsonError, stream_members
from transforms.annotations.source_files import SourceFile, read_streamed
from transforms.annotations.via_regions import class_of_region, read_region
from transforms.records import ObjectAnnotation, ReadContext, Reading

SUFFIXES = (".json",)
FILES_PER_UNIT = 1
_METADATA = "_via_img_metadata"


def sniff(head: bytes) -> bool:
    """Whether the first bytes of a file are a VIA project, or an image's entry with its regions."""
    found = outline(head)
    is_export = found.inner.get("filename") == '"' and found.inner.get("regions", " ") in "[{"
    is_project = found.has(_via_settings="{") or found.has(**{_METADATA: "{"})
    return found.kind == "object" and (is_project or is_export)


def read(stream: BinaryIO, context: ReadContext) -> Iterator[Reading]:
    """Reads one VIA file; what cannot be read is a Rejection or a BoxProblem, never an exception."""
    return read_streamed(stream, context, "VIA JSON", lambda text, file: read_entries(_entries(text), file, _image))


def _entries(text: TextIO) -> Iterator[tuple[str, Any]]:
    for key, value in stream_members(text, objects=(_METADATA,)):
        if key == _METADATA:
            if not isinstance(value, tuple):
                raise JsonError(f"{_METADATA} is {quote(value)}, not an object")
            yield f"image {quote(value[0])}", value[1]
        elif not key.startswith("_via_"):
            yield f"image {quote(key)}", value


def _image(entry: Entry, place: str, file: SourceFile) -> Reading:
    regions = entry.get("regions")
    if isinstance(regions, dict):  # version 1 counts them by keys
        regions = list(as_entry(regions, "regions").values())
    attributes = entry["file_attributes"] if isinstance(entry.get("file_attributes"), dict) else {}
    objects, problems = read_objects(regions, "regions", _class_name, _object)
    return file.image(
        name_of_url(text_of(entry.get("filename"))),
        place,
        objects=objects,
        problems=problems,
        fields=tuple((key, text_of(value)) for key, value in attributes.items() if text_of(value)),
    )


def _class_name(region: Entry) -> Any:
    return class_of_region(as_entry(region.get("region_attributes", {}), "region_attributes"))


def _object(region: Entry, name: str, position: str) -> ObjectAnnotation:
    box, mask = read_region(as_entry(region.get("shape_attributes"), "shape_attributes"))
    return ObjectAnnotation(box, name, position=position, mask=mask)
