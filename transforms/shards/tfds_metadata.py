"""The two JSON files and the labels by which TFDS opens the folder without any code.

Formats: tensorflow_datasets/core/proto/dataset_info.proto and feature.proto in their JSON form. Nested feature
dictionaries join their keys with "/", so they read our flat keys; what a record lacks reads as an empty list.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from transforms.examples import feature_keys as keys
from transforms.examples.wire_format import BYTES, FLOAT

LABELS_FILE = "objects-label.labels.txt"
_FEATURES = "tensorflow_datasets.core.features."


@dataclass(frozen=True, slots=True)
class SplitShards:
    """A split's shards: records of each, and bytes in all."""

    name: str
    shard_records: Sequence[int]
    bytes: int


def dataset_info_json(name: str, version: str, splits: Sequence[SplitShards], description: str) -> str:
    """``dataset_info.json``; int64 values are strings in protobuf's JSON."""
    info = {
        "name": name,
        "version": version,
        "description": description,
        "fileFormat": "tfrecord",
        "splits": [
            {
                "name": split.name,
                "shardLengths": [str(records) for records in split.shard_records],
                "numBytes": str(split.bytes),
                "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
            }
            for split in splits
        ],
    }
    return json.dumps(info, indent=2, ensure_ascii=False) + "\n"


def features_json(optional_keys: set[str], formats: set[str], classes: int) -> str:
    """``features.json``.

    Args:
      optional_keys: optional keys that some record has.
      formats: picture formats that occur.
      classes: number of classes.
    """
    tree: dict[str, Any] = {}
    for key, feature in keys.FEATURE_KEYS.items():
        if feature.optional and key not in optional_keys:
            continue
        if key.startswith("objects/") or key == keys.MASK_WEIGHT:  # TFDS has no key below another
            continue
        *folders, leaf = key.split("/")
        node = tree
        for folder in folders:
            node = node.setdefault(folder, {})
        node[leaf] = _leaf(key, feature, formats)
    tree["objects"] = _sequence(
        _dictionary(
            {
                "bbox": _feature(
                    "bounding_boxes.BBoxFeature",
                    "boundingBox",
                    {"shape": {"dimensions": ["4"]}, "dtype": "float32", "bboxFormat": "REL_YXYX"},
                ),
                "label": _feature("class_label_feature.ClassLabel", "classLabel", {"numClasses": str(classes)}),
                "is_crowd": _tensor("int64"),
            }
        )
    )
    return json.dumps(_nested(tree), indent=2) + "\n"


def labels_text(labels: Mapping[str, int]) -> str:
    """Class names in the order of their ids, one a line: line n is TFDS label n, from 0."""
    return "".join(f"{name}\n" for name in labels)


def _leaf(key: str, feature: keys.FeatureKey, formats: set[str]) -> dict[str, Any]:
    if key == keys.ENCODED:
        # Without one format for all, the decoder looks at each picture.
        encoding = {"encodingFormat": next(iter(formats))} if len(formats) == 1 else {}
        shape = {"dimensions": ["-1", "-1", "3"]}
        return _feature("image_feature.Image", "image", {"dtype": "uint8", "shape": shape, **encoding})
    if feature.kind == BYTES:
        value = _feature("text_feature.Text", "text", {})
    else:
        value = _tensor("float32" if feature.kind == FLOAT else "int64")
    return value if feature.count == "one" else _sequence(value)  # a record may lack a sequence, and nothing else


def _feature(class_name: str, kind: str, value: dict[str, Any]) -> dict[str, Any]:
    return {"pythonClassName": _FEATURES + class_name, kind: value}


def _tensor(dtype: str) -> dict[str, Any]:
    return _feature("tensor_feature.Tensor", "tensor", {"shape": {}, "dtype": dtype, "encoding": "none"})


def _sequence(feature: dict[str, Any]) -> dict[str, Any]:
    return _feature("sequence_feature.Sequence", "sequence", {"feature": feature, "length": "-1"})


def _dictionary(features: dict[str, Any]) -> dict[str, Any]:
    return _feature("features_dict.FeaturesDict", "featuresDict", {"features": features})


def _nested(tree: dict[str, Any]) -> dict[str, Any]:
    return tree if "pythonClassName" in tree else _dictionary({key: _nested(value) for key, value in tree.items()})
