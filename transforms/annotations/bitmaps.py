"""Masks that formats store in ways of their own, as small PNG files for ``MaskBitmap``; the boxes around masks."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from transforms.annotations.refusals import Refused
from transforms.ledger.reasons import Reason
from transforms.masks.mask_refused import MaskRefused
from transforms.masks.run_lengths import changes_of_rle
from transforms.records import Box, MaskBitmap, Rle

MAX_PIXELS = 1 << 26


def png_of_pixels(pixels: NDArray[np.bool_]) -> bytes:
    """A one-bit PNG of pixels [height, width]."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def box_and_mask(pixels: NDArray[np.bool_], left: int = 0, top: int = 0) -> tuple[Box, MaskBitmap]:
    """The edges around the pixels [height, width] that are set, and those pixels; the first lies at (left, top).

    Raises:
      Refused: none is set.
    """
    rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
    if not rows.size:
        raise Refused(Reason.BOX_EMPTY, "the mask covers no pixel")
    x, y, xmax, ymax = int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
    mask = MaskBitmap(png_of_pixels(pixels[y:ymax, x:xmax]), left + x, top + y)
    return Box(left + x, top + y, left + xmax, top + ymax), mask


def pixels_of_row_runs(runs: Sequence[int], width: int, height: int) -> NDArray[np.bool_] | None:
    """Pixels [height, width] of run lengths along the rows, of 0 and 1 in turn, 0 first; None if they are not those."""
    if not 0 < width * height <= MAX_PIXELS or min(width, height) < 0 or min(runs, default=-1) < 0:
        return None
    if sum(runs) != width * height:
        return None
    values = np.arange(len(runs)) % 2 == 1
    return np.repeat(values, np.asarray(runs, np.int64)).reshape(height, width)


def pixels_of_png(data: bytes) -> NDArray[np.bool_] | None:
    """The pixels [height, width] of a PNG that are not 0, or not transparent if it knows that; None if it is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image: Image.Image = Image.open(io.BytesIO(data), formats=["PNG"])
            if image.width * image.height > MAX_PIXELS:
                return None
            if image.mode in ("RGBA", "LA"):
                image = image.getchannel("A")
            return np.asarray(image if image.mode in ("1", "L", "P") else image.convert("L")) > 0
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def box_of_rle(rle: Rle) -> Box:
    """The edges around the pixels of COCO run lengths.

    Raises:
      Refused: the run lengths are none of a picture of that size, or cover no pixel.
    """
    try:
        changes = changes_of_rle(rle, rle.width, rle.height)
    except MaskRefused as refused:
        raise Refused(refused.reason, refused.detail) from None
    ends = np.append(changes, rle.width * rle.height) if len(changes) % 2 else changes
    starts, lasts = ends[0::2], ends[1::2] - 1
    is_run = lasts >= starts
    starts, lasts = starts[is_run], lasts[is_run]
    if not len(starts):
        raise Refused(Reason.BOX_EMPTY, "the mask covers no pixel")
    # A run that goes on in the next column reaches the bottom of the one and the top of the other.
    is_within = starts // rle.height == lasts // rle.height
    ymin = int((starts % rle.height).min()) if is_within.all() else 0
    ymax = int((lasts % rle.height).max()) + 1 if is_within.all() else rle.height
    return Box(int(starts[0] // rle.height), ymin, int(lasts[-1] // rle.height) + 1, ymax)
