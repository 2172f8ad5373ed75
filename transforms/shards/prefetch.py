"""Runs a function over items ahead of their use, in order, with no more threads and memory than the latency needs."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

MAX_THREADS = 64
MAX_BYTES_AHEAD = 64 << 20
# A task is given as many items as take about this long, so that handing over costs little of it.
_TASK_SECONDS = 0.008
_MAX_TASK_ITEMS = 32
# Weight of the newest measurement in the moving averages.
_NEW = 0.2
# The pace is looked at this often; more tasks are tried if the consumer waits for this share of the time, and kept if
# they bring this much. A change that brought nothing is not tried again for a while.
_FEWEST_TASKS = 2
_LOOK_SECONDS = 0.1
_WAITING_SHARE = 0.25
_WORTHWHILE = 1.15
_LOOKS_AFTER_A_VAIN_TRIAL = 20


class Pace:
    """How far to run ahead: learnt from what was measured, and kept from one sequence of items to the next.

    Threads that share an interpreter's lock slow each other down: from a fast disk the consumer loads best by itself.
    So tasks that run ahead are tried where loading waits, twice as many each time, and kept as long as that makes it
    faster. Loading that only computes is taken for waiting where there is a core to spare.

    Attributes:
      has_spare_core: see above.
      fewest_tasks: so many run ahead from the start, where every load is known to wait for another machine.
      tasks: how many run ahead; with none, the consumer loads by itself.
      task_items: how many items a task has.
    """

    def __init__(self, max_bytes: int = MAX_BYTES_AHEAD, has_spare_core: bool = True, fewest_tasks: int = 0):
        self._max_bytes = max_bytes
        self.has_spare_core = has_spare_core
        self._item_seconds = 0.0
        self._item_bytes = 0.0
        self._items, self._waited, self._passed = 0, 0.0, 0.0
        self._before: tuple[int, float] | None = None  # tasks and rate before the trial that is under way
        self._pause = 0
        self._fewest_tasks = fewest_tasks
        self.tasks = fewest_tasks
        self.task_items = 1

    def measure(self, items: int, size: int, load_seconds: float, waited: float, passed: float) -> None:
        """Takes what a task and its use took.

        Args:
          items, size: of the task, and the bytes that it loaded.
          load_seconds: that the load took.
          waited: seconds that the consumer waited for it.
          passed: seconds in all, the waiting among them.
        """
        weight = _NEW if self._item_seconds else 1.0
        self._item_seconds += weight * (load_seconds / items - self._item_seconds)
        self._item_bytes += weight * (size / items - self._item_bytes)
        fitting = max(1, int(self._max_bytes / max(self._item_bytes, 1)))
        wanted = int(_TASK_SECONDS / max(self._item_seconds, 1e-6))
        self.task_items = max(1, min(wanted, _MAX_TASK_ITEMS, fitting // 2))
        self._items, self._waited, self._passed = self._items + items, self._waited + waited, self._passed + passed
        if self._passed >= _LOOK_SECONDS:
            self._look()
        self.tasks = min(max(self.tasks, self._fewest_tasks), MAX_THREADS, fitting // self.task_items)

    def _look(self) -> None:
        rate, share = self._items / self._passed, self._waited / self._passed
        self._items, self._waited, self._passed = 0, 0.0, 0.0
        if self._before is not None:
            tasks, rate_before = self._before
            self._before = None
            if rate < _WORTHWHILE * rate_before:
                self.tasks, self._pause = tasks, _LOOKS_AFTER_A_VAIN_TRIAL
                return
        self._pause = max(0, self._pause - 1)
        if share > _WAITING_SHARE and not self._pause and self.tasks < MAX_THREADS:
            self._before = self.tasks, rate
            self.tasks = max(_FEWEST_TASKS, 2 * self.tasks)


def prefetch(
    items: Iterable[Item],
    load: Callable[[Sequence[Item]], Sequence[Result]],
    size_of: Callable[[Result], int],
    executor: ThreadPoolExecutor,
    pace: Pace | None = None,
) -> Iterator[tuple[Sequence[Item], Sequence[Result]]]:
    """Yields ``(some_items, load(some_items))`` in order while later loads are already under way.

    Args:
      items: loaded in this order.
      load: of some items, one result each; runs in a thread of the executor; what it raises is raised here.
      size_of: bytes that a result holds.
      executor: shared by all shards of a worker; it has at most MAX_THREADS threads.
      pace: what was learnt from items before; it learns on.
    """
    pace = pace or Pace()
    remaining = iter(items)
    pending: deque[tuple[list[Item], Future[tuple[float, float, Sequence[Result]]]]] = deque()

    def timed_load(batch: list[Item]) -> tuple[float, float, Sequence[Result]]:
        start, start_of_work = time.perf_counter(), time.thread_time()
        results = load(batch)
        return time.perf_counter() - start, time.thread_time() - start_of_work, results

    def fill() -> None:
        while len(pending) < pace.tasks and (batch := list(islice(remaining, pace.task_items))):
            pending.append((batch, executor.submit(timed_load, batch)))

    try:
        while True:
            fill()
            start = time.perf_counter()
            if pending:
                batch, future = pending.popleft()
                load_seconds, _, results = future.result()
                waited = time.perf_counter() - start
            elif batch := list(islice(remaining, pace.task_items)):
                load_seconds, work_seconds, results = timed_load(batch)
                waited = load_seconds if pace.has_spare_core else load_seconds - work_seconds
            else:
                return
            fill()  # these load while the results are used
            yield batch, results
            passed = time.perf_counter() - start
            pace.measure(len(batch), sum(map(size_of, results)), load_seconds, waited, passed)
    finally:
        for _, future in pending:
            future.cancel()
