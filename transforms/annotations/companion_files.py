"""The files beside an annotation file, as a format's reader may see them."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from transforms import storage
from transforms.records import Companions, T
from transforms.storage.remote_listings import RemoteListings

MAX_COMPANION_BYTES = 64 << 20
# Folders that only say that annotations are in them, and those of the images beside them.
ANNOTATION_FOLDERS = {
    "annotations": "images",
    "annotation": "images",
    "xmls": "images",
    "xml": "images",
    "labels": "images",
    "ann": "img",
    "labeltxt": "images",
    "labeltxt-v1.0": "images",
    "labeltxt-v1.5": "images",
    "label_2": "image_2",
    "label_02": "image_02",
}
_PARTS_OF_DATASETS = {*ANNOTATION_FOLDERS, "obj_train_data", "gt"}


@dataclass(frozen=True, slots=True)
class FolderCompanions:
    """Files of a folder and of those around it, none of them outside of ``root``.

    Attributes:
      root: of the annotations.
      folder: of the annotation file, relative to the root, with "/" between folders.
      listings: of remote folders.
    """

    root: str
    folder: str
    listings: RemoteListings = field(default_factory=RemoteListings, compare=False, repr=False)
    _found: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

    def read(self, name: str) -> bytes | None:
        """See ``Companions``; a file larger than 64 MiB is no companion."""
        path = self._file(name)
        if path is None:
            return None
        try:
            return storage.read_bytes(path, MAX_COMPANION_BYTES)
        except storage.FileTooLarge:
            return None

    def open(self, name: str) -> BinaryIO | None:
        """See ``Companions``."""
        path = self._file(name)
        return None if path is None else storage.open_file(path)

    def names(self, folder: str = "") -> tuple[str, ...]:
        """See ``Companions``."""
        path = self._path(folder)
        if path is not None and storage.is_remote(path):
            return tuple(sorted(self.listings.names(path).files))
        if path is None or not os.path.isdir(path):
            return ()
        with os.scandir(path) as entries:
            return tuple(sorted(entry.name for entry in entries if entry.is_file()))

    def place(self, name: str) -> str:
        """See ``Companions``."""
        return posixpath.normpath(posixpath.join(self.folder, name))

    def upwards(self) -> tuple[str, ...]:
        """See ``Companions``."""
        depth = len([part for part in self.folder.split("/") if part])
        return ("", *("/".join([".."] * (level + 1)) for level in range(depth)))

    def once(self, find: Callable[[Companions], T]) -> T:
        """See ``Companions``."""
        if find not in self._found:
            self._found[find] = find(self)
        found: T = self._found[find]
        return found

    def _file(self, name: str) -> str | None:
        """The path of a file of this name, or None if there is none."""
        path = self._path(name)
        if path is None:
            return None
        if storage.is_remote(path):
            folder, _, base = path.rpartition("/")
            return path if base in self.listings.names(folder).files else None
        return path if os.path.isfile(path) else None

    def _path(self, name: str) -> str | None:
        """Where a name leads, or None if that is outside of the root, by ".." or by a link."""
        if posixpath.isabs(name) or "\0" in name or "\\" in name:
            return None
        relative = posixpath.normpath(posixpath.join(self.folder, name))
        if relative == ".." or relative.startswith("../"):
            return None
        if storage.is_remote(self.root):
            return f"{self.root}/{relative}" if relative != "." else self.root
        path = os.path.realpath(os.path.join(self.root, *relative.split("/")))
        root = os.path.realpath(self.root)
        return path if path == root or path.startswith(root.rstrip(os.sep) + os.sep) else None


def companions_place(path: str, relative: str) -> tuple[str, str]:
    """The root of a file's companions and its folder below that.

    The root is the annotations', or the folder around it if the annotations' folder is a part of a dataset, as
    "dataset/labels" is: lists of classes are kept beside such folders.
    """
    root = storage.absolute(path[: -len(relative)] if path.endswith(relative) else os.path.dirname(path))
    folder = posixpath.dirname(relative)
    is_bucket = storage.is_remote(root) and not storage.is_remote(os.path.dirname(root))
    if os.path.basename(root).lower() in _PARTS_OF_DATASETS and not is_bucket:
        folder = posixpath.join(os.path.basename(root), folder) if folder else os.path.basename(root)
        root = os.path.dirname(root)
    return root, folder
