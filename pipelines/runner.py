"""Runs a pipeline: locally on Beam's Python engine with live counters, elsewhere on the runner that the user named.

``DirectRunner`` means the Python engine itself: Beam's own class of that name first tries to download and run another
engine, so that one command would differ between machines.
"""

from __future__ import annotations

import logging
import os
import re
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext

import apache_beam as beam
import grpc
from apache_beam.metrics import MetricsFilter
from apache_beam.options.pipeline_options import DirectOptions, GoogleCloudOptions, PipelineOptions, StandardOptions
from apache_beam.runners import runner as beam_runner
from apache_beam.runners.portability.fn_api_runner import fn_runner
from apache_beam.transforms import environments

from pipelines import clusters, dataflow, local_workers, quiet_beam, remote_worker
from pipelines.forked_workers import ForkedWorkers
from pipelines.live_counters import NAMESPACE, LiveCounters, reporting_to

LOCAL_RUNNERS = ("", "directrunner", "fnapirunner", "bundlebaseddirectrunner")
REFUSED_RUNNERS = {
    "daskrunner": "it loses outputs of pipelines with several sinks",
    "interactiverunner": "it is for notebooks",
}
# Failures that come of the input, besides those whose name ends in Refused.
_FINAL = ("TooManyRejects", "NothingToBuild")
_POLL_SECONDS = 0.1
_PROGRESS_SECONDS = 0.5

OnProgress = Callable[[Counter[str]], None]


class PipelineFailed(Exception):
    """The pipeline did not end well.

    Attributes:
      kind: the name of the exception class that a step raised, or "" if none is known.
      message: what it said.
    """

    def __init__(self, kind: str, message: str):
        super().__init__(message)
        self.kind = kind
        self.message = message


class RunnerRefused(Exception):
    """The runner that the user named cannot be used; the message says why."""


def is_local(options: PipelineOptions) -> bool:
    """Whether the pipeline runs in this process and its children."""
    return _runner_name(options) in LOCAL_RUNNERS


def is_awaited(options: PipelineOptions) -> bool:
    """Whether this process stays until the job has ended: with clusters it always does."""
    is_left = options.view_as(StandardOptions).no_wait_until_finish
    template = options.view_as(GoogleCloudOptions).template_location
    return is_local(options) or clusters.is_cluster(options) or not (is_left or template)


def has_spare_core(options: PipelineOptions) -> bool:
    """Whether this machine runs the pipeline and has more cores than workers."""
    return is_local(options) and options.view_as(DirectOptions).direct_num_workers < (os.cpu_count() or 1)


def workers_here(options: PipelineOptions) -> int:
    """Workers that a pipeline has on this machine; 0 if it runs elsewhere."""
    return (options.view_as(DirectOptions).direct_num_workers or os.cpu_count() or 1) if is_local(options) else 0


def local_workers_of(options: PipelineOptions) -> int:
    """Workers that a pipeline would have on this machine and that it has cores for."""
    cores = os.cpu_count() or 1
    return min(options.view_as(DirectOptions).direct_num_workers or cores, cores)


def _runner_name(options: PipelineOptions) -> str:
    return str(options.view_as(StandardOptions).runner or "").rsplit(".", 1)[-1].lower()


def run_pipeline(
    build: Callable[[beam.Pipeline], None], options: PipelineOptions, on_progress: OnProgress | None = None
) -> str:
    """Builds a graph and runs it to its end, unless the options say that only a template is wanted
    (``--template_location``, which a flex template's launcher gives) or that nobody waits (``--no_wait_until_finish``).

    Args:
      build: adds the steps to a pipeline.
      options: Beam's.
      on_progress: called with counters: a few times a second on the local runner, at the end of a cluster's job.

    Returns:
      What goes on without this process; "" if the job has ended.

    Raises:
      RunnerRefused: the runner is known to do harm, or its cluster cannot run the job.
      UsageError: Dataflow refuses the job.
      PipelineFailed: a step raised, or a worker died.
    """
    name = _runner_name(options)
    if name in REFUSED_RUNNERS:
        raise RunnerRefused(f"--runner={name} is refused: {REFUSED_RUNNERS[name]}; use DirectRunner or FlinkRunner")
    if is_local(options) and options.view_as(DirectOptions).direct_runner_bundle_repeat:
        raise RunnerRefused("--direct_runner_bundle_repeat is refused: what is written and moved cannot be repeated")
    if is_local(options):  # and --no_wait_until_finish means nothing: all ends with this process
        _run_locally(build, options, on_progress or (lambda counters: None))
        return ""
    if clusters.is_cluster(options):
        _run_on_cluster(build, options, on_progress or (lambda counters: None))
        return ""
    if dataflow.is_dataflow(options):
        quiet_beam.show_submission()
    with dataflow.submitting() if dataflow.is_dataflow(options) else nullcontext():
        result = _built(build, None, options).run()
    if not is_awaited(options):
        template = options.view_as(GoogleCloudOptions).template_location
        if template:
            return f"the job that {template} describes"  # it has neither state nor metrics
        return f"job {result.job_id()}" if dataflow.is_dataflow(options) else "the job"
    try:
        state = result.wait_until_finish()
    except Exception as error:
        raise _failure(error) from error
    if state != beam_runner.PipelineState.DONE:
        raise PipelineFailed("", f"the job ended in state {state}")
    return ""


def _run_on_cluster(build: Callable[[beam.Pipeline], None], options: PipelineOptions, on_progress: OnProgress) -> None:
    from pipelines import flink_watch

    with flink_watch.watched(options, _is_final) as watch:
        pipeline = _built(build, None, options)  # which takes over the options as they are now
        try:
            result = pipeline.run()
            result.wait_until_finish()
        except (RuntimeError, grpc.RpcError, grpc.FutureTimeoutError) as error:
            raise _cluster_failure(watch.failure or str(error)) from error
    if watch.failure:
        raise _cluster_failure(watch.failure)
    counted = result.metrics().query(MetricsFilter().with_namespace(NAMESPACE))["counters"]
    on_progress(Counter({item.key.metric.name: item.result for item in counted}))


def _cluster_failure(text: str) -> PipelineFailed | RunnerRefused:
    failed = _failure(RuntimeError(text), clusters.python_part(text))
    told = failed.message if failed.kind == remote_worker.REFUSED else clusters.told_failure(text)
    return RunnerRefused(told) if told else failed


def _is_final(text: str, is_first: bool) -> bool:
    """Whether a failure of a cluster's job would come again, however often the job is run."""
    kind = _failure(RuntimeError(text), clusters.python_part(text)).kind
    return kind.endswith("Refused") or kind in _FINAL or (is_first and clusters.is_set_up_wrong(text))


def _run_locally(build: Callable[[beam.Pipeline], None], options: PipelineOptions, on_progress: OnProgress) -> None:
    quiet_beam.quieten_failures()
    local_workers.spare_garbage_collector()
    workers = ForkedWorkers()
    pipeline = _built(build, _local_runner(options, workers), options)
    counters = LiveCounters()
    failures: list[BaseException] = []
    is_over = threading.Event()

    def run() -> None:
        try:
            pipeline.run().wait_until_finish()
        except BaseException as error:
            failures.append(error)
        is_over.set()

    with reporting_to(counters, failures.append):
        thread = threading.Thread(target=run, name="pipeline", daemon=True)
        thread.start()
        try:
            while not is_over.wait(_POLL_SECONDS):
                on_progress(counters.snapshot())
                # Beam would wait for ever for one that died before all was done, and long for those that are busy.
                is_vain = workers.death() or (failures and workers.are_running())
                if is_vain and not is_over.wait(_POLL_SECONDS):
                    break
            death = workers.death()
        finally:
            workers.stop()  # before they miss this process, and say so
        on_progress(counters.snapshot())
    if failures or not is_over.is_set():
        failure = death or failures[0]
        raise _failure(failure) from failure


def _built(
    build: Callable[[beam.Pipeline], None], runner: beam_runner.PipelineRunner | None, options: PipelineOptions
) -> beam.Pipeline:
    try:
        pipeline = beam.Pipeline(runner=runner, options=options)
    except (ValueError, ImportError) as error:  # a runner that there is not, or options that Beam refuses
        raise RunnerRefused(f"--runner={options.view_as(StandardOptions).runner}: {error}") from error
    # Only transforms in other languages use this folder, and a killed run would leave it behind.
    os.rmdir(pipeline.local_tempdir)
    build(pipeline)
    return pipeline


_NAMED_ERROR = re.compile(r"^(?:[\w.]+\.)?([A-Z]\w*(?:Error|Exception|[a-z])): (.*)$")


def _failure(error: BaseException, text: str | None = None) -> PipelineFailed:
    """The innermost exception of a failure, which crosses process borders as the text of a traceback; by default
    ``text`` is what the error says."""
    kind, message = type(error).__name__, str(error) if text is None else text
    named = [match for line in message.splitlines() if (match := _NAMED_ERROR.match(line.strip()))]
    if named:
        kind, message = named[-1].groups()
        # An exception that takes other arguments than a message comes wrapped in one that does.
        while inner := _NAMED_ERROR.match(message):
            kind, message = inner.groups()
        # Beam adds the step in which it happened, which the user did not name.
        message = re.sub(r" \[while running '.*'\]$", "", message)
    return PipelineFailed(kind, message)


def _local_runner(options: PipelineOptions, workers: ForkedWorkers) -> fn_runner.FnApiRunner:
    direct = options.view_as(DirectOptions)
    mode = direct.direct_running_mode
    forked = mode == "multi_processing"
    if not forked and mode not in ("in_memory", "multi_threading"):
        logging.warning("unknown --direct_running_mode=%s", mode)
    worker_options = {
        name: value for name, value in options.get_all_options(drop_default=True).items() if "direct" not in name
    }
    environment = (
        workers.environment(worker_options) if forked else environments.EmbeddedPythonGrpcEnvironment.default()
    )
    direct.direct_running_mode = "boxmill"  # any name that the runner knows makes it replace our environment
    return fn_runner.FnApiRunner(default_environment=environment, progress_request_frequency=_PROGRESS_SECONDS)
