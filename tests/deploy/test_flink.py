"""Jobs on a real Flink cluster of this machine: the bytes of the local runner, whatever dies meanwhile."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import psutil
import pytest

from benchmarks.sample_images import write_dataset
from deploy.flink.local_cluster import Cluster, running
from deploy.flink.packages import PackagesMissing, fetch
from pipelines import build_tfrecords, clusters, detect_video, verify_tfrecords
from tests.pipelines.test_detect_killed import results
from tests.videos.shape_clips import write_shapes_clip
from transforms.detectors.demo_model import write_shapes_detector

pytestmark = pytest.mark.flink
ROOT = Path(__file__).resolve().parents[2]
TEMPORARY_SHARD = re.compile(r"(.*\.tfrecord-\d+-of-\d+)\..*\.boxmill-tmp")
IMAGES = 240
LIMIT_SECONDS = 300


@pytest.fixture(autouse=True)
def _time_limit() -> Iterator[None]:
    """A job that hangs fails its test."""

    def fail(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"the test has not ended within {LIMIT_SECONDS} s")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(LIMIT_SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    try:
        packages = fetch()
    except PackagesMissing as missing:
        pytest.skip(str(missing))
    with running(2, packages) as started:
        yield started


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "sample"
    write_dataset(folder, IMAGES, target_bytes=60_000, outline_points=12)
    (folder / "images" / "0000007.jpg").write_bytes(b"not a picture")
    return folder


def build(data: Path, output: Path, *flags: str) -> int:
    source = [f"--annotations={data}/instances.json", f"--images={data}/images", f"--output={output}", "--name=x"]
    return build_tfrecords.main([*source, "--num_shards=train=12,val=4", "--image_check=full", *flags])


@pytest.fixture(scope="module")
def local(data: Path) -> dict[str, bytes]:
    """The dataset that the local runner makes."""
    assert build(data, data.parent / "local") == build_tfrecords.EXIT_SOME_REJECTED
    return files(data.parent / "local")


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def python_workers(cluster: Cluster) -> list[psutil.Process]:
    """The processes of all pools, Python workers among them."""
    pools = [process for name, process in cluster.processes.items() if name.startswith("worker-pool")]
    return [child for pool in pools for child in psutil.Process(pool.pid).children(recursive=True)]


def written_by(worker: psutil.Process) -> set[str]:
    """The shards that a process has open for writing."""
    try:
        paths = [Path(os.readlink(entry)).name for entry in Path(f"/proc/{worker.pid}/fd").iterdir()]
    except OSError:  # a file was closed, or the process ended
        return set()
    return {match[1] for path in paths if (match := TEMPORARY_SHARD.fullmatch(path))}


class Watch:
    """Looks at the workers while a job runs: who writes what; calls ``strike`` once, with one that is writing."""

    def __init__(self, cluster: Cluster, strike: Callable[[psutil.Process], None] | None = None):
        self._cluster, self._strike = cluster, strike
        self.shards: defaultdict[int, set[str]] = defaultdict(set)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def _look(self) -> None:
        while not self._is_over.is_set():
            for worker in python_workers(self._cluster):
                if shards := written_by(worker):
                    self.shards[worker.pid] |= shards
                    if self._strike is not None:
                        self._strike(worker)
                        self._strike = None
            time.sleep(0.005)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._is_over.set()
        self._thread.join()

    @property
    def has_struck(self) -> bool:
        return self._strike is None


def failures_of_last_job(cluster: Cluster, state: str = "FINISHED") -> int:
    jobs = cluster.ask("/jobs/overview")["jobs"]
    last = max(jobs, key=lambda job: job["start-time"])
    assert last["state"] == state
    return len(cluster.ask(f"/jobs/{last['jid']}/exceptions")["exceptionHistory"]["entries"])


def test_a_build_is_the_local_runners_and_both_workers_write(
    cluster: Cluster, data: Path, local: dict[str, bytes], tmp_path: Path
) -> None:
    with Watch(cluster) as watch:
        assert build(data, tmp_path, *cluster.flags(2)) == build_tfrecords.EXIT_SOME_REJECTED
    assert files(tmp_path) == local
    assert len(watch.shards) == 2
    assert min(map(len, watch.shards.values())) >= 4
    assert failures_of_last_job(cluster) == 0


def test_a_killed_worker_costs_a_retry_and_no_data(
    cluster: Cluster, data: Path, local: dict[str, bytes], tmp_path: Path
) -> None:
    with Watch(cluster, psutil.Process.kill) as watch:
        build(data, tmp_path, *cluster.flags(2))
    assert watch.has_struck
    assert failures_of_last_job(cluster) >= 1
    assert files(tmp_path) == local


def test_verify_with_a_job_server_of_its_own(cluster: Cluster, data: Path, local: dict[str, bytes]) -> None:
    """The command as a whole process: it stops the job server that Beam starts for it."""
    del local  # it is there
    command = [sys.executable, "-m", "pipelines.cli", "verify", str(data.parent / "local" / "x" / "1.0.0")]
    command += cluster.flags(2, fetch().job_server)
    process = psutil.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    servers: set[psutil.Process] = set()
    while process.poll() is None:
        with contextlib.suppress(psutil.NoSuchProcess):  # it has just ended
            servers.update(process.children(recursive=True))
        time.sleep(0.1)
    assert process.returncode == verify_tfrecords.EXIT_CLEAN, process.stdout.read()
    assert "every byte is accounted for" in process.stdout.read()
    assert servers
    _, alive = psutil.wait_procs(servers, timeout=10)
    assert not alive


def test_detections_are_the_local_runners(cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "clips").mkdir()
    for frames in (30, 40):
        write_shapes_clip(tmp_path / "clips" / f"{frames}.mp4", frames=frames)
    model = write_shapes_detector(tmp_path / "model") / "saved_model"
    flags = [f"--videos={tmp_path}/clips", f"--model={model}", "--segment_seconds=0.4", "--exports=jsonl"]
    flags.append("--annotated_video")
    assert detect_video.main([*flags, f"--output={tmp_path}/local"]) == detect_video.EXIT_OK
    capsys.readouterr()
    assert detect_video.main([*flags, f"--output={tmp_path}/flink", *cluster.flags(2)]) == detect_video.EXIT_OK
    assert results(tmp_path / "flink") == results(tmp_path / "local")
    assert "segments: 0 inferred" not in capsys.readouterr().out  # the workers' counters have come


TOLD_SECONDS = 30
MISTAKES = {
    "too many rejects": (["--max_reject_ratio=0"], {}, build_tfrecords.EXIT_TOO_MANY_REJECTED, "--max_reject_ratio=0"),
    "no pool": (["--environment_config=127.0.0.1:1"], {}, build_tfrecords.EXIT_FAILED, "no worker pool answers"),
    "another Python": (
        [],
        {"launcher_experiment": lambda: "boxmill_launcher=Python 3.10 with Beam 2.60.0 and Boxmill 0.0.1"},
        build_tfrecords.EXIT_FAILED,
        "this command has Python 3.10",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_failures_are_told_in_a_sentence(
    mistake: str,
    cluster: Cluster,
    data: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    flags, replaced, code, sentence = MISTAKES[mistake]
    for name, value in replaced.items():
        monkeypatch.setattr(clusters, name, value)
    begun = time.monotonic()
    assert build(data, tmp_path, *cluster.flags(2), *flags) == code
    seconds = time.monotonic() - begun
    print(f"{mistake}: told after {seconds:.1f} s")
    assert failures_of_last_job(cluster, "CANCELED") == 1
    assert seconds < TOLD_SECONDS or code == build_tfrecords.EXIT_TOO_MANY_REJECTED  # for which all is built
    told = [line for line in capfd.readouterr().err.splitlines() if not line.startswith(("reading", "writing"))]
    assert len(told) == 1
    assert sentence in told[0]
    assert not list(tmp_path.rglob("manifest.json"))


def test_a_killed_task_manager_costs_a_retry_and_no_data(
    cluster: Cluster, data: Path, local: dict[str, bytes], tmp_path: Path
) -> None:
    def kill_manager(worker: psutil.Process) -> None:
        elders = {elder.pid for elder in worker.parents()}
        [number] = [name[-1] for name, pool in cluster.processes.items() if name[:6] == "worker" and pool.pid in elders]
        cluster.processes[f"taskmanager-{number}"].kill()

    with Watch(cluster, kill_manager) as watch:
        build(data, tmp_path, *cluster.flags(2))
    assert watch.has_struck
    assert failures_of_last_job(cluster) >= 1
    assert files(tmp_path) == local


def test_a_killed_cluster_program_leaves_nothing_running(cluster: Cluster) -> None:
    del cluster  # the packages are there
    program = psutil.Popen([sys.executable, "-m", "deploy.flink.local_cluster"], cwd=ROOT, stdout=subprocess.DEVNULL)
    while len(started := program.children(recursive=True)) < 6:
        assert program.is_running()
        time.sleep(0.05)
    program.send_signal(signal.SIGKILL)
    program.wait()
    _, alive = psutil.wait_procs(started, timeout=10)
    assert not alive
