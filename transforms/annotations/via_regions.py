"""Regions of VIA, as its JSON and its CSV files write them alike."""

from __future__ import annotations

import math
from typing import Any

from transforms.annotations.fields import as_flag, as_number, quote
from transforms.annotations.json_objects import Entry, as_list, number
from transforms.annotations.refusals import Refused, box_of_size
from transforms.annotations.shapes import bounds, ellipse_box, ellipse_ring
from transforms.ledger.reasons import Reason
from transforms.records import Box, Mask, Polygons

CLASS_ATTRIBUTES = ("class", "label", "name", "type", "category", "object", "class_name", "object_name")
"""Attributes that name the class, best first, whatever their case."""


def class_of_region(attributes: Entry) -> Any:
    """The class as a region's attributes say it, not validated.

    It is the value of the first attribute of ``CLASS_ATTRIBUTES`` that is there, else of the only attribute. Check
    boxes that are ticked are a list of names.

    Raises:
      Refused: there are several attributes and none of those.
    """
    given = {key.strip().lower(): value for key, value in attributes.items() if value not in (None, "", {})}
    values = [given[key] for key in CLASS_ATTRIBUTES if key in given] or list(given.values())
    if len(values) > 1 and not given.keys() & set(CLASS_ATTRIBUTES):
        raise Refused(Reason.FIELD_MISSING, f"which attribute is the class: {quote(', '.join(given))}?")
    value = values[0] if values else None
    return [key for key, ticked in value.items() if as_flag(ticked)] if isinstance(value, dict) else value


def read_region(shape: Entry) -> tuple[Box, Mask | None]:
    """The box and mask of a region's shape, in pixels.

    Raises:
      FieldError: the shape has no area, or a field is missing or no number.
    """
    kind = shape.get("name")
    if kind == "rect":
        return box_of_size(*(number(shape, field) for field in ("x", "y", "width", "height"))), None
    if kind == "circle":
        x, y, radius = (number(shape, field) for field in ("cx", "cy", "r"))
        return ellipse_box(x, y, radius, radius), Polygons((ellipse_ring(x, y, radius, radius),))
    if kind == "ellipse":
        x, y, a, b = (number(shape, field) for field in ("cx", "cy", "rx", "ry"))
        theta = as_number("theta", shape.get("theta") or 0)
        angle = math.degrees(theta)
        return ellipse_box(x, y, a, b, angle), Polygons((ellipse_ring(x, y, a, b, angle),))
    if kind == "polygon":
        xs, ys = (as_list(shape.get(field), field) for field in ("all_points_x", "all_points_y"))
        if not xs or len(xs) != len(ys):
            raise Refused(Reason.FIELD_MISSING, f"the polygon has {len(xs)} x and {len(ys)} y coordinates")
        ring = tuple(as_number("points", value) for point in zip(xs, ys, strict=True) for value in point)
        return bounds([ring]), Polygons((ring,))
    raise Refused(Reason.SHAPE_UNSUPPORTED, f"a {quote(kind)} has no area")
