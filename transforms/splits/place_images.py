"""Places images in splits where that depends on other images: by the groups of their pictures, and balanced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from transforms.splits.balance import balanced_numbers, rarest_classes
from transforms.splits.content_groups import PictureHashes, group_pictures, mixed
from transforms.splits.reading_index import NO_SPLIT, ReadingIndex
from transforms.splits.split_rule import SplitRule


@dataclass(frozen=True, slots=True)
class PlacedImages:
    """The split of each image, to be looked up; 9 bytes an image.

    Attributes:
      key_hashes: uint64, ascending.
      numbers: uint8, positions of the splits.
      notes: numbers that are told of the groups.
    """

    key_hashes: npt.NDArray[np.uint64]
    numbers: npt.NDArray[np.uint8]
    notes: Mapping[str, int] = field(default_factory=dict)

    def number_of(self, key_hash: int) -> int:
        """The position of the split of one image; NO_SPLIT if it has none."""
        position = int(np.searchsorted(self.key_hashes, np.uint64(key_hash)))
        return int(self.numbers[position])


def place_images(
    key_hashes: npt.NDArray[np.uint64],
    given: npt.NDArray[np.uint8],
    is_planned: npt.NDArray[np.bool_],
    indexes: Sequence[ReadingIndex],
    rule: SplitRule,
    pictures: PictureHashes | None,
    distance: int,
) -> PlacedImages:
    """Places all images that are planned.

    Args:
      key_hashes: [n], of the images in the order of the indexes.
      given: [n], positions of the splits that images are given, NO_SPLIT for those without.
      is_planned: [n], others have no part in it.
      indexes: of all packs, for hashes and classes.
      rule: a global one.
      pictures: hashes of the pictures, if they are split by content.
      distance: see ``group_pictures``.
    """
    assert rule.fractions is not None
    split_hashes = np.concatenate([index.split_hashes for index in indexes])
    # So that the order of reading has no part in anything.
    order = np.flatnonzero(is_planned)[np.argsort(key_hashes[is_planned], kind="stable")]
    key_hashes, given, split_hashes = key_hashes[order], given[order], split_hashes[order]
    numbers = given.copy()
    notes: dict[str, int] = {}
    if pictures is not None:
        split_hashes, numbers, notes = _by_content(key_hashes, given, split_hashes, pictures, distance)
    is_free = numbers == NO_SPLIT
    if rule.is_balanced:
        classes = _classes(indexes, is_planned)[order]
        numbers[is_free] = balanced_numbers(split_hashes[is_free], classes[is_free], rule.fractions)
    else:
        numbers[is_free] = rule.fractions.numbers_of(split_hashes[is_free])
    return PlacedImages(key_hashes, numbers, notes)


def _by_content(
    key_hashes: npt.NDArray[np.uint64],
    given: npt.NDArray[np.uint8],
    split_hashes: npt.NDArray[np.uint64],
    pictures: PictureHashes,
    distance: int,
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint8], dict[str, int]]:
    """Split hashes of the groups; the given splits, which a group's other images follow; and what is told of it."""
    split_hashes, numbers = split_hashes.copy(), given.copy()
    positions = np.searchsorted(pictures.key_hashes, key_hashes)
    positions[positions == len(pictures.key_hashes)] = 0
    is_hashed = np.zeros(len(key_hashes), bool)
    if len(pictures.key_hashes):
        is_hashed = pictures.key_hashes[positions] == key_hashes
    images, positions = np.flatnonzero(is_hashed), positions[is_hashed]
    digests = pictures.digests[positions]
    groups = group_pictures(digests, pictures.perceptual[positions], distance)
    # An image whose file cannot be read is split by its name: it will be refused anyway.
    split_hashes[images] = mixed(np.unique(digests)[groups]) if len(images) else split_hashes[images]
    group_split = np.full(len(images) + 1, NO_SPLIT, np.uint8)
    np.minimum.at(group_split, groups, given[images])
    is_free = given[images] == NO_SPLIT
    numbers[images[is_free]] = group_split[groups[is_free]]
    sizes = np.bincount(groups, minlength=1)
    notes = {
        "groups": int((sizes > 1).sum()),
        "images_in_groups": int(sizes[sizes > 1].sum()),
        "largest_group": int(sizes.max()) if len(images) else 0,
    }
    return split_hashes, numbers, notes


def _classes(indexes: Sequence[ReadingIndex], is_planned: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    names = sorted({name for index in indexes for name in index.image_class_names})
    numbers = {name: number for number, name in enumerate(names)}
    parts, first = [np.empty((0, 2), np.int64)], 0
    for index in indexes:
        of_names = np.array([numbers[name] for name in index.image_class_names], np.int64)
        if len(index.image_classes):
            parts.append(np.stack([index.image_classes[:, 0] + first, of_names[index.image_classes[:, 1]]], axis=1))
        first += len(index.key_hashes)
    pairs = np.concatenate(parts)
    return rarest_classes(pairs[is_planned[pairs[:, 0]]], len(is_planned), len(names))
