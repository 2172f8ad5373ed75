from __future__ import annotations

from pathlib import Path

import pytest

from tests.sample_data import write_files
from transforms.annotations.read_annotations import located
from transforms.images.image_store import ImageStore
from transforms.records import AnnotatedImage


@pytest.mark.parametrize(
    ("file_name", "folder", "name", "repairs"),
    [
        ("a.jpg", "", "a.jpg", ()),
        ("missing.jpg", "", "missing.jpg", ()),
        ("a", "", "a.jpg", ("name_completed",)),
        ("plain", "", "plain", ()),
        ("missing", "", "missing", ()),
        ("C:\\kim\\a.jpg", "", "a.jpg", ()),
        ("../../a.jpg", "", "a.jpg", ()),
        ("b.jpg", "train", "train/b.jpg", ()),
        ("b.jpg", "train/Annotations", "train/b.jpg", ()),
        ("a.jpg", "train", "a.jpg", ()),
        ("a.jpg", "Annotations", "a.jpg", ()),
        ("b.jpg", "Annotations", "b.jpg", ()),
        ("\0", "train", "\0", ()),
        ("\ud800", "train", "\ud800", ()),
    ],
)
def test_images_are_found_under_one_name(
    tmp_path: Path, file_name: str, folder: str, name: str, repairs: tuple[str, ...]
) -> None:
    write_files(tmp_path, {"a.jpg": b"", "plain": b"", "train/b.jpg": b""})
    image = located(AnnotatedImage(file_name, folder=folder), ImageStore(str(tmp_path)))
    assert (image.file_name, image.repairs) == (name, repairs)


@pytest.mark.parametrize(
    ("file_name", "folder", "name"),
    [("0-b.jpg", "", "b.jpg"), ("0-b.jpg", "x", "x/b.jpg"), ("a.jpg", "", "a.jpg"), ("0-c.jpg", "", "0-c.jpg")],
)
def test_image_of_several_names_is_the_first_that_is_there(
    tmp_path: Path, file_name: str, folder: str, name: str
) -> None:
    write_files(tmp_path, {"a.jpg": b"", "b.jpg": b"", "x/b.jpg": b""})
    image = AnnotatedImage(file_name, folder=folder, other_names=(file_name.removeprefix("0-"), "none.jpg"))
    assert located(image, ImageStore(str(tmp_path))).file_name == name
