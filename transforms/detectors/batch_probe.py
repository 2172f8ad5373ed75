"""The proof, before the first frame, that a model treats each frame of a batch as if it were alone.

Some exports take any number of frames but answer for the first only, or mix frames; nothing is raised. So two
different frames are run as a batch and one by one, and must give the same detections.
"""

from __future__ import annotations

import numpy as np

from transforms.detectors.frame_detections import FrameDetections
from transforms.detectors.frame_inputs import Frames

TOLERANCE = 1e-3  # Of scores and of box edges, fractions of the frame.

# Ranks that are compared. Further down, rows with all but equal scores change places with rounding.
_COMPARED_ROWS = 10


def probe_frames() -> Frames:
    """Two different frames, uint8 [2,240,320,3]: rectangles on a gradient, and the same mirrored and"
    " inverted."""
    rows, columns = np.mgrid[0:240, 0:320]
    first = np.stack([rows, columns * 240 // 320, (rows + columns) // 3], axis=-1).astype(np.uint8)
    first[40:120, 30:110] = (220, 30, 30)
    first[100:220, 180:230] = (20, 200, 60)
    first[20:70, 230:300] = (30, 60, 210)
    return np.stack([first, 255 - first[:, ::-1]])


def difference(alone: FrameDetections, in_batch: FrameDetections) -> str:
    """How the detections of a frame differ between the two ways, in words; "" if they do not.

    Rows may be in another order: each of the best rows of either must be in the other, of the same class,
    with score and edges within ``TOLERANCE``.
    """
    for one, other in ((alone, in_batch), (in_batch, alone)):
        for row in np.argsort(-one.scores, kind="stable")[:_COMPARED_ROWS]:
            same_class = other.classes == one.classes[row]
            near = np.abs(other.boxes - one.boxes[row]).max(axis=1, initial=0.0) <= TOLERANCE
            if not np.any(same_class & near & (np.abs(other.scores - one.scores[row]) <= TOLERANCE)):
                return f"a box of class {one.classes[row]}, score {one.scores[row]:.3f}, has no counterpart"
    return ""
