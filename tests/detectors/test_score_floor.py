"""Higher thresholds inside of a frozen graph: the same detections from there on, and less work."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from transforms.detectors.batch_probe import probe_frames
from transforms.detectors.loading import load_detector
from transforms.detectors.score_floor import raise_score_thresholds

FLOOR = 0.05


def graph(*, threshold: float = 1e-8, single: bool = False, layer: bool = False, weak: bool = False) -> bytes:
    """A frozen graph that finds a box for each of 40 places, its score the brightness of a pixel there.

    Args:
      single: with the op for one image at a time, and a batch fixed at 1.
      layer: something is computed of the scores that are left.
      weak: all scores are low, and each frame of a batch gets those of the first one.
    """
    with tf.Graph().as_default() as made:
        images = tf.compat.v1.placeholder(tf.uint8, [1 if single else None, None, None, 3], name="image_tensor")
        rows = np.random.default_rng(5).random((40, 4)).astype(np.float32) / 2
        boxes = np.concatenate([rows[:, :2], rows[:, :2] + 0.1 + rows[:, 2:]], axis=1)
        scores = tf.cast(images[:, ::6, ::8, 0], tf.float32)[:, :40, 7] / (7000.0 if weak else 700.0)
        scores += np.arange(40, dtype=np.float32) / 1e5  # no two are the same
        if weak:
            scores = tf.zeros_like(scores) + scores[:1]
        lowest = tf.constant(threshold, tf.float32)
        if single:
            kept, best, _ = tf.raw_ops.NonMaxSuppressionV5(
                boxes=boxes,
                scores=scores[0],
                max_output_size=30,
                iou_threshold=0.5,
                score_threshold=lowest,
                soft_nms_sigma=0.0,
                pad_to_max_output_size=True,
            )
            found, best = tf.gather(boxes, kept)[None], best[None]
        else:
            found, best, _, _ = tf.raw_ops.CombinedNonMaxSuppression(
                boxes=boxes[None, :, None] + 0.0 * scores[..., None, None],
                scores=scores[..., None],
                max_output_size_per_class=30,
                max_total_size=30,
                iou_threshold=0.5,
                score_threshold=lowest,
                clip_boxes=False,
            )
        if layer:
            best = tf.linalg.matmul(best, tf.eye(30))
        tf.identity(found, name="detection_boxes")
        tf.identity(best, name="detection_scores")
        tf.ones_like(best, name="detection_classes")
        tf.reduce_sum(tf.cast(best > 0, tf.float32), axis=1, name="num_detections")
    return bytes(made.as_graph_def().SerializeToString(deterministic=True))


@pytest.mark.parametrize("single", [False, True], ids=["CombinedNonMaxSuppression", "NonMaxSuppressionV5"])
def test_what_reaches_the_floor_stays_the_same(single: bool, tmp_path: Path) -> None:
    (tmp_path / "graph.pb").write_bytes(graph(single=single))
    whole, raised = (load_detector(tmp_path / "graph.pb", floor=floor).detect(probe_frames()) for floor in (0, FLOOR))
    spared = 0
    for one, other in zip(whole, raised, strict=True):
        kept = one.scores >= np.float32(FLOOR)
        np.testing.assert_array_equal(other.scores, one.scores[kept])
        np.testing.assert_array_equal(other.boxes, one.boxes[kept])
        spared += len(one) - len(other)
    assert spared > 0


@pytest.mark.parametrize(
    "made",
    [graph(threshold=0.2), graph(threshold=-1.0), graph(layer=True)],
    ids=["a higher threshold", "scores that are no probabilities", "a layer that sees what is left"],
)
def test_other_graphs_stay_as_they_are(made: bytes) -> None:
    graph_def = tf.compat.v1.GraphDef.FromString(made)
    assert raise_score_thresholds(graph_def, FLOOR) == 0
    assert graph_def.SerializeToString(deterministic=True) == made


def test_a_batch_is_proven_with_what_is_below_the_floor(tmp_path: Path) -> None:
    (tmp_path / "graph.pb").write_bytes(graph(weak=True))
    detector = load_detector(tmp_path / "graph.pb", floor=FLOOR)
    assert not any(map(len, detector.detect(probe_frames())))
    assert detector.batch_size == 1
    assert "Frames are run one by one" in detector.warnings[-1]
