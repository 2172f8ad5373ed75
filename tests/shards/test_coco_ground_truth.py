from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from tests.sample_data import jpeg
from transforms.examples.check_boxes import check_objects
from transforms.examples.checked_objects import CheckedObjects
from transforms.examples.class_ids import ClassIds
from transforms.examples.geometry import Geometry
from transforms.images.check_image import CheckedImage
from transforms.records import Box, ObjectAnnotation
from transforms.shards.coco_ground_truth import GroundTruthPart, join_parts, part_file_name
from transforms.splits.shard_plan import ShardKey

IDS = ClassIds.from_labels({"cat": 1, "개": 7})
IMAGE = CheckedImage(jpeg(), "jpeg", 40, 30)


def strict(text: str) -> None:
    raise AssertionError(f"{text} is no JSON")


@pytest.mark.parametrize(
    "area",
    [
        None,
        12.5,
        math.nan,
        math.inf,
        -1.0,
    ],
)
def test_file_is_json_by_the_letter(tmp_path: Path, area: float | None) -> None:
    part = GroundTruthPart()
    item = ObjectAnnotation(Box(1, 2, 11, 22), "개", area=area, is_crowd=True, difficult=True)
    checked, _ = check_objects([item], Geometry(40, 30, 40, 30))
    part.add("한글\n.jpg", 2**62, IMAGE, checked, IDS)
    part.add("b.jpg", 5, IMAGE, CheckedObjects.of([]), IDS)
    keys = [ShardKey("val", 1), ShardKey("val", 0)]
    (tmp_path / ".parts").mkdir()
    (tmp_path / part_file_name(keys[0])).write_bytes(part.to_bytes())
    (tmp_path / part_file_name(keys[1])).write_bytes(GroundTruthPart().to_bytes())
    join_parts(str(tmp_path), keys, IDS, str(tmp_path / "out.json"))
    found = json.loads((tmp_path / "out.json").read_text("utf-8"), parse_constant=strict)
    assert found == {
        "images": [
            {"id": 2**62, "file_name": "한글\n.jpg", "width": 40, "height": 30},
            {"id": 5, "file_name": "b.jpg", "width": 40, "height": 30},
        ],
        "annotations": [
            {
                "id": 1,
                "image_id": 2**62,
                "category_id": 7,
                "bbox": [1, 2, 10, 20],
                "area": 12.5 if area == 12.5 else 200,
                "iscrowd": 1,
                "ignore": 1,
            }
        ],
        "categories": [{"id": 1, "name": "cat"}, {"id": 7, "name": "개"}],
    }


def test_split_without_images_is_an_empty_file(tmp_path: Path) -> None:
    join_parts(str(tmp_path), [], IDS, str(tmp_path / "out.json"))
    found = json.loads((tmp_path / "out.json").read_bytes())
    assert (found["images"], found["annotations"], len(found["categories"])) == ([], [], 2)
