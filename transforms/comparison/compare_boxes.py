"""The objects of one image in two records: which are the same, which were changed, and which came or went."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from transforms.annotations.example_fields import Features, values_of
from transforms.examples import feature_keys as keys
from transforms.examples.wire_format import BYTES, FLOAT

# Two boxes of one class that overlap so much are one object before and after; the usual threshold of detection.
SAME_OBJECT_IOU = 0.5
_EDGES = (keys.YMIN, keys.XMIN, keys.YMAX, keys.XMAX)
# Numbers of classes follow from their names.
_LEFT_OUT = {*_EDGES, keys.TEXT, keys.LABEL}
_PER_OBJECT = {
    key
    for key, feature in keys.FEATURE_KEYS.items()
    if feature.count in ("per object", "K per object") and key not in _LEFT_OUT and key.startswith("image/")
}


class ComparedObject(NamedTuple):
    """An object of a record.

    Attributes:
      class_name: of it.
      box: ymin, xmin, ymax, xmax, fractions of the picture.
      attributes: all else that the record says of it.
    """

    class_name: str
    box: tuple[float, float, float, float]
    attributes: Hashable


@dataclass(slots=True)
class BoxChanges:
    """Numbers of boxes by their classes."""

    added: Counter[str] = field(default_factory=Counter)
    removed: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)

    def add(self, other: BoxChanges) -> None:
        """Adds another's numbers to these."""
        self.added.update(other.added)
        self.removed.update(other.removed)
        self.changed.update(other.changed)

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


def objects_of(features: Features) -> list[ComparedObject]:
    """The objects of a record, in order."""
    names = [text.decode("utf-8", "replace") for text in values_of(features, keys.TEXT, BYTES)]
    boxes = zip(*(values_of(features, key, FLOAT) for key in _EDGES), strict=True)
    columns = []
    for key in sorted(_PER_OBJECT & features.keys()):
        value = features[key]
        assert value is not None
        each = len(value[1]) // max(1, len(names))
        # As text, NaN equals itself.
        columns.append([(key, repr(list(value[1][each * i : each * (i + 1)]))) for i in range(len(names))])
    attributes = zip(*columns, strict=True) if columns else [()] * len(names)
    return [ComparedObject(*item) for item in zip(names, boxes, attributes, strict=True)]


def compare_objects(before: Sequence[ComparedObject], after: Sequence[ComparedObject]) -> BoxChanges:
    """Compares the objects of an image. Their order has no part in it.

    Equal objects are the same. Of the others, those of one class that overlap most are one object that was changed,
    best pair first, down to SAME_OBJECT_IOU; the rest came or went.
    """
    changes = BoxChanges()
    old = list((Counter(before) - Counter(after)).elements())
    new = list((Counter(after) - Counter(before)).elements())
    pairs = [
        (-overlap, i, j)
        for i, one in enumerate(old)
        for j, other in enumerate(new)
        if one.class_name == other.class_name and (overlap := iou(one.box, other.box)) >= SAME_OBJECT_IOU
    ]
    met_old: set[int] = set()
    met_new: set[int] = set()
    for _, i, j in sorted(pairs):
        if i not in met_old and j not in met_new:
            met_old.add(i)
            met_new.add(j)
            changes.changed[old[i].class_name] += 1
    changes.removed.update(item.class_name for i, item in enumerate(old) if i not in met_old)
    changes.added.update(item.class_name for j, item in enumerate(new) if j not in met_new)
    return changes


def iou(one: Sequence[float], other: Sequence[float]) -> float:
    """Intersection over union of two boxes, ymin, xmin, ymax, xmax."""
    height = min(one[2], other[2]) - max(one[0], other[0])
    width = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(0.0, height) * max(0.0, width)
    union = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)) - shared
    return shared / union if union > 0 else 0.0
