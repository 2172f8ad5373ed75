"""``boxmill plan build``: from listings and a sample to volumes and rates."""

from __future__ import annotations

import math
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from absl import flags

from pipelines.build_inputs import SourceInputs, find_inputs, sources_of
from pipelines.build_settings import make_plan_settings, make_write_settings, read_class_map, takes_source_splits
from pipelines.build_tfrecords import check_names
from pipelines.plan_annotations import AnnotationSample, sample_annotations
from pipelines.plan_report import PlanReport, graph_note
from pipelines.plan_writing import WritingSample, measure_writing
from pipelines.runner import has_spare_core, local_workers_of
from pipelines.version import VERSION
from transforms.annotations.packs import MAX_BOXES, MAX_IMAGES, Entry, PackedImage, decode_pack
from transforms.images.image_listing import image_names
from transforms.planning.build_estimate import GRAPH_ANNOTATION_BYTES, BuildRates, BuildVolumes, build_stages
from transforms.planning.sampling import Estimate, ratio_estimate, spread_by_hash
from transforms.records import DeclaredClasses
from transforms.shards.manifest import BuildIdentity
from transforms.splits.assign_shards import index_pack
from transforms.splits.build_plan import PlanSettings, make_plan

if TYPE_CHECKING:
    from apache_beam.options.pipeline_options import PipelineOptions

# Beside shards: descriptions and configurations; for each shard, Parquet files without rows and its manifest entry.
_DESCRIPTION_BYTES = 20_000
_SHARD_BYTES = 4_000
_LEAST_OF_A_SOURCE = 20
_LISTED = 5000


def plan_build(values: flags.FlagValues, options: PipelineOptions, start_seconds: float) -> PlanReport:
    """What a build with these flags would take.

    Args:
      values: flags of build and plan.
      options: Beam's.
      start_seconds: that a build takes here until it works.

    Raises:
      UsageError, NothingToBuild, ClassIdsRefused: as the build itself.
    """
    measured = _measure(values, options)
    inputs, samples, writing = measured.inputs, measured.samples, measured.writing
    images, boxes, image_bytes = _taken(inputs, samples)
    records = ratio_estimate(writing.record_bytes, writing.picture_bytes, image_bytes, round(images.value))
    records = replace(records, margin=math.hypot(records.margin, images.margin))
    volumes = _volumes(measured, images.value, boxes.value, image_bytes, records.value)
    rates = BuildRates(
        list_image=_listing_seconds(inputs),
        go_through=sum(seconds for sample in samples for seconds in sample.through),
        read_image=sum(sample.seconds for sample in samples) / max(1.0, images.value),
        assign_image=writing.assign_seconds,
        write_image=1 / values.plan_rate if values.plan_rate else writing.write_seconds,
        hash_image=writing.hash_seconds,
    )
    of_pictures = f"pictures: {len(writing.record_bytes):,} were read and written, to a temporary folder"
    return PlanReport(
        command="build",
        stages=build_stages(volumes, rates),
        counts={"images": images, "boxes": boxes, "images rejected": _rejected(images, samples, writing)},
        sizes={
            "pictures": Estimate(volumes.image_bytes, images.margin),
            "annotations": Estimate(volumes.annotation_bytes),
            "shards": records,
            "dataset": Estimate(volumes.output_bytes, records.margin),
            "shuffle": Estimate(volumes.shuffle_bytes, images.margin),
        },
        parts={name: (volumes.splits[name], volumes.shards[name]) for name in volumes.splits},
        rates={"annotations": 1 / max(rates.read_image, 1e-9), "pictures": 1 / rates.write_image},
        reads=volumes.reads,
        writes=volumes.writes,
        reads_per_second=1 / rates.write_image,
        shuffle_bytes=volumes.shuffle_bytes,
        output_bytes=volumes.output_bytes,
        here_workers=local_workers_of(options),
        here_start=start_seconds,
        notes=(
            *(note for sample in samples for note in sample.notes),
            *graph_note(volumes.annotation_files, GRAPH_ANNOTATION_BYTES, "annotation files"),
            of_pictures + ("; their speed was given" if values.plan_rate else ""),
        ),
    )


@dataclass(frozen=True, slots=True)
class _Measured:
    """What was found and measured, of each source and of the sample of all."""

    inputs: Sequence[SourceInputs]
    settings: PlanSettings
    samples: Sequence[AnnotationSample]
    writing: WritingSample
    truth_splits: frozenset[str]


def _measure(values: flags.FlagValues, options: PipelineOptions) -> _Measured:
    check_names(values)
    class_map = read_class_map(values.class_map)
    inputs = find_inputs(
        sources_of(values), values.sources, takes_source_splits(values), values.plan_sample, with_masks=False
    )
    settings = make_plan_settings(values, inputs, class_map)
    with tempfile.TemporaryDirectory(prefix="boxmill-plan-") as folder:
        samples = [
            sample_annotations(item, class_map.changes, values.plan_sample, values.masks != "none", folder)
            for item in inputs
        ]
        identity = BuildIdentity(values.name, values.version, "", {}, [], VERSION)
        write_settings = replace(
            make_write_settings(values, inputs, settings, identity, os.path.join(folder, "dataset")),
            has_spare_core=has_spare_core(options),
        )
        writing = measure_writing(_chosen(samples, values.plan_sample), settings, write_settings)
    return _Measured(inputs, settings, samples, writing, write_settings.ground_truth_splits)


def _rejected(images: Estimate, samples: Sequence[AnnotationSample], writing: WritingSample) -> Estimate:
    """Images that cannot be written: those that reading refuses, and those whose pictures are no good."""
    refused = sum(sample.refused_images for sample in samples)
    read = max(1, refused + sum(sample.read_images for sample in samples))
    share = refused / read + (1 - refused / read) * writing.rejected / max(1, len(writing.record_bytes))
    return Estimate(images.value * share, images.margin)


def _chosen(samples: Sequence[AnnotationSample], most: int) -> list[Entry]:
    """Sampled images, of each source about its share, and the classes that are declared."""
    everything = sum(sample.images.value for sample in samples)
    chosen: list[Entry] = []
    for sample in samples:
        entries = [entry for pack in sample.packs for entry in decode_pack(pack)]
        images = [entry for entry in entries if isinstance(entry, PackedImage)]
        share = max(_LEAST_OF_A_SOURCE, round(most * sample.images.value / max(1.0, everything)))
        spread: list[PackedImage] = spread_by_hash(images, lambda entry: entry.key, share)
        chosen += spread
        chosen += [entry for entry in entries if isinstance(entry, DeclaredClasses)]
    return chosen


def _taken(inputs: Sequence[SourceInputs], samples: Sequence[AnnotationSample]) -> tuple[Estimate, Estimate, float]:
    """Images and boxes, as far as the sources are not cut short, and the bytes of the images' files."""
    images, boxes, size = Estimate(0.0), Estimate(0.0), 0.0
    for item, sample in zip(inputs, samples, strict=True):
        cap = item.source.max_images
        share = 1.0 if cap is None else min(1.0, cap / max(1.0, sample.images.value))
        images += replace(sample.images, value=sample.images.value * share)
        boxes += replace(sample.boxes, value=sample.boxes.value * share)
        listed = item.listing.images
        size += min(sample.images.value * share, listed) * item.listing.bytes / listed
    return images, boxes, size


def _listing_seconds(inputs: Sequence[SourceInputs]) -> float:
    """To list an image, with its size."""
    begun, listed = time.perf_counter(), 0
    for root in {item.images_root for item in inputs if item.images_root}:
        listed += sum(1 for _ in islice(image_names(root), _LISTED))
    return (time.perf_counter() - begun) / max(1, listed)


def _volumes(measured: _Measured, images: float, boxes: float, image_bytes: float, record_bytes: float) -> BuildVolumes:
    inputs, settings, samples, writing = measured.inputs, measured.settings, measured.samples, measured.writing
    splits = _splits(settings, samples, writing, images)
    shards = {name: settings.sizing.shards(name, max(1, round(n)), settings.mean_bytes) for name, n in splits.items()}
    all_shards = sum(shards.values())
    units = [seconds for sample in samples for seconds in sample.units]
    through = [seconds for sample in samples for seconds in sample.through]
    boxes_per_image = boxes / max(1.0, images)
    per_pack = max(1.0, min(MAX_IMAGES, MAX_BOXES / max(boxes_per_image, 0.1), images / max(1, len(units))))
    in_truth = sum(splits.get(name, 0.0) for name in measured.truth_splits)
    other = _DESCRIPTION_BYTES + all_shards * _SHARD_BYTES + images * writing.ledger_bytes
    return BuildVolumes(
        images=images,
        boxes=boxes,
        listed=sum(item.listing.images for item in inputs if item.images_root),
        image_bytes=image_bytes,
        annotation_files=sum(sample.files for sample in samples),
        annotation_bytes=sum(sample.bytes for sample in samples),
        units=max(1, len(units)),
        largest_unit=max(units) / max(sum(units), 1e-12) if units else 1.0,
        huge_files=len(through),
        largest_huge_file=max(through) / max(sum(through), 1e-12) if through else 0.0,
        packs=max(1, math.ceil(images / per_pack)),
        splits=splits,
        shards=shards,
        record_bytes=record_bytes,
        other_bytes=other + in_truth * writing.truth_bytes,
        shuffle_bytes=images * writing.shuffle_bytes(per_pack, all_shards)
        + sum(sample.portion_bytes for sample in samples),
        ground_truth_lines=in_truth * (1 + boxes_per_image),
        picture_bytes=writing.largest_picture,
        by_content=settings.rule.key.kind == "content",
        is_global=settings.rule.is_global,
    )


def _splits(
    settings: PlanSettings, samples: Sequence[AnnotationSample], writing: WritingSample, images: float
) -> dict[str, float]:
    """Images of each split: counted where all annotations were read, else by the shares that are wanted or sampled."""
    rule = settings.rule
    if all(sample.is_whole for sample in samples):
        indexes = [index_pack(pack, settings) for sample in samples for pack in sample.packs]
        planned = make_plan(indexes, settings).shards.planned
    elif rule.fractions is not None and not rule.takes_source and not rule.fixed:
        return {name: images * share for name, share in zip(rule.names, rule.fractions.shares, strict=True)}
    else:
        planned = writing.plan.shards.planned
    total = max(1, sum(planned.values()))
    return {name: images * number / total for name, number in planned.items() if number}
