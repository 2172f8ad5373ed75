"""Builds that go on with a dataset: the records of a full build, and of the old files all that need not change."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines import build_tfrecords, verify_tfrecords
from tests.sample_data import (
    BuiltDataset,
    build_dataset,
    coco_box,
    coco_bytes,
    coco_image,
    jpeg,
    ledger_rows,
    voc,
    voc_object,
    write_files,
)
from transforms.shards.record_framing import read_records

COUNT = 60
FLAGS = ("--examples_per_shard=6", "--leakage_report", "--max_reject_ratio=1", "--coco_splits=val")


def labels(names: Collection[int], moved: Collection[int] = (), first_id: int = 1) -> bytes:
    """A COCO file: three boxes an image, of which every fifth image has one that must be clipped and one to drop."""
    images = [coco_image(number + 1, f"사진/{number:03d}.jpg") for number in names]
    annotations = []
    for number in names:
        edges = [[2, 2, 9, 11 if number in moved else 9], [4, 4, 90, 9], [50, 2, 5, 5]]
        for bbox in edges if number % 5 == 0 else edges[:1]:
            annotations.append(coco_box(first_id + len(annotations), number + 1, bbox, 1 + 2 * (number % 2)))
    return coco_bytes(images, annotations)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Image 11 is no picture, image 12 is not there, images 20 and 21 are one picture."""
    folder = tmp_path_factory.mktemp("incremental")
    pictures = {f"사진/{number:03d}.jpg": jpeg(seed=max(number, 21)) for number in range(COUNT + 20) if number != 12}
    write_files(folder / "images", pictures | {"사진/011.jpg": b"no picture"})
    return write_files(folder, {"before.json": labels(range(COUNT)), "same.json": labels(range(COUNT), first_id=999)})


@pytest.fixture(scope="module")
def before(inputs: Path) -> BuiltDataset:
    return build_dataset(inputs / "out", inputs / "before.json", inputs / "images", *FLAGS)


def payloads(built: BuiltDataset) -> dict[str, Counter[bytes]]:
    """The records of each split."""
    found = {}
    for split in built.manifest["splits"]:
        found[split] = Counter[bytes]()
        for path in built.folder.glob(f"*-{split}.tfrecord-*"):
            with path.open("rb") as file:
                found[split].update(read_records(file))
    return found


def rows(built: BuiltDataset, table: str) -> list[str]:
    """The ledger but for the places of records."""
    return sorted(
        json.dumps({key: value for key, value in row.items() if key not in ("shard", "index")})
        for row in ledger_rows(built.folder, table)
    )


def ground_truth(built: BuiltDataset) -> Any:
    truth = json.loads((built.folder / "handoff" / f"{built.manifest['name']}-val.coco.json").read_bytes())
    assert [item["id"] for item in truth["annotations"]] == list(range(1, len(truth["annotations"]) + 1))
    for item in truth["annotations"]:
        del item["id"]
    return {key: sorted(map(json.dumps, value)) for key, value in truth.items()}


def check_equal(built: BuiltDataset, full: BuiltDataset) -> None:
    """Checks that a dataset has all that a full build has, in other shards maybe, and is whole."""
    assert built.exit_code == full.exit_code
    assert payloads(built) == payloads(full)
    for table in ("images", "boxes"):
        assert rows(built, table) == rows(full, table)
    for key in ("counts", "classes", "reasons", "sources", "leakage"):
        assert built.manifest[key] == full.manifest[key], key
    assert ground_truth(built) == ground_truth(full)
    assert verify_tfrecords.main([str(built.folder), "--image_decode=full"]) == 0


def test_images_come_and_go(inputs: Path, before: BuiltDataset, tmp_path: Path) -> None:
    names = [number for number in range(COUNT + 10) if number not in (7, 8)]
    write_files(tmp_path, {"now.json": labels(names, moved=[9])})
    build = [tmp_path / "now.json", inputs / "images", *map(str, FLAGS)]
    full = build_dataset(tmp_path / "full", *build)  # type: ignore[arg-type]
    built = build_dataset(tmp_path / "out", *build, f"--previous={before.folder}")  # type: ignore[arg-type]
    check_equal(built, full)
    summary = built.manifest["previous"]
    assert summary["images"] == {"kept": COUNT - 5, "changed": 1, "removed": 2}
    assert summary["fingerprint"] == before.manifest["fingerprint"]
    shards = summary["shards"]
    assert 1 <= len(shards["rewritten"]) <= 3
    assert len(shards["reused"]) + len(shards["rewritten"]) == len(before.shard_digests())
    for file, earlier in shards["reused"].items():
        assert (built.folder / file).samefile(before.folder / earlier)
    again = build_dataset(tmp_path / "again", *build, f"--previous={before.folder}")  # type: ignore[arg-type]
    assert {path.name: path.read_bytes() for path in again.folder.glob("*.*")} == {
        path.name: path.read_bytes() for path in built.folder.glob("*.*")
    }


def test_tfds_opens_it(inputs: Path, before: BuiltDataset, tmp_path: Path) -> None:
    tfds = pytest.importorskip("tensorflow_datasets")
    write_files(tmp_path, {"now.json": labels(range(2, COUNT + 3))})
    built = build_dataset(tmp_path, tmp_path / "now.json", inputs / "images", *FLAGS, f"--previous={before.folder}")
    examples = list(tfds.as_numpy(tfds.builder_from_directory(str(built.folder)).as_dataset(split="train+val")))
    assert len(examples) == COUNT - 1


def same_pictures(folder: Path) -> None:
    """Touches nothing."""


def newer_pictures(folder: Path) -> None:
    for path in folder.rglob("*.jpg"):
        os.utime(path)


@pytest.mark.parametrize(
    ("annotations", "touch"),
    [("before.json", same_pictures), ("same.json", same_pictures), ("same.json", newer_pictures)],
)
def test_no_change_keeps_every_shard(
    inputs: Path, before: BuiltDataset, tmp_path: Path, annotations: str, touch: Callable[[Path], None]
) -> None:
    """Also if annotations are exported anew, under other numbers, in a file of another name."""
    shutil.copytree(inputs / "images", tmp_path / "images")
    touch(tmp_path / "images")
    full = before
    if annotations != "before.json":
        full = build_dataset(tmp_path / "full", inputs / annotations, inputs / "images", *FLAGS)
    built = build_dataset(tmp_path, inputs / annotations, tmp_path / "images", *FLAGS, f"--previous={before.folder}")
    check_equal(built, full)
    assert built.shard_digests() == before.shard_digests()
    # The images that were refused are looked at again, where they may be others now.
    rewritten = len(built.manifest["previous"]["shards"]["rewritten"])
    assert rewritten == 0 if touch is same_pictures else rewritten <= 2


def test_pictures_with_known_stamps_are_not_read(inputs: Path, before: BuiltDataset, tmp_path: Path) -> None:
    """A picture of the same size and time is taken for the same; one of another time is read, and found changed."""
    shutil.copytree(inputs / "images", tmp_path / "images")
    path = tmp_path / "images" / "사진" / "030.jpg"
    status = path.stat()
    other = jpeg(seed=31) + b"\0" * status.st_size
    path.write_bytes(other[: status.st_size])
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    build = (inputs / "before.json", tmp_path / "images", *FLAGS, f"--previous={before.folder}")
    kept = build_dataset(tmp_path / "kept", *build)
    assert kept.manifest["previous"]["images"]["changed"] == 0
    os.utime(path)
    changed = build_dataset(tmp_path / "changed", *build)
    assert changed.manifest["previous"]["images"]["changed"] == 1


def test_without_stamps_pictures_are_compared(inputs: Path, before: BuiltDataset, tmp_path: Path) -> None:
    previous = shutil.copytree(before.folder, tmp_path / "previous")
    (previous / "input_stamps.parquet").unlink()
    built = build_dataset(tmp_path, inputs / "before.json", inputs / "images", *FLAGS, f"--previous={previous}")
    assert built.manifest["previous"]["images"] == {"kept": COUNT - 2, "changed": 0, "removed": 0}
    assert built.shard_digests() == before.shard_digests()


def test_missing_and_broken_pictures_that_are_mended(inputs: Path, before: BuiltDataset, tmp_path: Path) -> None:
    shutil.copytree(inputs / "images", tmp_path / "images")
    for number in (11, 12):
        (tmp_path / "images" / "사진" / f"{number:03d}.jpg").write_bytes(jpeg(seed=99))
    (tmp_path / "images" / "사진" / "013.jpg").write_bytes(b"now broken")
    build = (inputs / "before.json", tmp_path / "images", *FLAGS)
    built = build_dataset(tmp_path / "out", *build, f"--previous={before.folder}")
    check_equal(built, build_dataset(tmp_path / "full", *build))
    assert built.manifest["counts"]["images"]["rejected"] == 1


def test_replaces_the_dataset_that_it_goes_on_with(inputs: Path, tmp_path: Path) -> None:
    build = (inputs / "images", *FLAGS)
    first = build_dataset(tmp_path, inputs / "before.json", *build)
    write_files(tmp_path, {"now.json": labels(range(1, COUNT + 5))})
    again = build_dataset(tmp_path, tmp_path / "now.json", *build, f"--previous={first.folder}", "--overwrite")
    check_equal(again, build_dataset(tmp_path / "full", tmp_path / "now.json", *build))
    assert again.manifest["previous"]["shards"]["reused"]


REFUSED = {
    "another split": (["--splits=train=0.7,val=0.3"], "it has splits='train=0.8,val=0.2', this run has"),
    "other pictures": (["--max_side=20"], "max_side"),
    "no masks": (["--masks=none"], "masks"),
    "class ids": (["--class_ids=dense"], "class_ids"),
    "no dataset": (["--previous={inputs}"], "has no manifest.json"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_settings_that_differ_are_named(
    inputs: Path, before: BuiltDataset, tmp_path: Path, case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    flags, said = REFUSED[case]
    more = [flag.format(inputs=inputs) for flag in flags]
    arguments = [f"--previous={before.folder}", *more]
    built = build_dataset(tmp_path, inputs / "before.json", inputs / "images", *FLAGS, *arguments)
    error = capsys.readouterr().err
    assert (built.exit_code, "Traceback" in error) == (1, False)
    assert said in error
    assert not built.folder.exists()


CLASSES = {
    "one more at the end": ([(1, "cat"), (3, "dog"), (7, "eel")], ""),
    "one more between": ([(1, "cat"), (2, "ant"), (3, "dog")], "'dog' has id 3 and TFDS label 1, now they are 3 and 2"),
    "another id": ([(1, "cat"), (4, "dog")], "'dog' has id 3 and TFDS label 1, now they are 4 and 1"),
}


@pytest.mark.parametrize("case", CLASSES)
def test_class_ids_must_stay(
    inputs: Path, before: BuiltDataset, tmp_path: Path, case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    classes, said = CLASSES[case]
    document = json.loads(labels(range(COUNT)))
    for item in document["annotations"]:
        item["category_id"] = classes[0 if item["category_id"] == 1 else [n for _, n in classes].index("dog")][0]
    document["categories"] = [{"id": class_id, "name": name} for class_id, name in classes]
    write_files(tmp_path, {"now.json": json.dumps(document).encode()})
    built = build_dataset(tmp_path, tmp_path / "now.json", inputs / "images", *FLAGS, f"--previous={before.folder}")
    error = capsys.readouterr().err
    assert "Traceback" not in error
    if said:
        assert built.exit_code == 1
        assert said in error
    else:
        assert built.exit_code == before.exit_code
        assert verify_tfrecords.main([str(built.folder)]) == 0


def flip(path: Path, offset: int) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.unlink()  # it may be a link
    path.write_bytes(data)


@pytest.mark.parametrize(
    "pattern", ["ledger/images-*.parquet", "ledger/inputs-*.parquet", "handoff/*.json", "*-train.*"]
)
def test_damage_is_not_passed_on(
    inputs: Path, before: BuiltDataset, tmp_path: Path, pattern: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of every shard a record is copied, so that the damage is met."""
    previous = shutil.copytree(before.folder, tmp_path / "previous")
    for path in previous.glob(pattern):
        flip(path, path.stat().st_size // 2)
    write_files(tmp_path, {"now.json": labels(range(COUNT), moved=range(0, COUNT, 2))})
    built = build_dataset(tmp_path, tmp_path / "now.json", inputs / "images", *FLAGS, f"--previous={previous}")
    error = capsys.readouterr().err
    assert built.exit_code == 1
    assert "is not as its manifest says" in error
    assert "Traceback" not in error


@pytest.mark.parametrize("fail_at", [1, 4])
def test_interrupted_build_goes_on(
    inputs: Path, before: BuiltDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fail_at: int
) -> None:
    """After a failure at some link, as after a kill, the next run finishes to the same bytes."""
    write_files(tmp_path, {"now.json": labels(range(3, COUNT + 6), moved=[20])})
    build = (tmp_path / "now.json", inputs / "images", *FLAGS, f"--previous={before.folder}")
    expected = build_dataset(tmp_path / "expected", *build)
    genuine, calls = os.link, 0

    def failing(*arguments: Any, **keywords: Any) -> None:
        nonlocal calls
        calls += 1
        if calls >= fail_at:
            raise FileNotFoundError(2, "gone")
        genuine(*arguments, **keywords)

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", failing)
        assert build_dataset(tmp_path / "out", *build).exit_code == 1
    built = build_dataset(tmp_path / "out", *build)
    files = [path.relative_to(expected.folder) for path in expected.folder.rglob("*") if path.is_file()]
    assert [path for path in files if (built.folder / path).read_bytes() != (expected.folder / path).read_bytes()] == []
    assert len(files) == sum(path.is_file() for path in built.folder.rglob("*"))


@pytest.mark.slow
def test_killed_build_goes_on(inputs: Path, before: BuiltDataset, tmp_path: Path) -> None:
    """SIGKILL at ten moments of a run of two processes."""
    write_files(tmp_path, {"now.json": labels(range(3, COUNT + 6), moved=[20])})
    command = [sys.executable, "-m", "pipelines.cli", "build", f"--annotations={tmp_path / 'now.json'}"]
    command += [f"--images={inputs / 'images'}", "--name=sample", f"--previous={before.folder}", *FLAGS]
    began = time.perf_counter()
    subprocess.run([*command, f"--output={tmp_path / 'expected'}", "--direct_num_workers=2"], check=False)
    seconds = time.perf_counter() - began
    expected = tmp_path / "expected" / "sample" / "1.0.0"
    for moment in range(1, 11):
        output = tmp_path / f"out{moment}"
        process = subprocess.Popen([*command, f"--output={output}", "--direct_num_workers=2"], start_new_session=True)
        time.sleep(seconds * moment / 11)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert subprocess.run([*command, f"--output={output}"], check=False).returncode == 2
        built = output / "sample" / "1.0.0"
        assert {path.relative_to(built): path.read_bytes() for path in built.rglob("*") if path.is_file()} == {
            path.relative_to(expected): path.read_bytes() for path in expected.rglob("*") if path.is_file()
        }


def test_shards_are_copied_where_they_cannot_be_linked(
    inputs: Path, before: BuiltDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = os.link

    def across(source: Any, target: Any, **keywords: Any) -> None:
        if ".tfrecord-" in str(target):
            raise OSError(18, "Invalid cross-device link")
        genuine(source, target, **keywords)

    monkeypatch.setattr(os, "link", across)
    built = build_dataset(tmp_path, inputs / "before.json", inputs / "images", *FLAGS, f"--previous={before.folder}")
    check_equal(built, before)
    file, earlier = next(iter(built.manifest["previous"]["shards"]["reused"].items()))
    assert not (built.folder / file).samefile(before.folder / earlier)


def mixed(folder: Path, count: int) -> list[str]:
    """Two sources with masks: COCO with polygons, and VOC."""
    write_files(folder / "images", {f"{number:03d}.jpg": jpeg(seed=number) for number in range(count)})
    images = [coco_image(number, f"{number:03d}.jpg") for number in range(count)]
    outline = [[2.0, 2.0, 9.0, 2.0, 9.0, 9.0]]
    boxes = [coco_box(number, number, [2, 2, 7, 7], segmentation=outline) for number in range(count)]
    write_files(folder, {"labels.json": coco_bytes(images, boxes)})
    xml = {f"{number:03d}.xml": voc(f"{number:03d}.jpg", [voc_object()]).encode() for number in range(count)}
    write_files(folder / "Annotations", xml)
    sources = [
        {"name": "first", "annotations": "labels.json", "images": "images"},
        {"name": "second", "annotations": "Annotations", "images": "images"},
    ]
    write_files(folder, {"mix.yaml": yaml.safe_dump({"sources": sources}).encode()})
    return [f"--sources={folder / 'mix.yaml'}", "--name=mix", "--coco_splits=val", "--examples_per_shard=5"]


def test_sources_and_masks(tmp_path: Path) -> None:
    built = []
    for number, count in enumerate((20, 24, 24)):
        flags = mixed(tmp_path / "inputs", count)
        out = tmp_path / f"out{number}"
        previous = [f"--previous={built[0].folder}"] if number == 1 else []
        built.append(BuiltDataset(build_tfrecords.main([*flags, f"--output={out}", *previous]), out / "mix" / "1.0.0"))
    check_equal(built[1], built[2])
    assert built[1].manifest["source_counts"] == built[2].manifest["source_counts"]
    assert built[1].manifest["previous"]["images"] == {"kept": 40, "changed": 0, "removed": 0}


def test_stored_records(before: BuiltDataset, tmp_path: Path) -> None:
    """Records that are taken over: where they stand in their files does not matter."""
    source = tmp_path / "source"
    source.mkdir()
    for path in before.folder.glob("*-train.tfrecord-*"):
        shutil.copy(path, source)
    shutil.copy(before.folder / "label_map.pbtxt", source)
    flags = (*FLAGS, "--format=tfrecord")
    first = build_dataset(tmp_path / "first", source, source, *flags)
    for path in before.folder.glob("*-val.tfrecord-*"):
        shutil.copy(path, source / f"a-{path.name}")
    built = build_dataset(tmp_path / "out", source, source, *flags, f"--previous={first.folder}")
    check_equal(built, build_dataset(tmp_path / "full", source, source, *flags))
    assert built.manifest["previous"]["images"]["changed"] == 0
    assert not built.manifest["previous"]["shards"]["rewritten"]
