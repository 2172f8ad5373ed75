"""Polygons to the places where a mask changes down its columns, with the very pixels that pycocotools gives.

Its rule (``maskApi.c``, ``rleFrPoly``): vertices are rounded to a grid of fifths of a pixel. Each edge is drawn on that
grid, one step of its longer axis after the other, and crosses a column of pixels where its line goes from the column's
middle fifth to the next; the upper of the two points of that step says in which pixel. What lies between the first and
the second crossing of a column, the third and the fourth, is inside. Rings are united. Here crossings are computed from
an edge's two ends: an edge of any length takes the memory of the columns that it crosses within the picture.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from transforms.ledger.reasons import Reason
from transforms.masks.deflate_runs import Integers
from transforms.masks.mask_png import mask_offset
from transforms.masks.mask_refused import MaskRefused

Floats = npt.NDArray[np.float64]
Place = Callable[[Floats], Floats]

_GRID = 5  # lines of the grid a pixel
_MIDDLE = 2  # the grid line of a pixel's middle
_MIN_POINTS = 3
# Far beyond any picture, and near enough for the arithmetic to be exact.
_MAX_COORDINATE = 1e9
# All crossings of a mask: many times what the finest outline in a large picture has.
MAX_CROSSINGS = 1 << 20


class Outline(NamedTuple):
    """The rings of a mask.

    Attributes:
      rings: their points on the grid, float64 [points, 2]: x, y in fifths of a pixel.
      crossings: how often they cross columns of the picture.
      remark: what was passed over ("" if nothing).
    """

    rings: list[Floats]
    crossings: int
    remark: str


def read_outline(rings: Sequence[Sequence[float]], width: int, place: Place | None = None) -> Outline:
    """Checks the rings of a mask; one of less than three points has no area and is passed over.

    Args:
      rings: x0, y0, x1, y1, … of each, not trusted.
      width: of the picture.
      place: from points as they are given, [N, 2], to pixels of the picture.

    Raises:
      MaskRefused: there is no ring, or one that is not to be understood.
    """
    areas = [_vertices(ring, place) for ring in rings if len(ring) >= 2 * _MIN_POINTS or len(ring) % 2]
    if not areas:
        raise _invalid(f"none of its {len(rings)} rings has three points")
    passed = [_passed_columns(vertices[:, 0], width) for vertices in areas]
    crossings = sum(int(np.abs(columns[1:] - columns[:-1]).sum()) + abs(columns[0] - columns[-1]) for columns in passed)
    if crossings > MAX_CROSSINGS:
        raise _invalid(f"its edges cross columns {crossings} times, the limit is {MAX_CROSSINGS}")
    skipped = len(rings) - len(areas)
    remark = f"{skipped} of its {len(rings)} rings have less than three points and were passed over" if skipped else ""
    return Outline(areas, int(crossings), remark)


def _passed_columns(x: Floats, width: int) -> Integers:
    """How many of the columns' middles are left of these places on the grid."""
    return np.floor((x + _MIDDLE) / _GRID).clip(0, width).astype(np.int64)


def _vertices(ring: Sequence[float], place: Place | None) -> Floats:
    if len(ring) % 2:
        raise _invalid(f"a ring has {len(ring)} numbers, which are no pairs of x and y")
    try:
        points = np.array(ring, np.float64)
    except (OverflowError, TypeError, ValueError):
        raise _invalid("a ring has a coordinate that is no number") from None
    if not np.isfinite(points).all():
        raise _invalid("a ring has a coordinate that is not finite")
    points = points.clip(-_MAX_COORDINATE, _MAX_COORDINATE).reshape(-1, 2)
    return np.trunc(_GRID * (place(points) if place else points) + 0.5)


def changes_of_outlines(outlines: Sequence[Outline], width: int, height: int) -> Integers:
    """Where the masks of outlines change down the columns; see ``pngs_of_columns``.

    Args:
      outlines: of one mask each.
      width, height: of the picture; what lies outside is cut off.
    """
    rings = [ring for outline in outlines for ring in outline.rings]
    sizes = np.array([len(ring) for ring in rings])
    mask_of_ring = np.repeat(np.arange(len(outlines)), [len(outline.rings) for outline in outlines])
    ends = np.cumsum(sizes)
    following = np.arange(1, ends[-1] + 1)
    following[ends - 1] = ends - sizes
    x0, y0 = np.concatenate(rings).T
    x1, y1 = x0[following], y0[following]
    # Along x where that is the longer axis, else along y; always upward.
    is_flat = np.abs(x1 - x0) >= np.abs(y1 - y0)
    is_turned = np.where(is_flat, x0 > x1, y0 > y1)
    x0, x1 = np.where(is_turned, x1, x0), np.where(is_turned, x0, x1)
    y0, y1 = np.where(is_turned, y1, y0), np.where(is_turned, y0, y1)
    first, stop = _passed_columns(np.minimum(x0, x1), width), _passed_columns(np.maximum(x0, x1), width)
    counts = stop - first
    edge = np.repeat(np.arange(len(counts)), counts)
    column = np.arange(len(edge)) + np.repeat(stop - np.cumsum(counts), counts)
    border = (_GRID * column + _MIDDLE).astype(np.float64)
    x0, y0, x1, y1 = x0[edge], y0[edge], x1[edge], y1[edge]
    rows = np.where(is_flat[edge], _flat_rows(x0, y0, x1, y1, border), _steep_rows(x0, y0, x1, y1, border))
    pixels = np.floor((rows + _MIDDLE) / _GRID).clip(0, height).astype(np.int64)
    ring = np.repeat(np.arange(len(rings)), sizes)[edge]
    changes = mask_offset(mask_of_ring[ring], width, height) + column * height + pixels
    return np.sort(changes) if len(rings) == len(outlines) else _union(changes, ring)


def _flat_rows(x0: Floats, y0: Floats, x1: Floats, y1: Floats, border: Floats) -> Floats:
    """The upper grid row of the step from x = border to border + 1, of edges drawn along x."""
    slope = (y1 - y0) / np.maximum(x1 - x0, 1)
    steps = border - x0
    return np.minimum(np.floor(y0 + slope * steps + 0.5), np.floor(y0 + slope * (steps + 1) + 0.5))


def _steep_rows(x0: Floats, y0: Floats, x1: Floats, y1: Floats, border: Floats) -> Floats:
    """The same of edges drawn along y: the row before the first that lies beyond the border."""
    slope = (x1 - x0) / np.maximum(y1 - y0, 1)
    is_falling = slope < 0
    steps = np.ceil((border + 0.5 - x0) / np.where(slope == 0, 1, slope))

    def is_beyond(step: Floats) -> npt.NDArray[np.bool_]:
        beyond: npt.NDArray[np.bool_] = (x0 + slope * step + 0.5 >= border + 1) != is_falling
        return beyond

    # The quotient may be rounded to the other side of a whole number.
    steps += ~is_beyond(steps)
    steps -= is_beyond(steps - 1)
    return y0 + steps - 1


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
