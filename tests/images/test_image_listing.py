from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.sample_data import write_files
from transforms.images.image_listing import list_images, walk_images


def test_images_of_all_folders_are_listed(tmp_path: Path) -> None:
    write_files(tmp_path, {"a.jpg": b"12", "x/b.PNG": b"345", "x/y/c.txt": b"6", "x/y/d.tiff": b"7"})
    listing = list_images(str(tmp_path))
    assert (listing.images, listing.bytes) == (3, 6)
    assert {name for name, _ in walk_images(str(tmp_path))} == {"a.jpg", "x/b.PNG", "x/y/d.tiff"}


def test_digest_follows_names_and_sizes(tmp_path: Path) -> None:
    digests = []
    for number, files in enumerate([{"a.jpg": b"1"}, {"a.jpg": b"2"}, {"b.jpg": b"1"}, {"a.jpg": b"12"}, {}]):
        folder = tmp_path / str(number)
        folder.mkdir()
        digests.append(list_images(str(write_files(folder, files))).digest)
    assert digests[0] == digests[1]
    assert len(set(digests)) == 4


def test_linked_folders_are_not_walked(tmp_path: Path) -> None:
    write_files(tmp_path, {"root/a.jpg": b"1", "outside/b.jpg": b"1"})
    (tmp_path / "root" / "link").symlink_to(tmp_path / "outside")
    (tmp_path / "root" / "loop").symlink_to(tmp_path / "root")
    assert list_images(str(tmp_path / "root")).images == 1


def test_names_that_are_no_text_are_listed(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"\xff.jpg")).write_bytes(b"1")
    assert list_images(str(tmp_path)).images == 1


def test_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list_images(str(tmp_path / "none"))
