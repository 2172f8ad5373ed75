from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.annotations import text_encoding
from transforms.annotations.text_encoding import decode_text, detect_encoding

TEXT = '{"name": "한글 뷁 cat"}'


@pytest.mark.parametrize(
    ("encoding", "found"),
    [("utf-8", "utf-8-sig"), ("utf-8-sig", "utf-8-sig"), ("utf-16", "utf-16"), ("cp949", "cp949")],
)
@pytest.mark.parametrize("chunk", [1, 3, 1 << 20])
def test_encodings_are_told_apart(encoding: str, found: str, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_encoding, "CHUNK_BYTES", chunk)
    data = TEXT.encode(encoding)
    stream = io.BytesIO(data)
    assert detect_encoding(stream) == found
    assert stream.tell() == 0
    assert decode_text(data) == (TEXT, found)


def test_utf_16_of_both_byte_orders() -> None:
    for order, mark in (("utf-16-le", b"\xff\xfe"), ("utf-16-be", b"\xfe\xff")):
        assert decode_text(mark + TEXT.encode(order)) == (TEXT, "utf-16")


@pytest.mark.parametrize("data", [b"\xff\xff", b"abc\x80", b"\xc7"])
def test_what_fits_no_encoding_is_an_error(data: bytes) -> None:
    with pytest.raises(UnicodeDecodeError):
        detect_encoding(io.BytesIO(data))
    with pytest.raises(UnicodeDecodeError):
        decode_text(data)


@pytest.mark.parametrize(
    ("declared", "encoding"),
    [
        ("iso-8859-1", "iso-8859-1"),
        ("euc-kr", "cp949"),
        ("utf-8", "cp949"),
        ("hex", "cp949"),
        ("klingon", "cp949"),
        (None, "cp949"),
    ],
)
def test_declaration_is_believed_where_it_can_be_right(declared: str | None, encoding: str) -> None:
    assert decode_text("한글".encode("cp949"), declared)[1] == encoding


@given(st.text(st.characters(codec="utf-8")))
def test_utf_8_is_always_read_as_such(text: str) -> None:
    data = text.encode()
    assert decode_text(data) == (text.removeprefix("\ufeff"), "utf-8-sig")


@given(st.binary(max_size=40))
def test_any_bytes_are_text_or_an_error(data: bytes) -> None:
    try:
        assert isinstance(decode_text(data)[0], str)
    except UnicodeDecodeError:
        with pytest.raises(UnicodeDecodeError):
            detect_encoding(io.BytesIO(data))
