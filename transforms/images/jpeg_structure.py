"""Whether a JPEG is whole, by walking its markers; no pixel is decoded.

Pillow decodes a JPEG whose end is missing, TensorFlow's decoder refuses it: it would end a training run at its first
epoch. Format: ITU T.81, annex B; the walk follows libjpeg's rules.
"""

from __future__ import annotations

import re

_END_OF_IMAGE = b"\xff\xd9"
# FF 00 is a data byte of an entropy-coded segment, FF FF a fill byte before a marker.
_MARKER = re.compile(rb"\xff[^\x00\xff]")
_SOI, _EOI = 0xD8, 0xD9
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD8)})  # TEM and the restart markers
_FIRST_CODE = 0xC0  # below it no marker is assigned, but TEM


def missing_jpeg_end(data: bytes) -> str:
    """Looks for an end marker alone, in microseconds: says that there is none, or ""."""
    return "" if data.rfind(_END_OF_IMAGE) >= 0 else "the JPEG has no end marker, it was cut"


def broken_jpeg(data: bytes) -> str:
    """Walks the file: says what is wrong and at which byte, or "". What follows the end marker is ignored."""
    if not data.startswith(b"\xff\xd8"):
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
