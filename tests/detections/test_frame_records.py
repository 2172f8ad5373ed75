from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from transforms.detections.frame_records import frame_example
from transforms.detections.segment_findings import FrameRows
from transforms.examples.feature_keys import FEATURE_KEYS
from transforms.shards.record_framing import read_records
from transforms.videos.decoding import DecodedFrame

tf = pytest.importorskip("tensorflow")

PIXELS = np.full((40, 60, 3), (200, 30, 30), np.uint8)
FRAME = DecodedFrame(7, 700, 0.25, False, PIXELS)
ROWS = FrameRows(
    7,
    np.array([[0.1, 0.2, 0.5, 0.7], [0, 0, 1, 1]], np.float32),
    np.array([0.9, 0.3], np.float32),
    np.array([18, 3], np.int32),
)


def parsed(rows: FrameRows, *, as_annotations: bool) -> dict[str, list]:
    data = b"".join(frame_example(FRAME, rows, {18: "개"}, "거리", as_annotations=as_annotations))
    [record] = read_records(io.BytesIO(data))
    feature = tf.train.Example.FromString(record).features.feature
    return {key: list(getattr(value, value.WhichOneof("kind")).value) for key, value in feature.items()}


def test_detections_and_the_image() -> None:
    found = parsed(ROWS, as_annotations=False)
    assert found["image/detection/label"] == [18, 3]
    assert found["image/detection/score"] == pytest.approx([0.9, 0.3])
    assert found["image/detection/bbox/ymin"] == pytest.approx([0.1, 0])
    assert found["image/detection/bbox/xmax"] == pytest.approx([0.7, 1])
    assert (found["image/height"], found["image/width"], found["image/timestamp"]) == ([40], [60], [0.25])
    assert found["image/filename"] == ["거리_000007.jpg".encode()]
    picture = np.asarray(Image.open(io.BytesIO(found["image/encoded"][0])))
    np.testing.assert_allclose(picture, PIXELS, atol=6)
    assert not [key for key in found if key.startswith("image/object")]


def test_as_annotations() -> None:
    found = parsed(ROWS, as_annotations=True)
    assert found["image/object/class/label"] == [18, 3]
    assert found["image/object/class/text"] == ["개".encode(), b"class_3"]
    assert found["image/object/area"] == pytest.approx([0.4 * 0.5 * 2400, 2400])
    assert found["image/object/bbox/xmin"] == found["image/detection/bbox/xmin"]
    known = {key for key in FEATURE_KEYS if key.startswith("image/object")}
    assert {key for key in found if key.startswith("image/object")} <= known


def test_a_frame_without_detections_is_background() -> None:
    found = parsed(FrameRows.none(7), as_annotations=True)
    assert found["image/object/class/label"] == found["image/detection/score"] == []
