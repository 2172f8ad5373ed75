"""Writes one shard: reads its pictures ahead, checks, encodes and streams them into a file; accounts for each.

A shard is a pure function of its members and the settings: the same bytes in every attempt, on every runner.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from operator import attrgetter

from transforms import storage
from transforms.annotations.packs import PackedImage
from transforms.shards.coco_ground_truth import part_file_name
from transforms.shards.earlier_shard import EarlierShard, KeptImage
from transforms.shards.input_files import InputFiles
from transforms.shards.input_stamps import stamps_part_name
from transforms.shards.load_image import ImageLoader, KeptRecord
from transforms.shards.prefetch import Pace, prefetch
from transforms.shards.record_framing import frame_record
from transforms.shards.shard_ledger import read_result
from transforms.shards.shard_records import ShardRecords
from transforms.shards.shard_result import ShardResult
from transforms.shards.shard_settings import ShardSettings
from transforms.splits.reading_index import order_hash
from transforms.splits.shard_plan import ShardKey, ShardPlan
from transforms.storage.atomic_file import AtomicFile, open_atomic
from transforms.storage.remote_file import sha256_of_file

OnImages = Callable[[Sequence[int]], None]
"""Called now and then with the bytes of each record made since the last call, 0 for an image without a new one."""

# Records are written so many at a time: the pictures of each would push what encodes the next one out of the cache.
_BYTES_AT_ONCE = 1 << 20
_IMAGES_AT_ONCE = 256
_SIZE = attrgetter("size")


def write_shard(
    key: ShardKey,
    members: Sequence[PackedImage],
    plan: ShardPlan,
    settings: ShardSettings,
    executor: ThreadPoolExecutor,
    pace: Pace | None = None,
    on_images: OnImages = lambda sizes: None,
    file_executor: ThreadPoolExecutor | None = None,
    earlier: EarlierShard | None = None,
) -> ShardResult:
    """Writes a shard and its ledger, in that order, each whole or not at all.

    Args:
      key: which shard.
      members: all its images, in any order.
      plan: for the ids of records and the number of shards.
      settings: see there.
      executor: threads that read pictures.
      pace: how far to read ahead, as learnt from earlier shards.
      on_images: see there.
      file_executor: see ``AtomicFile``.
      earlier: the shard of a dataset before that this one goes on with: what has not changed is taken over from it.

    Raises:
      OSError: the storage failed.
      PreviousRefused: the dataset before is damaged.
    """
    ordered = sorted(members, key=lambda member: (order_hash(member.key), member.key))
    files = InputFiles.of(settings.image_roots, settings.annotation_roots, settings.with_masks)
    kept: dict[str, KeptImage] = {}
    if earlier is not None:
        kept = earlier.unchanged(ordered, plan, files, settings.is_mixed, executor)
    records = ShardRecords(key, plan, settings, earlier)
    path = os.path.join(settings.folder, records.result.file)
    if earlier is not None and earlier.is_whole(ordered, kept):
        for member in ordered:
            records.keep(member, member.unpack(), KeptRecord(kept[member.key], b""))
        on_images([0] * len(ordered))
        earlier.reuse(path, records.result)
        records.write_ledger()
        return records.result
    loader = ImageLoader(files, settings.image_policy, settings.with_perceptual_hashes, earlier, kept)
    with open_atomic(path, file_executor) as file:
        waiting = _WaitingRecords(file, on_images)
        for batch, images in prefetch(ordered, loader.load, _SIZE, executor, pace):
            for buffers in records.add(batch, images):
                waiting.add(buffers)
        waiting.write()
        if settings.claim is not None:
            settings.claim.check()
        file.commit()
        records.result.bytes, records.result.sha256 = file.bytes_written, file.sha256
    if earlier is not None:
        records.result.made_again = earlier.records_made_again(members, kept)
    records.write_ledger()
    return records.result


class _WaitingRecords:
    """Records that are written together."""

    def __init__(self, file: AtomicFile, on_images: OnImages):
        self._file = file
        self._on_images = on_images
        self._records: list[Sequence[bytes]] = []
        self._sizes: list[int] = []
        self._bytes = 0

    def add(self, buffers: Sequence[bytes]) -> None:
        """Takes the record of an image; none if it was refused."""
        size = sum(map(len, buffers))
        self._records.append(buffers)
        self._sizes.append(size)
        self._bytes += size
        if self._bytes >= _BYTES_AT_ONCE or len(self._sizes) >= _IMAGES_AT_ONCE:
            self.write()

    def write(self) -> None:
        if framed := [part for buffers in self._records if buffers for part in frame_record(buffers)]:
            self._file.write(framed)
        self._on_images(self._sizes)
        self._records, self._sizes, self._bytes = [], [], 0


def existing_shard(key: ShardKey, plan: ShardPlan, settings: ShardSettings) -> ShardResult | None:
    """The result of this very shard from an interrupted run, if all its files are whole, else None."""
    result = read_result(settings.folder, key, len(plan.starts[key.split]))
    if result is None or result.fingerprint != settings.fingerprint:
        return None
    parts = [stamps_part_name(key), *([part_file_name(key)] if key.split in settings.ground_truth_splits else [])]
    if not all(storage.exists(os.path.join(settings.folder, part)) for part in parts):
        return None
    status = storage.status(os.path.join(settings.folder, result.file))
    return result if status is not None and sha256_of_file(status) == result.sha256 else None
