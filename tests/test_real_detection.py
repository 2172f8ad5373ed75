"""``boxmill detect`` with published models on published pictures and videos, whose truths are known."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from tests.pipelines.detect_runs import TWO_PROCESSES, TWO_THREADS, DetectRun, run_detect

REAL = Path(__file__).resolve().parents[2] / "shared" / "real"
pytestmark = pytest.mark.skipif(not REAL.is_dir(), reason=f"third-party test material is not at {REAL}")

LABELS = f"--label_map={REAL / 'models/labels/mscoco_label_map.pbtxt'}"
FROZEN = REAL / "models/tf1_frozen_ssd_mobilenet_v1_075_coco"
VIDEOS = REAL / "video"
MODELS = {
    "TF1 frozen graph": (FROZEN, (0.717, 0.704, 0.524), 0.002),
    "TF1 SavedModel": (REAL / "models/tf1_savedmodel_ssd_mobilenet_v1_075_coco", (0.717, 0.704, 0.524), 0.002),
    "TF2 SavedModel": (REAL / "models/tf2_savedmodel_ssd_mobilenet_v1_075_coco", (0.717, 0.704, 0.524), 0.002),
    "TFLite": (REAL / "models/tflite_coco_ssd_mobilenet_v1_quant", (0.711, 0.711, 0.562), 0.02),
}
Capture = pytest.CaptureFixture[str]


def write_lossless(path: Path, pictures: list[np.ndarray]) -> Path:
    """A video whose frames are those pictures to the bit."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("ffv1", rate=10)
        stream.height, stream.width, stream.pix_fmt = *pictures[0].shape[:2], "bgr0"
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="bgr0")
            frame.pts, frame.time_base = number, Fraction(1, 10)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def dogs() -> np.ndarray:
    folder = REAL / "images/tf_od_test_images/object_detection/test_images"
    return np.asarray(Image.open(folder / "image1.jpg").convert("RGB"))


@pytest.mark.parametrize("kind", MODELS)
def test_known_detections(kind: str, capsys: Capture, dogs: np.ndarray, tmp_path: Path) -> None:
    model, scores, tolerance = MODELS[kind]
    clip = write_lossless(tmp_path / "dogs.mkv", [dogs])
    run = run_detect(capsys, clip, model, tmp_path / "out", LABELS, "--min_score=0.5")
    assert run.code == 0, run.error
    rows = run.rows("dogs.mkv")
    assert [row["label"] for row in rows] == ["dog", "dog", "person"]
    assert [row["score"] for row in rows] == pytest.approx(scores, abs=tolerance)
    box = [rows[0][edge] for edge in ("ymin", "xmin", "ymax", "xmax")]
    assert box == pytest.approx([0.019, 0.007, 0.871, 0.338], abs=0.02 if kind == "TFLite" else 0.001)


@pytest.mark.slow
@pytest.mark.parametrize("kind", MODELS)
def test_batches_of_1_2_and_8_find_the_same(kind: str, capsys: Capture, dogs: np.ndarray, tmp_path: Path) -> None:
    model = MODELS[kind][0]
    clip = write_lossless(tmp_path / "dogs.mkv", [np.roll(dogs, 60 * shift, axis=1) for shift in range(8)])
    runs = [
        run_detect(capsys, clip, model, tmp_path / str(size), LABELS, "--min_score=0.3", f"--batch_size={size}")
        for size in (1, 2, 8)
    ]
    alone, *others = [run.rows("dogs.mkv") for run in runs]
    assert {row["frame_index"] for row in alone} == set(range(8))
    for other in others:
        for one, same in zip(alone, other, strict=True):
            assert (one["frame_index"], one["class_id"]) == (same["frame_index"], same["class_id"])
            for column in ("score", "ymin", "xmin", "ymax", "xmax"):
                assert one[column] == pytest.approx(same[column], abs=1e-4)


def stamps(run: DetectRun, name: str) -> list[int]:
    return [row["pts"] for row in run.rows(name, "frames")]


def counts(run: DetectRun, name: str) -> tuple[int, int, int]:
    frames = run.video(name)["counts"]["frames"]
    assert frames["expected"] == frames["processed"] + frames["skipped"] + frames["lost"]
    return frames["expected"], frames["processed"], frames["lost"]


@pytest.mark.slow
def test_every_frame_of_real_videos(capsys: Capture, tmp_path: Path) -> None:
    # One second of each is looked at; all are decoded and accounted for.
    flags = [LABELS, "--frame_stride=10", "--segment_seconds=2"]
    clips = [
        VIDEOS / name for name in ("torchcodec", "decord", "opencv/tree.avi", "imageio/cockatoo.mp4", "mmpose/demo.mp4")
    ]
    run = run_detect(capsys, clips, FROZEN, tmp_path / "out", *flags)
    assert run.code == 2
    assert {video["video"]["name"]: video["status"] for video in run.manifest["videos"]} == {
        "cockatoo.mp4": "ok",
        "corrupted.mp4": "partial",
        "demo.mp4": "ok",
        "h265_video.mp4": "ok",
        "nasa_13013.mp4": "ok",
        "tree.avi": "ok",
        "video_0.mov": "ok",
        "video_90.mov": "ok",
        "video_180.mov": "ok",
    }
    assert counts(run, "cockatoo.mp4")[0] == 280
    assert counts(run, "h265_video.mp4")[0] == 10
    assert counts(run, "demo.mp4")[0] == 5
    assert counts(run, "tree.avi")[0] == 68
    assert run.rows("tree.avi", "frames")[-1]["time_s"] == pytest.approx(29.53, abs=0.01)
    assert counts(run, "corrupted.mp4") == (50, 3, 2)  # of every tenth
    assert run.of_video("nasa_13013.mp4")["video"]["stream"] == 3
    assert stamps(run, "nasa_13013.mp4") == known_stamps(3)
    sizes = {turn: run.of_video(f"video_{turn}.mov")["video"] for turn in (0, 90, 180)}
    assert (sizes[90]["height"], sizes[90]["width"]) == (sizes[0]["width"], sizes[0]["height"])
    assert (sizes[180]["height"], sizes[180]["width"]) == (sizes[0]["height"], sizes[0]["width"])

    damaged = run_detect(capsys, clips[1] / "corrupted.mp4", FROZEN, tmp_path / "damaged", LABELS)
    assert counts(damaged, "corrupted.mp4") == (50, 28, 22)

    other = run_detect(capsys, clips[0] / "nasa_13013.mp4", FROZEN, tmp_path / "other", *flags, "--stream=0")
    assert other.of_video("nasa_13013.mp4")["video"]["stream"] == 0
    assert stamps(other, "nasa_13013.mp4") == known_stamps(0)


def known_stamps(stream: int) -> list[int]:
    [file] = (VIDEOS / "torchcodec").glob(f"nasa_13013.mp4.stream{stream}.all_frames_info.json")
    with av.open(str(VIDEOS / "torchcodec/nasa_13013.mp4")) as container:
        unit = container.streams[stream].time_base
    return [round(Fraction(frame["pts_time"]) / unit) for frame in json.loads(file.read_text())]


@pytest.mark.slow
def test_the_same_bytes_on_any_number_of_workers(capsys: Capture, tmp_path: Path) -> None:
    clips = [VIDEOS / "torchcodec", VIDEOS / "mmpose/demo.mp4"]
    runs = [
        run_detect(capsys, clips, FROZEN, tmp_path / str(number), LABELS, "--segment_seconds=3", *workers)
        for number, workers in enumerate([(), TWO_THREADS, TWO_PROCESSES])
    ]
    assert runs[0].parquet == runs[1].parquet == runs[2].parquet
    assert [run.model_loads for run in runs] == [1, 1, 2]


@pytest.mark.slow
def test_segment_lengths_find_the_same(capsys: Capture, tmp_path: Path) -> None:
    clip = VIDEOS / "torchcodec/nasa_13013.mp4"
    short, long = (
        run_detect(capsys, clip, FROZEN, tmp_path / seconds, LABELS, f"--segment_seconds={seconds}")
        for seconds in ("1", "30")
    )
    assert short.segments[0] > long.segments[0] == 1
    pairs = list(zip(short.rows(clip.name), long.rows(clip.name), strict=True))
    assert len(pairs) > 390
    differing = [
        (one, other)
        for one, other in pairs
        if one["class_id"] != other["class_id"]
        or any(abs(one[column] - other[column]) > 1e-4 for column in ("score", "ymin", "xmin", "ymax", "xmax"))
    ]
    assert differing == []
