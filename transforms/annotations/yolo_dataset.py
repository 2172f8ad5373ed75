"""What lies around the label files of a YOLO dataset: names of classes, the form of keypoints, lists of images.

Two kinds of description are read: Ultralytics' ``data.yaml`` (https://docs.ultralytics.com/datasets/detect/: ``names``,
``kpt_shape``, ``train``, ``val``, ``test``) and darknet's (``obj.names`` or ``classes.txt`` with a class a line;
``train.txt`` and others with an image a line).
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from transforms.annotations.descriptions import (
    DescriptionError,
    declared_classes,
    description_text,
    load_description,
    numbered_names,
)
from transforms.annotations.fields import clean_class_name, quote
from transforms.annotations.source_splits import split_of_name
from transforms.images.image_names import IMAGE_SUFFIXES, name_parts
from transforms.records import Companions, DeclaredClasses

YAML_SUFFIXES = (".yaml", ".yml")
CLASS_LISTS = ("obj.names", "classes.txt", "_darknet.labels")
_SPLIT_KEYS = ("train", "val", "valid", "test")


@dataclass(frozen=True, slots=True)
class YoloDataset:
    """What is known of the dataset that a label file belongs to.

    Attributes:
      described_by: name of the file that has the classes, or "".
      class_names: by the class's number, from 0; "" where a number has no name.
      keypoint_shape: how many keypoints an object has and how many numbers each (2 or 3); (0, 0) if none.
      keypoint_names: in their order.
      splits: of images that lists name, by folder and name without suffix; "" where lists contradict each other.
      repairs: that reading it took.
    """

    described_by: str = ""
    class_names: tuple[str, ...] = ()
    keypoint_shape: tuple[int, int] = (0, 0)
    keypoint_names: tuple[str, ...] = ()
    splits: Mapping[tuple[str, str], str] = field(default_factory=dict)
    repairs: tuple[str, ...] = ()

    @property
    def declared(self) -> DeclaredClasses:
        """The classes with numbers from 1, as records have them."""
        return declared_classes(dict(enumerate(self.class_names)), self.keypoint_names)


def find_dataset(companions: Companions) -> YoloDataset | DescriptionError:
    """Looks for descriptions from a label file's folder up to the root; the nearest counts."""
    splits: dict[tuple[str, str], str] = {}
    dataset: YoloDataset | None = None
    try:
        for folder in companions.upwards():
            names = companions.names(folder)
            _add_lists(splits, companions, folder, names)
            dataset = dataset or _described(companions, folder, names)
    except DescriptionError as error:
        return error
    return replace(dataset or YoloDataset(), splits=splits)


def _described(companions: Companions, folder: str, names: tuple[str, ...]) -> YoloDataset | None:
    for name in names:
        if name.lower().endswith(YAML_SUFFIXES):
            text, repairs = description_text(companions.read(posixpath.join(folder, name)) or b"", name)
            if is_description(text):
                return replace(parse_description(text, name), repairs=repairs)
    lists = [name for name in CLASS_LISTS if name in names] or [name for name in names if name.endswith(".names")]
    if not lists:
        return None
    text, repairs = description_text(companions.read(posixpath.join(folder, lists[0])) or b"", lists[0])
    return YoloDataset(lists[0], tuple(map(clean_class_name, text.rstrip().splitlines())), repairs=repairs)


def is_description(text: str) -> bool:
    """Whether a YAML file describes a dataset: it has names of classes, and a split, a place or their number."""
    keys = {line.split(":")[0].strip(" \"'") for line in text.splitlines() if ":" in line}
    return "names" in keys and bool(keys & {*_SPLIT_KEYS, "nc", "path"})


def parse_description(text: str, name: str) -> YoloDataset:
    """Reads a ``data.yaml``.

    Raises:
      DescriptionError: no such file.
    """
    content = load_description(text, name)
    class_names = tuple(clean_class_name(text) for text in numbered_names(content.get("names"), f"names of {name}"))
    shape = content.get("kpt_shape") or (0, 0)
    if not (isinstance(shape, list | tuple) and len(shape) == 2 and all(type(number) is int for number in shape)):
        raise DescriptionError(f"kpt_shape of {name} is {quote(shape)}, not [number of keypoints, 2 or 3]")
    keypoints, dimensions = shape
    if (keypoints or dimensions) and (dimensions not in (2, 3) or not 0 < keypoints <= 1000):
        raise DescriptionError(f"kpt_shape of {name} is {quote(shape)}, not [number of keypoints, 2 or 3]")
    given = content.get("kpt_names")
    given = next(iter(given.values()), None) if isinstance(given, dict) else given
    names = tuple(numbered_names(given, f"kpt_names of {name}")) if given else ()
    if len(names) != keypoints:
        names = tuple(f"keypoint_{number}" for number in range(keypoints))
    return YoloDataset(name, class_names, (keypoints, dimensions), names)


def listed_images(lines: Sequence[str]) -> list[str]:
    """The images that a list names, a path a line; empty if there is a line that is no image's path."""
    paths = [line.strip().replace("\\", "/") for line in lines if line.strip()]
    return paths if all(path.lower().endswith(IMAGE_SUFFIXES) for path in paths) else []


def _add_lists(splits: dict[tuple[str, str], str], companions: Companions, folder: str, names: tuple[str, ...]) -> None:
    for name in names:
        split = split_of_name(posixpath.splitext(name)[0]) if name.lower().endswith(".txt") else ""
        if not split:
            continue
        text, _ = description_text(companions.read(posixpath.join(folder, name)) or b"", name)
        for path in listed_images(text.splitlines()):
            key = place_of(path)
            splits[key] = split if splits.get(key, split) == split else ""


def place_of(path: str) -> tuple[str, str]:
    """The folder and the name without suffix of an image or its label file, equal for both."""
    folder, name = posixpath.split(label_path(path))
    return posixpath.basename(folder), posixpath.splitext(name)[0]


def label_path(image_path: str) -> str:
    """Where an image's label file lies: in the folder "labels" in place of the innermost "images", or beside it."""
    parts = image_path.split("/")
    for index in range(len(parts) - 2, -1, -1):
        if parts[index].lower() == "images":
            parts[index] = "labels"
            break
    return posixpath.splitext("/".join(parts))[0] + ".txt"


def unlabelled_images(companions: Companions, paths: Sequence[str]) -> Iterator[str]:
    """Those of a list's images that have no label file: pictures without objects.

    None, if no image of the list has one: then the list is of no YOLO dataset. Paths of another machine are looked for
    by their ends.
    """
    present: dict[str, frozenset[str]] = {}

    def has_label(path: str) -> bool:
        parts = name_parts(label_path(path))[0]
        for start in range(len(parts)):
            folder = "/".join(parts[start:-1])
            if folder not in present:
                present[folder] = frozenset(companions.names(folder))
            if parts[-1] in present[folder]:
                return True
        return False

    without = [path for path in paths if not has_label(path)]
    if len(without) < len(paths):
        yield from without


def images_of_folders(content: Mapping[str, Any], companions: Companions) -> Iterator[tuple[str, list[str]]]:
    """Yields ``(split, paths of images)`` for each folder below the root that a ``data.yaml`` names."""
    for key in _SPLIT_KEYS:
        value = content.get(key)
        for folder in value if isinstance(value, list) else [value]:
            if isinstance(folder, str) and not folder.lower().endswith(".txt"):
                base = content.get("path")
                yield split_of_name(key), _images_in(folder, base if isinstance(base, str) else "", companions)


def _images_in(folder: str, base: str, companions: Companions) -> list[str]:
    """Images of a folder; descriptions are moved about, so the folder is looked for by the ends of its path too."""
    parts = name_parts(posixpath.join(base, folder))[0]
    for start in range(len(parts)):
        place = "/".join(parts[start:])
        if images := [f"{place}/{name}" for name in companions.names(place) if name.lower().endswith(IMAGE_SUFFIXES)]:
            return images
    return []
