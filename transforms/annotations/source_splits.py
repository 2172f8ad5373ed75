"""The split that a source puts its images in, as the names of its folders and lists tell it."""

from __future__ import annotations

import re

_NAMES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
_BETWEEN_WORDS = re.compile(r"[-_. ]+")
_YEAR = re.compile(r"[-_]?\d{2,4}$")


def split_of_name(name: str) -> str:
    """The split that one name tells ("valid", "train2017"), or ""."""
    return _NAMES.get(_YEAR.sub("", name.lower()), "")


def split_of_words(name: str) -> str:
    """The split that a word of a name tells ("VisDrone2019-DET-train"), or ""; words of two splits tell none."""
    splits = {split for word in _BETWEEN_WORDS.split(name) if (split := split_of_name(word))}
    return splits.pop() if len(splits) == 1 else ""


def split_of_path(path: str) -> str:
    """The split that the folders of a path tell, the innermost first ("train/labels/1.txt"), or ""."""
    return next((split for part in reversed(path.split("/")[:-1]) if (split := split_of_words(part))), "")
