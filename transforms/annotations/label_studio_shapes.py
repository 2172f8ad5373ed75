"""Single shapes of Label Studio, as fractions of the picture."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from transforms.annotations.bitmaps import MAX_PIXELS, box_and_mask
from transforms.annotations.fields import as_number, as_size, quote
from transforms.annotations.json_objects import Entry, as_list, number, ring_of_pairs
from transforms.annotations.refusals import Refused, box_of_size
from transforms.annotations.shapes import Ring, bounds, box_ring, ellipse_box, ellipse_ring, turned
from transforms.ledger.reasons import Reason
from transforms.records import Box, Mask, Polygons


def read_shape(kind: str, value: Entry, result: Entry) -> tuple[Box, Mask | None]:
    """The box and mask of a region.

    Args:
      kind: of the shape, "rectangle".
      value: of the result: numbers in percent of the picture.
      result: that the value is of; knows the picture's size in pixels.

    Raises:
      FieldError: the shape has no area, or a field is missing or no number.
    """
    if kind == "rectangle":
        return _rectangle(value, result)
    if kind == "ellipse":
        return _ellipse(value, result)
    if kind == "polygon":
        ring = tuple(coordinate / 100 for coordinate in ring_of_pairs(value.get("points"), "points"))
        return bounds([ring]), Polygons((ring,))
    if kind == "brush":
        return _brush(value, result)
    raise Refused(Reason.SHAPE_UNSUPPORTED, f"a {quote(kind)} has no box")


def _rectangle(value: Entry, result: Entry) -> tuple[Box, Mask | None]:
    x, y, width, height = (number(value, field) / 100 for field in ("x", "y", "width", "height"))
    box = box_of_size(x, y, width, height)
    angle = as_number("rotation", value.get("rotation") or 0)
    if angle == 0:
        return box, None
    width_px, height_px = _size(result)
    ring = turned(_scaled(box_ring(box), width_px, height_px), angle, x * width_px, y * height_px)
    ring = _scaled(ring, 1 / width_px, 1 / height_px)
    return bounds([ring]), Polygons((ring,))


def _ellipse(value: Entry, result: Entry) -> tuple[Box, Mask]:
    x, y, a, b = (number(value, field) / 100 for field in ("x", "y", "radiusX", "radiusY"))
    angle = as_number("rotation", value.get("rotation") or 0)
    width, height = (1, 1) if angle == 0 else _size(result)
    shape = (x * width, y * height, a * width, b * height, angle)
    xmin, ymin, xmax, ymax = ellipse_box(*shape)
    box = Box(xmin / width, ymin / height, xmax / width, ymax / height)
    return box, Polygons((_scaled(ellipse_ring(*shape), 1 / width, 1 / height),))


def _scaled(ring: Ring, x: float, y: float) -> Ring:
    return tuple(value * (y if index % 2 else x) for index, value in enumerate(ring))


def _size(result: Entry) -> tuple[int, int]:
    width, height = as_size(result.get("original_width")), as_size(result.get("original_height"))
    if width is None or height is None:
        raise Refused(Reason.FIELD_MISSING, "the region does not say its picture's original_width and original_height")
    return width, height


def _brush(value: Entry, result: Entry) -> tuple[Box, Mask]:
    width, height = _size(result)
    pixels = _decode_brush(as_list(value.get("rle"), "rle"), width, height)
    box, mask = box_and_mask(pixels)
    return Box(box.xmin / width, box.ymin / height, box.xmax / width, box.ymax / height), mask


def _decode_brush(rle: list[Any], width: int, height: int) -> NDArray[np.bool_]:
    """Pixels [height, width] of a brush.

    The bytes are those of the RLE packer of thi.ng: a head (32 bits: how many values; 5: bits a value, less 1; 4 x 4:
    bits of the four sizes of lengths, less 1), then blocks: a bit that says whether one value is repeated, 2 bits that
    choose the size of the length, the length less 1, and that one value or all of them. The values are the
    picture's RGBA bytes, of which A is the mask.
    """
    count = width * height * 4
    if width * height > MAX_PIXELS or not all(type(item) is int and 0 <= item < 256 for item in rle):
        raise Refused(Reason.FIELD_NOT_NUMBER, f"the rle is no list of bytes for {width}x{height} pixels")
    bits = "".join(f"{item:08b}" for item in rle)
    position = 0

    def take(size: int) -> int:
        nonlocal position
        position += size
        if position > len(bits):
            raise Refused(Reason.FIELD_NOT_NUMBER, "the rle ends too soon")
        return int(bits[position - size : position], 2)

    values, value_bits = take(32), take(5) + 1
    if values != count or value_bits != 8:
        raise Refused(Reason.FIELD_NOT_NUMBER, f"the rle is of {values} values, not of {count} bytes")
    sizes = [take(4) + 1 for _ in range(4)]
    pixels = np.zeros(count, np.uint8)
    start = 0
    while start < count:
        is_run = take(1)
        end = start + take(sizes[take(2)]) + 1
        if end > count:
            raise Refused(Reason.FIELD_NOT_NUMBER, f"the rle is of more than {count} values")
        if is_run:
            pixels[start:end] = take(8)
        else:
            values = take(8 * (end - start))
            pixels[start:end] = np.frombuffer(values.to_bytes(end - start, "big"), np.uint8)
        start = end
    return pixels[3::4].reshape(height, width) > 0
