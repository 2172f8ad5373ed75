"""Class names to ids: given once, here, and written to the label map."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from transforms.examples.keypoints import ClassKeypoints, KeypointsDisagree, declared_keypoints
from transforms.records import DeclaredClasses

ClassNumbering = Literal["auto", "source", "dense"]


class ClassIdsRefused(ValueError):
    """The classes cannot be numbered as asked; the message says what to do."""


@dataclass(frozen=True, slots=True)
class ClassIds:
    """Ids of class names: ``labels`` from 1 (with gaps, maybe), ``indices`` from 0 in the order of the labels.

    Attributes:
      keypoints: that objects of the classes have.
    """

    labels: Mapping[str, int]
    indices: Mapping[str, int]
    keypoints: ClassKeypoints = field(default_factory=ClassKeypoints)

    @classmethod
    def from_labels(cls, labels: Mapping[str, int]) -> ClassIds:
        ordered = sorted(labels, key=lambda name: labels[name])
        return cls({name: labels[name] for name in ordered}, {name: index for index, name in enumerate(ordered)})

    def with_keypoints(self, declared: Iterable[DeclaredClasses]) -> ClassIds:
        """The same ids and the keypoints that annotation files declare for these classes.

        Raises:
          ClassIdsRefused: two files declare different ones for a class.
        """
        try:
            return replace(self, keypoints=declared_keypoints(self.labels, declared))
        except KeypointsDisagree as error:
            raise ClassIdsRefused(str(error)) from None


def number_classes(
    used: Iterable[str],
    declared: Iterable[DeclaredClasses],
    numbering: ClassNumbering = "auto",
    class_map: Mapping[str, int] | None = None,
) -> ClassIds:
    """Gives each class its id.

    Args:
      used: names that objects have.
      declared: names and ids that annotation files declare.
      numbering: "source" keeps declared ids, "dense" counts from 1 in the order of declared ids or, where files
        declare none or contradict each other, of names. "auto" keeps declared ids if all sources agree on them.
      class_map: the ids to use, whatever the sources say; classes outside it are dropped.

    Raises:
      ClassIdsRefused: declared ids that cannot serve: 0, which is the background, negative, or contradictory.
    """
    if class_map is not None:
        return ClassIds.from_labels(class_map)
    pairs = {pair for classes in declared for pair in classes.ids}
    ids = dict(pairs)
    is_consistent = len(ids) == len(pairs) == len(set(ids.values())) and set(used) <= set(ids)
    if numbering == "dense" or not ids or (numbering == "auto" and not is_consistent):
        names = sorted(ids, key=lambda name: ids[name]) if is_consistent else sorted({*used, *ids})
        return ClassIds.from_labels({name: index for index, name in enumerate(names, start=1)})
    if not is_consistent:
        raise ClassIdsRefused(
            "the sources do not agree on class ids; use --class_ids=dense to number the classes anew, or give "
            "--class_map"
        )
    if unfit := sorted((class_id, name) for name, class_id in ids.items() if not 1 <= class_id < 2**31):
        class_id, name = unfit[0]
        raise ClassIdsRefused(
            f"the annotations give class {name!r} the id {class_id}, but trainers count classes from 1 (0 is the "
            "background); use --class_ids=dense to number the classes from 1, or give the ids with --class_map"
        )
    return ClassIds.from_labels(ids)
