"""What a picture's perceptual hash keeps and what it does not."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from tests.sample_data import encoded, picture
from transforms.images.perceptual_hash import perceptual_hash

LIMIT = 10**8


def photo(seed: int, width: int = 320, height: int = 240) -> Image.Image:
    """Soft shapes, as of a photograph."""
    small = np.random.default_rng(seed).integers(0, 256, (8, 10, 3)).astype(np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


def distance(a: bytes, b: bytes) -> int:
    first, second = perceptual_hash(a, LIMIT), perceptual_hash(b, LIMIT)
    assert first is not None
    assert second is not None
    return (first ^ second).bit_count()


def turned(image: Image.Image) -> bytes:
    """Stored on its side, with the EXIF tag that says so."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(image.transpose(Image.Transpose.ROTATE_90), exif=exif, quality=95)


CHANGES = {
    "encoded anew": lambda image: encoded(image, quality=50),
    "lossless": lambda image: encoded(image, "PNG"),
    "half the size": lambda image: encoded(image.resize((160, 120)), quality=90),
    "larger": lambda image: encoded(image.resize((1000, 750)), quality=90),
    "brighter": lambda image: encoded(ImageEnhance.Brightness(image).enhance(1.1), quality=90),
    "gray": lambda image: encoded(image.convert("L"), "PNG"),
    "with an alpha channel": lambda image: encoded(image.convert("RGBA"), "PNG"),
    "turned by EXIF": turned,
    "WebP": lambda image: encoded(image, "WEBP", quality=60),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_same_picture_is_near(change: str) -> None:
    for seed in range(10):
        assert distance(encoded(photo(seed), quality=95), CHANGES[change](photo(seed))) <= 6


def test_other_pictures_are_far() -> None:
    hashes = [perceptual_hash(encoded(photo(seed)), LIMIT) for seed in range(60)]
    distances = [(a ^ b).bit_count() for i, a in enumerate(hashes) for b in hashes[:i] if a is not None is not b]
    assert min(distances) > 11
    assert 28 < sum(distances) / len(distances) < 36


def test_sixteen_bit_pictures_have_the_hash_of_their_eight_bits() -> None:
    gray = photo(1).convert("L")
    deep = Image.fromarray(np.asarray(gray).astype(np.uint16) * 257)
    assert distance(encoded(gray, "PNG"), encoded(deep, "PNG")) <= 2


@pytest.mark.parametrize(
    "data",
    [b"", b"no picture", encoded(picture())[:200], encoded(Image.new("RGB", (64, 64), (3, 200, 9)))],
    ids=["empty", "text", "cut", "one colour"],
)
def test_what_has_none(data: bytes) -> None:
    assert perceptual_hash(data, LIMIT) is None


def test_a_large_picture_is_not_decoded() -> None:
    assert perceptual_hash(encoded(photo(1)), 320 * 240 - 1) is None
    assert Image.open(io.BytesIO(encoded(photo(1)))).size == (320, 240)
    assert perceptual_hash(encoded(photo(1)), 320 * 240) is not None
