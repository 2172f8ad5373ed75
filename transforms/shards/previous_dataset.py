"""The dataset that a build goes on with: what of it may stay, and its shards as they were."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from transforms import storage
from transforms.examples.class_ids import ClassIds
from transforms.ledger.small_tables import read_small_table
from transforms.shards.shard_result import ShardResult, ledger_file_name
from transforms.splits.shard_plan import ShardKey

WITH_MASKS_KEY = "boxmill.with_masks"


class PreviousRefused(ValueError):
    """A build cannot go on with a dataset; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class PreviousShard:
    """A shard as the manifest has it.

    Attributes:
      file, records, boxes, bytes, sha256: see there.
      number: of the shard among all of the dataset.
    """

    file: str
    records: int
    boxes: int
    bytes: int
    sha256: str
    number: int


@dataclass(frozen=True, slots=True)
class PreviousDataset:
    """A committed dataset.

    Attributes:
      folder: of it.
      name, version, fingerprint: of it.
      manifest_sha256: of its manifest, which names the digest of every other file.
      shards: by their keys, in order.
      digests: SHA-256 of its other files by their names.
      class_ids: of it.
      wants_masks: masks are written if there are any.
      settings, boxmill_version: that it was built with.
      is_mixed: it has several sources.
      flag: that names the folder, for messages.
    """

    folder: str
    name: str
    version: str
    fingerprint: str
    manifest_sha256: str
    shards: Mapping[ShardKey, PreviousShard]
    digests: Mapping[str, str]
    class_ids: ClassIds
    wants_masks: bool
    settings: Mapping[str, Any]
    is_mixed: bool
    boxmill_version: str
    flag: str = ""
    shard_counts: Mapping[str, int] = field(init=False)

    def __post_init__(self) -> None:
        counts: dict[str, int] = {}
        for split, _ in self.shards:
            counts[split] = counts.get(split, 0) + 1
        object.__setattr__(self, "shard_counts", counts)

    @property
    def records(self) -> int:
        return sum(shard.records for shard in self.shards.values())

    def refusal(self, why: str) -> PreviousRefused:
        """The error that a reason makes."""
        if not self.flag:
            return PreviousRefused(f"{self.folder}: {why}")
        return PreviousRefused(f"{self.flag}={self.folder}: {why}. Build in full, without {self.flag}")

    def damage(self, file: str, how: object) -> PreviousRefused:
        """The error of a file that is not as the manifest says."""
        return self.refusal(f"{file} is not as its manifest says ({how}); boxmill verify lists what is damaged")

    def read_file(self, name: str) -> bytes:
        """A file beside the shards, as it was written.

        Raises:
          PreviousRefused: it is not there or has changed.
        """
        if name not in self.digests:
            raise self.refusal(f"it has no {name}: it was built by a version that does not note what images are from")
        try:
            data = storage.read_bytes(os.path.join(self.folder, name))
        except OSError as error:
            raise self.damage(name, error.strerror or error) from None
        if hashlib.sha256(data).hexdigest() != self.digests[name]:
            raise self.damage(name, "another SHA-256")
        return data

    def read_ledger(self, table: str, key: ShardKey, columns: Sequence[str] | None = None) -> pa.Table:
        """A table of a shard's ledger, or some columns of it; see ``read_file``."""
        data = self.read_file(ledger_file_name(table, key, self.shard_counts[key.split]))
        return read_small_table(pa.BufferReader(data), columns)

    def members(self, split: str) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int32]]:
        """See ``Previous``."""
        hashes, numbers = [np.empty(0, np.uint64)], [np.empty(0, np.int32)]
        for number in range(self.shard_counts.get(split, 0)):
            table = self.read_ledger("inputs", ShardKey(split, number), ["key"])
            hashes.append(table["key"].to_numpy())
            numbers.append(np.full(len(table), number, np.int32))
        return np.concatenate(hashes), np.concatenate(numbers)

    def check_classes(self, class_ids: ClassIds, has_masks: bool) -> None:
        """Checks that the records of classes and masks that stay mean what those of a full build would.

        Raises:
          PreviousRefused: they do not.
        """
        before, now = self.class_ids, class_ids
        for name in before.labels.keys() & now.labels.keys():
            old, new = ((ids.labels[name], ids.indices[name]) for ids in (before, now))
            if old != new:
                raise self.refusal(
                    f"its class {name!r} has id {old[0]} and TFDS label {old[1]}, now they are {new[0]} and {new[1]}, "
                    "so every record changes"
                )
            if before.keypoints.places.get(name) != now.keypoints.places.get(name):
                raise self.refusal(f"the keypoints of its class {name!r} are others now, so every record changes")
        if len(before.keypoints.names) != len(now.keypoints.names):
            counts = f"{len(before.keypoints.names)} keypoints an object, now there are {len(now.keypoints.names)}"
            raise self.refusal(f"it has {counts}, so every record changes")
        if self.has_masks != (has_masks and self.wants_masks):
            has, now_has = ("masks", "none") if self.has_masks else ("no masks", "some")
            raise self.refusal(f"its objects have {has}, now there are {now_has}, so every record changes")

    @property
    def has_masks(self) -> bool:
        """Whether every object has a mask.

        Raises:
          PreviousRefused: it does not say.
        """
        metadata = self.read_ledger("inputs", next(iter(self.shards)), ["key"]).schema.metadata or {}
        return bool(metadata.get(WITH_MASKS_KEY.encode()) == b"True")


def previous_summary(previous: PreviousDataset, shards: Sequence[ShardResult]) -> dict[str, Any]:
    """What the manifest says of the dataset before, and of what came of it.

    Args:
      previous: see there.
      shards: of the new dataset, in order.
    """
    kept, made_again = sum(shard.kept for shard in shards), sum(shard.made_again for shard in shards)
    reused = [shard for shard in shards if shard.is_reused]
    rewritten = [shard for shard in shards if shard.earlier_file and not shard.is_reused]
    bytes_reused = sum(shard.bytes for shard in reused)
    return {
        "name": previous.name,
        "version": previous.version,
        "fingerprint": previous.fingerprint,
        "manifest_sha256": previous.manifest_sha256,
        "images": {"kept": kept, "changed": made_again, "removed": previous.records - kept - made_again},
        "bytes": {"reused": bytes_reused, "written": sum(shard.bytes for shard in shards) - bytes_reused},
        "shards": {
            "reused": {shard.file: shard.earlier_file for shard in reused},
            "rewritten": {shard.file: shard.earlier_file for shard in rewritten},
            "new": [shard.file for shard in shards if not shard.earlier_file],
        },
    }
