"""boxmill build beside its peers, every one as a whole process, start-up included, on the same generated images.

    python -m benchmarks.build [--images=20000] [--rounds=3] [--folder=FOLDER] [--only=boxes,checked,slow,memory]

Peers (benchmarks/build_peers.py): a plain loop, Model Garden's own COCO writer (where `make garden` has installed it),
a Beam pipeline with the stock TFRecord sink, and copying the bytes with their CRC as the limit. The order alternates
over the rounds; figures are medians. The machine should be idle: compare ratios, not seconds.

Outputs go to memory (--outputs) by default: of all contenders Boxmill alone waits until its shards are on the disk, so
on a slow disk that wait would be all that is measured. Name a folder on a disk to include it.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.processes import Run, run
from benchmarks.sample_images import write_dataset

GARDEN_PYTHON = Path(".venv-garden/bin/python")
_MB = 1e6

# Runs boxmill with a pause before each image is read, as a far-away store would have it.
_SLOW_READS = """
import sys, time
from transforms.images import image_store
read = image_store.ImageStore.read
def slow_read(self, name):
    time.sleep(0.05)
    return read(self, name)
image_store.ImageStore.read = slow_read
from pipelines import build_tfrecords
sys.exit(build_tfrecords.main(sys.argv[1:]))
"""


def boxmill(data: Path, output: Path, workers: int, check: str = "header") -> Run:
    """Builds with one worker, or with worker processes."""
    command = [sys.executable, "-m", "pipelines.cli", "build", *_build_flags(data, output, check)]
    if workers > 1:
        command += [f"--direct_num_workers={workers}", "--direct_running_mode=multi_processing"]
    return run(command)


def _build_flags(data: Path, output: Path, check: str) -> list[str]:
    return [
        f"--annotations={data}/instances.json",
        f"--images={data}/images",
        f"--output={output}",
        "--name=benchmark",
        f"--image_check={check}",
        "--num_shards=train=13,val=3",  # as many as the peers write
    ]


def peer(kind: str, data: Path, output: Path) -> Run:
    """Runs one of the peers."""
    return run([sys.executable, "-m", "benchmarks.build_peers", kind, str(data), str(output)])


def garden(data: Path, output: Path, *flags: str) -> Run:
    """Runs Model Garden's COCO writer."""
    output.mkdir()
    command = [str(GARDEN_PYTHON), "-m", "official.vision.data.create_coco_tf_record"]
    command += [f"--image_dir={data}/images", f"--object_annotations_file={data}/instances.json"]
    command += [f"--output_file_prefix={output}/train", "--num_shards=16", *flags]
    return run(command)


class Benchmark:
    """Runs contenders in alternation and prints medians."""

    def __init__(self, data: Path, work: Path, rounds: int):
        self._data, self._work, self._rounds = data, work, rounds

    def medians(self, contenders: dict[str, Callable[[Path, Path], Run]]) -> dict[str, tuple[Run, list[Run]]]:
        """For each contender the run of median time, and all its runs."""
        runs: dict[str, list[Run]] = {name: [] for name in contenders}
        order = list(contenders)
        for number in range(self._rounds):
            for name in order if number % 2 == 0 else reversed(order):
                output = self._work / "out"
                shutil.rmtree(output, ignore_errors=True)
                os.sync()
                result = contenders[name](self._data, output)
                runs[name].append(result)
                print(f"  round {number + 1} {name}: {result.seconds:.1f} s", file=sys.stderr, flush=True)
                shutil.rmtree(output, ignore_errors=True)
        return {
            name: (sorted(all_runs, key=lambda r: r.seconds)[len(all_runs) // 2], all_runs)
            for name, all_runs in runs.items()
        }


def print_table(images: int, results: dict[str, tuple[Run, list[Run]]], title: str) -> None:
    """Seconds, throughput, memory, and how many times faster than each peer every boxmill run is."""
    print(f"\n{title} ({images:,} images)")
    print(f"{'':<24}{'seconds':>9}{'images/s':>10}{'peak MB':>9}{'largest MB':>12}")
    for name, (result, _) in results.items():
        rate = images / result.seconds
        print(f"{name:<24}{result.seconds:>9.1f}{rate:>10,.0f}{result.rss / _MB:>9.0f}{result.largest / _MB:>12.0f}")
    for ours in (name for name in results if name.startswith("boxmill")):
        ratios = [
            f"{_ratio(results[name][1], results[ours][1]):.2f}x {name}"
            for name in results
            if not name.startswith("boxmill")
        ]
        print(f"{ours} is " + ", ".join(ratios))


def _ratio(theirs: list[Run], ours: list[Run]) -> float:
    """How many times faster ours are: the median over the rounds, each compared within itself."""
    return statistics.median(their.seconds / our.seconds for their, our in zip(theirs, ours, strict=True))


def writing_rate(output: str) -> float:
    """Images a second while shards are being written, as the program itself reported at the end of writing."""
    found = re.findall(r"(?:writing 100 %: [\d,]+ of [\d,]+ images, |loop: )([\d,]+)", output)
    return float(found[-1].replace(",", "")) if found else float("nan")


def boxes(benchmark: Benchmark, images: int) -> None:
    """Boxes only, header check for all."""
    contenders: dict[str, Callable[[Path, Path], Run]] = {
        "plain loop": lambda data, out: peer("loop", data, out),
        "boxmill, 2 processes": lambda data, out: boxmill(data, out, 2),
        "boxmill, 1 worker": lambda data, out: boxmill(data, out, 1),
        "copy with CRC": lambda data, out: peer("copy", data, out),
        "stock Beam": lambda data, out: peer("beam", data, out),
    }
    if GARDEN_PYTHON.exists():
        contenders["Model Garden"] = garden
    else:
        print("Model Garden is left out: `make garden` installs it")
    results = benchmark.medians(contenders)
    print_table(images, results, "boxes only, header check")
    rates = {name: statistics.median(writing_rate(item.output) for item in runs) for name, (_, runs) in results.items()}
    loop, ours = rates["plain loop"], rates["boxmill, 2 processes"]
    print(
        f"while writing: boxmill, 2 processes {ours:,.0f} images/s is {ours / loop:.2f}x the plain loop's {loop:,.0f}"
    )


def checked(benchmark: Benchmark, images: int) -> None:
    """Every image decoded in full."""
    results = benchmark.medians(
        {
            "plain loop, checked": lambda data, out: peer("loop_checked", data, out),
            "boxmill, 2 processes": lambda data, out: boxmill(data, out, 2, "full"),
            "boxmill, 1 worker": lambda data, out: boxmill(data, out, 1, "full"),
        }
    )
    print_table(images, results, "boxes only, full decode check")


def slow_reads(benchmark: Benchmark, images: int) -> None:
    """50 ms before each image is read; the serial loop's time is in its reads, so a fifth of the images will do."""

    def ours(data: Path, out: Path) -> Run:
        return run([sys.executable, "-c", _SLOW_READS, *_build_flags(data, out, "header")])

    results = benchmark.medians(
        {"serial loop": lambda data, out: peer("loop_slow_reads", data, out), "boxmill, 1 worker": ours}
    )
    print_table(images, results, "50 ms before each read")


def memory(folder: Path, outputs: Path, images: int) -> None:
    """The memory of a process with as many images, and with four times as many small ones."""
    largest = {}
    for count in (images, 4 * images):
        data = folder / f"small{count}"
        if not data.exists():
            write_dataset(data, count, target_bytes=10_000)
        output = outputs / "out"
        shutil.rmtree(output, ignore_errors=True)
        result = boxmill(data, output, 2)
        shutil.rmtree(output, ignore_errors=True)
        largest[count] = result.largest
        print(f"{count:,} images: largest process {result.largest / _MB:.0f} MB, all {result.rss / _MB:.0f} MB")
    print(f"4x the images: {largest[4 * images] / largest[images]:.2f}x the memory of the largest process")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/boxmill-benchmark"))
    parser.add_argument("--outputs", type=Path, default=Path("/dev/shm/boxmill-benchmark"))
    parser.add_argument("--only", default="boxes,checked,slow,memory")
    options = parser.parse_args()
    only = options.only.split(",")
    options.outputs.mkdir(parents=True, exist_ok=True)

    def dataset(images: int) -> Path:
        data = Path(options.folder) / f"images{images}"
        if not data.exists():
            print(f"making {images:,} images in {data}", file=sys.stderr)
            write_dataset(data, images)
        return data

    if "boxes" in only:
        boxes(Benchmark(dataset(options.images), options.outputs, options.rounds), options.images)
    if "checked" in only:
        checked(Benchmark(dataset(options.images), options.outputs, options.rounds), options.images)
    if "slow" in only:
        images = options.images // 5
        slow_reads(Benchmark(dataset(images), options.outputs, 1), images)
    if "memory" in only:
        memory(options.folder, options.outputs, options.images)


if __name__ == "__main__":
    main()
