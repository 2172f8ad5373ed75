"""Masks from a COCO file to what the readers of a dataset see: the very pixels that pycocotools makes of them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.masks.outlines import coco_bitmap, coco_rle
from tests.sample_data import (
    BuiltDataset,
    build_dataset,
    coco,
    coco_box,
    coco_image,
    jpeg,
    turned_jpeg,
    values,
    write_files,
)
from tests.test_readers import GARDEN_PYTHON, ROOT
from transforms.examples import feature_keys as keys

WIDTH, HEIGHT = 40, 30
TRIANGLES = [[3.5, 2.25, 20, 4, 11.7, 28.1], [15, 1, 39.9, 3, 30, 25]]
RLE = coco_rle([tuple(TRIANGLES[0])], WIDTH, HEIGHT)
COMPRESSED = {"size": [HEIGHT, WIDTH], "counts": RLE["counts"].decode()}
PLAIN = {"size": [HEIGHT, WIDTH], "counts": [35, 10, 20, 10, WIDTH * HEIGHT - 75]}
# By image: what the annotation says, whether it is a crowd.
SEGMENTATIONS: list[list[tuple[Any, int]]] = [
    [(TRIANGLES, 0), (COMPRESSED, 0), (PLAIN, 1), (None, 0), ([[1, 2, 3, 4]], 0)],
    [(COMPRESSED, 1)],
    [],
    [(None, 0), ([], 0)],
]
SIZES = (WIDTH, HEIGHT)


def _source() -> tuple[dict[str, Any], dict[str, bytes]]:
    """The images of SEGMENTATIONS, and one that is stored turned: its annotation is of the stored pixels."""
    images, annotations = [], []
    for number, items in enumerate(SEGMENTATIONS):
        images.append(coco_image(number + 1, f"{number}.jpg"))
        for segmentation, crowd in items:
            more = {} if segmentation is None else {"segmentation": segmentation}
            annotations.append(coco_box(len(annotations), number + 1, [1, 2, 30, 20], iscrowd=crowd, **more))
    images.append(coco_image(9, "turned.jpg"))
    annotations.append(coco_box(99, 9, [1, 2, 30, 20], segmentation=COMPRESSED))
    pictures = {f"{number}.jpg": jpeg(seed=number) for number in range(len(SEGMENTATIONS))}
    return coco(images, annotations), pictures | {"turned.jpg": turned_jpeg(6)}


def _expected() -> dict[int, list[np.ndarray[Any, Any]]]:
    coco_mask = pytest.importorskip("pycocotools.mask")
    found: dict[int, list[np.ndarray[Any, Any]]] = {}
    for number, items in enumerate(SEGMENTATIONS):
        found[number + 1] = []
        for segmentation, _ in items:
            if isinstance(segmentation, dict):
                is_plain = isinstance(segmentation["counts"], list)
                rle = coco_mask.frPyObjects(segmentation, HEIGHT, WIDTH) if is_plain else segmentation
                found[number + 1].append(coco_bitmap(rle))
            elif segmentation is TRIANGLES:
                found[number + 1].append(coco_bitmap(coco_rle([tuple(ring) for ring in TRIANGLES], WIDTH, HEIGHT)))
            else:
                found[number + 1].append(np.zeros((HEIGHT, WIDTH), np.uint8))
    found[9] = [np.rot90(coco_bitmap(RLE), k=-1)]
    return found


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> BuiltDataset:
    folder = tmp_path_factory.mktemp("masks")
    source, pictures = _source()
    write_files(folder / "images", pictures)
    write_files(folder, {"labels.json": json.dumps(source).encode()})
    flags = ["--splits=train=0.6,val=0.4", "--coco_splits=train,val"]
    return build_dataset(folder / "out", folder / "labels.json", folder / "images", *flags)


@pytest.fixture(scope="module")
def expected() -> dict[int, list[np.ndarray[Any, Any]]]:
    return _expected()


def _assert_equal(found: list[Any], expected: list[np.ndarray[Any, Any]]) -> None:
    assert len(found) == len(expected)
    for mask, pixels in zip(found, expected, strict=True):
        np.testing.assert_array_equal(mask, pixels)


def test_object_detection_api(built: BuiltDataset, expected: dict[int, list[Any]]) -> None:
    """As ``object_detection/data_decoders/tf_example_decoder.py`` decodes PNG masks."""
    tf = pytest.importorskip("tensorflow")
    spec = {"image/source_id": tf.io.FixedLenFeature((), tf.string), keys.MASK: tf.io.VarLenFeature(tf.string)}
    seen = set()
    for example in built.examples():
        parsed = tf.io.parse_single_example(example.SerializeToString(), spec)
        masks = tf.sparse.to_dense(parsed[keys.MASK], default_value="")
        decoded = [tf.squeeze(tf.io.decode_png(mask, channels=1), axis=2).numpy() for mask in masks]
        image_id = int(parsed["image/source_id"].numpy())
        _assert_equal(decoded, expected[image_id])
        seen.add(image_id)
    assert seen == set(expected)


def test_objects_without_a_mask_have_no_weight(built: BuiltDataset) -> None:
    records = {int(values(record, "image/source_id")[0]): record for record in built.examples()}
    assert values(records[1], keys.MASK_WEIGHT) == [1, 1, 1, 0, 0]
    assert values(records[4], keys.MASK_WEIGHT) == [0, 0]
    assert all(keys.MASK_WEIGHT not in records[image_id].features.feature for image_id in (2, 3, 9))
    assert all(keys.MASK in record.features.feature for record in records.values())


def test_dropped_masks_are_in_the_ledger_and_their_boxes_are_written(built: BuiltDataset) -> None:
    rows = [(row["reason"], row["status"], row["box_id"]) for row in built.ledger("boxes")]
    assert rows == [("poly_invalid", "repaired", "4")]
    counts = built.manifest["counts"]["boxes"]
    assert (counts["read"], counts["written"], counts["repaired"]) == (9, 9, 1)


def test_verification_finds_nothing(built: BuiltDataset) -> None:
    from pipelines.verify_tfrecords import main

    assert main([str(built.folder)]) == 0


def test_tfds(built: BuiltDataset, expected: dict[int, list[Any]]) -> None:
    tf = pytest.importorskip("tensorflow")
    tfds = pytest.importorskip("tensorflow_datasets")
    builder = tfds.builder_from_directory(str(built.folder))
    seen = set()
    for split in builder.info.splits:
        for example in tfds.as_numpy(builder.as_dataset(split=split)):
            masks = [tf.io.decode_png(mask)[..., 0] for mask in example["image"]["object"]["mask"]]
            _assert_equal(masks, expected[int(example["image"]["source_id"])])
            seen.add(int(example["image"]["source_id"]))
    assert seen == set(expected)


def _ground_truths(built: BuiltDataset) -> list[Any]:
    pycocotools = pytest.importorskip("pycocotools.coco")
    return [pycocotools.COCO(str(path)) for path in sorted(built.folder.glob("handoff/*.coco.json"))]


def test_pycocotools(built: BuiltDataset, expected: dict[int, list[Any]]) -> None:
    seen = set()
    for truth in _ground_truths(built):
        for image_id in truth.getImgIds():
            annotations = truth.loadAnns(truth.getAnnIds([image_id]))
            _assert_equal([truth.annToMask(annotation) for annotation in annotations], expected[image_id])
            seen.add(image_id)
    assert seen == set(expected)


def test_the_masks_of_the_ground_truth_evaluated_against_themselves_are_perfect(built: BuiltDataset) -> None:
    cocoeval = pytest.importorskip("pycocotools.cocoeval")
    (truth,) = (truth for truth in _ground_truths(built) if 9 in truth.getImgIds())
    results = [{**annotation, "score": 1.0} for annotation in truth.loadAnns(truth.getAnnIds([9]))]
    evaluation = cocoeval.COCOeval(truth, truth.loadRes(results), "segm")
    evaluation.params.imgIds = [9]
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    assert evaluation.stats[0] == pytest.approx(1)


def test_the_ground_truth_of_existing_records_is_the_same(built: BuiltDataset, tmp_path: Path) -> None:
    flags = ["--format=tfrecord", "--splits=source", "--coco_splits=train,val"]
    again = build_dataset(tmp_path / "again", built.folder, built.folder, *flags)
    for split in built.manifest["splits"]:
        file = f"handoff/sample-{split}.coco.json"
        first, second = ({item["id"]: item for item in json.loads((folder / file).read_bytes())["annotations"]}
                         for folder in (built.folder, again.folder))  # fmt: skip
        assert [item["segmentation"] for item in first.values()] == [item["segmentation"] for item in second.values()]


def test_model_garden(built: BuiltDataset, expected: dict[int, list[Any]]) -> None:
    if not GARDEN_PYTHON.exists():
        pytest.skip(f"{GARDEN_PYTHON.relative_to(ROOT)} is not there: Model Garden has an environment of its own")
    script = ROOT / "tests" / "readers" / "garden_decoder_check.py"
    command = [GARDEN_PYTHON, script, built.folder, "masks"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    decoded = {int(image_id): image["masks"] for image_id, image in json.loads(done.stdout).items()}
    assert set(decoded) == set(expected)
    for image_id, pixels in expected.items():
        _assert_equal(decoded[image_id], pixels)


@pytest.mark.parametrize(("flags", "has_masks"), [([], False), (["--masks=none"], False), (["--masks=auto"], True)])
def test_masks_are_written_if_there_are_any_and_they_are_wanted(
    tmp_path: Path, flags: list[str], has_masks: bool
) -> None:
    segmentation = {"segmentation": TRIANGLES} if flags else {}
    source = coco([coco_image(1, "a.jpg")], [coco_box(1, 1, [1, 2, 3, 4], **segmentation)])
    write_files(tmp_path, {"images/a.jpg": jpeg(), "labels.json": json.dumps(source).encode()})
    built = build_dataset(tmp_path / "out", tmp_path / "labels.json", tmp_path / "images", *flags)
    (record,) = built.examples()
    assert (keys.MASK in record.features.feature) == has_masks
    assert ("mask" in (built.folder / "features.json").read_text("utf-8")) == has_masks
