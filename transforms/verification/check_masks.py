"""The masks of a record: as many PNGs as objects, of the picture's size, of zeros and ones."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from PIL import Image

from transforms.examples import feature_keys as keys
from transforms.images.png_structure import BrokenPng, inflated_rows
from transforms.verification.findings import Code, Problem

_LAST_FILTER = 4


def check_masks(values: Mapping[str, Sequence[object]]) -> Iterator[Problem]:
    """Checks the masks of a record, each different one once: that without a pixel is shared by many objects."""
    masks: Sequence[bytes] = values.get(keys.MASK, ())  # type: ignore[assignment]
    if not masks:
        return
    width, height = values[keys.WIDTH][0], values[keys.HEIGHT][0]
    assert isinstance(width, int)
    assert isinstance(height, int)
    faults = {data: broken_mask(data, width, height) for data in set(masks)}
    for index, data in enumerate(masks):
        if faults[data]:
            yield Code.MASK_INVALID, f"{keys.MASK} of object {index}: {faults[data]}"
            return


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
