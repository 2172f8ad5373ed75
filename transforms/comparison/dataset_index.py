"""An index of a dataset's records by digests, 36 bytes a record, so that two datasets are compared in little room."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from transforms.images.record_store import read_record
from transforms.records import RecordAddress
from transforms.shards.previous_dataset import PreviousDataset
from transforms.shards.record_framing import FOOTER_BYTES, HEADER_BYTES
from transforms.shards.shard_ledger import result_in
from transforms.splits.shard_plan import ShardKey

_U64 = npt.NDArray[np.uint64]
_I32 = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class DatasetIndex:
    """The records of a dataset, one element a record, in the order of ``keys``.

    Attributes:
      dataset: that it is of.
      keys: ``order_hash`` of the images' keys.
      records, pictures: digests, see ``ImageInputs`` and ``ShardResult``.
      shards: the number of each record's shard among ``dataset.shards``.
      rows: the position of its row in the shard's ledger.
    """

    dataset: PreviousDataset
    keys: _U64
    records: _U64
    pictures: _U64
    shards: _I32
    rows: _I32

    @classmethod
    def of(cls, dataset: PreviousDataset) -> DatasetIndex:
        """Reads the ledger of a dataset, and no record.

        Raises:
          PreviousRefused: it has none of what is needed, or is damaged.
        """
        keys, records, pictures = ([np.empty(0, np.uint64)] for _ in range(3))
        shards, rows = ([np.empty(0, np.int32)] for _ in range(2))
        for number, key in enumerate(dataset.shards):
            table = dataset.read_ledger("inputs", key, ["key", "record", "record_bytes"])
            written = np.flatnonzero(table["record_bytes"].to_numpy())
            result = result_in(dataset.read_ledger("images", key, ["index"]).schema)
            digests = np.frombuffer(result.digests if result else b"", "<u8")
            if len(digests) != len(written):
                raise dataset.damage(dataset.shards[key].file, "its ledger has rows of other images")
            keys.append(table["key"].to_numpy()[written])
            records.append(table["record"].to_numpy()[written])
            pictures.append(digests)
            shards.append(np.full(len(written), number, np.int32))
            rows.append(written.astype(np.int32))
        all_keys = np.concatenate(keys)
        order = np.argsort(all_keys, kind="stable")
        return cls(
            dataset,
            all_keys[order],
            np.concatenate(records)[order],
            np.concatenate(pictures)[order],
            np.concatenate(shards)[order],
            np.concatenate(rows)[order],
        )

    @property
    def splits(self) -> npt.NDArray[np.str_]:
        """The split of each shard, by its number."""
        return np.array([key.split for key in self.dataset.shards])


@dataclass(frozen=True, slots=True)
class FoundRecord:
    """A record: the name and split of its image, and its payload."""

    name: str
    split: str
    payload: bytes


class RecordReader:
    """Reads records of a dataset by their positions in an index; quick if they are asked for shard by shard."""

    def __init__(self, index: DatasetIndex):
        self._index = index
        self._keys = list(index.dataset.shards)
        self._shard = -1
        self._offsets: list[int] = []
        self._names: list[tuple[str, str]] = []

    def read(self, position: int) -> FoundRecord:
        """The record at a position in the index.

        Raises:
          PreviousRefused: the dataset is damaged.
          ImageRefused, OSError: the record is.
        """
        index = self._index
        shard, row = int(index.shards[position]), int(index.rows[position])
        key = self._keys[shard]
        if shard != self._shard:
            self._open(shard, key)
        start, end = self._offsets[row], self._offsets[row + 1]
        path = os.path.join(index.dataset.folder, index.dataset.shards[key].file)
        payload = read_record(RecordAddress(path, start, end - start - HEADER_BYTES - FOOTER_BYTES))
        source, name = self._names[row]
        return FoundRecord(f"{source}/{name}" if index.dataset.is_mixed else name, key.split, payload)

    def _open(self, shard: int, key: ShardKey) -> None:
        dataset = self._index.dataset
        sizes = dataset.read_ledger("inputs", key, ["record_bytes"])["record_bytes"].to_numpy()
        names = dataset.read_ledger("images", key, ["source", "file_name"]).to_pydict()
        self._offsets = np.concatenate([[0], np.cumsum(sizes)]).tolist()
        self._names = list(zip(names["source"], names["file_name"], strict=True))
        self._shard = shard


def by_shard(index: DatasetIndex, positions: npt.NDArray[np.int64]) -> Iterator[int]:
    """Positions in the order of shards and records, so that each shard is opened once."""
    yield from positions[np.lexsort((index.rows[positions], index.shards[positions]))].tolist()


def common(before: DatasetIndex, after: DatasetIndex) -> tuple[Sequence[npt.NDArray[np.int64]], ...]:
    """Positions of images: in both (before, after), only before, only after."""
    _, old, new = np.intersect1d(before.keys, after.keys, assume_unique=True, return_indices=True)
    removed = np.setdiff1d(np.arange(len(before.keys)), old, assume_unique=True)
    added = np.setdiff1d(np.arange(len(after.keys)), new, assume_unique=True)
    return (old, new), (removed,), (added,)
