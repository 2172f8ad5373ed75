"""Damaged JPEG and PNG files: bytes changed anywhere, or whole segments and chunks with their lengths and CRCs kept."""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import PngImagePlugin

from tests.png_chunks import encode, join_chunks, split_chunks
from tests.sample_data import encoded, picture, turned_jpeg

_PNG_CHANGES = ("double", "drop", "swap", "byte", "byte", "strange", "header", "import", "pixels", "pixels")
_STRANGE_KINDS = (b"ABCD", b"abCd", b"IDAT", b"tRNS", b"PLTE", b"acTL", b"fcTL", b"fdAT", b"iCCP", b"gAMA", b"bKGD")
_STRANGE_MARKERS = (b"\xff\xd0", b"\xff\xd7", b"\xff\xfe", b"\xff\xd9", b"\xff\xe0\0\4ab", b"\xff\x01", b"\xff\xda")


def originals() -> tuple[list[bytes], list[bytes]]:
    """JPEGs and PNGs of many kinds."""
    info = PngImagePlugin.PngInfo()
    info.add_text("Title", "b" * 50)
    jpegs = [encoded(picture(64, 48, mode="L"))]
    for options in ({}, {"progressive": True}, {"restart_marker_blocks": 2}, {"subsampling": 0, "optimize": True}):
        jpegs.append(encoded(picture(64, 48), **options))
    jpegs.append(turned_jpeg(1, 64, 48))
    pngs = [encoded(picture(48, 40, mode), "PNG") for mode in ("RGB", "RGBA", "P", "L", "1", "LA")]
    pngs.append(encoded(picture(48, 40), "PNG", pnginfo=info, dpi=(72, 72), icc_profile=b"x" * 100))
    pngs.append(encode(np.asarray(picture(48, 40)), interlaced=True))
    return jpegs, pngs


def mutants(count: int, seed: int) -> Iterator[bytes]:
    """Yields mutants; the same for the same seed."""
    chance = random.Random(seed)
    jpegs, pngs = originals()
    for _ in range(count):
        if chance.random() < 0.5:
            yield _damaged(chance.choice(jpegs + pngs), chance, jpegs + pngs)
        elif chance.random() < 0.5:
            yield _rearranged_jpeg(chance.choice(jpegs), chance, jpegs)
        else:
            yield _rearranged_png(chance.choice(pngs), chance, pngs)


def _damaged(data: bytes, chance: random.Random, others: list[bytes]) -> bytes:
    """Bytes changed, cut out, put in, doubled or taken from another file, wherever they stand."""
    changed = bytearray(data)
    start = chance.randrange(len(data))
    end = min(len(data), start + chance.randint(1, 64))
    kind = chance.choice(["flip", "noise", "zeros", "ones", "cut", "insert", "delete", "double", "splice", "append"])
    if kind == "flip":
        changed[start] ^= 1 << chance.randrange(8)
    elif kind == "noise":
        for _ in range(chance.randint(2, 20)):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
    elif kind in ("zeros", "ones"):
        changed[start:end] = (b"\0" if kind == "zeros" else b"\xff") * (end - start)
    elif kind == "cut":
        del changed[start:]
    elif kind == "insert":
        changed[start:start] = chance.randbytes(chance.randint(1, 32))
    elif kind == "delete":
        del changed[start:end]
    elif kind == "double":
        changed[end:end] = changed[start:end]
    elif kind == "splice":
        other = chance.choice(others)
        changed[start:] = other[chance.randrange(len(other)) :]
    else:
        changed += chance.randbytes(chance.randint(1, 64))
    return bytes(changed)


def _segments(data: bytes) -> list[bytes]:
    """The segments of a whole JPEG, scans with their entropy-coded data."""
    segments, start = [], 2
    while data[start + 1] != 0xD9:
        end = start + 2 + int.from_bytes(data[start + 2 : start + 4], "big")
        if data[start + 1] == 0xDA:
            end = data.index(b"\xff", end)
            while data[end + 1] == 0 or 0xD0 <= data[end + 1] <= 0xD7:
                end = data.index(b"\xff", end + 2)
        segments.append(data[start:end])
        start = end
    return [*segments, data[start : start + 2]]


def _rearranged_jpeg(data: bytes, chance: random.Random, others: list[bytes]) -> bytes:
    segments = _segments(data)
    for _ in range(chance.choice([1, 1, 2])):
        index, other = chance.randrange(len(segments)), chance.randrange(len(segments))
        kind = chance.choice(["double", "drop", "swap", "byte", "byte", "import", "shorten", "frame", "scan", "scan"])
        changed = bytearray(segments[index])
        if kind == "double":
            segments.insert(other, segments[index])
        elif kind == "drop" and len(segments) > 1:
            del segments[index]
        elif kind == "swap":
            segments[index], segments[other] = segments[other], segments[index]
        elif kind == "byte":
            changed[chance.randrange(min(len(changed), 80))] = chance.randrange(256)
            segments[index] = bytes(changed)
        elif kind == "import":
            segments.insert(index, chance.choice(_segments(chance.choice(others))))
        elif kind == "shorten":
            segments[index] = segments[index][: chance.randrange(2, len(segments[index]) + 1)]
        else:
            _change_frame_or_scan(segments, kind, chance)
    return b"\xff\xd8" + b"".join(segments)


def _change_frame_or_scan(segments: list[bytes], kind: str, chance: random.Random) -> None:
    codes = (0xC0, 0xC1, 0xC2) if kind == "frame" else (0xDA,)
    places = [place for place, segment in enumerate(segments) if len(segment) > 13 and segment[1] in codes]
    if not places:
        return
    place = chance.choice(places)
    changed = bytearray(segments[place])
    if kind == "frame":
        position = chance.choice([1, 4, 5, 6, 7, 8, 9, 10, 11, 12])
        changed[position] = chance.choice([0, 1, 2, 3, 4, 8, 12, 0x11, 0x22, 0xC1, 0xC2, 0xC3, 0xC9])
    else:
        position = chance.randrange(len(changed))
        if chance.random() < 0.5:
            del changed[position : position + chance.randint(1, 50)]
        else:
            changed[position : position + 2] = chance.choice(_STRANGE_MARKERS)
    segments[place] = bytes(changed)


def _rearranged_png(data: bytes, chance: random.Random, others: list[bytes]) -> bytes:
    """Chunks doubled, dropped, moved or changed; their CRCs are those of what they hold then."""
    chunks = split_chunks(data)
    for _ in range(chance.choice([1, 1, 2])):
        index, other = chance.randrange(len(chunks)), chance.randrange(len(chunks))
        name, body = chunks[index]
        kind = chance.choice(
            ["double", "drop", "swap", "byte", "byte", "strange", "header", "import", "pixels", "pixels"]
        )
        if kind == "double":
            chunks.insert(other, chunks[index])
        elif kind == "drop" and len(chunks) > 1:
            del chunks[index]
        elif kind == "swap":
            chunks[index], chunks[other] = chunks[other], chunks[index]
        elif kind == "byte" and body:
            chunks[index] = (name, _with_byte(body, chance.randrange(len(body)), chance.randrange(256)))
        elif kind == "strange":
            chunks.insert(other, (chance.choice(_STRANGE_KINDS), chance.randbytes(chance.choice([0, 1, 3, 8, 30]))))
        elif kind == "header" and chunks[0][0] == b"IHDR":
            value = chance.choice([0, 1, 2, 3, 4, 6, 8, 16, chance.randrange(256)])
            chunks[0] = (b"IHDR", _with_byte(chunks[0][1], chance.choice([3, 7, 8, 9, 10, 11, 12]), value))
        elif kind == "import":
            chunks.insert(other, chance.choice(split_chunks(chance.choice(others))))
        elif name == b"IDAT":
            chunks[index : index + 1] = _changed_pixels(body, chance)
    return join_chunks(chunks)


def _with_byte(body: bytes, position: int, value: int) -> bytes:
    return body[:position] + bytes([value]) + body[position + 1 :]


def _changed_pixels(body: bytes, chance: random.Random) -> list[tuple[bytes, bytes]]:
    position = chance.randrange(len(body)) if body else 0
    kind = chance.choice(["cut", "more", "in two", "apart", "fewer rows", "more rows", "filter"])
    if kind == "cut":
        return [(b"IDAT", body[:position])]
    if kind == "more":
        return [(b"IDAT", body + chance.randbytes(chance.randint(1, 40)))]
    if kind == "in two":
        return [(b"IDAT", body[:position]), (b"IDAT", body[position:])]
    if kind == "apart":
        return [(b"IDAT", body[:position]), (b"tEXt", b"x\0y"), (b"IDAT", body[position:])]
    try:
        rows = zlib.decompress(body)
    except zlib.error:
        return [(b"IDAT", body)]
    if kind == "fewer rows":
        rows = rows[: chance.randrange(len(rows) + 1)]
    elif kind == "more rows":
        rows += chance.randbytes(chance.randint(1, 400))
    elif rows:
        rows = _with_byte(rows, chance.randrange(len(rows)), chance.randrange(256))
    return [(b"IDAT", zlib.compress(rows))]
