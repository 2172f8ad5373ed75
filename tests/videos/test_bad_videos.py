from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.videos.accounting import account
from tests.videos.bad_videos import BAD_VIDEOS, MAX_PIXELS, BadVideo, noise
from tests.videos.clips import write_clip
from transforms.videos.reasons import VideoReason


@pytest.mark.parametrize("bad", BAD_VIDEOS, ids=lambda bad: bad.name.replace(" ", "_").replace("[1]", "1"))
def test_each_bad_video_ends_with_its_status(bad: BadVideo, tmp_path: Path) -> None:
    path = tmp_path / bad.name
    bad.make(path)
    begun = time.monotonic()
    found = account(path, max_pixels=MAX_PIXELS)
    assert time.monotonic() - begun < 20
    assert found.status == bad.status, found.detail
    if bad.status == "ok":
        assert found.reason is None
    elif bad.reason is not None:
        assert found.reason == bad.reason, found.detail
    if bad.status != "ok":
        assert found.detail
    if bad.expected is not None:
        assert found.counts.expected == bad.expected
    assert found.counts.processed >= bad.processed
    assert found.counts.processed + found.counts.skipped + found.counts.lost == found.counts.expected


def test_the_set_is_large_enough_and_its_names_differ() -> None:
    assert len({bad.name for bad in BAD_VIDEOS}) == len(BAD_VIDEOS) >= 30


def test_a_playlist_of_a_good_video_is_refused(tmp_path: Path) -> None:
    write_clip(tmp_path / "good.ts", frames=6)
    playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\ngood.ts\n#EXT-X-ENDLIST\n"
    (tmp_path / "list.m3u8").write_text(playlist)
    (tmp_path / "list.mp4").write_text("ffconcat version 1.0\nfile good.ts\n")
    assert account(tmp_path / "good.ts").counts.processed == 6
    assert account(tmp_path / "list.m3u8").reason == VideoReason.CONTAINER_NOT_ALLOWED
    assert account(tmp_path / "list.mp4").reason == VideoReason.CONTAINER_NOT_ALLOWED


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.avi", "clip.ts", "clip.webm"])
def test_mutants_never_raise_and_always_close(name: str, tmp_path: Path) -> None:
    codec = {"webm": "libvpx-vp9", "avi": "mpeg4"}.get(name[-4:].strip("."), "libx264")
    options = {"cpu-used": "8", "deadline": "realtime"} if codec == "libvpx-vp9" else None
    data = write_clip(tmp_path / name, frames=24, codec=codec, options=options).read_bytes()
    statuses = set()
    for share in range(0, 100, 4):
        mutant = tmp_path / f"mutant_{name}"
        mutant.write_bytes(noise(share / 100, 24)(data)[: len(data)])
        found = account(mutant)  # close_ledger raises where the account does not close
        assert found.status in ("ok", "partial", "rejected")
        statuses.add(found.status)
    assert statuses & {"partial", "rejected"}
