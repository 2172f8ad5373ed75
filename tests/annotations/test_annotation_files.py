from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from tests.sample_data import coco_bytes, voc, write_files
from transforms import storage
from transforms.annotations.annotation_files import AnnotationsNotFound, find_annotations
from transforms.annotations.companion_digests import companion_digests
from transforms.annotations.read_units import read_units

COCO, VOC = coco_bytes([]), voc("a.jpg").encode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = {
        "b.json": COCO,
        "x/a.xml": VOC,
        "x/[1].xml": VOC,
        "readme.txt": b"",
        ".hidden/c.xml": VOC,
        "other.json": b"{}",
    }
    return write_files(tmp_path / "labels", files)


def found(pattern: str | Path, format_name: str = "auto") -> list[tuple[str, str]]:
    return [(file.relative, file.format) for file in find_annotations([str(pattern)], format_name)]


def test_folder_is_searched_with_all_below(folder: Path) -> None:
    assert found(folder) == [("b.json", "coco"), ("other.json", ""), ("x/[1].xml", "voc"), ("x/a.xml", "voc")]
    assert found(folder, "voc") == [("x/[1].xml", "voc"), ("x/a.xml", "voc")]


def test_pattern_and_file(folder: Path) -> None:
    assert found(f"{folder}/**/*.xml") == [("x/[1].xml", "voc"), ("x/a.xml", "voc")]
    assert found(f"{folder}/x/[1].xml") == [("[1].xml", "voc")]
    assert found(f"{folder}/*.json") == [("b.json", "coco"), ("other.json", "")]


def test_files_of_other_formats_than_the_one_named_are_said(folder: Path) -> None:
    with pytest.raises(AnnotationsNotFound, match=r"\(.csv, .tsv\); files of other formats .* leave --format out"):
        find_annotations([str(folder)], "csv")


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("none", "does not exist"),
        ("*.csv", "matches no file"),
        ("empty", "is a folder without any annotation file \\(.*.json.*.xml"),
        ("other.json", "no known annotation format"),
    ],
)
def test_what_is_not_there_is_said(folder: Path, pattern: str, message: str) -> None:
    (folder / "empty").mkdir()
    with pytest.raises(AnnotationsNotFound, match=message):
        find_annotations([str(folder / pattern)], "auto")


def test_pipes_and_devices_are_listed_and_never_opened(folder: Path) -> None:
    os.mkfifo(folder / "pipe.xml")
    (folder / "zero.json").symlink_to("/dev/zero")
    names = dict(found(folder))
    assert (names["pipe.xml"], names["zero.json"]) == ("", "")


def test_digest_is_of_the_content(folder: Path) -> None:
    files = {file.relative: file for file in find_annotations([str(folder)], "auto")}
    assert files["b.json"].sha256 == hashlib.sha256(COCO).hexdigest()
    assert files["b.json"].bytes == len(COCO)


def test_few_files_are_opened_and_other_formats_guessed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_files(tmp_path, {f"{number}.xml": VOC for number in range(40)} | {"a.json": COCO})
    opened = []
    open_file = storage.open_file
    monkeypatch.setattr(storage, "open_file", lambda path: opened.append(path) or open_file(path))
    files = find_annotations([str(tmp_path)], "auto", most_opened=20)
    assert len(opened) == 20 + 1
    assert [file.relative for file in files] == [file.relative for file in find_annotations([str(tmp_path)], "auto")]
    assert {(os.path.splitext(file.path)[1], file.format) for file in files} == {(".xml", "voc"), (".json", "coco")}
    assert all(file.bytes == os.path.getsize(file.path) for file in files)


def test_units_hold_every_file_of_a_known_format_once(tmp_path: Path) -> None:
    write_files(tmp_path, {f"{number:03d}.xml": VOC for number in range(450)} | {"a.json": COCO, "b.json": b"{}"})
    units = read_units(find_annotations([str(tmp_path)], "auto"), "photos", "photos", 1)
    assert sorted(len(unit.files) for unit in units) == [1, 50, 200, 200]
    names = [name for unit in units for _, name in unit.files]
    assert sorted(names) == [*(f"{number:03d}.xml" for number in range(450)), "a.json"]
    assert {unit.voc_origin for unit in units} == {1}


def test_large_files_are_units_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transforms.annotations.read_units.UNIT_BYTES", 2 * len(VOC))
    large = VOC + b" " * 2 * len(VOC)
    write_files(tmp_path, {"0.xml": VOC, "1.xml": large, "2.xml": large, "3.xml": VOC, "4.xml": VOC, "5.xml": VOC})
    units = read_units(find_annotations([str(tmp_path)], "auto"), "photos", "photos", 0)
    assert [[name[0] for _, name in unit.files] for unit in units] == [["0", "1"], ["2"], ["3", "4"], ["5"]]


def test_files_that_annotations_depend_on_are_digested(tmp_path: Path) -> None:
    read = {"classes.txt": b"cat", "train.txt": b"", "labels/x.names": b"", "labels/a/b/seqinfo.ini": b""}
    other = {"README.txt": b"", "notes.txt": b"", "labels/c/classes.txt": b"", "labels/a/b/1.txt": b"0 .5 .5 .5 .5"}
    write_files(tmp_path, read | other)
    digests = companion_digests(find_annotations([str(tmp_path / "labels" / "a")], "yolo"))
    assert set(digests) == {"b/seqinfo.ini"}  # nothing around a folder that is no part of a dataset by its name
    digests = companion_digests(find_annotations([str(tmp_path / "labels")], "yolo"))
    assert set(digests) == set(read)
    assert digests["classes.txt"] == hashlib.sha256(b"cat").hexdigest()
