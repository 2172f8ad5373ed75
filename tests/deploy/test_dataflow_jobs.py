"""Jobs for Dataflow: their descriptions, and whole submissions to a service on this machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from pipelines import build_tfrecords, dataflow, detect_video
from pipelines.demo_sample import write_sample, write_video
from pipelines.runner import PipelineFailed
from pipelines.verify_tfrecords import main as verify
from tests.deploy.fake_dataflow import FakeDataflow
from tests.fake_gcs import FakeGcs

if dataflow.missing_library():
    pytest.skip("apache-beam[gcp] is not installed; `make dataflow-test` runs this", allow_module_level=True)

ROOT = Path(__file__).resolve().parents[2]
DETECT_IMAGE = "docker.pkg.dev/project/boxmill/detect:0.1.0-beam2.77.0-py3.11"
ACCELERATOR = "worker_accelerator=type:nvidia-tesla-t4;count:1;install-nvidia-driver"


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    write_sample(str(folder))
    return folder


@pytest.fixture(scope="module")
def video_sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip and a model; made by another process, since this one is to launch without TensorFlow."""
    folder = tmp_path_factory.mktemp("videos")
    write_video(str(folder / "shapes.mp4"), seconds=1)
    code = "import sys; from transforms.detectors.demo_model import write_shapes_detector as w; w(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, str(folder / "detector")], check=True, cwd=ROOT)
    return folder


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an unpacked source package, away from this project's."""
    folder = tmp_path_factory.mktemp("source")
    command = [sys.executable, "-m", "build", "--no-isolation", "--sdist", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    [package] = folder.glob("*.tar.gz")
    shutil.unpack_archive(package, folder)
    return folder / package.name.removesuffix(".tar.gz")


@pytest.fixture
def gcs(sample: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGcs]:
    with FakeGcs("bucket") as gcs:
        gcs.put_folder("bucket", "sample", sample)
        for name, value in gcs.environment.items():
            monkeypatch.setenv(name, value)
        yield gcs


@pytest.fixture
def service(gcs: FakeGcs, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeDataflow]:
    pause = time.sleep
    monkeypatch.setattr("apache_beam.runners.dataflow.dataflow_runner.time.sleep", lambda seconds: pause(0.1))
    with FakeDataflow(gcs.environment) as service:
        yield service


def build_flags(place: str | Path, output: str | Path) -> list[str]:
    return [
        f"--annotations={place}/annotations",
        f"--images={place}/images",
        f"--output={output}",
        "--name=shapes",
        "--num_shards=train=2,val=1",
    ]


BUILD = build_flags("gs://bucket/sample", "gs://bucket/datasets")
DETECT = [
    "--videos=gs://bucket/videos/shapes.mp4",
    "--model=gs://bucket/videos/detector",
    "--output=gs://bucket/found",
    f"--sdk_container_image={DETECT_IMAGE}",
]
MANIFEST = "datasets/shapes/1.0.0/manifest.json"


def job_flags(endpoint: str) -> list[str]:
    return [
        "--runner=DataflowRunner",
        "--project=my-project",
        "--region=europe-west4",
        "--temp_location=gs://bucket/temp",
        f"--dataflow_endpoint={endpoint}",
    ]


WITH_SOURCE = f"--setup_file={ROOT}/setup.py"


class TestDescriptions:
    """What the service is asked for, by the template that a launch writes."""

    def described(self, command: Any, flags: Sequence[str], folder: Path) -> dict[str, Any]:
        template = folder / "job.json"
        assert command.main([*flags, *job_flags("http://localhost:1"), f"--template_location={template}"]) == 0
        return dict(json.loads(template.read_text("utf-8")))

    def test_build(self, tmp_path: Path, gcs: FakeGcs, capsys: pytest.CaptureFixture[str]) -> None:
        flags = [*BUILD, WITH_SOURCE, "--job_name=boxmill-shapes-2026-01-31"]
        flags += ["--machine_type=n2-standard-4", "--num_workers=2", "--max_num_workers=20", "--disk_size_gb=50"]
        flags += ["--labels=team=vision", "--labels=airflow-version=v3-3", "--service_account_email=a@b.iam"]
        flags += [
            "--subnetwork=regions/europe-west4/subnetworks/s",
            "--no_use_public_ips",
            "--experiments=shuffle_mode=x",
        ]
        job = self.described(build_tfrecords, flags, tmp_path)
        assert "describes builds" in capsys.readouterr().out
        environment, [pool] = job["environment"], job["environment"]["workerPools"]
        assert job["name"] == "boxmill-shapes-2026-01-31"
        assert job["type"] == "JOB_TYPE_BATCH"
        assert job["labels"] == {"team": "vision", "airflow-version": "v3-3"}
        assert pool["machineType"] == "n2-standard-4"
        assert (pool["numWorkers"], pool["autoscalingSettings"]["maxNumWorkers"], pool["diskSizeGb"]) == (2, 20, 50)
        assert pool["ipConfiguration"] == "WORKER_IP_PRIVATE"
        assert pool["subnetwork"] == "regions/europe-west4/subnetworks/s"
        python = f"{sys.version_info.major}.{sys.version_info.minor}"
        assert pool["workerHarnessContainerImage"].endswith(f"/beam_python{python}_sdk:2.77.0")
        assert {"use_runner_v2", "shuffle_mode=x", "use_multiple_sdk_containers"} <= set(environment["experiments"])
        assert environment["serviceAccountEmail"] == "a@b.iam"
        assert "serviceOptions" not in environment
        assert "workflow.tar.gz" in [package["name"] for package in pool["packages"]]
        options = environment["sdkPipelineOptions"]["options"]
        assert options["temp_location"].startswith("gs://bucket/temp/boxmill-shapes-2026-01-31")
        assert options["pipelineUrl"].removeprefix("gs://bucket/") in gcs.names("bucket")
        assert options["pickle_library"] == "cloudpickle"
        expected = {"machine_type": "n2-standard-4", "num_workers": 2, "max_num_workers": 20, "disk_size_gb": 50}
        expected |= {"labels": ["team=vision", "airflow-version=v3-3"], "service_account_email": "a@b.iam"}
        expected |= {
            "region": "europe-west4",
            "project": "my-project",
            "use_public_ips": False,
            "runner": "DataflowRunner",
        }
        assert {name: options[name] for name in expected} == expected
        # Flags of ours travel inside the steps, never as options of the job.
        assert not {"annotations", "images", "output", "name", "num_shards"} & set(options)

    @pytest.mark.parametrize("shares_gpu", [False, True])
    def test_detect_with_a_gpu(self, video_sample: Path, tmp_path: Path, gcs: FakeGcs, shares_gpu: bool) -> None:
        services = ACCELERATOR + (";use_nvidia_mps" if shares_gpu else "")
        gcs.put_folder("bucket", "videos", video_sample)
        flags = [
            *DETECT,
            f"--dataflow_service_options={services}",
            "--machine_type=n1-standard-8",
            "--max_num_workers=4",
        ]
        flags += ["--number_of_worker_harness_threads=2"]
        flags += [] if shares_gpu else ["--experiments=no_use_multiple_sdk_containers"]
        job = self.described(detect_video, flags, tmp_path)
        environment, [pool] = job["environment"], job["environment"]["workerPools"]
        assert environment["serviceOptions"] == [services]
        assert ("no_use_multiple_sdk_containers" in environment["experiments"]) != shares_gpu
        assert ("use_multiple_sdk_containers" in environment["experiments"]) == shares_gpu
        assert pool["workerHarnessContainerImage"] == DETECT_IMAGE
        assert [image["containerImage"] for image in pool["sdkHarnessContainerImages"]] == [DETECT_IMAGE]
        assert (pool["machineType"], pool["numThreadsPerWorker"]) == ("n1-standard-8", 2)
        # The image has Boxmill: no source travels.
        assert "workflow.tar.gz" not in [package["name"] for package in pool["packages"]]
        assert "tensorflow" not in sys.modules, "the launcher only looks at the model's files"


class TestSubmissions:
    """From the command line over staging to what the workers wrote, with nothing of this project on the worker."""

    def submit(self, source: Path, command: str, flags: Sequence[str], service: FakeDataflow) -> str:
        """Submits from a source package, as a user does; returns what the command printed."""
        line = [
            sys.executable,
            "-m",
            "pipelines.cli",
            command,
            *flags,
            *job_flags(service.url),
            "--setup_file=./setup.py",
        ]
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        result = subprocess.run(line, cwd=source, env=environment, capture_output=True, text=True, check=False)
        assert service.jobs, result.stderr
        assert service.last.state == "JOB_STATE_DONE", service.last.error
        assert "HAS_PROJECT False" in service.last.out
        assert "workflow.tar.gz" in service.last.out
        assert result.returncode in (0, 2), result.stderr
        assert f"Created job with id: [{service.last.resource['id']}]" in result.stderr, "schedulers look for it"
        return result.stdout

    def test_build(self, source: Path, sample: Path, tmp_path: Path, gcs: FakeGcs, service: FakeDataflow) -> None:
        printed = self.submit(source, "build", BUILD, service)
        assert "images: 75 read" in printed
        assert "IMPORTED_TENSORFLOW False" in service.last.out
        gcs.get_folder("bucket", "datasets", tmp_path / "cloud")
        assert build_tfrecords.main(build_flags(sample, tmp_path / "here")) == 2
        here, cloud = (
            {path.name: path.read_bytes() for path in (tmp_path / place).rglob("*.tfrecord-*")}
            for place in ("here", "cloud")
        )
        assert here
        assert here == cloud, "the same bytes as on this machine"
        assert verify([str(tmp_path / "cloud" / "shapes" / "1.0.0")]) == 0

    def test_detect(self, source: Path, video_sample: Path, gcs: FakeGcs, service: FakeDataflow) -> None:
        gcs.put_folder("bucket", "videos", video_sample)
        self.submit(source, "detect", DETECT, service)
        manifest = json.loads(gcs.get("bucket", "found/manifest.json"))
        assert manifest["counts"]["videos"] == {"ok": 1}
        assert manifest["counts"]["detections"] > 0

    def test_nobody_waits(
        self, tmp_path: Path, gcs: FakeGcs, service: FakeDataflow, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The launcher ends with the submission; the job commits, and cleans up behind it."""
        assert build_tfrecords.main([*BUILD, *job_flags(service.url), WITH_SOURCE, "--no_wait_until_finish"]) == 0
        assert f"job {service.last.resource['id']} builds gs://bucket/datasets/shapes/1.0.0" in capsys.readouterr().out
        assert MANIFEST not in gcs.names("bucket")
        assert service.last.ended.wait(120)
        assert service.last.state == "JOB_STATE_DONE", service.last.error
        gcs.get_folder("bucket", "datasets", tmp_path)
        assert verify([str(tmp_path / "shapes" / "1.0.0")]) == 0
        assert build_tfrecords.main([*BUILD, *job_flags(service.url), WITH_SOURCE]) == 2
        assert "is already built from these inputs; nothing was done" in capsys.readouterr().out
        assert len(service.jobs) == 1

    def test_nobody_waits_for_detections(
        self, video_sample: Path, gcs: FakeGcs, service: FakeDataflow, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The job writes the manifest, leaves no lock, and another launch finds that all is done."""
        gcs.put_folder("bucket", "videos", video_sample)
        # Boxmill's own image has no place here, so its source is sent.
        flags = [*DETECT, *job_flags(service.url), WITH_SOURCE]
        assert detect_video.main([*flags, "--no_wait_until_finish"]) == 0
        assert f"job {service.last.resource['id']} " in capsys.readouterr().out
        assert "found/manifest.json" not in gcs.names("bucket")
        assert service.last.ended.wait(120)
        assert service.last.state == "JOB_STATE_DONE", service.last.error
        manifest = json.loads(gcs.get("bucket", "found/manifest.json"))
        assert manifest["counts"]["videos"] == {"ok": 1}
        assert not [name for name in gcs.names("bucket", "found/") if "lock" in name]
        before = gcs.names("bucket", "found/")
        assert detect_video.main(flags) == 0
        assert "nothing was done" in capsys.readouterr().out
        assert len(service.jobs) == 1
        assert gcs.names("bucket", "found/") == before


class TestMistakes:
    """What would fail on the workers does fail on the fake's, and is told before if it can be."""

    def build(self, service: FakeDataflow, *flags: str) -> int:
        return build_tfrecords.main([*BUILD, *job_flags(service.url), *flags])

    def test_no_source(self, service: FakeDataflow, capsys: pytest.CaptureFixture[str]) -> None:
        assert self.build(service) == build_tfrecords.EXIT_FAILED
        assert "Dataflow's workers do not have Boxmill; give --setup_file=./setup.py" in capsys.readouterr().err
        assert not service.jobs

    def test_without_the_check_the_workers_would_lack_it(
        self, service: FakeDataflow, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(dataflow, "_check_code", lambda options: None)
        with pytest.raises(PipelineFailed, match="No module named 'transforms'") as failed:
            self.build(service)
        assert failed.value.kind == "ModuleNotFoundError"
        assert service.last.state == "JOB_STATE_FAILED"

    def test_too_many_rejects_have_their_exit_code(self, gcs: FakeGcs, service: FakeDataflow) -> None:
        assert self.build(service, WITH_SOURCE, "--max_reject_ratio=0") == 3
        assert MANIFEST not in gcs.names("bucket")

    def test_refused_by_the_service(self, service: FakeDataflow, capsys: pytest.CaptureFixture[str]) -> None:
        service.refusal = 403
        assert self.build(service, WITH_SOURCE) == build_tfrecords.EXIT_FAILED
        assert "Dataflow refuses the job: 403" in capsys.readouterr().err

    def test_a_job_of_this_name_is_active(self, gcs: FakeGcs, capsys: pytest.CaptureFixture[str]) -> None:
        with FakeDataflow({}, runs_jobs=False) as service:
            flags = [WITH_SOURCE, "--no_wait_until_finish", "--job_name=boxmill-shapes-2026-01-31"]
            assert self.build(service, *flags) == 0
            assert f"job {service.last.resource['id']} builds " in capsys.readouterr().out
            assert self.build(service, *flags) == build_tfrecords.EXIT_FAILED
            assert "There is already active job named boxmill-shapes-2026-01-31" in capsys.readouterr().err

    def test_flags_read_by_a_step(self, tmp_path: Path, service: FakeDataflow) -> None:
        """A program with this mistake works in the launcher's threads, and fails on the fake's worker as in a cloud."""
        (tmp_path / "setup.py").write_text(
            "from setuptools import setup\nsetup(name='mistaken', py_modules=['mistaken'])"
        )
        (tmp_path / "mistaken.py").write_text(MISTAKEN)
        line = [
            sys.executable,
            "-c",
            "import mistaken; mistaken.main()",
            f"--setup_file={tmp_path}/setup.py",
            "--scale=2",
        ]
        environment = os.environ | {"PYTHONPATH": str(tmp_path)}
        here = subprocess.run(line, env=environment, check=False, capture_output=True, text=True)
        assert here.returncode == 0, here.stderr
        subprocess.run([*line, *job_flags(service.url), "--no_wait_until_finish"], env=environment, check=True)
        assert service.last.ended.wait(60)
        assert service.last.state == "JOB_STATE_FAILED"
        assert "UnparsedFlagAccessError" in service.last.error


MISTAKEN = """
import sys
import apache_beam as beam
from absl import flags
from apache_beam.options.pipeline_options import PipelineOptions

FLAGS = flags.FLAGS
flags.DEFINE_integer("scale", 1, "")


class Multiply(beam.DoFn):
    def process(self, number):
        yield number * FLAGS.scale


def main():
    rest = FLAGS(sys.argv, known_only=True)[1:]
    pipeline = beam.Pipeline(options=PipelineOptions(rest), runner=None if len(rest) > 1 else "FnApiRunner")
    pipeline | beam.Create([1, 2], reshuffle=False) | beam.ParDo(Multiply())
    pipeline.run()
"""
