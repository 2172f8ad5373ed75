"""Makes many JPEG files of about a given size, quickly: a few real pictures, each copy told apart by a comment."""

from __future__ import annotations

import io
import json
import os
import struct
from pathlib import Path

import numpy as np
from PIL import Image

PICTURES = 32
WIDTH, HEIGHT = 640, 480
BOXES = 5
CLASSES = 10


def make_pictures(target_bytes: int, size: tuple[int, int] = (WIDTH, HEIGHT)) -> list[bytes]:
    """A few JPEGs of about ``target_bytes``, of a size (width, height) in pixels: smooth shapes with noise."""
    width, height = size
    generator = np.random.default_rng(0)
    rows, columns = np.mgrid[0:height, 0:width]
    pictures = []
    for index in range(PICTURES):
        base = 128 + 60 * np.sin(columns / (20 + index))[..., None] * np.cos(rows / (15 + index))[..., None]
        noise = generator.normal(0, 25, (height, width, 3))
        image = Image.fromarray(np.clip(base + noise, 0, 255).astype(np.uint8))
        low, high, data = 1, 95, b""
        while low <= high:
            quality = (low + high) // 2
            buffer = io.BytesIO()
            image.save(buffer, "JPEG", quality=quality)
            data = buffer.getvalue()
            low, high = (quality + 1, high) if len(data) < target_bytes else (low, quality - 1)
        pictures.append(data)
    return pictures


def make_outline(generator: np.random.Generator, box: tuple[float, float, float, float], points: int) -> list[float]:
    """A wavy ring within a box (x, y, width, height), with two decimals as COCO has them."""
    x, y, width, height = box
    angles = np.linspace(0, 2 * np.pi, points, endpoint=False)
    radii = generator.uniform(0.7, 1, points) / 2
    ring = [x + width * (0.5 + radii * np.cos(angles)), y + height * (0.5 + radii * np.sin(angles))]
    outline: list[float] = np.stack(ring, axis=1).reshape(-1).round(2).tolist()
    return outline


def write_dataset(
    folder: Path,
    images: int,
    target_bytes: int = 100_000,
    boxes: int = BOXES,
    outline_points: int = 0,
    size: tuple[int, int] = (WIDTH, HEIGHT),
) -> None:
    """Writes ``images`` JPEG files to ``folder/images`` and COCO boxes, and outlines, to ``folder/instances.json``."""
    (folder / "images").mkdir(parents=True)
    pictures = make_pictures(target_bytes, size)
    generator = np.random.default_rng(1)
    corners = generator.integers(0, (size[0] - 200, size[1] - 200), (images, boxes, 2)).tolist()
    sides = generator.integers(10, 200, (images, boxes, 2)).tolist()
    entries, annotations = [], []
    for index in range(images):
        name = f"{index:07d}.jpg"
        picture = pictures[index % PICTURES]
        comment = f"picture {index}".encode()
        segment = b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment
        with open(folder / "images" / name, "wb") as file:
            file.write(picture[:2] + segment + picture[2:])
        entries.append({"id": index + 1, "file_name": name, "width": size[0], "height": size[1]})
        for box in range(boxes):
            (x, y), (width, height) = corners[index][box], sides[index][box]
            annotations.append(
                {
                    "id": index * boxes + box + 1,
                    "image_id": index + 1,
                    "category_id": (index + box) % CLASSES + 1,
                    "bbox": [x, y, width, height],
                    "area": width * height,
                    "iscrowd": 0,
                }
            )
            if outline_points:
                outline = make_outline(generator, (x, y, width, height), outline_points)
                annotations[-1]["segmentation"] = [outline]
    categories = [{"id": number + 1, "name": f"class {number}"} for number in range(CLASSES)]
    with open(folder / "instances.json", "w", encoding="utf-8") as file:
        json.dump({"images": entries, "annotations": annotations, "categories": categories}, file)
    os.sync()
