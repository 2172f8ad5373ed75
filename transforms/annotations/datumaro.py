"""Datumaro JSON: a file a subset, with items (images) and their annotations.

Format: https://openvinotoolkit.github.io/datumaro – ``categories`` hold the labels, to which ``label_id`` is an index;
boxes are x, y, width, height in pixels. Annotations of one label and one ``group`` other than 0 are parts of one object
(its box, its polygons or mask, its points), unless several of them are boxes. The subset is the file's name. The file
is streamed.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import Any, BinaryIO, TextIO

from transforms.annotations.datumaro_categories import Categories, read_categories
from transforms.annotations.datumaro_objects import read_group
from transforms.annotations.fields import FieldError, as_size, as_split
from transforms.annotations.json_objects import Entry, as_entry, as_list, read_entries, text_of
from transforms.annotations.json_outline import outline
from transforms.annotations.json_stream import JsonError, stream_members
from transforms.annotations.refusals import problem_of
from transforms.annotations.source_files import SourceFile, read_streamed
from transforms.records import BoxProblem, ImageLabel, ObjectAnnotation, ReadContext, Reading

SUFFIXES = (".json",)
FILES_PER_UNIT = 1


def sniff(head: bytes) -> bool:
    """Whether the first bytes of a file are an object with Datumaro's categories or items."""
    found = outline(head)
    is_ours = found.has(dm_format_version='"') or found.has(categories="{", items="[")
    return found.kind == "object" and (is_ours or found.has(info="{", categories="{"))


def read(stream: BinaryIO, context: ReadContext) -> Iterator[Reading]:
    """Reads one Datumaro file; what cannot be read is a Rejection or a BoxProblem, never an exception."""
    return read_streamed(stream, context, "Datumaro JSON", _readings)


def _readings(text: TextIO, file: SourceFile) -> Iterator[Reading]:
    # They come first in nearly every file, and then this reads no further.
    found = next((value for key, value in stream_members(text) if key == "categories"), None)
    if found is None:
        raise JsonError('the object has no "categories"')
    categories = read_categories(found)
    yield categories.classes
    text.seek(0)
    yield from read_entries(_items(text), file, lambda entry, place, file: _image(entry, place, file, categories))


def _items(text: TextIO) -> Iterator[tuple[str, Any]]:
    found = (value for key, value in stream_members(text) if key == "items")
    return ((f"items[{index}]", value) for index, value in enumerate(found))


def _image(entry: Entry, place: str, file: SourceFile, categories: Categories) -> Reading:
    media: Entry = next((entry[key] for key in ("image", "media") if isinstance(entry.get(key), dict)), {})
    name = text_of(media.get("path")) or text_of(entry.get("id"))
    subset = posixpath.splitext(posixpath.basename(file.context.annotation_file))[0]
    size = media.get("size")
    height, width = size if isinstance(size, list) and len(size) == 2 else (None, None)
    objects: list[ObjectAnnotation] = []
    problems: list[BoxProblem] = []
    labels: list[ImageLabel] = []
    captions: list[str] = []
    groups: dict[Any, list[tuple[str, Entry]]] = {}
    for index, value in enumerate(as_list(entry.get("annotations"), "annotations")):
        position = f"annotations[{index}]"
        try:
            annotation = as_entry(value, position)
            if annotation.get("type") == "label":
                labels.append(ImageLabel(categories.name(annotation)))
            elif annotation.get("type") == "caption":
                captions += [text_of(annotation.get("caption"))]
            else:
                group = annotation.get("group") or position
                groups.setdefault(f"{group} {annotation.get('label_id')}", []).append((position, annotation))
        except FieldError as error:
            problems.append(problem_of(error, position))
    for parts in groups.values():
        is_one = sum(part.get("type") == "bbox" for _, part in parts) <= 1
        for together in [parts] if is_one else [[part] for part in parts]:
            found, wrong = read_group(together, categories)
            objects += found
            problems += wrong
    return file.image(
        name,
        place,
        other_names=(f"{subset}/{name}",) if name else (),
        width=as_size(width),
        height=as_size(height),
        objects=tuple(objects),
        problems=tuple(problems),
        labels=tuple(labels),
        captions=tuple(filter(None, captions)),
        split=as_split(subset),
    )
