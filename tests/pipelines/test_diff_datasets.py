"""``boxmill diff`` between datasets that are built for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines import diff_datasets
from tests.sample_data import BuiltDataset, build_dataset, coco_box, coco_bytes, coco_image, jpeg, write_files

COUNT = 20


def labels(names: range, box: list[float], category: int = 1, first_id: int = 1) -> bytes:
    """Image 3 has one more box, which is as given."""
    images = [coco_image(number + first_id, f"{number:03d}.jpg") for number in names]
    boxes = [coco_box(number, number + first_id, [1, 1, 9, 9], 3) for number in names]
    return coco_bytes(images, [*boxes, coco_box(99, 3 + first_id, box, category)])


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("diff")
    return write_files(folder, {f"images/{number:03d}.jpg": jpeg(seed=number) for number in range(COUNT + 5)})


def build(inputs: Path, output: Path, text: bytes, *flags: str) -> BuiltDataset:
    write_files(output, {"labels.json": text})
    return build_dataset(output, output / "labels.json", inputs / "images", "--examples_per_shard=4", *flags)


@pytest.fixture(scope="module")
def before(inputs: Path) -> BuiltDataset:
    return build(inputs, inputs / "before", labels(range(COUNT), [10, 10, 10, 10]))


def diff(before: BuiltDataset, after: BuiltDataset, folder: Path) -> tuple[int, dict[str, Any], list[dict[str, Any]]]:
    """Exit code, totals, and a row for each image that differs."""
    files = folder / "totals.json", folder / "images.jsonl"
    code = diff_datasets.main([str(before.folder), str(after.folder), f"--json={files[0]}", f"--output={files[1]}"])
    totals = json.loads(files[0].read_text())
    assert sum(totals["images"][kind] for kind in ("same", "added", "changed")) == totals["after"]["images"]
    assert sum(totals["images"][kind] for kind in ("same", "removed", "changed")) == totals["before"]["images"]
    return code, totals, [json.loads(line) for line in files[1].read_text().splitlines()]


def test_same_images_in_other_shards(
    inputs: Path, before: BuiltDataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    after = build(inputs, tmp_path, labels(range(COUNT), [10, 10, 10, 10]), "--examples_per_shard=20")
    code, totals, rows = diff(before, after, tmp_path)
    assert (code, totals["images"]["same"], rows) == (0, COUNT, [])
    assert "the images are the same" in capsys.readouterr().out


CHANGES = {
    "moved a little": ([11, 10, 10, 10], 1, {"cat": {"added": 0, "removed": 0, "changed": 1}}),
    "another class": (
        [10, 10, 10, 10],
        3,
        {"cat": {"added": 0, "removed": 1, "changed": 0}, "dog": {"added": 1, "removed": 0, "changed": 0}},
    ),
}


@pytest.mark.parametrize("case", CHANGES)
def test_boxes(inputs: Path, before: BuiltDataset, tmp_path: Path, case: str) -> None:
    box, category, boxes = CHANGES[case]
    after = build(inputs, tmp_path, labels(range(COUNT), [float(edge) for edge in box], category))
    code, totals, rows = diff(before, after, tmp_path)
    assert (code, totals["boxes"]) == (2, boxes)
    assert totals["changed"] == {"picture": 0, "annotations": 1, "other": 0, "moved": 0}
    assert [(row["file_name"], row["change"], row["annotations"]) for row in rows] == [("003.jpg", "changed", True)]


def test_images_come_and_go(inputs: Path, before: BuiltDataset, tmp_path: Path) -> None:
    after = build(inputs, tmp_path, labels(range(2, COUNT + 5), [10, 10, 10, 10]), f"--previous={before.folder}")
    code, totals, rows = diff(before, after, tmp_path)
    assert (code, totals["images"]) == (2, {"same": COUNT - 2, "added": 5, "removed": 2, "changed": 0})
    assert totals["boxes"] == {"dog": {"added": 5, "removed": 2, "changed": 0}}
    assert {row["file_name"] for row in rows if row["change"] == "removed"} == {"000.jpg", "001.jpg"}


def test_splits_pictures_and_ids(inputs: Path, before: BuiltDataset, tmp_path: Path) -> None:
    moved = build(inputs, tmp_path / "a", labels(range(COUNT), [10, 10, 10, 10]), "--splits=train=0.4,val=0.6")
    code, totals, rows = diff(before, moved, tmp_path)
    assert code == 2
    assert totals["changed"] == {"picture": 0, "annotations": 0, "other": 0, "moved": len(rows)}
    assert [(item["before"], item["after"]) for item in totals["moved"]] == [("train", "val")]
    other = build(inputs, tmp_path / "b", labels(range(COUNT), [10, 10, 10, 10], first_id=50))
    assert diff(before, other, tmp_path)[1]["changed"] == {"picture": 0, "annotations": 0, "other": COUNT, "moved": 0}
    smaller = build(inputs, tmp_path / "c", labels(range(COUNT), [10, 10, 10, 10]), "--max_side=20")
    assert diff(before, smaller, tmp_path)[1]["changed"]["picture"] == COUNT


REFUSED = {
    "one": (["{before}"], "name two datasets"),
    "no dataset": (["{before}", "{inputs}"], "has no manifest.json"),
    "unknown flag": (["{before}", "{before}", "--jsn=x"], "Unknown command line flag 'jsn'"),
    "no folder": (["{before}", "{before}", "--json=/no/such/place"], "its folder does not exist"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(inputs: Path, before: BuiltDataset, case: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments, said = REFUSED[case]
    assert diff_datasets.main([text.format(before=before.folder, inputs=inputs) for text in arguments]) == 1
    assert said in capsys.readouterr().err


def test_damaged_ledger(inputs: Path, before: BuiltDataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    after = build(inputs, tmp_path, labels(range(COUNT), [10, 10, 10, 10]))
    next(after.folder.glob("ledger/inputs-*")).write_bytes(b"damaged")
    assert diff_datasets.main([str(before.folder), str(after.folder)]) == 1
    assert "another SHA-256" in capsys.readouterr().err
