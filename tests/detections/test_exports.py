from __future__ import annotations

import contextlib
import csv
import io
import json
from pathlib import Path

import pytest
from pycocotools.coco import COCO

from tests.detections.rows import FACTS, LABELS, RECORDS, tables
from transforms.detections.exports import EXPORTS, write_files
from transforms.detections.tables import detection_table, frame_table


def _export(kind: str, folder: Path) -> dict[str, str]:
    detections, frames = tables()
    paths = write_files(folder, EXPORTS[kind](detections, frames, LABELS))
    return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in paths}


def test_coco_is_what_pycocotools_takes(tmp_path: Path) -> None:
    assert set(_export("coco", tmp_path)) == {"coco_images.json", "coco_results.json"}
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(tmp_path / "coco_images.json"))
        results = truth.loadRes(str(tmp_path / "coco_results.json"))
    assert sorted(truth.imgs) == [0, 2, 4]
    assert truth.imgs[4]["file_name"] == "street 1_000004.jpg"
    assert (truth.imgs[4]["width"], truth.imgs[4]["height"], truth.imgs[4]["pts"]) == (200, 100, 4004)
    assert [c["name"] for c in truth.loadCats(truth.getCatIds())] == ["person", "car", "개"]
    (car,) = results.loadAnns(results.getAnnIds(catIds=[3]))
    assert car["image_id"] == 4
    assert car["bbox"] == pytest.approx([100, 25, 100, 50])
    assert car["score"] == pytest.approx(0.75)


def test_mot_counts_frames_from_one(tmp_path: Path) -> None:
    rows = list(csv.reader(io.StringIO(_export("mot", tmp_path)["mot.csv"])))
    assert len(rows) == 3
    assert rows[0] == ["1", "-1", "40.00", "10.00", "80.00", "40.00", "0.900000", "-1", "-1", "-1"]
    assert rows[2][:2] == ["5", "-1"]


def test_jsonl_has_a_line_for_every_frame(tmp_path: Path) -> None:
    lines = [json.loads(line) for line in _export("jsonl", tmp_path)["detections.jsonl"].splitlines()]
    assert [line["frame_index"] for line in lines] == [0, 1, 2, 3, 4]
    assert [len(line["detections"]) for line in lines] == [2, 0, 0, 0, 1]
    assert lines[3]["status"] == "lost"
    assert lines[0]["detections"][1] == {
        "class_id": 18,
        "label": "개",
        "score": 0.5,
        "box": [0.0, 0.0, 1.0, 1.0],
    }


def test_yolo_has_a_file_for_every_processed_frame(tmp_path: Path) -> None:
    files = _export("yolo", tmp_path)
    assert files.pop("classes.txt").splitlines() == ["person", "car", "개"]
    assert sorted(files) == [f"labels/street 1_00000{n}.txt" for n in (0, 2, 4)]
    assert files["labels/street 1_000002.txt"] == ""
    assert files["labels/street 1_000004.txt"] == "1 0.750000 0.500000 0.500000 0.500000 0.750000\n"


@pytest.mark.parametrize("kind", EXPORTS)
def test_a_video_without_detections_exports_too(kind: str, tmp_path: Path) -> None:
    nothing = detection_table(FACTS, [], RECORDS, segment=0, labels={})
    frames = frame_table(FACTS, RECORDS, {})
    paths = write_files(tmp_path, EXPORTS[kind](nothing, frames, {}))
    for path in paths:
        if path.suffix == ".json":
            json.loads(path.read_text())
    assert paths


@pytest.mark.parametrize("kind", EXPORTS)
def test_equal_tables_give_equal_bytes(kind: str, tmp_path: Path) -> None:
    assert _export(kind, tmp_path / "a") == _export(kind, tmp_path / "b")


def test_classes_outside_of_the_label_map_are_kept(tmp_path: Path) -> None:
    detections, frames = tables()
    write_files(tmp_path, EXPORTS["yolo"](detections, frames, {1: "person", 2: "bicycle"}))
    assert (tmp_path / "classes.txt").read_text().splitlines() == ["person", "bicycle", "car", "개"]
