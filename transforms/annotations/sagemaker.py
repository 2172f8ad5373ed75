"""SageMaker Ground Truth's augmented manifest: a line of JSON for each image.

Format: https://docs.aws.amazon.com/sagemaker/latest/dg/sms-data-output.html – ``source-ref`` and, for each labelling
job, an attribute of the job's name with the boxes (left, top, width, height in pixels) and one with ``-metadata`` that
has the ``class-map``. The objects of all jobs of a line are read. Class ids count from 0: those declared are one more.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, BinaryIO, TextIO

from transforms.annotations.fields import FieldError, as_id, as_int64, as_size, quote
from transforms.annotations.json_objects import Entry, as_entry, number, read_lines, read_objects
from transforms.annotations.json_outline import outline
from transforms.annotations.refusals import Refused, as_class_name, box_of_size, problem_of, refuse_image
from transforms.annotations.source_files import SourceFile, read_streamed
from transforms.ledger.reasons import Reason
from transforms.records import (
    AnnotatedImage,
    BoxProblem,
    DeclaredClasses,
    ImageLabel,
    ObjectAnnotation,
    ReadContext,
    Reading,
)

SUFFIXES = (".manifest", ".jsonl")
FILES_PER_UNIT = 1
_METADATA = "-metadata"


def sniff(head: bytes) -> bool:
    """Whether the first bytes of a file are an entry of a manifest of images."""
    found = outline(head)
    return found.kind == "object" and found.has(**{"source-ref": '"'})


def read(stream: BinaryIO, context: ReadContext) -> Iterator[Reading]:
    """Reads one manifest; what cannot be read is a Rejection or a BoxProblem, never an exception."""
    return read_streamed(stream, context, "SageMaker manifest", _readings)


def _readings(text: TextIO, file: SourceFile) -> Iterator[Reading]:
    declared: dict[str, int] = {}
    yield from read_lines(lambda entry, place, file: _image(entry, place, file, declared))(text, file)
    yield DeclaredClasses(tuple(sorted(declared.items(), key=lambda item: item[1])))


def _image(entry: Entry, place: str, file: SourceFile, declared: dict[str, int]) -> Reading:
    objects: list[ObjectAnnotation] = []
    problems: list[BoxProblem] = []
    labels: list[ImageLabel] = []
    size: Entry = {}
    jobs = [key.removesuffix(_METADATA) for key in entry if key.endswith(_METADATA)]
    for job in jobs:
        metadata, value = as_entry(entry[job + _METADATA], job + _METADATA), entry.get(job)
        class_map = metadata["class-map"] if isinstance(metadata.get("class-map"), dict) else {}
        _declare(class_map, declared)
        if isinstance(value, dict):
            array = f"{job}.annotations"
            found, wrong = read_objects(value.get("annotations"), array, partial(_class_name, class_map), _object)
            objects += found
            problems += wrong
            sizes = value.get("image_size")
            size = sizes[0] if isinstance(sizes, list) and sizes and isinstance(sizes[0], dict) else size
            continue
        try:
            labels += _labels(value, metadata, class_map)
        except FieldError as error:
            problems.append(problem_of(error, job))
    image = file.image(
        entry.get("source-ref"),
        place,
        width=as_size(size.get("width")),
        height=as_size(size.get("height")),
        objects=tuple(objects),
        problems=tuple(problems),
        labels=tuple(labels),
    )
    if isinstance(image, AnnotatedImage) and not any(entry.get(job) is not None for job in jobs):
        return refuse_image(image, Reason.NOT_ANNOTATED, "the line has no labels")
    return image


def _declare(class_map: Entry, declared: dict[str, int]) -> None:
    for key, value in class_map.items():
        number = as_int64(key.strip())
        try:
            name = as_class_name(value)
        except Refused:  # an object of this class says so
            continue
        if number is not None and number >= 0:
            declared.setdefault(name, number + 1)


def _class_name(class_map: Entry, item: Entry) -> Any:
    class_id = as_id(item.get("class_id"))
    if class_id is None:
        raise Refused(Reason.FIELD_MISSING, "the object has no class_id")
    if class_id not in class_map:
        raise Refused(Reason.UNKNOWN_CLASS, f"class_id {quote(class_id)} is not in the class-map")
    return class_map[class_id]


def _object(item: Entry, name: str, position: str) -> ObjectAnnotation:
    left, top, width, height = (number(item, side) for side in ("left", "top", "width", "height"))
    return ObjectAnnotation(box_of_size(left, top, width, height), name, position=position)


def _labels(value: Any, metadata: Entry, class_map: Entry) -> list[ImageLabel]:
    """What a classification job says of the picture: one class by its name, or several by ids."""
    if isinstance(value, str):
        raise Refused(Reason.SHAPE_UNSUPPORTED, "the labels are a picture of their own, which is not read")
    if metadata.get("class-name") is not None:
        return [ImageLabel(as_class_name(metadata["class-name"]))]
    ids = value if isinstance(value, list) else []
    return [ImageLabel(as_class_name(_class_name(class_map, {"class_id": item}))) for item in ids]
