"""Groups entries by key in bounded memory: what does not fit goes to temporary files, a hash bucket each."""

from __future__ import annotations

import pickle
import tempfile
import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import IO, Any

BUCKETS = 64


class SpilledGroups:
    """Appends entries in any order, then yields them grouped.

    Memory: at most ``memory_bytes`` while appending, one bucket of ``BUCKETS`` while yielding. The temporary files
    are anonymous: they vanish with the process, however it ends.
    """

    def __init__(self, memory_bytes: int = 64 << 20):
        self._memory_bytes = memory_bytes
        self._buffers = [bytearray() for _ in range(BUCKETS)]
        self._files: list[IO[bytes] | None] = [None] * BUCKETS
        self._buffered = 0

    def append(self, key: str, entry: tuple[Any, ...]) -> None:
        """Adds one entry of plain values under a key."""
        record = pickle.dumps((key, entry), protocol=5)
        self._buffers[zlib.crc32(key.encode("utf-8", "surrogatepass")) % BUCKETS] += record
        self._buffered += len(record)
        if self._buffered > self._memory_bytes:
            self._spill()

    def _spill(self) -> None:
        for index, buffer in enumerate(self._buffers):
            file = self._files[index]
            if file is None:
                file = self._files[index] = tempfile.TemporaryFile(prefix="boxmill-")  # noqa: SIM115
            file.write(buffer)
            buffer.clear()
        self._buffered = 0

    def groups(self) -> Iterator[tuple[str, list[tuple[Any, ...]]]]:
        """Yields ``(key, entries in order of appending)`` once, and frees each bucket behind it."""
        for index in range(BUCKETS):
            grouped: dict[str, list[tuple[Any, ...]]] = {}
            for key, entry in self._bucket_records(index):
                grouped.setdefault(key, []).append(entry)
            yield from grouped.items()

    def _bucket_records(self, index: int) -> Iterator[tuple[str, tuple[Any, ...]]]:
        file, buffer = self._files[index], self._buffers[index]
        for stream in (file, BytesIO(buffer)):
            if stream is None:
                continue
            stream.seek(0)
            while True:
                try:
                    yield pickle.load(stream)
                except EOFError:
                    break
        buffer.clear()
        if file is not None:
            file.close()
