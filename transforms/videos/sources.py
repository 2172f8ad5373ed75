"""Opening a video that nobody vouches for: from a local path or any seekable file object."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable
from typing import BinaryIO

import av
from av.container import InputContainer

# FFmpeg's names of the containers that tests cover. Everything else that it can open is refused before its
# demuxer runs: pictures are no videos, and playlists (HLS, concat, DASH) would read other files of this
# machine.
ALLOWED_CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2",
    "matroska,webm",
    "avi",
    "mpegts",
    "mpeg",
    "flv",
    "asf",
    "nut",
)

DEFAULT_MAX_PIXELS = 64_000_000

Source = str | os.PathLike[str] | Callable[[], BinaryIO]
"""A local path, or a function that opens the file anew: binary, readable, seekable."""


def open_video(source: Source, *, max_pixels: int = DEFAULT_MAX_PIXELS, padded_to: int = 0) -> InputContainer:
    """Opens a video for demuxing; decodes no frame of more than ``max_pixels``.

    Args:
      padded_to: where positive, the file reads as if zeros followed up to this many bytes.

    Raises:
      Exception: of many kinds (native demuxers raise UnicodeDecodeError, IndexError and MemoryError too).
    """
    options = {
        "protocol_whitelist": "file",
        "format_whitelist": ",".join(ALLOWED_CONTAINERS),
        "max_pixels": str(max_pixels),
    }
    file: str | io.RawIOBase | BinaryIO
    if padded_to > 0:
        file = PaddedFile(open_bytes(source), padded_to)
    elif callable(source):
        file = source()
    else:
        # With its protocol spelt out, a name such as "a:b.mp4" is not taken for an address.
        file = "file:" + os.path.abspath(source)
    container: InputContainer = av.open(file, options=options, metadata_errors="replace")
    return container


def open_bytes(source: Source) -> BinaryIO:
    """The raw bytes of a video, from the start."""
    return source() if callable(source) else open(source, "rb")


def size_in_bytes(source: Source) -> int:
    with open_bytes(source) as file:
        return file.seek(0, os.SEEK_END)


def fingerprint(source: Source, *, chunk_bytes: int = 1 << 20) -> str:
    """SHA-256 of a video's content, in hex, read as a stream."""
    digest = hashlib.sha256()
    with open_bytes(source) as file:
        while chunk := file.read(chunk_bytes):
            digest.update(chunk)
    return digest.hexdigest()


class PaddedFile(io.RawIOBase):
    """A file that reads as if zeros followed its end.

    A demuxer then goes through the whole sample table of a cut file, so that the exact time stamp of each
    missing frame is known, which the file's last bytes cannot say.
    """

    def __init__(self, file: BinaryIO, size: int) -> None:
        super().__init__()
        self._file = file
        self._size = size
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = base + offset
        return self._position

    def read(self, size: int = -1) -> bytes:
        left = max(0, self._size - self._position)
        wanted = left if size < 0 else min(size, left)
        self._file.seek(self._position)
        data = self._file.read(wanted)
        self._position += wanted
        return data + bytes(wanted - len(data))

    def close(self) -> None:
        self._file.close()
        super().close()
