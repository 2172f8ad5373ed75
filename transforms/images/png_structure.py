"""Whether a PNG is whole: its chunks, their CRCs, and that its pixels inflate to as many rows as the header says.

Pillow decodes a PNG whose image data do not match their CRC, or end before the last row; TensorFlow's decoder refuses
it. The walk follows libpng's rules and takes less time than decoding. Format: https://www.w3.org/TR/png/.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_END_CHUNK = b"IEND\xaeB`\x82"
_CHUNK_FRAME = 12  # length, kind, CRC
_MAX_CHUNK = 2**31 - 1
_XMP_KEYWORD = b"XML:com.adobe.xmp\0"
_CRITICAL = (b"IHDR", b"PLTE", b"IDAT", b"IEND")
_PALETTE = 3
_CHANNELS = {0: 1, 2: 3, _PALETTE: 1, 4: 2, 6: 4}
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), _PALETTE: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_LAST_FILTER = 4
_PIECE_BYTES = 1 << 16
# First column, first row, and steps between columns and rows, of each pass of Adam7.
_ADAM7 = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)


class BrokenPng(Exception):
    """What is wrong with the file."""


class _Chunk(NamedTuple):
    kind: bytes
    start: int
    body: memoryview


class _Header(NamedTuple):
    width: int
    height: int
    bits_per_pixel: int
    colour_type: int
    is_interlaced: bool


def missing_png_end(data: bytes) -> str:
    """Looks for an end chunk alone, in microseconds: says that there is none, or ""."""
    return "" if data.rfind(_END_CHUNK) >= 0 else "the PNG has no end chunk, it was cut"


def has_metadata_chunk(data: bytes) -> bool:
    """Whether some chunk holds EXIF data or an XMP packet, wherever it stands."""
    try:
        return any(
            chunk.kind == b"eXIf" or (chunk.kind == b"iTXt" and bytes(chunk.body[: len(_XMP_KEYWORD)]) == _XMP_KEYWORD)
            for chunk in _chunks(data, check_crc=False)
        )
    except BrokenPng:
        return False


def broken_png(data: bytes) -> str:
    """Checks the whole file: says what is wrong, or "". What follows the end chunk is ignored."""
    try:
        chunks = list(_chunks(data))
        header = _read_header(chunks[0])
        pixels = _pixel_data(chunks, header)
        _check_rows(pixels, header)
    except BrokenPng as broken:
        return str(broken)
    return ""


def inflated_rows(data: bytes, header: bytes) -> bytes:
    """The rows of a PNG that must have this header (13 bytes) and not be interlaced, each after its filter's number.

    Raises:
      BrokenPng: the file is not whole, or has another header.
    """
    chunks = list(_chunks(data))
    if bytes(chunks[0].body) != header:
        raise BrokenPng(f"the PNG's header is {bytes(chunks[0].body).hex()}, not {header.hex()}")
    parsed = _read_header(chunks[0])
    ((row_bytes, rows),) = _row_runs(parsed)
    inflater = zlib.decompressobj()
    try:
        inflated = inflater.decompress(b"".join(_pixel_data(chunks, parsed)), row_bytes * rows + 1)
    except zlib.error as error:
        raise BrokenPng(f"the PNG's image data are damaged: {error}") from None
    if len(inflated) != row_bytes * rows or not inflater.eof or inflater.unused_data:
        raise BrokenPng(f"the PNG has not image data of {rows} rows")
    return inflated


def _chunks(data: bytes, check_crc: bool = True) -> Iterator[_Chunk]:
    """Yields the chunks, IEND the last of them.

    Raises:
      BrokenPng: no PNG, a chunk that is cut or damaged, or no IEND.
    """
    if not data.startswith(_SIGNATURE):
        raise BrokenPng("the PNG does not begin with its signature")
    view, start = memoryview(data), len(_SIGNATURE)
    while start + _CHUNK_FRAME <= len(data):
        length = int.from_bytes(view[start : start + 4], "big")
        end = start + _CHUNK_FRAME + length
        if length > _MAX_CHUNK or end > len(data):
            break
        kind = bytes(view[start + 4 : start + 8])
        if check_crc and zlib.crc32(view[start + 4 : end - 4]) != int.from_bytes(view[end - 4 : end], "big"):
            raise BrokenPng(f"the chunk {kind!r} of the PNG at byte {start} does not match its CRC")
        yield _Chunk(kind, start, view[start + 8 : end - 4])
        if kind == b"IEND":
            return
        start = end
    raise BrokenPng("the PNG has no end chunk, it was cut")


def _read_header(chunk: _Chunk) -> _Header:
    body = bytes(chunk.body)
    if chunk.kind != b"IHDR" or len(body) != 13:
        raise BrokenPng(f"the PNG begins with the chunk {chunk.kind!r} of {len(body)} bytes, not with a header")
    width, height = int.from_bytes(body[:4], "big"), int.from_bytes(body[4:8], "big")
    depth, colour_type, compression, filters, interlace = body[8:]
    if not (0 < width <= _MAX_CHUNK and 0 < height <= _MAX_CHUNK and depth in _DEPTHS.get(colour_type, ())):
        raise BrokenPng(f"the PNG's header is {body.hex()}, which no PNG can have")
    if compression or filters or interlace > 1:
        raise BrokenPng(f"the PNG's header names unknown methods: {compression}, {filters}, {interlace}")
    return _Header(width, height, depth * _CHANNELS[colour_type], colour_type, interlace == 1)


def _pixel_data(chunks: Sequence[_Chunk], header: _Header) -> list[memoryview]:
    """The bodies of the IDAT chunks, after a look at the order of the chunks that matter."""
    kinds = [chunk.kind for chunk in chunks]
    for chunk in chunks:
        is_critical = not chunk.kind[0] & 0x20
        if is_critical and chunk.kind not in _CRITICAL:
            raise BrokenPng(f"the PNG has the chunk {chunk.kind!r} at byte {chunk.start}, which no reader knows")
    if kinds.count(b"IHDR") > 1 or kinds.count(b"PLTE") > 1:
        raise BrokenPng("the PNG has two headers or two palettes")
    if b"IDAT" not in kinds:
        raise BrokenPng("the PNG has no image data")
    first, count = kinds.index(b"IDAT"), kinds.count(b"IDAT")
    if kinds[first : first + count] != [b"IDAT"] * count:
        raise BrokenPng("other chunks stand between the PNG's image data")
    palettes = [chunk.body for chunk in chunks[:first] if chunk.kind == b"PLTE"]
    if header.colour_type == _PALETTE and not palettes:
        raise BrokenPng("the PNG has palette indices, but no palette before them")
    if any(not palette or len(palette) % 3 or len(palette) > 768 for palette in palettes):
        raise BrokenPng("the PNG's palette has no whole number of colours")
    return [chunk.body for chunk in chunks[first : first + count]]


def _check_rows(pixels: Sequence[memoryview], header: _Header) -> None:
    """Inflates the pixels, in bounded memory, and counts their rows."""
    inflater = zlib.decompressobj()
    runs = list(_row_runs(header))[::-1]
    inflated = b""
    for piece in _pieces(pixels):
        try:
            inflated += inflater.decompress(piece)
        except zlib.error as error:
            raise BrokenPng(f"the PNG's image data are damaged: {error}") from None
        used = 0
        while runs:
            row_bytes, rows = runs.pop()
            whole = min(rows, (len(inflated) - used) // row_bytes)
            end = used + whole * row_bytes
            if whole and max(inflated[used:end:row_bytes]) > _LAST_FILTER:
                raise BrokenPng("a row of the PNG has an unknown filter")
            used = end
            if whole < rows:
                runs.append((row_bytes, rows - whole))
                break
        inflated = inflated[used:]
        if inflater.unused_data or (inflated and not runs):
            raise BrokenPng("the PNG has more image data than rows")
    if runs or not inflater.eof:
        raise BrokenPng("the PNG's image data end before its last row")


def _pieces(bodies: Sequence[memoryview]) -> Iterator[memoryview]:
    for body in bodies:
        for start in range(0, len(body), _PIECE_BYTES):
            yield body[start : start + _PIECE_BYTES]


def _row_runs(header: _Header) -> Iterator[tuple[int, int]]:
    """Yields ``(bytes of a row with its filter byte, rows)`` for each pass over the picture."""
    passes = _ADAM7 if header.is_interlaced else ((0, 0, 1, 1),)
    for first_column, first_row, column_step, row_step in passes:
        columns = (header.width - first_column + column_step - 1) // column_step
        rows = (header.height - first_row + row_step - 1) // row_step
        if columns > 0 and rows > 0:
            yield 1 + (columns * header.bits_per_pixel + 7) // 8, rows
