"""The published packages that a local Flink cluster is made of, fetched once into a cache folder.

* Flink itself is in ``apache-flink-libraries``, from the Python package index.
* Beam's side of it, the job server, is one jar made by Maven of Beam's libraries (job_server/pom.xml).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

FLINK_MINOR = "1.19"
_FLINK = f"apache-flink-libraries=={FLINK_MINOR}.3"
CACHE = Path(__file__).resolve().parents[2] / ".flink"
_POM = Path(__file__).resolve().parent / "job_server" / "pom.xml"
# All that a cluster runs; the rest of the package is for tables and SQL.
_CLUSTER_JARS = ("flink-dist", "log4j")
_TOOLS = ("java", "mvn")
_FETCH_SECONDS = 300


class PackagesMissing(Exception):
    """A package cannot be had on this machine; the message says what is missing and what to do."""


@dataclass(frozen=True, slots=True)
class Packages:
    """What was fetched.

    Attributes:
      flink: folder of the jars that JobManager and TaskManagers run.
      job_server: Beam's job server.
    """

    flink: Path
    job_server: Path


def fetch(cache: Path = CACHE) -> Packages:
    """Fetches what the cache folder does not have yet: some 350 MB the first time, nothing after that.

    Raises:
      PackagesMissing: Java or Maven is not there, or a download failed.
    """
    if absent := [tool for tool in _TOOLS if shutil.which(tool) is None]:
        raise PackagesMissing(f"{' and '.join(absent)} not found: install Java 17 and Maven")
    cache.mkdir(parents=True, exist_ok=True)
    packages = Packages(cache / f"flink-{FLINK_MINOR}", cache / f"job-server-{FLINK_MINOR}.jar")
    # A scratch folder within the cache: what is complete is moved into its place in one step.
    with tempfile.TemporaryDirectory(prefix="fetching-", dir=cache) as scratch:
        if not packages.flink.exists():
            _fetch_flink(Path(scratch)).rename(packages.flink)
        if not packages.job_server.exists():
            os.replace(_make_job_server(Path(scratch)), packages.job_server)
    return packages


def _fetch_flink(scratch: Path) -> Path:
    download, jars = scratch / "download", scratch / "jars"
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary=:all:"]
    _run([*pip, f"--dest={download}", _FLINK])
    jars.mkdir()
    [archive] = download.iterdir()
    with tarfile.open(archive) as package:
        for member in package:
            path, content = Path(member.name), package.extractfile(member)
            if content and path.parent.name == "lib" and path.name.startswith(_CLUSTER_JARS):
                with content, (jars / path.name).open("wb") as jar:
                    shutil.copyfileobj(content, jar)
    return jars


def _make_job_server(scratch: Path) -> Path:
    jar = scratch / "job-server.jar"
    pom = shutil.copy(_POM, scratch)  # Maven writes beside it
    _run(["mvn", "--batch-mode", "--quiet", f"--file={pom}", f"-Djar={jar}", f"-Dflink.minor={FLINK_MINOR}", "package"])
    return jar


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=_FETCH_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise PackagesMissing(f"{' '.join(command)} has not ended within {_FETCH_SECONDS} s") from None
    if done.returncode:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if "ERROR" in line]
        raise PackagesMissing(f"{' '.join(command)} failed: {lines[0] if lines else done.stderr.strip()}")


if __name__ == "__main__":
    try:
        fetched = fetch()
    except PackagesMissing as missing:
        sys.exit(f"{missing}")
    print(f"Flink: {fetched.flink}\njob server: {fetched.job_server}")
