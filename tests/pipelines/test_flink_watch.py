"""A job on Flink is ended at the first failure that would come again, and left to Flink's retries otherwise."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions

from pipelines import flink_watch
from pipelines.runner import _is_final

JAVA = "java.lang.Exception: Error received from SDK harness for instruction 7: {}\n\tat org.apache.Task.run(Task)"
NO_POOL = (
    "java.lang.Exception: The user defined 'open()' method caused an exception: UNAVAILABLE: io exception\n"
    "\tat org.apache.beam.runners.fnexecution.environment.ExternalEnvironmentFactory.createEnvironment(E.java:150)"
)
LOST_MACHINE = (
    "org.apache.flink...RemoteTransportException: x\nCaused by: java.net.ConnectException: Connection refused"
)
FAILURES = {
    "too many rejects": (JAVA.format("transforms.shards.commit_dataset.TooManyRejects: 3 of 9"), True, True),
    "other versions": (JAVA.format("WorkerRefused: the workers have Python 3.10"), True, True),
    "another run": (JAVA.format("ClaimRefused: another run has taken over"), True, True),
    "no pool": (NO_POOL, True, False),
    "no Boxmill": (JAVA.format("ModuleNotFoundError: No module named 'transforms.shards'"), True, False),
    "storage": (JAVA.format("OSError: [Errno 5] the storage is away"), False, False),
    "a lost machine": (LOST_MACHINE, False, False),
    "a program's error": (JAVA.format("KeyError: 'x'"), False, False),
}


@pytest.mark.parametrize("case", FAILURES)
def test_which_failures_would_come_again(case: str) -> None:
    text, as_first, later = FAILURES[case]
    assert _is_final(text, True) == as_first
    assert _is_final(text, False) == later


class Flink:
    """What Flink's REST service says of two jobs, and which of them were cancelled."""

    def __init__(self) -> None:
        self.names = {"1": "other", "2": "mine"}
        self.failures: dict[str, list[str]] = {"1": [], "2": []}
        self.cancelled: list[str] = []

    def answer(self, method: str, path: str) -> Any:
        if path == "/jobs/overview":
            return {"jobs": [{"jid": jid, "name": name, "state": "RUNNING"} for jid, name in self.names.items()]}
        jid = path.split("/")[2].partition("?")[0]
        if method == "PATCH":
            self.cancelled.append(jid)
            return {}
        entries = [{"timestamp": number, "stacktrace": text} for number, text in enumerate(self.failures[jid])]
        return {"exceptionHistory": {"entries": entries[::-1]}}


@pytest.fixture
def flink(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Flink, str]]:
    state = Flink()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(state.answer(self.command, self.path)).encode())

        do_PATCH = do_GET  # noqa: N815

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(flink_watch, "_LOOK_SECONDS", 0.02)
    yield state, f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def watch_until_ended(address: str, seconds: float) -> str:
    options = PipelineOptions([f"--flink_master={address}", "--job_name=mine"])
    with flink_watch.watched(options, _is_final) as watch:
        deadline = time.monotonic() + seconds
        while not watch.failure and time.monotonic() < deadline:
            time.sleep(0.01)
    return watch.failure


def test_the_job_itself_is_ended_and_its_failure_told(flink: tuple[Flink, str]) -> None:
    state, address = flink
    state.failures = {"1": [NO_POOL], "2": [LOST_MACHINE, FAILURES["too many rejects"][0]]}
    assert "TooManyRejects" in watch_until_ended(address, 10)
    assert state.cancelled == ["2"]


def test_what_may_heal_is_left_to_flink(flink: tuple[Flink, str]) -> None:
    state, address = flink
    state.failures["2"] = [LOST_MACHINE, NO_POOL]
    assert watch_until_ended(address, 0.5) == ""
    assert state.cancelled == []


def test_a_flink_that_does_not_answer_is_no_failure() -> None:
    assert watch_until_ended("127.0.0.1:1", 0.2) == ""


def test_jobs_get_names_of_their_own() -> None:
    names = set()
    for _ in range(2):
        options = PipelineOptions([])
        with flink_watch.watched(options, _is_final):
            names.add(options.view_as(GoogleCloudOptions).job_name)
    assert len(names) == 2
