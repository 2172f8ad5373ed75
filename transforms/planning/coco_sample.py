"""A large COCO file known from blocks of it: about how many images and annotations it has, and a small file alike."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from typing import Any, BinaryIO

from transforms.planning.sampling import UNKNOWN_MARGIN, Estimate

BLOCKS = 256
BLOCK_BYTES = 1 << 17
# The last object of a block may go on so far beyond it.
_LONGEST_OBJECT = 1 << 16
_OBJECT = re.compile(r'\{\s*"')
_CATEGORIES = re.compile(r'"categories"\s*:\s*(?=\[)')
_CATEGORIES_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class CocoSample:
    """What blocks of a file say.

    Attributes:
      images, boxes: of the whole file.
      document: a small COCO file of sampled images, with as many of the sampled annotations for each of them as images
        have on average.
    """

    images: Estimate
    boxes: Estimate
    document: bytes


def sample_coco(
    stream: BinaryIO, most_images: int, blocks: int = BLOCKS, block_bytes: int = BLOCK_BYTES
) -> CocoSample | None:
    """Reads blocks of a file at equal distances, and counts the objects that begin in them.

    Args:
      stream: of the file; it can seek.
      most_images: of the small document.
      blocks, block_bytes: how many, and how large.

    Returns:
      None if no image begins in any block.
    """
    size = stream.seek(0, os.SEEK_END)
    decoder = json.JSONDecoder()
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    with_images = with_annotations = 0
    for number in range(blocks):
        stream.seek(number * (size - block_bytes) // max(1, blocks - 1))
        text = stream.read(block_bytes + _LONGEST_OBJECT).decode("utf-8", "replace")
        before = len(images), len(annotations)
        for entry in _objects(text, block_bytes, decoder):
            if "image_id" in entry:
                annotations.append(entry)
            elif "file_name" in entry or "coco_url" in entry:
                images.append(entry)
        with_images += len(images) > before[0]
        with_annotations += len(annotations) > before[1]
    if not images:
        return None
    scale = size / (blocks * block_bytes)
    return CocoSample(
        Estimate(len(images) * scale, _margin(with_images)),
        Estimate(len(annotations) * scale, _margin(with_annotations)),
        _document(images[:: -(-len(images) // most_images)], annotations, len(images), _categories(stream, size)),
    )


def _margin(blocks: int) -> float:
    """A section begins and ends within blocks, of which half may be missed or be too much."""
    return min(UNKNOWN_MARGIN, 2 / blocks) if blocks else UNKNOWN_MARGIN


def _objects(text: str, end: int, decoder: json.JSONDecoder) -> list[dict[str, Any]]:
    """The objects that begin before ``end``, outer ones only, as far as they are whole."""
    found: list[dict[str, Any]] = []
    place = 0
    while (match := _OBJECT.search(text, place)) and match.start() < end:
        try:
            entry, place = decoder.raw_decode(text, match.start())
            found.append(entry)
        except ValueError:
            place = match.end()
    return found


def _categories(stream: BinaryIO, size: int) -> list[Any]:
    """The categories, if they stand near the begin or the end of the file."""
    for start in (0, max(0, size - _CATEGORIES_BYTES)):
        stream.seek(start)
        text = stream.read(_CATEGORIES_BYTES).decode("utf-8", "replace")
        if match := _CATEGORIES.search(text):
            try:
                return list(json.JSONDecoder().raw_decode(text, match.end())[0])
            except ValueError:
                continue
    return []


def _document(
    images: list[dict[str, Any]], annotations: list[dict[str, Any]], found: int, categories: list[Any]
) -> bytes:
    wanted = round(len(annotations) * len(images) / found)
    step = max(1, len(annotations) // max(1, wanted))
    entries = [
        {**entry, "image_id": images[number % len(images)].get("id"), "id": number + 1}
        for number, entry in enumerate(annotations[::step][:wanted])
    ]
    if not categories:
        class_ids = sorted({entry["category_id"] for entry in entries if isinstance(entry.get("category_id"), int)})
        categories = [{"id": class_id, "name": f"class {class_id}"} for class_id in class_ids]
    return json.dumps({"images": images, "annotations": entries, "categories": categories}).encode()
