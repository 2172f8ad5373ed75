from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.sample_data import encoded
from transforms.masks.mask_png import empty_mask_png, png_of_bitmap
from transforms.masks.written_masks import broken_mask

WIDTH, HEIGHT = 40, 30
PIXELS = np.zeros((HEIGHT, WIDTH), np.uint8)
PIXELS[5:22, 3:13] = 1
WHOLE = png_of_bitmap(PIXELS)


def _png(image: Image.Image) -> bytes:
    return encoded(image, "PNG")


def _with_rows(rows: bytes) -> bytes:
    """The mask with other image data, well compressed and with a checksum that fits."""
    start, end = WHOLE.index(b"IDAT") - 4, WHOLE.index(b"IEND") - 4
    body = b"IDAT" + zlib.compress(rows)
    return WHOLE[:start] + struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body)) + WHOLE[end:]


def _rows(pixels: np.ndarray[Any, Any], row_filter: int = 0) -> bytes:
    return np.pad(pixels, ((0, 0), (1, 0)), constant_values=row_filter).tobytes()


@pytest.mark.parametrize("data", [WHOLE, empty_mask_png(WIDTH, HEIGHT), _png(Image.fromarray(PIXELS))])
def test_whole_masks(data: bytes) -> None:
    assert broken_mask(data, WIDTH, HEIGHT) == ""


BROKEN = {
    "no PNG": (b"", "signature"),
    "cut": (WHOLE[:-20], "cut"),
    "a damaged chunk": (WHOLE[:50] + bytes([WHOLE[50] ^ 1]) + WHOLE[51:], "CRC"),
    "another size": (png_of_bitmap(PIXELS[:, 1:]), "header"),
    "0 and 255": (_png(Image.fromarray(PIXELS * 255)), "a pixel is 255"),
    "a 2": (_with_rows(_rows(PIXELS * 2)), "a pixel is 2"),
    "a 2 of filtered rows": (_with_rows(_rows(PIXELS, row_filter=2)), "not 0 or 1"),
    "1 bit": (_png(Image.fromarray(PIXELS != 0)), "header"),
    "16 bits": (_png(Image.fromarray(PIXELS.astype(np.uint16))), "header"),
    "colours": (_png(Image.fromarray(np.stack([PIXELS] * 3, axis=2))), "header"),
    "palette": (_png(Image.fromarray(PIXELS).convert("P")), "header"),
    "a row short": (_with_rows(_rows(PIXELS[1:])), "30 rows"),
    "a row over": (_with_rows(_rows(PIXELS) + b"\0"), "30 rows"),
    "a bomb of rows": (_with_rows(bytes(50 << 20)), "30 rows"),
    "an unknown filter": (_with_rows(_rows(PIXELS, row_filter=5)), "filter 5"),
    "no zlib": (WHOLE.replace(WHOLE[41:43], b"\0\0", 1), "CRC"),
}


@pytest.mark.parametrize(("data", "detail"), BROKEN.values(), ids=BROKEN)
def test_broken_masks(data: bytes, detail: str) -> None:
    assert detail in broken_mask(data, WIDTH, HEIGHT)


def test_filters_are_undone() -> None:
    """The filter "up": a row as differences to that above."""
    differences = np.diff(PIXELS, axis=0, prepend=np.zeros((1, WIDTH), np.uint8))
    assert broken_mask(_with_rows(_rows(differences, row_filter=2)), WIDTH, HEIGHT) == ""


def test_sizes_that_no_png_has() -> None:
    assert broken_mask(WHOLE, -1, 2**40)
