"""Clips of coloured rectangles that move, for the demonstration's detector: where they are is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.videos.clips import write_clip

COLOURS = {1: (210, 40, 30), 2: (30, 180, 60), 3: (40, 60, 200)}
SIZE = (192, 128)
_GROUND = 190


def true_boxes(number: int) -> dict[int, tuple[int, int, int, int]]:
    """Class id → left, top, right, bottom in pixels in that frame; the blue one is not always there."""
    step = number % 24
    boxes = {1: (8 + 2 * step, 16, 56 + 2 * step, 56), 2: (112, 8 + 2 * step, 168, 48 + 2 * step)}
    if number % 3 == 0:
        boxes[3] = (16, 80, 64, 112)
    return boxes


def shapes_picture(number: int, width: int = SIZE[0], height: int = SIZE[1]) -> np.ndarray:
    """RGB uint8 [height, width, 3]."""
    picture = np.full((height, width, 3), _GROUND, np.uint8)
    for class_id, (left, top, right, bottom) in true_boxes(number).items():
        picture[top:bottom, left:right] = COLOURS[class_id]
        if class_id == 3:  # a quarter is missing, so that it scores less than the others
            picture[(top + bottom) // 2 : bottom, (left + right) // 2 : right] = _GROUND
    return picture


def write_shapes_clip(path: Path, frames: int = 90, **how: Any) -> Path:
    """A clip of 30 frames a second with a key frame every 12 frames."""
    options = {"preset": "ultrafast", "bf": "2", "crf": "12"}
    return write_clip(path, frames, size=SIZE, picture=shapes_picture, options=options, **how)
