"""The folders of mask pictures and maps that go with annotation files."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable, Iterator

from transforms import storage
from transforms.annotations.annotation_files import AnnotationFile
from transforms.annotations.companion_files import companions_place
from transforms.annotations.formats import FORMATS


def mask_folders(files: Iterable[AnnotationFile]) -> dict[str, str]:
    """Where the formats of these files keep mask pictures: place below the annotations' root, and path, of each folder
    that is there.
    """
    found: dict[str, str] = {}
    for root, place in sorted(set(_places(files))):
        path = root if place == "." else f"{root}/{place}"
        if not place.startswith("..") and place not in found and storage.is_folder(path):
            found[place] = path
    return found


def _places(files: Iterable[AnnotationFile]) -> Iterator[tuple[str, str]]:
    for file in files:
        folders = FORMATS[file.format].mask_folders if file.format else ()
        if folders:
            root, folder = companions_place(file.path, file.relative)
            stem = os.path.splitext(os.path.basename(file.relative))[0]
            for name in folders:
                yield root, posixpath.normpath(posixpath.join(folder, name.format(stem=stem)))
