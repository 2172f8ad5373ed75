"""Leakage: pictures of other splits that are in the training split as well, byte for byte or nearly."""

from __future__ import annotations

import io
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from transforms import storage
from transforms.shards.dataset_folder import LEDGER_FOLDER
from transforms.shards.shard_result import ShardResult, ledger_file_name
from transforms.splits.content_groups import NO_PERCEPTUAL_HASH
from transforms.splits.near_duplicates import bit_counts, near_pairs
from transforms.splits.shard_plan import ShardKey

LEAKAGE_FILE = f"{LEDGER_FOLDER}/leakage.parquet"
_FAR = np.int64(2**62)


@dataclass(frozen=True, slots=True)
class Leak:
    """A record whose picture a record of the training split has too.

    Attributes:
      split, shard, index: of the record.
      kind: "exact", the same bytes; or "near".
      distance: bits in which the perceptual hashes differ.
      train_shard, train_index: of the record of the training split.
    """

    split: str
    shard: int
    index: int
    kind: Literal["exact", "near"]
    distance: int
    train_shard: int
    train_index: int


@dataclass(frozen=True, slots=True)
class _Records:
    """All records of some splits, one element a record."""

    shards: Sequence[ShardResult]
    digests: npt.NDArray[np.uint64]
    perceptual: npt.NDArray[np.uint64]
    shard_numbers: npt.NDArray[np.int64]
    indices: npt.NDArray[np.int64]

    @classmethod
    def of(cls, shards: Sequence[ShardResult]) -> _Records:
        none = np.empty(0, np.uint64)
        sizes = [shard.records for shard in shards]
        return cls(
            shards,
            np.concatenate([none, *(np.frombuffer(shard.digests, "<u8") for shard in shards)]),
            np.concatenate([none, *(np.frombuffer(shard.perceptual, "<u8") for shard in shards)]),
            np.repeat(np.arange(len(shards)), sizes),
            np.concatenate([np.empty(0, np.int64), *(np.arange(size) for size in sizes)]),
        )

    def place(self, record: int) -> tuple[ShardKey, int]:
        return self.shards[self.shard_numbers[record]].key, int(self.indices[record])


def training_split(records: Mapping[str, int]) -> str:
    """The split that others must not meet: train, or that with the most records."""
    return "train" if records.get("train") else max(records, key=lambda split: records[split])


def find_leaks(shards: Sequence[ShardResult], train: str, distance: int | None) -> list[Leak]:
    """Finds the records of other splits whose pictures are in the training split.

    Args:
      shards: all, in order.
      train: the training split.
      distance: see ``group_pictures``; None if the records have no perceptual hashes.
    """
    inside = _Records.of([shard for shard in shards if shard.key.split == train])
    others = _Records.of([shard for shard in shards if shard.key.split != train])
    twins = _first_equal(inside.digests, others.digests)
    near = _nearest(inside.perceptual, others.perceptual, distance) if distance is not None else {}
    leaks = []
    for record in sorted({*np.flatnonzero(twins >= 0).tolist(), *near}):
        is_exact = twins[record] >= 0
        bits, twin = (0, int(twins[record])) if is_exact else near[record]
        key, index = others.place(record)
        train_key, train_index = inside.place(twin)
        kind: Literal["exact", "near"] = "exact" if is_exact else "near"
        leaks.append(Leak(key.split, key.number, index, kind, bits, train_key.number, train_index))
    return leaks


def _first_equal(values: npt.NDArray[np.uint64], wanted: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """For each wanted value the first position in ``values`` that has it; -1 where none has."""
    unique, firsts = np.unique(values, return_index=True)
    if not len(unique):
        return np.full(len(wanted), -1)
    positions = np.minimum(np.searchsorted(unique, wanted), len(unique) - 1)
    return np.where(unique[positions] == wanted, firsts[positions], -1)


def _nearest(
    inside: npt.NDArray[np.uint64], others: npt.NDArray[np.uint64], distance: int
) -> dict[int, tuple[int, int]]:
    """For positions in ``others`` that have a near duplicate in ``inside``, its distance and position."""
    unique, of_all = np.unique(np.concatenate([inside, others]), return_inverse=True)
    of_inside, of_others = of_all[: len(inside)], of_all[len(inside) :]
    record = np.full(len(unique), -1)
    record[of_inside[::-1]] = np.arange(len(inside))[::-1]  # the first record of each hash
    # Distance and record in one number: the smallest is the nearest, and of those the first.
    best = np.where(record >= 0, record, _FAR)
    if distance < 0:
        return {}
    for i, j in near_pairs(unique, distance):
        for a, b in ((i, j), (j, i)):
            has_record = record[a] >= 0
            bits = bit_counts(unique[a] ^ unique[b]).astype(np.int64)
            np.minimum.at(best, b[has_record], ((bits << 48) + record[a])[has_record])
    found = np.flatnonzero((best[of_others] < _FAR) & (others != NO_PERCEPTUAL_HASH))
    return {int(item): divmod(int(best[of_others[item]]), 1 << 48) for item in found}


def leakage_summary(
    kinds: Iterable[tuple[str, str]], train: str, splits: Iterable[str], distance: int | None
) -> dict[str, Any]:
    """What the manifest says: for each other split, how many of its images are in the training split too.

    Args:
      kinds: split and kind of each leak.
      train, distance: see ``find_leaks``.
      splits: all.
    """
    found = Counter(kinds)
    counts = {
        split: {"exact": found[split, "exact"], "near": None if distance is None else found[split, "near"]}
        for split in splits
        if split != train
    }
    return {"train": train, "duplicate_distance": distance, "splits": counts}


def leakage_parquet(leaks: Sequence[Leak], train: str, folder: str, shard_counts: Mapping[str, int]) -> bytes:
    """A row for each leak, with the names of both images as the ledger has them."""
    names: dict[ShardKey, dict[int, tuple[str, str]]] = {}

    def name(key: ShardKey, index: int) -> tuple[str, str]:
        if key not in names:
            file = storage.for_pyarrow(os.path.join(folder, ledger_file_name("images", key, shard_counts[key.split])))
            columns = pq.read_table(file, columns=["index", "source", "file_name"]).to_pydict().values()
            names[key] = {number: (source, file_name) for number, source, file_name in zip(*columns, strict=True)}
        return names[key][index]

    rows: dict[str, list[Any]] = {item.name: [getattr(leak, item.name) for leak in leaks] for item in fields(Leak)}
    places = [
        (name(ShardKey(leak.split, leak.shard), leak.index), name(ShardKey(train, leak.train_shard), leak.train_index))
        for leak in leaks
    ]
    rows["source"], rows["file_name"] = ([place[0][column] for place in places] for column in (0, 1))
    rows["train_source"], rows["train_file_name"] = ([place[1][column] for place in places] for column in (0, 1))
    buffer = io.BytesIO()
    pq.write_table(pa.table(rows), buffer, compression="zstd", store_schema=False)
    return buffer.getvalue()
