from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from transforms.detectors.frame_inputs import check_frames, encode_pixels, encode_png, resize_frames
from transforms.detectors.model_info import PixelEncoding

PIXELS = np.array([0, 1, 127, 128, 255], np.uint8).repeat(3).reshape(1, 1, 5, 3)

ENCODINGS = {
    "uint8 as they are": ("uint8", PixelEncoding(None, None, 0.0, 0, ""), [0, 1, 127, 128, 255]),
    "float32 of an SSD": (
        "float32",
        PixelEncoding((127.5,), (127.5,), 0.0, 0, ""),
        [-1, -126.5 / 127.5, -1 / 255, 1 / 255, 1],
    ),
    "float32 0..1": (
        "float32",
        PixelEncoding((0.0,), (255.0,), 0.0, 0, ""),
        [0, 1 / 255, 127 / 255, 128 / 255, 1],
    ),
    "int8 by shift": ("int8", PixelEncoding((0.0,), (1.0,), 1.0, -128, ""), [-128, -127, -1, 0, 127]),
    "int8 by metadata": ("int8", PixelEncoding((127.5,), (127.5,), 1 / 127, 0, ""), [-127, -126, 0, 0, 127]),
    "int8 out of range": ("int8", PixelEncoding((0.0,), (1.0,), 0.5, 0, ""), [0, 2, 127, 127, 127]),
}


@pytest.mark.parametrize(("dtype", "encoding", "values"), ENCODINGS.values(), ids=ENCODINGS)
def test_encode_pixels(dtype: str, encoding: PixelEncoding, values: list[float]) -> None:
    encoded = encode_pixels(PIXELS, dtype, encoding)
    assert encoded.dtype == dtype
    np.testing.assert_allclose(encoded[0, 0, :, 1], values, rtol=1e-5, atol=1e-6)


def test_encode_pixels_by_channel() -> None:
    encoding = PixelEncoding((0.0, 100.0, 200.0), (1.0, 2.0, 5.0), 0.0, 0, "")
    encoded = encode_pixels(np.full((1, 1, 1, 3), 200, np.uint8), "float32", encoding)
    assert encoded.tolist() == [[[[200.0, 50.0, 0.0]]]]


def test_png_keeps_every_pixel() -> None:
    frame = np.random.default_rng(1).integers(0, 256, (17, 31, 3)).astype(np.uint8)
    decoded = Image.open(io.BytesIO(encode_png(frame)))
    assert decoded.format == "PNG"
    np.testing.assert_array_equal(np.asarray(decoded), frame)


def test_resize_takes_height_first_and_keeps_the_layout() -> None:
    frames = np.zeros((2, 40, 60, 3), np.uint8)
    frames[1, :, 30:] = (10, 20, 30)
    resized = resize_frames(frames, (20, 10))
    assert resized.shape == (2, 20, 10, 3)
    assert resized[0].max() == 0
    assert resized[1, 10, 9].tolist() == [10, 20, 30]
    assert resized[1, 10, 0].tolist() == [0, 0, 0]


def test_resize_to_the_same_size_copies_nothing() -> None:
    frames = np.zeros((2, 40, 60, 3), np.uint8)
    assert resize_frames(frames, (40, 60)) is frames


WRONG_FRAMES: dict[str, Any] = {
    "floats": np.zeros((1, 4, 4, 3), np.float32),
    "one frame": np.zeros((4, 4, 3), np.uint8),
    "gray": np.zeros((1, 4, 4, 1), np.uint8),
    "channels first": np.zeros((1, 3, 4, 4), np.uint8),
    "no rows": np.zeros((1, 0, 4, 3), np.uint8),
}


@pytest.mark.parametrize("frames", WRONG_FRAMES.values(), ids=WRONG_FRAMES)
def test_other_arrays_are_refused(frames: Any) -> None:
    with pytest.raises(ValueError, match=r"not uint8 \[batch,height,width,3\]"):
        check_frames(frames)
