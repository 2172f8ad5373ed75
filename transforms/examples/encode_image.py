"""AnnotatedImage and checked pixels to the features of one record."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, repeat
from operator import itemgetter
from typing import Any

from transforms.columned_objects import Column, column_number
from transforms.examples import feature_keys as keys
from transforms.examples.checked_objects import MAX_FLOAT32, CheckedObjects
from transforms.examples.class_ids import ClassIds
from transforms.examples.image_level import track_labels
from transforms.examples.keypoints import KeypointLists, keypoint_lists
from transforms.examples.wire_format import BYTES, FLOAT, INT64, Value
from transforms.images.check_image import CheckedImage

_CLASS_NAME, _IS_CROWD, _POSE, _WEIGHT, _KEYPOINTS, _TRACK_ID = map(
    column_number, ("class_name", "is_crowd", "pose", "weight", "keypoints", "track_id")
)
_FLAGS = [(key, column_number(attribute)) for key, attribute in keys.OPTIONAL_FLAGS.items()]
_optional_columns = itemgetter(_POSE, _WEIGHT, _TRACK_ID, *(number for _, number in _FLAGS))


def image_features(
    name: str,
    source_id: int,
    image: CheckedImage,
    sha256: str,
    objects: CheckedObjects,
    class_ids: ClassIds,
) -> dict[str, Value]:
    """The features of one image's record; see ``feature_keys`` for each.

    Args:
      name: relative to the images' root, NFC.
      source_id: unique in the dataset, 0 <= id < 2**63.
      image: checked bytes and true size.
      sha256: of the image's bytes, hex.
      objects: boxes and keypoints within the picture, classes known to ``class_ids``.
    """
    columns, width, height = objects.columns, image.width, image.height
    class_names: Sequence[str] = columns[_CLASS_NAME] or ()
    # Division of an edge within the picture cannot leave 0..1.
    left, top, right, bottom = objects.edges
    xmin, xmax = [edge / width for edge in left], [edge / width for edge in right]
    ymin, ymax = [edge / height for edge in top], [edge / height for edge in bottom]
    is_crowd = columns[_IS_CROWD]
    crowds = [0] * len(objects) if is_crowd is None else _as_integers(is_crowd)
    features: dict[str, Value] = {
        keys.ENCODED: (BYTES, (image.data,)),
        keys.FORMAT: (BYTES, (image.format.encode(),)),
        keys.FILE_NAME: (BYTES, (name.encode(),)),
        keys.SOURCE_ID: (BYTES, (str(source_id).encode(),)),
        keys.SHA256: (BYTES, (sha256.encode(),)),
        keys.HEIGHT: (INT64, (image.height,)),
        keys.WIDTH: (INT64, (image.width,)),
        keys.YMIN: (FLOAT, ymin),
        keys.XMIN: (FLOAT, xmin),
        keys.YMAX: (FLOAT, ymax),
        keys.XMAX: (FLOAT, xmax),
        keys.LABEL: (INT64, [*map(class_ids.labels.__getitem__, class_names)]),
        keys.TEXT: (BYTES, [*map(str.encode, class_names)]),
        keys.AREA: (FLOAT, objects.areas),
        keys.IS_CROWD: (INT64, crowds),
        keys.TFDS_BBOX: (FLOAT, [*chain.from_iterable(zip(ymin, xmin, ymax, xmax, strict=True))]),
        keys.TFDS_LABEL: (INT64, [*map(class_ids.indices.__getitem__, class_names)]),
        keys.TFDS_IS_CROWD: (INT64, crowds),
    }
    _add_optional(features, columns)
    if class_ids.keypoints.names:
        points = zip(class_names, columns[_KEYPOINTS] or repeat(None), strict=False)
        _add_keypoints(features, keypoint_lists(points, image.width, image.height, class_ids.keypoints), class_ids)
    return features


def _add_optional(features: dict[str, Value], columns: Sequence[Column]) -> None:
    """Adds what some object of the image has; objects whose source is silent get the key's neutral value."""
    if not any(_optional_columns(columns)):  # as mostly
        return
    for key, field in _FLAGS:
        if flags := _said(columns[field]):
            features[key] = (INT64, _as_integers(flags))
    if poses := _said(columns[_POSE]):
        features[keys.VIEW] = (BYTES, [(pose or "").encode() for pose in poses])
    if weights := _said(columns[_WEIGHT]):
        features[keys.WEIGHT] = (FLOAT, [_finite(weight, 1.0) for weight in weights])
    if any(tracks := columns[_TRACK_ID] or ()):
        features[keys.TRACK] = (INT64, track_labels(tracks))


def _add_keypoints(features: dict[str, Value], lists: KeypointLists, class_ids: ClassIds) -> None:
    texts = [name.encode() for name in class_ids.keypoints.names]
    features[keys.KEYPOINT_X] = (FLOAT, lists.x)
    features[keys.KEYPOINT_Y] = (FLOAT, lists.y)
    features[keys.KEYPOINT_VISIBILITY] = (INT64, lists.visibility)
    features[keys.KEYPOINT_TEXT] = (BYTES, texts * len(lists.labelled))
    features[keys.KEYPOINT_NUMBER] = (INT64, lists.labelled)


def _said(column: Column) -> tuple[Any, ...]:
    """The column, if any object has something in it."""
    return () if column is None or column.count(None) == len(column) else column


def _as_integers(flags: Sequence[bool | None]) -> list[int]:
    return [1 if flag else 0 for flag in flags]


def _finite(value: float | None, default: float) -> float:
    """The value if the source has one that a float32 can hold."""
    return value if value is not None and abs(value) <= MAX_FLOAT32 else default
