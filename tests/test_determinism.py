"""The same input gives the same bytes, whoever works on it and in whatever order; growing data moves no image."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sample_data import (
    BuiltDataset,
    build_dataset,
    coco,
    coco_box,
    coco_image,
    jpeg,
    values,
    voc,
    voc_object,
    write_files,
)

FLAGS = ("--num_shards=train=3,val=2",)
COUNT = 60


def labels(count: int, seed: int | None = None) -> bytes:
    """A COCO file; with a seed, all its arrays are shuffled."""
    images = [coco_image(number * 3, f"사진/{number:03d}.jpg") for number in range(count)]
    annotations = [
        coco_box(10 * number + k, number * 3, [k, k, 9, 9], 1 + 2 * (k % 2))
        for number in range(count)
        for k in range(3)
    ]
    if seed is not None:
        chance = random.Random(seed)
        chance.shuffle(images)
        # The order of the boxes of one image is data: those of different images are dealt out anew.
        order = [annotation["image_id"] for annotation in annotations]
        chance.shuffle(order)
        queues = {image_id: iter([a for a in annotations if a["image_id"] == image_id]) for image_id in set(order)}
        annotations = [next(queues[image_id]) for image_id in order]
    return json.dumps(coco(images, annotations), ensure_ascii=False).encode()


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("determinism")
    write_files(folder / "images", {f"사진/{number:03d}.jpg": jpeg(seed=number) for number in range(COUNT + 100)})
    return write_files(folder, {"labels.json": labels(COUNT)})


@pytest.fixture(scope="module")
def reference(inputs: Path) -> BuiltDataset:
    return build_dataset(inputs / "reference", inputs / "labels.json", inputs / "images", *FLAGS)


def test_there_are_several_shards(reference: BuiltDataset) -> None:
    assert len(reference.shard_digests()) == 5
    assert sum(item["records"] for item in reference.manifest["splits"].values()) == COUNT


WAYS = {
    "again": [],
    "two threads": ["--direct_num_workers=2", "--direct_running_mode=multi_threading"],
    "two processes": ["--direct_num_workers=2", "--direct_running_mode=multi_processing"],
}


@pytest.mark.parametrize("way", WAYS)
def test_workers_do_not_matter(way: str, inputs: Path, reference: BuiltDataset, tmp_path: Path) -> None:
    built = build_dataset(tmp_path, inputs / "labels.json", inputs / "images", *FLAGS, *WAYS[way])
    assert built.shard_digests() == reference.shard_digests()
    assert all_files(built) == all_files(reference)


def all_files(built: BuiltDataset) -> dict[str, bytes]:
    """All files of a dataset."""
    return {
        str(path.relative_to(built.folder)): path.read_bytes() for path in built.folder.rglob("*") if path.is_file()
    }


def test_hash_seed_and_locale_do_not_matter(inputs: Path, reference: BuiltDataset, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pipelines.cli", "build", "--name=sample", f"--output={tmp_path}", *FLAGS]
    command += [f"--annotations={inputs / 'labels.json'}", f"--images={inputs / 'images'}"]
    environment = os.environ | {"PYTHONHASHSEED": "12345", "LC_ALL": "C", "TZ": "Asia/Seoul"}
    root = Path(__file__).resolve().parent.parent
    done = subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert all_files(BuiltDataset(0, tmp_path / "sample" / "1.0.0")) == all_files(reference)


def test_order_of_the_source_does_not_matter(inputs: Path, reference: BuiltDataset, tmp_path: Path) -> None:
    write_files(tmp_path, {"labels.json": labels(COUNT, seed=5)})
    assert (tmp_path / "labels.json").read_bytes() != (inputs / "labels.json").read_bytes()
    built = build_dataset(tmp_path / "out", tmp_path / "labels.json", inputs / "images", *FLAGS)
    assert built.shard_digests() == reference.shard_digests()


def test_names_of_voc_files_do_not_matter(inputs: Path, tmp_path: Path) -> None:
    """Other names of the files that annotate are another order of reading."""
    digests = []
    for factor in (1, 37):
        files = {
            f"{number * factor % COUNT:03d}.xml": voc(f"사진/{number:03d}.jpg", [voc_object()]).encode()
            for number in range(COUNT)
        }
        folder = write_files(tmp_path / str(factor), files)
        digests.append(build_dataset(folder / "out", folder, inputs / "images", *FLAGS).shard_digests())
    assert digests[0] == digests[1]


def test_more_images_move_none_to_another_split(inputs: Path, reference: BuiltDataset, tmp_path: Path) -> None:
    write_files(tmp_path, {"labels.json": labels(COUNT + 100)})
    grown = build_dataset(tmp_path / "out", tmp_path / "labels.json", inputs / "images", *FLAGS)
    before, after = splits(reference), splits(grown)
    assert (len(before), len(after)) == (COUNT, COUNT + 100)
    assert before == {name: after[name] for name in before}


def splits(built: BuiltDataset) -> dict[str, str]:
    """The split of each image."""
    return {
        values(example, "image/filename")[0].decode(): split
        for split in built.manifest["splits"]
        for example in built.examples(split)
    }
