"""The ledger: a row for each image read and for each box repaired or dropped, as Parquet."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from transforms.records import BoxProblem

ImageStatus = Literal["written", "repaired", "rejected", "left_out", "unlisted"]


@dataclass(frozen=True, slots=True)
class ImageRow:
    """What became of one image.

    Attributes:
      image_id: of the record if it was written, else the source's own.
      reasons: codes of ``Reason``.
      split, shard, index: where the record is; "", -1, -1 if there is none.
      boxes_read, boxes_written: numbers of boxes.
    """

    source: str
    annotation_file: str
    file_name: str
    image_id: str
    status: ImageStatus
    reasons: tuple[str, ...] = ()
    detail: str = ""
    split: str = ""
    shard: int = -1
    index: int = -1
    boxes_read: int = 0
    boxes_written: int = 0


@dataclass(frozen=True, slots=True)
class BoxRow:
    """What happened to one box, and why; a box repaired twice has two rows."""

    source: str
    annotation_file: str
    position: str
    file_name: str
    box_id: str
    class_name: str
    status: Literal["repaired", "dropped"]
    reason: str
    detail: str

    @classmethod
    def of(cls, problem: BoxProblem, source: str, annotation_file: str, file_name: str) -> BoxRow:
        return cls(
            source,
            annotation_file,
            problem.position,
            file_name,
            problem.box_id,
            problem.class_name,
            problem.status,
            str(problem.reason),
            problem.detail,
        )


_TEXT_COLUMNS = ("source", "annotation_file", "file_name", "image_id", "status")
IMAGE_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in _TEXT_COLUMNS),
        ("reasons", pa.list_(pa.string())),
        ("detail", pa.string()),
        ("split", pa.string()),
        *((name, pa.int64()) for name in ("shard", "index", "boxes_read", "boxes_written")),
    ]
)
BOX_SCHEMA = pa.schema([(name, pa.string()) for name in BoxRow.__slots__])


def image_rows_parquet(rows: Sequence[ImageRow], metadata: Mapping[str, str] | None = None) -> bytes:
    """The image rows as a Parquet file; equal rows give equal bytes."""
    return _parquet(rows, IMAGE_SCHEMA, metadata)


def box_rows_parquet(rows: Sequence[BoxRow]) -> bytes:
    """The box rows as a Parquet file; equal rows give equal bytes."""
    return _parquet(rows, BOX_SCHEMA, None)


def _parquet(
    rows: Sequence[ImageRow] | Sequence[BoxRow], schema: pa.Schema, metadata: Mapping[str, str] | None
) -> bytes:
    columns = list(zip(*map(attrgetter(*schema.names), rows), strict=True)) if rows else [()] * len(schema)
    arrays = [
        pa.array(map(_storable, column), type=field.type) if field.type == pa.string() else pa.array(column, field.type)
        for column, field in zip(columns, schema, strict=True)
    ]
    buffer = io.BytesIO()
    with pq.ParquetWriter(buffer, schema, compression="zstd", store_schema=False) as writer:
        writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
        if metadata:  # as the file's own: metadata of the schema is not written without the stored schema
            writer.add_key_value_metadata(dict(metadata))
    return buffer.getvalue()


def _storable(text: str) -> str:
    """Names whose bytes are no Unicode have lone surrogates, which Parquet cannot hold: they are shown escaped."""
    return text.encode("utf-8", "backslashreplace").decode()
