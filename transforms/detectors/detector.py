"""One detector, whatever generation of model is behind it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from transforms.detectors.frame_detections import FrameDetections, split_frames
from transforms.detectors.frame_inputs import Frames, check_frames
from transforms.detectors.label_maps import LabelMap
from transforms.detectors.model_info import ModelInfo

# Takes frames [batch,height,width,3] of any size, gives arrays [batch,…] by detection name.
Call = Callable[[Frames], Mapping[str, Any]]


class BatchTooLarge(MemoryError):
    """The device has no memory for a batch of this many frames."""


class Detector:
    """A loaded model. Make one for each process, with ``load_detector``; its threads may share it.

    Attributes:
      info: what the model is.
      labels: names of its classes; empty if none are known.
    """

    def __init__(
        self,
        info: ModelInfo,
        call: Call,
        *,
        batch_size: int,
        labels: LabelMap | None = None,
        warnings: tuple[str, ...] = (),
    ) -> None:
        self.info = info
        self.labels = labels or LabelMap()
        self._call = call
        self._batch_size = min(batch_size, info.static_batch or batch_size)
        self._warnings = warnings
        self._lock = threading.Lock()

    @property
    def batch_size(self) -> int:
        """Frames that one run of the model takes; may become smaller when memory runs out."""
        return self._batch_size

    @property
    def warnings(self) -> tuple[str, ...]:
        """What its user should know, one sentence each."""
        return self._warnings

    def detect(self, frames: Frames) -> list[FrameDetections]:
        """Detections of each frame, in order.

        Args:
          frames: uint8 [n,height,width,3], RGB, any n; run in batches of ``batch_size``.

        Raises:
          ValueError: frames of another type or shape, or outputs that are no detections.
          BatchTooLarge: no memory for a single frame.
        """
        check_frames(frames)
        results: list[FrameDetections] = []
        while len(results) < len(frames):
            batch = frames[len(results) : len(results) + self._batch_size]
            try:
                results.extend(self._detect_batch(batch))
            except BatchTooLarge:
                # A graph with a batch of its own is run with that many frames, however few are wanted.
                if len(batch) == 1 or self.info.static_batch:
                    raise
                self._halve(len(batch))
        return results

    def lower_batch_size(self, batch_size: int, warning: str) -> None:
        """Sets a smaller batch size for good, and records why."""
        with self._lock:
            if batch_size < self._batch_size:
                self._batch_size = batch_size
                self._warnings = (*self._warnings, warning)

    def _detect_batch(self, batch: Frames) -> list[FrameDetections]:
        outputs = self._call(fill_batch(batch, self.info.static_batch))
        frames = split_frames(outputs, len(batch), first_class=self.info.first_class)
        return [replace(frame, unknown_classes=self.labels.count_unknown(frame.classes)) for frame in frames]

    def _halve(self, tried: int) -> None:
        smaller = tried // 2
        self.lower_batch_size(
            smaller,
            f"Memory ran out at a batch of {tried} frames: {smaller} are run at a time from there on.",
        )


def fill_batch(frames: Frames, static_batch: int | None) -> Frames:
    """``frames``, filled up to the static batch by repeating the last one."""
    missing = (static_batch or 0) - len(frames)
    if missing <= 0:
        return frames
    return np.concatenate([frames, np.repeat(frames[-1:], missing, axis=0)])
