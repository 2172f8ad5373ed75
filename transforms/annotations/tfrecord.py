"""Existing TFRecord datasets: to be sharded, split, merged or repaired anew.

Only what is said of a picture travels from here; its bytes are read again where its shard is written, by the address
of its record. Inside of gzip nothing has an address, so a gzip file is unpacked into the work folder first.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import BinaryIO

from transforms import storage
from transforms.annotations.class_lists import ClassList, find_class_list
from transforms.annotations.example_fields import MAP_KEYS, annotated_image, class_numbers, picture_of
from transforms.annotations.record_files import GZIP_MAGIC, GZIP_WBITS, Damage, scan_records, unpack
from transforms.examples.example_message import NotAnExample, parse_example
from transforms.ledger.reasons import Reason
from transforms.records import (
    AnnotatedImage,
    BoxProblem,
    DeclaredClasses,
    ReadContext,
    Reading,
    RecordAddress,
    Rejection,
)
from transforms.shards.record_framing import HEADER_BYTES, payload_length

_ENDINGS = (".tfrecord", ".tfrecords", ".tfrec", ".record", ".records")
SUFFIXES = (*_ENDINGS, *(f"{ending}.gz" for ending in _ENDINGS))
# Shards, as in "train.record-00003-of-00010".
_SHARD = f"*-{'[0-9]' * 5}-of-{'[0-9]' * 5}"
NAME_PATTERNS = (_SHARD, f"{_SHARD}.gz")
COMPANIONS = (
    "dataset_info.json",
    "features.json",
    "label_map.pbtxt",
    "labels.csv",
    "labels.txt",
    "labelmap.txt",
    "label_map.txt",
    "*.labels.txt",
)
FILES_PER_UNIT = 1


def sniff(head: bytes) -> bool:
    """Whether a file begins with the header of a record, maybe within gzip; a shard may be empty."""
    if head.startswith(GZIP_MAGIC):
        try:
            head = zlib.decompressobj(wbits=GZIP_WBITS).decompress(head, HEADER_BYTES)
        except zlib.error:
            return False
    return not head or payload_length(head[:HEADER_BYTES]) is not None


def read(stream: BinaryIO, context: ReadContext) -> Iterator[Reading]:
    """Reads one TFRecord file; what is damaged or holds no picture is a Rejection."""
    classes = find_class_list(context.companions)
    is_packed = stream.read(len(GZIP_MAGIC)) == GZIP_MAGIC
    path, fault = unpack(context.path, context.work_folder) if is_packed else (context.path, "")
    ids = _listed(classes)
    named, listed = {name for name, _ in ids}, tuple(sorted(ids))
    for detail in (*classes.faults, *([fault] if fault else [])):
        yield _refused(Reason.ANNOTATION_UNREADABLE, detail, context, is_image=False)
    with storage.open_file(path) as records:
        for number, record in enumerate(scan_records(records)):
            if isinstance(record, Damage):
                yield _refused(Reason.RECORD_DAMAGED, f"record {number}: {record.detail}", context)
                continue
            try:
                features = parse_example(record.payload)
            except NotAnExample as error:
                yield _refused(Reason.RECORD_UNPARSABLE, f"record {number} is no tf.train.Example: {error}", context)
                continue
            found = class_numbers(features, classes)
            ids |= {(name, class_id) for name, class_id in found if name not in named and class_id > 0}
            image = annotated_image(features, number, context.annotation_file, classes)
            address = RecordAddress(
                path, record.offset, len(record.payload), listed if MAP_KEYS & set(features) else ()
            )
            image = image._replace(source=context.source, record=address)
            yield image if picture_of(features) is not None else _without_picture(image, number)
    if ids:
        yield DeclaredClasses(tuple(sorted(ids, key=lambda pair: (pair[1], pair[0]))))


def _listed(classes: ClassList) -> set[tuple[str, int]]:
    """Ids of the classes that label files list; TFDS counts from 0, ids begin at 1."""
    if classes.by_id:
        return {(name, class_id) for class_id, name in classes.by_id.items()}
    return {(name, index + 1) for index, name in classes.by_index.items()}


def _refused(reason: Reason, detail: str, context: ReadContext, *, is_image: bool = True) -> Rejection:
    return Rejection(reason, detail, is_image=is_image, source=context.source, annotation_file=context.annotation_file)


def _without_picture(image: AnnotatedImage, number: int) -> Rejection:
    detail = f"record {number} holds no picture, neither in image/encoded nor in image"
    lost = [
        BoxProblem(item.position, item.box_id, item.class_name, "dropped", Reason.IMAGE_REJECTED, detail)
        for item in image.objects
    ]
    return Rejection(
        Reason.RECORD_WITHOUT_IMAGE,
        detail,
        image.file_name,
        image.image_id,
        problems=(*image.problems, *lost),
        source=image.source,
        annotation_file=image.annotation_file,
    )
