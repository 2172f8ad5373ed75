from __future__ import annotations

import os
from pathlib import Path

import pytest

from transforms.videos.find_videos import VideosNotFound, display_name, find_videos


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.mp4", "b.MKV", "deep/c.ts", "note.txt", ".hidden.mp4", ".cache/d.mp4", "[1] %03d.mp4"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(name.encode())
    return tmp_path


def names(*patterns: Path | str) -> list[str]:
    return [file.name for file in find_videos([str(pattern) for pattern in patterns])]


def test_a_folder_means_its_videos(folder: Path) -> None:
    assert sorted(names(folder)) == ["[1] %03d.mp4", "a.mp4", "b.MKV", "c.ts"]


def test_a_file_means_itself_whatever_it_is_called(folder: Path) -> None:
    assert names(folder / "note.txt", folder / "[1] %03d.mp4") == ["[1] %03d.mp4", "note.txt"]


def test_a_pattern_means_all_that_match(folder: Path) -> None:
    assert names(folder / "*.mp4") == ["[1] %03d.mp4", "a.mp4"]
    assert names(folder / "**/*.ts") == ["c.ts"]


def test_no_file_comes_twice(folder: Path) -> None:
    found = find_videos([str(folder), str(folder / "a.mp4"), os.path.relpath(folder / "a.mp4")])
    assert [file.name for file in found].count("a.mp4") == 1
    assert [file.path for file in found] == sorted(file.path for file in found)
    assert next(file.size for file in found if file.name == "a.mp4") == len("a.mp4")


@pytest.mark.parametrize("name", ["nothing.mp4", "*.webm", ".cache"])
def test_nothing_found_is_told_by_name(name: str, folder: Path) -> None:
    (folder / ".cache/d.mp4").unlink()
    with pytest.raises(VideosNotFound, match="--videos="):
        find_videos([str(folder), str(folder / name)])


def test_display_names_are_text() -> None:
    assert display_name("x/" + os.fsdecode(b"\xff.mp4")) == "\N{REPLACEMENT CHARACTER}.mp4"
    assert display_name("/a/한.mp4") == "한.mp4"
