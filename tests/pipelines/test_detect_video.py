"""``boxmill detect`` end to end, with the demonstration's detector on generated videos."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from pipelines import detect_video
from tests.pipelines.detect_runs import TWO_PROCESSES, TWO_THREADS, run_detect
from tests.videos.bad_videos import BAD_VIDEOS
from tests.videos.clips import write_clip
from tests.videos.shape_clips import SIZE, true_boxes, write_shapes_clip
from transforms.detections import output_folder
from transforms.detectors import detect_segments
from transforms.detectors.demo_model import write_shapes_detector
from transforms.detectors.detector import Detector
from transforms.detectors.loading import load_detector
from transforms.shards.record_framing import read_records
from transforms.videos.deadline import TookTooLong

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shapes_detector(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two clips of three seconds, one of them with sound and another rate."""
    folder = tmp_path_factory.mktemp("clips")
    write_shapes_clip(folder / "first.mp4", 90, audio=True)
    write_shapes_clip(folder / "second.mkv", 60, pts=[2 * n + n % 2 for n in range(60)])
    return folder


def test_every_output_of_a_clip(capsys: Capture, clips: Path, model: Path, tmp_path: Path) -> None:
    exports = "--exports=coco,mot,jsonl,yolo,tfrecord"
    flags = [exports, "--as_annotations", "--annotated_video", f"--logdir={tmp_path / 'log'}", "--segment_seconds=1"]
    run = run_detect(capsys, clips / "first.mp4", model, tmp_path / "out", *flags)
    assert run.code == 0, run.error
    manifest = run.of_video("first.mp4")
    assert manifest["status"] == "ok"
    assert manifest["counts"]["frames"] == {"expected": 90, "processed": 90, "skipped": 0, "suspect": 0, "lost": 0}
    assert manifest["counts"]["detections"] == 90 + 90 + 30
    assert manifest["classes"] == {"blue": 30, "green": 90, "red": 90}
    assert manifest["counts"]["segments"] == run.segments[0] == 3
    assert [row["status"] for row in run.rows("first.mp4", "frames")] == ["processed"] * 90

    rows = run.rows("first.mp4")
    for row in rows:
        left, top, right, bottom = true_boxes(row["frame_index"])[row["class_id"]]
        found = [row[edge] for edge in ("xmin_px", "ymin_px", "xmax_px", "ymax_px")]
        assert found == pytest.approx([left, top, right, bottom], abs=2.5)
        assert row["label"] == {1: "red", 2: "green", 3: "blue"}[row["class_id"]]
    folder = run.results("first.mp4")
    _check_exports(folder, rows)
    _check_records(folder, rows)
    _check_annotated(folder / "annotated.mp4", clips / "first.mp4")
    _check_events(tmp_path / "log")
    leftovers = [path.name for path in (run.folder / ".boxmill").iterdir()]
    assert sorted(leftovers) == ["inputs.json", "lock", "segments"]


def _check_exports(folder: Path, rows: Sequence[dict[str, Any]]) -> None:
    coco = json.loads((folder / "exports/coco/coco_results.json").read_text())
    assert [(item["image_id"], item["category_id"]) for item in coco] == [
        (row["frame_index"], row["class_id"]) for row in rows
    ]
    lines = (folder / "exports/jsonl/detections.jsonl").read_text().splitlines()
    assert sum(len(json.loads(line)["detections"]) for line in lines) == len(rows)
    assert len((folder / "exports/mot/mot.csv").read_text().splitlines()) == len(rows)
    assert len(list((folder / "exports/yolo/labels").iterdir())) == 90


def _check_records(folder: Path, rows: Sequence[dict[str, Any]]) -> None:
    import tensorflow as tf

    shards = sorted((folder / "exports/tfrecord").glob("*.tfrecord-*"))
    assert [shard.name for shard in shards] == [f"first.tfrecord-0000{n}-of-00003" for n in range(3)]
    assert (folder / "exports/tfrecord/label_map.pbtxt").is_file()
    examples = [tf.train.Example.FromString(data) for shard in shards for data in read_records(shard.open("rb"))]
    assert len(examples) == 90
    for index, example in enumerate(examples):
        feature = example.features.feature
        own = [row for row in rows if row["frame_index"] == index]
        assert feature["image/detection/label"].int64_list.value == [row["class_id"] for row in own]
        assert feature["image/object/class/text"].bytes_list.value == [row["label"].encode() for row in own]
        assert feature["image/object/bbox/xmax"].float_list.value == pytest.approx([row["xmax"] for row in own])
        assert tf.io.decode_jpeg(feature["image/encoded"].bytes_list.value[0]).shape == (SIZE[1], SIZE[0], 3)


def _check_annotated(annotated: Path, source: Path) -> None:
    def times(path: Path) -> tuple[list[Fraction], list[bytes]]:
        with av.open(str(path)) as container:
            frames = [frame.pts * frame.time_base for frame in container.decode(video=0)]
        with av.open(str(path)) as container:
            return frames, [bytes(packet) for packet in container.demux(audio=0) if packet.size]

    assert times(annotated) == times(source)


def _check_events(log: Path) -> None:
    from tensorboard.compat.proto.event_pb2 import Event

    [file] = log.glob("detect-0001/first-*/events.out.tfevents.*")
    with file.open("rb") as stream:
        events = [Event.FromString(data) for data in read_records(stream)]
    assert events[0].file_version == "brain.Event:2"
    steps = [event.step for event in events[1:]]
    assert steps == sorted(set(steps))
    values = [value for event in events for value in event.summary.value]
    assert {value.tag for value in values} == {
        "annotated",
        "detections/blue",
        "detections/green",
        "detections/red",
        "frames per second",
    }
    assert sum(value.simple_value for value in values if value.tag == "detections/blue") == 30


def test_results_do_not_depend_on_workers(capsys: Capture, clips: Path, model: Path, tmp_path: Path) -> None:
    runs = {
        workers: run_detect(capsys, clips, model, tmp_path / str(number), "--segment_seconds=0.5", *workers)
        for number, workers in enumerate([(), TWO_THREADS, TWO_PROCESSES])
    }
    one, threads, processes = runs.values()
    assert [run.code for run in runs.values()] == [0, 0, 0]
    assert len(one.parquet) == 4
    assert one.parquet == threads.parquet == processes.parquet
    # Once a process, whatever the number of videos, segments and threads.
    assert [run.model_loads for run in runs.values()] == [1, 1, 2]
    assert one.segments == threads.segments == processes.segments == (9, 0)


def test_long_and_short_segments_find_the_same(capsys: Capture, clips: Path, model: Path, tmp_path: Path) -> None:
    short = run_detect(capsys, clips, model, tmp_path / "short", "--segment_seconds=1")
    long = run_detect(capsys, clips, model, tmp_path / "long", "--segment_seconds=30")
    assert short.segments[0] > long.segments[0] == 2
    for name in ("first.mp4", "second.mkv"):
        pairs = list(zip(short.rows(name), long.rows(name), strict=True))
        assert len(pairs) > 100
        for one, other in pairs:
            assert (one["frame_index"], one["pts"], one["class_id"]) == (
                other["frame_index"],
                other["pts"],
                other["class_id"],
            )
            for column in ("score", "ymin", "xmin", "ymax", "xmax"):
                assert one[column] == pytest.approx(other[column], abs=1e-4)


def test_a_finished_run_is_not_done_again(capsys: Capture, clips: Path, model: Path, tmp_path: Path) -> None:
    first = run_detect(capsys, clips, model, tmp_path / "out")
    written = {path: path.stat().st_mtime_ns for path in first.folder.rglob("*") if path.is_file()}
    again = run_detect(capsys, clips, model, tmp_path / "out")
    assert again.code == 0
    assert "nothing was done" in again.out
    assert written == {path: path.stat().st_mtime_ns for path in first.folder.rglob("*") if path.is_file()}


def test_a_video_that_was_changed_is_looked_at_again(capsys: Capture, model: Path, tmp_path: Path) -> None:
    clip = write_shapes_clip(tmp_path / "clip.mp4", 6)
    run_detect(capsys, clip, model, tmp_path / "out")
    before = clip.stat()
    data = bytearray(clip.read_bytes())
    data[-1] ^= 1  # somewhere in the name of the encoder
    clip.write_bytes(data)
    os.utime(clip, ns=(before.st_atime_ns, before.st_mtime_ns - 10**12))  # and older than the results
    again = run_detect(capsys, clip, model, tmp_path / "out")
    assert (again.code, again.segments) == (0, (1, 0))


def test_other_results_of_the_same_frames_need_no_inference(
    capsys: Capture, clips: Path, model: Path, tmp_path: Path
) -> None:
    names = tmp_path / "names.csv"
    names.write_text("1,rouge\n", encoding="utf-8")
    changed = ["--min_score=0.9", f"--label_map={names}", "--exports=mot", "--annotated_video"]
    first = run_detect(capsys, clips, model, tmp_path / "out")
    assert first.segments == (2, 0)
    found = len(first.rows("first.mp4"))
    again = run_detect(capsys, clips, model, tmp_path / "out", *changed)
    assert (again.code, again.segments, again.model_loads) == (0, (0, 2), 0)
    fresh = run_detect(capsys, clips, model, tmp_path / "fresh", *changed)
    assert fresh.segments == (2, 0)
    assert again.parquet == fresh.parquet
    assert again.manifest == fresh.manifest
    for name in ("first.mp4", "second.mkv"):
        for file in ("annotated.mp4", "exports/mot/mot.csv"):
            assert (again.results(name) / file).read_bytes() == (fresh.results(name) / file).read_bytes()
    labels = {row["label"] for row in again.rows("first.mp4")}
    assert labels == {"rouge", "class_2"}
    assert again.of_video("first.mp4")["unknown_classes"] == [2]
    assert (found, len(again.rows("first.mp4"))) == (210, 180)


def test_without_the_store_another_threshold_infers_again(
    capsys: Capture, clips: Path, model: Path, tmp_path: Path
) -> None:
    run_detect(capsys, clips / "first.mp4", model, tmp_path / "out", "--nokeep_segments")
    assert not (tmp_path / "out/.boxmill/segments").exists()
    again = run_detect(capsys, clips / "first.mp4", model, tmp_path / "out", "--min_score=0.5")
    assert again.segments == (1, 0)


def test_a_new_video_leaves_the_others_as_they_are(capsys: Capture, clips: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = run_detect(capsys, clips / "first.mp4", model, out)
    before = first.results("first.mp4").stat().st_ino
    both = run_detect(capsys, clips, model, out)
    assert both.segments == (1, 0)
    assert len(both.manifest["videos"]) == 2
    assert both.results("first.mp4").stat().st_ino == before


def test_a_run_that_broke_goes_on_inside_the_video(
    capsys: Capture, clips: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: list[str] = []

    def save_two(path: str, findings: Any) -> None:
        if len(saved) == 2:
            raise RuntimeError("the machine went away")
        saved.append(path)
        output_folder.save_findings(path, findings)

    with monkeypatch.context() as patch:
        patch.setattr(detect_segments, "save_findings", save_two)
        with pytest.raises(Exception, match="the machine went away"):
            run_detect(capsys, clips, model, tmp_path / "out", "--segment_seconds=1")
    assert not (tmp_path / "out/manifest.json").exists()
    again = run_detect(capsys, clips, model, tmp_path / "out", "--segment_seconds=1")
    whole = run_detect(capsys, clips, model, tmp_path / "whole", "--segment_seconds=1")
    assert again.segments == (whole.segments[0] - 2, 2)
    assert again.parquet == whole.parquet
    assert again.manifest == whole.manifest


def test_a_damaged_store_is_not_believed(capsys: Capture, clips: Path, model: Path, tmp_path: Path) -> None:
    first = run_detect(capsys, clips, model, tmp_path / "out")
    rows = [first.rows(name) for name in ("first.mp4", "second.mkv")]
    stored = sorted((tmp_path / "out/.boxmill/segments").glob("*/*.npz"))
    stored[0].write_bytes(stored[0].read_bytes()[:-40])
    again = run_detect(capsys, clips, model, tmp_path / "out", "--min_score=0.06")
    assert again.segments == (1, 1)
    assert [again.rows(name) for name in ("first.mp4", "second.mkv")] == rows


def _is_red(pixel: np.ndarray) -> bool:
    return bool(pixel[0] > 180 and pixel[1] < 80)


class _Poisoned(Detector):
    """Fails on any batch that holds a frame with the blue shape while the red one is far to the left."""

    def detect(self, frames: np.ndarray) -> list[Any]:
        if any(_is_red(frame[30, 12]) and frame[90, 30, 2] > 180 > frame[90, 30, 0] for frame in frames):
            raise ValueError("poison")
        return super().detect(frames)


def test_a_poison_frame_is_lost_alone(
    capsys: Capture, clips: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(*args: Any, **kwargs: Any) -> Detector:
        loaded = load_detector(*args, **kwargs)
        loaded.__class__ = _Poisoned
        return loaded

    sound = run_detect(capsys, clips / "first.mp4", model, tmp_path / "sound")
    monkeypatch.setattr(detect_segments, "load_detector", load)
    run = run_detect(capsys, clips / "first.mp4", model, tmp_path / "out")
    assert run.code == 2
    manifest = run.of_video("first.mp4")
    assert (manifest["status"], manifest["reason"]) == ("partial", "inference_failed")
    lost = [row["frame_index"] for row in run.rows("first.mp4", "frames") if row["status"] == "lost"]
    assert lost == [failure["frame_index"] for failure in manifest["failures"]]
    assert lost
    assert all(index % 24 <= 3 for index in lost)
    assert manifest["failures"][0]["error"] == "ValueError: poison"
    kept = [row for row in sound.rows("first.mp4") if row["frame_index"] not in lost]
    assert [row["frame_index"] for row in run.rows("first.mp4")] == [row["frame_index"] for row in kept]


def test_sampling_accounts_for_what_it_skips(capsys: Capture, clips: Path, model: Path, tmp_path: Path) -> None:
    stride = run_detect(capsys, clips, model, tmp_path / "stride", "--frame_stride=4", "--segment_seconds=1")
    assert stride.video("first.mp4")["counts"]["frames"] == {
        "expected": 90,
        "processed": 23,
        "skipped": 67,
        "suspect": 0,
        "lost": 0,
    }
    assert {row["frame_index"] % 4 for row in stride.rows("first.mp4")} == {0}
    fps = run_detect(capsys, clips, model, tmp_path / "fps", "--sample_fps=5")
    assert fps.video("first.mp4")["counts"]["frames"]["processed"] == 15


def test_equal_names_and_equal_contents(capsys: Capture, model: Path, tmp_path: Path) -> None:
    for folder in ("a", "b", "c", "d"):
        (tmp_path / "in" / folder).mkdir(parents=True)
    clip = write_shapes_clip(tmp_path / "in/a/clip.mp4", 12)
    write_shapes_clip(tmp_path / "in/b/clip.mp4", 18)
    for copy in ("c/clip.mp4", "d/other.mp4"):
        (tmp_path / "in" / copy).write_bytes(clip.read_bytes())
    run = run_detect(capsys, tmp_path / "in", model, tmp_path / "out")
    assert run.code == 0
    names = sorted((video["video"]["name"], video["counts"]["frames"]["expected"]) for video in run.manifest["videos"])
    assert names == [("clip.mp4", 12), ("clip.mp4", 18), ("other.mp4", 12)]
    assert run.segments == (2, 0)  # equal content is inferred once
    folders = {video["folder"] for video in run.manifest["videos"]}
    assert len(folders) == 3
    assert folders == {path.parent.name for path in run.folder.glob("*/detections.parquet")}


def test_bad_videos_each_end_with_their_status(capsys: Capture, model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bad"
    folder.mkdir()
    expected = {}
    for bad in BAD_VIDEOS:
        bad.make(folder / bad.name)
        if (folder / bad.name).is_file():
            expected[bad.name] = bad
    write_shapes_clip(folder / "good.mp4", 12)
    assert len(expected) >= 30
    flags = ("--max_megapixels=33.1776", "--annotated_video", "--exports=coco,mot,jsonl,yolo,tfrecord")
    run = run_detect(capsys, folder / "*", model, tmp_path / "out", *flags)
    assert run.code == 2
    assert "Traceback" not in run.out + run.error
    videos = {video["video"]["name"]: video for video in run.manifest["videos"]}
    assert set(videos) == {*expected, "good.mp4"}
    assert videos["good.mp4"]["status"] == "ok"
    for name, bad in expected.items():
        video, frames = videos[name], videos[name]["counts"]["frames"]
        assert video["status"] == bad.status, (name, video)
        if bad.reason is not None:
            assert video["reason"] == bad.reason, (name, video)
        if bad.expected is not None:
            assert frames["expected"] == bad.expected, (name, video)
        assert frames["processed"] >= bad.processed, (name, video)
        assert frames["expected"] == frames["processed"] + frames["skipped"] + frames["lost"]
        assert (run.folder / video["folder"] / "manifest.json").is_file()
        annotated = run.of_video(name).get("annotated_video", {"frames": 0})
        assert annotated["frames"] == frames["processed"], name


def test_a_slow_decoder_is_given_up_and_tried_again(
    capsys: Capture, clips: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    from transforms.videos.decoding import SegmentDecoder

    def slowly(decoder: SegmentDecoder) -> Any:
        for number, frame in enumerate(original(decoder)):
            if number == 20:
                time.sleep(4)
            yield frame

    original = SegmentDecoder.__iter__
    with monkeypatch.context() as patch:
        patch.setattr(SegmentDecoder, "__iter__", slowly)
        run = run_detect(capsys, clips / "first.mp4", model, tmp_path / "out", "--segment_time_limit=2")
    video = run.video("first.mp4")
    assert (run.code, video["status"], video["reason"]) == (2, "partial", "decode_timeout")
    assert video["counts"]["frames"]["processed"] == 20
    again = run_detect(capsys, clips / "first.mp4", model, tmp_path / "out", "--segment_time_limit=100")
    assert (again.code, again.segments) == (0, (1, 0))
    assert again.video("first.mp4")["counts"]["frames"]["processed"] == 90


def test_drawing_that_is_cut_short_is_told(
    capsys: Capture, clips: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(*args: Any) -> Any:
        raise TookTooLong("too slow")

    run_detect(capsys, clips / "first.mp4", model, tmp_path / "out")
    monkeypatch.setattr(detect_segments, "ahead_within", late)
    run = run_detect(capsys, clips / "first.mp4", model, tmp_path / "out", "--exports=tfrecord")
    assert (run.code, run.segments) == (0, (0, 1))
    warning = "drawn frames and records of segment 0 are cut short: too slow"
    assert run.video("first.mp4")["warnings"] == [warning]
    assert f"warning: {warning}" in run.out


def test_labels_that_the_font_lacks_are_told(capsys: Capture, clips: Path, model: Path, tmp_path: Path) -> None:
    names = tmp_path / "names.csv"
    names.write_text("1,빨강\n", encoding="utf-8")
    flags = (f"--label_map={names}", "--min_score=0.9")
    plain = run_detect(capsys, clips / "first.mp4", model, tmp_path / "out", *flags)
    assert "font" not in plain.error
    drawn = run_detect(capsys, clips / "first.mp4", model, tmp_path / "out", *flags, "--annotated_video")
    assert "warning: the font cannot draw all of '빨강'; give another one by --font=FILE" in drawn.error


def _argv(**values: object) -> list[str]:
    return [f"--{name}={value}" for name, value in values.items()]


REFUSALS = {
    "no flag": ({}, "--videos is missing"),
    "no video": ({"videos": "{tmp}/nothing*.mp4"}, "there is no such file or folder"),
    "empty folder": ({"videos": "{tmp}/empty"}, "holds no file that ends with"),
    "no such file system": (
        {"videos": "zip://bucket/a.mp4"},
        "--videos: cannot read zip://bucket/a.mp4: Beam has no file",
    ),
    "no model": ({"model": "{tmp}/nothing"}, "no such file or folder"),
    "no detector": ({"model": "{tmp}/text.pb"}, "text.pb"),
    "broken model": ({"model": "{tmp}/cut.tflite"}, "cut.tflite"),
    "no label map": ({"label_map": "{tmp}/nothing.pbtxt"}, "nothing.pbtxt: cannot be read"),
    "bad label map": ({"label_map": "{tmp}/bad.csv"}, "bad.csv"),
    "output is a file": ({"output": "{tmp}/text.pb"}, "choose another --output"),
    "output is foreign": ({"output": "{tmp}/full"}, "holds no detections"),
    "log is a file": ({"logdir": "{tmp}/text.pb"}, "--logdir="),
    "unknown export": ({"exports": "coco,voc"}, "--exports=voc is no format"),
    "unknown flag": ({"min_scores": "1"}, "did you mean --min_score"),
    "both samplings": ({"sample_fps": "5", "frame_stride": "2"}, "--sample_fps=5, --frame_stride=2"),
    "no rate": ({"sample_fps": "fast"}, "--sample_fps=fast"),
    "no time": ({"segment_seconds": "0"}, "--segment_seconds=0 must be above 0"),
    "not a number": ({"segment_seconds": "nan"}, "--segment_seconds=nan must be above 0"),
    "endless": ({"segment_time_limit": "inf"}, "--segment_time_limit=inf must be above 0"),
    "no score": ({"min_score": "nan"}, "--min_score=nan is no number"),
    "too many pixels": ({"max_megapixels": "inf"}, "--max_megapixels"),
    "no font": ({"font": "{tmp}/nothing.ttf"}, "nothing.ttf is no font that can be read"),
    "not a font": ({"font": "{tmp}/text.pb"}, "text.pb is no font that can be read"),
    "annotations of nothing": ({"as_annotations": "true"}, "--exports=tfrecord"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_mistakes_are_told_in_one_sentence(
    case: str, capsys: Capture, clips: Path, model: Path, tmp_path: Path
) -> None:
    changes, expected = REFUSALS[case]
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine.txt").write_text("mine")
    (tmp_path / "text.pb").write_text("hello " * 50)
    (tmp_path / "cut.tflite").write_bytes(b"\x1c\0\0\0TFL3" + bytes(20))
    (tmp_path / "bad.csv").write_text("x,y,z\n")
    values = {"videos": str(clips), "model": str(model), "output": "{tmp}/out", **changes} if changes else {}
    code = detect_video.main([text.format(tmp=tmp_path) for text in _argv(**values)])
    captured = capsys.readouterr()
    assert code == 1
    assert captured.err.startswith("boxmill detect: ")
    assert expected in captured.err
    assert captured.err.count("\n") == 1
    assert "Traceback" not in captured.err


def test_a_model_that_breaks_when_it_is_loaded(capsys: Capture, clips: Path, model: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    (broken / "saved_model/variables").mkdir(parents=True)
    (broken / "saved_model/saved_model.pb").write_bytes((model / "saved_model/saved_model.pb").read_bytes())
    run = run_detect(capsys, clips, broken, tmp_path / "out")
    assert run.code == 1
    assert run.error.splitlines()[-1].startswith("boxmill detect: Model ")
    assert "Traceback" not in run.error
    assert not (tmp_path / "out/manifest.json").exists()


def test_two_runs_at_once_do_not_mix(capsys: Capture, clips: Path, model: Path, tmp_path: Path) -> None:
    run = run_detect(capsys, clips / "first.mp4", model, tmp_path / "out")
    with (tmp_path / "out/.boxmill/lock").open("rb+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        other = run_detect(capsys, clips, model, tmp_path / "out")
    assert other.code == 1
    assert "another run is writing" in other.error
    assert other.manifest == run.manifest


def test_names_in_any_script(capsys: Capture, model: Path, tmp_path: Path) -> None:
    clip = write_shapes_clip(tmp_path / "clip.mp4", 6)
    name = "거리 [1] %03d a:b.mp4"
    (tmp_path / "in").mkdir()
    clip.rename(tmp_path / "in" / name)
    write_clip(tmp_path / "in" / ("x" * 240 + ".mp4"), 3)
    run = run_detect(capsys, tmp_path / "in", model, tmp_path / "out", "--exports=yolo", "--annotated_video")
    assert run.code == 0
    assert run.results(name).name.startswith("거리 [1] %03d a:b-")
    assert (run.results(name) / "annotated.mp4").is_file()
