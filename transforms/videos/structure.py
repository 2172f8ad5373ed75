"""How long a video file says that it is, from the sizes of its outermost boxes alone.

A cut file often demuxes without any error; that its last box goes beyond the end of the file gives it away.
Sizes are read from the containers' own framing: ISO/IEC 14496-12 boxes, the EBML header and Segment (RFC
8794, RFC 9559), RIFF chunks. MPEG-TS, MPEG-PS, FLV and ASF streams have no such frame.
"""

from __future__ import annotations

import os
from typing import BinaryIO

_EBML = b"\x1a\x45\xdf\xa3"
_SEGMENT = b"\x18\x53\x80\x67"
_ISO_FIRST_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"styp", b"sidx")


def missing_bytes(file: BinaryIO) -> int:
    """By how many bytes the file is shorter than its outermost boxes say; 0 where it is whole or says
    nothing."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(12)
    if head[4:8] in _ISO_FIRST_BOXES:
        return max(0, _end_of_iso_boxes(file, size) - size)
    if head[:4] == _EBML:
        return max(0, _end_of_ebml_segment(file) - size)
    if head[:4] == b"RIFF":
        return max(0, 8 + int.from_bytes(head[4:8], "little") - size)
    return 0


def _end_of_iso_boxes(file: BinaryIO, size: int) -> int:
    position = 0
    while position < size:
        file.seek(position)
        head = file.read(16)
        if len(head) < 8:
            return position + 8
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        if length == 0:  # "to the end of the file"
            return size
        if length < 8 or not head[4:8].isascii():  # no box: damage, or bytes after the last box
            return size
        position += length
    return position


def _end_of_ebml_segment(file: BinaryIO) -> int:
    file.seek(4)
    header_length = _variable_length_integer(file)
    if header_length is None:
        return 0
    file.seek(header_length, os.SEEK_CUR)
    if file.read(4) != _SEGMENT:
        return 0
    length = _variable_length_integer(file)
    return 0 if length is None else file.tell() + length


def _variable_length_integer(file: BinaryIO) -> int | None:
    """An EBML data size; None where it is unknown (a live stream) or unreadable."""
    first = file.read(1)
    if not first or first[0] == 0:
        return None
    octets = 9 - first[0].bit_length()
    value = int.from_bytes(first + file.read(octets - 1), "big") & ((1 << 7 * octets) - 1)
    return None if value == (1 << 7 * octets) - 1 else value
