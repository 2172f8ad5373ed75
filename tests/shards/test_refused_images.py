"""Refused images leave nothing behind in memory."""

from __future__ import annotations

import gc
import json
from pathlib import Path

from tests.local_build import build_locally
from tests.sample_data import jpeg
from transforms.images.image_store import ImageRefused
from transforms.shards.load_image import LoadedImage


def test_a_refused_image_does_not_keep_those_that_were_loaded_with_it(tmp_path: Path) -> None:
    root = tmp_path / "images"
    root.mkdir()
    fine = jpeg()
    pictures = {"cut.jpg": fine[:300], "empty.jpg": b"", **{f"{number}.jpg": fine for number in range(30)}}
    for name, data in pictures.items():
        (root / name).write_bytes(data)
    names = [*pictures, "missing.jpg"]
    # The last of the fine ones is annotated for a picture of another size.
    images = [
        {"id": number, "file_name": name} | ({"width": 5, "height": 5} if name == "29.jpg" else {})
        for number, name in enumerate(names)
    ]
    document = {"images": images, "annotations": [], "categories": []}
    gc.collect()
    before = _alive()
    gc.disable()  # as good as: where millions of tuples are made, it seldom runs
    try:
        counts = build_locally(tmp_path / "out", {"a.json": json.dumps(document).encode()}, root).counts
        after = _alive()
    finally:
        gc.enable()
    assert (counts.images_written, counts.images_rejected) == (29, 4)
    assert after <= before


def _alive() -> int:
    return sum(type(item) in (LoadedImage, ImageRefused) for item in gc.get_objects())
