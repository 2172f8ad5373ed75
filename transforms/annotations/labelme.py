"""LabelMe JSON: one file an image.

Format: as labelme (github.com/wkentaro/labelme) writes it – an object with ``imagePath`` (relative to the file, often
of a Windows machine) and ``shapes``, each with a ``label``, a ``shape_type`` and ``points`` in pixels. Two corners of a
rectangle stand in any order; a circle is its centre and a point on it; a mask is a PNG and the first and last pixel
that it covers. Shapes of one label and one ``group_id`` are parts of one object, as labelme's own exporters have it.
``imageData``, a copy of the picture, is passed over.
"""

from __future__ import annotations

import base64
import math
import posixpath
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from transforms.annotations.fields import MAX_INT64, as_flag, as_id, as_size, clean_class_name, is_text, quote
from transforms.annotations.json_objects import Entry, read_document, read_objects, ring_of_pairs
from transforms.annotations.json_outline import outline
from transforms.annotations.refusals import Refused
from transforms.annotations.shapes import Ring, bounds, ellipse_box, ellipse_ring
from transforms.annotations.source_files import SourceFile
from transforms.ledger.reasons import Reason
from transforms.records import Box, ImageLabel, Mask, MaskBitmap, ObjectAnnotation, Polygons, ReadContext, Reading

SUFFIXES = (".json",)
FILES_PER_UNIT = 200
IS_FILE_PER_IMAGE = True
_POLYGONS = ("polygon", "rotation", "oriented_rectangle", "quadrilateral")


def sniff(head: bytes) -> bool:
    """Whether the first bytes of a file are an object with shapes, as only LabelMe's are."""
    found = outline(head)
    return found.kind == "object" and found.has(shapes="[")


def read(stream: BinaryIO, context: ReadContext) -> Iterator[Reading]:
    """Reads one LabelMe file; what cannot be read is a Rejection or a BoxProblem, never an exception."""
    return read_document(stream, context, "LabelMe JSON", _image)


def _image(entry: Entry, file: SourceFile) -> Reading:
    annotation_file = file.context.annotation_file
    name = entry.get("imagePath")
    is_named = isinstance(name, str) and bool(name.strip())
    objects, problems = read_objects(entry.get("shapes"), "shapes", lambda shape: shape.get("label"), _object)
    return file.image(
        name if is_named else posixpath.splitext(posixpath.basename(annotation_file))[0],
        "the file",
        is_named_by_file=not is_named,
        width=as_size(entry.get("imageWidth")),
        height=as_size(entry.get("imageHeight")),
        objects=tuple(_join_parts(objects)),
        problems=problems,
        labels=tuple(_labels(entry.get("flags"))),
    )


def _labels(flags: Any) -> Iterator[ImageLabel]:
    """The flags of a picture that are set; one that is not set says nothing, since all begin so."""
    for flag, value in flags.items() if isinstance(flags, dict) else ():
        if value is True and clean_class_name(flag) and is_text(flag):
            yield ImageLabel(clean_class_name(flag))


def _object(shape: Entry, name: str, position: str) -> ObjectAnnotation:
    box, mask = _box_and_mask(shape)
    flags = shape["flags"] if isinstance(shape.get("flags"), dict) else {}
    return ObjectAnnotation(
        box,
        name,
        box_id=as_id(shape.get("group_id")) or "",
        position=position,
        difficult=as_flag(flags.get("difficult", shape.get("difficult"))),
        truncated=as_flag(flags.get("truncated")),
        occluded=as_flag(flags.get("occluded")),
        mask=mask,
    )


def _box_and_mask(shape: Entry) -> tuple[Box, Mask | None]:
    kind = shape.get("shape_type") or "polygon"  # the first versions knew no other
    if kind not in (*_POLYGONS, "rectangle", "circle", "mask"):
        raise Refused(Reason.SHAPE_UNSUPPORTED, f"a {quote(kind)} has no area")
    ring = ring_of_pairs(shape.get("points"), "points")
    if kind in _POLYGONS:
        return bounds([ring]), Polygons((ring,))
    if len(ring) < 4:
        raise Refused(Reason.FIELD_MISSING, f"a {kind} needs two points")
    if kind == "rectangle":
        return bounds([ring]), None
    if kind == "circle":
        return _circle(ring)
    x0, y0, x1, y1 = bounds([ring])
    return Box(x0, y0, x1 + 1, y1 + 1), _bitmap(shape.get("mask"), x0, y0)


def _circle(ring: Ring) -> tuple[Box, Mask]:
    x, y, edge_x, edge_y = ring[:4]
    radius = math.hypot(edge_x - x, edge_y - y)
    return ellipse_box(x, y, radius, radius), Polygons((ellipse_ring(x, y, radius, radius),))


def _bitmap(value: Any, x: float, y: float) -> MaskBitmap:
    """The mask's bytes; none if they cannot be told, which is the mask's and not the box's problem."""
    try:
        data = base64.b64decode(value, validate=True) if isinstance(value, str) else b""
    except ValueError:
        data = b""
    return MaskBitmap(data, int(x), int(y)) if abs(x) + abs(y) < MAX_INT64 else MaskBitmap(b"")


def _join_parts(objects: Iterable[ObjectAnnotation]) -> Iterator[ObjectAnnotation]:
    """Objects with the polygons of each group as one, where its first part stands."""
    joined: dict[tuple[str, ...], ObjectAnnotation] = {}
    for item in objects:
        key: tuple[str, ...] = (item.position,)
        if item.box_id and isinstance(item.mask, Polygons):
            key = ("group", item.class_name, item.box_id)
        first = joined.setdefault(key, item)
        if first is not item and isinstance(first.mask, Polygons) and isinstance(item.mask, Polygons):
            rings = (*first.mask.rings, *item.mask.rings)
            joined[key] = first._replace(box=bounds(rings), mask=Polygons(rings))
    yield from joined.values()
