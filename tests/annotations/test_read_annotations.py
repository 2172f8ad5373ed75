from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.sample_data import write_files
from transforms.annotations.read_annotations import located
from transforms.images.image_names import image_key
from transforms.images.local_image_store import LocalImageStore
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
    image = located(AnnotatedImage(file_name, folder=folder), LocalImageStore(str(tmp_path)))
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
    assert located(image, LocalImageStore(str(tmp_path))).file_name == name


@pytest.mark.parametrize("file_name", ["c.jpg", "./c.jpg", "images/c.jpg", "C:\\kim\\images\\c.jpg", "./images/c.jpg"])
def test_an_image_in_a_folder_of_images_has_one_name(tmp_path: Path, file_name: str) -> None:
    write_files(tmp_path, {"images/c.jpg": b"", "a.jpg": b""})
    image = located(AnnotatedImage(file_name), LocalImageStore(str(tmp_path)))
    assert image_key(image.file_name) == "images/c.jpg"


@pytest.mark.parametrize("file_name", ["a.jpg", "./a.jpg", "missing.jpg"])
def test_an_image_beside_a_folder_of_images_keeps_its_name(tmp_path: Path, file_name: str) -> None:
    write_files(tmp_path, {"images/a.jpg": b"", "a.jpg": b""})
    assert located(AnnotatedImage(file_name), LocalImageStore(str(tmp_path))).file_name == file_name.removeprefix("./")


@pytest.mark.parametrize("on_disk", [b"\xc7\xd1/\xb1\xdb.jpg", "한/".encode() + b"\xb1\xdb.jpg"], ids=["all", "file"])
def test_names_in_cp949_on_disk_are_keyed_as_text(tmp_path: Path, on_disk: bytes) -> None:
    write_files(tmp_path, {os.fsdecode(on_disk): b"x"})
    store = LocalImageStore(str(tmp_path))
    for file_name, folder in (("글.jpg", "한"), ("글", "한"), ("/data/한/글.jpg", "")):
        image = located(AnnotatedImage(file_name, folder=folder), store)
        assert image.file_name == "한/글.jpg"
        assert store.read(image.file_name).name == "한/글.jpg"
