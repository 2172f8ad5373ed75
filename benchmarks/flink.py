"""boxmill build on Flink: two workers beside one, on a cluster of this machine; every image decoded, a mask an object.

    python -m benchmarks.flink [--images=10000] [--rounds=3] [--folder=FOLDER]

The pictures have 2 megapixels (1920 x 1080, 350 kB), as frames of street cameras do: decoding them is most of the work.
Both runs are on the same cluster of two TaskManagers with a worker each, and only the parallelism of the job differs:
each worker is kept to a core of its own, so that one worker is one core's worth, and Java runs where it likes. A run is
a whole command, the start of the job and of its workers included, some 10 seconds that no worker shortens; the order
alternates over the rounds. The machine should be idle: compare ratios, not seconds.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
from pathlib import Path

import psutil

from benchmarks.processes import run
from benchmarks.sample_images import write_dataset
from deploy.flink.local_cluster import Cluster, running

_MASKS, _POINTS = 7, 30  # as many an image as COCO has on average; points of each outline
_SIZE, _BYTES = (1920, 1080), 350_000
_FIRST_IMAGES = 200  # of a build before all others, for which Java loads and compiles what it needs
_WORKERS = (2, 1)


def build_seconds(cluster: Cluster, data: Path, output: Path, parallelism: int) -> float:
    """Seconds of one build."""
    shutil.rmtree(output, ignore_errors=True)
    os.sync()
    command = [sys.executable, "-m", "pipelines.cli", "build", f"--annotations={data}/instances.json"]
    command += [f"--images={data}/images", f"--output={output}", "--name=benchmark", "--image_check=full"]
    command += ["--num_shards=train=26,val=6", *cluster.flags(parallelism)]
    seconds = run(command).seconds
    shutil.rmtree(output)
    return seconds


def _keep_to_cores(cluster: Cluster) -> None:
    """Gives each pool a core, and with it the workers that it will start."""
    cores = sorted(os.sched_getaffinity(0))
    pools = [process for name, process in sorted(cluster.processes.items()) if name.startswith("worker-pool")]
    for number, pool in enumerate(pools):
        process = psutil.Process(pool.pid)
        for item in (process, *process.children(recursive=True)):
            item.cpu_affinity([cores[number % len(cores)]])


def _data(folder: Path, images: int) -> Path:
    """The folder of a dataset, which is made if it is not there."""
    data = folder / f"photos{images}"
    if not data.exists():
        print(f"making {images:,} images in {data}", file=sys.stderr)
        write_dataset(data, images, _BYTES, _MASKS, _POINTS, _SIZE)
    return data


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=10000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/boxmill-benchmark"))
    parser.add_argument("--outputs", type=Path, default=Path("/dev/shm/boxmill-benchmark"))
    options = parser.parse_args()
    data, first = _data(options.folder, options.images), _data(options.folder, _FIRST_IMAGES)
    options.outputs.mkdir(parents=True, exist_ok=True)
    seconds: dict[int, list[float]] = {workers: [] for workers in _WORKERS}
    with running(max(_WORKERS)) as cluster:
        _keep_to_cores(cluster)
        build_seconds(cluster, first, options.outputs / "flink", max(_WORKERS))
        for number in range(options.rounds):
            for workers in _WORKERS if number % 2 == 0 else reversed(_WORKERS):
                seconds[workers].append(build_seconds(cluster, data, options.outputs / "flink", workers))
                print(f"round {number + 1}, {workers} workers: {seconds[workers][-1]:.1f} s", flush=True)
    for workers in _WORKERS:
        median = statistics.median(seconds[workers])
        print(f"{workers} workers: {median:.1f} s, {options.images / median:,.0f} images/s")
    ratio = statistics.median(two / one for two, one in zip(seconds[2], seconds[1], strict=True))
    print(f"two workers take {ratio:.2f} of the time of one")


if __name__ == "__main__":
    main()
