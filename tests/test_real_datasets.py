"""Public datasets with known numbers: every box arrives, and what is dropped is named."""

from __future__ import annotations

import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.sample_data import BuiltDataset, boxes, build_dataset, class_names, values

REAL = Path(__file__).resolve().parent.parent.parent / "shared" / "real" / "ann"
BCCD = REAL / "bccd" / "BCCD"
RACCOON = REAL / "raccoon"
PADILLA = REAL / "padilla" / "data" / "database"

pytestmark = pytest.mark.skipif(
    not REAL.is_dir(), reason=f"{REAL} is not there: the datasets are no part of the project"
)


def totals(built: BuiltDataset) -> tuple[int, int, int]:
    counts = built.manifest["counts"]
    return counts["images"]["written"], counts["boxes"]["written"], counts["boxes"]["dropped"]


def by_stem(built: BuiltDataset) -> dict[str, Any]:
    return {Path(name).stem: example for name, example in built.by_name().items()}


def test_bccd(tmp_path: Path) -> None:
    built = build_dataset(tmp_path, BCCD / "Annotations", BCCD / "JPEGImages")
    assert built.exit_code == 0
    assert totals(built) == (364, 4886, 2)
    dropped = [(row["reason"], row["file_name"]) for row in built.ledger("boxes") if row["status"] == "dropped"]
    assert sorted(dropped) == [("box_empty", "BloodImage_00338.jpg"), ("box_empty", "BloodImage_00343.jpg")]
    found = Counter(name for example in built.examples() for name in class_names(example))
    lost = Counter(row["class_name"] for row in built.ledger("boxes") if row["status"] == "dropped")
    assert found + lost == {"RBC": 4155, "WBC": 372, "Platelets": 361}
    assert {item["name"]: item["boxes"] for item in built.manifest["classes"]} == found


def test_raccoon(tmp_path: Path) -> None:
    built = build_dataset(tmp_path, RACCOON / "annotations", RACCOON / "images")
    assert built.exit_code == 0
    assert totals(built) == (200, 217, 0)
    modes = Counter(Image.open(io.BytesIO(values(example, "image/encoded")[0])).mode for example in built.examples())
    assert modes["L"] == 3


def by_class_and_place(example: Any) -> list[tuple[str, tuple[float, ...]]]:
    """Objects in an order that rounding does not change."""
    pairs = zip(class_names(example), boxes(example), strict=True)
    return sorted(pairs, key=lambda pair: (pair[0], [round(edge, 3) for edge in pair[1]]))


def test_raccoon_has_the_same_boxes_as_csv(tmp_path: Path) -> None:
    voc = build_dataset(tmp_path, RACCOON / "annotations", RACCOON / "images", name="voc")
    tables = f"--annotations={RACCOON / 'data' / 'test_labels.csv'}"
    csv = build_dataset(tmp_path, RACCOON / "data" / "train_labels.csv", RACCOON / "images", tables, name="csv")
    assert csv.exit_code == 0
    assert csv.manifest["sources"][0]["annotation_formats"] == ["csv"]
    assert totals(csv) == (200, 217, 0)
    expected = {stem: by_class_and_place(example) for stem, example in by_stem(voc).items()}
    assert {stem: by_class_and_place(example) for stem, example in by_stem(csv).items()} == expected


@pytest.fixture(scope="module")
def padilla(tmp_path_factory: pytest.TempPathFactory) -> dict[str, BuiltDataset]:
    """A dataset from each of the formats that the same boxes are given in."""
    folder = tmp_path_factory.mktemp("padilla")
    ground_truth = PADILLA / "gts"
    annotations = {
        "voc": ground_truth / "pascalvoc_format",
        "coco": ground_truth / "coco_format_v1",
        "cvat": ground_truth / "cvat_format",
        "yolo": ground_truth / "yolo_format",
    }
    return {name: build_dataset(folder, path, PADILLA / "images", name=name) for name, path in annotations.items()}


def test_padilla_has_all_boxes_in_every_format(padilla: dict[str, BuiltDataset]) -> None:
    for name, built in padilla.items():
        assert built.exit_code == 0
        assert built.manifest["sources"][0]["annotation_formats"] == [name]
        assert totals(built)[:2] == (100, 273)


@pytest.mark.parametrize("name", ["coco", "cvat", "yolo"])
def test_padilla_has_the_same_boxes_in_every_format(padilla: dict[str, BuiltDataset], name: str) -> None:
    """Within 1e-6 of the image: YOLO's six decimals of centre and size put an edge 0.75e-6 away, float32 0.06e-6."""
    voc, other = by_stem(padilla["voc"]), by_stem(padilla[name])
    assert set(voc) == set(other)
    for stem, example in voc.items():
        pairs = [by_class_and_place(item) for item in (example, other[stem])]
        assert [name for name, _ in pairs[0]] == [name for name, _ in pairs[1]]
        np.testing.assert_allclose([box for _, box in pairs[0]], [box for _, box in pairs[1]], atol=1e-6)


def test_padilla_has_the_classes_of_yolo_in_its_order(padilla: dict[str, BuiltDataset]) -> None:
    names = (PADILLA / "gts" / "yolo_format" / "obj.names").read_text().split()
    assert [(item["id"], item["name"]) for item in padilla["yolo"].manifest["classes"]] == [*enumerate(names, 1)]


def test_padilla_keeps_the_flags_of_voc(padilla: dict[str, BuiltDataset]) -> None:
    flags = Counter[str]()
    for example in padilla["voc"].examples():
        for flag in ("difficult", "truncated"):
            flags[flag] += sum(values(example, f"image/object/{flag}"))
    assert flags == {"difficult": 38, "truncated": 137}


def test_padilla_ground_truth_is_the_val_split(padilla: dict[str, BuiltDataset]) -> None:
    built = padilla["coco"]
    truth = json.loads((built.folder / "handoff" / "coco-val.coco.json").read_bytes())
    ids = {int(values(example, "image/source_id")[0]) for example in built.examples("val")}
    assert {image["id"] for image in truth["images"]} == ids
