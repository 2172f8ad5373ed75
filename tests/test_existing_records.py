"""Existing TFRecord datasets as input of a build: sharded anew, merged and repaired."""

from __future__ import annotations

import gzip
import io
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.sample_data import (
    BuiltDataset,
    boxes,
    build_dataset,
    class_names,
    coco_box,
    coco_bytes,
    coco_image,
    encoded,
    jpeg,
    png,
    turned_jpeg,
    values,
    write_files,
)
from tests.verification.tiny_dataset import findings_of, read_payloads
from transforms.shards.record_framing import frame_record

IMAGES = 20


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> BuiltDataset:
    """A dataset of ours, of two classes whose ids have a gap."""
    folder = tmp_path_factory.mktemp("original")
    names = [f"사진/{number}.{'png' if number % 3 else 'jpg'}" for number in range(IMAGES)]
    files = {name: (png if name.endswith("png") else jpeg)(seed=seed) for seed, name in enumerate(names)}
    annotations = [
        coco_box(number, number % IMAGES, [number % 7, 2.125, 5 + number % 11, 7], (1, 3)[number % 2], area=number / 3)
        for number in range(1, 2 * IMAGES - 5)
    ]
    images = [coco_image(number, name) for number, name in enumerate(names)]
    write_files(folder / "images", files)
    write_files(folder, {"a.json": coco_bytes(images, annotations)})
    return build_dataset(folder / "data", folder / "a.json", folder / "images", "--num_shards=train=3,val=2")


def rebuilt(output: Path, *annotations: Path, flags: Sequence[str] = ()) -> BuiltDataset:
    """Builds a dataset from existing records, and verifies it."""
    from pipelines.build_tfrecords import main

    arguments = [f"--annotations={path}" for path in annotations]
    code = main([*arguments, f"--output={output}", "--name=again", *flags])
    built = BuiltDataset(code, output / "again" / "1.0.0")
    assert findings_of(built.folder) == []
    return built


def payloads(folder: Path, split: str = "*") -> list[bytes]:
    return sorted(payload for shard in folder.glob(f"*-{split}.tfrecord-*") for payload in read_payloads(shard))


def test_sharding_anew_keeps_every_byte_and_every_split(
    tmp_path: Path, original: BuiltDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(write_files(tmp_path / "elsewhere", {"of no concern.jpg": jpeg()}))
    built = rebuilt(tmp_path, original.folder, flags=["--num_shards=train=2,val=1"])
    assert built.exit_code == 0
    for split in ("train", "val"):
        assert payloads(built.folder, split) == payloads(original.folder, split)
    assert built.manifest["classes"] == original.manifest["classes"]
    assert built.manifest["counts"] == original.manifest["counts"]
    assert {row["status"] for row in built.ledger("images")} == {"written"}


def test_the_same_shards_come_out_the_same(tmp_path: Path, original: BuiltDataset) -> None:
    built = rebuilt(tmp_path, original.folder, flags=["--num_shards=train=3,val=2"])
    assert list(built.shard_digests().values()) == list(original.shard_digests().values())


def test_splits_are_taken_from_the_names_of_shards(tmp_path: Path, original: BuiltDataset) -> None:
    built = rebuilt(tmp_path, original.folder, flags=["--splits=source"])
    for split in ("train", "val"):
        assert payloads(built.folder, split) == payloads(original.folder, split) != []


def test_gzip_shards(tmp_path: Path, original: BuiltDataset) -> None:
    packed = tmp_path / "packed"
    packed.mkdir()
    for shard in original.folder.glob("*.tfrecord-*"):
        (packed / f"{shard.name}.gz").write_bytes(gzip.compress(shard.read_bytes()))
    shutil.copy(original.folder / "label_map.pbtxt", packed)
    built = rebuilt(tmp_path / "data", packed)
    assert payloads(built.folder) == payloads(original.folder)
    assert not list(built.folder.rglob("*.records"))


def test_damage_costs_only_what_is_damaged(tmp_path: Path, original: BuiltDataset) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(original.folder, damaged)
    first, second = sorted(damaged.glob("*-train.tfrecord-*"))[:2]
    data = bytearray(first.read_bytes())
    data[2000] ^= 1
    first.write_bytes(data)
    second.write_bytes(second.read_bytes()[:-9])
    built = rebuilt(tmp_path / "data", damaged, flags=["--max_reject_ratio=0.5"])
    assert built.exit_code == 2
    assert built.manifest["counts"]["images"] == {"read": IMAGES, "written": IMAGES - 2, "repaired": 0, "rejected": 2}
    assert built.manifest["reasons"] == {"record_damaged": 2}
    assert set(payloads(built.folder)) < set(payloads(original.folder))


def test_datasets_are_merged(tmp_path: Path, original: BuiltDataset) -> None:
    """Class names decide: where the ids of two label maps contradict each other, records get new ones."""
    images = write_files(tmp_path / "images", {"new.jpg": jpeg(seed=99)})
    categories = [{"id": 1, "name": "dog"}, {"id": 2, "name": "emu"}]
    entry = coco_bytes([coco_image(1, "new.jpg")], [coco_box(1, 1, [1, 2, 3, 4], 1)], categories)
    write_files(tmp_path, {"new.json": entry})
    other = build_dataset(tmp_path / "data", tmp_path / "new.json", images, name="other")
    built = rebuilt(tmp_path / "data", original.folder, other.folder)
    assert [item["name"] for item in built.manifest["classes"]] == ["cat", "dog", "emu"]
    examples = built.by_name()
    assert len(examples) == IMAGES + 1
    assert values(examples["new.jpg"], "image/object/class/label") == [2]
    row = next(row for row in built.ledger("images") if row["file_name"] == "new.jpg")
    assert (row["status"], row["reasons"]) == ("repaired", ["record_updated", "source_id_hashed"])
    assert row["detail"] == "written anew: image/object/class/label, image/source_id, objects/label"


def write_examples(path: Path, examples: Sequence[dict[str, Any]]) -> None:
    """Writes Examples with TensorFlow's own message; lists of text, floats and integers tell their kinds."""
    import tensorflow as tf

    def feature(items: list[Any]) -> Any:
        if items and isinstance(items[0], bytes):
            return tf.train.Feature(bytes_list=tf.train.BytesList(value=items))
        if items and isinstance(items[0], float):
            return tf.train.Feature(float_list=tf.train.FloatList(value=items))
        return tf.train.Feature(int64_list=tf.train.Int64List(value=items))

    path.parent.mkdir(exist_ok=True)
    with path.open("wb") as file:
        for example in examples:
            features = tf.train.Features(feature={key: feature(items) for key, items in example.items()})
            for buffer in frame_record([tf.train.Example(features=features).SerializeToString()]):
                file.write(buffer)


def tfod(name: bytes, picture: bytes, **more: list[Any]) -> dict[str, Any]:
    """What a usual script of the TF Object Detection API writes, without digest, mirrors or areas."""
    return {
        "image/encoded": [picture],
        "image/format": [b"jpg"],
        "image/filename": [name],
        "image/source_id": [name],
        "image/height": [30],
        "image/width": [40],
        "image/object/bbox/ymin": [0.0, 0.25],
        "image/object/bbox/xmin": [0.5, 0.25],
        "image/object/bbox/ymax": [0.5, 1.5],
        "image/object/bbox/xmax": [1.0, 0.5],
        "image/object/class/text": [b"cat", b"dog"],
        "image/object/class/label": [1, 2],
        **more,
    }


def test_records_of_others_are_completed(tmp_path: Path) -> None:
    good = tfod(b"a.jpg", jpeg(), **{"image/object/difficult": [0, 1], "image/mood": [b"good"]})
    sizeless = {key: value for key, value in tfod(b"b.png", png()).items() if "width" not in key}
    write_examples(tmp_path / "old" / "train.record", [good, sizeless, {"image/filename": [b"no picture"]}])
    built = rebuilt(tmp_path / "data", tmp_path / "old", flags=["--splits=train=1", "--max_reject_ratio=0.5"])
    assert built.exit_code == 2
    assert [(item["name"], item["id"]) for item in built.manifest["classes"]] == [("cat", 1), ("dog", 2)]
    examples = built.by_name()
    assert values(examples["a.jpg"], "image/encoded") == [jpeg()]
    assert values(examples["a.jpg"], "image/format") == [b"jpeg"]
    assert values(examples["b.png"], "image/width") == [40]
    assert values(examples["a.jpg"], "image/object/difficult") == [0, 1]
    assert boxes(examples["a.jpg"]) == [(0.0, 0.5, 0.5, 1.0), (0.25, 0.25, 1.0, 0.5)]
    assert built.manifest["reasons"] == {"box_clipped": 2, "record_updated": 2, "record_without_image": 1}
    detail = next(row["detail"] for row in built.ledger("images") if row["file_name"] == "a.jpg")
    assert "image/key/sha256" in detail
    assert detail.endswith("; left out: image/mood")


def test_a_record_that_is_whole_is_left_alone(tmp_path: Path) -> None:
    """Of whatever order its keys are; the second pass finds nothing more to do."""
    write_examples(tmp_path / "old" / "train.record", [tfod(b"a.jpg", jpeg())])
    first = rebuilt(tmp_path / "first", tmp_path / "old", flags=["--splits=train=1"])
    second = rebuilt(tmp_path / "second", first.folder, flags=["--splits=train=1"])
    assert payloads(second.folder) == payloads(first.folder)
    assert second.manifest["counts"]["images"]["repaired"] == 0


def test_pictures_in_records_are_turned_with_their_boxes(tmp_path: Path) -> None:
    stored = tfod(b"turned.jpg", turned_jpeg(6))
    write_examples(tmp_path / "old" / "train.record", [stored])
    built = rebuilt(tmp_path / "data", tmp_path / "old", flags=["--splits=train=1"])
    (example,) = built.examples()
    assert (values(example, "image/width"), values(example, "image/height")) == ([30], [40])
    assert boxes(example) == [(0.5, 0.5, 1.0, 1.0), (0.25, 0.0, 0.5, 0.75)]


def test_records_of_tfds(tmp_path: Path) -> None:
    import tensorflow_datasets as tfds

    record = {
        "image": [jpeg()],
        "image/filename": [b"a.jpg"],
        "image/id": [7],
        "objects/bbox": [0.0, 0.5, 0.5, 1.0, 0.25, 0.25, 0.75, 0.5],
        "objects/label": [1, 0],
        "objects/is_crowd": [0, 1],
        "objects/area": [300, 150],
        "objects/id": [5, 6],
    }
    old = tmp_path / "old"
    write_examples(old / "zoo-train.tfrecord-00000-of-00001", [record])
    write_files(old, {"objects-label.labels.txt": b"cat\ndog\n", "dataset_info.json": b"{}", "features.json": b"{}"})
    built = rebuilt(tmp_path / "data", old, flags=["--splits=train=1"])
    (example,) = built.examples()
    assert class_names(example) == ["dog", "cat"]
    assert boxes(example) == [(0.0, 0.5, 0.5, 1.0), (0.25, 0.25, 0.75, 0.5)]
    assert values(example, "image/source_id") == [b"7"]
    assert values(example, "image/object/area") == [300.0, 150.0]
    (row,) = built.ledger("images")
    assert row["detail"].endswith("left out: image, image/id, objects/area, objects/id")
    (read,) = tfds.as_numpy(tfds.builder_from_directory(str(built.folder)).as_dataset(split="train"))
    assert read["objects"]["label"].tolist() == [1, 0]


def test_names_that_several_records_have(tmp_path: Path, original: BuiltDataset) -> None:
    write_examples(tmp_path / "old" / "a.record", [tfod(b"a.jpg", jpeg()), tfod(b"b.jpg", jpeg())])
    write_examples(tmp_path / "old" / "b.record", [tfod(b"a.jpg", jpeg())])
    built = rebuilt(tmp_path / "data", tmp_path / "old", flags=["--splits=train=1", "--max_reject_ratio=1"])
    assert built.manifest["counts"]["images"]["rejected"] == 2
    assert built.manifest["counts"]["boxes"] == {"read": 6, "written": 2, "repaired": 1, "dropped": 4}
    assert built.manifest["reasons"]["dup_image_name"] == 2 + 4
    assert json.loads((built.folder / "manifest.json").read_bytes())["sources"][0]["annotation_formats"] == ["tfrecord"]


def mask_png(rows: slice, columns: slice, value: int = 1, size: tuple[int, int] = (40, 30)) -> bytes:
    pixels = np.zeros(size[::-1], np.uint8)
    pixels[rows, columns] = value
    return encoded(Image.fromarray(pixels), "PNG")


def mask_boxes(example: Any) -> list[tuple[int, int, int, int]]:
    """Rows and columns, first and behind the last, of the masks of an Example."""
    found = []
    for data in values(example, "image/object/mask"):
        rows, columns = np.nonzero(np.asarray(Image.open(io.BytesIO(data))) == 1)
        found.append((rows.min(), columns.min(), rows.max() + 1, columns.max() + 1))
    return found


def test_rich_records_keep_their_bytes(tmp_path: Path) -> None:
    """Masks, captions, labels of images and verified absences, of a dataset of ours."""
    polygon = [[2, 2, 20, 2, 20, 15, 2, 15]]
    boxes_of = [coco_box(n, n, [2, 2, 18, 13], 3, segmentation=polygon if n % 2 else [], iscrowd=0) for n in (1, 2, 3)]
    content = json.loads(coco_bytes([coco_image(n, f"{n}.jpg") for n in (1, 2, 3)], boxes_of))
    for image in content["images"]:
        image |= {"neg_category_ids": [1], "not_exhaustive_category_ids": [3]}
    images = write_files(tmp_path / "images", {f"{n}.jpg": jpeg(seed=n) for n in (1, 2, 3)})
    write_files(tmp_path, {"a.json": json.dumps(content).encode()})
    first = build_dataset(tmp_path / "data", tmp_path / "a.json", images)
    assert values(first.by_name()["1.jpg"], "image/object/mask")
    assert values(first.by_name()["1.jpg"], "image/neg_category_ids") == [1]
    built = rebuilt(tmp_path / "data", first.folder, flags=["--num_shards=1"])
    assert payloads(built.folder) == payloads(first.folder)
    assert built.manifest["counts"]["images"]["repaired"] == 0


@pytest.mark.parametrize(
    ("picture", "flags", "masks", "keys"),
    [
        pytest.param(jpeg(), [], [(0, 20, 15, 40), (8, 10, 30, 20)], "masks stay", id="as they are"),
        pytest.param(turned_jpeg(6), [], [(20, 15, 40, 30), (10, 0, 20, 22)], "image/object/mask", id="turned"),
        pytest.param(jpeg(), ["--max_side=20"], [(0, 10, 7, 20), (4, 5, 15, 10)], "image/object/mask", id="smaller"),
    ],
)
def test_masks_of_records_go_with_their_pixels(
    tmp_path: Path, picture: bytes, flags: list[str], masks: list[tuple[int, ...]], keys: str
) -> None:
    stored = [mask_png(slice(0, 15), slice(20, 40)), mask_png(slice(8, 30), slice(10, 20))]
    write_examples(tmp_path / "old" / "train.record", [tfod(b"a.jpg", picture, **{"image/object/mask": stored})])
    built = rebuilt(tmp_path / "data", tmp_path / "old", flags=["--splits=train=1", *flags])
    (example,) = built.examples()
    assert mask_boxes(example) == masks
    (row,) = built.ledger("images")
    assert (keys in row["detail"]) == (keys != "masks stay")


def test_masks_that_readers_take_for_others_are_repaired(tmp_path: Path) -> None:
    stored = [mask_png(slice(0, 15), slice(20, 40), 255), mask_png(slice(8, 30), slice(10, 20), 1)]
    write_examples(tmp_path / "old" / "train.record", [tfod(b"a.jpg", jpeg(), **{"image/object/mask": stored})])
    built = rebuilt(tmp_path / "data", tmp_path / "old", flags=["--splits=train=1"])
    (example,) = built.examples()
    assert mask_boxes(example) == [(0, 20, 15, 40), (8, 10, 30, 20)]


def test_masks_of_records_stay_beside_those_of_other_sources(tmp_path: Path) -> None:
    stored = [mask_png(slice(0, 15), slice(20, 40)), mask_png(slice(8, 30), slice(10, 20))]
    write_examples(tmp_path / "old" / "train.record", [tfod(b"a.jpg", jpeg(), **{"image/object/mask": stored})])
    annotations = [coco_box(1, 1, [2, 2, 18, 13], 3, segmentation=[[2, 2, 20, 2, 20, 15, 2, 15]], iscrowd=0)]
    write_files(tmp_path / "images", {"b.jpg": jpeg(seed=1)})
    write_files(tmp_path, {"b.json": coco_bytes([coco_image(1, "b.jpg")], annotations)})
    sources = {
        "sources": [
            {"name": "old", "annotations": str(tmp_path / "old")},
            {"name": "new", "annotations": str(tmp_path / "b.json"), "images": str(tmp_path / "images")},
        ]
    }
    write_files(tmp_path, {"mix.json": json.dumps(sources).encode()})
    built = rebuilt(tmp_path / "data", flags=[f"--sources={tmp_path / 'mix.json'}", "--splits=train=1"])
    examples = {Path(name).name: example for name, example in built.by_name().items()}
    assert values(examples["a.jpg"], "image/object/mask") == stored
    assert mask_boxes(examples["b.jpg"]) == [(2, 2, 15, 20)]
