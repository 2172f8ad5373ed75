"""Masks as PNG: 8 bits, one channel, 0 and 1 – the form that the readers' decoders take for a mask.

A PNG's data are its rows from the top, each after a byte 0 that says "no filter": with a mask all of it is one sequence
of 0 and 1, and the places where it changes are all there is to know. Format: https://www.w3.org/TR/png/.
"""

from __future__ import annotations

import struct
import zlib
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from transforms.masks.deflate_runs import Integers, deflate_runs, run_bytes

Bitmap = npt.NDArray[np.uint8]
"""Pixels 0 and 1, [height, width]."""

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_ZLIB_HEAD = b"\x78\x01"
_ADLER_MODULUS = 65521
# A mask with more changes is noise: runs save nothing then, and changes take 8 bytes each.
_MAX_CHANGES = 1 << 20


def png_of_bitmap(bitmap: Bitmap) -> bytes:
    """A mask as PNG; equal masks give equal bytes."""
    height, width = bitmap.shape
    rows = np.zeros((height, width + 1), np.uint8)
    rows[:, 1:] = bitmap
    data = rows.reshape(-1)
    is_changed = data[1:] != data[:-1]
    if np.count_nonzero(is_changed) > _MAX_CHANGES:
        return _png(width, height, zlib.compress(data.data, 1))
    return _pngs_of_starts(np.concatenate([[0], np.flatnonzero(is_changed) + 1]), 1, width, height)[0]


def png_of_values(values: npt.NDArray[np.uint8]) -> bytes:
    """A picture of any values [height, width] as PNG of 8 bits and one channel; equal values give equal bytes."""
    height, width = values.shape
    rows = np.zeros((height, width + 1), np.uint8)
    rows[:, 1:] = values
    compressor = zlib.compressobj(level=6, strategy=zlib.Z_RLE)  # large areas of one value: runs are all there is
    return _png(width, height, compressor.compress(rows.tobytes()) + compressor.flush())


def png_of_columns(changes: Integers, width: int, height: int) -> bytes:
    """A mask as PNG; equal masks give equal bytes.

    Args:
      changes: where the sequence of pixels down the columns goes from 0 to 1 and back, in order, an even number; each
        from 0 to width x height.
      width, height: of the picture.
    """
    return pngs_of_columns(changes, 1, width, height)[0]


def pngs_of_columns(changes: Integers, count: int, width: int, height: int) -> list[bytes]:
    """Several masks of one picture, faster than one by one.

    Args:
      changes: as for ``png_of_columns``, of the masks side by side, each with an empty column after it: those of mask n
        are ``mask_offset(n, width, height)`` further on.
      count: of masks.
      width, height: of the picture.
    """
    if not len(changes):
        return [empty_mask_png(width, height)] * count
    # A pixel differs from its left neighbour where one of the two sequences, of which one lags by a column, differs
    # from the other; those pixels are where the rows' sequence changes. Equal changes cancel each other.
    merged = np.concatenate([changes, changes + height])
    merged.sort(kind="stable")  # faster where two rows are in order already
    starts = merged[0::2]
    lengths = merged[1::2] - starts
    ends = lengths.cumsum()
    total = int(ends[-1])
    if total > _MAX_CHANGES:
        if count == 1:
            return [png_of_bitmap(bitmap_of_columns(changes, width, height))]
        return [png_of_columns(part, width, height) for part in split_masks(changes, count, width, height)]
    pixels = (starts - ends + lengths).repeat(lengths) + np.arange(total)
    stride = width + 1
    columns = pixels // height  # of all masks
    run_starts = np.empty(total + count, np.int64)
    # (masks x height + rows) x stride + columns - masks x stride + 1, where rows = pixels - columns x height.
    run_starts[count:] = pixels * stride - columns * (height * stride - 1) + 1
    run_starts[count:] += columns // stride * ((height - 1) * stride)
    # Each mask begins with a run of its own, where a run of the mask before may end too.
    run_starts[:count] = np.arange(count) * (height * stride)
    run_starts.sort()
    is_start = np.empty(total + count, np.bool_)
    np.not_equal(run_starts[1:], run_starts[:-1], out=is_start[:-1])
    is_start[-1] = run_starts[-1] != count * height * stride
    return _pngs_of_starts(run_starts[is_start], count, width, height)


def split_masks(changes: Integers, count: int, width: int, height: int) -> list[Integers]:
    """The changes of each mask by itself; see ``pngs_of_columns``."""
    offsets = mask_offset(np.arange(count), width, height)
    ends = np.searchsorted(changes, offsets[1:]).tolist()
    parts = zip([0, *ends], [*ends, None], offsets.tolist(), strict=True)
    return [changes[start:end] - offset for start, end, offset in parts]


def mask_offset(number: Any, width: int, height: int) -> Any:
    """How much further on the changes of a mask are in ``pngs_of_columns``."""
    return number * (width + 1) * height


def columns_of_bitmap(bitmap: Bitmap) -> Integers:
    """Where the sequence of pixels down the columns changes; see ``png_of_columns``."""
    sequence = np.zeros(bitmap.size + 2, np.uint8)
    sequence[1:-1] = bitmap.T.reshape(-1)
    return np.flatnonzero(sequence[1:] != sequence[:-1])


def bitmap_of_columns(changes: Integers, width: int, height: int) -> Bitmap:
    """The mask whose sequence of pixels down the columns changes there; see ``png_of_columns``."""
    lengths = np.diff(changes, prepend=0, append=width * height)
    pixels = np.repeat((np.arange(len(lengths)) & 1).astype(np.uint8), lengths)
    return pixels.reshape(width, height).T


@lru_cache(maxsize=64)
def empty_mask_png(width: int, height: int) -> bytes:
    """The mask without a pixel."""
    return _pngs_of_starts(np.zeros(1, np.int64), 1, width, height)[0]


def _pngs_of_starts(starts: Integers, count: int, width: int, height: int) -> list[bytes]:
    """PNGs of the runs that start at these places in the rows of all masks, one after the other; one starts each."""
    size = height * (width + 1)
    lengths = np.empty_like(starts)
    np.subtract(starts[1:], starts[:-1], out=lengths[:-1])
    lengths[-1] = size * count - starts[-1]
    places = starts - starts // size * size
    (firsts,) = (places == 0).nonzero()
    is_one = run_bytes(firsts, len(starts))
    ones = lengths * is_one
    # Adler-32 (RFC 1950): 1 and the sum of the bytes; the sum of that after each byte, so that a 1 counts as often as
    # there are bytes from it on.
    low = 1 + np.add.reduceat(ones, firsts)
    high = size + np.add.reduceat(ones * ((2 * size + 1) - 2 * places - lengths), firsts) // 2
    checksums = (high % _ADLER_MODULUS) << 16 | low % _ADLER_MODULUS
    return [
        _png(width, height, _ZLIB_HEAD, deflated, checksum.to_bytes(4, "big"))
        for deflated, checksum in zip(deflate_runs(lengths, is_one, firsts), checksums.tolist(), strict=True)
    ]


def _png(width: int, height: int, *compressed: bytes) -> bytes:
    """The PNG with these pieces of compressed data."""
    return b"".join((_png_head(width, height), *_chunk(b"IDAT", *compressed), _PNG_END))


@lru_cache(maxsize=64)
def _png_head(width: int, height: int) -> bytes:
    return _SIGNATURE + b"".join(_chunk(b"IHDR", struct.pack(">2I5B", width, height, 8, 0, 0, 0, 0)))


def _chunk(*pieces: bytes) -> tuple[bytes, ...]:
    """A chunk of these pieces, the first of which is its kind."""
    length, checksum = -4, 0
    for piece in pieces:
        length += len(piece)
        checksum = zlib.crc32(piece, checksum)
    return length.to_bytes(4, "big"), *pieces, checksum.to_bytes(4, "big")


_PNG_END = b"".join(_chunk(b"IEND"))
