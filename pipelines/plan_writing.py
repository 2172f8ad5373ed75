"""What writing takes and gives, measured: sampled images are written to a temporary folder as a build would."""

from __future__ import annotations

import os
import statistics
import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from transforms.annotations.packs import Entry, PackedImage, decode_pack, encode_pack
from transforms.examples.existing_record import load_record
from transforms.images.image_store import ImageRefused
from transforms.images.open_image_store import open_image_store
from transforms.planning.build_estimate import READ_THREADS
from transforms.shards.coco_ground_truth import PARTS_FOLDER
from transforms.shards.dataset_folder import HANDOFF_FOLDER, LEDGER_FOLDER
from transforms.shards.prefetch import Pace
from transforms.shards.write_shard import write_shard
from transforms.shards.write_shards import WriteSettings
from transforms.splits.assign_shards import assign_pack, index_pack
from transforms.splits.build_plan import BuildPlan, PlanSettings, make_plan
from transforms.splits.hash_pictures import hash_picture
from transforms.splits.reading_index import order_hash
from transforms.splits.shard_plan import REJECTED, ShardKey, ShardSizing

_LEAST_SECONDS = 1.0
_MOST_ROUNDS = 8
_HASHED = 64
_PIXEL_BYTES = 3
# Of the key and the framing of a value in a shuffle.
_ELEMENT_BYTES = 40


@dataclass(slots=True)
class WritingSample:
    """What became of sampled images.

    Attributes:
      plan: of the sample alone.
      entries: of the sampled images.
      picture_bytes, record_bytes: of each image: its file, and its record with framing (0: rejected).
      rejected: images that were.
      assign_seconds, write_seconds, hash_seconds: for one image.
      ledger_bytes, truth_bytes: of the rows and lines of an image (of the splits that become COCO JSON).
      largest_picture: bytes, with its pixels.
    """

    plan: BuildPlan
    entries: list[PackedImage]
    picture_bytes: list[float] = field(default_factory=list)
    record_bytes: list[float] = field(default_factory=list)
    rejected: int = 0
    assign_seconds: float = 0.0
    write_seconds: float = 0.0
    hash_seconds: float = 0.0
    ledger_bytes: float = 0.0
    truth_bytes: float = 0.0
    largest_picture: float = 0.0

    def shuffle_bytes(self, images_per_pack: float, shards: int) -> float:
        """Bytes that an image takes on its way to its shard: in a pack with those of one pack that go to one shard."""
        together = max(1, round(images_per_pack / max(1, shards)))
        groups = [self.entries[first : first + together] for first in range(0, len(self.entries), together)]
        size = sum(len(encode_pack(group)) + _ELEMENT_BYTES for group in groups)
        return size / max(1, len(self.entries))


def measure_writing(
    entries: Sequence[Entry], plan_settings: PlanSettings, write_settings: WriteSettings
) -> WritingSample:
    """Plans, assigns and writes sampled images into the folder of ``write_settings``, which is there and empty.

    Raises:
      NothingToBuild, ClassIdsRefused: as a build would.
    """
    begun = time.perf_counter()
    pack = encode_pack(entries)
    settings = replace(plan_settings, sizing=ShardSizing({"": 1}), caps={})
    index = index_pack(pack, settings)
    indexed = time.perf_counter() - begun
    plan = make_plan([index], settings)
    begun = time.perf_counter()
    shards: dict[ShardKey, list[Entry]] = defaultdict(list)
    for key, part in assign_pack(pack, plan):
        shards[key] += decode_pack(part)
    assigned = time.perf_counter() - begun
    rejected = len(shards.pop(REJECTED, []))
    images = [entry for part in shards.values() for entry in part if isinstance(entry, PackedImage)]
    sample = WritingSample(plan, images, rejected=rejected)
    sample.assign_seconds = (indexed + assigned) / max(1, len(images))
    sizes, waited = _read_pictures(sample, write_settings)
    if plan_settings.rule.key.kind == "content":
        sample.hash_seconds = _hash_seconds(images[:_HASHED], plan_settings, write_settings)
    sample.write_seconds = max(_write(sample, shards, sizes, write_settings), waited / READ_THREADS)
    return sample


def _read_pictures(sample: WritingSample, settings: WriteSettings) -> tuple[dict[str, float], float]:
    """Reads each picture for the first time: their sizes by key, and the seconds that each is waited for."""
    stores = {source: open_image_store(root) for source, root in settings.image_roots.items() if root}
    sizes: dict[str, float] = {}
    begun, begun_work = time.perf_counter(), time.thread_time()
    for entry in sample.entries:
        image = entry.unpack()
        try:
            if image.record is not None:
                data = load_record(image.record, image.file_name)[0].data
            else:
                data = stores[image.source].read(image.file_name).data
        except ImageRefused:
            data = b""
        sizes[entry.key] = float(len(data))
        pixels = (image.width or 0) * (image.height or 0) * _PIXEL_BYTES
        sample.largest_picture = max(sample.largest_picture, len(data) + pixels)
    waited = (time.perf_counter() - begun) - (time.thread_time() - begun_work)
    return sizes, waited / max(1, len(sizes))


def _hash_seconds(entries: Sequence[PackedImage], plan: PlanSettings, settings: WriteSettings) -> float:
    stores = {source: open_image_store(root) for source, root in settings.image_roots.items() if root}
    begun = time.perf_counter()
    for entry in entries:
        near = plan.duplicate_distance >= 0
        hash_picture(entry.unpack(), stores.get(entry.source), settings.image_policy.max_pixels, near)
    return (time.perf_counter() - begun) / max(1, len(entries))


def _write(
    sample: WritingSample,
    shards: dict[ShardKey, list[Entry]],
    sizes: dict[str, float],
    settings: WriteSettings,
) -> float:
    """Writes the shards several times; seconds an image, the middle of all rounds."""
    shard_settings = settings.shard_settings(sample.plan)
    for place in ("", LEDGER_FOLDER, PARTS_FOLDER, HANDOFF_FOLDER):
        os.makedirs(os.path.join(settings.folder, place), exist_ok=True)
    pace = Pace(has_spare_core=settings.has_spare_core)
    rounds: list[float] = []
    written: list[float] = []
    with ThreadPoolExecutor(READ_THREADS) as executor, ThreadPoolExecutor(1) as file_executor:
        while len(rounds) < _MOST_ROUNDS and sum(rounds) < _LEAST_SECONDS:
            written.clear()
            begun = time.perf_counter()
            for key, part in shards.items():
                members = [entry for entry in part if isinstance(entry, PackedImage)]
                files = file_executor if settings.has_spare_core else None
                write_shard(key, members, sample.plan.shards, shard_settings, executor, pace, written.extend, files)
            rounds.append(time.perf_counter() - begun)
    number = max(1, len(written))
    sample.rejected += written.count(0)
    sample.record_bytes = written
    for part in shards.values():  # in the order of writing
        keys = [entry.key for entry in part if isinstance(entry, PackedImage)]
        sample.picture_bytes += [sizes[key] for key in sorted(keys, key=lambda key: (order_hash(key), key))]
    sample.ledger_bytes = _size(os.path.join(settings.folder, LEDGER_FOLDER)) / number
    truth_images = sum(len(shards[key]) for key in shards if key.split in shard_settings.ground_truth_splits)
    sample.truth_bytes = _size(os.path.join(settings.folder, PARTS_FOLDER)) / max(1, truth_images)
    return statistics.median(rounds) / number


def _size(folder: str) -> int:
    return sum(entry.stat().st_size for entry in os.scandir(folder))
