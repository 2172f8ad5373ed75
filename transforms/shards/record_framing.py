"""TFRecord framing: ``uint64 length · uint32 masked crc of length · payload · uint32 masked crc of payload``.

Format: tensorflow/core/lib/io/record_writer.h; little-endian, CRC-32C (Castagnoli), masked so that the CRC of data
that holds CRCs stays useful.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import BinaryIO

import google_crc32c

HEADER_BYTES = 12
FOOTER_BYTES = 4
_LENGTH = struct.Struct("<Q")
_CRC = struct.Struct("<I")
_MASK_DELTA = 0xA282EAD8


class FramingError(ValueError):
    """A record that is cut or damaged; the message says where and how."""


def mask_crc(crc: int) -> int:
    """Rotates a CRC-32C right by 15 bits and adds a constant."""
    return (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & 0xFFFFFFFF


def frame_record(buffers: Sequence[bytes]) -> list[bytes]:
    """The framed record as buffers; the payload is the concatenation of ``buffers``, the inner ones not copied."""
    crc = 0
    for buffer in buffers:
        crc = google_crc32c.extend(crc, buffer)
    length = _LENGTH.pack(sum(map(len, buffers)))
    header = length + _CRC.pack(mask_crc(google_crc32c.value(length)))
    framed = list(buffers) or [b""]
    framed[0] = header + framed[0]
    framed[-1] += _CRC.pack(mask_crc(crc))
    return framed


def payload_length(header: bytes) -> int | None:
    """The length that a record's header states; None if it is cut or does not match its CRC."""
    if len(header) < HEADER_BYTES or _CRC.unpack_from(header, 8)[0] != mask_crc(google_crc32c.value(header[:8])):
        return None
    length: int = _LENGTH.unpack_from(header)[0]
    return length


def payload_matches(payload: bytes, footer: bytes) -> bool:
    """Whether a payload matches the CRC that follows it."""
    return len(footer) == FOOTER_BYTES and _CRC.unpack(footer)[0] == mask_crc(google_crc32c.value(payload))


def read_records(stream: BinaryIO) -> Iterator[bytes]:
    """Yields the payloads of a TFRecord file.

    Raises:
      FramingError: a CRC does not match, or the file ends inside a record – also inside a header, which TensorFlow's
        own reader takes for a regular end.
    """
    offset = 0
    while header := stream.read(HEADER_BYTES):
        if len(header) < HEADER_BYTES:
            raise FramingError(f"the file ends inside the record header at byte {offset}")
        length = payload_length(header)
        if length is None:
            raise FramingError(f"the length of the record at byte {offset} is damaged")
        payload = stream.read(length)
        footer = stream.read(FOOTER_BYTES)
        if len(payload) < length or len(footer) < FOOTER_BYTES:
            raise FramingError(f"the file ends inside the record at byte {offset}")
        if not payload_matches(payload, footer):
            raise FramingError(f"the payload of the record at byte {offset} is damaged")
        yield payload
        offset += HEADER_BYTES + length + FOOTER_BYTES
