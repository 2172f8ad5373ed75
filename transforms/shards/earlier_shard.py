"""A shard of the dataset before: which of its images are as they were, and their records, rows and ground truth."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate, islice
from typing import Any, NamedTuple

from transforms import storage
from transforms.annotations.example_fields import values_of
from transforms.annotations.packs import PackedImage
from transforms.examples import feature_keys as keys
from transforms.examples.example_message import parse_example
from transforms.examples.wire_format import BYTES
from transforms.images.image_store import ImageRefused
from transforms.images.record_store import read_record
from transforms.ledger.ledger_rows import ImageRow
from transforms.ledger.reasons import Reason
from transforms.records import AnnotatedImage, BoxProblem, RecordAddress
from transforms.shards.coco_ground_truth import ground_truth_file
from transforms.shards.earlier_ground_truth import EarlierGroundTruth
from transforms.shards.image_inputs import annotation_digest, inputs_in
from transforms.shards.input_files import InputFiles
from transforms.shards.input_stamps import NO_STAMP, InputStamps
from transforms.shards.previous_dataset import PreviousDataset
from transforms.shards.record_framing import FOOTER_BYTES, HEADER_BYTES
from transforms.shards.reuse_file import reuse_file
from transforms.shards.shard_ledger import result_in
from transforms.shards.shard_result import ShardResult
from transforms.splits.reading_index import order_hash
from transforms.splits.shard_plan import ShardKey, ShardPlan


class KeptImage(NamedTuple):
    """An image that is as it was.

    Attributes:
      position: of its row in the shard's ledger before.
      stamp: of its files, as they are now.
    """

    position: int
    stamp: int


class EarlierShard:
    """A shard of the dataset before, with its ledger.

    Args:
      dataset: that it is of.
      key: of the shard there.
      stamps: of the dataset's inputs.
      ground_truth: of its split, if that has one.
    """

    def __init__(
        self, dataset: PreviousDataset, key: ShardKey, stamps: InputStamps, ground_truth: EarlierGroundTruth | None
    ):
        self._dataset = dataset
        self._stamps = stamps
        self._key = key
        self._ground_truth = ground_truth
        self._parts: list[list[str]] | None = None
        self.file = dataset.shards[key]
        self.path = os.path.join(dataset.folder, self.file.file)
        images = dataset.read_ledger("images", key)
        result = result_in(images.schema)
        if result is None:
            raise dataset.damage(self.file.file, "its ledger does not hold its numbers")
        self.result: ShardResult = result
        self.inputs = inputs_in(dataset.read_ledger("inputs", key))
        self.rows = [ImageRow(**row | {"reasons": tuple(row["reasons"])}) for row in images.to_pylist()]
        self._offsets = list(accumulate((inputs.record_bytes for inputs in self.inputs), initial=0))
        if len(self.rows) != len(self.inputs) or self._offsets[-1] != self.file.bytes:
            raise dataset.damage(self.file.file, "its ledger has rows of other images")
        self._box_rows = list(self._box_rows_of_images(dataset.read_ledger("boxes", key).to_pylist()))

    def _box_rows_of_images(self, rows: Sequence[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
        """For each image its rows in the box ledger that are about one of its objects each."""
        remaining = iter(rows)
        for inputs in self.inputs:
            list(islice(remaining, inputs.parsed_problems))
            yield list(islice(remaining, len(inputs.objects)))

    def unchanged(
        self,
        members: Sequence[PackedImage],
        plan: ShardPlan,
        files: InputFiles,
        is_mixed: bool,
        pool: ThreadPoolExecutor,
    ) -> dict[str, KeptImage]:
        """The images whose records and rows would be made as they are, by their keys.

        Their files are opened only where their stamps are others than before.

        Args:
          members: of the shard that goes on with this one.
          plan: of the build.
          files: of the images.
          is_mixed: see ``annotation_digest``.
          pool: of threads that look at files.
        """
        stamps = self._stamps.of_shard(self.file.number, len(self.rows)).tolist()
        positions = {inputs.key: position for position, inputs in enumerate(self.inputs)}

        def look(member: PackedImage) -> KeptImage | None:
            key_hash = order_hash(member.key)
            position = positions.get(key_hash)
            if position is None:
                return None
            inputs, row = self.inputs[position], self.rows[position]
            if annotation_digest(member, is_mixed) != inputs.annotation:
                return None
            if row.status != "rejected":
                was_repeated = Reason.SOURCE_ID_HASHED in row.reasons
                if was_repeated != (key_hash in plan.repeated_ids):
                    return None
            image = member.unpack()
            stamp = files.stamp(image)
            if stamp == stamps[position] != NO_STAMP:
                return KeptImage(position, stamp)
            try:
                is_same = row.status != "rejected" and files.digest(image) == inputs.files
            except ImageRefused:
                is_same = False
            return KeptImage(position, stamp) if is_same else None

        found = zip(members, pool.map(look, members), strict=True)
        return {member.key: kept for member, kept in found if kept is not None}

    def is_whole(self, members: Sequence[PackedImage], kept: Mapping[str, KeptImage]) -> bool:
        """Whether the shard's file may stay: its records are those of all members, and of no others."""
        records = sum(self.rows[image.position].status != "rejected" for image in kept.values())
        return len(kept) == len(members) and records == self.result.records

    def records_made_again(self, members: Sequence[PackedImage], kept: Mapping[str, KeptImage]) -> int:
        """How many of its records are those of members that are not as they were."""
        written = {inputs.key for inputs, row in zip(self.inputs, self.rows, strict=True) if row.status != "rejected"}
        return sum(member.key not in kept and order_hash(member.key) in written for member in members)

    def payload(self, image: KeptImage) -> bytes:
        """The record of an image; b"" if it was refused.

        Raises:
          PreviousRefused: it is damaged.
        """
        size = self.inputs[image.position].record_bytes
        if not size:
            return b""
        address = RecordAddress(self.path, self._offsets[image.position], size - HEADER_BYTES - FOOTER_BYTES)
        try:
            return read_record(address)
        except (ImageRefused, OSError) as error:
            raise self._dataset.damage(self.file.file, error) from None

    def hand_over(self, image: KeptImage, payload: bytes, result: ShardResult) -> list[str]:
        """Adds what a record is like to the result of another shard, but for the counts; returns its boxes' classes."""
        features = parse_example(payload)
        class_names = [text.decode() for text in values_of(features, keys.TEXT, BYTES)]
        result.optional_keys |= keys.OPTIONAL_KEYS.intersection(features)
        result.formats[values_of(features, keys.FORMAT, BYTES)[0].decode()] += 1
        result.max_boxes = max(result.max_boxes, len(class_names))
        start = 8 * self.rows[image.position].index
        result.digests += self.result.digests[start : start + 8]
        result.perceptual += self.result.perceptual[start : start + 8]
        return class_names

    def reuse(self, path: str, result: ShardResult) -> None:
        """Gives the shard's file another name, and makes the result of a shard with all its records say what it is.

        Raises:
          PreviousRefused: it has another size than it had.
          OSError: the storage failed.
        """
        if (size := storage.size_of(self.path)) != self.file.bytes:
            raise self._dataset.damage(self.file.file, f"{size} bytes, not {self.file.bytes}")
        reuse_file(self.path, path)
        before = self.result
        result.is_reused = True
        result.bytes, result.sha256, result.max_boxes = before.bytes, before.sha256, before.max_boxes
        result.optional_keys, result.formats = set(before.optional_keys), Counter(before.formats)
        result.digests, result.perceptual = bytearray(before.digests), bytearray(before.perceptual)
        result.counts.classes = Counter(before.counts.classes)
        for source, counts in result.source_counts.items():
            if source in before.source_counts:
                counts.classes = Counter(before.source_counts[source].classes)

    def box_problems(self, image: KeptImage, annotated: AnnotatedImage) -> list[BoxProblem]:
        """What is wrong with the boxes of an image, as it would be found in its annotation of now."""
        problems = list(annotated.problems)
        rows = self._box_rows[image.position]
        for number, row in zip(self.inputs[image.position].objects, rows, strict=True):
            item = annotated.objects[number]
            problems.append(
                BoxProblem(item.position, item.box_id, row["class_name"], row["status"], row["reason"], row["detail"])
            )
        return problems

    def ground_truth_lines(self, image: KeptImage) -> list[str]:
        """The lines of an image in the part of its shard; see ``GroundTruthPart``."""
        assert self._ground_truth is not None
        if self._parts is None:
            boxes = [row.boxes_written for row in self.rows if row.status != "rejected"]
            self._parts = self._ground_truth.parts(self._key.number, boxes)
        return self._parts[self.rows[image.position].index]


class EarlierShards:
    """The shards of the dataset before, each read when the one that goes on with it is written.

    Args:
      dataset: before.
      ground_truth_splits: whose COCO files are needed.
    """

    def __init__(self, dataset: PreviousDataset, ground_truth_splits: Collection[str]):
        self._dataset = dataset
        self._ground_truth_splits = ground_truth_splits
        self._ground_truth: dict[str, EarlierGroundTruth] = {}
        self._stamps = InputStamps(dataset.folder, dataset.fingerprint)

    def before(self, key: ShardKey, plan: ShardPlan) -> EarlierShard | None:
        """The shard that one of the plan goes on with; None for a new one."""
        kept = plan.kept[key.split].numbers_before
        if key.number >= len(kept):
            return None
        ground_truth = self._ground_truth_of(key.split) if key.split in self._ground_truth_splits else None
        return EarlierShard(self._dataset, ShardKey(key.split, kept[key.number]), self._stamps, ground_truth)

    def _ground_truth_of(self, split: str) -> EarlierGroundTruth:
        if split not in self._ground_truth:
            dataset = self._dataset
            shards = [shard for key, shard in dataset.shards.items() if key.split == split]
            name = ground_truth_file(dataset.name, split)
            self._ground_truth[split] = EarlierGroundTruth(
                os.path.join(dataset.folder, name),
                [shard.records for shard in shards],
                [shard.boxes for shard in shards],
                lambda how: dataset.damage(name, how),
            )
        return self._ground_truth[split]
