"""A Flink cluster on this machine: a JobManager, TaskManagers with a pool of Python workers each, Beam's job server.

    python -m deploy.flink.local_cluster [--workers=2]
    python -m deploy.flink.local_cluster [--workers=2] -- boxmill build --annotations=… FLINK

The first form runs until it is interrupted, and says which flags a pipeline needs to use the cluster. The second runs a
command, with those flags in place of the word FLINK, and exits with its code. Either way nothing is left running, also
if this process is killed. Each process of Java takes some 400 MB.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.flink.packages import FLINK_MINOR, Packages, PackagesMissing, fetch

ROOT = Path(__file__).resolve().parents[2]
_READY_SECONDS = 120
_POOL_HOST = "worker-pool"  # each TaskManager knows another address by this name
_PR_SET_PDEATHSIG = 1
# What Flink's own scripts open to it of Java's modules.
_OPENED = ("lang", "net", "io", "nio", "lang.reflect", "text", "time", "util", "util.concurrent")
_JAVA = ["java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"]
_JOB_MANAGER = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
_TASK_MANAGER = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"
# Started by hand, a TaskManager derives nothing: all of its memory must be said.
_TASK_MANAGER_MEMORY = {
    "task.heap.size": "256m",
    "task.off-heap.size": "0m",
    "framework.heap.size": "128m",
    "framework.off-heap.size": "128m",
    # One TaskManager may have to do the work of two.
    "network.min": "128m",
    "network.max": "128m",
    "managed.size": "128m",
    "jvm-metaspace.size": "256m",
    "jvm-overhead.min": "192m",
    "jvm-overhead.max": "192m",
}


class ClusterFailed(Exception):
    """The cluster did not come up; the message names the log to read."""


@dataclass
class Cluster:
    """A running cluster.

    Attributes:
      folder: of its configuration, logs and temporary files.
      rest: port of the JobManager.
      job_endpoint: address of Beam's job server.
      pool_port: of all worker pools.
      processes: by name: jobmanager, taskmanager-0, worker-pool-0, job-server, …
    """

    folder: Path
    rest: int
    job_endpoint: str
    pool_port: int
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def flags(self, parallelism: int, job_server: Path | None = None) -> list[str]:
        """Flags that make a pipeline use this cluster, and its job server unless the jar of another one is named."""
        return [
            "--runner=FlinkRunner",
            f"--flink_version={FLINK_MINOR}",
            f"--flink_master=127.0.0.1:{self.rest}",
            f"--flink_job_server_jar={job_server}" if job_server else f"--job_endpoint={self.job_endpoint}",
            "--environment_type=EXTERNAL",
            f"--environment_config={_POOL_HOST}:{self.pool_port}",
            f"--parallelism={parallelism}",
        ]

    def ask(self, path: str) -> Any:
        """An answer of Flink's REST service, such as that of ``/overview``."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.rest}{path}", timeout=10) as answer:
            return json.load(answer)

    def start(self, name: str, command: Sequence[str]) -> None:
        """Starts a process of the cluster; its log is ``folder/NAME.log``."""
        with open(self.folder / f"{name}.log", "ab") as log:
            self.processes[name] = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=_die_with_parent
            )

    def stop(self) -> None:
        """Ends all processes."""
        for process in self.processes.values():
            process.terminate()
        deadline = time.monotonic() + 10
        for process in self.processes.values():
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextlib.contextmanager
def running(workers: int = 2, packages: Packages | None = None) -> Iterator[Cluster]:
    """A cluster within the block.

    Args:
      workers: TaskManagers, and as many pools.
      packages: what it is made of; by default they are fetched.

    Raises:
      PackagesMissing: see ``fetch``.
      ClusterFailed: it does not come up.
    """
    packages = packages or fetch()
    with tempfile.TemporaryDirectory(prefix="boxmill-flink-") as name:
        rest, rpc, job, artifacts, pool = _free_ports(5)
        cluster = Cluster(Path(name), rest, f"127.0.0.1:{job}", pool)
        try:
            _start(cluster, packages, workers, rpc, artifacts)
            _await_ready(cluster, workers)
            yield cluster
        finally:
            cluster.stop()


def _start(cluster: Cluster, packages: Packages, workers: int, rpc: int, artifacts: int) -> None:
    folder = cluster.folder
    (folder / "config.yaml").write_text(_configuration(cluster, rpc))
    (folder / "log4j.properties").write_text(_LOG_SETTINGS)
    opened = [f"--add-opens=java.base/java.{name}=ALL-UNNAMED" for name in _OPENED]
    java = [*_JAVA, f"-Djava.io.tmpdir={folder}", *opened]
    classes = f"{packages.flink}/*:{packages.job_server}"
    flink = [f"-Dlog4j.configurationFile={folder}/log4j.properties", "-cp", classes]
    configured = ["--configDir", str(folder)]
    cluster.start("jobmanager", [*java, "-Xmx384m", *flink, _JOB_MANAGER, *configured])
    for number in range(workers):
        address = f"127.0.0.{number + 1}"
        hosts = folder / f"hosts-{number}"
        hosts.write_text(f"127.0.0.1 localhost {socket.gethostname()}\n{address} {_POOL_HOST}\n")
        limits = ["-Xmx384m", "-XX:MaxMetaspaceSize=256m", "-XX:MaxDirectMemorySize=320m"]
        names = [f"-Djdk.net.hosts.file={hosts}", *flink, _TASK_MANAGER, *configured]
        name = f"taskmanager-{number}"
        cluster.start(name, [*java, *limits, *names, "-D", f"taskmanager.resource-id={name}"])
        pool = [sys.executable, "-m", "pipelines.worker_pool", f"--address={address}:{cluster.pool_port}"]
        cluster.start(f"worker-pool-{number}", pool)
    server = [*java, "-Xmx384m", "-jar", str(packages.job_server), f"--flink-master=127.0.0.1:{cluster.rest}"]
    ports = ["--job-host=127.0.0.1", f"--job-port={cluster.job_endpoint.rpartition(':')[2]}"]
    ports += [f"--artifact-port={artifacts}", "--expansion-port=-1"]
    cluster.start("job-server", [*server, *ports, f"--artifacts-dir={folder}/artifacts"])


def _configuration(cluster: Cluster, rpc: int) -> str:
    settings = {
        "jobmanager.rpc.address": "127.0.0.1",
        "jobmanager.rpc.port": rpc,
        "jobmanager.bind-host": "127.0.0.1",
        "jobmanager.memory.process.size": "1000m",
        "taskmanager.host": "127.0.0.1",
        "taskmanager.bind-host": "127.0.0.1",
        # Room for the work of one that died; it is used evenly.
        "taskmanager.numberOfTaskSlots": 2,
        "taskmanager.load-balance.mode": "SLOTS",
        # Beam's classes are in every process already; with a job's own copy of them, a worker lives for one step.
        "classloader.resolve-order": "parent-first",
        "taskmanager.cpu.cores": 1,
        **{f"taskmanager.memory.{name}": size for name, size in _TASK_MANAGER_MEMORY.items()},
        "rest.address": "127.0.0.1",
        "rest.bind-address": "127.0.0.1",
        "rest.port": cluster.rest,
        "io.tmp.dirs": cluster.folder,
        # A worker that died costs a retry, a while after it; that a TaskManager did is noticed soon.
        "restart-strategy.type": "fixed-delay",
        "restart-strategy.fixed-delay.attempts": 3,
        "restart-strategy.fixed-delay.delay": "5 s",
        "cluster.registration.error-delay": 500,
        "cluster.registration.refused-registration-delay": 500,
        "heartbeat.interval": 2000,
        "heartbeat.timeout": 10000,
    }
    return "".join(f"{key}: {value}\n" for key, value in settings.items())


_LOG_SETTINGS = """\
rootLogger.level = INFO
rootLogger.appenderRef.console.ref = Console
appender.console.name = Console
appender.console.type = CONSOLE
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{HH:mm:ss,SSS} %-5p %c{1} - %m%n
"""


def _await_ready(cluster: Cluster, workers: int) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while not _is_ready(cluster, workers):
        ended = [name for name, process in cluster.processes.items() if process.poll() is not None]
        if ended or time.monotonic() > deadline:
            logs = {name: (cluster.folder / f"{name}.log").read_text(errors="replace") for name in cluster.processes}
            shown = "\n".join(f"--- {name}\n{logs[name][-4000:]}" for name in ended or logs)
            what = f"{' and '.join(ended)} ended" if ended else f"it is not ready after {_READY_SECONDS} s"
            raise ClusterFailed(f"{what}:\n{shown}")
        time.sleep(0.2)


def _is_ready(cluster: Cluster, workers: int) -> bool:
    try:
        pools = [f"127.0.0.{number + 1}:{cluster.pool_port}" for number in range(workers)]
        for address in (cluster.job_endpoint, *pools):
            host, _, port = address.rpartition(":")
            socket.create_connection((host, int(port)), 1).close()
        return bool(cluster.ask("/overview")["taskmanagers"] == workers)
    except (OSError, urllib.error.URLError):
        return False


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for item in sockets:
            item.bind(("127.0.0.1", 0))
        return [item.getsockname()[1] for item in sockets]


def _die_with_parent() -> None:
    """In a new process: it is killed when the one that started it ends, however that ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("command", nargs="*", help="after --, with FLINK for the flags of the cluster")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))
    try:
        with running(arguments.workers) as cluster:
            flags = cluster.flags(arguments.workers)
            if arguments.command:
                command = [flag for word in arguments.command for flag in (flags if word == "FLINK" else [word])]
                return subprocess.run(command, check=False, preexec_fn=_die_with_parent).returncode
            print(f"Flink at http://127.0.0.1:{cluster.rest}, logs in {cluster.folder}; use it with\n{' '.join(flags)}")
            signal.pause()
    except (PackagesMissing, ClusterFailed) as failed:
        print(f"local_cluster: {failed}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
