"""Rows of plain objects to annotations, all of a portion at once: no Python frame is entered for an object."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import partial
from itertools import repeat
from typing import Any, NamedTuple

import numpy as np

from transforms.annotations.compact_masks import CompactNumbers, compact_numbers, full_numbers
from transforms.annotations.object_columns import UNKNOWN_FLAG, Rows
from transforms.annotations.spilled_numbers import Floats, Integers
from transforms.records import Box, Mask, ObjectAnnotation

_FLAGS = {0: False, 1: True, UNKNOWN_FLAG: None}


class Outlines(NamedTuple):
    """The polygons of some objects in little room: the lengths of all rings, and their numbers."""

    lengths: bytes
    numbers: CompactNumbers

    @classmethod
    def of(cls, lengths: Integers, numbers: Floats) -> Outlines:
        return cls(lengths.astype("<i4").tobytes(), compact_numbers(numbers))

    def rings(self) -> Iterator[tuple[float, ...]]:
        numbers = full_numbers(self.numbers)
        lengths = np.frombuffer(self.lengths, "<i4")
        ends = np.cumsum(lengths)
        for start, end in zip((ends - lengths).tolist(), ends.tolist(), strict=True):
            yield tuple(numbers[start:end])


NO_OUTLINES = Outlines.of(np.empty(0, np.int64), np.empty(0))


def row_objects(
    rows: Rows, masks: Iterable[Mask | None], class_names: Mapping[str, str], repeated_ids: Collection[int]
) -> list[ObjectAnnotation | None]:
    """The objects of rows; None for one of which more must be said.

    Args:
      rows: see ``object_columns.DTYPE``.
      masks: of each of them.
      class_names: by category id as text. An object of another category is None.
      repeated_ids: an object with one of these is None.
    """
    categories, places = np.unique(rows["category"], return_inverse=True)
    names = [class_names.get(str(category)) for category in categories.tolist()]
    is_unusual = np.array([name is None for name in names], np.bool_)[places]
    if repeated_ids:
        is_unusual |= np.isin(rows["id"].astype(np.uint64), np.array(list(repeated_ids), np.uint64))
    areas = rows["area"].astype(object)
    areas[np.isnan(rows["area"])] = None
    columns: dict[str, Iterable[Any]] = {
        "box": _made(Box, [rows[edge].tolist() for edge in Box._fields]),
        "class_name": map(names.__getitem__, places.tolist()),
        "box_id": map(str, rows["id"].tolist()),
        "position": map("annotations[%d]".__mod__, rows["index"].tolist()),
        "area": areas.tolist(),
        "is_crowd": map(_FLAGS.__getitem__, rows["crowd"].tolist()),
        "mask": masks,
    }
    defaults = ObjectAnnotation._field_defaults
    fields = [columns[name] if name in columns else repeat(defaults[name]) for name in ObjectAnnotation._fields]
    objects: list[ObjectAnnotation | None] = list(_made(ObjectAnnotation, fields))
    for place in np.flatnonzero(is_unusual).tolist():
        objects[place] = None
    return objects


def _made(kind: type[Any], columns: Iterable[Iterable[Any]]) -> Iterable[Any]:
    """Named tuples of a kind from all their columns, some of which may have no end."""
    return map(partial(tuple.__new__, kind), zip(*columns))  # noqa: B905
