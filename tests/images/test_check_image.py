from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageOps

from tests.sample_data import ORIENTATION_TAG, encoded, jpeg, picture, png, turned_jpeg
from transforms.images.check_image import ImagePolicy, check_image, decode_jpeg
from transforms.images.image_store import ImageRefused
from transforms.ledger.reasons import Reason


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def refusal(data: bytes, policy: ImagePolicy) -> Reason:
    with pytest.raises(ImageRefused) as caught:
        check_image(data, policy)
    return caught.value.reason


def test_bytes_are_kept() -> None:
    for data in (jpeg(), png(), png(mode="RGBA"), turned_jpeg(1)):
        checked = check_image(data, ImagePolicy())
        assert checked.data is data
        assert (checked.width, checked.height, checked.orientation, checked.repairs) == (40, 30, 1, ())


@pytest.mark.parametrize("depth", ["full", "header"])
@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_turned_pictures_are_turned_upright(image_format: str, orientation: int, depth: str) -> None:
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = orientation
    options = {"JPEG": {"quality": 95}, "WEBP": {"lossless": True}}.get(image_format, {})
    data = encoded(picture(), image_format, exif=exif, **options)
    checked = check_image(data, ImagePolicy(depth=depth))  # type: ignore[arg-type]
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    assert (checked.width, checked.height) == ((30, 40) if orientation >= 5 else (40, 30))
    assert checked.orientation == orientation
    assert Reason.EXIF_TRANSPOSED in checked.repairs
    tolerance = 12 if image_format == "JPEG" else 0
    difference = np.abs(pixels(checked.data).astype(int) - np.asarray(upright.convert("RGB")).astype(int))
    assert difference.max() <= tolerance
    assert check_image(checked.data, ImagePolicy()).orientation == 1


def test_policy_says_what_becomes_of_turned_pictures() -> None:
    data = turned_jpeg(6)
    assert check_image(data, ImagePolicy(exif="ignore")).data is data
    assert refusal(data, ImagePolicy(exif="reject")) == Reason.EXIF_ROTATED
    assert check_image(turned_jpeg(1), ImagePolicy(exif="reject")).repairs == ()


def test_limit_of_pixels_holds_before_decoding() -> None:
    assert check_image(png(100, 100), ImagePolicy(max_pixels=10_000)).width == 100
    assert refusal(png(101, 100), ImagePolicy(max_pixels=10_000)) == Reason.IMAGE_TOO_LARGE


def test_pixels_of_sixteen_bits_survive_conversion() -> None:
    values = np.arange(1200, dtype=np.uint16).reshape(30, 40) * 50
    for mode, stored in (("I;16", values), ("I;16B", values.astype(">u2"))):
        data = encoded(Image.frombytes(mode, (40, 30), stored.tobytes()), "TIFF")
        checked = check_image(data, ImagePolicy())
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(checked.data))), values)


def test_first_picture_of_an_animation_is_taken() -> None:
    frames = [picture(seed=seed) for seed in range(3)]
    data = encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    np.testing.assert_array_equal(pixels(check_image(data, ImagePolicy()).data), np.asarray(frames[0]))


def test_cmyk_becomes_the_colours_that_pillow_shows() -> None:
    data = encoded(picture(mode="CMYK"))
    checked = check_image(data, ImagePolicy())
    assert (checked.format, checked.repairs) == ("png", (Reason.FORMAT_CONVERTED,))
    np.testing.assert_array_equal(pixels(checked.data), pixels(data))


@pytest.mark.parametrize(
    "options",
    [
        {"quality": 80},
        {"quality": 80, "progressive": True},
        {"quality": 80, "subsampling": 0, "restart_marker_blocks": 3},
        {"quality": 80, "keep_rgb": True},
    ],
    ids=str,
)
def test_damage_is_seen_as_by_decoding_all_colours(options: dict[str, int]) -> None:
    generator = np.random.default_rng(7)
    noise = Image.fromarray(generator.integers(0, 256, (48, 64, 3), np.uint8))
    whole = np.frombuffer(encoded(noise, "JPEG", **options), np.uint8)
    verdicts = []
    for number in range(300):
        data = whole.copy()
        places = generator.integers(0, len(data), generator.integers(1, 5))
        data[places] = generator.integers(0, 256, len(places))
        data = data[: generator.integers(len(data))] if number % 4 == 0 else data
        verdicts.append((_fault(data.tobytes(), decode_jpeg), _fault(data.tobytes(), lambda image: image.load())))
    assert all(ours == theirs for ours, theirs in verdicts)
    assert 30 < sum(bool(ours) for ours, _ in verdicts) < 270


def _fault(data: bytes, decode: Callable[[Image.Image], object]) -> str:
    try:
        decode(Image.open(io.BytesIO(data), formats=["JPEG"]))
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def test_module_does_not_import_tensorflow() -> None:
    code = "import sys, transforms.images.check_image; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
