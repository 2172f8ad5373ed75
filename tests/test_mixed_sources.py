"""Several sources in one dataset: names and ids that meet do not collide, and each source is accounted for."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines import build_tfrecords, verify_tfrecords
from tests.sample_data import (
    HEIGHT,
    WIDTH,
    BuiltDataset,
    boxes,
    class_names,
    coco_box,
    coco_bytes,
    coco_image,
    jpeg,
    values,
    voc,
    voc_object,
    write_files,
)

COUNT = 20


def build_sources(folder: Path, sources: list[dict[str, Any]], *flags: str, out: str = "out") -> BuiltDataset:
    """Builds from a file of sources written for it."""
    (folder / "mix.yaml").write_text(yaml.safe_dump({"sources": sources}))
    arguments = [f"--sources={folder / 'mix.yaml'}", f"--output={folder / out}", "--name=mix", *flags]
    return BuiltDataset(build_tfrecords.main(arguments), folder / out / "mix" / "1.0.0")


def write_coco(folder: Path) -> None:
    """Images 000.jpg, … with the ids 0, …; a cat and a dog in each."""
    write_files(folder / "images", {f"{number:03d}.jpg": jpeg(seed=number) for number in range(COUNT)})
    images = [coco_image(number, f"{number:03d}.jpg") for number in range(COUNT)]
    boxes = [coco_box(10 * n + k, n, [k, k, 9, 9], (1, 3)[k]) for n in range(COUNT) for k in range(2)]
    write_files(folder, {"labels.json": coco_bytes(images, boxes)})


def write_voc(folder: Path) -> None:
    """Images of the same names; a kitty and a car in each."""
    write_files(folder / "JPEGImages", {f"{number:03d}.jpg": jpeg(seed=100 + number) for number in range(COUNT)})
    objects = [voc_object("kitty"), voc_object("car", (1, 1, 9, 9))]
    xml = {f"{number:03d}.xml": voc(f"{number:03d}.jpg", objects).encode() for number in range(COUNT)}
    write_files(folder / "Annotations", xml)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mixed")
    write_coco(folder / "coco")
    write_coco(folder / "again")
    write_voc(folder / "voc")
    return folder


SOURCES = [
    {"name": "coco", "annotations": "coco/labels.json", "images": "coco/images"},
    {"name": "again", "annotations": ["again/labels.json"], "class_map": {"drop": ["dog"]}},
    {"name": "voc", "annotations": "voc/Annotations", "class_map": {"rename": {"kitty": "cat"}}, "weight": 3},
]


@pytest.fixture(scope="module")
def built(inputs: Path) -> BuiltDataset:
    return build_sources(inputs, SOURCES, "--num_shards=train=3,val=1")


def test_every_record_says_its_source(built: BuiltDataset) -> None:
    assert built.exit_code == 0
    records = list(built.examples())
    names = Counter((values(r, "image/origin")[0].decode(), values(r, "image/filename")[0].decode()) for r in records)
    assert names == Counter({(item["name"], f"{n:03d}.jpg"): 1 for item in SOURCES for n in range(COUNT)})
    assert len({values(record, "image/source_id")[0] for record in records}) == 3 * COUNT


def test_classes_are_merged_and_dropped_as_each_source_says(built: BuiltDataset) -> None:
    found: dict[str, Counter[str]] = {}
    for record in built.examples():
        found.setdefault(values(record, "image/origin")[0].decode(), Counter()).update(class_names(record))
    assert found == {
        "coco": {"cat": COUNT, "dog": COUNT},
        "again": {"cat": COUNT},
        "voc": {"cat": COUNT, "car": COUNT},
    }
    assert [(item["id"], item["name"]) for item in built.manifest["classes"]] == [(1, "car"), (2, "cat"), (3, "dog")]
    dropped = Counter((row["source"], row["class_name"], row["reason"]) for row in built.ledger("boxes"))
    assert dropped == {("again", "dog", "class_dropped"): COUNT}


def test_weights_are_those_of_the_source(built: BuiltDataset) -> None:
    for record in built.examples():
        is_weighted = values(record, "image/origin") == [b"voc"]
        assert values(record, "image/object/weight") == ([3.0, 3.0] if is_weighted else [])


def test_counts_of_the_sources_add_up(built: BuiltDataset) -> None:
    manifest = built.manifest
    assert [item["name"] for item in manifest["sources"]] == ["coco", "again", "voc"]
    counts = manifest["source_counts"]
    assert counts["coco"]["boxes"] == {"read": 40, "written": 40, "repaired": 0, "dropped": 0}
    assert counts["again"]["boxes"] == {"read": 40, "written": 20, "repaired": 0, "dropped": 20}
    for kind, totals in manifest["counts"].items():
        assert totals == {name: sum(item[kind][name] for item in counts.values()) for name in totals}
    rows = Counter(row["source"] for row in built.ledger("images"))
    assert rows == dict.fromkeys(("coco", "again", "voc"), COUNT)


def test_verify_accounts_for_all_of_it(built: BuiltDataset) -> None:
    assert verify_tfrecords.main([str(built.folder)]) == 0


def test_tfds_reads_it(built: BuiltDataset) -> None:
    tfds = pytest.importorskip("tensorflow_datasets")
    dataset = tfds.builder_from_directory(str(built.folder)).as_dataset(split="val")
    assert {item["image"]["origin"].numpy().decode() for item in dataset} <= {"coco", "again", "voc"}


@pytest.mark.parametrize("way", ["multi_threading", "multi_processing"])
def test_workers_do_not_matter(built: BuiltDataset, inputs: Path, way: str) -> None:
    flags = ("--num_shards=train=3,val=1", "--direct_num_workers=2", f"--direct_running_mode={way}")
    again = build_sources(inputs, SOURCES, *flags, out=way)
    assert again.shard_digests() == built.shard_digests()
    assert again.manifest == built.manifest


def test_one_source_is_the_same_in_both_forms(inputs: Path) -> None:
    """The short form names its source after the annotations; a file with one source gives the same records."""
    listed = build_sources(inputs, SOURCES[:1], out="listed")
    arguments = [f"--annotations={inputs}/coco/labels.json", f"--output={inputs}/short", "--name=mix"]
    assert build_tfrecords.main(arguments) == 0
    short = BuiltDataset(0, inputs / "short" / "mix" / "1.0.0")
    assert listed.shard_digests() == short.shard_digests()
    assert "source_counts" not in listed.manifest
    assert not any(values(record, "image/origin") for record in listed.examples())


def test_a_name_twice_in_one_source_is_refused_there_alone(inputs: Path, tmp_path: Path) -> None:
    write_voc(tmp_path / "voc")
    write_files(tmp_path / "voc" / "Annotations", {"copy.xml": voc("000.jpg", [voc_object("kitty")]).encode()})
    sources = [
        {"name": "voc", "annotations": "voc/Annotations"},
        {**SOURCES[0], "annotations": f"{inputs}/coco/labels.json", "images": f"{inputs}/coco/images"},
    ]
    built = build_sources(tmp_path, sources, "--max_reject_ratio=1")
    assert built.exit_code == 2
    refused = [
        (row["source"], row["file_name"], row["reasons"]) for row in built.ledger("images") if row["split"] == ""
    ]
    assert refused == [("voc", "000.jpg", ["dup_image_name"])] * 2
    assert verify_tfrecords.main([str(built.folder)]) == 0


def test_sources_that_share_a_folder_of_images(tmp_path: Path) -> None:
    """What one of them names is not unlisted."""
    write_coco(tmp_path)
    halves = {"even": range(0, COUNT - 1, 2), "odd": range(1, COUNT - 1, 2)}
    for name, numbers in halves.items():
        images = [coco_image(number, f"{number:03d}.jpg") for number in numbers]
        write_files(tmp_path, {f"{name}.json": coco_bytes(images)})
    sources = [{"name": name, "annotations": f"{name}.json", "images": "images"} for name in halves]
    built = build_sources(tmp_path, sources)
    unlisted = [row["file_name"] for row in built.ledger("images") if row["status"] == "unlisted"]
    assert unlisted == [f"{COUNT - 1:03d}.jpg"]


MISTAKES = {
    "both forms": ([], ["--annotations=a.json"], "--sources names annotations and images itself"),
    "annotations that are not there": (
        [{"name": "x", "annotations": "no.json"}],
        [],
        "source x: annotations {folder}/no.json does not exist",
    ),
    "unknown format": ([{"name": "x", "annotations": "a", "format": "cocoa"}], [], "format 'cocoa' is not known"),
    "bad document": ([{"name": "x"}], [], "sources[0] has no annotations: add it"),
}


@pytest.mark.parametrize(("sources", "flags", "message"), MISTAKES.values(), ids=MISTAKES.keys())
def test_mistakes_end_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], sources: list[Any], flags: list[str], message: str
) -> None:
    assert build_sources(tmp_path, sources, *flags).exit_code == 1
    error = capsys.readouterr().err
    assert message.format(folder=tmp_path) in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_class_map_of_the_dataset_comes_after_the_sources_own(inputs: Path) -> None:
    (inputs / "classes.yaml").write_text(json.dumps({"names": ["pet"], "rename": {"cat": "pet"}, "drop": ["car"]}))
    built = build_sources(inputs, SOURCES, f"--class_map={inputs}/classes.yaml", out="mapped")
    assert [(item["name"], item["boxes"]) for item in built.manifest["classes"]] == [("pet", 3 * COUNT)]
    assert built.manifest["reasons"]["class_dropped"] == 2 * COUNT
    assert built.manifest["reasons"]["unknown_class"] == COUNT
    assert verify_tfrecords.main([str(built.folder)]) == 0


EDGES = (4, 6, 24, 21)
BOX_FILES: dict[str, dict[str, bytes]] = {
    "coco": {
        "labels.json": coco_bytes(
            [coco_image(n, f"{n}.jpg") for n in range(6)], [coco_box(n, n, [4, 6, 20, 15]) for n in range(6)]
        )
    },
    "voc": {f"xml/{n}.xml": voc(f"{n}.jpg", [voc_object("cat", EDGES)]).encode() for n in range(6)},
    "yolo": {"classes.txt": b"cat\n", **{f"labels/{n}.txt": b"0 0.35 0.45 0.5 0.5\n" for n in range(6)}},
    "csv": {
        "boxes.csv": b"filename,width,height,class,xmin,ymin,xmax,ymax\n"
        + b"".join(b"%d.jpg,40,30,cat,4,6,24,21\n" % n for n in range(6))
    },
    "cvat": {
        "annotations.xml": b'<?xml version="1.0"?><annotations><version>1.1</version>'
        + b"".join(
            b'<image id="%d" name="%d.jpg" width="40" height="30">'
            b'<box label="cat" xtl="4" ytl="6" xbr="24" ybr="21"/></image>' % (n, n)
            for n in range(6)
        )
        + b"</annotations>"
    },
    "labelme": {
        f"json/{n}.json": json.dumps(
            {
                "version": "5.0.1",
                "imagePath": f"../images/{n}.jpg",
                "imageWidth": WIDTH,
                "imageHeight": HEIGHT,
                "shapes": [{"label": "cat", "shape_type": "rectangle", "points": [[4, 6], [24, 21]]}],
            }
        ).encode()
        for n in range(6)
    },
}
"""The same box of a cat in each of six images, in as many formats; all of them with images 0.jpg to 5.jpg."""


def test_every_format_in_one_run(tmp_path: Path) -> None:
    sources = []
    for number, (name, files) in enumerate(BOX_FILES.items()):
        folder = write_files(tmp_path / name, files)
        write_files(folder / "images", {f"{n}.jpg": jpeg(seed=10 * number + n) for n in range(6)})
        place = f"{name}/{next(iter(files))}" if len(files) == 1 else name
        sources.append({"name": name, "annotations": place, "images": f"{name}/images"})
    built = build_sources(tmp_path, sources, "--num_shards=2")
    manifest = built.manifest
    assert built.exit_code == 0
    assert {item["name"]: item["annotation_formats"] for item in manifest["sources"]} == {n: [n] for n in BOX_FILES}
    for name in BOX_FILES:
        assert manifest["source_counts"][name] == {
            "images": {
                "read": 6,
                "written": 6,
                "repaired": manifest["source_counts"][name]["images"]["repaired"],
                "rejected": 0,
            },
            "boxes": {"read": 6, "written": 6, "repaired": 0, "dropped": 0},
        }
    records = list(built.examples())
    assert len({values(record, "image/source_id")[0] for record in records}) == len(records) == 6 * len(BOX_FILES)
    for record in records:
        assert boxes(record) == [pytest.approx((0.2, 0.1, 0.7, 0.6), abs=1e-6)]
        assert class_names(record) == ["cat"]
    assert verify_tfrecords.main([str(built.folder)]) == 0
