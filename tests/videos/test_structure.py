from __future__ import annotations

import io
from pathlib import Path

import pytest

from tests.videos.clips import write_clip
from transforms.videos.structure import missing_bytes

KINDS = {
    "mp4": {},
    "mov": {},
    "mkv": {},
    "webm": {"codec": "libvpx-vp9", "options": {"cpu-used": "8", "deadline": "realtime"}},
    "avi": {"codec": "mpeg4"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_cut_is_measured(kind: str, tmp_path: Path) -> None:
    data = write_clip(tmp_path / f"clip.{kind}", frames=12, **KINDS[kind]).read_bytes()
    assert missing_bytes(io.BytesIO(data)) == 0
    for left in (len(data) - 9, len(data) // 2):
        assert 0 < missing_bytes(io.BytesIO(data[:left])) <= len(data) - left


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"x",
        b"<html></html>" * 9,
        bytes(64),
        b"\x1a\x45\xdf\xa3",
        b"\x1a\x45\xdf\xa3\x84abcd\x18\x53\x80\x67",
    ],
)
def test_what_has_no_sizes_misses_nothing(content: bytes) -> None:
    assert missing_bytes(io.BytesIO(content)) == 0


def test_a_live_stream_has_no_known_end() -> None:
    segment = b"\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff"  # the size that means "unknown"
    assert missing_bytes(io.BytesIO(b"\x1a\x45\xdf\xa3\x80" + segment + b"abc")) == 0
    known = b"\x18\x53\x80\x67\x01\x00\x00\x00\x00\x00\x00\x10"
    assert missing_bytes(io.BytesIO(b"\x1a\x45\xdf\xa3\x80" + known + b"abc")) == 13


def test_long_boxes_and_boxes_to_the_end() -> None:
    long_box = b"\0\0\0\1mdat" + (40).to_bytes(8, "big") + bytes(20)
    assert missing_bytes(io.BytesIO(b"\0\0\0\x08free" + long_box)) == 4
    assert missing_bytes(io.BytesIO(b"\0\0\0\x08free" + b"\0\0\0\0mdat" + bytes(5))) == 0
