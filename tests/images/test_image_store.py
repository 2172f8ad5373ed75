from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest

from transforms.images.image_store import ImageRefused
from transforms.images.local_image_store import LocalImageStore
from transforms.ledger.reasons import Reason

NFC, NFD = (unicodedata.normalize(form, "한글 (1).jpg") for form in ("NFC", "NFD"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    return folder


def refusal(root: Path, name: str) -> Reason:
    with pytest.raises(ImageRefused) as caught:
        LocalImageStore(str(root)).read(name)
    return caught.value.reason


@pytest.mark.parametrize("on_disk", [NFC, NFD], ids=["NFC on disk", "NFD on disk"])
@pytest.mark.parametrize("named", [NFC, NFD], ids=["NFC named", "NFD named"])
def test_unicode_forms_of_a_name_meet(root: Path, on_disk: str, named: str) -> None:
    (root / on_disk).write_bytes(b"x")
    stored = LocalImageStore(str(root)).read(named)
    assert (stored.name, stored.data, stored.repairs) == (NFC, b"x", ())


@pytest.mark.parametrize("on_disk", ["NFC", "NFD"])
@pytest.mark.parametrize("named", ["NFC", "NFD"])
def test_unicode_forms_of_folders_meet(root: Path, on_disk: str, named: str) -> None:
    name = "사진/가을/한글.jpg"
    path = root / unicodedata.normalize(on_disk, name)  # type: ignore[arg-type]
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x")
    store = LocalImageStore(str(root))
    assert store.read(unicodedata.normalize(named, name)).name == name  # type: ignore[arg-type]
    assert store.locate(unicodedata.normalize(named, name)) == str(path.relative_to(root))  # type: ignore[arg-type]


def test_exact_name_goes_before_another_form(root: Path) -> None:
    (root / NFC).write_bytes(b"composed")
    (root / NFD).write_bytes(b"decomposed")
    store = LocalImageStore(str(root))
    assert (store.read(NFC).data, store.read(NFD).data) == (b"composed", b"decomposed")


def test_names_unzipped_from_windows_are_found(root: Path) -> None:
    (root / os.fsdecode("사진.jpg".encode("cp949"))).write_bytes(b"x")
    stored = LocalImageStore(str(root)).read("사진.jpg")
    assert (stored.name, stored.data) == ("사진.jpg", b"x")


def test_name_that_is_no_text_in_any_encoding_is_refused(root: Path) -> None:
    name = os.fsdecode(b"\xff\xff.jpg")
    (root / name).write_bytes(b"x")
    assert refusal(root, name) == Reason.NAME_NOT_UNICODE


@pytest.mark.parametrize(
    "name", ["[1]*?.jpg", "a b.jpg", "a\\b.jpg", "-rf.jpg", "a\nb.jpg", "%s{0}.jpg", "~.jpg", "C:.jpg"]
)
def test_names_are_taken_as_they_are(root: Path, name: str) -> None:
    (root / name).write_bytes(b"x")
    assert LocalImageStore(str(root)).read(name).data == b"x"


@pytest.mark.parametrize(
    "name",
    ["C:\\Users\\kim\\sub\\a.jpg", "..\\images\\sub\\a.jpg", "/home/kim/sub/a.jpg", "../sub/a.jpg", "sub\\a.jpg"],
)
def test_names_from_elsewhere_are_found_by_their_ends(root: Path, name: str) -> None:
    (root / "sub").mkdir()
    (root / "sub" / "a.jpg").write_bytes(b"x")
    assert LocalImageStore(str(root)).read(name).name == "sub/a.jpg"


def test_plain_name_is_not_found_in_another_folder(root: Path) -> None:
    (root / "other").mkdir()
    (root / "other" / "a.jpg").write_bytes(b"x")
    assert refusal(root, "a.jpg") == Reason.IMAGE_MISSING
    assert refusal(root, "some/a.jpg") == Reason.IMAGE_MISSING


def test_extension_is_completed(root: Path) -> None:
    (root / "a.v2.png").write_bytes(b"x")
    stored = LocalImageStore(str(root)).read("a.v2")
    assert (stored.name, stored.repairs) == ("a.v2.png", (Reason.NAME_COMPLETED,))


def test_links_within_the_root_are_followed(root: Path) -> None:
    (root / "a.jpg").write_bytes(b"x")
    (root / "link.jpg").symlink_to("a.jpg")
    (root / "folder").symlink_to(".")
    store = LocalImageStore(str(root))
    assert store.read("link.jpg").data == store.read("folder/a.jpg").data == b"x"


def test_root_that_is_a_link_is_followed(root: Path, tmp_path: Path) -> None:
    (root / "a.jpg").write_bytes(b"x")
    (tmp_path / "link").symlink_to(root)
    assert LocalImageStore(str(tmp_path / "link")).read("a.jpg").data == b"x"


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("../secret.jpg", Reason.PATH_OUTSIDE_ROOT),
        ("/dev/zero", Reason.PATH_OUTSIDE_ROOT),
        ("link.jpg", Reason.NOT_A_FILE),
        ("nowhere.jpg", Reason.IMAGE_MISSING),
        (".", Reason.NOT_A_FILE),
    ],
    ids=["file outside", "device", "itself", "nothing", "folder"],
)
def test_links_that_lead_astray_are_refused(root: Path, target: str, reason: Reason) -> None:
    (root.parent / "secret.jpg").write_bytes(b"secret")
    (root / "link.jpg").symlink_to(target)
    assert refusal(root, "link.jpg") == reason


def test_folder_that_links_out_of_the_root_is_refused(root: Path) -> None:
    outside = root.parent / "outside"
    outside.mkdir()
    (outside / "a.jpg").write_bytes(b"secret")
    (root / "folder").symlink_to(outside)
    assert refusal(root, "folder/a.jpg") == Reason.PATH_OUTSIDE_ROOT
    assert refusal(root, "folder/b.jpg") == Reason.PATH_OUTSIDE_ROOT


def test_folder_that_links_to_itself_is_refused(root: Path) -> None:
    (root / "loop").symlink_to("loop")
    assert refusal(root, "loop/a.jpg") == Reason.NOT_A_FILE


def test_root_that_begins_like_another_folder_is_not_left(root: Path) -> None:
    neighbour = root.parent / "images2"
    neighbour.mkdir()
    (neighbour / "a.jpg").write_bytes(b"secret")
    (root / "link.jpg").symlink_to(neighbour / "a.jpg")
    assert refusal(root, "link.jpg") == Reason.PATH_OUTSIDE_ROOT


def test_pipe_is_refused_and_does_not_hang(root: Path) -> None:
    os.mkfifo(root / "a.jpg")
    assert refusal(root, "a.jpg") == Reason.NOT_A_FILE


def test_file_beyond_the_limit_is_refused_unread(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "a.jpg").write_bytes(bytes(101))
    monkeypatch.setattr(os, "read", None)
    with pytest.raises(ImageRefused, match="101 bytes, the limit is 100"):
        LocalImageStore(str(root), max_bytes=100).read("a.jpg")


@pytest.mark.parametrize(
    "name", ["", "..", "/", "\\", "a/..", "\ud800.jpg", "\ud800/a.jpg", "x" * 300, "a/" * 3000 + "b"]
)
def test_names_that_no_file_has_are_refused(root: Path, name: str) -> None:
    assert refusal(root, name) in (Reason.PATH_OUTSIDE_ROOT, Reason.IMAGE_MISSING)


def test_failing_storage_is_no_rejection(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "a.jpg").write_bytes(b"x")

    def fail(*arguments: object) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "open", fail)
    with pytest.raises(OSError, match="Input/output error"):
        LocalImageStore(str(root)).read("a.jpg")
