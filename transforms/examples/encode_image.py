"""AnnotatedImage and checked pixels to the features of one record."""

from __future__ import annotations

from collections.abc import Sequence

from transforms.examples import feature_keys as keys
from transforms.examples.check_boxes import MAX_FLOAT32, CheckedObject
from transforms.examples.class_ids import ClassIds
from transforms.examples.wire_format import BYTES, FLOAT, INT64, Value
from transforms.images.check_image import CheckedImage


def image_features(
    name: str,
    source_id: int,
    image: CheckedImage,
    sha256: str,
    objects: Sequence[CheckedObject],
    class_ids: ClassIds,
) -> dict[str, Value]:
    """The features of one image's record; see ``feature_keys`` for each.

    Args:
      name: relative to the images' root, NFC.
      source_id: unique in the dataset, 0 <= id < 2**63.
      image: checked bytes and true size.
      sha256: of the image's bytes, hex.
      objects: boxes within the picture, classes known to ``class_ids``.
    """
    ymin, xmin, ymax, xmax = _normalised_edges(objects, image.width, image.height)
    names = [item.annotation.class_name for item in objects]
    texts = [name.encode() for name in names]
    crowds = [int(bool(item.annotation.is_crowd)) for item in objects]
    areas = [item.area for item in objects]
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
        keys.LABEL: (INT64, [class_ids.labels[name] for name in names]),
        keys.TEXT: (BYTES, texts),
        keys.AREA: (FLOAT, areas),
        keys.IS_CROWD: (INT64, crowds),
        keys.TFDS_BBOX: (
            FLOAT,
            [edge for edges in zip(ymin, xmin, ymax, xmax, strict=True) for edge in edges],
        ),
        keys.TFDS_LABEL: (INT64, [class_ids.indices[name] for name in names]),
        keys.TFDS_IS_CROWD: (INT64, crowds),
    }
    _add_optional(features, objects)
    return features


def _normalised_edges(
    objects: Sequence[CheckedObject], width: int, height: int
) -> tuple[list[float], list[float], list[float], list[float]]:
    """Edges over the picture's size, 0..1: division of an edge within the picture cannot leave that range."""
    boxes = [item.box for item in objects]
    return (
        [box.ymin / height for box in boxes],
        [box.xmin / width for box in boxes],
        [box.ymax / height for box in boxes],
        [box.xmax / width for box in boxes],
    )


def _add_optional(features: dict[str, Value], objects: Sequence[CheckedObject]) -> None:
    """Adds what some object of the image has; objects whose source is silent get the key's neutral value."""
    annotations = [item.annotation for item in objects]
    for key, attribute in keys.OPTIONAL_FLAGS.items():
        flags = [getattr(annotation, attribute) for annotation in annotations]
        if any(flag is not None for flag in flags):
            features[key] = (INT64, [int(bool(flag)) for flag in flags])
    if any(annotation.pose is not None for annotation in annotations):
        features[keys.VIEW] = (BYTES, [(annotation.pose or "").encode() for annotation in annotations])
    if any(annotation.weight is not None for annotation in annotations):
        weights = [_finite(annotation.weight, 1.0) for annotation in annotations]
        features[keys.WEIGHT] = (FLOAT, weights)


def _finite(value: float | None, default: float) -> float:
    """The value if the source has one that a float32 can hold."""
    return value if value is not None and abs(value) <= MAX_FLOAT32 else default
