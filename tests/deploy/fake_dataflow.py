"""A Dataflow on localhost: the part of its v1b3 REST service that a submission meets, and a worker that runs the job.

::

    with FakeGcs("bucket") as gcs, FakeDataflow(gcs.environment) as service:
        main([..., f"--dataflow_endpoint={service.url}", "--temp_location=gs://bucket/temp"])

Beam's client speaks plain REST to an endpoint that has "localhost" in its name. A job runs in a process of its own, in
``/`` and without this project's folder: it has what was staged, as on a machine elsewhere.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

WORKER = Path(__file__).with_name("dataflow_worker.py")
_JOBS = r"/v1b3/projects/(?P<project>[^/]+)/locations/(?P<region>[^/]+)/jobs"


@dataclass(slots=True)
class FakeJob:
    """A job, and what became of it.

    Attributes:
      description: as it was submitted.
      resource: what the service answers when it is asked for the job.
      out: what the worker printed: facts of ours, a line each.
      error: what it logged; the last lines are told to the submitter when the job fails.
    """

    description: dict[str, Any]
    resource: dict[str, Any]
    metrics: list[dict[str, Any]] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)
    out: str = ""
    error: str = ""
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def state(self) -> str:
        return str(self.resource["currentState"])

    def become(self, state: str) -> None:
        self.resource |= {"currentState": state, "currentStateTime": _now()}

    def say(self, text: str, importance: str) -> None:
        name = str(len(self.messages))
        self.messages.append({"id": name, "time": _now(), "messageText": text, "messageImportance": importance})


class FakeDataflow:
    """The service; a context manager.

    Attributes:
      jobs: by their ids.
      refusal: HTTP status with which every new job is refused; 0 for none.
    """

    def __init__(self, environment: Mapping[str, str], *, runs_jobs: bool = True):
        """Prepares a service.

        Args:
          environment: of workers, besides what every process needs.
          runs_jobs: else jobs are pending for ever.
        """
        self.jobs: dict[str, FakeJob] = {}
        self.refusal = 0
        self._runs_jobs = runs_jobs
        self._environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **environment}
        self._server = _Server(self)

    def __enter__(self) -> FakeDataflow:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://localhost:{self._server.server_address[1]}"

    @property
    def last(self) -> FakeJob:
        return list(self.jobs.values())[-1]

    def create(self, description: dict[str, Any], project: str, region: str) -> FakeJob:
        """Takes a job; one of the same name that is still active is answered in its place, as the service does."""
        for job in self.jobs.values():
            if job.resource["name"] == description["name"] and not job.ended.is_set():
                return job
        job_id = f"2026-01-01_00_00_00-{len(self.jobs) + 1}"
        resource = {
            "id": job_id,
            "name": description["name"],
            "type": description["type"],
            "projectId": project,
            "location": region,
            "clientRequestId": description["clientRequestId"],
            "createTime": _now(),
        }
        job = self.jobs[job_id] = FakeJob(description, resource)
        job.become("JOB_STATE_PENDING")
        if self._runs_jobs:
            threading.Thread(target=self._run, args=(job,), daemon=True).start()
        return job

    def _run(self, job: FakeJob) -> None:
        job.become("JOB_STATE_RUNNING")
        # The interpreter stands for the worker image: it has the dependencies, and this project only if it is staged.
        result = subprocess.run(
            [sys.executable, str(WORKER)],
            input=json.dumps(job.description),
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            env=self._environment,
        )
        job.out, job.error = result.stdout, result.stderr
        for line in result.stdout.splitlines():
            if line.startswith("METRICS "):
                job.metrics = json.loads(line.removeprefix("METRICS "))
        if result.returncode:
            job.say("\n".join(result.stderr.strip().splitlines()[-40:]), "JOB_MESSAGE_ERROR")
        job.become("JOB_STATE_FAILED" if result.returncode else "JOB_STATE_DONE")
        job.ended.set()


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, service: FakeDataflow):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.service = service


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *args: object) -> None:
        """Nothing on the screen."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        service, found = self.server.service, re.match(f"{_JOBS}(?:$|\\?)", self.path)
        if service.refusal:
            self._answer({"error": {"code": service.refusal, "message": "a planned refusal"}}, service.refusal)
        elif found is None:
            self._not_found()
        else:
            self._answer(service.create(body, found["project"], found["region"]).resource)

    def do_GET(self) -> None:
        found = re.match(rf"{_JOBS}/(?P<id>[^/?]+)(?P<what>/\w+)?", self.path)
        job = self.server.service.jobs.get(found["id"]) if found else None
        if found is None or job is None:
            self._not_found()
        elif found["what"] == "/messages":
            self._answer({"jobMessages": job.messages})
        elif found["what"] == "/metrics":
            self._answer({"metricTime": _now(), "metrics": job.metrics})
        else:
            self._answer(job.resource)

    def _not_found(self) -> None:
        self._answer({"error": {"code": 404, "message": f"{self.path} is not part of this service"}}, 404)

    def _answer(self, value: dict[str, Any], status: int = 200) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
