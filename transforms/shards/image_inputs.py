"""What each image of a shard was made from, in a few digests: by them a later build tells which images have changed.

Beside the ledger of a shard lies ``ledger/inputs-*.parquet`` with a row for each of its image rows, in their order. It
depends on the content of the inputs alone; their times are kept apart, see ``input_stamps``.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from transforms.annotations.packs import PackedImage
from transforms.examples.wire_format import LARGE_BYTES
from transforms.ledger.refusal import Refusal
from transforms.masks.object_masks import MaskFiles
from transforms.records import AnnotatedImage, BoxProblem


class ImageInputs(NamedTuple):
    """What an image of a shard was made from, and what came of it; digests are 64 bits wide.

    Attributes:
      key: ``order_hash`` of the image's key.
      annotation: see ``annotation_digest``.
      files: see ``files_digest``; 0 for an image that was refused.
      record: see ``record_digest``; 0 for an image that was refused.
      record_bytes: of the record in the shard, its frame included; 0 for an image that was refused.
      parsed_problems: so many of the image's rows in the box ledger come from reading its annotation; they come first.
      objects: for each of its other rows there, the position of the object that it is about.
    """

    key: int
    annotation: int
    files: int = 0
    record: int = 0
    record_bytes: int = 0
    parsed_problems: int = 0
    objects: tuple[int, ...] = ()


_EMPTY_DIGEST = hashlib.blake2b(digest_size=8)
_SCHEMA = pa.schema(
    [
        *((name, pa.uint64()) for name in ("key", "annotation", "files", "record")),
        ("record_bytes", pa.int64()),
        ("parsed_problems", pa.int32()),
        ("objects", pa.list_(pa.int32())),
    ]
)


def annotation_digest(image: PackedImage, is_mixed: bool) -> int:
    """A digest of all that an image's record takes from its annotation.

    Where the annotation stands – file, position, number of a box – has no part in it, so that a file that is exported
    anew, with an image more at its top, changes the digests of no other images. What was wrong with boxes that were
    dropped while reading has none either: it is read again.

    Args:
      image: as annotated.
      is_mixed: there are several sources, and the record says which is the image's.
    """
    return short_digest(image.content, image.source.encode() if is_mixed else b"")


def files_digest(picture: bytes, picture_sha256: str, mask_files: MaskFiles) -> int:
    """A digest of the files that an image is made from.

    Args:
      picture: the file's bytes, or the stored record.
      picture_sha256: of these bytes, if it is known already, else "".
      mask_files: content of the files of its masks and maps.
    """
    sha256 = picture_sha256 or hashlib.sha256(picture).hexdigest()
    if not mask_files:
        return int(sha256[:16], 16)
    parts = [sha256.encode()]
    for path, data in sorted(mask_files.items()):
        content = str(data.reason).encode() if isinstance(data, Refusal) else hashlib.sha256(data).digest()
        parts += (path.encode("utf-8", "surrogateescape"), content)
    return short_digest(b"\0".join(parts))


def record_digest(buffers: Sequence[bytes], picture: bytes) -> int:
    """A digest of a record that tells records apart without their pictures, whose SHA-256 each holds.

    Args:
      buffers: whose concatenation is the serialised Example.
      picture: in it.
    """
    if len(buffers) == 1 and len(picture) >= LARGE_BYTES:  # a stored record, taken over as it is
        before, _, after = buffers[0].partition(picture)
        return short_digest(before, after)
    return short_digest(*[buffer for buffer in buffers if buffer is not picture])


def short_digest(*parts: bytes) -> int:
    """64 bits of the concatenation of the parts."""
    digest = _EMPTY_DIGEST.copy()  # which takes half the time of making one
    for part in parts:
        digest.update(part)
    return int.from_bytes(digest.digest(), "big")


def problem_objects(image: AnnotatedImage, problems: Sequence[BoxProblem]) -> tuple[int, ...]:
    """For each problem that was found after reading, the position among the image's objects of the one it is about."""
    if len(problems) == len(image.problems):
        return ()
    places = {(item.position, item.box_id): number for number, item in enumerate(image.objects)}
    return tuple(places[problem.position, problem.box_id] for problem in problems[len(image.problems) :])


def inputs_parquet(rows: Sequence[ImageInputs], metadata: Mapping[str, str]) -> bytes:
    """The rows of a shard as a Parquet file; equal rows give equal bytes."""
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(_SCHEMA)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, _SCHEMA, strict=True)]
    buffer = io.BytesIO()
    with pq.ParquetWriter(buffer, _SCHEMA, compression="zstd", store_schema=False) as writer:
        writer.write_table(pa.Table.from_arrays(arrays, schema=_SCHEMA))
        writer.add_key_value_metadata(dict(metadata))
    return buffer.getvalue()


def inputs_in(table: pa.Table) -> list[ImageInputs]:
    """The rows of a shard's file, as it was read."""
    columns = table.to_pydict()
    rows = zip(*(columns[name] for name in ImageInputs._fields), strict=True)
    return [ImageInputs._make((*numbers, tuple(objects))) for *numbers, objects in rows]
