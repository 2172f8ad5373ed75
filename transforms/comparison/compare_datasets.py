"""Two datasets compared: by digests first, and only where these differ by their records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from transforms.comparison.compare_boxes import BoxChanges, compare_objects, objects_of
from transforms.comparison.dataset_index import DatasetIndex, RecordReader, by_shard, common
from transforms.examples.example_message import parse_example

ChangeKind = Literal["added", "removed", "changed"]


@dataclass(frozen=True, slots=True)
class ImageChange:
    """An image that is not the same in both datasets.

    Attributes:
      name: of the file, after its source's where there are several.
      kind: "added", "removed", or "changed".
      picture: the bytes of the picture differ.
      annotations: boxes, or what is said of them, differ.
      other: something else in the record differs (an id, a caption).
      split_before, split_after: "" where it is not there.
      boxes: of an image that is in one dataset alone, all.
    """

    name: str
    kind: ChangeKind
    split_before: str
    split_after: str
    boxes: BoxChanges
    picture: bool = False
    annotations: bool = False
    other: bool = False

    @property
    def is_moved(self) -> bool:
        return self.kind == "changed" and self.split_before != self.split_after

    def to_plain(self) -> dict[str, Any]:
        """As a row of JSON lines."""
        return {
            "file_name": self.name,
            "change": self.kind,
            "picture": self.picture,
            "annotations": self.annotations,
            "other": self.other,
            "split_before": self.split_before,
            "split_after": self.split_after,
            "boxes": {
                "added": dict(sorted(self.boxes.added.items())),
                "removed": dict(sorted(self.boxes.removed.items())),
                "changed": dict(sorted(self.boxes.changed.items())),
            },
        }


@dataclass(slots=True)
class Comparison:
    """Totals of a comparison.

    Attributes:
      same: images with the same record in the same split.
      added, removed, changed: images; the changed are those of the following four, of which each may be several.
      pictures, annotations, others: changed images by what has changed, see ImageChange.
      moved: changed images by their splits before and after.
      boxes: of all images.
    """

    same: int = 0
    added: int = 0
    removed: int = 0
    changed: int = 0
    pictures: int = 0
    annotations: int = 0
    others: int = 0
    moved: Counter[tuple[str, str]] = field(default_factory=Counter)
    boxes: BoxChanges = field(default_factory=BoxChanges)

    @property
    def is_same(self) -> bool:
        return not (self.added or self.removed or self.changed)

    def add(self, change: ImageChange) -> None:
        """Counts an image."""
        self.added += change.kind == "added"
        self.removed += change.kind == "removed"
        self.changed += change.kind == "changed"
        self.pictures += change.picture
        self.annotations += change.annotations
        self.others += change.other
        if change.is_moved:
            self.moved[change.split_before, change.split_after] += 1
        self.boxes.add(change.boxes)


@dataclass(frozen=True, slots=True)
class DatasetPair:
    """Two datasets, and the positions in their indexes of the images that differ; see ``pair_datasets``."""

    before: DatasetIndex
    after: DatasetIndex
    same: int
    removed: np.ndarray[Any, np.dtype[np.int64]]
    added: np.ndarray[Any, np.dtype[np.int64]]
    changed: np.ndarray[Any, np.dtype[np.int64]]
    partners: dict[int, int]

    @property
    def differing(self) -> int:
        """How many images are to be looked at."""
        return len(self.removed) + len(self.added) + len(self.changed)


def pair_datasets(before: DatasetIndex, after: DatasetIndex) -> DatasetPair:
    """Finds the images that differ, by digests alone."""
    (old, new), (removed,), (added,) = common(before, after)
    differs = before.records[old] != after.records[new]
    differs |= before.splits[before.shards[old]] != after.splits[after.shards[new]]
    partners = dict(zip(new[differs].tolist(), old[differs].tolist(), strict=True))
    return DatasetPair(before, after, int((~differs).sum()), removed, added, new[differs], partners)


def changes(pair: DatasetPair) -> Iterator[ImageChange]:
    """Reads the records of the images that differ, and says in what.

    Raises:
      PreviousRefused, ImageRefused, OSError: a dataset is damaged.
    """
    old, new = RecordReader(pair.before), RecordReader(pair.after)
    for position in by_shard(pair.before, pair.removed):
        record = old.read(position)
        boxes = BoxChanges(removed=_class_counts(record.payload))
        yield ImageChange(record.name, "removed", record.split, "", boxes)
    for position in by_shard(pair.after, pair.added):
        record = new.read(position)
        boxes = BoxChanges(added=_class_counts(record.payload))
        yield ImageChange(record.name, "added", "", record.split, boxes)
    for position in by_shard(pair.after, pair.changed):
        partner = pair.partners[position]
        was, now = old.read(partner), new.read(position)
        features = parse_example(was.payload), parse_example(now.payload)
        boxes = compare_objects(*map(objects_of, features))
        picture = bool(pair.before.pictures[partner] != pair.after.pictures[position])
        is_other = was.payload != now.payload and not picture and not boxes
        yield ImageChange(now.name, "changed", was.split, now.split, boxes, picture, bool(boxes), is_other)


def _class_counts(payload: bytes) -> Counter[str]:
    return Counter(item.class_name for item in objects_of(parse_example(payload)))
