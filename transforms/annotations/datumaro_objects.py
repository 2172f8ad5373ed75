"""Single objects of Datumaro, each of one annotation or of a group of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from transforms.annotations.bitmaps import box_of_rle
from transforms.annotations.datumaro_categories import Categories
from transforms.annotations.fields import FieldError, as_flag, as_id, as_number, as_size, quote
from transforms.annotations.json_objects import Entry, as_entry, as_list, ring_of_numbers
from transforms.annotations.refusals import Refused, box_of_size, problem_of
from transforms.annotations.shapes import Ring, bounds, ellipse_ring
from transforms.ledger.reasons import Reason
from transforms.records import Box, BoxProblem, Keypoint, ObjectAnnotation, Polygons, Rle

Part = tuple[str, Entry]


@dataclass(slots=True)
class _Shape:
    """What the parts of an object say of its shape."""

    box: Box | None = None
    rings: list[Ring] = field(default_factory=list)
    rle: Rle | None = None
    keypoints: tuple[Keypoint, ...] | None = None

    def add(self, part: Entry, points: int) -> None:
        """Takes a part in; ``points`` says how many points an object of its class has."""
        kind = part.get("type")
        if kind == "bbox":
            self.box = _bbox(part)
        elif kind == "polygon":
            self.rings.append(ring_of_numbers(part.get("points"), "points"))
        elif kind == "ellipse":
            self.rings.append(_ellipse(part))
        elif kind == "mask":
            self.rle = _rle(part)
        elif kind == "points" and points:
            self.keypoints = _keypoints(part, points)
        else:
            raise Refused(Reason.SHAPE_UNSUPPORTED, f"a {quote(kind)} has no box")

    def bounds(self) -> Box:
        """The box, or that around what there is."""
        if self.box is not None:
            return self.box
        seen = [value for point in self.keypoints or () if point.visibility for value in (point.x, point.y)]
        if self.rings or seen:
            return bounds(self.rings or [seen])
        if self.rle is None:
            raise Refused(Reason.FIELD_MISSING, "no point of the object is in the picture")
        return box_of_rle(self.rle)


def read_group(parts: Sequence[Part], categories: Categories) -> tuple[list[ObjectAnnotation], list[BoxProblem]]:
    """Makes one object of its parts, given with their positions.

    Returns:
      The object, if there is one, and the problems of the parts that could not be read.
    """
    problems: list[BoxProblem] = []
    good: list[Part] = []
    shape, name = _Shape(), ""
    for position, part in parts:
        try:
            name = categories.name(part)
            shape.add(part, categories.points.get(name, 0))
            good.append((position, part))
        except FieldError as error:
            problems.append(problem_of(error, position, name, as_id(part.get("id")) or ""))
    if not good:
        return [], problems
    position, first = good[0]
    box_id = as_id(first.get("id")) or ""
    try:
        box = shape.bounds()
    except Refused as error:
        return [], [*problems, problem_of(error, position, name, box_id)]
    attributes = {key: value for _, part in reversed(good) for key, value in _attributes(part).items()}
    item = ObjectAnnotation(
        box,
        name,
        box_id=box_id,
        position=position,
        is_crowd=as_flag(attributes.get("is_crowd")),
        difficult=as_flag(attributes.get("difficult")),
        truncated=as_flag(attributes.get("truncated")),
        occluded=as_flag(attributes.get("occluded")),
        mask=shape.rle or (Polygons(tuple(shape.rings)) if shape.rings else None),
        keypoints=shape.keypoints,
        track_id=as_id(attributes.get("track_id")) or "",
    )
    return [item], problems


def _attributes(part: Entry) -> Entry:
    return part["attributes"] if isinstance(part.get("attributes"), dict) else {}


def _bbox(part: Entry) -> Box:
    values = [as_number("bbox", value) for value in as_list(part.get("bbox"), "bbox")]
    if len(values) != 4:
        raise Refused(Reason.FIELD_MISSING, f"bbox is {quote(part.get('bbox'))}, not [x, y, width, height]")
    return box_of_size(*values)


def _ellipse(part: Entry) -> Ring:
    ring = ring_of_numbers(part.get("points"), "points")
    xmin, ymin, xmax, ymax = bounds([ring])
    return ellipse_ring((xmin + xmax) / 2, (ymin + ymax) / 2, (xmax - xmin) / 2, (ymax - ymin) / 2)


def _rle(part: Entry) -> Rle:
    rle = as_entry(part.get("rle"), "rle")
    size, counts = as_list(rle.get("size"), "size"), rle.get("counts")
    height, width = (as_size(value) for value in size) if len(size) == 2 else (None, None)
    if height is None or width is None or not isinstance(counts, str):
        raise Refused(Reason.FIELD_MISSING, f"rle is {quote(rle)}, not size and counts")
    return Rle(height, width, counts)


def _keypoints(part: Entry, expected: int) -> tuple[Keypoint, ...]:
    ring = ring_of_numbers(part.get("points"), "points")
    if len(ring) != 2 * expected:
        raise Refused(Reason.FIELD_MISSING, f"{len(ring) // 2} points, the label has {expected}")
    marks = as_list(part.get("visibility"), "visibility") or [2] * expected
    if len(marks) != expected or not all(type(mark) is int and mark in (0, 1, 2) for mark in marks):
        raise Refused(Reason.FIELD_NOT_NUMBER, f"visibility is {quote(marks)}, not 0, 1 or 2 for each point")
    points = zip(ring[0::2], ring[1::2], marks, strict=True)
    return tuple(Keypoint(x, y, mark) for x, y, mark in points)
