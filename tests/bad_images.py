"""A set of good, odd and bad image files, made in code: each with what must become of it."""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image, PngImagePlugin, features

from tests.png_chunks import encode, header, join_chunks, split_chunks
from tests.sample_data import ORIENTATION_TAG, encoded, jpeg, picture, png, turned_jpeg

KEPT, CONVERTED, TURNED, BOTH = "", "format_converted", "exif_transposed", "format_converted exif_transposed"
EMPTY, UNREADABLE, UNSUPPORTED, TOO_LARGE = "image_empty", "image_unreadable", "format_unsupported", "image_too_large"


@dataclass(frozen=True, slots=True)
class BadImage:
    """An image file.

    Attributes:
      suffix: the extension that it should have.
      make: gives its bytes.
      written: the format in the record, "" if it is rejected.
      reasons: why it was repaired or rejected; "" if it is as it was.
    """

    name: str
    suffix: str
    make: Callable[[], bytes]
    written: str
    reasons: str


def _exif(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = orientation
    return exif


def _saved(image_format: str, mode: str = "RGB", **options: object) -> Callable[[], bytes]:
    return lambda: encoded(picture(mode=mode), image_format, **options)


def _several(image_format: str, **options: object) -> Callable[[], bytes]:
    frames = [picture(seed=seed) for seed in range(1, 3)]
    return lambda: encoded(picture(), image_format, save_all=True, append_images=frames, **options)


def _patched_frame(code: int | None = None, precision: int | None = None, size: tuple[int, int] | None = None) -> bytes:
    """A JPEG whose frame header says something else."""
    data = bytearray(jpeg())
    start = data.index(b"\xff\xc0")
    if code is not None:
        data[start + 1] = code
    if precision is not None:
        data[start + 4] = precision
    if size is not None:
        data[start + 5 : start + 9] = struct.pack(">HH", *size)
    return bytes(data)


def _flipped(data: bytes, position: int) -> bytes:
    changed = bytearray(data)
    changed[position] ^= 0x10
    return bytes(changed)


def _chunks(change: Callable[[list[tuple[bytes, bytes]]], object], mode: str = "RGB") -> bytes:
    """A PNG whose chunks were changed, with CRCs that match."""
    chunks = split_chunks(png(mode=mode))
    change(chunks)
    return join_chunks(chunks)


def _with_header(changed: tuple[bytes, bytes]) -> bytes:
    return join_chunks([changed, *split_chunks(png())[1:]])


def _pixel_data_position(data: bytes) -> int:
    return data.index(b"IDAT") + 40


def _with_text(text: str) -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", text, zip=True)
    return encoded(picture(), "PNG", pnginfo=info)


def _late_exif() -> bytes:
    chunks = split_chunks(encoded(picture(), "PNG", exif=_exif(6)))
    chunks.sort(key=lambda chunk: [b"IHDR", b"IDAT", b"eXIf", b"IEND"].index(chunk[0]))
    return join_chunks(chunks)


@cache
def bomb(width: int, height: int) -> bytes:
    row = bytes(1 + (width + 7) // 8)
    compressor = zlib.compressobj(9)
    pixels = b"".join(compressor.compress(row) for _ in range(height)) + compressor.flush()
    return join_chunks([header(width, height, 1, 0), (b"IDAT", pixels), (b"IEND", b"")])


def _random_pixels(dtype: type, channels: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (30, 40, channels), dtype=dtype)


def _gif_of_screen(width: int, height: int) -> bytes:
    data = bytearray(encoded(picture(), "GIF"))
    data[6:10] = struct.pack("<HH", width, height)
    return bytes(data)


def _saved_tiff_of(mode: str) -> bytes:
    return encoded(Image.frombytes(mode, (40, 30), bytes(40 * 30 * {"I;16": 2, "F": 4, "I": 4}[mode])), "TIFF")


_EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 40 30\n%%EndComments\n(/tmp/x) (w) file\nshowpage\n%%EOF\n"
_POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
_SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="40" height="30"/>'
_HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200)

JPEGS = [
    BadImage("baseline", ".jpg", jpeg, "jpeg", KEPT),
    BadImage("progressive", ".jpg", _saved("JPEG", progressive=True), "jpeg", KEPT),
    BadImage("optimised", ".jpg", _saved("JPEG", optimize=True), "jpeg", KEPT),
    BadImage("grayscale", ".jpg", _saved("JPEG", "L"), "jpeg", KEPT),
    BadImage("without subsampling", ".jpg", _saved("JPEG", subsampling=0), "jpeg", KEPT),
    BadImage("4:2:2", ".jpg", _saved("JPEG", subsampling=1), "jpeg", KEPT),
    BadImage("restart markers", ".jpg", _saved("JPEG", restart_marker_blocks=1), "jpeg", KEPT),
    BadImage("ICC profile", ".jpg", _saved("JPEG", icc_profile=b"x" * 70_000), "jpeg", KEPT),
    BadImage("comment", ".jpg", _saved("JPEG", comment="한글"), "jpeg", KEPT),
    BadImage("CMYK", ".jpg", _saved("JPEG", "CMYK"), "png", CONVERTED),
    BadImage("several pictures", ".jpg", _several("MPO"), "jpeg", KEPT),
    BadImage("one pixel", ".jpg", lambda: jpeg(1, 1), "jpeg", KEPT),
    BadImage("60,000 pixels wide", ".jpg", lambda: jpeg(60_000, 1), "jpeg", KEPT),
    *[
        BadImage(f"EXIF orientation {tag}", ".jpg", lambda tag=tag: turned_jpeg(tag), "jpeg", TURNED)
        for tag in range(2, 9)
    ],
    BadImage("EXIF orientation 1", ".jpg", lambda: turned_jpeg(1), "jpeg", KEPT),
    BadImage("EXIF orientation 99", ".jpg", lambda: turned_jpeg(99), "jpeg", KEPT),
    BadImage("EXIF damaged", ".jpg", _saved("JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff"), "jpeg", KEPT),
    BadImage("CMYK turned", ".jpg", _saved("JPEG", "CMYK", exif=_exif(6)), "png", BOTH),
    BadImage("zeros behind the end", ".jpg", lambda: jpeg() + bytes(1000), "jpeg", KEPT),
    BadImage("text behind the end", ".jpg", lambda: jpeg() + b"SAMSUNG" * 99, "jpeg", KEPT),
    BadImage("bytes before the start", ".jpg", lambda: b"\0\0" + jpeg(), "", UNSUPPORTED),
    BadImage("cut in half", ".jpg", lambda: jpeg()[: len(jpeg()) // 2], "", UNREADABLE),
    BadImage("cut in the header", ".jpg", lambda: jpeg()[:100], "", UNREADABLE),
    BadImage("cut by the end marker", ".jpg", lambda: jpeg()[:-2], "", UNREADABLE),
    BadImage("cut by one byte", ".jpg", lambda: jpeg()[:-1], "", UNREADABLE),
    BadImage("progressive cut", ".jpg", lambda: _saved("JPEG", progressive=True)()[:-60], "", UNREADABLE),
    BadImage("start marker alone", ".jpg", lambda: b"\xff\xd8", "", UNREADABLE),
    BadImage("no picture between markers", ".jpg", lambda: b"\xff\xd8\xff\xd9", "", UNREADABLE),
    BadImage("12 bits", ".jpg", lambda: _patched_frame(precision=12), "", UNREADABLE),
    BadImage("lossless", ".jpg", lambda: _patched_frame(code=0xC3), "", UNREADABLE),
    BadImage("height of zero", ".jpg", lambda: _patched_frame(size=(0, 40)), "", UNREADABLE),
    BadImage("bomb of 4 gigapixels", ".jpg", lambda: _patched_frame(size=(65_500, 65_500)), "", TOO_LARGE),
    BadImage("segment beyond the end", ".jpg", lambda: b"\xff\xd8\xff\xe0\xff\xff" + jpeg()[4:], "", UNREADABLE),
]

PNGS = [
    *[
        BadImage(f"mode {mode}", ".png", lambda mode=mode: png(mode=mode), "png", KEPT)
        for mode in ("RGB", "RGBA", "L", "LA", "P", "1")
    ],
    BadImage("palette with transparency", ".png", _saved("PNG", "P", transparency=0), "png", KEPT),
    BadImage("palette of 2 bits", ".png", lambda: encoded(picture().quantize(4), "PNG", bits=2), "png", KEPT),
    BadImage("16 bits gray", ".png", lambda: encode(_random_pixels(np.uint16, 1)), "png", KEPT),
    BadImage("16 bits RGB", ".png", lambda: encode(_random_pixels(np.uint16, 3)), "png", KEPT),
    BadImage("16 bits RGBA", ".png", lambda: encode(_random_pixels(np.uint16, 4)), "png", KEPT),
    BadImage("interlaced", ".png", lambda: encode(_random_pixels(np.uint8, 3), interlaced=True), "png", KEPT),
    BadImage("animated", ".png", _several("PNG"), "png", KEPT),
    BadImage("one pixel", ".png", lambda: png(1, 1), "png", KEPT),
    BadImage("text", ".png", lambda: _with_text("한글"), "png", KEPT),
    BadImage("EXIF orientation 6", ".png", _saved("PNG", exif=_exif(6)), "png", TURNED),
    BadImage("EXIF behind the pixels", ".png", _late_exif, "png", TURNED),
    BadImage("zeros behind the end", ".png", lambda: png() + bytes(1000), "png", KEPT),
    BadImage("chunk that nobody knows", ".png", lambda: _chunks(lambda c: c.insert(1, (b"abCd", b"x"))), "png", KEPT),
    BadImage("critical chunk unknown", ".png", lambda: _chunks(lambda c: c.insert(1, (b"ABCD", b"x"))), "", UNREADABLE),
    BadImage("header twice", ".png", lambda: _chunks(lambda c: c.insert(1, c[0])), "", UNREADABLE),
    BadImage("palette missing", ".png", lambda: _chunks(lambda c: c.pop(1), "P"), "", UNREADABLE),
    BadImage("pixels missing", ".png", lambda: _chunks(lambda c: c.pop(1)), "", UNREADABLE),
    BadImage("Apple's own kind", ".png", lambda: _chunks(lambda c: c.insert(0, (b"CgBI", b"P\0 \2"))), "", UNREADABLE),
    BadImage("width of zero", ".png", lambda: join_chunks([header(0, 30, 8, 2), (b"IEND", b"")]), "", UNREADABLE),
    BadImage("without end chunk", ".png", lambda: png()[:-12], "", UNREADABLE),
    BadImage("cut in half", ".png", lambda: png()[: len(png()) // 2], "", UNREADABLE),
    BadImage("signature alone", ".png", lambda: png()[:8], "", UNREADABLE),
    BadImage("bit flipped in the pixels", ".png", lambda: _flipped(png(), _pixel_data_position(png())), "", UNREADABLE),
    BadImage("CRC of the header wrong", ".png", lambda: _flipped(png(), 30), "", UNREADABLE),
    BadImage(
        "fewer rows than said",
        ".png",
        lambda: _with_header(header(40, 99, 8, 2)),
        "",
        UNREADABLE,
    ),
    BadImage("line ends changed", ".png", lambda: png().replace(b"\r\n", b"\n"), "", UNSUPPORTED),
    BadImage("bomb of 144 megapixels", ".png", lambda: bomb(12_000, 12_000), "", TOO_LARGE),
    BadImage("65 megapixels", ".png", lambda: bomb(8_125, 8_000), "", TOO_LARGE),
    BadImage("bomb in a text", ".png", lambda: _with_text("a" * 80_000_000), "", UNREADABLE),
]

OTHERS = [
    BadImage("BMP", ".bmp", _saved("BMP"), "png", CONVERTED),
    BadImage("BMP of 8 bits", ".bmp", _saved("BMP", "L"), "png", CONVERTED),
    BadImage("BMP of 1 bit", ".bmp", _saved("BMP", "1"), "png", CONVERTED),
    BadImage("BMP cut", ".bmp", lambda: _saved("BMP")()[:200], "", UNREADABLE),
    BadImage("GIF", ".gif", _saved("GIF"), "png", CONVERTED),
    BadImage("GIF animated", ".gif", _several("GIF"), "png", CONVERTED),
    BadImage("GIF with transparency", ".gif", _saved("GIF", "P", transparency=0), "png", CONVERTED),
    BadImage("GIF of a huge screen", ".gif", lambda: _gif_of_screen(65_535, 65_535), "", TOO_LARGE),
    BadImage("GIF cut", ".gif", lambda: _saved("GIF")()[:900], "", UNREADABLE),
    BadImage("WebP", ".webp", _saved("WEBP"), "png", CONVERTED),
    BadImage("WebP lossless", ".webp", _saved("WEBP", lossless=True), "png", CONVERTED),
    BadImage("WebP with alpha", ".webp", _saved("WEBP", "RGBA"), "png", CONVERTED),
    BadImage("WebP animated", ".webp", _several("WEBP"), "png", CONVERTED),
    BadImage("WebP turned", ".webp", _saved("WEBP", exif=_exif(8)), "png", BOTH),
    BadImage("WebP cut", ".webp", lambda: _saved("WEBP")()[:-50], "", UNREADABLE),
    BadImage("TIFF", ".tif", _saved("TIFF"), "png", CONVERTED),
    BadImage("TIFF of LZW", ".tif", _saved("TIFF", compression="tiff_lzw"), "png", CONVERTED),
    BadImage("TIFF of JPEG", ".tif", _saved("TIFF", compression="jpeg"), "png", CONVERTED),
    BadImage("TIFF of several pages", ".tif", _several("TIFF"), "png", CONVERTED),
    BadImage("TIFF of 1 bit", ".tif", _saved("TIFF", "1"), "png", CONVERTED),
    BadImage("TIFF of CMYK", ".tif", _saved("TIFF", "CMYK"), "png", CONVERTED),
    BadImage("TIFF of 16 bits", ".tif", lambda: _saved_tiff_of("I;16"), "png", CONVERTED),
    BadImage("TIFF of floats", ".tif", lambda: _saved_tiff_of("F"), "", UNSUPPORTED),
    BadImage("TIFF of 32 bits", ".tif", lambda: _saved_tiff_of("I"), "", UNSUPPORTED),
    BadImage("TIFF turned", ".tif", _saved("TIFF", exif=_exif(6)), "png", BOTH),
    BadImage("TIFF cut", ".tif", lambda: _saved("TIFF")()[:100], "", UNREADABLE),
    BadImage("ICO", ".jpg", _saved("ICO"), "", UNSUPPORTED),
    BadImage("PPM", ".jpg", _saved("PPM"), "", UNSUPPORTED),
    BadImage("TGA", ".jpg", _saved("TGA"), "", UNSUPPORTED),
    BadImage("PDF", ".jpg", _saved("PDF"), "", UNSUPPORTED),
    BadImage("EPS", ".jpg", lambda: _EPS, "", UNSUPPORTED),
    BadImage("SVG", ".jpg", lambda: _SVG, "", UNSUPPORTED),
    BadImage("HEIC", ".jpg", lambda: _HEIC, "", UNSUPPORTED),
    BadImage("no bytes", ".jpg", lambda: b"", "", EMPTY),
    BadImage("one byte", ".jpg", lambda: b"\xff", "", UNSUPPORTED),
    BadImage("HTML", ".jpg", lambda: b"<html>404 not found</html>", "", UNSUPPORTED),
    BadImage("pointer of Git LFS", ".jpg", lambda: _POINTER, "", UNSUPPORTED),
    BadImage("a million zeros", ".jpg", lambda: bytes(1_000_000), "", UNSUPPORTED),
    BadImage("compressed JPEG", ".jpg", lambda: gzip.compress(jpeg()), "", UNSUPPORTED),
    BadImage("noise", ".jpg", lambda: np.random.default_rng(0).bytes(5000), "", UNSUPPORTED),
    BadImage("NumPy array", ".jpg", lambda: _array_file(), "", UNSUPPORTED),
]


def _array_file() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros((4, 4)))
    return buffer.getvalue()


if features.check("avif"):
    OTHERS.append(BadImage("AVIF", ".jpg", _saved("AVIF"), "png", CONVERTED))
if features.check("jpg_2000"):
    OTHERS.append(BadImage("JPEG 2000", ".jpg", _saved("JPEG2000"), "", UNSUPPORTED))

CASES: list[BadImage] = [*JPEGS, *PNGS, *OTHERS]
