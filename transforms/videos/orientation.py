"""Turning decoded pixels upright, as the container's display matrix asks."""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

_NO_TURN = (1.0, 0.0, 0.0, 1.0)


def display_matrix(frame: Any) -> tuple[float, float, float, float]:
    """The part ``a, b, c, d`` of a frame's display matrix: x' = a x + c y, y' = b x + d y, with y downwards.

    The identity where the frame has none. Not for every frame of a video: PyAV's side data and its frame
    refer to each other, so each frame asked would stay in memory until the garbage collector comes by. Source
    of the layout: ISO/IEC 14496-12, 8.3.2 (nine 32-bit integers, of which the first, second, fourth and fifth
      turn and mirror, as 16.16 fixed point).
    """
    for data in frame.side_data.keys():  # noqa: SIM118 - iterating the container itself gives other objects
        if data.type.name == "DISPLAYMATRIX":
            values = struct.unpack("<9i", bytes(data))
            return values[0] / 65536, values[1] / 65536, values[3] / 65536, values[4] / 65536
    return _NO_TURN


def quarter_turns(matrix: tuple[float, float, float, float]) -> tuple[int, bool]:
    """Clockwise quarter turns, and whether to mirror left and right before them. Other angles go to the
    nearest."""
    a, b, c, d = matrix
    mirrored = a * d - b * c < 0
    if mirrored:
        a, b = -a, -b
    return round(math.atan2(b, a) / (math.pi / 2)) % 4, mirrored


def upright(pixels: Pixels, turns: int, mirrored: bool) -> Pixels:
    """Applies ``quarter_turns`` to pixels [height, width, channels]; contiguous."""
    if mirrored:
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(np.rot90(pixels, -turns))
