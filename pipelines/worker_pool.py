"""``boxmill-worker-pool``: starts Python workers on a machine of a cluster, for whoever can reach its address.

Beam's own pool (``apache_beam.runners.worker.worker_pool_main``) runs a program for each worker, which imports for
seconds. Here one process has imported everything, and workers are forks of it. A pool that ends takes its workers
along, however it ends.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import Any

import grpc
from apache_beam.portability.api import beam_fn_api_pb2 as messages
from apache_beam.portability.api import beam_fn_api_pb2_grpc as services

from pipelines import build_tfrecords, detect_video, local_workers, remote_worker, verify_tfrecords

_COMMANDS = (build_tfrecords, detect_video, verify_tfrecords)
_STOP_SECONDS = 5


class WorkerPool(services.BeamFnExternalWorkerPoolServicer):
    """Beam's service of that name."""

    def __init__(self) -> None:
        self._workers: dict[str, BaseProcess] = {}
        local_workers.warm_up([name for command in _COMMANDS for name in command.WORKER_MODULES])

    def StartWorker(self, request: Any, context: Any) -> Any:  # noqa: N802 - Beam's name
        """Starts a worker, which asks the runner for its work."""
        del context
        self._workers[request.worker_id] = local_workers.start_process(
            remote_worker.serve,
            request.worker_id,
            request.provision_endpoint.url,
            request.control_endpoint.url,
            request.logging_endpoint.url,
        )
        return messages.StartWorkerResponse()

    def StopWorker(self, request: Any, context: Any) -> Any:  # noqa: N802 - Beam's name
        """Ends a worker that the runner no longer needs."""
        del context
        if (worker := self._workers.pop(request.worker_id, None)) is not None:
            worker.terminate()
            worker.join(_STOP_SECONDS)
            worker.kill()
        return messages.StopWorkerResponse()


def main(argv: Sequence[str] | None = None) -> None:
    """Serves until it is ended."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--address", required=True, help="HOST:PORT to listen at, such as 0.0.0.0:50000")
    address = parser.parse_args(argv).address
    server = grpc.server(ThreadPoolExecutor(4))
    services.add_BeamFnExternalWorkerPoolServicer_to_server(WorkerPool(), server)
    try:
        server.add_insecure_port(address)
    except RuntimeError as error:
        sys.exit(f"boxmill-worker-pool: cannot listen at {address}: {error}")
    server.start()
    signal.signal(signal.SIGTERM, _exit)
    threading.Event().wait()


def _exit(number: int, frame: FrameType | None) -> None:
    del number, frame
    sys.exit(0)


if __name__ == "__main__":
    main()
