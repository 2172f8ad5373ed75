"""Masks that come as pictures: one of the object alone, or the pixels of one value in a picture of many objects."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from transforms.ledger.reasons import Reason
from transforms.masks.mask_png import Bitmap
from transforms.masks.mask_refused import MaskRefused
from transforms.records import MaskBitmap

Values = npt.NDArray[Any]
"""Of pixels, whole numbers [height, width]."""

# Without loss, all of them: values next to each other mean different things.
_FORMATS = ("PNG", "BMP", "TIFF", "GIF")
_GREEN, _BLUE = 1 << 8, 1 << 16


def bitmap_of_picture(mask: MaskBitmap, width: int, height: int) -> Bitmap:
    """An object's own picture in its place; what lies outside is cut off.

    Args:
      mask: not trusted.
      width, height: of the picture that the object is in, pixels.

    Raises:
      MaskRefused: it cannot be decoded, or is larger than the picture.
    """
    image = _opened(mask.data)
    if image.width > width or image.height > height:
        detail = f"the mask has {image.width}x{image.height} pixels, the picture was annotated at {width}x{height}"
        raise MaskRefused(Reason.MASK_SIZE_MISMATCH, detail)
    if "A" in image.getbands():  # drawn in some colour on nothing
        image = _decoded(image).getchannel("A")
    is_object = _values(image) != 0
    bitmap = np.zeros((height, width), np.uint8)
    left, top = min(max(mask.x, 0), width), min(max(mask.y, 0), height)
    part = is_object[max(-mask.y, 0) :, max(-mask.x, 0) :][: height - top, : width - left]
    bitmap[top : top + part.shape[0], left : left + part.shape[1]] = part
    return bitmap


def values_of_picture(data: bytes, width: int, height: int) -> Values:
    """The pixels' values: palette indices, gray values, or R + 256 G + 65536 B.

    Args:
      data: a file, not trusted.
      width, height: that it must have, pixels.

    Raises:
      MaskRefused: it cannot be decoded, or has another size.
    """
    image = _opened(data)
    if image.size != (width, height):
        detail = f"the mask has {image.width}x{image.height} pixels, the picture was annotated at {width}x{height}"
        raise MaskRefused(Reason.MASK_SIZE_MISMATCH, detail)
    return _values(image)


def _opened(data: bytes) -> Image.Image:
    """The picture, its pixels not decoded."""
    try:
        return Image.open(io.BytesIO(data), formats=_FORMATS)
    except UnidentifiedImageError:
        detail = f"the mask is no {', '.join(_FORMATS)} picture, it begins {data[:16]!r}"
        raise MaskRefused(Reason.MASK_UNREADABLE, detail) from None
    except Exception as error:  # decoders meet damaged files with every kind of exception
        raise _unreadable(error) from None


def _decoded(image: Image.Image) -> Image.Image:
    try:
        image.load()
    except Exception as error:
        raise _unreadable(error) from None
    return image


def _values(image: Image.Image) -> Values:
    pixels = np.asarray(_decoded(image))
    if pixels.ndim == 2:
        return pixels.astype(np.uint8) if pixels.dtype == np.bool_ else pixels
    if pixels.shape[2] < 3:  # gray with transparency
        return pixels[..., 0]
    channels = pixels[..., :3].astype(np.int32)
    combined: Values = channels[..., 0] + _GREEN * channels[..., 1] + _BLUE * channels[..., 2]
    return combined


def _unreadable(error: Exception) -> MaskRefused:
    return MaskRefused(Reason.MASK_UNREADABLE, f"the mask: {type(error).__name__}: {error}")
