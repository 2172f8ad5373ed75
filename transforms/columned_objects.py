"""The objects of an image by columns: most steps need a few fields of all objects, and few need an object."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain, repeat
from typing import Any, overload

from transforms.records import Box, ObjectAnnotation

Column = tuple[Any, ...] | None
"""A field's values, object by object; None where all have the field's default."""

_DEFAULTS = [ObjectAnnotation._field_defaults.get(name) for name in ObjectAnnotation._fields[1:]]
# From a tuple of all fields, without a call of Python's: there are millions.
_new_box = partial(tuple.__new__, Box)
_new_object = partial(tuple.__new__, ObjectAnnotation)


def column_number(field: str) -> int:
    """Where a field's column is among those of the fields after the box."""
    return ObjectAnnotation._fields.index(field) - 1


# Before it are name, id and position, which nearly all objects have.
_FIRST_OTHER = column_number("area")
_NO_COLUMNS: list[Column] = [*[()] * _FIRST_OTHER, *[None] * (len(_DEFAULTS) - _FIRST_OTHER)]


class ColumnedObjects(Sequence[ObjectAnnotation]):
    """Objects that are made when somebody looks at one; equal to a tuple of the same objects.

    Attributes:
      edges: xmin, ymin, xmax, ymax of each box, one box after the other.
      columns: of the fields after the box.
    """

    __slots__ = ("_made", "columns", "edges")

    def __init__(self, edges: tuple[float, ...], columns: Sequence[Column]):
        self.edges = edges
        self.columns = columns
        self._made: tuple[ObjectAnnotation, ...] | None = None

    @classmethod
    def of(cls, objects: Sequence[ObjectAnnotation]) -> ColumnedObjects:
        """The same objects; each column from the area on that says nothing is None."""
        if isinstance(objects, ColumnedObjects):
            return objects
        if not objects:
            return cls((), _NO_COLUMNS)
        boxes, *columns = zip(*objects, strict=True)
        others = map(_told, columns[_FIRST_OTHER:], _DEFAULTS[_FIRST_OTHER:])
        return cls(tuple(chain.from_iterable(boxes)), [*columns[:_FIRST_OTHER], *others])

    @property
    def objects(self) -> tuple[ObjectAnnotation, ...]:
        if self._made is None:
            numbers = iter(self.edges)
            boxes = map(_new_box, zip(numbers, numbers, numbers, numbers, strict=True))
            fields = map(_full_column, self.columns, _DEFAULTS)
            self._made = tuple(map(_new_object, zip(boxes, *fields)))  # noqa: B905 - a default is repeated for ever
        return self._made

    def __len__(self) -> int:
        return len(self.edges) // 4

    @overload
    def __getitem__(self, index: int) -> ObjectAnnotation: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[ObjectAnnotation, ...]: ...
    def __getitem__(self, index: int | slice) -> ObjectAnnotation | tuple[ObjectAnnotation, ...]:
        return self.objects[index]

    def __iter__(self) -> Iterator[ObjectAnnotation]:
        return iter(self.objects)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, ColumnedObjects):
            return self.objects == other.objects
        return self.objects == other

    def __hash__(self) -> int:
        return hash(self.objects)

    def __repr__(self) -> str:
        return repr(self.objects)


def _told(column: tuple[Any, ...], default: Any) -> Column:
    return None if column.count(default) == len(column) else column


def _full_column(column: Column, default: Any) -> Any:
    return repeat(default) if column is None else column
