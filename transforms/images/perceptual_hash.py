"""A hash of what a picture shows: encoded anew, scaled or brightened a little, it keeps nearly all of its bits.

The pHash of C. Zauner (Implementation and Benchmarking of Perceptual Image Hash Functions, 2010): of the picture in
gray at 32x32, the 8x8 lowest frequencies of the cosine transform beside the mean, each as one bit, above their median
or not. Mirrored, turned and cropped pictures have other hashes.
"""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from transforms.images.check_image import FORMATS

_SIDE, _FREQUENCIES = 32, 8
# A picture whose gray values at 32x32 differ less than this is all one colour, or noise: its hash would say nothing.
_MIN_DEVIATION = 2.0


def _cosines() -> npt.NDArray[np.float32]:
    """Rows 1 to 8 of the matrix of the cosine transform of 32 values (type II, not scaled)."""
    rows, columns = np.arange(1, _FREQUENCIES + 1)[:, None], np.arange(_SIDE)[None, :]
    return np.cos(np.pi * rows * (2 * columns + 1) / (2 * _SIDE)).astype(np.float32)


_COSINES = _cosines()


def perceptual_hash(data: bytes, max_pixels: int) -> int | None:
    """The 64-bit hash of an image file; None if it cannot be decoded, is too large or shows nothing.

    Args:
      data: of the file; a JPEG is decoded at an eighth of its size where that is enough, so this is quick.
      max_pixels: larger pictures are not decoded.
    """
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if image.width * image.height > max_pixels:
                return None
            image.draft("L", (2 * _SIDE, 2 * _SIDE))
            has_deep_pixels = image.mode in ("I", "F") or image.mode.startswith("I;16")
            gray = image.convert("F" if has_deep_pixels else "L")
            small = ImageOps.exif_transpose(gray.resize((_SIDE, _SIDE), Image.Resampling.BOX))
    except Exception:  # decoders meet damaged files with every kind of exception; the check of images refuses those
        return None
    return hash_of_thumbnail(np.asarray(small, np.float32))


def hash_of_thumbnail(gray: npt.NDArray[np.float32]) -> int | None:
    """The hash of gray values [32, 32]; None if they are nearly all the same."""
    if gray.std() < _MIN_DEVIATION:
        return None
    frequencies = (_COSINES @ gray @ _COSINES.T).ravel()
    bits = np.packbits(frequencies > np.median(frequencies))
    return int.from_bytes(bits.tobytes(), "big")
