"""Random polygons and masks, and what pycocotools makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

Ring = tuple[float, ...]


def random_ring(random: np.random.Generator, width: int, height: int) -> Ring:
    """A ring of any of several kinds: crossing itself, outside, on the grid, far larger than the picture, a blob."""
    points = int(random.integers(3, 14))
    kind = random.integers(5)
    if kind == 0:
        numbers = random.uniform(-0.3 * height, 1.3 * width, 2 * points)
    elif kind == 1:
        numbers = random.integers(-5, width + 5, 2 * points).astype(float)
    elif kind == 2:
        numbers = random.integers(-50, 6 * width, 2 * points) / 5 + random.choice([0, 0.1])
    elif kind == 3:
        numbers = random.uniform(-1e5, 1e5, 2 * points)
    else:
        numbers = blob(random, width, height, points)
    return tuple(numbers.tolist())


def blob(random: np.random.Generator, width: int, height: int, points: int) -> np.ndarray[Any, Any]:
    """An outline around a point of the picture, as objects have them; x0, y0, x1, y1, …"""
    angles = np.sort(random.uniform(0, 2 * np.pi, points))
    radii = random.uniform(0.1, 0.5) * min(width, height) * random.uniform(0.6, 1, points)
    x = random.uniform(0.1, 0.9) * width + radii * np.cos(angles)
    y = random.uniform(0.1, 0.9) * height + radii * np.sin(angles)
    return np.stack([x.clip(0, width), y.clip(0, height)], axis=1).reshape(-1)


def coco_rle(rings: Sequence[Ring], width: int, height: int) -> dict[str, Any]:
    """Rings as pycocotools' compressed run lengths."""
    coco_mask = pytest.importorskip("pycocotools.mask")
    merged: dict[str, Any] = coco_mask.merge(coco_mask.frPyObjects([list(ring) for ring in rings], height, width))
    return merged


def coco_bitmap(rle: dict[str, Any]) -> np.ndarray[Any, Any]:
    """The pixels of pycocotools' run lengths, 0 and 1 [height, width]."""
    coco_mask = pytest.importorskip("pycocotools.mask")
    bitmap: np.ndarray[Any, Any] = coco_mask.decode(rle)
    return bitmap
