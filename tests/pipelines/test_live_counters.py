"""Counters of a pipeline under way."""

from __future__ import annotations

from apache_beam.metrics import monitoring_infos

from pipelines.live_counters import NAMESPACE, LiveCounters


def test_a_report_that_comes_after_the_end_is_not_counted_again() -> None:
    counters = LiveCounters()
    half, whole = (monitoring_infos.int64_user_counter(NAMESPACE, "frames", number) for number in (3, 7))
    counters.report("bundle", [half])
    assert counters.snapshot() == {"frames": 3}
    counters.end("bundle", [whole])
    counters.report("bundle", [whole])
    assert counters.snapshot() == {"frames": 7}
