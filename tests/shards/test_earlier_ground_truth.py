"""A COCO file cut into the parts that it was joined from."""

from __future__ import annotations

from pathlib import Path

import pytest

from transforms.examples.class_ids import ClassIds
from transforms.shards.coco_ground_truth import PARTS_FOLDER, join_parts, part_file_name
from transforms.shards.earlier_ground_truth import EarlierGroundTruth
from transforms.splits.shard_plan import ShardKey

CLASS_IDS = ClassIds.from_labels({"고양이": 1, 'b], "annotations": [': 2})
CASES = {
    "several": [[["I1", "A1", "A2"], ["I2"]], [["I3", "A3"]]],
    "no box in the last": [[["I1", "A1"]], [["I2"]]],
    "no box": [[["I1"]], [["I2"]]],
    "an empty shard": [[], [["I1", "A1"]], []],
    "nothing": [[]],
}


def full(line: str) -> str:
    if line[0] == "I":
        return f'I"id": {line[1:]}, "file_name": "사\\", ], \\"annotations\\": [{{진.jpg"'
    return f'A"image_id": 7, "bbox": [{line[1:]}, 2.5], "keypoints": [1, 2]'


@pytest.mark.parametrize("case", CASES)
def test_parts(case: str, tmp_path: Path) -> None:
    shards = [[[full(line) for line in record] for record in shard] for shard in CASES[case]]
    (tmp_path / PARTS_FOLDER).mkdir()
    keys = [ShardKey("val", number) for number in range(len(shards))]
    for key, shard in zip(keys, shards, strict=True):
        text = "".join(line + "\n" for record in shard for line in record)
        (tmp_path / part_file_name(key)).write_text(text, encoding="utf-8")
    join_parts(str(tmp_path), keys, CLASS_IDS, str(tmp_path / "val.json"))
    boxes = [[len(record) - 1 for record in shard] for shard in shards]
    found = EarlierGroundTruth(
        str(tmp_path / "val.json"), [len(shard) for shard in shards], list(map(sum, boxes)), RuntimeError
    )
    assert [found.parts(number, boxes[number]) for number in range(len(shards))] == shards


def test_another_file_is_damage(tmp_path: Path) -> None:
    (tmp_path / "val.json").write_text('{"images": [\nno json\n')
    with pytest.raises(RuntimeError):
        EarlierGroundTruth(str(tmp_path / "val.json"), [1], [0], RuntimeError).parts(0, [0])
    with pytest.raises(RuntimeError):
        EarlierGroundTruth(str(tmp_path / "no.json"), [1], [0], RuntimeError)
