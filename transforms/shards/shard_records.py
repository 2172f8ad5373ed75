"""The records of one shard as they are made: each image is accounted for, whether it is written or refused."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from transforms import storage
from transforms.annotations.packs import PackedImage
from transforms.columned_objects import column_number
from transforms.examples import feature_keys as keys
from transforms.ledger.ledger_rows import ImageRow
from transforms.ledger.reasons import Reason
from transforms.ledger.refusal import Refusal
from transforms.records import AnnotatedImage
from transforms.shards.coco_ground_truth import PARTS_FOLDER, GroundTruthPart, part_file_name
from transforms.shards.earlier_shard import EarlierShard
from transforms.shards.image_inputs import (
    ImageInputs,
    annotation_digest,
    inputs_parquet,
    problem_objects,
    record_digest,
)
from transforms.shards.input_stamps import write_stamps_part
from transforms.shards.load_image import KeptRecord, LoadedImage, StampedImage
from transforms.shards.make_records import MadeRecord, RecordMaker
from transforms.shards.previous_dataset import WITH_MASKS_KEY
from transforms.shards.record_framing import FOOTER_BYTES, HEADER_BYTES
from transforms.shards.shard_ledger import ShardLedger
from transforms.shards.shard_result import ShardResult, ledger_file_name, shard_file_name
from transforms.shards.shard_settings import ShardSettings
from transforms.splits.content_groups import NO_PERCEPTUAL_HASH
from transforms.splits.reading_index import order_hash
from transforms.splits.shard_plan import ShardKey, ShardPlan
from transforms.storage.atomic_file import write_atomically

_CLASS_NAME = column_number("class_name")


class ShardRecords:
    """The state of a shard that is being written: its result so far and its ledger rows."""

    def __init__(self, key: ShardKey, plan: ShardPlan, settings: ShardSettings, earlier: EarlierShard | None = None):
        self._plan = plan
        self._earlier = earlier
        self._settings = settings
        self._shards = len(plan.starts[key.split])
        self._ground_truth = GroundTruthPart() if key.split in settings.ground_truth_splits else None
        self._maker = RecordMaker(settings, with_rles=self._ground_truth is not None)
        self.result = ShardResult(key, settings.fingerprint, shard_file_name(settings.name, key, self._shards))
        self.result.earlier_file = earlier.file.file if earlier else ""
        self._ledger = ShardLedger(self.result, settings.is_mixed)
        self._inputs: list[ImageInputs] = []
        self._stamps: list[int] = []

    def add(self, members: Sequence[PackedImage], images: Sequence[StampedImage]) -> Iterator[Sequence[bytes]]:
        """Makes the records of images and accounts for each as it is taken.

        Args:
          members: some of the shard, in its order.
          images: as loaded.

        Yields:
          For each the buffers of its serialised Example; none if it was refused.
        """
        made = self._maker.make(
            (self._plan.source_id(member.key, image.image.image_id), image.image, image.loaded)
            for member, image in zip(members, images, strict=True)
            if isinstance(image.loaded, LoadedImage)
        )
        for member, image in zip(members, images, strict=True):
            yield self._account(member, image, made)

    def _account(
        self, member: PackedImage, stamped: StampedImage, made: Iterator[MadeRecord | Refusal]
    ) -> Sequence[bytes]:
        image, stamp, loaded = stamped
        if isinstance(loaded, KeptRecord):
            self.keep(member, image, loaded)
            return (loaded.payload,) if loaded.payload else ()
        self._stamps.append(stamp)
        if isinstance(loaded, Refusal):
            self._account_rejected(member, image, loaded)
            return ()
        record = next(made)
        if isinstance(record, Refusal):
            self._account_rejected(member, image, record)
            return ()
        self._account_written(member, image, loaded, record)
        return record.buffers

    def _account_written(
        self, member: PackedImage, image: AnnotatedImage, loaded: LoadedImage, record: MadeRecord
    ) -> None:
        settings, result = self._settings, self.result
        picture, stored, objects, buffers = loaded.checked, loaded.stored, record.objects, record.buffers
        source_id, checksum = record.source_id, order_hash(member.key)
        result.optional_keys |= keys.OPTIONAL_KEYS.intersection(record.keys)
        result.formats[picture.format] += 1
        if self._ground_truth is not None:
            self._ground_truth.add(stored.name, source_id, picture, objects, settings.class_ids, record.rles)
        repairs = record.repairs
        if checksum in self._plan.repeated_ids:
            repairs += (Reason.SOURCE_ID_HASHED,)
        reasons = (*image.repairs, *stored.repairs, *picture.repairs, *repairs)
        row = ImageRow(
            image.source,
            image.annotation_file,
            stored.name,
            str(source_id),
            "repaired" if reasons else "written",
            tuple(map(str, reasons)),
            record.detail,
            result.key.split,
            result.key.number,
            result.records,
            image.boxes_read,
            len(objects),
        )
        self._ledger.add_image(row, checksum, record.problems, objects.columns[_CLASS_NAME] or ())
        result.records += 1
        result.max_boxes = max(result.max_boxes, len(objects))
        result.digests += bytes.fromhex(loaded.sha256[:16])
        if settings.with_perceptual_hashes:
            result.perceptual += (loaded.perceptual or NO_PERCEPTUAL_HASH).to_bytes(8, "little")
        self._inputs.append(
            ImageInputs(
                checksum,
                annotation_digest(member, settings.is_mixed),
                loaded.files_digest,
                record_digest(buffers, picture.data),
                HEADER_BYTES + sum(map(len, buffers)) + FOOTER_BYTES,
                len(image.problems),
                problem_objects(image, record.problems),
            )
        )

    def keep(self, member: PackedImage, image: AnnotatedImage, kept: KeptRecord) -> None:
        """Accounts for an image that is as it was; only what its annotation's place is called may be new."""
        assert self._earlier is not None
        position = kept.image.position
        row, inputs = self._earlier.rows[position], self._earlier.inputs[position]
        self._stamps.append(kept.image.stamp)
        if row.status == "rejected":
            self._account_rejected(member, image, Refusal(Reason(row.reasons[0]), row.detail))
            return
        class_names = self._earlier.hand_over(kept.image, kept.payload, self.result) if kept.payload else []
        if self._ground_truth is not None:
            self._ground_truth.keep(self._earlier.ground_truth_lines(kept.image))
        row = row._replace(
            source=image.source,
            annotation_file=image.annotation_file,
            shard=self.result.key.number,
            index=self.result.records,
            boxes_read=image.boxes_read,
        )
        problems = self._earlier.box_problems(kept.image, image)
        self._ledger.add_image(row, inputs.key, problems, class_names)
        self._inputs.append(inputs._replace(parsed_problems=len(image.problems)))
        self.result.records += 1
        self.result.kept += 1

    def _account_rejected(self, member: PackedImage, image: AnnotatedImage, refusal: Refusal) -> None:
        checksum = order_hash(member.key)
        row = ImageRow(
            image.source,
            image.annotation_file,
            image.file_name,
            image.image_id,
            "rejected",
            (str(refusal.reason),),
            refusal.detail,
            boxes_read=image.boxes_read,
        )
        lost = image.lost_boxes(Reason.IMAGE_REJECTED, f"the image was rejected: {refusal}")
        self._ledger.add_image(row, checksum, lost)
        digest = annotation_digest(member, self._settings.is_mixed)
        self._inputs.append(ImageInputs(checksum, digest, parsed_problems=len(lost)))

    def write_ledger(self) -> None:
        """Writes the ledger's files; the one that holds the result comes last and makes the shard count as done."""
        folder, key = self._settings.folder, self.result.key
        if not storage.is_remote(folder):
            # A commit has removed it if this is a retry of what had been done.
            os.makedirs(os.path.join(folder, PARTS_FOLDER), exist_ok=True)
        if self._ground_truth is not None:
            write_atomically(os.path.join(folder, part_file_name(key)), self._ground_truth.to_bytes())
        write_stamps_part(folder, key, self._stamps)
        inputs = inputs_parquet(self._inputs, {WITH_MASKS_KEY: str(self._settings.with_masks)})
        write_atomically(os.path.join(folder, ledger_file_name("inputs", key, self._shards)), inputs)
        self._ledger.write(folder, self._shards)
