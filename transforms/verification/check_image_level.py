"""What a record says of its picture as a whole against the label map: captions, labels, absent classes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from transforms.examples import feature_keys as keys
from transforms.examples.class_ids import ClassIds
from transforms.verification.findings import Code, Problem

_LABEL_KEYS = (keys.IMAGE_TEXT, keys.IMAGE_LABEL, keys.IMAGE_CONFIDENCE)


def missing_labels(found: Mapping[str, object]) -> Iterator[Problem]:
    """Labels of the image, their names and confidences stand together."""
    if any(key in found for key in _LABEL_KEYS):
        for key in _LABEL_KEYS:
            if key not in found:
                yield Code.KEY_MISSING, f"it has no {key}, though it has others of {', '.join(_LABEL_KEYS)}"


def check_image_level(values: Mapping[str, Sequence[object]], class_ids: ClassIds) -> Iterator[Problem]:
    """Checks what a record has of these."""
    for caption in values.get(keys.CAPTION, ()):
        assert isinstance(caption, bytes)
        if not caption.strip() or "\N{REPLACEMENT CHARACTER}" in caption.decode("utf-8", "replace"):
            yield Code.VALUE_INVALID, f"{keys.CAPTION} holds {caption!r:.80}, which is no text in UTF-8"
    for text, label in zip(values.get(keys.IMAGE_TEXT, ()), values.get(keys.IMAGE_LABEL, ()), strict=True):
        assert isinstance(text, bytes)
        if class_ids.labels.get(text.decode("utf-8", "replace")) != label:
            yield Code.LABEL_UNKNOWN, f"{keys.IMAGE_TEXT} {text!r:.80} has not the {keys.IMAGE_LABEL} {label}"
    for confidence in values.get(keys.IMAGE_CONFIDENCE, ()):
        if not 0 <= confidence <= 1:  # type: ignore[operator]
            yield Code.VALUE_INVALID, f"{keys.IMAGE_CONFIDENCE} holds {confidence}, not a number in 0..1"
    known = set(class_ids.labels.values())
    for key in (keys.NEGATIVE_IDS, keys.NOT_EXHAUSTIVE_IDS):
        if unknown := [class_id for class_id in values.get(key, ()) if class_id not in known]:
            yield Code.LABEL_UNKNOWN, f"{key} holds {unknown[0]}, which no class of the label map has"
