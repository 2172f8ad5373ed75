"""Reads the small Parquet files of which a dataset has some for each shard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq


def read_small_table(file: BinaryIO | pa.NativeFile, columns: Sequence[str] | None = None) -> pa.Table:
    """A table, in memory, with the file's metadata at its schema.

    ``pq.read_table`` takes twice as long: it sets threads up, for which there is nothing to do.

    Raises:
      pa.ArrowException, OSError: it is damaged.
    """
    return pq.ParquetFile(file).read(columns=columns and list(columns), use_threads=False)
