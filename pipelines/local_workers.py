"""Worker processes of this machine, forked from a server that has everything imported already.

A worker of Beam's own subprocess mode spends seconds importing Beam. Here one server process imports it while the
launcher does the same on another core, and each worker is a fork of that server: it is there at once.
"""

from __future__ import annotations

import gc
import json
import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from multiprocessing import connection, forkserver, resource_tracker
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from typing import Any

from pipelines.flags import runs_here
from transforms.freed_memory import return_freed_memory

_CONTEXT: ForkServerContext = multiprocessing.get_context("forkserver")
FORKED_URN = "boxmill:env:forked_process:v1"
# All threads, and Arrow too, take from what any of them has freed. A process must find these when it starts.
_MEMORY_OF_WORKERS = {"MALLOC_ARENA_MAX": "1", "ARROW_DEFAULT_MEMORY_POOL": "system"}


def prepare_run(argv: Sequence[str], modules: Sequence[str]) -> None:
    """Starts what takes long, by the command line alone: call it before anything imports Beam.

    Args:
      argv: of the command; it need not be a valid one.
      modules: what workers need, imported once, in the server of worker processes. None of them may start threads.
    """
    if runs_here(argv):  # no matrix is large enough for several threads, and those of OpenBLAS would wait busily
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if any("multi_processing" in argument for argument in argv):
        return_freed_memory()  # this process only deals out the work
        warm_up(["pipelines.quiet_beam", "pipelines.lean_beam", *modules])
    from pipelines import quiet_beam

    quiet_beam.quieten()
    if runs_here(argv):
        from pipelines import lean_beam  # noqa: F401


def warm_up(modules: Sequence[str]) -> None:
    """Starts the server of worker processes, which imports Beam's worker and ``modules`` while this process goes on."""
    for name, value in _MEMORY_OF_WORKERS.items():
        os.environ.setdefault(name, value)
    _CONTEXT.set_forkserver_preload(
        [*modules, __name__, "grpc.experimental", "apache_beam.runners.worker.sdk_worker_main"]
    )
    # Ctrl-C is for the launcher, with which all of them end. They inherit that it is held back.
    resource_tracker.ensure_running()  # the start of the server would start it, and that lets Ctrl-C through again
    held_back = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    forkserver.ensure_running()
    signal.pthread_sigmask(signal.SIG_SETMASK, held_back)


def start_process(work: Callable[..., None], *arguments: Any) -> BaseProcess:
    """Starts a fork of the server that does ``work``, and that ends when this process does, however that ends."""
    process = _CONTEXT.Process(target=_work, args=(work, arguments), daemon=True)
    process.start()
    return process


def spare_garbage_collector() -> None:
    """Makes cyclic garbage collection rare, for the rest of this process.

    Annotations are millions of small tuples in no cycle; by default they would be looked through again and again,
    which takes longer than reading them. What is imported is there for good and need never be looked at.
    """
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)


def start_worker(environment: Mapping[str, str]) -> BaseProcess:
    """Starts a worker process that connects to the addresses in ``environment``."""
    return start_process(_serve, dict(environment))


def worker_environment(
    worker_id: str, control: str, logging_address: str, options: Mapping[str, Any]
) -> dict[str, str]:
    """What Beam's worker looks for in its environment; the addresses are text-format ApiServiceDescriptors."""
    return {
        "WORKER_ID": worker_id,
        "CONTROL_API_SERVICE_DESCRIPTOR": control,
        "LOGGING_API_SERVICE_DESCRIPTOR": logging_address,
        "PIPELINE_OPTIONS": json.dumps(options, default=str),
    }


def _work(work: Callable[..., None], arguments: Sequence[Any]) -> None:
    threading.Thread(target=_die_with_launcher, name="die-with-launcher", daemon=True).start()
    work(*arguments)


def _serve(environment: dict[str, str]) -> None:
    from apache_beam.runners.worker import sdk_worker_main

    from pipelines import quiet_beam

    quiet_beam.quieten_failures()
    spare_garbage_collector()
    os.environ.update(environment)
    logging.getLogger().handlers.clear()
    sdk_worker_main.main([])


def _die_with_launcher() -> None:
    """Ends this process when the launcher is gone, however it ended: no writer survives its run."""
    launcher = multiprocessing.parent_process()
    assert launcher is not None
    connection.wait([launcher.sentinel])
    os._exit(1)
