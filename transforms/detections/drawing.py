"""Detections drawn onto a frame: boxes, labels that can be read on any ground, masks and key points."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Pixels = NDArray[np.uint8]
Colour = tuple[int, int, int]

_GOLDEN_RATIO = 0.618033988749895
_MASK_OPACITY = 0.4


def class_colour(class_id: int) -> Colour:
    """A bright colour, RGB, that is the same for a class in every video; neighbouring ids are far apart in
    hue."""
    red, green, blue = colorsys.hsv_to_rgb(class_id * _GOLDEN_RATIO % 1.0, 0.85, 0.95)
    return round(red * 255), round(green * 255), round(blue * 255)


def draw_detections(
    pixels: Pixels,
    boxes: NDArray[np.float32],
    scores: NDArray[np.float32],
    classes: NDArray[np.int32],
    labels: Sequence[str],
    *,
    masks: NDArray[np.float32] | None = None,
    keypoints: NDArray[np.float32] | None = None,
    font_path: str | None = None,
) -> Pixels:
    """A copy of the frame with detections drawn on it, the strongest on top.

    Args:
      pixels: RGB uint8 [height, width, 3].
      boxes: [n, 4], ymin, xmin, ymax, xmax as fractions of the frame.
      scores, classes, labels: of each box.
      masks: [n, h, w], 0 to 1, each stretched over its box; above a half is object.
      keypoints: [n, k, 2], y, x as fractions of the frame; those that are not finite are left out.
      font_path: a TrueType font, for labels in a script that the built-in one lacks (it has ASCII alone).
    """
    height, width = pixels.shape[:2]
    order = np.argsort(scores, kind="stable")
    canvas = pixels.copy()
    edges = boxes * np.array([height, width, height, width], np.float32)
    if masks is not None:
        for i in order:
            _tint(canvas, edges[i], masks[i], class_colour(int(classes[i])))
    image = Image.fromarray(canvas)
    draw = ImageDraw.Draw(image)
    line = max(2, round(min(height, width) / 240))
    for i in order:
        ymin, xmin, ymax, xmax = (float(v) for v in edges[i])
        colour = class_colour(int(classes[i]))
        # A box of less than a pixel still has a mark.
        draw.rectangle((xmin, ymin, max(xmax - 1, xmin), max(ymax - 1, ymin)), outline=colour, width=line)
        if keypoints is not None:
            _dot(draw, keypoints[i] * np.array([height, width]), line + 1, colour)
    font = _font(max(12, round(min(height, width) / 30)), font_path)
    for i in order:
        text = f"{labels[i]} {scores[i]:.2f}"
        _tag(draw, text, (float(edges[i][1]), float(edges[i][0])), (width, height), font, int(classes[i]))
    return np.asarray(image)


def can_draw(text: str, font_path: str | None = None) -> bool:
    """Whether a font, or the built-in one, has all characters of a text.

    Raises:
      OSError: the file is no font.
    """
    font = _font(16, font_path)
    absent = bytes(font.getmask("\U0010fffe"))  # of what no font has
    return all(character.isspace() or bytes(font.getmask(character)) != absent for character in text)


@lru_cache(maxsize=8)
def _font(size: int, path: str | None) -> ImageFont.FreeTypeFont:
    if path is not None:
        return ImageFont.truetype(path, size)
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont), "Pillow was built without FreeType"
    return font


def _tag(
    draw: ImageDraw.ImageDraw,
    text: str,
    corner: tuple[float, float],
    size: tuple[int, int],
    font: ImageFont.FreeTypeFont,
    class_id: int,
) -> None:
    """Text on a filled ground above the box's top-left corner, or inside of the frame where there is no
    room."""
    left, top, right, bottom = font.getbbox(text)
    pad = max(2, round(font.size / 6))
    width, height = right - left + 2 * pad, bottom - top + 2 * pad
    x = max(0.0, min(corner[0], size[0] - width))
    y = corner[1] - height if corner[1] >= height else max(0.0, min(corner[1], size[1] - height))
    colour = class_colour(class_id)
    draw.rectangle((x, y, x + width, y + height), fill=colour)
    draw.text((x + pad - left, y + pad - top), text, fill=_readable_on(colour), font=font)


def _readable_on(colour: Colour) -> Colour:
    """Black or white, whichever stands out more; the weights are those of ITU-R BT.601's luma."""
    luma = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]
    return (0, 0, 0) if luma > 128 else (255, 255, 255)


def _dot(draw: ImageDraw.ImageDraw, points: NDArray[np.float64], radius: int, colour: Colour) -> None:
    for y, x in points[np.isfinite(points).all(axis=1)]:
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour, outline=(255, 255, 255))


def _tint(canvas: Pixels, edges: NDArray[np.float32], mask: NDArray[np.float32], colour: Colour) -> None:
    ymin, xmin, ymax, xmax = (round(float(v)) for v in edges)
    if ymax <= ymin or xmax <= xmin:
        return
    stretched = Image.fromarray(mask.astype(np.float32)).resize((xmax - xmin, ymax - ymin))
    part = canvas[ymin:ymax, xmin:xmax]
    inside = np.asarray(stretched)[: part.shape[0], : part.shape[1]] > 0.5
    tint = np.array(colour, np.float32)
    part[inside] = (part[inside] * (1 - _MASK_OPACITY) + tint * _MASK_OPACITY).astype(np.uint8)
