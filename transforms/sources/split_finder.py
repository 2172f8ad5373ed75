"""The splits that a source itself puts its images in: by folders, by names of files, by lists of names.

Formats that say it in the file fill ``AnnotatedImage.split``; what follows is for those that do not.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from transforms import storage
from transforms.annotations.source_splits import split_of_name, split_of_path, split_of_words

_NAME = re.compile(r"[A-Za-z]\w*", re.ASCII)
# Of Pascal VOC, as seen from the dataset and from Annotations; of KITTI, from the dataset, training and label_2.
_LIST_FOLDERS = ("ImageSets/Main", "../ImageSets/Main", "ImageSets", "../ImageSets", "../../ImageSets")
_LISTS = ("train", "val", "test", "trainval")


def split_name(text: str) -> str:
    """The usual name of a split ("Validation" is val); another name as it is; "" if no split can have it."""
    name = text.strip()
    return split_of_name(name) or (name if _NAME.fullmatch(name) else "")


def find_split_lists(annotations: Iterable[str]) -> tuple[str, ...]:
    """The lists of Pascal VOC and of KITTI, ImageSets/Main/train.txt and so on: for each folder of annotations those of
    the first folder that has any.

    ``trainval.txt`` is both train and val, and says nothing where there are these two.
    """
    found: dict[str, str] = {}
    for place in annotations:
        folder = place if storage.is_folder(place) else os.path.dirname(place)
        for lists in _LIST_FOLDERS:
            paths = {storage.normal(os.path.join(folder, lists, f"{name}.txt")): name for name in _LISTS}
            there = {path: name for path, name in paths.items() if storage.exists(path)}
            found |= there
            if there:
                break
    has_both = {"train", "val"} <= set(found.values())
    return tuple(path for path, name in found.items() if name != "trainval" or not has_both)


@lru_cache(maxsize=8)
def read_split_lists(paths: tuple[str, ...]) -> Mapping[str, str]:
    """Names of images without extension and their splits; "" for one that is in lists of two splits."""
    splits: dict[str, str] = {}
    for path in paths:
        split = os.path.splitext(os.path.basename(path))[0]
        for line in storage.read_bytes(path).decode("utf-8", "surrogateescape").splitlines():
            if words := line.split():
                splits[words[0]] = split if splits.get(words[0], split) == split else ""
    return splits


@dataclass(frozen=True, slots=True)
class SplitFinder:
    """Finds the splits of images whose annotations do not say it themselves.

    Attributes:
      lists: see ``find_split_lists``.
    """

    lists: tuple[str, ...] = ()

    def find(self, split: str, file_name: str, annotation_file: str) -> str:
        """The split of an image, or "".

        Tried in turn: what the annotation says; the lists, which are complete where there are any; the folders of the
        image; the name and folders of the annotation file.

        Args:
          split: what the annotation says.
          file_name, annotation_file: relative names with "/" between folders.
        """
        if split:
            return split_name(split)
        if self.lists:
            return read_split_lists(self.lists).get(posixpath.splitext(posixpath.basename(file_name))[0], "")
        stem = posixpath.splitext(posixpath.basename(annotation_file))[0]
        return split_of_path(file_name) or split_of_words(stem) or split_of_path(annotation_file)
