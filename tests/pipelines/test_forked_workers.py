"""Worker processes that die, or that are busy while the run fails: one clear failure, soon."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable
from multiprocessing.process import BaseProcess
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines import forked_workers, local_workers
from pipelines.runner import PipelineFailed, run_pipeline

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
    with pytest.raises(PipelineFailed, match=r"^a worker process died \(exit code -9;.*run again to resume") as failure:
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
    assert forked_workers.dead_worker() is None  # the next run begins anew


def test_worker_that_dies_when_all_is_done_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    handler = forked_workers._ForkedWorkerHandler
    genuine = handler.close
    codes: list[int | None] = []

    def killed_before(self: forked_workers._ForkedWorkerHandler) -> None:
        assert self._process is not None
        self._process.kill()
        genuine(self)
        codes.append(self._process.exitcode)

    monkeypatch.setattr(handler, "close", killed_before)
    run([1], DoesNothing())
    assert -signal.SIGKILL in codes
