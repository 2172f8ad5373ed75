"""What lies under an images root: for the fingerprint, the size of shards, and images that no annotation names."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from transforms import storage
from transforms.images.image_names import IMAGE_SUFFIXES


@dataclass(frozen=True, slots=True)
class ImageListing:
    """A digest of the images under a root, in memory that does not grow with them.

    Attributes:
      images, bytes: how many, and their size in all.
      newest: the latest modification time, seconds of the epoch.
      digest: of the set of names and sizes; the order of listing has no part in it.
    """

    images: int
    bytes: int
    newest: float
    digest: str


def walk_images(root: str, is_deep: bool = True) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yields ``(name relative to the root, entry)`` for each file with an image's extension, links not followed.

    Args:
      root: to look in.
      is_deep: look in all folders below too.
    """
    folders = [""]
    while folders:
        folder = folders.pop()
        with os.scandir(os.path.join(root, folder)) as entries:
            for entry in entries:
                name = f"{folder}/{entry.name}" if folder else entry.name
                if entry.is_dir(follow_symlinks=False):
                    if is_deep:
                        folders.append(name)
                elif entry.name.lower().endswith(IMAGE_SUFFIXES):
                    yield name, entry


def walk_remote_images(root: str) -> Iterator[tuple[str, storage.FileStatus]]:
    """As ``walk_images``, below a URL."""
    start = len(root.rstrip("/")) + 1
    for file in storage.walk(root):
        if file.path.lower().endswith(IMAGE_SUFFIXES):
            yield file.path[start:], file


def image_names(root: str) -> Iterator[str]:
    """Yields the name of each image, relative to the root."""
    return (name for name, _ in (walk_remote_images if storage.is_remote(root) else walk_images)(root))


def _sizes_and_times(root: str, is_deep: bool = True) -> Iterator[tuple[str, int, float]]:
    if storage.is_remote(root):
        for name, file in walk_remote_images(root):
            if is_deep or "/" not in name:
                yield name, file.bytes, file.modified
        return
    for name, entry in walk_images(root, is_deep):
        status = entry.stat(follow_symlinks=False)
        yield name, status.st_size, status.st_mtime


def list_images(root: str) -> ImageListing:
    """Lists a folder.

    Raises:
      OSError: the folder is missing or cannot be read.
    """
    return _listing(_sizes_and_times(root))


def list_pngs(folders: Mapping[str, str]) -> ImageListing:
    """Lists the PNG files in several folders, not those below them.

    Args:
      folders: by the names that they have in the digest, their paths.
    """
    return _listing(
        (f"{name}/{file}", size, modified)
        for name, folder in sorted(folders.items())
        for file, size, modified in _sizes_and_times(folder, is_deep=False)
        if file.lower().endswith(".png")
    )


def _listing(files: Iterable[tuple[str, int, float]]) -> ImageListing:
    images = size = total = 0
    newest = 0.0
    for name, file_bytes, modified in files:
        images += 1
        size += file_bytes
        newest = max(newest, modified)
        item = f"{name}\0{file_bytes}".encode("utf-8", "surrogateescape")
        total += int.from_bytes(hashlib.blake2b(item, digest_size=32).digest(), "big")
    return ImageListing(images, size, newest, f"{total % 2**256:064x}")
