"""Jobs for runners of one's own machines, such as Flink: what a job needs is checked before anything is written, and a
failure there is told as one here would be."""

from __future__ import annotations

import json
import re
import shutil
import socket

import grpc
from apache_beam.options.pipeline_options import (
    DebugOptions,
    FlinkRunnerOptions,
    PipelineOptions,
    PortableOptions,
    StandardOptions,
)

from pipelines.flags import UsageError
from pipelines.remote_worker import launcher_experiment

_RUNNERS = ("flinkrunner", "portablerunner", "sparkrunner")
_ANSWER_SECONDS = 10
# Workers outlive the pause between two steps of a job, else each step would start its own; but not the pause before a
# retry, which would be given to the worker that died (docs/flink.md asks for 5 s).
_KEPT_WORKER_MILLISECONDS = 3000


def is_cluster(options: PipelineOptions) -> bool:
    """Whether a job server of Beam's runs the pipeline."""
    return str(options.view_as(StandardOptions).runner or "").rsplit(".", 1)[-1].lower() in _RUNNERS


def check_cluster(options: PipelineOptions) -> None:
    """Refuses a job for a cluster that does not answer; other jobs pass. Sets what workers are told.

    Raises:
      UsageError: with what to change.
    """
    if not is_cluster(options):
        return
    portable, flink = options.view_as(PortableOptions), options.view_as(FlinkRunnerOptions)
    if portable.job_endpoint and portable.job_endpoint != "embed":
        _check_job_server(portable.job_endpoint)
    elif "flink" in str(options.view_as(StandardOptions).runner).lower():
        _check_flink(flink)
    if not portable.environment_cache_millis:
        portable.environment_cache_millis = _KEPT_WORKER_MILLISECONDS
    options.view_as(DebugOptions).add_experiment(launcher_experiment())


def _check_job_server(endpoint: str) -> None:
    host, _, port = endpoint.rpartition(":")
    try:
        socket.create_connection((host, int(port)), _ANSWER_SECONDS).close()
        with grpc.insecure_channel(endpoint) as channel:
            grpc.channel_ready_future(channel).result(_ANSWER_SECONDS)
        return
    except (OSError, ValueError) as error:
        reason = _reason(error)
    except grpc.FutureTimeoutError:
        reason = "something else does"
    raise UsageError(
        f"--job_endpoint={endpoint}: no job server answers there ({reason}); start Beam's, or leave the flag out and "
        "name the cluster by --flink_master"
    )


def _check_flink(options: FlinkRunnerOptions) -> None:
    from urllib import request

    from apache_beam.runners.portability.flink_runner import MAGIC_HOST_NAMES, FlinkRunner
    from apache_beam.utils.subprocess_server import JavaHelper

    master = options.flink_master
    if not options.flink_submit_uber_jar and shutil.which(JavaHelper.get_java()) is None:
        raise UsageError(
            "--runner=FlinkRunner starts Beam's job server, which needs Java; install Java 17, or name a running "
            "server by --job_endpoint=HOST:PORT"
        )
    if master in MAGIC_HOST_NAMES:
        return
    try:
        with request.urlopen(f"{FlinkRunner.add_http_scheme(master)}/overview", timeout=_ANSWER_SECONDS) as answer:
            version = str(json.load(answer)["flink-version"])
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(
            f"--flink_master={master}: no Flink answers there ({_reason(error)}); give HOST:PORT of its REST service "
            "(docs/flink.md says how to set up a cluster)"
        ) from None
    minor = ".".join(version.split(".")[:2])
    if minor != options.flink_version:
        raise UsageError(
            f"the cluster at {master} runs Flink {version}, and the job would be for {options.flink_version}; give "
            f"--flink_version={minor}"
        )


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", error)  # of urllib's own kind of OSError
    return str(getattr(reason, "strerror", None) or reason)


_SAID = (
    (
        r"UNAVAILABLE: io exception|ConnectException|UnknownHostException|Unable to resolve host",
        "no worker pool answers at --environment_config; start one beside each TaskManager, as docs/flink.md says",
    ),
    (
        r"No module named '(?:pipelines|transforms)[.\w]*'",
        "the workers do not have Boxmill; install this version of it in their environment, as docs/flink.md says",
    ),
    (
        r"NoResourceAvailableException",
        "the cluster has not enough free task slots; give a smaller --parallelism, or add TaskManagers",
    ),
    (
        r"unknown opcode|bad marshal data|code\(\) (?:argument|takes|expected)",
        "the workers run another version of Python; install the same versions of Python, Apache Beam and Boxmill for "
        "both",
    ),
)


def told_failure(text: str) -> str:
    """What a user can do about a failure of the cluster itself, as its job server told it; "" if it is not known."""
    return next((sentence for pattern, sentence in _SAID if re.search(pattern, text)), "")


def is_set_up_wrong(text: str) -> bool:
    """Whether a job's first failure shows that its workers cannot be started; later, a pool may only be starting."""
    is_of_pool = "ExternalEnvironmentFactory" in text or "No module named" in text
    return is_of_pool and bool(told_failure(text))


def python_part(text: str) -> str:
    """Of a failure that Java passed on, what the Python worker said; all of it if there is no such part."""
    said = re.split(r"Error received from SDK harness for instruction [^:]*: ", text)[-1]
    # Java adds where it met the failure.
    return re.split(r"\n\s+at [\w.$]+\(|\nCaused by:", said)[0]
