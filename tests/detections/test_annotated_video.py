from __future__ import annotations

import io
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.videos.clips import read_number, write_clip
from tests.videos.real_videos import REAL, needs_real
from transforms.detections.annotated_segments import SegmentEncoder
from transforms.detections.annotated_video import JoinedVideo, join_segments
from transforms.detections.drawing import class_colour, draw_detections
from transforms.videos.decoding import SegmentDecoder
from transforms.videos.probe import VideoProbe, probe_video
from transforms.videos.sampling import Sampling
from transforms.videos.segments import plan_segments

BOX = np.array([[0.05, 0.25, 0.35, 0.75]], np.float32)
VARIED = [sum(1 + (i * 7) % 5 for i in range(n)) for n in range(60)]

CLIPS: dict[str, tuple[str, dict[str, Any]]] = {
    "mp4": ("clip.mp4", {"audio": True}),
    "open": ("clip.mp4", {"options": {"preset": "veryfast", "bf": "3", "x264-params": "open-gop=1"}}),
    "ts_starting_late": ("clip.ts", {}),
    "fragmented": ("clip.mp4", {"container_options": {"movflags": "frag_keyframe+empty_moov"}}),
    "varied_rate_mkv": ("clip.mkv", {"pts": VARIED, "time_base": Fraction(1, 120), "audio": True}),
    "odd_size": ("clip.mp4", {"size": (161, 97), "pix_fmt": "yuv444p"}),
    "turned": ("clip.mp4", {"rotation": 90}),
    "avi": ("clip.avi", {"codec": "mpeg4"}),
}


def _probe(source: Any) -> VideoProbe:
    found = probe_video(source)
    assert isinstance(found, VideoProbe), found
    return found


def _segments(path: Path, seconds: float, sampling: Sampling | None = None) -> list[bytes]:
    probe = _probe(path)
    written = []
    for spec in plan_segments(probe, seconds, sampling=sampling):
        file = io.BytesIO()
        with SegmentEncoder(file, probe.width, probe.height, probe.time_base) as encoder:
            for frame in SegmentDecoder(path, spec):
                found = np.array([0.9], np.float32), np.array([7], np.int32)
                encoder.write(frame.pts, draw_detections(frame.pixels, BOX, *found, ["dog"]))
        written.append(file.getvalue())
    return written


def _join(path: Path, segments: Sequence[bytes]) -> tuple[bytes, JoinedVideo]:
    probe = _probe(path)
    out = io.BytesIO()
    joined = join_segments(
        out,
        [io.BytesIO(segment) for segment in segments],
        path,
        stream=probe.stream_index,
        time_base=probe.time_base,
        frame_duration=probe.frame_duration,
    )
    return out.getvalue(), joined


def _times(probe: VideoProbe) -> list[Fraction]:
    return [pts * probe.time_base for pts in probe.pts]


def _sound(source: Any) -> list[tuple[Fraction, bytes]]:
    with av.open(source) as container:
        return [(p.pts * p.time_base, bytes(p)) for p in container.demux(audio=0) if p.size]


@pytest.mark.parametrize("kind", CLIPS)
def test_times_size_and_sound_are_the_sources(kind: str, tmp_path: Path) -> None:
    name, how = CLIPS[kind]
    path = write_clip(tmp_path / name, **how)
    data, joined = _join(path, _segments(path, 0.3))
    source, annotated = _probe(path), _probe(lambda: io.BytesIO(data))
    assert joined.frames == 60
    assert _times(annotated) == _times(source)
    assert annotated.duration_s == pytest.approx(source.duration_s)
    assert (annotated.width, annotated.height) == (
        source.width + source.width % 2,
        source.height + source.height % 2,
    )
    assert annotated.rotation == 0
    assert joined.sound == ("copied" if source.has_audio else "none")
    if source.has_audio:
        assert _sound(io.BytesIO(data)) == _sound(str(path))
        assert joined.sound_packets == len(_sound(str(path)))


def test_frames_are_the_sources_with_boxes_on_them(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4")
    data, _ = _join(path, _segments(path, 0.3))
    (spec,) = plan_segments(_probe(lambda: io.BytesIO(data)), 30)
    frames = [frame.pixels for frame in SegmentDecoder(lambda: io.BytesIO(data), spec)]
    assert [read_number(frame) for frame in frames] == list(range(60))
    # The box's right edge, in the middle of its height; 4:2:0 mixes colours of neighbours.
    edge = frames[5][20, 118:120].astype(int).mean(axis=0)
    assert np.abs(edge - class_colour(7)).max() < 90
    ground = frames[5][20, 100].astype(int)
    assert np.abs(ground - class_colour(7)).max() > 90


def test_runs_give_equal_bytes(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", audio=True)
    assert _segments(path, 0.3) == _segments(path, 0.3)
    assert _join(path, _segments(path, 0.3))[0] == _join(path, _segments(path, 0.3))[0]


def test_skipped_frames_leave_their_times_to_the_others(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4")
    data, joined = _join(path, _segments(path, 0.3, Sampling(stride=6)))
    assert joined.frames == 10
    assert _times(_probe(lambda: io.BytesIO(data))) == _times(_probe(path))[::6]


def test_segments_without_frames_are_passed_over(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4")
    empty = io.BytesIO()
    with SegmentEncoder(empty, 160, 96, Fraction(1, 15360)):
        pass
    segments = _segments(path, 30)
    assert _join(path, [empty.getvalue(), *segments, empty.getvalue()])[1].frames == 60
    with pytest.raises(ValueError, match="nothing to join"):
        _join(path, [empty.getvalue()])


def test_segments_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4")
    first, second, *_ = _segments(path, 0.3)
    with pytest.raises(ValueError, match="not in order"):
        _join(path, [second, first])
    other = write_clip(tmp_path / "other.mp4", size=(320, 192))
    with pytest.raises(ValueError, match="other settings"):
        _join(path, [first, _segments(other, 0.3)[1]])


def test_a_frame_of_another_size_is_scaled() -> None:
    file = io.BytesIO()
    with SegmentEncoder(file, 64, 48, Fraction(1, 30)) as encoder:
        for pts, size in enumerate([(48, 64), (96, 128), (31, 33)]):
            encoder.write(pts, np.full((*size, 3), 200, np.uint8))
    with av.open(io.BytesIO(file.getvalue())) as container:
        sizes = [(frame.width, frame.height) for frame in container.decode(video=0)]
    assert sizes == [(64, 48)] * 3


def test_sound_that_mp4_does_not_take_is_said(tmp_path: Path) -> None:
    path = tmp_path / "clip.avi"
    with av.open(str(path), "w") as out:
        video = out.add_stream("mpeg4", rate=30)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        sound = out.add_stream("adpcm_ms", rate=16000, layout="mono")
        for number in range(3):
            frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
            frame.pts = number
            out.mux(video.encode(frame))
        wave = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.int16), format="s16", layout="mono")
        wave.sample_rate = 16000
        out.mux(sound.encode(wave))
        out.mux(video.encode(None))
        out.mux(sound.encode(None))
    _, joined = _join(path, _segments(path, 30))
    assert joined.frames == 3
    assert joined.sound_packets == 0
    assert joined.sound.startswith("not copied: MP4 does not take this sound")


@needs_real
def test_real_video_of_several_streams() -> None:
    path = REAL / "torchcodec/nasa_13013.mp4"
    data, joined = _join(path, _segments(path, 5))
    assert _times(_probe(lambda: io.BytesIO(data))) == _times(_probe(path))
    assert joined == JoinedVideo(390, 205, "copied")
