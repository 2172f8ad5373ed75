from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pytest

from tests.videos.clips import write_clip
from transforms.videos.sources import PaddedFile, fingerprint, open_video, size_in_bytes


def test_fingerprint_is_that_of_the_content_however_it_is_opened(tmp_path: Path) -> None:
    content = bytes(range(256)) * 40
    path = tmp_path / "video.bin"
    path.write_bytes(content)
    expected = hashlib.sha256(content).hexdigest()
    assert fingerprint(path) == fingerprint(str(path)) == expected
    assert fingerprint(lambda: io.BytesIO(content), chunk_bytes=7) == expected
    assert size_in_bytes(path) == size_in_bytes(lambda: io.BytesIO(content)) == len(content)


def test_a_padded_file_reads_zeros_behind_its_end() -> None:
    file = PaddedFile(io.BytesIO(b"abc"), 6)
    assert file.read() == b"abc\0\0\0"
    assert file.read(4) == b""
    assert file.seek(-5, 2) == 1
    assert file.read(3) == b"bc\0"
    assert file.seek(1, 1) == 5
    assert file.read(9) == b"\0"


def test_a_frame_above_the_limit_is_not_decoded(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", frames=3)
    with open_video(path) as container:
        assert len(list(container.decode(video=0))) == 3
    with open_video(path, max_pixels=100) as container:
        container.streams.video[0].codec_context.options = {"max_pixels": "100"}
        frames = container.decode(video=0)
        with pytest.raises(ValueError):
            next(frames)
