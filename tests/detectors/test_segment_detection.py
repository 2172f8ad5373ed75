from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.videos.clips import read_number, write_clip
from transforms.detections.segment_findings import SegmentFindings
from transforms.detectors.frame_detections import FrameDetections
from transforms.detectors.segment_detection import SegmentTimes, batches, detect_each, detect_in_segment, frame_rows
from transforms.videos.deadline import TookTooLong
from transforms.videos.decoding import DecodedFrame, SegmentDecoder
from transforms.videos.probe import VideoProbe, probe_video
from transforms.videos.segments import plan_segments


def frame(index: int, *, size: tuple[int, int] = (4, 6)) -> DecodedFrame:
    return DecodedFrame(index, index, float(index), index == 0, np.full((*size, 3), index, np.uint8))


def found(score: float = 0.5) -> FrameDetections:
    boxes = np.array([[0.1, 0.2, 0.3, 0.4]], np.float32)
    return FrameDetections(boxes, np.array([score], np.float32), np.array([1], np.int32))


class FakeModel:
    """Fails on batches that hold one of the bad frames; remembers the batches."""

    def __init__(self, *bad: int) -> None:
        self.bad = set(bad)
        self.batches: list[list[int]] = []

    def __call__(self, frames: np.ndarray) -> list[FrameDetections]:
        numbers = [int(pixels[0, 0, 0]) for pixels in frames]
        self.batches.append(numbers)
        if self.bad & set(numbers):
            raise ValueError(f"bad {sorted(self.bad & set(numbers))}")
        return [found() for _ in numbers]


def indexes(batch: list[DecodedFrame]) -> list[int]:
    return [one.frame_index for one in batch]


def test_batches_are_full_but_the_last() -> None:
    given_up: list[TookTooLong] = []
    got = [indexes(batch) for batch in batches(map(frame, range(7)), 3, given_up)]
    assert got == [[0, 1, 2], [3, 4, 5], [6]]
    assert given_up == []


def test_a_picture_of_another_size_begins_a_new_batch() -> None:
    frames = [frame(0), frame(1), frame(2, size=(8, 6)), frame(3, size=(8, 6)), frame(4)]
    assert [indexes(batch) for batch in batches(frames, 4, [])] == [[0, 1], [2, 3], [4]]


def test_what_came_before_the_time_limit_is_a_batch() -> None:
    def frames() -> Any:
        yield from map(frame, range(4))
        raise TookTooLong("late")

    given_up: list[TookTooLong] = []
    assert [indexes(batch) for batch in batches(frames(), 3, given_up)] == [[0, 1, 2], [3]]
    assert [str(error) for error in given_up] == ["late"]


@pytest.mark.parametrize("bad", [(), (0,), (5,), (7,), (2, 3), (0, 4, 7), tuple(range(8))])
def test_only_the_frames_that_fail_alone_are_set_aside(bad: tuple[int, ...]) -> None:
    model = FakeModel(*bad)
    results = detect_each([frame(index) for index in range(8)], model)
    assert [index for index, result in enumerate(results) if isinstance(result, str)] == list(bad)
    assert all(
        result == f"ValueError: bad [{index}]" for index, result in enumerate(results) if isinstance(result, str)
    )
    sound = [numbers for numbers in model.batches if not set(numbers) & set(bad)]
    assert sorted(index for numbers in sound for index in numbers) == [index for index in range(8) if index not in bad]
    if len(bad) == 1:
        assert len(model.batches) == 1 + 2 * 3  # halved thrice


def test_a_fault_of_the_program_is_not_taken_for_a_bad_frame() -> None:
    def broken(frames: np.ndarray) -> list[FrameDetections]:
        raise TypeError("ours")

    with pytest.raises(TypeError, match="ours"):
        detect_each([frame(0)], broken)


def test_rows_below_the_floor_and_without_a_box_are_left_out() -> None:
    boxes = np.array([[0.1, 0.1, 0.5, 0.5], [0.5, 0.5, 0.5, 0.9], [-1, 0, 2, 1], [0, 0, 1, 1]], np.float32)
    scores, classes = np.array([0.3, 0.9, 0.6, 0.005], np.float32), np.array([1, 2, 3, 4], np.int32)
    keypoints = np.arange(8, dtype=np.float32).reshape(4, 1, 2)
    rows, dropped = frame_rows(5, FrameDetections(boxes, scores, classes, None, keypoints), 0.01)
    assert (rows.frame_index, rows.classes.tolist(), dropped) == (5, [3, 1], 1)
    assert rows.boxes[0].tolist() == [0, 0, 1, 1]
    assert rows.keypoints is not None
    assert rows.keypoints[:, 0, 0].tolist() == [4, 0]


def run_segment(
    path: Path, detect: Any, *, batch_size: int = 8, seen: list[int] | None = None, frame_bytes: int = 1
) -> SegmentFindings:
    probe = probe_video(path)
    assert isinstance(probe, VideoProbe)
    [spec] = plan_segments(probe, 60)
    times = SegmentTimes()
    with ThreadPoolExecutor(2) as runs:
        findings = detect_in_segment(
            SegmentDecoder(path, spec),
            spec,
            detect,
            batch_size=batch_size,
            floor=0.01,
            limit_seconds=30,
            frame_bytes=frame_bytes,
            each=lambda one, rows: (seen if seen is not None else []).append(one.frame_index),
            times=times,
            runs=runs,
        )
    assert times.decode_s > 0
    assert max(times.batches) <= batch_size
    return findings


def test_a_whole_segment(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", 30)
    shown: list[int] = []

    def detect(frames: np.ndarray) -> list[FrameDetections]:
        numbers = [read_number(pixels) for pixels in frames]
        if 13 in numbers:
            raise RuntimeError("thirteen")
        return [found((number + 1) / 100) for number in numbers]

    findings = run_segment(clip, detect, seen=shown)
    others = [index for index in range(30) if index != 13]
    assert shown == others == [rows.frame_index for rows in findings.frames]
    assert [round(float(rows.scores[0]) * 100) - 1 for rows in findings.frames] == others
    assert findings.failures == [(13, "RuntimeError: thirteen")]
    assert [record.status for record in findings.records].count("lost") == 1
    assert findings.records[13].status == "lost"


def test_two_batches_are_run_at_once_and_come_out_in_order(tmp_path: Path) -> None:
    both = threading.Barrier(2, timeout=20)

    def detect(frames: np.ndarray) -> list[FrameDetections]:
        both.wait()  # breaks where a batch is run alone
        return [found((read_number(pixels) + 1) / 100) for pixels in frames]

    findings = run_segment(write_clip(tmp_path / "clip.mp4", 32), detect)
    assert [round(float(rows.scores[0]) * 100) - 1 for rows in findings.frames] == list(range(32))
    assert not findings.failures


def test_batches_of_very_large_frames_are_run_one_by_one(tmp_path: Path) -> None:
    running = threading.Semaphore(1)

    def detect(frames: np.ndarray) -> list[FrameDetections]:
        assert running.acquire(blocking=False)
        time.sleep(0.02)
        running.release()
        return [found() for _ in frames]

    findings = run_segment(write_clip(tmp_path / "clip.mp4", 32), detect, frame_bytes=1 << 30)
    assert len(findings.frames) == 32
