"""``boxmill plan detect``: from a sample of videos and frames to volumes and rates."""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from absl import flags

from pipelines.detect_flags import check_flags
from pipelines.detect_video import find_videos_of, inspect_model_of, make_settings
from pipelines.flags import UsageError
from pipelines.plan_report import PlanReport, graph_note
from pipelines.plan_videos import FrameSample, measure_frames, sample_videos
from pipelines.runner import local_workers_of
from transforms.detectors.remote_models import local_model
from transforms.planning.detect_estimate import GRAPH_VIDEO_BYTES, DetectRates, DetectVolumes, detect_stages
from transforms.planning.sampling import Estimate

if TYPE_CHECKING:
    from apache_beam.options.pipeline_options import PipelineOptions

_RESULTS_MARGIN = 0.2


def plan_detect(values: flags.FlagValues, options: PipelineOptions, start_seconds: float) -> PlanReport:
    """What a detection run with these flags would take.

    Args:
      values: flags of detect and plan.
      options: Beam's.
      start_seconds: that a run takes here until it works.

    Raises:
      UsageError, ModelRefused, LabelMapRefused: as the run itself, or no video could be read.
    """
    check_flags(values)
    files = find_videos_of(values)
    frames = FrameSample()
    with ExitStack() as stack:
        model, label_map = stack.enter_context(local_model(values.model, values.label_map))
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="boxmill-plan-"))
        settings = replace(
            make_settings(values, *inspect_model_of(model, label_map, values)),
            output=os.path.join(folder, "results"),
            model_path=os.path.abspath(model),
            label_map_path=os.path.abspath(label_map) if label_map else None,
        )
        videos = sample_videos(files, settings.cut)
        if not videos.probed:
            raise UsageError(f"none of the sampled videos can be used; boxmill inspect {files[0].path} says why")
        if not values.plan_rate:
            frames = measure_frames(videos.probed, settings)
    volumes = DetectVolumes(
        videos=videos.videos.value,
        video_bytes=float(sum(file.size for file in files)),
        largest_video=float(max(file.size for file in files)),
        frames=videos.frames.value,
        processed=videos.processed.value,
        segments=videos.segments.value,
        longest_segment=videos.longest_segment,
        frame_bytes=videos.frame_bytes,
        frame_result_bytes=frames.frame_bytes,
        processed_result_bytes=frames.processed_bytes,
        video_result_bytes=frames.video_bytes,
        segment_result_bytes=frames.segment_bytes,
    )
    rates = DetectRates(
        probe_byte=videos.probe_byte,
        frame=1 / values.plan_rate if values.plan_rate else frames.frame_seconds,
        finish_frame=frames.finish_seconds,
        load_model=frames.load_seconds,
    )
    measured = f"frames: {frames.processed:,} went through the model, after some that did not count"
    given = "frames: their rate was given; detections and results are not estimated"
    return PlanReport(
        command="detect",
        stages=detect_stages(volumes, rates),
        counts={
            "videos": videos.videos,
            "frames": videos.frames,
            "frames to detect in": videos.processed,
            "segments": videos.segments,
            "detections": Estimate(volumes.processed * frames.detections, _RESULTS_MARGIN),
        },
        sizes={
            "videos": Estimate(volumes.video_bytes),
            "results": Estimate(volumes.output_bytes, _RESULTS_MARGIN),
            "shuffle": Estimate(volumes.shuffle_bytes, _RESULTS_MARGIN),
        },
        rates={"frames": 1 / rates.frame, **({"model loads": 1 / rates.load_model} if rates.load_model else {})},
        reads=volumes.reads,
        writes=volumes.writes,
        reads_per_second=0.0,
        shuffle_bytes=volumes.shuffle_bytes,
        output_bytes=volumes.output_bytes,
        here_workers=local_workers_of(options),
        here_start=start_seconds + rates.load_model,
        vcpus=float(os.cpu_count() or 1),
        worker_start=rates.load_model,
        notes=(
            *videos.notes,
            *graph_note(len(files), GRAPH_VIDEO_BYTES, "videos"),
            given if values.plan_rate else measured,
        ),
    )
