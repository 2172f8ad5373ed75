"""The splits that sources give their images."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sample_data import write_files
from transforms.sources.split_finder import SplitFinder, find_split_lists, split_name

FILES = {
    "instances_train2017.json": "train",
    "annotations/instances_val2014.json": "val",
    "person_keypoints_val2017.json": "val",
    "captions_test.json": "test",
    "trainval.json": "",
    "train_val.json": "",
    "valid/labels/7.txt": "val",
    "data/Validation/x": "val",
    "trains/7.xml": "",
    "constraint/a.json": "",
    "test/train.json": "train",
    "labels.json": "",
}


@pytest.mark.parametrize(("annotation_file", "split"), FILES.items())
def test_names_of_annotation_files(annotation_file: str, split: str) -> None:
    assert SplitFinder().find("", "a.jpg", annotation_file) == split


@pytest.mark.parametrize(
    ("text", "name"),
    [("Train", "train"), (" valid ", "val"), ("holdout_2", "holdout_2"), ("a-b", ""), ("2017", ""), ("훈련", "")],
)
def test_names(text: str, name: str) -> None:
    assert split_name(text) == name


def lists(folder: Path, **content: str) -> Path:
    return write_files(folder, {f"ImageSets/Main/{name}.txt": text.encode() for name, text in content.items()})


def test_lists_of_voc(tmp_path: Path) -> None:
    lists(tmp_path, train="a\nb -1\n\n", val="c\nboth\n", test="d\nboth\n", trainval="a\nb\nc\n", cat_train="a 1\n")
    (tmp_path / "Annotations").mkdir()
    found = find_split_lists([str(tmp_path / "Annotations")])
    assert [Path(path).name for path in found] == ["train.txt", "val.txt", "test.txt"]
    assert found == find_split_lists([str(tmp_path)])
    finder = SplitFinder(found)
    splits = {name: finder.find("", f"x/{name}.jpg", "train/x.xml") for name in ("a", "b", "c", "d", "both", "e")}
    assert splits == {"a": "train", "b": "train", "c": "val", "d": "test", "both": "", "e": ""}


def test_trainval_serves_where_it_is_alone(tmp_path: Path) -> None:
    lists(tmp_path, trainval="a\n", test="b\n")
    finder = SplitFinder(find_split_lists([str(tmp_path)]))
    assert [finder.find("", f"{name}.jpg", "") for name in "ab"] == ["trainval", "test"]


@pytest.mark.parametrize(
    ("split", "file_name", "annotation_file", "expected"),
    [
        ("Validation", "train/a.jpg", "train.json", "val"),
        ("", "val2017/a.jpg", "instances_train.json", "val"),
        ("", "a.jpg", "instances_train2017.json", "train"),
        ("", "train.jpg", "labels.json", ""),
    ],
)
def test_order_in_which_it_is_looked_for(split: str, file_name: str, annotation_file: str, expected: str) -> None:
    assert SplitFinder().find(split, file_name, annotation_file) == expected


@pytest.mark.parametrize("annotations", ["", "training", "training/label_2"])
def test_lists_of_kitti(tmp_path: Path, annotations: str) -> None:
    write_files(tmp_path, {"ImageSets/train.txt": b"000001\n", "ImageSets/val.txt": b"000002\n"})
    write_files(tmp_path, {"training/label_2/000001.txt": b""})
    finder = SplitFinder(find_split_lists([str(tmp_path / annotations)]))
    names = [f"training/image_2/00000{number}.png" for number in (1, 2, 3)]
    assert [finder.find("", name, "") for name in names] == ["train", "val", ""]


def test_the_nearest_lists_count(tmp_path: Path) -> None:
    lists(tmp_path, train="a\n")
    lists(tmp_path / "VOC2012", val="a\n")
    (tmp_path / "VOC2012/Annotations").mkdir()
    assert SplitFinder(find_split_lists([str(tmp_path / "VOC2012/Annotations")])).find("", "a.jpg", "") == "val"
