"""A pool of Python workers at one address, so that each TaskManager of a machine can have its own.

Beam's own pool (``apache_beam.runners.worker.worker_pool_main``) listens at all addresses of its machine: one pool a
machine. All else is Beam's.
"""

from __future__ import annotations

import argparse
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from types import FrameType

import grpc
from apache_beam.portability.api import beam_fn_api_pb2_grpc
from apache_beam.runners.worker.worker_pool_main import BeamFnExternalWorkerPoolServicer, kill_process_gracefully


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", required=True, help="HOST:PORT to listen at")
    parser.add_argument("--container_executable", required=True, help="what starts a worker")
    arguments = parser.parse_args()
    pool = BeamFnExternalWorkerPoolServicer(use_process=True, container_executable=arguments.container_executable)
    server = grpc.server(ThreadPoolExecutor(4))
    beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(pool, server)
    server.add_insecure_port(arguments.address)
    server.start()
    signal.signal(signal.SIGTERM, _exit)
    try:
        server.wait_for_termination()
    finally:
        for worker in pool._worker_processes.values():
            kill_process_gracefully(worker, timeout=2)


def _exit(number: int, frame: FrameType | None) -> None:
    del number, frame
    sys.exit(0)


if __name__ == "__main__":
    main()
