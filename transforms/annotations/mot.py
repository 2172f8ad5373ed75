"""MOTChallenge ground truth: ``SEQUENCE/gt/gt.txt``, an object of a frame a line.

Format: https://motchallenge.net/instructions and arXiv:1603.00831 – ``frame,id,left,top,width,height,confidence,class,
visibility`` (of 2015: no class, but three coordinates), frames from 1, ids the same all through a sequence. In a ground
truth a confidence of 0 means that the object is not evaluated: it is dropped as such. ``SEQUENCE/seqinfo.ini`` says
where the pictures are and how many; a frame without a line is a picture without objects. The paper counts pixels from
1, most writers (CVAT, Boxmill's own export) from 0: ``voc_origin`` says which. ``gt/labels.txt`` may name the classes.
"""

from __future__ import annotations

import configparser
import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from transforms.annotations.fields import as_size
from transforms.annotations.line_files import (
    FileRefused,
    are_numbers,
    class_name_of,
    head_lines,
    is_most,
    numbers,
    text_lines,
    wrong_columns,
)
from transforms.annotations.refusals import Refused, box_of_size
from transforms.annotations.source_splits import split_of_path
from transforms.annotations.table_images import TableImages
from transforms.annotations.text_encoding import decode_text
from transforms.ledger.reasons import Reason
from transforms.records import (
    Companions,
    DeclaredClasses,
    ObjectAnnotation,
    ReadContext,
    Reading,
)

SUFFIXES = (".txt",)
FILES_PER_UNIT = 1
COMPANIONS = ("det/det.txt", "det.txt", "gt/labels.txt", "seqmaps/*.txt")
CLASSES = (
    "pedestrian",
    "person on vehicle",
    "car",
    "bicycle",
    "motorbike",
    "non motorized vehicle",
    "static person",
    "distractor",
    "occluder",
    "occluder on the ground",
    "occluder full",
    "reflection",
    "crowd",
)
MAX_FRAMES = 1_000_000
_COLUMNS = (9, 10)
_FIELDS = ("frame", "id", "left", "top", "width", "height", "confidence", "class", "visibility")


@dataclass(frozen=True, slots=True)
class SequenceInfo:
    """What ``seqinfo.ini`` says; the defaults are those of all MOTChallenge sequences."""

    name: str = ""
    folder: str = "img1"
    suffix: str = ".jpg"
    frames: int = 0
    width: int | None = None
    height: int | None = None
    class_names: tuple[str, ...] = CLASSES


def sniff(head: bytes) -> bool:
    """Whether most lines are nine or ten numbers with commas, the first of them a frame."""
    return is_most(head_lines(head), _is_object)


def _is_object(line: str) -> bool:
    fields = line.split(",")
    return len(fields) in _COLUMNS and are_numbers(fields) and float(fields[0]).is_integer() and float(fields[0]) >= 1


def read(stream: BinaryIO, context: ReadContext) -> Iterator[Reading]:
    """Reads one sequence; what cannot be read is a Rejection or a BoxProblem, never an exception."""
    try:
        lines, repairs = text_lines(stream)
        sequence = context.companions.once(_sequence) if context.companions else SequenceInfo()
    except FileRefused as refused:
        yield refused.rejection(context, is_image=False)
        return
    names = _FrameNames(context.annotation_file, sequence)
    fields = (("video", sequence.name or posixpath.basename(names.place)),)
    images = TableImages(context, repairs, folder="", fields=fields if fields[0][1] else ())
    split = split_of_path(context.annotation_file)
    for frame in range(1, sequence.frames + 1):
        images.add_image(names.of(frame), sequence.width, sequence.height, split)
    for number, line in enumerate(lines, start=1):
        if line.strip():
            _add(images, names, line, f"line {number}", context.voc_origin, (sequence, split))
    yield DeclaredClasses(tuple((name, number) for number, name in enumerate(sequence.class_names, start=1)))
    yield from images.readings()


class _FrameNames:
    """Names of the pictures of a sequence, from the annotations' root."""

    def __init__(self, annotation_file: str, sequence: SequenceInfo):
        # SEQUENCE/gt/gt.txt; the folder of a file given by itself is unknown, and its pictures are found by their ends.
        parts = posixpath.dirname(annotation_file).split("/")
        self.place = "/".join(parts[:-1])
        folder = posixpath.join(self.place, sequence.folder)
        self._start, self._suffix = folder if parts != [""] else f"/{folder}", sequence.suffix

    def of(self, frame: int) -> str:
        return f"{self._start}/{frame:06d}{self._suffix}"


def _add(
    images: TableImages, names: _FrameNames, line: str, position: str, origin: int, about: tuple[SequenceInfo, str]
) -> None:
    sequence, split = about
    fields = [field.strip() for field in line.rstrip(", \r").split(",")]
    try:
        if len(fields) not in _COLUMNS:
            raise wrong_columns(line, len(fields), "9 or 10")
        (frame,) = numbers(_FIELDS[:1], fields[:1])
        if not (frame.is_integer() and 1 <= frame <= MAX_FRAMES):
            raise Refused(Reason.FIELD_NOT_NUMBER, f"frame is {fields[0]}, which is no frame's number from 1")
    except Refused as refused:
        images.add_problem("", refused.problem(position))
        return
    name = names.of(int(frame))
    images.add_image(name, sequence.width, sequence.height, split)
    try:
        images.add_object(name, _object(fields, position, sequence.class_names, origin))
    except Refused as refused:
        images.add_problem(name, refused.problem(position, box_id=fields[1]))


def _object(fields: Sequence[str], position: str, class_names: Sequence[str], origin: int) -> ObjectAnnotation:
    is_of_2015 = len(fields) == 10 or float(numbers(_FIELDS[7:8], fields[7:8])[0]) == -1
    left, top, width, height, confidence = numbers(_FIELDS[2:7], fields[2:7])
    class_name, visibility = class_names[0], -1.0
    if not is_of_2015:
        number, visibility = numbers(_FIELDS[7:], fields[7:])
        if number not in range(1, len(class_names) + 1):
            raise Refused(Reason.UNKNOWN_CLASS, f"class {number:g} is not one of 1 to {len(class_names)}")
        class_name = class_name_of(class_names[int(number) - 1])
    if confidence == 0:
        raise Refused(Reason.IGNORE_REGION, "a confidence of 0: not evaluated", class_name)
    return ObjectAnnotation(
        box_of_size(left - origin, top - origin, width, height, class_name=class_name),
        class_name,
        position=position,
        occluded=visibility < 1 if 0 <= visibility <= 1 else None,
        track_id=fields[1],
    )


def _sequence(companions: Companions) -> SequenceInfo:
    """Reads ``../seqinfo.ini`` and ``labels.txt``.

    Raises:
      FileRefused: one of them is there and cannot be read.
    """
    text = _text(companions, "../seqinfo.ini") or _text(companions, "seqinfo.ini")
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise FileRefused(Reason.ANNOTATION_UNREADABLE, f"seqinfo.ini: {error}") from None
    info = dict(parser["Sequence"]) if parser.has_section("Sequence") else {}
    labels = tuple(line.strip() for line in _text(companions, "labels.txt").splitlines() if line.strip())
    frames = as_size(info.get("seqlength")) or 0
    if frames > MAX_FRAMES:
        raise FileRefused(Reason.ANNOTATION_UNREADABLE, f"seqinfo.ini: {frames} frames, more than {MAX_FRAMES}")
    return SequenceInfo(
        info.get("name", ""),
        info.get("imdir", "img1"),
        info.get("imext", ".jpg"),
        frames,
        as_size(info.get("imwidth")),
        as_size(info.get("imheight")),
        labels or CLASSES,
    )


def _text(companions: Companions, name: str) -> str:
    try:
        return decode_text(companions.read(name) or b"")[0]
    except UnicodeError as error:
        raise FileRefused(Reason.ANNOTATION_UNREADABLE, f"{name} is no readable text: {error}") from None
