"""Counters of a pipeline while it runs on the local runner.

Beam reports a counter when a bundle ends, and a bundle may be the whole job. The runner can ask workers for progress
in between, and drops the answers; here they are kept. These are internals of Beam 2.77: all that is touched of them is
in this module, and a test fails when an upgrade moves them.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from apache_beam.metrics import monitoring_infos
from apache_beam.runners.portability.fn_api_runner import fn_runner

NAMESPACE = "boxmill"


class LiveCounters:
    """Counters by name: of ended bundles, and as last reported of those under way. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ended: Counter[str] = Counter()
        self._under_way: dict[str, Counter[str]] = {}
        self._are_over: set[str] = set()

    def report(self, bundle: str, infos: Iterable[Any]) -> None:
        """Takes a progress report of a bundle that is under way."""
        values = _user_counters(infos)
        with self._lock:
            if bundle not in self._are_over:  # a report may be overtaken by the end
                self._under_way[bundle] = values

    def end(self, bundle: str, infos: Iterable[Any]) -> None:
        """Takes the final counters of a bundle."""
        values = _user_counters(infos)
        with self._lock:
            self._under_way.pop(bundle, None)
            self._are_over.add(bundle)
            self._ended.update(values)

    def snapshot(self) -> Counter[str]:
        """All counters as they are now."""
        with self._lock:
            return sum(self._under_way.values(), Counter(self._ended))


def _user_counters(infos: Iterable[Any]) -> Counter[str]:
    values: Counter[str] = Counter()
    for info in infos:
        if info.urn == monitoring_infos.USER_COUNTER_URN and info.labels[monitoring_infos.NAMESPACE_LABEL] == NAMESPACE:
            values[info.labels[monitoring_infos.NAME_LABEL]] += monitoring_infos.extract_counter_value(info)
    return values


@contextmanager
def reporting_to(counters: LiveCounters, on_failure: Callable[[Exception], object]) -> Iterator[None]:
    """Within the block, local runners report to ``counters``, and tell of the failure of a bundle when it happens: they
    themselves wait for the other workers' first."""
    requester, manager = fn_runner.ProgressRequester, fn_runner.BundleManager
    process_bundle = manager.process_bundle

    class ReportingRequester(requester):  # type: ignore[misc, valid-type]
        def __init__(self, worker_handler: Any, instruction_id: str, frequency: float | None) -> None:
            def report(progress: Any) -> None:
                counters.report(instruction_id, progress.monitoring_infos)

            super().__init__(worker_handler, instruction_id, frequency, report)

    def reporting_process_bundle(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            result = process_bundle(self, *args, **kwargs)
        except Exception as error:
            on_failure(error)
            raise
        counters.end(result[0].instruction_id, result[0].process_bundle.monitoring_infos)
        return result

    fn_runner.ProgressRequester = ReportingRequester
    manager.process_bundle = reporting_process_bundle
    try:
        yield
    finally:
        fn_runner.ProgressRequester = requester
        manager.process_bundle = process_bundle
