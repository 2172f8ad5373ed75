"""Packs: what crosses a shuffle. Many readings in one compressed value, a few tens of bytes an object.

A runner that holds its shuffle in memory holds this, and not a Python object per box. Steps that only sort images go
by the head of a packed image and pass on its boxes as the bytes that they are.
"""

from __future__ import annotations

import io
import pickle
import threading
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from operator import itemgetter
from typing import NamedTuple

import zstandard

from transforms.annotations.compact_masks import compact_masks, full_masks
from transforms.annotations.pack_store import fetched
from transforms.columned_objects import ColumnedObjects, column_number
from transforms.images.image_names import image_key
from transforms.records import (
    AnnotatedImage,
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
# What a record takes from its annotation, beside the objects; all else is where the annotation stands, and what it is
# sorted by. The pictures' own bytes have no part in either.
_CONTENT_FIELDS = (
    "file_name",
    "image_id",
    "width",
    "height",
    "unit",
    "repairs",
    "captions",
    "labels",
    "negative_classes",
    "not_exhaustive_classes",
    "panoptic",
    "semantic_map",
)
_IMAGE_FIELDS = AnnotatedImage._fields
_PLACE_FIELDS = [name for name in _IMAGE_FIELDS if name not in (*_CONTENT_FIELDS, "objects", "problems")]
_content_values, _place_values = (itemgetter(*map(_IMAGE_FIELDS.index, f)) for f in (_CONTENT_FIELDS, _PLACE_FIELDS))
_in_image_order = itemgetter(*map((*_CONTENT_FIELDS, *_PLACE_FIELDS, "objects", "problems").index, _IMAGE_FIELDS))
_new_image = partial(tuple.__new__, AnnotatedImage)
_REPAIRS = _CONTENT_FIELDS.index("repairs")
# Objects go by columns. Of these after name, id and position most say nothing: those at the end are left out.
_FIRST_OTHER = column_number("area")
_OTHERS = len(ObjectAnnotation._fields) - 1 - _FIRST_OTHER
_MASK = column_number("mask") - _FIRST_OTHER


class PackedImage(NamedTuple):
    """An image in a pack.

    Attributes:
      key: see ``pack_entry``.
      image_id, boxes_read: of the image.
      class_names: of its objects and of the image itself, each once.
      source, split, split_fields: ``source``, ``split`` and ``fields`` of the image: what it may be split by.
      content: what the image's record takes from its annotation: equal for equal values, wherever they were read.
      place: where the annotation stands, and all else.
      has_masks: some object has one.
    """

    key: str
    image_id: str
    boxes_read: int
    class_names: tuple[str, ...]
    source: str
    split: str
    split_fields: tuple[tuple[str, str], ...]
    content: bytes
    place: bytes
    has_masks: bool

    def unpack(self) -> AnnotatedImage:
        """The image itself."""
        content, edges, class_names, others, masks, _ = pickle.loads(self.content)
        place, problems, box_ids, positions = pickle.loads(self.place)
        if masks is not None:
            others[_MASK] = full_masks(masks)
        silent = [None] * (_OTHERS - len(others))
        objects = ColumnedObjects(edges, [class_names, box_ids, positions, *others, *silent])
        remarks = tuple([BoxProblem(*problem) for problem in problems])
        return _new_image(_in_image_order((*content, *place, objects, remarks)))


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
    objects = ColumnedObjects.of(reading.objects)
    class_names, box_ids, positions, *others = objects.columns
    masks = others[_MASK]
    while others and others[-1] is None:
        others.pop()
    if masks is not None:
        others[_MASK] = None  # they go by themselves
    content = list(_content_values(reading))
    content[_REPAIRS] = tuple(map(str, reading.repairs))
    content_pickle = _by_value.dumps(
        (
            content,
            objects.edges,
            class_names,
            others,
            None if masks is None else compact_masks(masks),
            # Of a stored record, its objects are known by their numbers in it.
            reading.record and (reading.record.class_ids, box_ids),
        )
    )
    problems = list(map(tuple, reading.problems))
    place = pickle.dumps((_place_values(reading), problems, box_ids, positions), protocol=5)
    names = tuple(dict.fromkeys(_class_names(reading, class_names or ())))
    key = namespace + image_key(reading.file_name)
    split_by = (reading.source, reading.split, reading.fields)
    has_masks = masks is not None
    return PackedImage(key, reading.image_id, reading.boxes_read, names, *split_by, content_pickle, place, has_masks)


class _ValuePickler(threading.local):
    """Pickles without back references: equal values give equal bytes, whichever objects they share."""

    def __init__(self) -> None:
        self._buffer = io.BytesIO()
        self._pickler = pickle.Pickler(self._buffer, protocol=5)
        self._pickler.fast = True

    def dumps(self, values: object) -> bytes:
        self._buffer.seek(0)
        self._buffer.truncate()
        self._pickler.dump(values)
        return self._buffer.getvalue()


_by_value = _ValuePickler()


def _class_names(image: AnnotatedImage, of_objects: Iterable[str]) -> Iterable[str]:
    if image.labels or image.negative_classes or image.not_exhaustive_classes or image.panoptic:
        segments = image.panoptic.segments if image.panoptic else ()
        of_parts = [item.class_name for items in (image.labels, segments) for item in items]
        return chain(of_objects, of_parts, image.negative_classes, image.not_exhaustive_classes)
    return of_objects


def encode_portion(portion: Portion) -> bytes:
    """A portion as one value, for the shuffle."""
    return zstandard.compress(pickle.dumps(portion, protocol=5), _COMPRESSION_LEVEL)


def decode_portion(data: bytes) -> Portion:
    """The portion of ``encode_portion``, which may lie in a file."""
    portion: Portion = pickle.loads(zstandard.decompress(fetched(data)))
    return portion


def encode_pack(entries: Sequence[Entry]) -> bytes:
    """Entries as one value."""
    return zstandard.compress(pickle.dumps(list(entries), protocol=5), _COMPRESSION_LEVEL)


def decode_pack(pack: bytes) -> list[Entry]:
    """The entries of a pack in their order; it may lie in a file."""
    entries: list[Entry] = pickle.loads(zstandard.decompress(fetched(pack)))
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
