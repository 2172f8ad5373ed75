from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from transforms.videos.deadline import TookTooLong, ahead_within, call_within


def test_items_come_in_order_and_the_end_is_clean() -> None:
    before = threading.active_count()
    assert list(ahead_within(range(100), 5, depth=3)) == list(range(100))
    for _ in range(50):
        if threading.active_count() <= before:
            break
        time.sleep(0.02)
    assert threading.active_count() <= before


def test_a_decoder_that_hangs_is_given_up() -> None:
    release = threading.Event()

    def hanging() -> Iterator[int]:
        yield 1
        release.wait(30)
        yield 2

    begun = time.monotonic()
    items = ahead_within(hanging(), 0.3)
    assert next(items) == 1
    with pytest.raises(TookTooLong, match=r"no more than 1 items came within 0\.3 s"):
        next(items)
    assert time.monotonic() - begun < 5
    release.set()


def test_a_decoder_that_trickles_is_given_up() -> None:
    def trickling() -> Iterator[int]:
        for number in range(1000):
            time.sleep(0.05)
            yield number

    begun = time.monotonic()
    with pytest.raises(TookTooLong):
        list(ahead_within(trickling(), 0.5))
    assert time.monotonic() - begun < 5


def test_the_consumers_own_time_does_not_count() -> None:
    received = []
    for item in ahead_within(range(5), 0.3, depth=1):
        time.sleep(0.15)
        received.append(item)
    assert received == [0, 1, 2, 3, 4]


def test_errors_come_to_the_consumer() -> None:
    def failing() -> Iterator[int]:
        yield 1
        raise KeyError("frame")

    with pytest.raises(KeyError, match="frame"):
        list(ahead_within(failing(), 5))


def test_no_more_than_depth_items_are_made_ahead() -> None:
    made = []

    def counting() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            yield number

    items = ahead_within(counting(), 5, depth=2)
    assert next(items) == 0
    time.sleep(0.3)
    assert len(made) <= 4  # one handed out, two waiting, one in the producer's hand


def test_a_consumer_that_stops_ends_the_decoder() -> None:
    closed = threading.Event()

    def endless() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.set()

    items = ahead_within(endless(), 5)
    next(items)
    items.close()  # type: ignore[attr-defined]
    assert closed.wait(5)


def test_a_call_is_limited_too() -> None:
    assert call_within(lambda: 7, 5) == 7
    with pytest.raises(TookTooLong):
        call_within(lambda: time.sleep(3), 0.1)
    with pytest.raises(ZeroDivisionError):
        call_within(lambda: 1 // 0, 5)
