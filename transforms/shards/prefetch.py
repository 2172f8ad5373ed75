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
_MIN_AHEAD = 2
# Weight of the newest measurement in the moving averages.
_NEW = 0.1


def prefetch(
    items: Iterable[Item],
    load: Callable[[Item], Result],
    size_of: Callable[[Result], int],
    executor: ThreadPoolExecutor,
    max_bytes: int = MAX_BYTES_AHEAD,
) -> Iterator[tuple[Item, Result]]:
    """Yields ``(item, load(item))`` in order while later loads are already under way.

    How far it runs ahead follows what it measures (Little's law): the time of a load over the time between two
    results, so a local disk gets two threads and a store with 50 ms latency gets tens. Never further than
    ``max_bytes`` of results or the executor's threads.

    Args:
      items: loaded in this order.
      load: runs in a thread of the executor; what it raises is raised here.
      size_of: bytes that a result holds.
      executor: shared by all shards of a worker; it has at most MAX_THREADS threads.
      max_bytes: bound of the results in memory.
    """
    pending: deque[tuple[Item, Future[tuple[float, Result]]]] = deque()
    remaining = iter(items)
    ahead = _MIN_AHEAD
    load_seconds = mean_bytes = 0.0
    step_seconds = 0.0
    last_yield = time.perf_counter()

    def timed(item: Item) -> tuple[float, Result]:
        start = time.perf_counter()
        result = load(item)
        return time.perf_counter() - start, result

    try:
        while True:
            for item in islice(remaining, max(0, ahead - len(pending))):
                pending.append((item, executor.submit(timed, item)))
            if not pending:
                return
            item, future = pending.popleft()
            waited_from = time.perf_counter()
            seconds, result = future.result()
            # Without the waiting, a step is the consumer's own time: the rate that loads must keep up with.
            step = waited_from - last_yield
            step_seconds = step if not step_seconds else step_seconds + _NEW * (step - step_seconds)
            load_seconds = seconds if not load_seconds else load_seconds + _NEW * (seconds - load_seconds)
            mean_bytes += _NEW * (size_of(result) - mean_bytes)
            wanted = math.ceil(load_seconds / max(step_seconds, 1e-6)) + 1
            ahead = max(_MIN_AHEAD, min(wanted, MAX_THREADS, int(max_bytes / max(mean_bytes, 1))))
            last_yield = time.perf_counter()
            yield item, result
    finally:
        for _, future in pending:
            future.cancel()
