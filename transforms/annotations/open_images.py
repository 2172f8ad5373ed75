"""Open Images CSV: boxes, and image-level labels.

Format: https://storage.googleapis.com/openimages/web/download_v7.html – a table of boxes (``ImageID, Source, LabelName,
Confidence, XMin, XMax, YMin, YMax, IsOccluded, IsTruncated, IsGroupOf, IsDepiction, IsInside``; fractions of the image,
flags -1 where unknown) and tables of labels (``ImageID, Source, LabelName, Confidence``; 1 verified present, 0 verified
absent). Tables of labels beside a table of boxes of the same split are read with it: an image is in both. Names of
classes are in ``class-descriptions*.csv``; without it classes have their ids ("/m/01g317"). Pictures are named
``<ImageID>.jpg``. ``IsInside`` has no place in a record.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from transforms.annotations.fields import FieldError, as_flag, quote
from transforms.annotations.line_files import FileRefused, class_name_of, numbers
from transforms.annotations.open_images_classes import OpenImagesClasses, find_classes
from transforms.annotations.refusals import Refused, problem_of
from transforms.annotations.source_splits import split_of_name, split_of_words
from transforms.annotations.table_images import TableImages
from transforms.annotations.table_rows import Row, Table, column_names, head_rows, open_table
from transforms.ledger.reasons import Reason
from transforms.records import Box, BoxProblem, ImageLabel, ObjectAnnotation, ReadContext, Reading

SUFFIXES = (".csv",)
FILES_PER_UNIT = 1
COMPANIONS = (
    "*imagelabels*.csv",
    "*class-descriptions*.csv",
    "*images-boxable*.csv",
    "*images-with-rotation*.csv",
    "*image_ids*.csv",
    "*hierarchy*.json",
)
_LABEL_COLUMNS = ("imageid", "labelname", "confidence")
_BOX_COLUMNS = ("imageid", "labelname", "xmin", "ymin", "xmax", "ymax")
_FLAG_COLUMNS = ("isoccluded", "istruncated", "isgroupof", "isdepiction")


def sniff(head: bytes) -> bool:
    """Whether the first row has the names of Open Images' columns."""
    rows = head_rows(head)
    names = set(column_names(rows[0])) if rows else set()
    return set(_LABEL_COLUMNS) <= names or set(_BOX_COLUMNS) <= names


def read(stream: BinaryIO, context: ReadContext) -> Iterator[Reading]:
    """Reads one table and those that go with it; what cannot be read is a Rejection or a BoxProblem."""
    try:
        table = open_table(stream)
        classes = context.companions.once(find_classes) if context.companions else OpenImagesClasses()
        words = _split_words(context.annotation_file)
        images = TableImages(context, table.repairs, other_names=lambda name: _other_names(name, words))
        reader = _Reader(images, classes, context.expand_hierarchy, next(filter(None, map(split_of_name, words)), ""))
        if reader.add(table, posixpath.basename(context.annotation_file)) and context.companions:
            for name in context.companions.names():
                if "imagelabels" in name.lower() and _split_words(name) == words:
                    labels = context.companions.open(name)
                    if labels is not None:
                        with labels:
                            reader.add(open_table(labels), name)
    except FileRefused as refused:
        yield refused.rejection(context, is_image=False)
        return
    yield from images.readings("fractions")


def _split_words(file: str) -> list[str]:
    """The words of a file's name that tell a split, as they stand there: folders of pictures have them too."""
    stem = posixpath.splitext(posixpath.basename(file))[0]
    return [word for word in stem.replace("_", "-").split("-") if split_of_words(word)]


def _other_names(name: str, words: Sequence[str]) -> tuple[str, ...]:
    """Where the picture may lie: in a folder of the split's name, or in one of the sixteen archives of it."""
    return tuple(f"{folder}/{name}" for word in words for folder in (word, f"{word}_{name[:1]}", f"{word}/data"))


class _Reader:
    """Reads tables of one split into images."""

    def __init__(self, images: TableImages, classes: OpenImagesClasses, expand: bool, split: str):
        self._images = images
        self._classes = classes
        self._expand = expand
        self._split = split

    def add(self, table: Table, file: str) -> bool:
        """Adds all rows of a table; returns whether it is one of boxes.

        Raises:
          FileRefused: the first row does not name the columns.
        """
        header = next(table.rows, None)
        names = column_names(header.fields) if header else []
        has_boxes = set(_BOX_COLUMNS) <= set(names)
        if not has_boxes and not set(_LABEL_COLUMNS) <= set(names):
            raise FileRefused(Reason.ANNOTATION_UNREADABLE, f"the first row of {file} does not name the columns")
        columns = {name: index for index, name in reversed(list(enumerate(names)))}
        for row in table.rows:
            self._add_row(row, columns, len(names), has_boxes, file)
        return has_boxes

    def _add_row(self, row: Row, columns: dict[str, int], count: int, has_boxes: bool, file: str) -> None:
        position, name = f"line {row.line}" if has_boxes else f"{file}, line {row.line}", ""
        try:
            if row.error:
                raise Refused(Reason.ANNOTATION_UNREADABLE, f"no readable row: {row.error}")
            if len(row.fields) != count:
                raise Refused(Reason.FIELD_COUNT, f"{len(row.fields)} columns, not {count}")
            if not row.fields[columns["imageid"]]:
                raise Refused(Reason.FIELD_MISSING, "the row names no image")
            name = f"{row.fields[columns['imageid']]}.jpg"
            self._images.add_image(name, split=self._split)
            if has_boxes:
                self._add_box(name, row.fields, columns, position)
            else:
                self._add_label(name, row.fields, columns)
        except Refused as refused:
            self._refuse(name, refused.problem(position), has_boxes)
        except FieldError as error:
            self._refuse(name, problem_of(error, position), has_boxes)

    def _refuse(self, name: str, problem: BoxProblem, is_box: bool) -> None:
        """A label is no box: what is wrong with it is told, and counts as none."""
        if is_box:
            self._images.add_problem(name, problem)
        else:
            self._images.reject(problem.reason, f"{problem.position}: {problem.detail}")

    def _add_box(self, name: str, fields: Sequence[str], columns: dict[str, int], position: str) -> None:
        class_id = fields[columns["labelname"]]
        class_name = class_name_of(self._classes.name_of(class_id))
        edges = numbers(_BOX_COLUMNS[2:], [fields[columns[side]] for side in _BOX_COLUMNS[2:]], class_name)
        flags = [as_flag(fields[columns[flag]]) if flag in columns else None for flag in _FLAG_COLUMNS]
        occluded, truncated, group_of, depiction = flags
        item = ObjectAnnotation(
            Box(*edges),
            class_name,
            position=position,
            occluded=occluded,
            truncated=truncated,
            group_of=group_of,
            depiction=depiction,
        )
        self._images.add_object(name, item)
        for ancestor in self._classes.ancestors(class_id) if self._expand else ():
            self._images.add_object(name, item._replace(class_name=ancestor))

    def _add_label(self, name: str, fields: Sequence[str], columns: dict[str, int]) -> None:
        class_id = fields[columns["labelname"]]
        class_name = class_name_of(self._classes.name_of(class_id))
        (confidence,) = numbers(("Confidence",), (fields[columns["confidence"]],))
        if not 0 <= confidence <= 1:
            raise Refused(Reason.FIELD_NOT_NUMBER, f"Confidence is {quote(confidence)}, not from 0 to 1")
        self._images.add_label(name, ImageLabel(class_name, confidence))
        if self._expand:  # what is present is of the wider classes too, what is absent of the narrower
            wider = self._classes.ancestors if confidence > 0 else self._classes.descendants
            for other in wider(class_id):
                self._images.add_label(name, ImageLabel(other, confidence))
