"""``boxmill detect``: videos become detections that account for every frame.

videos -> Probe -> Cut -> Detect segments -> Group by video -> Finish -> Commit
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from absl import flags

from pipelines import local_workers
from pipelines.detect_flags import FLAGS, check_flags, detect_help
from pipelines.flags import HELP_FLAGS, UsageError, parse_flags
from pipelines.version import VERSION
from transforms import storage

if TYPE_CHECKING:
    import apache_beam as beam

    from pipelines.runner import PipelineFailed
    from transforms.detections.detect_settings import DetectSettings, Font
    from transforms.detectors.label_maps import LabelMap
    from transforms.detectors.model_info import ModelInfo
    from transforms.videos.find_videos import VideoFile

EXIT_OK, EXIT_FAILED, EXIT_SOME_NOT_OK = 0, 1, 2
# A full disk is no fault of the program either, nor is a storage that cannot be reached.
_STORAGE_ERRORS = ("OSError", "FileNotFoundError", "PermissionError", "TimeoutError")
_USER_MISTAKES = ("ModelRefused", "LabelMapRefused", "OutputRefused", "ClaimRefused", *_STORAGE_ERRORS)
_PLACES_OF_WORKERS = ("videos", "model", "label_map", "output")
# None of these may import TensorFlow: it starts threads, which do not survive a fork.
WORKER_MODULES = (
    "transforms.videos.cut_videos",
    "transforms.detectors.detect_segments",
    "transforms.detections.write_detections",
)


def build(
    root: beam.Pipeline,
    files: Sequence[VideoFile],
    settings: DetectSettings,
    inputs: Mapping[str, Any],
    *,
    is_resumed: bool = False,
) -> beam.PCollection[dict[str, Any]]:
    """Adds the graph of a detection run to a pipeline.

    Args:
      root: the pipeline.
      files: the videos.
      settings: of the run.
      inputs: what the manifest says of the files.
      is_resumed: the output folder holds finished segments of these settings, so that perhaps no model is needed.

    Returns:
      The manifest.
    """
    from transforms.detections.video_results import is_unfinished
    from transforms.detections.write_detections import OUTCOMES, VIDEOS, CommitDetections, FinishVideos
    from transforms.detectors.detect_segments import DetectSegments
    from transforms.videos.cut_videos import CutVideos, ProbeVideos

    videos = root | "Probe videos" >> ProbeVideos(files, settings.cut)  # (key, ProbedVideo)
    outcomes = (
        videos
        | "Cut videos" >> CutVideos(settings.cut, partial(is_unfinished, settings=settings))  # VideoPart
        | "Detect segments" >> DetectSegments(settings, is_resumed)  # (key, SegmentOutcome)
    )
    return (
        {VIDEOS: videos, OUTCOMES: outcomes}
        | "Finish videos" >> FinishVideos(settings)  # manifest of each video
        | "Commit" >> CommitDetections(settings, inputs)  # the manifest
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    argv = sys.argv[1:] if argv is None else list(argv)
    if HELP_FLAGS & set(argv):
        print(detect_help(), end="")
        return EXIT_OK
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before any TensorFlow, also that of workers
    local_workers.prepare_run(argv, WORKER_MODULES)
    from pipelines.runner import PipelineFailed, RunnerRefused
    from transforms.detections.output_folder import OutputRefused
    from transforms.detectors.label_maps import LabelMapRefused
    from transforms.detectors.refusal import ModelRefused

    try:
        return _run(argv)
    except (UsageError, ModelRefused, LabelMapRefused, OutputRefused, RunnerRefused) as error:
        print(f"boxmill detect: {error}", file=sys.stderr)
        return EXIT_FAILED
    except OSError as error:
        if error.filename is None or not storage.is_remote(str(error.filename)):
            raise
        print(f"boxmill detect: {error.filename}: {error.strerror}", file=sys.stderr)
        return EXIT_FAILED
    except PipelineFailed as failed:
        print(f"boxmill detect: {_told(failed)}", file=sys.stderr)
        if failed.kind in _USER_MISTAKES or failed.kind == "WorkerDied":
            return EXIT_FAILED
        raise


def _told(failed: PipelineFailed) -> str:
    """What happened, in one sentence; an error of remote storage leaves everything as it was for the next run."""
    from transforms.detectors.remote_models import with_urls

    found = re.match(r"\[Errno \d+\] (.*): '(.*)'$", failed.message)
    if failed.kind not in _STORAGE_ERRORS or not found or not storage.is_remote(found[2]):
        return with_urls(failed.message)
    return f"{found[2]}: {found[1]}; run again to resume: finished work is kept"


def _run(argv: Sequence[str]) -> int:
    started = time.monotonic()
    values, options = parse_flags(FLAGS, argv)
    check_flags(values)
    from pipelines import detect_summary
    from pipelines.clusters import check_cluster
    from pipelines.dataflow import check_job
    from pipelines.progress import showing
    from pipelines.runner import is_local, run_pipeline
    from transforms.detections.output_folder import claimed_output, read_manifest, remove_leftovers, uncommit
    from transforms.detections.run_manifest import described_inputs, finished_run, remember_inputs
    from transforms.detectors.remote_models import local_model

    check_job(options, {name: values[name].value for name in _PLACES_OF_WORKERS}, in_stock_image=False)
    check_cluster(options)
    files = find_videos_of(values)
    with ExitStack() as stack:
        # Workers on this machine load the copy that is looked at here; others each make one of their own.
        model, label_map = stack.enter_context(local_model(values.model, values.label_map))
        info, labels = inspect_model_of(model, label_map, values)
        settings = make_settings(values, info, labels)
        if is_local(options):
            label_map = os.path.abspath(label_map) if label_map else None
            settings = replace(settings, model_path=os.path.abspath(model), label_map_path=label_map)
        folder = stack.enter_context(claimed_output(settings.output))
        manifest = finished_run(folder, settings, files)
        if manifest is not None:
            print(f"{folder.path} already holds the detections of these videos; nothing was done.")
            return _exit_code(manifest)
        settings = replace(_with_log_folder(values, settings), claim=folder.claim)
        is_resumed = folder.has_findings(settings)
        uncommit(folder)
        counters: Counter[str] = Counter()
        with showing(detect_summary.steps(len(files))) as update:

            def on_progress(now: Counter[str]) -> None:
                counters.update(now - counters)
                update(now)

            inputs = described_inputs(files)
            submitted = run_pipeline(
                lambda root: cast(None, build(root, files, settings, inputs, is_resumed=is_resumed)),
                options,
                on_progress,
            )
        if submitted:
            remember_inputs(folder, files)
            print(f"{submitted} writes to {folder.path}; it is complete when its manifest.json is there.")
            return EXIT_OK
        manifest = read_manifest(folder.path)
        if manifest is None:
            raise UsageError(
                f"the job has ended, but its workers did not write to this machine's {folder.path}; "
                "choose an --output that all of them reach"
            )
        remember_inputs(folder, files)
        remove_leftovers(folder, keep_segments=values.keep_segments)
    print(detect_summary.summary(manifest, folder.path, counters, time.monotonic() - started), end="")
    if settings.log_folder:
        print(f"TensorBoard: tensorboard --logdir={values.logdir} (this run: {os.path.basename(settings.log_folder)})")
    return _exit_code(manifest)


def find_videos_of(values: flags.FlagValues) -> list[VideoFile]:
    """The videos that the user means.

    Raises:
      UsageError: there is none, or the place cannot be read.
    """
    from transforms.videos.find_videos import VideosNotFound, find_videos

    try:
        return find_videos(values.videos)
    except VideosNotFound as error:
        raise UsageError(str(error)) from None
    except OSError as error:
        what = f"{error.filename}: {error.strerror}" if error.filename else " ".join(str(error).split())
        raise UsageError(f"--videos: cannot read {what}") from None


def inspect_model_of(model: str, label_map: str | None, values: flags.FlagValues) -> tuple[ModelInfo, LabelMap]:
    """What the model is, from its files; refusals that need no TensorFlow come from here."""
    from transforms.detectors.inspection import inspect_model, refuse_distrusted
    from transforms.detectors.loading import labels_of

    info = inspect_model(model)
    refuse_distrusted(info, trust_model=values.trust_model)
    return info, labels_of(info, label_map)


def make_settings(values: flags.FlagValues, info: ModelInfo, labels: LabelMap) -> DetectSettings:
    """All that workers need besides the videos.

    Raises:
      UsageError: the sampling or the font does not fit.
    """
    from transforms.detections.detect_settings import DetectSettings, ModelIdentity
    from transforms.videos.cut_settings import CutSettings
    from transforms.videos.sampling import Sampling

    try:
        fps = Fraction(values.sample_fps) if values.sample_fps else None
        sampling = Sampling(values.frame_stride, fps)
    except (ValueError, ZeroDivisionError) as error:
        raise UsageError(f"--sample_fps={values.sample_fps}, --frame_stride={values.frame_stride}: {error}") from None
    return DetectSettings(
        output=storage.absolute(values.output),
        model=ModelIdentity(os.path.basename(storage.absolute(values.model)), info.kind, info.fingerprint),
        model_path=storage.absolute(values.model),
        label_map_path=storage.absolute(values.label_map) if values.label_map else None,
        trust_model=values.trust_model,
        labels=dict(labels.names),
        batch_size=values.batch_size,
        min_score=values.min_score,
        cut=CutSettings(
            values.stream,
            sampling,
            values.segment_seconds,
            values.segment_time_limit,
            round(values.max_megapixels * 1e6),
        ),
        exports=tuple(sorted(set(values.exports))),
        as_annotations=values.as_annotations,
        annotated_video=values.annotated_video,
        font=_font(values.font, labels, is_drawn=values.annotated_video or bool(values.logdir)),
        segment_limit_seconds=values.segment_time_limit,
        boxmill_version=VERSION,
    )


def _font(path: str | None, labels: LabelMap, *, is_drawn: bool) -> Font | None:
    """The font to draw with, None for the built-in one; warns where it lacks letters that are needed."""
    from transforms.detections.detect_settings import Font
    from transforms.detections.drawing import can_draw

    try:
        strange = next((name for name in ("", *labels.names.values()) if not can_draw(name, path)), None)
        font = Font.of_file(os.path.abspath(path)) if path else None
    except OSError as error:
        raise UsageError(f"--font={path} is no font that can be read: {error.strerror or error}") from None
    if is_drawn and strange is not None:
        print(f"warning: the font cannot draw all of {strange!r}; give another one by --font=FILE", file=sys.stderr)
    return font


def _with_log_folder(values: flags.FlagValues, settings: DetectSettings) -> DetectSettings:
    if not values.logdir:
        return settings
    from transforms.detections.tensorboard_log import TensorBoardMissing, new_run_folder, require_tensorboard

    try:
        require_tensorboard()
        return replace(settings, log_folder=new_run_folder(values.logdir))
    except TensorBoardMissing as error:
        raise UsageError(str(error)) from None
    except OSError as error:
        raise UsageError(f"--logdir={values.logdir} cannot be written: {error.strerror}") from None


def _exit_code(manifest: Mapping[str, Any]) -> int:
    return EXIT_OK if set(manifest["counts"]["videos"]) <= {"ok"} else EXIT_SOME_NOT_OK


if __name__ == "__main__":
    sys.exit(main())
