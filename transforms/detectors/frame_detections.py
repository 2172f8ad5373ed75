"""From a model's raw outputs to the detections of each frame; the one place where bad numbers are dealt with.

The policy: rows from ``num_detections`` on are padding and never leave this module. Of the others, a row
whose score, class or box holds NaN or an infinity is dropped and counted; a box that reaches out of the
image is clipped to it and counted. Rows keep the model's order. No score threshold is applied here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from transforms.detectors.model_info import BOXES, CLASSES, COUNT, KEYPOINTS, MASKS, SCORES

Floats = npt.NDArray[np.float32]

# A float32 edge that should be 1 comes out of a box decoder a few units in the last place beyond it.
_CLIP_TOLERANCE = 1e-5


@dataclass(frozen=True, slots=True, eq=False)
class FrameDetections:
    """What a model found in one frame; n rows.

    Attributes:
      boxes: float32 [n,4], ymin, xmin, ymax, xmax, fractions of the frame, 0..1.
      scores: float32 [n], finite.
      classes: int32 [n], 1-based ids.
      masks: float32 [n,mask height,mask width] within each box, or None.
      keypoints: float32 [n,keypoints,2], y and x as fractions of the frame, not clipped, or None.
      dropped_rows: rows left out because a number in them is not finite.
      clipped_boxes: rows whose box reached out of the frame.
      unknown_classes: rows whose class id is not in the label map.
    """

    boxes: Floats
    scores: Floats
    classes: npt.NDArray[np.int32]
    masks: Floats | None = None
    keypoints: Floats | None = None
    dropped_rows: int = 0
    clipped_boxes: int = 0
    unknown_classes: int = 0

    def __len__(self) -> int:
        return len(self.scores)


def split_frames(outputs: Mapping[str, Any], frames: int, *, first_class: int = 1) -> list[FrameDetections]:
    """The detections of the first ``frames`` frames of a batch.

    Args:
      outputs: arrays [batch,…] by detection name; the count may have any shape of ``batch`` elements.
      frames: how many frames of the batch are wanted; the others filled it up.
      first_class: id of the model's first class, 0 or 1.

    Raises:
      ValueError: an output has no entry for each frame, or a count is not a number. A model that is called
        with more frames than it was exported for may do that.
    """
    arrays = {name: np.asarray(value, np.float32) for name, value in outputs.items()}
    counts = arrays[COUNT].reshape(-1)
    for name, array in {**arrays, COUNT: counts}.items():
        if len(array) < frames:
            raise ValueError(f"The model gave {name} for {len(array)} of {frames} frames.")
    return [
        _one_frame(
            {name: array[index] for name, array in arrays.items() if name != COUNT},
            counts[index],
            first_class,
        )
        for index in range(frames)
    ]


def _one_frame(rows: Mapping[str, Floats], count: np.float32, first_class: int) -> FrameDetections:
    if not np.isfinite(count):
        raise ValueError(f"The model gave {COUNT} = {count}.")
    used = max(0, min(int(count), len(rows[SCORES])))
    rows = {name: array[:used] for name, array in rows.items()}
    boxes = rows[BOXES].reshape(used, 4)
    good = np.isfinite(boxes).all(axis=1) & np.isfinite(rows[SCORES]) & np.isfinite(rows[CLASSES])
    boxes = boxes[good]
    inside = np.clip(boxes, 0.0, 1.0)
    return FrameDetections(
        boxes=inside,
        scores=rows[SCORES][good],
        # Class ids are float32 in most graphs.
        classes=np.rint(rows[CLASSES][good]).astype(np.int32) + np.int32(1 - first_class),
        masks=rows[MASKS][good] if MASKS in rows else None,
        keypoints=rows[KEYPOINTS][good] if KEYPOINTS in rows else None,
        dropped_rows=int(used - good.sum()),
        clipped_boxes=int((np.abs(boxes - inside) > _CLIP_TOLERANCE).any(axis=1).sum()),
    )
