"""Polygons to the places where a mask changes down its columns, with the very pixels that pycocotools gives.

Its rule (``maskApi.c``, ``rleFrPoly``): vertices are rounded to a grid of fifths of a pixel. Each edge is drawn on that
grid, one step of its longer axis after the other, and crosses a column of pixels where its line goes from the column's
middle fifth to the next; the upper of the two points of that step says in which pixel. What lies between the first and
the second crossing of a column, the third and the fourth, is inside. Rings are united. Here crossings are computed from
an edge's two ends: an edge of any length takes the memory of the columns that it crosses within the picture.
"""

from __future__ import annotations

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
    x, y = _on_grid([*chain.from_iterable(rings)], place).T
    points = np.array([len(ring) // 2 for ring in rings])
    ends = np.cumsum(points)
    following = np.arange(1, len(x) + 1)
    following[ends - 1] = ends - points
    edge, column, pixel = _crossings(x, y, x[following], y[following], width, height)
    ring_of_edge = np.arange(len(rings)).repeat(points)
    mask_of_ring = np.arange(len(masks)).repeat([len(area) for area in areas])
    changes = mask_offset(mask_of_ring, width, height)[ring_of_edge][edge] + column * height + pixel
    return np.sort(changes) if len(rings) == len(masks) else _union(changes, ring_of_edge[edge])


def passed_over(rings: Rings) -> str:
    """What is passed over of a mask that is not refused ("" if nothing)."""
    skipped = len(rings) - len(_areas(rings))
    return f"{skipped} of its {len(rings)} rings have less than three points and were passed over" if skipped else ""


def _areas(rings: Rings) -> list[Sequence[float]]:
    areas = [ring for ring in rings if len(ring) >= 2 * _MIN_POINTS or len(ring) % 2]
    if not areas:
        raise _invalid(f"none of its {len(rings)} rings has three points")
    for ring in areas:
        if len(ring) % 2:
            raise _invalid(f"a ring has {len(ring)} numbers, which are no pairs of x and y")
    return areas


def _on_grid(numbers: Sequence[float], place: Place | None) -> Floats:
    """Points on the grid, in fifths of a pixel, [N, 2]."""
    try:
        points = np.array(numbers, np.float64).reshape(-1, 2)
    except (OverflowError, TypeError, ValueError):
        raise _invalid("a ring has a coordinate that is no number") from None
    if not np.isfinite(points).all():
        raise _invalid("a ring has a coordinate that is not finite")
    points = points.clip(-_MAX_COORDINATE, _MAX_COORDINATE)
    return np.trunc(_GRID * (place(points) if place else points) + 0.5)


def _crossings(
    x0: Floats, y0: Floats, x1: Floats, y1: Floats, width: int, height: int
) -> tuple[Integers, Integers, Integers]:
    """Where edges cross columns: the edge's index, the column, and the pixel in it from which on all lies below."""
    # Along x where that is the longer axis, else along y; always upward.
    is_flat = np.abs(x1 - x0) >= np.abs(y1 - y0)
    is_turned = np.where(is_flat, x0 > x1, y0 > y1)
    x0, x1 = np.where(is_turned, x1, x0), np.where(is_turned, x0, x1)
    y0, y1 = np.where(is_turned, y1, y0), np.where(is_turned, y0, y1)
    across, along = np.where(is_flat, (y1 - y0, x1 - x0), (x1 - x0, y1 - y0))
    slopes = across / np.maximum(along, 1)
    first, stop = _passed_columns(np.minimum(x0, x1), width), _passed_columns(np.maximum(x0, x1), width)
    counts = stop - first
    total = int(counts.sum())
    if total > _MAX_CROSSINGS:
        raise _invalid(f"its edges cross columns {total} times, the limit is {_MAX_CROSSINGS}")
    edges = np.argsort(~is_flat, kind="stable")
    flat = int(counts[is_flat].sum())
    counts = counts[edges]
    edge = edges.repeat(counts)
    column = np.arange(total) + (stop[edges] - np.cumsum(counts)).repeat(counts)
    border = (_GRID * column + _MIDDLE).astype(np.float64)
    x, y, slope = x0[edge], y0[edge], slopes[edge]
    rows = np.concatenate(
        [
            _flat_rows(x[:flat], y[:flat], slope[:flat], border[:flat]),
            _steep_rows(x[flat:], y[flat:], slope[flat:], border[flat:]),
        ]
    )
    return edge, column, np.floor((rows + _MIDDLE) / _GRID).clip(0, height).astype(np.int64)


def _passed_columns(x: Floats, width: int) -> Integers:
    """How many of the columns' middles are left of these places on the grid."""
    return np.floor((x + _MIDDLE) / _GRID).clip(0, width).astype(np.int64)


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
