"""Whether the masks of a record are what the readers take: PNGs of the picture's size, of zeros and ones."""

from __future__ import annotations

import io
import struct

import numpy as np
from PIL import Image

from transforms.images.png_structure import BrokenPng, inflated_rows

_LAST_FILTER = 4


def broken_mask(data: bytes, width: int, height: int) -> str:
    """Says what is wrong with a mask of a picture of ``width`` x ``height`` pixels, or ""."""
    try:
        # 8 bits, gray, not interlaced: with other depths the readers see 255 for 1.
        rows = inflated_rows(data, struct.pack(">2I5B", width, height, 8, 0, 0, 0, 0))
    except (BrokenPng, struct.error) as error:
        return str(error)
    pixels = np.frombuffer(rows, np.uint8).reshape(height, width + 1)
    filters = pixels[:, 0].max()
    if filters > _LAST_FILTER:
        return f"a row has the unknown filter {filters}"
    highest = pixels.max() if filters == 0 else np.asarray(Image.open(io.BytesIO(data), formats=["PNG"])).max()
    return f"a pixel is {highest}, not 0 or 1" if highest > 1 else ""
