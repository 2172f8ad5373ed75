"""Packs: what crosses a shuffle. Many readings in one compressed value, a few tens of bytes an object.

A runner that holds its shuffle in memory holds this, and not a Python object per box. Steps that only sort images go
by the head of a packed image and pass on its boxes as the bytes that they are.
"""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from typing import NamedTuple

import zstandard

from transforms.annotations.compact_masks import compact_masks, full_masks
from transforms.images.image_names import image_key
from transforms.records import (
    AnnotatedImage,
    Box,
    BoxProblem,
    DeclaredClasses,
    ObjectAnnotation,
    Portion,
    Reading,
    Rejection,
)

MAX_IMAGES = 2000
MAX_BOXES = 20_000
# Level 1: the data is small next to the pictures, the time is not.
_COMPRESSION_LEVEL = 1
_IMAGE_FIELDS = [field.name for field in dataclasses.fields(AnnotatedImage)]
_OBJECTS, _PROBLEMS = map(_IMAGE_FIELDS.index, ("objects", "problems"))
_image_values = attrgetter(*_IMAGE_FIELDS)
_problem_values = attrgetter(*(field.name for field in dataclasses.fields(BoxProblem)))


class PackedImage(NamedTuple):
    """An image in a pack.

    Attributes:
      key: see ``pack_entry``.
      image_id, boxes_read: of the image.
      class_names: of its objects and of the image itself, each once.
      source, split, split_fields: ``source``, ``split`` and ``fields`` of the image: what it may be split by.
      fields: the image's fields, pickled as plain tuples: that is several times faster than pickling objects; last
        the objects' masks, if there are any.
      has_masks: some object has one.
    """

    key: str
    image_id: str
    boxes_read: int
    class_names: tuple[str, ...]
    source: str
    split: str
    split_fields: tuple[tuple[str, str], ...]
    fields: bytes
    has_masks: bool

    def unpack(self) -> AnnotatedImage:
        """The image itself."""
        values = pickle.loads(self.fields)
        objects = [ObjectAnnotation(Box._make(box), *rest) for box, *rest in values[_OBJECTS]]
        if self.has_masks:
            masks = full_masks(values.pop())
            objects = [item._replace(mask=mask) for item, mask in zip(objects, masks, strict=True)]
        values[_OBJECTS] = tuple(objects)
        values[_PROBLEMS] = tuple(BoxProblem(*problem) for problem in values[_PROBLEMS])
        return AnnotatedImage(*values)


Entry = PackedImage | Rejection | DeclaredClasses


def pack_entry(reading: Reading, namespace: str = "") -> Entry:
    """A reading as an entry of a pack.

    Args:
      reading: any.
      namespace: comes before the ``image_key`` that images of this name have in the whole dataset: "" or, where
        there are several sources, the source's name and "/", so that images of two sources never share a key.
    """
    if not isinstance(reading, AnnotatedImage):
        return reading
    values = list(_image_values(reading))
    objects: Sequence[ObjectAnnotation] = reading.objects
    has_masks = any(item.mask is not None for item in objects)
    if has_masks:
        values.append(compact_masks([item.mask for item in objects]))
        objects = [item._replace(mask=None) for item in objects]
    values[_OBJECTS] = [(tuple(item.box), *item[1:]) for item in objects]
    values[_PROBLEMS] = [_problem_values(problem) for problem in reading.problems]
    names = tuple(dict.fromkeys(_class_names(reading)))
    key = namespace + image_key(reading.file_name)
    fields = pickle.dumps(values, protocol=5)
    split_by = (reading.source, reading.split, reading.fields)
    return PackedImage(key, reading.image_id, reading.boxes_read, names, *split_by, fields, has_masks)


def _class_names(image: AnnotatedImage) -> Iterator[str]:
    yield from (item.class_name for item in image.objects)
    yield from (label.class_name for label in image.labels)
    yield from image.negative_classes
    yield from image.not_exhaustive_classes
    if image.panoptic:
        yield from (segment.class_name for segment in image.panoptic.segments)


def encode_portion(portion: Portion) -> bytes:
    """A portion as one value, for the shuffle."""
    return zstandard.compress(pickle.dumps(portion, protocol=5), _COMPRESSION_LEVEL)


def decode_portion(data: bytes) -> Portion:
    """The portion of ``encode_portion``."""
    portion: Portion = pickle.loads(zstandard.decompress(data))
    return portion


def encode_pack(entries: Sequence[Entry]) -> bytes:
    """Entries as one value."""
    return zstandard.compress(pickle.dumps(list(entries), protocol=5), _COMPRESSION_LEVEL)


def decode_pack(pack: bytes) -> list[Entry]:
    """The entries of a pack in their order."""
    entries: list[Entry] = pickle.loads(zstandard.decompress(pack))
    return entries


def pack_readings(readings: Iterable[Reading], namespace: str = "") -> Iterator[bytes]:
    """Cuts a stream of readings into packs of bounded size; for ``namespace`` see ``pack_entry``."""
    return encode_packs(pack_entry(reading, namespace) for reading in readings)


def encode_packs(entries: Iterable[Entry]) -> Iterator[bytes]:
    """Cuts a stream of entries into packs of bounded size."""
    batch: list[Entry] = []
    boxes = 0
    for entry in entries:
        batch.append(entry)
        boxes += entry.boxes_read if isinstance(entry, PackedImage) else 1
        if len(batch) >= MAX_IMAGES or boxes >= MAX_BOXES:
            yield encode_pack(batch)
            batch, boxes = [], 0
    if batch:
        yield encode_pack(batch)
