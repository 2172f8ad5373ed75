"""What lies under an images root: for the fingerprint, the size of shards, and images that no annotation names."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

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


def walk_images(root: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yields ``(name relative to the root, entry)`` for each file with an image's extension, links not followed."""
    folders = [""]
    while folders:
        folder = folders.pop()
        with os.scandir(os.path.join(root, folder)) as entries:
            for entry in entries:
                name = f"{folder}/{entry.name}" if folder else entry.name
                if entry.is_dir(follow_symlinks=False):
                    folders.append(name)
                elif entry.name.lower().endswith(IMAGE_SUFFIXES):
                    yield name, entry


def list_images(root: str) -> ImageListing:
    """Lists a folder.

    Raises:
      OSError: the folder is missing or cannot be read.
    """
    images = size = total = 0
    newest = 0.0
    for name, entry in walk_images(root):
        status = entry.stat(follow_symlinks=False)
        images += 1
        size += status.st_size
        newest = max(newest, status.st_mtime)
        item = f"{name}\0{status.st_size}".encode("utf-8", "surrogateescape")
        total += int.from_bytes(hashlib.blake2b(item, digest_size=32).digest(), "big")
    return ImageListing(images, size, newest, f"{total % 2**256:064x}")
