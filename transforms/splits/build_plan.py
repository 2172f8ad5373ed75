"""The plan of a whole build: the shard of each image and the id of each class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from transforms.annotations.refusals import DUP_IMAGE_REMEDY
from transforms.examples.class_ids import ClassIds, ClassNumbering, number_classes
from transforms.splits.content_groups import PictureHashes
from transforms.splits.kept_shards import Previous
from transforms.splits.reading_index import ReadingIndex
from transforms.splits.shard_plan import ShardPlan, ShardSizing, plan_shards
from transforms.splits.split_rule import SplitRule


class NothingToBuild(ValueError):
    """The annotations hold no image; the message says what was found instead."""


@dataclass(frozen=True, slots=True)
class PlanSettings:
    """What the plan depends on besides the images.

    Attributes:
      rule: for the splits.
      sizing: of shards.
      mean_bytes: of an image file.
      numbering, class_map: how classes get their ids.
      caps: for a source's name, so many of its images are taken at most.
      duplicate_distance: see ``group_pictures``.
      previous: the dataset before that the build goes on with.
    """

    rule: SplitRule
    sizing: ShardSizing
    mean_bytes: float
    numbering: ClassNumbering = "auto"
    class_map: dict[str, int] | None = None
    caps: Mapping[str, int] = field(default_factory=dict)
    duplicate_distance: int = -1
    previous: Previous | None = None


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """Where each image goes and which id each class has."""

    shards: ShardPlan
    class_ids: ClassIds


def make_plan(
    indexes: Sequence[ReadingIndex], settings: PlanSettings, pictures: Sequence[PictureHashes] | None = None
) -> BuildPlan:
    """Plans the build from the indexes of all packs, and the hashes of their pictures if these are split by content.

    Raises:
      NothingToBuild: no image was read.
      ClassIdsRefused: the classes cannot be numbered.
    """
    plan = plan_shards(
        indexes,
        settings.rule,
        settings.sizing,
        settings.mean_bytes,
        settings.caps,
        None if pictures is None else PictureHashes.joined(pictures),
        settings.duplicate_distance,
        settings.previous,
    )
    if 0 < plan.counts.images_read <= plan.notes.get("ungrouped", 0):
        key = settings.rule.key
        raise NothingToBuild(
            f"--split_key={key.kind}:{key.argument} finds nothing in any image, so it would group none; look at the "
            "names of the images and at the fields that the annotations give them"
        )
    if not plan.starts or not any(plan.planned.values()):
        raise NothingToBuild(_why_nothing(plan))
    class_ids = number_classes(plan.class_names, plan.declared, settings.numbering, settings.class_map)
    class_ids = class_ids.with_keypoints(plan.declared)
    if settings.previous is not None:
        settings.previous.check_classes(class_ids, plan.has_masks)
    return BuildPlan(plan, class_ids)


def _why_nothing(plan: ShardPlan) -> str:
    """What became of all that was read, where none of it can be built."""
    nothing = "the annotations name no image that can be used"
    if plan.refusals:
        return f"{nothing}: {'; '.join(sorted(plan.refusals)[:3])}; look at --annotations and --format"
    if plan.repeated_keys:
        return f"{nothing}: {len(plan.repeated_keys)} images have more than one annotation each; {DUP_IMAGE_REMEDY}"
    if plan.counts.images_read and plan.rule.fractions is None:
        return (
            f"--splits=source finds no split for any of the {plan.counts.images_read} images; "
            "--splits=source,train=0.8,val=0.2 splits such images by hash"
        )
    return f"{nothing}; look at --annotations and --format"
