"""Groups entries by key in bounded memory: what does not fit goes to temporary files, a hash bucket each."""

from __future__ import annotations

import pickle
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from typing import IO, Any

BUCKETS = 64
MEMORY_BYTES = 8 << 20
# What an entry of a handful of short values takes.
_ENTRY_BYTES = 600

_Record = tuple[str, tuple[Any, ...]]


class SpilledGroups:
    """Appends entries in any order, then yields them grouped.

    Memory: about ``memory_bytes`` while appending, one bucket of ``BUCKETS`` while yielding. The temporary files
    are anonymous: they vanish with the process, however it ends.
    """

    def __init__(self, memory_bytes: int = MEMORY_BYTES):
        self._memory_bytes = memory_bytes
        self._buckets: list[list[_Record]] = [[] for _ in range(BUCKETS)]
        self._files: list[IO[bytes] | None] = [None] * BUCKETS
        self._held = 0

    def append(self, key: str, entry: tuple[Any, ...], more_bytes: int = 0) -> None:
        """Adds one entry of plain values under a key; ``more_bytes``: of its large values, such as polygons."""
        self._buckets[zlib.crc32(key.encode("utf-8", "surrogatepass")) % BUCKETS].append((key, entry))
        self._held += _ENTRY_BYTES + more_bytes
        if self._held > self._memory_bytes:
            self._spill()

    def extend(self, records: Iterable[_Record]) -> None:
        """Adds entries of a handful of short values, each after its key; so many as are in memory anyway."""
        count = 0
        for record in records:
            self._buckets[zlib.crc32(record[0].encode("utf-8", "surrogatepass")) % BUCKETS].append(record)
            count += 1
        self._held += count * _ENTRY_BYTES
        if self._held > self._memory_bytes:
            self._spill()

    def _spill(self) -> None:
        for index, records in enumerate(self._buckets):
            if not records:
                continue
            file = self._files[index]
            if file is None:
                file = self._files[index] = tempfile.TemporaryFile(prefix="boxmill-")  # noqa: SIM115
            pickle.dump(records, file, protocol=5)
            records.clear()
        self._held = 0

    def groups(self) -> Iterator[tuple[str, list[tuple[Any, ...]]]]:
        """Yields ``(key, entries in order of appending)`` once, and frees each bucket behind it."""
        for index in range(BUCKETS):
            grouped: dict[str, list[tuple[Any, ...]]] = {}
            for records in self._records(index):
                for key, entry in records:
                    grouped.setdefault(key, []).append(entry)
            yield from grouped.items()

    def _records(self, index: int) -> Iterator[list[_Record]]:
        file, self._files[index] = self._files[index], None
        if file is not None:
            with file:
                end = file.tell()
                file.seek(0)
                while file.tell() < end:
                    yield pickle.load(file)
        records, self._buckets[index] = self._buckets[index], []
        yield records
