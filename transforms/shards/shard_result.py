"""What is known of a written shard; kept in the metadata of its ledger file, so that a later run can trust it."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections import Counter
from dataclasses import dataclass, field, fields
from typing import Any

from transforms.ledger.counts import Counts
from transforms.splits.shard_plan import ShardKey


def shard_file_name(name: str, key: ShardKey, shards: int) -> str:
    """The name that TFDS and Beam give shards, e.g. ``faces-train.tfrecord-00003-of-00008``."""
    return f"{name}-{key.split}.tfrecord-{key.number:05d}-of-{shards:05d}"


def ledger_file_name(table: str, key: ShardKey, shards: int) -> str:
    """The ledger's file for a shard, or for what was rejected before any shard; ``table`` is images or boxes."""
    part = f"{key.split}-{key.number:05d}-of-{shards:05d}" if key.split else "rejected"
    return f"ledger/{table}-{part}.parquet"


@dataclass(slots=True)
class ShardResult:
    """A finished shard, or the rejected (whose ``file`` is "").

    Attributes:
      key: which shard.
      fingerprint: of the inputs and settings that it was made from.
      file: its name in the dataset folder.
      records, bytes, sha256: of the file.
      counts: of its images and boxes.
      source_counts: the same of each source, where there are several.
      optional_keys: optional feature keys that some record has.
      formats: "jpeg" and "png" with their numbers of records.
      max_boxes: of any record.
      digests: of each record's picture, the first 8 bytes of its SHA-256.
      perceptual: of each record's picture, 8 bytes of ``perceptual_hash``, if near duplicates are looked for.
      earlier_file: the shard of a dataset before that this one goes on with, or "".
      is_reused: it has the very bytes of that shard.
      kept: records that were taken over from it.
      made_again: records of it whose images were looked at again, since they have changed.
    """

    key: ShardKey
    fingerprint: str
    file: str = ""
    records: int = 0
    bytes: int = 0
    sha256: str = ""
    counts: Counts = field(default_factory=Counts)
    source_counts: dict[str, Counts] = field(default_factory=dict)
    optional_keys: set[str] = field(default_factory=set)
    formats: Counter[str] = field(default_factory=Counter)
    max_boxes: int = 0
    digests: bytearray = field(default_factory=bytearray)
    perceptual: bytearray = field(default_factory=bytearray)
    earlier_file: str = ""
    is_reused: bool = False
    kept: int = 0
    made_again: int = 0

    def to_json(self) -> str:
        plain = _values(self) | {
            "counts": _values(self.counts),
            "source_counts": {source: _values(counts) for source, counts in self.source_counts.items()},
            "optional_keys": sorted(self.optional_keys),
            "digests": b64encode(self.digests).decode(),
            "perceptual": b64encode(self.perceptual).decode(),
        }
        return json.dumps(plain, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> ShardResult:
        plain = json.loads(text)
        return cls(
            **plain
            | {
                "key": ShardKey(*plain["key"]),
                "counts": _counts(plain["counts"]),
                "source_counts": {source: _counts(counts) for source, counts in plain["source_counts"].items()},
                "optional_keys": set(plain["optional_keys"]),
                "formats": Counter(plain["formats"]),
                "digests": bytearray(b64decode(plain["digests"])),
                "perceptual": bytearray(b64decode(plain["perceptual"])),
            }
        )


def _counts(plain: dict[str, Any]) -> Counts:
    return Counts(**plain | {"reasons": Counter(plain["reasons"]), "classes": Counter(plain["classes"])})


def _values(value: ShardResult | Counts) -> dict[str, Any]:
    return {item.name: getattr(value, item.name) for item in fields(value)}
