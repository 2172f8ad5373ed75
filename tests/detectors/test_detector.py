from __future__ import annotations

import threading
import weakref
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.detectors import tiny_models
from transforms.detectors.detector import BatchTooLarge, Detector, fill_batch
from transforms.detectors.label_maps import LabelMap
from transforms.detectors.model_info import ModelInfo, TensorInfo
from transforms.detectors.tensorflow_models import run_in_memory

INFO = ModelInfo(
    path="model",
    kind="tf2_saved_model",
    size_bytes=0,
    fingerprint="",
    feed="image",
    input_key="input_tensor",
    input=TensorInfo("input_tensor:0", "uint8", (None, None, None, 3)),
    outputs={},
)


class FakeModel:
    """Finds, in each frame, one box of the class that the first pixel says; has memory for ``most``"
    " frames."""

    def __init__(self, most: int = 1000) -> None:
        self.most = most
        self.batches: list[int] = []

    def __call__(self, frames: np.ndarray) -> dict[str, Any]:
        self.batches.append(len(frames))
        if len(frames) > self.most:
            raise BatchTooLarge
        rows = np.ones((len(frames), 1), np.float32)
        boxes = np.zeros((len(frames), 1, 4), np.float32) + np.float32([0, 0, 1, 1])
        classes = frames[:, 0, 0, :1].astype(np.float32)
        return dict(zip(tiny_models.CORE, (boxes, rows, classes, rows[:, 0]), strict=True))


def numbered(count: int) -> np.ndarray:
    """Frames whose pixels say their number, from 1."""
    return np.ones((count, 2, 2, 3), np.uint8) * np.arange(1, count + 1, dtype=np.uint8)[:, None, None, None]


def found(detector: Detector, frames: np.ndarray) -> list[list[int]]:
    return [frame.classes.tolist() for frame in detector.detect(frames)]


BATCHES = {
    "one run": (8, None, 5, [5]),
    "a full and a part": (4, None, 7, [4, 3]),
    "one by one": (1, None, 3, [1, 1, 1]),
    "static batch of 1": (8, 1, 3, [1, 1, 1]),
    "static batch of 4, filled": (8, 4, 6, [4, 4]),
    "no frame": (8, None, 0, []),
}


@pytest.mark.parametrize(("batch_size", "static", "count", "batches"), BATCHES.values(), ids=BATCHES)
def test_batches(batch_size: int, static: int | None, count: int, batches: list[int]) -> None:
    model = FakeModel()
    detector = Detector(replace(INFO, static_batch=static), model, batch_size=batch_size)
    assert found(detector, numbered(count)) == [[number] for number in range(1, count + 1)]
    assert model.batches == batches


def test_filling_repeats_the_last_frame() -> None:
    assert fill_batch(numbered(2), 4)[:, 0, 0, 0].tolist() == [1, 2, 2, 2]
    frames = numbered(2)
    assert fill_batch(frames, None) is frames


def test_memory_running_out_halves_the_batch_for_good() -> None:
    model = FakeModel(most=3)
    detector = Detector(INFO, model, batch_size=8, warnings=("first",))
    assert found(detector, numbered(9)) == [[number] for number in range(1, 10)]
    assert model.batches == [8, 4, 2, 2, 2, 2, 1]
    assert detector.batch_size == 2
    found(detector, numbered(4))
    assert model.batches[7:] == [2, 2]
    assert detector.warnings[0] == "first"
    assert "batch of 8 frames: 4 are run" in detector.warnings[1]
    assert "batch of 4 frames: 2 are run" in detector.warnings[2]


def test_a_thread_that_runs_out_later_does_not_raise_the_batch_again() -> None:
    detector = Detector(INFO, FakeModel(), batch_size=8)
    detector.lower_batch_size(2, "first")
    detector.lower_batch_size(4, "second")
    assert (detector.batch_size, detector.warnings) == (2, ("first",))


@pytest.mark.parametrize("static", [None, 4])
def test_no_memory_for_the_smallest_batch_is_an_error(static: int | None) -> None:
    detector = Detector(replace(INFO, static_batch=static), FakeModel(most=0), batch_size=1 if static is None else 4)
    with pytest.raises(BatchTooLarge):
        detector.detect(numbered(2))


def test_tensorflow_running_out_of_memory_is_known_as_such() -> None:
    def fail() -> dict[str, Any]:
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor\n at ...")

    with pytest.raises(BatchTooLarge, match=r"^OOM when allocating tensor$"):
        run_in_memory(fail)


def test_unknown_classes_are_counted() -> None:
    detector = Detector(INFO, FakeModel(), batch_size=4, labels=LabelMap({1: "one", 3: "three"}))
    assert [frame.unknown_classes for frame in detector.detect(numbered(4))] == [0, 1, 0, 1]


def test_threads_share_a_detector() -> None:
    detector = Detector(INFO, FakeModel(most=2), batch_size=8)
    results: list[list[list[int]]] = []
    threads = [threading.Thread(target=lambda: results.append(found(detector, numbered(20)))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [[[number] for number in range(1, 21)]] * 4


def test_can_be_held_weakly() -> None:
    detector = Detector(INFO, FakeModel(), batch_size=1)
    assert weakref.ref(detector)() is detector


def test_frames_of_another_kind_are_refused() -> None:
    with pytest.raises(ValueError, match="not uint8"):
        Detector(INFO, FakeModel(), batch_size=1).detect(np.zeros((1, 2, 2, 3), np.float32))  # type: ignore[arg-type]
