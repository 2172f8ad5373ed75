"""Writes shards in parallel and commits the dataset, in Beam."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import cast

import apache_beam as beam
from apache_beam.metrics import Metrics

from transforms import storage
from transforms.annotations.packs import PackedImage, decode_pack
from transforms.freed_memory import release_freed_memory
from transforms.images.check_image import ImagePolicy
from transforms.records import Rejection
from transforms.shards.commit_dataset import commit_dataset
from transforms.shards.dataset_folder import remove_leftovers
from transforms.shards.earlier_shard import EarlierShards
from transforms.shards.manifest import BuildIdentity, NotADataset, read_manifest
from transforms.shards.prefetch import MAX_THREADS, Pace
from transforms.shards.previous_dataset import PreviousDataset
from transforms.shards.remote_target import replace_dataset
from transforms.shards.shard_ledger import write_rejected
from transforms.shards.shard_result import ShardResult
from transforms.shards.shard_settings import ShardSettings
from transforms.shards.write_shard import existing_shard, write_shard
from transforms.splits.build_plan import BuildPlan
from transforms.splits.shard_plan import REJECTED, ShardKey
from transforms.storage.remote_claim import Claim

_images_done = Metrics.counter("boxmill", "images_done")
_bytes_written = Metrics.counter("boxmill", "bytes_written")
_commits = Metrics.counter("boxmill", "commits")
_shards_reused = Metrics.counter("boxmill", "shards_reused")


@dataclass(frozen=True, slots=True)
class WriteSettings:
    """What writing depends on besides the plan.

    Attributes:
      folder: to write into.
      identity: of the dataset.
      image_roots: for each source, the folder of its pictures.
      annotation_roots: for each source, the folders that its mask files are below.
      image_policy: how pictures are checked.
      with_masks: masks are written if there are any.
      ground_truth_splits: splits that also become COCO JSON.
      max_reject_ratio: of the images read; more fails the build.
      leakage_distance: of near duplicates in the training split; None if they are not looked for.
      previous: the dataset that the build goes on with.
      has_spare_core: the machine has more cores than workers: each writes its files in a thread of its own.
      claim: on a remote folder.
      final: where the commit puts a dataset that replaces another, if that is remote; else "".
    """

    folder: str
    identity: BuildIdentity
    image_roots: dict[str, str]
    annotation_roots: dict[str, tuple[str, ...]]
    image_policy: ImagePolicy
    ground_truth_splits: frozenset[str]
    max_reject_ratio: float
    with_masks: bool = True
    leakage_distance: int | None = None
    has_spare_core: bool = False
    claim: Claim | None = None
    final: str = ""
    previous: PreviousDataset | None = None

    def shard_settings(self, plan: BuildPlan) -> ShardSettings:
        return ShardSettings(
            folder=self.folder,
            name=self.identity.name,
            fingerprint=self.identity.fingerprint,
            image_roots=self.image_roots,
            image_policy=self.image_policy,
            class_ids=plan.class_ids,
            annotation_roots=self.annotation_roots,
            with_masks=self.with_masks and plan.shards.has_masks,
            with_perceptual_hashes=self.leakage_distance is not None,
            ground_truth_splits=self.ground_truth_splits & frozenset(plan.shards.splits),
            claim=self.claim,
        )


class _WriteShardDoFn(beam.DoFn):
    """Keeps one pool of reading threads for all shards of a worker."""

    def __init__(self, settings: WriteSettings):
        self._settings = settings

    def setup(self) -> None:
        self._executor = ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="read-image")
        roots = [*self._settings.image_roots.values(), *sum(self._settings.annotation_roots.values(), ())]
        is_far = any(map(storage.is_remote, roots))
        self._pace = Pace(has_spare_core=self._settings.has_spare_core, fewest_tasks=MAX_THREADS if is_far else 0)
        self._file_executor = (
            ThreadPoolExecutor(1, thread_name_prefix="write-file") if self._settings.has_spare_core else None
        )
        previous = self._settings.previous
        self._earlier = EarlierShards(previous, self._settings.ground_truth_splits) if previous else None

    def start_bundle(self) -> None:
        release_freed_memory()  # of what came before; while shards are written it is used again and again

    def teardown(self) -> None:
        self._executor.shutdown(cancel_futures=True)
        if self._file_executor is not None:
            self._file_executor.shutdown()

    def process(self, element: tuple[tuple[str, int], Iterable[bytes]], plan: BuildPlan) -> Iterator[ShardResult]:
        key, packs = ShardKey(*element[0]), element[1]
        entries = [entry for pack in packs for entry in decode_pack(pack)]
        settings = self._settings.shard_settings(plan)
        if key == REJECTED:
            rejections = cast(list[Rejection], entries)
            yield write_rejected(rejections, settings.folder, settings.fingerprint, settings.is_mixed)
            return
        result = existing_shard(key, plan.shards, settings)
        if result is not None:
            _shards_reused.inc()
            _images_done.inc(result.counts.images_read)
        else:
            result = write_shard(
                key,
                cast(list[PackedImage], entries),
                plan.shards,
                settings,
                self._executor,
                self._pace,
                _count_images,
                self._file_executor,
                None if self._earlier is None else self._earlier.before(key, plan.shards),
            )
        yield result


def _count_images(sizes: Sequence[int]) -> None:
    _images_done.inc(len(sizes))
    _bytes_written.inc(sum(sizes))


@dataclass
class WriteShards(beam.PTransform):
    """``(shard, packs)`` to ShardResults; shards that an interrupted run finished are kept."""

    settings: WriteSettings
    plan: beam.pvalue.AsSingleton

    def expand(self, grouped: beam.PCollection[tuple[tuple[str, int], list[bytes]]]) -> beam.PCollection[ShardResult]:
        return grouped | "Write shard" >> beam.ParDo(_WriteShardDoFn(self.settings), self.plan)


def _commit(results: list[ShardResult], plan: BuildPlan, settings: WriteSettings) -> dict[str, object]:
    if settings.final and (manifest := _replaced(settings)) is not None:
        return manifest
    manifest = commit_dataset(
        results,
        plan.shards,
        plan.class_ids,
        plan.shards.counts,
        settings.identity,
        settings.folder,
        settings.image_roots,
        settings.ground_truth_splits & frozenset(plan.shards.splits),
        settings.max_reject_ratio,
        settings.leakage_distance,
        settings.claim,
        settings.previous,
    )
    if settings.final:
        replace_dataset(settings.folder, settings.final)
    _commits.inc()
    return manifest


def _replaced(settings: WriteSettings) -> dict[str, object] | None:
    """The manifest that an earlier attempt at this commit has put in its place, or None."""
    try:
        manifest = read_manifest(settings.final)
    except NotADataset:
        return None
    return manifest if manifest["fingerprint"] == settings.identity.fingerprint else None


@dataclass
class CommitDataset(beam.PTransform):
    """All ShardResults to the one manifest."""

    settings: WriteSettings
    plan: beam.pvalue.AsSingleton

    def expand(self, results: beam.PCollection[ShardResult]) -> beam.PCollection[dict[str, object]]:
        return (
            results
            | "Gather results" >> beam.combiners.ToList()
            | "Commit dataset" >> beam.Map(_commit, self.plan, self.settings)
        )


@dataclass
class RemoveLeftovers(beam.PTransform):
    """The manifest to itself, when what only an unfinished build needs is gone: for jobs that nobody waits for.

    The shuffle keeps the commit for good: were it to run again, it would look for what is removed here.
    """

    settings: WriteSettings

    def expand(self, manifests: beam.PCollection[dict[str, object]]) -> beam.PCollection[dict[str, object]]:
        return (
            manifests
            | "Keep commit" >> beam.Reshuffle()
            | "Remove files" >> beam.Map(_without_leftovers, self.settings.final or self.settings.folder)
        )


def _without_leftovers(manifest: dict[str, object], folder: str) -> dict[str, object]:
    remove_leftovers(folder)
    return manifest
