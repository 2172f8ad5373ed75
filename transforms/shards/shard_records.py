"""The records of one shard as they are made: each image is encoded or refused, and accounted for."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from transforms import storage
from transforms.annotations.packs import PackedImage
from transforms.columned_objects import ColumnedObjects, column_number
from transforms.examples import feature_keys as keys
from transforms.examples.check_boxes import MAX_BOXES, check_objects
from transforms.examples.checked_objects import CheckedObject, CheckedObjects
from transforms.examples.encode_image import image_features
from transforms.examples.existing_record import update_record
from transforms.examples.geometry import Geometry, geometry_of
from transforms.examples.image_level import image_level_features
from transforms.examples.wire_format import BYTES, encode_example
from transforms.images.check_image import CheckedImage
from transforms.images.image_store import ImageRefused
from transforms.ledger.ledger_rows import ImageRow
from transforms.ledger.reasons import Reason
from transforms.masks.maps import encode_maps
from transforms.masks.object_masks import ObjectMasks, encode_masks
from transforms.masks.written_masks import broken_mask
from transforms.records import AnnotatedImage, BoxProblem, MaskBitmap, ObjectAnnotation
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
from transforms.shards.load_image import KeptRecord, LoadedImage
from transforms.shards.previous_dataset import WITH_MASKS_KEY
from transforms.shards.record_framing import FOOTER_BYTES, HEADER_BYTES
from transforms.shards.shard_ledger import ShardLedger
from transforms.shards.shard_result import ShardResult, ledger_file_name, shard_file_name
from transforms.shards.shard_settings import ShardSettings
from transforms.splits.content_groups import NO_PERCEPTUAL_HASH
from transforms.splits.reading_index import order_hash
from transforms.splits.shard_plan import ShardKey, ShardPlan
from transforms.storage.atomic_file import write_atomically

MAX_PICTURE_BYTES = 256 << 20
_CLASS_NAME = column_number("class_name")
_NOT_IN_MAP = "class {!r} is not in the class map"


class ShardRecords:
    """The state of a shard that is being written: its result so far and its ledger rows."""

    def __init__(self, key: ShardKey, plan: ShardPlan, settings: ShardSettings, earlier: EarlierShard | None = None):
        self._plan = plan
        self._earlier = earlier
        self._settings = settings
        self._shards = len(plan.starts[key.split])
        self._ground_truth = GroundTruthPart() if key.split in settings.ground_truth_splits else None
        self.result = ShardResult(key, settings.fingerprint, shard_file_name(settings.name, key, self._shards))
        self.result.earlier_file = earlier.file.file if earlier else ""
        self._ledger = ShardLedger(self.result, settings.is_mixed)
        self._inputs: list[ImageInputs] = []
        self._stamps: list[int] = []

    def add(
        self, member: PackedImage, image: AnnotatedImage, loaded: LoadedImage | ImageRefused, stamp: int
    ) -> Sequence[bytes]:
        """Encodes one image, or refuses it and gives no buffers; either way it is accounted for."""
        settings, result, class_ids = self._settings, self.result, self._settings.class_ids
        self._stamps.append(stamp)
        checksum = order_hash(member.key)
        try:
            if isinstance(loaded, ImageRefused):
                raise loaded
            picture, stored = loaded.checked, loaded.stored
            geometry, repairs = geometry_of(image, picture, settings.image_policy.frame)
            checked, problems = self._check(image, picture, geometry)
            is_kept = self._keeps_masks(loaded, geometry)
            masks = self._encode_masks(checked, loaded, geometry, is_kept)
            maps = encode_maps(image, picture, geometry, loaded.mask_files, class_ids)
        except ImageRefused as refused:
            self._account_rejected(member, image, refused)
            return ()
        source_id = self._plan.source_id(member.key, image.image_id)
        features = image_features(stored.name, source_id, picture, loaded.sha256, checked, class_ids)
        of_image, remarks = image_level_features(image, class_ids)
        features |= of_image | maps.features
        if remarks or maps.remarks:
            repairs += tuple(dict.fromkeys(remarks + maps.remarks))
        if settings.is_mixed:
            features[keys.SOURCE] = (BYTES, (image.source.encode(),))
        if masks is not None and not is_kept:
            features |= masks.features()
            problems += masks.problems
        update = None
        if loaded.existing is not None:
            update = update_record(
                loaded.existing,
                features,
                kept=[int(item.annotation.box_id) for item in checked],
                is_same_plane=geometry.is_same_plane,
                has_same_ids=image.record is not None and self._has_ids(image.record.class_ids),
            )
            features = update.features
            repairs += (Reason.RECORD_UPDATED,) if update.detail else ()
        result.optional_keys |= keys.OPTIONAL_KEYS.intersection(features)
        result.formats[picture.format] += 1
        if self._ground_truth is not None:
            rles = masks.rles if masks is not None else ()
            self._ground_truth.add(stored.name, source_id, picture, checked, class_ids, rles)
        if checksum in self._plan.repeated_ids:
            repairs += (Reason.SOURCE_ID_HASHED,)
        reasons = (*image.repairs, *stored.repairs, *picture.repairs, *repairs)
        row = ImageRow(
            image.source,
            image.annotation_file,
            stored.name,
            str(source_id),
            "repaired" if reasons else "written",
            reasons=tuple(map(str, reasons)),
            detail=update.detail if update is not None else "",
            split=result.key.split,
            shard=result.key.number,
            index=result.records,
            boxes_read=image.boxes_read,
            boxes_written=len(checked),
        )
        self._ledger.add_image(row, checksum, problems, checked.columns[_CLASS_NAME] or ())
        result.records += 1
        result.max_boxes = max(result.max_boxes, len(checked))
        result.digests += bytes.fromhex(loaded.sha256[:16])
        if settings.with_perceptual_hashes:
            result.perceptual += (loaded.perceptual or NO_PERCEPTUAL_HASH).to_bytes(8, "little")
        buffers = update.buffers if update is not None else encode_example(features)
        self._inputs.append(
            ImageInputs(
                checksum,
                annotation_digest(member, settings.is_mixed),
                loaded.files_digest,
                record_digest(buffers, picture.data),
                HEADER_BYTES + sum(map(len, buffers)) + FOOTER_BYTES,
                len(image.problems),
                problem_objects(image, problems),
            )
        )
        return buffers

    def keep(self, member: PackedImage, image: AnnotatedImage, kept: KeptRecord) -> None:
        """Accounts for an image that is as it was; only what its annotation's place is called may be new."""
        assert self._earlier is not None
        position = kept.image.position
        row, inputs = self._earlier.rows[position], self._earlier.inputs[position]
        self._stamps.append(kept.image.stamp)
        if row.status == "rejected":
            self._account_rejected(member, image, ImageRefused(Reason(row.reasons[0]), row.detail))
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

    def _has_ids(self, class_ids: tuple[tuple[str, int], ...]) -> bool:
        labels = self._settings.class_ids.labels
        return bool(class_ids) and all(labels.get(name) == class_id for name, class_id in class_ids)

    def _check(
        self, image: AnnotatedImage, picture: CheckedImage, geometry: Geometry
    ) -> tuple[CheckedObjects, list[BoxProblem]]:
        if len(image.objects) > MAX_BOXES:
            raise ImageRefused(Reason.TOO_MANY_BOXES, f"{len(image.objects)} boxes, the limit is {MAX_BOXES}")
        if len(picture.data) > MAX_PICTURE_BYTES:
            raise ImageRefused(Reason.EXAMPLE_TOO_LARGE, f"{len(picture.data)} bytes, the limit is {MAX_PICTURE_BYTES}")
        labels = self._settings.class_ids.labels
        known = image.objects
        if not all(map(labels.__contains__, _class_names(known))):
            known = [item for item in known if item.class_name in labels]
        checked, problems = check_objects(known, geometry, self._settings.class_ids.keypoints)
        if len(known) < len(image.objects):
            problems += [
                BoxProblem(
                    item.position,
                    item.box_id,
                    item.class_name,
                    "dropped",
                    Reason.UNKNOWN_CLASS,
                    _NOT_IN_MAP.format(item.class_name),
                )
                for item in image.objects
                if item.class_name not in labels
            ]
        return checked, [*image.problems, *problems]

    def _keeps_masks(self, loaded: LoadedImage, geometry: Geometry) -> bool:
        """Whether the masks of an existing record stay as they are."""
        if loaded.existing is None or not (stored := loaded.existing.masks()):
            return False
        size = (loaded.checked.width, loaded.checked.height)
        return geometry.is_same_plane and not any(broken_mask(data, *size) for data in set(stored))

    def _encode_masks(
        self, checked: Sequence[CheckedObject], loaded: LoadedImage, geometry: Geometry, is_kept: bool
    ) -> ObjectMasks | None:
        """The masks, if there are any; of those that are kept only what the ground truth needs."""
        with_rles = self._ground_truth is not None
        if loaded.existing is not None and (stored := loaded.existing.masks()):
            if is_kept and not with_rles:
                return None
            checked = [
                item._replace(annotation=item.annotation._replace(mask=MaskBitmap(stored[int(item.annotation.box_id)])))
                for item in checked
            ]
        elif not self._settings.with_masks:
            return None
        return encode_masks(checked, loaded.checked, geometry, loaded.mask_files, with_rles)

    def _account_rejected(self, member: PackedImage, image: AnnotatedImage, refused: ImageRefused) -> None:
        checksum = order_hash(member.key)
        row = ImageRow(
            image.source,
            image.annotation_file,
            image.file_name,
            image.image_id,
            "rejected",
            (str(refused.reason),),
            refused.detail,
            boxes_read=image.boxes_read,
        )
        lost = image.lost_boxes(Reason.IMAGE_REJECTED, f"the image was rejected: {refused}")
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


def _class_names(objects: Sequence[ObjectAnnotation]) -> Iterable[str]:
    if isinstance(objects, ColumnedObjects):
        return objects.columns[_CLASS_NAME] or ()
    return [item.class_name for item in objects]
