"""Shapes that annotators draw, as boxes and rings: bounds of polygons, turned rectangles, ellipses.

A ring is x0, y0, x1, y1, … as in ``Polygons``. Angles are degrees, clockwise on the screen (y points down).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from transforms.records import Box

Ring = tuple[float, ...]

ELLIPSE_VERTICES = 64
"""A polygon of so many vertices on an ellipse misses 0.2 % of its area."""


def bounds(rings: Iterable[Sequence[float]]) -> Box:
    """The edges around rings of at least one point; not a number, if any coordinate is not finite."""
    flat = [value for ring in rings for value in ring]
    if not all(map(math.isfinite, flat)):
        return Box(math.nan, math.nan, math.nan, math.nan)
    xs, ys = flat[0::2], flat[1::2]
    return Box(min(xs), min(ys), max(xs), max(ys))


def box_ring(box: Box) -> Ring:
    """The four corners of a box, clockwise from the top left."""
    return (box.xmin, box.ymin, box.xmax, box.ymin, box.xmax, box.ymax, box.xmin, box.ymax)


def turned(ring: Sequence[float], angle: float, x: float, y: float) -> Ring:
    """A ring turned about the point (x, y)."""
    cos, sin = _cos_sin(angle)
    result: list[float] = []
    for dx, dy in zip((value - x for value in ring[0::2]), (value - y for value in ring[1::2]), strict=True):
        result += (x + dx * cos - dy * sin, y + dx * sin + dy * cos)
    return tuple(result)


def ellipse_box(x: float, y: float, radius_x: float, radius_y: float, angle: float = 0.0) -> Box:
    """The edges around an ellipse about (x, y) whose radii are turned by ``angle``."""
    cos, sin = _cos_sin(angle)
    half_width = math.hypot(radius_x * cos, radius_y * sin)
    half_height = math.hypot(radius_x * sin, radius_y * cos)
    return Box(x - half_width, y - half_height, x + half_width, y + half_height)


def ellipse_ring(x: float, y: float, radius_x: float, radius_y: float, angle: float = 0.0) -> Ring:
    """Vertices on an ellipse, clockwise from the end of its x radius."""
    steps = [2 * math.pi * step / ELLIPSE_VERTICES for step in range(ELLIPSE_VERTICES)]
    ring = [value for step in steps for value in (x + radius_x * math.cos(step), y + radius_y * math.sin(step))]
    return turned(ring, angle, x, y) if angle else tuple(ring)


def _cos_sin(angle: float) -> tuple[float, float]:
    """Of an angle in degrees; not numbers, if it is not finite."""
    if not math.isfinite(angle):
        return math.nan, math.nan
    return math.cos(math.radians(angle)), math.sin(math.radians(angle))


def with_holes(ring: Ring, holes: Sequence[Ring]) -> Ring:
    """A ring that encloses the area of ``ring`` without that of its holes: a seam of no width leads to each hole."""
    result = [*ring, *ring[:2]] if holes else [*ring]
    for hole in holes:
        points = [*zip(hole[0::2], hole[1::2], strict=True)]
        if _area(hole) * _area(ring) > 0:  # inside a seam the way back is the other way round
            points.reverse()
        result += [value for point in [*points, points[0]] for value in point]
        result += ring[:2]
    return tuple(result)


def _area(ring: Ring) -> float:
    """Twice the signed area inside a ring."""
    xs, ys = ring[0::2], ring[1::2]
    return sum(x * y1 - x1 * y for x, y, x1, y1 in zip(xs, ys, (*xs[1:], xs[0]), (*ys[1:], ys[0]), strict=True))
