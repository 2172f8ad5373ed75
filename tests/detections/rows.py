"""Small tables of detections, made in code."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pyarrow as pa

from transforms.detections.tables import DetectionsOfFrame, VideoFacts, detection_table, frame_table
from transforms.videos.frame_ledger import FrameRecord

FACTS = VideoFacts("거리/street 1.mp4", Fraction(1, 30000), 200, 100, "model-1")
LABELS = {1: "person", 3: "car", 18: "개"}

RECORDS = (
    FrameRecord(0, 0, 0.0, True, "processed", "ok"),
    FrameRecord(1, 1001, 1001 / 30000, False, "skipped", "ok"),
    FrameRecord(2, 2002, 2002 / 30000, False, "processed", "suspect"),
    FrameRecord(3, 3003, 3003 / 30000, True, "lost", "suspect"),
    FrameRecord(4, 4004, 4004 / 30000, False, "processed", "ok"),
)


def found(index: int, *detections: tuple[Sequence[float], float, int]) -> DetectionsOfFrame:
    """Each detection is (ymin, xmin, ymax, xmax), score, class."""
    return DetectionsOfFrame(
        index,
        np.array([box for box, _, _ in detections], np.float32).reshape(-1, 4),
        np.array([score for _, score, _ in detections], np.float32),
        np.array([number for _, _, number in detections], np.int32),
    )


FOUND = (
    found(0, ((0.1, 0.2, 0.5, 0.6), 0.9, 1), ((0.0, 0.0, 1.0, 1.0), 0.5, 18)),
    found(2),
    found(4, ((0.25, 0.5, 0.75, 1.0), 0.75, 3)),
)


def tables() -> tuple[pa.Table, pa.Table]:
    """Detections and frames of one short video."""
    detections = detection_table(FACTS, FOUND, RECORDS, segment=0, labels=LABELS)
    return detections, frame_table(FACTS, RECORDS, {0: 2, 4: 1})
