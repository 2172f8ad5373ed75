"""Inputs made to do harm: nothing outside the images root is read, nothing hangs, all is refused with a reason."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.bad_images import bomb
from tests.local_build import build_locally
from tests.sample_data import (
    build_dataset,
    coco_box,
    coco_bytes,
    coco_image,
    jpeg,
    png,
    voc,
    voc_object,
    write_files,
)

SECRET = png(31, 17, seed=99)  # a picture, so that only its place can be the reason to refuse it
NAME = "secret.png"

TRAVERSALS = [
    "../secret.png",
    "../../outside/secret.png",
    "./../secret.png",
    "inner/../../secret.png",
    "inner/../../outside/secret.png",
    "..\\secret.png",
    "..\\..\\outside\\secret.png",
    "inner\\..\\..\\secret.png",
    "{outside}/secret.png",
    "/{outside}/secret.png",
    "file://{outside}/secret.png",
    "C:{outside}/secret.png",
    "....//secret.png",
    "..%2fsecret.png",
    "..／secret.png",
    "../secret.png\0.jpg",
    "/proc/self/root{outside}/secret.png",
    "~/secret.png",
    "$HOME/secret.png",
    "\\\\localhost\\outside\\secret.png",
    "a\\b/../../../outside/secret.png",
]
LINKS = ["link.png", "folder/secret.png", "twice.png", "relative.png"]


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    """Pictures that must not be read, beside a root with links to them."""
    write_files(tmp_path, {"secret.png": SECRET, "outside/secret.png": SECRET, "images/good.jpg": jpeg()})
    root = tmp_path / "images"
    (root / "inner").mkdir()
    (root / "a\\b").mkdir()
    (root / "link.png").symlink_to(tmp_path / "secret.png")
    (root / "twice.png").symlink_to("link.png")
    (root / "relative.png").symlink_to("../secret.png")
    (root / "folder").symlink_to(tmp_path / "outside")
    return tmp_path


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Paths of all files that ``os.open`` opens, as the kernel knows them."""
    paths: list[str] = []
    original = os.open

    def record(path: object, *arguments: object, **keywords: object) -> int:
        descriptor = original(path, *arguments, **keywords)  # type: ignore[arg-type]
        paths.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        return descriptor

    monkeypatch.setattr(os, "open", record)
    return paths


def hostile_files(scene: Path) -> dict[str, bytes]:
    """COCO and VOC files that name the secret in every form."""
    names = [name.replace("{outside}", str(scene / "outside")) for name in TRAVERSALS] + LINKS
    files = {}
    for number, name in enumerate(names):
        content = [{"id": number + 1, "file_name": name}], [coco_box(1, number + 1, [0, 0, 5, 5])]
        files[f"{number:02d}.json"] = coco_bytes(*content)
        if "\0" not in name:
            files[f"{number:02d}.xml"] = voc(name, [voc_object()], None).encode()
    files["good.json"] = coco_bytes([coco_image(999, "good.jpg")])
    return files


def test_nothing_outside_the_root_is_opened(scene: Path, opened: list[str]) -> None:
    files = hostile_files(scene)
    for number, (name, data) in enumerate(sorted(files.items())):
        built = build_locally(scene / f"built{number}", {name: data, "good.json": files["good.json"]}, scene / "images")
        refused = {
            row["annotation_file"]: row["reasons"] for row in built.ledger("images") if row["status"] == "rejected"
        }
        assert set(refused) == {name} - {"good.json"}
        assert refused.get(name, ["path_outside_root"])[0] in ("path_outside_root", "image_missing", "name_not_unicode")
    pictures = [os.path.relpath(path, scene) for path in opened if path.endswith((".png", ".jpg"))]
    assert set(pictures) == {"images/good.jpg"}


def test_secret_is_in_no_output(scene: Path) -> None:
    write_files(scene / "labels", hostile_files(scene))
    built = build_dataset(scene / "out", scene / "labels", scene / "images", "--max_reject_ratio=1")
    assert built.exit_code == 2
    assert [row["file_name"] for row in built.ledger("images") if row["status"] == "written"] == ["good.jpg"]
    for path in built.folder.rglob("*"):
        assert not path.is_file() or SECRET[40:80] not in path.read_bytes()


def test_pipes_devices_and_sockets_are_refused_at_once(tmp_path: Path) -> None:
    root = write_files(tmp_path / "images", {"good.jpg": jpeg()})
    os.mkfifo(root / "pipe.jpg")
    os.mknod(root / "socket.jpg", 0o140600)
    (root / "zero.jpg").symlink_to("/dev/zero")
    (root / "loop.jpg").symlink_to("loop.jpg")
    (root / "folder.jpg").mkdir()
    names = ["good.jpg", "pipe.jpg", "socket.jpg", "zero.jpg", "loop.jpg", "folder.jpg"]
    images = [{"id": number, "file_name": name} for number, name in enumerate(names)]
    built = build_locally(tmp_path / "built", {"a.json": coco_bytes(images)}, root)
    assert {row["file_name"]: "".join(row["reasons"]) for row in built.ledger("images")} == {
        "good.jpg": "",
        "pipe.jpg": "not_a_file",
        "socket.jpg": "image_unreadable",
        "zero.jpg": "path_outside_root",
        "loop.jpg": "not_a_file",
        "folder.jpg": "not_a_file",
    }


def test_pipes_among_annotations_do_not_hang(tmp_path: Path) -> None:
    write_files(tmp_path, {"images/good.jpg": jpeg(), "labels/good.json": coco_bytes([coco_image(1, "good.jpg")])})
    os.mkfifo(tmp_path / "labels" / "pipe.xml")
    (tmp_path / "labels" / "zero.json").symlink_to("/dev/zero")
    built = build_dataset(tmp_path / "out", tmp_path / "labels", tmp_path / "images")
    rows = {row["annotation_file"]: row["reasons"] for row in built.ledger("images")}
    assert rows == {"good.json": [], "pipe.xml": ["annotation_unreadable"], "zero.json": ["annotation_unreadable"]}


LAUGHS = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
NAMED_BY_ENTITY = "<annotation><filename>{}</filename></annotation>"
XML_ATTACKS = {
    "billion laughs": f'<!DOCTYPE annotation [<!ENTITY e0 "ha">{LAUGHS}]>' + NAMED_BY_ENTITY.format("&e9;"),
    "quadratic": f'<!DOCTYPE a [<!ENTITY e "{"x" * 100_000}">]>' + NAMED_BY_ENTITY.format("&e;" * 100_000),
    "file": '<!DOCTYPE a [<!ENTITY e SYSTEM "file://SECRET">]>' + NAMED_BY_ENTITY.format("&e;"),
    "parameter": '<!DOCTYPE a [<!ENTITY % e SYSTEM "file://SECRET"> %e;]>' + NAMED_BY_ENTITY.format("a"),
    "elsewhere": '<!DOCTYPE annotation SYSTEM "file://SECRET">' + NAMED_BY_ENTITY.format("a"),
    "UTF-16": '<!DOCTYPE a [<!ENTITY e SYSTEM "file://SECRET">]>' + NAMED_BY_ENTITY.format("&e;"),
}


@pytest.mark.parametrize("attack", XML_ATTACKS)
def test_xml_attacks_are_refused(attack: str, scene: Path, opened: list[str]) -> None:
    text = XML_ATTACKS[attack].replace("SECRET", str(scene / NAME))
    files = {"good.json": coco_bytes([coco_image(1, "good.jpg")])}
    files["bad.xml"] = text.encode("utf-16" if attack == "UTF-16" else "utf-8")
    built = build_locally(scene / "built", files, scene / "images")
    (row,) = [row for row in built.ledger("images") if row["annotation_file"] == "bad.xml"]
    assert (row["status"], row["reasons"]) == ("rejected", ["xml_dtd_refused"])
    assert str(scene / NAME) not in opened


def test_bombs_and_programs_are_refused_before_they_are_decoded(tmp_path: Path) -> None:
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(" + str(tmp_path).encode() + b"/ran) (w) file closefile\n"
    pictures = {
        "bomb.png": bomb(12_000, 12_000),
        "large.png": bomb(8_001, 8_000),
        "eps.jpg": eps,
        "ok.png": bomb(8_000, 8_000),
    }
    write_files(tmp_path / "images", pictures)
    images = [{"id": number, "file_name": name} for number, name in enumerate(pictures)]
    built = build_locally(tmp_path / "built", {"a.json": coco_bytes(images)}, tmp_path / "images")
    assert {row["file_name"]: "".join(row["reasons"]) for row in built.ledger("images")} == {
        "bomb.png": "image_too_large",
        "large.png": "image_too_large",
        "eps.jpg": "format_unsupported",
        "ok.png": "",
    }
    assert not (tmp_path / "ran").exists()
