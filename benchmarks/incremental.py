"""How much an incremental build writes again: 10,000 images, 1 % new, 0.5 % changed, 0.5 % removed.

``python -m benchmarks.incremental`` prints a row for each size of shards and each way the changes lie: spread over all
images by chance, or among the images that the build before has added. Pictures are small: shares do not depend on it.
"""

from __future__ import annotations

import contextlib
import io
import json
import random
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pipelines.cli import main

IMAGES, NEW, CHANGED, REMOVED, ADDED_BEFORE = 10_000, 100, 50, 50, 200
SIDE = 48


def write_pictures(folder: Path, count: int) -> None:
    """Noise, each another."""
    folder.mkdir()
    generator = np.random.default_rng(0)
    for number in range(count):
        pixels = generator.integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:06d}.jpg", quality=90)


def write_labels(path: Path, numbers: Iterable[int], changed: Sequence[int] = ()) -> None:
    """A COCO file; a changed image has another box."""
    moved = set(changed)
    images = [{"id": n + 1, "file_name": f"{n:06d}.jpg", "width": SIDE, "height": SIDE} for n in numbers]
    boxes = [
        {"id": i["id"], "image_id": i["id"], "category_id": 1, "bbox": [1, 1, 30, 40 if i["id"] - 1 in moved else 30]}
        for i in images
    ]
    path.write_text(json.dumps({"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "thing"}]}))


def build(folder: Path, labels: str, version: str, per_shard: int, previous: str = "") -> tuple[dict[str, Any], float]:
    """The manifest, and seconds."""
    flags = [f"--annotations={folder / labels}", f"--images={folder / 'images'}", f"--output={folder / str(per_shard)}"]
    flags += ["--name=things", f"--version={version}", f"--examples_per_shard={per_shard}"]
    if previous:
        flags.append(f"--previous={folder / str(per_shard) / 'things' / previous}")
    began = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as errors:
        code = main(["build", *flags])
    if code != 0:
        raise SystemExit(errors.getvalue())
    seconds = time.perf_counter() - began
    manifest = folder / str(per_shard) / "things" / version / "manifest.json"
    return json.loads(manifest.read_text()), seconds


def measure(folder: Path, per_shard: int) -> None:
    """Prints the rows of one size of shards."""
    _, full = build(folder, "base.json", "1.0.0", per_shard)
    steps = [
        ("no change", "base.json", "1.1.0", "1.0.0"),
        ("spread", "spread.json", "1.2.0", "1.0.0"),
        (f"{ADDED_BEFORE} added", "added.json", "1.3.0", "1.0.0"),
        ("among these", "recent.json", "1.4.0", "1.3.0"),
    ]
    for title, labels, version, previous in steps:
        manifest, seconds = build(folder, labels, version, per_shard, previous)
        sizes, shards = manifest["previous"]["bytes"], manifest["previous"]["shards"]
        share = sizes["written"] / (sizes["written"] + sizes["reused"])
        numbers = "/".join(str(len(shards[kind])) for kind in ("reused", "rewritten", "new"))
        print(
            f"{per_shard:>6} | {title:<12} | {numbers:<15} | {100 * share:>5.1f} % | {seconds:>5.1f} s of {full:.1f} s",
            flush=True,
        )


def run() -> None:
    """Measures all sizes."""
    chance = random.Random(0)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        top = IMAGES + ADDED_BEFORE + NEW
        write_pictures(folder / "images", top)
        write_labels(folder / "base.json", range(IMAGES))
        touched = chance.sample(range(IMAGES), CHANGED + REMOVED)
        gone = set(touched[CHANGED:])
        write_labels(folder / "spread.json", [n for n in range(IMAGES + NEW) if n not in gone], touched[:CHANGED])
        write_labels(folder / "added.json", range(IMAGES + ADDED_BEFORE))
        touched = chance.sample(range(IMAGES, IMAGES + ADDED_BEFORE), CHANGED + REMOVED)
        gone = set(touched[CHANGED:])
        write_labels(folder / "recent.json", [n for n in range(top) if n not in gone], touched[:CHANGED])
        print("images a shard | changes | shards reused/rewritten/new | bytes written | time, of a full build's")
        for per_shard in (1000, 100, 10, 3):
            measure(folder, per_shard)


if __name__ == "__main__":
    run()
