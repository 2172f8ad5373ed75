"""boxmill build from and to a Google Cloud Storage whose every request takes 50 ms, beside one who reads in a row.

    python -m benchmarks.gcs [--images=6000] [--latency=0.05] [--rounds=3]

The storage is that of the tests, a process on this machine, which takes a core for itself where there are two. The
serial reader asks for one picture after the other over one connection that it keeps; it is timed over some of them.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks.processes import run
from benchmarks.sample_images import write_dataset
from tests.fake_gcs import FakeGcs

_SERIAL_IMAGES = 100


def serve(folder: str, latency: float, pipe: Connection) -> None:
    """The storage: a bucket "in" with the files of a folder, and an empty one for each round."""
    with FakeGcs("in", "out") as gcs:
        gcs.put_folder("in", "data", Path(folder))
        gcs.latency = latency
        pipe.send(gcs.environment)
        pipe.recv()


def serial_rate() -> float:
    """Images a second of a plain loop."""
    from transforms import storage

    names = [f"gs://in/data/images/{index:07d}.jpg" for index in range(_SERIAL_IMAGES)]
    storage.read_bytes(names[0])  # connects
    start = time.perf_counter()
    for name in names:
        storage.read_bytes(name)
    return len(names) / (time.perf_counter() - start)


def build_seconds(number: int, workers: int) -> tuple[float, str]:
    """Seconds of a whole build, start-up included, and its own last word on its speed."""
    command = [sys.executable, "-m", "pipelines.cli", "build", "--annotations=gs://in/data/instances.json"]
    command += ["--images=gs://in/data/images", f"--output=gs://out/{number}", "--name=benchmark"]
    command += ["--image_check=header", "--num_shards=train=6,val=2"]
    if workers > 1:
        command += [f"--direct_num_workers={workers}", "--direct_running_mode=multi_processing"]
    result = run(command, os.environ)
    said = next(line for line in result.output.splitlines() if " images/s)" in line)
    return result.seconds, said.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=6000)
    parser.add_argument("--latency", type=float, default=0.05)
    parser.add_argument("--rounds", type=int, default=3)
    values = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        write_dataset(Path(folder) / "data", values.images, target_bytes=50_000)
        ours, theirs = multiprocessing.Pipe()
        server = multiprocessing.get_context("spawn").Process(
            target=serve, args=(f"{folder}/data", values.latency, theirs), daemon=True
        )
        server.start()
        os.environ |= ours.recv()
        serial = serial_rate()
        print(f"serial reader: {serial:.1f} images/s, {values.images / serial:.0f} s for {values.images:,}", flush=True)
        for workers in (1, 2):
            seconds = []
            for number in range(values.rounds):
                taken, said = build_seconds(10 * workers + number, workers)
                seconds.append(taken)
                print(f"  {workers} workers, round {number + 1}: {taken:.1f} s; {said}", flush=True)
            rate = values.images / statistics.median(seconds)
            print(f"boxmill build, {workers} workers: {rate:.0f} images/s, {rate / serial:.1f} times the serial reader")
        ours.send(None)
        server.join()


if __name__ == "__main__":
    main()
