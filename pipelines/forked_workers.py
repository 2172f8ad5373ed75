"""The worker processes of a local run, as Beam's Python engine starts and ends them. It does not see that one dies."""

from __future__ import annotations

import itertools
import json
import os
import signal
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing.process import BaseProcess
from typing import Any

import grpc
from apache_beam.runners.portability.fn_api_runner import worker_handlers
from apache_beam.transforms import environments
from google.protobuf import text_format

from pipelines import local_workers

_DEATH_SECONDS = 0.1  # from the death of a worker, which may break the run at once, until its exit code is known
_LOST = 255  # the exit code that multiprocessing gives a process, alive or not, when the server that forked it has died


class WorkerDied(Exception):
    """A process that this run needs ended by itself, or was killed."""

    def __init__(self, how: str):
        super().__init__(
            f"a worker process died ({how}; -9 means killed, often for want of memory); "
            "run again: builds and detections go on with what is finished"
        )


class ForkedWorkers:
    """The workers of one run."""

    _numbers = itertools.count()
    _of_runs: dict[int, ForkedWorkers] = {}  # noqa: RUF012 - by number, as environments name them

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[BaseProcess] = set()  # but none that was told to end
        self._deaths: list[int] = []  # exit codes
        self._is_stopped = False
        self._number = next(self._numbers)
        self._of_runs[self._number] = self

    @classmethod
    def of_run(cls, number: int) -> ForkedWorkers:
        """The workers of the run that has this number.

        Raises:
          KeyError: it has been stopped.
        """
        return cls._of_runs[number]

    def environment(self, options: Mapping[str, Any]) -> environments.Environment:
        """What Beam is to start as a worker."""
        return _ForkedEnvironment(self._number, options)

    def start(self, environment: Mapping[str, str]) -> BaseProcess:
        """Starts one with this environment.

        Raises:
          WorkerDied: the server that forks it has died, or all were stopped.
        """
        try:
            process = local_workers.start_worker(environment)
        except (EOFError, ConnectionError) as error:
            raise WorkerDied("the one that starts the others") from error
        with self._lock:
            is_wanted = not self._is_stopped
            if is_wanted:
                self._running.add(process)
        if not is_wanted:
            process.kill()
            raise WorkerDied("stopped")
        return process

    def dismiss(self, process: BaseProcess) -> None:
        """From now on the end of this one is no death."""
        with self._lock:
            self._running.discard(process)

    def has_ended(self, process: BaseProcess) -> None:
        """Takes the end of a process, which counts as its death if it was not dismissed."""
        if process.exitcode == _LOST and process.pid:
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        with self._lock:
            if process in self._running:
                self._running.discard(process)
                self._deaths.append(process.exitcode or 0)

    def are_running(self) -> bool:
        """Whether there are some that can be stopped."""
        return bool(self._running)

    def death(self) -> WorkerDied | None:
        """What to raise if one has died."""
        return WorkerDied(f"exit code {self._deaths[0]}") if self._deaths else None

    def stop(self) -> None:
        """Kills those that run, and lets no other start."""
        with self._lock:
            self._is_stopped = True
            for process in self._running:
                process.kill()
            self._running.clear()
        self._of_runs.pop(self._number, None)


class _ForkedEnvironment(environments.Environment):
    """The environment of the worker processes of a run."""

    def __init__(self, run: int, options: Mapping[str, Any]):
        super().__init__(capabilities=environments.python_sdk_capabilities())
        self._payload = json.dumps({"run": run, "options": options}, default=str).encode()

    def to_runner_api_parameter(self, context: Any) -> tuple[str, bytes]:
        del context
        return local_workers.FORKED_URN, self._payload


@worker_handlers.WorkerHandler.register_environment(local_workers.FORKED_URN, bytes)
class _ForkedWorkerHandler(worker_handlers.GrpcWorkerHandler):
    """Starts a worker process and waits for its end."""

    def __init__(self, payload: bytes, state: Any, provision_info: Any, grpc_server: Any):
        super().__init__(state, provision_info, grpc_server)
        settings = json.loads(payload)
        self._workers = ForkedWorkers.of_run(settings["run"])
        self._options = settings["options"]
        self._process: BaseProcess | None = None
        # The one thread that asks for the exit code: a second one that asks at the same time gets another.
        self._watcher = threading.Thread(target=self._watch, name=f"watch {self.worker_id}", daemon=True)

    def start_worker(self) -> None:
        environment = local_workers.worker_environment(
            self.worker_id,
            text_format.MessageToString(self.control_api_service_descriptor()),
            text_format.MessageToString(self.logging_api_service_descriptor()),
            self._options,
        )
        self._process = self._workers.start(environment)
        self._watcher.start()

    def _watch(self) -> None:
        assert self._process is not None
        self._process.join()
        self._workers.has_ended(self._process)

    def close(self) -> None:
        """Lets the worker end, or kills it if the run has failed: it may be busy for long, or not be connected yet."""
        if self._process is None:
            return
        has_failed = sys.exc_info()[0] is not None  # Beam closes its workers in a ``finally``
        if has_failed:
            self._watcher.join(_DEATH_SECONDS)
        self._workers.dismiss(self._process)
        if has_failed:
            self._process.kill()
        try:
            super().close()
        except grpc.RpcError:  # its streams broke
            self.stop_worker()

    def stop_worker(self) -> None:
        self._watcher.join()
