"""Keeps numbers in the order in which they come, in bounded memory, and gives ranges of them back."""

from __future__ import annotations

import os
import tempfile
from typing import IO

import numpy as np
import numpy.typing as npt

MEMORY_BYTES = 8 << 20
_BYTES = 8  # a number

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


class SpilledNumbers:
    """What does not fit goes to an anonymous file, which vanishes with the process."""

    def __init__(self, memory_bytes: int = MEMORY_BYTES):
        self._memory_bytes = memory_bytes
        self._pending: list[Floats] = []
        self._pending_bytes = 0
        self._count = 0
        self._file: IO[bytes] | None = None

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
        self._file.flush()
        self._pending, self._pending_bytes = [], 0

    def take(self, starts: Integers, counts: Integers) -> Floats:
        """The numbers of some ranges, one range after the other."""
        wanted = counts > 0
        starts, ends = starts[wanted], (starts + counts)[wanted]
        is_gap = starts[1:] != ends[:-1]  # mostly, ranges follow one another in the file too
        firsts, lasts = np.append(starts[:1], starts[1:][is_gap]), np.append(ends[:-1][is_gap], ends[-1:])
        return np.concatenate([np.empty(0), *map(self._range, firsts.tolist(), lasts.tolist())])

    def _range(self, start: int, end: int) -> Floats:
        if self._file is None:
            if len(self._pending) > 1:
                self._pending = [np.concatenate(self._pending)]
            return self._pending[0][start:end]
        if self._pending:
            self._spill()
        # Of a mapping, pages that were read would count as this process's memory.
        return np.frombuffer(os.pread(self._file.fileno(), _BYTES * (end - start), _BYTES * start))


def ranges(starts: Integers, counts: Integers) -> Integers:
    """``starts[0], starts[0] + 1, …`` as many as ``counts[0]``, then those of the next range."""
    before = np.cumsum(counts) - counts
    return np.repeat(starts - before, counts) + np.arange(counts.sum())
