"""The features of a stored Example, of the TF Object Detection API's kind or of TFDS's, as an AnnotatedImage.

Keys: the table of ``feature_keys`` (TF Object Detection API, Model Garden), or else those of TFDS's detection datasets:
``image``, ``image/filename``, ``image/id``, ``objects/bbox`` (ymin, xmin, ymax, xmax of each object), ``objects/label``
from 0, ``objects/is_crowd``, ``objects/area``, ``objects/is_difficult``, ``objects/is_truncated``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

from transforms.annotations.class_lists import ClassList
from transforms.annotations.fields import as_size, clean_class_name, is_text
from transforms.examples import feature_keys as keys
from transforms.examples.wire_format import BYTES, FLOAT, INT64, Kind, Value
from transforms.images.image_names import image_key
from transforms.ledger.reasons import Reason
from transforms.records import AnnotatedImage, Box, BoxProblem, ImageLabel, ObjectAnnotation

Features = Mapping[str, Value | None]
MAP_KEYS = frozenset({keys.CATEGORY_MAP, keys.INSTANCE_MAP, keys.SEMANTIC_MAP})
"""Pictures of a record whose pixels are class numbers, or go with such."""
_PICTURE_KEYS = (keys.ENCODED, "image")
_ID_KEYS = (keys.SOURCE_ID, "image/id")
_EDGE_KEYS = (keys.XMIN, keys.YMIN, keys.XMAX, keys.YMAX)
_TFDS_FLAGS = {"difficult": "objects/is_difficult", "truncated": "objects/is_truncated"}


def values_of(features: Features, key: str, kind: Kind) -> Sequence[Any]:
    """The values of a feature; none if it is absent or of another kind."""
    value = features.get(key)
    return value[1] if value is not None and value[0] == kind else ()


def picture_of(features: Features) -> bytes | None:
    """The encoded picture, or None if the record holds none."""
    for key in _PICTURE_KEYS:
        if values := values_of(features, key, BYTES):
            data: bytes = values[0]
            return data
    return None


def annotated_image(features: Features, number: int, annotation_file: str, classes: ClassList) -> AnnotatedImage:
    """What a record says of its picture.

    Args:
      features: of the record.
      number: of the record in its file, from 0.
      annotation_file: its file.
      classes: names for class numbers.
    """
    image_id = _image_id(features)
    objects, problems = _objects(features, number, classes)
    height, width = (as_size(next(iter(values_of(features, key, INT64)), None)) for key in (keys.HEIGHT, keys.WIDTH))
    return AnnotatedImage(
        file_name=_file_name(features, image_id or f"{annotation_file}-{number:08d}"),
        image_id=image_id,
        width=width,
        height=height,
        unit="fractions",
        objects=tuple(objects),
        problems=tuple(problems),
        annotation_file=annotation_file,
        labels=_image_labels(features, classes),
        negative_classes=_class_names(features, keys.NEGATIVE_IDS, classes),
        not_exhaustive_classes=_class_names(features, keys.NOT_EXHAUSTIVE_IDS, classes),
    )


def _image_labels(features: Features, classes: ClassList) -> tuple[ImageLabel, ...]:
    columns = (
        values_of(features, keys.IMAGE_TEXT, BYTES),
        values_of(features, keys.IMAGE_LABEL, INT64),
        values_of(features, keys.IMAGE_CONFIDENCE, FLOAT),
    )
    return tuple(
        ImageLabel(_class_name(text or b"", number, classes.by_id), 1.0 if confidence is None else confidence)
        for text, number, confidence in zip_longest(*columns)
        if text or number is not None
    )


def _class_names(features: Features, key: str, classes: ClassList) -> tuple[str, ...]:
    return tuple(_class_name(b"", number, classes.by_id) for number in values_of(features, key, INT64))


def object_count(features: Features) -> int:
    """How many objects a record has: as many as the longest list of edges or classes."""
    if _is_tfds(features):
        boxes = -(-len(values_of(features, keys.TFDS_BBOX, FLOAT)) // 4)
        return max(boxes, len(values_of(features, keys.TFDS_LABEL, INT64)))
    lists = [(key, FLOAT) for key in _EDGE_KEYS] + [(keys.TEXT, BYTES), (keys.LABEL, INT64)]
    return max(len(values_of(features, key, kind)) for key, kind in lists)


def class_numbers(features: Features, classes: ClassList) -> set[tuple[str, int]]:
    """Names of classes and their ids from 1, as the objects of a record have them."""
    if _is_tfds(features):
        indices = set(values_of(features, keys.TFDS_LABEL, INT64))
        return {(_class_name(b"", index, classes.by_index), index + 1) for index in indices}
    pairs = set(zip_longest(values_of(features, keys.TEXT, BYTES), values_of(features, keys.LABEL, INT64)))
    return {(_class_name(text or b"", label, classes.by_id), label) for text, label in pairs if label is not None}


def _is_tfds(features: Features) -> bool:
    return not any(values_of(features, key, FLOAT) for key in _EDGE_KEYS)


def _image_id(features: Features) -> str:
    for key in _ID_KEYS:
        if text := _text(next(iter(values_of(features, key, BYTES)), b"")):
            return text
        if numbers := values_of(features, key, INT64):
            return str(numbers[0])
    return ""


def _file_name(features: Features, stem: str) -> str:
    """The name that the record gives its picture, else one made of its id or its place."""
    name = _text(next(iter(values_of(features, keys.FILE_NAME, BYTES)), b""))
    if image_key(name):
        return name
    suffix = _text(next(iter(values_of(features, keys.FORMAT, BYTES)), b"")).lower()
    return f"{stem}.{suffix}" if suffix.isalnum() else stem


def _text(value: bytes) -> str:
    """UTF-8 text fit for names and labels; "" where it is none."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return ""
    return text if is_text(text) else ""


def _objects(features: Features, number: int, classes: ClassList) -> tuple[list[ObjectAnnotation], list[BoxProblem]]:
    is_tfds = _is_tfds(features)
    if is_tfds:
        corners = values_of(features, keys.TFDS_BBOX, FLOAT)
        sides = [corners[side::4] for side in (1, 0, 3, 2)]
        names = [_class_name(b"", index, classes.by_index) for index in values_of(features, keys.TFDS_LABEL, INT64)]
    else:
        sides = [values_of(features, key, FLOAT) for key in _EDGE_KEYS]
        texts = values_of(features, keys.TEXT, BYTES)
        labels = values_of(features, keys.LABEL, INT64)
        names = [_class_name(text or b"", label, classes.by_id) for text, label in zip_longest(texts, labels)]
    columns = _columns(features, object_count(features), is_tfds)
    objects: list[ObjectAnnotation] = []
    problems: list[BoxProblem] = []
    for index, (name, *edges) in enumerate(zip_longest(names, *sides)):
        position = f"record {number}, object {index}"
        if not name or None in edges:
            missing = "class" if not name else "edge of its box"
            detail = f"the object has no {missing}: the record's lists have different lengths or kinds"
            problems.append(BoxProblem(position, str(index), name or "", "dropped", Reason.FIELD_MISSING, detail))
            continue
        attributes = {attribute: values[index] for attribute, values in columns.items()}
        objects.append(ObjectAnnotation(Box(*edges), name, str(index), position, **attributes))
    return objects, problems


def _class_name(text: bytes, number: int | None, names: Mapping[int, str]) -> str:
    """The class of an object: its text, else what a label file calls its number, else a name made of the number."""
    if name := clean_class_name(_text(text)):
        return name
    return "" if number is None else names.get(number) or f"class_{number}"


def _columns(features: Features, count: int, is_tfds: bool) -> dict[str, list[Any]]:
    """Values of the objects' attributes, for those attributes of which the record has one for each object."""
    flags = {"is_crowd": keys.TFDS_IS_CROWD, **_TFDS_FLAGS}
    if not is_tfds:
        flags = {"is_crowd": keys.IS_CROWD} | {attribute: key for key, attribute in keys.OPTIONAL_FLAGS.items()}
    columns: dict[str, list[Any]] = {
        attribute: [flag != 0 for flag in values_of(features, key, INT64)] for attribute, key in flags.items()
    }
    numbers = {"area": "objects/area" if is_tfds else keys.AREA, "weight": keys.WEIGHT}
    for attribute, key in numbers.items():
        kind = INT64 if values_of(features, key, INT64) else FLOAT
        columns[attribute] = [float(value) for value in values_of(features, key, kind)]
    columns["pose"] = [_text(pose) for pose in values_of(features, keys.VIEW, BYTES)]
    return {attribute: values for attribute, values in columns.items() if values and len(values) == count}
