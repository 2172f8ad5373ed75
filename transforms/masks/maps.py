"""Maps of a whole picture, a value a pixel: panoptic segments and semantic classes, as 8-bit PNG of one channel.

What the values mean: Model Garden, official/projects/panoptic (data loaders and configurations) and
official/vision/data/create_coco_tf_record.py. Class 0 and instance 0 are void; things have instances from 1 on, in the
order of their segments, and stuff has instance 0. In semantic maps 255 is void.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from transforms.examples import feature_keys as keys
from transforms.examples.class_ids import ClassIds
from transforms.examples.geometry import Geometry
from transforms.examples.wire_format import BYTES, Value
from transforms.images.check_image import CheckedImage
from transforms.images.image_store import ImageRefused
from transforms.ledger.reasons import Reason
from transforms.ledger.refusal import Refusal
from transforms.masks.mask_pictures import Values, values_of_picture
from transforms.masks.mask_png import png_of_values
from transforms.masks.mask_refused import MaskRefused
from transforms.masks.object_masks import MaskFiles, annotated_size
from transforms.records import AnnotatedImage, PanopticMap

VOID_CLASS = VOID_INSTANCE = 0
IGNORED = 255
_MAX_VALUE = 255
_REASONS = {
    Reason.MASK_MISSING: Reason.MAP_MISSING,
    Reason.MASK_SIZE_MISMATCH: Reason.MAP_SIZE,
    Reason.PATH_OUTSIDE_ROOT: Reason.PATH_OUTSIDE_ROOT,
}


class EncodedMaps(NamedTuple):
    """The features of a picture's maps, and what is to be said of them."""

    features: dict[str, Value]
    remarks: tuple[Reason, ...] = ()


def encode_maps(
    image: AnnotatedImage, picture: CheckedImage, geometry: Geometry, files: MaskFiles, class_ids: ClassIds
) -> EncodedMaps:
    """Encodes the maps of an image.

    Args:
      image: as annotated.
      picture: as written.
      geometry: from the plane of the annotation to the picture as written.
      files: content of the maps' files.
      class_ids: of the dataset.

    Raises:
      ImageRefused: a map cannot be used. The readers of a dataset with maps cannot do without one.
    """
    features: dict[str, Value] = {}
    if image.panoptic is None and not image.semantic_map:
        return EncodedMaps(features)
    remarks: tuple[Reason, ...] = ()
    size = annotated_size(picture, geometry)
    if image.panoptic is not None:
        values = _values(image.panoptic.path, size, files)
        classes, instances, remarks = panoptic_maps(values, image.panoptic, class_ids)
        features[keys.CATEGORY_MAP] = _feature(classes, geometry)
        features[keys.INSTANCE_MAP] = _feature(instances, geometry)
        semantic = np.where(classes == VOID_CLASS, np.uint8(IGNORED), classes)
        features[keys.SEMANTIC_MAP] = _feature(semantic, geometry)
    if image.semantic_map:
        values = _values(image.semantic_map, size, files)
        if values.max(initial=0) > _MAX_VALUE or values.min(initial=0) < 0:
            raise _refused(Reason.MAP_UNREADABLE, f"{image.semantic_map!r} has values beyond 8 bits, or colours")
        features[keys.SEMANTIC_MAP] = _feature(values.astype(np.uint8), geometry)
    return EncodedMaps(features, remarks)


def panoptic_maps(
    values: Values, panoptic: PanopticMap, class_ids: ClassIds
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8], tuple[Reason, ...]]:
    """Class and instance of each pixel, and what is to be said of them.

    Args:
      values: of the map's pixels [height, width].
      panoptic: what they mean; segments of classes that ``class_ids`` does not know become void.
      class_ids: of the dataset.

    Raises:
      ImageRefused: there are more things, or larger class ids, than 8 bits can tell.
    """
    segments = {segment.segment_id: segment for segment in reversed(panoptic.segments)}
    ids = np.array(sorted(segments), np.int64)
    known = [segment for segment in panoptic.segments if segment.class_name in class_ids.labels]
    things = [segment.segment_id for segment in known if segment.is_thing]
    largest = max((class_ids.labels[segment.class_name] for segment in known), default=0)
    if len(things) > _MAX_VALUE or largest >= IGNORED:
        detail = f"{len(things)} things, class ids up to {largest}; --class_ids=dense makes ids small"
        raise _refused(Reason.MAP_TOO_MANY, f"a panoptic map of 8 bits cannot hold {detail}")
    numbers = {segment_id: number for number, segment_id in enumerate(things, start=1)}
    ordered = [segments[segment_id] for segment_id in ids.tolist()]
    labels = [class_ids.labels.get(segment.class_name, VOID_CLASS) for segment in ordered]
    class_of = np.array([*labels, VOID_CLASS], np.uint8)
    instances = [numbers.get(segment.segment_id, VOID_INSTANCE) for segment in ordered]
    instance_of = np.array([*instances, VOID_INSTANCE], np.uint8)
    places = np.searchsorted(ids, values)
    places[places == len(ids)] = 0
    if len(ids):
        places[ids[places] != values] = len(ids)  # of no segment
    met = np.bincount(places.reshape(-1), minlength=len(ids) + 1)
    has_strangers = int(met[-1]) > np.count_nonzero((values == 0) & (places == len(ids)))
    has_gaps = len(segments) < len(panoptic.segments) or not met[:-1].all()
    remarks: tuple[Reason, ...] = (Reason.MAP_SEGMENTS_DIFFER,) if has_strangers or has_gaps else ()
    if len(known) < len(panoptic.segments):
        remarks += (Reason.IMAGE_LABEL_DROPPED,)
    return class_of[places], instance_of[places], remarks


def _values(path: str, size: tuple[int, int], files: MaskFiles) -> Values:
    data = files.get(path, Refusal(Reason.MASK_MISSING, "the annotation names no file"))
    try:
        if isinstance(data, Refusal):
            raise MaskRefused(*data)
        return values_of_picture(data, *size)
    except MaskRefused as refused:
        raise _refused(_REASONS.get(refused.reason, Reason.MAP_UNREADABLE), refused.detail) from None


def _refused(reason: Reason, detail: str) -> ImageRefused:
    return ImageRefused(reason, f"{detail}; --masks=none builds without masks and maps")


def _feature(values: npt.NDArray[np.uint8], geometry: Geometry) -> Value:
    placed = values if geometry.is_identity else geometry.pixels(values)
    return BYTES, (png_of_values(placed),)
