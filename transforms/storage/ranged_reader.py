"""A remote file as a stream that can seek, read in ranges."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable
from typing import Any, BinaryIO, cast

# A request's latency costs little beside so many bytes, and a reader holds no more than them.
CHUNK_BYTES = 8 << 20


class _RangedReader(io.RawIOBase):
    """See ``open_ranged``."""

    def __init__(self, read_range: Callable[[int, int], bytes], size: int, first: bytes):
        self._read_range = read_range
        self._size = size
        self._first = first  # the bytes from 0 on that are there already
        self._offset = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._offset, os.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        self._offset = base + offset
        return self._offset

    def tell(self) -> int:
        return self._offset

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), self._size - self._offset)
        if wanted <= 0:
            return 0
        data = self._first[self._offset : self._offset + wanted]
        if not data:
            data = self._read_range(self._offset, wanted)
        buffer[: len(data)] = data
        self._offset += len(data)
        return len(data)


def open_ranged(read_range: Callable[[int, int], bytes], size: int, first: bytes = b"") -> BinaryIO:
    """A buffered stream over a file that is read by ``read_range(offset, bytes)``.

    Args:
      read_range: yields as many bytes as it is asked for; asked for none beyond the end.
      size: of the file.
      first: its first bytes, if they are there already.
    """
    return cast(BinaryIO, io.BufferedReader(_RangedReader(read_range, size, first), CHUNK_BYTES))
