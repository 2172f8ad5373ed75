"""``boxmill-worker``: starts Beam's Python worker in this very environment, as Beam's container would.

PROCESS environments of Flink and Spark, and Beam's own worker pools (``--container_executable``), start it with the
addresses of the runner's services, by Beam's container contract; the runner's own answer says what else a worker must
know: the options of the pipeline, and where to log. Our own pools (``worker_pool``) need no program: they call
``serve``. Standard output goes to standard error, since Beam's pool never reads what its workers print, and a full pipe
would stop them for ever.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any

from pipelines.version import VERSION

_ASK_SECONDS = 60
_EXPERIMENT = "boxmill_launcher="


REFUSED = "WorkerRefused"  # kind of the failure of a worker whose environment is not the launcher's


def main(argv: Sequence[str] | None = None) -> None:
    """The command: one worker."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--id", required=True)
    parser.add_argument("--provision_endpoint", required=True)
    for service in ("control", "logging"):
        parser.add_argument(f"--{service}_endpoint", default="")
    arguments, _ = parser.parse_known_args(argv)
    serve(arguments.id, arguments.provision_endpoint, arguments.control_endpoint, arguments.logging_endpoint)


def serve(worker_id: str, provision: str, control: str = "", logging_address: str = "") -> None:
    """Runs a worker until its runner lets go of it.

    Args:
      worker_id: the runner's name for it.
      provision: address of the service that knows the rest.
      control, logging_address: of the other services, where that one does not say.
    """
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    print(f"worker {worker_id} is process {os.getpid()}", flush=True)

    from apache_beam.runners.worker import sdk_worker_main
    from google.protobuf import json_format

    from pipelines import local_workers, quick_beam

    info = _provision_info(provision, worker_id)
    control = info.control_endpoint.url or control
    options = json_format.MessageToDict(info.pipeline_options)
    if problem := difference(options.get("beam:option:experiments:v1", ())):
        _refuse(control, worker_id, problem)
        return
    local_workers.spare_garbage_collector()
    quick_beam.end_bundles_promptly()
    logging_address = info.logging_endpoint.url or logging_address
    environment = local_workers.worker_environment(
        worker_id, _descriptor(control), _descriptor(logging_address), options
    )
    os.environ.update(environment, RUNNER_CAPABILITIES=" ".join(info.runner_capabilities))
    sdk_worker_main.main([])


def launcher_experiment() -> str:
    """The option by which a launcher tells its versions to workers."""
    return _EXPERIMENT + _versions()


def difference(experiments: Sequence[str]) -> str:
    """How this environment differs from the launcher's, by the pipeline's experiments; "" if in nothing."""
    [theirs] = [item.removeprefix(_EXPERIMENT) for item in experiments if item.startswith(_EXPERIMENT)] or [""]
    if theirs in ("", _versions()):
        return ""
    return (
        f"the workers have {_versions()}, this command has {theirs}; install the same versions of Python, Apache Beam "
        "and Boxmill for both"
    )


def _versions() -> str:
    import apache_beam

    return (
        f"Python {sys.version_info[0]}.{sys.version_info[1]} with Beam {apache_beam.__version__} and Boxmill {VERSION}"
    )


def _provision_info(address: str, worker_id: str) -> Any:
    import grpc
    from apache_beam.portability.api import beam_provision_api_pb2 as messages
    from apache_beam.portability.api import beam_provision_api_pb2_grpc as services

    with grpc.insecure_channel(address) as channel:
        return (
            services.ProvisionServiceStub(channel)
            .GetProvisionInfo(
                messages.GetProvisionInfoRequest(), metadata=[("worker_id", worker_id)], timeout=_ASK_SECONDS
            )
            .info
        )


def _refuse(control: str, worker_id: str, problem: str) -> None:
    """Answers all work with a failure: that way the problem reaches the launcher."""
    import queue

    import grpc
    from apache_beam.portability.api import beam_fn_api_pb2 as messages
    from apache_beam.portability.api import beam_fn_api_pb2_grpc as services

    named = [("worker_id", worker_id)]
    answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
    idle: queue.SimpleQueue[Any] = queue.SimpleQueue()
    data: dict[str, Any] = {}
    with grpc.insecure_channel(control) as channel:
        runner = services.BeamFnControlStub(channel)
        try:
            for request in runner.Control(iter(answers.get, None), metadata=named):
                if request.HasField("process_bundle"):
                    asked = messages.GetProcessBundleDescriptorRequest(
                        process_bundle_descriptor_id=request.process_bundle.process_bundle_descriptor_id
                    )
                    descriptor = runner.GetProcessBundleDescriptor(asked, metadata=named)
                    # A runner waits for minutes until its data are asked for, whatever was answered.
                    for address in _data_addresses(descriptor) - data.keys():
                        stub = services.BeamFnDataStub(grpc.insecure_channel(address))
                        data[address] = stub.Data(iter(idle.get, None), metadata=named)
                answers.put(
                    messages.InstructionResponse(instruction_id=request.instruction_id, error=f"{REFUSED}: {problem}")
                )
        except grpc.RpcError:
            pass  # the runner has let go of this worker
    os._exit(1)  # whatever still waits


def _data_addresses(descriptor: Any) -> set[str]:
    """Where the data of a bundle come from."""
    from apache_beam.portability.api import beam_fn_api_pb2 as messages

    ports = (
        messages.RemoteGrpcPort.FromString(transform.spec.payload)
        for transform in descriptor.transforms.values()
        if transform.spec.urn in ("beam:runner:source:v1", "beam:runner:sink:v1")
    )
    return {port.api_service_descriptor.url for port in ports}


def _descriptor(address: str) -> str:
    """An address in the text form that workers read."""
    from apache_beam.portability.api import endpoints_pb2
    from google.protobuf import text_format

    return str(text_format.MessageToString(endpoints_pb2.ApiServiceDescriptor(url=address)))


if __name__ == "__main__":
    main()
