from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.png_chunks import encode, header, join_chunks, split_chunks
from tests.sample_data import encoded, picture, png
from transforms.images.png_structure import broken_png, has_metadata_chunk, missing_png_end

sizes = st.integers(1, 20)


@given(sizes, sizes, st.sampled_from([1, 2, 3, 4]), st.sampled_from([np.uint8, np.uint16]), st.booleans())
def test_whole_pngs_pass(width: int, height: int, channels: int, dtype: type, interlaced: bool) -> None:
    pixels = np.random.default_rng(width).integers(0, 255, (height, width, channels)).astype(dtype)
    assert broken_png(encode(pixels, interlaced=interlaced)) == ""


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_pngs_of_pillow_pass(mode: str) -> None:
    assert broken_png(png(33, 17, mode=mode)) == ""


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_palettes_of_few_bits_pass(bits: int) -> None:
    assert broken_png(encoded(picture(13, 7).quantize(2**bits), "PNG", bits=bits)) == ""


def test_large_pngs_of_many_pieces_pass() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (300, 400, 3)).astype(np.uint8)
    assert broken_png(encode(noise)) == ""
    assert broken_png(encode(noise, interlaced=True)) == ""


def test_every_cut_is_found() -> None:
    data = png(8, 8)
    assert [end for end in range(len(data)) if not broken_png(data[:end])] == []
    assert [end for end in range(len(data)) if not missing_png_end(data[:end])] == []


def test_every_changed_byte_is_found() -> None:
    data = png(8, 8)
    changed = (data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :] for at in range(len(data)))
    assert [at for at, mutant in enumerate(changed) if not broken_png(mutant)] == []


def test_what_follows_the_end_is_ignored() -> None:
    assert broken_png(png() + b"anything") == ""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (header(8, 9, 8, 2), "before its last row"),
        (header(8, 7, 8, 2), "more image data than rows"),
        (header(0, 8, 8, 2), "no PNG can have"),
        (header(8, 8, 3, 2), "no PNG can have"),
        (header(8, 8, 8, 2, interlace=2), "unknown methods"),
        (header(8, 8, 8, 3), "no palette"),
    ],
    ids=["a row too few", "a row too many", "no width", "3 bits", "unknown interlacing", "palette missing"],
)
def test_headers_that_do_not_fit_are_found(change: tuple[bytes, bytes], message: str) -> None:
    assert message in broken_png(join_chunks([change, *split_chunks(png(8, 8))[1:]]))


def test_exif_is_found_wherever_it_stands() -> None:
    chunks = split_chunks(png())
    assert not has_metadata_chunk(join_chunks(chunks))
    for place in range(1, len(chunks)):
        assert has_metadata_chunk(join_chunks([*chunks[:place], (b"eXIf", b"II*\0"), *chunks[place:]]))
