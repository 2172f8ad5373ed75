"""Images in a bucket are found by the same names as on a disk."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fake_gcs import FakeGcs, cloud
from transforms.images.image_listing import list_images
from transforms.images.image_store import ImageRefused
from transforms.images.open_image_store import open_image_store

NAMES = ["a.jpg", "x/b.PNG", "x/images/c.jpeg", unicodedata.normalize("NFD", "사진/가.jpg"), "d#?%41.jpg"]
ASKED = [
    *NAMES,
    unicodedata.normalize("NFC", "사진/가.jpg"),
    "a",
    "x/b",
    "x/c.jpeg",
    "./x//b.PNG",
    "../x/b.PNG",
    "C:\\Users\\kim\\x\\b.PNG",
    "gs://other/x/b.PNG",
    "none.jpg",
    "../../etc/passwd",
    "..",
    "a\0.jpg",
    "n" * 2000 + ".jpg",
    "x",
]


@pytest.fixture
def roots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, str]]:
    for gcs in cloud("bucket", monkeypatch=monkeypatch):
        gcs.put("bucket", "outside.jpg", b"outside")
        for name in NAMES:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(name.encode())
        gcs.put_folder("bucket", "root", tmp_path)
        yield str(tmp_path), "gs://bucket/root"


def found(root: str, name: str) -> tuple[object, ...]:
    try:
        stored = open_image_store(root).read(name)
    except ImageRefused as refused:
        return (refused.reason,)
    return stored.name, stored.data, stored.repairs


@pytest.mark.parametrize("name", ASKED)
def test_same_images_as_on_a_disk(roots: tuple[str, str], name: str) -> None:
    local, remote = (found(root, name) for root in roots)
    if name == "x":  # a folder of an object store is no file of a wrong kind, it is none
        assert remote == ("image_missing",)
    else:
        assert local == remote
    if "\0" not in name and name not in ("..", "x"):
        assert open_image_store(roots[0]).locate(name) == open_image_store(roots[1]).locate(name)


def test_folders_and_listings(roots: tuple[str, str]) -> None:
    for folder in ("", "x", "none"):
        local, remote = (open_image_store(root).has_image_folder(folder) for root in roots)
        assert local == remote == (folder == "x")
    local_listing, remote_listing = map(list_images, roots)
    assert (local_listing.images, local_listing.digest) == (remote_listing.images, remote_listing.digest)


def test_large_images_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeGcs("bucket") as gcs:
        for name, value in gcs.environment.items():
            monkeypatch.setenv(name, value)
        gcs.put("bucket", "a.jpg", b"x" * 101)
        store = open_image_store("gs://bucket")
        store.max_bytes = 100  # type: ignore[attr-defined]
        with pytest.raises(ImageRefused, match="image_too_large"):
            store.read("a.jpg")
