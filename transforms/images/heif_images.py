"""HEIC pictures, as telephones take them, read by the optional package ``pillow-heif``."""

from __future__ import annotations

import io
from functools import cache

from PIL import Image

from transforms.images.image_store import ImageRefused
from transforms.ledger.reasons import Reason

# Of the file type box, ISO/IEC 23008-12; "mif1" and "msf1" say only that some of the compatible brands tell.
_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})
_GENERAL_BRANDS = frozenset({b"mif1", b"msf1"})


def is_heif(data: bytes) -> bool:
    """Whether a file is a HEIC picture by its brands; AVIF, of the same structure, is none."""
    if data[4:8] != b"ftyp":
        return False
    length = min(int.from_bytes(data[:4], "big"), 256)
    brands = {data[start : start + 4] for start in range(16, length, 4)}
    return data[8:12] in _BRANDS or (data[8:12] in _GENERAL_BRANDS and bool(brands & _BRANDS))


def open_heif(data: bytes) -> Image.Image:
    """Opens a HEIC picture; libheif turns its pixels upright by itself.

    Raises:
      ImageRefused: the package is not installed.
    """
    if not _register():
        detail = "a HEIC picture: install what reads it, pip install 'boxmill[heic]', or convert it"
        raise ImageRefused(Reason.FORMAT_UNSUPPORTED, detail)
    return Image.open(io.BytesIO(data), formats=("HEIF",))


@cache
def _register() -> bool:
    """Tells Pillow of the format; says whether the package is there."""
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        return False
    register_heif_opener(thumbnails=False)
    return True
