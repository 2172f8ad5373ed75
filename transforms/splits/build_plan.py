"""The plan of a whole build: the shard of each image and the id of each class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from transforms.examples.class_ids import ClassIds, ClassNumbering, number_classes
from transforms.splits.shard_plan import ReadingIndex, ShardPlan, ShardSizing, plan_shards
from transforms.splits.split_fractions import SplitFractions


class NothingToBuild(ValueError):
    """The annotations hold no image; the message says what was found instead."""


@dataclass(frozen=True, slots=True)
class PlanSettings:
    """What the plan depends on besides the images.

    Attributes:
      fractions: the splits.
      sizing: of shards.
      mean_bytes: of an image file.
      numbering, class_map: how classes get their ids.
    """

    fractions: SplitFractions
    sizing: ShardSizing
    mean_bytes: float
    numbering: ClassNumbering = "auto"
    class_map: dict[str, int] | None = None


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """Where each image goes and which id each class has."""

    shards: ShardPlan
    class_ids: ClassIds


def make_plan(indexes: Sequence[ReadingIndex], settings: PlanSettings) -> BuildPlan:
    """Plans the build from the indexes of all packs.

    Raises:
      NothingToBuild: no image was read.
      ClassIdsRefused: the classes cannot be numbered.
    """
    plan = plan_shards(indexes, settings.fractions, settings.sizing, settings.mean_bytes)
    if not plan.starts or not any(plan.planned.values()):
        refused = "; ".join(sorted(plan.refusals)[:3])
        raise NothingToBuild(
            f"the annotations name no image that can be used{': ' + refused if refused else ''}; look at "
            "--annotations and --format"
        )
    return BuildPlan(plan, number_classes(plan.class_names, plan.declared, settings.numbering, settings.class_map))
