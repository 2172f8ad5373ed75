"""Bytes to a verified image: real format, true size, decodable by the readers of the dataset.

Only JPEG and PNG decode in every reader, so other formats become PNG, without loss. The bytes of a JPEG or PNG are
kept as they are, unless the readers would see other colours (CMYK), the EXIF orientation is baked in, or the picture is
made smaller. A JPEG that is only turned or resized stays one, of quality 95 and without subsampling.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from typing import Literal, NamedTuple

from PIL import Image, UnidentifiedImageError

from transforms.images.exif_orientation import orientation_of, stored_pixels, upright_pixels
from transforms.images.heif_images import is_heif, open_heif
from transforms.images.image_store import ImageRefused
from transforms.images.jpeg_structure import broken_jpeg, missing_jpeg_end, plain_jpeg_size
from transforms.images.png_structure import broken_png, missing_png_end
from transforms.images.rewrite_image import encode_pixels, fitting_size
from transforms.ledger.reasons import Reason

ExifPolicy = Literal["transpose", "ignore", "reject"]
Frame = Literal["upright", "stored"]
CheckDepth = Literal["full", "header"]

# An allow-list: some of Pillow's other plugins run programs (EPS) or read what no reader can.
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "AVIF")
_SIGNATURES = (b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"BM", b"GIF8", b"RIFF", b"II*\0", b"MM\0*")
_KEPT = {"JPEG": "jpeg", "MPO": "jpeg", "PNG": "png"}
# What Pillow lets pass and the readers do not, by the header check and by the full one.
_INSPECTIONS = {"jpeg": (missing_jpeg_end, broken_jpeg), "png": (missing_png_end, broken_png)}

warnings.filterwarnings("ignore", module=r"PIL\.")  # what Pillow warns of is judged here, and put down in the ledger


@dataclass(frozen=True, slots=True)
class ImagePolicy:
    """How images are checked.

    Attributes:
      depth: decode all pixels, or trust the header.
      exif: what happens to pictures whose EXIF orientation is not upright.
      max_pixels: larger pictures are refused before they are decoded.
      max_side: pictures with a longer side are made smaller, to this many pixels; None for as they are.
      frame: that annotations of turned pictures are in where the size does not tell: as shown, or as stored.
    """

    depth: CheckDepth = "full"
    exif: ExifPolicy = "transpose"
    max_pixels: int = 64_000_000
    max_side: int | None = None
    frame: Frame = "upright"

    def fits(self, width: int, height: int) -> bool:
        """Whether a picture of this size is neither refused nor resized."""
        return width * height <= self.max_pixels and (self.max_side is None or max(width, height) <= self.max_side)


class CheckedImage(NamedTuple):
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
    if policy.depth == "header" and (size := plain_jpeg_size(data)) and policy.fits(*size):
        return CheckedImage(data, "jpeg", *size)
    try:
        image: Image.Image = open_heif(data) if is_heif(data) else Image.open(io.BytesIO(data), formats=FORMATS)
    except ImageRefused:
        raise
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
    orientation = orientation_of(image, data)
    if orientation != 1 and policy.exif == "reject":
        raise ImageRefused(Reason.EXIF_ROTATED, f"the EXIF orientation is {orientation}")
    kept_format = _KEPT.get(image.format or "")
    needs_conversion = kept_format is None or image.mode == "CMYK"
    is_too_long = policy.max_side is not None and max(image.size) > policy.max_side
    if kept_format is not None:
        quick, thorough = _INSPECTIONS[kept_format]
        if fault := (thorough if policy.depth == "full" else quick)(data):
            raise ImageRefused(Reason.IMAGE_UNREADABLE, fault)
    try:
        if needs_conversion or (orientation != 1 and policy.exif == "transpose") or is_too_long:
            return _rewrite(image, orientation, policy, needs_conversion)
        if policy.depth == "full" and kept_format == "jpeg":  # a PNG's inspection has inflated its pixels
            decode_jpeg(image)
    except ImageRefused:
        raise
    except Exception as error:
        raise ImageRefused(Reason.IMAGE_UNREADABLE, f"{type(error).__name__}: {error}") from None
    assert kept_format is not None
    return CheckedImage(data, kept_format, width, height)


def decode_jpeg(image: Image.Image) -> None:
    """Decodes a JPEG to see that it can be: all of its coded data, and of its pixels the brightness.

    What can fail is the coded data, of which none is left out. The pixels' colours are arithmetic that cannot; they
    would take a quarter of the time.

    Raises:
      Exception: of any kind; it cannot be decoded.
    """
    image.draft("L", None)
    image.load()


def _rewrite(image: Image.Image, orientation: int, policy: ImagePolicy, needs_conversion: bool) -> CheckedImage:
    image.load()
    to_png = needs_conversion or image.format == "PNG"
    repairs = [Reason.FORMAT_CONVERTED] if needs_conversion else []
    if policy.exif == "ignore":
        image, orientation = stored_pixels(image, orientation), 1
    elif orientation != 1:
        image = upright_pixels(image, orientation)
        repairs.append(Reason.EXIF_TRANSPOSED)
    full_size = image.size
    size = fitting_size(*full_size, policy.max_side)
    if size != full_size:
        repairs.append(Reason.RESIZED)
    data = encode_pixels(image, size, to_png)
    resized_from = full_size if size != full_size else None
    return CheckedImage(data, "png" if to_png else "jpeg", *size, orientation, tuple(repairs), resized_from)
