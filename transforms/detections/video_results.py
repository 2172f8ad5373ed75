"""From the findings of all segments of a video to its folder of results."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from transforms import storage
from transforms.detections.annotated_video import join_segments
from transforms.detections.detect_settings import DetectSettings
from transforms.detections.exports import EXPORTS, write_files
from transforms.detections.output_folder import (
    FORMAT_VERSION,
    KIND,
    MANIFEST_FILE,
    OutputFolder,
    load_findings,
    manifest_bytes,
    read_manifest,
    video_folder_name,
)
from transforms.detections.pixel_products import DRAWN, RECORDS, product_files
from transforms.detections.segment_findings import FrameRows, SegmentFindings
from transforms.detections.segment_outcome import SegmentOutcome
from transforms.detections.tables import (
    DETECTION_SCHEMA,
    FRAME_SCHEMA,
    VideoFacts,
    detection_table,
    frame_table,
    with_facts,
    write_canonical,
)
from transforms.detections.video_folder import NewFolder, new_folder
from transforms.shards.label_map import label_map_text
from transforms.videos.frame_ledger import (
    FrameCounts,
    FrameRecord,
    LedgerNotClosed,
    close_ledger,
    count_frames,
    video_status,
)
from transforms.videos.probe import VideoProbe
from transforms.videos.reasons import TRIED_AGAIN, VideoReason, VideoRefused
from transforms.videos.remote_videos import require_all_read, source_of
from transforms.videos.video_parts import ProbedVideo

DETECTIONS_FILE, FRAMES_FILE = "detections.parquet", "frames.parquet"
ANNOTATED_FILE = "annotated.mp4"
EXPORTS_FOLDER = "exports"
_LISTED = 20


@dataclass(slots=True)
class _Account:
    """What is added up while the segments of a video are gone through, one at a time.

    Attributes:
      classes: detections by label.
    """

    records: list[FrameRecord] = field(default_factory=list)
    found: dict[int, int] = field(default_factory=dict)
    classes: dict[str, int] = field(default_factory=dict)
    unknown: set[int] = field(default_factory=set)
    failures: list[tuple[int, str]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    warnings: dict[str, None] = field(default_factory=dict)
    timed_out: bool = False
    dropped_rows: int = 0
    clipped_boxes: int = 0

    def add(self, findings: SegmentFindings, shown: Sequence[FrameRows], labels: Mapping[int, str]) -> None:
        self.records += findings.records
        self.failures += findings.failures
        self.errors += findings.errors
        self.warnings |= dict.fromkeys(findings.warnings)
        self.timed_out |= findings.timed_out
        self.dropped_rows += findings.dropped_rows
        self.clipped_boxes += findings.clipped_boxes
        for rows in shown:
            self.found[rows.frame_index] = len(rows.scores)
            for class_id in rows.classes.tolist():
                label = labels.get(class_id, f"class_{class_id}")
                self.classes[label] = self.classes.get(label, 0) + 1
                if class_id not in labels:
                    self.unknown.add(class_id)


def finished_results(settings: DetectSettings, name: str, fingerprint: str) -> dict[str, Any] | None:
    """The manifest of a video's results where they are there already, made from the same with the same settings."""
    manifest = read_manifest(OutputFolder(settings.output).video(name, fingerprint))
    if manifest is None or manifest.get("key") != settings.video_key(name, fingerprint):
        return None
    return None if manifest["reason"] in TRIED_AGAIN else manifest


def names_by_folder(video: ProbedVideo) -> list[list[str]]:
    """The names of a video, those together that differ in their ending alone: they share a folder of results."""
    folders: dict[str, list[str]] = {}
    for name in video.names:
        folders.setdefault(video_folder_name(name, video.fingerprint), []).append(name)
    return list(folders.values())


def is_unfinished(video: ProbedVideo, settings: DetectSettings) -> bool:
    """Whether a video needs any work, under one of its names."""
    return any(finished_results(settings, names[0], video.fingerprint) is None for names in names_by_folder(video))


def write_results(
    video: ProbedVideo, name: str, outcomes: Sequence[SegmentOutcome], settings: DetectSettings
) -> dict[str, Any]:
    """Writes the folder of a video under one of its names, and moves it into place; returns its manifest.

    Args:
      outcomes: of all its segments, in order.
    """
    finished = finished_results(settings, name, video.fingerprint) if video.fingerprint else None
    if finished is not None:
        return finished
    if not video.fingerprint:  # not even its bytes could be read, so there is nothing to name a folder by
        return _refused(video, name, settings)
    with new_folder(OutputFolder(settings.output).video(name, video.fingerprint)) as new:
        if isinstance(video.probe, VideoRefused):
            manifest = _refused(video, name, settings)
        else:
            manifest = _write_probed(new, video, video.probe, name, outcomes, settings)
        Path(new.path, MANIFEST_FILE).write_bytes(manifest_bytes(manifest))
        settings.check_claim()
        finished = finished_results(settings, name, video.fingerprint)
        if finished is not None:  # another attempt at this video, that was taken for lost, has come first
            return finished
        new.put_in_place()
    return manifest


def _refused(video: ProbedVideo, name: str, settings: DetectSettings) -> dict[str, Any]:
    assert isinstance(video.probe, VideoRefused)
    reason, detail = video.probe.reason, video.probe.detail
    return _manifest(video, name, settings, "rejected", reason, detail, count_frames([]), _Account(), 0)


def _write_probed(
    new: NewFolder,
    video: ProbedVideo,
    probe: VideoProbe,
    name: str,
    outcomes: Sequence[SegmentOutcome],
    settings: DetectSettings,
) -> dict[str, Any]:
    facts = VideoFacts(name, probe.time_base, probe.width, probe.height, settings.model.fingerprint)
    account = _Account()
    tables = _tables(outcomes, facts, settings, account)
    detections = write_canonical(os.path.join(new.path, DETECTIONS_FILE), with_facts(DETECTION_SCHEMA, facts), tables)
    status, reason, detail = "rejected", None, ""
    counts = count_frames(account.records)
    try:
        close_ledger(probe.pts, account.records)
        status, reason, detail = video_status(probe, counts, timed_out=account.timed_out, failed=len(account.failures))
    except LedgerNotClosed as error:
        reason, detail = VideoReason.LEDGER_NOT_CLOSED, str(error)
    frames = frame_table(facts, account.records, account.found)
    write_canonical(os.path.join(new.path, FRAMES_FILE), with_facts(FRAME_SCHEMA, facts), [frames])
    manifest = _manifest(video, name, settings, status, reason, detail, counts, account, detections)
    manifest["counts"]["segments"] = len(outcomes)
    if counts.processed:
        manifest["exports"] = _write_exports(new, video, probe, settings)
        if settings.annotated_video:
            manifest["annotated_video"] = _write_annotated(new.path, video, probe, settings)
    return manifest


def _tables(
    outcomes: Sequence[SegmentOutcome], facts: VideoFacts, settings: DetectSettings, account: _Account
) -> Iterator[pa.Table]:
    """The detections of one segment after another; the account is added up on the way."""
    for outcome in outcomes:
        findings = load_findings(outcome.findings)
        if findings is None:
            raise FileNotFoundError(f"{outcome.findings} was there a moment ago; did somebody remove it?")
        shown = [rows for frame in findings.frames if len((rows := frame.above(settings.min_score)).scores)]
        account.add(findings, shown, settings.labels)
        if outcome.cut_short:
            account.warnings[outcome.cut_short] = None
        yield detection_table(
            facts,
            [rows.detections() for rows in shown],
            findings.records,
            segment=outcome.index,
            labels=settings.labels,
        )


def _write_exports(
    new: NewFolder, video: ProbedVideo, probe: VideoProbe, settings: DetectSettings
) -> dict[str, list[str]]:
    """Writes ``exports/``; returns what is in it, a list of up to so many files for each format."""
    written: dict[str, list[str]] = {}
    target = Path(new.path, EXPORTS_FOLDER)
    plain = [name for name in sorted(settings.exports) if name in EXPORTS]
    if plain:
        detections = pq.read_table(os.path.join(new.path, DETECTIONS_FILE))
        frames = pq.read_table(os.path.join(new.path, FRAMES_FILE))
        for name in plain:
            paths = write_files(target / name, EXPORTS[name](detections, frames, settings.labels))
            written[name] = [path.relative_to(new.path).as_posix() for path in paths[:_LISTED]]
    if "tfrecord" in settings.exports:
        written["tfrecord"] = _write_records(new, video, probe, settings)
    return written


def _write_records(new: NewFolder, video: ProbedVideo, probe: VideoProbe, settings: DetectSettings) -> list[str]:
    """A shard for each segment, so that nothing is copied, and the label map."""
    folder = f"{EXPORTS_FOLDER}/tfrecord"
    Path(new.path, folder).mkdir(parents=True)
    parts = [files[RECORDS] for files in _product_files(video, probe, settings)]
    stem = PurePath(video.names[0]).stem
    names = []
    for number, part in enumerate(parts):
        names.append(f"{folder}/{stem}.tfrecord-{number:05d}-of-{len(parts):05d}")
        new.take_in(part, names[-1])
    if settings.labels:
        ids = {label: class_id for class_id, label in sorted(settings.labels.items())}
        names.append(f"{folder}/label_map.pbtxt")
        Path(new.path, names[-1]).write_text(label_map_text(ids), encoding="utf-8")
    return names


def _write_annotated(folder: str, video: ProbedVideo, probe: VideoProbe, settings: DetectSettings) -> dict[str, Any]:
    source = source_of(video.path)
    drawn = (files[DRAWN] for files in _product_files(video, probe, settings))
    joined = join_segments(
        os.path.join(folder, ANNOTATED_FILE),
        (storage.open_file(file) if storage.is_remote(file) else file for file in drawn),
        source,
        stream=probe.stream_index,
        time_base=probe.time_base,
        frame_duration=probe.frame_duration,
    )
    require_all_read(source)
    return {"file": ANNOTATED_FILE, **asdict(joined)}


def _product_files(video: ProbedVideo, probe: VideoProbe, settings: DetectSettings) -> list[Mapping[str, str]]:
    folder = OutputFolder(settings.output)
    return [product_files(folder, video.fingerprint, spec.name, settings) for spec in settings.cut.segments(probe)]


def _manifest(
    video: ProbedVideo,
    name: str,
    settings: DetectSettings,
    status: str,
    reason: VideoReason | None,
    detail: str,
    counts: FrameCounts,
    account: _Account,
    detections: int,
) -> dict[str, Any]:
    return {
        "format_version": FORMAT_VERSION,
        "kind": KIND,
        "key": settings.video_key(name, video.fingerprint),
        "video": {"name": name, "sha256": video.fingerprint or None, **_described(video.probe)},
        "folder": video_folder_name(name, video.fingerprint) if video.fingerprint else None,
        "model": asdict(settings.model),
        "settings": settings.described(),
        "status": status,
        "reason": reason.value if reason else None,
        "detail": detail,
        "counts": {"frames": asdict(counts), "detections": detections, "segments": 0},
        "classes": dict(sorted(account.classes.items())),
        "left_out": {"rows_without_a_box": account.dropped_rows, "boxes_clipped": account.clipped_boxes},
        "unknown_classes": sorted(account.unknown),
        "failures": [{"frame_index": index, "error": error} for index, error in account.failures[:_LISTED]],
        "decoder_errors": account.errors[:_LISTED],
        "warnings": list(account.warnings),
    }


def _described(probe: VideoProbe | VideoRefused) -> dict[str, Any]:
    if isinstance(probe, VideoRefused):
        return {}
    return {
        "container": probe.container,
        "codec": probe.codec,
        "stream": probe.stream_index,
        "width": probe.width,
        "height": probe.height,
        "rotation": probe.rotation,
        "time_base": str(probe.time_base),
        "duration_s": round(probe.duration_s, 6),
    }
