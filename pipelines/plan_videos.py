"""How many frames and segments videos have, from a sample of them; and what a model does with a few frames."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from transforms.detections.detect_settings import DetectSettings
from transforms.detections.exports import EXPORTS, write_files
from transforms.detections.output_folder import OutputFolder, save_findings
from transforms.detections.pixel_products import product_files
from transforms.detections.segment_findings import SegmentFindings
from transforms.detections.tables import (
    DETECTION_SCHEMA,
    FRAME_SCHEMA,
    VideoFacts,
    detection_table,
    frame_table,
    with_facts,
    write_canonical,
)
from transforms.detectors.detect_segments import LoadedModel, infer
from transforms.detectors.segment_detection import SegmentTimes
from transforms.planning.sampling import NOTHING, Estimate, ratio_estimate, spread_by_hash
from transforms.videos.cut_settings import CutSettings
from transforms.videos.find_videos import VideoFile
from transforms.videos.probe import VideoProbe, probe_video
from transforms.videos.reasons import PROGRAMMING_ERRORS, VideoRefused
from transforms.videos.remote_videos import source_of
from transforms.videos.segments import SegmentSpec
from transforms.videos.sources import fingerprint, open_video
from transforms.videos.video_parts import VideoPart

_MOST_VIDEOS = 32
_PROBED_BYTES = 256 << 20
_MEASURED_VIDEOS = 3
_PLACES = 3
_BATCHES = 4
_MOST_SECONDS = 20.0


@dataclass(slots=True)
class VideoSample:
    """What is known of videos.

    Attributes:
      videos, frames, processed, segments: of all of them; ``processed`` are the frames that the model sees.
      longest_segment: frames that the model sees of the longest segment that was met.
      frame_bytes: of the largest frame, decoded.
      probe_byte: seconds to probe a byte.
      probed: those that were read through, with their files.
      notes: what the numbers rest on.
    """

    videos: Estimate = NOTHING
    frames: Estimate = NOTHING
    processed: Estimate = NOTHING
    segments: Estimate = NOTHING
    longest_segment: float = 0.0
    frame_bytes: float = 0.0
    probe_byte: float = 0.0
    probed: list[tuple[VideoFile, VideoProbe]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def sample_videos(files: Sequence[VideoFile], cut: CutSettings) -> VideoSample:
    """Goes through the packets of some videos, the smallest of a sample at least; believes the headers of others."""
    sample = VideoSample()
    chosen = sorted(spread_by_hash(files, lambda file: file.name, _MOST_VIDEOS), key=lambda file: file.size)
    rows: list[tuple[float, float, float, float]] = []  # videos, frames, processed, segments
    read, seconds = 0, 0.0
    for file in chosen:
        if read and read + file.size > _PROBED_BYTES:
            rows.append(_by_header(file, cut))
            continue
        begun = time.perf_counter()
        source = source_of(file.path)
        fingerprint(source)
        probe = probe_video(source, stream=cut.stream, max_pixels=cut.max_pixels)
        read, seconds = read + file.size, seconds + time.perf_counter() - begun
        if isinstance(probe, VideoRefused):
            rows.append((0.0, 0.0, 0.0, 0.0))
            continue
        specs = cut.segments(probe)
        seen = [len(spec.pts) - len(spec.skipped_pts) for spec in specs]
        rows.append((1.0, len(probe.pts), sum(seen), len(specs)))
        sample.longest_segment = max(sample.longest_segment, *seen)
        sample.frame_bytes = max(sample.frame_bytes, 3.0 * probe.width * probe.height)
        sample.probed.append((file, probe))
    sizes, everything = [float(file.size) for file in chosen], float(sum(file.size for file in files))
    columns = list(zip(*rows, strict=True))
    ones = [1.0] * len(rows)
    sample.videos = ratio_estimate(columns[0], ones, len(files), len(files))
    sample.frames, sample.processed, sample.segments = (
        ratio_estimate(column, sizes, everything, len(files)) for column in columns[1:]
    )
    sample.probe_byte = seconds / max(1, read)
    headers = len(chosen) - len(sample.probed) - sum(row[0] == 0 for row in rows)
    sample.notes.append(
        f"videos: {len(sample.probed):,} of {len(files):,} were read through, of {max(0, headers):,} the header"
    )
    return sample


def _by_header(file: VideoFile, cut: CutSettings) -> tuple[float, float, float, float]:
    """What a header claims: good enough for a plan, often wrong by some frames."""
    try:
        with open_video(source_of(file.path), max_pixels=cut.max_pixels) as container:
            stream = container.streams.best("video")
            if stream is None:
                return 0.0, 0.0, 0.0, 0.0
            rate = float(stream.average_rate or 0)
            length = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else 0.0
            length = length or (container.duration or 0) / 1e6
            frames = float(stream.frames or length * rate)
    except PROGRAMMING_ERRORS:
        raise
    except Exception:  # native demuxers raise nearly every kind; detect says which
        return 0.0, 0.0, 0.0, 0.0
    sampling = cut.sampling
    seen = frames / sampling.stride if sampling.fps is None else min(frames, length * float(sampling.fps))
    return 1.0, frames, seen, max(1.0, math.ceil(length / cut.segment_seconds))


@dataclass(slots=True)
class FrameSample:
    """What a model did with some frames.

    Attributes:
      load_seconds: to load it.
      frame_seconds: for a frame that it sees, decoding and all.
      decode_share: of the decoder, which works beside the model, in that.
      finish_seconds: to write tables and exports, for a frame.
      frames, processed: that were looked at, and that the model saw.
      detections: for each of the latter.
      frame_bytes, processed_bytes: of results, for a frame and for one that the model saw.
      video_bytes, segment_bytes: for a video and a segment without frames.
    """

    load_seconds: float = 0.0
    frame_seconds: float = 0.0
    decode_share: float = 0.0
    finish_seconds: float = 0.0
    frames: int = 0
    processed: int = 0
    detections: float = 0.0
    frame_bytes: float = 0.0
    processed_bytes: float = 0.0
    video_bytes: float = 0.0
    segment_bytes: float = 0.0


def measure_frames(probed: Sequence[tuple[VideoFile, VideoProbe]], settings: DetectSettings) -> FrameSample:
    """Runs the model over a few frames at some places of some videos, writing results to the folder of the settings.

    Args:
      probed: at least one video.
      settings: of the run, with an empty folder for output.
    """
    begun = time.perf_counter()
    model = LoadedModel(settings)
    sample = FrameSample(load_seconds=time.perf_counter() - begun)
    parts = [part for file, probe in probed[:_MEASURED_VIDEOS] for part in _places(file, probe, settings)]
    infer(parts[0], model, settings, {}, SegmentTimes())  # a model's first batches take longer
    folder = OutputFolder(settings.output)
    seconds = decoding = 0.0
    results: list[tuple[VideoPart, SegmentFindings]] = []
    products = 0
    for part in parts:
        files = product_files(folder, "plan", f"{len(results)}", settings)
        for path in files.values():
            os.makedirs(os.path.dirname(path), exist_ok=True)
        times, begun = SegmentTimes(), time.perf_counter()
        findings = infer(part, model, settings, files, times)
        seconds, decoding = seconds + time.perf_counter() - begun, decoding + times.decode_s
        results.append((part, findings))
        sample.frames += len(part.spec.pts)
        sample.processed += sum(times.batches)
        products += sum(os.path.getsize(path) for path in files.values())
        if seconds > _MOST_SECONDS:
            break
    model.runs.shutdown()
    sample.frame_seconds = seconds / max(1, sample.processed)
    sample.decode_share = min(1.0, decoding / max(seconds, 1e-9))
    _add_results(sample, results, products, settings)
    return sample


def _places(file: VideoFile, probe: VideoProbe, settings: DetectSettings) -> list[VideoPart]:
    """The first frames of some parts of a video, spread over it."""
    cut = replace(settings.cut, segment_seconds=max(0.5, probe.duration_s / _PLACES))
    aspect = 1 / probe.pixel_aspect if probe.quarter_turns % 2 else probe.pixel_aspect
    return [
        VideoPart("plan", file.path, file.name, probe.width, probe.height, str(aspect), spec)
        for spec in (_shortened(spec, _BATCHES * settings.batch_size) for spec in cut.segments(probe))
    ]


def _shortened(spec: SegmentSpec, processed: int) -> SegmentSpec:
    """The begin of a segment, until the model has seen so many frames."""
    skipped = set(spec.skipped_pts)
    seen = [pts for pts in spec.pts if pts not in skipped]
    if len(seen) <= processed:
        return spec
    end = seen[processed]
    pts, keys, left_out, damaged = (
        tuple(item for item in items if item < end)
        for items in (spec.pts, spec.key_pts, spec.skipped_pts, spec.damaged_pts)
    )
    return replace(spec, end_pts=end, pts=pts, key_pts=keys, skipped_pts=left_out, damaged_pts=damaged)


def _add_results(
    sample: FrameSample, results: Sequence[tuple[VideoPart, SegmentFindings]], products: int, settings: DetectSettings
) -> None:
    """Writes what the run would write of these frames, and of none, and compares the sizes."""
    begun = time.perf_counter()
    of_none = _sizes(results[0][0], [], settings, "none")
    begun, empty_seconds = time.perf_counter(), time.perf_counter() - begun
    of_all = _sizes(results[0][0], [findings for _, findings in results], settings, "all")
    seconds = time.perf_counter() - begun - empty_seconds
    sample.finish_seconds = max(0.0, seconds) / max(1, sample.frames)
    sample.detections = of_all[2] / max(1, sample.processed)
    sample.frame_bytes = (of_all[1] - of_none[1]) / max(1, sample.frames)
    sample.processed_bytes = (of_all[0] - of_none[0] + products) / max(1, sample.processed)
    sample.video_bytes = of_none[0] + of_none[1]
    # Findings are stored beside the results: their rows once more.
    stored = []
    for number, findings in enumerate((replace(results[0][1], records=[], frames=[]), results[0][1])):
        path = os.path.join(settings.output, f"findings-{number}")
        save_findings(path, findings)
        stored.append(os.path.getsize(path))
    sample.segment_bytes = stored[0]
    sample.processed_bytes += (stored[1] - stored[0]) / max(1, len(results[0][1].records))


def _sizes(
    part: VideoPart, findings: Sequence[SegmentFindings], settings: DetectSettings, name: str
) -> tuple[float, float, int]:
    """Bytes of detections with their exports, bytes of the table of frames, and the number of detections."""
    facts = VideoFacts(part.name, part.spec.time_base, part.width, part.height, settings.model.fingerprint)
    shown = [
        (index, item, [rows for frame in item.frames if len((rows := frame.above(settings.min_score)).scores)])
        for index, item in enumerate(findings)
    ]
    tables = [
        detection_table(
            facts, [rows.detections() for rows in rows_of], item.records, segment=index, labels=settings.labels
        )
        for index, item, rows_of in shown
    ]
    records = [record for item in findings for record in item.records]
    found = {rows.frame_index: len(rows.scores) for _, _, rows_of in shown for rows in rows_of}
    frames = frame_table(facts, records, found)
    folder = os.path.join(settings.output, name)
    os.makedirs(folder)
    paths = [os.path.join(folder, "detections.parquet"), os.path.join(folder, "frames.parquet")]
    number = write_canonical(paths[0], with_facts(DETECTION_SCHEMA, facts), tables)
    write_canonical(paths[1], with_facts(FRAME_SCHEMA, facts), [frames])
    return os.path.getsize(paths[0]) + _export_bytes(folder, paths, settings), os.path.getsize(paths[1]), number


def _export_bytes(folder: str, paths: Sequence[str], settings: DetectSettings) -> int:
    from pathlib import Path

    import pyarrow.parquet as pq

    size = 0
    for name in settings.exports:
        if name in EXPORTS:
            detections, frames = (pq.read_table(path) for path in paths)
            written = write_files(Path(folder, name), EXPORTS[name](detections, frames, settings.labels))
            size += sum(path.stat().st_size for path in written)
    return size
