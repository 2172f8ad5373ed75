"""A worker of the fake Dataflow: takes a job's description from stdin and has nothing else of the submitter's machine.

It downloads what was staged, installs the source package into an empty folder, and runs the pipeline's proto there. It
prints facts for the tests, a line each.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from typing import Any

from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability import python_urns
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.runners.portability.fn_api_runner import FnApiRunner


def download(url: str) -> bytes:
    with FileSystems.open(url, compression_type=CompressionTypes.UNCOMPRESSED) as file:
        return bytes(file.read())


def staged_files(pipeline: beam_runner_api_pb2.Pipeline) -> dict[str, bytes]:
    """What the environments of a pipeline depend on, by the names that it must have on a worker."""
    files = {}
    for environment in pipeline.components.environments.values():
        for dependency in environment.dependencies:
            name = beam_runner_api_pb2.ArtifactStagingToRolePayload.FromString(dependency.role_payload).staged_name
            # Both payloads, of a file and of a URL, have the place first.
            files[name] = download(beam_runner_api_pb2.ArtifactUrlPayload.FromString(dependency.type_payload).url)
    return files


def install(package: str, target: str) -> None:
    """Installs a source package alone: its dependencies are those of the image."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--target", target, package], check=True)
    sys.path.insert(0, target)


def run(pipeline: beam_runner_api_pb2.Pipeline, options: dict[str, Any]) -> None:
    """Runs a pipeline in this process, with its own code in place of the environments' containers."""
    for environment in pipeline.components.environments.values():
        environment.urn, environment.payload = python_urns.EMBEDDED_PYTHON, b""
        del environment.dependencies[:]
    kept = {name: options[name] for name in ("job_name", "project", "temp_location") if name in options}
    result = FnApiRunner().run_via_runner_api(pipeline, PipelineOptions.from_dictionary(kept))
    result.wait_until_finish()
    metrics = []
    for counter in result.metrics().query()["counters"]:
        name, step = counter.key.metric, counter.key.step
        for tentative in ({}, {"tentative": "true"}):
            context = {"namespace": name.namespace, "step": step, **tentative}
            described = {"origin": "user", "name": name.name, "context": context}
            metrics.append({"name": described, "scalar": counter.committed, "updateTime": "2026-01-01T00:00:00Z"})
    print("METRICS " + json.dumps(metrics))


def main() -> None:
    options = json.load(sys.stdin)["environment"]["sdkPipelineOptions"]["options"]
    print("HAS_PROJECT", importlib.util.find_spec("pipelines") is not None)
    pipeline = beam_runner_api_pb2.Pipeline.FromString(download(options["pipelineUrl"]))
    with tempfile.TemporaryDirectory() as folder:
        files = staged_files(pipeline)
        print("STAGED", *sorted(files))
        for name, data in files.items():
            with open(os.path.join(folder, name), "wb") as file:
                file.write(data)
        if "workflow.tar.gz" in files:
            install(os.path.join(folder, "workflow.tar.gz"), os.path.join(folder, "site"))
        run(pipeline, options)
    print("IMPORTED_TENSORFLOW", "tensorflow" in sys.modules)


if __name__ == "__main__":
    main()
