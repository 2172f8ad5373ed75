from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from transforms.shards.prefetch import MAX_THREADS, Pace, prefetch


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(MAX_THREADS) as pool:
        yield pool


def each(load: Callable[[int], int]) -> Callable[[Sequence[int]], list[int]]:
    return lambda items: [load(item) for item in items]


def pairs(stream: Iterator[tuple[Sequence[int], Sequence[int]]]) -> Iterator[tuple[int, int]]:
    for items, results in stream:
        yield from zip(items, results, strict=True)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 100, 1000])
def test_results_come_in_order(executor: ThreadPoolExecutor, count: int) -> None:
    def load(item: int) -> int:
        if item % 7 == 0:
            time.sleep(0.0005)
        return item * item

    assert list(pairs(prefetch(range(count), each(load), lambda result: 1, executor))) == [
        (n, n * n) for n in range(count)
    ]


def test_loads_known_to_wait_overlap_from_the_start() -> None:
    pace = Pace(fewest_tasks=8)
    assert pace.tasks == 8
    pace.measure(items=1, size=1, load_seconds=1e-6, waited=0, passed=1)
    assert pace.tasks == 8
    pace.measure(items=1, size=1 << 30, load_seconds=1, waited=1, passed=1)
    assert pace.tasks < 8  # memory is bounded all the same


def test_slow_loads_overlap(executor: ThreadPoolExecutor) -> None:
    lock = threading.Lock()
    running = most = 0

    def load(item: int) -> int:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.02)
        with lock:
            running -= 1
        return item

    assert len(list(pairs(prefetch(range(200), each(load), lambda result: 1, executor)))) == 200
    assert 5 <= most <= MAX_THREADS


def test_bytes_ahead_are_bounded(executor: ThreadPoolExecutor) -> None:
    lock = threading.Lock()
    loaded = used = most = 0

    def load(item: int) -> int:
        nonlocal loaded, most
        time.sleep(0.002)
        with lock:
            loaded += 1
            most = max(most, loaded - used)
        return item

    stream = prefetch(range(300), each(load), lambda result: 1_000_000, executor, Pace(max_bytes=4_000_000))
    for _ in pairs(stream):
        with lock:
            used += 1
    # Before the first sizes are known, two tasks are under way.
    assert most <= 8


def test_what_load_raises_is_raised_at_its_turn(executor: ThreadPoolExecutor) -> None:
    def load(item: int) -> int:
        if item == 5:
            raise OSError("storage")
        return item

    seen = []
    message = ""
    try:
        for item, _ in pairs(prefetch(range(100), each(load), lambda result: 1, executor)):
            seen.append(item)
    except OSError as error:
        message = str(error)
    assert message == "storage"
    assert seen == list(range(len(seen)))
    assert len(seen) <= 5


def test_leaving_early_stops_the_loads(executor: ThreadPoolExecutor) -> None:
    loaded = []

    def load(item: int) -> int:
        loaded.append(item)
        time.sleep(0.001)
        return item

    stream = prefetch(range(100_000), each(load), lambda result: 1, executor)
    assert next(stream) == ([0], [0])
    stream.close()  # type: ignore[attr-defined]
    time.sleep(0.05)
    count = len(loaded)
    time.sleep(0.05)
    assert len(loaded) == count < 2000
