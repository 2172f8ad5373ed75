"""Published models of four generations on published pictures, whose detections are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from transforms.detectors.detector import Detector
from transforms.detectors.frame_detections import FrameDetections
from transforms.detectors.loading import load_detector

MODELS = {
    "TF1 frozen graph": "tf1_frozen_ssd_mobilenet_v1_075_coco",
    "TF1 SavedModel": "tf1_savedmodel_ssd_mobilenet_v1_075_coco",
    "TF2 SavedModel": "tf2_savedmodel_ssd_mobilenet_v1_075_coco",
    "TFLite": "tflite_coco_ssd_mobilenet_v1_quant",
}
DOGS_BOX = [0.019, 0.007, 0.871, 0.338]


@pytest.fixture(scope="module")
def images(real: Path) -> list[np.ndarray]:
    folder = real / "images/tf_od_test_images/object_detection/test_images"
    return [np.asarray(Image.open(folder / f"image{number}.jpg").convert("RGB")) for number in (1, 2)]


@pytest.fixture(scope="module", params=MODELS.values(), ids=MODELS)
def detector(request: pytest.FixtureRequest, real: Path) -> Detector:
    return load_detector(
        real / "models" / request.param, label_map=real / "models/labels/mscoco_label_map.pbtxt", batch_size=8
    )


def rows(detector: Detector, found: FrameDetections, at_least: float) -> list[tuple[str, float]]:
    return [
        (detector.labels.name(int(class_id)), float(score))
        for class_id, score in zip(found.classes, found.scores, strict=True)
        if score >= at_least
    ]


def test_known_detections(detector: Detector, images: list[np.ndarray]) -> None:
    [found] = detector.detect(images[0][np.newaxis])
    names, scores = zip(*rows(detector, found, at_least=0.5), strict=True)
    assert names == ("dog", "dog", "person")
    assert detector.warnings == ()
    assert found.unknown_classes == 0
    if detector.info.kind == "tflite":
        # It was trained apart and sees frames that are resized outside of it.
        assert scores == pytest.approx((0.711, 0.711, 0.562), abs=0.02)
        np.testing.assert_allclose(found.boxes[0], DOGS_BOX, atol=0.02)
    else:
        assert scores == pytest.approx((0.717, 0.704, 0.524), abs=0.002)
        np.testing.assert_allclose(found.boxes[0], DOGS_BOX, atol=0.001)


def test_known_detections_of_the_beach(real: Path, images: list[np.ndarray]) -> None:
    # With the labels that lie beside the model.
    detector = load_detector(real / "models" / MODELS["TFLite"])
    [found] = detector.detect(images[1][np.newaxis])
    best = rows(detector, found, at_least=0.6)
    assert [score for name, score in best if name == "kite"] == pytest.approx([0.645, 0.633], abs=0.02)
    assert [score for name, score in best if name == "person"] == pytest.approx([0.75, 0.656], abs=0.02)


def test_batches_of_1_2_and_8_give_the_same(detector: Detector, images: list[np.ndarray]) -> None:
    # Pictures of one size that are all different: the dogs, shifted sideways.
    frames = np.stack([np.roll(images[0], 60 * shift, axis=1) for shift in range(8)])
    assert detector.batch_size == (8 if detector.info.static_batch is None else 1)
    one_by_one = [detector.detect(frame[np.newaxis])[0] for frame in frames]
    in_pairs = [found for first in range(0, 8, 2) for found in detector.detect(frames[first : first + 2])]
    together = detector.detect(frames)
    assert len(one_by_one) == len(in_pairs) == len(together) == 8
    assert np.abs(one_by_one[0].boxes - one_by_one[1].boxes).max() > 0.01
    for alone, *others in zip(one_by_one, in_pairs, together, strict=True):
        clear = alone.scores >= 0.3
        assert clear.sum() >= 2
        for other in others:
            np.testing.assert_array_equal(alone.classes[clear], other.classes[clear])
            np.testing.assert_allclose(alone.scores[clear], other.scores[clear], atol=1e-4)
            np.testing.assert_allclose(alone.boxes[clear], other.boxes[clear], atol=1e-4)
