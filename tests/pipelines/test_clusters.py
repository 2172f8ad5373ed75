"""What is told of a cluster that cannot run a job, and of a job that failed there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import grpc
import pytest
from apache_beam.options.pipeline_options import DebugOptions, PipelineOptions

from pipelines import build_tfrecords, clusters, remote_worker
from pipelines.flags import UsageError
from pipelines.runner import _failure

FLINK = "--runner=FlinkRunner"


@pytest.fixture
def flink() -> Iterator[str]:
    """The address of what answers as Flink 1.20 does."""

    class Overview(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"taskmanagers": 2, "flink-version": "1.20.3"}).encode())

        def log_message(self, *arguments: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Overview)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def job_server() -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(1))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None)


REFUSED = {
    "nothing answers": ([FLINK, "--flink_master=localhost:1"], "no Flink answers there (Connection refused)"),
    "no such host": ([FLINK, "--flink_master=no.such.host.invalid:8081"], "no Flink answers there"),
    "no job server": ([FLINK, "--job_endpoint=localhost:1"], "no job server answers there (Connection refused)"),
    "no port": ([FLINK, "--job_endpoint=localhost"], "no job server answers there"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_cluster_that_does_not_answer_is_refused_and_nothing_is_written(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags, told = REFUSED[case]
    (tmp_path / "labels.json").write_text("{}")
    place = [f"--annotations={tmp_path}/labels.json", f"--images={tmp_path}", f"--output={tmp_path}/out", "--name=x"]
    assert build_tfrecords.main([*place, *flags]) == build_tfrecords.EXIT_FAILED
    [line] = capsys.readouterr().err.splitlines()
    assert told in line
    assert not (tmp_path / "out").exists()


def test_another_version_of_flink_is_refused(flink: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: name)  # Java
    with pytest.raises(UsageError, match=re.escape("runs Flink 1.20.3, and the job would be for 2.1; give")):
        clusters.check_cluster(PipelineOptions([FLINK, f"--flink_master={flink}", "--flink_version=2.1"]))
    clusters.check_cluster(PipelineOptions([FLINK, f"--flink_master={flink}", "--flink_version=1.20"]))


def test_java_is_needed_but_for_a_running_job_server(
    flink: str, job_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(UsageError, match="needs Java"):
        clusters.check_cluster(PipelineOptions([FLINK, f"--flink_master={flink}", "--flink_version=1.20"]))
    clusters.check_cluster(PipelineOptions([FLINK, f"--job_endpoint={job_server}"]))


def test_what_is_no_job_server_is_told_soon(flink: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "_ANSWER_SECONDS", 0.3)
    with pytest.raises(UsageError, match="no job server answers there \\(something else does\\)"):
        clusters.check_cluster(PipelineOptions([FLINK, f"--job_endpoint={flink}"]))


def test_workers_compare_versions_with_the_launchers(job_server: str) -> None:
    options = PipelineOptions([FLINK, f"--job_endpoint={job_server}"])
    clusters.check_cluster(options)
    experiments = options.view_as(DebugOptions).experiments
    assert remote_worker.difference(experiments) == ""
    assert remote_worker.difference([]) == ""
    others = [item.replace("Beam 2", "Beam 1") for item in experiments]
    assert "this command has Python 3.11 with Beam 1." in remote_worker.difference(others)


def test_jobs_of_other_runners_pass() -> None:
    clusters.check_cluster(PipelineOptions(["--flink_master=localhost:1"]))


JAVA = (
    "java.lang.RuntimeException: Error received from SDK harness for instruction 7: {}\n\tat org.apache.Task.run(Task)"
)
PYTHON = 'Traceback (most recent call last):\n  File "a.py", line 1, in f\ntransforms.shards.commit_dataset.{}\n'
FAILED = {
    "an exception": (JAVA.format(PYTHON.format("TooManyRejects: 3 of 9 images")), "TooManyRejects", "3 of 9 images"),
    "one in a step": (
        JAVA.format(PYTHON.format("TooManyRejects: 3 of 9 images [while running 'Commit']")),
        "TooManyRejects",
        "3 of 9 images",
    ),
    "a worker's own": (JAVA.format("WorkerRefused: other versions"), "WorkerRefused", "other versions"),
}


@pytest.mark.parametrize("case", FAILED)
def test_the_workers_exception_is_found_in_javas(case: str) -> None:
    text, kind, message = FAILED[case]
    failed = _failure(RuntimeError(text), clusters.python_part(text))
    assert (failed.kind, failed.message) == (kind, message)


TOLD = {
    "io.grpc.StatusRuntimeException: UNAVAILABLE: io exception": "no worker pool answers",
    "ModuleNotFoundError: No module named 'transforms.shards'": "do not have Boxmill",
    "org.apache.flink.runtime.jobmanager.scheduler.NoResourceAvailableException: slots": "task slots",
    "SystemError: unknown opcode": "another version of Python",
    "KeyError: 'a programming error'": "",
}


@pytest.mark.parametrize("text", TOLD)
def test_known_failures_come_with_a_remedy(text: str) -> None:
    told = clusters.told_failure(text)
    assert TOLD[text] in told
    assert bool(told) == bool(TOLD[text])
