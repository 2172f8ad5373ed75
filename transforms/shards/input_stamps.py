"""Stamps of the files that images were made from: by equal ones a later build knows, unread, that nothing has changed.

``input_stamps.parquet`` lies beside the manifest and is no part of the dataset: stamps hold times, so they differ where
all else is equal, and the manifest does not name them. Without the file, a later build reads the pictures again and
compares their digests.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from transforms import storage
from transforms.shards.coco_ground_truth import PARTS_FOLDER
from transforms.splits.shard_plan import ShardKey
from transforms.storage.atomic_file import write_atomically
from transforms.storage.open_ahead import open_ahead

STAMPS_FILE = "input_stamps.parquet"
_FINGERPRINT_KEY = "boxmill.fingerprint"
NO_STAMP = 0
_SCHEMA = pa.schema([("stamp", pa.uint64())])


def stamps_part_name(key: ShardKey) -> str:
    """Where a shard leaves its stamps until the commit, relative to the dataset folder."""
    return f"{PARTS_FOLDER}/{key.split}-{key.number:05d}.stamps"


def write_stamps_part(folder: str, key: ShardKey, stamps: Sequence[int]) -> None:
    """Writes the stamps of a shard's images, in the order of its ledger."""
    write_atomically(os.path.join(folder, stamps_part_name(key)), np.array(stamps, "<u8").tobytes())


def join_stamps(folder: str, keys: Iterable[ShardKey], fingerprint: str) -> None:
    """Writes the one file of stamps, a row group for each shard, in their order; a retry after the commit leaves it."""
    parts = [os.path.join(folder, stamps_part_name(key)) for key in keys]
    if storage.exists(os.path.join(folder, STAMPS_FILE)) and not storage.exists(parts[0]):
        return
    buffer = io.BytesIO()
    with pq.ParquetWriter(buffer, _SCHEMA, compression="none", use_dictionary=False, store_schema=False) as writer:
        for part in open_ahead(parts):
            with part:
                stamps = np.frombuffer(part.read(), "<u8")
            writer.write_table(pa.table({"stamp": stamps}, _SCHEMA))
        writer.add_key_value_metadata({_FINGERPRINT_KEY: fingerprint})
    write_atomically(os.path.join(folder, STAMPS_FILE), buffer.getvalue())


class InputStamps:
    """The stamps of a dataset's images; all NO_STAMP where the file is missing, damaged or of another dataset.

    Args:
      folder, fingerprint: of the dataset.
    """

    def __init__(self, folder: str, fingerprint: str):
        self._file: pq.ParquetFile | None = None
        with contextlib.suppress(OSError, pa.ArrowException):
            file = pq.ParquetFile(storage.open_file(os.path.join(folder, STAMPS_FILE)))
            if (file.metadata.metadata or {}).get(_FINGERPRINT_KEY.encode()) == fingerprint.encode():
                self._file = file

    def of_shard(self, number: int, images: int) -> npt.NDArray[np.uint64]:
        """The stamps of the images of a shard.

        Args:
          number: of the shard among all.
          images: in its ledger.
        """
        if self._file is not None:
            with contextlib.suppress(OSError, pa.ArrowException):
                stamps = self._file.read_row_group(number, use_threads=False)["stamp"].to_numpy()
                if len(stamps) == images:
                    return stamps  # type: ignore[no-any-return]
        return np.full(images, NO_STAMP, np.uint64)
