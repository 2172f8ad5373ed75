"""Shards of a dataset before that a build goes on with: whose images stay in them, whatever comes and goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from transforms.examples.class_ids import ClassIds


class Previous(Protocol):
    """The dataset before, as the plan needs it."""

    def members(self, split: str) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int32]]:
        """Hashes of the keys of a split's images, each once, and the numbers of the shards that they are in."""

    def check_classes(self, class_ids: ClassIds, has_masks: bool) -> None:
        """Raises an error that says why, if records of before cannot stand beside new ones."""


@dataclass(frozen=True, slots=True)
class KeptShards:
    """The shards of a split that are kept; they come first, in their order.

    Attributes:
      numbers_before: by their numbers now, those that they had.
      key_hashes: uint64, sorted: of the images that were in them and still are in the split.
      numbers: int32, of the shards of these images now.
    """

    numbers_before: Sequence[int]
    key_hashes: npt.NDArray[np.uint64]
    numbers: npt.NDArray[np.int32]

    @classmethod
    def of(
        cls,
        members: npt.NDArray[np.uint64],
        hashes_before: npt.NDArray[np.uint64],
        numbers_before: npt.NDArray[np.int32],
    ) -> KeptShards:
        """Those that still have an image.

        Args:
          members: sorted hashes of the split's images now.
          hashes_before, numbers_before: see ``Previous.members``.
        """
        hashes, _, positions = np.intersect1d(members, hashes_before, assume_unique=True, return_indices=True)
        kept, numbers = np.unique(numbers_before[positions], return_inverse=True)
        return cls(kept.tolist(), hashes, numbers.astype(np.int32))

    def number_of(self, key_hash: int) -> int | None:
        """The shard of an image; None if it was not in the split before."""
        position = int(np.searchsorted(self.key_hashes, np.uint64(key_hash)))
        is_there = position < len(self.key_hashes) and int(self.key_hashes[position]) == key_hash
        return int(self.numbers[position]) if is_there else None
