"""COCO run lengths, plain and compressed, to the places where a mask changes down its columns, and back.

The compressed form (pycocotools, ``maskApi.c``) writes each count as characters of six bits above "0": five bits of the
number, the lowest first, and one that says that more follow; the number is signed. From the fourth on a number is the
difference to the count two before.
"""

from __future__ import annotations

import numpy as np

from transforms.ledger.reasons import Reason
from transforms.masks.deflate_runs import Integers
from transforms.masks.mask_refused import MaskRefused
from transforms.records import Rle

_FIRST_CHARACTER = 48
_MORE, _DATA_BITS, _SIGN = 0x20, 5, 0x10
_MAX_CHARACTERS = 8  # 40 bits: more than any picture has pixels


def changes_of_rle(rle: Rle, width: int, height: int) -> Integers:
    """Where a mask changes down the columns; see ``png_of_columns``.

    Args:
      rle: not trusted.
      width, height: of the picture that the mask must be of, pixels.

    Raises:
      MaskRefused: runs that are not those of this picture.
    """
    if (rle.width, rle.height) != (width, height):
        raise _invalid(f"its size is {rle.width}x{rle.height}, the picture was annotated at {width}x{height}")
    counts = _decompressed(rle.counts) if isinstance(rle.counts, str) else _whole_numbers(rle.counts)
    size = width * height
    if len(counts) and not (counts.min() >= 0 and counts.max() <= size):
        raise _invalid(f"its counts are from {counts.min()} to {counts.max()}, for {size} pixels")
    ends = np.cumsum(counts)
    if not len(ends) or ends[-1] != size:
        raise _invalid(f"its counts add up to {ends[-1] if len(ends) else 0}, not to {width}x{height} = {size} pixels")
    # The last end is the sequence's own, and a change only if the object reaches it.
    return ends if len(ends) % 2 == 0 else ends[:-1]


def rle_of_changes(changes: Integers, width: int, height: int) -> Rle:
    """The compressed run lengths of a mask; equal masks give equal texts.

    Args:
      changes: as for ``png_of_columns``.
      width, height: of the picture.
    """
    places, times = np.unique(changes, return_counts=True)
    places = places[times % 2 == 1]  # equal changes cancel each other
    counts = np.diff(places, prepend=0, append=width * height)
    if len(counts) > 1 and counts[-1] == 0:
        counts = counts[:-1]
    return Rle(height, width, _compressed(counts))


def _compressed(counts: Integers) -> str:
    numbers = counts.copy()
    numbers[3:] -= counts[1:-2]
    beyond = np.where(numbers < 0, ~numbers, numbers)
    lengths = 1 + sum((beyond >> (_DATA_BITS * n - 1) != 0).astype(np.int64) for n in range(1, _MAX_CHARACTERS))
    ends = np.cumsum(lengths)
    places = np.arange(ends[-1]) - np.repeat(ends - lengths, lengths)
    characters = np.repeat(numbers, lengths) >> (_DATA_BITS * places) & (_MORE - 1)
    characters |= _MORE
    characters[ends - 1] &= _MORE - 1
    return bytes((characters + _FIRST_CHARACTER).tolist()).decode("ascii")


def _whole_numbers(counts: tuple[int, ...]) -> Integers:
    numbers = np.array(counts)
    if numbers.ndim != 1 or (len(numbers) and numbers.dtype.kind != "i"):
        raise _invalid("its counts are not whole numbers of 64 bits")
    return numbers.astype(np.int64)


def _decompressed(text: str) -> Integers:
    """The counts of a compressed text."""
    try:
        characters = np.frombuffer(text.encode("ascii"), np.uint8).astype(np.int64) - _FIRST_CHARACTER
    except UnicodeEncodeError:
        raise _invalid("its counts hold a character that is none of the compressed form") from None
    if not len(characters):
        return characters
    if not 0 <= characters.min() <= characters.max() < 2 * _MORE:
        raise _invalid("its counts hold a character that is none of the compressed form")
    ends = np.flatnonzero(characters < _MORE) + 1
    if not len(ends) or ends[-1] != len(characters):
        raise _invalid("its counts end within a number")
    lengths = np.diff(ends, prepend=0)
    if lengths.max() > _MAX_CHARACTERS:
        raise _invalid(f"its counts hold a number of {lengths.max()} characters")
    starts = ends - lengths
    places = np.arange(len(characters)) - np.repeat(starts, lengths)
    numbers = np.add.reduceat((characters & (_MORE - 1)) << (_DATA_BITS * places), starts)
    numbers -= np.where(characters[ends - 1] & _SIGN, np.int64(1) << (_DATA_BITS * lengths), 0)
    numbers[1::2] = np.cumsum(numbers[1::2])
    numbers[2::2] = np.cumsum(numbers[2::2])
    return numbers


def _invalid(detail: str) -> MaskRefused:
    return MaskRefused(Reason.RLE_INVALID, f"the run lengths: {detail}")
