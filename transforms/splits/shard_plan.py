"""The plan of shards: even in number of images, each a range of hashes, from an index of 24 bytes an image.

The order of a split is the order of its images' hashes: a good shuffle, and the same in every run. Cutting that order
at equal counts gives each shard a range of hashes, so that assigning an image needs no other image.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from transforms.annotations.fields import as_int64
from transforms.annotations.packs import Entry, PackedImage
from transforms.images.image_names import image_key
from transforms.ledger.counts import Counts
from transforms.records import DeclaredClasses, Rejection
from transforms.splits.split_fractions import SplitFractions, key_hash

NO_ID = -1


class ShardKey(NamedTuple):
    """A shard: the ``number``-th of its split, from 0. The split "" gathers what is rejected before any shard."""

    split: str
    number: int


REJECTED = ShardKey("", 0)


@dataclass(frozen=True, slots=True)
class ShardSizing:
    """How many shards a split gets: the first of these that is set.

    Attributes:
      counts: shards for each split.
      examples_per_shard: images a shard at most.
      shard_bytes: bytes of pictures a shard, about.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    examples_per_shard: int | None = None
    shard_bytes: int = 128 << 20

    def shards(self, split: str, images: int, mean_bytes: float) -> int:
        """Number of shards for a split of ``images`` images; no shard is planned empty."""
        if split in self.counts:
            wanted = self.counts[split]
        elif self.examples_per_shard:
            wanted = math.ceil(images / self.examples_per_shard)
        else:
            wanted = math.ceil(images * mean_bytes / self.shard_bytes)
        return max(1, min(wanted, images))


@dataclass(frozen=True, slots=True)
class ReadingIndex:
    """What planning needs of many images: hashes and ids as packed arrays, classes, and how many were met.

    Attributes:
      split_numbers: uint8, the position of each image's split.
      key_hashes: uint64.
      image_ids: int64, the source's id where it is a decimal number that fits, else NO_ID.
      class_names: names used by objects.
      declared: classes declared by annotation files, with the files' own ids.
      counts: images and boxes read, those of rejections among them.
      refusals: a few details of rejections, to explain an empty plan.
      has_masks: some object has a mask.
    """

    split_numbers: npt.NDArray[np.uint8]
    key_hashes: npt.NDArray[np.uint64]
    image_ids: npt.NDArray[np.int64]
    class_names: frozenset[str]
    declared: tuple[DeclaredClasses, ...]
    counts: Counts
    refusals: frozenset[str]
    has_masks: bool = False


def order_hash(key: str) -> int:
    """The hash that orders images within a split."""
    return key_hash(key, "order")


def decimal_id(image_id: str) -> int:
    """The id as an int64 if it is plain digits, else NO_ID."""
    number = as_int64(image_id)
    return number if number is not None and number >= 0 else NO_ID


def hashed_id(key: str) -> int:
    """A stable positive 63-bit id for an image whose source has none that serves."""
    return key_hash(key, "source_id") >> 1


def index_entries(entries: Sequence[Entry], fractions: SplitFractions) -> ReadingIndex:
    """Indexes the entries of a pack; of rejections only their numbers have a part in the plan."""
    images = [entry for entry in entries if isinstance(entry, PackedImage)]
    rejections = [entry for entry in entries if isinstance(entry, Rejection)]
    hashes = [order_hash(image.key) for image in images]
    counts = Counts(
        images_read=len(images) + sum(rejection.is_image for rejection in rejections),
        images_checksum=sum(hashes) + sum(rejection_hash(item) for item in rejections if item.is_image),
        boxes_read=sum(image.boxes_read for image in images) + sum(len(item.problems) for item in rejections),
    )
    numbers = {name: number for number, name in enumerate(fractions.names)}
    return ReadingIndex(
        np.array([numbers[fractions.split_of(image.key)] for image in images], dtype=np.uint8),
        np.array(hashes, dtype=np.uint64),
        np.array([decimal_id(image.image_id) for image in images], dtype=np.int64),
        frozenset(name for image in images for name in image.class_names),
        tuple(entry for entry in entries if isinstance(entry, DeclaredClasses)),
        counts,
        frozenset(f"{item.annotation_file}: {item.detail}" for item in rejections[:3]),
        any(image.has_masks for image in images),
    )


def rejection_hash(rejection: Rejection) -> int:
    """The share of a refused image in the checksum of names."""
    return order_hash(rejection.key or image_key(rejection.file_name))


@dataclass(frozen=True, slots=True)
class ShardPlan:
    """Where every image goes.

    Attributes:
      fractions: of the splits.
      starts: for each split, the first hash of each of its shards; [0] for the first.
      repeated_keys: hashes of names that more than one annotation has.
      repeated_ids: hashes of names whose own id another image has too.
      class_names: all classes used.
      declared: all classes declared.
      planned: images per split.
      counts: of all that was read.
      refusals, has_masks: see ReadingIndex.
    """

    fractions: SplitFractions
    starts: Mapping[str, Sequence[int]]
    repeated_keys: frozenset[int]
    repeated_ids: frozenset[int]
    class_names: frozenset[str]
    declared: tuple[DeclaredClasses, ...]
    planned: Mapping[str, int]
    counts: Counts
    refusals: frozenset[str]
    has_masks: bool = False

    def shard_of(self, key: str) -> ShardKey:
        """The shard of an image."""
        split = self.fractions.split_of(key)
        return ShardKey(split, bisect_right(self.starts[split], order_hash(key)) - 1)

    def source_id(self, key: str, image_id: str) -> int:
        """The id of an image's record, unique in the dataset."""
        own = decimal_id(image_id)
        is_repeated = bool(self.repeated_ids) and order_hash(key) in self.repeated_ids
        return hashed_id(key) if own == NO_ID or is_repeated else own

    @property
    def shard_counts(self) -> dict[str, int]:
        return {split: len(starts) for split, starts in self.starts.items()}


def plan_shards(
    indexes: Sequence[ReadingIndex], fractions: SplitFractions, sizing: ShardSizing, mean_bytes: float
) -> ShardPlan:
    """Plans the shards of all images.

    Args:
      indexes: of all packs, in any order.
      fractions: the splits.
      sizing: how large shards are to be.
      mean_bytes: size of an image file on average.
    """
    split_numbers = np.concatenate([index.split_numbers for index in indexes] or [np.empty(0, np.uint8)])
    hashes = np.concatenate([index.key_hashes for index in indexes] or [np.empty(0, np.uint64)])
    ids = np.concatenate([index.image_ids for index in indexes] or [np.empty(0, np.int64)])
    unique, counts = np.unique(hashes, return_counts=True)
    repeated_keys = unique[counts > 1]
    is_single = ~np.isin(hashes, repeated_keys)
    split_numbers, hashes, ids = split_numbers[is_single], hashes[is_single], ids[is_single]
    starts, planned = {}, {}
    for number, name in enumerate(fractions.names):
        members = np.sort(hashes[split_numbers == number])
        planned[name] = len(members)
        starts[name] = _starts(members, sizing.shards(name, len(members), mean_bytes)) if len(members) else []
    return ShardPlan(
        fractions,
        starts,
        frozenset(repeated_keys.tolist()),
        frozenset(_hashes_of_repeated_ids(hashes, ids)),
        frozenset().union(*(index.class_names for index in indexes)),
        tuple(sorted({declared for index in indexes for declared in index.declared}, key=astuple)),
        planned,
        Counts.total(index.counts for index in indexes),
        frozenset().union(*(index.refusals for index in indexes)),
        any(index.has_masks for index in indexes),
    )


def _starts(sorted_hashes: npt.NDArray[np.uint64], shards: int) -> list[int]:
    """The first hash of each shard; sizes differ by one image at most."""
    cuts = [len(sorted_hashes) * shard // shards for shard in range(1, shards)]
    return [0, *(int(sorted_hashes[cut]) for cut in cuts)]


def _hashes_of_repeated_ids(hashes: npt.NDArray[np.uint64], ids: npt.NDArray[np.int64]) -> list[int]:
    values, counts = np.unique(ids[ids != NO_ID], return_counts=True)
    return [int(value) for value in hashes[np.isin(ids, values[counts > 1])]]
