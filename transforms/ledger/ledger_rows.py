"""The ledger: a row for each image read and for each box repaired or dropped, as Parquet."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from transforms.records import BoxProblem

ImageStatus = Literal["written", "repaired", "rejected", "left_out", "unlisted"]


class ImageRow(NamedTuple):
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
    index: int = -1  # type: ignore[assignment]  # a tuple's own method, but the name is the ledger's
    boxes_read: int = 0
    boxes_written: int = 0


class BoxRow(NamedTuple):
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
BOX_SCHEMA = pa.schema([(name, pa.string()) for name in BoxRow._fields])
ROWS_AT_ONCE = 50_000


class RowsFile:
    """A Parquet file of rows in the making: what is added is kept compressed, some tens of thousands of rows at a time.

    Equal rows give equal bytes.

    Args:
      schema: IMAGE_SCHEMA for ImageRows, BOX_SCHEMA for BoxRows.
    """

    def __init__(self, schema: pa.Schema):
        self._schema = schema
        self._rows: list[tuple[Any, ...]] = []
        self._buffer = io.BytesIO()
        self._writer = pq.ParquetWriter(self._buffer, schema, compression="zstd", store_schema=False)
        self._is_empty = True

    def add(self, rows: Iterable[ImageRow] | Iterable[BoxRow]) -> None:
        self._rows += rows
        if len(self._rows) >= ROWS_AT_ONCE:
            self._write_rows()

    def _write_rows(self) -> None:
        columns = list(zip(*self._rows, strict=True)) if self._rows else [()] * len(self._schema)
        self._rows = []
        self._is_empty = False
        arrays = [
            _texts(column) if field.type == pa.string() else pa.array(column, field.type)
            for column, field in zip(columns, self._schema, strict=True)
        ]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))

    def finish(self, metadata: Mapping[str, str] | None = None) -> bytes:
        """The whole file; nothing can be added any more."""
        if self._rows or self._is_empty:
            self._write_rows()
        if metadata:  # as the file's own: metadata of the schema is not written without the stored schema
            self._writer.add_key_value_metadata(dict(metadata))
        self._writer.close()
        return self._buffer.getvalue()


def image_rows_parquet(rows: Iterable[ImageRow], metadata: Mapping[str, str] | None = None) -> bytes:
    """The image rows as a Parquet file."""
    file = RowsFile(IMAGE_SCHEMA)
    file.add(rows)
    return file.finish(metadata)


def _texts(column: Sequence[str]) -> pa.Array:
    """Names whose bytes are no Unicode have lone surrogates, which Parquet cannot hold: they are shown escaped."""
    try:
        return pa.array(column, pa.string())
    except UnicodeEncodeError:
        return pa.array([text.encode("utf-8", "backslashreplace").decode() for text in column], pa.string())
