"""TFRecord files as input: plain or gzip as a whole, whole or damaged.

A damaged file is read as far as it goes: after a record whose bytes do not match their CRC, the next one is looked for.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import os
import re
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from transforms import storage
from transforms.shards.record_framing import FOOTER_BYTES, HEADER_BYTES, payload_length, payload_matches
from transforms.storage.atomic_file import open_atomic

GZIP_MAGIC = b"\x1f\x8b"
# Protobuf reads no message of 2 GiB.
MAX_RECORD_BYTES = (1 << 31) - 1
# Pictures hardly shrink; what grows by more than this is made to fill a disk.
_MAX_EXPANSION = 200
_FREE_EXPANSION_BYTES = 64 << 20
_CHUNK_BYTES = 1 << 20
_PACKED_CHUNK_BYTES = 1 << 14
GZIP_WBITS = 31  # of zlib's wbits: the gzip format, with the largest window
_SAMPLED_RECORDS = 32
# Where a header can begin: its length is neither 0 nor 4 GiB or more.
_HEADER_PLACE = re.compile(rb"(?=(?!\0{4})[\s\S]{4}\0{4})")


class FoundRecord(NamedTuple):
    """A record whose bytes match their CRC; ``offset`` is that of its header in the file."""

    offset: int
    payload: bytes


class Damage(NamedTuple):
    """A place in a file where a record was, or should have been."""

    offset: int
    detail: str


def scan_records(stream: BinaryIO) -> Iterator[FoundRecord | Damage]:
    """Yields all records of an uncompressed file that can seek, and what is damaged between them."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    offset = 0
    while offset < size:
        length = payload_length(stream.read(HEADER_BYTES))
        if length is None:
            resumed = _next_header(stream, offset + 1, size)
            where = f"at byte {resumed}" if resumed < size else "nowhere"
            yield Damage(offset, f"there is no record at byte {offset}; the next one begins {where}")
            offset = stream.seek(resumed)
            continue
        end = offset + HEADER_BYTES + length + FOOTER_BYTES
        if end > size:
            yield Damage(offset, f"the file ends inside the record at byte {offset}")
            return
        if length > MAX_RECORD_BYTES:
            yield Damage(offset, f"the record at byte {offset} has {length} bytes, the limit is {MAX_RECORD_BYTES}")
            offset = stream.seek(end)
            continue
        payload = stream.read(length)
        if payload_matches(payload, stream.read(FOOTER_BYTES)):
            yield FoundRecord(offset, payload)
            offset = end
            continue
        yield Damage(offset, f"the payload of the record at byte {offset} is damaged")
        is_followed = end == size or payload_length(stream.read(HEADER_BYTES)) is not None
        offset = stream.seek(end if is_followed else _next_header(stream, offset + 1, size))


def _next_header(stream: BinaryIO, start: int, size: int) -> int:
    """The offset of the first well-formed header from ``start`` on, or ``size``."""
    while start < size:
        stream.seek(start)
        data = stream.read(_CHUNK_BYTES + HEADER_BYTES)
        for match in _HEADER_PLACE.finditer(data):
            if payload_length(data[match.start() : match.start() + HEADER_BYTES]) is not None:
                return start + match.start()
        start += _CHUNK_BYTES
    return size


def is_gzip(path: str) -> bool:
    """Whether a file begins as gzip files do, whatever its name."""
    with storage.open_file(path) as file:
        return file.read(len(GZIP_MAGIC)) == GZIP_MAGIC


def unpack(path: str, folder: str) -> tuple[str, str]:
    """Decompresses a gzip file into a folder, since inside of gzip no record can be read without all before it.

    Returns:
      The path of the decompressed file, which holds all that could be decompressed, and what was wrong or "".
    """
    limit = storage.size_of(path) * _MAX_EXPANSION + _FREE_EXPANSION_BYTES
    target = os.path.join(folder, hashlib.sha256(os.fsencode(path)).hexdigest()[:32] + ".records")
    fault = ""
    if not storage.is_remote(folder):
        os.makedirs(folder, exist_ok=True)  # a commit has removed it if this is a retry of what had been done
    with storage.open_file(path) as packed, open_atomic(target) as file:
        try:
            for piece in _decompressed(packed):
                file.write([piece])
                if file.bytes_written > limit:
                    fault = f"the gzip data grow to more than {limit} bytes; the rest is left out"
                    break
        except (zlib.error, EOFError) as error:
            fault = f"the gzip data are damaged or cut after {file.bytes_written} bytes: {error}"
        file.commit()
    return target, fault


def _decompressed(packed: BinaryIO) -> Iterator[bytes]:
    """Yields all that a gzip file of one or several members holds, up to where it is damaged.

    Raises:
      zlib.error, EOFError: after what could be decompressed was yielded.
    """
    inflater = zlib.decompressobj(wbits=GZIP_WBITS)
    while data := inflater.unused_data or packed.read(_PACKED_CHUNK_BYTES):
        if inflater.eof:
            inflater = zlib.decompressobj(wbits=GZIP_WBITS)
        before = inflater.copy()
        try:
            piece = inflater.decompress(data)
        except zlib.error:
            yield _salvaged(before, data)
            raise
        if piece:
            yield piece
    if not inflater.eof:
        raise EOFError("the end is missing")


def _salvaged(inflater: Any, data: bytes) -> bytes:
    """What comes before the error in data that cannot be decompressed at once."""
    pieces = []
    with contextlib.suppress(zlib.error):
        for value in data:
            pieces.append(inflater.decompress(bytes((value,))))
    return b"".join(pieces)


def estimated_records(path: str) -> int:
    """About how many records a file has, by the size of its first ones; at least 1."""
    offset = records = 0
    damages = (EOFError, zlib.error, gzip.BadGzipFile)  # the reader will say so
    with storage.open_file(path) as stored, contextlib.suppress(*damages):
        file = gzip.GzipFile(fileobj=stored) if is_gzip(path) else stored
        while records < _SAMPLED_RECORDS and (length := payload_length(file.read(HEADER_BYTES))) is not None:
            offset = file.seek(length + FOOTER_BYTES, os.SEEK_CUR)
            records += 1
    return max(1, round(storage.size_of(path) * records / offset)) if records else 1
