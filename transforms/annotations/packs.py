"""Packs: what crosses a shuffle. Many readings in one compressed value, a few tens of bytes an object.

A runner that holds its shuffle in memory holds this, and not a Python object per box.
"""

from __future__ import annotations

import dataclasses
import pickle
import zlib
from collections.abc import Iterable, Iterator
from operator import attrgetter
from typing import Any

from transforms.records import (
    AnnotatedImage,
    Box,
    BoxProblem,
    DeclaredClasses,
    ObjectAnnotation,
    Reading,
    Rejection,
)

MAX_IMAGES = 2000
MAX_BOXES = 20_000
# Level 1: the data is small next to the pictures, the time is not.
_ZLIB_LEVEL = 1


def _fields(cls: Any) -> Any:
    return attrgetter(*(field.name for field in dataclasses.fields(cls)))


_box, _object, _problem, _image = map(_fields, (Box, ObjectAnnotation, BoxProblem, AnnotatedImage))
_OBJECTS = [field.name for field in dataclasses.fields(AnnotatedImage)].index("objects")
_PROBLEMS = _OBJECTS + 1


def encode_pack(readings: Iterable[Reading]) -> bytes:
    """Packs readings; images, the bulk, as plain tuples, which pickle several times faster than dataclasses."""
    return zlib.compress(pickle.dumps([_to_plain(reading) for reading in readings], protocol=5), _ZLIB_LEVEL)


def decode_pack(pack: bytes) -> Iterator[Reading]:
    """Yields the readings of a pack in their order."""
    return map(_from_plain, pickle.loads(zlib.decompress(pack)))


def _to_plain(reading: Reading) -> Any:
    if not isinstance(reading, AnnotatedImage):
        return reading
    values = list(_image(reading))
    values[_OBJECTS] = [(_box(item.box), *_object(item)[1:]) for item in reading.objects]
    values[_PROBLEMS] = [_problem(problem) for problem in reading.problems]
    return values


def _from_plain(values: Any) -> Reading:
    if isinstance(values, Rejection | DeclaredClasses):
        return values
    values[_OBJECTS] = tuple(ObjectAnnotation(Box(*box), *rest) for box, *rest in values[_OBJECTS])
    values[_PROBLEMS] = tuple(BoxProblem(*problem) for problem in values[_PROBLEMS])
    return AnnotatedImage(*values)


def pack_readings(readings: Iterable[Reading]) -> Iterator[bytes]:
    """Cuts a stream of readings into packs of bounded size."""
    batch: list[Reading] = []
    boxes = 0
    for reading in readings:
        batch.append(reading)
        boxes += reading.boxes_read if isinstance(reading, AnnotatedImage) else 1
        if len(batch) >= MAX_IMAGES or boxes >= MAX_BOXES:
            yield encode_pack(batch)
            batch, boxes = [], 0
    if batch:
        yield encode_pack(batch)
