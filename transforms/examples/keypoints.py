"""Keypoints of objects: which the dataset has, and those of an object checked and put in their places.

All objects of a dataset have the same number of keypoints, K: readers reshape the flat lists by it. Keypoints of one
name in several classes share a place, as in the label maps of the TF Object Detection API
(object_detection/protos/string_int_label_map.proto), whose ids are indices from 0 into the K
(object_detection/builders/model_builder.py, ``keypoint_indices``).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from transforms.examples.geometry import Geometry
from transforms.ledger.reasons import Reason
from transforms.records import DeclaredClasses, Keypoint

Skeleton = tuple[tuple[int, int], ...]

# Annotators click pixels, so points lie up to a pixel past the border.
BORDER_PIXELS = 1.0
UNLABELLED = Keypoint(0.0, 0.0, 0)
_NAN = float("nan")


class KeypointsDisagree(ValueError):
    """Two annotation files declare different keypoints of one class; the message says what to do."""


@dataclass(frozen=True, slots=True)
class ClassKeypoints:
    """The keypoints of a dataset.

    Attributes:
      names: of all, each once: K of them.
      places: for a class that has keypoints, the index of each of them in ``names``, in the class's own order.
      skeletons: for a class, edges between its keypoints, as pairs of indices from 0 in its own order.
    """

    names: tuple[str, ...] = ()
    places: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    skeletons: Mapping[str, Skeleton] = field(default_factory=dict)

    @classmethod
    def of(cls, keypoints: Mapping[str, Sequence[str]], skeletons: Mapping[str, Skeleton]) -> ClassKeypoints:
        """From the names of each class's keypoints, in the order of the classes' ids."""
        names = tuple(dict.fromkeys(name for class_names in keypoints.values() for name in class_names))
        index = {name: place for place, name in enumerate(names)}
        places = {class_name: tuple(index[name] for name in own) for class_name, own in keypoints.items()}
        return cls(names, places, {name: skeletons[name] for name in keypoints if skeletons.get(name)})

    def names_of(self, class_name: str) -> tuple[str, ...]:
        """Names of a class's keypoints, in its own order; none if it has none."""
        return tuple(self.names[place] for place in self.places.get(class_name, ()))


def declared_keypoints(classes: Iterable[str], declared: Iterable[DeclaredClasses]) -> ClassKeypoints:
    """The keypoints that annotation files declare for these classes.

    Args:
      classes: names in the order of their ids.
      declared: by all files.

    Raises:
      KeypointsDisagree: two files give a class different keypoints, so that nobody knows which an object's are.
    """
    keypoints: dict[str, tuple[str, ...]] = {}
    skeletons: dict[str, Skeleton] = {}
    for item in declared:
        for name, names in item.keypoints:
            if names and keypoints.setdefault(name, names) != names:
                raise KeypointsDisagree(
                    f"class {name!r} has the keypoints {', '.join(keypoints[name])} in one annotation file and "
                    f"{', '.join(names)} in another; build them as two datasets"
                )
        for name, skeleton in item.skeletons:
            skeletons[name] = max(skeletons.get(name, ()), skeleton)
    return ClassKeypoints.of({name: keypoints[name] for name in classes if name in keypoints}, skeletons)


def check_keypoints(
    points: Sequence[Keypoint], class_name: str, geometry: Geometry, keypoints: ClassKeypoints
) -> tuple[tuple[Keypoint, ...] | None, list[tuple[Reason, str]]]:
    """Checks an object's keypoints; those that cannot be used become unlabelled.

    Args:
      points: as annotated, not trusted.
      class_name: of the object.
      geometry: from their plane to the written picture.
      keypoints: of the dataset.

    Returns:
      The keypoints in pixels of the written picture, within it, (0, 0) where visibility is 0; None if they are not
      those of the class. What was done, and a detail for the ledger.
    """
    expected = len(keypoints.places.get(class_name, ()))
    if len(points) != expected:
        detail = f"it has {len(points)} keypoints, its class is declared with {expected or 'none'}"
        return None, [(Reason.KEYPOINTS_UNDECLARED, detail)]
    checked: list[Keypoint] = []
    faults: dict[Reason, list[int]] = {}
    for index, point in enumerate(points):
        placed, fault = _check_point(point, geometry) if point.visibility != 0 else (UNLABELLED, None)
        checked.append(placed)
        if fault is not None:
            faults.setdefault(fault, []).append(index)
    names = keypoints.names_of(class_name)
    return tuple(checked), [
        (reason, "; ".join(_described(names[index], points[index]) for index in indices[:3]))
        for reason, indices in faults.items()
    ]


def _check_point(point: Keypoint, geometry: Geometry) -> tuple[Keypoint, Reason | None]:
    if point.visibility not in (1, 2) or not (math.isfinite(point.x) and math.isfinite(point.y)):
        return UNLABELLED, Reason.KEYPOINT_INVALID
    x, y = (point.x, point.y) if geometry.is_identity else geometry.point(point.x, point.y)
    width, height = geometry.written_width, geometry.written_height
    if 0 <= x <= width and 0 <= y <= height:
        return Keypoint(x, y, point.visibility), None
    if max(-x, -y, x - width, y - height) > BORDER_PIXELS:
        return UNLABELLED, Reason.KEYPOINT_OUTSIDE
    clipped = Keypoint(min(max(x, 0.0), float(width)), min(max(y, 0.0), float(height)), point.visibility)
    return clipped, Reason.KEYPOINT_CLIPPED


def _described(name: str, point: Keypoint) -> str:
    return f"{name} at {point.x:g}, {point.y:g} with visibility {point.visibility}"


@dataclass(slots=True)
class KeypointLists:
    """Keypoints of objects, one after the other, K each.

    Attributes:
      x, y: in 0..1 of the picture's size; NaN where not labelled.
      visibility: 0 not labelled, 1 hidden, 2 visible.
      labelled: of each object, how many are labelled.
    """

    x: list[float] = field(default_factory=list)
    y: list[float] = field(default_factory=list)
    visibility: list[int] = field(default_factory=list)
    labelled: list[int] = field(default_factory=list)


def keypoint_lists(
    objects: Iterable[tuple[str, Sequence[Keypoint] | None]], width: int, height: int, keypoints: ClassKeypoints
) -> KeypointLists:
    """Class and checked keypoints of each object as the flat lists of a record."""
    lists = KeypointLists()
    count = len(keypoints.names)
    for class_name, points in objects:
        start = len(lists.x)
        lists.x += [_NAN] * count
        lists.y += [_NAN] * count
        lists.visibility += [0] * count
        labelled = 0
        for place, point in zip(keypoints.places.get(class_name, ()), points or (), strict=False):
            if point.visibility:
                lists.x[start + place] = point.x / width
                lists.y[start + place] = point.y / height
                lists.visibility[start + place] = point.visibility
                labelled += 1
        lists.labelled.append(labelled)
    return lists
