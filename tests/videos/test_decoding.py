from __future__ import annotations

import gc
import io
import json
import random
import weakref
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.videos.accounting import account
from tests.videos.bad_videos import noise
from tests.videos.clips import read_number, write_clip
from tests.videos.real_videos import REAL, needs_real
from transforms.videos.decoding import SegmentDecoder
from transforms.videos.probe import VideoProbe, probe_video
from transforms.videos.sampling import Sampling
from transforms.videos.segments import plan_segments

HEVC = "open-gop=1:keyint=12:bframes=3:pools=none:frame-threads=1:log-level=none"
OPEN = {"preset": "veryfast", "bf": "3", "x264-params": "open-gop=1:b-pyramid=2"}
VARIED = [sum(1 + (i * 7) % 5 for i in range(n)) for n in range(60)]
VP9 = {"cpu-used": "8", "deadline": "realtime"}

CLIPS: dict[str, tuple[str, dict[str, Any]]] = {
    "closed": ("clip.mp4", {}),
    "open": ("clip.mp4", {"options": OPEN}),
    "varied_rate_mp4": ("clip.mp4", {"pts": VARIED, "time_base": Fraction(1, 120)}),
    "varied_rate_mkv": ("clip.mkv", {"pts": VARIED, "time_base": Fraction(1, 120)}),
    "hevc_open": ("clip.mp4", {"codec": "libx265", "options": {"preset": "ultrafast", "x265-params": HEVC}}),
    "vp9": ("clip.webm", {"codec": "libvpx-vp9", "options": VP9}),
    "mkv": ("clip.mkv", {"audio": True}),
    "ts": ("clip.ts", {"audio": True}),
    "ts_open": ("clip.ts", {"options": OPEN}),
    "ts_mpeg2": ("clip.ts", {"codec": "mpeg2video", "options": {"bf": "2"}}),
    "fragmented": ("clip.mp4", {"container_options": {"movflags": "frag_keyframe+empty_moov"}}),
    "mov": ("clip.mov", {}),
    "flv": ("clip.flv", {}),
    "avi": ("clip.avi", {"codec": "mpeg4"}),
    "avi_with_b_frames": ("clip.avi", {}),
    "asf": ("clip.wmv", {"codec": "msmpeg4"}),
    "mpeg_ps": ("clip.mpg", {"codec": "mpeg2video", "options": {"bf": "2"}}),
    "nut": ("clip.nut", {}),
}
ONE_SEGMENT = {"avi_with_b_frames", "asf", "mpeg_ps"}


def _whole(path: Path) -> list[np.ndarray]:
    """Every frame of a good video, as PyAV gives them from the start: the truth to compare with."""
    with av.open(str(path)) as container:
        container.streams.video[0].codec_context.thread_count = 1
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


@pytest.mark.parametrize("kind", CLIPS)
def test_segments_give_each_frame_once_whatever_their_length(kind: str, tmp_path: Path) -> None:
    name, how = CLIPS[kind]
    path = write_clip(tmp_path / name, **how)
    whole = account(path, segment_seconds=30)
    assert whole.status == "ok"
    assert whole.numbers == tuple(range(60))
    assert [index for index, _, _ in whole.frames] == list(range(60))
    for seconds in (0.3, 1):
        cut = account(path, segment_seconds=seconds)
        assert cut.frames == whole.frames
        assert cut.records == whole.records
    probe = probe_video(path)
    assert isinstance(probe, VideoProbe)
    segments = len(plan_segments(probe, 0.3))
    assert segments == 1 if kind in ONE_SEGMENT else segments > 1


@pytest.mark.parametrize("kind", CLIPS)
def test_each_segment_is_found_at_the_first_attempt(kind: str, tmp_path: Path) -> None:
    name, how = CLIPS[kind]
    data = write_clip(tmp_path / name, **how).read_bytes()
    opened = []

    def source() -> io.BytesIO:
        opened.append(name)
        return io.BytesIO(data)

    probe = probe_video(source)
    assert isinstance(probe, VideoProbe)
    specs = plan_segments(probe, 0.3)
    opened.clear()
    for spec in specs:
        assert len(list(SegmentDecoder(source, spec))) == len(spec.pts)
    assert len(opened) == len(specs)


def test_pixels_are_those_of_decoding_the_whole(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", options=OPEN)
    probe = probe_video(path)
    assert isinstance(probe, VideoProbe)
    truth = _whole(path)
    for spec in plan_segments(probe, 0.3):
        for frame in SegmentDecoder(path, spec):
            assert np.array_equal(frame.pixels, truth[frame.frame_index])


def test_no_more_than_a_few_frames_are_held(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", rotation=90)
    probe = probe_video(path)
    assert isinstance(probe, VideoProbe)
    (spec,) = plan_segments(probe, 30)
    gc.collect()
    gc.disable()  # so that frames which only the collector could free are seen
    try:
        frames = held = 0
        pictures: list[weakref.ref[np.ndarray]] = []
        for frame in SegmentDecoder(path, spec):
            pictures.append(weakref.ref(frame.pixels))
            frames = max(frames, sum(isinstance(thing, av.VideoFrame) for thing in gc.get_objects()))
            held = max(held, sum(picture() is not None for picture in pictures))
    finally:
        gc.enable()
    assert len(pictures) == 60
    assert frames <= 8
    assert held <= 3


def test_a_file_object_reads_like_a_path(tmp_path: Path) -> None:
    data = write_clip(tmp_path / "clip.mkv").read_bytes()
    found = account(lambda: io.BytesIO(data), segment_seconds=0.3)
    assert found.frames == account(tmp_path / "clip.mkv", segment_seconds=0.3).frames
    assert found.counts.processed == 60


@pytest.mark.parametrize(("rotation", "turned"), [(90, 1), (180, 2), (270, 3)])
def test_rotated_video_comes_upright(rotation: int, turned: int, tmp_path: Path) -> None:
    plain = _whole(write_clip(tmp_path / "plain.mp4", frames=6))
    path = write_clip(tmp_path / "turned.mp4", frames=6, rotation=rotation)  # counterclockwise
    probe = probe_video(path)
    assert isinstance(probe, VideoProbe)
    assert (probe.width, probe.height) == ((96, 160) if turned % 2 else (160, 96))
    assert probe.rotation == 360 - rotation
    (spec,) = plan_segments(probe, 30)
    for frame, stored in zip(SegmentDecoder(path, spec), plain, strict=True):
        assert np.array_equal(frame.pixels, np.rot90(stored, turned))


def test_a_seek_that_goes_wrong_is_replaced_by_reading_from_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_clip(tmp_path / "clip.ts")
    probe = probe_video(path)
    assert isinstance(probe, VideoProbe)
    last = plan_segments(probe, 0.3)[-1]
    wrong = type(last.start)(last.start.pts, path.stat().st_size - 188 * 4)  # type: ignore[union-attr]

    decoder = SegmentDecoder(path, replace(last, start=wrong))
    assert [read_number(frame.pixels) for frame in decoder] == list(range(48, 60))


def test_damage_is_suspect_up_to_the_next_key_frame(tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "clip.mp4", options={"preset": "ultrafast", "bf": "0"})
    with av.open(str(whole)) as container:
        packets = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    data = whole.read_bytes()
    at, size = packets[15]  # in the second group of twelve
    share = (at + 8) / len(data)
    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(noise(share, size - 8)(data))
    truth = _whole(whole)
    for seconds in (0.3, 30):
        found = account(damaged, segment_seconds=seconds)
        bad = [r.frame_index for r in found.records if r.health == "suspect"]
        assert bad == list(range(15, 24))
        assert found.status == "partial"
        assert found.counts.expected == 60
        assert found.counts.lost <= 2
    probe = probe_video(damaged)
    assert isinstance(probe, VideoProbe)
    (spec,) = plan_segments(probe, 30)
    decoder = SegmentDecoder(damaged, spec)
    pictures = {frame.frame_index: frame.pixels for frame in decoder}
    sound = [r.frame_index for r in decoder.records() if r.health == "ok"]
    assert all(np.array_equal(pictures[i], truth[i]) for i in sound)


def test_nearly_all_frames_that_single_bits_spoil_are_told(tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "clip.mp4", options={"preset": "veryfast", "bf": "2"})
    data = whole.read_bytes()
    truth = {index: digest for index, _, digest in account(whole).frames}
    with av.open(str(whole)) as container:
        packets = [(p.pos, p.size) for p in container.demux(video=0) if p.size > 40]
    spoilt = told = 0
    for seed in range(12):
        rng = random.Random(seed)
        position, size = rng.choice(packets)
        changed = bytearray(data)
        changed[position + 20 + rng.randrange(size - 24)] ^= 1 << rng.randrange(8)
        (tmp_path / "changed.mp4").write_bytes(changed)
        found = account(tmp_path / "changed.mp4", keep_unproven=True)
        digests = {index: digest for index, _, digest in found.frames}
        suspect = {record.frame_index for record in found.records if record.health == "suspect"}
        bad = {index for index in truth if digests.get(index) != truth[index]}
        spoilt += len(bad)
        told += len(bad & suspect)
    assert spoilt > 20
    assert told >= 0.9 * spoilt


def test_damage_without_a_later_key_frame_is_lost_unless_asked_for(tmp_path: Path) -> None:
    data = write_clip(tmp_path / "clip.mp4", gop=250).read_bytes()
    path = tmp_path / "damaged.mp4"
    path.write_bytes(noise(0.35, 300)(data))
    strict, kept = account(path), account(path, keep_unproven=True)
    assert strict.counts.lost > 20
    assert strict.counts.suspect == 0
    assert kept.counts.processed >= 50
    assert kept.counts.suspect > 20
    assert kept.frames[: len(strict.frames)] == strict.frames


def test_skipped_frames_are_the_same_for_any_segment_length(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mkv", pts=VARIED, time_base=Fraction(1, 120))
    for sampling in (Sampling(stride=7), Sampling(fps=Fraction(5))):
        whole = account(path, sampling=sampling)
        cut = account(path, sampling=sampling, segment_seconds=0.2)
        assert cut.frames == whole.frames
        assert cut.records == whole.records
        assert 0 < whole.counts.processed < 60
        assert whole.counts.skipped == 60 - whole.counts.processed
        assert whole.status == "ok"


def test_a_frame_that_the_consumer_did_not_finish_is_lost(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", frames=12)
    probe = probe_video(path)
    assert isinstance(probe, VideoProbe)
    (spec,) = plan_segments(probe, 30)
    decoder = SegmentDecoder(path, spec)
    done = {frame.frame_index for frame in decoder} - {4, 7}
    assert [r.frame_index for r in decoder.records(processed=done) if r.status == "lost"] == [4, 7]


@needs_real
class TestRealVideos:
    @pytest.mark.parametrize(
        ("name", "frames"),
        [
            ("torchcodec/h265_video.mp4", 10),
            ("mmpose/demo.mp4", 5),
            ("decord/video_0.mov", 3),
            ("opencv/tree.avi", 68),
        ],
    )
    def test_all_frames_come(self, name: str, frames: int) -> None:
        found = account(REAL / name, segment_seconds=1)
        assert found.status == "ok"
        assert found.counts.processed == found.counts.expected == frames
        assert found.frames == account(REAL / name).frames

    def test_444_of_an_old_encoder_decodes_from_any_segment(self) -> None:
        found = account(REAL / "imageio/cockatoo.mp4", segment_seconds=1)
        assert found.counts.processed == 280
        assert found.counts.suspect == 0
        assert found.frames == account(REAL / "imageio/cockatoo.mp4").frames

    def test_varied_rate_has_its_real_times(self) -> None:
        found = account(REAL / "opencv/tree.avi")
        assert found.records[-1].time_s == pytest.approx(29.53, abs=0.01)

    @pytest.mark.parametrize(("stream", "number"), [(None, 3), (0, 0)])
    def test_every_pts_of_a_chosen_stream(self, stream: int | None, number: int) -> None:
        name = f"nasa_13013.mp4.stream{number}.all_frames_info.json"
        truth = [float(f["pts_time"]) for f in json.loads((REAL / "torchcodec" / name).read_text())]
        found = account(REAL / "torchcodec/nasa_13013.mp4", stream=stream, segment_seconds=5)
        assert found.probe is not None
        assert found.probe.stream_index == number
        assert [r.time_s for r in found.records] == pytest.approx(truth, abs=1e-6)
        assert found.counts.processed == len(truth)

    def test_a_corrupted_video_is_accounted_for(self) -> None:
        found = account(REAL / "decord/corrupted.mp4")
        assert found.status == "partial"
        assert (found.counts.expected, found.counts.processed, found.counts.lost) == (50, 28, 22)

    @pytest.mark.parametrize(("name", "size"), [("video_90.mov", (568, 320)), ("video_180.mov", (320, 568))])
    def test_rotated_clips_are_upright(self, name: str, size: tuple[int, int]) -> None:
        probe = probe_video(REAL / "decord" / name)
        assert isinstance(probe, VideoProbe)
        (spec,) = plan_segments(probe, 30)
        frames = list(SegmentDecoder(REAL / "decord" / name, spec))
        assert [frame.pixels.shape[:2] for frame in frames] == [size] * 3
