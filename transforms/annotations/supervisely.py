"""Supervisely JSON: one file an image, ``ann/a.jpg.json`` of ``img/a.jpg``.

Format: https://developer.supervisely.com/getting-started/supervisely-annotation-format – an object with ``size``,
``tags`` and ``objects``. A rectangle's two corners are pixels that it covers; a bitmap is a PNG, packed by zlib and
written in base64, and the pixel where its top-left corner lies. Classes are declared in the project's ``meta.json``.
"""

from __future__ import annotations

import base64
import posixpath
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO

from transforms.annotations.bitmaps import box_and_mask, pixels_of_png
from transforms.annotations.fields import as_id, as_number, as_size, as_split, clean_class_name, is_text, quote
from transforms.annotations.json_objects import (
    Entry,
    as_entry,
    as_list,
    read_document,
    read_objects,
    ring_of_pairs,
    text_of,
)
from transforms.annotations.json_outline import outline
from transforms.annotations.json_stream import JsonError, decode_json
from transforms.annotations.refusals import Refused
from transforms.annotations.shapes import bounds, with_holes
from transforms.annotations.source_files import SourceFile
from transforms.annotations.text_encoding import decode_text
from transforms.ledger.reasons import Reason
from transforms.records import (
    Box,
    Companions,
    DeclaredClasses,
    ImageLabel,
    Mask,
    ObjectAnnotation,
    Polygons,
    ReadContext,
    Reading,
)

SUFFIXES = (".json",)
FILES_PER_UNIT = 200
IS_FILE_PER_IMAGE = True
COMPANIONS = ("meta.json", "obj_class_to_machine_color.json", "key_id_map.json")
MAX_BITMAP_BYTES = 64 << 20
_PNG = b"\x89PNG"
_SPLITS = ("train", "val", "test")


def sniff(head: bytes) -> bool:
    """Whether the first bytes of a file are an object with a size and with tags or objects."""
    found = outline(head)
    return found.kind == "object" and (found.has(size="{", tags="[") or found.has(size="{", objects="["))


def read(stream: BinaryIO, context: ReadContext) -> Iterator[Reading]:
    """Reads one file; what cannot be read is a Rejection or a BoxProblem, never an exception."""
    if context.companions is not None:
        yield context.companions.once(_declared)
    yield from read_document(stream, context, "Supervisely JSON", _image)


def _declared(companions: Companions) -> DeclaredClasses:
    """The classes of the nearest ``meta.json``, with their positions from 1 as ids."""
    found = (companions.read(posixpath.join(folder, "meta.json")) for folder in companions.upwards())
    data = next((data for data in found if data is not None), b"{}")
    try:
        meta = decode_json(decode_text(data)[0])
    except (JsonError, UnicodeDecodeError):  # the images have their class names without it
        meta = None
    classes = meta.get("classes") if isinstance(meta, dict) else None
    entries = [item for item in classes if isinstance(item, dict)] if isinstance(classes, list) else []
    titles = [text_of(item.get("title")) for item in entries]
    names = dict.fromkeys(clean_class_name(title) for title in titles if title and is_text(title))
    return DeclaredClasses(tuple((name, index) for index, name in enumerate(names, start=1)))


def _image(entry: Entry, file: SourceFile) -> Reading:
    annotation_file = file.context.annotation_file
    size = as_entry(entry.get("size"), "size")
    labels: list[ImageLabel] = []
    fields: list[tuple[str, str]] = []
    split = ""
    for tag in as_list(entry.get("tags"), "tags"):
        name, value = (tag.get("name"), tag.get("value")) if isinstance(tag, dict) else (tag, None)
        name = clean_class_name(name) if isinstance(name, str) and is_text(clean_class_name(name)) else ""
        if value is None and as_split(name) in _SPLITS:
            split = as_split(name)
        elif value is None and name:
            labels.append(ImageLabel(name))
        elif name:
            fields.append((name, text_of(value) or quote(value)))
    objects, problems = read_objects(entry.get("objects"), "objects", lambda item: item.get("classTitle"), _object)
    return file.image(
        posixpath.splitext(posixpath.basename(annotation_file))[0],
        "the file",
        is_named_by_file=True,
        width=as_size(size.get("width")),
        height=as_size(size.get("height")),
        objects=objects,
        problems=problems,
        labels=tuple(labels),
        fields=tuple(fields),
        split=split,
    )


def _object(item: Entry, name: str, position: str) -> ObjectAnnotation:
    box, mask = _box_and_mask(item)
    return ObjectAnnotation(box, name, box_id=as_id(item.get("id")) or "", position=position, mask=mask)


def _box_and_mask(item: Entry) -> tuple[Box, Mask | None]:
    kind = item.get("geometryType")
    if kind == "bitmap":
        return _bitmap(as_entry(item.get("bitmap"), "bitmap"))
    if kind not in ("rectangle", "polygon"):
        raise Refused(Reason.SHAPE_UNSUPPORTED, f"a {quote(kind)} has no area")
    points = as_entry(item.get("points"), "points")
    ring = ring_of_pairs(points.get("exterior"), "exterior")
    if kind == "rectangle":
        if len(ring) < 4:
            raise Refused(Reason.FIELD_MISSING, "a rectangle needs two points")
        xmin, ymin, xmax, ymax = bounds([ring])
        return Box(xmin, ymin, xmax + 1, ymax + 1), None
    holes = [ring_of_pairs(hole, "interior") for hole in as_list(points.get("interior"), "interior")]
    return bounds([ring]), Polygons((with_holes(ring, holes),))


def _bitmap(bitmap: Entry) -> tuple[Box, Mask]:
    origin = as_list(bitmap.get("origin"), "origin")
    if len(origin) != 2:
        raise Refused(Reason.FIELD_MISSING, f"the bitmap's origin is {quote(origin)}, not [x, y]")
    left, top = (as_number("origin", value) for value in origin)
    if not abs(left) + abs(top) < 2**31:
        raise Refused(Reason.BOX_NOT_FINITE, f"the bitmap lies at {left:g}, {top:g}")
    pixels = pixels_of_png(_unpacked(bitmap.get("data")))
    if pixels is None:
        raise Refused(Reason.MASK_UNREADABLE, "the bitmap's data are no PNG")
    return box_and_mask(pixels, int(left), int(top))


def _unpacked(data: Any) -> bytes:
    """The PNG of a bitmap's data; b"" if they are not what they must be."""
    try:
        packed = base64.b64decode(data, validate=True) if isinstance(data, str) else b""
        if packed.startswith(_PNG):  # as some writers leave it
            return packed
        return zlib.decompressobj().decompress(packed, MAX_BITMAP_BYTES)
    except (ValueError, zlib.error):
        return b""
