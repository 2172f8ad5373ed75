"""Class ids and their names, from the label files that detection models come with.

Three forms, told apart by suffix:

* ``.pbtxt``: ``item { id: 18 name: "/m/0bt9lr" display_name: "dog" }``, the TensorFlow Object Detection API's
  StringIntLabelMap in text form. The display name is taken where there is one. Ids have gaps (COCO: 80 of
  1..90).
* ``.csv``: ``id,name``, with or without that header.
* ``.txt``: a name a line, as TFLite models come with. Which id the first line has depends on the line:
  ``???`` or ``background`` there holds the place of id 0, so that the second line is class 1; any other first
  line is class 1 itself. Either way line order is the model's class order, since a TFLite class 0 becomes id
  1. A later ``???`` is an id without a class. Lines that all begin with a number (``0  person``) give their
  own ids; those are shifted by one if 0 is a real class.

Ids are 1-based everywhere in Boxmill; 0 is the background.
"""

from __future__ import annotations

import csv
import io
import os
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import numpy.typing as npt
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format

_GAP = "???"
_BACKGROUND = frozenset({_GAP, "background", "__background__", "_background_"})
_NUMBERED_LINE = re.compile(r"(\d+)[\s:,]+(\S.*)")
_LABEL_FILE = re.compile(r"(.*[_-])?label(s|[_-]?map)?", re.IGNORECASE)
_SUFFIXES = (".pbtxt", ".csv", ".txt")


class LabelMapRefused(ValueError):
    """A label file that cannot be read; its text is one sentence for the user."""


@dataclass(frozen=True, slots=True)
class LabelMap:
    """Names by class id.

    Attributes:
      names: ids from 1; gaps are allowed.
      source: the file that they come from, or "" for none.
    """

    names: Mapping[int, str] = field(default_factory=dict)
    source: str = ""

    def name(self, class_id: int) -> str:
        """The class's name; ``class_<id>`` for an id that the map does not hold."""
        return self.names.get(class_id, f"class_{class_id}")

    def count_unknown(self, classes: npt.NDArray[np.int32]) -> int:
        """How many of the ids [n] the map does not hold; 0 for an empty map, which says nothing about ids."""
        if not self.names:
            return 0
        return sum(int(class_id) not in self.names for class_id in classes)


def read_label_map(path: str | os.PathLike[str]) -> LabelMap:
    """Reads a label file in UTF-8.

    Raises:
      LabelMapRefused: no such file, an unknown form, or an id or name that is missing or given twice.
    """
    file = Path(path)
    if file.suffix.lower() not in _SUFFIXES:
        raise LabelMapRefused(f"Label map {file}: give a {', '.join(_SUFFIXES)} file.")
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise LabelMapRefused(f"Label map {file}: cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise LabelMapRefused(f"Label map {file}: not UTF-8 at byte {error.start}; save it as UTF-8.") from error
    return parse_label_map(text, file.suffix, source=str(file))


def parse_label_map(text: str, suffix: str, *, source: str) -> LabelMap:
    """Parses the text of a label file; ``suffix`` tells its form, ``source`` names it in errors.

    Raises:
      LabelMapRefused: see ``read_label_map``.
    """
    parse = {".pbtxt": _parse_items, ".csv": _parse_rows, ".txt": _parse_lines}[suffix.lower()]
    try:
        names = _collect(parse(text))
    except (ValueError, text_format.ParseError) as error:
        raise LabelMapRefused(f"Label map {source}: {' '.join(str(error).split())}.") from error
    if not names:
        raise LabelMapRefused(f"Label map {source}: there is no class in it.")
    return LabelMap(names, source)


def find_label_map(model: str | os.PathLike[str]) -> Path | None:
    """The label file beside or above a model's file or folder; None if there is none.

    Looked at are the folder of the SavedModel or file, then the one above. The first that holds a file named
    like label_map, labelmap, labels or coco_labels wins; in it .pbtxt comes before .csv before .txt.

    Raises:
      LabelMapRefused: several files of the same form in one folder.
    """
    place = Path(os.path.abspath(model))
    folder = place if place.is_dir() else place.parent
    for near in (folder, folder.parent):
        named = [file for file in sorted(near.iterdir()) if is_label_file(file.name) and file.is_file()]
        for suffix in _SUFFIXES:
            files = [file for file in named if file.suffix.lower() == suffix]
            if len(files) > 1:
                listed = ", ".join(file.name for file in files)
                raise LabelMapRefused(f"Label map: {near} holds {listed}; say which with --label_map.")
            if files:
                return files[0]
    return None


def is_label_file(name: str) -> bool:
    """Whether a file is named like one of labels."""
    return PurePath(name).suffix.lower() in _SUFFIXES and _LABEL_FILE.fullmatch(PurePath(name).stem) is not None


def _collect(entries: Iterable[tuple[int, str]]) -> dict[int, str]:
    names: dict[int, str] = {}
    for class_id, raw_name in entries:
        name = unicodedata.normalize("NFC", raw_name.strip())
        if class_id == 0 and name.lower() in _BACKGROUND:
            continue
        if class_id < 1:
            raise ValueError(f"id {class_id} of {name!r} is not 1 or more")
        if not name:
            raise ValueError(f"id {class_id} has no name")
        if names.setdefault(class_id, name) != name:
            raise ValueError(f"id {class_id} is given to both {names[class_id]!r} and {name!r}")
    return names


def _parse_items(text: str) -> list[tuple[int, str]]:
    label_map = text_format.Parse(text, _label_map_class()(), allow_unknown_field=True)
    for number, item in enumerate(label_map.item, 1):
        if not item.HasField("id"):
            raise ValueError(f"item {number} ({item.display_name or item.name!r}) has no id")
    return [(item.id, item.display_name or item.name) for item in label_map.item]


def _parse_rows(text: str) -> list[tuple[int, str]]:
    rows = [row for row in csv.reader(io.StringIO(text)) if any(cell.strip() for cell in row)]
    if rows and rows[0][0].strip().lower() == "id":
        rows = rows[1:]
    entries = []
    for row in rows:
        if len(row) < 2 or not row[0].strip().isdecimal():
            raise ValueError(f"row {','.join(row)!r} is not an id and a name")
        entries.append((int(row[0]), row[1]))
    return entries


def _parse_lines(text: str) -> list[tuple[int, str]]:
    lines = text.strip("\r\n").splitlines()
    numbered = [_NUMBERED_LINE.fullmatch(line.strip()) for line in lines if line.strip()]
    if numbered and all(numbered):
        entries = [(int(match[1]), match[2]) for match in numbered if match]
        zero_is_class = any(number == 0 and name.lower() not in _BACKGROUND for number, name in entries)
        return [(number + zero_is_class, name) for number, name in entries]
    first = 0 if lines and lines[0].strip().lower() in _BACKGROUND else 1
    named = [(number, line.strip()) for number, line in enumerate(lines, first)]
    return [(number, line) for number, line in named if line and line != _GAP]


@cache
def _label_map_class() -> Any:
    """The StringIntLabelMap message; its field numbers do not matter for text."""
    file = descriptor_pb2.FileDescriptorProto(name="boxmill/label_map.proto", package="boxmill.labels")
    item = file.message_type.add(name="Item")
    optional, repeated = 1, 3
    for number, (name, kind) in enumerate((("name", 9), ("id", 5), ("display_name", 9)), 1):
        item.field.add(name=name, number=number, type=kind, label=optional)
    label_map = file.message_type.add(name="LabelMap")
    label_map.field.add(name="item", number=1, type=11, label=repeated, type_name=".boxmill.labels.Item")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("boxmill.labels.LabelMap"))
