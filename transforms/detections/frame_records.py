"""Frames with their detections as TFRecords: what a model found becomes input for training and evaluation.

Keys of detections are those of the TF Object Detection API's evaluation (``image/detection/…``). On request the
same boxes also stand as ground truth (``image/object/…``), under the keys of ``transforms.examples.feature_keys``.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping

from PIL import Image

from transforms.detections.exports import frame_name
from transforms.detections.segment_findings import FrameRows
from transforms.examples import feature_keys as keys
from transforms.examples.wire_format import BYTES, FLOAT, INT64, Value, encode_example
from transforms.shards.record_framing import frame_record
from transforms.videos.decoding import DecodedFrame

DETECTION_YMIN = "image/detection/bbox/ymin"
DETECTION_XMIN = "image/detection/bbox/xmin"
DETECTION_YMAX = "image/detection/bbox/ymax"
DETECTION_XMAX = "image/detection/bbox/xmax"
DETECTION_LABEL = "image/detection/label"
DETECTION_SCORE = "image/detection/score"
FRAME_TIME = "image/timestamp"
_JPEG_QUALITY = 95


def frame_example(
    frame: DecodedFrame, rows: FrameRows, labels: Mapping[int, str], stem: str, *, as_annotations: bool
) -> list[bytes]:
    """One framed TFRecord, as buffers.

    Args:
      rows: of that frame, in any score range.
      labels: class id → name; ``class_<id>`` stands for an id without one.
      stem: of the video's name; with the frame's index it names the image.
      as_annotations: write the boxes as ground truth, too.
    """
    height, width = frame.pixels.shape[:2]
    stream = io.BytesIO()
    Image.fromarray(frame.pixels).save(stream, "JPEG", quality=_JPEG_QUALITY)
    encoded = stream.getvalue()
    name = f"{frame_name(stem, frame.frame_index)}.jpg"
    ymin, xmin, ymax, xmax = rows.boxes.T.tolist() if len(rows.scores) else ([], [], [], [])
    classes = rows.classes.tolist()
    features: dict[str, Value] = {
        keys.ENCODED: (BYTES, (encoded,)),
        keys.FORMAT: (BYTES, (b"jpeg",)),
        keys.FILE_NAME: (BYTES, (name.encode(),)),
        keys.SOURCE_ID: (BYTES, (str(frame.frame_index).encode(),)),
        keys.SHA256: (BYTES, (hashlib.sha256(encoded).hexdigest().encode(),)),
        keys.HEIGHT: (INT64, (height,)),
        keys.WIDTH: (INT64, (width,)),
        FRAME_TIME: (FLOAT, (frame.time_s,)),
        DETECTION_YMIN: (FLOAT, ymin),
        DETECTION_XMIN: (FLOAT, xmin),
        DETECTION_YMAX: (FLOAT, ymax),
        DETECTION_XMAX: (FLOAT, xmax),
        DETECTION_LABEL: (INT64, classes),
        DETECTION_SCORE: (FLOAT, rows.scores.tolist()),
    }
    if as_annotations:
        names = [labels.get(class_id, f"class_{class_id}").encode() for class_id in classes]
        features |= _ground_truth(rows, names, width * height)
    return frame_record(encode_example(features))


def _ground_truth(rows: FrameRows, names: list[bytes], pixels: int) -> dict[str, Value]:
    edges = rows.boxes.tolist()
    ymin, xmin, ymax, xmax = map(list, zip(*edges, strict=True)) if edges else ([], [], [], [])
    none = [0] * len(names)
    classes = rows.classes.tolist()
    return {
        keys.YMIN: (FLOAT, ymin),
        keys.XMIN: (FLOAT, xmin),
        keys.YMAX: (FLOAT, ymax),
        keys.XMAX: (FLOAT, xmax),
        keys.LABEL: (INT64, classes),
        keys.TEXT: (BYTES, names),
        keys.AREA: (FLOAT, [(y1 - y0) * (x1 - x0) * pixels for y0, x0, y1, x1 in edges]),
        keys.IS_CROWD: (INT64, none),
        keys.WEIGHT: (FLOAT, rows.scores.tolist()),
    }
