"""The manifest: the one file whose presence makes a folder a dataset, and what it says."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from transforms import storage
from transforms.examples.class_ids import ClassIds
from transforms.ledger.counts import Counts
from transforms.shards.shard_result import ShardResult

MANIFEST_FILE = "manifest.json"
FORMAT_VERSION = 1


def dataset_fingerprint(
    name: str, version: str, settings: Mapping[str, Any], sources: Sequence[Mapping[str, Any]], boxmill_version: str
) -> str:
    """The digest of everything that a dataset's bytes depend on: all that the manifest says of inputs and settings."""
    everything = [FORMAT_VERSION, boxmill_version, name, version, settings, *sources]
    return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()


class NotADataset(ValueError):
    """A folder without a readable manifest; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class BuildIdentity:
    """What a dataset was made from and how; equal identities give equal bytes.

    Attributes:
      name, version: of the dataset.
      fingerprint: digest of all that follows and of the inputs' contents.
      settings: options that the bytes depend on.
      sources: the sources and the digests of their annotation files.
      boxmill_version: of this program.
    """

    name: str
    version: str
    fingerprint: str
    settings: Mapping[str, Any]
    sources: Sequence[Mapping[str, Any]]
    boxmill_version: str


def make_manifest(
    identity: BuildIdentity,
    results: Sequence[ShardResult],
    splits: Sequence[str],
    counts: Counts,
    class_ids: ClassIds,
    files: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """The manifest of a finished build.

    Args:
      identity: of the build.
      results: of the shards, in order.
      splits: names of the splits, in order.
      counts: of all images and boxes.
      class_ids: the classes.
      files: ``bytes`` and ``sha256`` of every file beside the shards.
    """
    return {
        "format_version": FORMAT_VERSION,
        "name": identity.name,
        "version": identity.version,
        "boxmill_version": identity.boxmill_version,
        "fingerprint": identity.fingerprint,
        "settings": dict(identity.settings),
        "sources": [dict(source) for source in identity.sources],
        "classes": [
            {"id": class_id, "name": name, "boxes": counts.classes[name], **_keypoints(name, class_ids)}
            for name, class_id in class_ids.labels.items()
        ],
        "counts": plain_counts(counts),
        "reasons": dict(sorted(counts.reasons.items())),
        "files": {name: dict(file) for name, file in sorted(files.items())},
        "splits": {split: _split([result for result in results if result.key.split == split]) for split in splits},
    }


def _keypoints(name: str, class_ids: ClassIds) -> dict[str, object]:
    """Names of a class's keypoints, and its skeleton as pairs of them."""
    if not (names := class_ids.keypoints.names_of(name)):
        return {}
    return {
        "keypoints": list(names),
        "skeleton": [[names[a], names[b]] for a, b in class_ids.keypoints.skeletons.get(name, ())],
    }


def plain_counts(counts: Counts) -> dict[str, dict[str, int]]:
    """Numbers of images and boxes as the manifest has them."""
    return {
        "images": {
            "read": counts.images_read,
            "written": counts.images_written,
            "repaired": counts.images_repaired,
            "rejected": counts.images_rejected,
        },
        "boxes": {
            "read": counts.boxes_read,
            "written": counts.boxes_written,
            "repaired": counts.boxes_repaired,
            "dropped": counts.boxes_dropped,
        },
    }


def _split(results: Sequence[ShardResult]) -> dict[str, Any]:
    classes = Counts.total(result.counts for result in results).classes
    return {
        "records": sum(result.records for result in results),
        "boxes": sum(result.counts.boxes_written for result in results),
        "bytes": sum(result.bytes for result in results),
        "classes": dict(sorted(classes.items())),
        "shards": [
            {
                "file": result.file,
                "records": result.records,
                "boxes": result.counts.boxes_written,
                "bytes": result.bytes,
                "sha256": result.sha256,
            }
            for result in results
        ],
    }


def manifest_bytes(manifest: Mapping[str, Any]) -> bytes:
    """The manifest as it stands on disk."""
    return (json.dumps(manifest, indent=1, ensure_ascii=False) + "\n").encode()


def read_manifest(folder: str) -> dict[str, Any]:
    """Reads and checks a dataset's manifest.

    Raises:
      NotADataset: there is none, or it is no manifest of a version that this program knows.
    """
    path = os.path.join(folder, MANIFEST_FILE)
    try:
        manifest = json.loads(storage.read_bytes(path))
    except FileNotFoundError as error:
        if "bucket" in str(error.strerror):
            raise NotADataset(f"{folder}: {error.strerror}") from None
        if not storage.is_remote(folder) and not os.path.isdir(folder):
            raise NotADataset(storage.missing(folder)) from None
        raise NotADataset(
            f"{folder} has no {MANIFEST_FILE}: it is no dataset, or its build was not finished (run it again to finish)"
        ) from None
    except (OSError, ValueError) as error:
        raise NotADataset(f"{path} cannot be read: {error}") from None
    if not isinstance(manifest, dict) or manifest.get("format_version") != FORMAT_VERSION:
        raise NotADataset(f"{path} is no manifest of format version {FORMAT_VERSION}")
    return manifest
