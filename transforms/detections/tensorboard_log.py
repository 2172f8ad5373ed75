"""A run in TensorBoard: detections of each class and the frame rate as scalars, a few annotated frames as images.

Every run has a folder of its own and every video one within it, and each file's steps ascend: TensorBoard then never
meets a step that goes backwards, which it answers by dropping data ("Detected out of order event.step"). Events are
TFRecords of ``Event`` messages (tensorboard/compat/proto/event.proto).
"""

from __future__ import annotations

import io
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import pyarrow.parquet as pq
from PIL import Image

from transforms import storage
from transforms.detections.detect_settings import DetectSettings
from transforms.detections.drawing import draw_detections
from transforms.detections.output_folder import load_findings
from transforms.detections.segment_findings import FrameRows
from transforms.detections.segment_outcome import SegmentOutcome
from transforms.detections.video_results import DETECTIONS_FILE, FRAMES_FILE
from transforms.shards.record_framing import frame_record
from transforms.videos.deadline import TookTooLong, ahead_within
from transforms.videos.decoding import SegmentDecoder
from transforms.videos.reasons import VideoRefused
from transforms.videos.remote_videos import source_of
from transforms.videos.segments import SegmentSpec
from transforms.videos.video_parts import ProbedVideo

_CLAIM_FILE = ".detect"
_FILE_VERSION = "brain.Event:2"
_IMAGES = 4
_BUCKETS = 1000


class TensorBoardMissing(Exception):
    """The package that defines the messages is not installed."""


def require_tensorboard() -> None:
    """Raises TensorBoardMissing, with the remedy, where the package is absent."""
    try:
        import tensorboard.compat.proto.event_pb2  # noqa: F401
    except ImportError:
        raise TensorBoardMissing(
            "--logdir needs the package tensorboard, which is not installed: pip install tensorboard, or leave --logdir"
        ) from None


def new_run_folder(logdir: str) -> str:
    """Makes ``LOGDIR/detect-0001`` or the next number that is free.

    Raises:
      OSError: it cannot be made.
    """
    if not storage.is_remote(logdir):
        os.makedirs(logdir, exist_ok=True)
    number = 1
    while True:
        folder = os.path.join(storage.absolute(logdir), f"detect-{number:04d}")
        try:
            if storage.is_remote(logdir):  # where no folder is without a file
                storage.write_exclusively(f"{folder}/{_CLAIM_FILE}", b"")
            else:
                os.mkdir(folder)
            return folder
        except FileExistsError:
            number += 1


def log_video(
    run_folder: str,
    manifest: Mapping[str, Any],
    video: ProbedVideo,
    outcomes: Sequence[SegmentOutcome],
    settings: DetectSettings,
) -> None:
    """Writes the event file of one video, whole; the step is the frame's index."""
    results = os.path.join(settings.output, manifest["folder"])
    if not storage.exists(os.path.join(results, FRAMES_FILE)):
        return
    entries = [*_rates(outcomes), *_counts(results), *_images(video, outcomes, settings)]
    now = time.time()
    events = _event(now, file_version=_FILE_VERSION)
    for step, values in groupby(sorted(entries, key=lambda entry: entry[:2]), key=lambda entry: entry[0]):
        events += _event(now, step=step, summary={"value": [value for _, _, value in values]})
    file = os.path.join(run_folder, manifest["folder"], f"events.out.tfevents.{int(now)}.boxmill")
    storage.write_whole(file, b"".join(events))


_Entry = tuple[int, str, dict[str, Any]]
"""Step, tag, and the value's fields."""


def _rates(outcomes: Sequence[SegmentOutcome]) -> Iterator[_Entry]:
    for outcome in outcomes:
        if not outcome.reused and outcome.seconds > 0:
            yield _scalar(outcome.first_frame, "frames per second", outcome.frames / outcome.seconds)


def _counts(results: str) -> Iterator[_Entry]:
    """Detections of each class in each frame; of long videos, the mean over a few frames."""
    frames = _columns(os.path.join(results, FRAMES_FILE), "frame_index", "status")
    processed = [
        index for index, status in zip(frames["frame_index"], frames["status"], strict=True) if status == "processed"
    ]
    columns = _columns(os.path.join(results, DETECTIONS_FILE), "frame_index", "label")
    by_frame: dict[int, Counter[str]] = {}
    for index, label in zip(columns["frame_index"], columns["label"], strict=True):
        by_frame.setdefault(index, Counter())[label] += 1
    labels = sorted(set(columns["label"]))
    width = max(1, len(processed) // _BUCKETS)
    for start in range(0, len(processed), width):
        bucket = processed[start : start + width]
        total: Counter[str] = sum((by_frame.get(index, Counter()) for index in bucket), Counter())
        for label in labels:
            yield _scalar(bucket[0], f"detections/{label}", total[label] / len(bucket))


def _columns(path: str, *names: str) -> dict[str, list[Any]]:
    with storage.open_file(path) as file:
        columns: dict[str, list[Any]] = pq.read_table(file, columns=list(names)).to_pydict()
    return columns


def _images(video: ProbedVideo, outcomes: Sequence[SegmentOutcome], settings: DetectSettings) -> Iterator[_Entry]:
    """Evenly spread segments' frames with the most detections, annotated."""
    if isinstance(video.probe, VideoRefused) or not outcomes:
        return
    specs = settings.cut.segments(video.probe)
    chosen = sorted({round(i * (len(outcomes) - 1) / max(1, _IMAGES - 1)) for i in range(_IMAGES)})
    for place in chosen:
        findings = load_findings(outcomes[place].findings)
        frames = [rows.above(settings.min_score) for rows in findings.frames] if findings else []
        best = max(frames, key=lambda rows: (len(rows.scores), -rows.frame_index), default=None)
        if best is not None and len(best.scores):
            yield from _image(video.path, specs[outcomes[place].index], best, settings)


def _image(path: str, spec: SegmentSpec, rows: FrameRows, settings: DetectSettings) -> Iterator[_Entry]:
    try:
        for frame in ahead_within(SegmentDecoder(source_of(path), spec), settings.segment_limit_seconds):
            if frame.frame_index != rows.frame_index:
                continue
            names = [settings.labels.get(class_id, f"class_{class_id}") for class_id in rows.classes.tolist()]
            drawn = draw_detections(
                frame.pixels,
                rows.boxes,
                rows.scores,
                rows.classes,
                names,
                masks=rows.masks,
                keypoints=rows.keypoints,
                font_path=settings.font.path if settings.font else None,
            )
            stream = io.BytesIO()
            Image.fromarray(drawn).save(stream, "PNG")
            height, width = drawn.shape[:2]
            picture = {"height": height, "width": width, "colorspace": 3, "encoded_image_string": stream.getvalue()}
            yield frame.frame_index, "annotated", {"tag": "annotated", "image": picture}
            return
    except TookTooLong:
        return


def _scalar(step: int, tag: str, value: float) -> _Entry:
    return step, tag, {"tag": tag, "simple_value": value}


def _event(wall_time: float, **fields: Any) -> list[bytes]:
    from tensorboard.compat.proto.event_pb2 import Event

    return frame_record([Event(wall_time=wall_time, **fields).SerializeToString()])
