"""Splits without leaks, from the command line to the records: planted duplicates, splits of sources, caps."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pipelines import verify_tfrecords
from tests.sample_data import BuiltDataset, build_dataset, coco_bytes, coco_image, encoded, jpeg, values, write_files
from tests.test_mixed_sources import build_sources

IMAGES, PLANTED = 1800, 100
WIDTH, HEIGHT = 96, 72


def photo(seed: int) -> Image.Image:
    """Soft shapes, as of a photograph."""
    small = np.random.default_rng(seed).integers(0, 256, (6, 8, 3)).astype(np.uint8)
    return Image.fromarray(small).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)


def write_labels(folder: Path, names: list[str], file: str = "labels.json", size: tuple[int, int] = (40, 30)) -> Path:
    images = [coco_image(number, name, *size) for number, name in enumerate(names)]
    return write_files(folder, {file: coco_bytes(images)}) / file


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """2,000 images, 5 % of them copies and 5 % encoded anew; and for each of these its original."""
    folder = tmp_path_factory.mktemp("planted")
    files = {f"{n:04d}.jpg": encoded(photo(n), quality=92) for n in range(IMAGES)}
    originals = {}
    for n in range(PLANTED):
        files[f"copy/{n}.jpg"] = files[f"{n:04d}.jpg"]
        files[f"again/{n}.jpg"] = encoded(photo(PLANTED + n), quality=60)
        originals |= {f"copy/{n}.jpg": f"{n:04d}.jpg", f"again/{n}.jpg": f"{PLANTED + n:04d}.jpg"}
    write_files(folder / "images", files)
    write_labels(folder, list(files), size=(WIDTH, HEIGHT))
    return folder, originals


def build(folder: Path, out: str, *flags: str) -> BuiltDataset:
    return build_dataset(folder / out, folder / "labels.json", folder / "images", *flags)


def splits_of(built: BuiltDataset) -> dict[str, str]:
    return {row["file_name"]: row["split"] for row in built.ledger("images")}


def test_by_content_no_duplicate_straddles(planted: tuple[Path, dict[str, str]]) -> None:
    folder, originals = planted
    built = build(folder, "content", "--split_key=content", "--leakage_report")
    splits = splits_of(built)
    assert len(splits) == IMAGES + 2 * PLANTED
    assert [name for name, original in originals.items() if splits[name] != splits[original]] == []
    assert built.manifest["leakage"]["splits"] == {"val": {"exact": 0, "near": 0}}
    groups = built.manifest["split_groups"]
    assert groups == {"groups": 2 * PLANTED, "images_in_groups": 4 * PLANTED, "largest_group": 2}
    assert Counter(splits.values())["val"] / len(splits) == pytest.approx(0.2, abs=0.03)
    assert verify_tfrecords.main([str(built.folder)]) == 0


def test_by_name_the_report_names_them_all(planted: tuple[Path, dict[str, str]]) -> None:
    folder, originals = planted
    built = build(folder, "name", "--leakage_report")
    splits = splits_of(built)
    pairs = [{name, original} for name, original in originals.items() if splits[name] != splits[original]]
    assert len(pairs) > 30
    table = pq.read_table(built.folder / "ledger" / "leakage.parquet").to_pylist()
    assert sorted(sorted([row["file_name"], row["train_file_name"]]) for row in table) == sorted(map(sorted, pairs))
    for row in table:
        assert (splits[row["file_name"]], splits[row["train_file_name"]]) == ("val", "train")
        assert row["kind"] == ("exact" if "copy" in row["file_name"] + row["train_file_name"] else "near")
        assert row["distance"] <= (6 if row["kind"] == "near" else 0)
    counts = built.manifest["leakage"]["splits"]["val"]
    assert counts == dict(Counter(row["kind"] for row in table))
    assert verify_tfrecords.main([str(built.folder)]) == 0


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("few")
    files = {f"{n}.jpg": encoded(photo(n // 2), quality=95 - n % 2 * 20) for n in range(60)}
    write_files(folder / "images", files)
    write_labels(folder, list(files), size=(WIDTH, HEIGHT))
    return folder


def test_equal_bytes_are_counted_without_being_asked_for(few: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_files(few / "images", {"twin.jpg": (few / "images" / "0.jpg").read_bytes()})
    names = [f"{n}.jpg" for n in range(60)] + ["twin.jpg"]
    write_labels(few, names, "twins.json", size=(WIDTH, HEIGHT))
    found = {}
    for share in (0.05, 0.95):  # the twins are in train both, or apart, or in val both
        splits = f"--splits=train={1 - share},val={share}"
        built = build_dataset(few / f"twins{share}", few / "twins.json", few / "images", splits)
        where = splits_of(built)
        expected = int({where["0.jpg"], where["twin.jpg"]} == {"train", "val"})
        found[share] = built.manifest["leakage"]
        assert found[share]["splits"]["val"] == {"exact": expected, "near": None}
    (few / "images" / "twin.jpg").unlink()
    assert "leakage" in capsys.readouterr().out


@pytest.mark.parametrize("way", ["multi_threading", "multi_processing"])
def test_workers_do_not_matter(few: Path, way: str) -> None:
    flags = ("--split_key=content", "--balance_splits", "--leakage_report", "--num_shards=2")
    alone = build(few, f"alone-{way}", *flags)
    together = build(few, way, *flags, "--direct_num_workers=2", f"--direct_running_mode={way}")
    assert together.manifest == alone.manifest


def test_splits_of_the_source(tmp_path: Path) -> None:
    names = {"train": [f"train2017/{n}.jpg" for n in range(9)], "val": [f"val2017/{n}.jpg" for n in range(4)]}
    write_files(tmp_path / "images", {name: jpeg() for of_split in names.values() for name in of_split})
    for split, of_split in names.items():
        write_labels(tmp_path / "annotations", of_split, f"instances_{split}2017.json")
    built = build_dataset(
        tmp_path / "out", tmp_path / "annotations", tmp_path / "images", "--splits=source", "--num_shards=2"
    )
    assert built.exit_code == 0
    assert splits_of(built) == {name: split for split, of_split in names.items() for name in of_split}
    assert {split: len(item["shards"]) for split, item in built.manifest["splits"].items()} == {"train": 2, "val": 2}
    assert (built.folder / "handoff" / "sample-val.coco.json").exists()
    assert verify_tfrecords.main([str(built.folder)]) == 0


def test_images_that_the_source_puts_nowhere(tmp_path: Path) -> None:
    names = ["train/a.jpg", "train/b.jpg", *(f"{n}.jpg" for n in range(8))]
    write_files(tmp_path / "images", dict.fromkeys(names, jpeg()))
    write_labels(tmp_path, names)
    built = build(tmp_path, "rejected", "--splits=source", "--max_reject_ratio=1")
    assert built.exit_code == 2
    assert built.manifest["reasons"]["split_missing"] == 8
    assert verify_tfrecords.main([str(built.folder)]) == 0
    built = build(tmp_path, "hashed", "--splits=source,train=0.5,val=0.5")
    splits = splits_of(built)
    assert (splits["train/a.jpg"], splits["train/b.jpg"]) == ("train", "train")
    assert set(splits.values()) == {"train", "val"}


def test_groups_of_names(tmp_path: Path) -> None:
    names = [f"cam{n % 6}_{n}.jpg" for n in range(60)]
    write_files(tmp_path / "images", dict.fromkeys(names, jpeg()))
    write_labels(tmp_path, names)
    splits = splits_of(build(tmp_path, "out", "--split_key=group:^(cam[0-9]+)_", "--splits=train=0.5,val=0.5"))
    assert all(len({splits[name] for name in names if name.startswith(f"cam{k}_")}) == 1 for k in range(6))
    assert set(splits.values()) == {"train", "val"}


CAPPED: list[dict[str, Any]] = [
    {"name": "big", "annotations": "labels.json", "images": "images", "max_images": 20},
    {"name": "held", "annotations": "labels.json", "images": "images", "split": "test"},
]


def test_caps_and_fixed_splits_of_sources(few: Path) -> None:
    built = build_sources(few, CAPPED, out="capped")
    manifest = built.manifest
    assert built.exit_code == 0
    assert {name: counts["images"]["written"] for name, counts in manifest["source_counts"].items()} == {
        "big": 20,
        "held": 60,
    }
    assert manifest["counts"]["images"]["read"] == 80
    assert manifest["reasons"]["left_out"] == 40
    assert manifest["splits"]["test"]["records"] == 60
    rows = [row for row in built.ledger("images") if row["status"] == "left_out"]
    assert {(row["source"], tuple(row["reasons"])) for row in rows} == {("big", ("left_out",))}
    assert not [row for row in built.ledger("images") if row["status"] == "unlisted"]
    assert verify_tfrecords.main([str(built.folder)]) == 0
    taken = {values(record, "image/filename")[0] for record in built.examples("train")}
    more = [{**CAPPED[0], "max_images": 30}, CAPPED[1]]
    assert taken < {
        name
        for split in ("train", "val")
        for record in build_sources(few, more, out="more").examples(split)
        for name in values(record, "image/filename")
    }


MISTAKES = {
    "key of no kind": (["--split_key=name"], "'name' is not image, group:REGEX"),
    "no regular expression": (["--split_key=group:("], "no regular expression"),
    "group in no name": (["--split_key=group:nothing"], "--split_key=group:nothing finds nothing in any image"),
    "field that is not there": (["--split_key=field:scene"], "--split_key=field:scene finds nothing in any image"),
    "nothing to hash": (
        ["--splits=source", "--split_key=content"],
        "give shares for images that the source puts in no",
    ),
    "shares that do not add up": (["--splits=source,train=0.5"], "sum to 0.5"),
}


@pytest.mark.parametrize(("flags", "message"), MISTAKES.values(), ids=MISTAKES.keys())
def test_mistakes_end_in_one_sentence(
    few: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str], message: str
) -> None:
    assert build_dataset(tmp_path / "out", few / "labels.json", few / "images", *flags).exit_code == 1
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
    assert not (tmp_path / "out").exists()
