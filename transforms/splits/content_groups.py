"""Groups of images with the same picture, byte for byte or nearly, each of which goes to one split as a whole.

The split of a group is by the hash of its picture with the smallest digest, so names have no part in it. What that
keeps when images are added: an image moves only if an added image joins its group. Copies of the same bytes never
move anything. A near duplicate may bring two groups together, or be the smallest of its group, and then the group may
move as a whole: of two old images that are in different splits, one must move once they are known to belong together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from transforms.splits.near_duplicates import Components, near_pairs

NO_PERCEPTUAL_HASH = 0


@dataclass(frozen=True, slots=True)
class PictureHashes:
    """Hashes of pictures, one element a picture; 24 bytes each.

    Attributes:
      key_hashes: uint64, of the images' keys.
      digests: uint64, of the files' bytes.
      perceptual: uint64, see ``perceptual_hash``; NO_PERCEPTUAL_HASH for a picture without.
    """

    key_hashes: npt.NDArray[np.uint64]
    digests: npt.NDArray[np.uint64]
    perceptual: npt.NDArray[np.uint64]

    @classmethod
    def joined(cls, parts: Sequence[PictureHashes]) -> PictureHashes:
        """All pictures, in the order of their keys, each once."""
        none = np.empty(0, np.uint64)
        keys = np.concatenate([none, *(part.key_hashes for part in parts)])
        digests = np.concatenate([none, *(part.digests for part in parts)])
        perceptual = np.concatenate([none, *(part.perceptual for part in parts)])
        unique, firsts = np.unique(keys, return_index=True)
        return cls(unique, digests[firsts], perceptual[firsts])


def group_pictures(
    digests: npt.NDArray[np.uint64], perceptual: npt.NDArray[np.uint64], distance: int
) -> npt.NDArray[np.int64]:
    """Groups pictures that are equal, or hang together by pairs of nearly equal ones.

    Args:
      digests, perceptual: see ``PictureHashes``.
      distance: bits in which perceptual hashes of near duplicates differ at most; -1: only equal bytes count.

    Returns:
      For each picture the smallest digest in its group, as a position in the sorted unique digests.
    """
    unique_digests, of_digest = np.unique(digests, return_inverse=True)
    components = Components(len(unique_digests))
    has_hash = np.flatnonzero(perceptual != NO_PERCEPTUAL_HASH)
    if distance >= 0 and len(has_hash):
        unique_hashes, firsts, of_hash = np.unique(perceptual[has_hash], return_index=True, return_inverse=True)
        pictures = of_digest[has_hash]
        components.join(pictures, pictures[firsts][of_hash])  # of equal hashes, all with the first
        for i, j in near_pairs(unique_hashes, distance):
            components.join(pictures[firsts][i], pictures[firsts][j])
    return components.roots[of_digest]


def mixed(hashes: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Hashes of hashes: the smallest of several hashes is small, a hash of it is not.

    The finalizer of SplitMix64 (G. Steele, D. Lea, C. Flood: Fast Splittable Pseudorandom Number Generators, 2014).
    """
    hashes = hashes + np.uint64(0x9E3779B97F4A7C15)
    hashes = (hashes ^ (hashes >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    hashes = (hashes ^ (hashes >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return hashes ^ (hashes >> np.uint64(31))
