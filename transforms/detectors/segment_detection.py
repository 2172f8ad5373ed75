"""One segment through a detector: fixed batches, the frame that fails alone set aside, times measured."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from transforms.detections.segment_findings import FrameRows, SegmentFindings
from transforms.detections.tables import usable_rows
from transforms.detectors.frame_detections import FrameDetections
from transforms.videos.deadline import TookTooLong, ahead_within
from transforms.videos.decoding import DecodedFrame, SegmentDecoder
from transforms.videos.reasons import PROGRAMMING_ERRORS
from transforms.videos.segments import SegmentSpec

T = TypeVar("T")
Frames = npt.NDArray[np.uint8]
Detect = Callable[[Frames], Sequence[FrameDetections]]

# While one run of the model is in what only one core can do, another one uses the others.
RUNS_AT_ONCE = 2
_ERROR_LENGTH = 300
_MOST_AHEAD_BYTES = 256 << 20


@dataclass(slots=True)
class SegmentTimes:
    """Where the time of a segment went.

    Attributes:
      decode_s: spent in the decoder, most of it beside the model.
      inference_s: with at least one run of the model under way.
      batches: frames of each run of the model.
    """

    decode_s: float = 0.0
    inference_s: float = 0.0
    batches: list[int] = field(default_factory=list)


def detect_in_segment(
    decoder: SegmentDecoder,
    spec: SegmentSpec,
    detect: Detect,
    *,
    batch_size: int,
    floor: float,
    limit_seconds: float,
    frame_bytes: int,
    each: Callable[[DecodedFrame, FrameRows], None],
    times: SegmentTimes,
    runs: Executor,
) -> SegmentFindings:
    """Decodes ahead of the model in a thread, and runs the model over fixed batches of frames in others.

    Batches begin with the segment and hold ``batch_size`` frames, the last one the rest; so what shares a batch
    depends on the segment alone.

    Args:
      detect: gives the detections of each frame of a batch [n,height,width,3].
      floor: detections of a lower score are left out.
      limit_seconds: for all waiting for the decoder.
      frame_bytes: of one decoded frame; large ones are decoded less far ahead.
      each: called with each processed frame, in order, in the caller's thread.
      times: filled in.
      runs: runs the model, on ``RUNS_AT_ONCE`` batches at a time.
    """
    processed: set[int] = set()
    rows: list[FrameRows] = []
    failures: list[tuple[int, str]] = []
    dropped = clipped = 0
    ahead = max(1, min(2 * batch_size, _MOST_AHEAD_BYTES // max(1, frame_bytes)))
    waiting = RUNS_AT_ONCE if batch_size * frame_bytes * RUNS_AT_ONCE <= _MOST_AHEAD_BYTES else 0
    given_up: list[TookTooLong] = []
    frames = ahead_within(_timed(decoder, times), limit_seconds, depth=ahead)
    last_ended = 0.0
    for batch, run in in_flight(batches(frames, batch_size, given_up), detect, runs, waiting):
        times.inference_s += max(0.0, run.ended - max(run.begun, last_ended))
        last_ended = max(last_ended, run.ended)
        times.batches.append(len(batch))
        for frame, result in zip(batch, run.results, strict=True):
            if isinstance(result, str):
                failures.append((frame.frame_index, result))
                continue
            of_frame, left_out = frame_rows(frame.frame_index, result, floor)
            dropped += left_out + result.dropped_rows
            clipped += result.clipped_boxes
            processed.add(frame.frame_index)
            if len(of_frame.scores):
                rows.append(of_frame)
            each(frame, of_frame)
    return SegmentFindings(
        time_base=spec.time_base,
        records=decoder.records(processed=processed),
        frames=rows,
        failures=failures,
        errors=tuple(decoder.errors),
        timed_out=bool(given_up),
        dropped_rows=dropped,
        clipped_boxes=clipped,
    )


def batches(frames: Iterable[DecodedFrame], size: int, given_up: list[TookTooLong]) -> Iterator[list[DecodedFrame]]:
    """Frames in lists of ``size``; a frame whose picture has another size begins a new one.

    Where the frames stop coming in time, the error is put into ``given_up``, and what is there is a batch.
    """
    batch: list[DecodedFrame] = []
    try:
        for frame in frames:
            if batch and frame.pixels.shape != batch[0].pixels.shape:
                yield batch
                batch = []
            batch.append(frame)
            if len(batch) == size:
                yield batch
                batch = []
    except TookTooLong as error:
        given_up.append(error)
    if batch:
        yield batch


@dataclass(frozen=True, slots=True)
class Run:
    """What ``detect_each`` gave for a batch, and when, by the monotonic clock."""

    results: list[FrameDetections | str]
    begun: float
    ended: float


def in_flight(
    waiting_batches: Iterable[list[DecodedFrame]], detect: Detect, runs: Executor, most: int
) -> Iterator[tuple[list[DecodedFrame], Run]]:
    """Each batch with what came of it, in order; while one is looked at, up to ``most`` more are on their way."""
    under_way: deque[tuple[list[DecodedFrame], Future[Run]]] = deque()

    def oldest() -> tuple[list[DecodedFrame], Run]:
        batch, future = under_way.popleft()
        return batch, future.result()

    try:
        for batch in waiting_batches:
            under_way.append((batch, runs.submit(_run, batch, detect)))
            if len(under_way) > most:
                yield oldest()
        while under_way:
            yield oldest()
    finally:
        for _, future in under_way:
            future.cancel()


def _run(batch: Sequence[DecodedFrame], detect: Detect) -> Run:
    begun = time.monotonic()
    return Run(detect_each(batch, detect), begun, time.monotonic())


def detect_each(batch: Sequence[DecodedFrame], detect: Detect) -> list[FrameDetections | str]:
    """The detections of each frame, or the error of one that fails even alone.

    A batch that fails is halved until the frames that fail stand alone; all others are run.
    """
    try:
        return list(detect(np.stack([frame.pixels for frame in batch])))
    except PROGRAMMING_ERRORS:
        raise
    except Exception as error:  # a foreign graph can raise anything
        if len(batch) == 1:
            return [f"{type(error).__name__}: {' '.join(str(error).split())}"[:_ERROR_LENGTH]]
    middle = len(batch) // 2
    return detect_each(batch[:middle], detect) + detect_each(batch[middle:], detect)


def frame_rows(frame_index: int, found: FrameDetections, floor: float) -> tuple[FrameRows, int]:
    """A frame's detections of at least ``floor`` in canonical order, and how many were no boxes."""
    rows, dropped = usable_rows(found.boxes, found.scores, found.classes, floor)
    kept = FrameRows(
        frame_index,
        np.clip(found.boxes[rows], 0.0, 1.0),
        found.scores[rows],
        found.classes[rows],
        None if found.masks is None else found.masks[rows],
        None if found.keypoints is None else found.keypoints[rows],
    )
    return kept, dropped


def _timed(items: Iterable[T], times: SegmentTimes) -> Iterator[T]:
    iterator: Any = iter(items)
    while True:
        begun = time.monotonic()
        try:
            item = next(iterator)
        except StopIteration:
            return
        finally:
            times.decode_s += time.monotonic() - begun
        yield item
