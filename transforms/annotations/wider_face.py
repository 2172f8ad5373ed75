"""WIDER FACE: one text file for all images of a split.

Format: the readme of http://shuoyang1213.me/WIDERFACE – an image's name, the number of its faces, and a line for each:
``left top width height blur expression illumination invalid occlusion pose``, pixels. An image without faces has a line
of zeros. Faces that are marked invalid are not evaluated: they are dropped as such. Blur, expression and illumination
have no place in a record.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import BinaryIO

from transforms.annotations.line_files import FileRefused, are_numbers, head_lines, numbers, text_lines, wrong_columns
from transforms.annotations.refusals import Refused, box_of_size
from transforms.annotations.source_splits import split_of_words
from transforms.images.image_names import IMAGE_SUFFIXES
from transforms.ledger.reasons import Reason
from transforms.records import (
    AnnotatedImage,
    BoxProblem,
    DeclaredClasses,
    ObjectAnnotation,
    ReadContext,
    Reading,
)

SUFFIXES = (".txt",)
FILES_PER_UNIT = 1
COMPANIONS = ("wider_face_*_filelist.txt",)
CLASS = "face"
_DECLARED = DeclaredClasses(((CLASS, 1),))
_FIELDS = ("left", "top", "width", "height", "blur", "expression", "illumination", "invalid", "occlusion", "pose")
_POSES = {0.0: "typical", 1.0: "atypical"}


def sniff(head: bytes) -> bool:
    """Whether the first lines are an image's name, a number, and a face."""
    lines = head_lines(head)[:3]
    return len(lines) == 3 and _is_name(lines[0]) and lines[1].isdecimal() and _is_face(lines[2])


def _is_name(line: str) -> bool:
    return line.lower().endswith(IMAGE_SUFFIXES)


def _is_face(line: str) -> bool:
    fields = line.split()
    return len(fields) in (4, len(_FIELDS)) and are_numbers(fields)


def read(stream: BinaryIO, context: ReadContext) -> Iterator[Reading]:
    """Reads one list; what cannot be read is a Rejection or a BoxProblem, never an exception."""
    try:
        lines, repairs = text_lines(stream)
    except FileRefused as refused:
        yield refused.rejection(context, is_image=False)
        return
    yield _DECLARED
    split = split_of_words(posixpath.basename(context.annotation_file))
    image: _Image | None = None
    for number, text in enumerate(lines, start=1):
        line = text.strip()
        if _is_name(line):
            if image:
                yield image.finished(context, split, repairs)
            image = _Image(line, number)
        elif line and image:
            image.add(line, f"line {number}")
        elif line:
            detail = f"line {number} names no image before the first image: {line[:80]!r}"
            yield FileRefused(Reason.ORPHAN_ANNOTATION, detail).rejection(context, is_image=False)
    if image:
        yield image.finished(context, split, repairs)


class _Image:
    """An image whose lines are being read."""

    def __init__(self, name: str, number: int):
        self._name, self._position = name, f"line {number}"
        self._count: int | None = None
        self._faces = 0
        self._objects: list[ObjectAnnotation] = []
        self._problems: list[BoxProblem] = []

    def add(self, line: str, position: str) -> None:
        if self._count is None and line.isdecimal():
            self._count = int(line[:9])
            return
        if not self._count and line.split() == ["0"] * len(_FIELDS):
            return
        self._faces += 1
        try:
            self._objects.append(_face(line, position))
        except Refused as refused:
            self._problems.append(refused.problem(position))

    def finished(self, context: ReadContext, split: str, repairs: tuple[str, ...]) -> AnnotatedImage:
        if self._faces != self._count:
            detail = f"{self._count} faces are said to be there, {self._faces} are"
            self._problems.append(BoxProblem(self._position, "", CLASS, "repaired", Reason.FIELD_COUNT, detail))
        return AnnotatedImage(
            file_name=self._name,
            objects=tuple(self._objects),
            problems=tuple(self._problems),
            repairs=repairs,
            source=context.source,
            annotation_file=context.annotation_file,
            split=split,
        )


def _face(line: str, position: str) -> ObjectAnnotation:
    fields = line.split()
    if len(fields) not in (4, len(_FIELDS)):
        raise wrong_columns(line, len(fields), f"4 or {len(_FIELDS)}")
    left, top, width, height, *rest = numbers(_FIELDS[: len(fields)], fields, CLASS)
    box = box_of_size(left, top, width, height, class_name=CLASS)
    if not rest:
        return ObjectAnnotation(box, CLASS, position=position)
    invalid, occlusion, pose = rest[3:]
    if invalid:
        raise Refused(Reason.IGNORE_REGION, "the face is marked invalid", CLASS)
    occluded = occlusion > 0 if occlusion in (0, 1, 2) else None
    return ObjectAnnotation(box, CLASS, position=position, occluded=occluded, pose=_POSES.get(pose))
