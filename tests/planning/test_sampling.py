from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest

from transforms.annotations.coco import read
from transforms.planning.coco_sample import sample_coco
from transforms.planning.sampling import Estimate, ratio_estimate, spread_by_hash
from transforms.records import AnnotatedImage, ReadContext


def test_spread_is_the_same_in_any_order_and_takes_from_everywhere() -> None:
    names = [f"{number:05d}" for number in range(10_000)]
    chosen = spread_by_hash(names, str, 200)
    assert chosen == spread_by_hash(reversed(names), str, 200)
    assert 60 < sum(int(name) < 5000 for name in chosen) < 140
    assert spread_by_hash(names[:3], str, 200) != []


def test_estimate_of_everything_is_exact() -> None:
    assert ratio_estimate([2, 4, 9], [1, 1, 1], 3, 3) == Estimate(15.0)


def test_margin_holds_the_truth_nineteen_times_of_twenty() -> None:
    generator = np.random.default_rng(0)
    sizes = generator.uniform(1, 10, 5000)
    values = sizes * generator.uniform(0.5, 1.5, 5000)
    hits = 0
    for _ in range(200):
        chosen = generator.choice(5000, 100, replace=False)
        found = ratio_estimate(values[chosen].tolist(), sizes[chosen].tolist(), float(sizes.sum()), 5000)
        hits += abs(found.value - values.sum()) <= found.margin * found.value
    assert 180 <= hits <= 199


@pytest.mark.parametrize(("values", "sizes"), [([], []), ([0.0], [0.0])])
def test_nothing_is_estimated_of_nothing(values: list[float], sizes: list[float]) -> None:
    assert ratio_estimate(values, sizes, 100.0, 10).value == 0


def coco_file(images: int, boxes: int, **more: Any) -> bytes:
    entries = [
        {"license": 1, "file_name": f"{i:06d}.jpg", "height": 480, "width": 640, "id": i + 1} for i in range(images)
    ]
    annotations = [
        {
            "id": i,
            "image_id": i // boxes + 1,
            "category_id": i % 3 + 1,
            "bbox": [10 + i % 7, 20, 30, 40],
            "area": 1200,
            "iscrowd": 0,
            "segmentation": {"counts": [5, 6, 7], "size": [480, 640]} if i % 2 else [[1, 2, 3, 4, 5, 6]],
        }
        for i in range(images * boxes)
    ]
    categories = [{"id": number, "name": name} for number, name in enumerate(("cat", "dog", "{owl"), start=1)]
    return json.dumps({"images": entries, "annotations": annotations, "categories": categories, **more}).encode()


def test_a_large_coco_file_is_known_from_blocks() -> None:
    data = coco_file(4000, 6)
    sample = sample_coco(io.BytesIO(data), most_images=50, blocks=64, block_bytes=4096)
    assert sample is not None
    assert sample.images.value == pytest.approx(4000, rel=0.15)
    assert sample.boxes.value == pytest.approx(24_000, rel=0.05)
    assert abs(sample.images.value - 4000) <= sample.images.margin * sample.images.value
    readings = list(read(io.BytesIO(sample.document), ReadContext("s", "a.json", with_masks=False)))
    images = [reading for reading in readings if isinstance(reading, AnnotatedImage)]
    assert 25 <= len(images) <= 50
    assert sum(image.boxes_read for image in images) / len(images) == pytest.approx(6, rel=0.25)
    assert {item.class_name for image in images for item in image.objects} == {"cat", "dog", "{owl"}


def test_a_file_without_images_gives_no_sample() -> None:
    assert sample_coco(io.BytesIO(b"[" + b'{"a": 1}, ' * 10_000 + b"{}]"), 50, blocks=8, block_bytes=1024) is None
