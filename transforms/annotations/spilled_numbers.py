"""Keeps numbers in the order in which they come, in bounded memory, and gives ranges of them back."""

from __future__ import annotations

import mmap
import tempfile
from typing import IO

import numpy as np
import numpy.typing as npt

MEMORY_BYTES = 32 << 20

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


class SpilledNumbers:
    """Append all, then take. What does not fit goes to an anonymous file, which vanishes with the process."""

    def __init__(self, memory_bytes: int = MEMORY_BYTES):
        self._memory_bytes = memory_bytes
        self._pending: list[Floats] = []
        self._pending_bytes = 0
        self._count = 0
        self._file: IO[bytes] | None = None
        self._mapping: mmap.mmap | None = None

    def append(self, numbers: Floats) -> int:
        """Adds numbers; returns the place of the first."""
        place = self._count
        self._count += len(numbers)
        self._pending.append(numbers)
        self._pending_bytes += numbers.nbytes
        if self._pending_bytes > self._memory_bytes:
            self._spill()
        return place

    def _spill(self) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="boxmill-")  # noqa: SIM115
        for numbers in self._pending:
            self._file.write(numbers.data)
        self._pending, self._pending_bytes = [], 0

    def take(self, starts: Integers, counts: Integers) -> Floats:
        """The numbers of some ranges, one range after the other; nothing can be appended from then on."""
        if self._file is None:
            self._pending = [np.concatenate(self._pending)] if self._pending else [np.empty(0)]
            return self._pending[0][ranges(starts, counts)]
        if self._mapping is None:
            self._spill()
            self._file.flush()
            self._mapping = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)  # outlives the file's name
        taken: Floats = np.frombuffer(self._mapping)[ranges(starts, counts)]
        self._mapping.madvise(mmap.MADV_DONTNEED)  # pages that were read count as this process's memory till then
        return taken


def ranges(starts: Integers, counts: Integers) -> Integers:
    """``starts[0], starts[0] + 1, …`` as many as ``counts[0]``, then those of the next range."""
    before = np.cumsum(counts) - counts
    return np.repeat(starts - before, counts) + np.arange(counts.sum())
