"""What ``boxmill build`` takes: its stages from counts, bytes and rates.

Rates of steps that one worker does alone were measured on one core (x86-64, 2 million images, warm local disk); the
others are measured on a sample of the user's own data, see ``pipelines/plan_build.py``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from transforms.planning.stages import Stage

# Beam, pyarrow and what else a worker process of a build imports.
WORKER_BYTES = 200e6
# Threads of a worker that read pictures, and what they may hold: see transforms/shards/prefetch.py.
READ_THREADS = 64
READ_AHEAD_BYTES = 64 * 2**20
# Of a huge file that is gone through: the ids of its boxes; all else is on the disk.
GONE_THROUGH_BOX_BYTES = 10.0
# Of the plan: indexes of 17 bytes an image, joined, sorted and looked up.
PLAN_IMAGE_BYTES = 80.0
PLAN_IMAGE_SECONDS = 0.4e-6
# Of a split by content: hashes of 24 bytes an image; 24 bytes more while they are joined and sorted, four times.
CONTENT_IMAGE_BYTES = 120.0
CONTENT_IMAGE_SECONDS = 3e-6
# A plan that depends on all images knows the split of each.
PLACED_IMAGE_BYTES = 9.0
# Of the commit: names in the ledger and in the folder compared by hashes; digests compared for leakage.
COMMIT_IMAGE_BYTES = 40.0
COMMIT_IMAGE_SECONDS = 7.5e-6
COMMIT_SHARD_SECONDS = 0.5e-3
GROUND_TRUTH_LINE_SECONDS = 2.1e-6
# Of the launcher: an annotation file is opened, its format told, and its digest made.
DESCRIBE_FILE_SECONDS = 60e-6
DESCRIBE_BYTE_SECONDS = 1e-9
# In the description of a job, compressed: an annotation file's two names.
GRAPH_ANNOTATION_BYTES = 8.0
# One request lists so many files.
LISTED_AT_ONCE = 1000
# Of a shard: itself, two ledger files, a part of the ground truth.
FILES_PER_SHARD = 3


@dataclass(frozen=True, slots=True)
class BuildVolumes:
    """How much there is.

    Attributes:
      images, boxes: that the annotations name.
      listed: files below the folders of images.
      image_bytes: of the pictures that are read.
      annotation_files, annotation_bytes: of the sources.
      units: pieces of reading, each done by one worker.
      largest_unit: share of the largest of them in the time of reading.
      huge_files: annotation files of formats that are first gone through, each by one worker.
      largest_huge_file: share of the largest of them in that.
      packs: that the readings are put into.
      splits: images of each split.
      shards: of each split.
      record_bytes: of all shards.
      other_bytes: of ledger, ground truth and descriptions.
      shuffle_bytes: of annotations on their way to their shards.
      ground_truth_lines: images and boxes of splits that become COCO JSON, too.
      picture_bytes: that one picture takes while it is checked, with its pixels if they are decoded.
      by_content: pictures are hashed before they are split.
      is_global: the split of an image depends on others.
    """

    images: float
    boxes: float
    listed: float
    image_bytes: float
    annotation_files: int
    annotation_bytes: float
    units: int
    largest_unit: float
    huge_files: int
    largest_huge_file: float
    packs: int
    splits: Mapping[str, float]
    shards: Mapping[str, int]
    record_bytes: float
    other_bytes: float
    shuffle_bytes: float
    ground_truth_lines: float
    picture_bytes: float = 0.0
    by_content: bool = False
    is_global: bool = False

    @property
    def all_shards(self) -> int:
        return sum(self.shards.values())

    @property
    def output_bytes(self) -> float:
        return self.record_bytes + self.other_bytes

    @property
    def reads(self) -> float:
        """Storage requests that read: pictures (twice if they are hashed first) and annotation files (also to tell
        their formats)."""
        return self.images * (2 if self.by_content else 1) + 2 * self.annotation_files + 2 * self.all_shards

    @property
    def writes(self) -> float:
        """Storage requests that write or list; images are listed before and after."""
        return FILES_PER_SHARD * self.all_shards + 2 * math.ceil(self.listed / LISTED_AT_ONCE) + 20


@dataclass(frozen=True, slots=True)
class BuildRates:
    """Seconds on one worker.

    Attributes:
      list_image: to list a picture.
      go_through: to go through all huge annotation files.
      read_image: to read the annotations of an image, or to make readings of what was gone through.
      assign_image: to index an image and send it to its shard.
      write_image: to read a picture, check it, encode it and write it.
      hash_image: to read and hash it before it is split.
    """

    list_image: float
    go_through: float
    read_image: float
    assign_image: float
    write_image: float
    hash_image: float = 0.0


def build_stages(volumes: BuildVolumes, rates: BuildRates) -> list[Stage]:
    """The stages of a build, in order."""
    images, shards = volumes.images, volumes.all_shards
    boxes_per_image = volumes.boxes / max(images, 1)
    reading = images * rates.read_image
    hashes = CONTENT_IMAGE_BYTES if volumes.by_content else 0.0
    planning = PLAN_IMAGE_SECONDS + (CONTENT_IMAGE_SECONDS if volumes.by_content else 0.0)
    per_shard = images / max(shards, 1)
    listing = volumes.listed * rates.list_image
    describing = volumes.annotation_files * DESCRIBE_FILE_SECONDS + volumes.annotation_bytes * DESCRIBE_BYTE_SECONDS
    commit = images * COMMIT_IMAGE_SECONDS + shards * COMMIT_SHARD_SECONDS
    commit += volumes.ground_truth_lines * GROUND_TRUTH_LINE_SECONDS
    placed = images * PLACED_IMAGE_BYTES if volumes.is_global else 0.0
    stages = [
        Stage("list inputs", listing + describing, 1, "the launcher does it alone", memory=WORKER_BYTES),
    ]
    if volumes.huge_files:
        stages.append(
            Stage(
                "go through files",
                rates.go_through,
                volumes.huge_files,
                "the largest annotation file, which one worker goes through",
                rates.go_through * volumes.largest_huge_file,
                WORKER_BYTES + GONE_THROUGH_BOX_BYTES * volumes.boxes * volumes.largest_huge_file,
            )
        )
    stages.append(
        Stage(
            "read annotations",
            reading,
            volumes.units,
            f"the largest of {volumes.units:,} pieces, each read by one worker",
            reading * volumes.largest_unit,
            WORKER_BYTES,
        )
    )
    if volumes.by_content:
        pictures = READ_AHEAD_BYTES + volumes.picture_bytes
        bound = f"{volumes.packs:,} packs of images"
        hashing = images * rates.hash_image
        stages.append(Stage("hash pictures", hashing, volumes.packs, bound, memory=WORKER_BYTES + pictures))
    return [
        *stages,
        Stage(
            "plan shards",
            images * planning,
            1,
            "one worker holds the index of all images",
            memory=WORKER_BYTES + images * (PLAN_IMAGE_BYTES + hashes),
        ),
        Stage(
            "assign to shards",
            images * rates.assign_image,
            volumes.packs,
            f"{volumes.packs:,} packs of images",
            memory=WORKER_BYTES + placed,
        ),
        Stage(
            "write shards",
            images * rates.write_image,
            shards,
            f"{shards:,} shards, each written by one worker",
            memory=WORKER_BYTES
            + placed
            + READ_AHEAD_BYTES
            + volumes.picture_bytes
            + per_shard * (2000 + 1000 * boxes_per_image),
        ),
        Stage(
            "commit",
            listing + commit,
            1,
            "one worker compares all names and closes the ledger",
            memory=WORKER_BYTES + images * COMMIT_IMAGE_BYTES,
        ),
    ]
