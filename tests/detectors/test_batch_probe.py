from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from transforms.detectors.batch_probe import difference, probe_frames
from transforms.detectors.frame_detections import FrameDetections


def detections(*rows: tuple[int, float, float]) -> FrameDetections:
    """Of (class, score, ymin) a row."""
    return FrameDetections(
        boxes=np.array([[ymin, 0, 1, 1] for _, _, ymin in rows], np.float32).reshape(-1, 4),
        scores=np.array([score for _, score, _ in rows], np.float32),
        classes=np.array([class_id for class_id, _, _ in rows], np.int32),
    )


SAME: dict[str, tuple[Any, Any]] = {
    "equal": ([(1, 0.9, 0.1), (2, 0.8, 0.2)], [(1, 0.9, 0.1), (2, 0.8, 0.2)]),
    "rounding": ([(1, 0.9, 0.1)], [(1, 0.9005, 0.1005)]),
    "ties in another order": ([(1, 0.5, 0.1), (1, 0.5, 0.6)], [(1, 0.5, 0.6), (1, 0.5, 0.1)]),
    "nothing in both": ([], []),
    "only weak rows differ": (
        [(1, 0.9, 0.01 * row) for row in range(10)] + [(1, 0.1, 0.5)],
        [(1, 0.9, 0.01 * row) for row in range(10)] + [(1, 0.1, 0.7)],
    ),
}

DIFFERENT: dict[str, tuple[Any, Any]] = {
    "another box": ([(1, 0.9, 0.1)], [(1, 0.9, 0.102)]),
    "another score": ([(1, 0.9, 0.1)], [(1, 0.898, 0.1)]),
    "another class": ([(1, 0.9, 0.1)], [(2, 0.9, 0.1)]),
    "a row less": ([(1, 0.9, 0.1), (2, 0.8, 0.2)], [(1, 0.9, 0.1)]),
    "a row more": ([(1, 0.9, 0.1)], [(1, 0.9, 0.1), (2, 0.8, 0.2)]),
    "none at all": ([(1, 0.9, 0.1)], []),
}


@pytest.mark.parametrize(("alone", "in_batch"), SAME.values(), ids=SAME)
def test_the_same_detections(alone: Any, in_batch: Any) -> None:
    assert difference(detections(*alone), detections(*in_batch)) == ""


@pytest.mark.parametrize(("alone", "in_batch"), DIFFERENT.values(), ids=DIFFERENT)
def test_different_detections(alone: Any, in_batch: Any) -> None:
    assert "has no counterpart" in difference(detections(*alone), detections(*in_batch))


def test_probe_frames_differ_and_stay_the_same() -> None:
    frames = probe_frames()
    assert (frames.shape, frames.dtype) == ((2, 240, 320, 3), np.uint8)
    assert (frames[0] != frames[1]).mean() > 0.9
    np.testing.assert_array_equal(frames, probe_frames())
