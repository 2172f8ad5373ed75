from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import pytest

from tests.videos.clips import write_clip
from transforms.videos import probe as probe_module
from transforms.videos.probe import VideoProbe, is_frame, probe_video
from transforms.videos.reasons import VideoReason, VideoRefused


def _probe(path: Path, **how: int) -> VideoProbe:
    found = probe_video(path, **how)
    assert isinstance(found, VideoProbe), found
    return found


def test_what_a_probe_tells(tmp_path: Path) -> None:
    found = _probe(write_clip(tmp_path / "clip.mp4", audio=True))
    assert (found.container, found.codec) == ("mov,mp4,m4a,3gp,3g2,mj2", "h264")
    assert (found.width, found.height, found.rotation) == (160, 96, 0)
    assert found.time_base == Fraction(1, 15360)
    assert found.pts == tuple(range(0, 60 * 512, 512))
    assert [key.pts for key in found.key_frames] == [0, 6144, 12288, 18432, 24576]
    assert found.frame_duration == 512
    assert found.duration_s == 2.0
    assert found.has_audio
    assert found.splittable
    assert (found.truncated, found.unread, found.errors) == ("", "", ())
    assert (found.pts_by_rank, found.absent_frames) == (False, 0)


def test_silent_video_and_av1(tmp_path: Path) -> None:
    found = _probe(write_clip(tmp_path / "clip.mp4", 12, codec="libsvtav1", options={"preset": "12"}))
    assert (found.codec, found.has_audio, len(found.pts)) == ("av1", False, 12)


def test_the_size_is_that_of_the_upright_frame(tmp_path: Path) -> None:
    found = _probe(write_clip(tmp_path / "clip.mp4", frames=3, rotation=90))
    assert (found.width, found.height, found.rotation) == (96, 160, 270)


def test_missing_frames_of_a_cut_file_are_known_exactly(tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "whole.mp4", container_options={"movflags": "faststart"})
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[:7000])
    found = _probe(cut)
    assert found.pts == _probe(whole).pts
    with av.open(str(whole)) as container:
        ends = [p.pos + p.size for p in container.demux(video=0) if p.size]
    assert found.absent_frames == sum(end > 7000 for end in ends) > 20
    assert "bytes are missing" in found.truncated


def test_a_stream_by_its_index(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", audio=True)
    assert _probe(path, stream=0).stream_index == 0
    for stream in (1, 9):
        refused = probe_video(path, stream=stream)
        assert refused == VideoRefused(VideoReason.NO_SUCH_STREAM, f"no video stream {stream}; there is 0")


def test_too_many_pixels(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", frames=3)
    assert _probe(path, max_pixels=160 * 96).width == 160
    refused = probe_video(path, max_pixels=160 * 96 - 1)
    assert isinstance(refused, VideoRefused)
    assert (refused.reason, "160x96" in refused.detail) == (VideoReason.TOO_MANY_PIXELS, True)


def test_repeated_time_stamps_are_moved_apart(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mpg", codec="mpeg2video")
    with av.open(str(path)) as container:
        stored = [p.pts for p in container.demux(video=0) if p.size]
    repeated = len(stored) - len(set(stored))
    found = _probe(path)
    assert found.repeated_pts == repeated > 0
    assert found.pts_by_rank
    assert len(found.pts) == len(set(found.pts)) == 60


@pytest.mark.parametrize(
    ("codec", "size", "discard", "first", "expected"),
    [
        ("h264", 9, False, b"\0", True),
        ("h264", 0, False, b"", False),
        ("h264", 9, True, b"\0", False),
        ("vp8", 9, False, b"\x10", True),
        ("vp8", 9, False, b"\x01", False),  # a hidden reference picture
    ],
)
def test_packets_that_are_no_frame(codec: str, size: int, discard: bool, first: bytes, expected: bool) -> None:
    class Packet(SimpleNamespace):
        def __bytes__(self) -> bytes:
            return first

    assert is_frame(Packet(size=size, is_discard=discard), codec) is expected


def test_a_fault_of_ours_is_not_taken_for_a_bad_video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_clip(tmp_path / "clip.mp4", frames=3)

    def raising(error: Exception) -> None:
        def scan(*args: object) -> None:
            raise error

        monkeypatch.setattr(probe_module, "_scan", scan)

    raising(NameError("name 'x' is not defined"))
    with pytest.raises(NameError):
        probe_video(path)
    raising(MemoryError("native"))
    assert probe_video(path) == VideoRefused(VideoReason.VIDEO_UNREADABLE, "MemoryError: native")
