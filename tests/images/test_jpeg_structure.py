from __future__ import annotations

import contextlib
import io

import pytest
from PIL import Image

from tests.sample_data import encoded, jpeg, picture
from transforms.images.jpeg_structure import broken_jpeg, missing_jpeg_end, plain_jpeg_size


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


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"comment": b"\xff\xc0"}, {"dpi": (72, 72)}])
def test_size_of_plain_jpegs(mode: str, options: dict[str, object]) -> None:
    assert plain_jpeg_size(encoded(picture(100, 80).convert(mode), **options)) == (100, 80)


def test_jpegs_that_need_a_closer_look() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert plain_jpeg_size(encoded(picture(), exif=exif)) is None
    assert plain_jpeg_size(encoded(picture().convert("CMYK"))) is None
    assert plain_jpeg_size(jpeg().replace(b"\xff\xc0", b"\xff\xc9")) is None  # arithmetic coding
    assert plain_jpeg_size(b"\x89PNG" + jpeg()) is None


def test_no_cut_jpeg_is_plain() -> None:
    data = jpeg()
    assert [end for end in range(len(data)) if plain_jpeg_size(data[:end])] == []


def test_damaged_headers_are_never_plain_of_another_size() -> None:
    """Whatever byte of the header is damaged: Pillow, if it opens it, sees the same size."""
    data = encoded(picture(100, 80))
    for position in range(data.index(b"\xff\xda")):
        for value in (0, 1, 0x7F, 0xFF, data[position] ^ 1):
            damaged = data[:position] + bytes([value]) + data[position + 1 :]
            size = plain_jpeg_size(damaged)
            if size is not None:
                with contextlib.suppress(Image.UnidentifiedImageError, SyntaxError, OSError):
                    assert Image.open(io.BytesIO(damaged)).size == size
