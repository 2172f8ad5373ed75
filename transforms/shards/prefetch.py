"""Runs a function over items ahead of their use, in order, with no more threads and memory than the latency needs."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

MAX_THREADS = 64
MAX_BYTES_AHEAD = 64 << 20
_MIN_TASKS = 2
# A task is given as many items as take about this long, so that handing over costs little of it.
_TASK_SECONDS = 0.004
_MAX_TASK_ITEMS = 16
# Weight of the newest measurement in the moving averages.
_NEW = 0.2


def prefetch(
    items: Iterable[Item],
    load: Callable[[Item], Result],
    size_of: Callable[[Result], int],
    executor: ThreadPoolExecutor,
    max_bytes: int = MAX_BYTES_AHEAD,
) -> Iterator[tuple[Item, Result]]:
    """Yields ``(item, load(item))`` in order while later loads are already under way.

    How far it runs ahead follows what it measures (Little's law): the time of a load over the time that the consumer
    takes for a result, so a local disk gets two threads and a store with 50 ms latency gets tens. Never further than
    ``max_bytes`` of results or the executor's threads.

    Args:
      items: loaded in this order.
      load: runs in a thread of the executor; what it raises is raised here.
      size_of: bytes that a result holds.
      executor: shared by all shards of a worker; it has at most MAX_THREADS threads.
      max_bytes: bound of the results in memory.
    """
    remaining = iter(items)
    pending: deque[tuple[list[Item], Future[tuple[float, list[Result]]]]] = deque()
    pace = _Pace(max_bytes)

    def load_all(batch: list[Item]) -> tuple[float, list[Result]]:
        start = time.perf_counter()
        results = [load(item) for item in batch]
        return time.perf_counter() - start, results

    try:
        while True:
            while len(pending) < pace.tasks and (batch := list(islice(remaining, pace.task_items))):
                pending.append((batch, executor.submit(load_all, batch)))
            if not pending:
                return
            batch, future = pending.popleft()
            load_seconds, results = future.result()
            start = time.perf_counter()
            yield from zip(batch, results, strict=True)
            use_seconds = time.perf_counter() - start
            pace.measure(len(batch), load_seconds, use_seconds, sum(map(size_of, results)))
    finally:
        for _, future in pending:
            future.cancel()


class _Pace:
    """How many tasks run ahead, and how many items each has, from moving averages of what they took."""

    def __init__(self, max_bytes: int):
        self._max_bytes = max_bytes
        self._load_seconds = 0.0
        self._use_seconds = 0.0
        self._bytes = 0.0
        self.tasks = _MIN_TASKS
        self.task_items = 1

    def measure(self, items: int, load_seconds: float, use_seconds: float, size: int) -> None:
        """Takes what ``items`` items took to load and to use, and their bytes."""
        weight = _NEW if self._load_seconds else 1.0
        self._load_seconds += weight * (load_seconds / items - self._load_seconds)
        self._use_seconds += weight * (use_seconds / items - self._use_seconds)
        self._bytes += weight * (size / items - self._bytes)
        fitting = max(1, int(self._max_bytes / max(self._bytes, 1)))
        wanted_items = int(_TASK_SECONDS / max(self._load_seconds, 1e-6))
        self.task_items = max(1, min(wanted_items, _MAX_TASK_ITEMS, fitting // _MIN_TASKS))
        wanted_tasks = math.ceil(self._load_seconds / max(self._use_seconds, 1e-6)) + 1
        self.tasks = max(_MIN_TASKS, min(wanted_tasks, MAX_THREADS, fitting // self.task_items))
