"""Single shapes of CVAT XML: box, polygon, ellipse, mask, skeleton."""

from __future__ import annotations

from collections.abc import Mapping
from xml.etree.ElementTree import Element

from transforms.annotations.bitmaps import box_and_mask, pixels_of_row_runs
from transforms.annotations.fields import FieldError, as_flag, as_number, as_size, clean_name, quote
from transforms.annotations.refusals import Refused, box_of_size
from transforms.annotations.shapes import Ring, bounds, box_ring, ellipse_box, ellipse_ring, turned
from transforms.ledger.reasons import Reason
from transforms.records import Box, Keypoint, Mask, MaskBitmap, ObjectAnnotation, Polygons


def read_shape(
    element: Element, name: str, position: str, keypoint_names: Mapping[str, tuple[str, ...]], track_id: str = ""
) -> ObjectAnnotation:
    """Makes an object of a shape's element.

    Args:
      keypoint_names: of each skeleton class, in order.

    Raises:
      FieldError: the shape has no area, or a field is missing or no number.
    """
    keypoints: tuple[Keypoint, ...] | None = None
    mask: Mask | None = None
    if element.tag == "box":
        box, mask = _box(element)
    elif element.tag == "polygon":
        ring = _points(element)
        box, mask = bounds([ring]), Polygons((ring,))
    elif element.tag == "ellipse":
        x, y, rx, ry = _numbers(element, "cx", "cy", "rx", "ry")
        angle = as_number("rotation", element.get("rotation", "0"))
        box, mask = ellipse_box(x, y, rx, ry, angle), Polygons((ellipse_ring(x, y, rx, ry, angle),))
    elif element.tag == "mask":
        box, mask = _mask(element)
    elif element.tag == "skeleton":
        box, keypoints = _skeleton(element, keypoint_names.get(name, ()))
    else:
        raise Refused(Reason.SHAPE_UNSUPPORTED, f"a {quote(element.tag)} has no box")
    attributes = {clean_name(item.get("name", "")).lower(): item.text for item in element.iterfind("attribute")}
    return ObjectAnnotation(
        box,
        name,
        position=position,
        is_crowd=as_flag(attributes.get("is_crowd")),
        difficult=as_flag(attributes.get("difficult")),
        truncated=as_flag(attributes.get("truncated")),
        occluded=as_flag(element.get("occluded")),
        mask=mask,
        keypoints=keypoints,
        track_id=track_id or clean_name(attributes.get("track_id") or ""),
    )


def _numbers(element: Element, *fields: str) -> list[float]:
    values = []
    for field in fields:
        text = element.get(field)
        if text is None:
            raise Refused(Reason.FIELD_MISSING, f"the {element.tag} has no {field}")
        values.append(as_number(field, text))
    return values


def _box(element: Element) -> tuple[Box, Mask | None]:
    xmin, ymin, xmax, ymax = _numbers(element, "xtl", "ytl", "xbr", "ybr")
    box = Box(xmin, ymin, xmax, ymax)
    angle = as_number("rotation", element.get("rotation", "0"))
    if angle == 0:
        return box, None
    ring = turned(box_ring(box), angle, (xmin + xmax) / 2, (ymin + ymax) / 2)
    return bounds([ring]), Polygons((ring,))


def _points(element: Element) -> Ring:
    text = element.get("points", "").strip()
    if not text:
        raise Refused(Reason.FIELD_MISSING, f"the {element.tag} has no points")
    ring: list[float] = []
    for point in text.split(";"):
        x, comma, y = point.partition(",")
        if not comma:
            raise Refused(Reason.FIELD_MISSING, f"a point is {quote(point)}, not x,y")
        ring += (as_number("points", x), as_number("points", y))
    return tuple(ring)


def _mask(element: Element) -> tuple[Box, Mask]:
    left, top, width, height = _numbers(element, "left", "top", "width", "height")
    box = box_of_size(left, top, width, height)
    try:
        runs = [int(run) for run in element.get("rle", "").split(",")]
    except ValueError:
        runs = []
    columns, rows = as_size(width), as_size(height)
    if not (columns and rows and abs(left) + abs(top) < 2**31):
        return box, MaskBitmap(b"")
    pixels = pixels_of_row_runs(runs, columns, rows)
    # Some writers give the whole picture as the mask's box.
    return (box, MaskBitmap(b"")) if pixels is None else box_and_mask(pixels, int(left), int(top))


def _skeleton(element: Element, names: tuple[str, ...]) -> tuple[Box, tuple[Keypoint, ...]]:
    found: dict[str, Keypoint] = {}
    for child in element:
        if child.tag != "points":
            continue
        if as_flag(child.get("outside")):
            found[clean_name(child.get("label", ""))] = Keypoint(0, 0, 0)
            continue
        x, y = _points(child)[:2]
        found[clean_name(child.get("label", ""))] = Keypoint(x, y, 1 if as_flag(child.get("occluded")) else 2)
    labelled = [value for point in found.values() if point.visibility for value in (point.x, point.y)]
    if not labelled:
        raise Refused(Reason.FIELD_MISSING, "no point of the skeleton is in the picture")
    if unknown := [name for name in found if names and name not in names]:
        raise FieldError(f"{quote(unknown[0])} is no point of this skeleton")
    return bounds([labelled]), tuple(found.get(name, Keypoint(0, 0, 0)) for name in names or found)
