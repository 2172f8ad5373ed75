"""How much an incremental build writes again: 10,000 images, 1 % new, 0.5 % changed, 0.5 % removed.

``python -m benchmarks.incremental [IMAGES A SHARD…]`` prints a row for each size of shards and each way that changes
lie: spread over all images by chance, or among the images that the build before has added. Pictures are small: shares
do not depend on it, but a full build of them is far quicker than one of usual pictures. A row says of the bytes of the
new dataset's shards which share is

* encoded anew: records whose pictures were read and checked;
* copied: records as they were, in shards that had to be written because others in them have changed or are gone;
* linked: shards as they were, of which no byte was read or written;
* written again: what is encoded anew and what is copied, whichever way the bytes go.
"""

from __future__ import annotations

import contextlib
import io
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
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


def copied_bytes(dataset: Path, before: Path, rewritten: Iterable[str]) -> int:
    """Of rewritten shards, the bytes of records that were in the dataset before, by the ledgers of both."""
    old = set()
    for path in before.glob("ledger/inputs-*.parquet"):
        table = pq.read_table(path, columns=["key", "record"])
        old.update(zip(*(column.to_pylist() for column in table.columns), strict=True))
    total = 0
    for file in rewritten:
        ledger = f"ledger/inputs-{file.partition('-')[2].replace('.tfrecord', '')}.parquet"
        columns = pq.read_table(dataset / ledger, columns=["key", "record", "record_bytes"]).columns
        rows = zip(*(column.to_pylist() for column in columns), strict=True)
        total += sum(size for key, record, size in rows if (key, record) in old)
    return total


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
        things = folder / str(per_shard) / "things"
        copied = copied_bytes(things / version, things / previous, shards["rewritten"])
        parts = [sizes["written"] - copied, copied, sizes["reused"], sizes["written"]]
        numbers = "/".join(str(len(shards[kind])) for kind in ("reused", "rewritten", "new"))
        shares = " | ".join(f"{100 * part / (sizes['written'] + sizes['reused']):>8.1f} %" for part in parts)
        print(f"{per_shard:>6} | {title:<11} | {numbers:>15} | {shares} | {seconds:>5.1f} of {full:.1f} s", flush=True)


def run(sizes: Sequence[int]) -> None:
    """Measures some sizes of shards."""
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
        print("images | changes     | shards reused/  | bytes of the new shards:           | written    | seconds, of")
        print(
            "a shard| changes     | rewritten/new   | encoded    | copied     | linked     | again      | a full build"
        )
        for per_shard in sizes:
            measure(folder, per_shard)


if __name__ == "__main__":
    run([*map(int, sys.argv[1:])] or [1000, 100, 10, 3])
