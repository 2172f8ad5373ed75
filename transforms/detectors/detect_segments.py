"""Runs the model over segments in parallel, in Beam; the model is loaded once for each worker process."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from fractions import Fraction

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.utils.shared import Shared

from transforms import storage
from transforms.detections.detect_settings import DetectSettings
from transforms.detections.output_folder import OutputFolder, load_findings, save_findings
from transforms.detections.pixel_products import product_files, writing_products
from transforms.detections.segment_findings import FrameRows, SegmentFindings
from transforms.detections.segment_outcome import SegmentOutcome
from transforms.detections.tables import VideoFacts
from transforms.detectors.detector import Detector
from transforms.detectors.loading import load_detector
from transforms.detectors.refusal import ModelRefused
from transforms.detectors.remote_models import local_model
from transforms.detectors.segment_detection import RUNS_AT_ONCE, SegmentTimes, detect_in_segment
from transforms.freed_memory import keep_freed_memory
from transforms.videos.deadline import TookTooLong, ahead_within
from transforms.videos.decoding import DecodedFrame, SegmentDecoder
from transforms.videos.frame_ledger import count_frames
from transforms.videos.remote_videos import require_all_read, source_of
from transforms.videos.video_parts import VideoPart

NAMESPACE = "boxmill"


def _counter(name: str) -> Metrics.DelegatingCounter:
    return Metrics.counter(NAMESPACE, name)


_model_loads, _load_ms = _counter("model_loads"), _counter("load_ms")
_batches, _inference_ms, _decode_ms = _counter("batches"), _counter("inference_ms"), _counter("decode_ms")
_frames_done, _frames_reused = _counter("frames_done"), _counter("frames_reused")
_segments_inferred, _segments_reused = _counter("segments_inferred"), _counter("segments_reused")
_frames = {name: _counter(f"frames_{name}") for name in ("ok", "suspect", "skipped", "lost")}
_batch_size = Metrics.distribution(NAMESPACE, "batch_size")


class LoadedModel:
    """A detector, the threads that run it, and how long it took to load; one for each process."""

    def __init__(self, settings: DetectSettings) -> None:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it tells users what its own functions do
        keep_freed_memory()
        begun = time.monotonic()
        with local_model(settings.model_path, settings.label_map_path) as (model, label_map):
            self.detector: Detector = load_detector(
                model,
                label_map=label_map,
                batch_size=settings.batch_size,
                floor=settings.floor,
                trust_model=settings.trust_model,
            )
        if self.detector.info.fingerprint != settings.model.fingerprint:
            raise ModelRefused(
                f"Model {settings.model_path}: it was changed while the run was under way; run it again."
            )
        self.load_ms = round(1000 * (time.monotonic() - begun))
        self.runs = ThreadPoolExecutor(RUNS_AT_ONCE, thread_name_prefix="model")
        self._lock = threading.Lock()
        self._is_counted = False

    def count_once(self) -> None:
        """Counts this load, in the first bundle that uses it."""
        with self._lock:
            if self._is_counted:
                return
            self._is_counted = True
        _model_loads.inc()
        _load_ms.inc(self.load_ms)


class _DetectSegmentDoFn(beam.DoFn):
    """Keeps the model."""

    def __init__(self, settings: DetectSettings, shared: Shared, is_resumed: bool) -> None:
        self._settings = settings
        self._shared = shared
        self._is_resumed = is_resumed
        self._model: LoadedModel | None = None

    def setup(self) -> None:
        # A run that finds finished segments may need no model: it is then loaded for the first one that does.
        if not self._is_resumed:
            self._load()

    def _load(self) -> LoadedModel:
        settings = self._settings
        if self._model is None:
            self._model = self._shared.acquire(lambda: LoadedModel(settings))
        return self._model

    def start_bundle(self) -> None:
        if self._model is not None:
            self._model.count_once()

    def process(self, part: VideoPart) -> Iterator[tuple[str, SegmentOutcome]]:
        settings, folder = self._settings, OutputFolder(self._settings.output)
        segment = part.spec.name
        path = folder.findings(part.fingerprint, segment, settings)
        files = product_files(folder, part.fingerprint, segment, settings)
        index, first = part.spec.index, part.spec.first_frame_index
        known = load_findings(path)
        if known is not None:
            missing = {kind: file for kind, file in files.items() if not storage.exists(file)}
            cut_short = redraw(part, known, settings, missing) if missing else ""
            _count_reused(known)
            yield part.fingerprint, SegmentOutcome(index, path, first, reused=True, cut_short=cut_short)
            return
        begun, times, model = time.monotonic(), SegmentTimes(), self._load()
        model.count_once()
        findings = infer(part, model, settings, files, times)
        if findings.timed_out:
            path = folder.attempt(part.fingerprint, segment, settings)
        settings.check_claim()
        save_findings(path, findings)
        _count_inferred(findings, times, model.detector.batch_size)
        seconds = time.monotonic() - begun
        yield part.fingerprint, SegmentOutcome(index, path, first, frames=sum(times.batches), seconds=seconds)


def _count_reused(findings: SegmentFindings) -> None:
    counts = count_frames(findings.records)
    _segments_reused.inc()
    _frames_reused.inc(counts.expected - counts.skipped)


def _count_inferred(findings: SegmentFindings, times: SegmentTimes, at_once: int) -> None:
    """``at_once``: frames that one run of the model takes."""
    counts = count_frames(findings.records)
    _segments_inferred.inc()
    _frames_done.inc(counts.lost)  # the processed ones were counted as they came
    for frames in times.batches:
        for first in range(0, frames, at_once):
            _batches.inc()
            _batch_size.update(min(at_once, frames - first))
    _inference_ms.inc(round(1000 * times.inference_s))
    _decode_ms.inc(round(1000 * times.decode_s))
    for record in findings.records:
        _frames[record.health if record.status == "processed" else record.status].inc()


def infer(
    part: VideoPart, model: LoadedModel, settings: DetectSettings, files: Mapping[str, str], times: SegmentTimes
) -> SegmentFindings:
    """A segment's findings by the model; ``files`` are written on the way."""
    spec, source = part.spec, source_of(part.path)

    with writing_products(files, _facts(part, settings), Fraction(part.pixel_aspect), settings) as sink:

        def each(frame: DecodedFrame, rows: FrameRows) -> None:
            _frames_done.inc()
            sink(frame, rows)

        findings = detect_in_segment(
            SegmentDecoder(source, spec),
            spec,
            model.detector.detect,
            batch_size=settings.batch_size,
            floor=settings.floor,
            limit_seconds=settings.segment_limit_seconds,
            frame_bytes=3 * part.width * part.height,
            each=each,
            times=times,
            runs=model.runs,
        )
        require_all_read(source)
    return replace(findings, warnings=model.detector.warnings)


def redraw(part: VideoPart, findings: SegmentFindings, settings: DetectSettings, files: Mapping[str, str]) -> str:
    """Writes pixel products of a segment whose findings are known: decoding alone, no model.

    Returns:
      Why they are cut short; "" where they are not.
    """
    known = {rows.frame_index: rows for rows in findings.frames}
    processed = {record.frame_index for record in findings.records if record.status == "processed"}
    source = source_of(part.path)
    decoder = SegmentDecoder(source, part.spec)
    with writing_products(files, _facts(part, settings), Fraction(part.pixel_aspect), settings) as sink:
        try:
            for frame in ahead_within(decoder, settings.segment_limit_seconds):
                if frame.frame_index in processed:
                    sink(frame, known.get(frame.frame_index) or FrameRows.none(frame.frame_index))
            require_all_read(source)
        except TookTooLong as error:
            return f"drawn frames and records of segment {part.spec.index} are cut short: {error}"
    return ""


def _facts(part: VideoPart, settings: DetectSettings) -> VideoFacts:
    return VideoFacts(part.name, part.spec.time_base, part.width, part.height, settings.model.fingerprint)


@dataclass
class DetectSegments(beam.PTransform):
    """VideoParts to ``(fingerprint, SegmentOutcome)``; segments that an earlier run finished are not run again.

    Attributes:
      settings: of the run.
      is_resumed: the store holds findings of these settings.
    """

    settings: DetectSettings
    is_resumed: bool

    def expand(self, parts: beam.PCollection[VideoPart]) -> beam.PCollection[tuple[str, SegmentOutcome]]:
        return parts | "Detect segment" >> beam.ParDo(_DetectSegmentDoFn(self.settings, Shared(), self.is_resumed))
