"""Reads each picture once before planning and hashes it; the pictures stay where they are, 24 bytes each go on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import apache_beam as beam
import numpy as np
from apache_beam.metrics import Metrics

from transforms.annotations.packs import PackedImage, decode_pack
from transforms.examples.existing_record import load_record
from transforms.images.image_store import ImageRefused, ImageStore
from transforms.images.open_image_store import open_image_store
from transforms.images.perceptual_hash import perceptual_hash
from transforms.records import AnnotatedImage
from transforms.splits.content_groups import NO_PERCEPTUAL_HASH, PictureHashes
from transforms.splits.reading_index import order_hash

_THREADS = 8
_pictures_hashed = Metrics.counter("boxmill", "pictures_hashed")


def hash_picture(
    image: AnnotatedImage, store: ImageStore | None, max_pixels: int, is_near: bool
) -> tuple[int, int] | None:
    """The digest and the perceptual hash of an image's file; None if it cannot be read.

    Args:
      image: as it was read.
      store: to read it from; None where records hold the pictures.
      max_pixels: larger pictures have no perceptual hash.
      is_near: near duplicates matter; else there is no perceptual hash.
    """
    try:
        if image.record is not None:
            data = load_record(image.record, image.file_name)[0].data
        else:
            assert store is not None
            data = store.read(image.file_name).data
    except ImageRefused:
        return None
    digest = int.from_bytes(hashlib.blake2b(data, digest_size=8, person=b"picture").digest(), "big")
    near = perceptual_hash(data, max_pixels) if is_near else None
    return digest, NO_PERCEPTUAL_HASH if near is None else near


class _HashPicturesDoFn(beam.DoFn):
    """Keeps the pool of reading threads and what is known of the folders."""

    def __init__(self, image_roots: Mapping[str, str], max_pixels: int, is_near: bool):
        self._image_roots, self._max_pixels, self._is_near = dict(image_roots), max_pixels, is_near

    def setup(self) -> None:
        self._executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="hash-picture")
        self._stores = {source: open_image_store(root) for source, root in self._image_roots.items() if root}

    def teardown(self) -> None:
        self._executor.shutdown(cancel_futures=True)

    def process(self, pack: bytes) -> Iterator[PictureHashes]:
        entries = [entry for entry in decode_pack(pack) if isinstance(entry, PackedImage)]
        found = [
            (order_hash(entry.key), *hashes)
            for entry, hashes in zip(entries, self._executor.map(self._hash, entries), strict=True)
            if hashes is not None
        ]
        keys, digests, near = zip(*found, strict=True) if found else ((), (), ())
        yield PictureHashes(np.array(keys, np.uint64), np.array(digests, np.uint64), np.array(near, np.uint64))

    def _hash(self, entry: PackedImage) -> tuple[int, int] | None:
        store = self._stores.get(entry.source)
        hashes = hash_picture(entry.unpack(), store, self._max_pixels, self._is_near)
        _pictures_hashed.inc()
        return hashes


@dataclass
class HashPictures(beam.PTransform):
    """Packs to PictureHashes.

    Attributes:
      image_roots: for each source, the folder of its pictures.
      max_pixels, is_near: see ``hash_picture``.
    """

    image_roots: Mapping[str, str]
    max_pixels: int
    is_near: bool

    def expand(self, packs: beam.PCollection[bytes]) -> beam.PCollection[PictureHashes]:
        # Else the worker that reads a large annotation file would read all pictures that it names.
        spread = packs | "Spread packs" >> beam.Reshuffle()
        return spread | "Hash pictures" >> beam.ParDo(
            _HashPicturesDoFn(self.image_roots, self.max_pixels, self.is_near)
        )
