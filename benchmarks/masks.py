"""Masks: the PNG writer beside Pillow's, and boxmill build beside Model Garden's COCO writer, both with masks.

    python -m benchmarks.masks [--images=4000] [--rounds=3] [--folder=FOLDER] [--only=png,build]

Compare ratios, not seconds; the machine should be idle. Model Garden is measured where `make garden` has installed it.
"""

from __future__ import annotations

import argparse
import io
import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.build import GARDEN_PYTHON, Benchmark, boxmill, garden, print_table
from benchmarks.sample_images import HEIGHT, WIDTH, make_outline, write_dataset
from transforms.masks.mask_png import bitmap_of_columns, png_of_bitmap, pngs_of_columns
from transforms.masks.polygons import changes_of_polygons

MASKS = 7  # an image, as COCO has on average
_POINTS = 30
_OUTLINES = 42 * MASKS
_REPEATS = 5


def png_writers() -> None:
    """Microseconds and bytes a mask of each way to PNGs of the same pixels; the fastest of some repeats.

    Boxmill encodes the masks of a picture together.
    """
    generator = np.random.default_rng(0)
    corners = generator.integers(0, (WIDTH - 200, HEIGHT - 200), (_OUTLINES, 2))
    boxes = np.concatenate([corners, generator.integers(10, 200, (_OUTLINES, 2))], axis=1)
    rings = [make_outline(generator, tuple(box), _POINTS) for box in boxes.tolist()]
    pictures = [[[ring] for ring in rings[first : first + MASKS]] for first in range(0, _OUTLINES, MASKS)]
    columns = [changes_of_polygons(masks, WIDTH, HEIGHT) for masks in pictures]
    bitmaps = [_bitmap(ring) for ring in rings]
    ways: dict[str, tuple[Callable[[Any], list[bytes]], Sequence[Any]]] = {
        "Pillow": (_pillow, bitmaps),
        "zlib, Z_RLE": (_zlib_runs, bitmaps),
        "boxmill, of pixels": (lambda bitmap: [png_of_bitmap(bitmap)], bitmaps),
        "boxmill, of runs": (lambda changes: pngs_of_columns(changes, MASKS, WIDTH, HEIGHT), columns),
        "boxmill, of polygons": (_of_polygons, pictures),
    }
    print(f"\nPNG of a mask of {WIDTH}x{HEIGHT} pixels ({_OUTLINES} outlines, {MASKS} a picture)")
    print(f"{'':<24}{'µs':>8}{'bytes':>8}{'times faster':>14}")
    slowest = 0.0
    for name, (write, masks) in ways.items():
        seconds, size = min(_timed(write, masks) for _ in range(_REPEATS))
        slowest = slowest or seconds
        print(f"{name:<24}{seconds / _OUTLINES * 1e6:>8.0f}{size / _OUTLINES:>8.0f}{slowest / seconds:>14.1f}")


def _timed(write: Callable[[Any], list[bytes]], masks: Sequence[Any]) -> tuple[float, int]:
    start = time.perf_counter()
    size = sum(len(png) for item in masks for png in write(item))
    return time.perf_counter() - start, size


def _bitmap(ring: list[float]) -> Any:
    changes = changes_of_polygons([[ring]], WIDTH, HEIGHT)
    return np.ascontiguousarray(bitmap_of_columns(changes, WIDTH, HEIGHT))


def _pillow(bitmap: Any) -> list[bytes]:
    buffer = io.BytesIO()
    Image.fromarray(bitmap).save(buffer, "PNG")
    return [buffer.getvalue()]


def _zlib_runs(bitmap: Any) -> list[bytes]:
    """What the image data alone take."""
    rows = np.zeros((HEIGHT, WIDTH + 1), np.uint8)
    rows[:, 1:] = bitmap
    compressor = zlib.compressobj(strategy=zlib.Z_RLE)
    return [compressor.compress(rows.data) + compressor.flush()]


def _of_polygons(masks: Any) -> list[bytes]:
    return pngs_of_columns(changes_of_polygons(masks, WIDTH, HEIGHT), len(masks), WIDTH, HEIGHT)


def builds(benchmark: Benchmark, images: int) -> None:
    """Whole processes, start-up included, on the same images with seven outlines each."""
    contenders = {
        "boxmill, 2 processes": lambda data, out: boxmill(data, out, 2),
        "boxmill, 1 worker": lambda data, out: boxmill(data, out, 1),
    }
    if GARDEN_PYTHON.exists():
        contenders["Model Garden"] = lambda data, out: garden(data, out, "--include_masks")
    else:
        print("Model Garden is left out: `make garden` installs it")
    print_table(images, benchmark.medians(contenders), f"{MASKS} masks an image, header check")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/boxmill-benchmark"))
    parser.add_argument("--outputs", type=Path, default=Path("/dev/shm/boxmill-benchmark"))
    parser.add_argument("--only", default="png,build")
    options = parser.parse_args()
    if "png" in options.only:
        png_writers()
    if "build" in options.only:
        options.outputs.mkdir(parents=True, exist_ok=True)
        data = options.folder / f"masks{options.images}"
        if not data.exists():
            write_dataset(data, options.images, boxes=MASKS, outline_points=_POINTS)
        builds(Benchmark(data, options.outputs, options.rounds), options.images)


if __name__ == "__main__":
    main()
