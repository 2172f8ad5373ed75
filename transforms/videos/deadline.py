"""Decoding ahead in a thread, with a limit to how long its consumer is kept waiting.

A native decoder that hangs cannot be interrupted from Python. The watchdog here gives it up instead: the
consumer goes on with the next segment, and the thread is left behind as a daemon, which neither holds up the
end of the process nor hands out anything more. The price of a hang is one thread and, at worst, one busy core
until the process ends.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

# How long a producer thread that was given up may sleep before it sees that nobody listens.
_POLL_SECONDS = 0.1


class TookTooLong(Exception):
    """Work was given up because it went over its time limit."""


def ahead_within(items: Iterable[T], limit_seconds: float, *, depth: int = 4) -> Iterator[T]:
    """Iterates over ``items`` in a thread that is at most ``depth`` items ahead.

    Args:
      limit_seconds: for all the time that the consumer waits for items, added up; what it spends on its own
        work in between does not count. So both a hang and a decoder that merely trickles come to an end.

    Raises:
      TookTooLong: the limit is reached. Whatever ``items`` raises is raised here, too.
    """
    ready: queue.Queue[tuple[str, T | BaseException | None]] = queue.Queue(maxsize=depth)
    abandoned = threading.Event()

    def hand_over(kind: str, value: T | BaseException | None) -> bool:
        while not abandoned.is_set():
            try:
                ready.put((kind, value), timeout=_POLL_SECONDS)
                return True
            except queue.Full:
                continue
        return False

    def produce() -> None:
        iterator = iter(items)
        try:
            for item in iterator:
                if not hand_over("item", item):
                    return
            hand_over("end", None)
        except BaseException as error:  # handed to the consumer, who raises it
            hand_over("error", error)
        finally:
            # Files are closed by the thread that uses them.
            close = getattr(iterator, "close", None)
            if close is not None:
                close()

    threading.Thread(target=produce, name="decode ahead", daemon=True).start()
    left = limit_seconds
    received = 0
    try:
        while True:
            begun = time.monotonic()
            try:
                kind, value = ready.get(timeout=max(0.0, left))
            except queue.Empty:
                raise TookTooLong(f"no more than {received} items came within {limit_seconds:g} s of waiting") from None
            left -= time.monotonic() - begun
            if kind == "end":
                return
            if kind == "error":
                assert isinstance(value, BaseException)
                raise value
            received += 1
            yield value  # type: ignore[misc]  # an "item" holds a T
    finally:
        abandoned.set()


def call_within(function: Callable[[], T], limit_seconds: float) -> T:
    """What ``function`` returns, called in a thread.

    Raises:
      TookTooLong: it has not returned within ``limit_seconds``. Whatever it raises is raised here, too.
    """
    return next(ahead_within(_results(function), limit_seconds, depth=1))


def _results(function: Callable[[], T]) -> Iterator[T]:
    yield function()
