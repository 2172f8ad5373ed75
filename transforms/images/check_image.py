"""Bytes to a verified image: real format, true size, decodable by the readers of the dataset.

Only JPEG and PNG decode in every reader, so other formats become PNG, without loss. The bytes of a JPEG or PNG are
kept as they are, unless the readers would see other colours (CMYK) or the EXIF orientation is baked in.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from typing import Literal

from PIL import Image, ImageOps, UnidentifiedImageError

from transforms.images.image_store import ImageRefused
from transforms.images.jpeg_structure import broken_jpeg, missing_jpeg_end, plain_jpeg_size
from transforms.images.png_structure import broken_png, has_exif_chunk, missing_png_end
from transforms.ledger.reasons import Reason

ExifPolicy = Literal["transpose", "ignore", "reject"]
CheckDepth = Literal["full", "header"]

# An allow-list: some of Pillow's other plugins run programs (EPS) or read what no reader can.
_FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF")
_SIGNATURES = (b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"BM", b"GIF8", b"RIFF", b"II*\0", b"MM\0*")
_KEPT = {"JPEG": "jpeg", "MPO": "jpeg", "PNG": "png"}
# What Pillow lets pass and the readers do not, by the header check and by the full one.
_INSPECTIONS = {"jpeg": (missing_jpeg_end, broken_jpeg), "png": (missing_png_end, broken_png)}
_ORIENTATION_TAG = 0x0112
_JPEG_QUALITY = 95

warnings.filterwarnings("ignore", module=r"PIL\.")  # what Pillow warns of is judged here, and put down in the ledger


@dataclass(frozen=True, slots=True)
class ImagePolicy:
    """How images are checked.

    Attributes:
      depth: decode all pixels, or trust the header.
      exif: what happens to pictures whose EXIF orientation is not upright.
      max_pixels: larger pictures are refused before they are decoded.
    """

    depth: CheckDepth = "full"
    exif: ExifPolicy = "transpose"
    max_pixels: int = 64_000_000


@dataclass(frozen=True, slots=True)
class CheckedImage:
    """A picture that the readers decode.

    Attributes:
      data: JPEG or PNG bytes.
      format: "jpeg" or "png".
      width, height: of the decoded pixels of ``data``.
      orientation: the EXIF orientation that was baked into the pixels, 1 if none was.
      repairs: what was changed.
      resized_from: width and height of the upright pixels before they were resized, None if they were not.
    """

    data: bytes
    format: str
    width: int
    height: int
    orientation: int = 1
    repairs: tuple[Reason, ...] = ()
    resized_from: tuple[int, int] | None = None

    @property
    def stored_size(self) -> tuple[int, int]:
        """Width and height of the file's own pixels, before they were turned and resized."""
        upright = self.resized_from or (self.width, self.height)
        return upright[::-1] if self.orientation >= 5 else upright


def check_image(data: bytes, policy: ImagePolicy) -> CheckedImage:
    """Verifies an image file's bytes, converting them where no reader would decode them.

    Raises:
      ImageRefused: empty, unreadable, truncated, of an unknown format, too large, or turned under ``exif="reject"``.
    """
    if not data:
        raise ImageRefused(Reason.IMAGE_EMPTY, "the file has no bytes")
    if policy.depth == "header" and (size := plain_jpeg_size(data)) and size[0] * size[1] <= policy.max_pixels:
        return CheckedImage(data, "jpeg", *size)
    try:
        image: Image.Image = Image.open(io.BytesIO(data), formats=_FORMATS)
    except UnidentifiedImageError:
        if data.startswith(_SIGNATURES):
            raise ImageRefused(Reason.IMAGE_UNREADABLE, "the header is cut or damaged, or of a rare kind") from None
        raise ImageRefused(Reason.FORMAT_UNSUPPORTED, f"no known image format, it begins {data[:16]!r}") from None
    except Image.DecompressionBombError as error:
        raise ImageRefused(Reason.IMAGE_TOO_LARGE, str(error)) from None
    except Exception as error:  # decoders meet damaged files with every kind of exception
        raise ImageRefused(Reason.IMAGE_UNREADABLE, f"{type(error).__name__}: {error}") from None
    width, height = image.size
    if width * height > policy.max_pixels:
        raise ImageRefused(Reason.IMAGE_TOO_LARGE, f"{width}x{height} pixels, the limit is {policy.max_pixels}")
    orientation = _orientation(image, data) if policy.exif != "ignore" else 1
    if orientation != 1 and policy.exif == "reject":
        raise ImageRefused(Reason.EXIF_ROTATED, f"the EXIF orientation is {orientation}")
    kept_format = _KEPT.get(image.format or "")
    needs_conversion = kept_format is None or image.mode == "CMYK"
    if kept_format is not None:
        quick, thorough = _INSPECTIONS[kept_format]
        if fault := (thorough if policy.depth == "full" else quick)(data):
            raise ImageRefused(Reason.IMAGE_UNREADABLE, fault)
    try:
        if orientation != 1 or needs_conversion:
            return _rewrite(image, orientation, needs_conversion)
        if policy.depth == "full" and kept_format == "jpeg":  # a PNG's inspection has inflated its pixels
            image.load()
    except ImageRefused:
        raise
    except Exception as error:
        raise ImageRefused(Reason.IMAGE_UNREADABLE, f"{type(error).__name__}: {error}") from None
    assert kept_format is not None
    return CheckedImage(data, kept_format, width, height)


def _orientation(image: Image.Image, data: bytes) -> int:
    """The EXIF orientation, 1 to 8; anything else counts as upright."""
    if "exif" not in image.info and not _may_hold_late_exif(image, data):
        return 1
    try:
        value = image.getexif().get(_ORIENTATION_TAG, 1)
    except Exception:  # a damaged EXIF block says nothing about the pixels
        return 1
    return value if value in range(1, 9) else 1


def _may_hold_late_exif(image: Image.Image, data: bytes) -> bool:
    """Whether asking Pillow for EXIF can find any: for a PNG it would decode all pixels to look behind them."""
    if image.format == "PNG":
        return has_exif_chunk(data) or "Raw profile type exif" in image.info
    return image.format in ("TIFF", "WEBP", "MPO")


def _rewrite(image: Image.Image, orientation: int, to_png: bool) -> CheckedImage:
    """Turns the pixels upright and encodes them anew: a JPEG that only turns stays one, all else becomes PNG."""
    if image.mode in ("I", "F"):
        raise ImageRefused(Reason.FORMAT_UNSUPPORTED, f"pixels of mode {image.mode} (32 bits) do not fit a PNG")
    repairs = [Reason.FORMAT_CONVERTED] if to_png else []
    upright: Image.Image = image
    if orientation != 1:
        repairs.append(Reason.EXIF_TRANSPOSED)
        if image.format != "TIFF":  # Pillow itself turns a TIFF when it loads it
            upright = ImageOps.exif_transpose(image)
    buffer = io.BytesIO()
    if to_png or image.format == "PNG":
        _without_metadata(upright).save(buffer, "PNG")
        return CheckedImage(buffer.getvalue(), "png", *upright.size, orientation, tuple(repairs))
    upright.save(buffer, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    return CheckedImage(buffer.getvalue(), "jpeg", *upright.size, orientation, tuple(repairs))


def _without_metadata(image: Image.Image) -> Image.Image:
    """The pixels alone, in a mode that a PNG holds without loss: an old EXIF block could turn the picture again."""
    if image.mode.startswith("I;16"):  # Pillow's own conversion of the other byte order cuts values to 8 bits
        return Image.frombytes("I;16", image.size, image.tobytes(), "raw", image.mode)
    if image.mode not in ("L", "LA", "RGB", "RGBA"):
        image = image.convert(_png_mode(image))
    return Image.frombytes(image.mode, image.size, image.tobytes())


def _png_mode(image: Image.Image) -> str:
    if image.mode in ("PA", "La", "RGBa") or "transparency" in image.info:
        return "RGBA"
    return "L" if image.mode == "1" else "RGB"
