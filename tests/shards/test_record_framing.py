from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.shards.record_framing import FramingError, frame_record, mask_crc, read_records

tf = pytest.importorskip("tensorflow")
records = st.lists(st.lists(st.binary(max_size=40), max_size=4), max_size=5)


def framed(payloads: list[list[bytes]]) -> bytes:
    return b"".join(b"".join(frame_record(buffers)) for buffers in payloads)


@given(records)
def test_records_are_read_back(payloads: list[list[bytes]]) -> None:
    assert list(read_records(io.BytesIO(framed(payloads)))) == [b"".join(buffers) for buffers in payloads]


def test_file_equals_tensorflows(tmp_path: Path) -> None:
    payloads = [[b""], [b"a", b"b" * 5000], ["한글".encode()]]
    with tf.io.TFRecordWriter(str(tmp_path / "x")) as writer:
        for buffers in payloads:
            writer.write(b"".join(buffers))
    assert (tmp_path / "x").read_bytes() == framed(payloads)


def test_buffers_are_not_copied() -> None:
    buffer = b"x" * 5000
    assert any(part is buffer for part in frame_record([b"head", buffer, b"tail"]))


def test_every_cut_and_every_flipped_byte_is_found() -> None:
    data = framed([[b"abc"], [b""], [b"defgh"]])
    ends = {0, 19, 35, len(data)}  # between records nothing tells of what is missing: counts do
    for end in range(len(data)):
        if end not in ends:
            with pytest.raises(FramingError):
                list(read_records(io.BytesIO(data[:end])))
    for position in range(len(data)):
        damaged = data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]
        with pytest.raises(FramingError):
            list(read_records(io.BytesIO(damaged)))


def test_mask_is_that_of_the_format() -> None:
    assert mask_crc(0) == 0xA282EAD8
    assert mask_crc(0xFFFFFFFF) == 0xA282EAD7
