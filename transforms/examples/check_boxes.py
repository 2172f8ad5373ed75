"""Objects as annotated to boxes that may be trained on: ordered, inside the picture, not empty; each change named."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from transforms.columned_objects import ColumnedObjects, column_number
from transforms.examples.checked_objects import MIN_SIDE_PIXELS, CheckedObject, CheckedObjects
from transforms.examples.geometry import Geometry
from transforms.examples.keypoints import ClassKeypoints, check_keypoints
from transforms.ledger.reasons import Reason
from transforms.records import Box, BoxProblem, ObjectAnnotation

MAX_BOXES = 10_000
# A box of which less than this share lies in the picture is of something else.
MIN_VISIBLE_SHARE = 0.25
# Six-decimal formats land past the border by thousandths of a pixel; that is rounding and no clipped object.
BORDER_TOLERANCE_PIXELS = 0.01
NO_KEYPOINTS = ClassKeypoints()
_KEYPOINTS = column_number("keypoints")


def check_objects(
    objects: Sequence[ObjectAnnotation], geometry: Geometry, keypoints: ClassKeypoints = NO_KEYPOINTS
) -> tuple[CheckedObjects, list[BoxProblem]]:
    """Checks the boxes and keypoints of one picture, in its written pixels; order is kept."""
    if isinstance(objects, ColumnedObjects) and geometry.is_identity and objects.columns[_KEYPOINTS] is None:
        unchanged = CheckedObjects.unchanged(objects, geometry.written_width, geometry.written_height)
        if unchanged is not None:  # as mostly
            return unchanged, []
    checked: list[CheckedObject] = []
    problems: list[BoxProblem] = []
    width, height = geometry.written_width, geometry.written_height
    is_identity, is_resized = geometry.is_identity, geometry.area_scale != 1
    for annotation in objects:
        box = annotation.box if is_identity else geometry.box(annotation.box)
        if is_resized and annotation.area is not None:
            annotation = annotation._replace(area=annotation.area * geometry.area_scale)
        kept, reasons, detail = check_box(box, width, height)
        if kept is not None:
            if annotation.keypoints is not None:
                annotation, faults = _with_checked_keypoints(annotation, geometry, keypoints)
                problems += faults
            checked.append(CheckedObject(kept, annotation))
        for reason in reasons:
            status: Literal["dropped", "repaired"] = "dropped" if kept is None else "repaired"
            problems.append(
                BoxProblem(annotation.position, annotation.box_id, annotation.class_name, status, reason, detail)
            )
    return CheckedObjects.of(checked), problems


def _with_checked_keypoints(
    annotation: ObjectAnnotation, geometry: Geometry, keypoints: ClassKeypoints
) -> tuple[ObjectAnnotation, list[BoxProblem]]:
    position, box_id, name = annotation.position, annotation.box_id, annotation.class_name
    points, faults = check_keypoints(annotation.keypoints or (), name, geometry, keypoints)
    problems = [BoxProblem(position, box_id, name, "repaired", reason, detail) for reason, detail in faults]
    return annotation._replace(keypoints=points), problems


def check_box(box: Box, width: int, height: int) -> tuple[Box | None, tuple[Reason, ...], str]:
    """Orders and clips one box.

    Args:
      box: edges in pixels, not trusted.
      width, height: of the picture, pixels.

    Returns:
      The box within the picture, or None if it must be dropped; the reasons of what was done; a detail for the ledger.
    """
    x0, y0, x1, y1 = box
    if x0 >= 0 and x1 <= width and y0 >= 0 and y1 <= height and x1 - x0 >= MIN_SIDE_PIXELS <= y1 - y0:
        return box, (), ""
    detail = f"edges {x0:g}, {y0:g}, {x1:g}, {y1:g} in {width}x{height} pixels"
    if not (math.isfinite(x0) and math.isfinite(y0) and math.isfinite(x1) and math.isfinite(y1)):
        return None, (Reason.BOX_NOT_FINITE,), detail
    if abs(x1 - x0) < MIN_SIDE_PIXELS or abs(y1 - y0) < MIN_SIDE_PIXELS:
        return None, (Reason.BOX_EMPTY,), detail
    reasons: tuple[Reason, ...] = ()
    if x0 > x1 or y0 > y1:
        x0, x1, y0, y1 = min(x0, x1), max(x0, x1), min(y0, y1), max(y0, y1)
        reasons = (Reason.BOX_SWAPPED,)
    clipped = Box(max(x0, 0.0), max(y0, 0.0), min(x1, float(width)), min(y1, float(height)))
    if min(clipped.xmax - clipped.xmin, clipped.ymax - clipped.ymin) < MIN_SIDE_PIXELS:
        return None, (Reason.BOX_OUTSIDE,), detail
    if clipped.area < MIN_VISIBLE_SHARE * (x1 - x0) * (y1 - y0):
        return None, (Reason.BOX_OUTSIDE,), detail
    overhang = max(-x0, -y0, x1 - width, y1 - height)
    if overhang > 0:
        reasons += (Reason.BOX_CLIPPED,)
        if overhang <= BORDER_TOLERANCE_PIXELS:
            detail += ", past the border by rounding only"
    return clipped, reasons, detail
