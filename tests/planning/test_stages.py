from __future__ import annotations

import re

import pytest

from transforms.planning.prices import Prices, parse_prices
from transforms.planning.stages import Stage, cost_of, limit_at, run_with
from transforms.sources.documents import DocumentError

SERIAL = Stage("commit", 10.0, 1, "one worker")
EVEN = Stage("write", 100.0, 10, "10 shards")
UNEVEN = Stage("read", 60.0, 3, "one large file", longest=50.0)


@pytest.mark.parametrize(
    ("stage", "workers", "expected"),
    [
        (SERIAL, 1, 10.0),
        (SERIAL, 1000, 10.0),
        (EVEN, 1, 100.0),
        (EVEN, 4, 30.0),  # 3 rounds: 4 + 4 + 2 shards
        (EVEN, 10, 10.0),
        (EVEN, 1000, 10.0),
        (UNEVEN, 1, 60.0),
        (UNEVEN, 3, 50.0),
    ],
)
def test_elapsed_deals_out_whole_pieces(stage: Stage, workers: int, expected: float) -> None:
    assert stage.elapsed(workers) == pytest.approx(expected)


def test_a_run_is_its_stages_one_after_the_other() -> None:
    running = run_with([SERIAL, EVEN], 5, start_seconds=2.0)
    assert running.seconds == pytest.approx(2 + 10 + 20)
    assert running.busy_hours == pytest.approx((5 * 2 + 110) / 3600)
    assert running.kept_hours == pytest.approx(5 * 32 / 3600)


@pytest.mark.parametrize(
    ("stages", "workers", "start", "expected"),
    [
        ([SERIAL, EVEN], 2, 0.0, "write: more workers make it faster"),
        (
            [Stage("commit", 10.0, 1, "one worker"), Stage("write", 50.0, 10, "10 shards")],
            10,
            0.0,
            "commit: one worker",
        ),
        ([SERIAL, EVEN], 1000, 60.0, "the start of the workers"),
        ([UNEVEN, EVEN], 3, 0.0, "read: one large file"),
    ],
)
def test_limit(stages: list[Stage], workers: int, start: float, expected: str) -> None:
    assert limit_at(stages, workers, start) == expected


def test_costs_lie_between_busy_and_kept() -> None:
    prices = parse_prices(
        b'{"vcpu_hour": 1, "memory_gb_hour": 0, "shuffle_gb": 2, "thousand_reads": 3, "thousand_writes": 5,'
        b' "worker_vcpus": 4}'
    )
    running = run_with([Stage("commit", 3600.0, 1, "one worker")], 2, start_seconds=0.0)
    low, high = cost_of(running, prices, shuffle_bytes=1e9, reads=1000, writes=2000)
    assert low == pytest.approx(4 * 1 + 2 + 3 + 10)
    assert high == pytest.approx(4 * 2 + 2 + 3 + 10)


def test_prices_left_out_are_the_examples_and_said_to_be() -> None:
    prices = parse_prices(b"source: our contract\nvcpu_hour: 0.5\n")
    assert prices.vcpu_hour == 0.5
    assert prices.shuffle_gb == Prices().shuffle_gb
    assert prices.source.startswith("our contract; as in the examples: currency, memory_gb_hour")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("vcpu_hours: 1", "'vcpu_hours', which is not known"),
        ("vcpu_hour: much", "vcpu_hour is 'much'"),
        ("vcpu_hour: -1", "vcpu_hour is -1"),
        ("vcpu_hour: .nan", "vcpu_hour is nan"),
        ("vcpu_hour: .inf", "vcpu_hour is inf"),
        ("[1, 2]", "it must be a mapping"),
        ("source: 7", "put it in quotes"),
        ("a: [", "neither YAML nor JSON"),
    ],
)
def test_prices_that_do_not_fit(text: str, expected: str) -> None:
    with pytest.raises(DocumentError, match=re.escape(expected)):
        parse_prices(text.encode())
