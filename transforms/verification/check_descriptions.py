"""The label maps and TFDS files against the manifest: their text is written anew and compared."""

from __future__ import annotations

import json
import os
from itertools import zip_longest

from transforms import storage
from transforms.shards.label_map import label_map_text, labels_csv
from transforms.shards.tfds_metadata import (
    LABELS_FILE,
    SplitShards,
    dataset_info_json,
    features_json,
    labels_text,
)
from transforms.verification.findings import Code, Finding
from transforms.verification.stated_dataset import StatedDataset

_INFO_FILE, _FEATURES_FILE = "dataset_info.json", "features.json"
DESCRIPTION_FILES = ("label_map.pbtxt", "labels.csv", LABELS_FILE, _INFO_FILE, _FEATURES_FILE)


def check_descriptions(folder: str, stated: StatedDataset, seen: tuple[set[str], set[str]] | None) -> list[Finding]:
    """Compares the files that describe the shards with what the manifest says.

    Args:
      folder: of the dataset.
      stated: the manifest.
      seen: optional keys and picture formats that the records have; None if not all records could be read.
    """
    labels = stated.class_ids.labels
    findings: list[Finding] = []
    texts = {name: _read(folder, name, findings) for name in DESCRIPTION_FILES}
    expected = {
        "label_map.pbtxt": label_map_text(labels, stated.class_ids.keypoints),
        "labels.csv": labels_csv(labels),
        LABELS_FILE: labels_text(labels),
    }
    if (info := texts[_INFO_FILE]) is not None:
        expected[_INFO_FILE] = dataset_info_json(stated.name, stated.version, _splits(stated), _description(info))
    if seen is not None:
        expected[_FEATURES_FILE] = features_json(*seen, len(labels))
    for name, text in expected.items():
        if (found := texts[name]) is not None and found != text:
            findings.append(Finding(Code.DESCRIPTION_DIFFERS, name, *_difference(found, text)))
    return findings


def _read(folder: str, name: str, findings: list[Finding]) -> str | None:
    try:
        return storage.read_bytes(os.path.join(folder, name)).decode()
    except FileNotFoundError:
        findings.append(Finding(Code.FILE_MISSING, name, "", "a file that readers of the dataset need is not there"))
    except (OSError, UnicodeDecodeError) as error:
        findings.append(Finding(Code.FILE_UNREADABLE, name, "", f"it cannot be read: {error}"))
    return None


def _splits(stated: StatedDataset) -> list[SplitShards]:
    return [SplitShards(split.name, [shard.records for shard in split.shards], split.bytes) for split in stated.splits]


def _description(info: str) -> str:
    """The free text of the dataset's information; any text serves."""
    try:
        return str(json.loads(info)["description"])
    except (ValueError, TypeError, KeyError):
        return ""


def _difference(found: str, expected: str) -> tuple[str, str]:
    """Place and detail of the first line that differs."""
    pairs = zip_longest(found.splitlines(keepends=True), expected.splitlines(keepends=True))
    number, (line, wanted) = next((n, pair) for n, pair in enumerate(pairs, start=1) if pair[0] != pair[1])
    line_text = "missing" if line is None else f"{line!r:.100}"
    wanted_text = "its end" if wanted is None else f"{wanted!r:.100}"
    return f"line {number}", f"it is {line_text}, manifest and records say {wanted_text}"
