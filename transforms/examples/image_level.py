"""What is said of a picture as a whole: captions, classes that it has or lacks; and tracks of objects in a video."""

from __future__ import annotations

from collections.abc import Sequence

from transforms.annotations.fields import as_int64
from transforms.examples import feature_keys as keys
from transforms.examples.class_ids import ClassIds
from transforms.examples.wire_format import BYTES, FLOAT, INT64, Value
from transforms.ledger.reasons import Reason
from transforms.records import AnnotatedImage
from transforms.splits.split_fractions import key_hash

NO_TRACK = -1
# The TF Object Detection API casts tracks to int32.
MAX_TRACK = 2**31 - 1


def image_level_features(image: AnnotatedImage, class_ids: ClassIds) -> tuple[dict[str, Value], tuple[Reason, ...]]:
    """The features of what the image's source says of it as a whole, and what is to be said of them.

    A class that ``class_ids`` does not know, or a confidence that is not in 0..1, is left out and told.
    """
    if not (image.captions or image.labels or image.negative_classes or image.not_exhaustive_classes):  # as mostly
        return {}, ()
    features: dict[str, Value] = {}
    if image.captions:
        features[keys.CAPTION] = (BYTES, [caption.encode("utf-8", "replace") for caption in image.captions])
    ids = class_ids.labels
    labels = [label for label in image.labels if label.class_name in ids and 0 <= label.confidence <= 1]
    if labels:
        features[keys.IMAGE_TEXT] = (BYTES, [label.class_name.encode() for label in labels])
        features[keys.IMAGE_LABEL] = (INT64, [ids[label.class_name] for label in labels])
        features[keys.IMAGE_CONFIDENCE] = (FLOAT, [label.confidence for label in labels])
    dropped = len(image.labels) - len(labels)
    for key, names in (
        (keys.NEGATIVE_IDS, image.negative_classes),
        (keys.NOT_EXHAUSTIVE_IDS, image.not_exhaustive_classes),
    ):
        known = [ids[name] for name in names if name in ids]
        dropped += len(names) - len(known)
        if known:
            features[key] = (INT64, known)
    return features, (Reason.IMAGE_LABEL_DROPPED,) if dropped else ()


def track_labels(track_ids: Sequence[str]) -> list[int]:
    """Tracks as int32: the source's own number where it is one, else a hash of its text; NO_TRACK for none."""
    return [_track_label(track_id) for track_id in track_ids]


def _track_label(track_id: str) -> int:
    if not track_id:
        return NO_TRACK
    number = as_int64(track_id)
    return number if number is not None and 0 <= number <= MAX_TRACK else key_hash(track_id, "track") & MAX_TRACK
