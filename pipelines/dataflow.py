"""Jobs for Google Cloud Dataflow: what a job needs is checked before anything is read or staged, and what the cloud
refuses is told in a sentence.

Beam itself finds such mistakes late: it tries for minutes to write to a bucket that is not there, and a job without its
code fails on the workers.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from apache_beam.options.pipeline_options import (
    DebugOptions,
    GoogleCloudOptions,
    PipelineOptions,
    SetupOptions,
    StandardOptions,
    WorkerOptions,
)
from apache_beam.version import __version__ as beam_version

from pipelines.flags import UsageError

_LIBRARIES = ("google.cloud.dataflow", "apitools", "google.cloud.storage")
_NEEDED = {"project": "PROJECT", "region": "us-central1", "temp_location": "gs://BUCKET/temp"}
# apache/beam_python3.11_sdk:2.77.0, and the tags of deploy/dataflow: …-beam2.77.0-py3.11
_IMAGE_PYTHON = re.compile(r"py(?:thon)?(\d\.\d+)")
_IMAGE_BEAM = re.compile(r"(?:_sdk:|beam)(\d+\.\d+\.\d+)")
_STAGING_PERMISSIONS = ("storage.buckets.get", "storage.objects.create", "storage.objects.get")
_CLOUD_SECONDS = 10
_LOCATIONS = ("temp_location", "staging_location")
_LOG_IN = "run `gcloud auth application-default login`, or name a key file in GOOGLE_APPLICATION_CREDENTIALS"


def is_dataflow(options: PipelineOptions) -> bool:
    """Whether the pipeline runs on Dataflow."""
    return str(options.view_as(StandardOptions).runner or "").rsplit(".", 1)[-1].lower() == "dataflowrunner"


Paths = str | Sequence[str] | None


def check_job(options: PipelineOptions, places: Mapping[str, Paths], *, in_stock_image: bool) -> None:
    """Refuses a job for Dataflow that could not run there; other jobs pass. Makes ``--setup_file`` absolute.

    Args:
      options: Beam's.
      places: values of flags that workers read or write, by the flags' names.
      in_stock_image: Beam's own worker image has all that the job needs besides Boxmill.

    Raises:
      UsageError: with what to change.
    """
    if not is_dataflow(options):
        return
    _check_libraries()
    _check_needed(options)
    check_accelerators(options)
    _check_image(options, in_stock_image=in_stock_image)
    _check_code(options)
    if not _is_rehearsed(options):
        _check_places(places)
        cloud = options.view_as(GoogleCloudOptions)
        _check_places({name: getattr(cloud, name) for name in _LOCATIONS})
    _check_cloud(options)


def _check_libraries() -> None:
    if missing := missing_library():
        raise UsageError(
            f"--runner=DataflowRunner needs {missing}, which is not installed; run pip install 'boxmill[gcp]'"
        )


def missing_library() -> str | None:
    """A library of the cloud that is not installed, if one is not."""
    for name in _LIBRARIES:
        try:
            found = importlib.util.find_spec(name)
        except ModuleNotFoundError:  # a parent of it
            found = None
        if found is None:
            return name
    return None


def _check_needed(options: PipelineOptions) -> None:
    cloud = options.view_as(GoogleCloudOptions)
    if not cloud.region:
        cloud.region = os.environ.get("CLOUDSDK_COMPUTE_REGION")
    missing = [f"--{name}={example}" for name, example in _NEEDED.items() if not getattr(cloud, name)]
    if missing:
        raise UsageError(f"--runner=DataflowRunner needs {' and '.join(missing)} as well")


def check_accelerators(options: PipelineOptions) -> None:
    """One process with the GPU, several that share it (MPS), or hints for steps: Dataflow knows no mixture of these."""
    services = options.view_as(GoogleCloudOptions).dataflow_service_options or []
    asked = [f"--dataflow_service_options={item}" for item in services if item.startswith("worker_accelerator=")]
    is_shared = any("use_nvidia_mps" in flag for flag in asked)
    hints = options.view_as(StandardOptions).get_all_options().get("resource_hints") or []
    asked += [f"--resource_hints={hint}" for hint in hints if "accelerator" in str(hint)]
    if len(asked) > 1:
        raise UsageError(f"{' and '.join(asked)} ask for a GPU in two ways; give one of them")
    if is_shared and "no_use_multiple_sdk_containers" in (options.view_as(DebugOptions).experiments or []):
        raise UsageError(
            "use_nvidia_mps shares the GPU between processes, and --experiments=no_use_multiple_sdk_containers allows "
            "one process only; leave one of them out"
        )


def _check_image(options: PipelineOptions, *, in_stock_image: bool) -> None:
    image = options.view_as(WorkerOptions).sdk_container_image
    if not image:
        if not in_stock_image:
            raise UsageError(
                "TensorFlow and PyAV are not in Beam's own worker image; give --sdk_container_image=IMAGE, "
                "made as docs/dataflow.md says"
            )
        return
    here = {"Python": ".".join(platform.python_version_tuple()[:2]), "Beam": beam_version}
    named = {"Python": _IMAGE_PYTHON.search(image), "Beam": _IMAGE_BEAM.search(image)}
    for what, match in named.items():
        if match and match[1] != here[what]:
            raise UsageError(
                f"--sdk_container_image={image} is named for {what} {match[1]}, but this is {what} {here[what]}: steps "
                "pickled here could not be read there; use an image of the same versions"
            )


def _check_code(options: PipelineOptions) -> None:
    setup = options.view_as(SetupOptions)
    if setup.setup_file:
        path = os.path.abspath(setup.setup_file)  # Beam changes into its folder, wherever that is
        if not os.path.isfile(path):
            raise UsageError(f"--setup_file={setup.setup_file} is not there; it is in the folder of Boxmill's source")
        setup.setup_file = path
    elif not setup.extra_packages and not options.view_as(WorkerOptions).sdk_container_image:
        raise UsageError(
            "Dataflow's workers do not have Boxmill; give --setup_file=./setup.py from the folder of its source, or "
            "--sdk_container_image=IMAGE, made as docs/dataflow.md says"
        )


def _check_places(places: Mapping[str, Paths]) -> None:
    for name, value in places.items():
        for path in [value] if isinstance(value, str) else value or ():
            if "://" not in path:
                raise UsageError(
                    f"--{name}={path} is on this machine, where Dataflow's workers cannot reach it; give a gs:// path"
                )


def _is_rehearsed(options: PipelineOptions) -> bool:
    """Whether the service is one on this machine, for tests: Beam then stages in local folders, too."""
    return "localhost" in (options.view_as(GoogleCloudOptions).dataflow_endpoint or "")


def _check_cloud(options: PipelineOptions) -> None:
    """Credentials are there, and the buckets can be written to: Beam would try for minutes before it says so."""
    cloud = options.view_as(GoogleCloudOptions)
    locations = {
        name: getattr(cloud, name) or "" for name in ("temp_location", "staging_location", "template_location")
    }
    buckets = {path.split("/")[2]: name for name, path in locations.items() if path.startswith("gs://")}
    if cloud.no_auth and not buckets:
        return
    import google.auth
    from google.api_core import exceptions
    from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError, TransportError
    from google.cloud.storage.retry import DEFAULT_RETRY

    if not cloud.no_auth:
        try:
            google.auth.default(scopes=cloud.gcp_oauth_scopes)
        except DefaultCredentialsError:
            raise UsageError(f"there are no Google Cloud credentials on this machine; {_LOG_IN}") from None
    from apache_beam.io.gcp.gcsio import create_storage_client

    client = create_storage_client(options, not cloud.no_auth)
    retry = DEFAULT_RETRY.with_timeout(_CLOUD_SECONDS)
    for bucket, flag in buckets.items():
        where = f"--{flag}={locations[flag]}"
        try:
            granted = client.bucket(bucket).test_iam_permissions(
                _STAGING_PERMISSIONS, timeout=_CLOUD_SECONDS, retry=retry
            )
        except exceptions.NotFound:
            raise UsageError(
                f"{where}: there is no bucket {bucket}; make it with "
                f"`gcloud storage buckets create gs://{bucket} --location={cloud.region}`, or give another one"
            ) from None
        except (exceptions.Forbidden, exceptions.Unauthorized):
            granted = []
        except TransportError as error:
            raise UsageError(f"{where} cannot be reached: {_first_line(error)}; check the network") from None
        except GoogleAuthError as error:
            raise UsageError(f"the credentials are refused: {_first_line(error)}; {_LOG_IN}") from None
        except (exceptions.GoogleAPIError, OSError) as error:
            raise UsageError(f"{where} cannot be reached: {_first_line(error)}; check the network") from None
        lacking = sorted({*_STAGING_PERMISSIONS} - {*granted})
        if lacking:
            raise UsageError(
                f"{where}: these credentials lack {', '.join(lacking)} on bucket {bucket}; grant them "
                "roles/storage.admin there, or give another bucket"
            )


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


@contextmanager
def submitting() -> Iterator[None]:
    """Within the block a job is staged and submitted; what the cloud refuses is told in a sentence.

    Raises:
      UsageError: with what to change.
    """
    from apache_beam.runners.dataflow.internal.apiclient import DataflowJobAlreadyExistsError
    from google.api_core import exceptions
    from google.auth.exceptions import GoogleAuthError

    try:
        yield
    except DataflowJobAlreadyExistsError as error:
        raise UsageError(_first_line(error)) from None
    except (exceptions.Forbidden, exceptions.Unauthorized) as error:
        raise UsageError(
            f"Dataflow refuses the job: {_first_line(error)}; grant roles/dataflow.developer, and enable "
            "the Dataflow API in the project"
        ) from None
    except exceptions.ClientError as error:
        raise UsageError(f"Dataflow refuses the job: {_first_line(error)}") from None
    except GoogleAuthError as error:
        raise UsageError(f"the credentials are refused: {_first_line(error)}; {_LOG_IN}") from None
    except (exceptions.GoogleAPIError, ConnectionError) as error:
        raise UsageError(f"Dataflow cannot be reached: {_first_line(error)}; check the network and --region") from None
    except ValueError as error:  # Beam's own look at the options
        if "validations errors" not in str(error):
            raise
        raise UsageError(" ".join(str(error).split("\n", 1)[-1].split())) from None
