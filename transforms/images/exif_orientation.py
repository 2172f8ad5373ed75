"""How a picture is to be turned before it is shown: by its EXIF block, else by its XMP packet.

Exif 2.32, tag 0x0112; XMP says the same as ``tiff:Orientation``. Where both do, EXIF counts, as the Metadata Working
Group's guidelines have it.
"""

from __future__ import annotations

import re

from PIL import Image

from transforms.images.png_structure import has_metadata_chunk

_TAG = 0x0112
_XMP = re.compile(rb"""tiff:Orientation\s*(?:=\s*["']|>\s*)([1-8])""")
_XMP_KEYS = ("xmp", "XML:com.adobe.xmp")
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_INVERSE = {6: 8, 8: 6}  # all others are their own


def orientation_of(image: Image.Image, data: bytes) -> int:
    """The orientation of an opened picture, 1 to 8; whatever else it claims counts as upright.

    Args:
      image: not loaded yet.
      data: of its file.
    """
    if not _may_say(image, data):
        return 1
    try:
        value = image.getexif().get(_TAG)
    except Exception:  # a damaged EXIF block says nothing about the pixels
        value = None
    # A TIFF has its tag, and Pillow turns it by that when it loads it.
    if value is None and image.format != "TIFF":
        value = _xmp_orientation(image)
    return value if value in _TURNS else 1


def _may_say(image: Image.Image, data: bytes) -> bool:
    """Whether asking Pillow can find anything: for a PNG it would decode all pixels to look behind them."""
    if "exif" in image.info or any(key in image.info for key in _XMP_KEYS):
        return True
    if image.format == "PNG":
        return has_metadata_chunk(data) or "Raw profile type exif" in image.info
    return image.format in ("TIFF", "WEBP", "MPO", "AVIF")


def _xmp_orientation(image: Image.Image) -> int | None:
    for key in _XMP_KEYS:
        packet = image.info.get(key, b"")
        packets = packet if isinstance(packet, tuple | list) else (packet,)
        for item in packets:
            text = item.encode() if isinstance(item, str) else item
            if match := _XMP.search(text):
                return int(match[1])
    return None


def upright_pixels(image: Image.Image, orientation: int) -> Image.Image:
    """The loaded picture turned as its orientation says; a TIFF is by now."""
    turn = _TURNS.get(orientation)
    return image if turn is None or image.format == "TIFF" else image.transpose(turn)


def stored_pixels(image: Image.Image, orientation: int) -> Image.Image:
    """The loaded picture as its file stores it, whatever its orientation says."""
    turn = _TURNS.get(_INVERSE.get(orientation, orientation))
    return image if turn is None or image.format != "TIFF" else image.transpose(turn)
