"""BDD100K and Scalabel JSON: frames with their labels.

Format: https://doc.bdd100k.com/format.html – an array of frames, Scalabel's object that holds such an array, or a file
an image of the first release (``frames`` with ``objects``). ``box2d`` is taken as edges in pixels; ``poly2d`` are
vertices, of which types "C" are control points of cubic curves. Large files are streamed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, TextIO

from transforms.annotations.fields import as_flag, as_id, as_number, as_size, quote
from transforms.annotations.json_objects import (
    Entry,
    as_entry,
    as_list,
    number,
    read_array,
    read_document,
    read_entries,
    read_objects,
    text_of,
)
from transforms.annotations.json_outline import outline
from transforms.annotations.json_stream import stream_members
from transforms.annotations.refusals import Refused
from transforms.annotations.shapes import Ring, bounds
from transforms.annotations.source_files import SourceFile, read_streamed
from transforms.ledger.reasons import Reason
from transforms.records import Box, Mask, ObjectAnnotation, Polygons, ReadContext, Reading, Rle

SUFFIXES = (".json",)
FILES_PER_UNIT = 200
CURVE_STEPS = 8
_HEAD_BYTES = 1 << 16
_SCENE = ("weather", "scene", "timeofday")


def sniff(head: bytes) -> bool:
    """Whether the first bytes of a file are frames with labels, of one of the three kinds."""
    found = outline(head)
    of_frame = found.members if found.kind == "array" else found.inner
    is_frame = of_frame.get("name") == '"' and (
        of_frame.get("labels", " ") in "[n" or {"attributes", "timestamp"} <= of_frame.keys()
    )
    if found.kind == "object":
        is_first_release = found.has(name='"', frames="[") and "objects" in found.inner
        return is_first_release or (found.has(frames="[") and is_frame)
    return found.kind == "array" and (is_frame or (found.has(name='"') and not found.inner.keys().isdisjoint(_SCENE)))


def read(stream: BinaryIO, context: ReadContext) -> Iterator[Reading]:
    """Reads one file; what cannot be read is a Rejection or a BoxProblem, never an exception."""
    found = outline(stream.read(_HEAD_BYTES))
    stream.seek(0)
    if found.kind == "array":
        return read_streamed(stream, context, "BDD100K JSON", read_array(_frame))
    if found.has(name='"'):
        return read_document(stream, context, "BDD100K JSON", _first_release)
    return read_streamed(stream, context, "Scalabel JSON", _frames)


def _frames(text: TextIO, file: SourceFile) -> Iterator[Reading]:
    frames = (value for key, value in stream_members(text) if key == "frames")
    return read_entries(((f"frames[{index}]", value) for index, value in enumerate(frames)), file, _frame)


def _first_release(entry: Entry, file: SourceFile) -> Reading:
    frames = as_list(entry.get("frames"), "frames")
    if len(frames) != 1:
        raise Refused(Reason.FIELD_MISSING, f"the file has {len(frames)} frames, not one")
    frame = as_entry(frames[0], "frames[0]")
    attributes = entry.get("attributes")
    return _frame({**frame, "name": entry.get("name"), "attributes": attributes}, "the file", file, "objects")


def _frame(frame: Entry, place: str, file: SourceFile, array: str = "labels") -> Reading:
    attributes = frame["attributes"] if isinstance(frame.get("attributes"), dict) else {}
    size = frame["size"] if isinstance(frame.get("size"), dict) else {}
    video = text_of(frame.get("videoName")) or text_of(frame.get("video_name"))
    objects, problems = read_objects(
        frame.get(array),
        array,
        lambda label: label.get("category"),
        lambda label, name, position: _object(label, name, position, bool(video)),
    )
    fields = {"video": video, **{key: text_of(value) for key, value in attributes.items()}}
    return file.image(
        frame.get("name"),
        place,
        width=as_size(size.get("width")),
        height=as_size(size.get("height")),
        objects=objects,
        problems=problems,
        fields=tuple((key, value) for key, value in fields.items() if value),
    )


def _object(label: Entry, name: str, position: str, is_of_video: bool) -> ObjectAnnotation:
    attributes = label["attributes"] if isinstance(label.get("attributes"), dict) else {}
    box, mask = _box_and_mask(label)
    label_id = as_id(label.get("id")) or ""
    return ObjectAnnotation(
        box,
        name,
        box_id=label_id,
        position=position,
        is_crowd=as_flag(attributes.get("crowd", attributes.get("Crowd"))),
        truncated=as_flag(attributes.get("truncated", attributes.get("Truncated"))),
        occluded=as_flag(attributes.get("occluded", attributes.get("Occluded"))),
        mask=mask,
        track_id=label_id if is_of_video else "",
    )


def _box_and_mask(label: Entry) -> tuple[Box, Mask | None]:
    mask: Mask | None = None
    rings = _rings(label.get("poly2d"))
    if rings:
        mask = Polygons(rings)
    elif isinstance(label.get("rle"), dict):
        mask = _rle(label["rle"])
    if label.get("box2d") is not None:
        edges = as_entry(label["box2d"], "box2d")
        return Box(*(number(edges, side) for side in ("x1", "y1", "x2", "y2"))), mask
    if not rings:
        raise Refused(Reason.SHAPE_UNSUPPORTED, "the label has neither a box2d nor a closed poly2d")
    return bounds(rings), mask


def _rle(rle: Entry) -> Rle | None:
    size = rle.get("size")
    height, width = (as_size(value) for value in size) if isinstance(size, list) and len(size) == 2 else (None, None)
    counts = rle.get("counts")
    return Rle(height, width, counts) if height and width and isinstance(counts, str) else None


def _rings(value: Any) -> tuple[Ring, ...]:
    """The closed ones of a label's lines; lines of the first release are lists of [x, y, type]."""
    lines = as_list(value, "poly2d")
    if lines and isinstance(lines[0], list):
        points = [as_list(point, "poly2d") for point in lines]
        types = "".join(str(point[2]) if len(point) > 2 else "L" for point in points)
        return (_ring(points, types),)
    entries = [as_entry(line, "poly2d") for line in lines]
    return tuple(
        _ring(as_list(entry.get("vertices"), "vertices"), text_of(entry.get("types")))
        for entry in entries
        if as_flag(entry.get("closed")) is not False
    )


def _ring(vertices: Sequence[Any], types: str) -> Ring:
    points: list[tuple[float, float]] = []
    for vertex in vertices:
        if not isinstance(vertex, list) or len(vertex) < 2:
            raise Refused(Reason.FIELD_MISSING, f"a vertex of poly2d is {quote(vertex)}, not [x, y]")
        points.append((as_number("poly2d", vertex[0]), as_number("poly2d", vertex[1])))
    if not points:
        raise Refused(Reason.FIELD_MISSING, "the poly2d has no vertices")
    ring: list[float] = []
    index = 0
    while index < len(points):
        if types[index : index + 2] == "CC" and index > 0:
            end = points[(index + 2) % len(points)]
            ring += _curve(points[index - 1], points[index], points[index + 1], end)
            index += 2
        else:
            ring += points[index]
            index += 1
    return tuple(ring)


def _curve(
    start: tuple[float, float], control: tuple[float, float], control_2: tuple[float, float], end: tuple[float, float]
) -> Iterator[float]:
    """Points between the ends of a cubic Bézier curve."""
    for step in range(1, CURVE_STEPS):
        t = step / CURVE_STEPS
        weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
        for axis in (0, 1):
            yield sum(
                weight * point[axis] for weight, point in zip(weights, (start, control, control_2, end), strict=True)
            )
