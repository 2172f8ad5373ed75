"""Shares corrected class by class: rare classes get into each split, and images stay where they are as data grows.

Each image counts for the rarest of its classes (by images; images without objects are a class of their own). In the
order of their hashes, the images of a class are cut where the plain rule cuts: at the cumulated shares of all hashes.
By chance the cut is some images off. Where it is off by more than a tolerance – half an image, or a tenth of the
smaller side – it is moved by as little as brings it back.

Its limits: images move only between an old and a new cut, so growing data moves few of them, and of classes with
thousands of images none, since chance alone keeps these within the tolerance; but without any move no balance can be
kept. A group of images is cut nowhere, so large groups may stay off; of a class of two images both are in one split.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from transforms.splits.split_fractions import SplitFractions

TOLERANCE = 0.1
_Hashes = npt.NDArray[np.uint64]


def balanced_numbers(
    split_hashes: _Hashes, classes: npt.NDArray[np.int64], fractions: SplitFractions
) -> npt.NDArray[np.uint8]:
    """The positions of the splits of all images.

    Args:
      split_hashes: [n], equal ones are one group.
      classes: [n], the number of the class that each image counts for; lower is rarer.
      fractions: splits and shares.
    """
    groups, of_group, sizes = np.unique(split_hashes, return_inverse=True, return_counts=True)
    class_of_group = np.full(len(groups), np.iinfo(np.int64).max)
    np.minimum.at(class_of_group, of_group, classes)
    numbers = fractions.numbers_of(groups)
    for number in np.unique(class_of_group):
        members = np.flatnonzero(class_of_group == number)  # in the order of their hashes
        cuts = _cuts(sizes[members], numbers[members], fractions.cuts)
        numbers[members] = np.searchsorted(cuts, np.arange(len(members)), side="right")
    return numbers[of_group]


def _cuts(sizes: npt.NDArray[np.int64], numbers: npt.NDArray[np.uint8], shares: Sequence[float]) -> list[int]:
    """How many groups of a class come before the end of each split but the last."""
    images = np.concatenate([[0], np.cumsum(sizes)])  # before each possible cut
    cuts: list[int] = []
    for split, share in enumerate(shares):
        wanted = share * images[-1]
        slack = max(0.5, TOLERANCE * min(wanted, images[-1] - wanted))
        cut = int(np.searchsorted(numbers, split, side="right"))
        while cut > 0 and images[cut] > wanted + slack and abs(images[cut - 1] - wanted) <= images[cut] - wanted:
            cut -= 1
        while (
            cut < len(sizes) and images[cut] < wanted - slack and abs(images[cut + 1] - wanted) <= wanted - images[cut]
        ):
            cut += 1
        cuts.append(max(cut, *cuts) if cuts else cut)
    return cuts


def rarest_classes(image_classes: npt.NDArray[np.int64], images: int, classes: int) -> npt.NDArray[np.int64]:
    """For each image the rank of its rarest class, 0 the rarest of all; ``classes`` where it has none.

    Args:
      image_classes: [m, 2], position of an image and number of a class that it has; classes in the order of names,
        which decides between those of as many images.
      images, classes: how many there are.
    """
    counts = np.bincount(image_classes[:, 1], minlength=classes)
    ranks = np.empty(classes, np.int64)
    ranks[np.argsort(counts, kind="stable")] = np.arange(classes)
    rarest = np.full(images, classes, np.int64)
    np.minimum.at(rarest, image_classes[:, 0], ranks[image_classes[:, 1]])
    return rarest
