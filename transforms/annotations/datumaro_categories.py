"""The classes of a Datumaro file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from transforms.annotations.fields import quote
from transforms.annotations.json_objects import Entry
from transforms.annotations.refusals import Refused, as_class_name
from transforms.ledger.reasons import Reason
from transforms.records import DeclaredClasses


@dataclass(frozen=True, slots=True)
class Categories:
    """Labels by their indices; None for one that has no usable name.

    Attributes:
      classes: the labels with their positions from 1 as ids, and the names and joints of their points.
      points: how many points an object has, by label.
    """

    names: Sequence[str | None]
    classes: DeclaredClasses
    points: Mapping[str, int]

    def name(self, annotation: Entry) -> str:
        """The class of an annotation.

        Raises:
          Refused: its label_id is none of the file's.
        """
        index = annotation.get("label_id")
        name = self.names[index] if type(index) is int and 0 <= index < len(self.names) else None
        if name is None:
            raise Refused(Reason.UNKNOWN_CLASS, f"label_id {quote(index)} is not among the file's labels")
        return name


def read_categories(value: Any) -> Categories:
    """Reads the ``categories`` of a file; what is missing or odd in them is left out."""
    names = [_name(label) for label in _list(_dict(_dict(value).get("label")).get("labels"))]
    ids = {name: index for index, name in reversed([*enumerate(names, start=1)]) if name is not None}
    keypoints: dict[str, tuple[str, ...]] = {}
    skeletons: dict[str, tuple[tuple[int, int], ...]] = {}
    for item in map(_dict, _list(_dict(_dict(value).get("points")).get("items"))):
        index, points = item.get("label_id"), [_name({"name": point}) for point in _list(item.get("labels"))]
        name = names[index] if type(index) is int and 0 <= index < len(names) else None
        if name is None or not points or None in points:
            continue
        keypoints[name] = tuple(point for point in points if point is not None)
        joints = [joint for joint in _list(item.get("joints")) if _is_joint(joint, len(points))]
        skeletons[name] = tuple((first - 1, second - 1) for first, second in joints)
    declared = DeclaredClasses(
        tuple(sorted(ids.items(), key=lambda item: item[1])),
        tuple(keypoints.items()),
        tuple((name, joints) for name, joints in skeletons.items() if joints),
    )
    return Categories(names, declared, {name: len(points) for name, points in keypoints.items()})


def _is_joint(value: Any, points: int) -> bool:
    """Whether a value is a pair of the points' positions, from 1."""
    return (
        isinstance(value, list) and len(value) == 2 and all(type(item) is int and 0 < item <= points for item in value)
    )


def _name(label: Any) -> str | None:
    try:
        return as_class_name(_dict(label).get("name"))
    except Refused:
        return None


def _dict(value: Any) -> Entry:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
