"""Ends a job on Flink at the first failure that no retry heals.

Flink runs a job again after every failure, as often as its configuration says, and tells the launcher when it has given
up. Its REST service tells of each failure at once, so that a mistake need not be made four times over.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib import request

from apache_beam.options.pipeline_options import FlinkRunnerOptions, GoogleCloudOptions, PipelineOptions
from apache_beam.runners.portability.flink_runner import MAGIC_HOST_NAMES, FlinkRunner

_LOOK_SECONDS = 1.0
_ANSWER_SECONDS = 5.0
IsFinal = Callable[[str, bool], bool]
_ENDED = ("FINISHED", "FAILED", "CANCELED")


class JobWatch:
    """A job that is being watched.

    Attributes:
      failure: for which it was ended, as Flink tells it; "" for none.
    """

    def __init__(self, address: str, name: str, is_final: IsFinal):
        self.failure = ""
        self._address, self._name, self._is_final = address, name, is_final
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watch-flink", daemon=True)
        if address:
            self._thread.start()

    def stop(self) -> None:
        """Ends the watching, not the job."""
        self._is_over.set()
        if self._address:
            self._thread.join()

    def _watch(self) -> None:
        while not self._is_over.wait(_LOOK_SECONDS):
            try:
                if self._has_ended_job():
                    return
            except (OSError, ValueError, KeyError):
                continue  # Flink is busy, or gone; then the job itself fails, and says so

    def _has_ended_job(self) -> bool:
        for job in self._ask("/jobs/overview")["jobs"]:
            if job["name"] != self._name or job["state"] in _ENDED:
                continue
            entries = self._ask(f"/jobs/{job['jid']}/exceptions")["exceptionHistory"]["entries"]
            for number, entry in enumerate(sorted(entries, key=lambda entry: int(entry["timestamp"]))):
                if self._is_final(entry["stacktrace"], number == 0):
                    self._ask(f"/jobs/{job['jid']}?mode=cancel", "PATCH")
                    self.failure = entry["stacktrace"]
                    return True
        return False

    def _ask(self, path: str, method: str = "GET") -> Any:
        asked = request.Request(f"{self._address}{path}", method=method)
        with request.urlopen(asked, timeout=_ANSWER_SECONDS) as answer:
            return json.load(answer)


@contextmanager
def watched(options: PipelineOptions, is_final: IsFinal) -> Iterator[JobWatch]:
    """Watches the job that is run in the block; one that is not for a Flink of a known address is left alone.

    Args:
      options: of the job, which gets a name of its own if it has none.
      is_final: whether a failure, as Flink tells it, would come again; and is it the job's first?
    """
    cloud = options.view_as(GoogleCloudOptions)  # which is where Beam has the name of any job
    cloud.job_name = cloud.job_name or f"boxmill-{uuid.uuid4().hex[:8]}"
    master = options.view_as(FlinkRunnerOptions).flink_master
    address = "" if master in MAGIC_HOST_NAMES else FlinkRunner.add_http_scheme(master)
    watch = JobWatch(address, cloud.job_name, is_final)
    try:
        yield watch
    finally:
        watch.stop()
