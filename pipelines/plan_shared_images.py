"""Images that several annotation files of a sample tell of: counted once, as a build writes them once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from transforms.annotations.packs import Entry, PackedImage, decode_pack, encode_packs
from transforms.planning.sampling import Estimate
from transforms.records import Rejection


class PackCounts(NamedTuple):
    """What packs hold: images that can be written, those that are refused, and the boxes of both."""

    images: int
    refused: int
    boxes: int


def counts_of(packs: Iterable[bytes]) -> PackCounts:
    """What packs hold, as the closing sums count it."""
    images = refused = boxes = 0
    for pack in packs:
        for entry in decode_pack(pack):
            if isinstance(entry, PackedImage):
                images, boxes = images + 1, boxes + entry.boxes_read
            elif isinstance(entry, Rejection):
                refused, boxes = refused + entry.is_image, boxes + len(entry.problems)
    return PackCounts(images, refused, boxes)


def first_readings(packs: Iterable[bytes]) -> list[bytes]:
    """Packs of parts of files with one reading of each image: what parts say of an image does not fit together."""
    kept: list[Entry] = []
    keys = set()
    for pack in packs:
        for entry in decode_pack(pack):
            if not isinstance(entry, PackedImage):
                kept.append(entry)
            elif entry.key not in keys:
                keys.add(entry.key)
                kept.append(entry)
    return list(encode_packs(kept))


def at_most(images: Estimate, listed: int) -> Estimate:
    """No more images than are on disk, however many files tell of them."""
    return replace(images, value=min(images.value, float(listed)))
