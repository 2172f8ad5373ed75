"""The ledger, label maps, TFDS files and COCO ground truth agree with the records, or it is found."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.verification.tiny_dataset import NAME, change_manifest, codes_of, findings_of, flipped
from transforms.shards.manifest import read_manifest
from transforms.verification.findings import Code

TRUTH = f"handoff/{NAME}-val.coco.json"
DESCRIPTIONS = ("label_map.pbtxt", "labels.csv", "objects-label.labels.txt", "features.json", "dataset_info.json")
Rows = list[dict[str, Any]]


def _change_rows(path: Path, change: Callable[[Rows], object]) -> None:
    """Rewrites a ledger file with other rows."""
    table = pq.read_table(path)
    metadata = pq.read_metadata(path).metadata
    rows = table.to_pylist()
    change(rows)
    changed = pa.Table.from_pylist(rows, schema=table.schema)
    pq.write_table(changed.replace_schema_metadata(metadata), path)


def _image_ledger(folder: Path) -> Path:
    """The part of the ledger with most images."""
    return max(folder.glob("ledger/images-train-*"), key=lambda path: pq.read_metadata(path).num_rows)


def _box_ledger(folder: Path) -> Path:
    """A part of the ledger that has boxes."""
    return max(folder.glob("ledger/boxes-*-of-*"), key=lambda path: pq.read_metadata(path).num_rows)


@pytest.mark.parametrize("name", [*DESCRIPTIONS, TRUTH])
def test_removed(dataset: Path, name: str) -> None:
    (dataset / name).unlink()
    assert [(finding.code, finding.file) for finding in findings_of(dataset)] == [(Code.FILE_MISSING, name)]


@pytest.mark.parametrize("pattern", ["images-train-*", "boxes-train-*", "images-val-*", "images-rej*", "boxes-rej*"])
def test_ledger_file_removed(dataset: Path, pattern: str) -> None:
    path = sorted(dataset.glob(f"ledger/{pattern}"))[0]
    path.unlink()
    found = codes_of(dataset)
    assert Code.FILE_MISSING in found


def test_whole_ledger_of_rejects_removed(dataset: Path) -> None:
    for path in dataset.glob("ledger/*-rejected.parquet"):
        path.unlink()
    assert Code.COUNT_MISMATCH in codes_of(dataset)


def test_ledger_of_unlisted_images_removed(dataset: Path) -> None:
    (dataset / "ledger/images-unlisted.parquet").unlink()
    assert Code.COUNT_MISMATCH in codes_of(dataset)


@pytest.mark.parametrize("name", [*DESCRIPTIONS, TRUTH])
def test_not_text(dataset: Path, name: str) -> None:
    (dataset / name).write_bytes(b"\xff\xfe\x00")
    assert Code.FILE_UNREADABLE in codes_of(dataset)


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_every_byte_of_a_description_flipped(dataset: Path, name: str) -> None:
    """All bytes count but the free text that describes the dataset."""
    path = dataset / name
    data = path.read_bytes()
    description = data.find(b'"Object detection')
    free = range(description, data.find(b"\n", description)) if description >= 0 else range(0)
    rng = random.Random(name)
    offsets = [offset for offset in range(len(data)) if offset not in free]
    for offset in rng.sample(offsets, 12):
        path.write_bytes(flipped(data, rng, offset))
        assert codes_of(dataset) & {Code.DESCRIPTION_DIFFERS, Code.FILE_UNREADABLE}, offset


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("label_map.pbtxt", 'name: "cat"', 'name: "dog"'),
        ("label_map.pbtxt", 'display_name: "cat"', 'display_name: "dog"'),
        ("label_map.pbtxt", "id: 2", "id: 3"),
        ("labels.csv", "2,", "3,"),
        ("objects-label.labels.txt", "cat\n", ""),
        ("dataset_info.json", '"shardLengths": [\n        "3"', '"shardLengths": [\n        "4"'),
        ("dataset_info.json", '"numBytes": "', '"numBytes": "1'),
        ("features.json", "REL_YXYX", "REL_XYXY"),
        ("features.json", '"numClasses": "3"', '"numClasses": "2"'),
    ],
)
def test_description_edited(dataset: Path, name: str, old: str, new: str) -> None:
    path = dataset / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    [finding] = [finding for finding in findings_of(dataset) if finding.code is not Code.FILE_CHANGED]
    assert (finding.code, finding.file) == (Code.DESCRIPTION_DIFFERS, name)
    assert finding.place.startswith("line ")


IMAGE_ROWS: dict[str, Callable[[Rows], object]] = {
    "first removed": lambda rows: rows.pop(0),
    "last removed": lambda rows: rows.pop(),
    "one doubled": lambda rows: rows.append(rows[-1]),
    "two exchanged": lambda rows: rows.insert(0, rows.pop()),
    "id": lambda rows: rows[1].update(image_id="77"),
    "name": lambda rows: rows[1].update(file_name="x.jpg"),
    "split": lambda rows: rows[1].update(split="val"),
    "shard": lambda rows: rows[1].update(shard=9),
    "index": lambda rows: rows[1].update(index=0),
    "boxes written": lambda rows: rows[1].update(boxes_written=rows[1]["boxes_written"] + 1),
    "boxes read": lambda rows: rows[1].update(boxes_read=rows[1]["boxes_read"] + 1),
    "status": lambda rows: rows[1].update(status="rejected"),
    "status of no kind": lambda rows: rows[1].update(status="lost"),
    "repaired without a reason": lambda rows: rows[1].update(status="repaired"),
    "reason": lambda rows: rows[1].update(reasons=["exif_transposed"]),
}


@pytest.mark.parametrize("name", IMAGE_ROWS)
def test_image_row_edited(dataset: Path, name: str) -> None:
    _change_rows(_image_ledger(dataset), IMAGE_ROWS[name])
    assert Code.LEDGER_ROW in codes_of(dataset)


BOX_ROWS: dict[str, Callable[[Rows], object]] = {
    "removed": lambda rows: rows.pop(),
    "status": lambda rows: rows[0].update(status="repaired" if rows[0]["status"] == "dropped" else "dropped"),
    "status of no kind": lambda rows: rows[0].update(status="lost"),
    "reason": lambda rows: rows[0].update(reason="box_swapped"),
    "image": lambda rows: rows[0].update(file_name="nobody.jpg"),
}


@pytest.mark.parametrize("name", BOX_ROWS)
def test_box_row_edited(dataset: Path, name: str) -> None:
    _change_rows(_box_ledger(dataset), BOX_ROWS[name])
    assert codes_of(dataset) & {Code.LEDGER_ROW, Code.COUNT_MISMATCH, Code.FILE_UNREADABLE}


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: rows.pop(),
        lambda rows: rows[0].update(status="written"),
        lambda rows: rows[0].update(reasons=["not_a_file"]),
    ],
    ids=["removed", "status", "reason"],
)
@pytest.mark.parametrize("file", ["ledger/images-unlisted.parquet", "ledger/images-rejected.parquet"])
def test_row_without_a_shard_edited(dataset: Path, file: str, change: Callable[[Rows], object]) -> None:
    if not pq.read_metadata(dataset / file).num_rows:
        _change_rows(dataset / file, lambda rows: rows.append(_rejected_row()))
        assert Code.COUNT_MISMATCH in codes_of(dataset)
        return
    _change_rows(dataset / file, change)
    assert codes_of(dataset) & {Code.LEDGER_ROW, Code.COUNT_MISMATCH, Code.LEDGER_RESULT}


def _rejected_row() -> dict[str, Any]:
    texts = dict.fromkeys(("source", "annotation_file", "image_id", "detail", "split"), "")
    numbers = {"shard": -1, "index": -1, "boxes_read": 0, "boxes_written": 0}
    return {**texts, **numbers, "file_name": "a.png", "status": "rejected", "reasons": ["image_missing"]}


TRUTHS: dict[str, Callable[[dict[str, Any]], object]] = {
    "image removed": lambda truth: truth["images"].pop(),
    "image doubled": lambda truth: truth["images"].append(truth["images"][0]),
    "image id": lambda truth: truth["images"][0].update(id=12345),
    "image name": lambda truth: truth["images"][0].update(file_name="x.jpg"),
    "image width": lambda truth: truth["images"][0].update(width=33),
    "image height of no kind": lambda truth: truth["images"][0].update(height=None),
    "annotation removed": lambda truth: truth["annotations"].pop(),
    "annotation id": lambda truth: truth["annotations"][0].update(id=77),
    "annotation's image": lambda truth: truth["annotations"][0].update(image_id=truth["annotations"][-1]["image_id"]),
    "annotation of no image": lambda truth: truth["annotations"][0].update(image_id=5),
    "class": lambda truth: truth["annotations"][0].update(category_id=3 - truth["annotations"][0]["category_id"] % 2),
    "class of no kind": lambda truth: truth["annotations"][0].update(category_id=[1]),
    "box moved": lambda truth: truth["annotations"][0].update(
        bbox=[truth["annotations"][0]["bbox"][0] + 0.01, *truth["annotations"][0]["bbox"][1:]]
    ),
    "box edges exchanged": lambda truth: truth["annotations"][0].update(bbox=truth["annotations"][0]["bbox"][::-1]),
    "box NaN": lambda truth: truth["annotations"][0].update(bbox=[float("nan"), 1, 1, 1]),
    "box of three": lambda truth: truth["annotations"][0].update(bbox=[1, 1, 1]),
    "category removed": lambda truth: truth["categories"].pop(),
    "category name": lambda truth: truth["categories"][0].update(name="dog"),
    "member added": lambda truth: truth.update(info=1),
    "no images": lambda truth: truth.pop("images"),
}


@pytest.mark.parametrize("name", TRUTHS)
def test_ground_truth_edited(dataset: Path, name: str) -> None:
    path = dataset / TRUTH
    truth = json.loads(path.read_text(encoding="utf-8"))
    before = json.dumps(truth)
    TRUTHS[name](truth)
    assert json.dumps(truth) != before
    path.write_text(json.dumps(truth), encoding="utf-8")
    assert codes_of(dataset) & {Code.GROUND_TRUTH_DIFFERS, Code.FILE_UNREADABLE}


@pytest.mark.parametrize(
    ("name", "code"),
    [
        (".parts/train-00000.jsonl", Code.FILE_LEFT_OVER),
        ("labels.csv.0123456789ab.boxmill-tmp", Code.FILE_LEFT_OVER),
        ("ledger/images-train-00003-of-00003.parquet", Code.FILE_EXTRA),
        (f"handoff/{NAME}-train.coco.json", Code.FILE_EXTRA),
        ("other-train.tfrecord-00000-of-00001", Code.FILE_EXTRA),
        (f"{NAME}-train.tfrecord-00000-of-00003.bak", Code.FILE_EXTRA),
    ],
)
def test_file_too_many(dataset: Path, name: str, code: Code) -> None:
    path = dataset / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"")
    assert codes_of(dataset) == {code}


def test_files_of_the_user_are_left_alone(dataset: Path) -> None:
    (dataset / "README.txt").write_text("mine")
    assert findings_of(dataset) == []


def _give_digests(folder: Path) -> list[Path]:
    """Adds digests of all files that are no shards to the manifest; returns those files."""
    manifest = read_manifest(str(folder))
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "manifest.json"]
    paths = [path for path in paths if ".tfrecord-" not in path.name]
    manifest["files"] = {
        path.relative_to(folder).as_posix(): {
            "bytes": path.stat().st_size,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        for path in paths
    }
    change_manifest(folder, manifest)
    return paths


def test_every_file_with_a_digest(dataset: Path) -> None:
    """Where the manifest gives digests of all files, not a byte can change in any of them."""
    paths = _give_digests(dataset)
    assert findings_of(dataset) == []
    rng = random.Random(0)
    for path in paths:
        data = path.read_bytes()
        path.write_bytes(flipped(data, rng))
        changed = {finding.file for finding in findings_of(dataset) if finding.code is Code.FILE_CHANGED}
        assert changed == {path.relative_to(dataset).as_posix()}
        path.write_bytes(data)


def test_a_file_without_its_digest(dataset: Path) -> None:
    _give_digests(dataset)
    manifest = read_manifest(str(dataset))
    del manifest["files"]["labels.csv"]
    change_manifest(dataset, manifest)
    assert codes_of(dataset) == {Code.FILE_EXTRA}
