"""Whether a JPEG is whole, by walking its markers; no pixel is decoded.

Pillow decodes a JPEG whose end is missing, TensorFlow's decoder refuses it: it would end a training run at its first
epoch. Format: ITU T.81, annex B; the walk follows libjpeg's rules.
"""

from __future__ import annotations

import re
import struct

_START_OF_IMAGE = b"\xff\xd8"
_END_OF_IMAGE = b"\xff\xd9"
# FF 00 is a data byte of an entropy-coded segment, FF FF a fill byte before a marker.
_MARKER = re.compile(rb"\xff[^\x00\xff]")
_SOI, _EOI = 0xD8, 0xD9
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD8)})  # TEM and the restart markers
_SOS = 0xDA
_PLAIN_FRAMES = frozenset({0xC0, 0xC1, 0xC2})
# Tables (Huffman, quantisation, restart interval), JFIF, a colour profile, Adobe's colour transform, comments.
_PLAIN_SEGMENTS = frozenset({0xC4, 0xDB, 0xDD, 0xE0, 0xE2, 0xEE, 0xFE})
_SEGMENT = struct.Struct(">BBH")  # FF, code, length
_MARKER_BYTE = 0xFF
_FRAME = struct.Struct(">BHHB")
_FIRST_CODE = 0xC0  # below it no marker is assigned, but TEM


def missing_jpeg_end(data: bytes) -> str:
    """Looks for an end marker alone, in microseconds: says that there is none, or ""."""
    return "" if data.rfind(_END_OF_IMAGE) >= 0 else "the JPEG has no end marker, it was cut"


def plain_jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Width and height of a JPEG that needs no closer look by its header, in microseconds; else None.

    Plain is: an end marker; segments that follow each other up to the first scan; 8 bits, grey or three components,
    baseline, extended or progressive Huffman coding; no EXIF, XMP or other application data that may turn it.
    """
    if not data.startswith(_START_OF_IMAGE):
        return None
    size = None
    position = 2
    last = len(data) - _SEGMENT.size
    while position <= last:
        marker, code, length = _SEGMENT.unpack_from(data, position)
        if marker != _MARKER_BYTE:
            return None
        if code == _SOS:
            return None if missing_jpeg_end(data) else size
        if code in _PLAIN_FRAMES:
            if size or length < _FRAME.size + 2 or len(data) < position + 4 + _FRAME.size:
                return None
            precision, height, width, components = _FRAME.unpack_from(data, position + 4)
            if precision != 8 or components not in (1, 3) or not width or not height:
                return None
            size = (width, height)
        elif code not in _PLAIN_SEGMENTS:
            return None
        position += 2 + length
    return None


def broken_jpeg(data: bytes) -> str:
    """Walks the file: says what is wrong and at which byte, or "". What follows the end marker is ignored."""
    if not data.startswith(_START_OF_IMAGE):
        return "the JPEG does not begin with its start marker"
    position = 2
    while match := _MARKER.search(data, position):
        position = match.end()
        code = data[position - 1]
        if code == _EOI:
            return ""
        if code in _WITHOUT_LENGTH:
            continue
        if code == _SOI or code < _FIRST_CODE:
            return f"the JPEG has the marker {code:#04x} at byte {match.start()}, where none can be"
        length = int.from_bytes(data[position : position + 2], "big")
        if length < 2 or position + length > len(data):
            return f"a segment of the JPEG at byte {match.start()} is cut or damaged"
        position += length
    return "the JPEG has no end marker, it was cut"
