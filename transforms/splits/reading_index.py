"""The index of what was read: all that planning needs of an image, in a few bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from transforms.annotations.fields import as_int64
from transforms.annotations.packs import Entry, PackedImage
from transforms.images.image_names import image_key
from transforms.ledger.counts import Counts
from transforms.records import DeclaredClasses, Rejection
from transforms.splits.split_fractions import key_hash
from transforms.splits.split_rule import SplitRule

NO_ID = -1
NO_SPLIT = 255


@dataclass(frozen=True, slots=True)
class SampledImages:
    """Images of a source of which only some are taken, one element an image.

    Attributes:
      sample_hashes: uint64; the smallest are taken.
      key_hashes: uint64.
      boxes: int64, read with the image.
    """

    sample_hashes: npt.NDArray[np.uint64]
    key_hashes: npt.NDArray[np.uint64]
    boxes: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ReadingIndex:
    """What planning needs of many images: hashes and ids as packed arrays, classes, and how many were met.

    Attributes:
      split_names: of the splits.
      split_numbers: uint8, the position of each image's split in them; NO_SPLIT where it has none.
      key_hashes: uint64.
      image_ids: int64, the source's id where it is a decimal number that fits, else NO_ID.
      class_names: names used by objects.
      declared: classes declared by annotation files, with the files' own ids.
      counts: images and boxes read, those of rejections among them.
      refusals: a few details of rejections, to explain an empty plan.
      sampled: by their names, the sources of which only some images are taken.
      has_masks: some object has a mask.
      ungrouped: images in which the split key finds nothing.
      split_hashes: uint64, by which images are split, if the rule is global.
      image_classes: int32 [n, 2], position of an image and of a class name that it has, if the rule is balanced.
      image_class_names: that the latter are positions in.
    """

    split_names: tuple[str, ...]
    split_numbers: npt.NDArray[np.uint8]
    key_hashes: npt.NDArray[np.uint64]
    image_ids: npt.NDArray[np.int64]
    class_names: frozenset[str]
    declared: tuple[DeclaredClasses, ...]
    counts: Counts
    refusals: frozenset[str]
    sampled: Mapping[str, SampledImages]
    has_masks: bool = False
    ungrouped: int = 0
    split_hashes: npt.NDArray[np.uint64] = field(default_factory=lambda: np.empty(0, np.uint64))
    image_classes: npt.NDArray[np.int32] = field(default_factory=lambda: np.empty((0, 2), np.int32))
    image_class_names: tuple[str, ...] = ()


def order_hash(key: str) -> int:
    """The hash that orders images within a split."""
    return key_hash(key, "order")


def sample_hash(key: str) -> int:
    """The hash by which some images of a source are taken and others left out."""
    return key_hash(key, "sample")


def decimal_id(image_id: str) -> int:
    """The id as an int64 if it is plain digits, else NO_ID."""
    number = as_int64(image_id)
    return number if number is not None and number >= 0 else NO_ID


def hashed_id(key: str) -> int:
    """A stable positive 63-bit id for an image whose source has none that serves."""
    return key_hash(key, "source_id") >> 1


def rejection_hash(rejection: Rejection) -> int:
    """The share of a refused image in the checksum of names."""
    return order_hash(rejection.key or image_key(rejection.file_name))


def index_entries(entries: Sequence[Entry], rule: SplitRule, sampled_sources: Sequence[str] = ()) -> ReadingIndex:
    """Indexes the entries of a pack; of rejections only their numbers have a part in the plan.

    Args:
      entries: of a pack.
      rule: for the splits.
      sampled_sources: of which only some images are taken.
    """
    images = [entry for entry in entries if isinstance(entry, PackedImage)]
    rejections = [entry for entry in entries if isinstance(entry, Rejection)]
    hashes = [order_hash(image.key) for image in images]
    counts = Counts(
        images_read=len(images) + sum(rejection.is_image for rejection in rejections),
        images_checksum=sum(hashes) + sum(rejection_hash(item) for item in rejections if item.is_image),
        boxes_read=sum(image.boxes_read for image in images) + sum(len(item.problems) for item in rejections),
    )
    numbers = {name: number for number, name in enumerate(rule.names)}
    splits = [rule.given_split(image) if rule.is_global else rule.split_of(image) for image in images]
    for split in splits:
        if split:
            numbers.setdefault(split, len(numbers))
    return ReadingIndex(
        tuple(numbers),
        np.array([numbers.get(split, NO_SPLIT) for split in splits], dtype=np.uint8),
        np.array(hashes, dtype=np.uint64),
        np.array([decimal_id(image.image_id) for image in images], dtype=np.int64),
        frozenset(name for image in images for name in image.class_names),
        tuple(entry for entry in entries if isinstance(entry, DeclaredClasses)),
        counts,
        frozenset(f"{item.annotation_file}: {item.detail}" for item in rejections[:3]),
        {source: _sampled(images, hashes, source) for source in sampled_sources},
        any(image.has_masks for image in images),
        sum(rule.is_ungrouped(image) for image in images) if rule.key.kind in ("group", "field") else 0,
        **_of_global_rule(images, rule),
    )


def _of_global_rule(images: Sequence[PackedImage], rule: SplitRule) -> dict[str, Any]:
    if not rule.is_global:
        return {}
    split_hashes = np.array([key_hash(rule.split_key(image), "split") for image in images], dtype=np.uint64)
    if not rule.is_balanced:
        return {"split_hashes": split_hashes}
    names: dict[str, int] = {}
    pairs = [
        (position, names.setdefault(name, len(names)))
        for position, image in enumerate(images)
        for name in image.class_names
        if rule.classes is None or name in rule.classes
    ]
    return {
        "split_hashes": split_hashes,
        "image_classes": np.array(pairs, dtype=np.int32).reshape(-1, 2),
        "image_class_names": tuple(names),
    }


def _sampled(images: Sequence[PackedImage], hashes: Sequence[int], source: str) -> SampledImages:
    of_source = [(image, hashed) for image, hashed in zip(images, hashes, strict=True) if image.source == source]
    return SampledImages(
        np.array([sample_hash(image.key) for image, _ in of_source], dtype=np.uint64),
        np.array([hashed for _, hashed in of_source], dtype=np.uint64),
        np.array([image.boxes_read for image, _ in of_source], dtype=np.int64),
    )
