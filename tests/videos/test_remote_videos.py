from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fake_gcs import FakeGcs, Fault, cloud
from tests.videos.clips import write_clip
from transforms.storage import gcs_files, gcs_requests
from transforms.videos.cut_settings import CutSettings
from transforms.videos.cut_videos import probe_file
from transforms.videos.find_videos import VideoFile, VideosNotFound, find_videos
from transforms.videos.probe import VideoProbe, probe_video
from transforms.videos.reasons import VideoReason, VideoRefused
from transforms.videos.remote_videos import RemoteVideo, require_all_read, source_of
from transforms.videos.sources import fingerprint


@pytest.fixture
def gcs(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGcs]:
    yield from cloud("bucket", "b2", monkeypatch=monkeypatch)


def test_a_remote_video_is_the_local_one(gcs: FakeGcs, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", 12)
    gcs.put("bucket", "in/clip.mp4", clip.read_bytes())
    remote = pickle.loads(pickle.dumps(source_of("gs://bucket/in/clip.mp4")))
    assert remote == RemoteVideo("gs://bucket/in/clip.mp4")
    probe = probe_video(remote)
    assert isinstance(probe, VideoProbe)
    assert probe == probe_video(clip)
    assert fingerprint(remote) == fingerprint(clip)
    # All that was opened, read and sought above is one file of one block.
    assert gcs.count("GET", "alt=media") == 1
    assert source_of(str(clip)) == str(clip)


NAMES = ("a.mp4", "b.MKV", "deep/c.ts", "note.txt", ".hidden.mp4", ".cache/d.mp4", "[1] %03d.mp4")


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("gs://bucket/in", ["[1] %03d.mp4", "a.mp4", "b.MKV", "c.ts"]),
        ("gs://bucket/in/", ["[1] %03d.mp4", "a.mp4", "b.MKV", "c.ts"]),
        ("gs://bucket", ["[1] %03d.mp4", "a.mp4", "b.MKV", "c.ts"]),
        ("gs://bucket/in/note.txt", ["note.txt"]),
        ("gs://bucket/in/[1] %03d.mp4", ["[1] %03d.mp4"]),
        ("gs://bucket/in/?.*", ["a.mp4", "b.MKV"]),
        ("gs://bucket/in/**/*.ts", ["c.ts"]),
        ("gs://bucket/*/a.mp4", ["a.mp4"]),
    ],
)
def test_what_a_url_means(pattern: str, expected: list[str], gcs: FakeGcs) -> None:
    for name in NAMES:
        gcs.put("bucket", f"in/{name}", name.encode())
    found = find_videos([pattern])
    assert sorted(file.name for file in found) == expected
    assert [(file.size, file.path) for file in found if file.name == "a.mp4"] in ([], [(5, "gs://bucket/in/a.mp4")])


@pytest.mark.parametrize("pattern", ["gs://bucket/none", "gs://bucket/in/*.webm", "gs://b2"])
def test_nothing_found(pattern: str, gcs: FakeGcs) -> None:
    gcs.put("bucket", "in/note.txt", b"")
    with pytest.raises(VideosNotFound, match="matches no file"):
        find_videos([pattern])


@pytest.mark.parametrize(
    ("status", "is_rejected"), [(403, True), (404, True), (503, False)], ids=["no rights", "gone", "outage"]
)
def test_a_video_without_rights_is_rejected_and_an_outage_ends_the_run(
    status: int, is_rejected: bool, gcs: FakeGcs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gcs_requests, "RETRY_SECONDS", 0.2)
    gcs.put("bucket", "a.mp4", b"x")
    gcs.faults.append(Fault(status, path="a.mp4", times=100))
    file = VideoFile("gs://bucket/a.mp4", "a.mp4", 1, 0.0)
    if not is_rejected:
        with pytest.raises(OSError, match="503"):
            probe_file(file, CutSettings())
        return
    _, video = probe_file(file, CutSettings())
    assert isinstance(video.probe, VideoRefused)
    assert video.probe.reason == VideoReason.VIDEO_UNREADABLE


def test_a_read_that_failed_is_not_taken_for_the_end_of_the_video(
    gcs: FakeGcs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gcs_requests, "RETRY_SECONDS", 0.2)
    monkeypatch.setattr(gcs_files, "CHUNK_BYTES", 1000)
    clip = write_clip(tmp_path / "clip.mkv", 30)
    gcs.put("bucket", "clip.mkv", clip.read_bytes())
    video = RemoteVideo("gs://bucket/clip.mkv")
    gcs.faults.append(Fault(503, path="clip.mkv", times=1000, after=1))
    probe_video(video)  # never raises
    with pytest.raises(OSError, match="503"):
        require_all_read(video)
