"""Small clips made in code, with the frame's number burnt into the pixels so that a test can read it back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

BITS = 10
FAST = {"preset": "ultrafast", "bf": "2"}


def numbered_picture(number: int, width: int = 160, height: int = 96) -> np.ndarray:
    """RGB uint8 [height, width, 3]: a moving ramp, and below it ``number`` as BITS black or white blocks."""
    x = (np.arange(width) * 2 + number * 3) % 256
    picture = np.repeat(x[None, :, None], height, axis=0).repeat(3, axis=2).astype(np.uint8)
    picture[:, :, 1] = (np.arange(height)[:, None] * 2 + number) % 256
    block = width // BITS
    for bit in range(BITS):
        picture[height // 2 :, bit * block : (bit + 1) * block] = 255 * (number >> bit & 1)
    return picture


def read_number(picture: np.ndarray) -> int:
    """The number that ``numbered_picture`` burnt in."""
    height, width = picture.shape[:2]
    block = width // BITS
    middle = picture[height * 3 // 4, block // 2 : BITS * block : block, 1]
    return int(sum(1 << bit for bit, value in enumerate(middle) if value > 127))


def write_clip(
    path: Path,
    frames: int = 60,
    *,
    codec: str = "libx264",
    size: tuple[int, int] = (160, 96),
    pix_fmt: str = "yuv420p",
    gop: int = 12,
    options: Mapping[str, str] | None = None,
    pts: Sequence[int] | None = None,
    time_base: Fraction = Fraction(1, 30),
    container_format: str | None = None,
    container_options: Mapping[str, str] | None = None,
    rotation: int = 0,
    audio: bool = False,
    picture: Callable[[int, int, int], np.ndarray] = numbered_picture,
) -> Path:
    """Encodes numbered pictures, or others; ``pts`` (in ``time_base``) makes the rate variable."""
    options = dict(FAST if options is None and codec == "libx264" else options or {})
    with av.open(str(path), "w", format=container_format, options=dict(container_options or {})) as out:
        stream = out.add_stream(codec, rate=30, options=options)
        stream.width, stream.height = size
        stream.pix_fmt = pix_fmt
        stream.codec_context.gop_size = gop
        stream.codec_context.time_base = stream.time_base = time_base
        stream.codec_context.thread_count = 1
        if rotation:
            stream.set_display_rotation(rotation)
        sound = out.add_stream("aac", rate=16000, layout="mono") if audio else None
        if sound is not None:
            for packet in _tone(sound, frames / 30):
                out.mux(packet)
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(picture(number, *size), format="rgb24")
            frame.pts = pts[number] if pts is not None else number
            frame.time_base = time_base
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def write_sound(path: Path, seconds: float = 1.0) -> Path:
    """A file with an audio stream alone."""
    with av.open(str(path), "w") as out:
        sound = out.add_stream("aac", rate=16000, layout="mono")
        for packet in _tone(sound, seconds):
            out.mux(packet)
    return path


def _tone(sound: av.audio.stream.AudioStream, seconds: float) -> list[av.Packet]:
    packets = []
    for start in range(0, int(16000 * seconds), 1024):
        wave = np.sin(np.arange(start, start + 1024) * 0.17).astype(np.float32)[None]
        frame = av.AudioFrame.from_ndarray(wave * 0.2, format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 16000, start, Fraction(1, 16000)
        packets += sound.encode(frame)
    return packets + sound.encode(None)
