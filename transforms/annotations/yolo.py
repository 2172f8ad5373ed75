"""YOLO: a text file for each image, an object a line; fractions of the image.

Formats: darknet and Ultralytics (https://docs.ultralytics.com/datasets/): ``class x_center y_center width height``
(detection); ``class x1 y1 x2 y2 x3 y3 …`` (segmentation, and oriented boxes with their four corners: the box is the
one around the points, the points are its mask); ``class x y w h px1 py1 [v1] …`` (pose, if ``data.yaml`` has a
``kpt_shape``); each maybe with the number of a track at its end (``yolo_tracks``). Classes are numbers from 0; see
``yolo_dataset`` for their names. Without any list of names class 7 is called "class_7"; with one, a number outside it
is an unknown class.

Also read are the lists of images (``train.txt``) and ``data.yaml``: what they add is images without a label file,
which YOLO trainers take for pictures without objects.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from functools import partial
from typing import BinaryIO

from transforms.annotations.descriptions import MAX_CLASSES, DescriptionError, declared_classes, load_description
from transforms.annotations.fields import is_text, quote
from transforms.annotations.line_files import (
    FileRefused,
    head_lines,
    image_of_lines,
    is_most,
    numbers,
    read_lines,
    wrong_columns,
)
from transforms.annotations.refusals import Refused, box_of_size
from transforms.annotations.shapes import bounds
from transforms.annotations.source_splits import split_of_name, split_of_path
from transforms.annotations.yolo_dataset import (
    CLASS_LISTS,
    YAML_SUFFIXES,
    YoloDataset,
    find_dataset,
    images_of_folders,
    is_description,
    listed_images,
    parse_description,
    place_of,
    unlabelled_images,
)
from transforms.annotations.yolo_tracks import LineEnds
from transforms.images.image_names import IMAGE_SUFFIXES
from transforms.ledger.reasons import Reason
from transforms.records import (
    AnnotatedImage,
    Keypoint,
    ObjectAnnotation,
    Polygons,
    ReadContext,
    Reading,
)

SUFFIXES = (".txt", *YAML_SUFFIXES)
FILES_PER_UNIT = 500
COMPANIONS = (*CLASS_LISTS, "labels.txt", "notes.json", "obj.data")
IS_FILE_PER_IMAGE = True
# What a sniffed coordinate may be: labels hang over the border now and then, and pixels are no fractions.
_SNIFFED_RANGE = (-0.5, 1.5)
# Detectors write a score after the box, which is not of the ground truth.
_SCORED_COLUMNS = 6
_BOX_FIELDS = ("x_center", "y_center", "width", "height")


def sniff(head: bytes) -> bool:
    """Whether most lines are a class and fractions; or all are images' paths; or it is a ``data.yaml``."""
    lines = head_lines(head)
    return is_most(lines, _is_object) or bool(listed_images(lines)) or is_description("\n".join(lines))


def _is_object(line: str) -> bool:
    fields = line.split()
    low, high = _SNIFFED_RANGE
    try:
        values = [float(field) for field in fields]
    except ValueError:
        return False
    return len(values) >= 5 and values[0].is_integer() and all(low <= value <= high for value in values[1:5])


def read(stream: BinaryIO, context: ReadContext) -> Iterator[Reading]:
    """Reads a label file, a list of images or a ``data.yaml``; what cannot be read is a Rejection or a BoxProblem."""
    name = posixpath.basename(context.annotation_file)
    is_yaml, split = name.lower().endswith(YAML_SUFFIXES), split_of_name(posixpath.splitext(name)[0])
    try:
        lines, repairs = read_lines(stream)
        if is_yaml:
            yield from _read_description("\n".join(lines), name, context)
        elif split or (lines and lines[0].strip().lower().endswith(IMAGE_SUFFIXES)):
            yield from _read_list(lines, split, context)
        else:
            yield from _read_labels(lines, repairs, context)
    except FileRefused as refused:
        yield refused.rejection(context, is_image=not is_yaml)
    except DescriptionError as error:
        yield FileRefused(Reason.ANNOTATION_UNREADABLE, str(error)).rejection(context, is_image=not is_yaml)


def _read_labels(lines: Sequence[str], repairs: tuple[str, ...], context: ReadContext) -> Iterator[Reading]:
    dataset = context.companions.once(find_dataset) if context.companions else YoloDataset()
    if isinstance(dataset, DescriptionError):
        raise dataset
    split = dataset.splits.get(place_of(context.annotation_file), "") or split_of_path(context.annotation_file)
    used: dict[int, str] = {}
    ends = LineEnds(lines, dataset, context.companions)
    parse = partial(_object, dataset=dataset, used=used, ends=ends, with_masks=context.with_masks)
    image = image_of_lines(lines, context, parse, "fractions", split, tuple({*repairs, *dataset.repairs}))
    if dataset.described_by:
        yield dataset.declared
    elif used:
        yield declared_classes(used)
    yield image


def _read_list(lines: Sequence[str], split: str, context: ReadContext) -> Iterator[Reading]:
    if context.companions:
        for path in unlabelled_images(context.companions, listed_images(lines)):
            yield _negative(path, split, context)


def _read_description(text: str, name: str, context: ReadContext) -> Iterator[Reading]:
    yield parse_description(text, name).declared
    if context.companions:
        for split, paths in images_of_folders(load_description(text, name), context.companions):
            for path in unlabelled_images(context.companions, paths):
                yield _negative(path, split, context)


def _negative(path: str, split: str, context: ReadContext) -> AnnotatedImage:
    """An image without objects; its path is as good as one of another machine, its end is what counts."""
    file_name = path if path.startswith("/") or ":" in path else f"/{path}"
    return AnnotatedImage(file_name, source=context.source, annotation_file=context.annotation_file, split=split)


def _object(
    line: str, position: str, dataset: YoloDataset, used: dict[int, str], ends: LineEnds, with_masks: bool
) -> ObjectAnnotation:
    fields, track = ends.split(line.split())
    if len(fields) < 5:
        raise wrong_columns(line, len(fields), "5 or more")
    name = _class_name(fields[0], dataset, used)
    columns = len(fields)
    keypoints, dimensions = dataset.keypoint_shape
    if columns in (5, _SCORED_COLUMNS, 5 + keypoints * dimensions):
        x, y, width, height, *_ = numbers((*_BOX_FIELDS, "score"), fields[1:_SCORED_COLUMNS], name)
        box = box_of_size(x - width / 2, y - height / 2, width, height, class_name=name)
        if columns <= _SCORED_COLUMNS:
            return ObjectAnnotation(box, name, position=position, track_id=track)
        points = _keypoints(fields[5:], dimensions, name)
        return ObjectAnnotation(box, name, position=position, keypoints=points, track_id=track)
    if keypoints or columns < 7 or columns % 2 == 0:
        expected = f"5, 6 or {5 + keypoints * dimensions}" if keypoints else "5 or 6, or 7, 9, 11, … for a polygon"
        raise wrong_columns(line, columns, expected)
    ring = tuple(numbers(["a polygon's coordinate"] * (columns - 1), fields[1:], name))
    mask = Polygons((ring,)) if with_masks else None
    return ObjectAnnotation(bounds([ring]), name, position=position, mask=mask, track_id=track)


def _class_name(text: str, dataset: YoloDataset, used: dict[int, str]) -> str:
    (value,) = numbers(("class",), (text,))
    if not value.is_integer():
        raise Refused(Reason.FIELD_NOT_NUMBER, f"class is {quote(text)}, which is no whole number")
    number = int(value)
    if not dataset.described_by and 0 <= number < MAX_CLASSES:
        return used.setdefault(number, f"class_{number}")
    name = dataset.class_names[number] if 0 <= number < len(dataset.class_names) else ""
    if not name:
        place = f"among the {len(dataset.class_names)} of {dataset.described_by}" if dataset.described_by else "a class"
        raise Refused(Reason.UNKNOWN_CLASS, f"class {number} is not {place}")
    if not is_text(name):
        detail = f"the name {quote(name)} of class {number} holds control characters"
        raise Refused(Reason.NAME_NOT_UNICODE, detail, name)
    return name


def _keypoints(fields: Sequence[str], dimensions: int, class_name: str) -> tuple[Keypoint, ...]:
    values = numbers(["a keypoint's coordinate"] * len(fields), fields, class_name)
    points = []
    for start in range(0, len(values), dimensions):
        x, y = values[start : start + 2]
        # Without a visibility of its own a point is labelled unless it lies at the origin.
        visibility = values[start + 2] if dimensions == 3 else 2 * (x > 0 or y > 0)
        if visibility not in (0, 1, 2):
            detail = f"a keypoint's visibility is {visibility:g}, not 0, 1 or 2"
            raise Refused(Reason.FIELD_NOT_NUMBER, detail, class_name)
        points.append(Keypoint(x, y, int(visibility)))
    return tuple(points)
