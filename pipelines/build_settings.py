"""The settings of ``boxmill build``: from flags and inputs to what the stages are told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from absl import flags

from pipelines.flags import UsageError
from pipelines.version import VERSION
from transforms import storage

if TYPE_CHECKING:
    from pipelines.build_inputs import SourceInputs
    from transforms.shards.manifest import BuildIdentity
    from transforms.shards.previous_dataset import PreviousDataset
    from transforms.shards.write_shards import WriteSettings
    from transforms.sources.class_changes import ClassChanges
    from transforms.sources.class_map import ClassMap
    from transforms.splits.build_plan import PlanSettings
    from transforms.splits.split_rule import SplitRule


def make_plan_settings(
    values: flags.FlagValues,
    inputs: Sequence[SourceInputs],
    class_map: ClassMap,
    previous: PreviousDataset | None = None,
) -> PlanSettings:
    """What the plan depends on besides the images.

    Raises:
      UsageError: a flag's value does not fit.
    """
    from transforms.splits.build_plan import PlanSettings
    from transforms.splits.shard_plan import ShardSizing

    rule = _split_rule(values, inputs, class_map)
    if values.num_shards and values.examples_per_shard:
        raise UsageError("--num_shards and --examples_per_shard say the same in two ways; give one of them")
    sizing = ShardSizing(
        _shard_counts(values.num_shards, rule.names, rule.takes_source),
        values.examples_per_shard,
        values.shard_size_mb << 20,
    )
    mean_bytes = sum(item.listing.bytes for item in inputs) / sum(item.listing.images for item in inputs)
    return PlanSettings(
        rule,
        sizing,
        mean_bytes,
        values.class_ids,
        class_map.labels,
        {item.source.name: item.source.max_images for item in inputs if item.source.max_images is not None},
        values.duplicate_distance,
        previous,
    )


def takes_source_splits(values: flags.FlagValues) -> bool:
    """Whether splits that the sources give are taken: ``--splits=source``, or ``source`` and shares for the rest."""
    return bool(values.splits.split(",")[0].strip() == "source")


def _split_rule(values: flags.FlagValues, inputs: Sequence[SourceInputs], class_map: ClassMap) -> SplitRule:
    from transforms.splits.split_fractions import SplitFractions
    from transforms.splits.split_rule import SplitKey, SplitRule

    takes_source = takes_source_splits(values)
    shares = values.splits.partition(",")[2] if takes_source else values.splits
    fractions = None
    try:
        if shares or not takes_source:
            fractions = SplitFractions.parse(shares)
    except ValueError as error:
        raise UsageError(f"--splits: {error}") from None
    try:
        key = SplitKey.parse(values.split_key)
    except ValueError as error:
        raise UsageError(f"--split_key: {error}") from None
    if fractions is None and (values.balance_splits or key.kind != "image"):
        raise UsageError(
            "--splits=source splits nothing by hash, so --split_key and --balance_splits have no part in it; give "
            "shares for images that the source puts in no split: --splits=source,train=0.8,val=0.2"
        )
    return SplitRule(
        fractions,
        key,
        takes_source,
        {item.source.name: item.source.split for item in inputs if item.source.split},
        len(inputs) > 1,
        values.balance_splits,
        None if class_map.labels is None else frozenset(class_map.labels),
    )


def read_class_map(path: str | None) -> ClassMap:
    """The class map that the user gives: a label map, ID,NAME lines, or a YAML or JSON document.

    Raises:
      UsageError: it cannot be read or is none of these.
    """
    from transforms.shards.label_map import parse_class_map
    from transforms.sources.class_map import SUFFIXES, ClassMap, parse_class_document

    if not path:
        return ClassMap()
    try:
        data = storage.read_bytes(path)
        return parse_class_document(data) if path.lower().endswith(SUFFIXES) else ClassMap(parse_class_map(data))
    except OSError as error:
        raise UsageError(f"--class_map={path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise UsageError(f"--class_map={path}: {error}") from None


def _shard_counts(text: str | None, splits: Sequence[str], may_be_others: bool) -> dict[str, int]:
    """Parses "8" or "train=8,val=2"; with ``may_be_others`` the splits are not all known yet."""
    counts = {}
    for item in text.split(",") if text else ():
        split, separator, number = item.strip().rpartition("=")
        is_known = split in splits or (may_be_others and split)
        if not number.isdecimal() or int(number) < 1 or (separator and not is_known):
            form = "a number from 1, or SPLIT=NUMBER with a split of"
            raise UsageError(f"--num_shards={text}: {item!r} is not {form} {', '.join(splits)}")
        all_splits = [*splits, ""] if may_be_others else splits
        counts.update(dict.fromkeys([split] if separator else all_splits, int(number)))
    return counts


def make_identity(
    values: flags.FlagValues,
    inputs: Sequence[SourceInputs],
    plan_settings: PlanSettings,
    classes: ClassChanges,
    previous: PreviousDataset | None = None,
) -> BuildIdentity:
    """All that the dataset's bytes depend on."""
    from transforms.shards.manifest import BuildIdentity, dataset_fingerprint

    settings = {
        "format": values.format,
        "splits": values.splits,
        "split_key": values.split_key,
        "balance_splits": values.balance_splits,
        "leakage_report": values.leakage_report,
        "duplicate_distance": values.duplicate_distance,
        "sizing": asdict(plan_settings.sizing),
        "class_map": plan_settings.class_map,
        **({"class_changes": classes.to_plain()} if classes else {}),
        "class_ids": values.class_ids,
        "voc_origin": values.voc_origin,
        "expand_hierarchy": values.expand_hierarchy,
        "image_check": values.image_check,
        "exif": values.exif,
        "exif_frame": values.exif_frame,
        "max_side": values.max_side,
        "max_megapixels": values.max_megapixels,
        "masks": values.masks,
        "coco_splits": sorted(_ground_truth_splits(values, plan_settings)),
        **({"previous": previous.manifest_sha256} if previous else {}),
    }
    sources = [item.identity() for item in inputs]
    fingerprint = dataset_fingerprint(values.name, values.version, settings, sources, VERSION)
    return BuildIdentity(values.name, values.version, fingerprint, settings, sources, VERSION)


def _ground_truth_splits(values: flags.FlagValues, plan_settings: PlanSettings) -> frozenset[str]:
    if plan_settings.rule.takes_source:  # which splits there are, shows when the annotations are read
        return frozenset(values.coco_splits)
    return frozenset(values.coco_splits) & frozenset(plan_settings.rule.names)


def make_write_settings(
    values: flags.FlagValues,
    inputs: Sequence[SourceInputs],
    plan_settings: PlanSettings,
    identity: BuildIdentity,
    folder: str,
    previous: PreviousDataset | None = None,
) -> WriteSettings:
    """What writing into ``folder`` depends on besides the plan."""
    from transforms.images.check_image import ImagePolicy
    from transforms.shards.write_shards import WriteSettings

    return WriteSettings(
        folder=storage.absolute(folder),
        identity=identity,
        image_roots={item.source.name: item.images_path for item in inputs},
        annotation_roots={item.source.name: item.annotation_roots for item in inputs},
        image_policy=ImagePolicy(
            values.image_check,
            values.exif,
            values.max_megapixels * 1_000_000,
            values.max_side,
            values.exif_frame,
        ),
        ground_truth_splits=_ground_truth_splits(values, plan_settings),
        max_reject_ratio=values.max_reject_ratio,
        leakage_distance=values.duplicate_distance if values.leakage_report else None,
        with_masks=values.masks != "none",
        previous=previous,
    )
