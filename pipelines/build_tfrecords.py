"""``boxmill build``: annotated images become a training-ready TFRecord dataset.

annotation files -> Read -> Plan shards -> Assign shards -> Write shards -> Commit
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, cast

from absl import flags

from pipelines import local_workers
from pipelines.flags import HELP_FLAGS, UsageError, help_text, parse_flags
from pipelines.version import VERSION

if TYPE_CHECKING:
    import apache_beam as beam

    from transforms.annotations.annotation_files import AnnotationFile, ReadUnit
    from transforms.images.image_listing import ImageListing
    from transforms.records import Rejection
    from transforms.shards.manifest import BuildIdentity
    from transforms.shards.write_shards import WriteSettings
    from transforms.splits.build_plan import PlanSettings

EXIT_WRITTEN, EXIT_FAILED, EXIT_SOME_REJECTED, EXIT_TOO_MANY_REJECTED = 0, 1, 2, 3
FORMAT_NAMES = ("auto", "coco", "voc")
# Failures that are no defects: of the input, the output folder, or the machine.
_TOLD_IN_A_SENTENCE = ("NothingToBuild", "ClassIdsRefused", "BuildRefused", "WorkerDied")
_WORKER_MODULES = (
    "transforms.shards.write_shards",
    "transforms.splits.assign_shards",
    "transforms.annotations.read_annotations",
)

FLAGS = flags.FlagValues()
flags.DEFINE_enum(
    "format",
    "auto",
    FORMAT_NAMES,
    "Format of the annotations; auto tells it from their content.",
    flag_values=FLAGS,
)
flags.DEFINE_multi_string(
    "annotations",
    [],
    "File, folder or glob pattern of annotations; may be given several times.",
    flag_values=FLAGS,
)
flags.DEFINE_string(
    "images",
    None,
    "Folder of the images. Default: JPEGImages or images beside or in the folder of annotations, else that.",
    flag_values=FLAGS,
)
flags.DEFINE_string(
    "output", None, "Folder of datasets; this one is written to OUTPUT/NAME/VERSION.", flag_values=FLAGS
)
flags.DEFINE_string("name", None, "Name of the dataset: letters, digits and _.", flag_values=FLAGS)
flags.DEFINE_string("version", "1.0.0", "Version of the dataset: three numbers.", flag_values=FLAGS)
flags.DEFINE_string(
    "splits",
    "train=0.8,val=0.2",
    "Splits and their shares. The split of an image depends on its name alone.",
    flag_values=FLAGS,
)
flags.DEFINE_string(
    "num_shards", None, "Shards of each split: train=8,val=2, or one number for all.", flag_values=FLAGS
)
flags.DEFINE_integer("examples_per_shard", None, "Images a shard at most.", lower_bound=1, flag_values=FLAGS)
flags.DEFINE_integer(
    "shard_size_mb",
    128,
    "Size of a shard, about, where neither of the two above is given.",
    lower_bound=1,
    flag_values=FLAGS,
)
flags.DEFINE_string(
    "class_map",
    None,
    "Label map (.pbtxt) or ID,NAME lines that give the class ids; boxes of other classes are dropped.",
    flag_values=FLAGS,
)
flags.DEFINE_enum(
    "class_ids",
    "auto",
    ("auto", "source", "dense"),
    "Without --class_map: the annotations' own ids, or ids from 1; auto: their own if all sources agree.",
    flag_values=FLAGS,
)
flags.DEFINE_integer(
    "voc_origin",
    0,
    "VOC coordinates are edges (0: labelImg, CVAT, most others) or 1-based pixel indices (1: the VOC challenge).",
    lower_bound=0,
    upper_bound=1,
    flag_values=FLAGS,
)
flags.DEFINE_enum(
    "image_check",
    "full",
    ("full", "header"),
    "Decode every image in full, or trust its header.",
    flag_values=FLAGS,
)
flags.DEFINE_enum(
    "exif",
    "transpose",
    ("transpose", "ignore", "reject"),
    "Images whose EXIF orientation is not upright: turn pixels and boxes, leave them, or reject them.",
    flag_values=FLAGS,
)
flags.DEFINE_integer(
    "max_megapixels",
    64,
    "Larger images are rejected before they are decoded.",
    lower_bound=1,
    flag_values=FLAGS,
)
flags.DEFINE_list(
    "coco_splits",
    ["val", "test"],
    "Splits of which handoff/ gets a COCO ground truth JSON with the ids of the records.",
    flag_values=FLAGS,
)
flags.DEFINE_float(
    "max_reject_ratio",
    0.05,
    "A build with a larger share of rejected images is not committed (exit code 3).",
    lower_bound=0,
    upper_bound=1,
    flag_values=FLAGS,
)
flags.DEFINE_boolean(
    "overwrite",
    False,
    "Replace another dataset of this name and version; it stays readable until the new one is complete.",
    flag_values=FLAGS,
)


@dataclass(frozen=True, slots=True)
class BuildInputs:
    """What lies on disk before anything is built.

    Attributes:
      source: name of the source, for the ledger.
      files: of annotations, in order of their names.
      images_root: the folder of images.
      listing: of that folder.
    """

    source: str
    files: Sequence[AnnotationFile]
    images_root: str
    listing: ImageListing


def build(
    root: beam.Pipeline,
    units: Sequence[ReadUnit],
    rejections: Sequence[Rejection],
    plan_settings: PlanSettings,
    write_settings: WriteSettings,
) -> beam.PCollection[dict[str, Any]]:
    """Adds the graph of a build to a pipeline.

    Args:
      root: the pipeline.
      units: annotation files to read.
      rejections: annotation files that no format claims.
      plan_settings: splits, shards, classes.
      write_settings: where and how to write.

    Returns:
      The manifest.
    """
    import apache_beam as beam

    from transforms.annotations.read_annotations import ReadAnnotations
    from transforms.shards.write_shards import CommitDataset, WriteShards
    from transforms.splits.assign_shards import AssignShards, PlanShards

    packs = root | "Read annotations" >> ReadAnnotations(units, rejections)  # packs of AnnotatedImage, no pixels
    plan = beam.pvalue.AsSingleton(packs | "Plan" >> PlanShards(plan_settings))
    return (
        packs
        | "Assign" >> AssignShards(plan)  # (shard, [pack])
        | "Write shards" >> WriteShards(write_settings, plan)  # ShardResult
        | "Commit" >> CommitDataset(write_settings, plan)  # the manifest
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    argv = sys.argv[1:] if argv is None else list(argv)
    if HELP_FLAGS & set(argv):
        print(_help(), end="")
        return EXIT_WRITTEN
    if any("multi_processing" in argument for argument in argv):
        local_workers.start_fork_server(_WORKER_MODULES)  # imports while this process does
    from pipelines import quiet_beam

    quiet_beam.quieten()
    from pipelines.runner import PipelineFailed, RunnerRefused
    from transforms.shards.dataset_folder import BuildRefused

    try:
        return _run(argv)
    except (UsageError, BuildRefused, RunnerRefused) as error:
        print(f"boxmill build: {error}", file=sys.stderr)
        return EXIT_FAILED
    except PipelineFailed as failed:
        print(f"boxmill build: {failed.message}", file=sys.stderr)
        if failed.kind == "TooManyRejects":
            return EXIT_TOO_MANY_REJECTED
        if failed.kind in _TOLD_IN_A_SENTENCE or failed.message.startswith("[Errno "):
            return EXIT_FAILED
        raise


def _help() -> str:
    return help_text(
        "Turns annotated images into a TFRecord dataset for the TF Object Detection API, Model Garden and TFDS.",
        "boxmill build --annotations=PATH --images=FOLDER --output=FOLDER --name=NAME [flags]",
        FLAGS,
        [
            "boxmill build --annotations=VOC2012/Annotations --images=VOC2012/JPEGImages --output=data --name=voc",
            "boxmill build --annotations=instances.json --images=photos --output=data --name=shop \\",
            "    --direct_num_workers=4 --direct_running_mode=multi_processing",
        ],
    )


def _run(argv: Sequence[str]) -> int:
    started = time.monotonic()
    values, options = parse_flags(FLAGS, argv)
    _check_names(values)
    from pipelines import build_summary
    from pipelines.progress import showing
    from pipelines.runner import run_pipeline
    from transforms.shards.dataset_folder import claimed_target
    from transforms.shards.manifest import read_manifest

    inputs = _find_inputs(values)
    plan_settings = _plan_settings(values, inputs)
    identity = _identity(values, inputs, plan_settings)
    newest = max(inputs.listing.newest, *(file.modified for file in inputs.files))
    with claimed_target(values.output, identity, newest, values.overwrite) as target:
        if target.is_done:
            manifest = read_manifest(target.final)
            print(f"{target.final} is already built from these inputs; nothing was done.")
            return _exit_code(manifest)
        units, rejections = _units_and_rejections(values, inputs)
        write_settings = _write_settings(values, inputs, plan_settings, identity, target.folder)
        with showing(build_summary.steps(inputs.listing.images)) as update:
            run_pipeline(
                lambda root: cast(None, build(root, units, rejections, plan_settings, write_settings)),
                options,
                update,
            )
    manifest = read_manifest(target.final)
    print(build_summary.summary(manifest, target.final, time.monotonic() - started), end="")
    return _exit_code(manifest)


def _check_names(values: flags.FlagValues) -> None:
    for flag in ("annotations", "output", "name"):
        if not values[flag].value:
            raise UsageError(f"--{flag} is missing; see boxmill build --help")
    if not re.fullmatch(r"[a-zA-Z]\w*", values.name, re.ASCII):
        raise UsageError(f"--name={values.name} must begin with a letter and have letters, digits and _ only")
    if not re.fullmatch(r"\d+\.\d+\.\d+", values.version):
        raise UsageError(f"--version={values.version} must be three numbers such as 1.0.0")


def _find_inputs(values: flags.FlagValues) -> BuildInputs:
    from transforms.annotations.annotation_files import AnnotationsNotFound, find_annotations
    from transforms.images.image_listing import list_images

    try:
        files = find_annotations(values.annotations, values.format)
    except AnnotationsNotFound as error:
        raise UsageError(str(error)) from None
    except OSError as error:
        raise UsageError(f"cannot read {error.filename}: {error.strerror}") from None
    root = values.images or _default_images_root(values.annotations[0])
    try:
        listing = list_images(root)
    except OSError as error:
        raise UsageError(f"--images={root} cannot be read: {error.strerror}") from None
    if not listing.images:
        raise UsageError(f"--images={root} holds no image; give the folder that the annotations' file names start from")
    # The last part of the path alone: a dataset does not depend on where its inputs lie.
    return BuildInputs(os.path.basename(os.path.abspath(values.annotations[0])), files, root, listing)


def _default_images_root(annotations: str) -> str:
    from transforms.images.image_listing import list_images
    from transforms.images.image_names import IMAGE_FOLDERS

    folder = annotations if os.path.isdir(annotations) else os.path.dirname(annotations) or "."
    parent = os.path.join(folder, os.pardir)
    candidates = [os.path.join(place, name) for place in (parent, folder) for name in IMAGE_FOLDERS]
    for candidate in candidates:
        if os.path.isdir(candidate) and list_images(candidate).images:
            return os.path.normpath(candidate)
    return folder


def _plan_settings(values: flags.FlagValues, inputs: BuildInputs) -> PlanSettings:
    from transforms.shards.label_map import parse_class_map
    from transforms.splits.build_plan import PlanSettings
    from transforms.splits.shard_plan import ShardSizing
    from transforms.splits.split_fractions import SplitFractions

    try:
        fractions = SplitFractions.parse(values.splits)
    except ValueError as error:
        raise UsageError(f"--splits: {error}") from None
    if values.num_shards and values.examples_per_shard:
        raise UsageError("--num_shards and --examples_per_shard say the same in two ways; give one of them")
    class_map = None
    if values.class_map:
        try:
            with open(values.class_map, "rb") as file:
                class_map = parse_class_map(file.read())
        except OSError as error:
            raise UsageError(f"--class_map={values.class_map} cannot be read: {error.strerror}") from None
        except ValueError as error:
            raise UsageError(f"--class_map={values.class_map}: {error}") from None
    sizing = ShardSizing(
        _shard_counts(values.num_shards, fractions.names),
        values.examples_per_shard,
        values.shard_size_mb << 20,
    )
    mean_bytes = inputs.listing.bytes / inputs.listing.images
    return PlanSettings(fractions, sizing, mean_bytes, values.class_ids, class_map)


def _shard_counts(text: str | None, splits: Sequence[str]) -> dict[str, int]:
    """Parses "8" or "train=8,val=2"."""
    if not text:
        return {}
    counts = {}
    for item in text.split(","):
        split, separator, number = item.strip().rpartition("=")
        if not number.isdecimal() or int(number) < 1 or (separator and split not in splits):
            raise UsageError(f"--num_shards={text}: {item!r} is not SPLIT=NUMBER with a split of {', '.join(splits)}")
        counts.update(dict.fromkeys([split] if separator else splits, int(number)))
    return counts


def _identity(values: flags.FlagValues, inputs: BuildInputs, plan_settings: PlanSettings) -> BuildIdentity:
    from transforms.shards.manifest import BuildIdentity, dataset_fingerprint

    settings = {
        "format": values.format,
        "splits": values.splits,
        "sizing": asdict(plan_settings.sizing),
        "class_map": plan_settings.class_map,
        "class_ids": values.class_ids,
        "voc_origin": values.voc_origin,
        "image_check": values.image_check,
        "exif": values.exif,
        "max_megapixels": values.max_megapixels,
        "coco_splits": sorted(_ground_truth_splits(values, plan_settings)),
    }
    digest = hashlib.sha256()
    for file in inputs.files:
        digest.update(f"{file.relative}\0{file.format}\0{file.sha256}\n".encode("utf-8", "surrogateescape"))
    source = {
        "name": inputs.source,
        "annotation_files": len(inputs.files),
        "annotation_formats": sorted({file.format for file in inputs.files if file.format}),
        "annotations_sha256": digest.hexdigest(),
        "images": inputs.listing.images,
        "image_bytes": inputs.listing.bytes,
        "images_digest": inputs.listing.digest,
    }
    fingerprint = dataset_fingerprint(values.name, values.version, settings, [source], VERSION)
    return BuildIdentity(values.name, values.version, fingerprint, settings, [source], VERSION)


def _ground_truth_splits(values: flags.FlagValues, plan_settings: PlanSettings) -> frozenset[str]:
    return frozenset(values.coco_splits) & frozenset(plan_settings.fractions.names)


def _units_and_rejections(values: flags.FlagValues, inputs: BuildInputs) -> tuple[list[ReadUnit], list[Rejection]]:
    from transforms.annotations.annotation_files import read_units
    from transforms.ledger.reasons import Reason
    from transforms.records import Rejection

    rejections = [
        Rejection(
            Reason.ANNOTATION_UNREADABLE,
            "no known format claims this file",
            is_image=False,
            source=inputs.source,
            annotation_file=file.relative,
        )
        for file in inputs.files
        if not file.format
    ]
    return read_units(inputs.files, inputs.source, os.path.abspath(inputs.images_root), values.voc_origin), rejections


def _write_settings(
    values: flags.FlagValues,
    inputs: BuildInputs,
    plan_settings: PlanSettings,
    identity: BuildIdentity,
    folder: str,
) -> WriteSettings:
    from transforms.images.check_image import ImagePolicy
    from transforms.shards.write_shards import WriteSettings

    return WriteSettings(
        folder=os.path.abspath(folder),
        identity=identity,
        image_roots={inputs.source: os.path.abspath(inputs.images_root)},
        image_policy=ImagePolicy(values.image_check, values.exif, values.max_megapixels * 1_000_000),
        ground_truth_splits=_ground_truth_splits(values, plan_settings),
        max_reject_ratio=values.max_reject_ratio,
    )


def _exit_code(manifest: dict[str, Any]) -> int:
    has_rejects = manifest["counts"]["images"]["rejected"] or manifest["reasons"].get("annotation_unreadable")
    return EXIT_SOME_REJECTED if has_rejects else EXIT_WRITTEN


if __name__ == "__main__":
    sys.exit(main())
