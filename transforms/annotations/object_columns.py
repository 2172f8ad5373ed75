"""Objects of COCO with a box, maybe polygons, and nothing unusual, as columns: most are so, and there are millions.

A batch is read and checked column by column, which takes a fraction of what looking at each object by itself does.
What is in any way unusual is handed back, to be read with care.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import json as arrow_json

from transforms.annotations.json_stream import object_texts
from transforms.annotations.spilled_numbers import Floats, Integers, ranges

_IDS = (("image", "image_id"), ("id", "id"), ("category", "category_id"))
_NEEDED = frozenset({"id", "image_id", "category_id", "bbox"})
# Below these the columns cost more than they save.
FEWEST = 8
FEWEST_CHARS = 2000
UNKNOWN_FLAG = -1
_INTS, _NUMBERS, _NONE = {int}, {int, float}, type(None)

DTYPE = np.dtype(
    [("image", "<i8"), ("index", "<i8"), ("id", "<i8"), ("category", "<i8")]
    + [(edge, "<f8") for edge in ("xmin", "ymin", "xmax", "ymax")]
    + [("area", "<f8"), ("crowd", "i1"), ("rings", "<i4"), ("numbers", "<i4"), ("place", "<i8")]
)
"""A row an object: ids, place in the file's list, edges in pixels, area in pixels² or NaN, 0, 1 or UNKNOWN_FLAG.

Of its polygons, how many rings and numbers they have, and the place of their outline: the rings' lengths, then their
numbers.
"""

Rows = npt.NDArray[np.void]
_Booleans = npt.NDArray[np.bool_]

_ARROW_FIELDS = {
    **{key: pa.int64() for _, key in _IDS},
    "bbox": pa.list_(pa.float64()),
    "area": pa.float64(),
    "iscrowd": pa.int64(),
    "segmentation": pa.list_(pa.list_(pa.float64())),
}
_MOST_KEYS = 50
# Arrow's reader takes more of these for numbers than ours does, and ends a text at a NUL.
_NOT_ALIKE = ("NaN", "Inf", "\0")


@dataclass(frozen=True, slots=True)
class ObjectColumns:
    """Objects that stand in a row in a file.

    Attributes:
      rows: of all of them; ``index`` counts from 0. Of those that are not plain they say nothing.
      is_plain: a row is all that there is to know of the object.
      elements: decoded JSON by index, for the others.
      outlines: that ``place`` points into.
    """

    rows: Rows
    is_plain: _Booleans
    elements: Mapping[int, Any] | Sequence[Any]
    outlines: Floats

    def __len__(self) -> int:
        return len(self.rows)

    def others(self) -> Iterator[tuple[int, Any]]:
        """Index and decoded JSON of those that are not plain."""
        return ((index, self.elements[index]) for index in np.flatnonzero(~self.is_plain).tolist())


class TextColumns:
    """Reads texts of objects, separated by commas, to columns.

    Args:
      with_masks: polygons are wanted.
      is_plain: whether an object of these keys, ``segmentation`` aside, has nothing besides its box that must be read.
    """

    def __init__(self, with_masks: bool, is_plain: Callable[[Iterable[str]], bool]):
        self._with_masks = with_masks
        self._is_plain = is_plain
        self._fields = _ARROW_FIELDS
        self._options = _parse_options(_ARROW_FIELDS)

    def learn(self, element: Any) -> None:
        """Looks at an object like those to come for other keys that have numbers: none need be read."""
        if isinstance(element, dict):
            others = {
                key
                for key, value in element.items()
                if type(value) in _NUMBERS and key.isascii() and key not in self._fields
            }
            if others and self._is_plain(others) and len(self._fields) + len(others) <= _MOST_KEYS:
                self._fields = self._fields | dict.fromkeys(others, pa.float64())
                self._options = _parse_options(self._fields)

    def read(self, text: str) -> ObjectColumns | None:
        """Columns of objects with nothing but box, area, crowd flag and polygons; None if some have anything else."""
        if (
            len(text) < FEWEST_CHARS
            or not text.isascii()
            or any(name[0] in text and name in text for name in _NOT_ALIKE)
        ):
            return None
        data = b'{"objects":[%b]}' % text.encode()
        options = arrow_json.ReadOptions(use_threads=False, block_size=len(data) + 1)
        try:
            table = arrow_json.read_json(pa.BufferReader(data), options, self._options)
        except pa.ArrowInvalid:  # so it is for a key that stands twice, or a value of another type
            return None
        return _columns_of_table(table, text, self._with_masks)


def _parse_options(fields: Mapping[str, pa.DataType]) -> arrow_json.ParseOptions:
    schema = pa.schema([("objects", pa.list_(pa.struct(list(fields.items()))))])
    return arrow_json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="error")


def _columns_of_table(table: pa.Table, text: str, with_masks: bool) -> ObjectColumns | None:
    if table.num_rows != 1:
        return None
    # In arrays that were just read, these are the elements of all lists. ``flatten``, which looks, would import Arrow's
    # compute functions, and that takes longer than many a file.
    objects = table.column(0).combine_chunks().values
    fields = {key: objects.field(key) for key in _ARROW_FIELDS}
    boxes = fields["bbox"]
    sides = boxes.values
    polygons = _polygons(fields["segmentation"])
    if (
        polygons is None
        or any(array.null_count for array in (objects, boxes, sides, *(fields[key] for _, key in _IDS)))
        or not (np.diff(boxes.offsets.to_numpy()) == 4).all()
    ):
        return None
    sides = sides.to_numpy()
    areas, flags = (fields[key].to_numpy(zero_copy_only=False).astype(np.float64) for key in ("area", "iscrowd"))
    has_area = ~np.isnan(areas)
    # "-0" is the integer 0 to us; numbers beyond float64 are none.
    if not all(map(_is_safe, (sides, areas[has_area], polygons[1]))):
        return None
    rows = np.zeros(len(objects), DTYPE)
    for name, key in _IDS:
        rows[name] = fields[key].to_numpy()
    rows["area"] = areas
    outlines = _add_outlines(rows, *polygons) if with_masks else np.empty(0)
    return ObjectColumns(rows, _fill(rows, sides, flags, has_area), _Elements(text), outlines)


class _Elements(dict[int, Any]):
    """The objects of a text, decoded when asked for."""

    def __init__(self, text: str):
        super().__init__()
        self._text = text

    @cached_property
    def _texts(self) -> list[str]:
        return object_texts(self._text)

    def __missing__(self, index: int) -> Any:
        return json.loads(self._texts[index])


def _is_safe(numbers: Floats) -> bool:
    return bool(np.isfinite(numbers).all()) and not (np.signbit(numbers) & (numbers == 0)).any()


def _polygons(segmentations: pa.ListArray) -> tuple[Integers, Floats, Integers] | None:
    """Lengths of rings and their numbers, and how many rings each object has; None if a null is among them."""
    rings = segmentations.values
    numbers = rings.values
    if rings.null_count or numbers.null_count:
        return None
    lengths = np.diff(rings.offsets.to_numpy()).astype(np.int64)
    return lengths, numbers.to_numpy(), np.diff(segmentations.offsets.to_numpy()).astype(np.int64)


def _add_outlines(rows: Rows, lengths: Integers, numbers: Floats, rings: Integers) -> Floats:
    """Fills in what rows say of their polygons; returns the outlines."""
    ends = np.concatenate([[0], np.cumsum(lengths)])
    stops = np.cumsum(rings)
    counts = ends[stops] - ends[stops - rings]
    if not counts.all():  # polygons of no number at all are none
        lengths = lengths[np.repeat(counts > 0, rings)]
        rings = np.where(counts > 0, rings, 0)
    places = np.cumsum(rings + counts) - rings - counts
    outlines = np.empty(len(lengths) + len(numbers))
    outlines[ranges(places, rings)] = lengths
    outlines[ranges(places + rings, counts)] = numbers
    rows["rings"], rows["numbers"], rows["place"] = rings, counts, places
    return outlines


def columns_of_elements(elements: Sequence[Any], is_plain: Callable[[Iterable[str]], bool]) -> ObjectColumns | None:
    """Columns of objects without polygons; None where any has a value of an unusual type.

    Args:
      elements: decoded JSON, of any kind.
      is_plain: whether an object of these keys has nothing besides its box that must be read.
    """
    count = len(elements)
    if count < FEWEST or set(map(type, elements)) != {dict}:
        return None
    if not all(set(keys) >= _NEEDED and is_plain(keys) for keys in set(map(tuple, elements))):
        return None
    boxes = [element["bbox"] for element in elements]
    if set(map(type, boxes)) != {list} or set(map(len, boxes)) != {4}:
        return None
    sides = list(chain.from_iterable(boxes))
    ids = {name: [element[key] for element in elements] for name, key in _IDS}
    areas, crowds = ([element.get(key) for element in elements] for key in ("area", "iscrowd"))
    if not (
        set(map(type, sides)) <= _NUMBERS
        and all(set(map(type, values)) == _INTS for values in ids.values())
        and set(map(type, areas)) <= {*_NUMBERS, _NONE}
        and set(map(type, crowds)) <= {*_INTS, _NONE}
    ):
        return None
    rows = np.zeros(count, DTYPE)
    try:
        for name, values in ids.items():
            rows[name] = np.array(values, dtype=np.int64)
        has_area = np.array([area is not None for area in areas])
        rows["area"] = np.array([np.nan if area is None else area for area in areas], dtype=np.float64)
        flags = np.array([UNKNOWN_FLAG if crowd is None else crowd for crowd in crowds], dtype=np.int64)
        is_sound = _fill(rows, np.array(sides, dtype=np.float64), flags, has_area)
    except OverflowError:
        return None
    return ObjectColumns(rows, is_sound, elements, np.empty(0))


def _fill(rows: Rows, sides: Floats, flags: npt.NDArray[Any], has_area: _Booleans) -> _Booleans:
    """Fills in edges, crowd flags and indices of rows that have ids and areas; returns which of them are sound."""
    x, y, width, height = sides.reshape(-1, 4).T
    rows["index"] = np.arange(len(rows))
    rows["crowd"] = np.where((flags == 0) | (flags == 1), flags, UNKNOWN_FLAG)
    with np.errstate(over="ignore", invalid="ignore"):
        edges = {"xmin": x, "ymin": y, "xmax": x + width, "ymax": y + height}
    is_sound: _Booleans = (width > 0) & (height > 0) & (~has_area | ~np.isnan(rows["area"]))
    for name, edge in edges.items():
        rows[name] = edge
        is_sound &= np.isfinite(edge)
    for name, _ in _IDS:
        is_sound &= rows[name] >= 0
    return is_sound
