"""Digests of the files that annotations are read with: a changed list of classes makes another dataset."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Sequence

from transforms import storage
from transforms.annotations.annotation_files import OTHER_FILES, AnnotationFile, is_companion
from transforms.annotations.companion_files import FolderCompanions, companions_place
from transforms.annotations.formats import FORMATS
from transforms.annotations.source_splits import split_of_name

# Of lists of classes and descriptions, whatever their names.
_COMPANION_SUFFIXES = (".names", ".labels", ".ini", ".yaml", ".yml")


def companion_digests(files: Sequence[AnnotationFile]) -> dict[str, str]:
    """SHA-256 of the lists of classes, lists of images and descriptions that go with annotation files, by their names.

    They are in the files' folders and those above, up to the root; what is read depends on them.
    """
    found: dict[str, str] = {}
    own = [pattern for name in {file.format for file in files if file.format} for pattern in FORMATS[name].companions]
    for root, folder in sorted({companions_place(file.path, file.relative) for file in files}):
        companions = FolderCompanions(root, folder)
        for place in companions.upwards():
            where = os.path.normpath(os.path.join(folder, place))
            for name in companions.names(place):
                relative = os.path.normpath(os.path.join(where, name))
                if relative not in found and _is_read_beside(relative, own):
                    file = companions.open(os.path.join(place, name))
                    if file is not None:
                        with file:
                            found[relative] = storage.sha256_of(file)
    return found


def _is_read_beside(relative: str, own: Sequence[str]) -> bool:
    """Whether a file may tell something of annotations of formats with these companions."""
    name = os.path.basename(relative).lower()
    stem, suffix = os.path.splitext(name)
    if any(fnmatch.fnmatchcase(name, pattern) for pattern in OTHER_FILES):
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in own)
    is_list = suffix == ".txt" and bool(split_of_name(stem))
    return suffix in _COMPANION_SUFFIXES or is_list or is_companion(relative)
