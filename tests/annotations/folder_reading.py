"""Reads annotation files as a build does: found in a folder, told apart by their content, beside their images."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

from tests.sample_data import write_files
from transforms.annotations.annotation_files import find_annotations
from transforms.annotations.formats import FORMATS
from transforms.annotations.read_annotations import read_unit
from transforms.annotations.read_units import read_units
from transforms.records import AnnotatedImage, DeclaredClasses, ReadContext, Reading, Rejection


def read_folder(
    folder: Path, files: Mapping[str, str | bytes], format_name: str = "auto", annotations: str = "."
) -> list[Reading]:
    """What is read of files written to a folder, which is also that of the images."""
    write_files(folder, {name: data if isinstance(data, bytes) else data.encode() for name, data in files.items()})
    units = read_units(find_annotations([str(folder / annotations)], format_name), "photos", str(folder), 0)
    return [reading for unit in units for reading in read_unit(unit)]


def read_data(format_name: str, data: str | bytes, file: str = "a.txt") -> list[Reading]:
    """What a format reads of one file without any beside it."""
    stream = io.BytesIO(data if isinstance(data, bytes) else data.encode())
    return list(FORMATS[format_name].read(stream, ReadContext("photos", file)))


def images(readings: list[Reading]) -> dict[str, AnnotatedImage]:
    """The images by their names, which must differ."""
    found = [reading for reading in readings if isinstance(reading, AnnotatedImage)]
    by_name = {image.file_name: image for image in found}
    assert len(by_name) == len(found)
    return by_name


def image(readings: list[Reading]) -> AnnotatedImage:
    """The one image; nothing may be refused."""
    assert not [reading for reading in readings if isinstance(reading, Rejection)]
    (found,) = images(readings).values()
    return found


def class_ids(readings: list[Reading]) -> dict[str, int]:
    return dict(pair for reading in readings if isinstance(reading, DeclaredClasses) for pair in reading.ids)


def reasons(found: AnnotatedImage) -> list[str]:
    """Reason codes and positions of an image's boxes that were not read as they stand."""
    return [f"{problem.position}: {problem.reason}" for problem in found.problems]


def claims(head: str | bytes, suffix: str = ".txt") -> list[str]:
    """The formats that claim a file of this suffix and these first bytes."""
    data = head if isinstance(head, bytes) else head.encode()
    return [item.name for item in FORMATS.values() if suffix in item.suffixes and item.sniff(data)]
