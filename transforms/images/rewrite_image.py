"""Encodes a picture anew: upright, smaller, or in a format that all readers decode."""

from __future__ import annotations

import io

from PIL import Image

from transforms.images.image_store import ImageRefused
from transforms.ledger.reasons import Reason

JPEG_QUALITY = 95


def fitting_size(width: int, height: int, max_side: int | None) -> tuple[int, int]:
    """Width and height of a picture whose longer side is at most ``max_side`` pixels, in the same proportion."""
    longer = max(width, height)
    if max_side is None or longer <= max_side:
        return width, height
    return max(1, round(width * max_side / longer)), max(1, round(height * max_side / longer))


def encode_pixels(image: Image.Image, size: tuple[int, int], to_png: bool) -> bytes:
    """The file of a loaded picture.

    Args:
      image: of any mode.
      size: width and height to have.
      to_png: without loss; else a JPEG.

    Raises:
      ImageRefused: its pixels do not fit a PNG.
    """
    buffer = io.BytesIO()
    if to_png:
        _resized(_without_metadata(image), size).save(buffer, "PNG")
    else:
        profile = image.info.get("icc_profile")
        _resized(image, size).save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0, icc_profile=profile)
    return buffer.getvalue()


def _resized(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    return image if image.size == size else image.resize(size, Image.Resampling.LANCZOS)


def _without_metadata(image: Image.Image) -> Image.Image:
    """The pixels alone, in a mode that a PNG holds without loss: an old EXIF block could turn the picture again."""
    if image.mode in ("I", "F"):
        raise ImageRefused(Reason.FORMAT_UNSUPPORTED, f"pixels of mode {image.mode} (32 bits) do not fit a PNG")
    if image.mode.startswith("I;16"):  # Pillow's own conversion of the other byte order cuts values to 8 bits
        return Image.frombytes("I;16", image.size, image.tobytes(), "raw", image.mode)
    if image.mode not in ("L", "LA", "RGB", "RGBA"):
        image = image.convert(_png_mode(image))
    return Image.frombytes(image.mode, image.size, image.tobytes())


def _png_mode(image: Image.Image) -> str:
    if image.mode in ("PA", "La", "RGBa") or "transparency" in image.info:
        return "RGBA"
    return "L" if image.mode == "1" else "RGB"
