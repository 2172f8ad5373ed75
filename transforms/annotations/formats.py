"""The annotation formats that are known. A new one is a module with a reader, and a line here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from transforms.annotations import coco, cvat, labelme, voc
from transforms.records import ReadContext, Reading


@dataclass(frozen=True, slots=True)
class AnnotationFormat:
    """A format.

    Attributes:
      name: as ``--format`` takes it.
      suffixes: of its files' names, lower case.
      sniff: whether the first 64 KiB of a file look like it.
      read: yields what a file holds; whatever is in the file, it raises nothing but OSError.
      files_per_unit: how many files one worker reads in a row.
      companions: patterns of the names of files that go with its annotation files and hold none themselves (lists of
        classes, say); lower case. They are passed over when annotations are looked for.
    """

    name: str
    suffixes: tuple[str, ...]
    sniff: Callable[[bytes], bool]
    read: Callable[[BinaryIO, ReadContext], Iterator[Reading]]
    files_per_unit: int
    companions: tuple[str, ...] = ()


FORMATS: dict[str, AnnotationFormat] = {
    "coco": AnnotationFormat("coco", coco.SUFFIXES, coco.sniff, coco.read, coco.FILES_PER_UNIT),
    "cvat": AnnotationFormat("cvat", cvat.SUFFIXES, cvat.sniff, cvat.read, cvat.FILES_PER_UNIT),
    "labelme": AnnotationFormat("labelme", labelme.SUFFIXES, labelme.sniff, labelme.read, labelme.FILES_PER_UNIT),
    "voc": AnnotationFormat("voc", voc.SUFFIXES, voc.sniff, voc.read, voc.FILES_PER_UNIT),
}
