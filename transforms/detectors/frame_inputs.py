"""From frames to what a model's input takes: resized pixels, normalised or quantised pixels, PNG bytes,"
" Examples."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from transforms.detectors.model_info import PixelEncoding

Frames = npt.NDArray[np.uint8]


def check_frames(frames: Frames) -> Frames:
    """Returns ``frames`` if they are uint8 [batch,height,width,3].

    Raises:
      ValueError: any other type or shape, or a frame without pixels.
    """
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] != 3 or 0 in frames.shape[1:]:
        raise ValueError(f"Frames are {frames.dtype} {list(frames.shape)}, not uint8 [batch,height,width,3] in RGB.")
    return frames


def resize_frames(frames: Frames, size: tuple[int, int]) -> Frames:
    """Frames [batch,height,width,3] at another (height, width); aspect ratio is not kept, as boxes are"
    " fractions."""
    height, width = size
    if frames.shape[1:3] == (height, width):
        return frames
    resized = np.empty((len(frames), height, width, 3), np.uint8)
    for index, frame in enumerate(frames):
        resized[index] = np.asarray(Image.fromarray(frame).resize((width, height), Image.Resampling.BILINEAR))
    return resized


def encode_pixels(frames: Frames, dtype: str, encoding: PixelEncoding) -> npt.NDArray[Any]:
    """Pixels 0..255 as a TFLite model's input tensor of type ``dtype`` wants them."""
    if encoding.mean is None or encoding.std is None:
        return frames.astype(dtype, copy=False)
    mean, std = np.asarray(encoding.mean, np.float32), np.asarray(encoding.std, np.float32)
    values: npt.NDArray[Any] = (frames.astype(np.float32) - mean) / std
    if encoding.scale:
        limits = np.iinfo(dtype)
        values = np.rint(values / np.float32(encoding.scale)) + np.float32(encoding.zero_point)
        values = np.clip(values, limits.min, limits.max)
    return values.astype(dtype, copy=False)


def encode_png(frame: Frames) -> bytes:
    """A frame [height,width,3] as a PNG. Stored, not compressed: it is decoded again at once, in this"
    " process."""
    stream = io.BytesIO()
    Image.fromarray(frame).save(stream, "PNG", compress_level=0)
    return stream.getvalue()
