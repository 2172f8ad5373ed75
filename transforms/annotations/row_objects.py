"""The plain objects of a portion: rows become columns of Python's values at once, and those are cut image by image."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from transforms.annotations.compact_masks import CompactNumbers, compact_numbers, full_numbers
from transforms.annotations.object_columns import UNKNOWN_FLAG, Rows
from transforms.annotations.spilled_numbers import Floats, Integers
from transforms.columned_objects import Column, ColumnedObjects, column_number
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


class RowObjects:
    """The objects of rows, by columns.

    Args:
      rows: see ``object_columns.DTYPE``.
      masks: of each of them.
      class_names: by category id as text.
      repeated_ids: ids that more than one object has.
    """

    def __init__(
        self,
        rows: Rows,
        masks: Sequence[Mask | None],
        class_names: Mapping[str, str],
        repeated_ids: Collection[int],
    ):
        categories, places = np.unique(rows["category"], return_inverse=True)
        names = [class_names.get(str(category)) for category in categories.tolist()]
        is_usual = np.array([name is not None for name in names], np.bool_)[places]
        if repeated_ids:
            is_usual &= ~np.isin(rows["id"].astype(np.uint64), np.array(list(repeated_ids), np.uint64))
        areas = rows["area"].astype(object)
        areas[np.isnan(rows["area"])] = None
        self._is_usual: list[bool] = is_usual.tolist()
        self._edges = np.stack([rows[edge] for edge in Box._fields], axis=1).reshape(-1).tolist()
        self._known: list[Sequence[Any]] = [
            [names[place] for place in places.tolist()],
            list(map(str, rows["id"].tolist())),
            [f"annotations[{index}]" for index in rows["index"].tolist()],
        ]
        others = {
            "area": areas.tolist(),
            "is_crowd": list(map(_FLAGS.__getitem__, rows["crowd"].tolist())),
            "mask": masks,
        }
        self._others = [
            (column_number(field), column) for field, column in others.items() if column.count(None) < len(column)
        ]

    def of(self, place: slice) -> ColumnedObjects | None:
        """Those of an image; None if of one of them more must be said: its class is unknown, or its id repeated."""
        if not all(self._is_usual[place]):
            return None
        columns: list[Column] = [None] * (len(ObjectAnnotation._fields) - 1)
        columns[: len(self._known)] = [tuple(column[place]) for column in self._known]
        for number, column in self._others:
            values = tuple(column[place])
            if values.count(None) < len(values):
                columns[number] = values
        return ColumnedObjects(tuple(self._edges[4 * place.start : 4 * place.stop]), columns)
