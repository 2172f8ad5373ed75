"""Finishes videos and commits the run, in Beam."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import apache_beam as beam
from apache_beam.metrics import Metrics

from transforms.detections.detect_settings import DetectSettings
from transforms.detections.output_folder import OutputFolder, commit
from transforms.detections.run_manifest import run_manifest
from transforms.detections.segment_outcome import SegmentOutcome
from transforms.detections.tensorboard_log import log_video
from transforms.detections.video_results import names_by_folder, write_results
from transforms.videos.video_parts import ProbedVideo

_videos_done = Metrics.counter("boxmill", "videos_done")

VIDEOS, OUTCOMES = "videos", "outcomes"


def finish_video(
    element: tuple[str, Mapping[str, Iterable[Any]]], settings: DetectSettings
) -> Iterator[dict[str, Any]]:
    """The manifests of a video, one for each of its names."""
    videos: list[ProbedVideo] = list(element[1][VIDEOS])
    [video] = videos
    outcomes: list[SegmentOutcome] = sorted(element[1][OUTCOMES], key=lambda outcome: outcome.index)
    for name, *others in names_by_folder(video):
        manifest = write_results(video, name, outcomes, settings)
        if settings.log_folder and manifest["folder"]:
            log_video(settings.log_folder, manifest, video, outcomes, settings)
        yield manifest
        for other in others:
            yield {**manifest, "video": {**manifest["video"], "name": other}}
    _videos_done.inc()


def _commit(manifests: list[dict[str, Any]], settings: DetectSettings, inputs: Mapping[str, Any]) -> dict[str, Any]:
    manifest = run_manifest(manifests, settings, inputs)
    settings.check_claim()
    commit(OutputFolder(settings.output), manifest)
    return manifest


@dataclass
class FinishVideos(beam.PTransform):
    """``{"videos": (key, ProbedVideo), "outcomes": (key, SegmentOutcome)}`` to the manifests of all videos."""

    settings: DetectSettings

    def expand(self, pcolls: dict[str, beam.PCollection]) -> beam.PCollection[dict[str, Any]]:
        return (
            pcolls
            | "Group by video" >> beam.CoGroupByKey()
            | "Finish video" >> beam.FlatMap(finish_video, self.settings)
        )


@dataclass
class CommitDetections(beam.PTransform):
    """The manifests of all videos to the one of the run."""

    settings: DetectSettings
    inputs: Mapping[str, Any] = field(default_factory=dict)

    def expand(self, manifests: beam.PCollection[dict[str, Any]]) -> beam.PCollection[dict[str, Any]]:
        return (
            manifests
            | "Gather manifests" >> beam.combiners.ToList()
            | "Commit detections" >> beam.Map(_commit, self.settings, self.inputs)
        )
