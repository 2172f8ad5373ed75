from __future__ import annotations

import pytest

from tests.sample_data import encoded, jpeg, picture
from transforms.images.jpeg_structure import broken_jpeg, missing_jpeg_end


@pytest.mark.parametrize(
    "options",
    [{}, {"progressive": True}, {"restart_marker_blocks": 1}, {"optimize": True}, {"comment": b"\xff\xd9\xff\xda"}],
    ids=["baseline", "progressive", "restart markers", "optimised", "markers in a comment"],
)
def test_whole_jpegs_pass(options: dict[str, object]) -> None:
    assert broken_jpeg(encoded(picture(100, 80), **options)) == ""


def test_every_cut_is_found() -> None:
    data = encoded(picture(), progressive=True)
    assert [end for end in range(len(data)) if not broken_jpeg(data[:end])] == []
    assert [end for end in range(len(data)) if not missing_jpeg_end(data[:end])] == []


def test_what_follows_the_end_is_ignored() -> None:
    assert broken_jpeg(jpeg() + b"\xff\xe0anything") == ""


def test_fill_bytes_before_a_marker_are_allowed() -> None:
    data = jpeg()
    frame = data.index(b"\xff\xc0")
    assert broken_jpeg(data[:frame] + b"\xff\xff" + data[frame:]) == ""


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "does not begin"),
        (b"\xff\xd8\xff\xe0\0\1", "cut or damaged"),
        (b"\xff\xd8\xff\xe0\0\xff", "cut or damaged"),
        (b"\xff\xd8\xff\xd8\xff\xd9", "where none can be"),
        (b"\xff\xd8\xff\x20\0\2\xff\xd9", "where none can be"),
    ],
    ids=["nothing", "length below 2", "length beyond the end", "second start", "marker that does not exist"],
)
def test_damage_is_named(data: bytes, message: str) -> None:
    assert message in broken_jpeg(data)
