"""Beam without what says nothing to a user of local files: remarks that cloud libraries are absent, and the traceback
of a failure three times over. The failure itself is raised, and the command tells it once."""

from __future__ import annotations

import logging
import threading
from typing import Any


class _NoRemarks(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        # What a job server says of a failed job is raised, too.
        is_failure = record.name == "root" and record.module == "portable_runner"
        is_remark = str(record.msg).startswith(("apitools not found", "Could not find a compatible bson"))
        return not is_failure and not is_remark


def quieten() -> None:
    """Sets up the root logger, which then shows messages from WARNING on."""
    root = logging.getLogger()
    if not root.handlers:
        logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    for handler in root.handlers:
        if not any(isinstance(item, _NoRemarks) for item in handler.filters):
            handler.addFilter(_NoRemarks())


class _JobFacts(logging.Filter):
    """Of the many remarks of a submission, those that name the job: schedulers read its id from them."""

    def filter(self, record: logging.LogRecord) -> bool:
        facts = ("Created job with id", "Submitted job", "To access the Dataflow", "A template was")
        return record.levelno >= logging.WARNING or str(record.msg).startswith(facts)


def show_submission() -> None:
    """Lets Dataflow's client say at INFO which job it has created, and in which state that is."""
    for name in ("internal.apiclient", "dataflow_runner"):
        logging.getLogger(f"apache_beam.runners.dataflow.{name}").setLevel(logging.INFO)
    client = logging.getLogger("apache_beam.runners.dataflow.internal.apiclient")
    if not client.filters:
        client.addFilter(_JobFacts())


def quieten_failures() -> None:
    """Keeps local workers from logging and printing a failure that the runner raises anyway."""
    from apache_beam.runners.worker import log_handler, sdk_worker

    for name in ("apache_beam.runners.common", "apache_beam.runners.worker.data_plane", sdk_worker.__name__):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    logging.getLogger("apache_beam.runners.worker.sdk_worker_main").setLevel(logging.ERROR)
    for module in (sdk_worker, log_handler):
        module.print = _print_nothing  # these print to stderr besides logging
    threading.excepthook = _tell_of_thread


def _tell_of_thread(args: Any) -> None:
    """As Python does, but not of the streams to a worker that break when it ends."""
    import grpc

    if not (args.exc_type and issubclass(args.exc_type, grpc.RpcError)):
        threading.__excepthook__(args)


def _print_nothing(*args: Any, **kwargs: Any) -> None:
    del args, kwargs


quieten()
