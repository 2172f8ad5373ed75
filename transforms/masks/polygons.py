"""Polygons to the places where a mask changes down its columns, with the very pixels that pycocotools gives.

Its rule (``maskApi.c``, ``rleFrPoly``): vertices are rounded to a grid of fifths of a pixel. Each edge is drawn on that
grid, one step of its longer axis after the other, and crosses a column of pixels where its line goes from the column's
middle fifth to the next; the upper of the two points of that step says in which pixel. What lies between the first and
the second crossing of a column, the third and the fourth, is inside. Rings are united. Here crossings are computed from
an edge's two ends: an edge of any length takes the memory of the columns that it crosses within the picture.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from itertools import chain

import numpy as np
import numpy.typing as npt

from transforms.ledger.reasons import Reason
from transforms.masks.deflate_runs import Integers
from transforms.masks.mask_png import mask_offset
from transforms.masks.mask_refused import MaskRefused

Floats = npt.NDArray[np.float64]
Place = Callable[[Floats], Floats]
Rings = Sequence[Sequence[float]]

_GRID = 5  # lines of the grid a pixel
_MIDDLE = 2  # the grid line of a pixel's middle
_MIN_POINTS = 3
# Far beyond any picture, and near enough for the arithmetic to be exact.
_MAX_COORDINATE = 1e9
# That are computed at once: many times what the finest outline in a large picture has.
_MAX_CROSSINGS = 1 << 20


def changes_of_polygons(masks: Sequence[Rings], width: int, height: int, place: Place | None = None) -> Integers:
    """Where masks change down the columns; see ``pngs_of_columns``.

    Args:
      masks: the rings of each, not trusted, x0, y0, x1, y1, …; there is at least one mask. A ring of less than three
        points has no area and is passed over.
      width, height: of the picture; what lies outside is cut off.
      place: from points as they are given, [N, 2], to pixels of the picture.

    Raises:
      MaskRefused: a mask has no ring, or one that is not to be understood; or all of them cross too many columns.
    """
    areas = [_areas(rings) for rings in masks]
    rings = [*chain.from_iterable(areas)]
    x, y = _on_grid([*chain.from_iterable(rings)], place)
    points = np.array([len(ring) // 2 for ring in rings])
    ends = points.cumsum()
    following = np.arange(1, len(x) + 1)
    following[ends - 1] = ends - points
    edge, column, pixel = _crossings(x, y, following, width, height)
    offsets = mask_offset(np.arange(len(masks)), width, height)
    if len(rings) == len(masks):
        changes: Integers = offsets.repeat(points)[edge] + column * height + pixel
        changes.sort()
        return changes
    offsets = offsets.repeat([len(area) for area in areas]).repeat(points)
    return _union(offsets[edge] + column * height + pixel, np.arange(len(rings)).repeat(points)[edge])


def passed_over(rings: Rings) -> str:
    """What is passed over of a mask that is not refused ("" if nothing)."""
    skipped = [len(ring) < 2 * _MIN_POINTS for ring in rings].count(True)
    return f"{skipped} of its {len(rings)} rings have less than three points and were passed over" if skipped else ""


def _areas(rings: Rings) -> Sequence[Sequence[float]]:
    if rings and all(len(ring) >= 2 * _MIN_POINTS and not len(ring) % 2 for ring in rings):  # nearly always
        return rings
    areas = [ring for ring in rings if len(ring) >= 2 * _MIN_POINTS or len(ring) % 2]
    if not areas:
        raise _invalid(f"none of its {len(rings)} rings has three points")
    for ring in areas:
        if len(ring) % 2:
            raise _invalid(f"a ring has {len(ring)} numbers, which are no pairs of x and y")
    return areas


def _on_grid(numbers: Sequence[float], place: Place | None) -> tuple[Floats, Floats]:
    """x and y of points on the grid, in fifths of a pixel."""
    try:
        points = np.frombuffer(array("d", numbers)).reshape(-1, 2)
    except (OverflowError, TypeError):
        raise _invalid("a ring has a coordinate that is no number") from None
    if not np.abs(points).max() <= _MAX_COORDINATE:  # nor is NaN
        if not np.isfinite(points).all():
            raise _invalid("a ring has a coordinate that is not finite")
        points = points.clip(-_MAX_COORDINATE, _MAX_COORDINATE)
    x, y = np.trunc(_GRID * (place(points) if place else points).T + 0.5)
    return x, y


def _crossings(
    x: Floats, y: Floats, following: Integers, width: int, height: int
) -> tuple[Integers, Integers, Integers]:
    """Where edges, each from a point to the ``following`` one, cross columns.

    Returns:
      The edge's index, the column, and the pixel in it from which on all lies below, of each crossing.
    """
    passed = _passed(x, width)
    passed_after = passed[following]
    stop = np.maximum(passed, passed_after)
    counts = stop - np.minimum(passed, passed_after)
    total = int(counts.sum())
    if total > _MAX_CROSSINGS:
        raise _invalid(f"its edges cross columns {total} times, the limit is {_MAX_CROSSINGS}")
    # Along x where that is the longer axis, else along y; always upward.
    x1, y1 = x[following], y[following]
    dx, dy = x1 - x, y1 - y
    is_flat = np.abs(dx) >= np.abs(dy)
    is_turned = np.where(is_flat, dx, dy) < 0
    (flat,), (steep,) = (is_flat & (counts > 0)).nonzero(), (~is_flat).nonzero()
    edges = np.concatenate([flat, steep])
    slopes = np.concatenate([dy[flat] / dx[flat], dx[steep] / dy[steep]])
    counts = counts[edges]
    column = np.arange(total) + (stop[edges] - counts.cumsum()).repeat(counts)
    border = (_GRID * column + _MIDDLE).astype(np.float64)
    edge, slope = edges.repeat(counts), slopes.repeat(counts)
    x, y = np.where(is_turned, x1, x)[edge], np.where(is_turned, y1, y)[edge]
    rows = np.empty(total)
    of_flat, of_steep = slice(of_flat_edges := int(counts[: len(flat)].sum())), slice(of_flat_edges, None)
    rows[of_flat] = _flat_rows(x[of_flat], y[of_flat], slope[of_flat], border[of_flat])
    rows[of_steep] = _steep_rows(x[of_steep], y[of_steep], slope[of_steep], border[of_steep])
    return edge, column, _passed(rows, height)


def _passed(places: Floats, most: int) -> Integers:
    """How many of the first ``most`` pixels' middles are before these places on the grid."""
    return np.minimum(np.maximum(np.floor((places + _MIDDLE) / _GRID), 0), most).astype(np.int64)


def _flat_rows(x: Floats, y: Floats, slope: Floats, border: Floats) -> Floats:
    """The upper grid row of the step from x = border to border + 1, of edges from (x, y) drawn along x."""
    steps = border - x
    return np.minimum(np.floor(y + slope * steps + 0.5), np.floor(y + slope * (steps + 1) + 0.5))


def _steep_rows(x: Floats, y: Floats, slope: Floats, border: Floats) -> Floats:
    """The same of edges drawn along y: the row before the first that lies beyond the border."""
    is_falling = slope < 0
    steps = np.ceil((border + 0.5 - x) / slope)

    def is_beyond(step: Floats) -> npt.NDArray[np.bool_]:
        beyond: npt.NDArray[np.bool_] = (x + slope * step + 0.5 >= border + 1) != is_falling
        return beyond

    # The quotient may be rounded to the other side of a whole number.
    steps += ~is_beyond(steps)
    steps -= is_beyond(steps - 1)
    return y + steps - 1


def _union(changes: Integers, ring: Integers) -> Integers:
    """The changes of the union of the insides of rings.

    Args:
      changes: of all rings, in any order, [N].
      ring: to which each belongs; of none an odd number.
    """
    changes = changes[np.lexsort((changes, ring))]  # in turn where a ring begins and where it ends
    order = np.argsort(changes, kind="stable")
    is_outside = np.cumsum(1 - 2 * (order & 1)) == 0
    united: Integers = changes[order][is_outside != np.concatenate([[True], is_outside[:-1]])]
    return united


def _invalid(detail: str) -> MaskRefused:
    return MaskRefused(Reason.POLY_INVALID, f"the polygon: {detail}")
