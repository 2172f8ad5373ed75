"""PNG files chunk by chunk, for what no library writes: interlaced, 16 bits a channel, damaged with CRCs that match."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
Chunk = tuple[bytes, bytes]


def split_chunks(data: bytes) -> list[Chunk]:
    chunks, position = [], len(SIGNATURE)
    while position < len(data):
        length = int.from_bytes(data[position : position + 4], "big")
        start = position + 8
        chunks.append((data[position + 4 : start], data[start : start + length]))
        position = start + length + 4
    return chunks


def join_chunks(chunks: Iterable[Chunk]) -> bytes:
    """The file of these chunks, each with the CRC that belongs to it."""
    return SIGNATURE + b"".join(
        len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big") for kind, body in chunks
    )


def header(width: int, height: int, depth: int, colour_type: int, interlace: int = 0) -> Chunk:
    sizes = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    return b"IHDR", sizes + bytes([depth, colour_type, 0, 0, interlace])


def encode(pixels: npt.NDArray[np.uint8] | npt.NDArray[np.uint16], *, interlaced: bool = False) -> bytes:
    """Encodes ``(height, width, channels)`` pixels of 8 or 16 bits, without filters."""
    height, width, channels = pixels.shape
    stored = pixels.astype(pixels.dtype.newbyteorder(">"))
    passes = ADAM7 if interlaced else ((0, 0, 1, 1),)
    rows = [b"\0" + row.tobytes() for x, y, dx, dy in passes for row in stored[y::dy, x::dx] if row.size]
    depth = pixels.dtype.itemsize * 8
    return join_chunks(
        [
            header(width, height, depth, COLOUR_TYPES[channels], int(interlaced)),
            (b"IDAT", zlib.compress(b"".join(rows))),
            (b"IEND", b""),
        ]
    )
