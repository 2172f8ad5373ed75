"""The dataset as others read it: TFDS, the TF Object Detection API's feature spec, Model Garden, pycocotools."""

from __future__ import annotations

import json
import socket
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.sample_data import (
    BuiltDataset,
    boxes,
    build_dataset,
    coco,
    coco_box,
    coco_image,
    encoded,
    jpeg,
    picture,
    png,
    turned_jpeg,
    values,
    write_files,
)

ROOT = Path(__file__).resolve().parent.parent
GARDEN_PYTHON = ROOT / ".venv-garden" / "bin" / "python"
CLASSES = [{"id": 2, "name": "cat"}, {"id": 5, "name": "개"}, {"id": 90, "name": "unused"}]
COUNT = 24


def source() -> tuple[dict[str, Any], dict[str, bytes]]:
    """JPEG and PNG, colour and gray, turned, converted; none to four boxes; ids with gaps; a crowd."""
    pictures: dict[str, bytes] = {}
    images, annotations = [], []
    for number in range(COUNT):
        kinds = [
            (".jpg", jpeg(seed=number)),
            (".png", png(seed=number, mode="RGBA")),
            (".jpg", jpeg(seed=number, mode="L")),
            (".png", png(seed=number, mode="P")),
            (".jpg", turned_jpeg(6)),
            (".bmp", encoded(picture(seed=number), "BMP")),
        ]
        suffix, data = kinds[number % len(kinds)]
        name, image_id = f"photo {number:02d}{suffix}", 1000 + 7 * number
        pictures[name] = data
        width, height = (30, 40) if number % len(kinds) == 4 else (40, 30)
        images.append(coco_image(image_id, name, width, height))
        annotations += [
            coco_box(100 * number + k, image_id, [k, 2 * k, 5 + k, 6.5 + k], [2, 5][k % 2], area=9.25, iscrowd=k % 2)
            for k in range(number % 5)
        ]
    return coco(images, annotations, CLASSES), pictures


SOURCE, PICTURES = source()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> BuiltDataset:
    folder = tmp_path_factory.mktemp("readers")
    write_files(folder / "images", PICTURES)
    write_files(folder, {"labels.json": json.dumps(SOURCE).encode()})
    flags = ("--splits=train=0.6,val=0.3,test=0.1", "--num_shards=train=3,val=2,test=1")
    return build_dataset(folder / "out", folder / "labels.json", folder / "images", *flags)


@pytest.fixture(scope="module")
def expected() -> dict[int, list[tuple[list[float], str, float, int]]]:
    """For each image id its boxes as (ymin, xmin, ymax, xmax), class, area, crowd."""
    sizes = {image["id"]: (image["width"], image["height"]) for image in SOURCE["images"]}
    names = {item["id"]: item["name"] for item in CLASSES}
    found: dict[int, list[tuple[list[float], str, float, int]]] = {image_id: [] for image_id in sizes}
    for item in SOURCE["annotations"]:
        (width, height), (x, y, w, h) = sizes[item["image_id"]], item["bbox"]
        box = [y / height, x / width, (y + h) / height, (x + w) / width]
        found[item["image_id"]].append((box, names[item["category_id"]], item["area"], item["iscrowd"]))
    return found


def test_records_are_the_source(built: BuiltDataset, expected: dict[int, list[Any]]) -> None:
    records = {int(values(record, "image/source_id")[0]): record for record in built.examples()}
    assert set(records) == set(expected)
    for image_id, items in expected.items():
        np.testing.assert_allclose(
            np.array(boxes(records[image_id])).reshape(-1, 4),
            np.array([item[0] for item in items]).reshape(-1, 4),
            atol=1e-6,
        )
        texts = [text.decode() for text in values(records[image_id], "image/object/class/text")]
        assert texts == [item[1] for item in items]
        assert values(records[image_id], "image/object/area") == [item[2] for item in items]
        assert values(records[image_id], "image/object/is_crowd") == [item[3] for item in items]


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError("no network in this test")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("way", ["folder", "name"])
def test_tfds(built: BuiltDataset, expected: dict[int, list[Any]], way: str) -> None:
    tfds = pytest.importorskip("tensorflow_datasets")
    manifest = built.manifest
    if way == "folder":
        builder = tfds.builder_from_directory(str(built.folder))
        splits = {split: builder.as_dataset(split=split) for split in builder.info.splits}
        assert {split: info.num_examples for split, info in builder.info.splits.items()} == {
            split: item["records"] for split, item in manifest["splits"].items()
        }
        assert builder.info.features["objects"]["label"].names == ["cat", "개", "unused"]
    else:
        splits = tfds.load("sample", data_dir=str(built.folder.parent.parent))
    seen = {}
    for split, dataset in splits.items():
        examples = list(tfds.as_numpy(dataset))
        assert len(examples) == manifest["splits"][split]["records"]
        seen.update({int(example["image"]["source_id"]): example for example in examples})
    assert set(seen) == set(expected)
    for image_id, items in expected.items():
        image = seen[image_id]["image"]
        assert image["encoded"].shape == (int(image["height"]), int(image["width"]), 3)
        found = np.asarray(seen[image_id]["objects"]["bbox"]).reshape(-1, 4)
        np.testing.assert_allclose(found, np.array([item[0] for item in items]).reshape(-1, 4), atol=1e-6)
        labels = [["cat", "개", "unused"][label] for label in seen[image_id]["objects"]["label"]]
        assert labels == [item[1] for item in items]
        np.testing.assert_allclose(image["object"]["bbox"]["ymin"], found[:, 0])


def test_object_detection_api(built: BuiltDataset, expected: dict[int, list[Any]]) -> None:
    """The keys and kinds of ``object_detection/data_decoders/tf_example_decoder.py``."""
    tf = pytest.importorskip("tensorflow")
    spec = {
        "image/encoded": tf.io.FixedLenFeature((), tf.string),
        "image/format": tf.io.FixedLenFeature((), tf.string),
        "image/filename": tf.io.FixedLenFeature((), tf.string),
        "image/key/sha256": tf.io.FixedLenFeature((), tf.string),
        "image/source_id": tf.io.FixedLenFeature((), tf.string),
        "image/height": tf.io.FixedLenFeature((), tf.int64),
        "image/width": tf.io.FixedLenFeature((), tf.int64),
        **{
            f"image/object/{key}": tf.io.VarLenFeature(kind)
            for key, kind in {
                **{f"bbox/{side}": tf.float32 for side in ("xmin", "xmax", "ymin", "ymax")},
                "class/label": tf.int64,
                "class/text": tf.string,
                "area": tf.float32,
                "is_crowd": tf.int64,
                "difficult": tf.int64,
                "group_of": tf.int64,
                "weight": tf.float32,
            }.items()
        },
    }
    ids = {"cat": 2, "개": 5}
    seen = 0
    for example in built.examples():
        parsed = tf.io.parse_single_example(example.SerializeToString(), spec)
        items = expected[int(tf.strings.to_number(parsed["image/source_id"], tf.int64))]
        pixels = tf.io.decode_image(parsed["image/encoded"], channels=3, expand_animations=False)
        assert pixels.shape == (parsed["image/height"], parsed["image/width"], 3)
        labels = tf.sparse.to_dense(parsed["image/object/class/label"]).numpy().tolist()
        assert labels == [ids[item[1]] for item in items]
        ymax = tf.sparse.to_dense(parsed["image/object/bbox/ymax"]).numpy()
        np.testing.assert_allclose(ymax, [item[0][2] for item in items], atol=1e-6)
        seen += 1
    assert seen == COUNT


def test_model_garden(built: BuiltDataset, expected: dict[int, list[Any]]) -> None:
    if not GARDEN_PYTHON.exists():
        pytest.skip(f"{GARDEN_PYTHON.relative_to(ROOT)} is not there: Model Garden has an environment of its own")
    script = ROOT / "tests" / "readers" / "garden_decoder_check.py"
    done = subprocess.run(
        [GARDEN_PYTHON, script, built.folder], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    decoded = {int(image_id): image for image_id, image in json.loads(done.stdout).items()}
    assert set(decoded) == set(expected)
    ids = {"cat": 2, "개": 5}
    for image_id, items in expected.items():
        image = decoded[image_id]
        assert image["shape"] == [*image["size"], 3]
        found = np.array(image["boxes"]).reshape(-1, 4)
        np.testing.assert_allclose(found, np.array([item[0] for item in items]).reshape(-1, 4), atol=1e-6)
        assert image["classes"] == [ids[item[1]] for item in items]
        assert image["areas"] == [item[2] for item in items]
        assert image["crowds"] == [bool(item[3]) for item in items]


def test_pycocotools(built: BuiltDataset, expected: dict[int, list[Any]]) -> None:
    pycocotools = pytest.importorskip("pycocotools.coco")
    for split in ("val", "test"):
        truth = pycocotools.COCO(str(built.folder / "handoff" / f"sample-{split}.coco.json"))
        records = {int(values(record, "image/source_id")[0]) for record in built.examples(split)}
        assert set(truth.getImgIds()) == records
        assert len(records) == built.manifest["splits"][split]["records"] > 0
        assert {item["id"]: item["name"] for item in truth.loadCats(truth.getCatIds())} == {
            item["id"]: item["name"] for item in CLASSES
        }
        for image in truth.loadImgs(truth.getImgIds()):
            found = truth.loadAnns(truth.getAnnIds([image["id"]]))
            sides = np.array([image["width"], image["height"]] * 2)
            items = expected[image["id"]]
            assert len(found) == len(items)
            for annotation, (box, name, area, crowd) in zip(found, items, strict=True):
                ymin, xmin, ymax, xmax = box
                np.testing.assert_allclose(
                    np.array(annotation["bbox"]) / sides, [xmin, ymin, xmax - xmin, ymax - ymin], atol=1e-9
                )
                assert truth.cats[annotation["category_id"]]["name"] == name
                assert (annotation["area"], annotation["iscrowd"]) == (area, crowd)


def test_split_without_images_opens_too(tmp_path: Path) -> None:
    tfds = pytest.importorskip("tensorflow_datasets")
    write_files(tmp_path / "images", {"a.jpg": jpeg()})
    write_files(tmp_path, {"labels.json": json.dumps(coco([coco_image(1, "a.jpg")])).encode()})
    built = build_dataset(
        tmp_path / "out", tmp_path / "labels.json", tmp_path / "images", "--splits=train=0.999,val=0.001"
    )
    assert {split: item["records"] for split, item in built.manifest["splits"].items()} == {"train": 1, "val": 0}
    builder = tfds.builder_from_directory(str(built.folder))
    assert len(list(builder.as_dataset(split="train"))) == 1
    truth = json.loads((built.folder / "handoff" / "sample-val.coco.json").read_bytes())
    assert truth["images"] == []
