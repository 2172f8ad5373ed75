"""``boxmill detect``: videos become detections that account for every frame.

videos -> Probe -> Cut -> Detect segments -> Group by video -> Finish -> Commit
"""

from __future__ import annotations

import math
import os
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from absl import flags

from pipelines import local_workers
from pipelines.flags import HELP_FLAGS, UsageError, help_text, parse_flags
from pipelines.version import VERSION

if TYPE_CHECKING:
    import apache_beam as beam

    from transforms.detections.detect_settings import DetectSettings, Font
    from transforms.detectors.label_maps import LabelMap
    from transforms.detectors.model_info import ModelInfo
    from transforms.videos.find_videos import VideoFile
    from transforms.videos.video_parts import ProbedVideo

EXIT_OK, EXIT_FAILED, EXIT_SOME_NOT_OK = 0, 1, 2
_LONGEST_SECONDS = 1e8
EXPORT_NAMES = ("coco", "mot", "jsonl", "yolo", "tfrecord")
# A full disk is no fault of the program either.
_USER_MISTAKES = ("ModelRefused", "LabelMapRefused", "OutputRefused", "OSError")
# None of these may import TensorFlow: it starts threads, which do not survive a fork.
_WORKER_MODULES = (
    "transforms.videos.cut_videos",
    "transforms.detectors.detect_segments",
    "transforms.detections.write_detections",
)

FLAGS = flags.FlagValues()
flags.DEFINE_multi_string(
    "videos",
    [],
    "File, folder or glob pattern of videos, local or of a file system that Beam knows; may be given several times.",
    flag_values=FLAGS,
)
flags.DEFINE_string(
    "model",
    None,
    "Detection model: folder of a SavedModel (TF1 or TF2), frozen_inference_graph.pb, or .tflite file.",
    flag_values=FLAGS,
)
flags.DEFINE_string(
    "label_map",
    None,
    "Names of the classes: .pbtxt, .csv or .txt. Default: the label file inside, beside or above the model.",
    flag_values=FLAGS,
)
flags.DEFINE_string("output", None, "Folder of the results.", flag_values=FLAGS)
flags.DEFINE_integer("batch_size", 8, "Frames a run of the model.", lower_bound=1, flag_values=FLAGS)
flags.DEFINE_integer("frame_stride", 1, "Look at every n-th frame.", lower_bound=1, flag_values=FLAGS)
flags.DEFINE_string(
    "sample_fps",
    None,
    "Look at so many frames a second, by their time stamps: a number or a fraction such as 30000/1001.",
    flag_values=FLAGS,
)
flags.DEFINE_float(
    "min_score",
    0.05,
    "Detections of a lower score are not in the results. Another value of 0.05 or more needs no inference: raw "
    "detections from there on are kept.",
    lower_bound=0,
    upper_bound=1,
    flag_values=FLAGS,
)
flags.DEFINE_float(
    "segment_seconds",
    30.0,
    "Videos are cut at key frames into segments of this length or a little more; segments run in parallel.",
    flag_values=FLAGS,
)
flags.DEFINE_list(
    "exports", [], f"Formats besides Parquet, of {', '.join(EXPORT_NAMES)}; separated by commas.", flag_values=FLAGS
)
flags.DEFINE_boolean(
    "as_annotations",
    False,
    "The tfrecord export also holds the detections as ground truth (image/object/…): a model labels a dataset.",
    flag_values=FLAGS,
)
flags.DEFINE_boolean(
    "annotated_video", False, "Write annotated.mp4, with the source's time stamps and sound.", flag_values=FLAGS
)
flags.DEFINE_string(
    "font",
    None,
    "TrueType or OpenType font for the labels of annotated video and images; the built-in one has ASCII alone.",
    flag_values=FLAGS,
)
flags.DEFINE_boolean(
    "trust_model",
    False,
    "Run a model even if it holds ops that can read or write files. Only if you know who made it.",
    flag_values=FLAGS,
)
flags.DEFINE_integer(
    "stream",
    None,
    "Index of the video stream, among all streams of the file. Default: the one that players choose.",
    lower_bound=0,
    flag_values=FLAGS,
)
flags.DEFINE_float(
    "segment_time_limit",
    600.0,
    "Seconds that the decoder of one segment, or the probe of one video, may take before it is given up.",
    flag_values=FLAGS,
)
flags.DEFINE_float(
    "max_megapixels",
    64.0,
    "Videos with larger frames are rejected before one is decoded.",
    lower_bound=0.01,
    upper_bound=2000,  # FFmpeg knows no higher limit than 2^31 - 1
    flag_values=FLAGS,
)
flags.DEFINE_string(
    "logdir",
    None,
    "Folder for TensorBoard, one for each run in it: detections of each class, frame rate, a few annotated frames.",
    flag_values=FLAGS,
)
flags.DEFINE_boolean(
    "keep_segments",
    True,
    "Keep the raw detections in OUTPUT/.boxmill, for runs with another threshold, label map or export.",
    flag_values=FLAGS,
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
    from transforms.detections.write_detections import OUTCOMES, VIDEOS, CommitDetections, FinishVideos
    from transforms.detectors.detect_segments import DetectSegments
    from transforms.videos.cut_videos import CutVideos, ProbeVideos

    videos = root | "Probe videos" >> ProbeVideos(files, settings.cut)  # (key, ProbedVideo)
    outcomes = (
        videos
        | "Cut videos" >> CutVideos(settings.cut, partial(_is_unfinished, settings=settings))  # VideoPart
        | "Detect segments" >> DetectSegments(settings, is_resumed)  # (key, SegmentOutcome)
    )
    return (
        {VIDEOS: videos, OUTCOMES: outcomes}
        | "Finish videos" >> FinishVideos(settings)  # manifest of each video
        | "Commit" >> CommitDetections(settings, inputs)  # the manifest
    )


def _is_unfinished(video: ProbedVideo, settings: DetectSettings) -> bool:
    from transforms.detections.video_results import is_unfinished

    return is_unfinished(video, settings)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    argv = sys.argv[1:] if argv is None else list(argv)
    if HELP_FLAGS & set(argv):
        print(_help(), end="")
        return EXIT_OK
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before any TensorFlow, also that of workers
    if any("multi_processing" in argument for argument in argv):
        local_workers.start_fork_server(_WORKER_MODULES)  # imports while this process does
    from pipelines import quiet_beam

    quiet_beam.quieten()
    from pipelines.runner import PipelineFailed, RunnerRefused
    from transforms.detections.output_folder import OutputRefused
    from transforms.detectors.label_maps import LabelMapRefused
    from transforms.detectors.refusal import ModelRefused

    try:
        return _run(argv)
    except (UsageError, ModelRefused, LabelMapRefused, OutputRefused, RunnerRefused) as error:
        print(f"boxmill detect: {error}", file=sys.stderr)
        return EXIT_FAILED
    except PipelineFailed as failed:
        print(f"boxmill detect: {failed.message}", file=sys.stderr)
        if failed.kind in _USER_MISTAKES or failed.kind == "WorkerDied":
            return EXIT_FAILED
        raise


def _help() -> str:
    return help_text(
        "Runs a TensorFlow detection model over videos and accounts for every frame.",
        "boxmill detect --videos=PATH --model=PATH --output=FOLDER [flags]",
        FLAGS,
        [
            "boxmill detect --videos=street.mp4 --model=ssd_mobilenet --output=found --annotated_video",
            "boxmill detect --videos='cams/*.mp4' --model=frozen_inference_graph.pb --label_map=coco.pbtxt \\",
            "    --output=found --exports=coco,mot --direct_num_workers=2 --direct_running_mode=multi_processing",
        ],
    )


def _run(argv: Sequence[str]) -> int:
    started = time.monotonic()
    values, options = parse_flags(FLAGS, argv)
    _check_flags(values)
    from pipelines import detect_summary
    from pipelines.progress import showing
    from pipelines.runner import run_pipeline
    from transforms.detections.output_folder import claimed_output, read_manifest, remove_leftovers, uncommit
    from transforms.detections.run_manifest import described_inputs, finished_run, remember_inputs

    files = _find_videos(values)
    info, labels = _inspect_model(values)
    settings = _settings(values, info, labels)
    with claimed_output(settings.output) as folder:
        manifest = finished_run(folder, settings, files)
        if manifest is not None:
            print(f"{folder.path} already holds the detections of these videos; nothing was done.")
            return _exit_code(manifest)
        settings = _with_log_folder(values, settings)
        is_resumed = folder.has_findings(settings)
        uncommit(folder)
        counters: Counter[str] = Counter()
        with showing(detect_summary.steps(len(files))) as update:

            def on_progress(now: Counter[str]) -> None:
                counters.update(now - counters)
                update(now)

            inputs = described_inputs(files)
            run_pipeline(
                lambda root: cast(None, build(root, files, settings, inputs, is_resumed=is_resumed)),
                options,
                on_progress,
            )
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


def _check_flags(values: flags.FlagValues) -> None:
    for flag in ("videos", "model", "output"):
        if not values[flag].value:
            raise UsageError(f"--{flag} is missing; see boxmill detect --help")
    unknown = [name for name in values.exports if name not in EXPORT_NAMES]
    if unknown:
        raise UsageError(f"--exports={unknown[0]} is no format; there are {', '.join(EXPORT_NAMES)}")
    for flag in ("model", "label_map", "output", "logdir", "font"):
        if "://" in (values[flag].value or ""):
            raise UsageError(f"--{flag}={values[flag].value} must be a local path; only --videos may be remote")
    for flag in ("segment_seconds", "segment_time_limit"):
        if not 0 < values[flag].value <= _LONGEST_SECONDS:
            raise UsageError(f"--{flag}={values[flag].value:g} must be above 0 and at most {_LONGEST_SECONDS:g}")
    for flag in ("min_score", "max_megapixels"):
        if not math.isfinite(values[flag].value):
            raise UsageError(f"--{flag}={values[flag].value:g} is no number")
    if values.as_annotations and "tfrecord" not in values.exports:
        raise UsageError("--as_annotations changes the tfrecord export; give --exports=tfrecord, too")


def _find_videos(values: flags.FlagValues) -> list[VideoFile]:
    from transforms.videos.find_videos import VideosNotFound, find_videos

    try:
        return find_videos(values.videos)
    except VideosNotFound as error:
        raise UsageError(str(error)) from None
    except OSError as error:
        what = f"{error.filename}: {error.strerror}" if error.filename else " ".join(str(error).split())
        raise UsageError(f"--videos: cannot read {what}") from None


def _inspect_model(values: flags.FlagValues) -> tuple[ModelInfo, LabelMap]:
    """What the model is, from its files; refusals that need no TensorFlow come from here."""
    from transforms.detectors.inspection import inspect_model, refuse_distrusted
    from transforms.detectors.loading import labels_of

    info = inspect_model(values.model)
    refuse_distrusted(info, trust_model=values.trust_model)
    return info, labels_of(info, values.label_map)


def _settings(values: flags.FlagValues, info: ModelInfo, labels: LabelMap) -> DetectSettings:
    from transforms.detections.detect_settings import DetectSettings, ModelIdentity
    from transforms.videos.cut_settings import CutSettings
    from transforms.videos.sampling import Sampling

    try:
        fps = Fraction(values.sample_fps) if values.sample_fps else None
        sampling = Sampling(values.frame_stride, fps)
    except (ValueError, ZeroDivisionError) as error:
        raise UsageError(f"--sample_fps={values.sample_fps}, --frame_stride={values.frame_stride}: {error}") from None
    return DetectSettings(
        output=os.path.abspath(values.output),
        model=ModelIdentity(os.path.basename(os.path.abspath(values.model)), info.kind, info.fingerprint),
        model_path=os.path.abspath(values.model),
        label_map_path=os.path.abspath(values.label_map) if values.label_map else None,
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
    from dataclasses import replace

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
