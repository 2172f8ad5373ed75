"""One segment of an annotated video: drawn frames, encoded so that segments can be joined by their
packets."""

from __future__ import annotations

from fractions import Fraction
from os import PathLike
from types import TracebackType
from typing import BinaryIO, Self

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]

# NUT keeps any time base exactly and holds no date; bit-exact, no version either.
SEGMENT_FORMAT = "nut"
_MUXER = {"fflags": "+bitexact"}
# Without B-frames a packet's decoding time is its presentation time, so packets of segments follow each other
# as they are. One thread, since the number of threads changes x264's output.
_X264 = {"preset": "veryfast", "crf": "23", "bf": "0", "threads": "1"}
_KEY_FRAME_EVERY = 120


class SegmentEncoder:
    """Encodes the frames of one segment as H.264, 4:2:0, into a file of its own; use it in a ``with``.

    Equal frames and settings give equal bytes.

    Args:
      file: path, or a seekable binary file.
      width, height: of the whole video, upright. A frame of another size is scaled; odd sizes get one more
        column or row, repeated from the edge, since 4:2:0 has none.
      time_base: the source's.
      pixel_aspect: width : height of an upright pixel.
    """

    def __init__(
        self,
        file: str | PathLike[str] | BinaryIO,
        width: int,
        height: int,
        time_base: Fraction,
        *,
        pixel_aspect: Fraction = Fraction(1),
    ) -> None:
        self._size = (width, height)
        target = file if hasattr(file, "write") else str(file)
        self._container = av.open(target, "w", format=SEGMENT_FORMAT, options=_MUXER)
        self._stream = self._container.add_stream("libx264", options=_X264)
        context = self._stream.codec_context
        context.width, context.height = width + width % 2, height + height % 2
        context.pix_fmt = "yuv420p"
        context.time_base = self._stream.time_base = time_base
        context.gop_size = _KEY_FRAME_EVERY
        context.sample_aspect_ratio = pixel_aspect
        # Players take untagged video for BT.709 or BT.601 by its size; so it is said.
        context.colorspace = context.color_primaries = context.color_trc = 1
        context.color_range = 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._container.mux(self._stream.encode(None))
        finally:
            self._container.close()

    def write(self, pts: int, pixels: Pixels) -> None:
        """Appends an upright frame, RGB uint8 [h, w, 3]; ``pts`` is in the source's time base, and
        ascends."""
        height, width = pixels.shape[:2]
        if (width, height) != self._size:
            pixels = np.asarray(Image.fromarray(pixels).resize(self._size))
        pixels = np.pad(pixels, ((0, self._size[1] % 2), (0, self._size[0] % 2), (0, 0)), mode="edge")
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
        frame = frame.reformat(format="yuv420p", dst_colorspace="ITU709")
        frame.pts, frame.time_base = pts, self._stream.codec_context.time_base
        self._container.mux(self._stream.encode(frame))
