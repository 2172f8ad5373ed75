"""The worker processes of a local run, as Beam's Python engine starts and ends them. It does not see that one dies."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Mapping
from multiprocessing.process import BaseProcess
from typing import Any

import grpc
from apache_beam.runners.portability.fn_api_runner import worker_handlers
from apache_beam.transforms import environments
from google.protobuf import text_format

from pipelines import local_workers

_DEATH_SECONDS = 0.1  # from the death of a worker, which may break the run at once, until its exit code is known


class WorkerDied(Exception):
    """A process that this run needs ended by itself, or was killed."""

    def __init__(self, how: str):
        super().__init__(
            f"a worker process died ({how}; -9 means killed, often for want of memory); "
            "run again to resume: finished work is kept"
        )


class ForkedEnvironment(environments.Environment):
    """The environment of the worker processes of ``local_workers``."""

    def __init__(self, options: Mapping[str, Any]):
        super().__init__(capabilities=environments.python_sdk_capabilities())
        self._payload = json.dumps(options, default=str).encode()

    def to_runner_api_parameter(self, context: Any) -> tuple[str, bytes]:
        del context
        return local_workers.FORKED_URN, self._payload


@worker_handlers.WorkerHandler.register_environment(local_workers.FORKED_URN, bytes)
class _ForkedWorkerHandler(worker_handlers.GrpcWorkerHandler):
    """Starts a worker process, and keeps its exit code if it ends before it is told to."""

    running: set[BaseProcess] = set()  # noqa: RUF012 - of all handlers of this process, but none that is told to end
    deaths: list[int] = []  # noqa: RUF012 - exit codes

    def __init__(self, payload: bytes, state: Any, provision_info: Any, grpc_server: Any):
        super().__init__(state, provision_info, grpc_server)
        self._options = json.loads(payload)
        self._process: BaseProcess | None = None
        # Alone asks for the exit code, as a process object is not made for threads.
        self._watcher = threading.Thread(target=self._watch, name=f"watch {self.worker_id}", daemon=True)

    def start_worker(self) -> None:
        environment = local_workers.worker_environment(
            self.worker_id,
            text_format.MessageToString(self.control_api_service_descriptor()),
            text_format.MessageToString(self.logging_api_service_descriptor()),
            self._options,
        )
        try:
            self._process = local_workers.start_worker(environment)
        except (EOFError, ConnectionError) as error:
            raise WorkerDied("the one that starts the others") from error
        self.running.add(self._process)
        self._watcher.start()

    def _watch(self) -> None:
        assert self._process is not None
        self._process.join()
        if self._process in self.running:
            self.running.discard(self._process)
            self.deaths.append(self._process.exitcode or 0)

    def close(self) -> None:
        """Lets the worker end, or kills it if the run has failed: it may be busy for long, or not be connected yet."""
        if self._process is None:
            return
        has_failed = sys.exc_info()[0] is not None  # Beam closes its workers in a ``finally``
        if has_failed:
            self._watcher.join(_DEATH_SECONDS)
        self.running.discard(self._process)
        if has_failed:
            self._process.kill()
        try:
            super().close()
        except grpc.RpcError:  # its streams broke
            self.stop_worker()

    def stop_worker(self) -> None:
        self._watcher.join()


def are_running() -> bool:
    """Whether this run has workers that can be stopped."""
    return bool(_ForkedWorkerHandler.running)


def dead_worker() -> WorkerDied | None:
    """What to raise for the first worker of this run that has died."""
    deaths = _ForkedWorkerHandler.deaths
    return WorkerDied(f"exit code {deaths[0]}") if deaths else None


def stop_workers() -> None:
    """Kills the workers that run, and forgets those that died."""
    while _ForkedWorkerHandler.running:
        _ForkedWorkerHandler.running.pop().kill()
    _ForkedWorkerHandler.deaths.clear()
