"""The manifest as checked values: what a dataset says of itself, before anything is compared with it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from transforms.examples.class_ids import ClassIds
from transforms.examples.keypoints import ClassKeypoints
from transforms.shards.manifest import dataset_fingerprint
from transforms.shards.shard_result import shard_file_name
from transforms.splits.shard_plan import ShardKey

_NAME = re.compile(r"[a-zA-Z]\w*", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_FIELDS = (
    "format_version",
    "name",
    "version",
    "boxmill_version",
    "fingerprint",
    "settings",
    "sources",
    "classes",
    "counts",
    "reasons",
    "splits",
    "leakage",
)
# Digests of all files that are no shards; manifests of early versions have none.
_OPTIONAL_FIELDS = ("files", "source_counts", "split_groups", "previous")


class ManifestMalformed(ValueError):
    """A manifest whose fields are not what they must be; the message holds place and value."""


@dataclass(frozen=True, slots=True)
class StatedShard:
    """What the manifest says of a shard; ``shards`` is their number in its split."""

    key: ShardKey
    shards: int
    file: str
    records: int
    boxes: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class StatedSplit:
    """What the manifest says of a split; ``classes`` counts the boxes of each class that has any."""

    name: str
    records: int
    boxes: int
    bytes: int
    classes: Mapping[str, int]
    shards: Sequence[StatedShard]


@dataclass(frozen=True, slots=True)
class StatedFile:
    """What the manifest says of a file that is no shard."""

    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class StatedDataset:
    """What the manifest says.

    Attributes:
      name, version, fingerprint: of the dataset.
      expected_fingerprint: what the fingerprint must be for the settings and sources that are stated.
      class_ids: of the classes, in the order of their ids.
      class_boxes: boxes of each class.
      images, boxes: the counts, by "read", "written", "repaired" and "rejected" or "dropped".
      reasons: how often each reason was given.
      splits: in their order.
      ground_truth_splits: splits that have a COCO file.
      source_counts: images and boxes as above of each source, where there are several.
      files: other files by their paths; None if the manifest does not list them.
    """

    name: str
    version: str
    fingerprint: str
    expected_fingerprint: str
    class_ids: ClassIds
    class_boxes: Mapping[str, int]
    images: Mapping[str, int]
    boxes: Mapping[str, int]
    source_counts: Mapping[str, Mapping[str, Mapping[str, int]]]
    reasons: Mapping[str, int]
    splits: Sequence[StatedSplit]
    ground_truth_splits: Sequence[str]
    files: Mapping[str, StatedFile] | None

    @property
    def shards(self) -> list[StatedShard]:
        """All shards, in order."""
        return [shard for split in self.splits for shard in split.shards]


def parse_manifest(manifest: Mapping[str, Any]) -> StatedDataset:
    """Checks every field's name, type and form.

    Raises:
      ManifestMalformed: at the first field that is missing, unknown or unfit.
    """
    fields = _object(manifest, "the manifest", _FIELDS, _OPTIONAL_FIELDS)
    _integer(fields["format_version"], "format_version")
    name = _text(fields["name"], "name")
    if not _NAME.fullmatch(name):
        raise ManifestMalformed(f"name is {name!r}, which does not begin with a letter or has other characters")
    class_ids, class_boxes = _classes(fields["classes"])
    counts = _image_and_box_counts(fields["counts"], "counts")
    source_counts = _mapping(manifest.get("source_counts", {}), "source_counts")
    settings = _mapping(fields["settings"], "settings")
    splits = [_split(name, split, content) for split, content in _mapping(fields["splits"], "splits").items()]
    ground_truth = _list(settings.get("coco_splits", []), "settings.coco_splits")
    names = {split.name for split in splits}
    if str(settings.get("splits", "")).startswith("source"):  # those wanted, of which the source may lack some
        ground_truth = [split for split in ground_truth if split in names]
    if not set(map(str, ground_truth)) <= names:
        raise ManifestMalformed(f"settings.coco_splits is {ground_truth!r}, which names another than the splits")
    return StatedDataset(
        name=name,
        version=_text(fields["version"], "version"),
        fingerprint=_text(fields["fingerprint"], "fingerprint"),
        expected_fingerprint=dataset_fingerprint(
            manifest["name"],
            manifest["version"],
            manifest["settings"],
            _list(manifest["sources"], "sources"),
            manifest["boxmill_version"],
        ),
        class_ids=class_ids,
        class_boxes=class_boxes,
        images=counts["images"],
        boxes=counts["boxes"],
        source_counts={
            source: _image_and_box_counts(item, f"source_counts.{source}") for source, item in source_counts.items()
        },
        reasons=_counts(fields["reasons"], "reasons"),
        splits=splits,
        ground_truth_splits=ground_truth,
        files=_files(manifest["files"]) if "files" in manifest else None,
    )


def _image_and_box_counts(value: Any, place: str) -> dict[str, dict[str, int]]:
    counts = _object(value, place, ("images", "boxes"))
    return {
        "images": _counts(counts["images"], f"{place}.images", ("read", "written", "repaired", "rejected")),
        "boxes": _counts(counts["boxes"], f"{place}.boxes", ("read", "written", "repaired", "dropped")),
    }


def _classes(value: Any) -> tuple[ClassIds, dict[str, int]]:
    """The classes, and numbers of boxes by class name."""
    labels: dict[str, int] = {}
    keypoints: dict[str, tuple[str, ...]] = {}
    skeletons: dict[str, tuple[tuple[int, int], ...]] = {}
    boxes: dict[str, int] = {}
    last_id = 0
    for index, item in enumerate(_list(value, "classes")):
        place = f"classes[{index}]"
        fields = _object(item, place, ("id", "name", "boxes"), ("keypoints", "skeleton"))
        name, class_id = _text(fields["name"], f"{place}.name"), _integer(fields["id"], f"{place}.id")
        if class_id <= last_id:
            raise ManifestMalformed(f"{place}.id is {class_id}; ids begin at 1 and ascend")
        if name in labels:
            raise ManifestMalformed(f"{place}.name is {name!r}, which another class has too")
        labels[name], last_id = class_id, class_id
        boxes[name] = _integer(fields["boxes"], f"{place}.boxes")
        if "keypoints" in fields:
            keypoints[name], skeletons[name] = _keypoints(fields, place)
    return replace(ClassIds.from_labels(labels), keypoints=ClassKeypoints.of(keypoints, skeletons)), boxes


def _keypoints(fields: Mapping[str, Any], place: str) -> tuple[tuple[str, ...], tuple[tuple[int, int], ...]]:
    """Names of a class's keypoints, and its skeleton as pairs of their indices."""
    names = tuple(_text(name, f"{place}.keypoints") for name in _list(fields["keypoints"], f"{place}.keypoints"))
    skeleton = _list(fields.get("skeleton", []), f"{place}.skeleton")
    edges = [[_text(end, f"{place}.skeleton") for end in _list(edge, f"{place}.skeleton")] for edge in skeleton]
    if len({*names}) != len(names) or not all(len(edge) == 2 and {*edge} <= {*names} for edge in edges):
        raise ManifestMalformed(f"{place} has keypoints {names!r:.200} and a skeleton {edges!r:.200} that do not fit")
    return names, tuple((names.index(a), names.index(b)) for a, b in edges)


def _split(dataset: str, name: str, value: Any) -> StatedSplit:
    place = f"splits.{name}"
    fields = _object(value, place, ("records", "boxes", "bytes", "classes", "shards"))
    shards = _list(fields["shards"], f"{place}.shards")
    return StatedSplit(
        name,
        _integer(fields["records"], f"{place}.records"),
        _integer(fields["boxes"], f"{place}.boxes"),
        _integer(fields["bytes"], f"{place}.bytes"),
        _counts(fields["classes"], f"{place}.classes"),
        [_shard(dataset, ShardKey(name, index), len(shards), item) for index, item in enumerate(shards)],
    )


def _shard(dataset: str, key: ShardKey, shards: int, value: Any) -> StatedShard:
    place = f"splits.{key.split}.shards[{key.number}]"
    fields = _object(value, place, ("file", "records", "boxes", "bytes", "sha256"))
    expected = shard_file_name(dataset, key, shards)
    if fields["file"] != expected or "/" in expected:
        raise ManifestMalformed(f"{place}.file is {fields['file']!r}, it must be {expected!r}")
    return StatedShard(
        key,
        shards,
        expected,
        _integer(fields["records"], f"{place}.records"),
        _integer(fields["boxes"], f"{place}.boxes"),
        _integer(fields["bytes"], f"{place}.bytes"),
        _digest(fields["sha256"], f"{place}.sha256"),
    )


def _files(value: Any) -> dict[str, StatedFile]:
    files = {}
    for name, item in _mapping(value, "files").items():
        if name.startswith("/") or ".." in name.split("/"):
            raise ManifestMalformed(f"files names {name!r}, which lies outside the dataset's folder")
        fields = _object(item, f"files.{name}", ("bytes", "sha256"))
        size = _integer(fields["bytes"], f"files.{name}.bytes")
        files[name] = StatedFile(size, _digest(fields["sha256"], f"files.{name}.sha256"))
    return files


def _object(value: Any, place: str, names: Sequence[str], optional: Sequence[str] = ()) -> Mapping[str, Any]:
    """An object with just these members."""
    fields = _mapping(value, place)
    if missing := [name for name in names if name not in fields]:
        raise ManifestMalformed(f"{place} has no {missing[0]}")
    if unknown := sorted(set(fields) - {*names, *optional}):
        raise ManifestMalformed(f"{place} has a member {unknown[0]!r} that no version of the format knows")
    return fields


def _mapping(value: Any, place: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ManifestMalformed(f"{place} is {value!r:.80}, not an object")
    return value


def _list(value: Any, place: str) -> Sequence[Any]:
    if not isinstance(value, list):
        raise ManifestMalformed(f"{place} is {value!r:.80}, not a list")
    return value


def _counts(value: Any, place: str, names: Sequence[str] | None = None) -> dict[str, int]:
    fields = _mapping(value, place) if names is None else _object(value, place, names)
    return {name: _integer(number, f"{place}.{name}") for name, number in fields.items()}


def _integer(value: Any, place: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ManifestMalformed(f"{place} is {value!r:.80}, not a whole number from 0")
    return value


def _text(value: Any, place: str) -> str:
    if not isinstance(value, str):
        raise ManifestMalformed(f"{place} is {value!r:.80}, not a text")
    return value


def _digest(value: Any, place: str) -> str:
    if not isinstance(value, str) or not _SHA256.fullmatch(value):
        raise ManifestMalformed(f"{place} is {value!r:.80}, not a SHA-256 in 64 lower-case hex digits")
    return value
