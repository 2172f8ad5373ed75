"""The leakage report: what the manifest counts is what its table lists."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from transforms import storage
from transforms.shards.leakage import LEAKAGE_FILE, leakage_summary, training_split
from transforms.shards.manifest import MANIFEST_FILE
from transforms.verification.findings import Code, Finding
from transforms.verification.stated_dataset import StatedDataset


def check_leakage(folder: str, stated: StatedDataset, manifest: Mapping[str, Any]) -> list[Finding]:
    """Compares the numbers of the manifest with the rows of the table, which is there if it has any."""
    path, settings = os.path.join(folder, LEAKAGE_FILE), manifest["settings"]
    kinds: list[tuple[str, str]] = []
    if storage.exists(path):
        try:
            columns = pq.read_table(storage.for_pyarrow(path), columns=["split", "kind"]).to_pydict().values()
            kinds = list(zip(*columns, strict=True))
        except (OSError, ValueError, pa.ArrowException) as error:
            return [Finding(Code.FILE_UNREADABLE, LEAKAGE_FILE, "", f"it cannot be read: {str(error)!r:.200}")]
    splits = {split.name: split.records for split in stated.splits}
    distance = settings.get("duplicate_distance") if settings.get("leakage_report") else None
    expected = leakage_summary(kinds, training_split(splits), splits, distance) if splits else {}
    if manifest["leakage"] == expected:
        return []
    detail = f"it says {manifest['leakage']!r:.200}, settings and {LEAKAGE_FILE} give {expected!r:.200}"
    return [Finding(Code.COUNT_MISMATCH, MANIFEST_FILE, "leakage", detail)]
