"""The plan of shards: even in number of images, each a range of hashes, from an index of 24 bytes an image.

The order of a split is the order of its images' hashes: a good shuffle, and the same in every run. Cutting that order
at equal counts gives each shard a range of hashes, so that assigning an image needs no other image.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from transforms.annotations.packs import PackedImage
from transforms.ledger.counts import Counts
from transforms.records import DeclaredClasses
from transforms.splits.content_groups import PictureHashes
from transforms.splits.kept_shards import KeptShards, Previous
from transforms.splits.place_images import PlacedImages, place_images
from transforms.splits.reading_index import (
    NO_ID,
    NO_SPLIT,
    ReadingIndex,
    decimal_id,
    hashed_id,
    order_hash,
    sample_hash,
)
from transforms.splits.split_rule import SplitRule, in_order


class ShardKey(NamedTuple):
    """A shard: the ``number``-th of its split, from 0. The split "" gathers what is rejected before any shard."""

    split: str
    number: int


REJECTED = ShardKey("", 0)


@dataclass(frozen=True, slots=True)
class ShardSizing:
    """How many shards a split gets: the first of these that is set.

    Attributes:
      counts: shards for each split; for the split "", of all others.
      examples_per_shard: images a shard at most.
      shard_bytes: bytes of pictures a shard, about.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    examples_per_shard: int | None = None
    shard_bytes: int = 128 << 20

    def shards(self, split: str, images: int, mean_bytes: float) -> int:
        """Number of shards for a split of ``images`` images; no shard is planned empty."""
        if count := self.counts.get(split) or self.counts.get(""):
            wanted = count
        elif self.examples_per_shard:
            wanted = math.ceil(images / self.examples_per_shard)
        else:
            wanted = math.ceil(images * mean_bytes / self.shard_bytes)
        return max(1, min(wanted, images))

    def further_shards(self, split: str, new: int, images: int, mean_bytes: float) -> int:
        """Number of shards for ``new`` of the ``images`` of a split, no larger than if all were planned anew."""
        return math.ceil(new * self.shards(split, images, mean_bytes) / images)


@dataclass(frozen=True, slots=True)
class ShardPlan:
    """Where every image goes.

    Attributes:
      rule: for the splits.
      splits: their names, in order.
      starts: for each split, the first hash of each of its shards; 0 for the first, and for those that are kept.
      repeated_keys: hashes of names that more than one annotation has.
      repeated_ids: hashes of names whose own id another image has too.
      class_names: all classes used.
      declared: all classes declared.
      planned: images per split.
      counts: of all that was read and not left out.
      refusals, has_masks: see ReadingIndex.
      placed: the split of each image, where that depends on other images.
      sample_limits: for a source of which only some images are taken, the largest sample hash of these.
      notes: numbers that are told of the split key.
      kept: for each split, its shards that go on with a dataset before, if there is one.
    """

    rule: SplitRule
    splits: tuple[str, ...]
    starts: Mapping[str, Sequence[int]]
    repeated_keys: frozenset[int]
    repeated_ids: frozenset[int]
    class_names: frozenset[str]
    declared: tuple[DeclaredClasses, ...]
    planned: Mapping[str, int]
    counts: Counts
    refusals: frozenset[str]
    has_masks: bool
    placed: PlacedImages | None
    sample_limits: Mapping[str, int]
    notes: Mapping[str, int]
    kept: Mapping[str, KeptShards] = field(default_factory=dict)

    def is_left_out(self, image: PackedImage) -> bool:
        """Whether a cap on the images of its source leaves an image out."""
        limit = self.sample_limits.get(image.source)
        return limit is not None and sample_hash(image.key) > limit

    def split_of(self, image: PackedImage) -> str:
        """The split of a planned image; "" if it has none."""
        if self.placed is None:
            return self.rule.split_of(image)
        number = self.placed.number_of(order_hash(image.key))
        return "" if number == NO_SPLIT else self.splits[number]

    def shard_of(self, split: str, key: str) -> ShardKey:
        """The shard of an image in its split."""
        key_hash, first_new = order_hash(key), 0
        if (kept := self.kept.get(split)) is not None:
            if (number := kept.number_of(key_hash)) is not None:
                return ShardKey(split, number)
            first_new = len(kept.numbers_before)
        return ShardKey(split, bisect_right(self.starts[split], key_hash, lo=first_new) - 1)

    def source_id(self, key: str, image_id: str) -> int:
        """The id of an image's record, unique in the dataset."""
        own = decimal_id(image_id)
        is_repeated = bool(self.repeated_ids) and order_hash(key) in self.repeated_ids
        return hashed_id(key) if own == NO_ID or is_repeated else own

    @property
    def shard_counts(self) -> dict[str, int]:
        return {split: len(starts) for split, starts in self.starts.items()}


def plan_shards(
    indexes: Sequence[ReadingIndex],
    rule: SplitRule,
    sizing: ShardSizing,
    mean_bytes: float,
    caps: Mapping[str, int] = MappingProxyType({}),
    pictures: PictureHashes | None = None,
    distance: int = -1,
    previous: Previous | None = None,
) -> ShardPlan:
    """Plans the shards of all images.

    Args:
      indexes: of all packs, in any order.
      rule: for the splits.
      sizing: how large shards are to be.
      mean_bytes: size of an image file on average.
      caps: for a source's name, so many of its images are taken at most.
      pictures, distance: see ``place_images``.
      previous: the dataset before, whose shards are kept; only images that are new to a split get new shards.
    """
    splits = tuple(dict.fromkeys((*rule.names, *in_order(name for index in indexes for name in index.split_names))))
    numbers = np.concatenate([np.empty(0, np.uint8), *(_in_one_order(index, splits) for index in indexes)])
    hashes = np.concatenate([index.key_hashes for index in indexes] or [np.empty(0, np.uint64)])
    ids = np.concatenate([index.image_ids for index in indexes] or [np.empty(0, np.int64)])
    counts = Counts.total(index.counts for index in indexes)
    limits, left_out = _sample(indexes, caps, counts)
    unique, times = np.unique(hashes, return_counts=True)
    repeated_keys = np.setdiff1d(unique[times > 1], left_out)
    is_planned = ~(np.isin(hashes, repeated_keys) | np.isin(hashes, left_out))
    placed = None
    if rule.is_global:
        placed = place_images(hashes, numbers, is_planned, indexes, rule, pictures, distance)
        numbers[is_planned] = placed.numbers[np.searchsorted(placed.key_hashes, hashes[is_planned])]
    numbers, hashes, ids = numbers[is_planned], hashes[is_planned], ids[is_planned]
    starts: dict[str, list[int]] = {}
    planned: dict[str, int] = {}
    kept: dict[str, KeptShards] = {}
    for number, name in enumerate(splits):
        members = np.sort(hashes[numbers == number])
        planned[name] = images = len(members)
        starts[name] = []
        if previous is not None:
            kept[name] = KeptShards.of(members, *previous.members(name))
            starts[name] = [0] * len(kept[name].numbers_before)
            members = np.setdiff1d(members, kept[name].key_hashes, assume_unique=True)
        if len(members):
            starts[name] += _starts(members, sizing.further_shards(name, len(members), images, mean_bytes))
    ungrouped = {"ungrouped": sum(index.ungrouped for index in indexes)} if rule.key.has_argument else {}
    return ShardPlan(
        rule,
        splits,
        starts,
        frozenset(repeated_keys.tolist()),
        frozenset(_hashes_of_repeated_ids(hashes, ids)),
        frozenset().union(*(index.class_names for index in indexes)),
        tuple(sorted({declared for index in indexes for declared in index.declared}, key=astuple)),
        planned,
        counts,
        frozenset().union(*(index.refusals for index in indexes)),
        any(index.has_masks for index in indexes),
        placed,
        limits,
        placed.notes if placed else ungrouped,
        kept,
    )


def _in_one_order(index: ReadingIndex, splits: Sequence[str]) -> npt.NDArray[np.uint8]:
    """The numbers of an index's splits as positions in all splits."""
    if index.split_names == splits[: len(index.split_names)]:
        return index.split_numbers
    positions = np.full(NO_SPLIT + 1, NO_SPLIT, np.uint8)
    positions[: len(index.split_names)] = [splits.index(name) for name in index.split_names]
    return positions[index.split_numbers]


def _sample(
    indexes: Sequence[ReadingIndex], caps: Mapping[str, int], counts: Counts
) -> tuple[dict[str, int], npt.NDArray[np.uint64]]:
    """The sample limits, and the key hashes of the images left out, which are taken off the counts."""
    limits, left_out = {}, [np.empty(0, np.uint64)]
    for source, cap in caps.items():
        parts = [index.sampled[source] for index in indexes]
        samples = np.concatenate([part.sample_hashes for part in parts])
        if len(samples) <= cap:
            continue
        limits[source] = int(np.partition(samples, cap - 1)[cap - 1])
        is_out = samples > limits[source]
        hashes = np.concatenate([part.key_hashes for part in parts])[is_out]
        counts.images_read -= len(hashes)
        counts.images_checksum -= sum(hashes.tolist())
        counts.boxes_read -= int(np.concatenate([part.boxes for part in parts])[is_out].sum())
        left_out.append(hashes)
    return limits, np.concatenate(left_out)


def _starts(sorted_hashes: npt.NDArray[np.uint64], shards: int) -> list[int]:
    """The first hash of each shard; sizes differ by one image at most."""
    cuts = [len(sorted_hashes) * shard // shards for shard in range(1, shards)]
    return [0, *(int(sorted_hashes[cut]) for cut in cuts)]


def _hashes_of_repeated_ids(hashes: npt.NDArray[np.uint64], ids: npt.NDArray[np.int64]) -> list[int]:
    values, counts = np.unique(ids[ids != NO_ID], return_counts=True)
    return [int(value) for value in hashes[np.isin(ids, values[counts > 1])]]
