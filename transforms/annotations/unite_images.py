"""Unites what several files of a source say of the same images, where these files may share images at all.

Hashes of all names, 16 bytes a reading, tell which images are in more than one file. Only those cross a shuffle, in
portions by the hash of the name, each as large as a pack; all others go on as they are.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import apache_beam as beam
import numpy as np
import numpy.typing as npt
from apache_beam.metrics import Metrics

from transforms.annotations.pack_store import IN_MEMORY, PackStore
from transforms.annotations.packs import (
    MAX_BOXES,
    MAX_IMAGES,
    Entry,
    PackedImage,
    decode_pack,
    encode_pack,
    encode_packs,
    pack_entry,
)
from transforms.annotations.refusals import Refused, refuse_image
from transforms.annotations.united_images import united
from transforms.images.image_names import image_key

ALONE = -1
_readings_united = Metrics.counter("boxmill", "readings_united")


class ReadNames(NamedTuple):
    """The readings of a pack: uint64 hashes of their images' names, and int64 numbers of boxes."""

    hashes: npt.NDArray[np.uint64]
    boxes: npt.NDArray[np.int64]


class SharedNames(NamedTuple):
    """Images that are read more than once.

    Attributes:
      hashes: uint64, ascending, of their names.
      portions: in which they are united.
    """

    hashes: npt.NDArray[np.uint64]
    portions: int

    def has(self, hashes: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
        """Which of some names are among these."""
        if not len(self.hashes):
            return np.zeros(len(hashes), np.bool_)
        places = np.searchsorted(self.hashes, hashes).clip(max=len(self.hashes) - 1)
        return np.asarray(self.hashes[places] == hashes)


def read_names(pack: bytes) -> ReadNames:
    """The names of the images in a pack."""
    images = _images(decode_pack(pack))
    return ReadNames(_hashes(images), np.array([image.boxes_read for image in images], np.int64))


def find_shared(parts: Sequence[ReadNames]) -> SharedNames:
    """The names that are read more than once, from those of all packs."""
    hashes = np.concatenate([np.empty(0, np.uint64), *(part.hashes for part in parts)])
    boxes = np.concatenate([np.empty(0, np.int64), *(part.boxes for part in parts)])
    unique, of_reading, times = np.unique(hashes, return_inverse=True, return_counts=True)
    is_shared = times[of_reading] > 1
    packs = max(is_shared.sum() / MAX_IMAGES, boxes[is_shared].sum() / MAX_BOXES)
    return SharedNames(unique[times > 1], max(1, round(packs)))


def divide_pack(pack: bytes, shared: SharedNames, store: PackStore = IN_MEMORY) -> Iterator[tuple[int, bytes]]:
    """Yields what of a pack is to be united, with the numbers of the portions, and what is not, with ALONE."""
    if not len(shared.hashes):
        yield ALONE, pack
        return
    entries = decode_pack(pack)
    hashes = _hashes(_images(entries))
    numbers = (hashes % np.uint64(shared.portions)).astype(np.int64)
    numbers[~shared.has(hashes)] = ALONE
    number_of_next = iter(numbers.tolist())
    parts: defaultdict[int, list[Entry]] = defaultdict(list)
    for entry in entries:
        parts[next(number_of_next) if isinstance(entry, PackedImage) else ALONE].append(entry)
    for number, part in parts.items():
        yield number, store.put(encode_pack(part))


def unite_portion(packs: Iterable[bytes]) -> Iterator[bytes]:
    """Packs in which each image is there once, or refused as often as it was read."""
    readings: defaultdict[str, list[PackedImage]] = defaultdict(list)
    for pack in packs:
        for image in _images(decode_pack(pack)):
            readings[image.key].append(image)
    return encode_packs(entry for key in sorted(readings) for entry in _unite(readings[key]))


def unite_packs(packs: Iterable[bytes]) -> list[bytes]:
    """All of it in memory, for a sample."""
    packs = list(packs)
    shared = find_shared([read_names(pack) for pack in packs])._replace(portions=1)
    parts = [part for pack in packs for part in divide_pack(pack, shared)]
    alone = [part for number, part in parts if number == ALONE]
    return [*alone, *unite_portion(part for number, part in parts if number != ALONE)]


def _images(entries: Iterable[Entry]) -> list[PackedImage]:
    return [entry for entry in entries if isinstance(entry, PackedImage)]


def _hashes(images: Iterable[PackedImage]) -> npt.NDArray[np.uint64]:
    digests = (hashlib.blake2b(image.key.encode("utf-8", "surrogatepass"), digest_size=8) for image in images)
    return np.frombuffer(b"".join(digest.digest() for digest in digests), "<u8")


def _unite(readings: Sequence[PackedImage]) -> Iterator[Entry]:
    """The one image of several readings; or, if they contradict each other, each of them refused."""
    if len(readings) == 1:  # another name has its hash
        yield readings[0]
        return
    _readings_united.inc(len(readings) - 1)
    images = [reading.unpack() for reading in readings]
    key = readings[0].key
    try:
        image = united(images)
    except Refused as refused:
        for image in images:
            yield refuse_image(image, refused.reason, refused.detail)._replace(key=key)
        return
    yield pack_entry(image, key.removesuffix(image_key(image.file_name)))


@dataclass
class UniteImages(beam.PTransform):
    """Packs to packs in which each image is there once.

    Attributes:
      store: of the packs.
    """

    store: PackStore = IN_MEMORY

    def expand(self, packs: beam.PCollection[bytes]) -> beam.PCollection[bytes]:
        names = packs | "Read names" >> beam.Map(read_names) | "Gather names" >> beam.combiners.ToList()
        shared = beam.pvalue.AsSingleton(names | "Find shared names" >> beam.Map(find_shared))
        parts = packs | "Divide" >> beam.FlatMap(divide_pack, shared, self.store).with_output_types(tuple[int, bytes])
        alone = parts | "Keep the others" >> beam.FlatMap(_alone).with_output_types(bytes)
        united_packs = (
            parts
            | "Keep the shared" >> beam.Filter(_is_shared).with_output_types(tuple[int, bytes])
            | "Group by name" >> beam.GroupByKey()
            | "Unite" >> beam.FlatMap(_unite_group, self.store).with_output_types(bytes)
        )
        return (alone, united_packs) | "All images" >> beam.Flatten()


def _alone(part: tuple[int, bytes]) -> Iterator[bytes]:
    if not _is_shared(part):
        yield part[1]


def _is_shared(part: tuple[int, bytes]) -> bool:
    return part[0] != ALONE


def _unite_group(group: tuple[int, Iterable[bytes]], store: PackStore) -> Iterator[bytes]:
    return map(store.put, unite_portion(group[1]))
