from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from transforms.detectors.frame_detections import split_frames


def outputs(boxes: Any, scores: Any, classes: Any, count: Any, **more: Any) -> dict[str, Any]:
    return {
        "detection_boxes": np.array(boxes, np.float32),
        "detection_scores": np.array(scores, np.float32),
        "detection_classes": np.array(classes, np.float32),
        "num_detections": np.array(count, np.float32),
        **more,
    }


BOX = [0.1, 0.2, 0.3, 0.4]


def test_padding_rows_are_cut_off_frame_by_frame() -> None:
    raw = outputs([[BOX] * 3] * 2, [[0.9, 0.8, 0.0]] * 2, [[5, 7, 1]] * 2, [2, 0])
    first, second = split_frames(raw, 2)
    assert first.scores.tolist() == pytest.approx([0.9, 0.8])
    assert first.classes.tolist() == [5, 7]
    assert len(second) == 0
    assert (second.boxes.shape, second.boxes.dtype, second.classes.dtype) == ((0, 4), np.float32, np.int32)


COUNTS = {
    "a column": ([[1.0], [2.0]], [1, 2]),
    "more than there are rows": ([9.0, 9.0], [3, 3]),
    "negative": ([-1.0, 1.0], [0, 1]),
    "integers": (np.array([1, 3], np.int64), [1, 3]),
}


@pytest.mark.parametrize(("count", "lengths"), COUNTS.values(), ids=COUNTS)
def test_counts(count: Any, lengths: list[int]) -> None:
    raw = outputs([[BOX] * 3] * 2, [[0.5] * 3] * 2, [[1] * 3] * 2, count)
    assert [len(frame) for frame in split_frames(raw, 2)] == lengths


def test_frames_that_filled_up_the_batch_are_left_out() -> None:
    raw = outputs([[BOX]] * 4, [[0.1], [0.2], [0.3], [0.4]], [[1]] * 4, [1] * 4)
    assert [frame.scores.tolist() for frame in split_frames(raw, 2)] == [
        pytest.approx([0.1]),
        pytest.approx([0.2]),
    ]


def test_zero_based_classes_become_one_based() -> None:
    [frame] = split_frames(outputs([[BOX] * 2], [[0.5] * 2], [[0, 16.9999]], [2]), 1, first_class=0)
    assert frame.classes.tolist() == [1, 18]


NOT_FINITE = {
    "nan score": ([BOX, BOX], [np.nan, 0.5], [1, 2]),
    "infinite score": ([BOX, BOX], [np.inf, 0.5], [1, 2]),
    "nan edge": ([[0, np.nan, 1, 1], BOX], [0.6, 0.5], [1, 2]),
    "infinite edge": ([[0, 0, np.inf, 1], BOX], [0.6, 0.5], [1, 2]),
    "nan class": ([BOX, BOX], [0.6, 0.5], [np.nan, 2]),
}


@pytest.mark.parametrize(("boxes", "scores", "classes"), NOT_FINITE.values(), ids=NOT_FINITE)
def test_rows_that_are_not_finite_are_dropped_and_counted(boxes: Any, scores: Any, classes: Any) -> None:
    masks = np.array([[np.zeros((2, 2)), np.ones((2, 2))]], np.float32)
    keypoints = np.array([[np.zeros((3, 2)), np.ones((3, 2))]], np.float32)
    more = {"detection_masks": masks, "detection_keypoints": keypoints}
    [frame] = split_frames(outputs([boxes], [scores], [classes], [2], **more), 1)
    assert frame.classes.tolist() == [2]
    assert frame.dropped_rows == 1
    assert frame.clipped_boxes == 0
    assert frame.masks is not None
    assert frame.masks.tolist() == [[[1, 1], [1, 1]]]
    assert frame.keypoints is not None
    assert frame.keypoints.shape == (1, 3, 2)


def test_padding_that_is_not_finite_is_not_counted() -> None:
    [frame] = split_frames(outputs([[BOX, [np.nan] * 4]], [[0.5, np.nan]], [[1, 1]], [1]), 1)
    assert (len(frame), frame.dropped_rows) == (1, 0)


def test_boxes_are_clipped_and_counted() -> None:
    boxes = [[-0.2, 0.5, 1.5, 0.9], BOX, [0.0, 0.0, 1.0 + 1e-6, 1.0]]
    [frame] = split_frames(outputs([boxes], [[0.9, 0.8, 0.7]], [[1, 2, 3]], [3]), 1)
    np.testing.assert_allclose(frame.boxes, [[0.0, 0.5, 1.0, 0.9], BOX, [0, 0, 1, 1]])
    assert frame.clipped_boxes == 1
    assert frame.boxes.max() <= 1.0


def test_masks_and_keypoints_are_none_where_the_model_has_none() -> None:
    [frame] = split_frames(outputs([[BOX]], [[0.5]], [[1]], [1]), 1)
    assert frame.masks is None
    assert frame.keypoints is None


def test_lost_frames_are_an_error_not_a_shorter_list() -> None:
    raw = outputs([[BOX]], [[0.5]], [[1]], [1])
    with pytest.raises(ValueError, match=r"detection_boxes for 1 of 3 frames"):
        split_frames(raw, 3)


def test_a_count_that_is_no_number_is_an_error() -> None:
    with pytest.raises(ValueError, match="num_detections = nan"):
        split_frames(outputs([[BOX]], [[0.5]], [[1]], [np.nan]), 1)


@given(
    boxes=arrays.arrays(np.float32, (1, 5, 4), elements=st.floats(width=32)),
    scores=arrays.arrays(np.float32, (1, 5), elements=st.floats(width=32)),
    count=st.integers(-3, 9),
)
def test_whatever_comes_in_what_goes_out_is_sound(boxes: Any, scores: Any, count: int) -> None:
    [frame] = split_frames(outputs(boxes, scores, np.ones((1, 5)), [count]), 1)
    assert len(frame) + frame.dropped_rows == max(0, min(count, 5))
    assert len(frame.boxes) == len(frame.scores) == len(frame.classes)
    assert np.isfinite(frame.scores).all()
    assert ((frame.boxes >= 0) & (frame.boxes <= 1)).all()
