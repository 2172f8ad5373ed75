"""VoTT 2 JSON: an export of a project (all assets in one file), or the project's own files, one an asset.

Format: as VoTT (github.com/microsoft/VoTT) writes it – an asset with its ``path``, ``size`` and ``state``, and regions
with ``tags``, a ``boundingBox`` in pixels and ``points``. A region with several tags is an object of each. An export is
streamed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO, TextIO

from transforms.annotations.fields import as_id, as_size, quote
from transforms.annotations.image_urls import name_of_url
from transforms.annotations.json_objects import (
    Entry,
    as_entry,
    number,
    read_document,
    read_entries,
    read_objects,
    ring_of_points,
    text_of,
)
from transforms.annotations.json_outline import outline
from transforms.annotations.json_stream import stream_members
from transforms.annotations.refusals import Refused, as_class_name, box_of_size, refuse_image
from transforms.annotations.source_files import SourceFile, read_streamed
from transforms.ledger.reasons import Reason
from transforms.records import (
    AnnotatedImage,
    DeclaredClasses,
    ObjectAnnotation,
    Polygons,
    ReadContext,
    Reading,
)

SUFFIXES = (".json",)
FILES_PER_UNIT = 200
_HEAD_BYTES = 1 << 16
_NOT_VISITED = 0


def sniff(head: bytes) -> bool:
    """Whether the first bytes of a file are a VoTT export, or an asset with its regions."""
    found = outline(head)
    is_asset = found.has(asset="{") and (found.has(regions="[") or "state" in found.inner)
    is_export = found.has(assets="{") or found.has(tags="[", videoSettings="{")
    return found.kind == "object" and (is_asset or is_export)


def read(stream: BinaryIO, context: ReadContext) -> Iterator[Reading]:
    """Reads one VoTT file; what cannot be read is a Rejection or a BoxProblem, never an exception."""
    head = stream.read(_HEAD_BYTES)
    stream.seek(0)
    if outline(head).has(asset="{"):
        return read_document(stream, context, "VoTT JSON", lambda entry, file: _image(entry, "the file", file))
    return read_streamed(stream, context, "VoTT JSON", _export)


def _export(text: TextIO, file: SourceFile) -> Iterator[Reading]:
    tags: list[str] = []
    yield from read_entries(_assets(text, tags), file, _image)
    yield DeclaredClasses(tuple((name, index) for index, name in enumerate(dict.fromkeys(tags), start=1)))


def _assets(text: TextIO, tags: list[str]) -> Iterator[tuple[str, Any]]:
    """Yields the assets, and appends the names of the file's tags as they come."""
    for key, value in stream_members(text, objects=("assets",)):
        if key == "tags" and isinstance(value, dict):
            try:
                tags.append(as_class_name(value.get("name")))
            except Refused:  # of no use as a class; an object that has it says so
                continue
        elif key == "assets":
            name, asset = value if isinstance(value, tuple) else ("", value)
            yield f"asset {quote(name)}", asset


def _image(entry: Entry, place: str, file: SourceFile) -> Reading:
    asset = as_entry(entry.get("asset"), "asset")
    size = asset["size"] if isinstance(asset.get("size"), dict) else {}
    parent = asset["parent"] if isinstance(asset.get("parent"), dict) else {}
    objects, problems = read_objects(entry.get("regions"), "regions", lambda region: region.get("tags"), _object)
    name, path = text_of(asset.get("name")), name_of_url(text_of(asset.get("path")))
    image = file.image(
        path or name,
        place,
        image_id=as_id(asset.get("id")) or "",
        other_names=(name,) if path and name and name != path else (),
        width=as_size(size.get("width")),
        height=as_size(size.get("height")),
        objects=objects,
        problems=problems,
        fields=(("video", text_of(parent["name"])),) if text_of(parent.get("name")) else (),
    )
    if isinstance(image, AnnotatedImage) and asset.get("state") == _NOT_VISITED and not objects:
        return refuse_image(image, Reason.NOT_ANNOTATED, "nobody has looked at the asset yet")
    return image


def _object(region: Entry, name: str, position: str) -> ObjectAnnotation:
    kind = region.get("type", "RECTANGLE")
    if kind not in ("RECTANGLE", "SQUARE", "POLYGON"):
        raise Refused(Reason.SHAPE_UNSUPPORTED, f"a {quote(kind)} has no area")
    box = as_entry(region.get("boundingBox"), "boundingBox")
    left, top, width, height = (number(box, field) for field in ("left", "top", "width", "height"))
    return ObjectAnnotation(
        box_of_size(left, top, width, height),
        name,
        box_id=as_id(region.get("id")) or "",
        position=position,
        mask=Polygons((ring_of_points(region.get("points"), "points"),)) if kind == "POLYGON" else None,
    )
