"""Verifies the shards of a dataset in parallel and then the dataset as a whole, in Beam."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam.metrics import Metrics

from transforms import storage
from transforms.storage.atomic_file import write_atomically
from transforms.verification.check_dataset import check_dataset
from transforms.verification.check_shard import ShardReport, ShardSettings, check_shard
from transforms.verification.stated_dataset import StatedDataset, StatedShard

_records_verified = Metrics.counter("boxmill", "records_verified")
_bytes_verified = Metrics.counter("boxmill", "bytes_verified")
_datasets_verified = Metrics.counter("boxmill", "datasets_verified")


@dataclass(frozen=True, slots=True)
class VerifySettings:
    """What a verification needs besides the shards.

    Attributes:
      shard: for each shard.
      stated: the manifest as checked values.
      manifest: as read from its file.
      result_file: where the result is written, as VerifyResult's JSON.
    """

    shard: ShardSettings
    stated: StatedDataset
    manifest: Mapping[str, Any]
    result_file: str


def verify_shard(shard: StatedShard, settings: ShardSettings) -> ShardReport:
    """Checks one shard, counting its records as they come."""
    return check_shard(shard, settings, _count_record)


def _count_record(size: int) -> None:
    _records_verified.inc()
    _bytes_verified.inc(size)


def verify_whole(reports: list[ShardReport], settings: VerifySettings) -> int:
    """Checks the dataset as a whole and writes the result; returns the number of findings."""
    result = check_dataset(reports, settings.stated, settings.manifest, settings.shard.folder)
    data = result.to_json().encode("utf-8", "surrogateescape")
    write_atomically(storage.absolute(settings.result_file), data)
    _datasets_verified.inc()
    return len(result.findings)


@dataclass
class VerifyDataset(beam.PTransform):
    """The shards that a manifest names to the number of findings."""

    settings: VerifySettings

    def expand(self, root: beam.pvalue.PBegin) -> beam.PCollection[int]:
        shards = self.settings.stated.shards
        return (
            root
            | "List shards" >> beam.Create(shards, reshuffle=len(shards) > 1)  # StatedShard
            | "Verify shard" >> beam.Map(verify_shard, self.settings.shard)  # ShardReport
            | "Gather reports" >> beam.combiners.ToList()
            | "Verify whole" >> beam.Map(verify_whole, self.settings)
        )
