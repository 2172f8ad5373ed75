"""Companion files are read from below the annotations' root and from nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from transforms.annotations.companion_files import FolderCompanions


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    (folder / "labels").mkdir(parents=True)
    (folder / "classes.txt").write_text("cat\n")
    (folder / "labels" / "a.txt").write_text("0")
    (tmp_path / "secret.txt").write_text("canary")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    return folder


def test_files_of_this_folder_and_of_those_above(root: Path) -> None:
    companions = FolderCompanions(str(root), "labels")
    assert companions.read("a.txt") == b"0"
    assert companions.read("../classes.txt") == b"cat\n"
    assert companions.read("missing.txt") is None
    assert companions.names() == ("a.txt",)
    assert companions.names("..") == ("classes.txt", "link.txt")


@pytest.mark.parametrize(
    "name", ["../../secret.txt", "/etc/passwd", "../link.txt", "..\\..\\secret.txt", "a\0.txt", "."]
)
def test_nothing_outside_the_root(root: Path, name: str) -> None:
    assert FolderCompanions(str(root), "labels").read(name) is None


def test_no_folder_outside_the_root(root: Path) -> None:
    assert FolderCompanions(str(root), "labels").names("../..") == ()
