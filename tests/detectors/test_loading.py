"""Every kind of model and input, loaded and run."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.detectors import tiny_models
from tests.detectors.tiny_models import decode_examples, decode_images, detections
from transforms.detectors.detector import Detector
from transforms.detectors.label_maps import LabelMapRefused
from transforms.detectors.loading import load_detector
from transforms.detectors.tensorflow_models import prepare_devices


def lite(path: Path, **options: Any) -> Path:
    return tiny_models.write_tflite(path, lambda images: detections(images, first_class=0), **options)


def normalised_lite(path: Path) -> Path:
    """Takes float32 of -1..1, as SSD models do."""
    return tiny_models.write_tflite(
        path, lambda images: detections(images * 127.5 + 127.5, first_class=0), dtype=tf.float32
    )


# Kind, input, fixed batch, and how the model is made.
MODELS: dict[str, tuple[str, str, int | None, Callable[[Path], Path]]] = {
    "frozen graph": ("tf1_frozen_graph", "image", None, tiny_models.write_frozen),
    "frozen graph of 2017, batch 1": (
        "tf1_frozen_graph",
        "image",
        1,
        lambda path: tiny_models.write_frozen(path, batch=1),
    ),
    "frozen graph of encoded images": (
        "tf1_frozen_graph",
        "encoded_image",
        None,
        lambda path: tiny_models.write_frozen(path, "encoded_image"),
    ),
    "frozen graph of Examples": (
        "tf1_frozen_graph",
        "tf_example",
        None,
        lambda path: tiny_models.write_frozen(path, "tf_example"),
    ),
    "TF1 SavedModel": ("tf1_saved_model", "image", None, tiny_models.write_saved_model_v1),
    "TF1 SavedModel with variables": (
        "tf1_saved_model",
        "image",
        None,
        lambda path: tiny_models.write_saved_model_v1(path, variables=True),
    ),
    "TF1 SavedModel of encoded images": (
        "tf1_saved_model",
        "encoded_image",
        None,
        lambda path: tiny_models.write_saved_model_v1(path, "encoded_image"),
    ),
    "TF1 SavedModel of Examples": (
        "tf1_saved_model",
        "tf_example",
        None,
        lambda path: tiny_models.write_saved_model_v1(path, "tf_example"),
    ),
    "TF2 SavedModel": ("tf2_saved_model", "image", None, tiny_models.write_saved_model),
    "TF2 SavedModel, batch 1": (
        "tf2_saved_model",
        "image",
        1,
        lambda path: tiny_models.write_saved_model(path, shape=(1, None, None, 3)),
    ),
    "TF2 SavedModel, batch 3": (
        "tf2_saved_model",
        "image",
        3,
        lambda path: tiny_models.write_saved_model(path, shape=(3, None, None, 3)),
    ),
    "TF2 SavedModel of one image size": (
        "tf2_saved_model",
        "image",
        None,
        lambda path: tiny_models.write_saved_model(path, shape=(None, 48, 64, 3)),
    ),
    "TF2 SavedModel of float images": (
        "tf2_saved_model",
        "image",
        None,
        lambda path: tiny_models.write_saved_model(path, dtype=tf.float32),
    ),
    "TF2 SavedModel of encoded images": (
        "tf2_saved_model",
        "encoded_image",
        1,
        lambda path: tiny_models.write_saved_model(
            path, lambda strings: detections(decode_images(strings)), shape=(1,), dtype=tf.string
        ),
    ),
    "TF2 SavedModel of Examples": (
        "tf2_saved_model",
        "tf_example",
        None,
        lambda path: tiny_models.write_saved_model(
            path, lambda strings: detections(decode_examples(strings)), shape=(None,), dtype=tf.string
        ),
    ),
    "TF2 SavedModel, signature of another name": (
        "tf2_saved_model",
        "image",
        None,
        lambda path: tiny_models.write_saved_model(path, signature="detect"),
    ),
    "TFLite of uint8": ("tflite", "image", 1, lite),
    "TFLite of float32": ("tflite", "image", 1, normalised_lite),
    "TFLite, outputs by shape": (
        "tflite",
        "image",
        1,
        lambda path: lite(path, names=dict(zip(tiny_models.CORE, "cdab", strict=True))),
    ),
    "TFLite, outputs by shape, scores first": (
        "tflite",
        "image",
        1,
        lambda path: lite(path, names=dict(zip(tiny_models.CORE, "badc", strict=True))),
    ),
}


@pytest.mark.parametrize(("kind", "feed", "static_batch", "write"), MODELS.values(), ids=MODELS)
def test_all_kinds_give_the_same_detections_at_any_batch(
    kind: str, feed: str, static_batch: int | None, write: Callable[[Path], Path], tmp_path: Path
) -> None:
    path = write(tmp_path / ("model.tflite" if kind == "tflite" else "model"))
    frames = tiny_models.frames(5)
    detector = load_detector(path, batch_size=4)
    assert (detector.info.kind, detector.info.feed, detector.info.static_batch) == (kind, feed, static_batch)
    assert detector.batch_size == min(4, static_batch or 4)
    for count in (1, 2, 5):
        found = detector.detect(frames[:count])
        assert len(found) == count
        for detection, frame in zip(found, frames, strict=False):
            boxes, scores, classes = tiny_models.expected(frame)
            # Frames that are resized to the model's one size have the same mean, but for rounding of pixels.
            np.testing.assert_allclose(detection.boxes, boxes, atol=2e-3)
            np.testing.assert_allclose(detection.scores, scores, atol=2e-3)
            np.testing.assert_array_equal(detection.classes, classes)


def test_masks_and_keypoints_are_carried(tmp_path: Path) -> None:
    def function(images: Any) -> dict[str, Any]:
        found = detections(images)
        scores = found["detection_scores"]
        return {
            **found,
            "detection_masks": scores[:, :, None, None] * tf.ones([1, 1, 5, 7]),
            "detection_keypoints": scores[:, :, None, None] * tf.ones([1, 1, 3, 2]),
            "raw_detection_boxes": found["detection_boxes"],
        }

    frames = tiny_models.frames(3)
    detector = load_detector(tiny_models.write_saved_model(tmp_path / "model", function))
    assert detector.info.other_outputs == ("raw_detection_boxes",)
    for frame, detection in zip(frames, detector.detect(frames), strict=True):
        _, scores, _ = tiny_models.expected(frame)
        assert detection.masks is not None
        assert detection.masks.shape == (2, 5, 7)
        np.testing.assert_allclose(detection.masks[:, 4, 6], scores, atol=1e-6)
        assert detection.keypoints is not None
        assert detection.keypoints.shape == (2, 3, 2)


def first_frame_only(images: Any) -> dict[str, Any]:
    return detections(images[:1])


def one_frame_or_error(images: Any) -> dict[str, Any]:
    tf.debugging.assert_equal(tf.shape(images)[0], 1)
    return detections(images)


def mixing_frames(images: Any) -> dict[str, Any]:
    mean = tf.reduce_mean(tf.cast(images, tf.float32), axis=0, keepdims=True)
    return detections(tf.zeros_like(tf.cast(images, tf.float32)) + mean)


LIARS = {
    "answers for the first frame only": (first_frame_only, "for 1 of 2 frames"),
    "takes one frame only": (one_frame_or_error, "InvalidArgumentError"),
    "mixes the frames of a batch": (mixing_frames, "has no counterpart"),
}


@pytest.mark.parametrize(("function", "words"), LIARS.values(), ids=LIARS)
def test_a_batch_that_does_not_hold_is_found_out(function: Any, words: str, tmp_path: Path) -> None:
    detector = load_detector(tiny_models.write_saved_model(tmp_path / "model", function), batch_size=8)
    assert detector.info.static_batch is None
    assert detector.batch_size == 1
    [warning] = detector.warnings
    assert "run one by one" in warning
    assert words in warning
    frames = tiny_models.frames(3)
    for frame, found in zip(frames, detector.detect(frames), strict=True):
        np.testing.assert_allclose(found.boxes, tiny_models.expected(frame)[0], atol=1e-5)


def test_real_memory_errors_halve_the_batch(tmp_path: Path) -> None:
    def greedy(images: Any) -> dict[str, Any]:
        found = detections(images)
        # Beyond two frames, 16 TiB a frame.
        beyond = tf.cast(tf.maximum(tf.shape(images)[0] - 2, 0), tf.int64)
        waste = tf.reduce_sum(tf.random.uniform(tf.reshape(beyond * 2**42, [1])))
        return {**found, "detection_scores": found["detection_scores"] + 0.0 * waste}

    detector = load_detector(tiny_models.write_saved_model(tmp_path / "model", greedy), batch_size=8)
    assert detector.batch_size == 8
    assert [len(found) for found in detector.detect(tiny_models.frames(9))] == [2] * 9
    assert detector.batch_size == 2
    assert len(detector.warnings) == 2


@pytest.mark.parametrize("kind", ["frozen", "saved_model", "tflite"])
def test_threads_share_a_loaded_model(kind: str, request: pytest.FixtureRequest) -> None:
    detector = load_detector(request.getfixturevalue(kind), batch_size=3)
    frames = tiny_models.frames(40)
    with ThreadPoolExecutor(8) as pool:
        parts = [frames[first:] for first in range(0, 40, 2)]
        for part, found in zip(parts, pool.map(detector.detect, parts), strict=True):
            means = [detection.boxes[1, 2] for detection in found]
            np.testing.assert_allclose(means, part.mean(axis=(1, 2, 3)) / 255, atol=2e-3)


def test_labels_beside_the_model_are_taken(shapes: Path) -> None:
    detector = load_detector(shapes)
    assert detector.labels.names == {1: "red", 2: "green", 3: "blue"}
    assert detector.labels.source == str(shapes / "label_map.pbtxt")


def test_given_labels_win_and_unknown_classes_are_counted(frozen: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("3,cat\n")
    detector = load_detector(frozen, label_map=tmp_path / "mine.csv")
    [found] = detector.detect(tiny_models.frames(1))
    assert [detector.labels.name(class_id) for class_id in found.classes] == ["cat", "class_17"]
    assert found.unknown_classes == 1


def test_unreadable_labels_stop_before_the_model_is_loaded(
    frozen: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transforms.detectors.loading.load_graph", lambda _: pytest.fail("loaded"))
    with pytest.raises(LabelMapRefused, match="cannot be read"):
        load_detector(frozen, label_map=tmp_path / "absent.txt")


def test_batch_size_must_be_positive(frozen: Path) -> None:
    with pytest.raises(ValueError, match="batch_size is 0"):
        load_detector(frozen, batch_size=0)


class FakeDevice:
    name = "/physical_device:GPU:0"


def test_memory_growth_is_set_before_the_model_is_loaded(frozen: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [FakeDevice()] if kind == "GPU" else [])
    monkeypatch.setattr(
        tf.config.experimental,
        "set_memory_growth",
        lambda device, grow: order.append(f"{device.name} {grow}"),
    )

    def load(*_: Any) -> Any:
        order.append("load")
        return lambda _: {}

    monkeypatch.setattr("transforms.detectors.loading.load_graph", load)
    monkeypatch.setattr(Detector, "detect", lambda *_: [])
    monkeypatch.setattr("transforms.detectors.loading.prove_batches", lambda _: order.append("prove"))
    load_detector(frozen)
    assert order == ["/physical_device:GPU:0 True", "load", "prove"]


def test_memory_growth_that_comes_too_late_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    def too_late(*_: Any) -> None:
        raise RuntimeError("Physical devices cannot be modified after being initialized")

    monkeypatch.setattr(tf.config, "list_physical_devices", lambda _: [FakeDevice()])
    monkeypatch.setattr(tf.config.experimental, "set_memory_growth", too_late)
    [warning] = prepare_devices()
    assert warning.startswith("GPU memory of /physical_device:GPU:0 is taken whole")
