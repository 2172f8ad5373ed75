"""Keypoints, tracks, captions, LVIS's lists and panoptic maps from COCO files to what readers of the dataset see."""

from __future__ import annotations

import io
import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipelines import verify_tfrecords
from tests.sample_data import (
    HEIGHT,
    WIDTH,
    BuiltDataset,
    build_dataset,
    coco,
    coco_box,
    coco_image,
    encoded,
    jpeg,
    turned_jpeg,
    values,
    write_files,
)

ROOT = Path(__file__).resolve().parent.parent
GARDEN_PYTHON = ROOT / ".venv-garden" / "bin" / "python"
NAMES = ["nose", "left_hand", "right_hand"]
CLASSES = [
    {"id": 1, "name": "person", "isthing": 1, "keypoints": NAMES, "skeleton": [[1, 2], [1, 3]]},
    {"id": 2, "name": "ball", "isthing": 1},
    {"id": 9, "name": "sky", "isthing": 0},
]
COUNT = 6
SQUARE = [[4, 5, 14, 5, 14, 25, 4, 25]]


def keypoint_source() -> dict[str, Any]:
    images, annotations = [], []
    for number in range(COUNT):
        images.append(
            coco_image(number, f"{number}.jpg") | {"neg_category_ids": [2], "not_exhaustive_category_ids": []}
        )
        images[-1]["not_exhaustive_category_ids"] = [1] if number % 2 else []
        person = {"keypoints": [4, 5, 2, 14, 24.5, 1, 0, 0, 0], "num_keypoints": 2, "track_id": number}
        box = [4, 5, 10, 20]
        annotations.append(coco_box(10 * number + 1, number, box, segmentation=SQUARE, area=200, **person))
        annotations.append(coco_box(10 * number + 2, number, box, 2, segmentation=[]))
        annotations.append({"id": 10 * number + 3, "image_id": number, "caption": f"Person {number}."})
    return coco(images, annotations, CLASSES)


def panoptic_pixels() -> np.ndarray[Any, Any]:
    """Sky above, a person (segment 70000) and a ball (segment 8) in it, nothing below."""
    pixels = np.zeros((HEIGHT, WIDTH), np.int64)
    pixels[:20] = 300
    pixels[5:15, 4:14] = 70_000
    pixels[2:6, 20:26] = 8
    return pixels


def panoptic_source() -> dict[str, Any]:
    segments = [
        {"id": 300, "category_id": 9, "bbox": [0, 0, WIDTH, 20], "area": 676, "iscrowd": 0},
        {"id": 70_000, "category_id": 1, "bbox": [4, 5, 10, 10], "area": 100, "iscrowd": 0},
        {"id": 8, "category_id": 2, "bbox": [20, 2, 6, 4], "area": 24, "iscrowd": 1},
    ]
    annotations = [
        {"image_id": number, "file_name": f"{number}.png", "segments_info": segments} for number in range(COUNT)
    ]
    return coco([coco_image(number, f"{number}.jpg") for number in range(COUNT)], annotations, CLASSES)


def build(folder: Path, source: dict[str, Any], pictures: dict[str, bytes], *flags: str) -> BuiltDataset:
    write_files(folder / "images", pictures)
    write_files(folder / "labels", {"train.json": json.dumps(source).encode()})
    built = build_dataset(
        folder / "out", folder / "labels" / "train.json", folder / "images", "--splits=train=0.5,val=0.5", *flags
    )
    assert built.exit_code == 0
    assert verify_tfrecords.main([f"--dataset={built.folder}"]) == 0
    return built


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> BuiltDataset:
    pictures = {f"{number}.jpg": turned_jpeg(6) if number == 3 else jpeg(seed=number) for number in range(COUNT)}
    return build(tmp_path_factory.mktemp("people"), keypoint_source(), pictures)


@pytest.fixture(scope="module")
def panoptic(tmp_path_factory: pytest.TempPathFactory) -> BuiltDataset:
    folder = tmp_path_factory.mktemp("panoptic")
    pixels = panoptic_pixels()
    channels = [pixels & 255, pixels >> 8 & 255, pixels >> 16]
    data = encoded(Image.fromarray(np.stack(channels, axis=-1).astype(np.uint8)), "PNG")
    write_files(folder / "labels" / "train", {f"{number}.png": data for number in range(COUNT)})
    return build(folder, panoptic_source(), {f"{number}.jpg": jpeg(seed=number) for number in range(COUNT)})


def test_object_detection_api(people: BuiltDataset) -> None:
    """The keys, kinds and shapes of ``object_detection/data_decoders/tf_example_decoder.py`` with keypoints."""
    tf = pytest.importorskip("tensorflow")
    kinds = {
        "image/object/keypoint/x": tf.float32,
        "image/object/keypoint/y": tf.float32,
        "image/object/keypoint/visibility": tf.int64,
        "image/object/track/label": tf.int64,
        "image/neg_category_ids": tf.int64,
        "image/not_exhaustive_category_ids": tf.int64,
    }
    spec: dict[str, Any] = {key: tf.io.VarLenFeature(kind) for key, kind in kinds.items()}
    spec["image/source_id"] = tf.io.FixedLenFeature((), tf.string)
    seen = set()
    for example in people.examples():
        parsed = tf.io.parse_single_example(example.SerializeToString(), spec)
        number = int(parsed["image/source_id"].numpy())
        dense = {key: tf.sparse.to_dense(parsed[key]).numpy() for key in kinds}
        y, x = (dense[f"image/object/keypoint/{axis}"].reshape(-1, len(NAMES)) for axis in "yx")
        expected = np.full((2, 3, 2), np.nan)
        expected[0, :2] = [[5 / HEIGHT, 4 / WIDTH], [24.5 / HEIGHT, 14 / WIDTH]]
        if number == 3:  # turned by a quarter, as the pixels were
            expected[0, :2] = [[4 / WIDTH, 1 - 5 / HEIGHT], [14 / WIDTH, 1 - 24.5 / HEIGHT]]
        np.testing.assert_allclose(np.stack([y, x], axis=2), expected, atol=1e-6)
        assert dense["image/object/keypoint/visibility"].tolist() == [2, 1, 0, 0, 0, 0]
        assert dense["image/object/track/label"].tolist() == [number, -1]
        assert dense["image/neg_category_ids"].tolist() == [2]
        assert dense["image/not_exhaustive_category_ids"].tolist() == [1] * (number % 2)
        assert values(example, "image/object/keypoint/num") == [2, 0]
        assert values(example, "image/object/keypoint/text") == [name.encode() for name in NAMES] * 2
        assert values(example, "image/caption") == [f"Person {number}.".encode()]
        seen.add(number)
    assert seen == set(range(COUNT))


def test_tfds(people: BuiltDataset, panoptic: BuiltDataset) -> None:
    tfds = pytest.importorskip("tensorflow_datasets")
    for built in (people, panoptic):
        builder = tfds.builder_from_directory(str(built.folder))
        examples = [item for split in builder.info.splits for item in tfds.as_numpy(builder.as_dataset(split=split))]
        assert len(examples) == COUNT
        for item in examples:
            found = item["image"]["object"]["keypoint"]
            objects = len(item["objects"]["label"])
            assert objects == 2
            assert found["x"].shape == found["visibility"].shape == (objects * len(NAMES),)
    (data,) = examples[0]["image"]["panoptic"]["category_mask"]
    assert Image.open(io.BytesIO(data)).size == (WIDTH, HEIGHT)


def test_label_map_and_ground_truth_name_the_keypoints(people: BuiltDataset) -> None:
    label_map = (people.folder / "label_map.pbtxt").read_text()
    keypoints = "".join(f'  keypoints {{\n    id: {n}\n    label: "{name}"\n  }}\n' for n, name in enumerate(NAMES))
    assert f'item {{\n  name: "person"\n  id: 1\n  display_name: "person"\n{keypoints}}}\n' in label_map
    assert label_map.count("keypoints") == len(NAMES)
    pycocotools = pytest.importorskip("pycocotools.coco")
    truth = pycocotools.COCO(str(people.folder / "handoff" / "sample-val.coco.json"))
    assert truth.cats[1]["keypoints"] == NAMES
    assert truth.cats[1]["skeleton"] == [[1, 2], [1, 3]]
    assert "keypoints" not in truth.cats[2]
    for image_id in set(truth.getImgIds()) - {3}:
        person, ball = truth.loadAnns(truth.getAnnIds([image_id]))
        assert (person["keypoints"], person["num_keypoints"]) == ([4, 5, 2, 14, 24.5, 1, 0, 0, 0], 2)
        assert "keypoints" not in ball


def test_model_garden(people: BuiltDataset, panoptic: BuiltDataset) -> None:
    if not GARDEN_PYTHON.exists():
        pytest.skip(f"{GARDEN_PYTHON.relative_to(ROOT)} is not there: Model Garden has an environment of its own")
    script = ROOT / "tests" / "readers" / "garden_panoptic_check.py"
    done = subprocess.run(
        [GARDEN_PYTHON, script, panoptic.folder], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    images = json.loads(done.stdout)
    assert len(images) == COUNT
    pixels = panoptic_pixels()
    classes = np.select([pixels == 300, pixels == 70_000, pixels == 8], [9, 1, 2], 0)
    for image in images:
        np.testing.assert_array_equal(image["category_mask"], classes)
        np.testing.assert_array_equal(image["instance_mask"], np.select([pixels == 70_000, pixels == 8], [1, 2], 0))
        np.testing.assert_array_equal(image["segmentation_mask"], np.where(classes == 0, 255, classes))
        np.testing.assert_array_equal(image["masks"], [pixels == 70_000, pixels == 8])
        assert image["classes"] == [1, 2]
        assert image["crowds"] == [False, True]


def test_coco_masks_can_be_left_out(tmp_path: Path) -> None:
    pictures = {f"{number}.jpg": jpeg() for number in range(COUNT)}
    built = build(tmp_path, panoptic_source(), pictures, "--masks=none")
    for example in built.examples():
        assert not [key for key in example.features.feature if "mask" in key or "segmentation" in key]
        assert len(values(example, "image/object/class/label")) == 2
