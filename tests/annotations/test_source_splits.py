from __future__ import annotations

import pytest

from transforms.annotations.source_splits import split_of_name, split_of_path


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train", "train"),
        ("Training", "train"),
        ("valid", "val"),
        ("validation", "val"),
        ("TEST", "test"),
        ("val2017", "val"),
        ("train_2012", "train"),
        ("trains", ""),
        ("", ""),
    ],
)
def test_names(name: str, split: str) -> None:
    assert split_of_name(name) == split


@pytest.mark.parametrize(
    ("path", "split"),
    [
        ("labels/train/1.txt", "train"),
        ("train/labels/val/1.txt", "val"),
        ("VisDrone2019-DET-test-dev/annotations/1.txt", "test"),
        ("train.txt", ""),
        ("latest/1.txt", ""),
    ],
)
def test_folders(path: str, split: str) -> None:
    assert split_of_path(path) == split
