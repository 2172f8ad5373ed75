"""CVAT XML 1.1, of image tasks (``<image>`` elements) and of video tasks (``<track>`` elements).

Format: https://docs.cvat.ai/docs/other/xml_format – coordinates are edges in pixels; ``rotation`` is in degrees,
clockwise about the shape's centre; a mask is run lengths along the rows of its box. The file is streamed. A video's
frames are in ``cvat_tracks.py``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import BinaryIO, TextIO
from xml.etree.ElementTree import Element

from transforms.annotations.cvat_meta import CvatMeta, read_meta
from transforms.annotations.cvat_shapes import read_shape
from transforms.annotations.cvat_tracks import Tracks
from transforms.annotations.fields import FieldError, as_size, as_split
from transforms.annotations.refusals import as_class_name, problem_of
from transforms.annotations.source_files import SourceFile, read_streamed
from transforms.annotations.xml_stream import stream_children
from transforms.records import BoxProblem, ImageLabel, ObjectAnnotation, ReadContext, Reading

SUFFIXES = (".xml",)
FILES_PER_UNIT = 1
_ROOT = re.compile(rb"<annotations[\s/>]")
_OURS = re.compile(rb"<(version>|meta>|image\s|track\s)")


def sniff(head: bytes) -> bool:
    """Whether the first bytes of a file hold CVAT's root element and one of its children."""
    text = head.replace(b"\0", b"")
    return bool(_ROOT.search(text) and _OURS.search(text))


def read(stream: BinaryIO, context: ReadContext) -> Iterator[Reading]:
    """Reads one CVAT file; what cannot be read is a Rejection or a BoxProblem, never an exception."""
    return read_streamed(stream, context, "CVAT XML", _readings)


def _readings(text: TextIO, file: SourceFile) -> Iterator[Reading]:
    meta, tracks = CvatMeta(), Tracks(file)
    for element in stream_children(text, "annotations"):
        if element.tag == "meta":
            meta = read_meta(element)
            yield meta.classes
        elif element.tag == "image":
            yield _image(element, meta, file)
        elif element.tag == "track":
            yield from tracks.add(element, meta)
    yield from tracks.readings(meta)


def _image(element: Element, meta: CvatMeta, file: SourceFile) -> Reading:
    objects: list[ObjectAnnotation] = []
    problems: list[BoxProblem] = []
    labels: list[ImageLabel] = []
    read_object = partial(read_shape, keypoint_names=meta.keypoint_names)
    for index, child in enumerate(shape for shape in element if shape.tag != "attribute"):
        position, name = f"object {index + 1}", ""
        try:
            name = as_class_name(child.get("label"))
            if child.tag == "tag":
                labels.append(ImageLabel(name))
            else:
                objects.append(read_object(child, name, position))
        except FieldError as error:
            problems.append(problem_of(error, position, name))
    return file.image(
        element.get("name"),
        f"image {element.get('id')}",
        width=as_size(element.get("width")),
        height=as_size(element.get("height")),
        objects=tuple(objects),
        problems=tuple(problems),
        labels=tuple(labels),
        split=as_split(element.get("subset")),
    )
