"""Objects of COCO that have a box and nothing unusual, kept as columns: most are so, and there are millions of them.

A batch is checked column by column, which takes a fraction of what looking at each object by itself does. What is in
any way unusual is handed back, to be read with care.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

_IDS = (("image", "image_id"), ("id", "id"), ("category", "category_id"))
_NEEDED = frozenset({"id", "image_id", "category_id", "bbox"})
# Below this many the columns cost more than they save.
FEWEST = 8
# More than these (36 MB) go to a file.
MOST_IN_MEMORY = 1 << 19
UNKNOWN_FLAG = -1
NO_ID = -1  # no plain object is of it
_INTS, _NUMBERS, _NONE = {int}, {int, float}, type(None)

DTYPE = np.dtype(
    [("image", "<i8"), ("index", "<i8"), ("id", "<i8"), ("category", "<i8")]
    + [(edge, "<f8") for edge in ("xmin", "ymin", "xmax", "ymax")]
    + [("area", "<f8"), ("crowd", "i1")]
)
"""A row an object: ids, place in the file's list, edges in pixels, area in pixels² or NaN, 0, 1 or UNKNOWN_FLAG."""

Rows = npt.NDArray[np.void]
NO_ROWS: Rows = np.empty(0, DTYPE)


class PlainObjects:
    """Collects plain objects and gives them back image by image; its memory does not grow with their number."""

    def __init__(self, most_in_memory: int = MOST_IN_MEMORY) -> None:
        self._most_in_memory = most_in_memory
        self._pending: list[Rows] = []
        self._pending_rows = 0
        self._runs: list[Rows] = []  # each sorted by image, in the order of the file within one
        self._asked: list[npt.NDArray[np.int64]] = []

    def take(
        self, first: int, elements: Sequence[Any], is_plain: Callable[[Iterable[str]], bool]
    ) -> tuple[npt.NDArray[np.int64], Iterator[tuple[int, Any]]]:
        """Takes what is plain.

        Args:
          first: place of the first element in the file's list.
          elements: decoded JSON, of any kind.
          is_plain: whether an object of these keys has nothing besides its box that must be read.

        Returns:
          The ids of the objects taken, and the elements that are left, with their places.
        """
        rows, is_taken = _rows(first, elements, is_plain)
        if not is_taken.any():
            return np.empty(0, np.int64), iter(enumerate(elements, first))
        taken = rows[is_taken]
        self._pending.append(taken)
        self._pending_rows += len(taken)
        if self._pending_rows >= self._most_in_memory:
            self._end_run(to_file=True)
        left = np.flatnonzero(~is_taken).tolist()
        return taken["id"], ((first + index, elements[index]) for index in left)

    def _end_run(self, *, to_file: bool) -> None:
        rows = np.concatenate(self._pending) if self._pending else NO_ROWS
        self._pending, self._pending_rows = [], 0
        rows = rows[np.argsort(rows["image"], kind="stable")]
        if to_file:
            with tempfile.TemporaryFile(prefix="boxmill-") as file:  # the mapping outlives the name
                rows.tofile(file)
                file.flush()
                rows = np.memmap(file, DTYPE, "r")
        self._runs.append(rows)

    def of_images(self, image_ids: Sequence[int]) -> tuple[Rows, list[int]]:
        """The objects of some images, image by image and in the order of the file, and how many each image has.

        Call it when all objects are taken, and once for each image.
        """
        if self._pending:
            self._end_run(to_file=False)
        wanted = np.array(image_ids, dtype=np.int64)
        self._asked.append(wanted)
        found = [NO_ROWS]
        images = [np.empty(0, np.intp)]
        for run in self._runs:
            starts, ends = (np.searchsorted(run["image"], wanted, side) for side in ("left", "right"))
            counts = ends - starts
            before = np.cumsum(counts) - counts
            found.append(run[np.repeat(starts - before, counts) + np.arange(counts.sum())])
            images.append(np.repeat(np.arange(len(wanted)), counts))
        image = np.concatenate(images)
        rows = np.concatenate(found)[np.argsort(image, kind="stable")]
        return rows, np.bincount(image, minlength=len(wanted)).tolist()

    def images_not_asked_for(self) -> list[int]:
        """The images of objects that ``of_images`` has not given back."""
        if self._pending:
            self._end_run(to_file=False)
        asked = np.concatenate(self._asked) if self._asked else np.empty(0, np.int64)
        return sorted({image for run in self._runs for image in np.setdiff1d(run["image"], asked).tolist()})


def _rows(
    first: int, elements: Sequence[Any], is_plain: Callable[[Iterable[str]], bool]
) -> tuple[Rows, npt.NDArray[np.bool_]]:
    """Rows of the elements, and which of them are sound; none is where any has a value of an unusual type."""
    count = len(elements)
    nothing = NO_ROWS, np.zeros(count, np.bool_)
    if count < FEWEST or set(map(type, elements)) != {dict}:
        return nothing
    if not all(set(keys) >= _NEEDED and is_plain(keys) for keys in set(map(tuple, elements))):
        return nothing
    boxes = [element["bbox"] for element in elements]
    if set(map(type, boxes)) != {list} or set(map(len, boxes)) != {4}:
        return nothing
    sides = list(chain.from_iterable(boxes))
    ids = {name: [element[key] for element in elements] for name, key in _IDS}
    areas, crowds = ([element.get(key) for element in elements] for key in ("area", "iscrowd"))
    if not (
        set(map(type, sides)) <= _NUMBERS
        and all(set(map(type, values)) == _INTS for values in ids.values())
        and set(map(type, areas)) <= {*_NUMBERS, _NONE}
        and set(map(type, crowds)) <= {*_INTS, _NONE}
    ):
        return nothing
    rows = np.zeros(count, DTYPE)
    try:
        for name, values in ids.items():
            rows[name] = np.array(values, dtype=np.int64)
        x, y, width, height = np.array(sides, dtype=np.float64).reshape(count, 4).T
        has_area = np.array([area is not None for area in areas])
        rows["area"] = np.array([np.nan if area is None else area for area in areas], dtype=np.float64)
        flags = np.array([UNKNOWN_FLAG if crowd is None else crowd for crowd in crowds], dtype=np.int64)
    except OverflowError:
        return nothing
    rows["index"] = np.arange(first, first + count)
    rows["crowd"] = np.where((flags == 0) | (flags == 1), flags, UNKNOWN_FLAG)
    with np.errstate(over="ignore", invalid="ignore"):
        edges = {"xmin": x, "ymin": y, "xmax": x + width, "ymax": y + height}
    is_sound = (width > 0) & (height > 0) & (~has_area | ~np.isnan(rows["area"]))
    for name, edge in edges.items():
        rows[name] = edge
        is_sound &= np.isfinite(edge)
    for name in ids:
        is_sound &= rows[name] >= 0
    return rows, is_sound
