"""``boxmill inspect``: what a model, a dataset, a folder of detections or a video is, on one screen."""

from __future__ import annotations

import copy
import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from absl import flags

from pipelines.flags import HELP_FLAGS, UsageError, help_text
from transforms import storage

if TYPE_CHECKING:
    from transforms.videos.probe import VideoProbe

EXIT_OK, EXIT_REFUSED = 0, 1
_MODEL_SUFFIXES = (".pb", ".tflite", ".lite", ".h5", ".hdf5", ".keras", ".onnx", ".pt", ".pth", ".ckpt", ".index")
_TITLE_WIDTH = 13
_PROBE_SECONDS = 120.0

FLAGS = flags.FlagValues()
flags.DEFINE_string(
    "label_map", None, "Names of a model's classes. Default: those inside, beside or above it.", flag_values=FLAGS
)
flags.DEFINE_integer("stream", None, "Index of a video's stream to look at.", lower_bound=0, flag_values=FLAGS)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    argv = sys.argv[1:] if argv is None else list(argv)
    if HELP_FLAGS & set(argv):
        print(_help(), end="")
        return EXIT_OK
    from transforms.detectors.label_maps import LabelMapRefused
    from transforms.detectors.refusal import ModelRefused

    values = copy.deepcopy(FLAGS)
    values.set_gnu_getopt(True)
    try:
        places = values(["boxmill", *argv])[1:]
        if len(places) != 1:
            raise UsageError("name one model, dataset or video: boxmill inspect PATH")
        print(describe(places[0], values.label_map, values.stream))
    except (UsageError, flags.Error, ModelRefused, LabelMapRefused) as error:
        print(f"boxmill inspect: {error}", file=sys.stderr)
        return EXIT_REFUSED
    except OSError as error:
        if error.filename is None:
            raise
        print(f"boxmill inspect: {error.filename}: {error.strerror}", file=sys.stderr)
        return EXIT_REFUSED
    return EXIT_OK


def _help() -> str:
    return help_text(
        "Says what a model, a dataset, a folder of detections or a video is; nothing of a model runs.",
        "boxmill inspect PATH [flags]",
        FLAGS,
        ["boxmill inspect ssd_mobilenet/saved_model", "boxmill inspect data/voc/1.0.0", "boxmill inspect street.mp4"],
        takes_beam_options=False,
    )


def describe(path: str, label_map: str | None = None, stream: int | None = None) -> str:
    """The text for whatever ``path`` is.

    Raises:
      UsageError: nothing is there, or it is nothing that Boxmill knows.
      ModelRefused, LabelMapRefused: see ``inspect_model`` and ``labels_of``.
    """
    is_folder = storage.is_folder(path)
    if not is_folder and not storage.exists(path):
        raise UsageError(f"{path}: there is no such file or folder")
    if is_folder and storage.exists(os.path.join(path, "manifest.json")):
        return _describe_results(path)
    if is_folder or path.lower().endswith(_MODEL_SUFFIXES):
        return _describe_model(path, label_map)
    return _describe_video(path, stream)


def _describe_model(path: str, label_map: str | None) -> str:
    from transforms.detectors.describe import describe as describe_model
    from transforms.detectors.inspection import inspect_model
    from transforms.detectors.loading import labels_of
    from transforms.detectors.remote_models import local_model, with_urls

    with local_model(path, label_map) as (model, labels):
        info = inspect_model(model)
        return with_urls(describe_model(info, labels_of(info, labels)))


def _describe_results(path: str) -> str:
    from transforms.detections.output_folder import read_manifest as read_detections
    from transforms.shards.manifest import NotADataset, read_manifest

    detections = read_detections(path)
    if detections is not None:
        return _lines(_of_run(path, detections) if "videos" in detections else _of_video_results(path, detections))
    try:
        return _lines(_of_dataset(path, read_manifest(path)))
    except (NotADataset, KeyError) as error:
        raise UsageError(str(error)) from None


def _of_dataset(path: str, manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    images, boxes = manifest["counts"]["images"], manifest["counts"]["boxes"]
    classes = manifest["classes"]
    names = ", ".join(f"{item['id']} {item['name']}" for item in classes[:8]) + (", …" if len(classes) > 8 else "")
    splits = [
        f"{name}: {split['records']:,} images, {split['boxes']:,} boxes, {len(split['shards'])} shards, "
        f"{split['bytes'] / 1e6:,.1f} MB"
        for name, split in manifest["splits"].items()
    ]
    return [
        ("Dataset", f"{manifest['name']} {manifest['version']} in {path}"),
        ("Built by", f"boxmill {manifest['boxmill_version']}"),
        *[("Splits", text) for text in splits],
        ("Images", f"{images['read']:,} read = {images['written']:,} written + {images['rejected']:,} rejected"),
        ("Boxes", f"{boxes['read']:,} read = {boxes['written']:,} written + {boxes['dropped']:,} dropped"),
        ("Classes", f"{len(classes)}: {names}"),
        ("Reasons", ", ".join(f"{code} {number:,}" for code, number in manifest["reasons"].items()) or "none"),
        ("Fingerprint", manifest["fingerprint"]),
    ]


def _of_run(path: str, manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    counts = manifest["counts"]
    statuses = ", ".join(f"{number} {status}" for status, number in counts["videos"].items())
    shown = [f"{video['folder'] or video['video']['name']}: {video['status']}" for video in manifest["videos"][:12]]
    more = [f"and {len(manifest['videos']) - 12} more"] if len(manifest["videos"]) > 12 else []
    return [
        ("Detections", f"of {len(manifest['videos'])} videos ({statuses}) in {path}"),
        (
            "Model",
            f"{manifest['model']['name']} ({manifest['model']['kind']}, {manifest['model']['fingerprint'][:16]})",
        ),
        ("Frames", _frames(counts["frames"])),
        ("Found", f"{counts['detections']:,} of score {manifest['settings']['min_score']:g} or more"),
        *[("Videos", text) for text in shown + more],
    ]


def _of_video_results(path: str, manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    classes = sorted(manifest["classes"].items(), key=lambda item: -item[1])
    return [
        ("Detections", f"in {manifest['video']['name']}, {path}"),
        ("Status", " – ".join(filter(None, [manifest["status"], manifest["reason"], manifest["detail"]]))),
        (
            "Model",
            f"{manifest['model']['name']} ({manifest['model']['kind']}, {manifest['model']['fingerprint'][:16]})",
        ),
        ("Frames", _frames(manifest["counts"]["frames"])),
        ("Found", f"{manifest['counts']['detections']:,}: " + ", ".join(f"{n} {c:,}" for n, c in classes[:12])),
        ("Exports", ", ".join(manifest.get("exports", {})) or "none"),
    ]


def _frames(counts: Mapping[str, int]) -> str:
    numbers = {key: counts.get(key, 0) for key in ("expected", "processed", "skipped", "lost", "suspect")}
    return (
        f"{numbers['expected']:,} expected = {numbers['processed']:,} processed + {numbers['skipped']:,} skipped + "
        f"{numbers['lost']:,} lost; {numbers['suspect']:,} suspect"
    )


def _describe_video(path: str, stream: int | None) -> str:
    from transforms.videos.deadline import TookTooLong, call_within
    from transforms.videos.probe import probe_video
    from transforms.videos.reasons import VideoRefused
    from transforms.videos.remote_videos import require_all_read, source_of

    source = source_of(path)
    try:
        probe = call_within(lambda: probe_video(source, stream=stream), _PROBE_SECONDS)
        require_all_read(source)
    except TookTooLong as error:
        raise UsageError(f"{path}: {error}") from None
    if isinstance(probe, VideoRefused):
        raise UsageError(f"{path} is no model, dataset or video to detect in: {probe.reason} ({probe.detail})")
    return _lines(_of_video(path, probe))


def _of_video(path: str, probe: VideoProbe) -> list[tuple[str, str]]:
    steps = sorted({later - earlier for earlier, later in zip(probe.pts, probe.pts[1:], strict=False)})
    rate = "one frame"
    if len(steps) == 1:
        rate = f"{float(1 / (steps[0] * probe.time_base)):.3f} frames/s, constant"
    elif steps:
        mean = float((probe.pts[-1] - probe.pts[0]) * probe.time_base) / (len(probe.pts) - 1)
        rate = f"{1 / mean:.3f} frames/s on average, variable"
    turned = f", stored turned by {probe.rotation} degrees" if probe.rotation else ""
    damage = [text for text in (probe.truncated, probe.unread, *probe.errors) if text]
    return [
        ("Video", path),
        ("Format", f"{probe.codec} in {probe.container}, stream {probe.stream_index}, time base {probe.time_base} s"),
        ("Picture", f"{probe.width}x{probe.height} upright{turned}, pixel aspect {probe.pixel_aspect}"),
        ("Frames", f"{len(probe.pts):,} by their packets, {len(probe.key_frames):,} key frames"),
        ("Duration", f"{probe.duration_s:.3f} s, {rate}"),
        ("Sound", "yes" if probe.has_audio else "no"),
        *[("Damage", text) for text in damage or ["none seen by its packets; frames are decoded by detect"]],
    ]


def _lines(entries: Sequence[tuple[str, str]]) -> str:
    """Titles in a column, each once."""
    lines, last = [], ""
    for title, text in entries:
        lines.append(f"{'' if title == last else title:<{_TITLE_WIDTH}}{text}")
        last = title
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
