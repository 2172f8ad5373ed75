from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.sample_data import encoded, jpeg
from transforms.ledger.reasons import Reason
from transforms.masks.mask_pictures import bitmap_of_picture, values_of_picture
from transforms.masks.mask_refused import MaskRefused
from transforms.records import MaskBitmap

PIXELS = np.array([[0, 1, 0], [2, 0, 255]], np.uint8)
OBJECT = (PIXELS != 0).astype(np.uint8)


def _palette(values: np.ndarray[Any, Any]) -> Image.Image:
    image = Image.fromarray(values.astype(np.uint8))
    image.putpalette([7, 7, 7] * 256)  # equal colours: only the index tells
    return image


def _transparent() -> Image.Image:
    return Image.fromarray(np.stack([np.zeros_like(PIXELS)] * 3 + [PIXELS], axis=2), "RGBA")


PICTURES = {
    "gray": Image.fromarray(PIXELS),
    "16 bits": Image.fromarray(PIXELS.astype(np.uint16) * 256),
    "1 bit": Image.fromarray(PIXELS != 0),
    "palette": _palette(PIXELS),
    "black on nothing": _transparent(),
    "colours": Image.fromarray(np.stack([PIXELS * 0, PIXELS, PIXELS * 0], axis=2)),
}


@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES)
def test_an_objects_own_picture(picture: Image.Image) -> None:
    mask = MaskBitmap(encoded(picture, "PNG"))
    np.testing.assert_array_equal(bitmap_of_picture(mask, 3, 2), OBJECT)


@pytest.mark.parametrize(
    ("x", "y"), [(0, 0), (2, 1), (-1, 0), (0, -1), (3, 2), (4, 3), (-2, -1), (99, 0), (0, -99), (10**12, -(10**12))]
)
def test_pictures_are_placed_and_cut_at_the_border(x: int, y: int) -> None:
    width, height = 5, 4
    expected = {(column + x, row + y) for row, column in zip(*np.nonzero(PIXELS), strict=True)}
    bitmap = bitmap_of_picture(MaskBitmap(encoded(Image.fromarray(PIXELS), "PNG"), x, y), width, height)
    found = {(column, row) for row, column in zip(*np.nonzero(bitmap), strict=True)}
    assert found == {(c, r) for c, r in expected if 0 <= c < width and 0 <= r < height}
    assert bitmap.shape == (height, width)


@pytest.mark.parametrize("image_format", ["PNG", "BMP", "TIFF", "GIF"])
def test_values_are_palette_indices(image_format: str) -> None:
    data = encoded(_palette(np.array([[0, 1], [2, 3]])), image_format, optimize=False)
    np.testing.assert_array_equal(values_of_picture(data, 2, 2), [[0, 1], [2, 3]])


def test_values_of_other_pictures() -> None:
    large = np.array([[0, 300], [65535, 1]], np.uint16)
    np.testing.assert_array_equal(values_of_picture(encoded(Image.fromarray(large), "PNG"), 2, 2), large)
    bits = np.array([[True, False]])
    np.testing.assert_array_equal(values_of_picture(encoded(Image.fromarray(bits), "PNG"), 2, 1), bits)
    colours = np.array([[[1, 2, 3], [255, 255, 255]]], np.uint8)
    expected = [[1 + 2 * 256 + 3 * 65536, 2**24 - 1]]
    np.testing.assert_array_equal(values_of_picture(encoded(Image.fromarray(colours), "PNG"), 2, 1), expected)
    gray = np.array([[[9, 0], [5, 255]]], np.uint8)
    np.testing.assert_array_equal(values_of_picture(encoded(Image.fromarray(gray, "LA"), "PNG"), 2, 1), [[9, 5]])


def _bomb() -> bytes:
    """A file of some hundred bytes whose header says 50,000 x 50,000 pixels."""
    data = io.BytesIO(encoded(Image.fromarray(PIXELS), "PNG"))
    data.seek(16)
    data.write((50_000).to_bytes(4, "big") * 2)
    return data.getvalue()


UNREADABLE = {
    "nothing": b"",
    "no picture": b"mask",
    "lossy": jpeg(3, 2),
    "cut": encoded(Image.fromarray(np.random.default_rng(0).integers(0, 255, (90, 90), np.uint8)), "PNG")[:2000],
    "a size bomb": _bomb(),
}


@pytest.mark.parametrize("data", UNREADABLE.values(), ids=UNREADABLE)
def test_unreadable(data: bytes) -> None:
    for read in (lambda: bitmap_of_picture(MaskBitmap(data), 90, 90), lambda: values_of_picture(data, 90, 90)):
        with pytest.raises(MaskRefused) as refused:
            read()
        assert refused.value.reason == Reason.MASK_UNREADABLE


def test_sizes_that_do_not_fit() -> None:
    data = encoded(Image.fromarray(PIXELS), "PNG")
    for read in (lambda: bitmap_of_picture(MaskBitmap(data), 2, 2), lambda: values_of_picture(data, 4, 2)):
        with pytest.raises(MaskRefused, match="3x2 pixels") as refused:
            read()
        assert refused.value.reason == Reason.MASK_SIZE_MISMATCH
