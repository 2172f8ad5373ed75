"""Worker processes that die, or that are busy while the run fails: one clear failure, soon."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import worker_handlers

from pipelines import local_workers
from pipelines.runner import PipelineFailed, RunnerRefused, run_pipeline

TWO_PROCESSES = ("--direct_num_workers=2", "--direct_running_mode=multi_processing")
LONG_SECONDS = 60


def run(elements: Iterable[int], step: beam.DoFn) -> None:
    def build(root: beam.Pipeline) -> None:
        root | beam.Create(elements) | beam.Reshuffle() | beam.ParDo(step)

    run_pipeline(build, PipelineOptions(TWO_PROCESSES))


class KillsItself(beam.DoFn):
    def process(self, element: int) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


def test_worker_that_is_killed_fails_the_run() -> None:
    with pytest.raises(PipelineFailed, match=r"^a worker process died \(exit code -9;.*run again:") as failure:
        run([1], KillsItself())
    assert failure.value.kind == "WorkerDied"


class IsBusyInOneWorker(beam.DoFn):
    def __init__(self, folder: Path):
        self._folder = folder

    def process(self, element: int) -> None:
        try:
            (self._folder / "busy").mkdir()
        except FileExistsError:
            raise ValueError(f"not {os.getpid()}") from None
        (self._folder / str(os.getpid())).mkdir()
        time.sleep(LONG_SECONDS)


def test_failure_is_not_held_back_by_a_busy_worker(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(PipelineFailed, match=r"^not \d+$") as failure:
        run(range(50), IsBusyInOneWorker(tmp_path))
    assert time.monotonic() - began < LONG_SECONDS / 2
    assert sorted(path.name for path in tmp_path.iterdir())[0] != failure.value.message.split()[1]


class DoesNothing(beam.DoFn):
    def process(self, element: int) -> None:
        pass


def test_server_of_workers_that_dies_fails_the_run_though_one_worker_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    genuine = local_workers.start_worker
    started: list[BaseProcess] = []

    def first_only(environment: dict[str, str]) -> BaseProcess:
        if started:
            raise EOFError("unexpected EOF")
        started.append(genuine(environment))
        return started[0]

    monkeypatch.setattr(local_workers, "start_worker", first_only)
    with pytest.raises(PipelineFailed, match=r"^a worker process died") as failure:
        run([1], DoesNothing())
    assert failure.value.kind == "WorkerDied"
    assert started[0].exitcode


def test_worker_that_dies_while_it_is_closed_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    genuine = worker_handlers.GrpcWorkerHandler.close
    codes: list[int | None] = []

    def killed_before(self: Any) -> None:
        self._process.kill()
        genuine(self)
        codes.append(self._process.exitcode)

    monkeypatch.setattr(worker_handlers.GrpcWorkerHandler, "close", killed_before)
    run([1], DoesNothing())
    assert -signal.SIGKILL in codes


class KillsTheServer(beam.DoFn):
    """Kills the process that has forked its worker, and goes on."""

    def __init__(self, folder: Path):
        self._folder = folder

    def process(self, element: int) -> None:
        (self._folder / "alive").touch()
        os.kill(os.getppid(), signal.SIGKILL)
        while True:
            (self._folder / "alive").touch()
            time.sleep(0.01)


def test_workers_do_not_outlive_their_server(tmp_path: Path) -> None:
    with pytest.raises(PipelineFailed, match=r"^a worker process died"):
        run([1], KillsTheServer(tmp_path))
    time.sleep(0.2)
    (tmp_path / "alive").unlink()
    time.sleep(0.2)
    assert not (tmp_path / "alive").exists()


def test_interrupted_run_starts_no_worker_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    genuine = local_workers.start_worker
    late: list[BaseProcess] = []

    def slowly(environment: dict[str, str]) -> BaseProcess:
        time.sleep(0.5)
        late.append(genuine(environment))
        return late[-1]

    def interrupt(counters: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(local_workers, "start_worker", slowly)
    with pytest.raises(KeyboardInterrupt):
        run_pipeline(lambda root: root | beam.Create([1]), PipelineOptions(TWO_PROCESSES), interrupt)
    deadline = time.monotonic() + LONG_SECONDS
    while not late and time.monotonic() < deadline:
        time.sleep(0.1)
    late[0].join(LONG_SECONDS)
    assert [process.exitcode for process in late] == [-signal.SIGKILL]
    run([1], DoesNothing())


def test_bundles_that_would_be_repeated_are_refused() -> None:
    with pytest.raises(RunnerRefused, match=r"^--direct_runner_bundle_repeat is refused"):
        run_pipeline(lambda root: None, PipelineOptions(["--direct_runner_bundle_repeat=1"]))
