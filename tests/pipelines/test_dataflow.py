"""Mistakes in jobs for Dataflow are told in a sentence before anything is read or staged."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from apache_beam.options.pipeline_options import PipelineOptions, SetupOptions

from pipelines import build_tfrecords, dataflow, quiet_beam
from pipelines.flags import UsageError
from tests.fake_gcs import FakeGcs

ROOT = Path(__file__).resolve().parents[2]
JOB = {
    "runner": "DataflowRunner",
    "project": "project",
    "region": "us-central1",
    "temp_location": "gs://bucket/temp",
    "setup_file": str(ROOT / "setup.py"),
}
ACCELERATOR = "worker_accelerator=type:nvidia-tesla-t4;count:1;install-nvidia-driver"
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


def job(**changes: str | list[str] | None) -> PipelineOptions:
    """Options of a job that is right, but for changes; None leaves an option out."""
    options = {name: value for name, value in {**JOB, **changes}.items() if value is not None}
    flags = [
        f"--{name}={item}" for name, value in options.items() for item in ([value] if isinstance(value, str) else value)
    ]
    return PipelineOptions(flags)


def check(options: PipelineOptions, *, in_stock_image: bool = True, output: str = "gs://bucket/data") -> None:
    dataflow.check_job(options, {"output": output, "images": None}, in_stock_image=in_stock_image)


@pytest.fixture
def gcs(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGcs]:
    monkeypatch.setattr(dataflow, "_LIBRARIES", ())
    with FakeGcs("bucket") as gcs:
        for name, value in gcs.environment.items():
            monkeypatch.setenv(name, value)
        yield gcs


RIGHT = {
    "source": {},
    "image": {"setup_file": None, "sdk_container_image": f"docker.pkg.dev/p/r/boxmill:0.1.0-beam2.77.0-py{PYTHON}"},
    "stock image": {"sdk_container_image": f"apache/beam_python{PYTHON}_sdk:2.77.0"},
    "other image": {"sdk_container_image": "registry/name@sha256:0123"},
    "package": {"setup_file": None, "extra_package": "boxmill-0.1.0.tar.gz"},
    "gpu alone": {"dataflow_service_options": ACCELERATOR, "experiments": "no_use_multiple_sdk_containers"},
    "gpu shared": {"dataflow_service_options": f"{ACCELERATOR};use_nvidia_mps"},
    "gpu by hint": {"resource_hints": "accelerator=type:nvidia-tesla-t4;count:1"},
}


@pytest.mark.parametrize("changes", RIGHT.values(), ids=RIGHT)
def test_what_can_run_passes(changes: dict[str, str | None], gcs: FakeGcs) -> None:
    check(job(**changes))
    assert gcs.count("GET", "testPermissions") == 1


MISTAKES = {
    "no project": ({"project": None}, "--project=PROJECT"),
    "nothing but the runner": (
        {"project": None, "region": None, "temp_location": None},
        "--project=PROJECT and --region=us-central1 and --temp_location=gs://BUCKET/temp",
    ),
    "no code": ({"setup_file": None}, "Dataflow's workers do not have Boxmill; give --setup_file=./setup.py"),
    "no setup.py": ({"setup_file": "nowhere/setup.py"}, "--setup_file=nowhere/setup.py is not there"),
    "image of another Beam": (
        {"sdk_container_image": f"apache/beam_python{PYTHON}_sdk:2.70.0"},
        "is named for Beam 2.70.0, but this is Beam 2.77.0",
    ),
    "image of another Python": (
        {"sdk_container_image": "registry/boxmill:0.1.0-beam2.77.0-py3.9"},
        "is named for Python 3.9, but this is Python 3.1",
    ),
    "two ways to a GPU": (
        {"dataflow_service_options": ACCELERATOR, "resource_hints": "accelerator=type:nvidia-l4;count:1"},
        "ask for a GPU in two ways; give one of them",
    ),
    "shared by one": (
        {"dataflow_service_options": f"{ACCELERATOR};use_nvidia_mps", "experiments": "no_use_multiple_sdk_containers"},
        "leave one of them out",
    ),
    "local temporary folder": ({"temp_location": "/tmp"}, "--temp_location=/tmp is on this machine"),
    "no bucket": ({"temp_location": "gs://nowhere/temp"}, "gcloud storage buckets create gs://nowhere --location=us-"),
}


@pytest.mark.parametrize(("changes", "told"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_are_told_with_their_remedy(changes: dict[str, str | None], told: str, gcs: FakeGcs) -> None:
    with pytest.raises(UsageError) as refused:
        check(job(**changes))
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)


def test_places_on_this_machine_are_refused(gcs: FakeGcs) -> None:
    with pytest.raises(UsageError, match=r"--output=data is on this machine, where Dataflow's workers cannot reach it"):
        check(job(), output="data")


def test_detection_needs_an_image_with_tensorflow(gcs: FakeGcs) -> None:
    with pytest.raises(
        UsageError, match="TensorFlow and PyAV are not in Beam's own worker image; give --sdk_container_"
    ):
        check(job(), in_stock_image=False)
    check(job(sdk_container_image="registry/boxmill-detect:1"), in_stock_image=False)


@pytest.mark.parametrize(("method", "lacking"), [("POST", "create"), ("GET", "get"), ("*", "create")])
def test_what_may_not_be_written_is_told(method: str, lacking: str, gcs: FakeGcs) -> None:
    gcs.denied["bucket", method] = 403
    with pytest.raises(UsageError, match=rf"lack .*storage\.objects\.{lacking}.* on bucket bucket; grant them"):
        check(job())


def test_no_credentials(gcs: FakeGcs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    with pytest.raises(UsageError, match="there are no Google Cloud credentials on this machine; run `gcloud auth"):
        check(job())


def test_a_storage_that_cannot_be_reached(gcs: FakeGcs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:9")
    monkeypatch.setattr(dataflow, "_CLOUD_SECONDS", 1)
    begun = time.monotonic()
    with pytest.raises(UsageError, match=r"--temp_location=gs://bucket/temp cannot be reached: .*; check the network"):
        check(job())
    assert time.monotonic() - begun < 5


def test_other_runners_are_none_of_its_business() -> None:
    check(PipelineOptions(["--runner=FlinkRunner"]), output="data")
    check(PipelineOptions([]), output="data")


def test_the_path_of_the_source_is_one_from_any_folder(gcs: FakeGcs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beam changes into the folder of the file and looks for it from there."""
    monkeypatch.chdir(ROOT)
    for written in ("setup.py", "./setup.py", f"../{ROOT.name}/setup.py"):
        options = job(setup_file=written)
        check(options)
        assert options.view_as(SetupOptions).setup_file == str(ROOT / "setup.py")


def test_region_of_the_environment(gcs: FakeGcs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDSDK_COMPUTE_REGION", "europe-west4")
    check(job(region=None))


@pytest.mark.skipif(dataflow.missing_library() is None, reason="apache-beam[gcp] is installed")
def test_without_the_libraries_of_the_cloud(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--annotations=a", "--output=b", "--name=c", "--runner=DataflowRunner"]
    assert build_tfrecords.main(arguments) == build_tfrecords.EXIT_FAILED
    assert "is not installed; run pip install 'boxmill[gcp]'" in capsys.readouterr().err


def test_schedulers_read_the_jobs_id_from_the_log(caplog: pytest.LogCaptureFixture) -> None:
    quiet_beam.show_submission()
    client = logging.getLogger("apache_beam.runners.dataflow.internal.apiclient")
    client.info("sdk_pipeline_options: %s", {"many": "lines"})
    client.info("Created job with id: [%s]", "2026-01-31_7")
    client.warning("a bucket is public")
    assert caplog.messages == ["Created job with id: [2026-01-31_7]", "a bucket is public"]
