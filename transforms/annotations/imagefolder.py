"""Hugging Face's image folders with ``metadata.jsonl``: a line of JSON for each image, beside the pictures.

Format: https://huggingface.co/docs/datasets/image_dataset#object-detection – ``file_name``, relative to the file, and
``objects``: either lists of equal length (``bbox``, ``category``, ``id``, …) or a list of objects with these fields.
Boxes are COCO's x, y, width, height in pixels. There is no standard beyond that: the class is in ``category``,
``categories``, ``category_id``, ``label`` or ``labels``, as a name or as a number from 0. Numbers have their names in
the YAML at the head of ``README.md`` (``dataset_info.features``, https://huggingface.co/docs/hub/datasets-cards), in
the file's folder or the nearest above; where there are none, class 7 is called "7". A number's declared id is one more.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, BinaryIO

from transforms.annotations.descriptions import (
    MAX_CLASSES,
    DescriptionError,
    declared_classes,
    description_text,
    load_description,
    numbered_names,
)
from transforms.annotations.fields import (
    FieldError,
    as_flag,
    as_id,
    as_int64,
    as_number,
    as_size,
    clean_class_name,
    quote,
)
from transforms.annotations.json_objects import Entry, as_entry, as_list, read_lines, read_objects
from transforms.annotations.json_outline import outline
from transforms.annotations.refusals import Refused, box_of_size, refuse_image
from transforms.annotations.source_files import SourceFile, read_streamed
from transforms.annotations.source_splits import split_of_path
from transforms.ledger.reasons import Reason
from transforms.records import AnnotatedImage, Companions, ObjectAnnotation, ReadContext, Reading

SUFFIXES = (".jsonl",)
FILES_PER_UNIT = 1
_CARD = "README.md"
COMPANIONS = (_CARD.lower(),)
_TITLE = "metadata.jsonl"
# The first that is there counts.
_CLASSES = ("category", "categories", "category_id", "label", "labels")
_IDS = ("id", "bbox_id")
_CROWDS = ("iscrowd", "is_crowd")
_COLUMNS = ("bbox", *_CLASSES, *_IDS, *_CROWDS, "area")
# How a feature says what is in it.
_NESTED_TYPES = ("dtype", "sequence", "list", "struct")
_MOST_NESTED = 4
_FRONT_MATTER = re.compile(r"---[ \t]*\r?\n(.*?)^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)


def sniff(head: bytes) -> bool:
    """Whether the first bytes of a file are an image with objects."""
    found = outline(head)
    return found.kind == "object" and found.has(file_name='"', objects="{[n")


def read(stream: BinaryIO, context: ReadContext) -> Iterator[Reading]:
    """Reads one file; what cannot be read is a Rejection or a BoxProblem, never an exception."""
    names = context.companions.once(find_class_names) if context.companions else ()
    if isinstance(names, DescriptionError):
        yield SourceFile(context, _TITLE).rejection(Reason.ANNOTATION_UNREADABLE, str(names), is_image=False)
        return
    used: dict[int, str] = {}
    read_image = partial(_image, class_name=partial(_class_name, names=names, used=used))
    yield from read_streamed(stream, context, _TITLE, read_lines(read_image))
    if names or used:
        yield declared_classes(dict(enumerate(names)) or used)


def _image(entry: Entry, place: str, file: SourceFile, class_name: Callable[[Entry], str]) -> Reading:
    name, objects = entry.get("file_name"), entry.get("objects")
    folder = posixpath.dirname(file.context.annotation_file)
    image = partial(
        file.image,
        name,
        place,
        image_id=as_id(entry.get("image_id")) or "",
        width=as_size(entry.get("width")),
        height=as_size(entry.get("height")),
        split=split_of_path(posixpath.join(folder, name)) if isinstance(name, str) else "",
    )
    try:
        items, problems = read_objects(_rows(objects), "objects", class_name, _object)
    except Refused as refused:
        boxes = objects.get("bbox") if isinstance(objects, dict) else None
        count = len(boxes) if isinstance(boxes, list) else 0
        lost = image(problems=tuple(refused.problem(f"objects[{index}]") for index in range(count)))
        return refuse_image(lost, refused.reason, refused.detail) if isinstance(lost, AnnotatedImage) else lost
    return image(objects=items, problems=problems)


def _rows(objects: Any) -> list[Any]:
    """The objects one by one.

    Raises:
      Refused: they are neither lists nor objects, or lists of several lengths: which belong together is unknown then.
    """
    if not isinstance(objects, dict):
        return as_list(objects, "objects")
    columns = {
        key: as_list(value, key)
        for key, value in as_entry(objects, "objects").items()
        if key in _COLUMNS and value is not None
    }
    lengths = {key: len(values) for key, values in columns.items()}
    if len({*lengths.values()}) > 1:
        raise Refused(Reason.FIELD_COUNT, f"the lists of objects have different lengths: {lengths}")
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _class_name(entry: Entry, names: Sequence[str], used: dict[int, str]) -> str:
    value = _first(entry, _CLASSES)
    if isinstance(value, str):
        return value
    class_id = as_id(value)
    if class_id is None:
        raise Refused(Reason.FIELD_MISSING, f"the object has no class, but {quote(value)}")
    number = as_int64(class_id)
    if number is None or not 0 <= number < (len(names) or MAX_CLASSES) or (names and not names[number]):
        place = f"among the {len(names)} of {_CARD}" if names else "a class"
        raise Refused(Reason.UNKNOWN_CLASS, f"class {class_id} is not {place}")
    return names[number] if names else used.setdefault(number, class_id)


def _object(entry: Entry, name: str, position: str) -> ObjectAnnotation:
    bbox = entry.get("bbox")
    if not isinstance(bbox, list) or len(bbox) != 4:
        raise Refused(Reason.FIELD_MISSING, f"bbox is {quote(bbox)}, not [x, y, width, height]")
    x, y, width, height = (as_number("bbox", value) for value in bbox)
    return ObjectAnnotation(
        box_of_size(x, y, width, height),
        name,
        box_id=as_id(_first(entry, _IDS)) or "",
        position=position,
        area=_area(entry.get("area")),
        is_crowd=as_flag(_first(entry, _CROWDS)),
    )


def _area(value: Any) -> float | None:
    try:
        return None if value is None else as_number("area", value)
    except FieldError:
        return None  # the box's own area serves


def _first(entry: Entry, keys: Sequence[str]) -> Any:
    return next((entry[key] for key in keys if entry.get(key) is not None), None)


def find_class_names(companions: Companions) -> tuple[str, ...] | DescriptionError:
    """The names by their numbers that the nearest README.md with any has; none, if there is no such file."""
    try:
        for folder in companions.upwards():
            for file in companions.names(folder):
                if file.lower() == _CARD.lower():
                    text, _ = description_text(companions.read(posixpath.join(folder, file)) or b"", file)
                    if names := class_names_of_card(text):
                        return names
    except DescriptionError as error:
        return error
    return ()


def class_names_of_card(text: str) -> tuple[str, ...]:
    """The names of the class numbers of objects that a README.md declares; empty if it does not.

    Raises:
      DescriptionError: the YAML at its head cannot be read, or its configurations have different names.
    """
    head = _FRONT_MATTER.match(text)
    if not head:
        return ()
    configurations = load_description(head[1], _CARD).get("dataset_info")
    found = {
        tuple(map(clean_class_name, numbered_names(_by_number(names), f"class names of {_CARD}")))
        for item in (configurations if isinstance(configurations, list) else [configurations])
        if (names := _declared_names(item)) is not None
    }
    if len(found) > 1:
        raise DescriptionError(f"{_CARD} has configurations with different class names; keep the one that is meant")
    return found.pop() if found else ()


def _declared_names(configuration: Any) -> Any:
    """``names`` of the feature that holds the classes of objects; None if there is none."""
    features = configuration.get("features") if isinstance(configuration, dict) else None
    objects = _feature(features, ("objects",))
    for kind in _NESTED_TYPES:
        value = _feature(objects.get(kind), _CLASSES)
        for _ in range(_MOST_NESTED):
            if isinstance(value.get("class_label"), dict):
                return value["class_label"].get("names")
            value = next((value[key] for key in _NESTED_TYPES if isinstance(value.get(key), dict)), {})
    return None


def _feature(features: Any, names: Sequence[str]) -> dict[str, Any]:
    """The feature of one of these names in a list of them; empty if there is none."""
    candidates = features if isinstance(features, list) else []
    return next((item for item in candidates if isinstance(item, dict) and item.get("name") in names), {})


def _by_number(names: Any) -> Any:
    """Names whose numbers may be texts, as the library writes them ('0': cat)."""
    if not isinstance(names, dict):
        return names
    return {as_int64(key) if isinstance(key, str) else key: name for key, name in names.items()}
