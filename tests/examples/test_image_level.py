from __future__ import annotations

from typing import Any

import pytest

from transforms.examples import feature_keys as keys
from transforms.examples.class_ids import ClassIds
from transforms.examples.image_level import image_level_features, track_labels
from transforms.examples.wire_format import BYTES, FLOAT, INT64
from transforms.ledger.reasons import Reason
from transforms.records import AnnotatedImage, ImageLabel

IDS = ClassIds.from_labels({"cat": 1, "개": 7})


def features(**fields: Any) -> tuple[dict[str, Any], tuple[Reason, ...]]:
    return image_level_features(AnnotatedImage("a.jpg", **fields), IDS)


def test_nothing_said_is_nothing_written() -> None:
    assert features() == ({}, ())


def test_all_kinds() -> None:
    found, reasons = features(
        captions=("A cat.", "고양이"),
        labels=(ImageLabel("개"), ImageLabel("cat", 0.0)),
        negative_classes=("cat", "개"),
        not_exhaustive_classes=("개",),
    )
    assert reasons == ()
    assert found == {
        keys.CAPTION: (BYTES, [b"A cat.", "고양이".encode()]),
        keys.IMAGE_TEXT: (BYTES, ["개".encode(), b"cat"]),
        keys.IMAGE_LABEL: (INT64, [7, 1]),
        keys.IMAGE_CONFIDENCE: (FLOAT, [1.0, 0.0]),
        keys.NEGATIVE_IDS: (INT64, [1, 7]),
        keys.NOT_EXHAUSTIVE_IDS: (INT64, [7]),
    }


@pytest.mark.parametrize(
    "fields",
    [
        {"labels": (ImageLabel("cow"),)},
        {"labels": (ImageLabel("cat", float("nan")),)},
        {"labels": (ImageLabel("cat", 1.5),)},
        {"negative_classes": ("cow",)},
        {"not_exhaustive_classes": ("cow",)},
    ],
    ids=str,
)
def test_what_cannot_be_written_is_told(fields: dict[str, Any]) -> None:
    assert features(**fields) == ({}, (Reason.IMAGE_LABEL_DROPPED,))


def test_tracks_are_int32() -> None:
    labels = track_labels(["7", "", "0", str(2**31 - 1), str(2**31), "-5", "a-7", "a-7", "a-8"])
    assert labels[:4] == [7, -1, 0, 2**31 - 1]
    assert all(0 <= label < 2**31 for label in labels[4:])
    assert labels[6] == labels[7]
    assert len(set(labels[4:])) == 4
