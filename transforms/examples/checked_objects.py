"""Objects whose boxes may be trained on, one by one and by columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, overload

from transforms.columned_objects import Column, ColumnedObjects, column_number
from transforms.records import Box, ObjectAnnotation

MAX_FLOAT32 = 3.4028234e38
# Thinner boxes hold nothing, and their edges may fall together in float32.
MIN_SIDE_PIXELS = 0.01
_AREA = column_number("area")


Edges = tuple[Sequence[float], ...]


class CheckedObject(NamedTuple):
    """An object with edges in pixels of the written picture: 0 <= xmin < xmax <= width, 0 <= ymin < ymax <= height.

    The mask of ``annotation`` is still in the plane that it was annotated in; area and keypoints are not.
    """

    box: Box
    annotation: ObjectAnnotation

    @property
    def area(self) -> float:
        """Pixels²: as annotated, if that is a number that a float32 holds, else the box's own."""
        area = self.annotation.area
        return area if area is not None and 0 <= area <= MAX_FLOAT32 else self.box.area


class CheckedObjects(Sequence[CheckedObject]):
    """The checked objects of a picture; what is asked for one by one is made only then.

    Attributes:
      edges: xmin, ymin, xmax, ymax of all boxes.
      columns: of the annotations' fields after the box.
    """

    __slots__ = ("_objects", "columns", "edges")

    def __init__(self, edges: Edges, columns: Sequence[Column], objects: Sequence[CheckedObject] | ColumnedObjects):
        """The objects are checked ones, or as annotated if no box of them was changed."""
        self.edges = edges
        self.columns = columns
        self._objects = objects

    @classmethod
    def of(cls, objects: Sequence[CheckedObject]) -> CheckedObjects:
        if not objects:
            return cls(((),) * 4, [()] * (len(ObjectAnnotation._fields) - 1), objects)
        boxes, annotations = zip(*objects, strict=True)
        return cls(tuple(zip(*boxes, strict=True)), list(zip(*annotations, strict=True))[1:], objects)

    @classmethod
    def unchanged(cls, objects: ColumnedObjects, width: int, height: int) -> CheckedObjects | None:
        """The objects as they are, if no box of them needs any change in a picture of this size, in pixels."""
        flat = objects.edges
        edges = flat[::4], flat[1::4], flat[2::4], flat[3::4]
        fits = [
            x0 >= 0 and x1 <= width and y0 >= 0 and y1 <= height and x1 - x0 >= MIN_SIDE_PIXELS <= y1 - y0
            for x0, y0, x1, y1 in zip(*edges, strict=True)
        ]
        return cls(edges, objects.columns, objects) if all(fits) else None

    @property
    def areas(self) -> list[float]:
        """See ``CheckedObject.area``."""
        areas = self.columns[_AREA] or (None,) * len(self)
        return [
            area if area is not None and 0 <= area <= MAX_FLOAT32 else (x1 - x0) * (y1 - y0)
            for area, x0, y0, x1, y1 in zip(areas, *self.edges, strict=True)
        ]

    def _list(self) -> Sequence[CheckedObject]:
        if isinstance(self._objects, ColumnedObjects):
            self._objects = [CheckedObject(item.box, item) for item in self._objects]
        return self._objects

    def __len__(self) -> int:
        return len(self.edges[0])

    @overload
    def __getitem__(self, index: int) -> CheckedObject: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[CheckedObject]: ...
    def __getitem__(self, index: int | slice) -> CheckedObject | Sequence[CheckedObject]:
        return self._list()[index]

    def __iter__(self) -> Iterator[CheckedObject]:
        return iter(self._list())
