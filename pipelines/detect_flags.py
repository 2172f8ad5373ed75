"""The flags of ``boxmill detect``."""

from __future__ import annotations

import math

from absl import flags

from pipelines.flags import UsageError, help_text
from transforms.storage.paths import scheme_of

EXPORT_NAMES = ("coco", "mot", "jsonl", "yolo", "tfrecord")
_LONGEST_SECONDS = 1e8
_PLACES = {"": "a local path", "gs": "a folder in Google Cloud Storage (gs://bucket/folder)"}

FLAGS = flags.FlagValues()
flags.DEFINE_multi_string(
    "videos",
    [],
    "File, folder or glob pattern of videos, local or in Google Cloud Storage (gs://…); may be given several times.",
    flag_values=FLAGS,
)
flags.DEFINE_string(
    "model",
    None,
    "Detection model: folder of a SavedModel (TF1 or TF2), frozen_inference_graph.pb, or .tflite file; local or gs://.",
    flag_values=FLAGS,
)
flags.DEFINE_string(
    "label_map",
    None,
    "Names of the classes: .pbtxt, .csv or .txt. Default: the label file inside, beside or above the model.",
    flag_values=FLAGS,
)
flags.DEFINE_string("output", None, "Folder of the results, local or gs://.", flag_values=FLAGS)
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


def detect_help() -> str:
    """The text of ``--help``."""
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


def check_flags(values: flags.FlagValues) -> None:
    """Refuses what is missing or fits nothing.

    Raises:
      UsageError: with what to change.
    """
    for flag in ("videos", "model", "output"):
        if not values[flag].value:
            raise UsageError(f"--{flag} is missing; see boxmill detect --help")
    unknown = [name for name in values.exports if name not in EXPORT_NAMES]
    if unknown:
        raise UsageError(f"--exports={unknown[0]} is no format; there are {', '.join(EXPORT_NAMES)}")
    for flag, schemes in (("output", ("", "gs")), ("logdir", ("", "gs")), ("font", ("",))):
        value = values[flag].value or ""
        if scheme_of(value) not in schemes:
            raise UsageError(f"--{flag}={value} must be {' or '.join(_PLACES[scheme] for scheme in schemes)}")
    for flag in ("segment_seconds", "segment_time_limit"):
        if not 0 < values[flag].value <= _LONGEST_SECONDS:
            raise UsageError(f"--{flag}={values[flag].value:g} must be above 0 and at most {_LONGEST_SECONDS:g}")
    for flag in ("min_score", "max_megapixels"):
        if not math.isfinite(values[flag].value):
            raise UsageError(f"--{flag}={values[flag].value:g} is no number")
    if values.as_annotations and "tfrecord" not in values.exports:
        raise UsageError("--as_annotations changes the tfrecord export; give --exports=tfrecord, too")
