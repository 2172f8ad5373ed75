"""``boxmill build``: annotated images become a training-ready TFRecord dataset.

annotation files -> Read -> Plan shards -> Assign shards -> Write shards -> Commit
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from absl import flags

from pipelines import local_workers
from pipelines.build_flags import FLAGS, build_help
from pipelines.flags import HELP_FLAGS, UsageError, parse_flags
from transforms import storage

if TYPE_CHECKING:
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions

    from transforms.annotations.read_units import ReadUnit
    from transforms.records import Rejection
    from transforms.shards.write_shards import WriteSettings
    from transforms.splits.build_plan import PlanSettings

EXIT_WRITTEN, EXIT_FAILED, EXIT_SOME_REJECTED, EXIT_TOO_MANY_REJECTED = 0, 1, 2, 3
# Failures that are no defects: of the input, the output folder, or the machine.
_TOLD_IN_A_SENTENCE = (
    "NothingToBuild",
    "ClassIdsRefused",
    "BuildRefused",
    "ClaimRefused",
    "PreviousRefused",
    "WorkerDied",
)
_PLACES_OF_WORKERS = ("annotations", "images", "output", "previous")
WORKER_MODULES = (
    "transforms.shards.write_shards",
    "transforms.splits.assign_shards",
    "transforms.annotations.read_annotations",
    "numpy.ma",  # which numpy imports when it is needed
)


def build(
    root: beam.Pipeline,
    units: Sequence[ReadUnit],
    rejections: Sequence[Rejection],
    plan_settings: PlanSettings,
    write_settings: WriteSettings,
    *,
    is_spread: bool = False,
    is_awaited: bool = True,
    pack_folder: str = "",
    workers_here: int = 0,
) -> beam.PCollection[dict[str, Any]]:
    """Adds the graph of a build to a pipeline.

    Args:
      root: the pipeline.
      units: annotation files to read.
      rejections: annotation files that no format claims.
      plan_settings: splits, shards, classes.
      write_settings: where and how to write.
      is_spread: deal work out evenly among workers elsewhere, at the price of sending annotations about twice more.
      is_awaited: the caller stays until the end, and cleans up; else the job does.
      pack_folder: see ``PackStore``.
      workers_here: all workers, if they are on this machine; then there is a pack folder.

    Returns:
      The manifest.
    """
    import apache_beam as beam

    from transforms.annotations.pack_store import PackStore
    from transforms.annotations.read_annotations import ReadAnnotations
    from transforms.shards.write_shards import CommitDataset, RemoveLeftovers, WriteShards
    from transforms.splits.assign_shards import AssignShards, PlanShards
    from transforms.splits.hash_pictures import HashPictures
    from transforms.take_turns import TakeTurns

    store = PackStore(pack_folder)
    packs = root | "Read annotations" >> ReadAnnotations(units, rejections, store)  # packs of AnnotatedImage, no pixels
    if is_spread:  # one worker may have read them all
        packs |= "Spread packs" >> beam.Reshuffle()
    pictures = None
    if plan_settings.rule.key.kind == "content":
        near, roots = plan_settings.duplicate_distance >= 0, write_settings.image_roots
        hashes = packs | "Hash" >> HashPictures(roots, write_settings.image_policy.max_pixels, near)
        pictures = beam.pvalue.AsList(hashes)
    plan = beam.pvalue.AsSingleton(packs | "Plan" >> PlanShards(plan_settings, pictures, store))
    assigned = packs | "Assign" >> AssignShards(plan, store)  # (shard, [pack])
    if is_spread:  # by its hash, a worker may have been given most shards
        assigned |= "Spread shards" >> beam.Reshuffle()
    if workers_here > 1:
        assigned |= "Share out shards" >> TakeTurns(workers_here, pack_folder)
    manifest = (
        assigned
        | "Write shards" >> WriteShards(write_settings, plan)  # ShardResult
        | "Commit" >> CommitDataset(write_settings, plan)  # the manifest
    )
    return manifest if is_awaited else manifest | "Remove leftovers" >> RemoveLeftovers(write_settings)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    argv = sys.argv[1:] if argv is None else list(argv)
    if HELP_FLAGS & set(argv):
        print(build_help(), end="")
        return EXIT_WRITTEN
    local_workers.prepare_run(argv, WORKER_MODULES)
    from pipelines.runner import PipelineFailed, RunnerRefused
    from transforms.shards.dataset_folder import BuildRefused
    from transforms.shards.previous_dataset import PreviousRefused

    try:
        return _run(argv)
    except (UsageError, BuildRefused, PreviousRefused, RunnerRefused) as error:
        print(f"boxmill build: {error}", file=sys.stderr)
        return EXIT_FAILED
    except OSError as error:
        if not storage.is_remote(str(error.filename)):
            raise
        print(f"boxmill build: {error.filename}: {error.strerror}", file=sys.stderr)
        return EXIT_FAILED
    except PipelineFailed as failed:
        print(f"boxmill build: {failed.message}", file=sys.stderr)
        if failed.kind == "TooManyRejects":
            return EXIT_TOO_MANY_REJECTED
        if failed.kind in _TOLD_IN_A_SENTENCE or failed.message.startswith("[Errno "):
            return EXIT_FAILED
        raise


def _run(argv: Sequence[str]) -> int:
    started = time.monotonic()
    values, options = parse_flags(FLAGS, argv)
    check_names(values)
    from pipelines import build_summary
    from pipelines.build_inputs import find_inputs, sources_of
    from pipelines.build_previous import check_settings, read_dataset
    from pipelines.build_settings import (
        make_identity,
        make_plan_settings,
        make_write_settings,
        read_class_map,
        takes_source_splits,
    )
    from pipelines.clusters import check_cluster, is_cluster
    from pipelines.dataflow import check_job
    from pipelines.progress import showing
    from pipelines.runner import has_spare_core, is_awaited, run_pipeline, workers_here
    from transforms.shards.coco_ground_truth import PARTS_FOLDER
    from transforms.shards.dataset_folder import claimed_target
    from transforms.shards.manifest import read_manifest

    check_job(options, {name: values[name].value for name in _PLACES_OF_WORKERS}, in_stock_image=True)
    check_cluster(options)
    class_map = read_class_map(values.class_map)
    with_masks = values.masks != "none"
    previous = read_dataset(values.previous, "--previous") if values.previous else None
    inputs = find_inputs(sources_of(values), values.sources, takes_source_splits(values), with_masks=with_masks)
    plan_settings = make_plan_settings(values, inputs, class_map, previous)
    identity = make_identity(values, inputs, plan_settings, class_map.changes, previous)
    if previous is not None:
        check_settings(previous, identity)
    newest = max(item.newest for item in inputs)
    with claimed_target(values.output, identity, newest, values.overwrite) as target:
        if target.is_done:
            manifest = read_manifest(target.final)
            print(f"{target.final} is already built from these inputs; nothing was done.")
            return _exit_code(manifest)
        work_folder = os.path.join(target.folder, PARTS_FOLDER)
        units = [unit for item in inputs for unit in item.read_units(class_map.changes, with_masks, work_folder)]
        if values.expand_hierarchy:
            units = [replace(unit, expand_hierarchy=True) for unit in units]
        rejections = [rejection for item in inputs for rejection in item.rejections()]
        write_settings = replace(
            make_write_settings(values, inputs, plan_settings, identity, target.folder, previous),
            has_spare_core=has_spare_core(options),
            claim=target.claim,
            final=target.final if target.claim is not None and target.folder != target.final else "",
        )
        with showing(build_summary.steps(sum(item.listing.images for item in inputs))) as update:

            def add_steps(root: beam.Pipeline) -> None:
                build(
                    root,
                    units,
                    rejections,
                    plan_settings,
                    write_settings,
                    is_spread=is_cluster(options),
                    is_awaited=is_awaited(options),
                    pack_folder=folder,
                    workers_here=workers_here(options),
                )

            with _folder_of_packs(options, work_folder) as folder:
                submitted = run_pipeline(add_steps, options, update)
        if submitted:  # it may not have written anything yet, and its place must stay known as ours
            storage.write_whole(os.path.join(work_folder, "submitted"), submitted.encode())
    if submitted:
        print(f"{submitted} builds {target.final}; it is a dataset when its manifest.json is there.")
        return EXIT_WRITTEN
    manifest = read_manifest(target.final)
    print(build_summary.summary(manifest, target.final, time.monotonic() - started), end="")
    return _exit_code(manifest)


@contextmanager
def _folder_of_packs(options: PipelineOptions, work_folder: str) -> Iterator[str]:
    """A folder for the time of a run that has all its workers on this machine; else ""."""
    from pipelines.runner import is_local

    if not is_local(options):
        yield ""
        return
    place = None if storage.is_remote(work_folder) else storage.absolute(work_folder)
    with tempfile.TemporaryDirectory(prefix="boxmill-", dir=place) as folder:
        yield folder


def check_names(values: flags.FlagValues) -> None:
    """Refuses what is missing, and names that readers of the dataset could not take.

    Raises:
      UsageError: with what to change.
    """
    for flag in ("annotations", "output", "name"):
        if not values[flag].value and not (flag == "annotations" and values.sources):
            raise UsageError(f"--{flag} is missing; see boxmill build --help")
    if not re.fullmatch(r"[a-zA-Z]\w*", values.name, re.ASCII):
        raise UsageError(f"--name={values.name} must begin with a letter and have letters, digits and _ only")
    if not re.fullmatch(r"\d+\.\d+\.\d+", values.version):
        raise UsageError(f"--version={values.version} must be three numbers such as 1.0.0")


def _exit_code(manifest: dict[str, Any]) -> int:
    has_rejects = manifest["counts"]["images"]["rejected"] or manifest["reasons"].get("annotation_unreadable")
    return EXIT_SOME_REJECTED if has_rejects else EXIT_WRITTEN


if __name__ == "__main__":
    sys.exit(main())
