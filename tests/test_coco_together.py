"""COCO's instances, keypoints, captions and panoptic maps of the same images, each in a file of its own, in one run."""

from __future__ import annotations

import json
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
    values,
    voc,
    voc_object,
    write_files,
)

COUNT = 12
FLAGS = ("--num_shards=train=2,val=1",)
CLASSES = [{"id": 1, "name": "person", "isthing": 1}, {"id": 2, "name": "ball", "isthing": 1}]
SKY = {"id": 9, "name": "sky", "isthing": 0}
PERSON = CLASSES[0] | {"keypoints": ["nose", "hand"], "skeleton": [[1, 2]]}
KINDS = ("captions", "instances", "panoptic", "person_keypoints")
IMAGES = [coco_image(number, f"{number:02d}.jpg") for number in range(COUNT)]


def people(number: int, **more: Any) -> dict[str, Any]:
    square = [[4, 5, 14, 5, 14, 25, 4, 25]]
    return coco_box(10 * number + 1, number, [4, 5, 10, 20], segmentation=square, area=200, iscrowd=0, **more)


def balls(number: int) -> dict[str, Any]:
    return coco_box(10 * number + 2, number, [20, 2, 6, 4], 2, area=24, iscrowd=0)


def captions(number: int) -> list[dict[str, Any]]:
    return [{"id": 10 * number + k, "image_id": number, "caption": f"Person {number}, said {k}."} for k in (1, 2)]


POINTS = {"keypoints": [4, 5, 2, 14, 24.5, 1], "num_keypoints": 2}


def of_all(make: Any, *, until: int = COUNT) -> list[Any]:
    return [item for number in range(until) for item in make(number)]


def source(kind: str) -> dict[str, Any]:
    """What COCO has in ``KIND_val2017.json``. Two segments of the map are what is in instances; the third is a ball."""
    if kind == "instances":  # balls in half of the images
        return coco(IMAGES, [*of_all(lambda n: [people(n)]), *of_all(lambda n: [balls(n)], until=6)], CLASSES)
    if kind == "person_keypoints":
        return coco(IMAGES, of_all(lambda n: [people(n, **POINTS)]), [PERSON])
    if kind == "captions":
        found = coco(IMAGES, of_all(captions))
        del found["categories"]
        return found
    segments = [
        {"id": 300, "category_id": 9, "bbox": [0, 0, WIDTH, 20], "area": 676, "iscrowd": 0},
        {"id": 70_000, "category_id": 1, "bbox": [4, 5, 10, 10], "area": 100, "iscrowd": 0},
        {"id": 8, "category_id": 2, "bbox": [20, 2, 6, 4], "area": 24, "iscrowd": 0},
    ]
    maps = of_all(lambda n: [{"image_id": n, "file_name": f"{n:02d}.png", "segments_info": segments}])
    return coco(IMAGES, maps, [*CLASSES, SKY])


def map_png() -> bytes:
    pixels = np.zeros((HEIGHT, WIDTH), np.int64)
    pixels[:20] = 300
    pixels[5:15, 4:14] = 70_000
    pixels[2:6, 20:26] = 8
    channels = [pixels & 255, pixels >> 8 & 255, pixels >> 16]
    return encoded(Image.fromarray(np.stack(channels, axis=-1).astype(np.uint8)), "PNG")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("together")
    write_files(folder / "val2017", {f"{number:02d}.jpg": jpeg(seed=number) for number in range(COUNT)})
    data = map_png()
    write_files(folder / "annotations/panoptic_val2017", {f"{number:02d}.png": data for number in range(COUNT)})
    write_files(folder / "annotations", {f"{kind}_val2017.json": json.dumps(source(kind)).encode() for kind in KINDS})
    return folder


def build(inputs: Path, out: Path, annotations: str | list[str], *flags: str) -> BuiltDataset:
    first, *others = [annotations] if isinstance(annotations, str) else annotations
    more = [f"--annotations={place}" for place in others]
    return build_dataset(out, Path(first), inputs / "val2017", *more, *(flags or FLAGS))


@pytest.fixture(scope="module")
def built(inputs: Path) -> BuiltDataset:
    return build(inputs, inputs / "out", f"{inputs}/annotations/*_val2017.json")


def test_one_record_for_each_image_has_it_all(built: BuiltDataset) -> None:
    assert built.exit_code == 0
    assert verify_tfrecords.main([f"--dataset={built.folder}"]) == 0
    records = built.by_name()
    assert sorted(records) == [image["file_name"] for image in IMAGES]
    for number, (_, record) in enumerate(sorted(records.items())):
        assert values(record, "image/source_id") == [str(number).encode()]
        assert values(record, "image/caption") == [item["caption"].encode() for item in captions(number)]
        assert values(record, "image/object/class/text") == [b"person", b"ball"]  # a ball by the map, if by no other
        assert values(record, "image/object/area") == [200, 24]
        assert values(record, "image/object/keypoint/visibility") == [2, 1, 0, 0]
        assert values(record, "image/object/mask/weight") == ([1.0, 0.0] if number < 6 else [])
        assert values(record, "image/panoptic/category_mask")


def test_all_is_counted_once(built: BuiltDataset) -> None:
    counts = built.manifest["counts"]
    assert counts["images"] == {"read": COUNT, "written": COUNT, "repaired": 0, "rejected": 0}
    assert counts["boxes"] == {"read": 2 * COUNT, "written": 2 * COUNT, "repaired": 0, "dropped": 0}
    assert built.manifest["reasons"] == {}
    files = ", ".join(f"{kind}_val2017.json" for kind in KINDS)
    assert {row["annotation_file"] for row in built.ledger("images")} == {files}


WAYS = {
    "a list backwards": [f"annotations/{kind}_val2017.json" for kind in reversed(KINDS)],
    "the folder": ["annotations"],
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "workers", [(), ("--direct_num_workers=2", "--direct_running_mode=multi_processing")], ids=["one", "two processes"]
)
def test_order_and_workers_do_not_matter(
    way: str, workers: tuple[str, ...], inputs: Path, built: BuiltDataset, tmp_path: Path
) -> None:
    again = build(inputs, tmp_path, [f"{inputs}/{place}" for place in WAYS[way]], *FLAGS, *workers)
    assert again.shard_digests() == built.shard_digests()
    rows = [[row | {"source": ""} for row in dataset.ledger("images")] for dataset in (again, built)]
    assert rows[0] == rows[1]  # the source is called by the first of the names that the user gives


def test_the_same_as_of_one_file(inputs: Path, tmp_path: Path) -> None:
    """Of boxes, masks, keypoints and captions together; a map's things would be objects besides."""
    annotations = [*of_all(lambda n: [people(n, **POINTS)]), *of_all(lambda n: [balls(n)], until=6), *of_all(captions)]
    whole = json.dumps(coco(IMAGES, annotations, [PERSON, CLASSES[1]])).encode()
    write_files(tmp_path, {"whole.json": whole})
    files = [f"{inputs}/annotations/{kind}_val2017.json" for kind in KINDS if kind != "panoptic"]
    apart = build(inputs, tmp_path / "apart", files)
    assert apart.exit_code == 0
    assert apart.shard_digests() == build(inputs, tmp_path / "whole", f"{tmp_path}/whole.json").shard_digests()


def test_another_file_changes_what_it_tells_of(inputs: Path, built: BuiltDataset, tmp_path: Path) -> None:
    """Captions that come later; of what is the same all is kept."""
    files = [f"{inputs}/annotations/{kind}_val2017.json" for kind in reversed(KINDS)]
    before = build(inputs, tmp_path / "before", files[:3])
    for places, expected in ((files[:3], before), (files, built)):
        after = build(inputs, tmp_path / str(len(places)), places, *FLAGS, f"--previous={before.folder}")
        assert after.exit_code == 0
        assert verify_tfrecords.main([f"--dataset={after.folder}"]) == 0
        assert after.shard_digests() == expected.shard_digests()


def test_splits_of_the_source_stay(inputs: Path, tmp_path: Path) -> None:
    """By the names of the files: instances and captions of train and of val, each of other images."""
    files = {}
    for split, part in {"train": range(8), "val": range(8, COUNT)}.items():
        images = [IMAGES[number] for number in part]
        files[f"instances_{split}.json"] = coco(images, [people(number) for number in part], CLASSES)
        files[f"captions_{split}.json"] = coco(images, [item for n in part for item in captions(n)], [])
    write_files(tmp_path / "labels", {name: json.dumps(data).encode() for name, data in files.items()})
    built = build(inputs, tmp_path / "out", f"{tmp_path}/labels", "--splits=source")
    assert built.exit_code == 0
    assert {name: split["records"] for name, split in built.manifest["splits"].items()} == {"train": 8, "val": 4}
    assert all(values(record, "image/caption") for record in built.examples())


def test_contradictions_are_refused_by_image(inputs: Path, tmp_path: Path) -> None:
    """The other images are united all the same."""
    boxes = [people(0) | {"bbox": [4, 5, 10, 21]}, *(people(number) for number in range(1, COUNT))]
    contents = {"a.json": coco(IMAGES, [people(n) for n in range(COUNT)], CLASSES), "b.json": source("captions")}
    contents["c.json"] = coco(IMAGES, boxes[:1], CLASSES)
    write_files(tmp_path / "labels", {name: json.dumps(data).encode() for name, data in contents.items()})
    built = build(inputs, tmp_path / "out", f"{tmp_path}/labels", "--max_reject_ratio=1")
    assert built.exit_code == 2
    assert verify_tfrecords.main([f"--dataset={built.folder}"]) == 0
    refused = [row for row in built.ledger("images") if row["status"] == "rejected"]
    assert [(row["annotation_file"], row["reasons"]) for row in refused] == [
        (name, ["dup_image_name"]) for name in ("a.json", "b.json", "c.json")
    ]
    for row in refused:
        assert "annotation 1 is 'person'" in row["detail"]
        assert "in a.json" in row["detail"]
        assert "in c.json" in row["detail"]
        assert "--sources" in row["detail"]
    assert built.manifest["counts"]["images"] == {"read": COUNT + 2, "written": COUNT - 1, "repaired": 0, "rejected": 3}


def test_files_of_one_image_each_are_refused_with_the_remedy(tmp_path: Path) -> None:
    write_files(tmp_path / "images", {"a.jpg": jpeg(), "b.jpg": jpeg(seed=1)})
    write_files(
        tmp_path / "labels", {f"{n}.xml": voc(f"{n[0]}.jpg", [voc_object()]).encode() for n in ("a", "a2", "b")}
    )
    built = build_dataset(tmp_path / "out", tmp_path / "labels", tmp_path / "images")
    refused = [row for row in built.ledger("images") if row["status"] == "rejected"]
    assert [row["annotation_file"] for row in refused] == ["a.xml", "a2.xml"]
    assert all(row["reasons"] == ["dup_image_name"] and "--sources" in row["detail"] for row in refused)


def test_two_sources_keep_their_images_apart(inputs: Path, tmp_path: Path) -> None:
    sources = [
        {
            "name": name,
            "annotations": [f"{inputs}/annotations/{kind}_val2017.json" for kind in ("instances", *more)],
            "images": f"{inputs}/val2017",
        }
        for name, more in {"bare": (), "told": ("captions",)}.items()
    ]
    (tmp_path / "mix.json").write_text(json.dumps({"sources": sources}))
    from pipelines.build_tfrecords import main

    assert main([f"--sources={tmp_path}/mix.json", f"--output={tmp_path}/out", "--name=mix"]) == 0
    records = list(BuiltDataset(0, tmp_path / "out/mix/1.0.0").examples())
    told = [
        bool(values(record, "image/caption")) == (values(record, "image/origin") == [b"told"]) for record in records
    ]
    assert (len(records), all(told)) == (2 * COUNT, True)
