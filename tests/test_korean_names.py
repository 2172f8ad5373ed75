"""Korean datasets as they come: encodings of files, Unicode forms of names, paths of Windows."""

from __future__ import annotations

import json
import os
import unicodedata
from pathlib import Path

import pytest

from tests.local_build import build_locally
from tests.sample_data import (
    BuiltDataset,
    build_dataset,
    class_names,
    coco,
    coco_box,
    coco_image,
    jpeg,
    voc,
    voc_object,
    write_files,
)

NFC, NFD = "NFC", "NFD"
CLASS = "교통 표지판"
NAMES = ["한글 (1).jpg", "뷁똠방각하.jpg", "[1]*?.jpg", "사진/가을 하늘.jpg"]


def form(name: str, text: str) -> str:
    return unicodedata.normalize(name, text)  # type: ignore[arg-type]


def coco_text(names: list[str], unicode_form: str = NFC) -> str:
    images = [coco_image(number, form(unicode_form, name)) for number, name in enumerate(names, start=1)]
    boxes = [coco_box(number, number, [1, 2, 10, 10], 1) for number in range(1, len(names) + 1)]
    content = coco(images, boxes, [{"id": 1, "name": form(unicode_form, CLASS)}])
    return json.dumps(content, ensure_ascii=False)


def check_records(folder: Path, names: list[str]) -> None:
    """All names are in the records, composed, with the class in its right spelling."""
    records = BuiltDataset(0, folder).by_name()
    assert set(records) == {form(NFC, name) for name in names}
    assert all(class_names(record) == [CLASS] for record in records.values())


def test_whole_run(tmp_path: Path) -> None:
    """Decomposed names on disk, CP949 in the annotations."""
    write_files(tmp_path / "사진", {form(NFD, name): jpeg() for name in NAMES})
    write_files(tmp_path, {"라벨.json": coco_text(NAMES).encode("cp949")})
    built = build_dataset(tmp_path / "결과", tmp_path / "라벨.json", tmp_path / "사진")
    check_records(built.folder, NAMES)
    assert built.exit_code == 0
    assert built.manifest["reasons"] == {"encoding_cp949": len(NAMES)}
    assert [item["name"] for item in built.manifest["classes"]] == [CLASS]
    assert f'name: "{CLASS}"' in (built.folder / "label_map.pbtxt").read_text("utf-8")
    assert (built.folder / "labels.csv").read_text("utf-8") == f"1,{CLASS}\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be with mark", "cp949"])
def test_coco_in_all_encodings(tmp_path: Path, encoding: str) -> None:
    text = coco_text(NAMES)
    data = b"\xfe\xff" + text.encode("utf-16-be") if "mark" in encoding else text.encode(encoding)
    write_files(tmp_path / "images", {name: jpeg() for name in NAMES})
    built = build_locally(tmp_path / "out", {"labels.json": data}, tmp_path / "images")
    check_records(built.folder, NAMES)
    assert built.counts.reasons == ({"encoding_cp949": len(NAMES)} if encoding == "cp949" else {})


@pytest.mark.parametrize(
    ("declared", "encoding"),
    [("euc-kr", "euc-kr"), ("cp949", "cp949"), ("ks_c_5601-1987", "cp949"), ("", "cp949"), ("utf-8", "utf-8-sig")],
)
def test_voc_in_all_encodings(tmp_path: Path, declared: str, encoding: str) -> None:
    names = ["한글 (1).jpg", "[1]*?.jpg"]
    declaration = f'<?xml version="1.0" encoding="{declared}"?>\n' if declared else ""
    files = {
        f"{number}.xml": (declaration + voc(name, [voc_object(CLASS)])).encode(encoding)
        for number, name in enumerate(names)
    }
    write_files(tmp_path / "images", {name: jpeg() for name in names})
    check_records(build_locally(tmp_path / "out", files, tmp_path / "images").folder, names)


@pytest.mark.parametrize("on_disk", [NFC, NFD])
@pytest.mark.parametrize("named", [NFC, NFD])
def test_unicode_forms_meet(tmp_path: Path, on_disk: str, named: str) -> None:
    write_files(tmp_path / "images", {form(on_disk, name): jpeg() for name in NAMES})
    files = {"labels.json": coco_text(NAMES, named).encode()}
    built = build_locally(tmp_path / "out", files, tmp_path / "images")
    check_records(built.folder, NAMES)
    assert built.counts.reasons == {}


def test_names_unzipped_from_windows(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / os.fsdecode("한글 (1).jpg".encode("cp949"))).write_bytes(jpeg())
    files = {"labels.json": coco_text(["한글 (1).jpg"]).encode()}
    check_records(build_locally(tmp_path / "out", files, tmp_path / "images").folder, ["한글 (1).jpg"])


@pytest.mark.parametrize(
    "named",
    [
        "..\\images\\사진\\a.jpg",
        "C:\\Users\\kim\\사진\\a.jpg",
        "D:/data/images/사진/a.jpg",
        "사진\\a.jpg",
        "/home/kim/사진/a.jpg",
    ],
)
def test_paths_of_other_machines(tmp_path: Path, named: str) -> None:
    write_files(tmp_path, {"images/사진/a.jpg": jpeg()})
    files = {"labels.json": coco_text([named]).encode()}
    check_records(build_locally(tmp_path / "out", files, tmp_path / "images").folder, ["사진/a.jpg"])


def test_no_name_of_windows_counts_as_unlisted(tmp_path: Path) -> None:
    folder = tmp_path / "images" / os.fsdecode("사진".encode("cp949"))
    folder.mkdir(parents=True)
    (folder / os.fsdecode("한글 (1).jpg".encode("cp949"))).write_bytes(jpeg())
    (tmp_path / "labels.json").write_text(coco_text(["사진/한글 (1).jpg"]), "utf-8")
    built = build_dataset(tmp_path / "out", tmp_path / "labels.json", tmp_path / "images")
    assert (built.exit_code, built.manifest["reasons"]) == (0, {})
