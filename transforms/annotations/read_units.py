"""Units of work: annotation files that one worker reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from transforms.annotations.annotation_files import AnnotationFile
from transforms.annotations.formats import FORMATS, AnnotationFormat
from transforms.sources.source_edits import NO_EDITS, SourceEdits

UNIT_BYTES = 32 << 20


@dataclass(frozen=True, slots=True)
class ReadUnit:
    """Annotation files that one worker reads one after the other.

    Attributes:
      source, images_root, voc_origin: of their source.
      format: of the files.
      files: path and name relative to the annotations' root of each.
      edits: to what is read.
      namespace: see ``pack_entry``.
      with_masks, expand_hierarchy: see ReadContext.
    """

    source: str
    images_root: str
    format: str
    files: tuple[tuple[str, str], ...]
    voc_origin: int
    edits: SourceEdits = NO_EDITS
    namespace: str = ""
    with_masks: bool = False
    work_folder: str = ""
    expand_hierarchy: bool = False


def read_units(
    files: Iterable[AnnotationFile],
    source: str,
    images_root: str,
    voc_origin: int,
    edits: SourceEdits = NO_EDITS,
    namespace: str = "",
    with_masks: bool = False,
    work_folder: str = "",
) -> list[ReadUnit]:
    """Cuts the files of one source into units of work; files of no format are in none of them."""
    by_format: dict[str, list[AnnotationFile]] = {}
    for file in files:
        by_format.setdefault(file.format, []).append(file)
    return [
        ReadUnit(
            source,
            images_root,
            name,
            tuple((file.path, file.relative) for file in row),
            voc_origin,
            edits,
            namespace,
            with_masks,
            work_folder,
        )
        for name, found in by_format.items()
        if name
        for row in _rows(found, FORMATS[name].files_per_unit)
    ]


def _rows(files: Iterable[AnnotationFile], most: int) -> Iterator[list[AnnotationFile]]:
    """Files for one worker each: at most so many, and none after 32 MiB of them."""
    row: list[AnnotationFile] = []
    size = 0
    for file in files:
        row.append(file)
        size += file.bytes
        if len(row) >= most or size >= UNIT_BYTES:
            yield row
            row, size = [], 0
    if row:
        yield row


def format_of_unit(unit: ReadUnit) -> AnnotationFormat:
    """The format that reads a unit."""
    return FORMATS[unit.format]
