"""Groups entries by key in bounded memory: what does not fit goes to temporary files, a hash bucket each."""

from __future__ import annotations

import pickle
import struct
import tempfile
import zlib
from collections.abc import Iterator
from typing import IO, Any

BUCKETS = 64
_LENGTH = struct.Struct("<I")
# What a bytes object takes besides its bytes, and its place in a list.
_OBJECT_BYTES = 41


class SpilledGroups:
    """Appends entries in any order, then yields them grouped.

    Memory: at most ``memory_bytes`` while appending, one bucket of ``BUCKETS`` while yielding. The temporary files
    are anonymous: they vanish with the process, however it ends.
    """

    def __init__(self, memory_bytes: int = 64 << 20):
        self._memory_bytes = memory_bytes
        self._buffers: list[list[bytes]] = [[] for _ in range(BUCKETS)]
        self._files: list[IO[bytes] | None] = [None] * BUCKETS
        self._buffered = 0

    def append(self, key: str, entry: tuple[Any, ...]) -> None:
        """Adds one entry of plain values under a key."""
        record = pickle.dumps((key, entry), protocol=5)
        self._buffers[zlib.crc32(key.encode("utf-8", "surrogatepass")) % BUCKETS].append(record)
        self._buffered += len(record) + _OBJECT_BYTES
        if self._buffered > self._memory_bytes:
            self._spill()

    def _spill(self) -> None:
        for index, records in enumerate(self._buffers):
            file = self._files[index]
            if file is None:
                file = self._files[index] = tempfile.TemporaryFile(prefix="boxmill-")  # noqa: SIM115
            for record in records:
                file.write(_LENGTH.pack(len(record)))
                file.write(record)
            records.clear()
        self._buffered = 0

    def groups(self) -> Iterator[tuple[str, list[tuple[Any, ...]]]]:
        """Yields ``(key, entries in order of appending)`` once, and frees each bucket behind it."""
        for index in range(BUCKETS):
            grouped: dict[str, list[tuple[Any, ...]]] = {}
            for record in self._records(index):
                key, entry = pickle.loads(record)
                grouped.setdefault(key, []).append(entry)
            yield from grouped.items()

    def _records(self, index: int) -> Iterator[bytes]:
        file, self._files[index] = self._files[index], None
        if file is not None:
            with file:
                file.seek(0)
                while head := file.read(_LENGTH.size):
                    yield file.read(_LENGTH.unpack(head)[0])
        yield from self._buffers[index]
        self._buffers[index] = []
