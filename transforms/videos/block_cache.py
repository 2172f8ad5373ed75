"""Blocks of a remote file that are kept: demuxers jump to and fro, and a request takes as long as a megabyte."""

from __future__ import annotations

import io
import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, BinaryIO, TypeVar, cast

T = TypeVar("T")

# The time that a request waits for its first byte costs little beside that of so many bytes.
BLOCK_BYTES = 8 << 20
# Where the reader is, the one before, the one after, and the index of the file, which may be at its end.
_BLOCKS_KEPT = 4
_BUFFER_BYTES = 64 << 10


class BlockCache:
    """The last few blocks of one file; where they are asked for in a row, the next one is fetched beside the work.

    Threads may share it. A thread of its own does all reading, and ends with the cache.

    Attributes:
      failure: the error of a read that failed; demuxers take it for the end of the file, or for damage.
    """

    def __init__(self, open_file: Callable[[], BinaryIO], block_bytes: int = BLOCK_BYTES) -> None:
        """
        Args:
          open_file: a stream that can seek, opened with the first read.
          block_bytes: the size of a block.
        """
        self._open_file = open_file
        self._block_bytes = block_bytes
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="read ahead")
        self._stream: BinaryIO | None = None
        self._size: Future[int] | None = None
        self._blocks: OrderedDict[int, Future[bytes]] = OrderedDict()
        self._lock = threading.Lock()
        self.failure: OSError | None = None

    def open(self) -> BinaryIO:
        """A stream of its own over the whole file."""
        return cast(BinaryIO, io.BufferedReader(_View(self), _BUFFER_BYTES))

    def size(self) -> int:
        """The file's, in bytes; OSError where it cannot be read."""
        with self._lock:
            if self._size is None or (self._size.done() and self._size.exception() is not None):
                self._size = self._reader.submit(self._find_size)
            size = self._size
        return self._result(size)

    def read(self, offset: int, size: int) -> bytes:
        """At most so many bytes from an offset within the file on: those of one block. OSError where it cannot."""
        index, start = divmod(offset, self._block_bytes)
        last = (self.size() - 1) // self._block_bytes
        with self._lock:
            block = self._wanted(index)
            if index - 1 in self._blocks and index < last:
                self._wanted(index + 1)
        return self._result(block)[start : start + size]

    def _wanted(self, index: int) -> Future[bytes]:
        block = self._blocks.pop(index, None)
        if block is None or (block.done() and block.exception() is not None):
            block = self._reader.submit(self._fetch, index)
        self._blocks[index] = block
        while len(self._blocks) > _BLOCKS_KEPT:
            self._blocks.popitem(last=False)
        return block

    def _result(self, future: Future[T]) -> T:
        try:
            return future.result()
        except OSError as error:
            self.failure = error
            raise

    def _find_size(self) -> int:
        if self._stream is None:
            self._stream = self._open_file()
        return self._stream.seek(0, os.SEEK_END)

    def _fetch(self, index: int) -> bytes:
        assert self._stream is not None
        self._stream.seek(index * self._block_bytes)
        return self._stream.read(self._block_bytes)


class _View(io.RawIOBase):
    """A place in a cached file."""

    def __init__(self, cache: BlockCache) -> None:
        self._cache = cache
        self._size = cache.size()
        self._offset = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._offset

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._offset, os.SEEK_END: self._size}[whence]
        self._offset = max(0, base + offset)
        return self._offset

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), self._size - self._offset)
        if wanted <= 0:
            return 0
        data = self._cache.read(self._offset, wanted)
        buffer[: len(data)] = data
        self._offset += len(data)
        return len(data)
