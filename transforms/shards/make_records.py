"""Images as loaded to records: checked, made features of and encoded, some images at a time.

Each step is done for all of them before the next. Image by image it takes a quarter longer: the pictures, and each
step's code and tables, push those of the other steps out of the processor's caches.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from transforms.columned_objects import ColumnedObjects, column_number
from transforms.examples import feature_keys as keys
from transforms.examples.check_boxes import MAX_BOXES, check_objects
from transforms.examples.checked_objects import CheckedObject, CheckedObjects
from transforms.examples.encode_image import image_features
from transforms.examples.existing_record import update_record
from transforms.examples.geometry import Geometry, geometry_of
from transforms.examples.image_level import image_level_features
from transforms.examples.wire_format import BYTES, Value, encode_example
from transforms.images.check_image import CheckedImage
from transforms.images.image_store import ImageRefused
from transforms.ledger.reasons import Reason
from transforms.ledger.refusal import Refusal
from transforms.masks.maps import encode_maps
from transforms.masks.object_masks import ObjectMasks, encode_masks
from transforms.masks.written_masks import broken_mask
from transforms.records import AnnotatedImage, BoxProblem, MaskBitmap, ObjectAnnotation, Rle
from transforms.shards.load_image import LoadedImage
from transforms.shards.shard_settings import ShardSettings

MAX_PICTURE_BYTES = 256 << 20
_CLASS_NAME = column_number("class_name")
_NOT_IN_MAP = "class {!r} is not in the class map"


class MadeRecord(NamedTuple):
    """The record of an image.

    Attributes:
      source_id: in it.
      objects: that it has.
      problems: of the image's boxes; those that were found in reading come first.
      repairs: of the image, besides those of its annotation and its picture.
      rles: masks of the objects, if they are wanted.
      keys: of its features.
      buffers: whose concatenation is the serialised Example.
      detail: what was done to a stored record.
    """

    source_id: int
    objects: CheckedObjects
    problems: Sequence[BoxProblem]
    repairs: tuple[Reason, ...]
    rles: Sequence[Rle]
    keys: Collection[str]
    buffers: Sequence[bytes]
    detail: str = ""


class _CheckedImage(NamedTuple):
    """An image of which a record can be made.

    Attributes:
      source_id, objects, problems, repairs, rles: see ``MadeRecord``.
      beside: features of masks, of maps and of the image as a whole.
      is_same_plane: see ``Geometry``.
    """

    source_id: int
    image: AnnotatedImage
    loaded: LoadedImage
    objects: CheckedObjects
    problems: list[BoxProblem]
    repairs: tuple[Reason, ...]
    rles: Sequence[Rle]
    beside: dict[str, Value]
    is_same_plane: bool


class RecordMaker:
    """Makes records.

    Args:
      settings: of the shard.
      with_rles: masks are wanted as run lengths too.
    """

    def __init__(self, settings: ShardSettings, with_rles: bool):
        self._settings = settings
        self._class_ids = settings.class_ids
        self._with_rles = with_rles

    def make(self, images: Iterable[tuple[int, AnnotatedImage, LoadedImage]]) -> Iterator[MadeRecord | Refusal]:
        """The record of each image, or why it has none.

        Args:
          images: that fit into memory, with the ids that their records get: unique in the dataset, 0 <= id < 2**63.
        """
        remaining = iter(images)
        # Masks to be made take memory, and so long that little else counts.
        at_once = 1 if self._settings.with_masks else None
        while some := list(islice(remaining, at_once)):
            checked = [self._checked(*image) for image in some]
            features = [{} if isinstance(item, Refusal) else self._features(item) for item in checked]
            yield from [
                item if isinstance(item, Refusal) else self._encoded(item, its_features)
                for item, its_features in zip(checked, features, strict=True)
            ]

    def _checked(self, source_id: int, image: AnnotatedImage, loaded: LoadedImage) -> _CheckedImage | Refusal:
        picture = loaded.checked
        try:
            geometry, repairs = geometry_of(image, picture, self._settings.image_policy.frame)
            objects, problems = self._checked_objects(image, picture, geometry)
            is_kept = self._keeps_masks(loaded, geometry)
            masks = self._masks(objects, loaded, geometry, is_kept)
            maps = encode_maps(image, picture, geometry, loaded.mask_files, self._class_ids)
        except ImageRefused as refused:
            return refused.refusal
        of_image, remarks = image_level_features(image, self._class_ids)
        beside = of_image | maps.features
        if remarks or maps.remarks:
            repairs += tuple(dict.fromkeys(remarks + maps.remarks))
        rles: Sequence[Rle] = ()
        if masks is not None:
            rles = masks.rles
            if not is_kept:
                beside |= masks.features()
                problems += masks.problems
        return _CheckedImage(source_id, image, loaded, objects, problems, repairs, rles, beside, geometry.is_same_plane)

    def _checked_objects(
        self, image: AnnotatedImage, picture: CheckedImage, geometry: Geometry
    ) -> tuple[CheckedObjects, list[BoxProblem]]:
        if len(image.objects) > MAX_BOXES:
            raise ImageRefused(Reason.TOO_MANY_BOXES, f"{len(image.objects)} boxes, the limit is {MAX_BOXES}")
        if len(picture.data) > MAX_PICTURE_BYTES:
            raise ImageRefused(Reason.EXAMPLE_TOO_LARGE, f"{len(picture.data)} bytes, the limit is {MAX_PICTURE_BYTES}")
        labels = self._class_ids.labels
        known = image.objects
        if not all(map(labels.__contains__, _class_names(known))):
            known = [item for item in known if item.class_name in labels]
        objects, problems = check_objects(known, geometry, self._class_ids.keypoints)
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
        return objects, [*image.problems, *problems]

    def _keeps_masks(self, loaded: LoadedImage, geometry: Geometry) -> bool:
        """Whether the masks of an existing record stay as they are."""
        if loaded.existing is None or not (stored := loaded.existing.masks()):
            return False
        size = (loaded.checked.width, loaded.checked.height)
        return geometry.is_same_plane and not any(broken_mask(data, *size) for data in set(stored))

    def _masks(
        self, objects: Sequence[CheckedObject], loaded: LoadedImage, geometry: Geometry, is_kept: bool
    ) -> ObjectMasks | None:
        """The masks, if there are any; of those that are kept only what the ground truth needs."""
        if loaded.existing is not None and (stored := loaded.existing.masks()):
            if is_kept and not self._with_rles:
                return None
            objects = [
                item._replace(annotation=item.annotation._replace(mask=MaskBitmap(stored[int(item.annotation.box_id)])))
                for item in objects
            ]
        elif not self._settings.with_masks:
            return None
        return encode_masks(objects, loaded.checked, geometry, loaded.mask_files, self._with_rles)

    def _features(self, item: _CheckedImage) -> dict[str, Value]:
        loaded = item.loaded
        features = image_features(
            loaded.stored.name, item.source_id, loaded.checked, loaded.sha256, item.objects, self._class_ids
        )
        if item.beside:
            features |= item.beside
        if self._settings.is_mixed:
            features[keys.SOURCE] = (BYTES, (item.image.source.encode(),))
        return features

    def _encoded(self, item: _CheckedImage, features: dict[str, Value]) -> MadeRecord:
        source_id, image, loaded, objects, problems, repairs, rles, _, is_same_plane = item
        if loaded.existing is None:
            return MadeRecord(source_id, objects, problems, repairs, rles, features.keys(), encode_example(features))
        update = update_record(
            loaded.existing,
            features,
            kept=[int(item.annotation.box_id) for item in objects],
            is_same_plane=is_same_plane,
            has_same_ids=image.record is not None and self._has_ids(image.record.class_ids),
        )
        if update.detail:
            repairs += (Reason.RECORD_UPDATED,)
        keys_of_record = update.features.keys()
        return MadeRecord(source_id, objects, problems, repairs, rles, keys_of_record, update.buffers, update.detail)

    def _has_ids(self, class_ids: tuple[tuple[str, int], ...]) -> bool:
        labels = self._class_ids.labels
        return bool(class_ids) and all(labels.get(name) == class_id for name, class_id in class_ids)


def _class_names(objects: Sequence[ObjectAnnotation]) -> Iterable[str]:
    if isinstance(objects, ColumnedObjects):
        return objects.columns[_CLASS_NAME] or ()
    return [item.class_name for item in objects]
