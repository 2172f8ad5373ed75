"""The class names beside TFRecord files, for records that hold numbers alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from transforms.annotations.fields import clean_class_name
from transforms.annotations.text_encoding import decode_text
from transforms.records import Companions
from transforms.shards.label_map import parse_class_map

_FOLDERS = ("", "..")
_MAPS = ("label_map.pbtxt", "labels.csv")
_LISTS = ("labels.txt", "labelmap.txt", "label_map.txt", "classes.txt")
_TFDS_LIST = "objects-label.labels.txt"
_BACKGROUND = ("???", "background")


@dataclass(frozen=True, slots=True)
class ClassList:
    """Class names of TFRecord files.

    Attributes:
      by_id: names by the ids of the TF Object Detection API, from 1.
      by_index: names by the indices of TFDS, from 0.
      faults: label files that cannot be read, and why.
    """

    by_id: Mapping[int, str] = field(default_factory=dict)
    by_index: Mapping[int, str] = field(default_factory=dict)
    faults: tuple[str, ...] = ()


def find_class_list(companions: Companions | None) -> ClassList:
    """Reads the label files in the folder of an annotation file, else in the folder above it."""
    if companions is None:
        return ClassList()
    by_id: Mapping[int, str] = {}
    by_index: Mapping[int, str] = {}
    faults = []
    for folder in _FOLDERS:
        names = companions.names(folder)
        for name in _label_maps(names):
            try:
                by_id = by_id or _names_by_id(name, companions.read(_joined(folder, name)) or b"")
            except ValueError as error:
                faults.append(f"{name} beside it cannot be used: {error}")
        if name := _tfds_list(names):
            lines = _lines(companions.read(_joined(folder, name)) or b"")
            by_index = by_index or {index: line for index, line in enumerate(lines) if line}
    return ClassList(by_id, by_index, tuple(faults))


def _joined(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _label_maps(names: tuple[str, ...]) -> list[str]:
    """Label maps among the names of a folder, best first; where several have odd names, which is meant is unknown."""
    odd = [name for name in names if name.lower().endswith(".pbtxt") and "label" in name.lower()]
    found = [name for name in (*_MAPS, *_LISTS) if name in names]
    return found if found or len(odd) != 1 else odd


def _tfds_list(names: tuple[str, ...]) -> str:
    lists = [name for name in names if name.endswith(".labels.txt")]
    return _TFDS_LIST if _TFDS_LIST in lists else lists[0] if len(lists) == 1 else ""


def _names_by_id(name: str, data: bytes) -> dict[int, str]:
    if name not in _LISTS:
        return {class_id: class_name for class_name, class_id in parse_class_map(data).items()}
    lines = _lines(data)
    first = 0 if lines and lines[0].lower() in _BACKGROUND else 1
    return {number: line for number, line in enumerate(lines, first) if number and line not in ("", "???")}


def _lines(data: bytes) -> list[str]:
    try:
        return [clean_class_name(line) for line in decode_text(data)[0].splitlines()]
    except UnicodeDecodeError:
        raise ValueError("it is no text") from None
