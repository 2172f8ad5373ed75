"""Pascal VOC XML: one file an image.

Format: the VOC 2012 development kit, section "annotations" – ``<annotation>`` with ``filename``, ``size`` and an
``object`` for each box. The challenge's own files hold 1-based inclusive pixel indices; labelImg, CVAT, Roboflow and
most other writers put plain edges there. ``voc_origin`` says which: 0 (edges, the default) or 1 (the challenge).
Elements are found by name, never by position: writers disagree about their order. The parts of an object (a person's
head and hands) have no place in a record.

Segmentations are pictures of palette indices in folders beside that of the XML files: in ``SegmentationObject`` the
n-th object of the file has the index n, in ``SegmentationClass`` each class has one; 255 is void in both.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import BinaryIO
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from transforms.annotations.fields import FieldError, as_flag, as_number, as_size, clean_class_name, is_text, quote
from transforms.annotations.refusals import Refused
from transforms.annotations.text_encoding import LAST_RESORT, decode_text
from transforms.ledger.reasons import Reason
from transforms.records import (
    AnnotatedImage,
    Box,
    BoxProblem,
    Companions,
    MaskFile,
    ObjectAnnotation,
    ReadContext,
    Reading,
    Rejection,
)

SUFFIXES = (".xml",)
COMPANIONS = ("imagesets/*.txt",)
FILES_PER_UNIT = 200
MAX_FILE_BYTES = 16 << 20
MASK_FOLDERS = ("../SegmentationObject", "../SegmentationClass")
# Expat knows no multi-byte encodings but UTF-8 and UTF-16: the text is decoded before, and the claim removed.
_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
_DECLARED_ENCODING = re.compile(rb"""<\?xml[^>]*encoding=["']([A-Za-z0-9._-]+)["']""")
_ROOT = re.compile(rb"<annotation[\s/>]")


def sniff(head: bytes) -> bool:
    """Whether the first bytes of a file hold the root element of a VOC annotation."""
    return bool(_ROOT.search(head.replace(b"\0", b"")))


def read(stream: BinaryIO, context: ReadContext) -> Iterator[Reading]:
    """Reads one VOC file; what cannot be read is a Rejection or a BoxProblem, never an exception."""
    data = stream.read(MAX_FILE_BYTES + 1)
    try:
        if len(data) > MAX_FILE_BYTES:
            raise Refused(Reason.ANNOTATION_TOO_LARGE, f"larger than {MAX_FILE_BYTES} bytes")
        root, encoding = _parse(data)
    except Refused as refused:
        yield Rejection(refused.reason, refused.detail, source=context.source, annotation_file=context.annotation_file)
        return
    objects: list[ObjectAnnotation] = []
    problems: list[BoxProblem] = []
    instance_map, semantic_map = _segmentations(context)
    for number, element in enumerate(root.findall("object"), start=1):
        annotation = _object(element, f"object {number}", context.voc_origin)
        if instance_map and isinstance(annotation, ObjectAnnotation):
            annotation = annotation._replace(mask=MaskFile(instance_map, number))
        (objects if isinstance(annotation, ObjectAnnotation) else problems).append(annotation)  # type: ignore[arg-type]
    size = root.find("size")
    yield AnnotatedImage(
        file_name=_file_name(root, context.annotation_file),
        folder=posixpath.dirname(context.annotation_file),
        width=None if size is None else as_size(size.findtext("width")),
        height=None if size is None else as_size(size.findtext("height")),
        objects=tuple(objects),
        problems=tuple(problems),
        repairs=(Reason.ENCODING_CP949,) if encoding == LAST_RESORT else (),
        source=context.source,
        annotation_file=context.annotation_file,
        semantic_map=semantic_map,
    )


def _segmentations(context: ReadContext) -> tuple[str, str]:
    """Where the pictures of objects and classes that go with this file lie below the root, or ""."""
    companions = context.companions
    if companions is None or not context.with_masks:
        return "", ""
    name = posixpath.splitext(posixpath.basename(context.annotation_file))[0] + ".png"
    objects, classes = (
        companions.place(f"{folder}/{name}") if name in names else ""
        for folder, names in companions.once(_segmentation_names).items()
    )
    return objects, classes


def _segmentation_names(companions: Companions) -> dict[str, frozenset[str]]:
    return {folder: frozenset(companions.names(folder)) for folder in MASK_FOLDERS}


def _parse(data: bytes) -> tuple[Element, str]:
    declared = _DECLARED_ENCODING.search(data[:200])
    try:
        text, encoding = decode_text(data, declared and declared[1].decode("ascii"))
        root: Element = fromstring(_DECLARATION.sub("", text, count=1), forbid_dtd=True)
    except DefusedXmlException as error:
        raise Refused(Reason.XML_DTD_REFUSED, f"the file declares a DTD or an entity: {error}") from None
    except (ParseError, UnicodeError, ValueError, RecursionError) as error:
        raise Refused(Reason.ANNOTATION_UNREADABLE, f"no readable XML: {error}") from None
    if root.tag != "annotation":
        raise Refused(Reason.ANNOTATION_UNREADABLE, f"the root element is <{root.tag}>, not <annotation>")
    return root, encoding


def _file_name(root: Element, annotation_file: str) -> str:
    name = (root.findtext("filename") or "").strip()
    return name or posixpath.splitext(posixpath.basename(annotation_file))[0]


def _object(element: Element, position: str, origin: int) -> ObjectAnnotation | BoxProblem:
    name = clean_class_name(element.findtext("name") or "")
    if not name:
        return BoxProblem(position, "", "", "dropped", Reason.FIELD_MISSING, "the object has no name")
    if not is_text(name):
        detail = f"the object's name {quote(name)} holds control characters"
        return BoxProblem(position, "", name, "dropped", Reason.NAME_NOT_UNICODE, detail)
    bndbox = element.find("bndbox")
    if bndbox is None:
        return BoxProblem(position, "", name, "dropped", Reason.FIELD_MISSING, "the object has no bndbox")
    edges = []
    for side in ("xmin", "ymin", "xmax", "ymax"):
        text = bndbox.findtext(side)
        if text is None:
            return BoxProblem(position, "", name, "dropped", Reason.FIELD_MISSING, f"the bndbox has no {side}")
        try:
            edges.append(as_number(side, text))
        except FieldError as error:
            return BoxProblem(position, "", name, "dropped", Reason.FIELD_NOT_NUMBER, str(error))
    xmin, ymin, xmax, ymax = edges
    pose = element.findtext("pose")
    return ObjectAnnotation(
        Box(xmin - origin, ymin - origin, xmax, ymax),
        name,
        position=position,
        difficult=as_flag(element.findtext("difficult")),
        truncated=as_flag(element.findtext("truncated")),
        occluded=as_flag(element.findtext("occluded")),
        pose=pose.strip() if pose else None,
    )
